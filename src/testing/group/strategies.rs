//! The generators as proptest strategies.

use crate::group::message::{Ended, Enter, Join, Message, Phase, Propose, Report, Snapshot, Standing, Vote};
use crate::group::proposal::{Proposal, Wish};
use crate::group::{Attributes, GroupName, ProviderId, ProviderMessage, StateValue, Token};
use crate::testing::{Choices, strategy};
use proptest::strategy::Strategy;
use std::vec::Vec;

/// Most bytes that one value is decided by.
const DECISIONS: usize = 600;

macro_rules! strategies {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)+) => {$(
        $(#[$doc])*
        pub fn $name() -> impl Strategy<Value = $type> {
            strategy(DECISIONS, super::$name)
        }
    )+};
}

strategies! {
    /// Any message.
    message: Message;
    /// A process enters.
    enter: Enter;
    /// A process wants to be a provider.
    join: Join;
    /// A provider proposes something.
    propose: Propose;
    /// A provider votes.
    vote: Vote;
    /// That a process knows something of a group, or nothing.
    report: Report;
    /// A phase begins.
    phase: Phase;
    /// A protocol has ended.
    ended: Ended;
    /// What a process knows of a group.
    standing: Standing;
    /// A group.
    snapshot: Snapshot;
    /// What a protocol is about.
    proposal: Proposal;
    /// What a provider proposes.
    wish: Wish;
    /// Any attributes.
    attributes: Attributes;
    /// Attributes that make sense.
    sound_attributes: Attributes;
    /// A name.
    group_name: GroupName;
    /// A state value.
    state_value: StateValue;
    /// A message of a provider.
    provider_message: ProviderMessage;
    /// A provider.
    provider_id: ProviderId;
    /// A token.
    token: Token;
    /// The kind and body of a message as a peer could lay it out.
    odd_message: (u8, Vec<u8>);
}

/// Messages in a row.
pub fn messages() -> impl Strategy<Value = Vec<Message>> {
    strategy(2 * DECISIONS, |choices: &mut Choices<'_>| {
        let count = choices.below(8);
        (0..count).map(|_| super::message(choices)).collect()
    })
}
