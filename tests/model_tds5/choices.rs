//! What can happen in a world.

use super::configs::Setup;
use super::world::{Host, Link, Peer, World};
use handover::machine::Machine;
use handover::tds5::client::State as ClientState;
use handover::tds5::server::Caller;
use handover::tds5::target::State as TargetState;

/// Which end of a link is to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum End {
    Client,
    Server,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    // The application of a server.
    Migrate(u8, Caller),
    Cancel(u8, Caller),
    /// A handler begins, or returns.
    Enter(u8),
    Leave(u8),
    /// A part of a response, and its final DONE.
    Row(u8),
    Done(u8),
    Accept(u8),
    Deny(u8),
    Quit(u8),
    // The application of the client.
    /// The next piece of a command.
    Piece,
    Attention,
    Logout,
    // The world.
    /// A link that the client dials is there.
    Arrive(u8),
    /// Or cannot be had.
    Refuse(u8),
    Deliver(u8, End),
    Lose(u8),
    Fire(Peer),
}

impl Link {
    /// Whether its server has a client that is logged in.
    fn serves(&self) -> bool {
        let serving = |state| matches!(state, TargetState::Serving | TargetState::Resuming);
        self.server().is_some() || self.target().is_some_and(|target| serving(target.state()))
    }
}

impl World {
    /// What must happen sooner or later unless something else comes first: links, deliveries, and what applications
    /// have begun or owe.
    pub(crate) fn duties(&self, actions: &mut Vec<Action>) {
        for link in &self.links {
            let id = link.id;
            if !link.arrived {
                let dead = matches!(link.host, Host::Dead);
                actions.push(if dead { Action::Refuse(id) } else { Action::Arrive(id) });
            }
            if !link.down.is_empty() {
                actions.push(Action::Deliver(id, End::Client));
            }
            if !link.up.is_empty() {
                actions.push(Action::Deliver(id, End::Server));
            }
            if link.app.login {
                actions.push(Action::Accept(id));
            }
            if link.app.handler != 0 {
                actions.push(Action::Leave(id));
            } else if link.app.ready != 0 {
                actions.push(Action::Enter(id));
            }
            if link.app.responds() {
                actions.push(Action::Done(id));
            }
        }
        if self.ghost.composing && !self.ghost.over {
            actions.push(Action::Piece);
        }
    }

    /// What may happen: timers (for free where nothing else can), and what the budgets allow.
    pub(crate) fn whims(&self, setup: &Setup, idle: bool, actions: &mut Vec<Action>) {
        let left = &self.budget;
        for peer in self.peers() {
            if self.deadline(peer).is_some() && (idle || left.timers > 0) {
                actions.push(Action::Fire(peer));
            }
        }
        for link in &self.links {
            self.link_whims(setup, link, actions);
        }
        let state = self.client.get().state();
        let session = matches!(
            state,
            ClientState::Idle | ClientState::Busy | ClientState::Synced | ClientState::Moving | ClientState::Resuming
        );
        if left.commands > 0 && session && !self.ghost.composing {
            actions.push(Action::Piece);
        }
        if left.attentions > 0 && session {
            actions.push(Action::Attention);
        }
        let quiet = self.ghost.commands_sent == self.ghost.commands && !self.ghost.composing;
        if left.logouts > 0 && state == ClientState::Idle && quiet {
            actions.push(Action::Logout);
        }
    }

    fn link_whims(&self, setup: &Setup, link: &Link, actions: &mut Vec<Action>) {
        let (left, id) = (&self.budget, link.id);
        if link.serves() && !setup.route(link.host).is_empty() {
            // To a machine the two differ only while a handler runs.
            let callers = [Caller::Other, Caller::Own].into_iter().take(if link.app.handler == 0 { 1 } else { 2 });
            for by in callers {
                actions.extend((left.requests > 0).then_some(Action::Migrate(id, by)));
                actions.extend((left.cancels > 0).then_some(Action::Cancel(id, by)));
            }
        }
        let offered = [
            (Action::Row(id), left.rows > 0 && link.app.responds()),
            (Action::Refuse(id), left.refusals > 0 && !link.arrived),
            (Action::Deny(id), left.denials > 0 && link.app.login),
            (Action::Quit(id), left.quits > 0 && link.serves()),
            (Action::Lose(id), left.losses > 0 && link.arrived && !link.broken),
        ];
        actions.extend(offered.into_iter().filter_map(|(action, can)| can.then_some(action)));
    }
}
