//! Operations for a server.

mod model;

pub use model::ServerModel;

use super::words::{addresses, id, response, said};
use crate::machine::{Machine, Table};
use crate::tds5::server::{
    AttemptId, Caller, Config, Event, Input, Output, Server, Session, State, StateEvent, SyncRule, TABLE, TableEvent,
};
use crate::testing::Choices;
use crate::testing::contract::{Attempt, InputOf, Subject};
use crate::testing::trial::{Trial, on_trial};
use core::time::Duration;

/// One thing that happens to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerOp {
    /// What would come next if all went well; the number chooses where there are several ways.
    Forward(u8),
    /// The client is to be asked to migrate.
    Migrate {
        /// Where to: how many addresses, and which.
        addresses: u8,
        /// Whether its own thread wants it.
        own: bool,
    },
    /// The request is to be withdrawn, perhaps by the connection's own thread.
    Cancel(bool),
    /// The handler begins: for the attempt that was announced last, or for another one.
    Enter(u8),
    /// It returns.
    Leave,
    /// The client says something, or a part of it.
    Say(u8),
    /// The application says something.
    Respond(u8),
    /// The connection closes.
    Close,
    /// The application closes it.
    Disconnect,
    /// The timeout input, due or not.
    Timeout,
}

impl ServerOp {
    /// Any operation.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        match c.byte() {
            0..=99 => Self::Forward(c.byte()),
            100..=121 => Self::Migrate { addresses: if c.one_in(4) { c.byte() } else { 1 }, own: c.boolean() },
            122..=134 => Self::Cancel(c.boolean()),
            135..=142 => Self::Enter(c.byte()),
            143..=150 => Self::Leave,
            151..=214 => Self::Say(c.byte()),
            215..=245 => Self::Respond(c.byte()),
            246 => Self::Close,
            247 => Self::Disconnect,
            _ => Self::Timeout,
        }
    }
}

on_trial!(ops ServerOp);

/// A server for the contract suite and for [`run_server`](super::run_server).
#[derive(Clone, Debug, Default)]
pub struct ServerSubject {
    config: Config,
    session: Session,
    /// The attempt that was announced last.
    announced: Option<AttemptId>,
    unique: u32,
}

impl ServerSubject {
    fn config(choices: &mut Choices<'_>) -> Config {
        let mut config = Config::default();
        if choices.one_in(5) {
            config.sync_rule = SyncRule::NewestOnly;
        }
        if choices.one_in(6) {
            config.limits.pending = [1, 2, 3, 0][choices.below(4)];
            config.limits.unanswered_requests = [1, 2, 3, 0][choices.below(4)];
            config.limits.addresses = 1 + choices.below(3);
        }
        if choices.one_in(6) {
            config.sync_timeout = Duration::from_millis(u64::from(choices.byte()));
            config.migrate_timeout = Duration::from_millis(u64::from(choices.byte()));
        }
        config
    }

    /// Mostly a client that can be migrated.
    fn session(choices: &mut Choices<'_>) -> Session {
        let lacks = choices.byte();
        Session {
            migratable: lacks % 16 != 13,
            session_id: (lacks % 16 != 14).then(|| id(lacks)),
            migrated: choices.one_in(3),
        }
    }
}

impl Subject for ServerSubject {
    on_trial!(subject Server, Input::Closed);

    fn machine(&mut self, choices: &mut Choices<'_>) -> Server {
        self.config = Self::config(choices);
        self.session = Self::session(choices);
        Server::new(self.config.clone(), self.session)
    }

    fn is_terminal(machine: &Server) -> bool {
        machine.state() == State::Gone
    }

    fn observe(&mut self, output: &Output) {
        if let Output::Event(Event::MigrateState { attempt, state: StateEvent::Ready }) = output {
            self.announced = Some(*attempt);
        }
    }

    fn attempt(output: &Output) -> Option<Attempt> {
        match output {
            Output::Event(Event::Started(id)) => Some(Attempt::Started(id.0.into())),
            Output::Event(Event::Ended { attempt, .. }) => Some(Attempt::Ended(attempt.0.into())),
            _ => None,
        }
    }

    fn wind_down(&mut self, machine: &Server) -> Option<Input> {
        // How long a handler takes is the application's business.
        matches!(machine.state(), State::Ready | State::Deciding).then_some(Input::Disconnect)
    }
}

impl Trial for ServerSubject {
    on_trial!(trial Server, ServerOp, ServerModel);

    fn forward(&self, number: u8, machine: &Server) -> ServerOp {
        let migrate = ServerOp::Migrate { addresses: 1 + number % 8, own: number >= 128 };
        let command = || ServerOp::Say([15, 18][usize::from(number / 8) % 2]);
        match (machine.state(), number % 8) {
            (State::Gone, _) => ServerOp::Timeout,
            (State::Migrating, 0) => ServerOp::Say(18),
            (State::Migrating, 1) if number < 64 => ServerOp::Close,
            (State::Migrating, 1) if number < 128 => ServerOp::Say(30),
            (State::Migrating, _) => ServerOp::Say(5 + number / 32 * 32),
            (_, 0) => command(),
            (_, 1) => ServerOp::Respond(number / 8),
            (State::None | State::Cancelled | State::Failed, 2) => ServerOp::Say(8),
            (State::None | State::Cancelled | State::Failed, _) => migrate,
            (State::Requested, 2) => migrate,
            (State::Requested, 3) => ServerOp::Cancel(number >= 128),
            (State::Requested, 4) => ServerOp::Say(5),
            (State::Requested, _) => ServerOp::Say(0),
            (State::Ready, 2) => migrate,
            (State::Ready, 3) => ServerOp::Say(6),
            (State::Ready, _) => ServerOp::Enter(0),
            (State::Deciding, 2) => ServerOp::Migrate { addresses: 1, own: true },
            (State::Deciding, 3) => ServerOp::Cancel(true),
            (State::Deciding, _) => ServerOp::Leave,
        }
    }

    fn resolve(&mut self, op: &ServerOp) -> Input {
        let caller = |own| if own { Caller::Own } else { Caller::Other };
        self.unique += 1;
        match *op {
            // No further than one step.
            ServerOp::Forward(_) | ServerOp::Timeout => Input::Timeout,
            ServerOp::Migrate { addresses: number, own } => {
                Input::Migrate { addresses: addresses(number), by: caller(own) }
            }
            ServerOp::Cancel(own) => Input::Cancel { by: caller(own) },
            ServerOp::Enter(number) => {
                let other = AttemptId(u32::from(number % 8));
                Input::Enter(self.announced.filter(|_| number < 192).unwrap_or(other))
            }
            ServerOp::Leave => Input::Leave,
            ServerOp::Say(number) => Input::Item(said(number, self.unique)),
            ServerOp::Respond(number) => Input::Respond(response(number, self.unique)),
            ServerOp::Close => Input::Closed,
            ServerOp::Disconnect => Input::Disconnect,
        }
    }

    fn model(&self, _machine: &Server) -> ServerModel {
        ServerModel::new(self.config.clone(), self.session)
    }
}
