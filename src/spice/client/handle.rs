//! Inputs: what is legal, and where it goes.

use super::Client;
use super::channel::{Channel, Phase, Side};
use super::table::{Event as TableEvent, State, step};
use super::types::{ChannelLoss, Command, Disconnect, Event, Failure, Input, LinkFailure, Output, is_reserved};
use crate::error::{Error, Limit, Misuse, Violation, to_u64};
use crate::machine::{Machine, trace_transition};
use crate::spice::header::Packet;
use crate::spice::ids::{Capabilities, ChannelId, LinkError, LinkId};
use crate::spice::message::{ClientMessage, ServerMessage};
use crate::time::Instant;

impl Machine for Client {
    type Input<'a> = Input;
    type Output = Output;
    type State = State;

    fn handle(&mut self, now: Instant, input: Input) -> Result<(), Error> {
        self.outbox.check_room(self.config.limits.outputs)?;
        if input == Input::Timeout {
            self.timeout(now);
            return Ok(());
        }
        self.validate(&input)?;
        self.now = self.now.max(now);
        match input {
            Input::Command(command) => self.command(command),
            Input::Opened { link, caps } => self.opened(link, &caps),
            Input::OpenFailed { link, reason } => self.open_failed(link, reason),
            Input::Closed(link) => self.closed(link),
            Input::Message { link, packet } => return self.message(link, packet),
            Input::Timeout => {}
        }
        Ok(())
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    fn state(&self) -> State {
        self.state
    }
}

/// A channel as the number in a misuse.
fn number(channel: ChannelId) -> u32 {
    u32::from(u16::from_be_bytes([channel.ty.0, channel.id]))
}

impl Client {
    /// Everything that our caller can get wrong, before anything changes.
    fn validate(&self, input: &Input) -> Result<(), Misuse> {
        match input {
            Input::Command(command) => self.validate_command(command),
            Input::Timeout => Ok(()),
            Input::Opened { link, .. } => self.validate_link(*link, "Opened", Some(false)),
            Input::OpenFailed { link, .. } => self.validate_link(*link, "OpenFailed", Some(false)),
            Input::Closed(link) => self.validate_link(*link, "Closed", None),
            Input::Message { link, packet } => {
                self.validate_link(*link, "Message", Some(true))?;
                match self.find(*link) {
                    Some((channel, side)) if self.must_hold(channel, side, &packet.message) => channel
                        .incoming
                        .check_room(packet, self.config.limits.held_messages, self.config.limits.held_bytes),
                    _ => Ok(()),
                }
            }
        }
    }

    fn validate_command(&self, command: &Command) -> Result<(), Misuse> {
        let wrong_state = |input| Err(Misuse::WrongState { state: self.state.name(), input });
        let unknown = |channel| Err(Misuse::Unknown { what: "channel", id: number(channel) });
        let in_session = !matches!(self.state, State::Offline | State::Disconnected);
        match command {
            Command::Connect(_) if self.state != State::Offline => wrong_state("Connect"),
            Command::Connect(address) if self.choose_port(address).is_none() => {
                Err(Misuse::Argument { what: "address", reason: "has no port that may be used" })
            }
            Command::OpenChannel { .. } if !in_session => wrong_state("OpenChannel"),
            Command::OpenChannel { channel, .. } if channel.is_main() => {
                Err(Misuse::Argument { what: "channel", reason: "the main channel is opened by Connect" })
            }
            Command::OpenChannel { channel, .. } if self.channel(*channel).is_some() => {
                Err(Misuse::Duplicate { what: "channel", id: number(*channel) })
            }
            Command::OpenChannel { .. } if self.channels.len() >= self.config.limits.channels => {
                let (limit, got) = (to_u64(self.config.limits.channels), to_u64(self.channels.len()));
                Err(Misuse::Limit(Limit { what: "channels", limit, got: got.saturating_add(1) }))
            }
            Command::CloseChannel(channel) if channel.is_main() => {
                Err(Misuse::Argument { what: "channel", reason: "the main channel is closed by Disconnect" })
            }
            Command::CloseChannel(channel) if self.channel(*channel).is_none() => unknown(*channel),
            Command::Send { packet, .. } if is_reserved(&packet.message) => {
                Err(Misuse::Argument { what: "packet", reason: "migration's messages are the machine's to send" })
            }
            Command::Send { channel, packet } => match self.channel(*channel) {
                None => unknown(*channel),
                Some(entry) if entry.phase == Phase::Live => Ok(()),
                Some(entry) => {
                    entry.outgoing.check_room(packet, self.config.limits.held_messages, self.config.limits.held_bytes)
                }
            },
            Command::Abandon if !self.is_connecting() => wrong_state("Abandon"),
            _ => Ok(()),
        }
    }

    /// A link that was asked for, in the right stage; links that are closed already pass.
    fn validate_link(&self, link: LinkId, input: &'static str, linked: Option<bool>) -> Result<(), Misuse> {
        if link.0 >= self.next_link {
            return Err(Misuse::Unknown { what: "link", id: link.0 });
        }
        let Some((channel, side)) = self.find(link) else { return Ok(()) };
        let state = match side {
            Side::Home => channel.home,
            Side::Target => channel.target,
        };
        match (state, linked) {
            (Some(entry), Some(linked)) if entry.linked != linked => {
                Err(Misuse::WrongState { state: if entry.linked { "linked" } else { "linking" }, input })
            }
            _ => Ok(()),
        }
    }

    /// Whether a message may not be acted upon yet (property K6).
    fn must_hold(&self, channel: &Channel, side: Side, message: &ServerMessage) -> bool {
        match side {
            Side::Home => channel.phase == Phase::AwaitingInit && !channel.id.is_main(),
            Side::Target => {
                let answer = matches!(message, ServerMessage::DstSeamlessAck | ServerMessage::DstSeamlessNack);
                !(answer && channel.id.is_main())
            }
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Connect(address) => {
                self.channels.push(Channel::new(ChannelId::MAIN, self.config.main_caps.into()));
                self.go(TableEvent::Connect);
                self.dial_main(address);
            }
            Command::OpenChannel { channel, caps } => {
                self.channels.push(Channel::new(channel, caps));
                self.open_waiting();
            }
            Command::CloseChannel(channel) => self.drop_channel(channel, ChannelLoss::Application),
            Command::Send { channel, packet } => self.send_or_hold(channel, packet),
            Command::Abandon => self.fail(Failure::Abandoned),
            Command::Disconnect if self.state == State::Disconnected => {}
            Command::Disconnect => self.lose(Disconnect::Application),
        }
    }

    fn opened(&mut self, link: LinkId, caps: &Capabilities) {
        let Some((id, side)) = self.find(link).map(|(channel, side)| (channel.id, side)) else { return };
        match side {
            Side::Target => self.target_opened(id, caps),
            Side::Home => {
                if let Some(channel) = self.channel_mut(id) {
                    channel.phase = Phase::Live;
                    channel.home = channel.home.map(|home| super::channel::Link { linked: true, ..home });
                }
                if id.is_main() {
                    self.main_linked();
                }
                self.event(Event::Linked { channel: id, caps: caps.clone() });
                self.flush(id);
                self.join_target(id);
            }
        }
    }

    fn open_failed(&mut self, link: LinkId, reason: LinkFailure) {
        let Some((id, side)) = self.find(link).map(|(channel, side)| (channel.id, side)) else { return };
        if reason == LinkFailure::Refused(LinkError::NEED_SECURED) && self.redial_with_tls(id, side) {
            return;
        }
        if let Some(channel) = self.channel_mut(id) {
            match side {
                Side::Home => channel.home = None,
                Side::Target => channel.target = None,
            }
        }
        match side {
            Side::Target => self.fail(Failure::Link(reason)),
            Side::Home if id.is_main() => self.lose(Disconnect::Link(reason)),
            Side::Home => self.drop_channel(id, ChannelLoss::Link(reason)),
        }
    }

    fn closed(&mut self, link: LinkId) {
        if let Some(attempt) = self.attempt.as_mut().filter(|attempt| attempt.parting == Some(link)) {
            attempt.parting = None;
        }
        let Some((channel, side)) = self.find(link) else { return };
        let (id, linked) = match side {
            Side::Home => (channel.id, channel.home.is_some_and(|home| home.linked)),
            Side::Target => (channel.id, channel.target_linked()),
        };
        if !linked {
            return self.open_failed(link, LinkFailure::Transport);
        }
        match side {
            Side::Target => self.target_closed(id),
            Side::Home if !id.is_main() => {
                self.channel_mut(id).iter_mut().for_each(|channel| channel.home = None);
                self.drop_channel(id, ChannelLoss::Closed);
            }
            Side::Home => {
                self.channel_mut(id).iter_mut().for_each(|channel| channel.home = None);
                // Between the servers there is still the new one to turn to.
                if matches!(self.state, State::AwaitingInit | State::Moving) {
                    self.fall_back_to_switch_host(TableEvent::TargetLost);
                } else {
                    self.lose(Disconnect::Closed);
                }
            }
        }
    }

    fn message(&mut self, link: LinkId, packet: Packet<ServerMessage>) -> Result<(), Error> {
        let Some((channel, side)) = self.find(link) else { return Ok(()) };
        let id = channel.id;
        if self.must_hold(channel, side, &packet.message) {
            self.channel_mut(id).into_iter().for_each(|channel| channel.incoming.push(packet.clone()));
            return Ok(());
        }
        match side {
            Side::Home => self.receive(id, packet),
            Side::Target => self.target_answer(&packet.message),
        }
    }

    /// A message of the server in use.
    pub(super) fn receive(&mut self, id: ChannelId, packet: Packet<ServerMessage>) -> Result<(), Error> {
        let Some(channel) = self.channel_mut(id) else { return Ok(()) };
        if channel.phase == Phase::Flushing {
            return match packet.message {
                ServerMessage::MigrateData(data) => self.move_channel(id, Some(data)),
                other => Err(self.violate(other.name())),
            };
        }
        let auto_reply = self.config.auto_reply;
        if auto_reply && !matches!(packet.message, ServerMessage::SetAck(_)) && self.count(id) {
            self.send(id, ClientMessage::Ack.into());
        }
        match &packet.message {
            ServerMessage::SetAck(set_ack) if auto_reply => {
                let (set_ack, generation) = (*set_ack, set_ack.generation);
                self.channel_mut(id).into_iter().for_each(|channel| channel.acks.set(set_ack));
                self.send(id, ClientMessage::AckSync(crate::spice::common::AckSync { generation }).into());
            }
            ServerMessage::Ping(ping) if auto_reply => self.send(id, ClientMessage::Pong(ping.pong()).into()),
            ServerMessage::Migrate(migrate) => return self.migrate(id, migrate.flags),
            message if !id.is_main() && is_main_only(message) => return Err(self.violate(message.name())),
            ServerMessage::MigrateBegin(dst) => return self.begin(dst, None),
            ServerMessage::MigrateBeginSeamless(begin) => {
                return self.begin(begin.dst(), Some(begin.src_mig_version()));
            }
            ServerMessage::MigrateSwitchHost(dst) => return self.switch_host(dst),
            // Without an attempt there is nothing to cancel and nothing to end.
            ServerMessage::MigrateCancel | ServerMessage::MigrateEnd if self.state == State::Online => {}
            ServerMessage::MigrateCancel => return self.cancel(),
            ServerMessage::MigrateEnd => return self.end(),
            ServerMessage::Init(init) => return self.init(init.session_id, packet),
            ServerMessage::MigrateData(_) | ServerMessage::DstSeamlessAck | ServerMessage::DstSeamlessNack => {
                return Err(self.violate(packet.message.name()));
            }
            _ => self.event(Event::Message { channel: id, packet }),
        }
        Ok(())
    }

    fn count(&mut self, id: ChannelId) -> bool {
        self.channel_mut(id).is_some_and(|channel| channel.acks.count())
    }

    fn timeout(&mut self, now: Instant) {
        let now = self.now.max(now);
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        self.now = now;
        self.deadline = None;
        match self.state {
            State::Opening | State::Switching => self.lose(Disconnect::Deadline),
            State::AwaitingInit | State::Moving => self.fall_back_to_switch_host(TableEvent::TargetLost),
            _ if self.is_connecting() => self.fail(Failure::Deadline),
            _ => {}
        }
    }

    /// Takes a transition that this code knows to be legal.
    pub(super) fn go(&mut self, event: TableEvent) {
        match step(self.state, event) {
            Ok(next) => {
                trace_transition!("spice client", self.state, event, next);
                self.state = next;
            }
            Err(illegal) => debug_assert!(false, "{illegal:?}"),
        }
    }

    /// Ends the session because the server broke the protocol.
    pub(super) fn violate(&mut self, got: &'static str) -> Error {
        let violation = Violation { state: self.state.name(), expected: expected(self.state), got };
        self.lose(Disconnect::Violation);
        violation.into()
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outbox.push(Output::Event(event));
    }

    pub(super) fn is_connecting(&self) -> bool {
        use State::{Connecting, ConnectingSeamless, Handshake, Joining, JoiningSeamless};
        matches!(self.state, Connecting | ConnectingSeamless | Handshake | Joining | JoiningSeamless)
    }

    pub(super) fn channel(&self, id: ChannelId) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.id == id)
    }

    pub(super) fn channel_mut(&mut self, id: ChannelId) -> Option<&mut Channel> {
        self.channels.iter_mut().find(|channel| channel.id == id)
    }

    fn find(&self, link: LinkId) -> Option<(&Channel, Side)> {
        let is = |entry: Option<super::channel::Link>| entry.is_some_and(|entry| entry.id == link);
        self.channels.iter().find_map(|channel| {
            let side = if is(channel.home) {
                Side::Home
            } else if is(channel.target) {
                Side::Target
            } else {
                return None;
            };
            Some((channel, side))
        })
    }
}

/// Messages that mean something to migration and stand on the main channel only.
const fn is_main_only(message: &ServerMessage) -> bool {
    matches!(
        message,
        ServerMessage::MigrateBegin(_)
            | ServerMessage::MigrateBeginSeamless(_)
            | ServerMessage::MigrateSwitchHost(_)
            | ServerMessage::MigrateCancel
            | ServerMessage::MigrateEnd
            | ServerMessage::Init(_)
    )
}

/// What a server may send about migration, for the text of a violation.
const fn expected(state: State) -> &'static str {
    match state {
        State::Online => "MIGRATE_BEGIN, MIGRATE_BEGIN_SEAMLESS or MIGRATE_SWITCH_HOST",
        State::Handshake => "DST_SEAMLESS_ACK or DST_SEAMLESS_NACK from the target",
        State::Ready => "MIGRATE_END, MIGRATE_CANCEL or MIGRATE_SWITCH_HOST",
        State::ReadySeamless => "MIGRATE, MIGRATE_CANCEL or MIGRATE_SWITCH_HOST",
        State::AwaitingInit => "INIT from the target",
        State::Moving => "MIGRATE and MIGRATE_DATA, once on each channel",
        _ => "nothing about migration but MIGRATE_CANCEL or MIGRATE_SWITCH_HOST",
    }
}
