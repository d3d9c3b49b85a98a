//! Inputs: what is legal, and where it goes.

use super::Client;
use super::arrival::{can_be_sent, prepare};
use super::request::Piece;
use super::table::{Event as TableEvent, State, step};
use super::types::{Command, Disconnect, Event, Failure, Input, Output};
use crate::error::{Error, Limit, Misuse, to_u64};
use crate::machine::{LinkId, Machine, trace_transition};
use crate::tds5::connection::Item;
use crate::tds5::ids::PacketType;
use crate::time::Instant;

impl Machine for Client {
    type Input<'a> = Input;
    type Output = Output;
    type State = State;

    fn handle(&mut self, now: Instant, input: Input) -> Result<(), Error> {
        self.outbox.check_room(self.config.limits.outputs)?;
        if matches!(input, Input::Timeout) {
            self.timeout(now);
            return Ok(());
        }
        self.validate(&input)?;
        self.now = self.now.max(now);
        let result = match input {
            Input::Command(command) => {
                self.command(command);
                Ok(())
            }
            Input::Opened(link) => {
                self.opened(link);
                Ok(())
            }
            Input::OpenFailed(link) | Input::Closed(link) => {
                self.closed(link);
                Ok(())
            }
            Input::Item { link, item } => self.item(link, item),
            Input::Timeout => Ok(()),
        };
        self.go_on();
        result
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

impl Client {
    /// Everything that our caller can get wrong, before anything changes.
    fn validate(&self, input: &Input) -> Result<(), Misuse> {
        match input {
            Input::Command(command) => self.validate_command(command),
            Input::Timeout => Ok(()),
            Input::Opened(link) => self.validate_link(*link, "Opened", Some(false)),
            Input::OpenFailed(link) => self.validate_link(*link, "OpenFailed", Some(false)),
            Input::Closed(link) => self.validate_link(*link, "Closed", None),
            Input::Item { link, .. } => self.validate_link(*link, "Item", Some(true)),
        }
    }

    /// A link that was asked for, in the right stage; links that are closed already pass.
    fn validate_link(&self, link: LinkId, input: &'static str, opened: Option<bool>) -> Result<(), Misuse> {
        if link.0 == 0 || link.0 >= self.next_link {
            return Err(Misuse::Unknown { what: "link", id: link.0 });
        }
        let arriving = self.arrival.as_ref().filter(|arrival| arrival.link == link).map(|arrival| arrival.opened);
        let at_home = self.home.as_ref().filter(|home| home.link == link && home.alive).map(|_| true);
        match (arriving.or(at_home), opened) {
            (Some(is), Some(must)) if is != must => {
                Err(Misuse::WrongState { state: if is { "opened" } else { "dialling" }, input })
            }
            _ => Ok(()),
        }
    }

    fn validate_command(&self, command: &Command) -> Result<(), Misuse> {
        use State::{Busy, Closed, Idle, Moving, New, Resuming, Synced};
        let argument = |what, reason| Err(Misuse::Argument { what, reason });
        let legal = match command {
            Command::Connect { .. } => self.state == New,
            Command::Request { .. } => matches!(self.state, Idle | Busy | Synced | Moving | Resuming),
            Command::Attention => self.current.is_some(),
            Command::Answer { .. } | Command::Close => self.state != Closed,
            Command::Logout => self.state == Idle,
        };
        if !legal {
            return Err(Misuse::WrongState { state: self.state.name(), input: command.name() });
        }
        match command {
            Command::Connect { addresses, .. } if addresses.is_empty() => argument("addresses", "there is none"),
            Command::Connect { addresses, .. } if addresses.len() > self.config.limits.addresses => {
                let (limit, got) = (to_u64(self.config.limits.addresses), to_u64(addresses.len()));
                Err(Misuse::Limit(Limit { what: "addresses", limit, got }))
            }
            Command::Connect { login, .. } if !can_be_sent(login) => argument("login", "cannot be sent"),
            Command::Request { ty, .. } if !ty.is_request() || *ty == PacketType::LOGIN => {
                argument("ty", "is not the type of a command")
            }
            Command::Request { ty, .. } if self.composing.is_some_and(|begun| begun != *ty) => {
                argument("ty", "is not that of the command's first piece")
            }
            Command::Request { ty, data, end } if self.must_hold() => {
                let piece = Piece { ty: *ty, data: data.clone(), end: *end };
                let limits = &self.config.limits;
                self.queue.check_room(&piece, limits.held_messages, limits.held_bytes)
            }
            Command::Attention if self.current.as_ref().is_some_and(|current| !current.sent) => {
                Err(Misuse::Refused { what: "Attention", reason: "the command is half sent: end it first" })
            }
            Command::Answer { link, ty, .. } => {
                let arrival = self.arrival.as_ref().filter(|arrival| arrival.link == *link);
                let Some(arrival) = arrival else { return Err(Misuse::Unknown { what: "link", id: link.0 }) };
                match arrival.answer {
                    None => Err(Misuse::Refused { what: "Answer", reason: "nothing was asked" }),
                    Some(Some(begun)) if begun != *ty => argument("ty", "is not that of the answer's first piece"),
                    Some(_) if matches!(*ty, PacketType::NORMAL | PacketType::LOGIN) => Ok(()),
                    Some(_) => argument("ty", "is not the type of an answer"),
                }
            }
            Command::Logout if self.has_queue() => {
                Err(Misuse::Refused { what: "Logout", reason: "commands wait to be sent" })
            }
            _ => Ok(()),
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Connect { addresses, login } => {
                self.go(TableEvent::Connect);
                self.login = Some(prepare(login, self.config.migratable, self.config.follow_redirects));
                self.ahead = addresses.iter().cloned().collect();
                self.known = addresses;
                self.dial_next();
            }
            Command::Request { ty, data, end } => self.request(Piece { ty, data, end }),
            Command::Attention => self.attention(),
            Command::Answer { link, ty, data, end } => self.answer(link, ty, data, end),
            Command::Logout => self.log_out(),
            Command::Close => self.lose(Disconnect::Application),
        }
    }

    fn closed(&mut self, link: LinkId) {
        if self.arrival.as_ref().is_some_and(|arrival| arrival.link == link) {
            self.arrival_over(Failure::NotReached, false);
        } else if self.home.as_ref().is_some_and(|home| home.link == link && home.alive) {
            self.session_closed();
        }
    }

    /// Items of links that are closed have no effect.
    fn item(&mut self, link: LinkId, item: Item) -> Result<(), Error> {
        if self.arrival.as_ref().is_some_and(|arrival| arrival.link == link) {
            self.arriving(link, item)
        } else if self.home.as_ref().is_some_and(|home| home.link == link && home.alive) {
            self.session_item(link, item)
        } else {
            Ok(())
        }
    }

    fn timeout(&mut self, now: Instant) {
        let now = self.now.max(now);
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        self.now = now;
        self.deadline = None;
        match self.state {
            State::Dialling | State::LoggingIn | State::Moving => self.arrival_over(Failure::Deadline, true),
            State::Synced => self.give_up(Failure::NoAnswer),
            State::LoggingOut => self.part(),
            _ => {}
        }
        self.go_on();
    }

    /// What may be done by now: the answers that are owed first, then the next command.
    fn go_on(&mut self) {
        self.answer_requests();
        self.send_queued();
    }

    /// Takes a transition that this code knows to be legal.
    pub(super) fn go(&mut self, event: TableEvent) {
        match step(self.state, event) {
            Ok(next) => {
                trace_transition!("tds5 client", self.state, event, next);
                self.state = next;
            }
            Err(illegal) => debug_assert!(false, "{illegal:?}"),
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outbox.push(Output::Event(event));
    }

    pub(super) fn ignore(&mut self, link: LinkId, what: &'static str) {
        self.event(Event::Ignored { link, what });
    }
}
