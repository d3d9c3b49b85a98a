//! What is asserted of what the machines do.

use super::configs::{ALIASED, Harm};
use super::talk::{OTHERS, STRANGER, Step, site_of};
use super::world::{Asked, Property, Reached};
use handover::deferral::client::{Failure, Outcome, Report};
use handover::deferral::message::{Defer, Message, Request, RequestKey};
use handover::deferral::server::{Event, Input, Output, State};
use handover::deferral::{DeferKind, RefusalCode, RequestFlags};
use handover::machine::{LinkId, Machine};

const fn ours(key: RequestKey) -> bool {
    key.id.0[0] < OTHERS
}

impl Step<'_> {
    fn is_plain(&self) -> bool {
        self.talk.setup.harm == Harm::Plain
    }

    pub(crate) fn dials(&mut self, site: usize) {
        self.w.dials += 1;
        let names = self.talk.setup.places.iter().filter(|place| place.names & ALIASED != 0).count();
        let (servers, chain) = (self.talk.setup.places.len() + names, usize::from(self.talk.setup.continuations) + 1);
        // A link that is lost is dialled once more.
        let bound = 2 * servers * chain + usize::from(self.talk.setup.losses + self.talk.setup.crashes);
        self.check(Property::D1, usize::from(self.w.dials) <= bound);
        self.check(Property::D8, site != STRANGER);
    }

    pub(crate) fn asks(&mut self, site: usize, request: &Request) {
        let (epoch, priority) = (request.key.epoch, request.flags.contains(RequestFlags::PRIORITY));
        let again = request.flags.contains(RequestFlags::AGAIN);
        let asked = Asked { site, epoch, priority, again };
        let known = self.w.asked.contains(&asked);
        let before = self.w.asked.contains(&Asked { again: false, ..asked });
        self.check(Property::D2, !known && before == again && (!again || self.w.lost));
        self.check(Property::D3, !priority || (self.w.earned && epoch == self.w.client.get().epoch()));
        self.check(Property::D8, request.credentials.is_empty() || site == 0);
        self.w.asked.push(asked);
    }

    pub(crate) fn hears_deferral(&mut self, defer: &Defer) {
        let client = self.w.client.get();
        if defer.key.epoch != client.epoch() {
            return;
        }
        if matches!(defer.kind, DeferKind::BUSY | DeferKind::PREFER_OTHER) && !client.priority() {
            self.w.earned = true;
        }
        for alternate in &defer.alternates {
            let named = site_of(&alternate.uri);
            if !self.w.known.contains(&named) {
                self.w.known.push(named);
            }
        }
    }

    pub(crate) fn ends(&mut self, outcome: &Outcome) {
        use Property::{D5, D12, D14, Truth};
        let epoch = usize::from(self.w.client.get().epoch());
        let begun = self.w.begun.get(epoch).copied().unwrap_or(0);
        let changed = begun > 0 && self.talk.setup.harm != Harm::ReadOnly;
        match outcome {
            Outcome::Done { complete, .. } => {
                self.check(Truth, begun > 0);
                let all = self.w.begun.iter().all(|begun| *begun > 0);
                self.check(Truth, all);
                self.reach(if *complete { Reached::Done } else { Reached::SaidAgain });
                if self.talk.setup.cancels > self.w.cancels {
                    self.reach(Reached::CancelTooLate);
                }
            }
            Outcome::Failed(Failure::ContinuedTooOften, report) => {
                self.reach(Reached::TooOften);
                self.reports(report);
            }
            Outcome::Failed(_, report) => {
                self.check(Truth, !changed);
                self.reach(Reached::Failed);
                self.reports(report);
            }
            Outcome::Indeterminate { report, .. } => {
                self.check(Truth, self.talk.setup.harm != Harm::ReadOnly && self.w.lost);
                self.reach(Reached::Indeterminate);
                self.reports(report);
            }
            Outcome::Cancelled { carried_out } => {
                let none = self.w.begun.get(usize::from(*carried_out)).is_none_or(|begun| *begun == 0);
                self.check(D12, none || self.talk.setup.harm == Harm::ReadOnly);
                let before = self.w.begun.iter().take(usize::from(*carried_out)).all(|begun| *begun > 0);
                self.check(D12, before);
                self.reach(Reached::Cancelled);
            }
            other => panic!("{other:?}"),
        }
        if !self.w.disturbed {
            let done = matches!(outcome, Outcome::Done { .. }) == self.talk.setup.able;
            let property = if self.talk.setup.places.len() == 1 { D14 } else { D5 };
            if self.talk.setup.able || property == D5 {
                self.check(property, done);
            }
        }
    }

    fn reports(&mut self, report: &Report) {
        let report = self.talk.setup.mutant.reports(report.clone());
        let Report { declined, dead, violators, aliases, denied, busy, untried, ignored } = &report;
        let lists = [declined, dead, violators, aliases, denied, busy, untried];
        let mut reported: Vec<usize> = lists.into_iter().flatten().map(site_of).collect();
        reported.sort_unstable();
        let mut known = self.w.known.clone();
        known.sort_unstable();
        self.check(Property::D9, reported == known && *ignored == 0);
        let stranger = denied.iter().all(|uri| site_of(uri) == STRANGER);
        self.check(Property::D9, stranger && denied.len() == usize::from(known.contains(&STRANGER)));
        if !denied.is_empty() {
            self.reach(Reached::Denied);
        }
    }

    /// Who comes, comes to the end of the line.
    pub(crate) fn before_server(&mut self, at: usize, input: &Input) {
        let plain = self.is_plain();
        let site = &mut self.w.sites[at];
        match input {
            // Who waits on a link that is lost waits no longer.
            Input::Closed(link) => site.line.retain(|(_, waits)| waits != link),
            Input::Message { link, message: Message::Cancel(signal), .. } => {
                site.line.retain(|(key, waits)| *key != signal.key || waits != link);
            }
            Input::Message { message: Message::Request(request), .. } => {
                // It is wanted again.
                site.cancelled.retain(|key| *key != request.key);
                // Where it does no harm it begins anew, and only that counts.
                site.executed.retain(|epoch| plain || !ours(request.key) || *epoch != request.key.epoch);
                if site.jobs.iter().any(|(_, key)| *key == request.key) {
                    let again = request.flags.contains(RequestFlags::AGAIN);
                    self.reach(if again { Reached::TakenOver } else { Reached::BeganAnew });
                }
            }
            _ => {}
        }
    }

    pub(crate) fn observe_server(&mut self, at: usize, input: &Input, output: &Output) {
        use Property::{D4, D6, D7, D11, D12};
        match output {
            Output::Send { link, message: Message::Queued(queued) } => {
                let site = &mut self.w.sites[at];
                match site.line.iter_mut().find(|(key, _)| *key == queued.key) {
                    Some((_, waits)) => *waits = *link,
                    None => site.line.push((queued.key, *link)),
                }
                let place = self.w.sites[at].line.iter().position(|(key, _)| *key == queued.key);
                self.check(D11, place == usize::try_from(queued.position).ok());
            }
            Output::Send { message: Message::Defer(defer), .. } => {
                let continues = defer.kind == DeferKind::CONTINUE;
                let executed = self.has_executed(at, defer.key);
                self.check(D7, executed == continues || !self.is_plain() || !ours(defer.key));
                self.w.sites[at].line.retain(|(key, _)| *key != defer.key);
                let request = match input {
                    Input::Message { message: Message::Request(request), .. } if request.key == defer.key => request,
                    _ => return,
                };
                let priority = request.flags.contains(RequestFlags::PRIORITY);
                let able = self.talk.setup.places[at].writes || request.flags.contains(RequestFlags::READ_ONLY);
                let able = able && self.w.sites[at].server.get().state() != State::Stopped;
                self.check(D4, !(priority && able) || continues);
            }
            Output::Send { message: Message::Refused(refused), .. } => {
                let executed = self.has_executed(at, refused.key);
                if refused.code == RefusalCode::FORGOTTEN {
                    self.reach(Reached::Forgotten);
                } else {
                    self.check(D7, !executed || !self.is_plain());
                }
                if refused.code == RefusalCode::DEADLINE {
                    self.reach(Reached::DeadlinePassed);
                }
                self.w.sites[at].line.retain(|(key, _)| *key != refused.key);
            }
            Output::Event(Event::Execute(job)) => {
                let key = job.key;
                // Nobody is overtaken: who is served had waited longest, or nobody waited.
                let first = self.w.sites[at].line.first().is_none_or(|(first, _)| *first == key);
                self.check(D11, first);
                if !self.w.sites[at].line.is_empty() && ours(key) {
                    self.reach(Reached::SomebodyElseFirst);
                }
                self.w.sites[at].line.retain(|(waits, _)| *waits != key);
                self.w.sites[at].jobs.push((job.id, key));
                let never = !self.w.sites[at].cancelled.contains(&key);
                self.check(D12, never || !self.is_plain());
                if ours(key) {
                    self.w.sites[at].executed.push(key.epoch);
                    let epoch = usize::from(key.epoch);
                    let begun = self.w.begun.get_mut(epoch).expect("a command of the chain");
                    *begun += 1;
                    let once = *begun == 1;
                    self.check(D6, once || !self.is_plain());
                }
            }
            _ => {}
        }
    }

    fn has_executed(&self, at: usize, key: RequestKey) -> bool {
        ours(key) && self.w.sites[at].executed.contains(&key.epoch)
    }

    pub(crate) fn after_server(&mut self, at: usize, input: &Input, outputs: &[Output]) {
        let queued = self.w.sites[at].server.get().queued();
        self.check(Property::D11, self.w.sites[at].line.len() == queued);
        // A request is answered at once, if only with its place in line.
        if let Input::Message { link, message: Message::Request(_), .. } = input {
            let answered = |to: &LinkId| to == link;
            let said = outputs.iter().any(|output| matches!(output, Output::Send { link, .. } if answered(link)));
            self.check(Property::D1, said);
        }
    }

    /// Everything that a server says of our request.
    pub(crate) fn speaks(&mut self, at: usize, message: &Message) {
        let Some(key) = message.key().filter(|key| ours(*key)) else { return };
        if matches!(message, Message::Cancelled(_)) {
            let executed = self.has_executed(at, key);
            self.check(Property::D12, !executed);
            self.check(Property::D7, !executed);
            self.w.sites[at].cancelled.push(key);
        }
    }

    /// Nothing has to happen any more.
    pub(crate) fn at_rest(&mut self) {
        self.check(Property::D1, self.w.outcomes.len() == 1);
        self.check(Property::OneEnd, self.w.outcomes.len() == 1);
    }
}
