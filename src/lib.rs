//! Sans-IO wire codecs and state machines that move a live client from one server to another.
//!
//! No sockets, no clock, no threads, no async and no randomness of its own: bytes, time and random
//! numbers come in as arguments; bytes and effects come out. Any runtime can drive it, any fuzzer can
//! feed it, any model checker can explore it.
//!
//! | room | what is in it |
//! |---|---|
//! | [`time`] | the crate's own [`Instant`](time::Instant), in microseconds |
//! | [`error`] | what can go wrong, and who is to blame |
//! | [`limits`] | every bound, with its default and the reason for it |
//! | [`machine`] | the [`Machine`](machine::Machine) trait, its contract, the transition-table macro |
//! | [`wire`] | [`Encode`](wire::Encode), [`StreamDecode`](wire::StreamDecode), [`Framer`](wire::Framer) |
//! | [`frame`] | the native frame: header, hello, close, extensions |
//! | [`deferral`] | redirect and deferral: a busy server sends its clients on, and the walk always ends; `Client`, `Server` |
//! | [`spice`] | SPICE client migration: codec, connections, `Source`, `Target`, `Client` |
//! | [`tds5`] | Open Server connection migration on TDS 5.0: codec, connections, `Server`, `Target`, `Client` |
//! | [`repmgr`] | Berkeley DB message channels on the Replication Manager's wire: codec, `Connection`, `Channel`, `Dispatcher` |
//! | [`group`] | Group Services: joins and votes in phases; `Coordinator`, `Provider`, `Subscriber`, `Process`, `Replica` |
//! | `testing` | (features `arbitrary`, `proptest`) values, strategies, the contract suite, the simulator |
//!
//! Every protocol's room is furnished alike: messages, then the connection (bytes to messages of one
//! link), then one machine a role. Dependencies point one way: role, connection, message, wire.

#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(unreachable_pub)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod deferral;
pub mod error;
pub mod frame;
pub mod group;
mod hold;
pub mod limits;
pub mod machine;
mod random;
pub mod repmgr;
pub mod spice;
pub mod tds5;
#[cfg(any(feature = "arbitrary", feature = "proptest"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "arbitrary", feature = "proptest"))))]
pub mod testing;
pub mod time;
pub mod wire;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
