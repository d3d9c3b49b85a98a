//! Which messages are printed: logins, everything of the exchange, and responses that a migration cuts in two.

use crate::timeline::Tap;
use bytes::BytesMut;
use handover::limits::Tds5Limits;
use handover::machine::LinkId;
use handover::tds5::PacketType;
use handover::tds5::connection::{ClientConnection, Item, ServerConnection};
use handover::tds5::login::HaLogin;
use handover::tds5::migration::{Migration, Options};
use handover::tds5::token::{LoginStatus, Token};
use std::collections::HashMap;

struct Link {
    up: ServerConnection,
    down: ClientConnection,
    logged_in: bool,
    /// Whether the client has come with a session from elsewhere, and has not spoken yet.
    arriving: bool,
    /// Whether the response that comes next is the rest of one.
    cut: bool,
    /// Of the response message that is coming in.
    rows: u32,
    done: Option<i32>,
}

/// Decoders for each link.
#[derive(Default)]
pub struct Tds5Tap {
    links: HashMap<LinkId, Link>,
    /// The link that has the session. Rows on the next one may be in the format that was sent on this one.
    home: Option<LinkId>,
}

impl Tap for Tds5Tap {
    fn dialled(&mut self, link: LinkId) {
        let (limits, options) = (Tds5Limits::DEFAULT, Options::DEFAULT);
        let (up, down) = (ServerConnection::new(limits, options), ClientConnection::new(limits, options));
        let (logged_in, arriving, cut, rows, done) = (false, false, false, 0, None);
        self.links.insert(link, Link { up, down, logged_in, arriving, cut, rows, done });
    }

    fn passes(&mut self, link: LinkId, sent: bool, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(entry) = self.links.get_mut(&link) {
            entry.takes(sent, bytes);
        }
        while let Some(entry) = self.links.get_mut(&link) {
            let was_logged_in = entry.logged_in;
            match if sent { entry.up.next_item() } else { entry.down.next_item() } {
                Ok(Some(item)) => lines.extend(if sent { entry.sent(&item) } else { entry.received(&item) }),
                Ok(None) => break,
                Err(error) => {
                    lines.push(format!("malformed: {error}"));
                    self.links.remove(&link);
                    break;
                }
            }
            if entry.logged_in && !was_logged_in {
                self.arrived(link);
            }
        }
        lines
    }
}

impl Tds5Tap {
    /// A login is done.
    fn arrived(&mut self, link: LinkId) {
        let old = self.home.replace(link).filter(|old| *old != link);
        if let Some([Some(old), Some(new)]) = old.map(|old| self.links.get_disjoint_mut([&old, &link])) {
            new.down.inherit_formats(&old.down);
        }
    }
}

impl Link {
    fn takes(&mut self, sent: bool, bytes: &[u8]) {
        if sent {
            self.up.receive(bytes);
        } else {
            self.down.receive(bytes);
        }
    }

    fn sent(&mut self, item: &Item) -> Option<String> {
        match item {
            Item::Login(login) => {
                // The server answers in this byte order.
                let _ = self.down.login(login, &mut BytesMut::new());
                self.arriving = login.record.ha_login.contains(HaLogin::MIGRATE);
                Some(if self.arriving { "LOGIN with MIGRATE" } else { "LOGIN" }.to_owned())
            }
            Item::Migration(migration) => {
                self.cut |= std::mem::take(&mut self.arriving) && *migration == Migration::Resume;
                Some(line_of(migration))
            }
            Item::Token(Token::Logout(_)) => Some("LOGOUT".to_owned()),
            Item::End(PacketType::ATTENTION) => Some("ATTENTION".to_owned()),
            _ => None,
        }
    }

    fn received(&mut self, item: &Item) -> Option<String> {
        match item {
            Item::Migration(migration) => return Some(line_of(migration)),
            Item::Token(Token::LoginAck(ack)) => {
                let verdict = match ack.status.verdict() {
                    LoginStatus::SUCCEED => "accepted",
                    LoginStatus::FAIL => "refused",
                    _ => "negotiates",
                };
                return Some(format!("LOGINACK {verdict}"));
            }
            Item::Token(Token::Capability(_)) => self.logged_in = true,
            Item::Token(Token::Row(_)) => self.rows += 1,
            Item::Token(Token::Done(done)) if done.is_final() => self.done = Some(done.count),
            Item::End(PacketType::RESPONSE) => {
                let (rows, done) = (std::mem::take(&mut self.rows), self.done.take());
                return match done {
                    None => {
                        self.cut = true;
                        Some(format!("{rows} x ROW, no DONE yet"))
                    }
                    Some(count) => {
                        std::mem::take(&mut self.cut).then(|| format!("{rows} x ROW, final DONE, count {count}"))
                    }
                };
            }
            _ => {}
        }
        None
    }
}

fn line_of(migration: &Migration) -> String {
    match migration {
        Migration::Request(request) => {
            let addresses = request.addresses.iter().map(|address| format!(" {address}")).collect::<String>();
            format!("{}{addresses}", migration.name())
        }
        Migration::Fail(Some(reason)) => {
            format!("{} {} {}", migration.name(), reason.code.unwrap_or(0), reason.text.as_deref().unwrap_or(""))
        }
        other => other.name().to_owned(),
    }
}
