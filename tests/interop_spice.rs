//! The SPICE machines against real peers: our client against QEMU, our servers against spice-gtk and its sample
//! viewer spicy. The sockets, threads and clock are those of the example `live_migration`.
//!
//! A missing peer skips its tests with a line on standard error; with `HANDOVER_REQUIRE_PEERS=1` it fails them.
//! Nothing here needs a screen, a disk image or KVM, and all traffic stays on 127.0.0.1.

#[path = "interop_spice/client_failures.rs"]
mod client_failures;
#[path = "interop_spice/client_moves.rs"]
mod client_moves;
#[path = "interop_spice/client_party.rs"]
mod client_party;
#[path = "../examples/live_migration/driver.rs"]
mod driver;
#[path = "interop_spice/log.rs"]
mod log;
#[path = "interop_spice/qemus.rs"]
mod qemus;
#[path = "interop_spice/server_moves.rs"]
mod server_moves;
#[path = "interop_spice/server_party.rs"]
mod server_party;
#[path = "interop_spice/spicy.rs"]
mod spicy;
mod support;
#[path = "interop_spice/tap.rs"]
mod tap;
