//! What can happen in a world.

use super::configs::Setup;
use super::properties::is_connecting;
use super::world::{Chan, Flags, Link, PEERS, Peer, Word, World};
use handover::machine::Machine;
use handover::spice::{client, source};

/// Which end of a link is to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum End {
    Client,
    Server,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// The virtual machine is announced, or announced again.
    Info,
    Completed,
    Failed,
    Cancelled,
    Fire(Peer),
    /// A link that the client dials reaches the target.
    Arrive(u8),
    /// Or cannot be had.
    Refuse(u8),
    Deliver(u8, End),
    Lose(u8),
    Die(Peer),
    /// The application of a peer sends its next numbered message on the channel that they talk on.
    Say(Peer),
    /// The application of a server sends PING on its main channel.
    Ping(Peer),
    /// The client's application opens its display channel, closes it, gives the attempt up, or leaves.
    OpenDisplay,
    CloseDisplay,
    Abandon,
    Disconnect,
    GiveInit,
    GiveData(u8),
    /// The client sends what it may not.
    Rogue(u8, Word),
}

impl World {
    /// What must happen sooner or later unless something else comes first: deliveries, link attempts, the
    /// applications' answers, and the outcome of an announced move.
    pub(crate) fn duties(&self, setup: &Setup, actions: &mut Vec<Action>) {
        for link in &self.links {
            if !link.arrived && !self.waits_for_main(link) {
                actions.push(if self.is_alive(link.server) {
                    Action::Arrive(link.id)
                } else {
                    Action::Refuse(link.id)
                });
            }
            let reads = |open: bool, paused: bool| open && !(paused && setup.honour_pause);
            if !link.down.is_empty() && reads(link.client_open, link.client_paused) {
                actions.push(Action::Deliver(link.id, End::Client));
            }
            if !link.up.is_empty() && reads(link.server_open, link.server_paused) {
                actions.push(Action::Deliver(link.id, End::Server));
            }
            if link.flags.contains(Flags::DATA_WANTED) && link.server_open {
                actions.push(Action::GiveData(link.id));
            }
        }
        if self.init_wanted.is_some() && self.target.is_some() {
            actions.push(Action::GiveInit);
        }
        if self.source.is_some() && self.ghost.awaits_outcome() {
            let (completed, failed, cancelled) = setup.outcomes;
            let offered = [(completed, Action::Completed), (failed, Action::Failed), (cancelled, Action::Cancelled)];
            actions.extend(offered.into_iter().filter_map(|(offered, action)| offered.then_some(action)));
        }
    }

    /// What may happen: timers (for free where nothing else can), and what the budgets allow.
    pub(crate) fn whims(&self, setup: &Setup, idle: bool, actions: &mut Vec<Action>) {
        let left = &self.budget;
        let alive = |peer: &Peer| self.is_alive(*peer);
        for peer in PEERS {
            if self.deadline(peer).is_some() && (idle || left.timers > 0) {
                actions.push(Action::Fire(peer));
            }
        }
        let state = self.source.as_ref().map(|source| source.get().state());
        if left.attempts > 0 && state.is_some_and(|state| state != source::State::WaitDisconnect) {
            actions.push(Action::Info);
        }
        for link in &self.links {
            if left.refusals > 0 && !link.arrived {
                actions.push(Action::Refuse(link.id));
            }
            if left.losses > 0 && link.arrived && !link.broken && (link.client_open || link.server_open) {
                actions.push(Action::Lose(link.id));
            }
            let whole = link.server == Peer::Target && link.opened && link.client_open && link.server_open;
            if left.rogue > 0 && whole && self.client.is_some() {
                let anywhere = [Word::FlushMark, Word::Data(link.chan.tag()), Word::Data(255), Word::App(99)];
                let main = [Word::End, Word::DoSeamless(1)].into_iter().filter(|_| link.chan == Chan::Main);
                actions.extend(anywhere.into_iter().chain(main).map(|word| Action::Rogue(link.id, word)));
            }
        }
        if left.deaths > 0 {
            actions.extend(setup.mortal.iter().copied().filter(alive).map(Action::Die));
        }
        let has_display = self.ghost.client_channels & Chan::Display.bit() != 0;
        if let Some(client) = self.client.as_ref().filter(|_| left.commands > 0) {
            let state = client.get().state();
            let offered = [
                (Action::OpenDisplay, !has_display && state != client::State::Disconnected),
                (Action::CloseDisplay, has_display),
                (Action::Abandon, is_connecting(state)),
                (Action::Disconnect, true),
            ];
            let wanted = |(action, can): &(Action, bool)| *can && setup.commands.contains(action);
            actions.extend(offered.into_iter().filter(wanted).map(|(action, _)| action));
        }
        if left.client_says > 0 && self.ghost.client_channels & setup.chat.bit() != 0 {
            actions.push(Action::Say(Peer::Client));
        }
        for (server, says) in [(Peer::Source, left.source_says), (Peer::Target, left.target_says)] {
            if says > 0 && self.speaks(server, setup.chat).is_some() {
                actions.push(Action::Say(server));
            }
            if left.pings > 0 && self.speaks(server, Chan::Main).is_some() {
                actions.push(Action::Ping(server));
            }
        }
    }

    /// The link on which a server's application may send on a channel now.
    pub(crate) fn speaks(&self, server: Peer, chan: Chan) -> Option<u8> {
        let may = |link: &&Link| {
            let ready = match (server, chan) {
                (Peer::Source, _) => !self.ghost.is_completed(),
                (_, Chan::Main) => link.flags.intersects(Flags::ACK_SENT | Flags::INIT_SENT),
                _ => link.flags.contains(Flags::STARTED),
            };
            ready && link.server == server && link.chan == chan && link.server_open
        };
        self.links.iter().find(may).filter(|_| self.is_alive(server)).map(|link| link.id)
    }
}
