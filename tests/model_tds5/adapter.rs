//! The shipped machines in the model's world: one step, and what follows from it.

use super::configs::Setup;
use super::ghost::{Property, Reached};
use super::model::{Marks, Shared};
use super::words::{client_effect, client_inputs, server_effect, server_inputs, target_effect, target_inputs};
use super::world::{Host, Link, Peer, Site, Word, World};
use handover::error::Error;
use handover::machine::Machine;
use handover::tds5::server::{self, Caller};
use handover::time::Instant;

/// What a peer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stimulus {
    Word(u8, Word),
    Opened(u8),
    OpenFailed(u8),
    Closed(u8),
    Timeout,
    // The application of a server.
    Accept(u8),
    Deny,
    Migrate(Caller),
    Cancel(Caller),
    Enter(u8),
    Leave,
    Row(u8),
    Done(u8),
    Quit,
    // The application of the client.
    Piece(u8, bool),
    Attention,
    Logout,
}

/// What a peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Dial(u8, Host),
    Send(u8, Word),
    Switch(u8, u8),
    Close(u8),
    Note(Note),
}

/// An event for an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    Started(u8),
    Ended(u8, Reached),
    // Of a server.
    Ready(u8),
    Failed,
    Resume,
    Piece(u8),
    Over,
    Connect,
    LoginEnded(Reached),
    // Of the client.
    Connected,
    Row(u8),
    Completed(u8),
    Disconnected,
    Other,
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
    /// What each peer was given and did, where somebody wants to know.
    pub(crate) log: Option<Vec<String>>,
}

/// Gives a machine inputs, as long as it is not done.
fn drive<'a, M: Machine, E>(
    machine: &mut M,
    now: Instant,
    inputs: Vec<M::Input<'a>>,
    done: M::State,
    effect: impl Fn(&M::Output) -> E,
) -> (Result<(), Error>, Vec<E>) {
    let mut effects = Vec::new();
    for input in inputs {
        if machine.state() == done {
            break;
        }
        let result = machine.handle(now, input);
        effects.extend(std::iter::from_fn(|| machine.poll_output()).map(|output| effect(&output)));
        if result.is_err() {
            return (result, effects);
        }
    }
    (Ok(()), effects)
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

    /// Gives a peer a stimulus. What it does takes place; whether it was an error is told.
    pub(crate) fn feed(&mut self, peer: Peer, stimulus: Stimulus) -> Result<(), Error> {
        let before = self.before(peer, stimulus);
        if stimulus == Stimulus::Timeout {
            self.w.advance(peer);
        }
        let (mut result, mut effects) = (Ok(()), Vec::new());
        if !self.setup.mutant.swallows(&self.w, peer, stimulus) {
            (result, effects) = self.run(peer, stimulus);
        }
        self.setup.mutant.tampers(&self.w, peer, stimulus, &mut result, &mut effects);
        if let Some(log) = &mut self.log {
            log.push(format!("{peer:?}: {stimulus:?} -> {result:?} {effects:?}"));
        }
        self.judge(peer, stimulus, &before, &result);
        for &effect in &effects {
            let effect = self.number(peer, effect);
            self.observe(peer, effect);
            self.apply(peer, effect);
        }
        self.after(peer, stimulus, &before, &effects);
        if effects.contains(&Effect::Note(Note::LoginEnded(Reached::Established))) && self.setup.early {
            self.turn(peer);
        }
        result
    }

    /// A stimulus that no application and no environment has chosen: it is never misuse.
    pub(crate) fn give(&mut self, peer: Peer, stimulus: Stimulus) {
        let result = self.feed(peer, stimulus);
        self.check(Property::NoMisuse, !matches!(result, Err(Error::Misuse(_))));
    }

    fn run(&mut self, peer: Peer, stimulus: Stimulus) -> (Result<(), Error>, Vec<Effect>) {
        let (setup, world) = (self.setup, &mut self.w);
        let Peer::Server(id) = peer else {
            let hosts: Vec<(u8, Host)> = world.links.iter().map(|link| (link.id, link.host)).collect();
            let at = |id| hosts.iter().find(|(link, _)| *link == id).map_or(Host::Dead, |(_, host)| *host);
            let from = if let Stimulus::Word(id, _) = stimulus { at(id) } else { Host::Dead };
            let inputs = client_inputs(setup, from, &stimulus);
            let now = world.clock;
            return world.client.change(|machine| {
                let done = handover::tds5::client::State::Closed;
                drive(machine, now, inputs, done, |output| client_effect(setup, at, output))
            });
        };
        let Some(Link { host, clock, site: Some(site), .. }) = world.link_mut(id) else {
            return (Ok(()), Vec::new());
        };
        match site {
            Site::Target(target) => {
                let inputs = target_inputs(setup, *host, &stimulus);
                target.change(|machine| {
                    let done = handover::tds5::target::State::Gone;
                    drive(machine, *clock, inputs, done, |output| target_effect(id, output))
                })
            }
            Site::Server(server) => {
                let inputs = server_inputs(setup, *host, &stimulus);
                server.change(|machine| {
                    let done = server::State::Gone;
                    drive(machine, *clock, inputs, done, |output| server_effect(setup, *host, id, output))
                })
            }
        }
    }

    /// A target becomes the server of a client that is logged in.
    pub(crate) fn turn(&mut self, peer: Peer) {
        let Peer::Server(id) = peer else { return };
        let config = self.setup.server();
        let Some(Link { site: Some(site @ Site::Target(_)), .. }) = self.w.link_mut(id) else { return };
        let Site::Target(target) = site else { return };
        let server = target.get().clone().into_server(config);
        let turned = server.is_ok();
        if let Ok(server) = server {
            *site = Site::Server(Shared::new(server));
        }
        self.check(Property::NoMisuse, turned);
    }

    fn apply(&mut self, peer: Peer, effect: Effect) {
        let from_client = peer == Peer::Client;
        match effect {
            Effect::Dial(id, host) => self.w.links.push(Link::new(id, host)),
            Effect::Send(id, word) => {
                let over = (word.is_migration() && self.setup.fine).then_some(Word::MigrationEnd);
                let words = std::iter::once(word).chain(over);
                let Some(link) = self.w.link_mut(id) else { return };
                words.for_each(|word| link.send(from_client, word));
            }
            Effect::Close(id) => self.w.link_mut(id).into_iter().for_each(|link| link.close(from_client)),
            Effect::Switch(..) => {}
            Effect::Note(note) => self.react(peer, note),
        }
    }

    /// What an application makes of an event.
    fn react(&mut self, peer: Peer, note: Note) {
        let (context, commands) = (self.w.ghost.context, self.w.ghost.commands_heard);
        let Peer::Server(id) = peer else { return };
        let Some(app) = self.w.link_mut(id).map(|link| &mut link.app) else { return };
        match note {
            Note::Connect => app.login = true,
            Note::LoginEnded(_) => app.login = false,
            Note::Ready(attempt) => (app.ready, app.told) = (attempt, true),
            Note::Failed => {
                app.held |= app.told && app.owed[0] != 0;
                app.forget_attempt();
                app.left = false;
            }
            // A client that has come from elsewhere waits for what that server has told.
            Note::Resume if app.owed[0] == 0 => app.owe(context),
            Note::Resume => app.held = false,
            Note::Piece(_) => app.piece = true,
            Note::Over => {
                (app.piece, app.held) = (false, false);
                app.owe(commands);
            }
            _ => {}
        }
    }
}
