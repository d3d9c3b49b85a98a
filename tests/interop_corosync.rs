//! Group Services beside corosync's closed process groups: the same script of joins, leaves, messages and deaths in both,
//! and what each member is told of it. What differs by design is asserted too, and written down in spec/group.md 10.
//!
//! A real corosync runs as one node on 127.0.0.1; its members are processes of a small C program. Where corosync or its
//! header is missing the tests are skipped with a line on standard error; with `HANDOVER_REQUIRE_PEERS=1` they fail.
// Names of sockets without files, namespaces and /proc are Linux's.
#![cfg(target_os = "linux")]

#[path = "interop_corosync/differs.rs"]
mod differs;
#[path = "interop_corosync/ours.rs"]
mod ours;
#[path = "interop_corosync/peer.rs"]
mod peer;
#[path = "interop_corosync/real.rs"]
mod real;
#[path = "interop_corosync/same.rs"]
mod same;
#[path = "interop_corosync/script.rs"]
mod script;
mod support;
