//! What the servers of this example are able to do.

use bytes::Bytes;
use handover::deferral::message::{Command, CommandName};
use handover::deferral::{RequestId, ServerAbilities, ServerId, message::Alternate, server};
use std::time::Duration;

/// A command, as it is in ChangeSafe.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub name: &'static str,
    /// Whether it changes nothing.
    pub read_only: bool,
    /// How long it takes.
    pub millis: u64,
    /// Which command follows.
    pub next: Option<&'static str>,
}

/// All commands that there are.
pub type Works = &'static [Work];

const fn read(name: &'static str, millis: u64) -> Work {
    Work { name, read_only: true, millis, next: None }
}

const fn write(name: &'static str, millis: u64, next: Option<&'static str>) -> Work {
    Work { name, read_only: false, millis, next }
}

/// To be looked at.
pub const SLOW: Works =
    &[read("help", 100), write("cset_close", 400, None), write("ws_create", 50, Some("ws_sync")), read("ws_sync", 400)];
/// For a crowd.
#[allow(dead_code, reason = "not every user has a crowd")]
pub const QUICK: Works =
    &[read("help", 6), write("cset_close", 10, None), write("ws_create", 4, Some("ws_sync")), read("ws_sync", 25)];

impl Work {
    pub fn find(works: Works, name: &str) -> Option<&'static Self> {
        works.iter().find(|work| work.name == name)
    }

    pub fn time(&self) -> Duration {
        Duration::from_millis(self.millis)
    }

    /// What comes out: what was asked for, so that a wrong result can be told from the right one.
    pub fn result(&self, arguments: &[Bytes]) -> Bytes {
        let words: Vec<&[u8]> =
            std::iter::once(self.name.as_bytes()).chain(arguments.iter().map(|one| &**one)).collect();
        words.join(&b' ').into()
    }
}

pub fn command(name: &str, arguments: Vec<Bytes>) -> Command {
    let name = CommandName::new(name).expect("a command of the table");
    Command { name, arguments }
}

/// An id that no other request has.
pub fn request_id(random: u128) -> RequestId {
    RequestId(random.to_be_bytes())
}

/// A server of this example, as others know it.
#[derive(Clone, Debug)]
pub struct Site {
    pub name: char,
    pub port: u16,
    pub writes: bool,
}

impl Site {
    pub fn abilities(&self) -> ServerAbilities {
        // Who writes reads, too.
        if self.writes { ServerAbilities::READ | ServerAbilities::WRITE } else { ServerAbilities::READ }
    }

    pub fn id(&self) -> ServerId {
        ServerId([u8::try_from(self.name).unwrap_or(u8::MAX); 16])
    }

    pub fn alternate(&self, scheme: &str) -> Alternate {
        let uri = format!("{scheme}://127.0.0.1:{}", self.port).parse().expect("an address of this machine");
        Alternate { uri, abilities: self.abilities(), server: self.id() }
    }

    /// For admission: it carries out so many commands at a time, and is busy if anybody would wait for `patience`.
    pub fn config(&self, slots: usize, service_time: Duration, patience: Duration) -> server::Config {
        let mut config = server::Config::default();
        (config.id, config.abilities) = (self.id(), self.abilities());
        (config.slots, config.service_time, config.busy_threshold) = (slots, service_time, patience);
        config
    }
}
