//! Oracles of the TDS 5.0 codec. Each takes bytes and panics with the name of the property (spec/tds5.md 8) that
//! does not hold: so proptest, libFuzzer and a seed in a file all run the same.
//!
//! | oracle | what the bytes are |
//! |---|---|
//! | [`run_packets`] | one direction of a connection, from a peer: any packets, any messages |
//! | [`run_tokens`] | the payload of a message: any tokens |
//! | [`run_login`] | a login record and what is behind it |
//! | [`run_roundtrip`] | decisions of the generators in [`tds5`](super::tds5): values through their bytes and back |

mod feeds;
mod live;
mod values;
mod written;

pub use live::check_cut;
pub use values::{check_capabilities, check_values, run_roundtrip};

use crate::limits::Tds5Limits;
use crate::tds5::capability::RequestCapability;
use crate::tds5::connection::{ClientConnection, Item};
use crate::tds5::login::{Login, LoginRecord};
use crate::tds5::migration::Options;
use crate::tds5::packet::{Packet, PacketHeader, PacketStream};
use crate::tds5::stream::{MessageStream, Sender};
use crate::tds5::{PacketType, SessionId};
use crate::testing::{Choices, check_chunking};
use crate::wire::{ByteOrder, Encode as _};
use bytes::{Bytes, BytesMut};
use feeds::{End, bounded, feeds, honest};
use std::vec::Vec;
use written::{cut_alike, reproduces};

/// Limits that a fuzzer reaches.
const SMALL: Tds5Limits =
    Tds5Limits { packet_size: 600, login: 700, token: 300, migration: 60, columns: 4, ..Tds5Limits::DEFAULT };

/// Limits that nothing reaches.
const NONE: Tds5Limits = Tds5Limits {
    login: usize::MAX >> 1,
    token: usize::MAX >> 1,
    migration: usize::MAX >> 1,
    columns: u16::MAX,
    ..Tds5Limits::DEFAULT
};

/// Up to 8 places to cut a stream at. Few decisions, so that the rest of the input is the stream.
fn cuts(choices: &mut Choices<'_>) -> Vec<usize> {
    (0..choices.below(8)).map(|_| usize::from(choices.u16())).collect()
}

fn rest(choices: &mut Choices<'_>) -> Vec<u8> {
    (0..choices.remaining()).map(|_| choices.byte()).collect()
}

fn order_of(bit: bool) -> ByteOrder {
    if bit { ByteOrder::Big } else { ByteOrder::Little }
}

/// A message cut at `cuts` into packets; at least one.
fn message(ty: PacketType, payload: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (payload.len() + 1)).chain([0, payload.len()]).collect();
    // Nothing larger than what a header can say.
    cuts.extend((0..payload.len()).step_by(65_000));
    cuts.sort_unstable();
    cuts.dedup();
    if cuts.len() < 2 {
        cuts.push(0);
    }
    let mut bytes = Vec::new();
    for (at, pair) in cuts.windows(2).enumerate() {
        let piece = &payload[pair[0]..pair[1]];
        let header = PacketHeader::new(ty, at + 2 == cuts.len(), piece.len() as u16);
        bytes.extend(header.to_vec().expect("a header can be encoded"));
        bytes.extend_from_slice(piece);
    }
    bytes
}

/// The login message of a client of this byte order.
fn login_message(order: ByteOrder) -> Vec<u8> {
    let login = Login::new(LoginRecord::new(order), true);
    let mut bytes = BytesMut::new();
    let mut client = ClientConnection::new(Tds5Limits::DEFAULT, Options::DEFAULT);
    client.login(&login, &mut bytes).expect("it is ours");
    bytes.to_vec()
}

/// One direction of a connection, in any byte order, from its first byte or from behind the login on.
///
/// The first byte chooses direction, byte order, whether the login has been, the limits and the options; then cuts,
/// then the bytes of the peer.
///
/// # Panics
/// A way of cutting or feeding gives something else, more is held than was pushed (M13), or what was accepted is not
/// written back byte for byte (M1).
pub fn run_packets(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let form = choices.byte();
    let sender = if form & 1 == 0 { Sender::Server } else { Sender::Client };
    let order = order_of(form & 2 != 0);
    let limits = if form & 8 == 0 { Tds5Limits::DEFAULT } else { SMALL };
    let options = Options { accept_anywhere: form & 16 == 0, ..Options::DEFAULT };
    let cuts = cuts(&mut choices);
    let mut stream = Vec::new();
    if sender == Sender::Client && form & 4 == 0 {
        stream = login_message(order);
    }
    stream.extend(rest(&mut choices));
    let make = || {
        let mut decoder = MessageStream::new(sender, limits);
        decoder.set_order(order);
        decoder
    };
    check_chunking(|| PacketStream::new(&limits), &stream, &cuts);
    check_chunking(make, &stream, &cuts);
    bounded(make(), &stream);
    honest(make(), &stream);
    reproduces(make(), &stream);
    feeds(|| End::new(sender, order, limits, options), &stream, &cuts);
}

/// The tokens of one message, in both byte orders, of any type of message.
///
/// The first byte chooses the type, then cuts; the rest is the payload.
///
/// # Panics
/// [`walk`](crate::tds5::token::walk) and [`MessageStream`] disagree, packets make a difference (M1), or something
/// that was accepted is not written back byte for byte or does not keep to M3 and M4.
pub fn run_tokens(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let types = [PacketType::RESPONSE, PacketType::NORMAL, PacketType::URGENT, PacketType::MIGRATE, PacketType::LOGIN];
    let ty = types[usize::from(choices.byte()) % types.len()];
    let cuts = cuts(&mut choices);
    let payload = rest(&mut choices);
    for order in [ByteOrder::Little, ByteOrder::Big] {
        cut_alike(order, ty, &payload, &cuts);
    }
}

/// A login message: the record, by itself and on a connection, and what is behind it.
///
/// The first byte chooses whether the record is what the bytes say or a good one that they change; then cuts, then
/// the record, then the tokens behind it.
///
/// # Panics
/// What was accepted is not written back byte for byte, a session id changes on its way (M12), or capabilities do not
/// keep to M4.
pub fn run_login(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let form = choices.byte();
    let cuts = cuts(&mut choices);
    let mut message_bytes = rest(&mut choices);
    if form & 1 == 0 {
        let good = LoginRecord::new(order_of(form & 2 != 0)).to_vec().expect("it is ours");
        message_bytes.resize(message_bytes.len().max(good.len()), 0);
        message_bytes.iter_mut().zip(good).for_each(|(byte, good)| *byte ^= good);
    }
    let record = message_bytes.get(..LoginRecord::SIZE).map(LoginRecord::parse);
    if let Some(Ok(record)) = &record {
        let size = LoginRecord::SIZE;
        assert_eq!(record.to_vec().as_deref(), Ok(&message_bytes[..size]), "M1: a record is written back");
        session_ids(record, &message_bytes[..size], form);
        let shown = std::format!("{record:?}");
        let long = [record.password.expose(), &record.session_id.map_or([0; 6], SessionId::bytes)].map(hex_list);
        assert!(long.iter().all(|secret| secret.len() < 20 || !shown.contains(secret)), "a secret is shown");
        assert!(record.order().is_ok() && record.remote_passwords.entries().count() <= 127);
        let _ = record.packet_size();
    }
    let stream = message(PacketType::LOGIN, &message_bytes, &cuts);
    check_chunking(|| MessageStream::new(Sender::Client, NONE), &stream, &cuts);
    reproduces(MessageStream::new(Sender::Client, NONE), &stream);
    let options = Options::DEFAULT;
    let make = || End::new(Sender::Client, ByteOrder::Little, NONE, options);
    let (items, _) = feeds(make, &stream, &cuts);
    feeds(|| End::new(Sender::Client, ByteOrder::Little, SMALL, options), &stream, &cuts);
    for item in items {
        let Item::Login(login) = item else { continue };
        assert_eq!(Some(Ok(&*login.record)), record.as_ref().map(|record| record.as_ref().map_err(|error| *error)));
        check_capabilities(&login.capabilities);
        let able = login.capabilities.request(RequestCapability::MIGRATE);
        assert!(able || !login.migratable(), "M4: nobody is able without saying so");
        assert!(login.is_migration().is_none_or(|id| Some(id) == login.record.session_id), "M12");
        let _ = (login.wants_session(), std::format!("{login:?}"));
        // What was read can be said again, and is then read as the same.
        let mut up = BytesMut::new();
        let mut client = ClientConnection::new(NONE, options);
        client.login(&login, &mut up).expect("M1: it was read");
        let again = feeds::whole(make(), &up);
        assert_eq!(again, ([Item::Login(login)].into(), None), "M1: a login message");
    }
}

/// The list of numbers that `Debug` would show bytes as.
fn hex_list(bytes: &[u8]) -> std::string::String {
    let shown = std::format!("{bytes:?}");
    shown.trim_matches(['[', ']']).into()
}

/// M12: the id of a migration login is the one that was given, and nothing else changes.
fn session_ids(record: &LoginRecord, bytes: &[u8], form: u8) {
    let id = [form, 0, 0xff, form ^ 0x55, 1, 0x80];
    let login = record.clone().with_migration(SessionId::new(id).expect("it is not zero"));
    let mut expected = bytes.to_vec();
    expected[516] |= 0x10;
    expected[517..523].copy_from_slice(&id);
    assert_eq!(login.to_vec(), Ok(expected.clone()), "M12: the id stands where it should, and nothing else moved");
    let read = LoginRecord::parse(&expected).expect("it is as good as before");
    assert_eq!(read.session_id.map(SessionId::bytes), Some(id), "M12: the id is read as it was given");
}

fn own(part: &[u8]) -> Bytes {
    Bytes::copy_from_slice(part)
}

/// The packets of a stream that is our own.
fn packets_of(stream: &[u8]) -> Vec<Packet> {
    use crate::wire::StreamDecode as _;
    let (mut decoder, mut src) = (PacketStream::new(&Tds5Limits::DEFAULT), BytesMut::from(stream));
    let packets = core::iter::from_fn(|| decoder.decode_next(&mut src).expect("it is ours")).collect();
    assert!(src.is_empty(), "{} bytes are left", src.len());
    packets
}
