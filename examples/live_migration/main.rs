//! A live SPICE session is moved between servers over real sockets on this machine, four times: semi-seamless,
//! seamless, with a cancel after CONNECTED, and with a dead target that ends in switch-host. Numbered messages
//! go both ways all the time; at the end they are counted.
//!
//! `cargo run --release --example live_migration` needs nothing but this crate. With `--qemu` the client is moved
//! between real QEMU processes instead (Debian's `qemu-system-x86`).

mod client;
mod driver;
mod qemu;
mod scenarios;
mod server;
#[path = "../../tests/support/mod.rs"]
mod support;
mod timeline;
mod traffic;

use clap::Parser;
use std::process::ExitCode;
use support::ticket;

#[derive(Parser)]
#[command(about = "Moves a live session between servers and prints what happens")]
struct Arguments {
    /// Move the client between real QEMU processes.
    #[arg(long)]
    qemu: bool,
}

fn main() -> ExitCode {
    let result = if Arguments::parse().qemu { qemu::run() } else { scenarios::run() };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("live_migration: {error}");
            ExitCode::FAILURE
        }
    }
}
