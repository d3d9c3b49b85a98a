//! An attempt to migrate, from the source's first word to the switch (spec/spice.md 5).

use super::channel::{Channel, Link, Phase};
use super::table::{Event as TableEvent, State, step};
use super::types::{
    Address, AttemptId, ChannelLoss, Disconnect, Event, Failure, LinkFailure, Outcome, Output, Scheme, TlsPolicy,
};
use super::{Client, channel::Side};
use crate::error::{Error, Violation};
use crate::spice::DstInfo;
use crate::spice::common::MigrateData;
use crate::spice::header::Packet;
use crate::spice::hold::Held;
use crate::spice::ids::{Capabilities, ChannelId, LinkId, MainCaps, MigrateFlags};
use crate::spice::main_channel::DoSeamless;
use crate::spice::message::{ClientMessage, ServerMessage};
use alloc::vec::Vec;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Attempt {
    id: AttemptId,
    /// As far down the ladder as it has come.
    scheme: Scheme,
    /// Of the source, to be repeated to the target.
    version: u32,
    address: Address,
    /// Whether the source's MIGRATE_BEGIN has had its one answer (property K1).
    answered: bool,
    /// Seamless: the main channel's link to the source. It has moved, but real servers let go of the whole
    /// client when its main link closes, and the other channels still want their state.
    pub(super) parting: Option<LinkId>,
}

impl Client {
    /// MIGRATE_BEGIN, or with a version MIGRATE_BEGIN_SEAMLESS.
    pub(super) fn begin(&mut self, dst: &DstInfo, version: Option<u32>) -> Result<(), Error> {
        let (event, scheme, name) = match version {
            Some(_) => (TableEvent::BeginSeamless, Scheme::Seamless, "MIGRATE_BEGIN_SEAMLESS"),
            None => (TableEvent::Begin, Scheme::SemiSeamless, "MIGRATE_BEGIN"),
        };
        if step(self.state, event).is_err() {
            return Err(self.violate(name));
        }
        self.answer_failure();
        self.drop_targets();
        self.end_attempt(Outcome::Superseded);
        self.go(event);
        let address = self.start_attempt(Address::from(dst), scheme, version.unwrap_or(0));
        if self.connection_id == 0 {
            self.fail(Failure::NoSession);
        } else if self.choose_port(&address).is_none() {
            self.fail(Failure::NoPort);
        } else {
            self.deadline = Some(self.now.saturating_add(self.config.connect_timeout));
            self.dial_target(ChannelId::MAIN);
        }
        Ok(())
    }

    fn start_attempt(&mut self, address: Address, scheme: Scheme, version: u32) -> Address {
        self.attempts = self.attempts.saturating_add(1);
        let id = AttemptId(self.attempts);
        let answered = scheme == Scheme::SwitchHost;
        self.attempt = Some(Attempt { id, scheme, version, address: address.clone(), answered, parting: None });
        self.event(Event::MigrationStarted { attempt: id, scheme, address: address.clone() });
        address
    }

    pub(super) fn end_attempt(&mut self, outcome: Outcome) {
        self.close_parting();
        if let Some(attempt) = self.attempt.take() {
            self.event(Event::MigrationEnded { attempt: attempt.id, outcome });
        }
    }

    fn close_parting(&mut self) {
        if let Some(link) = self.attempt.as_mut().and_then(|attempt| attempt.parting.take()) {
            self.outbox.push(Output::Close(link));
        }
    }

    /// Tells the source that connecting failed, if it still waits for an answer.
    fn answer_failure(&mut self) {
        if let Some(attempt) = self.attempt.as_mut().filter(|attempt| !attempt.answered) {
            attempt.answered = true;
            self.send(ChannelId::MAIN, ClientMessage::MigrateConnectError.into());
        }
    }

    /// The target's main channel, or another of its channels, is past the link stage.
    pub(super) fn target_opened(&mut self, id: ChannelId, caps: &Capabilities) {
        let Some(channel) = self.channel_mut(id) else { return };
        let Some(link) = channel.target.as_mut() else { return };
        link.linked = true;
        let link = link.id;
        channel.target_caps = caps.clone();
        if !id.is_main() {
            self.outbox.push(Output::Pause(link));
            return self.check_all_linked();
        }
        let seamless = self.attempt.as_ref().filter(|attempt| attempt.scheme == Scheme::Seamless);
        match seamless.map(|attempt| attempt.version) {
            Some(src_version) if caps.main().contains(MainCaps::SEAMLESS_MIGRATE) => {
                let ask = ClientMessage::MigrateDstDoSeamless(DoSeamless { src_version });
                self.outbox.push(Output::Send { link, packet: ask.into() });
                self.go(TableEvent::SeamlessTargetLinked);
            }
            _ => {
                self.downgrade(Scheme::SemiSeamless);
                self.outbox.push(Output::Pause(link));
                self.go(TableEvent::TargetLinked);
            }
        }
        let others: Vec<ChannelId> = self.channels.iter().map(|channel| channel.id).collect();
        others.into_iter().for_each(|id| self.join_target(id));
        self.check_all_linked();
    }

    /// The target's answer to DO_SEAMLESS.
    pub(super) fn target_answer(&mut self, message: &ServerMessage) -> Result<(), Error> {
        let ack = matches!(message, ServerMessage::DstSeamlessAck);
        let event = if ack { TableEvent::SeamlessAck } else { TableEvent::SeamlessNack };
        if step(self.state, event).is_err() {
            let (state, got) = (self.state.name(), message.name());
            self.target_broken();
            return Err(Violation { state, expected: "one answer to DO_SEAMLESS", got }.into());
        }
        if !ack {
            self.downgrade(Scheme::SemiSeamless);
        }
        self.go(event);
        if let Some(link) = self.channel(ChannelId::MAIN).and_then(|main| main.target) {
            self.outbox.push(Output::Pause(link.id));
        }
        self.check_all_linked();
        Ok(())
    }

    /// The target broke the protocol: it is left alone; the session stays where it is.
    fn target_broken(&mut self) {
        if self.is_connecting() {
            self.fail(Failure::Target);
        } else {
            self.drop_targets();
        }
    }

    fn downgrade(&mut self, scheme: Scheme) {
        if let Some(attempt) = self.attempt.as_mut() {
            attempt.scheme = scheme;
        }
    }

    /// Links a channel to the target, if one is being joined and the channel is not there yet.
    pub(super) fn join_target(&mut self, id: ChannelId) {
        let joining = matches!(self.state, State::Handshake | State::Joining | State::JoiningSeamless);
        let Some(channel) = self.channel(id).filter(|_| joining) else { return };
        if channel.target.is_none() && matches!(channel.phase, Phase::Live | Phase::Opening) {
            self.dial_target(id);
        }
    }

    /// Once every channel is at the target and it has answered: tell the source (properties K2, K3).
    pub(super) fn check_all_linked(&mut self) {
        let (message, scheme) = match self.state {
            State::Joining => (ClientMessage::MigrateConnected, Scheme::SemiSeamless),
            State::JoiningSeamless => (ClientMessage::MigrateConnectedSeamless, Scheme::Seamless),
            _ => return,
        };
        let there = |channel: &Channel| channel.target_linked() || channel.phase == Phase::Waiting;
        if !self.channels.iter().all(there) {
            return;
        }
        self.go(TableEvent::AllLinked);
        self.deadline = None;
        self.send(ChannelId::MAIN, message.into());
        if let Some(attempt) = self.attempt.as_mut() {
            attempt.answered = true;
            let attempt = attempt.id;
            self.event(Event::MigrationReady { attempt, scheme });
        }
    }

    /// Connecting to the target did not work out.
    pub(super) fn fail(&mut self, failure: Failure) {
        if !self.is_connecting() {
            return;
        }
        self.answer_failure();
        self.drop_targets();
        self.deadline = None;
        self.go(TableEvent::ConnectFailed);
        self.end_attempt(Outcome::Failed(failure));
    }

    /// MIGRATE_CANCEL: exactly the source is left, with its address (property K7).
    pub(super) fn cancel(&mut self) -> Result<(), Error> {
        if step(self.state, TableEvent::Cancel).is_err() {
            return Err(self.violate("MIGRATE_CANCEL"));
        }
        self.answer_failure();
        self.drop_targets();
        self.deadline = None;
        self.go(TableEvent::Cancel);
        self.end_attempt(Outcome::Cancelled);
        Ok(())
    }

    /// A link of the target closed. Before the answer that is a failure; after it, what the switch will find.
    pub(super) fn target_closed(&mut self, id: ChannelId) {
        if let Some(channel) = self.channel_mut(id) {
            channel.target = None;
            channel.target_lost = true;
            while channel.incoming.pop().is_some() {}
        }
        if self.is_connecting() {
            self.fail(Failure::Link(LinkFailure::Transport));
        } else if self.state == State::Moving && id.is_main() {
            self.fall_back_to_switch_host(TableEvent::TargetLost);
        }
    }

    /// MIGRATE_END: the semi-seamless switch (spec/spice.md 5.3).
    pub(super) fn end(&mut self) -> Result<(), Error> {
        if step(self.state, TableEvent::End).is_err() {
            return Err(self.violate("MIGRATE_END"));
        }
        if self.state != State::Ready {
            self.answer_failure();
            self.fall_back_to_switch_host(TableEvent::End);
            return Ok(());
        }
        let Some(target) = self.channel(ChannelId::MAIN).and_then(|main| main.target) else {
            self.fall_back_to_switch_host(TableEvent::TargetLost);
            return Ok(());
        };
        self.go(TableEvent::End);
        self.deadline = Some(self.now.saturating_add(self.config.switch_timeout));
        self.address = self.attempt.as_ref().map(|attempt| attempt.address.clone());
        // First, because the user's screen stands still from here until the target's INIT.
        self.outbox.push(Output::Send { link: target.id, packet: ClientMessage::MigrateEnd.into() });
        for channel in &mut self.channels {
            if let Some(source) = channel.home.take() {
                self.outbox.push(Output::Close(source.id));
            }
            channel.home = channel.target.take();
            channel.acks = super::acks::Acks::default();
            channel.phase = if channel.home.is_some() { Phase::AwaitingInit } else { Phase::Waiting };
        }
        self.outbox.push(Output::Resume(target.id));
        self.replay(ChannelId::MAIN)
    }

    /// INIT: a new session's first message, or the end of the semi-seamless switch.
    pub(super) fn init(&mut self, session_id: u32, packet: Packet<ServerMessage>) -> Result<(), Error> {
        let main = ChannelId::MAIN;
        if self.connection_id == 0 {
            self.connection_id = session_id;
        }
        if self.state != State::AwaitingInit {
            self.event(Event::Message { channel: main, packet });
            self.open_waiting();
            return Ok(());
        }
        self.go(TableEvent::Init);
        self.deadline = None;
        self.end_attempt(Outcome::Switched(Scheme::SemiSeamless));
        let mut arrived = Vec::new();
        for channel in &mut self.channels {
            if channel.phase == Phase::AwaitingInit {
                channel.phase = Phase::Live;
                let caps = core::mem::take(&mut channel.target_caps);
                self.outbox.push(Output::Event(Event::Linked { channel: channel.id, caps }));
                arrived.push((channel.id, channel.home));
            }
        }
        self.event(Event::Message { channel: main, packet });
        for (id, home) in arrived {
            self.flush(id);
            if !id.is_main() {
                home.into_iter().for_each(|home| self.outbox.push(Output::Resume(home.id)));
                self.replay(id)?;
            }
        }
        self.open_waiting();
        Ok(())
    }

    /// MIGRATE: this channel moves with its state (spec/spice.md 5.4).
    pub(super) fn migrate(&mut self, id: ChannelId, flags: MigrateFlags) -> Result<(), Error> {
        let on_source = self.channel(id).is_some_and(|channel| !channel.moved && channel.phase == Phase::Live);
        if !on_source || step(self.state, TableEvent::Migrate).is_err() {
            return Err(self.violate("MIGRATE"));
        }
        if self.state != State::Moving {
            self.deadline = Some(self.now.saturating_add(self.config.switch_timeout));
        }
        self.go(TableEvent::Migrate);
        if flags.contains(MigrateFlags::NEED_FLUSH) {
            self.send(id, ClientMessage::MigrateFlushMark.into());
        }
        if flags.contains(MigrateFlags::NEED_DATA_TRANSFER) {
            self.channel_mut(id).into_iter().for_each(|channel| channel.phase = Phase::Flushing);
            return Ok(());
        }
        self.move_channel(id, None)
    }

    /// The switch of one channel: its state first, then what waited for it (properties K4, K10).
    pub(super) fn move_channel(&mut self, id: ChannelId, data: Option<MigrateData>) -> Result<(), Error> {
        let Some(channel) = self.channel_mut(id) else { return Ok(()) };
        let source = channel.home.take();
        let target = channel.target.take();
        let lost = core::mem::take(&mut channel.target_lost);
        channel.home = target;
        channel.moved = target.is_some();
        // The target sets its own window on its own link (spec/spice.md 5.8).
        channel.acks = super::acks::Acks::default();
        channel.phase = if target.is_some() { Phase::Live } else { Phase::Waiting };
        match (source, self.attempt.as_mut()) {
            (Some(source), Some(attempt)) if id.is_main() => attempt.parting = Some(source.id),
            (Some(source), _) => self.outbox.push(Output::Close(source.id)),
            (None, _) => {}
        }
        let Some(target) = target else {
            // It has no link to the target. If it had one, the target may still wait there for the state, and
            // would wait for it on a second link too: only a new session helps.
            if id.is_main() || (lost && data.is_some()) {
                self.fall_back_to_switch_host(TableEvent::TargetLost);
            } else {
                self.check_all_moved();
            }
            return Ok(());
        };
        if let Some(data) = data {
            let packet = ClientMessage::MigrateData(data).into();
            self.outbox.push(Output::Send { link: target.id, packet });
        }
        self.flush(id);
        self.outbox.push(Output::Resume(target.id));
        self.check_all_moved();
        self.replay(id)
    }

    pub(super) fn check_all_moved(&mut self) {
        let there = |channel: &Channel| channel.moved || matches!(channel.phase, Phase::Waiting | Phase::Opening);
        if self.state != State::Moving || !self.channels.iter().all(there) {
            return;
        }
        self.go(TableEvent::AllMoved);
        self.deadline = None;
        self.address = self.attempt.as_ref().map(|attempt| attempt.address.clone());
        for channel in &mut self.channels {
            channel.moved = false;
            if channel.phase == Phase::Opening {
                // It was never open at the source, so that nothing of it can move.
                channel.phase = Phase::Waiting;
                let links = channel.home.take().into_iter().chain(channel.target.take());
                links.for_each(|link| self.outbox.push(Output::Close(link.id)));
            }
        }
        self.end_attempt(Outcome::Switched(Scheme::Seamless));
        self.open_waiting();
    }

    /// MIGRATE_SWITCH_HOST: obeyed at any time (spec/spice.md 5.2).
    pub(super) fn switch_host(&mut self, dst: &DstInfo) -> Result<(), Error> {
        if step(self.state, TableEvent::SwitchHost).is_err() {
            return Err(self.violate("MIGRATE_SWITCH_HOST"));
        }
        self.answer_failure();
        self.end_attempt(Outcome::Superseded);
        let address = self.start_attempt(Address::from(dst), Scheme::SwitchHost, 0);
        self.go(TableEvent::SwitchHost);
        self.start_anew(address);
        Ok(())
    }

    /// The last rung of the ladder: a new session at the target of this attempt.
    pub(super) fn fall_back_to_switch_host(&mut self, event: TableEvent) {
        self.downgrade(Scheme::SwitchHost);
        let Some(address) = self.attempt.as_ref().map(|attempt| attempt.address.clone()) else {
            return self.lose(Disconnect::Closed);
        };
        self.go(event);
        self.start_anew(address);
    }

    /// Closes everything and opens a new session.
    fn start_anew(&mut self, address: Address) {
        self.close_all_links();
        let caps = self.config.main_caps.into();
        let channels = core::mem::replace(&mut self.channels, [Channel::new(ChannelId::MAIN, caps)].into());
        for channel in channels.into_iter().filter(|channel| !channel.id.is_main()) {
            self.event(Event::ChannelClosed { channel: channel.id, reason: ChannelLoss::NewSession });
        }
        self.connection_id = 0;
        if self.choose_port(&address).is_none() {
            return self.lose(Disconnect::NoPort);
        }
        self.dial_main(address);
    }

    /// The main channel of a new session is linked.
    pub(super) fn main_linked(&mut self) {
        self.go(TableEvent::MainLinked);
        self.deadline = None;
        self.end_attempt(Outcome::Switched(Scheme::SwitchHost));
    }

    pub(super) fn dial_main(&mut self, address: Address) {
        self.deadline = Some(self.now.saturating_add(self.config.connect_timeout));
        self.address = Some(address);
        self.dial(ChannelId::MAIN, Side::Home, None);
    }

    fn dial_target(&mut self, id: ChannelId) {
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
    fn replay(&mut self, id: ChannelId) -> Result<(), Error> {
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

    fn drop_targets(&mut self) {
        for channel in &mut self.channels {
            channel.target_lost = false;
            while channel.incoming.pop().is_some() {}
            if let Some(link) = channel.target.take() {
                self.outbox.push(Output::Close(link.id));
            }
        }
    }

    fn close_all_links(&mut self) {
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
