//! How a reign begins after another one (spec/group.md 6.3).

use super::table::group::Event as GroupEvent;
use super::table::reign;
use super::tokens::{Holder, NOBODY};
use super::votes::Running;
use super::{Coordinator, Event, Group, Joiner, Member};
use crate::error::Error;
use crate::frame::Extensions;
use crate::group::ids::{DissolveReason, LeaveReason, Phases, Subscription};
use crate::group::message::{
    Ended, GroupRecord, Message, Notice, Open, Past, Proclaim, Report, Snapshot, Standing, View,
};
use crate::group::name::{DomainId, GroupId, ProtocolId, ProviderId, RequestId, Sequence, StateValue, Token};
use crate::group::proposal::Leave;
use crate::machine::LinkId;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::cmp::Reverse;

/// What is known of the reign before this one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Recovery {
    records: BTreeMap<GroupId, GroupRecord>,
    reports: Vec<(LinkId, Standing)>,
}

/// What is known of a group, put together.
struct Merged {
    snapshot: Snapshot,
    recent: BTreeMap<ProtocolId, Past>,
    open: Option<Open>,
}

impl Recovery {
    pub(super) fn new(records: Vec<GroupRecord>) -> Self {
        let mut known: BTreeMap<GroupId, GroupRecord> = BTreeMap::new();
        for record in records {
            let id = record.snapshot.group;
            if known.get(&id).is_none_or(|other| other.snapshot.sequence < record.snapshot.sequence) {
                known.insert(id, record);
            }
        }
        Self { records: known, reports: Vec::new() }
    }

    /// The process of this link is not there any more.
    pub(super) fn forget(&mut self, link: LinkId) {
        self.reports.retain(|(from, _)| *from != link);
    }
}

impl Coordinator {
    /// A process says what it knows of a group.
    pub(super) fn report(&mut self, link: LinkId, report: Report) -> Result<(), Error> {
        let most = self.config.limits.tokens;
        let Some(process) = self.clients.get_mut(&link) else { return Ok(()) };
        let Report { remaining, standing, .. } = report;
        process.reported = remaining == 0;
        let Some(standing) = standing else { return Ok(()) };
        let is_its =
            |provider: ProviderId| (provider.node, provider.incarnation) == (process.node, process.incarnation);
        if !standing.provider.is_none_or(is_its) {
            return Err(self.violated(link, "a report of its own provider", "one of another's"));
        }
        match &mut self.recovery {
            Some(recovery) if recovery.reports.len() < most => recovery.reports.push((link, *standing)),
            _ => return Err(self.violated(link, "fewer reports than there may be tokens", "one more")),
        }
        Ok(())
    }

    /// Everybody has come who will: groups go on from what is known.
    pub(super) fn recovered(&mut self) {
        let Some(recovery) = self.recovery.take() else { return };
        self.deadlines.retain(|(_, due)| *due != super::Due::Recover);
        self.go(reign::Event::Recovered);
        let Recovery { records, reports } = *recovery;
        // Who has not said all that it had to say was too slow.
        let (ready, slow): (BTreeSet<LinkId>, BTreeSet<LinkId>) = {
            let admitted = self.clients.iter().filter(|(_, process)| process.admitted);
            let (ready, slow): (Vec<_>, Vec<_>) = admitted.partition(|(_, process)| process.reported);
            let links = |list: Vec<(&LinkId, _)>| list.into_iter().map(|(link, _)| *link).collect();
            (links(ready), links(slow))
        };
        for link in &slow {
            self.turn_away(*link, DissolveReason::FENCED);
        }
        for link in &ready {
            self.welcome(*link);
        }
        // Who was turned down without knowing it may have a number that is another's by now.
        let mut newest: BTreeMap<u32, u32> = BTreeMap::new();
        for (_, report) in reports.iter().filter(|(link, _)| ready.contains(link)) {
            let generation = newest.entry(report.token.index).or_default();
            *generation = report.token.generation.max(*generation);
        }
        let mut groups: BTreeMap<GroupId, Vec<(LinkId, Standing)>> =
            records.keys().map(|id| (*id, Vec::new())).collect();
        for (link, report) in reports.into_iter().filter(|(link, _)| ready.contains(link)) {
            groups.entry(report.snapshot.group).or_default().push((link, report));
        }
        let known = groups.keys().copied().max().unwrap_or_default();
        self.last_group = known.max(GroupId::before(self.config.epoch)).0;
        // The newer of two groups of one name is the one that is.
        let mut reflected: BTreeMap<GroupId, StateValue> = BTreeMap::new();
        for (id, reports) in groups.into_iter().rev() {
            let last = self.restore(id, records.get(&id), reports, &newest);
            reflected.extend(last.map(|last| (id, last)));
        }
        let restored: Vec<GroupId> = self.groups.keys().copied().collect();
        for id in restored {
            self.cast_out_of(id);
            self.reflect_again(id, &reflected);
            self.ready.insert(id);
        }
        self.event(Event::Recovered);
    }

    fn restore(
        &mut self,
        id: GroupId,
        record: Option<&GroupRecord>,
        reports: Vec<(LinkId, Standing)>,
        newest: &BTreeMap<u32, u32>,
    ) -> Option<StateValue> {
        // Who was in an earlier reign and missed the one after it has failed there, though nobody has told it.
        let latest = latest(record, &reports);
        let (reports, strays): (Vec<_>, Vec<_>) = reports.into_iter().partition(|(_, report)| {
            report.provider.is_none() || latest.as_ref().is_none_or(|latest| latest.has_heard(report))
        });
        for (link, report) in strays {
            self.tell_dissolved(link, Some(report.token), DissolveReason::FENCED);
        }
        let is_new = |merged: &Merged| {
            let attributes = &merged.snapshot.attributes;
            !self.names.contains_key(&attributes.name) && attributes.check().is_ok()
        };
        let base = Sequence::before(self.config.epoch);
        let Some(merged) = merge(record, &reports, base).filter(is_new) else {
            for (link, report) in reports {
                self.tell_dissolved(link, Some(report.token), DissolveReason::EMPTY);
            }
            return None;
        };
        let name = merged.snapshot.attributes.name.clone();
        // Its number is theirs as long as they are in it.
        let mut holders: Vec<(LinkId, Standing)> = Vec::new();
        for (link, report) in reports {
            let holder = Holder { link, group: id, provider: report.provider };
            let is_newest = newest.get(&report.token.index) == Some(&report.token.generation);
            if is_newest && self.tokens.keep(report.token, holder, self.config.limits.tokens) {
                if let Some(process) = self.clients.get_mut(&link) {
                    process.tokens.insert(report.token.index);
                }
                holders.push((link, report));
            } else {
                self.tell_dissolved(link, Some(report.token), DissolveReason::FENCED);
            }
        }
        let group = rebuild(&merged, &holders);
        if let Some(source) = &group.attributes.source_group {
            self.targets.entry(source.clone()).or_default().insert(id);
        }
        self.names.insert(name.clone(), id);
        self.groups.insert(id, group);
        self.event(Event::Formed(name));
        for (link, report) in &holders {
            self.catch_up(id, *link, report, &merged);
        }
        self.resume(id);
        let open = merged.open.map(|open| open.proposal);
        let known = merged.recent.into_values().rev().map(|past| past.ended.proposal);
        open.into_iter().chain(known).find_map(|proposal| proposal.source_state)
    }

    /// A state value of the source group that was not reflected in a group, as far as is known, is so now.
    fn reflect_again(&mut self, id: GroupId, reflected: &BTreeMap<GroupId, StateValue>) {
        let Some(group) = self.groups.get(&id) else { return };
        let source = group.attributes.source_group.as_ref().and_then(|name| self.names.get(name));
        let Some(source) = source.and_then(|id| self.groups.get(id)) else { return };
        let value = source.value.clone();
        if value != reflected.get(&id).cloned().unwrap_or_default()
            && let Some(group) = self.groups.get_mut(&id)
        {
            group.reflection = Some(value);
        }
    }

    /// Tells one that is back what it has missed.
    fn catch_up(&mut self, id: GroupId, link: LinkId, report: &Standing, merged: &Merged) {
        let Some(group) = self.groups.get(&id) else { return };
        let (token, snapshot) = (report.token, group.snapshot(id));
        let Some(provider) = report.provider else {
            return self.catch_up_subscriber(id, link, report, merged);
        };
        let is_in = group.providers().any(|other| other == provider);
        let mut next = ProtocolId(report.snapshot.last.0.saturating_add(1));
        let joins = |past: &Past| past.ended.proposal.joining.contains(&provider);
        if !report.snapshot.members.contains(&provider) {
            // What was before its join was never its business, and it may have joined before.
            let waits = is_in && !group.members.iter().any(|member| member.provider == provider);
            let join = merged.recent.values().rev().find(|past| joins(past) && !waits);
            next = join.map_or(ProtocolId(u64::MAX), |past| past.ended.protocol);
        }
        let is_whole = |past: &Past| past.ended.protocol == merged.snapshot.last;
        for past in merged.recent.range(next..).map(|(_, past)| past) {
            if past.ended.protocol != next || (joins(past) && past.approved && !is_whole(past)) {
                break;
            }
            next = ProtocolId(next.0.saturating_add(1));
            let whole = (joins(past) && past.approved).then(|| Box::new(snapshot.clone()));
            let extensions = Extensions::NONE;
            let ended = Ended { token, group: id, outcome: past.ended.clone(), snapshot: whole, extensions };
            let ended = Box::new(ended);
            self.send(link, if past.approved { Message::Approved(ended) } else { Message::Rejected(ended) });
        }
        self.send(
            link,
            Message::View(View { token, snapshot: Box::new(snapshot), open: None, extensions: Extensions::NONE }),
        );
        if !is_in {
            self.tell_dissolved(link, Some(token), DissolveReason::FENCED);
            self.release(token);
        }
    }

    fn catch_up_subscriber(&mut self, id: GroupId, link: LinkId, report: &Standing, merged: &Merged) {
        let (token, wanted, last) = (report.token, report.subscription, report.snapshot.sequence);
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.subscribers.insert(token.index, (token, wanted));
        let (state, members) = (group.value.clone(), group.snapshot(id).members);
        // Unless it is sure that nothing is missing it hears everything once more.
        let wants_all = wanted.contains(Subscription::MEMBERSHIP);
        // What it was told last may have been lost with who told it.
        let mut known = merged.recent.values().map(|past| past.ended.sequence);
        let is_sure = known.next().is_some_and(|oldest| oldest <= last && known.next_back().unwrap_or(oldest) >= last);
        let mut missed = merged.recent.values().filter(|past| past.ended.sequence > last).peekable();
        let notices: Vec<Notice> = if is_sure && (!wants_all || missed.peek().is_none()) {
            missed.filter_map(|past| notice(id, token, wanted, past)).collect()
        } else {
            Vec::from([Notice {
                token,
                group: id,
                sequence: group.sequence,
                view: group.view,
                state: wanted.contains(Subscription::STATE).then_some(state),
                members: Some(members),
                joined: Vec::new(),
                left: Vec::new(),
                extensions: Extensions::NONE,
            }])
        };
        for notice in notices {
            self.send(link, Message::Notice(notice));
        }
    }

    /// The protocol that ran goes on from the last phase that anybody knows of.
    fn resume(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id).filter(|group| group.running.is_some()) else { return };
        group.go(GroupEvent::Begins);
        self.tell_phase(id);
        self.decide(id);
    }

    /// What this coordinator says of itself to others, of its domain or not.
    #[must_use]
    pub fn proclaim(&self) -> Proclaim {
        let nodes: BTreeSet<u32> = self.starts.keys().map(|(node, _)| *node).collect();
        Proclaim {
            domain: self.config.domain,
            epoch: self.config.epoch,
            nodes: u32::try_from(nodes.len()).unwrap_or(u32::MAX),
            lowest_node: nodes.first().copied().unwrap_or(u32::MAX),
            extensions: Extensions::NONE,
        }
    }

    /// Another coordinator is there. Of two domains the larger one stays; of two reigns of one domain the later one.
    pub(super) fn meet(&mut self, other: &Proclaim) {
        let own = self.proclaim();
        if own.domain == other.domain {
            if other.epoch > own.epoch {
                self.end(DissolveReason::FENCED);
            }
            return;
        }
        let rank = |one: &Proclaim| (one.nodes, Reverse(one.lowest_node), Reverse::<DomainId>(one.domain));
        if rank(other) > rank(&own) {
            self.end(DissolveReason::MERGED);
        } else {
            self.event(Event::Outranks(other.domain));
        }
    }
}

/// Where a group has come to, as who knows most of it says.
struct Latest {
    last: ProtocolId,
    recent: Vec<Past>,
}

/// Who was in the latest reign knows best, whatever was told in earlier ones.
fn latest(record: Option<&GroupRecord>, reports: &[(LinkId, Standing)]) -> Option<Latest> {
    let records = record.into_iter().map(|record| (&record.snapshot, &record.recent));
    let members = reports.iter().filter(|(_, report)| !report.snapshot.members.is_empty());
    let members = members.map(|(_, report)| (&report.snapshot, &report.recent));
    let (snapshot, recent) = records.chain(members).max_by_key(|(snapshot, _)| (snapshot.sequence, snapshot.last))?;
    Some(Latest { last: snapshot.last, recent: recent.clone() })
}

impl Latest {
    /// Whether somebody has heard of the same ends, as far as it has heard of them.
    fn has_heard(&self, report: &Standing) -> bool {
        let same = |past: &Past| {
            let mut known = self.recent.iter().filter(|known| known.ended.protocol == past.ended.protocol);
            known.all(|known| known == past)
        };
        report.snapshot.last <= self.last && report.recent.iter().all(same)
    }
}

/// Puts together what is known of a group: of its ends the last, of its phases the highest.
fn merge(record: Option<&GroupRecord>, reports: &[(LinkId, Standing)], base: Sequence) -> Option<Merged> {
    let snapshots = record.map(|record| &record.snapshot).into_iter();
    let snapshots = snapshots
        .chain(reports.iter().filter(|(_, report)| report.provider.is_some()).map(|(_, report)| &report.snapshot));
    let mut snapshot = snapshots.clone().max_by_key(|snapshot| (snapshot.last, snapshot.sequence))?.clone();
    // Whoever knows of more, a subscriber for one: what it is told next is news to it.
    snapshot.sequence = snapshots.map(|snapshot| snapshot.sequence).max().unwrap_or_default().max(base);
    let pasts = record.into_iter().flat_map(|record| &record.recent);
    let pasts = pasts.chain(reports.iter().flat_map(|(_, report)| &report.recent));
    let mut recent: BTreeMap<ProtocolId, Past> = BTreeMap::new();
    for past in pasts.filter(|past| past.ended.protocol <= snapshot.last) {
        let known = recent.entry(past.ended.protocol).or_insert_with(|| past.clone());
        // A record may have an end that was never told, and that came out otherwise in a later reign.
        if known.ended.sequence < past.ended.sequence {
            *known = past.clone();
        }
    }
    // Of what runs the first that nobody knows the end of. What came before it, and nobody knows, has not been.
    let open = reports.iter().filter_map(|(_, report)| report.open.as_ref());
    let open = open.filter(|open| open.protocol > snapshot.last);
    let open = open.max_by_key(|open| (Reverse(open.protocol), open.phase)).cloned();
    if let Some(open) = &open {
        snapshot.last = ProtocolId(open.protocol.0.saturating_sub(1));
    }
    Some(Merged { snapshot, recent, open })
}

/// The group as it goes on.
fn rebuild(merged: &Merged, holders: &[(LinkId, Standing)]) -> Group {
    let Snapshot { sequence, view, attributes, state, members, last, .. } = &merged.snapshot;
    let mut group = Group::new(attributes.clone(), *sequence);
    (group.view, group.value) = (*view, state.clone());
    (group.last_protocol, group.last_ended) = (*last, *last);
    let tokens = holders.iter().filter_map(|(_, report)| Some((report.provider?, report.token)));
    let tokens: BTreeMap<ProviderId, Token> = tokens.collect();
    let token = |provider: ProviderId| tokens.get(&provider).copied();
    for provider in members {
        let failed = token(*provider).is_none().then_some(LeaveReason::PROVIDER_FAILURE);
        group.members.push(Member {
            provider: *provider,
            token: token(*provider).unwrap_or(NOBODY),
            failed,
            acknowledged: Sequence(0),
        });
    }
    if let Some(open) = &merged.open {
        for provider in &open.proposal.joining {
            let joiner = Joiner {
                provider: *provider,
                token: token(*provider).unwrap_or(NOBODY),
                request: RequestId(0),
                attributes: Box::new(attributes.clone()),
                failed: token(*provider).is_none().then_some(LeaveReason::PROVIDER_FAILURE),
            };
            group.admitted.push(joiner);
        }
        group.running = Some(reopen(&group, open, holders));
        // The next one has another number.
        group.last_protocol = open.protocol;
    }
    // Those that wait to join, and have not been turned down without knowing it.
    for (_, report) in holders {
        let Some(provider) = report.provider else { continue };
        let was_in = report.snapshot.members.contains(&provider);
        let was_decided = merged.recent.values().any(|past| past.ended.proposal.joining.contains(&provider));
        if !was_in && !was_decided && !group.providers().any(|other| other == provider) {
            let (token, request) = (report.token, RequestId(0));
            let attributes = Box::new(report.snapshot.attributes.clone());
            group.joining.push_back(Joiner { provider, token, request, attributes, failed: None });
        }
    }
    let goes = |provider: ProviderId| {
        group.running.as_ref().is_some_and(|running| {
            running.kind.is_certain() && running.proposal.leaving.iter().any(|leave| leave.provider == provider)
        })
    };
    let reason = LeaveReason::PROVIDER_FAILURE;
    let failed = group.members.iter().filter(|member| member.failed.is_some() && !goes(member.provider));
    group.failed = failed.map(|member| Leave { provider: member.provider, reason, code: 0 }).collect();
    group
}

/// The protocol that ran, with the votes of its phase that are known.
fn reopen(group: &Group, open: &Open, holders: &[(LinkId, Standing)]) -> Running {
    let mut voters = group.voters(open.kind, &open.proposal);
    let standings = holders.iter().filter_map(|(_, report)| Some((report.provider?, report)));
    let standings: BTreeMap<ProviderId, &Standing> = standings.collect();
    for voter in &mut voters {
        let known = standings.get(&voter.provider).and_then(|report| report.open.as_ref());
        let known = known.filter(|known| (known.protocol, known.phase) == (open.protocol, open.phase));
        voter.ballot = known.and_then(|known| known.vote.clone());
    }
    let dead = group.members.iter().filter(|member| member.failed.is_some()).map(|member| member.provider).collect();
    let mut running = Running {
        protocol: open.protocol,
        kind: open.kind,
        phase: open.phase.saturating_sub(1),
        phases: Phases::N,
        time_limit: open.time_limit,
        proposal: open.proposal.clone(),
        voters: Vec::new(),
        waiting: BTreeMap::new(),
        rejected: false,
        default_vote: open.default_vote,
        summary: open.summary,
        deadline: None,
        verdict: None,
        late: BTreeSet::new(),
        deactivating: BTreeSet::new(),
        dead,
    };
    running.next_phase();
    running.voters = voters;
    running.await_votes();
    running
}

/// What a subscriber is told of an end that it has missed.
fn notice(group: GroupId, token: Token, wanted: Subscription, past: &Past) -> Option<Notice> {
    let proposal = &past.ended.proposal;
    let joined =
        if past.approved && wanted.contains(Subscription::DELTA_JOINS) { proposal.joining.clone() } else { Vec::new() };
    let gone = (past.approved || past.ended.kind.is_certain()) && wanted.contains(Subscription::DELTA_LEAVES);
    let left = if gone { proposal.leaving.clone() } else { Vec::new() };
    let state = proposal.state.clone().filter(|_| past.approved && wanted.contains(Subscription::STATE));
    if joined.is_empty() && left.is_empty() && state.is_none() {
        return None;
    }
    let (sequence, view) = (past.ended.sequence, past.ended.view);
    Some(Notice { token, group, sequence, view, state, members: None, joined, left, extensions: Extensions::NONE })
}
