//! What is asserted of channels.

use super::adapter::{Effect, Note, Step, Stimulus};
use super::ghost::{Outcome, Property, Reached, Why, Wish};
use super::properties::{Before, bit, count};
use super::world::{Body, Code, Kind, Link, Peer, Side, Site, Word};
use handover::repmgr::connection::Connection;
use handover::time::Instant;

/// How a request ends that is given an answer.
const fn expected(kind: Kind, word: Word) -> Outcome {
    match (word, kind) {
        (Word::Error { code: Code::NoServer, .. }, _) => Outcome::NoServer,
        (Word::Error { code: Code::BufferSmall, .. }, _) => Outcome::TooLarge,
        (Word::Response { body: body @ Body::One(_), .. }, Kind::Plain | Kind::Limited) => Outcome::Answer(body),
        (Word::Response { body: body @ Body::Block(_), .. }, Kind::Bulk) => Outcome::Answer(body),
        (Word::Response { body: body @ Body::Two(_), .. }, Kind::Plain) => Outcome::Answer(body),
        (Word::Response { body: Body::Two(_), .. }, Kind::Limited) => Outcome::TooLarge,
        (Word::Response { .. }, Kind::Bulk) => Outcome::Malformed,
        _ => Outcome::NoAnswer,
    }
}

impl Step<'_> {
    fn wishes(&mut self, site: Site) -> &mut Vec<Wish> {
        &mut self.w.place_mut(site).ghost.wishes
    }

    pub(crate) fn observe_channel(
        &mut self,
        site: Site,
        stimulus: Stimulus,
        before: Before,
        violated: bool,
        effects: &[Effect],
    ) {
        self.check(Property::NoMisuse, before.may || matches!(stimulus, Stimulus::Answer(..)));
        self.channel_is_given(site, stimulus);
        for &effect in effects {
            match effect {
                Effect::Dial(number, to) => self.channel_dials(site, number, to),
                Effect::Send(via, word) => self.channel_sends(site, via, word),
                Effect::Close(number) => self.channel_parts(site, stimulus, violated, number),
                Effect::Note(note) => self.channel_tells(site, stimulus, &before, note, effects),
                other => unreachable!("no channel does {other:?}"),
            }
        }
        self.after_channel(site, stimulus, &before, violated, effects);
    }

    fn channel_is_given(&mut self, site: Site, stimulus: Stimulus) {
        let clock = self.w.place(site).clock;
        match stimulus {
            Stimulus::Send { id, number } => {
                let due = self.setup.channel().send_timeout.map(|time| clock.saturating_add(time));
                self.accept(site, Wish { number, id, kind: None, due, sent: None });
            }
            Stimulus::Request { id, number, kind } => {
                let due = self.setup.patience(number).map(|time| clock.saturating_add(time));
                self.accept(site, Wish { number, id, kind: Some(kind), due, sent: None });
            }
            Stimulus::Master(master) => {
                let ghost = &mut self.w.place_mut(site).ghost;
                if std::mem::replace(&mut ghost.master, master) != master {
                    let known = self.w.links.iter_mut().filter(|link| link.from == site);
                    known.for_each(|link| link.wire.left = true);
                }
            }
            Stimulus::Ready(number) => {
                self.w.way(site, number).into_iter().for_each(|wire| wire.up = true);
            }
            Stimulus::Answer(via, Word::Response { tag, .. } | Word::Error { tag, .. }) => {
                let Some(wire) = self.w.way(site, via) else { return };
                wire.open &= !bit(tag);
                let left = wire.left;
                if left {
                    self.reach(Reached::OldAnswered);
                }
            }
            Stimulus::Close | Stimulus::CloseNow => self.w.place_mut(site).ghost.closing = true,
            _ => {}
        }
    }

    fn accept(&mut self, site: Site, wish: Wish) {
        let ghost = &mut self.w.place_mut(site).ghost;
        ghost.accepted += 1;
        ghost.wishes.push(wish);
    }

    fn channel_dials(&mut self, site: Site, number: u8, to: Site) {
        let needless = self.w.current(site).is_some();
        let (id, connection) = (self.w.last_link + 1, Connection::dial(self.setup.connection(), Instant::ZERO));
        let ghost = &mut self.w.place_mut(site).ghost;
        ghost.dialled += 1;
        let holds = ghost.master == Some(to) && to != site && number == ghost.dialled && !needless;
        let replaces = number > 1;
        self.w.last_link = id;
        self.w.links.push(Link::new(id, number, site, to, connection));
        self.check(Property::P21, holds);
        if replaces {
            self.reach(Reached::Replaced);
        }
    }

    fn channel_sends(&mut self, site: Site, via: u8, word: Word) {
        use Property::{Flow, P9, P14, P21};
        let clock = self.w.place(site).clock;
        let master = self.w.place(site).ghost.master;
        let right = match self.w.dialled(site, via) {
            _ if via == 0 => master == Some(site),
            None => false,
            Some(link) => link.wire.known && !link.wire.left && link.wire.up && master == Some(link.to),
        };
        let congested = self.w.dialled(site, via).is_some_and(|link| link.is_congested(Side::Dialler));
        let moved = self.w.links.iter().any(|link| link.from == site && link.wire.left);
        let wishes = self.wishes(site);
        let wish = wishes.iter_mut().find(|wish| Some(wish.number) == word.number() && wish.sent.is_none());
        let (mut first, mut wanted) = (false, true);
        if let Some(wish) = wish {
            first = true;
            let tag = if let Word::Request { tag, .. } = word { tag } else { 0 };
            wish.sent = Some((via, tag));
            wanted = wish.kind == if let Word::Request { kind, .. } = word { Some(kind) } else { None };
        }
        self.check(P21, first && right);
        self.check(P14, wanted);
        self.check(Flow, !congested);
        if moved {
            self.reach(Reached::WentToNew);
        }
        let Some(wire) = self.w.way(site, via) else { return };
        wire.last = clock;
        wire.under_way[Side::Listener as usize] += 1;
        match word {
            Word::Request { tag, .. } => {
                let unused = wire.given & bit(tag) == 0;
                (wire.given, wire.open) = (wire.given | bit(tag), wire.open | bit(tag));
                self.check(P9, unused);
            }
            _ => wire.messages += 1,
        }
    }

    /// The channel closes a link.
    fn channel_parts(&mut self, site: Site, stimulus: Stimulus, violated: bool, number: u8) {
        use Property::{OneEnd, P18, P21};
        let clock = self.w.place(site).clock;
        let linger = self.setup.channel().linger;
        let ghost = &self.w.place(site).ghost;
        let closing = ghost.closing;
        let waited_for = ghost.wishes.iter().any(|wish| wish.sent.is_some_and(|(via, _)| via == number));
        let Some(wire) = self.w.way(site, number) else { return self.check(OneEnd, false) };
        let known = std::mem::replace(&mut wire.known, false);
        wire.parted = true;
        let (unneeded, open) = (wire.left || closing, wire.open != 0);
        let patience = clock >= wire.last.saturating_add(linger);
        let lingered = stimulus == Stimulus::Timeout && unneeded && !waited_for && patience;
        self.check(OneEnd, known);
        self.check(P21, unneeded || violated);
        self.check(P18, !open || lingered || violated || stimulus == Stimulus::CloseNow);
        if violated {
            self.reach(Reached::Faulty);
        } else if open && lingered {
            self.reach(Reached::Lingered);
        }
    }

    fn channel_tells(&mut self, site: Site, stimulus: Stimulus, before: &Before, note: Note, effects: &[Effect]) {
        use Property::{Ends, OneEnd, P11, P17, Served};
        match note {
            Note::Sent(id) => {
                let wishes = self.wishes(site);
                let wish = wishes.iter().position(|wish| wish.kind.is_none() && wish.id == id && wish.sent.is_some());
                wish.map(|at| wishes.remove(at));
                self.check(P17, wish.is_some());
            }
            Note::Dropped(id, why) => {
                let clock = self.w.place(site).clock;
                let wishes = self.wishes(site);
                let wish = wishes.iter().position(|wish| wish.kind.is_none() && wish.id == id && wish.sent.is_none());
                let due = wish.map(|at| wishes.remove(at)).and_then(|wish| wish.due);
                let reason = match why {
                    Why::TimedOut => stimulus == Stimulus::Timeout && due.is_some_and(|due| due <= clock),
                    Why::Unavailable => matches!(stimulus, Stimulus::Closed(_) | Stimulus::Master(None)),
                    Why::Closed => stimulus == Stimulus::CloseNow,
                };
                self.check(P17, wish.is_some() && reason);
                self.check(Property::P21, why != Why::Unavailable || self.gives_up(site, stimulus));
                self.check(Served, !self.setup.goes_well(&self.w.budget));
                self.reach(Reached::of_message(why));
            }
            Note::Completed(id, outcome) => self.channel_completes(site, stimulus, before, (id, outcome), effects),
            Note::LinkLost(number, messages) => {
                let gone = self.w.dialled(site, number).is_some_and(|link| link.dialler.is_none());
                let parts = effects.contains(&Effect::Close(number));
                let Some(wire) = self.w.way(site, number) else { return self.check(OneEnd, false) };
                let known = std::mem::replace(&mut wire.known, false);
                let first = !std::mem::replace(&mut wire.told, true);
                let counted = u32::from(wire.messages) == messages;
                self.check(OneEnd, first && (known && gone || parts));
                self.check(P17, counted);
            }
            Note::Ignored => {
                self.check(P11, before.wish.is_none() && before.given && matches!(stimulus, Stimulus::Answer(..)));
                self.reach(Reached::Late);
            }
            Note::Closed { messages, requests } => {
                let dropped = count(effects, |effect| matches!(effect, Effect::Note(Note::Dropped(_, Why::Closed))));
                let given_up = |effect: &Effect| matches!(effect, Effect::Note(Note::Completed(_, Outcome::Closed(_))));
                let told = (dropped, count(effects, given_up)) == (messages as usize, requests as usize);
                let parted = self.w.links.iter().all(|link| link.from != site || !link.wire.known);
                let ghost = &mut self.w.place_mut(site).ghost;
                let first = !std::mem::replace(&mut ghost.closed, true);
                let (wanted, nothing) = (ghost.closing, ghost.wishes.is_empty());
                self.check(OneEnd, first && wanted && told);
                self.check(Ends, nothing && parted);
                let due = self.w.deadline(Peer::Channel(site));
                self.check(Property::Timers, due.is_none());
            }
            other => unreachable!("no channel says {other:?}"),
        }
    }

    /// Whether what waits may be given up: there is no master, or it could not be reached. A link that is lost is
    /// replaced.
    fn gives_up(&self, site: Site, stimulus: Stimulus) -> bool {
        match stimulus {
            Stimulus::Closed(number) => self.w.dialled(site, number).is_some_and(|link| !link.wire.up),
            Stimulus::Master(master) => master.is_none(),
            _ => false,
        }
    }

    fn channel_completes(
        &mut self,
        site: Site,
        stimulus: Stimulus,
        before: &Before,
        (id, outcome): (u8, Outcome),
        effects: &[Effect],
    ) {
        use Property::{Once, P11, P13, P14, P15, Served, Timers};
        let clock = self.w.place(site).clock;
        let wishes = self.wishes(site);
        let Some(at) = wishes.iter().position(|wish| wish.kind.is_some() && wish.id == id) else {
            return self.check(Once, false);
        };
        let wish = wishes.remove(at);
        let (kind, sent) = (wish.kind.unwrap_or(Kind::Plain), wish.sent);
        let via = sent.map_or(0, |(via, _)| via);
        if let Some(wire) = self.w.way(site, via) {
            wire.last = clock;
        }
        match outcome {
            Outcome::Timeout(on_its_way) => {
                let late = stimulus == Stimulus::Timeout && wish.due.is_some_and(|due| due <= clock);
                self.check(Timers, late);
                self.check(Once, on_its_way == sent.is_some());
            }
            Outcome::Unavailable(true) => {
                let lost =
                    |effect: &Effect| matches!(effect, Effect::Note(Note::LinkLost(number, _)) if *number == via);
                self.check(P15, via != 0 && count(effects, lost) == 1);
            }
            Outcome::Unavailable(false) => {
                let cause = matches!(stimulus, Stimulus::Closed(_) | Stimulus::Master(None));
                self.check(P15, sent.is_none() && cause);
                self.check(Property::P21, self.gives_up(site, stimulus));
            }
            Outcome::Closed(on_its_way) => {
                self.check(Once, stimulus == Stimulus::CloseNow && on_its_way == sent.is_some());
            }
            _ => {
                let own = before.wish == Some(wish);
                let right = matches!(stimulus, Stimulus::Answer(_, word) if expected(kind, word) == outcome);
                let number =
                    if let Outcome::Answer(Body::One(number) | Body::Two(number) | Body::Block(number)) = outcome {
                        number
                    } else {
                        wish.number
                    };
                self.check(P11, own && number == wish.number);
                self.check(
                    match kind {
                        Kind::Plain => P11,
                        Kind::Limited => P13,
                        Kind::Bulk => P14,
                    },
                    right,
                );
                if via == 0 {
                    self.reach(Reached::Echoed);
                }
            }
        }
        let answered = matches!(outcome, Outcome::Answer(_));
        self.check(Served, answered || !self.setup.goes_well(&self.w.budget));
        self.reach(Reached::of(outcome));
    }

    fn after_channel(&mut self, site: Site, stimulus: Stimulus, before: &Before, violated: bool, effects: &[Effect]) {
        use Property::{Bounds, Ends, Once, OneEnd, P11, P15, P21, Timers, Waits};
        let completed = count(effects, |effect| matches!(effect, Effect::Note(Note::Completed(..))));
        match stimulus {
            Stimulus::Answer(..) => {
                let ignored = count(effects, |effect| *effect == Effect::Note(Note::Ignored));
                let told = match before.wish {
                    Some(_) => !violated && (completed, ignored) == (1, 0),
                    None if before.given => !violated && (completed, ignored) == (0, 1),
                    None => violated && ignored == 0,
                };
                self.check(P11, told);
            }
            Stimulus::Closed(number) => {
                let lost = |effect: &Effect| matches!(effect, Effect::Note(Note::LinkLost(lost, _)) if *lost == number);
                self.check(OneEnd, count(effects, lost) == 1);
            }
            Stimulus::Timeout => {
                let clock = self.w.place(site).clock;
                let due = self.wishes(site).iter().all(|wish| wish.due.is_none_or(|due| due > clock));
                self.check(Timers, due);
                self.check(Once, due);
            }
            _ => {}
        }
        let lost = |via| via != 0 && self.w.dialled(site, via).is_none_or(|link| !link.wire.known);
        let wishes = &self.w.place(site).ghost.wishes;
        let alone = wishes.iter().any(|wish| wish.sent.is_some_and(|(via, _)| lost(via)));
        let bounds = self.setup.bounds;
        let (unsent, unanswered) = (self.w.unsent(site).count(), self.w.unanswered(site));
        let ghost = &self.w.place(site).ghost;
        let open = self.w.links.iter().any(|link| link.from == site && link.wire.known && link.wire.open != 0);
        let over = ghost.closing && ghost.wishes.is_empty() && !open;
        let (closed, goes, reaches) = (ghost.closed, ghost.master, self.w.current(site).map(|link| link.to));
        let remote = goes.is_some_and(|master| master != site);
        let can_go = self.w.is_open(site);
        self.check(P15, !alone);
        self.check(Bounds, unsent <= bounds.held && unanswered <= bounds.requests);
        self.check(Ends, closed || !over);
        if unsent > 0 {
            self.check(Waits, remote && !can_go);
            self.check(P21, !remote || reaches == goes);
        }
    }
}
