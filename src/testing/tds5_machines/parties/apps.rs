//! What the applications of the servers and of the client do.

use super::ledger::Ledger;
use crate::machine::AttemptId;
use crate::tds5::connection::Item;
use crate::tds5::endpoint::{EndpointError, ServerCommand, ServerEndpoint, ServerEvent};
use crate::tds5::server::StateEvent;
use crate::tds5::token::{Column, DataType, Done, Eed, Format, FormatKind, Token, Values};
use crate::tds5::{DoneStatus, PacketType, SessionId};
use crate::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::vec::Vec;

/// A command that a client waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    number: u32,
    /// How many rows were sent, by whichever server, and whether their format was.
    rows: u32,
    format: bool,
}

/// What a server's application knows of a session: what it hands over when the session goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Context {
    pending: VecDeque<Pending>,
}

/// What the servers share.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    contexts: BTreeMap<[u8; 6], Context>,
    ids: u32,
    /// The next login that continues a session is refused.
    pub(super) refuse: bool,
}

impl Store {
    fn id(&mut self) -> SessionId {
        self.ids += 1;
        let [a, b, c, d] = self.ids.to_be_bytes();
        SessionId::new([0x5e, b, 0, a, c, d]).expect("it is not zero")
    }
}

/// One connection of a server.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) endpoint: ServerEndpoint,
    /// Its number, for complaints.
    link: usize,
    context: Context,
    /// What was handed over, until the client says that it waits.
    promised: Context,
    /// The number of the command that comes in.
    reading: Option<u32>,
    /// The handler is called for this attempt.
    called: Option<AttemptId>,
    handles: bool,
}

impl Service {
    pub(super) fn new(endpoint: ServerEndpoint, link: usize) -> Self {
        Self {
            endpoint,
            link,
            context: Context::default(),
            promised: Context::default(),
            reading: None,
            called: None,
            handles: false,
        }
    }

    /// Whether it has something to do still.
    pub(super) fn waits(&self) -> bool {
        !self.context.pending.is_empty()
    }

    /// What the application does about an event; what comes of that.
    pub(super) fn event(
        &mut self,
        now: Instant,
        event: &ServerEvent,
        store: &mut Store,
        ledger: &mut Ledger,
    ) -> Result<(), EndpointError> {
        match event {
            ServerEvent::Connect { migrated, session_id, .. } => {
                return self.connect(now, *migrated, *session_id, store);
            }
            ServerEvent::Item(Item::Token(Token::Language(language))) => {
                self.reading = language.text.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
            }
            ServerEvent::Item(Item::End(PacketType::NORMAL)) => {
                let Some(number) = self.reading.take() else { return Ok(()) };
                ledger.delivered(self.link, number);
                let stopped = self.promised.pending.is_empty();
                assert!(
                    stopped || ledger.garbled,
                    "6.4: command {number} comes, and not RESUME for {:?}",
                    self.promised
                );
                self.context.pending.push_back(Pending { number, rows: 0, format: false });
            }
            ServerEvent::MigrateResume => {
                let arrives = !self.promised.pending.is_empty();
                ledger.resumed[usize::from(!arrives)] += 1;
                if arrives {
                    self.context = core::mem::take(&mut self.promised);
                }
                assert!(self.waits() || ledger.garbled, "6.4: RESUME on link {}, and nothing is owed", self.link);
            }
            ServerEvent::MigrateState { attempt, state } => {
                self.called = (*state == StateEvent::Ready).then_some(*attempt);
            }
            ServerEvent::Started(attempt) => ledger.server_started(self.link, attempt.0),
            ServerEvent::Ended { attempt, outcome } => ledger.server_ended(self.link, attempt.0, *outcome),
            ServerEvent::Disconnect { .. } => (self.called, self.handles) = (None, false),
            _ => {}
        }
        let owed = usize::try_from(self.endpoint.pending()).unwrap_or(usize::MAX);
        let pending = self.context.pending.len();
        // Between the items of one event and the next the machine is ahead of its application.
        assert!(
            ledger.garbled || owed >= pending || self.is_over(),
            "M9: {pending} commands wait, the machine says {owed}"
        );
        Ok(())
    }

    pub(super) fn is_over(&self) -> bool {
        self.endpoint.state() == "Gone"
    }

    fn connect(
        &mut self,
        now: Instant,
        migrated: bool,
        id: Option<SessionId>,
        store: &mut Store,
    ) -> Result<(), EndpointError> {
        if migrated {
            let context = id.and_then(|id| store.contexts.get(&id.bytes()));
            let Some(context) = context.filter(|_| !core::mem::take(&mut store.refuse)) else {
                let notice = Some(Eed::new(4002, 14, "no such session").into());
                return self.endpoint.command(now, ServerCommand::Refuse { notice });
            };
            self.promised = context.clone();
        }
        // A client that has come may keep its id, or get another one.
        if !migrated || store.ids.is_multiple_of(2) {
            // Not every client can be told.
            let _ = self.endpoint.command(now, ServerCommand::SetSessionId(store.id()));
        }
        self.endpoint.command(now, ServerCommand::Accept { tokens: Vec::new() })
    }

    /// The handler begins, if it was called and the call still holds.
    pub(super) fn enter(&mut self, now: Instant) -> bool {
        let Some(attempt) = self.called.filter(|_| !self.handles) else { return false };
        self.called = None;
        self.handles = self.endpoint.command(now, ServerCommand::Enter(attempt)).is_ok();
        true
    }

    /// It hands the session over and returns.
    pub(super) fn leave(&mut self, now: Instant, store: &mut Store) -> bool {
        if !core::mem::take(&mut self.handles) {
            return false;
        }
        if let Ok(id) = self.endpoint.session_id() {
            store.contexts.insert(id.bytes(), self.context.clone());
        }
        let result = self.endpoint.command(now, ServerCommand::Leave);
        assert!(result.is_ok(), "a handler returns: {result:?}");
        true
    }

    /// One more row of what is waited for; the first one comes behind its format.
    pub(super) fn row(&mut self, now: Instant, ledger: &mut Ledger) {
        let order = self.endpoint.order();
        let Some(pending) = self.context.pending.front_mut() else { return };
        if !pending.format {
            let columns = [Column::short(DataType::VARBINARY, 8)];
            let format = Format::new(FormatKind::Rows, order, &columns).expect("it is short");
            if self.endpoint.command(now, ServerCommand::Respond(format.into())).is_err() {
                return;
            }
            pending.format = true;
        }
        let mut data = Vec::from([8]);
        data.extend(pending.number.to_le_bytes());
        data.extend(pending.rows.to_le_bytes());
        let row = Token::Row(Values { data: data.into() });
        if self.endpoint.command(now, ServerCommand::Respond(row)).is_ok() {
            pending.rows += 1;
            ledger.row_sent(pending.number);
        }
    }

    /// The end of what is waited for.
    pub(super) fn finish(&mut self, now: Instant, ledger: &mut Ledger) -> bool {
        let Some(pending) = self.context.pending.front().copied() else { return false };
        let count = i32::try_from(pending.rows).unwrap_or(i32::MAX);
        let done = Done { status: DoneStatus::COUNT, count, ..Done::FINAL };
        if self.endpoint.command(now, ServerCommand::Respond(done.into())).is_err() {
            return false;
        }
        self.context.pending.pop_front();
        ledger.finished(self.link, pending.number);
        true
    }
}

/// What stands in a row.
pub(super) fn row_in(values: &[u8]) -> Option<(u32, u32)> {
    let [_length, number @ .., _, _, _, _] = values else { return None };
    let row = values.last_chunk().map(|bytes| u32::from_le_bytes(*bytes))?;
    Some((u32::from_le_bytes(*number.first_chunk()?), row))
}
