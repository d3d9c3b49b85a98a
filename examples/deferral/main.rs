//! Clients on their walk from server to server: the three scenarios of ChangeSafe's design, and then a crowd that is too
//! large for the servers, over real sockets on this machine. On the way all links are cut, a server joins, and another
//! one is killed. Everything that is asked for and everything that is carried out is noted, and the two are compared at
//! the end: it is a failure if anything was lost or run twice.
//!
//! `cargo run --release --example deferral` needs nothing but this crate.
//!
//! With `--http PORT` it serves the historical text protocol instead, for any client of it (its base is
//! `http://localhost:PORT/`), with `--servers N` by N servers on consecutive ports that name each other: the first one
//! reads and writes, the others only read. There are four commands: `help`, `cset_close`, `ws_create` and `ws_sync`.
//!
//! ```text
//! cargo run --release --example deferral -- --http 7999 --servers 3
//! curl 'http://127.0.0.1:7999/csf/command/help?0=me&ALLOW-REDIRECT=T'
//! DISPLAY "help me"
//! RETURN 0
//! curl 'http://127.0.0.1:8001/csf/command/cset_close?ALLOW-REDIRECT=T'
//! REDIRECT :NO-SERVICE http://127.0.0.1:7999/
//! curl 'http://127.0.0.1:7999/csf/command/ws_create?0=w&ALLOW-REDIRECT=T'
//! DISPLAY "ws_create w"
//! REDIRECT :CONTINUE csf/command/ws_sync http://127.0.0.1:7999/ http://127.0.0.1:8001/ http://127.0.0.1:8000/
//! ```
//!
//! As the original asks, with an absolute target and no Host; `curl -x http://127.0.0.1:7999` makes its target absolute,
//! too:
//!
//! ```text
//! printf 'GET http://127.0.0.1:7999/csf/command/help?ALLOW-REDIRECT=T HTTP/1.1\r\nUser-Agent: me\r\n\r\n' | nc 127.0.0.1 7999
//! ```
//!
//! While `cset_close` is carried out (two of them at the same time, from two shells), the first server says
//! `REDIRECT :BUSY` to all that can be done elsewhere, and lets whoever says `ALLOW-REDIRECT=NIL` wait in its line.

mod crowd;
mod driver;
mod http;
mod ledger;
mod story;
mod visit;
mod work;

use clap::Parser;
use crowd::Plan;
use std::process::ExitCode;
use story::Story;

#[derive(Parser)]
#[command(about = "Clients on their walk from server to server")]
struct Arguments {
    /// Where the crowd's choices come from.
    #[arg(long, default_value_t = Plan::WHOLE.seed)]
    seed: u64,
    /// Serve the historical text protocol on this port of this machine, until the process is ended.
    #[arg(long, conflicts_with = "seed")]
    http: Option<u16>,
    /// On so many ports, from that one on.
    #[arg(long, default_value_t = 1, requires = "http", value_parser = clap::value_parser!(u16).range(1..=26))]
    servers: u16,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.http {
        Some(port) => serve(port, arguments.servers),
        None => walk(arguments.seed),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("deferral: {error}");
            ExitCode::FAILURE
        }
    }
}

fn walk(seed: u64) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let report = runtime.map_err(|error| error.to_string())?.block_on(async {
        story::run(&Story::new(true)).await?;
        println!("\n4. A crowd, and servers that come and go");
        crowd::run(Plan { seed, ..Plan::WHOLE }).await
    })?;
    println!();
    report.print();
    report.problem().map_or(Ok(()), Err)
}

fn serve(port: u16, count: u16) -> Result<(), String> {
    let ports: Option<Vec<u16>> = (0..count).map(|index| port.checked_add(index)).collect();
    let ports = ports.ok_or("there are no such ports")?;
    let servers = http::Servers::start(&ports, work::SLOW, true).map_err(|error| error.to_string())?;
    for (index, port) in servers.ports().iter().enumerate() {
        let role = if index == 0 { "reads and writes" } else { "reads" };
        println!("http://127.0.0.1:{port}/ {role}");
    }
    servers.wait();
    Ok(())
}
