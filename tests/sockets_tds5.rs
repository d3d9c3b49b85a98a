//! The TDS 5.0 endpoints over real sockets on this machine: a client that is moved between servers in every way that
//! spec/tds5.md 4 and 6 know, with commands under way. The sockets, threads and clock are those of the example
//! `live_migration`; no outside program is needed.
//!
//! What each test asserts besides its own matter: every row comes once and in order, from whichever server; every
//! command has one final DONE (M9); every command reaches one server, once, in order (M10).

#[path = "sockets_tds5/batches.rs"]
mod batches;
#[path = "sockets_tds5/cancels.rs"]
mod cancels;
#[path = "sockets_tds5/client_party.rs"]
mod client_party;
#[path = "sockets_tds5/commands.rs"]
mod commands;
#[path = "../examples/live_migration/driver.rs"]
#[allow(dead_code, reason = "nothing is paused here")]
mod driver;
#[path = "sockets_tds5/failures.rs"]
mod failures;
#[path = "interop_spice/log.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod log;
#[path = "sockets_tds5/moves.rs"]
mod moves;
#[path = "sockets_tds5/server.rs"]
mod server;
#[path = "sockets_tds5/server_party.rs"]
mod server_party;
#[path = "sockets_tds5/storm.rs"]
mod storm;
#[path = "../examples/live_migration/tds5/tap.rs"]
mod tap;
#[path = "../examples/live_migration/timeline.rs"]
#[allow(dead_code, reason = "only its trait is used")]
mod timeline;
