//! The link that is to be used next: dialling, login, redirection.

use super::session::is_wrong;
use super::*;

impl ClientModel {
    /// The next address, if there is one.
    pub(super) fn dial(&mut self, must: &mut Must) -> bool {
        let Some(address) = self.ahead.pop_front() else { return false };
        self.links += 1;
        let link = LinkId(self.links);
        self.due = Some(self.now.saturating_add(self.config.login_timeout));
        must.wire.push(Output::Dial { link, address: address.clone(), tls: self.config.tls });
        self.arriving = Some(Arriving {
            link,
            address,
            there: false,
            verdict: None,
            granted: false,
            id: None,
            done: false,
            id_came: false,
            asked: false,
            answer: None,
            elsewhere: Vec::new(),
            notice: Notice::default(),
        });
        true
    }

    /// 2.5: in a migration the login says so, and shows the last id, unchanged.
    pub(super) fn opened(&mut self, link: LinkId, must: &mut Must) {
        let moving = self.stage == Stage::Moving;
        let Some(arriving) = self.arriving.as_mut().filter(|arriving| arriving.link == link) else { return };
        arriving.there = true;
        let Some(mut login) = self.login.clone() else { return };
        if moving {
            login.record.ha_login |= HaLogin::MIGRATE;
            login.record.session_id = self.id;
        }
        must.wire.push(Output::Login { link, login: login.into() });
    }

    pub(super) fn login_item(&mut self, item: &Item, must: &mut Must) {
        if is_wrong(item) {
            return self.arrival_fails(Failure::Violation, true, must);
        }
        let Some(arriving) = &mut self.arriving else { return };
        let link = arriving.link;
        match item {
            Item::Token(token) => {
                if let Some(addresses) = arriving.notice.takes(token) {
                    if !addresses.is_empty() {
                        arriving.elsewhere = addresses;
                    }
                    return must.events.push(Event::LibraryNotice { link, token: token.clone() });
                }
                match token {
                    // The highest bit says something else (3.2).
                    Token::LoginAck(ack) => arriving.verdict = Some(ack.status.0 & 0x7f),
                    Token::Capability(own) => arriving.granted = own.request(RequestCapability::MIGRATE),
                    Token::Message(_) => arriving.asked = true,
                    token => arriving.done |= is_final(token),
                }
                must.events.push(Event::Login { link, token: token.clone() });
            }
            Item::Migration(Migration::SessionId(id)) => {
                arriving.id_came = true;
                arriving.id = id.or(arriving.id);
            }
            Item::End(_) => self.login_message(must),
            other => must.events.push(Event::Ignored { link, what: other.name() }),
        }
    }

    fn login_message(&mut self, must: &mut Must) {
        if self.goes_elsewhere() {
            return self.next(Failure::LoginRefused, true, must);
        }
        let Some(arriving) = &mut self.arriving else { return };
        let done = core::mem::take(&mut arriving.done);
        let id_came = core::mem::take(&mut arriving.id_came);
        let asked = core::mem::take(&mut arriving.asked);
        arriving.notice = Notice::default();
        match arriving.verdict.map(LoginStatus) {
            Some(LoginStatus::SUCCEED) if done => self.logged_in(must),
            Some(LoginStatus::FAIL) => self.arrival_fails(Failure::LoginRefused, true, must),
            Some(LoginStatus::NEGOTIATE) => {
                arriving.verdict = None;
                let link = arriving.link;
                if id_came && !asked {
                    must.wire.push(Output::SessionIdReceived(link));
                } else {
                    arriving.answer = Some(None);
                    must.events.push(Event::Negotiate(link));
                }
            }
            _ => {}
        }
    }

    fn logged_in(&mut self, must: &mut Must) {
        let Some(arriving) = self.arriving.take() else { return };
        let Arriving { link, address, granted, id, .. } = arriving;
        self.id = id.or(self.id);
        self.ahead.clear();
        self.due = None;
        let new = Home {
            link,
            address: address.clone(),
            alive: true,
            reading: false,
            granted,
            parted: false,
            notice: Notice::default(),
        };
        let old = self.home.replace(new);
        self.stage = Stage::Home;
        let Some(old) = old else {
            let migratable = self.is_able();
            return must.events.push(Event::Connected { link, address, migratable });
        };
        must.wire.push(Output::Switch { from: old.link, to: link });
        if old.alive {
            must.wire.extend(self.config.logout_old.then_some(Output::Logout(old.link)));
            must.wire.push(Output::Close(old.link));
        }
        self.end_attempt(Outcome::Migrated { link }, must);
        if let Some(current) = self.current_mut() {
            current.resumed = true;
            must.wire.push(Output::Migration { link, migration: Migration::Resume });
            // This server knows nothing of it.
            if current.cancel != Cancel::No {
                current.cancel = Cancel::Said;
                must.wire.push(Output::Attention(link));
            }
        }
    }

    /// 5: whether the client follows the server's word, and has somewhere to go.
    fn goes_elsewhere(&mut self) -> bool {
        let Some(arriving) = &mut self.arriving else { return false };
        let mut addresses = core::mem::take(&mut arriving.elsewhere);
        if !self.config.follow_redirects || self.redirects >= self.config.max_redirects {
            return false;
        }
        addresses.retain(|address| self.trusts(address));
        addresses.truncate(self.config.limits.addresses);
        let goes = !addresses.is_empty();
        self.redirects += u8::from(goes);
        addresses.into_iter().rev().for_each(|address| self.ahead.push_front(address));
        goes
    }

    pub(super) fn arrival_fails(&mut self, failure: Failure, close: bool, must: &mut Must) {
        self.goes_elsewhere();
        self.next(failure, close, must);
    }

    fn next(&mut self, failure: Failure, close: bool, must: &mut Must) {
        let Some(arriving) = self.arriving.take() else { return };
        if close {
            must.wire.push(Output::Close(arriving.link));
        }
        let refused = arriving.verdict.map(LoginStatus) == Some(LoginStatus::FAIL);
        let failure = if refused { Failure::LoginRefused } else { failure };
        if self.dial(must) {
            return;
        }
        match self.stage {
            Stage::Moving => self.stay(failure, must),
            _ => self.end(Disconnect::NotConnected(failure), must),
        }
    }
}
