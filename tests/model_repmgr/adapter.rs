//! The shipped machines in the model's world: what one of them is given, and what it does.

use super::configs::Setup;
use super::ghost::{Outcome, Property, Reached, Why};
use super::model::Marks;
use super::words;
use super::world::{End, Kind, Peer, Site, Word, World};
use handover::error::Error;
use handover::machine::Machine;
use handover::repmgr::connection::CloseReason;
use handover::time::Instant;
use std::collections::VecDeque;

/// What an application answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    /// What is wanted.
    Fits,
    /// More than that.
    TooMuch,
}

/// What a machine is given. Links are 0 for the site itself, else as the machine calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stimulus {
    Closed(u8),
    Congested(u8),
    Drained(u8),
    Timeout,
    // A channel.
    Master(Option<Site>),
    Connect,
    Send { id: u8, number: u8 },
    Request { id: u8, number: u8, kind: Kind },
    Ready(u8),
    Answer(u8, Word),
    Close,
    CloseNow,
    // A dispatcher.
    Serve(bool),
    Received(u8, Word),
    Respond { handle: u8, form: Form },
    Reply { handle: u8, number: u8 },
    Finish(u8),
    // An end of a link.
    Opened,
    Word(Word),
    Write(Word),
    Malformed,
    Disconnect,
}

/// What a machine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Dial(u8, Site),
    Send(u8, Word),
    Close(u8),
    Pause(u8),
    Resume(u8),
    Note(Note),
}

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    // Of a channel.
    Sent(u8),
    Dropped(u8, Why),
    Completed(u8, Outcome),
    LinkLost(u8, u32),
    Ignored,
    Closed { messages: u32, requests: u32 },
    // Of a dispatcher.
    Message { handle: u8, link: u8, number: u8 },
    Request { handle: u8, link: u8, number: u8, kind: Kind },
    Lost(u8),
    TooLarge(u8),
    Unserved(u8),
    // Of an end of a link.
    Ready,
    Received(Word),
    Over(CloseReason),
    Skipped,
}

/// What a run has reached, over all states: shows that no property is vacuous.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) properties: Marks,
    pub(crate) reached: Marks,
}

/// One step of the model: the world, while it is being changed.
pub(crate) struct Step<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) seen: &'a Seen,
    pub(crate) w: World,
    /// What machines have done and what has not taken place yet.
    pub(crate) pending: VecDeque<(Peer, Effect)>,
    /// What each machine was given and did, where somebody wants to know.
    pub(crate) log: Option<Vec<String>>,
}

/// Gives a machine an input, and takes out what it does.
fn drive<'a, M: Machine, E>(
    machine: &mut M,
    now: Instant,
    input: M::Input<'a>,
    effect: impl Fn(&M::Output) -> E,
) -> (Result<(), Error>, Vec<E>) {
    let result = machine.handle(now, input);
    (result, std::iter::from_fn(|| machine.poll_output()).map(|output| effect(&output)).collect())
}

impl Step<'_> {
    pub(crate) fn check(&mut self, property: Property, holds: bool) {
        self.seen.properties.set(property as u32);
        if !holds {
            self.w.refuted |= 1 << property as u32;
        }
    }

    pub(crate) fn reach(&mut self, what: Reached) {
        self.seen.reached.set(what as u32);
    }

    /// Gives a machine a stimulus. What it does is to take place; whether it was an error is told.
    pub(crate) fn feed(&mut self, peer: Peer, stimulus: Stimulus) -> Result<(), Error> {
        if stimulus == Stimulus::Timeout {
            self.w.advance(peer);
        }
        let before = self.before(peer, stimulus);
        let (mut result, mut effects) = (Ok(()), Vec::new());
        if !self.setup.mutant.swallows(&self.w, peer, stimulus) {
            (result, effects) = self.run(peer, stimulus);
        }
        self.setup.mutant.tampers(&self.w, peer, stimulus, &mut result, &mut effects);
        if let Some(log) = &mut self.log {
            log.push(format!("{peer:?}: {stimulus:?} -> {result:?} {effects:?}"));
        }
        self.observe(peer, stimulus, before, &result, &effects);
        self.pending.extend(effects.into_iter().map(|effect| (peer, effect)));
        result
    }

    /// A stimulus that no application has chosen: it is never misuse.
    pub(crate) fn give(&mut self, peer: Peer, stimulus: Stimulus) {
        let result = self.feed(peer, stimulus);
        self.check(Property::NoMisuse, !matches!(result, Err(Error::Misuse(_))));
    }

    fn run(&mut self, peer: Peer, stimulus: Stimulus) -> (Result<(), Error>, Vec<Effect>) {
        let nothing = (Ok(()), Vec::new());
        match peer {
            Peer::Channel(site) => {
                let place = self.w.place_mut(site);
                let Some(channel) = &mut place.channel else { return nothing };
                let input = words::channel_input(self.setup, site, stimulus);
                channel.change(|machine| drive(machine, place.clock, input, words::channel_effect))
            }
            Peer::Dispatcher(site) => {
                let place = self.w.place_mut(site);
                let input = words::dispatcher_input(&place.tasks, stimulus);
                place.dispatcher.change(|machine| drive(machine, Instant::ZERO, input, words::dispatcher_effect))
            }
            Peer::Link(id, side) => {
                let Some(End { connection, clock, .. }) = self.w.link_mut(id).and_then(|link| link.end_mut(side))
                else {
                    return nothing;
                };
                let input = words::connection_input(stimulus);
                connection
                    .change(|machine| drive(machine, *clock, input, |output| words::connection_effect(id, output)))
            }
        }
    }
}
