//! Links and messages: dialling, closing, sending, holding back.

use super::Client;
use super::channel::{Link, Phase, Side};
use super::table::{Event as TableEvent, State};
use super::types::{Address, ChannelLoss, Disconnect, Event, Failure, Outcome, Output, TlsPolicy};
use crate::error::Error;
use crate::hold::Held;
use crate::spice::header::Packet;
use crate::spice::ids::{ChannelId, LinkId};
use crate::spice::message::ClientMessage;
use alloc::vec::Vec;

impl Client {
    pub(super) fn dial_main(&mut self, address: Address) {
        self.deadline = Some(self.now.saturating_add(self.config.connect_timeout));
        self.address = Some(address);
        self.dial(ChannelId::MAIN, Side::Home, None);
    }

    pub(super) fn dial_target(&mut self, id: ChannelId) {
        self.dial(id, Side::Target, None);
    }

    /// Opens the channels that wait for a server.
    pub(super) fn open_waiting(&mut self) {
        let between = matches!(
            self.state,
            State::Offline
                | State::Opening
                | State::AwaitingInit
                | State::Moving
                | State::Switching
                | State::Disconnected
        );
        if between || self.connection_id == 0 {
            return;
        }
        let waiting: Vec<ChannelId> =
            self.channels.iter().filter(|channel| channel.phase == Phase::Waiting).map(|channel| channel.id).collect();
        for id in waiting {
            self.dial(id, Side::Home, None);
            self.join_target(id);
        }
    }

    /// Tries the TLS port after a server has asked for it; never the other way round.
    pub(super) fn redial_with_tls(&mut self, id: ChannelId, side: Side) -> bool {
        let link = self.channel(id).and_then(|channel| match side {
            Side::Home => channel.home,
            Side::Target => channel.target,
        });
        let tls_port = self.address_of(side).and_then(|address| address.tls_port.get());
        if link.is_none_or(|link| link.tls) || tls_port.is_none() {
            return false;
        }
        self.dial(id, side, Some(true));
        true
    }

    fn address_of(&self, side: Side) -> Option<&Address> {
        match side {
            Side::Home => self.address.as_ref(),
            Side::Target => self.attempt.as_ref().map(|attempt| &attempt.address),
        }
    }

    /// Whether to use TLS for an address, `None` if it has no port that may be used.
    pub(super) fn choose_port(&self, address: &Address) -> Option<bool> {
        match (self.config.tls, address.port.get(), address.tls_port.get()) {
            (TlsPolicy::AsServerWants, Some(_), _) => Some(false),
            (_, _, Some(_)) => Some(true),
            (_, _, None) => None,
        }
    }

    fn dial(&mut self, id: ChannelId, side: Side, tls: Option<bool>) {
        let Some(address) = self.address_of(side).cloned() else { return };
        let Some(tls) = tls.or_else(|| self.choose_port(&address)) else { return };
        let (link, connection_id) = (LinkId(self.next_link), self.connection_id);
        let Some(channel) = self.channel_mut(id) else { return };
        let entry = Some(Link { id: link, tls, linked: false });
        match side {
            Side::Home => {
                channel.home = entry;
                channel.phase = Phase::Opening;
            }
            Side::Target => channel.target = entry,
        }
        let caps = channel.caps.clone();
        self.next_link = self.next_link.saturating_add(1);
        self.outbox.push(Output::Open { link, channel: id, address, tls, connection_id, caps });
    }

    pub(super) fn send(&mut self, id: ChannelId, packet: Packet<ClientMessage>) {
        if let Some(home) = self.channel(id).and_then(|channel| channel.home).filter(|home| home.linked) {
            self.outbox.push(Output::Send { link: home.id, packet });
        }
    }

    pub(super) fn send_or_hold(&mut self, id: ChannelId, packet: Packet<ClientMessage>) {
        match self.channel_mut(id) {
            Some(channel) if channel.phase != Phase::Live => channel.outgoing.push(packet),
            _ => self.send(id, packet),
        }
    }

    /// Sends what waited for the channel.
    pub(super) fn flush(&mut self, id: ChannelId) {
        while let Some(packet) = self.channel_mut(id).and_then(|channel| channel.outgoing.pop()) {
            self.send(id, packet);
        }
    }

    /// Acts upon what came from the target before the switch.
    pub(super) fn replay(&mut self, id: ChannelId) -> Result<(), Error> {
        let Some(channel) = self.channel_mut(id) else { return Ok(()) };
        let home = channel.home;
        // Out of the machine's reach: a MIGRATE_BEGIN among them forgets what an earlier target had sent.
        let mut incoming = core::mem::replace(&mut channel.incoming, Held::new());
        while let Some(packet) = incoming.pop() {
            self.receive(id, packet)?;
            if self.channel(id).is_none_or(|channel| channel.home != home) {
                break;
            }
        }
        Ok(())
    }

    /// Closes a channel for good.
    pub(super) fn drop_channel(&mut self, id: ChannelId, reason: ChannelLoss) {
        let Some(channel) = self.channel_mut(id) else { return };
        let links = channel.home.take().into_iter().chain(channel.target.take());
        links.for_each(|link| self.outbox.push(Output::Close(link.id)));
        self.channels.retain(|channel| channel.id != id);
        self.event(Event::ChannelClosed { channel: id, reason });
        self.check_all_linked();
        self.check_all_moved();
    }

    pub(super) fn drop_targets(&mut self) {
        for channel in &mut self.channels {
            channel.target_lost = false;
            while channel.incoming.pop().is_some() {}
            if let Some(link) = channel.target.take() {
                self.outbox.push(Output::Close(link.id));
            }
        }
    }

    pub(super) fn close_all_links(&mut self) {
        self.close_parting();
        self.drop_targets();
        for channel in &mut self.channels {
            if let Some(link) = channel.home.take() {
                self.outbox.push(Output::Close(link.id));
            }
        }
    }

    /// Ends the session.
    pub(super) fn lose(&mut self, reason: Disconnect) {
        self.close_all_links();
        self.channels.clear();
        self.deadline = None;
        self.go(TableEvent::Lost);
        self.end_attempt(Outcome::Failed(Failure::Disconnected));
        self.event(Event::Disconnected(reason));
    }
}
