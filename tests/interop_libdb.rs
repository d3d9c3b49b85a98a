//! The Replication Manager's room against real sites of Berkeley DB 5.3: our channels to them, theirs to us, more than
//! either takes, and masters that change. The sockets, threads and clock are those of the example `channels`.
//!
//! A missing library skips the tests with a line on standard error; with `HANDOVER_REQUIRE_PEERS=1` it fails them. All
//! traffic stays on 127.0.0.1.

#[path = "../examples/channels/driver.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod driver;
#[path = "interop_libdb/floods.rs"]
mod floods;
#[path = "interop_spice/log.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod log;
#[path = "interop_libdb/masters.rs"]
mod masters;
#[path = "interop_libdb/ours.rs"]
mod ours;
#[path = "interop_libdb/real_sites.rs"]
mod real_sites;
#[path = "interop_libdb/strangers.rs"]
mod strangers;
mod support;
#[path = "interop_libdb/they_ask.rs"]
mod they_ask;
#[path = "interop_libdb/we_ask.rs"]
mod we_ask;
