//! Who is in which group, and what is voted on there (spec/group.md 5).

mod clients;
mod groups;
mod handle;
mod protocols;
mod requests;
mod table;
mod tokens;
mod types;
mod votes;

pub(in crate::group) use protocols::membership_digest;
pub use table::{group, reign};
pub use types::{Config, Credentials, Event, Input, Output};

use super::attributes::Attributes;
use super::ids::{LeaveReason, Subscription};
use super::name::{GroupId, GroupName, ProtocolId, ProviderId, Sequence, StateValue, Token, ViewId};
use super::proposal::Leave;
use crate::machine::{LinkId, Outbox};
use crate::time::Instant;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;
use tokens::Tokens;
use votes::Running;

/// The coordinator of a domain: it knows every process and every group in it, and runs their protocols, one at a time in
/// each group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinator {
    config: Config,
    state: reign::State,
    now: Instant,
    clients: BTreeMap<LinkId, Process>,
    /// The highest incarnation of each machine that has failed: it does not come back.
    gone: BTreeMap<u32, u64>,
    tokens: Tokens,
    groups: BTreeMap<GroupId, Group>,
    names: BTreeMap<GroupName, GroupId>,
    /// The groups that have a group as their source.
    targets: BTreeMap<GroupName, BTreeSet<GroupId>>,
    last_group: u64,
    deadlines: BTreeSet<(Instant, Due)>,
    /// Groups in which a protocol may begin.
    ready: BTreeSet<GroupId>,
    outbox: Outbox<Output>,
}

/// What a deadline is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Due {
    /// A phase.
    Phase(GroupId),
    /// A process is to be asked whether it is there.
    Ping(LinkId),
    /// Its answer.
    Pong(LinkId),
    /// Those from before this reign.
    Recover,
}

/// A process with a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Process {
    node: u32,
    incarnation: u64,
    /// Whether the application has let it in.
    entered: bool,
    tokens: BTreeSet<u32>,
    ping_interval: Duration,
    pong_limit: Duration,
    /// The number that it is to say.
    nonce: u64,
    /// Whether it does not answer, which was announced.
    silent: bool,
    deadline: Option<(Instant, Due)>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Group {
    attributes: Attributes,
    state: group::State,
    value: StateValue,
    /// In the order in which they have joined.
    members: Vec<Member>,
    view: ViewId,
    sequence: Sequence,
    last_protocol: ProtocolId,
    running: Option<Running>,
    failed: VecDeque<Leave>,
    cast_out: VecDeque<Leave>,
    joining: VecDeque<Joiner>,
    /// Those whose join is voted on now.
    admitted: Vec<Joiner>,
    /// The newest state value of the source group that was not reflected yet.
    reflection: Option<StateValue>,
    subscribers: BTreeMap<u32, (Token, Subscription)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Member {
    provider: ProviderId,
    token: Token,
    /// Why it goes, once it has failed.
    failed: Option<LeaveReason>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Joiner {
    provider: ProviderId,
    token: Token,
    /// Whether its process is gone.
    failed: bool,
}

impl Coordinator {
    /// A coordinator without processes.
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        let mut deadlines = BTreeSet::new();
        let state = match config.recover {
            Some(time) => {
                deadlines.insert((now.saturating_add(time), Due::Recover));
                reign::State::Recovering
            }
            None => reign::State::Leading,
        };
        Self {
            config,
            state,
            now,
            clients: BTreeMap::new(),
            gone: BTreeMap::new(),
            tokens: Tokens::default(),
            groups: BTreeMap::new(),
            names: BTreeMap::new(),
            targets: BTreeMap::new(),
            last_group: 0,
            deadlines,
            ready: BTreeSet::new(),
            outbox: Outbox::new(),
        }
    }

    /// How many groups there are.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Who is in a group, in the order in which they have joined; `None` if there is no such group.
    #[must_use]
    pub fn members(&self, name: &GroupName) -> Option<Vec<ProviderId>> {
        let group = self.groups.get(self.names.get(name)?)?;
        Some(group.members.iter().map(|member| member.provider).collect())
    }

    /// Whose votes a group waits for: without a time limit nothing goes on before they come, or have failed.
    #[must_use]
    pub fn blocked_on(&self, name: &GroupName) -> Vec<ProviderId> {
        let group = self.names.get(name).and_then(|id| self.groups.get(id));
        group.and_then(|group| group.running.as_ref()).map(|running| running.awaited().collect()).unwrap_or_default()
    }
}
