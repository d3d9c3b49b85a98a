//! Both directions of a captured link on their way through the decoders.

use crate::input::Conversation;
use handover::error::DecodeError;
use handover::limits::SpiceLimits;
use handover::spice::stream::{ClientItem, ClientStream, ServerItem, ServerStream};
use handover::spice::{ClientMessage, DataHeader, HeaderKind, LinkError, Message, Packet, ServerMessage};
use handover::wire::{Encode, Framer, StreamDecode};
use std::fmt::Debug;
use std::ops::Range;

/// One direction, as far as it has come.
pub(crate) struct Side<D: StreamDecode> {
    framer: Framer<D>,
    pushed: usize,
    /// Each item with the bytes that it took.
    pub(crate) items: Vec<(D::Item, Range<usize>)>,
    pub(crate) error: Option<DecodeError>,
}

impl<D: StreamDecode<Item: Debug + PartialEq>> Side<D> {
    fn new(decoder: D) -> Self {
        Self { framer: Framer::new(decoder), pushed: 0, items: Vec::new(), error: None }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.pushed += bytes.len();
        self.framer.push(bytes);
    }

    /// Takes what is there; says whether there was something.
    fn pull(&mut self, mut seen: impl FnMut(&D::Item)) -> bool {
        let before = self.items.len();
        while self.error.is_none() {
            match self.framer.next_item() {
                Ok(Some(item)) => {
                    seen(&item);
                    let start = self.items.last().map_or(0, |(_, range)| range.end);
                    self.items.push((item, start..self.pushed - self.framer.buffered()));
                }
                Ok(None) => break,
                Err(error) => self.error = Some(error),
            }
        }
        self.items.len() > before
    }

    fn assert_same(&self, other: &Self, what: &str) {
        for ((ours, our_range), (theirs, their_range)) in self.items.iter().zip(&other.items) {
            assert!(our_range == their_range && ours == theirs, "{what}: an item at {our_range:?} differs");
        }
        assert_eq!(self.items.len(), other.items.len(), "{what}");
        assert_eq!(self.error, other.error, "{what}");
        if self.error.is_none() {
            assert_eq!(self.framer.buffered(), other.framer.buffered(), "{what}");
        }
    }
}

/// A link of which both sides are only watched.
pub(crate) struct Link {
    pub(crate) client: Side<ClientStream>,
    pub(crate) server: Side<ServerStream>,
}

impl Link {
    fn new() -> Self {
        let limits = SpiceLimits::DEFAULT;
        Self { client: Side::new(ClientStream::new(limits)), server: Side::new(ServerStream::new(limits)) }
    }

    /// Takes what is there; each side tells the other what it has to know.
    fn pull(&mut self) {
        let Self { client, server } = self;
        loop {
            let mut moved = client.pull(|item| {
                if let ClientItem::Link(mess) = item {
                    server.framer.decoder_mut().set_link(mess);
                }
            });
            moved |= server.pull(|item| match item {
                ServerItem::Reply(reply) if reply.error() == LinkError::OK => {
                    client.framer.decoder_mut().set_reply(reply);
                }
                _ => {}
            });
            if !moved {
                return;
            }
        }
    }

    /// Both streams at once.
    pub(crate) fn whole(conversation: &Conversation) -> Self {
        let mut link = Self::new();
        link.client.push(&conversation.client.bytes);
        link.server.push(&conversation.server.bytes);
        link.pull();
        link
    }

    /// Both streams in pieces: `cut` says of each whether it is the client's, and how long it is.
    pub(crate) fn in_pieces(conversation: &Conversation, mut cut: impl FnMut() -> (bool, usize)) -> Self {
        let mut link = Self::new();
        let (mut up, mut down) = (conversation.client.bytes.as_slice(), conversation.server.bytes.as_slice());
        while !(up.is_empty() && down.is_empty()) {
            let (from_client, size) = cut();
            let rest = if from_client { &mut up } else { &mut down };
            let (piece, behind) = rest.split_at(size.min(rest.len()));
            *rest = behind;
            if from_client {
                link.client.push(piece);
            } else {
                link.server.push(piece);
            }
            link.pull();
        }
        link
    }

    pub(crate) fn assert_same(&self, other: &Self, what: &str) {
        self.client.assert_same(&other.client, &format!("{what}, c2s"));
        self.server.assert_same(&other.server, &format!("{what}, s2c"));
    }

    /// Both streams again, from the items alone.
    pub(crate) fn write_back(&self) -> (Vec<u8>, Vec<u8>) {
        let header = self.client.framer.decoder().header();
        let up = self.client.items.iter().flat_map(|(item, _)| match item {
            ClientItem::Link(mess) => mess.to_vec().unwrap(),
            ClientItem::Mechanism(mechanism) => mechanism.to_vec().unwrap(),
            ClientItem::Ticket(ticket) => ticket.0.to_vec(),
            ClientItem::Message(packet) => framed(packet, header),
            other => panic!("no vector has {other:?}"),
        });
        let header = self.server.framer.decoder().header();
        let down = self.server.items.iter().flat_map(|(item, _)| match item {
            ServerItem::Reply(reply) => reply.to_vec().unwrap(),
            ServerItem::Result(result) => result.to_vec().unwrap(),
            ServerItem::Message(packet) => framed(packet, header),
            other => panic!("no vector has {other:?}"),
        });
        (up.collect(), down.collect())
    }

    /// What the client sent, by name.
    pub(crate) fn client_names(&self) -> Vec<&'static str> {
        let names = self.client.items.iter().map(|(item, _)| match item {
            ClientItem::Link(_) => "LinkMess",
            ClientItem::Mechanism(_) => "AuthMechanism",
            ClientItem::Ticket(_) => "Ticket",
            ClientItem::Message(packet) => packet.message.name(),
            other => panic!("no vector has {other:?}"),
        });
        names.collect()
    }

    /// What the server sent, by name.
    pub(crate) fn server_names(&self) -> Vec<&'static str> {
        let names = self.server.items.iter().map(|(item, _)| match item {
            ServerItem::Reply(_) => "LinkReply",
            ServerItem::Result(_) => "LinkResult",
            ServerItem::Message(packet) => packet.message.name(),
            other => panic!("no vector has {other:?}"),
        });
        names.collect()
    }

    /// The client's messages, each with its place in the stream.
    pub(crate) fn client_packets(&self) -> impl Iterator<Item = (&Packet<ClientMessage>, Range<usize>)> {
        self.client.items.iter().filter_map(|(item, range)| match item {
            ClientItem::Message(packet) => Some((packet, range.clone())),
            _ => None,
        })
    }

    /// The server's messages, each with its place in the stream.
    pub(crate) fn server_packets(&self) -> impl Iterator<Item = (&Packet<ServerMessage>, Range<usize>)> {
        self.server.items.iter().filter_map(|(item, range)| match item {
            ServerItem::Message(packet) => Some((packet, range.clone())),
            _ => None,
        })
    }
}

/// A packet as it stands on the wire, from its parts.
fn framed<M: Message>(packet: &Packet<M>, header: Option<HeaderKind>) -> Vec<u8> {
    let serial = packet.serial.filter(|_| header == Some(HeaderKind::Full));
    let size = u32::try_from(packet.body_len()).unwrap();
    let header = DataHeader { serial, ty: packet.message.wire_type(), size, sub_list: packet.sub_list };
    [header.to_vec().unwrap(), packet.message.to_vec().unwrap(), packet.extra.to_vec()].concat()
}
