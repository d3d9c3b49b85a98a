//! Who is in which group, and what is voted on there (spec/group.md 5).

mod clients;
mod gone;
mod groups;
mod handle;
mod protocols;
mod recovery;
mod requests;
mod table;
#[cfg(test)]
mod tests;
mod tokens;
mod types;
mod votes;

pub(in crate::group) use protocols::membership_digest;
pub use table::{group, reign};
pub use types::{Config, Credentials, Durability, Event, Input, Output};

use super::attributes::Attributes;
use super::ids::{Announcement as Flags, LeaveReason, Subscription};
use super::message::GroupRecord;
use super::name::{Epoch, GroupId, GroupName, ProtocolId, ProviderId, RequestId, Sequence, StateValue, Token, ViewId};
use super::proposal::Leave;
use crate::machine::{LinkId, Outbox};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;
use gone::Gone;
use recovery::Recovery;
use tokens::Tokens;
use votes::Running;

/// The coordinator of a domain: it knows every process and every group in it, and runs their protocols, one at a time in
/// each group.
///
/// A request that is accepted is not carried out yet: first comes the group's protocol.
///
/// ```
/// use handover::frame::Extensions;
/// use handover::group::coordinator::{Config, Coordinator, Event, Input, Output};
/// use handover::group::message::{Enter, Join, Message};
/// use handover::group::{Attributes, DomainId, Epoch, GroupName, RequestId};
/// use handover::machine::{LinkId, Machine};
/// use handover::time::Instant;
///
/// let (now, link) = (Instant::ZERO, LinkId(1));
/// let mut coordinator = Coordinator::new(Config::new(DomainId(7), Epoch(1 << 16)), now);
/// let message = Message::Enter(Box::new(Enter {
///     node: 1,
///     incarnation: 1,
///     epoch: Epoch(0),
///     ping_interval_ms: 0,
///     pong_limit_ms: 0,
///     reports: 0,
///     credentials: bytes::Bytes::from_static(b"a certificate"),
///     extensions: Extensions::NONE,
/// }));
/// coordinator.handle(now, Input::Message { link, message })?;
/// let Some(Output::Event(Event::Entering { credentials, .. })) = coordinator.poll_output() else { panic!() };
/// coordinator.handle(now, Input::Admit { link, allowed: credentials.0 == "a certificate" })?;
/// assert!(matches!(coordinator.poll_output(), Some(Output::Send { message: Message::Welcome(_), .. })));
///
/// let (request, attributes) = (RequestId(1), Attributes::new(GroupName::new("fleet").unwrap()));
/// let message = Message::Join(Box::new(Join { request, instance: 0, attributes, extensions: Extensions::NONE }));
/// coordinator.handle(now, Input::Message { link, message })?;
/// let mut told = std::iter::from_fn(|| coordinator.poll_output()).filter_map(|output| match output {
///     Output::Send { message, .. } => Some(message),
///     _ => None,
/// });
/// assert!(matches!(told.next(), Some(Message::Accepted(_))));
/// // Nobody else is there to vote.
/// assert!(matches!(told.next(), Some(Message::Approved(_))));
/// # Ok::<(), handover::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinator {
    config: Config,
    state: reign::State,
    now: Instant,
    clients: BTreeMap<LinkId, Process>,
    /// The same, by node and incarnation.
    starts: BTreeMap<(u32, u64), LinkId>,
    gone: Gone,
    /// Links that were closed here, and are not over yet: what still comes on them is nobody's fault.
    shut: BTreeSet<LinkId>,
    tokens: Tokens,
    groups: BTreeMap<GroupId, Group>,
    names: BTreeMap<GroupName, GroupId>,
    /// The groups that have a group as their source.
    targets: BTreeMap<GroupName, BTreeSet<GroupId>>,
    last_group: u64,
    deadlines: BTreeSet<(Instant, Due)>,
    /// Groups in which a protocol may begin.
    ready: BTreeSet<GroupId>,
    /// The groups whose outcomes are being kept.
    keeping: BTreeMap<u64, GroupId>,
    last_entry: u64,
    /// What is known of the reign before this one, until it is over.
    recovery: Option<Box<Recovery>>,
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
    /// The highest reign that it knows of.
    epoch: Epoch,
    /// Whether the application has let it in.
    admitted: bool,
    /// Whether it was told so.
    entered: bool,
    /// How many tokens it has from before this reign.
    reports: u32,
    /// Whether it has said all that it knows of them.
    reported: bool,
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
    last_ended: ProtocolId,
    /// What is to be announced after the outcome that is being kept.
    announcements: Vec<(Flags, Vec<ProviderId>)>,
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
    /// What it has taken.
    acknowledged: Sequence,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Joiner {
    provider: ProviderId,
    token: Token,
    /// The number of its request; 0 if that was another reign's.
    request: RequestId,
    /// What it wants the group to be like.
    attributes: Box<Attributes>,
    /// Why it goes, once it has failed.
    failed: Option<LeaveReason>,
}

impl Coordinator {
    /// The first coordinator of a domain, without processes.
    #[must_use]
    pub const fn new(config: Config, now: Instant) -> Self {
        let last_group = GroupId::before(config.epoch).0;
        Self {
            config,
            state: reign::State::Leading,
            now,
            clients: BTreeMap::new(),
            starts: BTreeMap::new(),
            gone: Gone::new(),
            shut: BTreeSet::new(),
            tokens: Tokens::new(),
            groups: BTreeMap::new(),
            names: BTreeMap::new(),
            targets: BTreeMap::new(),
            last_group,
            deadlines: BTreeSet::new(),
            ready: BTreeSet::new(),
            keeping: BTreeMap::new(),
            last_entry: 0,
            recovery: None,
            outbox: Outbox::new(),
        }
    }

    /// One that takes over (spec/group.md 6): for `grace` it hears those who were in the domain before its reign, and then
    /// goes on from what they and `records` know. Who has not come by then has failed.
    #[must_use]
    pub fn take_over(config: Config, records: Vec<GroupRecord>, grace: Duration, now: Instant) -> Self {
        let mut coordinator = Self::new(config, now);
        coordinator.state = reign::State::Recovering;
        coordinator.deadlines.insert((now.saturating_add(grace), Due::Recover));
        coordinator.recovery = Some(Box::new(Recovery::new(records)));
        coordinator
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

    /// Up to where all providers of a group that are there have taken what it was told; `None` if there is no such group.
    #[must_use]
    pub fn stable(&self, name: &GroupName) -> Option<Sequence> {
        let group = self.groups.get(self.names.get(name)?)?;
        group.members.iter().filter(|member| member.failed.is_none()).map(|member| member.acknowledged).min()
    }

    /// Whose votes a group waits for: without a time limit nothing goes on before they come, or have failed.
    #[must_use]
    pub fn blocked_on(&self, name: &GroupName) -> Vec<ProviderId> {
        let group = self.names.get(name).and_then(|id| self.groups.get(id));
        group.and_then(|group| group.running.as_ref()).map(|running| running.awaited().collect()).unwrap_or_default()
    }
}
