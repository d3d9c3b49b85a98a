//! A server as the tests hold it.

use crate::batches::World;
use crate::driver::{self, Wire};
use crate::log::{Log, PATIENCE};
use crate::server_party::{Behaviour, Note, Order, ServerParty};
use handover::error::{Error, Misuse};
use handover::machine::AttemptId;
use handover::tds5::endpoint::{EndpointError, ServerCommand, ServerEvent};
use handover::tds5::migration::Address;
use handover::tds5::server::{Caller, MigrationState, Outcome, StateEvent};
use handover::tds5::target::LoginOutcome;
use handover::time::{Clock, Instant};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// A [`ServerParty`] on a thread of its own, which ends when it is dropped.
pub struct Server {
    pub port: u16,
    wires: Sender<Wire<Order>>,
    pub log: Log<Note>,
}

impl Server {
    pub fn start(name: &'static str, world: &Arc<World>) -> Self {
        Self::start_with(name, world, Behaviour::default())
    }

    pub fn start_with(name: &'static str, world: &Arc<World>, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let (wires, inbox) = channel();
        let log = Log::new(name);
        let mut party = ServerParty::new(name, behaviour, Arc::clone(world), log.clone());
        let own = wires.clone();
        driver::listen(listener, wires.clone());
        thread::spawn(move || driver::run(&mut party, Clock::start(), &inbox, &own));
        Self { port, wires, log }
    }

    pub fn address(&self) -> Address {
        Address::new("127.0.0.1", self.port).expect("a bound port is not 0")
    }

    #[track_caller]
    pub fn ask<T: Send + 'static>(&self, question: impl FnOnce(&mut ServerParty, Instant) -> T + Send + 'static) -> T {
        let (reply, answer) = channel();
        let order: Order = Box::new(move |party, now| drop(reply.send(question(party, now))));
        let _ = self.wires.send(Wire::Command(order));
        answer.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("the server is gone\n{}", self.log))
    }

    #[track_caller]
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour) + Send + 'static) {
        self.ask(|party, _| change(&mut party.behaviour));
    }

    /// Several commands on the newest connection, one right behind the other: why each was refused, if it was.
    #[track_caller]
    pub fn commands<const N: usize>(&self, commands: [ServerCommand; N]) -> [Result<(), &'static str>; N] {
        self.ask(move |party, now| {
            commands.map(|command| {
                let connection = party.newest().expect("a client");
                connection.endpoint.command(now, command).map_err(|error| match error {
                    EndpointError::Machine(Error::Misuse(Misuse::Refused { reason, .. })) => reason,
                    other => panic!("{other}"),
                })
            })
        })
    }

    #[track_caller]
    pub fn command(&self, command: ServerCommand) -> Result<(), &'static str> {
        let [result] = self.commands([command]);
        result
    }

    /// Asks the client to go to the first of `servers` that it reaches.
    #[track_caller]
    pub fn migrate(&self, servers: &[&Self]) {
        self.migrate_to(servers.iter().map(|server| server.address()).collect());
    }

    #[track_caller]
    pub fn migrate_to(&self, addresses: Vec<Address>) {
        assert_eq!(self.command(ServerCommand::Migrate { addresses, by: Caller::Own }), Ok(()), "{}", self.log);
    }

    /// The handler runs: the context is handed over, and the client is let go.
    #[track_caller]
    pub fn let_go(&self, attempt: u32) {
        self.ask(move |party, now| {
            let link = party.newest_link().expect("a client");
            party.wish(now, link, ServerCommand::Enter(AttemptId(attempt)));
            party.hand_over(link);
            party.wish(now, link, ServerCommand::Leave);
        });
    }

    /// Accepts a login that waits for the verdict.
    #[track_caller]
    pub fn accept(&self) {
        self.ask(|party, now| {
            let link = party.newest_link().expect("a client");
            let id = party.newest().and_then(|connection| connection.endpoint.session_id().ok());
            party.accept(now, link, id);
        });
    }

    /// Goes on with an answer that was held.
    #[track_caller]
    pub fn go_on(&self) {
        self.ask(|party, now| {
            party.behaviour.hold_at = None;
            if let Some(link) = party.newest_link() {
                party.go_on(now, link);
            }
        });
    }

    /// Where the migration of the newest client stands.
    #[track_caller]
    pub fn state(&self) -> (&'static str, MigrationState) {
        self.ask(|party, _| {
            let endpoint = &party.newest().expect("a client").endpoint;
            (endpoint.state(), endpoint.migration_state())
        })
    }

    #[track_caller]
    pub fn wait_event<T>(&self, what: &str, mut find: impl FnMut(&ServerEvent) -> Option<T>) -> T {
        self.log.wait(what, |note| if let Note::Event(event) = note { find(event) } else { None })
    }

    #[track_caller]
    pub fn wait_ready(&self, wanted: u32) {
        self.wait_event(&format!("attempt {wanted}: ready"), |event| match event {
            ServerEvent::MigrateState { attempt, state: StateEvent::Ready } => (attempt.0 == wanted).then_some(()),
            _ => None,
        });
    }

    #[track_caller]
    pub fn wait_ended(&self, wanted: u32) -> Outcome {
        self.wait_event(&format!("attempt {wanted}: end"), |event| match event {
            ServerEvent::Ended { attempt, outcome } if attempt.0 == wanted => Some(*outcome),
            _ => None,
        })
    }

    /// Waits for a batch.
    #[track_caller]
    pub fn wait_batch(&self, wanted: u32) {
        self.log.wait(&format!("batch {wanted}"), |note| (*note == Note::Batch(wanted)).then_some(()));
    }

    /// Waits until a line of the [`story`](Self::story) is there.
    #[track_caller]
    pub fn wait_word(&self, wanted: &str) {
        self.log.wait(wanted, |note| (word(note).as_deref() == Some(wanted)).then_some(()));
    }

    /// What has happened, in words.
    pub fn story(&self) -> Vec<String> {
        self.log.all().iter().filter_map(word).collect()
    }

    /// Waits until that much has happened: these words, and no others behind them.
    #[track_caller]
    pub fn tells(&self, words: &[&str]) {
        self.begins(words);
        assert_eq!(self.story(), words, "{}", self.log);
    }

    /// Waits until that much has happened: these words.
    #[track_caller]
    pub fn begins(&self, words: &[&str]) {
        let mut left = words.iter();
        let mut next = left.next();
        if next.is_some() {
            let fits = self.log.wait(&format!("{words:?}"), |note| {
                let word = word(note)?;
                if Some(&word.as_str()) != next {
                    return Some(false);
                }
                next = left.next();
                next.is_none().then_some(true)
            });
            assert!(fits, "{words:?}\n{}", self.log);
        }
    }

    /// Nothing that any client has sent was malformed, or a violation, or made us err.
    #[track_caller]
    pub fn finish(self) {
        assert!(!self.log.all().iter().any(|note| matches!(note, Note::Error(_))), "{}", self.log);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let order: Order = Box::new(|party, _| party.done = true);
        let _ = self.wires.send(Wire::Command(order));
    }
}

fn word(note: &Note) -> Option<String> {
    let Note::Event(event) = note else { return None };
    Some(match event {
        ServerEvent::Connect { migrated: false, .. } => "connect".to_owned(),
        ServerEvent::Connect { migrated: true, .. } => "connect migrated".to_owned(),
        ServerEvent::LoginEnded(LoginOutcome::Established) => return None,
        ServerEvent::LoginEnded(outcome) => format!("login {outcome:?}"),
        ServerEvent::Started(attempt) => format!("{} started", attempt.0),
        ServerEvent::Ended { attempt, outcome } => format!("{} {outcome:?}", attempt.0),
        ServerEvent::MigrateState { attempt, state: StateEvent::Ready } => format!("{} ready", attempt.0),
        ServerEvent::MigrateState { attempt, state: StateEvent::Failed(reason) } => {
            let code = reason.as_ref().and_then(|reason| reason.code);
            format!("{} failed {}", attempt.0, code.unwrap_or(0))
        }
        ServerEvent::MigrateResume => "resume".to_owned(),
        ServerEvent::Attention => "attention".to_owned(),
        ServerEvent::Ignored(what) => format!("ignored {what}"),
        ServerEvent::Disconnect { state } => format!("gone {state:?}"),
        _ => return None,
    })
}
