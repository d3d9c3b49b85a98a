//! Processes, and what is due (spec/group.md 5.2 and 6).

use super::*;

impl CoordinatorModel {
    /// 5.2: a process comes.
    pub(super) fn enter(&mut self, link: LinkId, enter: &Enter, must: &mut Must) {
        let who = (enter.node, enter.incarnation);
        let there = self.processes.values().any(|other| (other.node, other.incarnation) == who);
        let many = enter.reports as usize > self.config.limits.tokens;
        let full = self.processes.len() >= self.config.limits.processes || many;
        if full || there || self.dead.contains(&who) {
            let reason = if full { DissolveReason::STOPPED } else { DissolveReason::FENCED };
            self.dissolved(link, None, reason, must);
            return self.close(link, must);
        }
        let millis = |millis: u32| Duration::from_millis(u64::from(millis));
        let process = Process {
            node: enter.node,
            incarnation: enter.incarnation,
            epoch: enter.epoch,
            admitted: false,
            entered: false,
            has_before: enter.reports > 0,
            reported: enter.reports == 0,
            interval: millis(enter.ping_interval_ms),
            patience: millis(enter.pong_limit_ms).max(millis(1)),
            nonce: 0,
            silent: false,
            due: None,
        };
        self.processes.insert(link, process);
        let (node, incarnation, credentials) = (enter.node, enter.incarnation, Credentials(enter.credentials.clone()));
        must.events.push(Event::Entering { link, node, incarnation, credentials });
    }

    pub(super) fn admit(&mut self, link: LinkId, allowed: bool, must: &mut Must) {
        let Some(process) = self.processes.get_mut(&link) else { return };
        process.admitted = allowed;
        let (epoch, has_before) = (process.epoch, process.has_before);
        let reason = match (allowed, self.recovers, has_before) {
            (false, ..) => DissolveReason::STOPPED,
            (true, ..) if epoch > self.config.epoch => return self.end(DissolveReason::FENCED, must),
            (true, Some(_), true) => {
                let epoch = self.config.epoch;
                return self.send(link, Message::Query(Query { epoch, extensions: none() }), must);
            }
            (true, Some(_), false) => return,
            (true, None, true) => DissolveReason::FENCED,
            (true, None, false) => return self.welcome(link, must),
        };
        self.processes.remove(&link);
        self.dissolved(link, None, reason, must);
        self.close(link, must);
    }

    pub(super) fn welcome(&mut self, link: LinkId, must: &mut Must) {
        let (domain, epoch) = (self.config.domain, self.config.epoch);
        self.send(link, Message::Welcome(Welcome { domain, epoch, extensions: none() }), must);
        let now = self.now;
        if let Some(process) = self.processes.get_mut(&link) {
            process.entered = true;
            process.asks_next(now);
        }
    }

    /// 6.3: all that will come have come. Nobody who votes is among them: every group is over.
    pub(super) fn recovered(&mut self, must: &mut Must) {
        self.recovers = None;
        let slow = |process: &Process| process.admitted && !process.reported;
        let (slow, ready): (Vec<LinkId>, Vec<LinkId>) = {
            let links = |which: &dyn Fn(&Process) -> bool| {
                self.processes.iter().filter(|(_, process)| which(process)).map(|(link, _)| *link).collect()
            };
            (links(&slow), links(&|process| process.admitted && process.reported))
        };
        for link in slow {
            self.processes.remove(&link);
            self.dissolved(link, None, DissolveReason::FENCED, must);
            self.close(link, must);
        }
        ready.iter().for_each(|link| self.welcome(*link, must));
        let mut reports = core::mem::take(&mut self.reports);
        reports.retain(|(link, ..)| ready.contains(link));
        let known = reports.iter().map(|(_, group, _)| group.0).max().unwrap_or(0);
        self.last_group = self.last_group.max(known);
        reports.sort_by_key(|(_, group, _)| Reverse(*group));
        for (link, _, token) in reports {
            self.dissolved(link, Some(token), DissolveReason::EMPTY, must);
        }
        must.events.push(Event::Recovered);
    }

    /// 5.2: a process is gone, and everything of its.
    pub(super) fn gone(&mut self, link: LinkId, reason: LeaveReason, must: &mut Must) {
        let Some(process) = self.processes.remove(&link) else { return };
        if process.entered || reason == LeaveReason::HOST_FAILURE {
            self.dead.insert((process.node, process.incarnation));
        }
        self.reports.retain(|(other, ..)| *other != link);
        for index in 0..self.slots.len() {
            let (generation, holder) = self.slots[index];
            let Some(holder) = holder.filter(|holder| holder.link == link) else { continue };
            let token = Token { index: u32::try_from(index).unwrap_or(0), generation };
            self.free_token(token);
            match holder.who {
                Some(who) => self.failed(holder.group, who, reason, must),
                None => self.unsubscribed(holder.group, token),
            }
        }
    }

    pub(super) fn unsubscribed(&mut self, group: GroupId, token: Token) {
        if let Some(group) = self.groups.get_mut(&group) {
            group.subscribers.retain(|(other, _)| *other != token);
        }
    }

    pub(super) fn end(&mut self, reason: DissolveReason, must: &mut Must) {
        let links: Vec<LinkId> = self.processes.keys().copied().collect();
        for link in links {
            if reason != DissolveReason::FENCED {
                self.dissolved(link, None, reason, must);
            }
            self.close(link, must);
        }
        let mut names: Vec<_> = self.groups.values().map(|group| group.attributes.name.clone()).collect();
        names.sort();
        must.events.extend(names.into_iter().map(Event::Dissolved));
        must.events.push(Event::Ended(reason));
        self.over = true;
        self.processes.clear();
        self.groups.clear();
        self.keeping.clear();
        self.recovers = None;
    }

    /// 6.5: of two domains the larger one stays, of two reigns the later one.
    pub(super) fn met(&mut self, other: &Proclaim, must: &mut Must) {
        if other.domain == self.config.domain {
            if other.epoch > self.config.epoch {
                self.end(DissolveReason::FENCED, must);
            }
            return;
        }
        let nodes: BTreeSet<u32> = self.processes.values().map(|process| process.node).collect();
        let (count, lowest) = (nodes.len() as u64, nodes.first().copied().unwrap_or(u32::MAX));
        let theirs = (u64::from(other.nodes), Reverse(other.lowest_node), Reverse(other.domain));
        if theirs > (count, Reverse(lowest), Reverse(self.config.domain)) {
            self.end(DissolveReason::MERGED, must);
        } else {
            must.events.push(Event::Outranks(other.domain));
        }
    }

    /// What is due first: groups by number, then processes by link, those to be asked before those that have not
    /// answered, and the end of the asking after.
    pub(super) fn due(&self) -> Option<(Instant, u8, u64)> {
        self.all_due().into_iter().min()
    }

    pub(super) fn all_due(&self) -> Vec<(Instant, u8, u64)> {
        let phases = self.groups.iter().filter_map(|(id, group)| Some((group.run.as_ref()?.due?, 0, id.0)));
        let pings = self.processes.iter().filter_map(|(link, process)| {
            let (at, answer) = process.due?;
            Some((at, if answer { 2 } else { 1 }, u64::from(link.0)))
        });
        let mut all: Vec<_> = phases.chain(pings).chain(self.recovers.map(|at| (at, 3, 0))).collect();
        all.sort_unstable();
        all
    }

    pub(super) fn time(&mut self, must: &mut Must) {
        let now = self.now;
        for one in self.all_due().into_iter().filter(|(at, ..)| *at <= now) {
            // What was before it may have ended it.
            if !self.all_due().contains(&one) {
                continue;
            }
            let (_, what, which) = one;
            let link = LinkId(u32::try_from(which).unwrap_or(0));
            match what {
                0 => self.phase_is_over(GroupId(which), must),
                1 => {
                    let Some(process) = self.processes.get_mut(&link) else { return };
                    process.nonce += 1;
                    process.due = Some((now.saturating_add(process.patience), true));
                    let nonce = process.nonce;
                    self.send(link, Message::Ping(Ping { nonce, extensions: none() }), must);
                }
                2 => {
                    let Some(process) = self.processes.get_mut(&link) else { return };
                    process.asks_next(now);
                    if !core::mem::replace(&mut process.silent, true) {
                        self.announce_process(link, Flags::NO_RESPONSE, must);
                    }
                }
                _ => self.recovered(must),
            }
        }
    }

    pub(super) fn pong(&mut self, link: LinkId, nonce: u64, must: &mut Must) {
        let now = self.now;
        let Some(process) = self.processes.get_mut(&link) else { return };
        if process.nonce != nonce {
            return self.ignored(link, must);
        }
        process.asks_next(now);
        if core::mem::replace(&mut process.silent, false) {
            self.announce_process(link, Flags::RESPONSE, must);
        }
    }

    /// Those that the others know of: who only waits to join is nobody yet.
    pub(super) fn announce_process(&mut self, link: LinkId, flags: Flags, must: &mut Must) {
        let places: Vec<Holder> =
            self.slots.iter().filter_map(|(_, holder)| *holder).filter(|holder| holder.link == link).collect();
        for Holder { group: id, who, .. } in places {
            let group = self.groups.get(&id);
            if let Some(who) = who.filter(|who| group.is_some_and(|group| group.hears(*who))) {
                self.announce(id, flags, Vec::from([who]), must);
            }
        }
    }

    pub(super) fn announce(&mut self, id: GroupId, flags: Flags, providers: Vec<ProviderId>, must: &mut Must) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        if group.run.as_ref().is_some_and(|run| run.verdict.is_some()) {
            return group.later.push((flags, providers));
        }
        group.told.0 += 1;
        let (sequence, tokens) = (group.told, group.hearers());
        for token in tokens {
            let Some(link) = self.link_of(token) else { continue };
            let providers = providers.clone();
            let said = Announcement { token, group: id, sequence, flags, providers, extensions: none() };
            self.send(link, Message::Announcement(said), must);
        }
    }
}
