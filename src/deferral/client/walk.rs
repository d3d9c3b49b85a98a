//! Whom to ask next.

use super::table::Event as TableEvent;
use super::{Client, Contact, Event, Failure, Hosts, Outcome, Output, Peer, Server, Standing, State};
use crate::deferral::ids::ServerId;
use crate::deferral::message::{Alternate, milliseconds};
use crate::deferral::uri::ServerUri;
use crate::machine::LinkId;
use alloc::vec::Vec;
use bytes::Bytes;

/// Nobody is left alone for longer, and no estimate is longer.
const HOUR_MS: u32 = 3_600_000;

impl Server {
    /// Whether it is worth asking with priority.
    const fn is_busy(&self) -> bool {
        matches!(self.standing, Standing::Busy | Standing::Lazy)
    }
}

impl Client {
    /// A server that was not known; false if it is known already or there are too many.
    pub(super) fn add(&mut self, uri: ServerUri, referrer: Option<ServerUri>, receipt: Bytes) -> bool {
        if self.servers.iter().any(|server| server.uri == uri) {
            return false;
        }
        if self.servers.len() >= self.config.limits.servers.max(1) {
            self.ignored = self.ignored.saturating_add(1);
            return false;
        }
        // Another server was not allowed to name it.
        self.denied.retain(|denied| *denied != uri);
        let (id, standing) = (ServerId::UNKNOWN, Standing::ToTry);
        self.servers.push(Server { uri, id, standing, estimate_ms: None, not_before: None, referrer, receipt });
        self.to_try.push_back(self.servers.len().saturating_sub(1));
        true
    }

    /// Whether a server that was reached under another name says the same id, and has answered.
    pub(super) fn is_alias(&self, index: usize, id: ServerId) -> bool {
        let answered = |server: &Server| {
            let answers = [Standing::Busy, Standing::Lazy, Standing::Declined, Standing::Violator];
            server.id == id && answers.contains(&server.standing)
        };
        id.is_known() && self.servers.iter().enumerate().any(|(other, server)| other != index && answered(server))
    }

    /// Servers that `from` has named, as far as they may be asked. They come behind those that are still to be asked.
    ///
    /// What a server says of another one's id counts only beside its own id, and within its list: otherwise it could
    /// keep us from a server that somebody else names.
    pub(super) fn merge(&mut self, from: usize, alternates: Vec<Alternate>, receipt: &Bytes) {
        let Some((referrer, id)) = self.servers.get(from).map(|server| (server.uri.clone(), server.id)) else { return };
        let mut ids: Vec<ServerId> = Vec::from([id]);
        for alternate in alternates {
            let named_before = alternate.server.is_known() && ids.contains(&alternate.server);
            let known = self.servers.iter().any(|server| server.uri == alternate.uri);
            let allowed = self.allows(&alternate.uri, &referrer);
            // One that must not be asked under this name may have another.
            if known || allowed {
                ids.push(alternate.server);
            }
            // Who is said not to be able to need not be asked.
            if known || named_before || !alternate.may_serve(self.is_read_only()) {
                continue;
            }
            if allowed {
                self.add(alternate.uri, Some(referrer.clone()), receipt.clone());
            } else if self.denied.len() >= self.config.limits.servers {
                self.ignored = self.ignored.saturating_add(1);
            } else if !self.denied.contains(&alternate.uri) {
                self.denied.push(alternate.uri);
            }
        }
    }

    fn allows(&self, uri: &ServerUri, from: &ServerUri) -> bool {
        let policy = &self.config.policy;
        let weaker = !uri.is_as_strong_as(from);
        let inward = uri.is_local() && !from.is_local();
        if (weaker && !policy.weaker) || (inward && !policy.local) {
            return false;
        }
        let known = self.task.servers.iter().any(|server| server.same_host(uri));
        known
            || match &policy.hosts {
                Hosts::Known => false,
                Hosts::Any => true,
                Hosts::Listed(hosts) => {
                    let host = uri.host();
                    hosts.iter().any(|listed| *listed == host || (listed.starts_with('.') && host.ends_with(listed)))
                }
            }
    }

    /// Asks the next server, or finds that there is none.
    pub(super) fn next(&mut self) {
        self.contact = None;
        self.deadline = None;
        let not_before = |index: &usize| self.servers.get(*index).and_then(|server| server.not_before);
        let ready = |index: &usize| not_before(index).is_none_or(|at| at <= self.now);
        if let Some(index) = self.to_try.iter().position(ready).and_then(|at| self.to_try.remove(at)) {
            return self.dial(index, None);
        }
        if let Some(at) = self.to_try.iter().filter_map(not_before).min() {
            self.deadline = Some(at);
            return self.go(TableEvent::Paused);
        }
        if !self.priority && self.servers.iter().any(Server::is_busy) {
            return self.all_busy();
        }
        let report = self.report();
        self.end(Outcome::Failed(Failure::NoServer, report));
    }

    fn all_busy(&mut self) {
        if self.config.wait_unasked {
            return self.go_round_again();
        }
        let busy = self.servers.iter().filter(|server| server.is_busy());
        let estimate = busy.clone().filter_map(|server| server.estimate_ms).min().map(milliseconds);
        let event = Event::AskWait { busy: busy.count(), estimate };
        self.deadline = Some(self.now.saturating_add(self.config.ask_timeout));
        self.go(TableEvent::AllBusy);
        self.event(event);
    }

    /// With priority: who only prefers others comes first, then who expects the shortest wait.
    pub(super) fn go_round_again(&mut self) {
        self.priority = true;
        let mut again: Vec<usize> = Vec::new();
        for standing in [Standing::Lazy, Standing::Busy] {
            let mut those: Vec<usize> = self.standing(standing).collect();
            those.sort_by_key(|index| {
                self.servers.get(*index).and_then(|server| server.estimate_ms).unwrap_or(u32::MAX)
            });
            again.append(&mut those);
        }
        for index in again {
            self.file(index, Standing::ToTry);
            self.to_try.push_back(index);
        }
        self.next();
    }

    pub(super) fn standing(&self, wanted: Standing) -> impl Iterator<Item = usize> {
        self.servers.iter().enumerate().filter(move |(_, server)| server.standing == wanted).map(|(index, _)| index)
    }

    pub(super) fn file(&mut self, index: usize, standing: Standing) {
        if let Some(server) = self.servers.get_mut(index) {
            server.standing = standing;
        }
    }

    /// What a server says of its load.
    pub(super) fn note_load(&mut self, index: usize, estimate_ms: Option<u32>, retry_after_ms: Option<u32>) {
        let not_before = retry_after_ms.map(|ms| self.now.saturating_add(milliseconds(ms.min(HOUR_MS))));
        if let Some(server) = self.servers.get_mut(index) {
            server.estimate_ms = estimate_ms.map(|ms| ms.min(HOUR_MS));
            server.not_before = not_before;
        }
    }

    /// Dials a server; `before`: who it was when it had the request, if it has had it.
    pub(super) fn dial(&mut self, index: usize, before: Option<Peer>) {
        let Some(server) = self.servers.get_mut(index) else { return };
        server.standing = Standing::Asked;
        server.not_before = None;
        let server = server.uri.clone();
        self.last_link = self.last_link.saturating_add(1);
        let link = LinkId(self.last_link);
        self.contact = Some(Contact { link, server: index, peer: Peer::default(), before, cancelling: None });
        self.deadline = Some(self.now.saturating_add(self.config.dial_timeout));
        self.go(TableEvent::Next);
        self.outbox.push(Output::Dial { link, server });
    }

    /// After a continuation: those that were named for the next command, those that nobody has asked, those that were
    /// busy, those that declined the last one, and who has carried out that.
    pub(super) fn begin_epoch(&mut self, done_by: usize, alternates: Vec<Alternate>, receipt: &Bytes) {
        let untried: Vec<usize> = self.to_try.drain(..).collect();
        let named: Vec<ServerUri> = alternates.iter().map(|alternate| alternate.uri.clone()).collect();
        self.merge(done_by, alternates, receipt);
        // In the order of the list, whether they were known or not.
        let place = |uri: &ServerUri| named.iter().position(|named| named == uri);
        let mut order: Vec<(usize, usize)> =
            self.servers.iter().enumerate().filter_map(|(index, server)| Some((place(&server.uri)?, index))).collect();
        order.sort_unstable();
        let mut order: Vec<usize> = order.into_iter().map(|(_, index)| index).collect();
        order.extend(untried);
        let rest =
            [Standing::Lazy, Standing::Busy, Standing::Declined, Standing::Violator, Standing::Alias, Standing::Asked];
        for standing in rest {
            order.extend(self.standing(standing));
        }
        order.retain(|index| *index != done_by);
        order.push(done_by);
        self.to_try.clear();
        for index in order {
            let Some(server) = self.servers.get_mut(index) else { continue };
            if server.standing == Standing::Dead || self.to_try.contains(&index) {
                continue;
            }
            server.standing = Standing::ToTry;
            server.estimate_ms = None;
            self.to_try.push_back(index);
        }
    }

    pub(super) fn end(&mut self, outcome: Outcome) {
        let unsure = self.unsure.take().and_then(|index| self.servers.get(index)).map(|server| server.uri.clone());
        let outcome = match (outcome, unsure) {
            (Outcome::Failed(_, report), Some(server)) => Outcome::Indeterminate { server, report },
            (Outcome::Cancelled { .. }, Some(server)) => Outcome::Indeterminate { server, report: self.report() },
            (outcome, _) => outcome,
        };
        if let Some(Contact { link, .. }) = self.contact.take() {
            self.outbox.push(Output::Close(link));
        }
        self.deadline = None;
        self.go(TableEvent::Ended);
        self.event(Event::Ended(outcome));
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outbox.push(Output::Event(event));
    }

    pub(super) fn is_over(&self) -> bool {
        self.state == State::Ended
    }
}
