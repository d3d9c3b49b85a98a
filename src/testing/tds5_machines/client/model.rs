//! What a client must do: a queue of commands, the answers that it owes, and where the session is, as spec/tds5.md 2.6,
//! 4.3, 5, 6.3 and the properties M9 to M13 have them.

mod arrival;
mod checks;
mod session;

use super::super::words::{broken, is_final};
use crate::machine::{AttemptId, LinkId, Machine};
use crate::tds5::capability::{RequestCapability, ResponseCapability};
use crate::tds5::client::{
    Client, Command, Config, Disconnect, Event, Failure, Input, Outcome, Output, RequestId, SafePoint, State, Trust,
};
use crate::tds5::connection::Item;
use crate::tds5::login::{HaLogin, Login};
use crate::tds5::migration::{Address, FailReason, Migration, Request};
use crate::tds5::stream::Data;
use crate::tds5::token::{EedStatus, LoginStatus, Token};
use crate::tds5::{DoneStatus, PacketType, SessionId};
use crate::testing::trial::{Expected, Reference};
use crate::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::string::String;
use std::vec::Vec;

/// Where the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nobody wants it yet.
    Fresh,
    /// The first login.
    Arriving,
    /// With a server.
    Home,
    /// Behind SYNC.
    Silent,
    /// Behind CONT.
    Moving,
    /// Behind LOGOUT.
    Parting,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancel {
    No,
    /// Wanted, and to be said behind RESUME.
    Kept,
    /// Said: the DONE must acknowledge it.
    Said,
}

type Piece = (PacketType, Data, bool);

/// A command that is not completed.
#[derive(Clone, Debug)]
struct Open {
    number: u32,
    /// What was not sent yet.
    pieces: VecDeque<Piece>,
    ty: PacketType,
    /// The application has given its end.
    whole: bool,
    begun: bool,
    sent: bool,
    /// Its final DONE has come in the message that is being read.
    finished: bool,
    cancel: Cancel,
    /// RESUME was said at a new server.
    resumed: bool,
}

/// Where a notice for the library may go on: the format of its parameters, and then their values.
#[derive(Clone, Debug, Default)]
struct Notice {
    /// It says where to go instead, at once.
    redirects: bool,
    follows: bool,
    format: Option<crate::tds5::token::Format>,
}

#[derive(Clone, Debug)]
struct Arriving {
    link: LinkId,
    address: Address,
    there: bool,
    verdict: Option<u8>,
    granted: bool,
    id: Option<SessionId>,
    /// Of the message that is being read.
    done: bool,
    id_came: bool,
    asked: bool,
    /// The application owes an answer, of the type of its first piece.
    answer: Option<Option<PacketType>>,
    elsewhere: Vec<Address>,
    notice: Notice,
}

/// The link in use.
#[derive(Clone, Debug)]
struct Home {
    link: LinkId,
    address: Address,
    alive: bool,
    /// A message is half read.
    reading: bool,
    granted: bool,
    parted: bool,
    notice: Notice,
}

/// What a REQ is answered with: SYNC, and FAIL behind it where there is nowhere to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Sync,
    Refuse,
}

/// The reference model of a [`Client`].
#[derive(Clone, Debug)]
pub struct ClientModel {
    config: Config,
    now: Instant,
    stage: Stage,
    login: Option<Login>,
    known: Vec<Address>,
    links: u32,
    home: Option<Home>,
    arriving: Option<Arriving>,
    ahead: VecDeque<Address>,
    redirects: u8,
    /// The last one of a login that was done, or of the session.
    id: Option<SessionId>,
    /// Commands that are not completed, oldest first: only the first may have been begun.
    commands: VecDeque<Open>,
    accepted: u32,
    answers: VecDeque<Answer>,
    requests: u32,
    /// The attempt that has not ended, and where it leads.
    attempt: Option<(u32, Vec<Address>)>,
    due: Option<Instant>,
    history: checks::History,
}

type Must = super::super::words::Must<Output, Event>;

impl ClientModel {
    /// The model of a client with these settings.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            now: Instant::ZERO,
            stage: Stage::Fresh,
            login: None,
            known: Vec::new(),
            links: 0,
            home: None,
            arriving: None,
            ahead: VecDeque::new(),
            redirects: 0,
            id: None,
            commands: VecDeque::new(),
            accepted: 0,
            answers: VecDeque::new(),
            requests: 0,
            attempt: None,
            due: None,
            history: checks::History::default(),
        }
    }

    /// The command that was begun.
    fn current(&self) -> Option<&Open> {
        self.commands.front().filter(|command| command.begun)
    }

    fn current_mut(&mut self) -> Option<&mut Open> {
        self.commands.front_mut().filter(|command| command.begun)
    }

    /// 6.3: what "able" means at a client.
    fn is_able(&self) -> bool {
        let asked = self.login.as_ref().is_some_and(|login| {
            login.capabilities.request(RequestCapability::MIGRATE)
                && !login.capabilities.response(ResponseCapability::NO_MESSAGE)
        });
        asked && self.id.is_some() && self.home.as_ref().is_some_and(|home| home.granted)
    }

    fn state(&self) -> State {
        match self.stage {
            Stage::Fresh => State::New,
            Stage::Arriving if self.arriving.as_ref().is_some_and(|arriving| arriving.there) => State::LoggingIn,
            Stage::Arriving => State::Dialling,
            Stage::Home => match self.current() {
                None => State::Idle,
                Some(current) if current.resumed => State::Resuming,
                Some(_) => State::Busy,
            },
            Stage::Silent => State::Synced,
            Stage::Moving => State::Moving,
            Stage::Parting => State::LoggingOut,
            Stage::Over => State::Closed,
        }
    }

    /// 4.3 l.
    fn trusts(&self, address: &Address) -> bool {
        let same =
            |other: &&Address| other.port() == address.port() && other.host().eq_ignore_ascii_case(address.host());
        match &self.config.trust {
            Trust::Any => true,
            Trust::List(list) => list.iter().find(same).is_some(),
            Trust::Known => self.known.iter().find(same).is_some(),
        }
    }

    /// 4.3 d: between messages in both directions.
    fn is_safe(&self) -> bool {
        let reading = self.home.as_ref().is_none_or(|home| home.reading);
        let waits = self.config.safe_point == SafePoint::WhenIdle;
        self.stage == Stage::Home && !reading && self.current().is_none_or(|current| current.sent && !waits)
    }

    fn complete(&mut self, must: &mut Must) {
        if self.current().is_some_and(|current| current.finished) {
            let done = self.commands.pop_front().expect("it is there");
            must.events.push(Event::Completed(RequestId(done.number)));
        }
    }

    fn end_attempt(&mut self, outcome: Outcome, must: &mut Must) {
        if let Some((number, _)) = self.attempt.take() {
            must.events.push(Event::Ended { attempt: AttemptId(number), outcome });
        }
    }

    /// The session is over: what is open is closed, and what is unfinished is said.
    fn end(&mut self, reason: Disconnect, must: &mut Must) {
        if let Some(home) = self.home.as_mut().filter(|home| home.alive) {
            home.alive = false;
            must.wire.push(Output::Close(home.link));
        }
        must.wire.extend(self.arriving.take().map(|arriving| Output::Close(arriving.link)));
        self.stage = Stage::Over;
        self.due = None;
        self.answers.clear();
        self.end_attempt(Outcome::Lost, must);
        let unfinished = self.commands.drain(..).map(|command| RequestId(command.number)).collect();
        must.events.push(Event::Disconnected { reason, unfinished });
    }

    fn input(&mut self, now: Instant, input: &Input) -> Must {
        let mut must = Must::default();
        let after = self.now.max(now);
        if *input == Input::Timeout && self.due.is_none_or(|due| after < due) {
            return must;
        }
        self.now = after;
        match input {
            Input::Command(command) => self.command(command, &mut must),
            Input::Opened(link) => self.opened(*link, &mut must),
            Input::OpenFailed(link) | Input::Closed(link) => {
                if self.is_arriving(*link) {
                    self.arrival_fails(Failure::NotReached, false, &mut must);
                } else if self.is_home(*link) {
                    self.home_closes(&mut must);
                }
            }
            Input::Item { link, item } => {
                if self.is_arriving(*link) {
                    self.login_item(item, &mut must);
                } else if self.is_home(*link) {
                    self.session_item(item, &mut must);
                }
            }
            Input::Timeout => {
                self.due = None;
                match self.stage {
                    Stage::Arriving | Stage::Moving => self.arrival_fails(Failure::Deadline, true, &mut must),
                    Stage::Silent => self.stay(Failure::NoAnswer, &mut must),
                    _ => self.end(Disconnect::Logout, &mut must),
                }
            }
        }
        self.go_on(&mut must);
        must
    }

    fn is_arriving(&self, link: LinkId) -> bool {
        self.arriving.as_ref().is_some_and(|arriving| arriving.link == link)
    }

    fn is_home(&self, link: LinkId) -> bool {
        self.home.as_ref().is_some_and(|home| home.link == link && home.alive) && self.stage != Stage::Over
    }

    fn command(&mut self, command: &Command, must: &mut Must) {
        match command {
            Command::Connect { addresses, login } => {
                self.stage = Stage::Arriving;
                self.known = addresses.clone();
                self.ahead = addresses.iter().cloned().collect();
                self.login = Some((**login).clone());
                self.history.prepare(self.login.as_mut(), &self.config);
                self.dial(must);
            }
            Command::Request { ty, data, end } => match self.commands.back_mut().filter(|command| !command.whole) {
                Some(command) => {
                    command.whole = *end;
                    command.pieces.push_back((*ty, data.clone(), *end));
                }
                None => {
                    self.accepted += 1;
                    self.commands.push_back(Open {
                        number: self.accepted,
                        pieces: VecDeque::from([(*ty, data.clone(), *end)]),
                        ty: *ty,
                        whole: *end,
                        begun: false,
                        sent: false,
                        finished: false,
                        cancel: Cancel::No,
                        resumed: false,
                    });
                }
            },
            Command::Attention => {
                let link = self.home.as_ref().map(|home| home.link);
                let at_once = self.stage == Stage::Home;
                if let Some(current) = self.current_mut().filter(|current| !current.finished)
                    && current.cancel == Cancel::No
                {
                    current.cancel = if at_once { Cancel::Said } else { Cancel::Kept };
                    must.wire.extend(link.filter(|_| at_once).map(Output::Attention));
                }
            }
            Command::Answer { link, ty, data, end } => {
                if let Some(arriving) = &mut self.arriving {
                    arriving.answer = (!end).then_some(Some(*ty));
                }
                must.wire.push(Output::Send { link: *link, ty: *ty, data: data.clone(), end: *end });
            }
            Command::Logout => {
                self.stage = Stage::Parting;
                self.answers.clear();
                self.due = Some(self.now.saturating_add(self.config.login_timeout));
                must.wire.extend(self.home.as_ref().map(|home| Output::Logout(home.link)));
                self.end_attempt(Outcome::Lost, must);
            }
            Command::Close => self.end(Disconnect::Application, must),
        }
    }

    /// What may be said by now: the rest of a command that was begun, the answers that are owed, the next command.
    fn go_on(&mut self, must: &mut Must) {
        let Some(link) = self.home.as_ref().map(|home| home.link) else { return };
        if self.stage == Stage::Home {
            self.send(link, must);
        }
        if self.is_safe() && !self.answers.is_empty() {
            let refuses = self.answers.back() == Some(&Answer::Refuse);
            let say = |migration| Output::Migration { link, migration };
            must.wire.extend(self.answers.drain(..).map(|_| say(Migration::Sync)));
            if refuses {
                must.wire.push(say(self.fail(FailReason::NO_USABLE_ADDRESS, "no usable address")));
                if self.current().is_some() {
                    must.wire.push(say(Migration::Resume));
                }
            }
            if self.attempt.is_some() {
                self.stage = Stage::Silent;
                self.due = Some(self.now.saturating_add(self.config.answer_timeout));
            }
        }
        if self.is_free() {
            self.commands.iter_mut().take(1).for_each(|command| command.begun = true);
            self.send(link, must);
        }
    }

    /// Whether a command may be begun.
    fn is_free(&self) -> bool {
        let reading = self.home.as_ref().is_none_or(|home| home.reading);
        self.stage == Stage::Home && self.current().is_none() && self.answers.is_empty() && !reading
    }

    /// As much of the command that was begun as is there.
    fn send(&mut self, link: LinkId, must: &mut Must) {
        let Some(current) = self.current_mut() else { return };
        for (ty, data, end) in current.pieces.drain(..) {
            current.sent = end;
            must.wire.push(Output::Send { link, ty, data, end });
        }
    }

    fn fail(&self, code: i32, text: &str) -> Migration {
        Migration::Fail(self.config.send_reason.then(|| FailReason::new(code, text)))
    }
}
