//! An attempt to migrate, from the source's first word to the switch (spec/spice.md 5).

use super::Client;
use super::channel::{Channel, Phase};
use super::table::{Event as TableEvent, State, step};
use super::types::{Address, AttemptId, ChannelLoss, Disconnect, Event, Failure, LinkFailure, Outcome, Output, Scheme};
use crate::error::{Error, Violation};
use crate::spice::DstInfo;
use crate::spice::common::MigrateData;
use crate::spice::header::Packet;
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
    pub(super) address: Address,
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

    pub(super) fn close_parting(&mut self) {
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
}
