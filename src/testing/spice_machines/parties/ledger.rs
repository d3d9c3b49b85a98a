//! What has been said, and which attempts are open.

use crate::spice::{ChannelId, client, source, target};
use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

/// Numbers in one direction of one channel.
#[derive(Clone, Debug, Default)]
struct Flow {
    sent: Vec<u32>,
    got: Vec<u32>,
}

/// Everything that is checked over the whole run.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    next: u32,
    up: BTreeMap<ChannelId, Flow>,
    down: BTreeMap<ChannelId, Flow>,
    /// The newest number that each server has got, by channel.
    newest: BTreeMap<(usize, ChannelId), u32>,
    /// Open attempts, by party.
    client: Option<u32>,
    sources: [Option<u32>; 2],
    targets: [BTreeSet<u32>; 2],
    arrived: [BTreeSet<u32>; 2],
    /// Numbers may be others on the way.
    pub(super) garbled: bool,
    /// A session was not carried over whole, by intention.
    pub(super) lossy: bool,
    /// How the client's attempts have ended.
    pub(super) outcomes: Vec<client::Outcome>,
}

impl Ledger {
    /// A number that was never used.
    pub(super) fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    pub(super) fn sent(&mut self, up: bool, channel: ChannelId, number: u32) {
        let flows = if up { &mut self.up } else { &mut self.down };
        flows.entry(channel).or_default().sent.push(number);
    }

    /// A server has got a number.
    pub(super) fn server_got(&mut self, server: usize, channel: ChannelId, number: u32) {
        if self.garbled {
            return;
        }
        let flow = self.up.entry(channel).or_default();
        assert!(flow.sent.contains(&number), "server {server} got {number} on {channel:?}, which was never sent");
        assert!(!flow.got.contains(&number), "K10: {number} on {channel:?} came twice, now to server {server}");
        flow.got.push(number);
        let newest = self.newest.entry((server, channel)).or_default();
        assert!(*newest < number, "K10: server {server} got {number} on {channel:?} behind {newest}");
        *newest = number;
    }

    /// The client has got a number.
    pub(super) fn client_got(&mut self, channel: ChannelId, number: u32) {
        if self.garbled {
            return;
        }
        let flow = self.down.entry(channel).or_default();
        assert!(flow.sent.contains(&number), "the client got {number} on {channel:?}, which was never sent");
        let newest = flow.got.last().copied().unwrap_or(0);
        assert!(newest < number, "K10: the client got {number} on {channel:?} behind {newest}");
        flow.got.push(number);
    }

    pub(super) fn client_event(&mut self, event: &client::Event) {
        match event {
            client::Event::MigrationStarted { attempt, .. } => {
                assert_eq!(self.client.replace(attempt.0), None, "K1: the client has two attempts");
            }
            client::Event::MigrationEnded { attempt, outcome } => {
                assert_eq!(self.client.take(), Some(attempt.0), "K1: the client ends another attempt");
                self.outcomes.push(*outcome);
                let whole = [client::Scheme::Seamless];
                self.lossy |= matches!(outcome, client::Outcome::Switched(scheme) if !whole.contains(scheme));
            }
            client::Event::Disconnected(_) => self.lossy = true,
            _ => {}
        }
    }

    pub(super) fn source_event(&mut self, server: usize, event: &source::Event) {
        match event {
            source::Event::Started(attempt) => {
                assert_eq!(self.sources[server].replace(attempt.0), None, "S3: source {server} has two attempts");
            }
            source::Event::Ended { attempt, .. } => {
                assert_eq!(self.sources[server].take(), Some(attempt.0), "S3: source {server} ends another attempt");
            }
            _ => {}
        }
    }

    pub(super) fn target_event(&mut self, server: usize, event: &target::Event) {
        match event {
            target::Event::Attached { client, arriving: true, .. } => {
                assert!(self.targets[server].insert(client.0), "T7: target {server}: {client:?} comes twice");
            }
            target::Event::Settled { client, .. } => {
                assert!(self.targets[server].remove(&client.0), "T7: target {server}: {client:?} settles twice");
                assert!(self.arrived[server].insert(client.0), "T7: target {server}: {client:?} settles twice");
            }
            target::Event::Gone { client, .. } => {
                let open = self.targets[server].remove(&client.0);
                assert!(!(open && self.arrived[server].contains(&client.0)), "T7: {client:?} ends twice");
            }
            _ => {}
        }
    }

    /// Every attempt has ended, at every party.
    pub(super) fn check_ended(&self, when: &str) {
        assert_eq!(self.client, None, "K9: {when}, an attempt of the client is open");
        assert_eq!(self.sources, [None, None], "S3: {when}, an attempt of a source is open");
        assert!(self.targets.iter().all(BTreeSet::is_empty), "T7: {when}, {:?} have not arrived", self.targets);
    }

    /// Nothing was lost.
    pub(super) fn check_whole(&self) {
        for (name, flows) in [("client", &self.up), ("server", &self.down)] {
            for (channel, flow) in flows {
                assert_eq!(flow.sent, flow.got, "K10: sent by the {name} on {channel:?}, and got");
            }
        }
    }
}
