//! Prints the messages in captured byte streams, one JSON object (or one line of text) a message.
//!
//! ```text
//! cargo run --release --example inspect -- --protocol spice [--verify] [--format json|text] [--port N]... FILE...
//! ```
//!
//! FILE is a `.jsonl` file (spec/vectors/spice/README.md has the format) or a `.pcap` or `.pcapng` capture,
//! whose TCP streams are put together again. Exit status: 0 all well, 1 something is malformed or not
//! reproduced, 2 usage or a file that cannot be read. A protocol is a module that implements
//! [`decode::Protocol`], and a line in [`protocol`].

mod decode;
mod deferral;
mod group;
mod input;
mod native;
mod record;
mod repmgr;
mod spice;
mod tds5;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use decode::Protocol;
use input::Conversation;
use record::Format;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Prints the messages in captured byte streams.
#[derive(Parser)]
#[command(name = "inspect", version)]
struct Args {
    /// What is spoken in the streams
    #[arg(long, value_enum)]
    protocol: ProtocolName,
    /// Encode each message again and compare with the bytes of the stream
    #[arg(long)]
    verify: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
    /// Of a capture, decode only the TCP connections to this server port (repeatable)
    #[arg(long = "port", value_name = "N")]
    ports: Vec<u16>,
    /// Byte streams (.jsonl) or captures (.pcap, .pcapng)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ProtocolName {
    Spice,
    Tds5,
    Repmgr,
    Deferral,
    Group,
    Session,
}

/// The decoder of a protocol, `None` while there is none.
fn protocol(name: ProtocolName) -> Option<&'static dyn Protocol> {
    match name {
        ProtocolName::Spice => Some(&spice::Spice),
        ProtocolName::Tds5 => Some(&tds5::Tds5),
        ProtocolName::Repmgr => Some(&repmgr::Repmgr),
        ProtocolName::Deferral => Some(&deferral::Deferral),
        ProtocolName::Group => Some(&group::Group),
        ProtocolName::Session => None,
    }
}

/// What the exit status will say; the worst finding wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    AllWell = 0,
    Malformed = 1,
    Unusable = 2,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let Some(protocol) = protocol(args.protocol) else {
        let name = args.protocol.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        usage(ErrorKind::InvalidValue, &format!("there is no decoder for the protocol '{name}' yet"));
    };
    if let Some(file) = args.files.iter().find(|file| !input::is_known(file)) {
        let file = file.display();
        usage(ErrorKind::ValueValidation, &format!("'{file}' ends neither in .jsonl nor in .pcap or .pcapng"));
    }

    let mut out = BufWriter::new(io::stdout().lock());
    let mut status = Status::AllWell;
    let mut written = Ok(());
    for file in &args.files {
        written = inspect(file, protocol, &args, &mut out).map(|found| status = status.max(found));
        if written.is_err() {
            break;
        }
    }
    match written.and_then(|()| out.flush()) {
        // Whoever reads has seen enough: that is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("cannot write: {error}"));
            status = Status::Unusable;
        }
        _ => {}
    }
    ExitCode::from(status as u8)
}

fn usage(kind: ErrorKind, message: &str) -> ! {
    Args::command().error(kind, message).exit()
}

/// Says something beside the output. Nothing can be done if nobody listens.
fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "inspect: {message}");
}

/// Reads, decodes and prints one file. An error is one of writing.
fn inspect(file: &Path, protocol: &dyn Protocol, args: &Args, out: &mut impl Write) -> io::Result<Status> {
    let input = match input::read(file, &args.ports) {
        Ok(input) => input,
        Err(reason) => {
            complain(&format!("{}: {reason}", file.display()));
            return Ok(Status::Unusable);
        }
    };
    for note in &input.notes {
        complain(&format!("{}: {note}", file.display()));
    }
    let conn_width = input.conversations.iter().map(|each| each.conn.chars().count()).max().unwrap_or(0);
    let mut status = Status::AllWell;
    for conversation in &input.conversations {
        if !conversation.chosen && !protocol.recognises(conversation) {
            complain(&format!("{}: {} does not look like this protocol, skipped", file.display(), conversation.conn));
            continue;
        }
        let [client, server] = protocol.decode(conversation, args.verify);
        let Conversation { conn, client: up, server: down, .. } = conversation;
        for (dir, records) in [(&up.dir, client), (&down.dir, server)] {
            for record in &records {
                if record.is_error() {
                    status = Status::Malformed;
                }
                record.print(args.format, conn, conn_width, dir, out)?;
            }
        }
    }
    Ok(status)
}
