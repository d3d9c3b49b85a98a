//! The same client between real QEMU processes: semi-seamless, then seamless.

use super::client::{ClientCommand, ClientNote, ClientParty, Report};
use super::support::qemu::{Incoming, Qemu, QemuOptions};
use crate::driver::{self, Wire};
use crate::timeline::Board;
use handover::spice::Port;
use handover::spice::client::{Address, Outcome, Scheme};
use handover::time::Clock;
use serde_json::json;
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);
/// Main, display, inputs and cursor: what a QEMU with `-vga qxl` offers.
const CHANNELS: usize = 4;

pub fn run() -> Result<(), String> {
    if !Qemu::available() {
        return Err("qemu-system-x86_64 is not installed (Debian: apt-get install qemu-system-x86)".to_owned());
    }
    for scheme in [Scheme::SemiSeamless, Scheme::Seamless] {
        let report = migrate(scheme)?;
        println!("\n{scheme:?}: as the client took them");
        let micros = |value: Option<u64>| value.map_or("-".to_owned(), |micros| format!("{micros} µs"));
        println!("  BEGIN -> CONNECTED       {}", micros(report.begin_to_connected));
        if scheme == Scheme::SemiSeamless {
            println!("  END -> MIGRATE_END       {}", micros(report.end_to_end));
        }
        println!();
    }
    Ok(())
}

fn migrate(scheme: Scheme) -> Result<Report, String> {
    let seamless = if scheme == Scheme::Seamless { "on" } else { "off" };
    let spice = format!("disable-ticketing=on,seamless-migration={seamless}");
    let options = |incoming| QemuOptions { spice: spice.clone(), incoming, ..QemuOptions::default() };
    let mut source = Qemu::spawn("source", &options(Incoming::No))?;
    let mut target = Qemu::spawn("target", &options(Incoming::Listen))?;

    let names = HashMap::from([(source.port(), "source".to_owned()), (target.port(), "target".to_owned())]);
    let (wires, inbox) = channel();
    let (note, notes) = channel();
    let own = wires.clone();
    let party = thread::spawn(move || {
        driver::run(&mut ClientParty::new(names, Board::default(), note, false), Clock::start(), &inbox, &own);
    });
    let tell = |command| wires.send(Wire::Command(command)).map_err(|_| "the client is gone".to_owned());
    tell(ClientCommand::Connect(Address::new("127.0.0.1", Port::from_wire(source.port()), Port::ABSENT, None)))?;
    for _ in 0..CHANNELS {
        wait(&notes, "a channel", |note| matches!(note, ClientNote::Linked(_)))?;
    }
    source.migrate_info(target.port(), json!({}))?;
    wait(&notes, "ready", |note| *note == ClientNote::Ready(scheme))?;
    source.migrate(&target.incoming_uri())?;
    wait(&notes, "the switch", |note| *note == ClientNote::Ended(Outcome::Switched(scheme)))?;
    source.wait_for_event("SPICE_MIGRATE_COMPLETED", PATIENCE)?;
    // What the target says of its clients is the last word.
    thread::sleep(Duration::from_millis(200));
    let channels = target.query_spice()?["channels"].as_array().map_or(0, Vec::len);
    if channels != CHANNELS {
        return Err(format!("the target lists {channels} channels instead of {CHANNELS}"));
    }
    let (reply, answer) = channel();
    tell(ClientCommand::Report(reply))?;
    let report = answer.recv_timeout(PATIENCE).map_err(|_| "the client does not report".to_owned())?;
    tell(ClientCommand::Quit)?;
    party.join().map_err(|_| "the client's thread panicked".to_owned())?;
    // A target that loses its client within milliseconds of the switch is known to crash.
    thread::sleep(Duration::from_millis(200));
    source.stop();
    target.stop();
    Ok(report)
}

fn wait(notes: &Receiver<ClientNote>, what: &str, is: impl Fn(&ClientNote) -> bool) -> Result<(), String> {
    let end = Instant::now() + PATIENCE;
    while let Ok(note) = notes.recv_timeout(end.saturating_duration_since(Instant::now())) {
        if is(&note) {
            return Ok(());
        }
        if note == ClientNote::Disconnected {
            return Err(format!("the client was disconnected while waiting for {what}"));
        }
    }
    Err(format!("{what} did not come"))
}
