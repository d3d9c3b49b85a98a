//! Our servers: a [`ServerEndpoint`] for each connection under the driver, with an application that answers batches
//! and hands contexts over.

use crate::batches::{Batch, Context, World, format};
use crate::driver::{Effect, Party};
use crate::log::Log;
use handover::machine::{AttemptId, LinkId};
use handover::tds5::SessionId;
use handover::tds5::connection::Item;
use handover::tds5::endpoint::{EndpointError, ServerCommand, ServerConfig, ServerEndpoint, ServerEvent, ServerOutput};
use handover::tds5::migration::Address;
use handover::tds5::server::{Caller, StateEvent};
use handover::tds5::token::{Done, Token};
use handover::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// The endpoint's word, all but items.
    Event(ServerEvent),
    /// A batch has come.
    Batch(u32),
    /// What no test expects.
    Error(String),
}

/// What a server does about a login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    #[default]
    Accept,
    Refuse,
    /// Nothing.
    Wait,
    /// Closes the connection.
    HangUp,
    /// Answers with a packet of an impossible length.
    Garbage,
}

/// What the handler does when a client is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Handler {
    /// Lets the client go.
    #[default]
    Go,
    /// It does not run: the test does.
    Wait,
    /// Withdraws the request.
    Cancel,
    /// Asks for another server.
    Migrate(Vec<Address>),
}

/// How a server behaves.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    pub config: ServerConfig,
    pub verdict: Verdict,
    pub handler: Handler,
    /// After how many rows each answer stops; before the final DONE if that is all of them.
    pub hold_at: Option<u32>,
    /// Give clients that come from elsewhere another session id.
    pub renames: bool,
    /// Go on with a batch that is to be cancelled.
    pub ignores_attention: bool,
}

pub struct Connection {
    pub endpoint: ServerEndpoint,
    id: Option<SessionId>,
    context: Option<Context>,
    /// The batch whose command is coming in.
    command: Option<Batch>,
}

/// What a test wants done on a server's thread.
pub type Order = Box<dyn FnOnce(&mut ServerParty, Instant) + Send>;

pub struct ServerParty {
    name: &'static str,
    pub behaviour: Behaviour,
    world: Arc<World>,
    log: Log<Note>,
    connections: BTreeMap<LinkId, Connection>,
    sessions: u8,
    /// Beside the endpoints'.
    effects: VecDeque<Effect>,
    pub done: bool,
}

impl ServerParty {
    pub fn new(name: &'static str, behaviour: Behaviour, world: Arc<World>, log: Log<Note>) -> Self {
        let (connections, effects) = (BTreeMap::new(), VecDeque::new());
        Self { name, behaviour, world, log, connections, sessions: 0, effects, done: false }
    }

    fn check(&self, now: Instant, result: Result<(), EndpointError>) {
        if let Err(error) = result {
            self.log.push(now, Note::Error(error.to_string()));
        }
    }

    pub fn wish(&mut self, now: Instant, link: LinkId, command: ServerCommand) {
        if let Some(connection) = self.connections.get_mut(&link) {
            let result = connection.endpoint.command(now, command);
            self.check(now, result);
        }
    }

    /// The connection that was accepted last.
    pub fn newest(&mut self) -> Option<&mut Connection> {
        self.connections.values_mut().next_back()
    }

    pub fn newest_link(&self) -> Option<LinkId> {
        self.connections.keys().next_back().copied()
    }

    fn event(&mut self, now: Instant, link: LinkId, event: ServerEvent) {
        let Some(connection) = self.connections.get_mut(&link) else { return };
        if let ServerEvent::Item(item) = event {
            return match item {
                Item::Token(Token::Language(language)) => connection.command = Batch::parse(&language.text),
                Item::End(_) => self.begin(now, link),
                _ => {}
            };
        }
        self.log.push(now, Note::Event(event.clone()));
        match event {
            ServerEvent::Connect { session_id, .. } => self.connect(now, link, session_id),
            ServerEvent::MigrateResume => self.go_on(now, link),
            ServerEvent::MigrateState { attempt, state: StateEvent::Ready } => self.handle(now, link, attempt),
            ServerEvent::MigrateState { state: StateEvent::Failed(_), .. } => self.take_back(link),
            ServerEvent::Attention if !self.behaviour.ignores_attention => {
                if let Some(context) = &mut connection.context {
                    context.running = None;
                }
                self.wish(now, link, ServerCommand::Respond(Done::FINAL.into()));
            }
            ServerEvent::Disconnect { .. } => drop(self.connections.remove(&link)),
            _ => {}
        }
    }

    fn connect(&mut self, now: Instant, link: LinkId, id: Option<SessionId>) {
        match self.behaviour.verdict {
            Verdict::Accept => self.accept(now, link, id),
            Verdict::Refuse => self.wish(now, link, ServerCommand::Refuse { notice: None }),
            Verdict::Wait => {}
            Verdict::HangUp => self.wish(now, link, ServerCommand::Disconnect),
            Verdict::Garbage => self.effects.push_back(Effect::Write(link, [4, 1, 0, 3, 0, 0, 0, 0].into())),
        }
    }

    pub fn accept(&mut self, now: Instant, link: LinkId, id: Option<SessionId>) {
        let context = match id {
            Some(id) => self.world.contexts.lock().expect("no holder panics").remove(&id),
            None => Some(Context::default()),
        };
        let Some(connection) = self.connections.get_mut(&link) else { return };
        connection.context = context;
        connection.id = id;
        if connection.context.is_none() {
            return self.wish(now, link, ServerCommand::Refuse { notice: None });
        }
        if id.is_none() || self.behaviour.renames {
            self.sessions += 1;
            connection.id = SessionId::new([self.name.as_bytes()[0], 0, 0, 0, 0, self.sessions]);
            let id = connection.id.expect("it is not zero");
            self.wish(now, link, ServerCommand::SetSessionId(id));
        }
        self.wish(now, link, ServerCommand::Accept { tokens: Vec::new() });
    }

    /// A command is complete.
    fn begin(&mut self, now: Instant, link: LinkId) {
        let Some(Connection { command, context: Some(context), .. }) = self.connections.get_mut(&link) else { return };
        if let Some(batch) = command.take() {
            context.running = Some((batch, 0));
            self.world.arrived(self.name, batch.number);
            self.log.push(now, Note::Batch(batch.number));
            self.go_on(now, link);
        }
    }

    /// Sends the rows that may be sent, unless the client will say first that it waits for them.
    pub fn go_on(&mut self, now: Instant, link: LinkId) {
        let hold_at = self.behaviour.hold_at;
        let Some(Connection { endpoint, context: Some(context), .. }) = self.connections.get_mut(&link) else { return };
        let Some((batch, sent)) = &mut context.running else { return };
        let (batch, order) = (*batch, endpoint.order());
        let until = hold_at.map_or(batch.rows, |rows| rows.clamp(*sent, batch.rows));
        let mut respond = |token| endpoint.command(now, ServerCommand::Respond(token)).is_ok();
        if *sent == 0 && hold_at != Some(0) && !respond(format(order)) {
            return;
        }
        while *sent < until && respond(batch.row(order, *sent + 1)) {
            *sent += 1;
        }
        if hold_at.is_none() && *sent == batch.rows && respond(batch.done()) {
            context.running = None;
        }
    }

    fn handle(&mut self, now: Instant, link: LinkId, attempt: AttemptId) {
        let handler = self.behaviour.handler.clone();
        if handler != Handler::Wait {
            let Some(connection) = self.connections.get_mut(&link) else { return };
            if connection.endpoint.command(now, ServerCommand::Enter(attempt)).is_err() {
                // The client has said FAIL behind its SYNC.
                return;
            }
            match handler {
                Handler::Go => self.hand_over(link),
                Handler::Cancel => self.wish(now, link, ServerCommand::Cancel { by: Caller::Own }),
                Handler::Migrate(addresses) => {
                    // Once.
                    self.behaviour.handler = Handler::Go;
                    self.wish(now, link, ServerCommand::Migrate { addresses, by: Caller::Own });
                }
                Handler::Wait => {}
            }
            self.wish(now, link, ServerCommand::Leave);
        }
    }

    pub fn hand_over(&mut self, link: LinkId) {
        if let Some(Connection { id: Some(id), context, .. }) = self.connections.get_mut(&link) {
            let handed_over = context.take().map(|context| (*id, context));
            self.world.contexts.lock().expect("no holder panics").extend(handed_over);
        }
    }

    fn take_back(&mut self, link: LinkId) {
        if let Some(Connection { id: Some(id), context, .. }) = self.connections.get_mut(&link) {
            *context = context.take().or_else(|| self.world.contexts.lock().expect("no holder panics").remove(id));
        }
    }
}

impl Party for ServerParty {
    type Command = Order;

    fn accepted(&mut self, now: Instant, link: LinkId) {
        let endpoint = ServerEndpoint::new(self.behaviour.config.clone(), now);
        self.connections.insert(link, Connection { endpoint, id: None, context: None, command: None });
    }

    fn connected(&mut self, _: Instant, _: LinkId) {}

    fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) {
        if let Some(connection) = self.connections.get_mut(&link) {
            let result = connection.endpoint.received(now, data);
            self.check(now, result);
        }
    }

    fn closed(&mut self, now: Instant, link: LinkId) {
        if let Some(connection) = self.connections.get_mut(&link) {
            let result = connection.endpoint.closed(now);
            self.check(now, result);
        }
    }

    fn command(&mut self, now: Instant, order: Order) {
        order(self, now);
    }

    fn wake(&mut self, now: Instant) {
        for link in self.connections.keys().copied().collect::<Vec<_>>() {
            if let Some(connection) = self.connections.get_mut(&link) {
                let result = connection.endpoint.timeout(now);
                self.check(now, result);
            }
        }
    }

    fn poll_wake(&self) -> Option<Instant> {
        self.connections.values().filter_map(|connection| connection.endpoint.poll_timeout()).min()
    }

    fn poll_effect(&mut self, now: Instant) -> Option<Effect> {
        for link in self.connections.keys().copied().collect::<Vec<_>>() {
            while let Some(output) = self.connections.get_mut(&link).and_then(|each| each.endpoint.poll_output()) {
                match output {
                    ServerOutput::Transmit(bytes) => return Some(Effect::Write(link, bytes.to_vec())),
                    ServerOutput::Close => return Some(Effect::Close(link)),
                    ServerOutput::Event(event) => self.event(now, link, event),
                    other => unreachable!("a new kind of output: {other:?}"),
                }
            }
        }
        self.effects.pop_front()
    }

    fn finished(&self) -> bool {
        self.done
    }
}
