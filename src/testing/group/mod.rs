//! Any message of the group protocol, bytes that a peer could send and we would not, and oracles of the codec.
//!
//! | function | gives |
//! |---|---|
//! | [`message`] | any message that the API can build and the wire can carry |
//! | [`enter`], [`join`], [`subscribe`], [`signal`], [`plain`], [`propose`], [`vote`](fn@vote), [`deactivated`], [`ping`], [`acknowledge`], [`report`] | one that a process sends |
//! | [`welcome`], [`accepted`], [`delayed_error`], [`phase`](fn@phase), [`ended`], [`announcement`], [`notice`], [`dissolved`], [`redirect`], [`view`](fn@view) | one that a coordinator sends |
//! | [`replicate`], [`replicated`], [`query`], [`grant`], [`reign`], [`fenced`], [`proclaim`] | one that coordinators send to each other |
//! | [`attributes`], [`sound_attributes`], [`proposal`], [`wish`], [`voting`], [`leave`], [`expulsion`], [`ballot`], [`open`], [`outcome`], [`past`], [`snapshot`], [`standing`], [`entry`], [`group_record`] | what is in them |
//! | [`group_name`], [`state_value`], [`provider_message`], [`provider_id`], [`token`] | names and values |
//! | [`odd_message`] | a message as a peer could lay it out |
//! | [`stream`] | frames in a row, some of them damaged |
//!
//! | oracle | what the bytes are |
//! |---|---|
//! | [`run_messages`] | one message or one direction of a link, of anybody |
//! | [`run_roundtrip`] | decisions of the generators: a message through its bytes and back |
//!
//! [`reference`](mod@reference) reads the same bytes out of a table of layouts: the oracles compare. With the `proptest`
//! feature each generator is a strategy in `strategies`; with the `arbitrary` feature the types themselves are
//! `Arbitrary`.

#[cfg(feature = "arbitrary")]
mod arbitrary;
pub mod layout;
mod messages;
mod odd;
mod oracles;
mod parts;
pub mod reference;
#[cfg(feature = "proptest")]
#[cfg_attr(docsrs, doc(cfg(feature = "proptest")))]
pub mod strategies;
mod values;

pub use messages::{
    accepted, acknowledge, announcement, deactivated, delayed_error, dissolved, ended, enter, fenced, grant, join,
    message, notice, phase, ping, plain, proclaim, propose, query, redirect, reign, replicate, replicated, report,
    signal, subscribe, unknown, view, vote, welcome,
};
pub use odd::{odd_message, stream};
pub use oracles::{check_message, run_messages, run_roundtrip};
pub use values::{
    announcement_flags, attributes, ballot, batch_control, coordinator_id, dissolve_reason, domain_id, entry, epoch,
    error_code, expulsion, group_id, group_name, group_record, leave, leave_reason, merge_control, message_kind, open,
    outcome, past, phases, proposal, protocol_id, protocol_kind, provider_id, provider_message, request_id, sequence,
    snapshot, sound_attributes, standing, state_value, subscription, summary, token, view_id, vote_value, voting, wish,
};
