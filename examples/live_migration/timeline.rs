//! What is printed: each message that matters as it passes on the client's links, with the state of each role.

use handover::machine::LinkId;
use handover::time::Instant;
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

/// Decoders for all links of a client, which see both directions, as an analyser would.
pub trait Tap {
    /// A link that comes next.
    fn dialled(&mut self, link: LinkId);
    /// What is to be printed of the messages that these bytes complete.
    fn passes(&mut self, link: LinkId, sent: bool, bytes: &[u8]) -> Vec<String>;
}

/// Prints what passes on the links of a client.
pub struct Timeline<T> {
    board: Board,
    tap: T,
    links: HashMap<LinkId, String>,
    /// When the last message with this name passed.
    seen: HashMap<String, Instant>,
    /// What has passed and was not looked at yet: when, where, whether the client sent it, and the bytes.
    passed: Vec<(Instant, LinkId, bool, Vec<u8>)>,
    /// A terminal is slow and the client is in a hurry: a thread of its own prints.
    printer: Option<(Sender<String>, JoinHandle<()>)>,
}

impl<T> Drop for Timeline<T> {
    fn drop(&mut self) {
        if let Some((lines, thread)) = self.printer.take() {
            drop(lines);
            let _ = thread.join();
        }
    }
}

impl<T: Tap> Timeline<T> {
    pub fn new(board: Board, tap: T) -> Self {
        let (lines, inbox) = channel::<String>();
        let thread = thread::spawn(move || inbox.into_iter().for_each(|line| println!("{line}")));
        let timeline = Self {
            board,
            tap,
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
        self.links.insert(link, name);
        self.tap.dialled(link);
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
            for message in self.tap.passes(link, sent, &bytes) {
                self.print(now, link, if sent { "->" } else { "<-" }, &message);
                self.seen.insert(message, now);
            }
        }
    }

    /// The server has closed a link, or there is none.
    pub fn closed(&mut self, now: Instant, link: LinkId) {
        self.flush();
        self.print(now, link, "x", "closed");
    }

    fn print(&self, now: Instant, link: LinkId, direction: &str, message: &str) {
        let (time, name) = (now.as_micros() as f64 / 1000.0, self.links.get(&link).map_or("", String::as_str));
        self.line(format!("{time:>9.3} ms  {name:<24} {direction:<3} {message:<44} {}", self.board.line()));
    }
}
