//! `Arbitrary` by the same generators.

use crate::group::message::{
    Accepted, Acknowledge, Announcement, Ballot, Deactivated, DelayedError, Dissolved, Ended, Enter, Entry, Fenced,
    Grant, GroupRecord, Join, Message, Notice, Open, Outcome, Past, Phase, Ping, Plain, Proclaim, Propose, Query,
    Redirect, Reign, Replicate, Replicated, Report, Signal, Snapshot, Standing, Subscribe, View, Vote, Welcome,
};
use crate::group::proposal::{Expulsion, Leave, Proposal, Voting, Wish};
use crate::group::{
    Announcement as AnnouncementFlags, Attributes, BatchControl, CoordinatorId, DissolveReason, DomainId, Epoch,
    ErrorCode, GroupId, GroupName, LeaveReason, MergeControl, MessageKind, Phases, ProtocolId, ProtocolKind,
    ProviderId, ProviderMessage, RequestId, Sequence, StateValue, Subscription, Summary, Token, ViewId,
    Vote as VoteValue,
};
use crate::testing::Choices;
use arbitrary::{Arbitrary, Result, Unstructured};

macro_rules! arbitrary {
    ($($type:ty: $generate:path;)+) => {$(
        #[cfg_attr(docsrs, doc(cfg(feature = "arbitrary")))]
        impl<'a> Arbitrary<'a> for $type {
            fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
                Choices::lend(u, $generate)
            }
        }
    )+};
}

arbitrary! {
    DomainId: super::domain_id;
    Epoch: super::epoch;
    CoordinatorId: super::coordinator_id;
    GroupId: super::group_id;
    ProtocolId: super::protocol_id;
    RequestId: super::request_id;
    Sequence: super::sequence;
    ViewId: super::view_id;
    Token: super::token;
    ProviderId: super::provider_id;
    GroupName: super::group_name;
    StateValue: super::state_value;
    ProviderMessage: super::provider_message;
    MessageKind: super::message_kind;
    ProtocolKind: super::protocol_kind;
    Phases: super::phases;
    VoteValue: super::vote_value;
    MergeControl: super::merge_control;
    ErrorCode: super::error_code;
    LeaveReason: super::leave_reason;
    DissolveReason: super::dissolve_reason;
    BatchControl: super::batch_control;
    Summary: super::summary;
    AnnouncementFlags: super::announcement_flags;
    Subscription: super::subscription;
    Attributes: super::attributes;
    Leave: super::leave;
    Expulsion: super::expulsion;
    Proposal: super::proposal;
    Voting: super::voting;
    Wish: super::wish;
    Ballot: super::ballot;
    Open: super::open;
    Outcome: super::outcome;
    Past: super::past;
    Snapshot: super::snapshot;
    Standing: super::standing;
    Entry: super::entry;
    GroupRecord: super::group_record;
    Enter: super::enter;
    Join: super::join;
    Subscribe: super::subscribe;
    Signal: super::signal;
    Plain: super::plain;
    Propose: super::propose;
    Vote: super::vote;
    Deactivated: super::deactivated;
    Ping: super::ping;
    Acknowledge: super::acknowledge;
    Report: super::report;
    Welcome: super::welcome;
    Accepted: super::accepted;
    DelayedError: super::delayed_error;
    Phase: super::phase;
    Ended: super::ended;
    Announcement: super::announcement;
    Notice: super::notice;
    Dissolved: super::dissolved;
    Redirect: super::redirect;
    View: super::view;
    Replicate: super::replicate;
    Replicated: super::replicated;
    Query: super::query;
    Grant: super::grant;
    Reign: super::reign;
    Fenced: super::fenced;
    Proclaim: super::proclaim;
    Message: super::message;
}
