//! The properties, as observers of what each machine is given and what it does.
//!
//! An observer sees the wire and the events: a mutant sits between them and its machine, so that the two together are
//! judged like one implementation. What a property must remember is kept in [`Ghost`](super::ghost::Ghost) and
//! [`Wire`], as little as possible. A property that is refuted leaves a bit in the state.

use super::adapter::{Effect, Note, Step, Stimulus};
use super::ghost::{Property, Wish};
use super::world::{Code, End, Link, Peer, Place, Side, Site, Word, World};
use handover::error::Error;
use handover::machine::Machine;
use handover::repmgr::connection::State as LinkState;

/// What a step is to be compared with.
#[derive(Default)]
pub(crate) struct Before {
    /// Whether what an application wants can be done.
    pub(crate) may: bool,
    /// Who waits for the answer that has come, and whether its tag was ever given.
    pub(crate) wish: Option<Wish>,
    pub(crate) given: bool,
    /// Where an end of a link stands.
    state: Option<LinkState>,
}

pub(crate) fn count(effects: &[Effect], wanted: impl Fn(&Effect) -> bool) -> usize {
    effects.iter().filter(|effect| wanted(effect)).count()
}

pub(crate) const fn bit(tag: u8) -> u16 {
    1 << tag
}

impl World {
    /// The link on which a site's channel may send something new, if there is one.
    pub(crate) fn current(&self, site: Site) -> Option<&Link> {
        self.links.iter().find(|link| link.from == site && link.wire.known && !link.wire.left)
    }

    /// Whether what a site's channel is given now can go at once.
    pub(crate) fn is_open(&self, site: Site) -> bool {
        let open = |link: &Link| link.wire.up && !link.is_congested(Side::Dialler);
        self.place(site).ghost.master == Some(site) || self.current(site).is_some_and(open)
    }

    pub(crate) fn unsent(&self, site: Site) -> impl Iterator<Item = &Wish> {
        self.place(site).ghost.wishes.iter().filter(|wish| wish.sent.is_none())
    }

    /// Requests of a site's channel without an answer, those that nobody waits for among them.
    pub(crate) fn unanswered(&self, site: Site) -> usize {
        let known = self.links.iter().filter(|link| link.from == site && link.wire.known).map(|link| link.wire.open);
        let open = known.chain([self.place(site).local.wire.open]).map(u16::count_ones).sum::<u32>();
        usize::try_from(open).expect("few requests") + self.unsent(site).filter(|wish| wish.kind.is_some()).count()
    }
}

impl Step<'_> {
    /// What is known before a machine is given a stimulus.
    pub(crate) fn before(&self, peer: Peer, stimulus: Stimulus) -> Before {
        match peer {
            Peer::Channel(site) => self.before_channel(site, stimulus),
            Peer::Dispatcher(site) => Before { may: self.may_reply(site, stimulus), ..Before::default() },
            Peer::Link(id, side) => {
                let end = self.w.link(id).and_then(|link| link.end(side));
                Before { state: end.map(|end| end.connection.get().state()), ..Before::default() }
            }
        }
    }

    fn before_channel(&self, site: Site, stimulus: Stimulus) -> Before {
        let ghost = &self.w.place(site).ghost;
        let bounds = self.setup.bounds;
        let can = !ghost.closing && ghost.master.is_some();
        let (direct, unsent) = (self.w.is_open(site), self.w.unsent(site).count());
        let room = unsent < bounds.held || direct;
        match stimulus {
            Stimulus::Send { .. } => Before { may: can && room, ..Before::default() },
            Stimulus::Request { .. } => {
                Before { may: can && room && self.w.unanswered(site) < bounds.requests, ..Before::default() }
            }
            Stimulus::Connect => Before { may: can, ..Before::default() },
            Stimulus::Answer(via, Word::Response { tag, .. } | Word::Error { tag, .. }) => {
                let wish = ghost.wishes.iter().find(|wish| wish.sent == Some((via, tag))).copied();
                let way = if via == 0 {
                    Some(&self.w.place(site).local.wire)
                } else {
                    self.w.dialled(site, via).map(|link| &link.wire)
                };
                Before { wish, given: way.is_some_and(|wire| wire.given & bit(tag) != 0), ..Before::default() }
            }
            _ => Before { may: true, ..Before::default() },
        }
    }

    /// What a machine has made of a stimulus, before anything takes place.
    pub(crate) fn observe(
        &mut self,
        peer: Peer,
        stimulus: Stimulus,
        before: Before,
        result: &Result<(), Error>,
        effects: &[Effect],
    ) {
        use Property::{NoMisuse, NoViolation, Timers};
        if matches!(result, Err(Error::Violation(_))) {
            self.check(NoViolation, self.setup.rogue.is_some());
        }
        if matches!(result, Err(Error::Misuse(_))) {
            return self.check(NoMisuse, !before.may && effects.is_empty());
        }
        if stimulus == Stimulus::Timeout {
            let clock = self.w.clock(peer);
            self.check(Timers, self.w.deadline(peer).is_none_or(|deadline| deadline > clock));
        }
        match peer {
            Peer::Channel(site) => self.observe_channel(site, stimulus, before, result.is_err(), effects),
            Peer::Dispatcher(site) => self.observe_dispatcher(site, stimulus, before.may, effects),
            Peer::Link(id, side) => self.observe_end((id, side), stimulus, before.state, effects),
        }
    }

    fn observe_end(
        &mut self,
        (id, side): (u8, Side),
        stimulus: Stimulus,
        state: Option<LinkState>,
        effects: &[Effect],
    ) {
        use Property::{OneEnd, P11, P16, P17, P19, P22, Timers};
        let ready = state == Some(LinkState::Ready);
        for &effect in effects {
            match effect {
                Effect::Send(_, word) if ready => self.check(P19, word.is_traffic()),
                Effect::Note(Note::Ready) => self.check(OneEnd, !ready),
                Effect::Note(Note::Over(_)) => {
                    let end = self.w.link_mut(id).and_then(|link| link.end_mut(side));
                    let first = end.is_some_and(|end| !std::mem::replace(&mut end.over, true));
                    self.check(OneEnd, first);
                    self.check(Timers, self.w.deadline(Peer::Link(id, side)).is_none());
                }
                _ => {}
            }
        }
        let overs = count(effects, |effect| matches!(effect, Effect::Note(Note::Over(_))));
        let received = |word| effects == [Effect::Note(Note::Received(word))];
        match stimulus {
            Stimulus::Word(Word::Error { code: Code::Zero, .. }) if ready => {
                let told = count(effects, |effect| matches!(effect, Effect::Note(Note::Received(_))));
                self.check(P16, told == 0 && overs == 1);
            }
            Stimulus::Word(word @ (Word::Message(_) | Word::Request { .. })) if ready => {
                self.check(P22, received(word));
            }
            Stimulus::Word(word @ (Word::Response { .. } | Word::Error { .. })) if ready => {
                self.check(P11, received(word));
            }
            Stimulus::Write(word) => self.check(P17, effects == [Effect::Send(id, word)]),
            Stimulus::Closed(_) | Stimulus::Disconnect | Stimulus::Timeout => self.check(OneEnd, overs == 1),
            _ => {}
        }
    }

    /// What must hold where nothing can happen any more.
    pub(crate) fn at_rest(&mut self) {
        use Property::{Ends, Flow, Once, P10, P17, P22};
        for site in self.w.sites().collect::<Vec<_>>() {
            let Place { channel, dispatcher, local, tasks, ghost, .. } = self.w.place(site);
            let requests = ghost.wishes.iter().filter(|wish| wish.kind.is_some()).count();
            let messages = ghost.wishes.len() - requests;
            let ended = channel.is_none() || !ghost.closing;
            let held = channel.as_ref().is_none_or(|channel| channel.get().held() == 0);
            let finished = tasks.is_empty() && dispatcher.get().unfinished() == 0;
            let wire = &local.wire;
            let (owed, under_way, waiting) = (wire.owed, wire.under_way, local.waiting.len());
            let holds = [
                (Once, requests == 0),
                (P17, messages == 0),
                (Ends, ended && held && finished && waiting == 0),
                (P10, owed == 0),
                (P22, under_way == [0, 0]),
            ];
            holds.into_iter().for_each(|(property, holds)| self.check(property, holds));
        }
        for index in 0..self.w.links.len() {
            let Link { from, to, dialler, listener, wire, .. } = &self.w.links[index];
            let ready = |end: &End| end.connection.get().state() == LinkState::Ready && !end.over;
            let used = self.w.place(*from).channel.is_some() && wire.known && !wire.left;
            // Whoever has paused a link has nothing else to do than to let it go on.
            let flows = |end: &End| !end.paused;
            let both = [dialler, listener];
            let alive = both.iter().all(|end| end.as_ref().is_some_and(ready));
            let flowing = both.iter().all(|end| end.as_ref().is_none_or(flows));
            let rogue = self.setup.is_rogue(*to);
            let (owed, open, under_way) = (wire.owed, wire.open, wire.under_way);
            let holds = [
                (Ends, alive && used),
                (Flow, flowing),
                (P10, owed == 0 && (open == 0 || rogue)),
                (P22, under_way == [0, 0]),
            ];
            holds.into_iter().for_each(|(property, holds)| self.check(property, holds));
        }
    }
}
