//! A coordinator in a process of its own.

use crate::wires::{Wire, Wires, tell};
use handover::frame::Text;
use handover::group::coordinator::{Durability, Event};
use handover::group::endpoint::{Command, CoordinatorConfig, CoordinatorEndpoint, CoordinatorEvent, CoordinatorOutput};
use handover::group::replica::{Config, Memory};
use handover::group::{CoordinatorId, DomainId};
use serde_json::json;
use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// Those from before a reign have this long to come back.
const GRACE: Duration = Duration::from_millis(400);

/// One of three coordinators: one of the others keeps each outcome before anybody is told.
pub fn run(id: u8) -> Result<(), Box<dyn Error>> {
    let mut wires = Wires::start();
    let (processes, others) = (wires.listen("process")?, wires.listen("coordinator")?);
    let mut replica = Config::new(CoordinatorId(u16::from(id)), 3);
    replica.durability = Durability::Replicated(1);
    replica.heartbeat = Duration::from_millis(200);
    replica.address = Text::fitting(&format!("127.0.0.1:{processes}"));
    let mut config = CoordinatorConfig::new(DomainId(0x6b69_7463_6865_6e00), replica);
    config.grace = GRACE;
    let mut endpoint = CoordinatorEndpoint::new(config, Memory::default(), wires.clock.now());
    tell(&json!({"event": "listens", "processes": processes, "coordinators": others}));
    loop {
        carry_out(&mut endpoint, &mut wires);
        let wire = wires.next(endpoint.poll_timeout());
        let now = wires.clock.now();
        let result = match wire {
            Wire::Accepted("process", stream) => {
                let link = endpoint.accept(now);
                wires.open(link, stream)?;
                Ok(())
            }
            Wire::Accepted(_, mut stream) => {
                // Here coordinators say who they are; elsewhere TLS proves it.
                let mut other = [0];
                stream.read_exact(&mut other)?;
                let link = endpoint.connected(now, CoordinatorId(u16::from(other[0])));
                wires.open(link, stream)?;
                Ok(())
            }
            Wire::Bytes(link, bytes) => endpoint.received(now, link, &bytes),
            Wire::Closed(link) => endpoint.closed(now, link),
            Wire::Timeout => endpoint.timeout(now),
            Wire::Line(line) => match line.split(' ').collect::<Vec<_>>()[..] {
                ["connect", other, port] => {
                    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port.parse()?))?;
                    stream.write_all(&[id])?;
                    let link = endpoint.connected(now, CoordinatorId(other.parse()?));
                    wires.open(link, stream)?;
                    Ok(())
                }
                ["found"] => endpoint.command(now, Command::Found),
                ["take", "over"] => endpoint.command(now, Command::TakeOver),
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
