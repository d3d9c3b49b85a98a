//! Processes: how they enter, whether they are there, and how they fail (spec/group.md 5.2).

use super::{Coordinator, Credentials, Due, Event, Process, reign};
use crate::error::Error;
use crate::frame::Extensions;
use crate::group::ids::{Announcement as Flags, DissolveReason, LeaveReason};
use crate::group::message::{Enter, Message, Ping, Query, Welcome};
use crate::group::name::{GroupId, Token};
use crate::machine::LinkId;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

impl Coordinator {
    pub(super) fn enter(&mut self, link: LinkId, enter: Enter) -> Result<(), Error> {
        if self.clients.contains_key(&link) {
            return Err(self.violated(link, "a request", "a second ENTER"));
        }
        let Enter { node, incarnation, epoch, ping_interval_ms, pong_limit_ms, reports, credentials, .. } = enter;
        let is_known = self.starts.contains_key(&(node, incarnation));
        let is_gone = self.gone.contains(node, incarnation);
        let most = self.config.limits.tokens;
        let is_full =
            self.clients.len() >= self.config.limits.processes || usize::try_from(reports).unwrap_or(usize::MAX) > most;
        // Who was declared dead, or takes another's place, is to come back as somebody else.
        if is_known || is_gone || is_full {
            let reason = if is_full { DissolveReason::STOPPED } else { DissolveReason::FENCED };
            self.tell_dissolved(link, None, reason);
            self.close_link(link);
            return Ok(());
        }
        let process = Process {
            node,
            incarnation,
            epoch,
            admitted: false,
            entered: false,
            reports,
            reported: reports == 0,
            tokens: BTreeSet::new(),
            ping_interval: Duration::from_millis(u64::from(ping_interval_ms)),
            pong_limit: Duration::from_millis(u64::from(pong_limit_ms)),
            nonce: 0,
            silent: false,
            deadline: None,
        };
        self.starts.insert((node, incarnation), link);
        self.clients.insert(link, process);
        self.event(Event::Entering { link, node, incarnation, credentials: Credentials(credentials) });
        Ok(())
    }

    pub(super) fn admit(&mut self, link: LinkId, allowed: bool) {
        let Some(process) = self.clients.get_mut(&link) else { return };
        process.admitted = allowed;
        let (epoch, has_reports) = (process.epoch, process.reports > 0);
        if allowed && epoch > self.config.epoch {
            // Somebody else reigns by now.
            return self.end(DissolveReason::FENCED);
        }
        if !allowed {
            return self.turn_away(link, DissolveReason::STOPPED);
        }
        match self.state {
            // It is welcome once everybody has said what they know.
            reign::State::Recovering if has_reports => {
                let epoch = self.config.epoch;
                self.send(link, Message::Query(Query { epoch, extensions: Extensions::NONE }));
            }
            reign::State::Recovering => {}
            // It was waited for, and is out of its groups.
            _ if has_reports => self.turn_away(link, DissolveReason::FENCED),
            _ => self.welcome(link),
        }
    }

    pub(super) fn turn_away(&mut self, link: LinkId, reason: DissolveReason) {
        self.forget(link);
        self.tell_dissolved(link, None, reason);
        self.close_link(link);
    }

    pub(super) fn welcome(&mut self, link: LinkId) {
        let Some(process) = self.clients.get_mut(&link) else { return };
        process.entered = true;
        let interval = process.ping_interval;
        let (domain, epoch) = (self.config.domain, self.config.epoch);
        self.send(link, Message::Welcome(Welcome { domain, epoch, extensions: Extensions::NONE }));
        self.schedule(link, interval, Due::Ping(link));
    }

    /// A time of 0 is never.
    fn schedule(&mut self, link: LinkId, time: Duration, due: Due) {
        let Some(process) = self.clients.get_mut(&link) else { return };
        let next = (!time.is_zero()).then(|| (self.now.saturating_add(time), due));
        if let Some(before) = core::mem::replace(&mut process.deadline, next) {
            self.deadlines.remove(&before);
        }
        self.deadlines.extend(next);
    }

    pub(super) fn ping(&mut self, link: LinkId) {
        let Some(process) = self.clients.get_mut(&link) else { return };
        process.nonce = process.nonce.wrapping_add(1);
        let (nonce, limit) = (process.nonce, process.pong_limit.max(Duration::from_millis(1)));
        self.send(link, Message::Ping(Ping { nonce, extensions: Extensions::NONE }));
        self.schedule(link, limit, Due::Pong(link));
    }

    /// A process that does not answer is announced, and stays.
    pub(super) fn is_silent(&mut self, link: LinkId) {
        let Some(process) = self.clients.get_mut(&link) else { return };
        let interval = process.ping_interval;
        if !core::mem::replace(&mut process.silent, true) {
            self.announce_process(link, Flags::NO_RESPONSE);
        }
        self.schedule(link, interval, Due::Ping(link));
    }

    pub(super) fn pong(&mut self, link: LinkId, nonce: u64) {
        let Some(process) = self.clients.get_mut(&link) else { return };
        if process.nonce != nonce {
            return self.event(Event::Ignored { link, what: "an old PONG" });
        }
        let interval = process.ping_interval;
        if core::mem::replace(&mut process.silent, false) {
            self.announce_process(link, Flags::RESPONSE);
        }
        self.schedule(link, interval, Due::Ping(link));
    }

    /// Tells every group in which a process is. Who only waits to join is nobody yet.
    fn announce_process(&mut self, link: LinkId, flags: Flags) {
        let Some(process) = self.clients.get(&link) else { return };
        let held = process.tokens.iter().filter_map(|index| self.tokens.current(*index));
        let places: Vec<_> = held.filter_map(|(_, holder)| Some((holder.group, holder.provider?))).collect::<Vec<_>>();
        for (group, provider) in places {
            if self.groups.get(&group).is_none_or(|group| !group.hears(provider)) {
                continue;
            }
            self.announce(group, flags, Vec::from([provider]));
        }
    }

    pub(super) fn node_failed(&mut self, node: u32) {
        let starts = self.starts.range((node, 0)..=(node, u64::MAX));
        let links: BTreeSet<LinkId> = starts.map(|(_, link)| *link).collect();
        for link in links {
            self.tell_dissolved(link, None, DissolveReason::FENCED);
            self.close_link(link);
            self.bar(link);
            self.fail(link, LeaveReason::HOST_FAILURE);
        }
    }

    fn forget(&mut self, link: LinkId) -> Option<Process> {
        let process = self.clients.remove(&link)?;
        self.starts.remove(&(process.node, process.incarnation));
        Some(process)
    }

    /// This start of a process does not come back.
    fn bar(&mut self, link: LinkId) {
        let Some(process) = self.clients.get(&link) else { return };
        self.gone.insert(process.node, process.incarnation, self.config.limits.processes);
    }

    pub(super) fn process_failed(&mut self, link: LinkId) {
        self.fail(link, LeaveReason::PROVIDER_FAILURE);
    }

    /// A process is gone: each of its providers fails, its subscriptions end.
    pub(super) fn fail(&mut self, link: LinkId, reason: LeaveReason) {
        // Before it was in, it had nothing to lose: it may try again.
        if self.clients.get(&link).is_some_and(|process| process.entered) {
            self.bar(link);
        }
        let Some(process) = self.forget(link) else { return };
        if let Some(recovery) = &mut self.recovery {
            recovery.forget(link);
        }
        if let Some(due) = process.deadline {
            self.deadlines.remove(&due);
        }
        for index in process.tokens {
            let Some((token, holder)) = self.tokens.current(index) else { continue };
            self.tokens.free(token);
            match holder.provider {
                Some(provider) => self.provider_failed(holder.group, provider, reason),
                None => self.unsubscribe(holder.group, index),
            }
        }
    }

    /// The link of a token's holder, if it is there.
    pub(super) fn link_of(&self, token: Token) -> Option<LinkId> {
        self.tokens.holder(token).map(|holder| holder.link)
    }

    /// A token is nobody's any more.
    pub(super) fn release(&mut self, token: Token) {
        let process = self.tokens.holder(token).and_then(|holder| self.clients.get_mut(&holder.link));
        if let Some(process) = process {
            process.tokens.remove(&token.index);
        }
        self.tokens.free(token);
    }

    pub(super) fn unsubscribe(&mut self, group: GroupId, index: u32) {
        if let Some(group) = self.groups.get_mut(&group) {
            group.subscribers.remove(&index);
        }
    }
}
