//! Inputs: what is legal, and what follows.

use super::entry::{Answer, Channel, Client, Owed, Phase};
use super::table::{Event as TableEvent, State, step};
use super::types::{AttemptId, ClientLoss, Event, Input, Outcome, Output};
use super::{Attempt, Source};
use crate::error::{Error, Limit, Misuse, Violation, to_u64};
use crate::machine::{Machine, trace_transition};
use crate::spice::common::{Migrate, MigrateData};
use crate::spice::header::Packet;
use crate::spice::ids::{ChannelId, ClientId, LinkId, MainCaps, MigrateFlags};
use crate::spice::message::{ClientMessage, ServerMessage};
use crate::spice::{DstInfo, MigrateBeginSeamless};
use crate::time::Instant;
use alloc::vec::Vec;
use bytes::Bytes;

impl Machine for Source {
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
            Input::Attached { client, link, caps, arriving } => self.attached(client, link, caps, arriving),
            Input::ChannelAttached { client, link, channel, flags } => {
                self.channel_attached(client, Channel { link, id: channel, flags, phase: Phase::Live });
            }
            Input::Settled(client) => self.settled(client),
            Input::Closed(link) => self.closed(link),
            Input::Message { link, packet } => return self.message(link, packet),
            Input::Send { link, packet } => self.outbox.push(Output::Send { link, packet }),
            Input::MigrateInfo(dst) => self.migrate_info(dst),
            Input::VmCompleted => self.completed(),
            Input::VmFailed | Input::VmCancelled => self.aborted(),
            Input::MigrateData { link, data } => self.migrate_data(link, data),
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

/// Whether a message belongs to migration and is the machine's alone to send.
const fn is_reserved(message: &ServerMessage) -> bool {
    matches!(
        message,
        ServerMessage::Migrate(_)
            | ServerMessage::MigrateData(_)
            | ServerMessage::MigrateBegin(_)
            | ServerMessage::MigrateBeginSeamless(_)
            | ServerMessage::MigrateCancel
            | ServerMessage::MigrateEnd
            | ServerMessage::MigrateSwitchHost(_)
            | ServerMessage::DstSeamlessAck
            | ServerMessage::DstSeamlessNack
    )
}

impl Source {
    /// Everything that our caller can get wrong, before anything changes. Links that are closed already pass
    /// where the input may have crossed with the close.
    fn validate(&self, input: &Input) -> Result<(), Misuse> {
        let wrong_state = |input| Err(Misuse::WrongState { state: self.state.name(), input });
        match input {
            Input::Attached { client, .. } if self.client(*client).is_some() => {
                Err(Misuse::Duplicate { what: "client", id: client.0 })
            }
            Input::Attached { .. } if self.clients.len() >= self.config.limits.clients => {
                Err(full("clients", self.config.limits.clients))
            }
            Input::Attached { link, .. } | Input::ChannelAttached { link, .. } if self.find(*link).is_some() => {
                Err(Misuse::Duplicate { what: "link", id: link.0 })
            }
            Input::ChannelAttached { client, channel, .. } => match self.client(*client) {
                None => Err(Misuse::Unknown { what: "client", id: client.0 }),
                Some(_) if channel.is_main() => {
                    Err(Misuse::Argument { what: "channel", reason: "the main channel comes with Attached" })
                }
                Some(entry) if entry.channels.len() >= self.config.limits.channels => {
                    Err(full("channels", self.config.limits.channels))
                }
                Some(_) => Ok(()),
            },
            Input::Settled(client) => match self.client(*client) {
                Some(entry) if entry.arriving => Ok(()),
                Some(_) => Err(Misuse::Argument { what: "client", reason: "has arrived already" }),
                None => Err(Misuse::Unknown { what: "client", id: client.0 }),
            },
            Input::Send { packet, .. } if is_reserved(&packet.message) => {
                Err(Misuse::Argument { what: "packet", reason: "migration's messages are the machine's to send" })
            }
            Input::Send { link, .. } => match self.find(*link) {
                None => Err(Misuse::Unknown { what: "link", id: link.0 }),
                Some((client, _)) if client.leaving => Err(Misuse::WrongState { state: "leaving", input: "Send" }),
                Some(_) => Ok(()),
            },
            Input::MigrateInfo(_) if self.state == State::WaitDisconnect => wrong_state("MigrateInfo"),
            Input::VmCompleted if !self.has_destination() => wrong_state("VmCompleted"),
            Input::VmFailed if !self.has_destination() => wrong_state("VmFailed"),
            Input::VmCancelled if !self.has_destination() => wrong_state("VmCancelled"),
            Input::MigrateData { data, .. } if data.is_empty() => {
                Err(Misuse::Argument { what: "data", reason: "real targets refuse an empty state" })
            }
            Input::MigrateData { link, .. } => match self.find(*link) {
                Some((_, channel)) if channel.phase == Phase::AwaitData => Ok(()),
                Some(_) => Err(Misuse::Argument { what: "link", reason: "its state was not asked for" }),
                None => Err(Misuse::Unknown { what: "link", id: link.0 }),
            },
            _ => Ok(()),
        }
    }

    const fn has_destination(&self) -> bool {
        matches!(self.state, State::WaitConnect | State::Connected | State::Announced)
    }

    fn attached(&mut self, id: ClientId, link: LinkId, caps: MainCaps, arriving: bool) {
        let main = Channel {
            link,
            id: ChannelId::MAIN,
            flags: MigrateFlags::for_channel(ChannelId::MAIN.ty),
            phase: Phase::Live,
        };
        self.clients.push(Client {
            id,
            caps,
            arriving,
            leaving: false,
            answer: Answer::None,
            owed: Owed::default(),
            main: link,
            channels: [main].into(),
        });
        // The virtual machine has gone already: so must the client.
        if self.state == State::WaitDisconnect {
            self.send_off(id, false);
        }
    }

    /// A channel that crossed with the switch goes the way of the others: a client that moves seamlessly
    /// waits for the MIGRATE of each channel that it has. Only the client knows whether it has linked this one
    /// to the target, which then waits for its state.
    fn channel_attached(&mut self, id: ClientId, mut channel: Channel) {
        let Some(client) = self.client_mut(id) else { return };
        let moves = |phase| matches!(phase, Phase::AwaitFlush | Phase::AwaitData | Phase::Done);
        let seamless = client.channels.iter().any(|channel| moves(channel.phase));
        if client.channels.iter().any(|channel| channel.phase == Phase::Ended) {
            channel.phase = Phase::Ended;
        }
        client.channels.push(channel);
        if seamless {
            self.migrate_channel(channel.link);
        }
    }

    /// The client has arrived: what had to wait for that is said now.
    fn settled(&mut self, id: ClientId) {
        let Some(client) = self.client_mut(id) else { return };
        client.arriving = false;
        let (leaving, postponed) = (client.leaving, client.answer == Answer::Postponed);
        if leaving {
            self.send_off(id, false);
        } else if postponed {
            self.ask(id);
            self.check_answers();
        }
    }

    /// A destination: all flags are new (S5), linked clients are called back, and everybody is asked.
    fn migrate_info(&mut self, dst: DstInfo) {
        self.call_back();
        self.end_attempt(Outcome::Superseded);
        self.attempts = self.attempts.saturating_add(1);
        let id = AttemptId(self.attempts);
        // What another server has sent may say 65535 for an absent port; we say 0 (S7).
        self.attempt = Some(Attempt { id, dst: dst.canonical(), reported: false });
        self.event(Event::Started(id));
        let ids: Vec<ClientId> = self.clients.iter().map(|client| client.id).collect();
        ids.into_iter().for_each(|id| self.ask(id));
        if self.clients.iter().any(is_awaited) {
            self.deadline = Some(self.now.saturating_add(self.config.connect_timeout));
            self.go(TableEvent::Asked);
        } else {
            self.deadline = None;
            self.go(TableEvent::NoneAsked);
            self.report(false);
        }
    }

    /// Sends the best MIGRATE_BEGIN that a client understands (spec/spice.md 5.1).
    fn ask(&mut self, id: ClientId) {
        let seamless_possible = self.config.seamless && self.clients.len() == 1;
        let most = self.config.limits.unanswered_begins.min(Owed::MAX);
        let version = self.config.migration_version;
        let Some(dst) = self.attempt.as_ref().map(|attempt| attempt.dst.clone()) else { return };
        let Some(client) = self.client_mut(id) else { return };
        if !client.caps.contains(MainCaps::SEMI_SEAMLESS_MIGRATE) || client.owed.count() >= most {
            client.answer = Answer::None;
            return;
        }
        if client.arriving {
            client.answer = Answer::Postponed;
            return;
        }
        let needed = MainCaps::SEAMLESS_MIGRATE | MainCaps::AGENT_CONNECTED_TOKENS;
        let seamless = seamless_possible && client.caps.contains(needed);
        client.answer = Answer::Waiting;
        client.owed.push(seamless);
        let link = client.main;
        let message = if seamless {
            ServerMessage::MigrateBeginSeamless(MigrateBeginSeamless::new(dst, version))
        } else {
            ServerMessage::MigrateBegin(dst)
        };
        self.send(link, message);
    }

    /// Forgets what clients have answered; those that are linked to a target are told to leave it.
    fn call_back(&mut self) {
        let mut linked = Vec::new();
        for client in &mut self.clients {
            if is_linked(client) {
                linked.push(client.main);
            }
            client.answer = Answer::None;
        }
        linked.into_iter().for_each(|link| self.send(link, ServerMessage::MigrateCancel));
    }

    /// MIGRATE_CONNECTED (`Some(false)`), MIGRATE_CONNECTED_SEAMLESS (`Some(true)`) or MIGRATE_CONNECT_ERROR.
    fn answered(&mut self, id: ClientId, connected: Option<bool>, name: &'static str) -> Result<(), Error> {
        let Some(client) = self.client_mut(id) else { return Ok(()) };
        let owed = client.owed.pop();
        if connected == Some(true) && owed == Some(false) {
            return Err(self.violate(id, "an answer to MIGRATE_BEGIN", name));
        }
        let decides = client.answer == Answer::Waiting && client.owed.count() == 0 && owed.is_some();
        let (link, leaving, stale) = (client.main, client.leaving, client.owed.count() > 0);
        if decides {
            client.answer = match connected {
                Some(true) => Answer::ConnectedSeamless,
                Some(false) => Answer::Connected,
                None => Answer::Failed,
            };
            self.check_answers();
        } else if connected.is_some() && !leaving && !stale {
            // Too late, or never asked: the client must not stay linked to a target that nobody moves to.
            self.send(link, ServerMessage::MigrateCancel);
        }
        Ok(())
    }

    /// Whether the attempt still waits for anybody.
    fn check_answers(&mut self) {
        let linked = self.clients.iter().any(is_linked);
        match self.state {
            State::WaitConnect if !self.clients.iter().any(is_awaited) => {
                self.deadline = None;
                self.go(if linked { TableEvent::AnsweredSome } else { TableEvent::AnsweredNone });
                self.report(linked);
            }
            State::Connected if !linked => self.go(TableEvent::AnsweredNone),
            _ => {}
        }
    }

    fn report(&mut self, connected: bool) {
        if let Some(attempt) = self.attempt.as_mut().filter(|attempt| !attempt.reported) {
            attempt.reported = true;
            let attempt = attempt.id;
            self.event(Event::ClientsReady { attempt, connected });
        }
    }

    /// The virtual machine has moved: every client is sent after it, once (S1).
    fn completed(&mut self) {
        let seamless = matches!(self.clients.as_slice(), [only] if only.answer == Answer::ConnectedSeamless);
        let ids: Vec<ClientId> = self.clients.iter().map(|client| client.id).collect();
        if ids.is_empty() {
            self.deadline = None;
            self.go(TableEvent::CompletedWithout);
            self.end_attempt(Outcome::Completed);
            return;
        }
        self.deadline = Some(self.now.saturating_add(self.config.disconnect_timeout));
        self.go(TableEvent::CompletedWithClients);
        ids.into_iter().for_each(|id| self.send_off(id, seamless));
    }

    /// Tells one client to go, in the scheme that it is ready for.
    fn send_off(&mut self, id: ClientId, seamless: bool) {
        let Some(dst) = self.attempt.as_ref().map(|attempt| attempt.dst.clone()) else { return };
        let Some(client) = self.client_mut(id) else { return };
        client.leaving = true;
        if client.arriving {
            return;
        }
        // A client that was promised a seamless switch and cannot have it (another client has come since)
        // must not tell the target MIGRATE_END: that would be a protocol error there.
        let (link, semi_seamless) = (client.main, client.answer == Answer::Connected);
        if seamless {
            let links: Vec<LinkId> = client.channels.iter().map(|channel| channel.link).collect();
            return links.into_iter().for_each(|link| self.migrate_channel(link));
        }
        client.channels.iter_mut().for_each(|channel| channel.phase = Phase::Ended);
        let end = if semi_seamless { ServerMessage::MigrateEnd } else { ServerMessage::MigrateSwitchHost(dst) };
        self.send(link, end);
    }

    fn migrate_channel(&mut self, link: LinkId) {
        let Some(channel) = self.channel_mut(link) else { return };
        let flags = channel.flags;
        channel.phase = if flags.contains(MigrateFlags::NEED_FLUSH) {
            Phase::AwaitFlush
        } else if flags.contains(MigrateFlags::NEED_DATA_TRANSFER) {
            Phase::AwaitData
        } else {
            Phase::Done
        };
        let (ask, channel) = (channel.phase == Phase::AwaitData, channel.id);
        self.send(link, ServerMessage::Migrate(Migrate { flags }));
        if ask {
            self.event(Event::MigrateDataWanted { link, channel });
        }
    }

    /// The state of a channel, for the client to carry.
    fn migrate_data(&mut self, link: LinkId, data: Bytes) {
        if let Some(channel) = self.channel_mut(link) {
            channel.phase = Phase::Done;
            self.send(link, ServerMessage::MigrateData(MigrateData { data }));
        }
    }

    /// The virtual machine stays.
    fn aborted(&mut self) {
        self.call_back();
        self.deadline = None;
        self.go(TableEvent::Aborted);
        self.end_attempt(Outcome::Aborted);
    }

    fn message(&mut self, link: LinkId, packet: Packet<ClientMessage>) -> Result<(), Error> {
        let Some((client, channel)) = self.find(link) else { return Ok(()) };
        let (id, channel, leaving) = (client.id, *channel, client.leaving);
        let name = packet.message.name();
        let flushed = matches!(channel.phase, Phase::AwaitData | Phase::Done);
        if flushed && channel.flags.contains(MigrateFlags::NEED_FLUSH) {
            return Err(self.violate(id, "nothing after MIGRATE_FLUSH_MARK", name));
        }
        match packet.message {
            ClientMessage::MigrateFlushMark if channel.phase == Phase::AwaitFlush => {
                let data = channel.flags.contains(MigrateFlags::NEED_DATA_TRANSFER);
                if let Some(channel) = self.channel_mut(link) {
                    channel.phase = if data { Phase::AwaitData } else { Phase::Done };
                }
                if data {
                    self.event(Event::MigrateDataWanted { link, channel: channel.id });
                }
                Ok(())
            }
            ClientMessage::MigrateFlushMark => Err(self.violate(id, "MIGRATE_FLUSH_MARK only after MIGRATE", name)),
            ClientMessage::MigrateData(_) => Err(self.violate(id, "MIGRATE_DATA only at a target", name)),
            _ if !channel.id.is_main() => {
                self.event(Event::Message { link, packet });
                Ok(())
            }
            ClientMessage::MigrateConnected => self.answered(id, Some(false), name),
            ClientMessage::MigrateConnectedSeamless => self.answered(id, Some(true), name),
            ClientMessage::MigrateConnectError => self.answered(id, None, name),
            // A client that has arrived says neither again; the real server warns and goes on.
            ClientMessage::MigrateEnd | ClientMessage::MigrateDstDoSeamless(_) if !leaving => Ok(()),
            _ => {
                self.event(Event::Message { link, packet });
                Ok(())
            }
        }
    }

    fn closed(&mut self, link: LinkId) {
        let Some((client, channel)) = self.find(link) else { return };
        let (id, main) = (client.id, channel.id.is_main());
        let last = client.channels.len() <= 1;
        // A client that was told to go closes its channels in any order: it is gone when the last one is.
        let told = client.leaving && !client.arriving;
        if (main && !told) || last {
            return self.remove(id, ClientLoss::Closed, Some(link));
        }
        if let Some(client) = self.client_mut(id) {
            client.channels.retain(|channel| channel.link != link);
        }
    }

    /// Forgets a client and closes what is left of it.
    fn remove(&mut self, id: ClientId, reason: ClientLoss, closed: Option<LinkId>) {
        let Some(at) = self.clients.iter().position(|client| client.id == id) else { return };
        let client = self.clients.remove(at);
        for channel in client.channels {
            if closed != Some(channel.link) {
                self.outbox.push(Output::Close(channel.link));
            }
        }
        self.event(Event::ClientGone { client: id, reason });
        if self.state == State::WaitDisconnect {
            if self.clients.is_empty() {
                self.deadline = None;
                self.go(TableEvent::AllGone);
                self.end_attempt(Outcome::Completed);
            }
        } else {
            self.check_answers();
        }
    }

    fn violate(&mut self, id: ClientId, expected: &'static str, got: &'static str) -> Error {
        let state = self.state.name();
        self.remove(id, ClientLoss::Violation, None);
        Violation { state, expected, got }.into()
    }

    fn timeout(&mut self, now: Instant) {
        let now = self.now.max(now);
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        self.now = now;
        self.deadline = None;
        match self.state {
            State::WaitConnect => {
                for client in self.clients.iter_mut().filter(|client| client.answer == Answer::Waiting) {
                    client.answer = Answer::Failed;
                }
                let stuck: Vec<ClientId> = self
                    .clients
                    .iter()
                    .filter(|client| client.answer == Answer::Postponed)
                    .map(|client| client.id)
                    .collect();
                let linked = self.clients.iter().any(is_linked);
                self.go(if linked { TableEvent::AnsweredSome } else { TableEvent::ConnectTimeout });
                stuck.into_iter().for_each(|id| self.remove(id, ClientLoss::Deadline, None));
                self.report(linked);
            }
            State::WaitDisconnect => {
                let ids: Vec<ClientId> = self.clients.iter().map(|client| client.id).collect();
                let all_but_last = ids.len().saturating_sub(1);
                ids.iter().take(all_but_last).for_each(|&id| self.remove(id, ClientLoss::Deadline, None));
                self.go(TableEvent::DisconnectTimeout);
                ids.iter().skip(all_but_last).for_each(|&id| self.remove(id, ClientLoss::Deadline, None));
                self.end_attempt(Outcome::Completed);
            }
            _ => {}
        }
    }

    fn go(&mut self, event: TableEvent) {
        match step(self.state, event) {
            Ok(next) => {
                trace_transition!("spice source", self.state, event, next);
                self.state = next;
            }
            Err(illegal) => debug_assert!(false, "{illegal:?}"),
        }
    }

    fn end_attempt(&mut self, outcome: Outcome) {
        if let Some(attempt) = self.attempt.take() {
            self.event(Event::Ended { attempt: attempt.id, outcome });
        }
    }

    fn send(&mut self, link: LinkId, message: ServerMessage) {
        self.outbox.push(Output::Send { link, packet: message.into() });
    }

    fn event(&mut self, event: Event) {
        self.outbox.push(Output::Event(event));
    }

    fn client(&self, id: ClientId) -> Option<&Client> {
        self.clients.iter().find(|client| client.id == id)
    }

    fn client_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.id == id)
    }

    fn channel_mut(&mut self, link: LinkId) -> Option<&mut Channel> {
        self.clients.iter_mut().flat_map(|client| &mut client.channels).find(|channel| channel.link == link)
    }

    fn find(&self, link: LinkId) -> Option<(&Client, &Channel)> {
        self.clients.iter().find_map(|client| {
            let channel = client.channels.iter().find(|channel| channel.link == link)?;
            Some((client, channel))
        })
    }
}

fn full(what: &'static str, limit: usize) -> Misuse {
    Misuse::Limit(Limit { what, limit: to_u64(limit), got: to_u64(limit).saturating_add(1) })
}

const fn is_linked(client: &Client) -> bool {
    matches!(client.answer, Answer::Connected | Answer::ConnectedSeamless)
}

const fn is_awaited(client: &Client) -> bool {
    matches!(client.answer, Answer::Waiting | Answer::Postponed)
}
