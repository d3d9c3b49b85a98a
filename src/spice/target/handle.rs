//! Inputs: what is legal, and what follows.

use super::Target;
use super::session::{Link, Session};
use super::table::{Event as TableEvent, State, step};
use super::types::{Event, Input, Loss, Output, Start};
use crate::error::{Error, Limit, Misuse, Violation, to_u64};
use crate::hold::Held;
use crate::machine::{Machine, trace_transition};
use crate::spice::common::MigrateData;
use crate::spice::header::Packet;
use crate::spice::ids::{ChannelId, ClientId, LinkError, LinkId, MainCaps, MigrateFlags};
use crate::spice::main_channel::Init;
use crate::spice::message::{ClientMessage, ServerMessage};
use crate::spice::migrate_data::MigrateDataHeader;
use crate::time::Instant;
use alloc::vec::Vec;

impl Machine for Target {
    type Input<'a> = Input;
    type Output = Output;
    type State = State;

    fn handle(&mut self, now: Instant, input: Input) -> Result<(), Error> {
        self.outbox.check_room(self.config.limits.outputs)?;
        if input != Input::Timeout {
            self.validate(&input)?;
            self.now = self.now.max(now);
        }
        let result = self.take(now, input);
        self.deadline = self.sessions.iter().filter_map(|session| session.deadline).min();
        result
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// Of the client that came last; [`client_state`](Self::client_state) tells of each.
    fn state(&self) -> State {
        self.sessions.last().map_or(State::Empty, |session| session.state)
    }
}

impl Target {
    fn take(&mut self, now: Instant, input: Input) -> Result<(), Error> {
        match input {
            Input::Link { link, connection_id, channel, caps, session_id } if channel.is_main() => {
                self.main_link(link, connection_id, caps, session_id);
            }
            Input::Link { link, connection_id, channel, .. } => self.other_link(link, connection_id, channel),
            Input::Closed(link) => self.closed(link),
            Input::Message { link, packet } => return self.message(link, packet),
            Input::Send { link, packet } => self.outbox.push(Output::Send { link, packet }),
            Input::Init { client, init } => return self.init(client, init),
            Input::RejectData(link) => {
                if let Some(id) = self.find(link).map(|(session, _)| session.id) {
                    self.remove(id, Loss::BadData, None);
                }
            }
            Input::VmRunning => self.vm_running(),
            Input::Timeout => self.timeout(now),
        }
        Ok(())
    }

    /// Everything that our caller can get wrong, before anything changes. Links that are closed already pass
    /// where the input may have crossed with the close.
    fn validate(&self, input: &Input) -> Result<(), Misuse> {
        match input {
            Input::Link { link, .. } if self.find(*link).is_some() => {
                Err(Misuse::Duplicate { what: "link", id: link.0 })
            }
            Input::Link { session_id: 0, .. } => Err(Misuse::Argument { what: "session_id", reason: "must not be 0" }),
            Input::Link { connection_id: 0, channel, session_id, .. }
                if channel.is_main() && self.config.several_clients && self.is_taken(*session_id) =>
            {
                Err(Misuse::Duplicate { what: "session", id: *session_id })
            }
            Input::Link { channel, .. } if channel.is_main() => self.check_clients(),
            Input::Message { link, packet } => match self.find(*link) {
                Some((session, link)) if session.is_parked(link) => {
                    link.incoming.check_room(packet, self.config.limits.held_messages, self.config.limits.held_bytes)
                }
                _ => Ok(()),
            },
            Input::Send { link, packet } => match self.find(*link) {
                None => Err(Misuse::Unknown { what: "link", id: link.0 }),
                Some((session, _)) if session.is_silent() => {
                    Err(Misuse::WrongState { state: session.state.name(), input: "Send" })
                }
                Some(_) if is_reserved(&packet.message) => {
                    Err(Misuse::Argument { what: "packet", reason: "this answer is the machine's to send" })
                }
                Some((session, _)) if matches!(&packet.message, ServerMessage::Init(init) if init.session_id != session.session_id) => {
                    Err(Misuse::Argument { what: "packet", reason: "INIT must tell the session's id" })
                }
                Some((session, _)) if session.arriving && matches!(packet.message, ServerMessage::Init(_)) => {
                    Err(Misuse::Argument {
                        what: "packet",
                        reason: "INIT for a client that arrives is an input of its own",
                    })
                }
                Some(_) => Ok(()),
            },
            Input::Init { client, .. } => match self.client_state(*client) {
                State::Starting => Ok(()),
                State::Empty => Err(Misuse::Unknown { what: "client", id: client.0 }),
                other => Err(Misuse::WrongState { state: other.name(), input: "Init" }),
            },
            Input::RejectData(link) if self.find(*link).is_none() => Err(Misuse::Unknown { what: "link", id: link.0 }),
            _ => Ok(()),
        }
    }

    fn check_clients(&self) -> Result<(), Misuse> {
        let limit = self.config.limits.clients;
        if self.sessions.len() < limit || !self.config.several_clients {
            return Ok(());
        }
        Err(Misuse::Limit(Limit { what: "clients", limit: to_u64(limit), got: to_u64(limit).saturating_add(1) }))
    }

    fn is_taken(&self, session_id: u32) -> bool {
        self.sessions.iter().any(|session| session.session_id == session_id)
    }

    /// A main link: connection id 0 is a new session, any other a client that arrives.
    fn main_link(&mut self, link: LinkId, connection_id: u32, caps: MainCaps, fresh_id: u32) {
        if !self.config.several_clients {
            let old: Vec<ClientId> = self.sessions.iter().map(|session| session.id).collect();
            old.into_iter().for_each(|id| self.remove(id, Loss::Replaced, None));
        }
        if self.is_taken(connection_id) {
            return self.outbox.push(Output::Refuse { link, error: LinkError::BAD_CONNECTION_ID });
        }
        let client = ClientId(self.next_client);
        self.next_client = self.next_client.saturating_add(1);
        let arriving = connection_id != 0;
        let session_id = if arriving { connection_id } else { fresh_id };
        self.sessions.push(Session {
            id: client,
            state: State::Empty,
            session_id,
            arriving,
            caps,
            deadline: arriving.then(|| self.now.saturating_add(self.config.parked_timeout)),
            has_data: false,
            links: [new_link(link, ChannelId::MAIN)].into(),
        });
        self.go(client, if arriving { TableEvent::Migrating } else { TableEvent::Fresh });
        self.outbox.push(Output::Accept(link));
        self.event(Event::Attached { client, link, caps, session_id, arriving });
    }

    fn other_link(&mut self, link: LinkId, connection_id: u32, channel: ChannelId) {
        let most = self.config.limits.channels;
        let session = self.sessions.iter_mut().find(|session| session.session_id == connection_id);
        let Some(session) = session else {
            return self.outbox.push(Output::Refuse { link, error: LinkError::BAD_CONNECTION_ID });
        };
        let taken = session.links.iter().any(|entry| entry.channel == channel);
        if taken || session.links.len() >= most {
            return self.outbox.push(Output::Refuse { link, error: LinkError::CHANNEL_NOT_AVAILABLE });
        }
        let mut entry = new_link(link, channel);
        let (client, state) = (session.id, session.state);
        let moves = state == State::SeamlessWait && !session.has_data;
        entry.awaits_data = moves && needs_data(channel);
        let parked = session.is_parked(&entry);
        session.links.push(entry);
        self.outbox.push(Output::Accept(link));
        self.event(Event::ChannelAttached { client, link, channel });
        if parked {
            self.outbox.push(Output::Pause(link));
        } else {
            let start = if moves { Start::Seamless } else { Start::Afresh };
            self.event(Event::ChannelStarted { link, start });
        }
    }

    fn message(&mut self, link: LinkId, packet: Packet<ClientMessage>) -> Result<(), Error> {
        let Some((session, entry)) = self.find(link) else { return Ok(()) };
        let (client, state, main, caps) = (session.id, session.state, entry.channel.is_main(), session.caps);
        if session.is_parked(entry) {
            if let Some(entry) = self.link_mut(link) {
                entry.incoming.push(packet);
            }
            return Ok(());
        }
        if state == State::SeamlessWait && entry.awaits_data {
            return self.awaiting_data(client, link, packet);
        }
        let name = packet.message.name();
        match (&packet.message, state) {
            (ClientMessage::MigrateData(_), _) => Err(self.violate(client, expected(state), name)),
            // Of a client that works, this is the source's to judge: it may be leaving again.
            (ClientMessage::MigrateFlushMark, State::MigWait | State::SeamlessWait | State::Starting) => {
                Err(self.violate(client, expected(state), name))
            }
            (ClientMessage::MigrateDstDoSeamless(ask), State::MigWait) if main => {
                self.do_seamless(client, ask.src_version)
            }
            (ClientMessage::MigrateEnd, State::MigWait) if main => {
                // The real server warns and waits on.
                if caps.contains(MainCaps::SEMI_SEAMLESS_MIGRATE) {
                    self.switched(client);
                }
                Ok(())
            }
            // A second one; whether INIT has gone out by then is nothing that the client could know.
            (ClientMessage::MigrateEnd, State::Starting) if main => Ok(()),
            (ClientMessage::MigrateEnd, State::Normal) if main => {
                self.go(client, TableEvent::End);
                Ok(())
            }
            (ClientMessage::MigrateEnd | ClientMessage::MigrateDstDoSeamless(_), _) if main => {
                Err(self.violate(client, expected(state), name))
            }
            // The real server ignores these before the switch; nothing else may come.
            (
                ClientMessage::AttachChannels
                | ClientMessage::Disconnecting(_)
                | ClientMessage::Pong(_)
                | ClientMessage::Ack
                | ClientMessage::AckSync(_),
                State::MigWait,
            ) => Ok(()),
            (_, State::MigWait) => Err(self.violate(client, expected(state), name)),
            _ => {
                self.event(Event::Message { link, packet });
                Ok(())
            }
        }
    }

    /// MIGRATE_DATA comes first; answers to what was sent to the channel may cross it.
    fn awaiting_data(&mut self, client: ClientId, link: LinkId, packet: Packet<ClientMessage>) -> Result<(), Error> {
        match packet.message {
            ClientMessage::MigrateData(data) => self.restore(client, link, data),
            ClientMessage::Pong(_) | ClientMessage::Ack | ClientMessage::AckSync(_) => {
                self.event(Event::Message { link, packet });
                Ok(())
            }
            other => Err(self.violate(client, "MIGRATE_DATA first", other.name())),
        }
    }

    fn restore(&mut self, client: ClientId, link: LinkId, data: MigrateData) -> Result<(), Error> {
        let Some(channel) = self.find(link).map(|(_, entry)| entry.channel) else { return Ok(()) };
        if self.config.check_migrate_data && MigrateDataHeader::check(channel.ty, &data.data).is_err() {
            let expected = "MIGRATE_DATA of this kind of channel, in a version that this target knows";
            return Err(self.violate(client, expected, "malformed MIGRATE_DATA"));
        }
        if let Some(entry) = self.link_mut(link) {
            entry.awaits_data = false;
        }
        self.session_mut(client).into_iter().for_each(|session| session.has_data = true);
        self.event(Event::MigrateData { link, channel, data: data.data });
        self.check_all_data(client);
        Ok(())
    }

    fn check_all_data(&mut self, client: ClientId) {
        let Some(session) = self.session_mut(client) else { return };
        if session.state == State::SeamlessWait && !session.links.iter().any(|link| link.awaits_data) {
            session.deadline = None;
            self.go(client, TableEvent::AllData);
            self.event(Event::Settled { client, start: Start::Seamless });
        }
    }

    /// MIGRATE_DST_DO_SEAMLESS: one answer each time (property T4).
    fn do_seamless(&mut self, client: ClientId, version: u32) -> Result<(), Error> {
        let can = version <= self.config.migration_version && !self.config.several_clients;
        let Some(session) = self.session_mut(client) else { return Ok(()) };
        let Some(main) = session.main() else { return Ok(()) };
        if !can {
            self.go(client, TableEvent::RefuseSeamless);
            self.outbox.push(Output::Send { link: main, packet: ServerMessage::DstSeamlessNack.into() });
            return Ok(());
        }
        for link in &mut session.links {
            link.awaits_data = needs_data(link.channel);
        }
        self.go(client, TableEvent::DoSeamless);
        self.outbox.push(Output::Send { link: main, packet: ServerMessage::DstSeamlessAck.into() });
        self.start_channels(client, Start::Seamless)
    }

    /// MIGRATE_END: the client is ours now; the application knows what INIT must say.
    fn switched(&mut self, client: ClientId) {
        let deadline = self.now.saturating_add(self.config.switch_timeout);
        let Some(session) = self.session_mut(client) else { return };
        session.deadline = Some(deadline);
        let session_id = session.session_id;
        self.go(client, TableEvent::End);
        self.event(Event::InitWanted { client, session_id });
    }

    fn init(&mut self, client: ClientId, init: Init) -> Result<(), Error> {
        let Some(session) = self.session_mut(client) else { return Ok(()) };
        session.deadline = None;
        let init = Init { session_id: session.session_id, ..init };
        let Some(link) = session.main() else { return Ok(()) };
        self.go(client, TableEvent::Init);
        self.outbox.push(Output::Send { link, packet: ServerMessage::Init(init).into() });
        self.event(Event::Settled { client, start: Start::Afresh });
        self.start_channels(client, Start::Afresh)
    }

    /// Starts the channels that were parked, and acts upon what has come on them.
    fn start_channels(&mut self, client: ClientId, start: Start) -> Result<(), Error> {
        let Some(session) = self.session_mut(client) else { return Ok(()) };
        let mut waiting = Vec::new();
        for entry in session.links.iter_mut().filter(|entry| !entry.channel.is_main()) {
            waiting.push((entry.id, core::mem::replace(&mut entry.incoming, Held::new())));
        }
        for (link, mut incoming) in waiting {
            self.event(Event::ChannelStarted { link, start });
            self.outbox.push(Output::Resume(link));
            while let Some(packet) = incoming.pop() {
                self.message(link, packet)?;
            }
        }
        Ok(())
    }

    fn vm_running(&mut self) {
        let soon = self.now.saturating_add(self.config.switch_timeout);
        for session in &mut self.sessions {
            session.deadline = session.deadline.map(|deadline| deadline.min(soon));
        }
    }

    fn closed(&mut self, link: LinkId) {
        let Some((session, entry)) = self.find(link) else { return };
        let client = session.id;
        if entry.channel.is_main() {
            return self.remove(client, Loss::Closed, Some(link));
        }
        if let Some(session) = self.session_mut(client) {
            session.links.retain(|entry| entry.id != link);
        }
        self.event(Event::ChannelGone(link));
        self.check_all_data(client);
    }

    /// Forgets a client and closes what is left of it, parked links too (property T5).
    fn remove(&mut self, client: ClientId, reason: Loss, closed: Option<LinkId>) {
        self.go(client, TableEvent::Gone);
        let Some(at) = self.sessions.iter().position(|session| session.id == client) else { return };
        let session = self.sessions.remove(at);
        for link in session.links {
            if closed != Some(link.id) {
                self.outbox.push(Output::Close(link.id));
            }
        }
        self.event(Event::Gone { client, reason });
    }

    fn violate(&mut self, client: ClientId, expected: &'static str, got: &'static str) -> Error {
        let state = self.client_state(client).name();
        self.remove(client, Loss::Violation, None);
        Violation { state, expected, got }.into()
    }

    fn timeout(&mut self, now: Instant) {
        let now = self.now.max(now);
        let is_due = |session: &&Session| session.deadline.is_some_and(|deadline| deadline <= now);
        let due: Vec<ClientId> = self.sessions.iter().filter(is_due).map(|session| session.id).collect();
        if !due.is_empty() {
            self.now = now;
        }
        due.into_iter().for_each(|client| self.remove(client, Loss::Deadline, None));
    }

    fn go(&mut self, client: ClientId, event: TableEvent) {
        let Some(session) = self.session_mut(client) else { return };
        match step(session.state, event) {
            Ok(next) => {
                trace_transition!("spice target", session.state, event, next);
                session.state = next;
            }
            Err(illegal) => debug_assert!(false, "{illegal:?}"),
        }
    }

    fn event(&mut self, event: Event) {
        self.outbox.push(Output::Event(event));
    }

    fn session_mut(&mut self, client: ClientId) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.id == client)
    }

    fn link_mut(&mut self, link: LinkId) -> Option<&mut Link> {
        self.sessions.iter_mut().find_map(|session| session.link_mut(link))
    }

    fn find(&self, link: LinkId) -> Option<(&Session, &Link)> {
        self.sessions.iter().find_map(|session| Some((session, session.link(link)?)))
    }
}

fn new_link(id: LinkId, channel: ChannelId) -> Link {
    Link { id, channel, awaits_data: false, incoming: Held::new() }
}

fn needs_data(channel: ChannelId) -> bool {
    MigrateFlags::for_channel(channel.ty).contains(MigrateFlags::NEED_DATA_TRANSFER)
}

/// Answers that only the machine gives.
const fn is_reserved(message: &ServerMessage) -> bool {
    matches!(message, ServerMessage::DstSeamlessAck | ServerMessage::DstSeamlessNack)
}

/// What a client may send about migration, for the text of a violation.
const fn expected(state: State) -> &'static str {
    match state {
        State::MigWait => "MIGRATE_END or MIGRATE_DST_DO_SEAMLESS",
        State::SeamlessWait => "MIGRATE_DATA, once on each channel that needs it",
        State::Starting | State::Normal => "nothing about migration",
        State::Empty => "a link",
    }
}
