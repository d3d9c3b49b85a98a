//! A coordinator in a process of its own.

use crate::wires::{Wire, Wires, tell};
use handover::frame::Text;
use handover::group::coordinator::{Durability, Event};
use handover::group::endpoint::{Command, CoordinatorConfig, CoordinatorEndpoint, CoordinatorEvent, CoordinatorOutput};
use handover::group::replica::{Config, Memory};
use handover::group::{CoordinatorId, DomainId};
use serde_json::json;
use std::error::Error;
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// Those from before a reign have this long to come back.
const GRACE: Duration = Duration::from_millis(400);

/// One of two coordinators, of which the other keeps each outcome before anybody is told.
pub fn run(id: u16) -> Result<(), Box<dyn Error>> {
    let mut wires = Wires::start();
    let (processes, others) = (wires.listen("process")?, wires.listen("coordinator")?);
    let mut replica = Config::new(CoordinatorId(id), 2);
    replica.durability = Durability::Replicated(1);
    replica.heartbeat = Duration::from_millis(200);
    replica.address = Text::fitting(&format!("127.0.0.1:{processes}"));
    let mut config = CoordinatorConfig::new(DomainId(0x6b69_7463_6865_6e00), replica);
    config.grace = GRACE;
    let mut endpoint = CoordinatorEndpoint::new(config, Memory::default(), wires.clock.now());
    tell(&json!({"event": "listens", "processes": processes, "coordinators": others}));
    // There are two: who connects to this one's port for coordinators is the other.
    let other = CoordinatorId(if id == 1 { 2 } else { 1 });
    loop {
        carry_out(&mut endpoint, &mut wires);
        let wire = wires.next(endpoint.poll_timeout());
        let now = wires.clock.now();
        let result = match wire {
            Wire::Accepted(name, stream) => {
                let link = if name == "process" { endpoint.accept(now) } else { endpoint.connected(now, other) };
                wires.open(link, stream)?;
                Ok(())
            }
            Wire::Bytes(link, bytes) => endpoint.received(now, link, &bytes),
            Wire::Closed(link) => endpoint.closed(now, link),
            Wire::Timeout => endpoint.timeout(now),
            Wire::Line(line) => match line.split_once(' ') {
                Some(("connect", port)) => {
                    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port.parse()?))?;
                    let link = endpoint.connected(now, other);
                    wires.open(link, stream)?;
                    Ok(())
                }
                _ if line == "found" => endpoint.command(now, Command::Found),
                _ if line == "take over" => endpoint.command(now, Command::TakeOver),
                _ => return Err(format!("unknown command {line:?}").into()),
            },
        };
        if let Err(error) = result {
            tell(&json!({"event": "error", "text": error.to_string()}));
        }
    }
}

fn carry_out(endpoint: &mut CoordinatorEndpoint, wires: &mut Wires) {
    while let Some(output) = endpoint.poll_output() {
        let answer = match output {
            CoordinatorOutput::Transmit { link, bytes } => {
                wires.write(link, &bytes);
                None
            }
            CoordinatorOutput::Close(link) => {
                wires.close(link);
                None
            }
            // Nothing is stored here: a coordinator that was killed does not come back.
            CoordinatorOutput::Store { number, .. } => Some(Command::Stored(number)),
            CoordinatorOutput::Event(CoordinatorEvent::Domain(Event::Entering { link, credentials, .. })) => {
                Some(Command::Admit { link, allowed: &credentials.0[..] == crate::SECRET })
            }
            CoordinatorOutput::Event(event) => {
                if let Some(what) = describe(&event) {
                    tell(&json!({"event": what}));
                }
                None
            }
            other => unreachable!("a new kind of output: {other:?}"),
        };
        if let Some(Err(error)) = answer.map(|answer| endpoint.command(wires.clock.now(), answer)) {
            tell(&json!({"event": "error", "text": error.to_string()}));
        }
    }
}

fn describe(event: &CoordinatorEvent) -> Option<&'static str> {
    Some(match event {
        CoordinatorEvent::Reigns(_) => "reigns",
        CoordinatorEvent::Follows(_) => "follows",
        CoordinatorEvent::Deposed(_) => "deposed",
        CoordinatorEvent::Failed => "failed",
        CoordinatorEvent::Domain(Event::Recovered) => "recovered",
        _ => return None,
    })
}
