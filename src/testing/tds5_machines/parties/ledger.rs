//! What has become of each command and each attempt.

use crate::tds5::client::{Event, Outcome, RequestId};
use crate::tds5::server;
use std::collections::BTreeMap;
use std::vec::Vec;

/// What has become of a command.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    /// The link on which it came to a server.
    delivered: Option<usize>,
    /// Final DONEs that servers' applications have sent for it.
    finals: u32,
    /// Rows that were sent, by whichever server, and that came.
    sent: u32,
    got: u32,
    completed: u32,
    unfinished: u32,
}

/// Everything that is checked over the whole run.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    commands: BTreeMap<u32, Fate>,
    /// The newest one that was delivered.
    newest: u32,
    /// Open attempts: of the client, and of the servers by link.
    client: Option<u32>,
    servers: BTreeMap<usize, u32>,
    /// Bytes were others on the way: numbers mean nothing any more.
    pub(super) garbled: bool,
    /// How the client's attempts have ended, and how those of the servers.
    pub(super) outcomes: Vec<Outcome>,
    pub(super) served: Vec<server::Outcome>,
    /// How often a command was taken up, at a new server and at the old one.
    pub(super) resumed: [u32; 2],
}

impl Ledger {
    /// The client has accepted a command.
    pub(super) fn accepted(&mut self, number: u32) {
        assert!(self.commands.insert(number, Fate::default()).is_none(), "command {number} is accepted twice");
    }

    fn fate(&mut self, number: u32) -> &mut Fate {
        let known = self.commands.contains_key(&number);
        assert!(known || self.garbled, "command {number} was never given");
        self.commands.entry(number).or_default()
    }

    /// A command has come to a server.
    pub(super) fn delivered(&mut self, link: usize, number: u32) {
        if self.garbled {
            return;
        }
        let newest = core::mem::replace(&mut self.newest, number);
        assert!(newest < number, "M10: command {number} comes on link {link}, behind {newest}");
        let fate = self.fate(number);
        assert_eq!(fate.delivered.replace(link), None, "M10: command {number} comes again, on link {link}");
    }

    /// A server has sent a row; its number.
    pub(super) fn row_sent(&mut self, number: u32) {
        self.fate(number).sent += 1;
    }

    /// A server has completed a command.
    pub(super) fn finished(&mut self, link: usize, number: u32) {
        let garbled = self.garbled;
        let fate = self.fate(number);
        fate.finals += 1;
        assert!(garbled || fate.finals == 1, "M9: command {number} gets another final DONE, on link {link}");
    }

    /// A row has come to the client.
    pub(super) fn row_got(&mut self, number: u32, row: u32) {
        if self.garbled {
            return;
        }
        let waits = self.commands.iter().find(|(_, fate)| fate.completed == 0).map(|(number, _)| *number);
        assert_eq!(waits, Some(number), "M9: row {row} of command {number}, while another one waits");
        let fate = self.fate(number);
        assert_eq!(fate.got, row, "M9: this row of command {number} comes next");
        fate.got += 1;
    }

    pub(super) fn client_event(&mut self, event: &Event) {
        let garbled = self.garbled;
        match event {
            Event::Completed(RequestId(number)) => {
                let fate = self.fate(*number);
                fate.completed += 1;
                assert!(fate.completed == 1 && fate.unfinished == 0, "M9: command {number} ends twice: {fate:?}");
                let whole = fate.finals == 1 && fate.got == fate.sent;
                assert!(garbled || whole, "M9: command {number} is completed: {fate:?}");
            }
            Event::Disconnected { unfinished, .. } => {
                for RequestId(number) in unfinished {
                    let fate = self.fate(*number);
                    fate.unfinished += 1;
                    assert!(fate.completed == 0 && fate.unfinished == 1, "M9: command {number} ends twice: {fate:?}");
                }
            }
            Event::Started { attempt, .. } => {
                assert_eq!(self.client.replace(attempt.0), None, "M14: the client has two attempts");
            }
            Event::Ended { attempt, outcome } => {
                assert_eq!(self.client.take(), Some(attempt.0), "M14: the client ends another attempt");
                self.outcomes.push(*outcome);
            }
            _ => {}
        }
    }

    pub(super) fn server_started(&mut self, link: usize, attempt: u32) {
        assert_eq!(self.servers.insert(link, attempt), None, "M5: the server of link {link} has two attempts");
    }

    pub(super) fn server_ended(&mut self, link: usize, attempt: u32, outcome: server::Outcome) {
        assert_eq!(self.servers.remove(&link), Some(attempt), "M5: the server of link {link} ends another attempt");
        self.served.push(outcome);
    }

    /// Every attempt has ended, and so has every command.
    pub(super) fn check_ended(&self, when: &str) {
        assert_eq!(self.client, None, "M14: {when}, an attempt of the client is open");
        assert!(self.servers.is_empty(), "M5: {when}, attempts of servers are open: {:?}", self.servers);
        let open = self.commands.iter().find(|(_, fate)| fate.completed + fate.unfinished != 1);
        if let Some((number, fate)) = open.filter(|_| !self.garbled) {
            panic!("M9: {when}, command {number} has not ended: {fate:?}");
        }
    }

    /// Nothing was lost: both sides have seen the same.
    pub(super) fn check_whole(&self) {
        let lost = self.commands.iter().find(|(_, fate)| fate.completed != 1);
        assert!(lost.is_none(), "M9: nothing went wrong, and {lost:?} is not completed");
        let moved = self.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Migrated { .. })).count();
        let told = self.served.iter().filter(|outcome| **outcome == server::Outcome::Migrated).count();
        assert_eq!(moved, told, "M14: moves, as the client and as the servers saw them");
    }
}
