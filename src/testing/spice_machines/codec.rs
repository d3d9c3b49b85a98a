//! Oracles of the codec: the link stage, the data stage, and values.

use crate::error::DecodeError;
use crate::limits::SpiceLimits;
use crate::spice::connection::{ClientConnection, ClientEvent, ServerConnection, ServerEvent, refusal};
use crate::spice::link::{LinkMess, LinkReply, LinkResult, PublicKey, Ticket};
use crate::spice::stream::{ClientItem, ClientStream, ServerItem, ServerStream};
use crate::spice::{
    Capabilities, ChannelId, ChannelType, ClientMessage, CommonCaps, HeaderKind, LinkError, Message, ServerMessage,
};
use crate::testing::spice::{
    Sample, any_channel_type, client_packet, dst_info, link_mess, link_reply, odd_client_body, odd_server_body,
    server_packet, ticket,
};
use crate::testing::{Choices, check_chunking};
use crate::wire::{Encode, StreamDecode};
use bytes::{Bytes, BytesMut};
use core::fmt::Debug;
use std::vec::Vec;

const LIMITS: SpiceLimits = SpiceLimits::DEFAULT;

/// Up to 8 places to cut a stream at. Few decisions, so that the rest of the input is the stream.
fn cuts(choices: &mut Choices<'_>) -> Vec<usize> {
    (0..choices.below(8)).map(|_| usize::from(choices.u16())).collect()
}

fn rest(choices: &mut Choices<'_>) -> Vec<u8> {
    (0..choices.remaining()).map(|_| choices.byte()).collect()
}

/// The bytes in pieces.
fn pieces<'b>(bytes: &'b [u8], cuts: &[usize]) -> Vec<&'b [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([0, bytes.len()]).collect();
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn caps(bits: u8) -> CommonCaps {
    CommonCaps::from_bits_retain(u32::from(bits % 16))
}

/// The link stage and what follows it: both directions, as passive streams and as live connections.
///
/// The first byte chooses direction and form, the second the other side's capabilities; then cuts, then the
/// bytes of the peer.
///
/// # Panics
/// A way of cutting gives something else, or what was accepted is not reproduced.
pub fn run_link(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let (form, other) = (choices.byte(), caps(choices.byte()));
    let cuts = cuts(&mut choices);
    let stream = rest(&mut choices);
    let reply = LinkReply::accept(PublicKey([1; 162]), other, Capabilities::default());
    let mess = LinkMess::new(1, ChannelId::MAIN, other, Capabilities::default());
    match form % 4 {
        0 => {
            let make = || {
                let mut decoder = ClientStream::new(LIMITS);
                decoder.set_reply(&reply);
                decoder
            };
            check_chunking(make, &stream, &cuts);
            reproduces(make(), &stream, &client_bytes);
        }
        1 => {
            let make = || {
                let mut decoder = ServerStream::new(LIMITS);
                decoder.set_link(&mess);
                decoder
            };
            check_chunking(make, &stream, &cuts);
            reproduces(make(), &stream, &server_bytes);
        }
        2 => {
            let whole = serve(&[&stream], &reply);
            assert_eq!(whole, serve(&pieces(&stream, &cuts), &reply), "cut at {cuts:?}");
        }
        _ => {
            let whole = dial(&[&stream], other);
            assert_eq!(whole, dial(&pieces(&stream, &cuts), other), "cut at {cuts:?}");
        }
    }
}

type Events<E> = (Vec<E>, Option<&'static str>, Vec<u8>);

/// A server's link that is answered as it goes: what happens, how it ends, and what is written.
fn serve(pieces: &[&[u8]], reply: &LinkReply) -> Events<ServerEvent> {
    let mut connection = ServerConnection::new(LIMITS);
    let (mut events, mut out) = (Vec::new(), BytesMut::new());
    for piece in pieces {
        connection.receive(piece);
        loop {
            let answered = match connection.next_event() {
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(connection.next_event(), Err(error), "an error stays");
                    let refused = refusal(&error).map(|error| LinkReply::refuse(error).to_vec());
                    assert!(refused.is_none_or(|reply| reply.is_ok()));
                    return (events, Some(error.field), out.to_vec());
                }
                Ok(Some(event)) => {
                    let answered = match &event {
                        ServerEvent::Link(_) => connection.reply(reply, &mut out),
                        ServerEvent::Ticket(_) => connection.finish(LinkError::OK, &mut out),
                        ServerEvent::UnsupportedMechanism(_) => {
                            // Then it is to be closed.
                            let refused = connection.refuse_mechanism(&mut out);
                            assert_eq!(refused, Ok(()), "a mechanism can be refused");
                            events.push(event);
                            return (events, None, out.to_vec());
                        }
                        ServerEvent::Message(packet) => {
                            assert!(packet.serial.is_some());
                            Ok(())
                        }
                    };
                    events.push(event);
                    answered
                }
            };
            assert_eq!(answered, Ok(()), "what is asked for can be answered");
        }
    }
    (events, None, out.to_vec())
}

/// A client's link that goes on as it is answered.
fn dial(pieces: &[&[u8]], common: CommonCaps) -> Events<ClientEvent> {
    let main = ChannelId::MAIN;
    let mut connection = ClientConnection::new(7, main, common, Capabilities::default(), LIMITS);
    let (mut events, mut out) = (Vec::new(), BytesMut::new());
    connection.start(&mut out).expect("it is the first");
    assert!(connection.start(&mut out.clone()).is_err(), "it starts once");
    for piece in pieces {
        connection.receive(piece);
        loop {
            match connection.next_event() {
                Ok(None) => break,
                Err(error) => return (events, Some(error.field), out.to_vec()),
                Ok(Some(event)) => {
                    if matches!(event, ClientEvent::TicketWanted(_)) {
                        let ticket = Ticket([9; 128]);
                        connection.answer_ticket(&ticket, &mut out).expect("it is wanted");
                    }
                    if matches!(event, ClientEvent::Linked { .. }) {
                        connection.send(&ClientMessage::Ack.into(), &mut out).expect("it is linked");
                    }
                    events.push(event);
                }
            }
        }
    }
    (events, None, out.to_vec())
}

/// What an item is on the wire; `None` for what stands in another one.
type Write<'w, I> = &'w dyn Fn(&I, HeaderKind) -> Option<Vec<u8>>;

fn client_bytes(item: &ClientItem, kind: HeaderKind) -> Option<Vec<u8>> {
    match item {
        ClientItem::Link(mess) => mess.to_vec().ok(),
        ClientItem::Mechanism(mechanism) => mechanism.to_vec().ok(),
        ClientItem::Ticket(ticket) => Some(ticket.0.to_vec()),
        ClientItem::SubMessage(_) => None,
        ClientItem::Message(packet) => packet.framed(kind, 0).to_vec().ok(),
    }
}

fn server_bytes(item: &ServerItem, kind: HeaderKind) -> Option<Vec<u8>> {
    match item {
        ServerItem::Reply(reply) => reply.to_vec().ok(),
        ServerItem::Result(result) => result.to_vec().ok(),
        ServerItem::SubMessage(_) => None,
        ServerItem::Message(packet) => packet.framed(kind, 0).to_vec().ok(),
    }
}

/// A decoder that knows its header.
trait Headed: StreamDecode {
    fn kind(&self) -> HeaderKind;
}

impl Headed for ClientStream {
    fn kind(&self) -> HeaderKind {
        self.header().unwrap_or(HeaderKind::Mini)
    }
}

impl Headed for ServerStream {
    fn kind(&self) -> HeaderKind {
        self.header().unwrap_or(HeaderKind::Mini)
    }
}

/// C1: what is accepted is written back byte for byte.
fn reproduces<D: Headed<Item: Debug>>(mut decoder: D, stream: &[u8], write: Write<'_, D::Item>) {
    let mut src = BytesMut::from(stream);
    let mut from = 0;
    while let Ok(Some(item)) = decoder.decode_next(&mut src) {
        let to = stream.len() - src.len();
        // The bytes of a sub-message stand in the message that carries it and comes behind it.
        if let Some(again) = write(&item, decoder.kind()) {
            assert!(again == stream[from..to], "{item:?} is {again:?}, not {:?}", &stream[from..to]);
            from = to;
        }
    }
}

/// A link that is past its link stage, in bytes: the peer's part of it.
fn link_stage(channel: ChannelId, kind: HeaderKind, client: bool) -> (Vec<u8>, LinkMess, LinkReply) {
    let caps = if kind == HeaderKind::Mini { CommonCaps::MINI_HEADER } else { CommonCaps::empty() };
    let mess = LinkMess::new(1, channel, caps, Capabilities::default());
    let reply = LinkReply::accept(PublicKey::ZERO, caps, Capabilities::default());
    let mut bytes = if client { mess.to_vec() } else { reply.to_vec() }.expect("it is ours");
    if client {
        bytes.extend([0; Ticket::SIZE]);
    } else {
        bytes.extend(LinkResult { error: LinkError::OK }.to_vec().expect("it is ours"));
    }
    (bytes, mess, reply)
}

/// The data stage: a body of any type by itself, and a stream of packets.
///
/// The first byte chooses direction, header and form, the second the channel; then cuts or a type, then bytes.
///
/// # Panics
/// What was accepted is not reproduced, the borrowed and the kept form differ, or a way of cutting gives
/// something else.
pub fn run_data(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let (form, channel) = (choices.byte(), ChannelId::new(ChannelType(choices.byte() % 12), 0));
    let kind = if form & 1 == 0 { HeaderKind::Mini } else { HeaderKind::Full };
    let client = form & 2 == 0;
    if form & 4 == 0 {
        let (ty, body) = (choices.u16(), Bytes::from(rest(&mut choices)));
        return if client {
            let borrowed = <ClientMessage<&[u8]>>::decode(channel.ty, ty, &body);
            one_body::<ClientMessage>(channel.ty, ty, &body, borrowed.map(|(m, rest)| (m.map(&mut own), own(rest))));
        } else {
            let borrowed = <ServerMessage<&[u8]>>::decode(channel.ty, ty, &body);
            one_body::<ServerMessage>(channel.ty, ty, &body, borrowed.map(|(m, rest)| (m.map(&mut own), own(rest))));
        };
    }
    let cuts = cuts(&mut choices);
    let (mut stream, mess, reply) = link_stage(channel, kind, client);
    stream.extend(rest(&mut choices));
    if client {
        let make = || {
            let mut decoder = ClientStream::new(LIMITS);
            decoder.set_reply(&reply);
            decoder
        };
        check_chunking(make, &stream, &cuts);
        reproduces(make(), &stream, &client_bytes);
    } else {
        let make = || {
            let mut decoder = ServerStream::new(LIMITS);
            decoder.set_link(&mess);
            decoder
        };
        check_chunking(make, &stream, &cuts);
        reproduces(make(), &stream, &server_bytes);
    }
}

fn own(part: &[u8]) -> Bytes {
    Bytes::copy_from_slice(part)
}

fn one_body<M: Message>(channel: ChannelType, ty: u16, body: &Bytes, borrowed: Result<(M, Bytes), DecodeError>) {
    let kept = M::from_body(channel, ty, body);
    assert_eq!(kept, borrowed, "kept and borrowed");
    let Ok((message, extra)) = kept else { return };
    assert_eq!(message.wire_type(), ty);
    assert_eq!(message.encoded_len() + extra.len(), body.len(), "{message:?}");
    let mut again = message.to_vec().expect("it was decoded");
    again.extend_from_slice(&extra);
    assert_eq!(again, *body, "{message:?}");
}

/// Any value that the API can build, through its bytes and back.
///
/// # Panics
/// It is another one afterwards.
pub fn run_roundtrip(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let c = &mut choices;
    let form = c.byte();
    let kind = if form & 8 == 0 { HeaderKind::Mini } else { HeaderKind::Full };
    let channel = ChannelId::new(any_channel_type(c), 0);
    match form % 8 {
        0 | 1 => {
            let sample = server_packet(channel.ty, kind, c);
            let (mut stream, mess, _) = link_stage(channel, kind, false);
            stream.extend(sample.packet.framed(kind, 1).to_vec().expect("it is good"));
            let mut decoder = ServerStream::new(LIMITS);
            decoder.set_link(&mess);
            same(
                &sample,
                items(decoder, &stream).iter().filter_map(|item| match item {
                    ServerItem::Message(packet) => Some((false, packet)),
                    ServerItem::SubMessage(packet) => Some((true, packet)),
                    _ => None,
                }),
            );
        }
        2 | 3 => {
            let sample = client_packet(channel.ty, kind, c);
            let (mut stream, _, reply) = link_stage(channel, kind, true);
            stream.extend(sample.packet.framed(kind, 1).to_vec().expect("it is good"));
            let mut decoder = ClientStream::new(LIMITS);
            decoder.set_reply(&reply);
            same(
                &sample,
                items(decoder, &stream).iter().filter_map(|item| match item {
                    ClientItem::Message(packet) => Some((false, packet)),
                    ClientItem::SubMessage(packet) => Some((true, packet)),
                    _ => None,
                }),
            );
        }
        4 => {
            let (mess, ticket) = (link_mess(c), ticket(c));
            let mut stream = mess.to_vec().expect("it is good");
            stream.extend(ticket.0);
            let mut decoder = ClientStream::new(LIMITS);
            decoder.set_reply(&LinkReply::accept(PublicKey::ZERO, CommonCaps::empty(), Capabilities::default()));
            assert_eq!(items(decoder, &stream), [ClientItem::Link(mess), ClientItem::Ticket(ticket)]);
        }
        5 => {
            let reply = link_reply(c);
            let stream = reply.to_vec().expect("it is good");
            assert_eq!(items(ServerStream::new(LIMITS), &stream), [ServerItem::Reply(reply)]);
        }
        6 => {
            let message = ServerMessage::MigrateSwitchHost(dst_info(c));
            let body = Bytes::from(message.to_vec().expect("it is good"));
            assert_eq!(ServerMessage::from_body(ChannelType::MAIN, 111, &body), Ok((message, Bytes::new())));
        }
        _ if form & 8 == 0 => {
            let (ty, body) = odd_server_body(channel.ty, c);
            let body = Bytes::from(body);
            let borrowed = <ServerMessage<&[u8]>>::decode(channel.ty, ty, &body);
            one_body::<ServerMessage>(channel.ty, ty, &body, borrowed.map(|(m, rest)| (m.map(&mut own), own(rest))));
        }
        _ => {
            let (ty, body) = odd_client_body(channel.ty, c);
            let body = Bytes::from(body);
            let borrowed = <ClientMessage<&[u8]>>::decode(channel.ty, ty, &body);
            one_body::<ClientMessage>(channel.ty, ty, &body, borrowed.map(|(m, rest)| (m.map(&mut own), own(rest))));
        }
    }
}

fn items<D: StreamDecode>(mut decoder: D, stream: &[u8]) -> Vec<D::Item> {
    let mut src = BytesMut::from(stream);
    let next = || decoder.decode_next(&mut src).expect("it is ours");
    let items = core::iter::from_fn(next).collect();
    assert!(src.is_empty(), "{} bytes are left", src.len());
    items
}

/// The sub-messages, then the packet that carries them.
fn same<'p, M: Message + 'p>(sample: &Sample<M>, came: impl Iterator<Item = (bool, &'p crate::spice::Packet<M>)>) {
    let mut subs = Vec::new();
    let mut packets = Vec::new();
    for (sub, packet) in came {
        if sub { subs.push((packet.message.clone(), packet.extra.clone())) } else { packets.push(packet.clone()) }
    }
    let serial = packets.first().and_then(|packet| packet.serial);
    let expected = crate::spice::Packet { serial, ..sample.packet.clone() };
    assert_eq!(packets, [expected]);
    assert_eq!(subs, sample.subs);
    assert!(serial == Some(1) || serial == sample.packet.serial, "{serial:?}");
}
