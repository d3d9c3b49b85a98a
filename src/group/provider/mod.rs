//! A provider of a group (spec/group.md 4).

mod handle;
mod table;
#[cfg(test)]
mod tests;
mod types;

pub use table::{Event as TableEvent, State, TABLE, step};
pub use types::{Config, Departure, Event, Input, Output};

use super::attributes::Attributes;
use super::ids::Subscription;
use super::message::{Join, Message, Open, Past, Snapshot, Standing};
use super::name::{GroupId, ProtocolId, ProviderId, RequestId, Sequence, StateValue, Token, ViewId};
use crate::frame::Extensions;
use crate::limits::GroupLimits;
use crate::machine::Outbox;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// A provider of a group, from its request to its departure: what it is told, what it may say, and what it knows.
///
/// ```
/// use handover::frame::Extensions;
/// use handover::group::message::{Accepted, Ballot, Message, Open, Phase};
/// use handover::group::proposal::Proposal;
/// use handover::group::provider::{Config, Event, Input, Output, Provider};
/// use handover::group::{
///     Attributes, GroupId, GroupName, ProtocolId, ProtocolKind, ProviderId, RequestId, Sequence, Summary, Token, Vote,
/// };
/// use handover::machine::Machine;
/// use handover::time::Instant;
///
/// let (now, extensions) = (Instant::ZERO, Extensions::NONE);
/// let provider = ProviderId { node: 1, instance: 0, incarnation: 1 };
/// let attributes = Attributes::new(GroupName::new("fleet").unwrap());
/// let config = Config { attributes, provider, local_name: "here".into() };
/// let mut provider = Provider::new(config, RequestId(1), now);
/// assert!(matches!(provider.poll_output(), Some(Output::Send(Message::Join(_)))));
/// let (token, group) = (Token { index: 0, generation: 1 }, GroupId(1));
/// let accepted = Accepted { request: RequestId(1), token, group, extensions: extensions.clone() };
/// provider.handle(now, Input::Message(Message::Accepted(accepted)))?;
/// // Accepted is not joined.
/// assert_eq!(provider.poll_output(), Some(Output::Event(Event::Accepted(token))));
///
/// let joining = vec![provider.id()];
/// let open = Open {
///     protocol: ProtocolId(1),
///     kind: ProtocolKind::JOIN,
///     phase: 1,
///     time_limit: 0,
///     default_vote: Vote::APPROVE,
///     summary: Summary::empty(),
///     proposal: Box::new(Proposal { joining, ..Proposal::default() }),
///     vote: None,
/// };
/// let phase = Phase { token, group, sequence: Sequence(1), open, extensions };
/// provider.handle(now, Input::Message(Message::Phase(phase)))?;
/// let Some(Output::Event(Event::Phase(open))) = provider.poll_output() else { panic!() };
/// let ballot = Ballot { vote: Vote::APPROVE, default_vote: None, state: None, message: None };
/// provider.handle(now, Input::Vote { protocol: open.protocol, phase: open.phase, ballot })?;
/// assert!(matches!(provider.poll_output(), Some(Output::Send(Message::Vote(_)))));
/// # Ok::<(), handover::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "ha_gs_join")]
pub struct Provider {
    config: Config,
    request: RequestId,
    state: State,
    now: Instant,
    token: Option<Token>,
    known: Known,
    /// The protocol that runs.
    open: Option<Open>,
    /// The protocols that have ended last, for a coordinator that takes over.
    recent: VecDeque<Past>,
    /// Requests that were not answered, and have not begun.
    proposed: VecDeque<RequestId>,
    /// The last protocol that it has proposed and that has begun.
    begun: ProtocolId,
    /// How many of its requests went to the coordinator before this one.
    doubtful: usize,
    /// Something was missed, and the whole is awaited.
    missed: bool,
    /// The same, from a coordinator that has taken over.
    reentered: bool,
    /// Whether it is to say that it has deactivated itself.
    deactivating: bool,
    deadline: Option<Instant>,
    outbox: Outbox<Output>,
}

/// What it knows of the group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Known {
    group: GroupId,
    sequence: Sequence,
    view: ViewId,
    attributes: Attributes,
    state: StateValue,
    members: Vec<ProviderId>,
    last: ProtocolId,
}

impl Provider {
    /// Asks to join. `request` is a number that no other request of the process has.
    #[must_use]
    pub fn new(config: Config, request: RequestId, now: Instant) -> Self {
        let attributes = config.attributes.clone();
        let join = Join {
            request,
            instance: config.provider.instance,
            attributes: attributes.clone(),
            extensions: Extensions::NONE,
        };
        let mut outbox = Outbox::new();
        outbox.push(Output::Send(Message::Join(Box::new(join))));
        let known = Known {
            group: GroupId(0),
            sequence: Sequence(0),
            view: ViewId(0),
            attributes,
            state: StateValue::default(),
            members: Vec::new(),
            last: ProtocolId(0),
        };
        Self {
            config,
            request,
            state: State::Requested,
            now,
            token: None,
            known,
            open: None,
            recent: VecDeque::new(),
            proposed: VecDeque::new(),
            begun: ProtocolId(0),
            doubtful: 0,
            missed: false,
            reentered: false,
            deactivating: false,
            deadline: None,
            outbox,
        }
    }

    /// Its number for the coordinator, once it has one.
    #[must_use]
    pub const fn token(&self) -> Option<Token> {
        self.token
    }

    /// Who it is, for its group.
    #[must_use]
    pub const fn id(&self) -> ProviderId {
        self.config.provider
    }

    /// The number of its request to join.
    #[must_use]
    pub const fn request(&self) -> RequestId {
        self.request
    }

    /// Who is in the group, in the order in which they have joined.
    #[must_use]
    pub fn members(&self) -> &[ProviderId] {
        &self.known.members
    }

    /// Which membership that is.
    #[must_use]
    pub const fn view(&self) -> ViewId {
        self.known.view
    }

    /// What the group agrees on.
    #[must_use]
    pub const fn value(&self) -> &StateValue {
        &self.known.state
    }

    /// What the group is like.
    #[must_use]
    pub const fn attributes(&self) -> &Attributes {
        &self.known.attributes
    }

    /// Where the group stands, as far as it was told.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.known.sequence
    }

    /// The protocol that runs, as far as it was told.
    #[must_use]
    pub const fn open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    /// What it tells another coordinator; `None` before it has a token, or after.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        let token = self.token.filter(|_| self.state != State::Gone)?;
        let Known { group, sequence, view, attributes, state, members, last } = self.known.clone();
        let snapshot = Snapshot { group, sequence, view, attributes, state, members, last };
        let provider = Some(self.config.provider);
        let (recent, open) = (self.recent.iter().cloned().collect(), self.open.clone());
        let subscription = Subscription::empty();
        Some(Standing { token, provider, subscription, snapshot, recent, open })
    }

    const fn limit() -> usize {
        GroupLimits::DEFAULT.outputs
    }
}
