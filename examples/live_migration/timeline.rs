//! What is printed: each migration message as it passes on the client's links, with the state of each role.

use bytes::BytesMut;
use handover::spice::stream::{ClientItem, ClientStream, ServerItem, ServerStream};
use handover::spice::{ClientMessage, LinkId, ServerMessage};
use handover::time::Instant;
use handover::wire::StreamDecode;
use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// The state of each role, by name, as each party last said it.
#[derive(Clone, Default)]
pub struct Board(Arc<Mutex<BTreeMap<String, String>>>);

impl Board {
    pub fn set(&self, role: &str, state: impl std::fmt::Debug) {
        self.0.lock().expect("no holder panics").insert(role.to_owned(), format!("{state:?}"));
    }

    fn line(&self) -> String {
        let states = self.0.lock().expect("no holder panics");
        states.iter().map(|(role, state)| format!("{role} {state}")).collect::<Vec<_>>().join(", ")
    }
}

impl Tap {
    fn sent(&mut self, bytes: &[u8]) -> Vec<&'static str> {
        self.up.1.extend_from_slice(bytes);
        let mut lines = Vec::new();
        while let Ok(Some(item)) = self.up.0.decode_next(&mut self.up.1) {
            match item {
                ClientItem::Link(mess) => {
                    self.down.0.set_link(&mess);
                    lines.push("SpiceLinkMess");
                }
                ClientItem::Message(packet) if is_migration_of_client(&packet.message) => {
                    lines.push(packet.message.name());
                }
                _ => {}
            }
        }
        lines
    }

    fn received(&mut self, bytes: &[u8]) -> Vec<&'static str> {
        self.down.1.extend_from_slice(bytes);
        let mut lines = Vec::new();
        while let Ok(Some(item)) = self.down.0.decode_next(&mut self.down.1) {
            match item {
                ServerItem::Reply(reply) => self.up.0.set_reply(&reply),
                ServerItem::Result(_) => lines.push("SpiceLinkResult"),
                ServerItem::Message(packet) if is_migration_of_server(&packet.message) => {
                    lines.push(packet.message.name());
                }
                _ => {}
            }
        }
        lines
    }
}

/// A tap on the client's links: the passive decoders see both directions, as an analyser would.
pub struct Timeline {
    board: Board,
    links: HashMap<LinkId, Tap>,
    /// When the last message with this name passed.
    seen: HashMap<&'static str, Instant>,
    /// What has passed and was not looked at yet: when, where, whether the client sent it, and the bytes.
    passed: Vec<(Instant, LinkId, bool, Vec<u8>)>,
    /// A terminal is slow and the client is in a hurry: a thread of its own prints.
    printer: Option<(Sender<String>, JoinHandle<()>)>,
}

impl Drop for Timeline {
    fn drop(&mut self) {
        if let Some((lines, thread)) = self.printer.take() {
            drop(lines);
            let _ = thread.join();
        }
    }
}

struct Tap {
    name: String,
    up: (ClientStream, BytesMut),
    down: (ServerStream, BytesMut),
}

impl Timeline {
    pub fn new(board: Board) -> Self {
        let (lines, inbox) = channel::<String>();
        let thread = thread::spawn(move || inbox.into_iter().for_each(|line| println!("{line}")));
        let timeline = Self {
            board,
            links: HashMap::new(),
            seen: HashMap::new(),
            passed: Vec::new(),
            printer: Some((lines, thread)),
        };
        timeline.line(format!("{:>12}  {:<24} {:<3} {:<44} state of each role", "time", "link", "", "message"));
        timeline
    }

    fn line(&self, line: String) {
        if let Some((lines, _)) = &self.printer {
            let _ = lines.send(line);
        }
    }

    pub fn dialled(&mut self, link: LinkId, name: String) {
        let limits = handover::limits::SpiceLimits::DEFAULT;
        let (up, down) = (ClientStream::new(limits), ServerStream::new(limits));
        self.links.insert(link, Tap { name, up: (up, BytesMut::new()), down: (down, BytesMut::new()) });
    }

    /// When a message last passed.
    pub fn seen(&self, name: &str) -> Option<Instant> {
        self.seen.get(name).copied()
    }

    /// Something that is not a message.
    pub fn note(&self, now: Instant, text: &str) {
        self.line(format!("{:>9.3} ms  -- {text}", now.as_micros() as f64 / 1000.0));
    }

    /// Keeps bytes that the client sends or receives for [`flush`](Self::flush).
    pub fn passes(&mut self, now: Instant, link: LinkId, sent: bool, bytes: &[u8]) {
        self.passed.push((now, link, sent, bytes.to_vec()));
    }

    /// Decodes and prints what has passed. Called when the client has nothing to do, so that what is measured is
    /// the client and not its timeline.
    pub fn flush(&mut self) {
        for (now, link, sent, bytes) in std::mem::take(&mut self.passed) {
            let Some(tap) = self.links.get_mut(&link) else { continue };
            let name = tap.name.clone();
            let (lines, direction) = if sent { (tap.sent(&bytes), "->") } else { (tap.received(&bytes), "<-") };
            lines.into_iter().for_each(|line| self.print(now, &name, direction, line));
        }
    }

    fn print(&mut self, now: Instant, link: &str, direction: &str, message: &'static str) {
        self.seen.insert(message, now);
        let time = now.as_micros() as f64 / 1000.0;
        self.line(format!("{time:>9.3} ms  {link:<24} {direction:<3} {message:<44} {}", self.board.line()));
    }
}

fn is_migration_of_client(message: &ClientMessage) -> bool {
    use ClientMessage::*;
    !matches!(message, AgentData(_) | Unknown(_) | Ack | AckSync(_) | Pong(_))
}

fn is_migration_of_server(message: &ServerMessage) -> bool {
    use ServerMessage::*;
    !matches!(message, AgentData(_) | Unknown(_) | SetAck(_) | Ping(_))
}
