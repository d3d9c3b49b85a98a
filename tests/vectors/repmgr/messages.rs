//! Single messages, each once, with what is in them as the recording program saw it.

use super::{LIMITS, decode, path, streams, unhex};
use bytes::Bytes;
use handover::repmgr::handshake::{Handshake, Parameters, Proposal, VersionRange};
use handover::repmgr::message::{AppMessage, Message};
use handover::repmgr::stream::{MessageStream, Side};
use handover::repmgr::{ErrorCode, Header, Host, MessageFlags, Segments, Version};
use handover::testing::check_chunking;
use handover::wire::Encode;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Known {
    scenario: String,
    conn: String,
    dir: String,
    #[serde(rename = "type")]
    ty: String,
    word1: u32,
    word2: u32,
    hex: String,
    tag: Option<u32>,
    limit: Option<u32>,
    flags: Option<u32>,
    segments: Option<Vec<String>>,
    canonical: Option<bool>,
    bulk: Option<bool>,
    data: Option<String>,
    error: Option<i64>,
}

fn known() -> Vec<Known> {
    let text = std::fs::read_to_string(path("vectors.json")).unwrap();
    let known: Vec<Known> = serde_json::from_str(&text).unwrap();
    assert_eq!(known.len(), 108);
    known
}

/// The message, by itself. (A dialler's parameters come behind a proposal.)
fn message(known: &Known) -> Message {
    let bytes = unhex(&known.hex);
    let (decoder, before) = match (known.ty.as_str(), known.dir.as_str()) {
        ("HANDSHAKE", "b2a") => (MessageStream::new(Side::Listener, VersionRange::ALL, &LIMITS), Vec::new()),
        ("HANDSHAKE", _) => {
            let first = Handshake::from(Proposal::new(Host::EMPTY, 0, 0, VersionRange::CHANNELS)).to_vec().unwrap();
            let is_first = bytes.ends_with(b"\0\0\0\0\x01\0\0\0\x04\0") || bytes.ends_with(b"\0\0\0\0\x04\0\0\0\x04\0");
            let before = if is_first { Vec::new() } else { first };
            (MessageStream::new(Side::Dialler, VersionRange::ALL, &LIMITS), before)
        }
        _ => (MessageStream::established(Version::V4, &LIMITS), Vec::new()),
    };
    check_chunking(|| decoder.clone(), &[&before[..], &bytes].concat(), &[4, 9, bytes.len() / 2]);
    let mut messages = decode(decoder, &[&before[..], &bytes].concat());
    assert_eq!(messages.len(), 1 + usize::from(!before.is_empty()));
    messages.pop().unwrap()
}

#[test]
fn each_is_what_it_should_be_and_is_written_back() {
    for known in known() {
        let (bytes, message) = (unhex(&known.hex), message(&known));
        assert_eq!(message.to_vec().as_deref(), Ok(&bytes[..]), "{}", known.hex);
        assert_eq!(message.name(), known.ty);
        let header = Header::parse(&bytes).unwrap();
        assert_eq!((header.word1, header.word2, header.ty), (known.word1, known.word2, message.ty()));
        assert_eq!(header.body_len(), bytes.len() as u64 - 9);
        match message {
            Message::App(message) => {
                let parts: Vec<Vec<u8>> = known.segments.unwrap().iter().map(|part| unhex(part)).collect();
                assert!(message.segments.slices().eq(parts.iter().map(|part| &part[..])), "{}", known.hex);
                let words = (message.tag, message.limit, message.flags.bits());
                assert_eq!(words, (known.tag.unwrap(), known.limit.unwrap(), known.flags.unwrap()));
                assert_eq!(Some(message.segments.is_canonical()), known.canonical, "{}", known.hex);
                let segments = Segments::from_iter(parts);
                let ours = AppMessage { segments, ..message.clone() };
                assert_eq!(ours, message);
                assert_eq!(Some(ours.to_vec().unwrap() == bytes), known.canonical, "{}", known.hex);
                assert_eq!(message.wanted().is_some(), message.flags.contains(MessageFlags::REQUEST));
            }
            Message::Response(answer) => {
                assert_eq!(answer.tag, known.word2);
                if known.bulk.unwrap() {
                    let parts: Vec<Bytes> = known.segments.unwrap().iter().map(|part| unhex(part).into()).collect();
                    let segments = answer.segments().unwrap();
                    assert!(segments.iter().eq(parts.iter().cloned()));
                    // One empty segment came with three zeros, out of memory that was not aligned.
                    let is_canonical = answer.body[..] != *b"\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0";
                    assert_eq!(segments.is_canonical(), is_canonical);
                    assert_eq!(Segments::from(parts).to_vec().unwrap() == answer.body, is_canonical);
                } else {
                    assert_eq!(answer.body, unhex(&known.data.unwrap()));
                }
            }
            Message::Error(error) => {
                assert_eq!((Some(error.tag), Some(-i64::from(error.code.0))), (known.tag, known.error));
                assert!([ErrorCode::NO_SERVER, ErrorCode::KEY_EMPTY, ErrorCode::BUFFER_SMALL].contains(&error.code));
            }
            _ => assert!(known.segments.is_none() && known.error.is_none()),
        }
    }
}

/// Each of them stands, whole, in one of the streams.
#[test]
fn each_stands_in_a_stream() {
    let mut said: BTreeMap<(String, String, String), Vec<Vec<u8>>> = BTreeMap::new();
    for stream in streams() {
        let messages = stream.messages().into_iter().map(|message| message.to_vec().unwrap());
        said.entry((stream.file.to_owned(), stream.conn, stream.dir)).or_default().extend(messages);
    }
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for known in known() {
        let stream = &said[&(known.scenario, known.conn, known.dir)];
        assert!(stream.contains(&unhex(&known.hex)), "{}", known.hex);
        *counts.entry(known.ty).or_default() += 1;
    }
    let expected = [
        ("APP_MESSAGE", 43),
        ("APP_RESPONSE", 23),
        ("HANDSHAKE", 33),
        ("HEARTBEAT", 1),
        ("OWN_MSG", 3),
        ("PERMLSN", 1),
        ("RESP_ERROR", 4),
    ];
    assert!(counts.iter().map(|(ty, count)| (ty.as_str(), *count)).eq(expected), "{counts:?}");
}

#[test]
fn two_senders_had_unaligned_memory() {
    let odd: Vec<Known> = known().into_iter().filter(|known| known.canonical == Some(false)).collect();
    let [several, one] = &odd[..] else { panic!("{} of them", odd.len()) };
    let Message::App(several) = message(several) else { panic!("an APP_MESSAGE") };
    assert!(several.segments.slices().eq([&b"hello"[..], b"world!", b"abc"]));
    assert_eq!(several.segments.encoded_len(), 15 + 4 + 3 * 8, "the table begins at an odd offset");
    let Message::App(one) = message(one) else { panic!("an APP_MESSAGE") };
    assert_eq!((one.segments.slice(0), one.segments.encoded_len()), (Some(&b"pong-async"[..]), 14 + 4 + 8));
}

/// What a parameters message of a channel has, whoever sends it.
#[test]
fn channels_say_that_they_are() {
    use handover::repmgr::ConnectionFlags;
    let mut channels = 0;
    for stream in streams().filter(|stream| stream.dir == "a2b" && stream.syn_seen) {
        let parameters = stream.messages().into_iter().find_map(|message| match message {
            Message::Handshake(Handshake::Parameters(Parameters { site })) => Some(site),
            _ => None,
        });
        let is_channel = parameters.is_some_and(|site| site.control.flags().contains(ConnectionFlags::APP_CHANNEL));
        assert_eq!(is_channel, stream.kind == "app-channel", "{}", stream.name());
        channels += u32::from(is_channel);
    }
    assert_eq!(channels, 14);
}
