//! The Replication Manager's machines on trial: operation lists, reference models, and whole sites over bytes.
//!
//! | oracle | what it runs |
//! |---|---|
//! | [`run_connection`], [`run_channel`], [`run_dispatcher`] | one machine on a list of operations, beside a reference model |
//! | [`run_sites`] | three sites over links that are cut, congested, delayed and broken |
//!
//! Each takes bytes, which are its decisions, and panics with a readable list of what was done. The operations are
//! legal and illegal alike: an answer comes twice or to nothing, a link is ready that nobody has dialled, a site that
//! has gone is answered.
//!
//! A reference model is a second description of a machine, from spec/repmgr.md 6 and the properties P6 to P22, by whose
//! names its complaints begin. That of a connection is the table of 6.1; that of a channel keeps everything that was
//! accepted in one list, each with its place, and finds state, deadline and counts out of it anew each time; that of a
//! dispatcher does the same with what has come. They say beforehand whether an input is fine, misuse or a violation,
//! and what must follow, in which order.

mod channel;
mod connection;
mod dispatcher;
mod sites;
mod words;

pub use channel::{ChannelModel, ChannelOp, ChannelSubject};
pub use connection::{ConnectionModel, ConnectionOp, ConnectionSubject};
pub use dispatcher::{DispatcherModel, DispatcherOp, DispatcherSubject};
pub use sites::{Counts, Sites, SitesOp, run_sites};

use super::trial;

/// One [`Connection`](crate::repmgr::connection::Connection) on the operations that `bytes` stand for, beside its
/// model.
///
/// # Panics
/// The machine and the model disagree, or a property (P6, P7, P16, P19) does not hold.
pub fn run_connection(bytes: &[u8]) {
    trial::run::<ConnectionSubject>(bytes);
}

/// One [`Channel`](crate::repmgr::channel::Channel) on the operations that `bytes` stand for, beside its model.
///
/// # Panics
/// The machine and the model disagree, or a property (P9, P11, P15, P17, P18, P21) does not hold.
pub fn run_channel(bytes: &[u8]) {
    trial::run::<ChannelSubject>(bytes);
}

/// One [`Dispatcher`](crate::repmgr::dispatcher::Dispatcher) on the operations that `bytes` stand for, beside its
/// model.
///
/// # Panics
/// The machine and the model disagree, or a property (P10, P13, P14, P17, P20) does not hold.
pub fn run_dispatcher(bytes: &[u8]) {
    trial::run::<DispatcherSubject>(bytes);
}
