//! A server: an endpoint for each of its connections, and the application that answers batches and lets clients go.

use super::traffic::{Context, Contexts, HALF, ROWS, batch_of, end_of_batch, row, row_format};
use crate::driver::{Effect, Party};
use crate::timeline::Board;
use handover::machine::{AttemptId, LinkId};
use handover::tds5::SessionId;
use handover::tds5::connection::Item;
use handover::tds5::endpoint::{ServerCommand as Command, ServerConfig, ServerEndpoint, ServerEvent, ServerOutput};
use handover::tds5::migration::Address;
use handover::tds5::server::{Caller, Outcome, StateEvent};
use handover::tds5::token::{Eed, Token};
use handover::time::Instant;
use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// The break in the middle of each batch.
const BREAK: Duration = Duration::from_micros(100);

/// When the client is asked to migrate, and when it is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Between two batches.
    Idle,
    /// In the middle of a batch.
    Half,
}

/// What happens behind the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// The client is let go.
    Go,
    /// The request is withdrawn before the client can have answered.
    CancelAtOnce,
    /// It is withdrawn by the handler, which has handed the context over already.
    CancelInHandler,
    /// Nothing: it is withdrawn from elsewhere.
    Wait,
    /// Another request takes its place before the client can have answered; then the client is let go.
    AskAgain(Vec<Address>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub to: Vec<Address>,
    pub when: When,
    pub then: Then,
}

pub enum ServerCommand {
    /// Ask the client to migrate.
    Migrate(Plan),
    /// Withdraw the request.
    Cancel,
    /// Refuse all logins from now on.
    Refuse(bool),
    /// The context of the session that is here.
    Report(Sender<Option<Context>>),
    Quit,
}

/// What the scenarios wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerNote {
    Ready,
    Ended(Outcome),
}

struct Connection {
    endpoint: ServerEndpoint,
    id: Option<SessionId>,
    /// `None` once it is handed over.
    context: Option<Context>,
    /// The batch whose command is coming in.
    command: Option<u32>,
    /// When the next rows are due.
    due: Option<Instant>,
    /// The client is ready, and the handler is to run.
    ready: Option<AttemptId>,
}

pub struct ServerParty {
    name: &'static str,
    config: ServerConfig,
    connections: BTreeMap<LinkId, Connection>,
    contexts: Contexts,
    roles: Board,
    notes: Sender<ServerNote>,
    /// What is to be asked, and once it was asked, how it goes on.
    wanted: Option<Plan>,
    asked: Option<Plan>,
    refusing: bool,
    sessions: u8,
    done: bool,
}

impl ServerParty {
    pub fn new(name: &'static str, contexts: Contexts, roles: Board, notes: Sender<ServerNote>) -> Self {
        roles.set(name, format_args!("-"));
        Self {
            name,
            config: ServerConfig::default(),
            connections: BTreeMap::new(),
            contexts,
            roles,
            notes,
            wanted: None,
            asked: None,
            refusing: false,
            sessions: 0,
            done: false,
        }
    }

    /// A wish that may be refused: says whether it was not.
    fn wish(&mut self, now: Instant, link: LinkId, command: Command) -> bool {
        self.connections.get_mut(&link).is_some_and(|connection| connection.endpoint.command(now, command).is_ok())
    }

    fn event(&mut self, now: Instant, link: LinkId, event: ServerEvent) {
        let Some(connection) = self.connections.get_mut(&link) else { return };
        match event {
            ServerEvent::Connect { session_id, .. } => self.connect(now, link, session_id),
            ServerEvent::Item(Item::Token(Token::Language(language))) => connection.command = batch_of(&language),
            ServerEvent::Item(Item::End(_)) => {
                if let (Some(batch), Some(context)) = (connection.command.take(), &mut connection.context) {
                    context.batches.take(u64::from(batch));
                    context.running = Some((batch, 0));
                    connection.due = Some(now);
                }
            }
            ServerEvent::MigrateResume => connection.due = Some(now),
            ServerEvent::MigrateState { attempt, state: StateEvent::Ready } => {
                connection.ready = Some(attempt);
                let _ = self.notes.send(ServerNote::Ready);
            }
            ServerEvent::MigrateState { state: StateEvent::Failed(_), .. } => self.take_back(link),
            ServerEvent::Ended { outcome, .. } => drop(self.notes.send(ServerNote::Ended(outcome))),
            ServerEvent::Disconnect { .. } => drop(self.connections.remove(&link)),
            _ => {}
        }
        self.decide(now, link);
    }

    /// SRV_CONNECT.
    fn connect(&mut self, now: Instant, link: LinkId, id: Option<SessionId>) {
        let Some(connection) = self.connections.get_mut(&link) else { return };
        let mut contexts = self.contexts.lock().expect("no holder panics");
        let context = match id {
            _ if self.refusing => None,
            Some(id) => contexts.remove(&id),
            None => Some(Context::default()),
        };
        drop(contexts);
        connection.id = id;
        connection.context = context;
        if connection.context.is_none() {
            let notice = Eed::new(4002, 14, "Login failed.");
            self.wish(now, link, Command::Refuse { notice: Some(Box::new(notice)) });
            return;
        }
        if id.is_none() {
            // A server of flesh and blood draws it at random.
            self.sessions += 1;
            connection.id = SessionId::new([self.name.as_bytes()[0], 0, 0, 0, 0, self.sessions]);
            if let Some(id) = connection.id {
                self.wish(now, link, Command::SetSessionId(id));
            }
        }
        self.wish(now, link, Command::Accept { tokens: Vec::new() });
    }

    /// The handler is to run, or the client to be asked, if it is the moment.
    fn decide(&mut self, now: Instant, link: LinkId) {
        let Some(connection) = self.connections.get_mut(&link) else { return };
        let running = connection.context.as_ref().and_then(|context| context.running);
        let is_moment = |plan: &Plan| match plan.when {
            When::Idle => running.is_none(),
            When::Half => running.is_some_and(|(_, rows)| rows == HALF),
        };
        if connection.context.is_some()
            && let Some(plan) = self.wanted.take_if(|plan| is_moment(plan))
        {
            self.ask(now, link, plan);
        } else if let Some(attempt) = connection.ready
            && let Some(plan) = self.asked.take_if(|plan| is_moment(plan) && plan.then != Then::Wait)
        {
            connection.ready = None;
            self.handle(now, link, attempt, &plan.then);
        }
    }

    fn ask(&mut self, now: Instant, link: LinkId, plan: Plan) {
        // From here on no row is sent until it is clear where the client is going to be.
        let Some(connection) = self.connections.get_mut(&link) else { return };
        let due = connection.due.take();
        connection.ready = None;
        self.wish(now, link, Command::Migrate { addresses: plan.to.clone(), by: Caller::Own });
        match &plan.then {
            Then::CancelAtOnce => {
                self.wish(now, link, Command::Cancel { by: Caller::Other });
                if let Some(connection) = self.connections.get_mut(&link) {
                    connection.due = due;
                }
            }
            Then::AskAgain(to) => {
                let addresses = to.clone();
                self.wish(now, link, Command::Migrate { addresses, by: Caller::Other });
            }
            Then::Go | Then::CancelInHandler | Then::Wait => {}
        }
        self.asked = Some(plan);
    }

    /// The handler for SRV_MIG_READY: hands the context over, and lets the client go.
    fn handle(&mut self, now: Instant, link: LinkId, attempt: AttemptId, then: &Then) {
        if !self.wish(now, link, Command::Enter(attempt)) {
            return;
        }
        if let Some(Connection { id: Some(id), context, .. }) = self.connections.get_mut(&link) {
            let handed_over = context.take().map(|context| (*id, context));
            self.contexts.lock().expect("no holder panics").extend(handed_over);
        }
        if *then == Then::CancelInHandler {
            self.wish(now, link, Command::Cancel { by: Caller::Own });
            self.take_back(link);
        }
        self.wish(now, link, Command::Leave);
    }

    /// The client stays: its context is wanted here again. If it waits for rows it will say so.
    fn take_back(&mut self, link: LinkId) {
        if let Some(Connection { id: Some(id), context, .. }) = self.connections.get_mut(&link) {
            *context = context.take().or_else(|| self.contexts.lock().expect("no holder panics").remove(id));
        }
    }

    /// Sends the rows that are due.
    fn serve(&mut self, now: Instant, link: LinkId) {
        let Some(connection) = self.connections.get_mut(&link) else { return };
        let Connection { endpoint, context: Some(context), due, .. } = connection else { return };
        let (Some((batch, sent)), Some(_)) = (context.running, due.take_if(|due| *due <= now)) else { return };
        let order = endpoint.order();
        let mut say = |token| endpoint.command(now, Command::Respond(token)).is_ok();
        if sent == 0 {
            say(row_format(order));
        }
        let until = if sent < HALF { HALF } else { ROWS };
        for number in sent + 1..=until {
            if say(row(order, batch, number)) {
                context.rows.sent += 1;
            }
        }
        context.running = Some((batch, until));
        *due = Some(now.saturating_add(BREAK));
        if until == ROWS {
            say(end_of_batch());
            (context.running, *due) = (None, None);
        }
        self.decide(now, link);
    }

    fn show(&self) {
        let state = self.connections.values().next_back().map_or("-", |connection| connection.endpoint.state());
        self.roles.set(self.name, format_args!("{state}"));
    }
}

impl Party for ServerParty {
    type Command = ServerCommand;

    fn accepted(&mut self, now: Instant, link: LinkId) {
        let endpoint = ServerEndpoint::new(self.config.clone(), now);
        let connection = Connection { endpoint, id: None, context: None, command: None, due: None, ready: None };
        self.connections.insert(link, connection);
    }

    fn connected(&mut self, _: Instant, _: LinkId) {}

    fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) {
        let Some(connection) = self.connections.get_mut(&link) else { return };
        if let Err(error) = connection.endpoint.received(now, data) {
            eprintln!("server {}: {error}", self.name);
        }
    }

    fn closed(&mut self, now: Instant, link: LinkId) {
        if let Some(connection) = self.connections.get_mut(&link) {
            let _ = connection.endpoint.closed(now);
        }
    }

    fn command(&mut self, now: Instant, command: ServerCommand) {
        let links: Vec<LinkId> = self.connections.keys().copied().collect();
        match command {
            ServerCommand::Migrate(plan) => {
                self.wanted = Some(plan);
                links.into_iter().for_each(|link| self.decide(now, link));
            }
            ServerCommand::Cancel => {
                for link in links {
                    self.wish(now, link, Command::Cancel { by: Caller::Other });
                }
            }
            ServerCommand::Refuse(on) => self.refusing = on,
            ServerCommand::Report(reply) => {
                let context = self.connections.values().find_map(|connection| connection.context.clone());
                let _ = reply.send(context);
            }
            ServerCommand::Quit => self.done = true,
        }
    }

    fn wake(&mut self, now: Instant) {
        for link in self.connections.keys().copied().collect::<Vec<_>>() {
            if let Some(connection) = self.connections.get_mut(&link) {
                let _ = connection.endpoint.timeout(now);
            }
            self.serve(now, link);
        }
    }

    fn poll_wake(&self) -> Option<Instant> {
        self.connections.values().flat_map(|each| each.endpoint.poll_timeout().into_iter().chain(each.due)).min()
    }

    fn poll_effect(&mut self, now: Instant) -> Option<Effect> {
        for link in self.connections.keys().copied().collect::<Vec<_>>() {
            while let Some(output) = self.connections.get_mut(&link).and_then(|each| each.endpoint.poll_output()) {
                self.show();
                match output {
                    ServerOutput::Transmit(bytes) => return Some(Effect::Write(link, bytes.to_vec())),
                    ServerOutput::Close => return Some(Effect::Close(link)),
                    ServerOutput::Event(event) => self.event(now, link, event),
                    _ => {}
                }
            }
        }
        self.show();
        None
    }

    fn finished(&self) -> bool {
        self.done
    }
}
