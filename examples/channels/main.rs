//! Two sites of a replication group send each other messages and requests over real sockets on this machine, and to
//! whichever of them is the master, while the master changes. Everything is numbered, and counted at the end: it is a
//! failure if anything was lost, doubled or answered wrongly.
//!
//! `cargo run --release --example channels` needs nothing but this crate. With `--libdb` one of the two is a real site
//! of Berkeley DB 5.3 (Debian's `libdb5.3-dev`, and a C compiler).

#[allow(dead_code, reason = "tests use the rest")]
mod driver;
mod ledger;
mod real_site;
#[path = "../../tests/support/mod.rs"]
mod support;
mod talker;
mod two_sites;

use clap::Parser;
use std::process::ExitCode;

#[derive(Parser)]
#[command(about = "Numbered messages and requests between two sites, and a master that changes")]
struct Arguments {
    /// How many messages, and how many requests, each channel carries.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1000..=1_000_000))]
    count: u32,
    /// Put a real site of Berkeley DB on one end.
    #[arg(long)]
    libdb: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.libdb {
        false => two_sites::run(arguments.count),
        true => real_site::run(arguments.count),
    };
    match result.and_then(|report| report.print()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("channels: {error}");
            ExitCode::FAILURE
        }
    }
}
