//! The Replication Manager's room against real sites of Berkeley DB 5.3.
//!
//! A missing library skips the tests with a line on standard error; with `HANDOVER_REQUIRE_PEERS=1` it fails them. All
//! traffic stays on 127.0.0.1.

#[path = "interop_libdb/real_sites.rs"]
mod real_sites;
mod support;
