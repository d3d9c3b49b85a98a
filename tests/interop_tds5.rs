//! The TDS 5.0 machines against real peers: our server against FreeTDS, by its program `tsql` and by its DB-Library.
//! The sockets, threads and clock are those of the example `live_migration`.
//!
//! A missing peer skips its tests with a line on standard error; with `HANDOVER_REQUIRE_PEERS=1` it fails them. All
//! traffic stays on 127.0.0.1.

#[path = "../examples/live_migration/driver.rs"]
#[allow(dead_code, reason = "a server dials nobody")]
mod driver;
#[path = "interop_tds5/freetds_beneath.rs"]
mod freetds_beneath;
#[path = "interop_tds5/freetds_cuts.rs"]
mod freetds_cuts;
#[path = "interop_tds5/freetds_ends.rs"]
mod freetds_ends;
#[path = "interop_tds5/freetds_library.rs"]
mod freetds_library;
#[path = "interop_tds5/freetds_login.rs"]
mod freetds_login;
#[path = "interop_tds5/freetds_migration.rs"]
mod freetds_migration;
#[path = "interop_tds5/freetds_proxy.rs"]
mod freetds_proxy;
#[path = "interop_tds5/freetds_results.rs"]
mod freetds_results;
#[path = "interop_tds5/freetds_rows.rs"]
mod freetds_rows;
#[path = "interop_tds5/freetds_server.rs"]
mod freetds_server;
#[path = "interop_tds5/freetds_types.rs"]
mod freetds_types;
#[path = "interop_spice/log.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod log;
mod support;
