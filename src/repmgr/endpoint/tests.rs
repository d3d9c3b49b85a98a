//! The items of spec/repmgr.md 6.4, one by one, over bytes.

mod flow;
mod local;
mod sessions;
mod strangers;

use super::*;
use crate::error::DecodeError;
use crate::repmgr::channel::{Event as ChannelEvent, MessageId, RequestId, RequestOptions, Response};
use crate::repmgr::connection::MembershipPolicy;
use crate::repmgr::dispatcher::{Event as Incoming, Handle};
use crate::repmgr::host::SiteAddress;
use crate::repmgr::message::Message;
use crate::repmgr::segments::Segments;
use crate::wire::{Encode, StreamDecode};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::time::Duration;
use std::format;

fn address(host: &str) -> SiteAddress {
    SiteAddress::new(host, 5000).unwrap()
}

const ONE: ChannelId = ChannelId(1);
const TWO: ChannelId = ChannelId(2);

/// A site and what it wants.
struct Site {
    endpoint: SiteEndpoint,
    now: Instant,
    /// What it has written, by link.
    written: BTreeMap<LinkId, BytesMut>,
    /// Everything else, in order, in short.
    log: Vec<String>,
    dialled: Vec<LinkId>,
    /// What has come in, and is not finished.
    handles: VecDeque<Handle>,
}

impl Site {
    fn new(config: SiteConfig) -> Self {
        Self {
            endpoint: SiteEndpoint::new(config),
            now: Instant::ZERO,
            written: BTreeMap::new(),
            log: Vec::new(),
            dialled: Vec::new(),
            handles: VecDeque::new(),
        }
    }

    /// With a channel to the site "there".
    fn with_channel(config: SiteConfig) -> Self {
        let mut site = Self::new(config);
        site.fine(SiteCommand::OpenChannel { channel: ONE, to: To::Site(address("there")) });
        site
    }

    fn command(&mut self, command: SiteCommand) -> Result<(), EndpointError> {
        let before = format!("{:?}", self.endpoint);
        let result = self.endpoint.command(self.now, command);
        if matches!(result, Err(EndpointError::Machine(Error::Misuse(_)))) {
            assert_eq!(before, format!("{:?}", self.endpoint), "a misuse changes nothing");
        }
        self.carry_out();
        result
    }

    fn fine(&mut self, command: SiteCommand) {
        self.command(command).unwrap();
    }

    fn send(&mut self, channel: ChannelId, id: u32) -> Result<(), EndpointError> {
        self.command(SiteCommand::Send { channel, id: MessageId(id), segments: text(id) })
    }

    fn request(&mut self, channel: ChannelId, id: u32) -> Result<(), EndpointError> {
        let options = RequestOptions::default();
        self.command(SiteCommand::Request { channel, id: RequestId(id), segments: text(id), options })
    }

    fn received(&mut self, link: LinkId, bytes: &[u8]) -> Result<(), EndpointError> {
        let result = self.endpoint.received(self.now, link, bytes);
        self.carry_out();
        result
    }

    fn connected(&mut self, link: LinkId) {
        self.endpoint.connected(self.now, link).unwrap();
        self.carry_out();
    }

    fn closed(&mut self, link: LinkId) {
        self.endpoint.closed(self.now, link).unwrap();
        self.carry_out();
    }

    fn congested(&mut self, link: LinkId, congested: bool) {
        let told = if congested { SiteEndpoint::congested } else { SiteEndpoint::drained };
        told(&mut self.endpoint, self.now, link).unwrap();
        self.carry_out();
    }

    /// The next deadline comes.
    fn due(&mut self) {
        self.now = self.endpoint.poll_timeout().expect("there is a deadline");
        self.endpoint.timeout(self.now).unwrap();
        self.carry_out();
    }

    /// Answers the oldest request by what it consists of, and finishes it.
    fn serve(&mut self) {
        let handle = self.handles.pop_front().expect("something has come");
        self.fine(SiteCommand::Answer { handle, segments: Segments::one("answer") });
        self.fine(SiteCommand::Finish(handle));
    }

    fn finish(&mut self) {
        let handle = self.handles.pop_front().expect("something has come");
        self.fine(SiteCommand::Finish(handle));
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            let line = match output {
                SiteOutput::Transmit { link, bytes } => {
                    self.written.entry(link).or_default().extend_from_slice(&bytes);
                    continue;
                }
                SiteOutput::Dial { link, address } => {
                    self.dialled.push(link);
                    format!("dial {} {address}", link.0)
                }
                SiteOutput::Close(link) => format!("close {}", link.0),
                SiteOutput::Pause(link) => format!("pause {}", link.0),
                SiteOutput::Resume(link) => format!("resume {}", link.0),
                SiteOutput::Event(event) => self.event(event),
            };
            self.log.push(line);
        }
    }

    fn event(&mut self, event: SiteEvent) -> String {
        match event {
            SiteEvent::Link { link, event } => match event {
                LinkEvent::Ready(peer) => format!("{} ready {}", link.0, peer.address),
                LinkEvent::MembershipRequest(_) => format!("{} membership", link.0),
                LinkEvent::Ignored(name) => format!("{} ignored {name}", link.0),
                LinkEvent::Closed(reason) => format!("{} closed {reason:?}", link.0),
            },
            SiteEvent::Channel { channel, event } => match event {
                ChannelEvent::Completed { id, result: Ok(Response::Single(payload)) } => {
                    format!("#{} {} = {}", channel.0, id.0, String::from_utf8_lossy(&payload.0))
                }
                ChannelEvent::Completed { id, result: Ok(Response::Bulk(segments)) } => {
                    format!("#{} {} = {segments:?}", channel.0, id.0)
                }
                ChannelEvent::Completed { id, result: Err(failure) } => {
                    format!("#{} {} failed {failure:?}", channel.0, id.0)
                }
                ChannelEvent::Sent(id) => format!("#{} sent {}", channel.0, id.0),
                ChannelEvent::Dropped { id, reason } => format!("#{} dropped {} {reason:?}", channel.0, id.0),
                ChannelEvent::LinkLost { link, messages } => {
                    format!("#{} lost {} with {messages}", channel.0, link.0)
                }
                ChannelEvent::Ignored => format!("#{} ignored", channel.0),
                ChannelEvent::Closed { messages, requests } => format!("#{} over {messages} {requests}", channel.0),
            },
            SiteEvent::Dispatch(event) => match event {
                Incoming::Message { handle, link, segments } => {
                    self.handles.push_back(handle);
                    format!("message {} {}", link.0, number(&segments))
                }
                Incoming::Request { handle, link, segments, .. } => {
                    self.handles.push_back(handle);
                    format!("request {} {}", link.0, number(&segments))
                }
                Incoming::Lost(handle) => format!("lost {}", handle.0),
                Incoming::TooLarge { handle, size } => format!("too large {} {size}", handle.0),
                Incoming::Unserved(link) => format!("unserved {}", link.0),
            },
        }
    }

    fn log(&mut self) -> Vec<String> {
        core::mem::take(&mut self.log)
    }

    #[track_caller]
    fn logs<const N: usize>(&mut self, expected: [&str; N]) {
        assert_eq!(self.log(), expected);
    }

    /// What it has written on a link since.
    fn take(&mut self, link: LinkId) -> Bytes {
        self.written.remove(&link).unwrap_or_default().freeze()
    }
}

/// What the message or request of a number consists of.
fn text(id: u32) -> Segments {
    Segments::one(id.to_be_bytes().to_vec())
}

/// The number, 0 for anything else.
fn number(segments: &Segments) -> u32 {
    segments.slice(0).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// Two sites, and the link that the first has dialled.
struct Pair {
    here: Site,
    there: Site,
    dialled: LinkId,
    accepted: LinkId,
}

impl Pair {
    fn new(here: SiteConfig, there: SiteConfig) -> Self {
        let (mut here, mut there) = (Site::with_channel(here), Site::new(there));
        here.fine(SiteCommand::Connect(ONE));
        let (dialled, accepted) = (here.dialled[0], there.endpoint.accept(there.now));
        here.connected(dialled);
        Self { here, there, dialled, accepted }
    }

    /// Established, and nothing else.
    fn ready() -> Self {
        Self::ready_with(SiteConfig::default(), SiteConfig::default())
    }

    fn ready_with(here: SiteConfig, there: SiteConfig) -> Self {
        let mut pair = Self::new(here, there);
        pair.settle();
        pair.here.logs(["dial 2 there:5000", "2 ready localhost:0"]);
        pair.there.logs(["1 ready localhost:0"]);
        pair
    }

    /// Everything arrives.
    fn settle(&mut self) {
        loop {
            let (up, down) = (self.here.take(self.dialled), self.there.take(self.accepted));
            if up.is_empty() && down.is_empty() {
                return;
            }
            self.there.received(self.accepted, &up).unwrap();
            self.here.received(self.dialled, &down).unwrap();
        }
    }
}

/// What a peer writes, message by message, on a connection that is there.
fn bytes(messages: &[Message]) -> Vec<u8> {
    messages.iter().flat_map(|message| message.to_vec().unwrap()).collect()
}

/// What was written, by the names of the messages.
fn names(side: Side, bytes: &Bytes) -> Vec<&'static str> {
    let mut stream = MessageStream::new(side, crate::repmgr::handshake::VersionRange::ALL, &Default::default());
    let mut bytes = BytesMut::from(&bytes[..]);
    let mut next = || -> Result<Option<Message>, DecodeError> { stream.decode_next(&mut bytes) };
    core::iter::from_fn(|| next().unwrap()).map(|message| message.name()).collect()
}
