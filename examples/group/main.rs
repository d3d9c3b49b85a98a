//! Five processes form a group on loopback, over real sockets: they vote on each other's joins in two phases, one rejects
//! a state value, one sends a message, one is killed while its vote is due, one is expelled, and the coordinator is killed
//! with a protocol open, which a standby brings to its end. A sixth process watches. What everybody knows at the end is
//! printed and compared: it is a failure if it is not the same.
//!
//! `cargo run --release --example group` needs nothing but this crate: it starts itself for each of them.

mod actor;
mod coordinator;
mod member;
mod story;
mod wires;

use clap::Parser;
use std::error::Error;
use std::process::ExitCode;

/// What processes are known by.
const SECRET: &[u8] = b"only for this demonstration";

#[derive(Parser)]
#[command(about = "Five processes form a group, and lose a member, another one, and their coordinator")]
struct Arguments {
    /// Be a coordinator, of this number.
    #[arg(long, hide = true)]
    coordinator: Option<u8>,
    /// Be a member, on this node.
    #[arg(long, hide = true)]
    node: Option<u32>,
    /// Where coordinators are.
    #[arg(long, hide = true)]
    at: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match (arguments.coordinator, arguments.node) {
        (Some(id), _) => coordinator::run(id),
        (None, Some(node)) => member::run(node, arguments.at),
        (None, None) => tell_all(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("group: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tell_all() -> Result<(), Box<dyn Error>> {
    let report = story::run(&std::env::current_exe()?)?;
    match report.problem() {
        Some(problem) => Err(problem.into()),
        None => {
            println!("all {} members know the same, and so does who watches", report.views.len());
            Ok(())
        }
    }
}
