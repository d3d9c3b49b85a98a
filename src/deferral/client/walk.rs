//! Whom to ask next.

use super::table::Event as TableEvent;
use super::{Client, Contact, Event, Failure, Hosts, Outcome, Output, Server, Standing, State};
use crate::deferral::ids::ServerId;
use crate::deferral::message::{Alternate, milliseconds};
use crate::deferral::uri::ServerUri;
use crate::machine::LinkId;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

/// Nobody is left alone for longer, and no estimate is longer.
const HOUR_MS: u32 = 3_600_000;

impl Client {
    /// A server that was not known; false if it is known already or there are too many.
    pub(super) fn add(&mut self, uri: ServerUri, id: ServerId, referrer: Option<ServerUri>, receipt: Bytes) -> bool {
        let same = |server: &Server| server.uri == uri || (id.is_known() && server.id == id);
        if self.servers.iter().any(same) {
            return false;
        }
        if self.servers.len() >= self.config.limits.servers.max(1) {
            self.ignored = self.ignored.saturating_add(1);
            return false;
        }
        let standing = Standing::ToTry;
        let (asked, estimate_ms, not_before) = ([false; 2], None, None);
        self.servers.push(Server { uri, id, standing, asked, estimate_ms, not_before, referrer, receipt });
        true
    }

    /// Servers that `from` has named, as far as they may be asked. They come behind those that are still to be asked.
    pub(super) fn merge(&mut self, from: usize, alternates: Vec<Alternate>, receipt: &Bytes) -> Vec<usize> {
        let referrer = self.servers.get(from).map(|server| server.uri.clone());
        let mut added = Vec::new();
        for alternate in alternates {
            // Who says of itself what it is not able to do need not be asked.
            if !alternate.may_serve(self.task.read_only) {
                continue;
            }
            if !self.allows(&alternate.uri, referrer.as_ref()) {
                if !self.denied.contains(&alternate.uri) && self.denied.len() < self.config.limits.servers {
                    self.denied.push(alternate.uri);
                }
                continue;
            }
            if self.add(alternate.uri, alternate.server, referrer.clone(), receipt.clone()) {
                added.push(self.servers.len().saturating_sub(1));
            }
        }
        added
    }

    fn allows(&self, uri: &ServerUri, from: Option<&ServerUri>) -> bool {
        let policy = &self.config.policy;
        let weaker = from.is_some_and(|from| !uri.is_as_strong_as(from));
        let inward = uri.is_local() && from.is_some_and(|from| !from.is_local());
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
        let round = usize::from(self.priority);
        while let Some(index) = self.to_try.pop_front() {
            let Some(server) = self.servers.get(index) else { continue };
            // The same server under another name.
            let asked = |other: &Server| {
                let same = other.uri == server.uri || (server.id.is_known() && other.id == server.id);
                same && other.asked.get(round).copied().unwrap_or(true)
            };
            if self.servers.iter().any(asked) {
                self.file(index, Standing::Declined);
                continue;
            }
            return self.dial(index, false);
        }
        if self.servers.iter().any(|server| matches!(server.standing, Standing::Busy | Standing::Lazy))
            && !self.priority
        {
            return self.all_busy();
        }
        let report = self.report();
        self.end(Outcome::Failed(Failure::NoServer, report));
    }

    fn all_busy(&mut self) {
        if self.config.wait_unasked {
            return self.go_round_again();
        }
        let busy = self.servers.iter().filter(|server| matches!(server.standing, Standing::Busy | Standing::Lazy));
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

    pub(super) fn dial(&mut self, index: usize, again: bool) {
        let round = usize::from(self.priority);
        let Some(server) = self.servers.get_mut(index) else { return };
        if let Some(asked) = server.asked.get_mut(round) {
            *asked = true;
        }
        server.standing = Standing::Asked;
        let wait = server.not_before.take().map_or(Duration::ZERO, |at| at.saturating_duration_since(self.now));
        let server = server.uri.clone();
        self.last_link = self.last_link.saturating_add(1);
        let link = LinkId(self.last_link);
        self.contact = Some(Contact { link, server: index, replays: false, again, cancelling: None });
        self.deadline = Some(self.now.saturating_add(wait).saturating_add(self.config.dial_timeout));
        self.go(TableEvent::Next);
        self.outbox.push(Output::Dial { link, server });
    }

    /// After a continuation: those that were named for the next command, those that nobody has asked, those that were
    /// busy, those that declined the last one, and who has carried out that.
    pub(super) fn begin_epoch(&mut self, done_by: usize, alternates: Vec<Alternate>, receipt: &Bytes) {
        let untried: Vec<usize> = self.to_try.drain(..).collect();
        let named: Vec<ServerUri> = alternates.iter().map(|alternate| alternate.uri.clone()).collect();
        let added = self.merge(done_by, alternates, receipt);
        let listed = |index: &usize| {
            let uri = self.servers.get(*index).map(|server| &server.uri);
            *index != done_by && uri.is_some_and(|uri| named.contains(uri))
        };
        let known = 0..self.servers.len();
        let mut order: Vec<usize> = known.filter(listed).chain(added).collect();
        order.extend(untried);
        for standing in [Standing::Lazy, Standing::Busy, Standing::Declined, Standing::Violator] {
            order.extend(self.standing(standing));
        }
        order.retain(|index| *index != done_by);
        order.push(done_by);
        for index in order {
            let Some(server) = self.servers.get_mut(index) else { continue };
            if server.standing == Standing::Dead || self.to_try.contains(&index) {
                continue;
            }
            server.standing = Standing::ToTry;
            server.estimate_ms = None;
            self.to_try.push_back(index);
        }
        for server in &mut self.servers {
            server.asked = [false; 2];
        }
    }

    pub(super) fn end(&mut self, outcome: Outcome) {
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
