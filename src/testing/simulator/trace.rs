//! What happened, in order.

use super::{Down, Link, PartyId};
use crate::time::Instant;
use core::fmt;
use std::string::String;
use std::vec::Vec;

/// What happened. Messages are kept as they are printed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// A party started, for the n-th time.
    Started(u64),
    /// A party crashed.
    Crashed,
    /// A party asked for a link.
    Opened,
    /// A link came up at this end.
    Up,
    /// A message was sent.
    Sent(String),
    /// A message was to be sent on a link that is not up at this end.
    NotSent(String),
    /// A message arrived.
    Received(String),
    /// A message will never arrive.
    Lost(String),
    /// A party closed a link.
    Closed,
    /// A party was told that a link is down.
    Down(Down),
    /// A party's deadline came.
    Timeout,
    /// A link broke. Nobody knows yet.
    Cut,
    /// Two parties were parted.
    Parted,
    /// They can reach each other again.
    Healed,
    /// What a party said about itself.
    Note(String),
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// When.
    pub at: Instant,
    /// Who did it; or, of something that arrives, who sent it.
    pub from: Option<PartyId>,
    /// Whom it reached or was meant for.
    pub to: Option<PartyId>,
    /// On which link.
    pub link: Option<Link>,
    /// What.
    pub what: What,
}

/// All that happened. Prints one line for each entry: time in microseconds, from, to, link, what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Trace {
    pub(super) names: Vec<String>,
    pub(super) entries: Vec<Entry>,
}

impl Trace {
    /// The entries, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The last `count` lines, for a failure report.
    #[must_use]
    pub fn tail(&self, count: usize) -> String {
        use fmt::Write as _;
        let mut text = String::new();
        for entry in &self.entries[self.entries.len().saturating_sub(count)..] {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", Line { trace: self, entry });
        }
        text
    }

    fn name(&self, party: Option<PartyId>) -> &str {
        party.and_then(|PartyId(index)| self.names.get(index)).map_or("*", String::as_str)
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.iter().try_for_each(|entry| writeln!(f, "{}", Line { trace: self, entry }))
    }
}

struct Line<'a> {
    trace: &'a Trace,
    entry: &'a Entry,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { at, from, to, link, what } = self.entry;
        write!(f, "{:>12}  {}", at.as_micros(), self.trace.name(*from))?;
        if to.is_some() {
            write!(f, " -> {}", self.trace.name(*to))?;
        }
        if let Some(Link(number)) = link {
            write!(f, "  #{number}")?;
        }
        f.write_str("  ")?;
        match what {
            What::Started(1) => f.write_str("started"),
            What::Started(times) => write!(f, "started again (start {times})"),
            What::Crashed => f.write_str("crashed"),
            What::Opened => f.write_str("opens"),
            What::Up => f.write_str("up"),
            What::Sent(message) => write!(f, "sends {message}"),
            What::NotSent(message) => write!(f, "cannot send {message}"),
            What::Received(message) => write!(f, "received {message}"),
            What::Lost(message) => write!(f, "lost {message}"),
            What::Closed => f.write_str("closes"),
            What::Down(Down::Refused) => f.write_str("refused"),
            What::Down(Down::Closed) => f.write_str("down: closed"),
            What::Down(Down::Broken) => f.write_str("down: broken"),
            What::Timeout => f.write_str("timeout"),
            What::Cut => f.write_str("cut"),
            What::Parted => f.write_str("parted"),
            What::Healed => f.write_str("healed"),
            What::Note(text) => write!(f, "note: {text}"),
        }
    }
}
