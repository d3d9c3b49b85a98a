//! The link in use: what comes on it, and the end of the session.

use super::Client;
use super::notice::{Notices, Sort};
use super::table::{Event as TableEvent, State};
use super::types::{Disconnect, Event, Outcome, Output};
use crate::error::{Error, Violation};
use crate::machine::LinkId;
use crate::tds5::connection::Item;
use crate::tds5::ids::PacketType;
use crate::tds5::migration::Migration;
use crate::tds5::token::Token;

/// The link in use.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Home {
    pub(super) link: LinkId,
    /// Whether it is open. It may close while the session moves.
    pub(super) alive: bool,
    /// Whether a message is half read.
    pub(super) open: bool,
    /// Whether the server has answered LOGOUT.
    parted: bool,
    notices: Notices,
}

impl Home {
    pub(super) fn new(link: LinkId) -> Self {
        Self { link, alive: true, open: false, parted: false, notices: Notices::default() }
    }
}

/// Messages that no server sends.
pub(super) const fn is_from_client(ty: PacketType) -> bool {
    matches!(
        ty,
        PacketType::LANGUAGE
            | PacketType::LOGIN
            | PacketType::RPC
            | PacketType::UNFORMATTED
            | PacketType::BULK
            | PacketType::ATTENTION
    )
}

impl Client {
    /// Something on the link in use.
    pub(super) fn session_item(&mut self, link: LinkId, item: Item) -> Result<(), Error> {
        let Some(home) = &mut self.home else { return Ok(()) };
        home.open = !matches!(item, Item::End(_));
        match item {
            Item::Login(_) => return Err(self.violate(item.name())),
            Item::Data { ty, .. } | Item::End(ty) if is_from_client(ty) => {
                return Err(self.violate("a message that only clients send"));
            }
            Item::End(ty) => self.message_over(ty),
            Item::Migration(Migration::SessionId(id)) => self.session_id = id.or(self.session_id),
            // Behind CONT the old server has nothing else to say.
            _ if self.state == State::Moving => self.ignore(link, item.name()),
            Item::Token(token) => self.session_token(link, token),
            Item::Migration(migration) => self.migration(link, migration),
            Item::Data { .. } => self.event(Event::Item(item)),
        }
        Ok(())
    }

    fn session_token(&mut self, link: LinkId, token: Token) {
        let Some(home) = &mut self.home else { return };
        if !matches!(home.notices.sort(&token), Sort::Ordinary) {
            return self.event(Event::LibraryNotice { link, token });
        }
        if let Token::Done(done) = &token {
            home.parted |= self.state == State::LoggingOut && done.is_final();
            self.done(done);
        }
        self.event(Event::Item(Item::Token(token)));
    }

    fn message_over(&mut self, ty: PacketType) {
        let Some(home) = &mut self.home else { return };
        home.notices.end();
        let parted = home.parted;
        if self.state == State::Moving {
            return;
        }
        if ty != PacketType::MIGRATE {
            self.event(Event::Item(Item::End(ty)));
        }
        if matches!(ty, PacketType::MIGRATE | PacketType::URGENT) {
            self.forget_done();
        }
        self.complete_finished();
        if parted {
            self.part();
        }
    }

    /// The link in use was closed by the server, or broke.
    pub(super) fn session_closed(&mut self) {
        if let Some(home) = &mut self.home {
            home.alive = false;
        }
        match self.state {
            // The new server may still take us.
            State::Moving => {}
            State::LoggingOut => self.part(),
            _ => self.lose(Disconnect::Closed),
        }
    }

    /// The server broke the protocol on the link in use.
    fn violate(&mut self, got: &'static str) -> Error {
        let violation = Violation { state: self.state.name(), expected: "what servers send", got };
        if self.state == State::Moving {
            self.close_home();
        } else {
            self.lose(Disconnect::Violation);
        }
        violation.into()
    }

    fn close_home(&mut self) {
        if let Some(home) = self.home.as_mut().filter(|home| home.alive) {
            home.alive = false;
            self.outbox.push(Output::Close(home.link));
        }
    }

    pub(super) fn log_out(&mut self) {
        let Some(link) = self.link() else { return };
        self.go(TableEvent::Logout);
        self.owed.clear();
        self.end_attempt(Outcome::Lost);
        self.deadline = Some(self.now.saturating_add(self.config.login_timeout));
        self.outbox.push(Output::Logout(link));
    }

    /// The session ends as the application wanted.
    pub(super) fn part(&mut self) {
        self.go(TableEvent::LoggedOut);
        self.end(Disconnect::Logout);
    }

    /// The session cannot go on.
    pub(super) fn lose(&mut self, reason: Disconnect) {
        self.go(TableEvent::Lost);
        self.end(reason);
    }

    fn end(&mut self, reason: Disconnect) {
        self.close_home();
        if let Some(arrival) = self.arrival.take() {
            self.outbox.push(Output::Close(arrival.link));
        }
        self.ahead.clear();
        self.owed.clear();
        self.deadline = None;
        self.end_attempt(Outcome::Lost);
        let unfinished = self.take_unfinished();
        self.event(Event::Disconnected { reason, unfinished });
    }
}
