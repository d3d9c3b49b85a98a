//! A live session is moved between servers over real sockets on this machine, with traffic all the time, a timeline
//! of what passes, and a count at the end of what was sent, lost and doubled.
//!
//! `cargo run --release --example live_migration` moves a SPICE session, `-- --protocol tds5` a TDS 5.0 session; both
//! need nothing but this crate. With `--qemu` the SPICE client is moved between real QEMU processes instead (Debian's
//! `qemu-system-x86`).

mod driver;
mod flow;
mod spice;
mod stage;
mod tds5;
mod timeline;

use clap::{Parser, ValueEnum};
use std::process::ExitCode;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Protocol {
    Spice,
    Tds5,
}

#[derive(Parser)]
#[command(about = "Moves a live session between servers and prints what happens")]
struct Arguments {
    /// What the session speaks.
    #[arg(long, value_enum, default_value = "spice")]
    protocol: Protocol,
    /// Move the SPICE client between real QEMU processes.
    #[arg(long)]
    qemu: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match (arguments.protocol, arguments.qemu) {
        (Protocol::Spice, false) => spice::run(),
        (Protocol::Spice, true) => spice::run_with_qemu(),
        (Protocol::Tds5, false) => tds5::run(),
        (Protocol::Tds5, true) => Err("--qemu is for SPICE".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("live_migration: {error}");
            ExitCode::FAILURE
        }
    }
}
