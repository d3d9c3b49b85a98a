//! A link on its way into the session: dialling, login, negotiation, redirection (spec/tds5.md 2.6 and 5).

use super::Client;
use super::notice::{Notices, Sort};
use super::session::Home;
use super::table::{Event as TableEvent, State};
use super::types::{Disconnect, Event, Failure, Output};
use crate::error::{Error, Violation};
use crate::machine::LinkId;
use crate::tds5::capability::{Capabilities, CapabilityType, Mask, RequestCapability};
use crate::tds5::connection::Item;
use crate::tds5::ids::PacketType;
use crate::tds5::login::{HaLogin, Login};
use crate::tds5::migration::{Address, Migration};
use crate::tds5::secret::SessionId;
use crate::tds5::stream::Data;
use crate::tds5::token::{LoginStatus, Token};
use crate::wire::Encode;
use alloc::boxed::Box;
use alloc::vec::Vec;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Arrival {
    pub(super) link: LinkId,
    address: Address,
    /// Whether the connection is there and the login was sent.
    pub(super) opened: bool,
    verdict: Option<LoginStatus>,
    granted: bool,
    session_id: Option<SessionId>,
    /// Of the message that is being read: whether a final DONE, a session id, another MSG has come in it.
    done: bool,
    id_came: bool,
    asked: bool,
    /// Whether the application owes an answer, and of which type its first pieces were.
    pub(super) answer: Option<Option<PacketType>>,
    notices: Notices,
    /// Where the server sends us instead.
    elsewhere: Vec<Address>,
}

/// Whether a connection will take this login.
pub(super) fn can_be_sent(login: &Login) -> bool {
    let Ok(order) = login.record.order() else { return false };
    login.record.check().is_ok() && login.extra.iter().all(|token| token.in_order(order).check().is_ok())
}

/// The login with the capability to migrate as it should be.
pub(super) fn prepare(mut login: Box<Login>, migratable: bool, follow_redirects: bool) -> Box<Login> {
    let number = RequestCapability::MIGRATE.0;
    let mut found = false;
    let own = |mask: Mask<&[u8]>| Mask::new(bytes::Bytes::copy_from_slice(mask.as_bytes())).unwrap_or_default();
    let mut masks: Vec<(CapabilityType, Mask)> = Vec::new();
    for (ty, mask) in login.capabilities.masks() {
        let mut mask = own(mask);
        if ty == CapabilityType::REQUEST && !found {
            found = true;
            // The number fits every mask that can be.
            let _ = mask.set(number, migratable);
        }
        masks.push((ty, mask));
    }
    if !found && migratable {
        masks.insert(0, (CapabilityType::REQUEST, Mask::of([number]).unwrap_or_default()));
    }
    login.capabilities = masks.into_iter().collect::<Capabilities>();
    if follow_redirects {
        login.record.ha_login |= HaLogin::REDIRECT;
    }
    login
}

impl Client {
    /// Dials the next address, if there is one.
    pub(super) fn dial_next(&mut self) -> bool {
        let Some(address) = self.ahead.pop_front() else { return false };
        let link = LinkId(self.next_link);
        self.next_link = self.next_link.saturating_add(1);
        self.deadline = Some(self.now.saturating_add(self.config.login_timeout));
        self.outbox.push(Output::Dial { link, address: address.clone(), tls: self.config.tls });
        self.arrival = Some(Arrival {
            link,
            address,
            opened: false,
            verdict: None,
            granted: false,
            session_id: None,
            done: false,
            id_came: false,
            asked: false,
            answer: None,
            notices: Notices::default(),
            elsewhere: Vec::new(),
        });
        true
    }

    /// The connection is there: the login goes out.
    pub(super) fn opened(&mut self, link: LinkId) {
        let Some(arrival) = self.arrival.as_mut().filter(|arrival| arrival.link == link) else { return };
        arrival.opened = true;
        let Some(mut login) = self.login.clone() else { return };
        if self.state == State::Moving {
            if let Some(id) = self.session_id {
                login.record = Box::new(login.record.with_migration(id));
            }
        } else {
            self.go(TableEvent::Opened);
        }
        self.outbox.push(Output::Login { link, login });
    }

    /// Something on a link that is being logged in to.
    pub(super) fn arriving(&mut self, link: LinkId, item: Item) -> Result<(), Error> {
        let Some(arrival) = &mut self.arrival else { return Ok(()) };
        match item {
            Item::Token(token) => self.login_token(link, token),
            Item::Migration(Migration::SessionId(id)) => {
                arrival.id_came = true;
                arrival.session_id = id.or(arrival.session_id);
            }
            Item::End(ty) if !super::session::is_from_client(ty) => self.login_message_over(link),
            Item::Migration(_) => self.ignore(link, item.name()),
            Item::Data { ty, .. } if !super::session::is_from_client(ty) => self.ignore(link, item.name()),
            Item::Login(_) | Item::Data { .. } | Item::End(_) => {
                let violation =
                    Violation { state: self.state.name(), expected: "the response to a login", got: item.name() };
                self.arrival_over(Failure::Violation, true);
                return Err(violation.into());
            }
        }
        Ok(())
    }

    fn login_token(&mut self, link: LinkId, token: Token) {
        let Some(arrival) = &mut self.arrival else { return };
        match arrival.notices.sort(&token) {
            Sort::Ordinary => {}
            Sort::Notice => return self.event(Event::LibraryNotice { link, token }),
            Sort::Redirect(addresses) => {
                arrival.elsewhere = addresses;
                return self.event(Event::LibraryNotice { link, token });
            }
        }
        match &token {
            Token::LoginAck(ack) => arrival.verdict = Some(ack.status.verdict()),
            Token::Capability(capabilities) => arrival.granted = capabilities.request(RequestCapability::MIGRATE),
            Token::Message(_) => arrival.asked = true,
            Token::Done(done) if done.is_final() => arrival.done = true,
            _ => {}
        }
        self.event(Event::Login { link, token });
    }

    fn login_message_over(&mut self, link: LinkId) {
        if self.is_sent_elsewhere() {
            return self.arrival_over(Failure::LoginRefused, true);
        }
        let Some(arrival) = &mut self.arrival else { return };
        let done = core::mem::take(&mut arrival.done);
        let id_came = core::mem::take(&mut arrival.id_came);
        let asked = core::mem::take(&mut arrival.asked);
        arrival.notices.end();
        match arrival.verdict {
            Some(LoginStatus::SUCCEED) if done => self.logged_in(),
            Some(LoginStatus::FAIL) => self.arrival_over(Failure::LoginRefused, true),
            Some(LoginStatus::NEGOTIATE) => {
                arrival.verdict = None;
                // One answer, whatever was asked: the application's, if there is anything for it to answer.
                if id_came && !asked {
                    self.outbox.push(Output::SessionIdReceived(link));
                } else {
                    arrival.answer = Some(None);
                    self.event(Event::Negotiate(link));
                }
            }
            _ => {}
        }
    }

    /// A piece of the application's answer.
    pub(super) fn answer(&mut self, link: LinkId, ty: PacketType, data: Data, end: bool) {
        if let Some(arrival) = &mut self.arrival {
            arrival.answer = (!end).then_some(Some(ty));
            self.outbox.push(Output::Send { link, ty, data, end });
        }
    }

    /// The login is done.
    fn logged_in(&mut self) {
        let Some(arrival) = self.arrival.take() else { return };
        let Arrival { link, address, granted, session_id, .. } = arrival;
        self.deadline = None;
        self.ahead.clear();
        self.granted = granted;
        self.session_id = session_id.or(self.session_id);
        self.address = Some(address.clone());
        match self.home.replace(Home::new(link)) {
            Some(old) => self.switch(&old, link),
            None => {
                self.go(TableEvent::LoggedIn);
                let migratable = self.is_migratable();
                self.event(Event::Connected { link, address, migratable });
            }
        }
    }

    /// Whether the server of the arriving link has sent us elsewhere and we go: the addresses are next.
    fn is_sent_elsewhere(&mut self) -> bool {
        let Some(arrival) = &mut self.arrival else { return false };
        let elsewhere = core::mem::take(&mut arrival.elsewhere);
        if !self.config.follow_redirects || self.redirects >= self.config.max_redirects {
            return false;
        }
        let trusted = |address: &Address| self.config.trust.allows(address, &self.known);
        let usable = elsewhere.into_iter().filter(trusted).take(self.config.limits.addresses);
        let before = self.ahead.len();
        let ahead = core::mem::take(&mut self.ahead);
        self.ahead = usable.chain(ahead).collect();
        let goes = self.ahead.len() > before;
        self.redirects = self.redirects.saturating_add(u8::from(goes));
        goes
    }

    /// This address has not worked, or has sent us on: the next one, if there is one.
    pub(super) fn arrival_over(&mut self, failure: Failure, close: bool) {
        self.is_sent_elsewhere();
        let Some(arrival) = self.arrival.take() else { return };
        let refused = arrival.verdict == Some(LoginStatus::FAIL);
        let failure = if refused { Failure::LoginRefused } else { failure };
        if close {
            self.outbox.push(Output::Close(arrival.link));
        }
        if !self.ahead.is_empty() {
            self.go(TableEvent::NextAddress);
            self.dial_next();
        } else if self.state == State::Moving {
            self.give_up(failure);
        } else {
            self.lose(Disconnect::NotConnected(failure));
        }
    }
}
