//! What can happen in a world.

use super::configs::{NEVER_GIVEN, Setup};
use super::words::link as link_id;
use super::world::{Body, Code, Kind, Link, Peer, Side, Site, Source, Task, Word, World, number};
use handover::machine::Machine;
use handover::repmgr::connection::State as LinkState;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    // An application, to its channel.
    Send(Site),
    Request(Site),
    Connect(Site),
    Close(Site),
    CloseNow(Site),
    /// Somebody else is the master, for all channels that follow it.
    Move,
    // An application, to its dispatcher: it answers, in vain or with too much, replies, and is through with something.
    Respond(Site, u8),
    Flood(Site, u8),
    Reply(Site, u8),
    Finish(Site, u8),
    /// It takes messages from now on, or does not.
    Serve(Site),
    /// It closes a link that was accepted.
    Quit(u8),
    // A listener without manners says something.
    Prank(u8, Word),
    // The world.
    /// A link that is dialled is there.
    Arrive(u8),
    /// Or cannot be had.
    Refuse(u8),
    Deliver(u8, Side),
    Congest(u8, Side),
    Drain(u8, Side),
    Lose(u8),
    Fire(Peer),
}

impl Link {
    fn is_ready(&self, side: Side) -> bool {
        self.end(side).is_some_and(|end| end.connection.get().state() == LinkState::Ready)
    }

    /// Whether an end takes something off the link now. A reader that has paused hears of nothing but a link that has
    /// broken.
    fn is_read(&self, side: Side) -> bool {
        self.has_word_for(side) && self.end(side).is_some_and(|end| !end.paused || self.broken)
    }
}

impl World {
    /// What must happen sooner or later unless something else comes first: links, deliveries, and what applications
    /// owe.
    pub(crate) fn duties(&self, actions: &mut Vec<Action>) {
        for link in &self.links {
            if !link.arrived {
                actions.push(Action::Arrive(link.id));
            }
            for side in Side::BOTH {
                if link.is_read(side) {
                    actions.push(Action::Deliver(link.id, side));
                }
                if link.is_congested(side) {
                    actions.push(Action::Drain(link.id, side));
                }
            }
        }
        for site in self.sites() {
            for task in &self.place(site).tasks {
                let owed = task.is_owed();
                actions.push(if owed { Action::Respond(site, task.handle) } else { Action::Finish(site, task.handle) });
            }
        }
    }

    /// What may happen: timers (for free where nothing else can), and what the budgets allow.
    pub(crate) fn whims(&self, setup: &Setup, idle: bool, actions: &mut Vec<Action>) {
        let left = &self.budget;
        if idle || left.timers > 0 {
            actions.extend(self.waiters().map(Action::Fire));
        }
        if usize::from(self.moves) < setup.masters.len() {
            actions.push(Action::Move);
        }
        for site in self.sites() {
            self.channel_whims(site, actions);
            self.place(site).tasks.iter().for_each(|task| self.task_whims(site, task, actions));
            if left.serves > 0 && setup.serves(site) {
                actions.push(Action::Serve(site));
            }
        }
        self.links.iter().for_each(|link| self.link_whims(setup, link, actions));
    }

    fn channel_whims(&self, site: Site, actions: &mut Vec<Action>) {
        let (left, place) = (&self.budget, self.place(site));
        if place.channel.is_none() {
            return;
        }
        // The endpoint refuses what a site sends to itself while it takes nothing.
        let full = place.ghost.master == Some(site) && place.dispatcher.get().is_paused(link_id(0));
        let open = !place.ghost.closing;
        let offered = [
            (Action::Send(site), open && !full && left.messages > 0),
            (Action::Request(site), open && !full && left.requests > 0),
            (Action::Connect(site), open && left.connects > 0),
            (Action::Close(site), open && left.closes > 0),
            (Action::CloseNow(site), left.aborts > 0),
        ];
        actions.extend(offered.into_iter().filter_map(|(action, can)| can.then_some(action)));
    }

    fn task_whims(&self, site: Site, task: &Task, actions: &mut Vec<Action>) {
        let (left, handle) = (&self.budget, task.handle);
        if task.is_owed() && left.silences > 0 {
            actions.push(Action::Finish(site, handle));
        }
        if task.is_owed() && left.floods > 0 {
            actions.push(Action::Flood(site, handle));
        }
        if task.wanted.is_none() && !task.lost && left.replies > 0 {
            actions.push(Action::Reply(site, handle));
        }
    }

    fn link_whims(&self, setup: &Setup, link: &Link, actions: &mut Vec<Action>) {
        let (left, id) = (&self.budget, link.id);
        let rogue = setup.is_rogue(link.to);
        for side in Side::BOTH {
            let can = link.end(side).is_some_and(|end| !end.congested) && !(rogue && side == Side::Listener);
            if left.congestions > 0 && link.arrived && can && !link.broken {
                actions.push(Action::Congest(id, side));
            }
        }
        let offered = [
            (Action::Refuse(id), left.refusals > 0 && !link.arrived),
            (Action::Lose(id), left.losses > 0 && link.arrived && !link.broken),
            (Action::Quit(id), left.quits > 0 && link.listener.is_some()),
        ];
        actions.extend(offered.into_iter().filter_map(|(action, can)| can.then_some(action)));
        if rogue && left.pranks > 0 && link.is_ready(Side::Listener) {
            actions.extend(setup.pranks.iter().flat_map(|prank| prank.words(link)).map(|word| Action::Prank(id, word)));
        }
    }
}

/// What a listener without manners may say, any number of times, in any order, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prank {
    /// To any request that has come: what is wanted, or what is too large or no block at all, or that there is none, or
    /// an error that is none.
    Answer,
    Huge,
    NoAnswer,
    Zero,
    /// An answer to nothing.
    Stray,
    /// A message.
    Message,
}

impl Prank {
    fn words(self, link: &Link) -> Vec<Word> {
        let each = |word: fn(&(u8, u8, Kind)) -> Word| link.heard.iter().map(word).collect();
        match self {
            Self::Answer => each(|&(tag, number, kind)| {
                let body = if kind == Kind::Bulk { Body::Block(number) } else { Body::One(number) };
                Word::Response { tag, body }
            }),
            Self::Huge => each(|&(tag, number, _)| Word::Response { tag, body: Body::Two(number) }),
            Self::NoAnswer => each(|&(tag, ..)| Word::Error { tag, code: Code::KeyEmpty }),
            Self::Zero => each(|&(tag, ..)| Word::Error { tag, code: Code::Zero }),
            Self::Stray => vec![Word::Response { tag: NEVER_GIVEN, body: Body::One(0) }],
            Self::Message => {
                let count = link.wire.replied[Side::Listener as usize] + 1;
                vec![Word::Message(number(link.to, Source::Dispatcher, count))]
            }
        }
    }
}
