//! The shipped machines in the model's world: one step, and what follows from it.

use super::configs::Setup;
use super::ghost::Property;
use super::model::Marks;
use super::words::{client_effect, client_input, source_effect, source_input, target_effect, target_input};
use super::world::{Chan, Flags, Link, Peer, Word, World};
use handover::error::Error;
use handover::machine::Machine;
use handover::spice::{Capabilities, client};
use std::collections::VecDeque;

/// What a peer is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stimulus {
    Word(u8, Word),
    Opened(u8),
    OpenFailed(u8, client::LinkFailure),
    Closed(u8),
    Timeout,
    Info,
    Completed,
    Failed,
    Cancelled,
    VmRunning,
    /// A dialled link reaches the server.
    Arrive(u8),
    /// An application sends on a server's link, or on a client's channel.
    Say(u8, Word),
    SayOn(Chan, Word),
    Command(client::Command),
    GiveInit(u8),
    GiveData(u8),
}

/// What a peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Open { link: u8, server: Peer, chan: Chan, connection_id: u32, tls: bool },
    Accept(u8),
    Refuse(u8),
    Send(u8, Word),
    Close(u8),
    Pause(u8),
    Resume(u8),
    Note(Note),
}

/// An event for an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    Started(u8),
    /// With a client that has arrived, by which scheme.
    Ended(u8, Option<client::Scheme>),
    /// On a link, or with a client on a channel.
    Message(u8, Word),
    DataWanted(u8),
    Attached {
        link: u8,
        client: u8,
        arriving: bool,
    },
    ChannelStarted(u8),
    InitWanted(u8),
    Data(u8),
    Settled {
        client: u8,
        seamless: bool,
    },
    Gone,
    Linked(Chan),
    ChannelClosed(Chan),
    Disconnected,
    Other,
}

/// What a run has reached, over all states: shows that no property is vacuous.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    properties: Marks,
    /// By [`client::Scheme`].
    schemes: Marks,
}

impl Seen {
    pub(crate) fn has(&self, property: Property) -> bool {
        self.properties.has(property as u32)
    }

    pub(crate) fn has_scheme(&self, scheme: client::Scheme) -> bool {
        self.schemes.has(scheme as u32)
    }
}

/// One step of the model: the world, while it is being changed.
pub(crate) struct Step<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) seen: &'a Seen,
    pub(crate) w: World,
    /// What each peer was given and did, where somebody wants to know.
    pub(crate) log: Option<Vec<String>>,
}

impl Step<'_> {
    pub(crate) fn check(&mut self, property: Property, holds: bool) {
        self.seen.properties.set(property as u32);
        // A client that was made to break the protocol is no longer ours to judge, nor are its peers.
        let ours = !self.w.ghost.rogue || property as u32 <= Property::T7 as u32 || property == Property::NoMisuse;
        if !holds && ours {
            self.w.refuted |= 1 << property as u32;
        }
    }

    /// Gives a peer a stimulus, and its applications what follows from it at once.
    pub(crate) fn feed(&mut self, peer: Peer, stimulus: Stimulus) {
        let mut queue = VecDeque::from([(peer, stimulus)]);
        while let Some((peer, stimulus)) = queue.pop_front() {
            if !self.w.is_alive(peer) {
                continue;
            }
            let before = self.before(peer, &stimulus);
            let mut effects = Vec::new();
            let mut result = Ok(());
            if !self.setup.mutant.swallows(&self.w, peer, &stimulus) {
                result = self.run(peer, stimulus.clone(), &mut effects);
            }
            self.settle(&before);
            self.setup.mutant.tampers(&self.w, peer, &stimulus, &mut effects);
            self.check(Property::NoMisuse, !matches!(result, Err(Error::Misuse(_))));
            let broke = matches!(result, Err(Error::Violation(_)));
            self.check(Property::NoViolation, !broke);
            if let Some(log) = &mut self.log {
                log.push(format!("{peer:?}: {stimulus:?} -> {result:?} {effects:?}"));
            }
            for &effect in &effects {
                self.observe(peer, effect);
                self.apply(peer, effect, &mut queue);
            }
            self.after(peer, &stimulus, &before, &effects, broke);
        }
        self.w.tidy();
    }

    fn run(&mut self, peer: Peer, stimulus: Stimulus, effects: &mut Vec<Effect>) -> Result<(), Error> {
        let (setup, world) = (self.setup, &mut self.w);
        let mut now = world.clocks[peer as usize];
        if stimulus == Stimulus::Timeout {
            now = world.deadline(peer).unwrap_or(now);
            world.clocks[peer as usize] = now;
        }
        match peer {
            Peer::Source => {
                let input = source_input(setup, world, stimulus);
                world.source.as_mut().expect("alive").change(|machine| {
                    let result = machine.handle(now, input);
                    effects.extend(std::iter::from_fn(|| machine.poll_output()).map(source_effect));
                    result
                })
            }
            Peer::Target => {
                let input = target_input(setup, world, stimulus);
                world.target.as_mut().expect("alive").change(|machine| {
                    let result = machine.handle(now, input);
                    effects.extend(std::iter::from_fn(|| machine.poll_output()).map(target_effect));
                    result
                })
            }
            Peer::Client => {
                let input = client_input(setup, world, stimulus);
                world.client.as_mut().expect("alive").change(|machine| {
                    let result = machine.handle(now, input);
                    effects.extend(std::iter::from_fn(|| machine.poll_output()).map(client_effect));
                    result
                })
            }
        }
    }

    fn apply(&mut self, peer: Peer, effect: Effect, queue: &mut VecDeque<(Peer, Stimulus)>) {
        let from_client = peer == Peer::Client;
        let (Effect::Accept(id)
        | Effect::Refuse(id)
        | Effect::Send(id, _)
        | Effect::Close(id)
        | Effect::Pause(id)
        | Effect::Resume(id)) = effect
        else {
            match effect {
                Effect::Open { link, server, chan, connection_id, tls } => {
                    let connection_id = u8::try_from(connection_id).expect("ids of the model");
                    let mut link = Link::new(link, server, chan, connection_id, tls);
                    if self.client_state() == Some(client::State::Online) {
                        link.flags |= Flags::AFRESH;
                    }
                    self.w.links.push(link);
                }
                Effect::Note(note) => self.react(peer, note, queue),
                _ => {}
            }
            return;
        };
        let Some(link) = self.w.link_mut(id) else { return };
        match effect {
            Effect::Accept(_) => link.send(false, Word::Accepted),
            Effect::Refuse(_) => {
                link.send(false, Word::Refused);
                link.forget(false);
            }
            Effect::Send(_, word) => link.send(from_client, word),
            Effect::Close(_) => link.close(from_client),
            Effect::Pause(_) | Effect::Resume(_) => {
                let paused = if from_client { &mut link.client_paused } else { &mut link.server_paused };
                *paused = matches!(effect, Effect::Pause(_));
            }
            _ => {}
        }
    }

    /// What the applications do about an event.
    fn react(&mut self, peer: Peer, note: Note, queue: &mut VecDeque<(Peer, Stimulus)>) {
        match note {
            Note::DataWanted(link) if self.setup.prompt => queue.push_back((Peer::Source, Stimulus::GiveData(link))),
            Note::DataWanted(link) => {
                self.w.link_mut(link).into_iter().for_each(|link| link.flags |= Flags::DATA_WANTED);
            }
            Note::Attached { link, client, arriving } => {
                self.w.link_mut(link).into_iter().for_each(|link| link.client = client);
                if !arriving {
                    let id = self.w.link(link).map_or(0, Link::session_id);
                    queue.push_back((Peer::Target, Stimulus::Say(link, Word::Init(id))));
                }
            }
            Note::InitWanted(client) if self.setup.prompt => {
                queue.push_back((Peer::Target, Stimulus::GiveInit(client)));
            }
            Note::InitWanted(client) => self.w.init_wanted = Some(client),
            Note::Gone if peer == Peer::Target => self.w.init_wanted = None,
            Note::Ended(_, Some(scheme)) => self.seen.schemes.set(scheme as u32),
            Note::Message(_, Word::Init(_)) if peer == Peer::Client && self.setup.reopens => {
                let missing = self.w.ghost.client_channels & Chan::Display.bit() == 0;
                if missing && self.setup.channels.contains(&Chan::Display) {
                    self.w.ghost.client_channels |= Chan::Display.bit();
                    let (channel, caps) = (Chan::Display.id(), Capabilities::default());
                    let wish = client::Command::OpenChannel { channel, caps };
                    queue.push_back((Peer::Client, Stimulus::Command(wish)));
                }
            }
            _ => {}
        }
    }
}
