//! `.pcap` and `.pcapng` files: TCP streams put together again.

use crate::{input, spice, temporary, vector};
use etherparse::PacketBuilder;
use serde_json::Value;
use std::collections::BTreeMap;

const CLIENT: ([u8; 4], u16) = ([10, 0, 0, 1], 40_000);
const SERVER: ([u8; 4], u16) = ([10, 0, 0, 2], 5900);

#[derive(Clone, Copy, Default)]
struct Flags {
    syn: bool,
    ack: bool,
    fin: bool,
    rst: bool,
}

const SYN: Flags = Flags { syn: true, ack: false, fin: false, rst: false };
const SYN_ACK: Flags = Flags { syn: true, ack: true, fin: false, rst: false };
const ACK: Flags = Flags { syn: false, ack: true, fin: false, rst: false };
const FIN: Flags = Flags { syn: false, ack: true, fin: true, rst: false };
const RST: Flags = Flags { syn: false, ack: false, fin: false, rst: true };

/// An Ethernet frame with a TCP segment.
fn frame(from: ([u8; 4], u16), to: ([u8; 4], u16), sequence: u32, flags: Flags, payload: &[u8]) -> Vec<u8> {
    let mut tcp = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .ipv4(from.0, to.0, 64)
        .tcp(from.1, to.1, sequence, 1000);
    for (set, with) in [
        (flags.syn, PacketBuilderTcp::syn as fn(PacketBuilderTcp) -> PacketBuilderTcp),
        (flags.fin, PacketBuilderTcp::fin),
        (flags.rst, PacketBuilderTcp::rst),
        (flags.ack, |tcp| tcp.ack(1)),
    ] {
        if set {
            tcp = with(tcp);
        }
    }
    let mut frame = Vec::new();
    tcp.write(&mut frame, payload).unwrap();
    frame
}

type PacketBuilderTcp = etherparse::PacketBuilderStep<etherparse::TcpHeader>;

fn up(sequence: u32, flags: Flags, payload: &[u8]) -> Vec<u8> {
    frame(CLIENT, SERVER, sequence, flags, payload)
}

fn down(sequence: u32, flags: Flags, payload: &[u8]) -> Vec<u8> {
    frame(SERVER, CLIENT, sequence, flags, payload)
}

/// A capture of the old kind, with whole packets.
fn pcap(link_type: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, link_type].map(u32::to_le_bytes).concat();
    for frame in frames {
        let size = u32::try_from(frame.len()).unwrap();
        file.extend_from_slice(&[1, 0, size, size].map(u32::to_le_bytes).concat());
        file.extend_from_slice(frame);
    }
    file
}

fn read(name: &str, frames: &[Vec<u8>]) -> Vec<input::Conversation> {
    let read = input::read(&temporary(name, &pcap(1, frames)), &[]).unwrap();
    assert_eq!(read.notes, [""; 0], "{name}");
    read.conversations
}

/// The two streams of a capture with one conversation.
fn streams(name: &str, frames: &[Vec<u8>]) -> (input::Stream, input::Stream) {
    let mut conversations = read(name, frames);
    assert_eq!(conversations.len(), 1, "{name}");
    let conversation = conversations.remove(0);
    assert_eq!(conversation.conn, "10.0.0.1:40000->10.0.0.2:5900", "{name}");
    assert_eq!((conversation.client.dir.as_str(), conversation.server.dir.as_str()), ("c2s", "s2c"));
    (conversation.client, conversation.server)
}

#[test]
fn segments_in_any_order() {
    let expected = b"abcdefghijkl";
    let segments = [
        // In order; out of order; sent twice; overlapping on either side; one around others.
        &[(0, &b"abcd"[..]), (4, b"efgh"), (8, b"ijkl")][..],
        &[(8, b"ijkl"), (0, b"abcd"), (4, b"efgh")],
        &[(0, b"abcd"), (0, b"abcd"), (4, b"efgh"), (8, b"ijkl"), (4, b"efgh")],
        &[(0, b"abcdef"), (4, b"efghij"), (6, b"ghijkl")],
        &[(4, b"efgh"), (8, b"ijkl"), (0, b"abcdefghijkl")],
        &[(0, b"abcdefgh"), (2, b"cd"), (6, b"ghijkl"), (3, b"d")],
        // A probe repeats the last byte with other content, and one before the beginning.
        &[(0, b"abcd"), (3, b"?"), (4, b"efgh"), (7, b"?"), (8, b"ijkl")],
        &[(0, b"abcd"), (u32::MAX, b"?"), (4, b"efghijkl")],
        // What came first counts.
        &[(0, b"abcd"), (0, b"????"), (4, b"efghijkl"), (4, b"????????")],
    ];
    // At the beginning, and where the sequence numbers wrap.
    for isn in [0, 1000, u32::MAX, u32::MAX - 1, u32::MAX - 6] {
        for (number, segments) in segments.iter().enumerate() {
            let mut frames = vec![up(isn, SYN, b""), down(5000, SYN_ACK, b"")];
            for &(at, payload) in *segments {
                frames.push(up(isn.wrapping_add(1).wrapping_add(at), ACK, payload));
            }
            let (client, server) = streams("any-order.pcap", &frames);
            assert_eq!((client.bytes.as_slice(), client.hole), (&expected[..], None), "{isn}, {number}");
            assert_eq!((server.bytes.as_slice(), server.hole), (&b""[..], None));
        }
    }
}

#[test]
fn holes() {
    let open = [up(99, SYN, b""), down(499, SYN_ACK, b"")];
    for (behind, bytes, hole) in [
        // A segment is missing in the middle, at the beginning, at the end.
        (vec![up(100, ACK, b"abcd"), up(106, ACK, b"ghij")], &b"abcd"[..], Some(2)),
        (vec![up(103, ACK, b"defg")], b"", Some(3)),
        (vec![up(100, ACK, b"abcd"), up(110, FIN, b"")], b"abcd", Some(6)),
        // Nothing is.
        (vec![up(100, ACK, b"abcd"), up(104, FIN, b"")], b"abcd", None),
        (vec![up(100, ACK, b"abcd"), up(104, FIN, b"ef")], b"abcdef", None),
        // A reset may carry any number and any text.
        (vec![up(100, ACK, b"abcd"), up(900, RST, b"go away")], b"abcd", None),
    ] {
        let (client, _) = streams("holes.pcap", &[&open[..], &behind].concat());
        assert_eq!((client.bytes.as_slice(), client.hole), (bytes, hole));
    }
}

#[test]
fn streams_longer_than_sequence_numbers_can_tell() {
    let quarter = 1 << 30;
    let segments = [(0, b"a"), (quarter, b"b"), (2 * quarter, b"c"), (3 * quarter, b"d")];
    let (client, _) = streams("long.pcap", &segments.map(|(sequence, payload)| up(sequence, ACK, payload)));
    assert_eq!((client.bytes.as_slice(), client.hole), (&b"a"[..], Some(u64::from(quarter) - 1)));
}

#[test]
fn a_hole_ends_the_stream_with_an_error() {
    let vector = &input::read(&vector("01-semi-seamless.jsonl"), &[]).unwrap().conversations[0];
    let (client, server) = (&vector.client.bytes, &vector.server.bytes);
    let frames = [
        up(99, SYN, b""),
        up(100, ACK, &client[..174]),
        // 100 bytes of the server's are missing, the first of them in the message behind INIT.
        down(500, SYN_ACK, b""),
        down(501, ACK, &server[..250]),
        down(851, ACK, &server[350..400]),
        up(274, ACK, &client[174..]),
    ];
    let run = spice(&[], &temporary("hole.pcap", &pcap(1, &frames)));
    assert_eq!(run.status, Some(1));
    let records = run.records();
    let error = records.iter().find(|record| record["error"].is_object()).unwrap();
    assert_eq!(
        *error,
        serde_json::json!({
            "conn": "10.0.0.1:40000->10.0.0.2:5900", "dir": "s2c", "offset": 250,
            "error": {
                "kind": "hole", "message": "Tcp", "field": "sequence",
                "reason": "the capture lacks the next 100 bytes",
            }
        })
    );
    let from_server = records.iter().filter(|record| record["dir"] == "s2c");
    let names: Vec<_> = from_server.filter_map(|record| record["name"].as_str()).collect();
    assert_eq!(names, ["SpiceLinkReply", "SpiceLinkResult", "SPICE_MSG_MAIN_INIT"]);
}

#[test]
fn who_the_client_is() {
    // Who sent the SYN; who got the SYN-ACK, if the SYN was missed; who spoke first, if both were.
    for frames in [
        vec![up(1, SYN, b""), down(1, ACK, b"s"), up(2, ACK, b"c")],
        vec![down(0, SYN_ACK, b""), down(1, ACK, b"s"), up(2, ACK, b"c")],
        vec![up(2, ACK, b""), up(2, ACK, b"c"), down(1, ACK, b"s")],
        vec![down(1, ACK, b""), up(2, ACK, b"c"), down(1, ACK, b"s")],
    ] {
        let (client, server) = streams("client.pcap", &frames);
        assert_eq!((client.bytes.as_slice(), server.bytes.as_slice()), (&b"c"[..], &b"s"[..]));
    }
    // Captured behind what it belongs to.
    let (client, _) = streams("late-syn.pcap", &[up(8, ACK, b"cc"), up(7, SYN, b""), down(3, SYN_ACK, b"")]);
    assert_eq!((client.bytes.as_slice(), client.hole), (&b"cc"[..], None));
    // Sent with data (TCP Fast Open), and twice.
    let (client, _) = streams("data-with-syn.pcap", &[up(7, SYN, b"ab"), up(7, SYN, b"ab"), up(10, ACK, b"cd")]);
    assert_eq!((client.bytes.as_slice(), client.hole), (&b"abcd"[..], None));
}

#[test]
fn a_port_that_is_used_again() {
    let conversations = read(
        "again.pcap",
        &[
            up(10, SYN, b""),
            down(20, SYN_ACK, b""),
            up(11, ACK, b"first"),
            down(21, FIN, b""),
            up(16, FIN, b""),
            up(9000, SYN, b""),
            down(70, SYN_ACK, b""),
            up(9001, ACK, b"second"),
            down(71, ACK, b"answer"),
        ],
    );
    let contents: Vec<_> = conversations
        .iter()
        .map(|it| (it.conn.as_str(), it.client.bytes.as_slice(), it.server.bytes.as_slice()))
        .collect();
    assert_eq!(
        contents,
        [
            ("10.0.0.1:40000->10.0.0.2:5900", &b"first"[..], &b""[..]),
            ("10.0.0.1:40000->10.0.0.2:5900#2", b"second", b"answer"),
        ]
    );
    assert!(conversations.iter().all(|it| it.client.hole.is_none() && it.server.hole.is_none()));
}

#[test]
fn only_conversations_that_carry_something() {
    assert_eq!(read("silent.pcap", &[up(1, SYN, b""), down(1, SYN_ACK, b""), up(2, FIN, b"")]), []);
}

#[test]
fn ports_choose() {
    let other = ([10, 0, 0, 2], 5901);
    let frames =
        [up(1, SYN, b""), up(2, ACK, b"one"), frame(CLIENT, other, 5, SYN, b""), frame(CLIENT, other, 6, ACK, b"two")];
    let path = temporary("ports.pcap", &pcap(1, &frames));
    for (ports, expected) in [
        (&[][..], &[&b"one"[..], b"two"][..]),
        (&[5901], &[b"two"]),
        (&[5900, 5901], &[b"one", b"two"]),
        // The client's port is not the server's.
        (&[40_000], &[]),
    ] {
        let conversations = input::read(&path, ports).unwrap().conversations;
        assert_eq!(
            conversations.iter().map(|it| it.client.bytes.as_slice()).collect::<Vec<_>>(),
            expected,
            "{ports:?}"
        );
        assert!(conversations.iter().all(|it| it.chosen != ports.is_empty()));
    }
    // What nobody asked for and is not SPICE is left out, and said; what was asked for is malformed.
    let run = spice(&[], &path);
    assert_eq!((run.status, run.out.as_str()), (Some(0), ""));
    assert_eq!(run.err.matches("does not look like this protocol, skipped").count(), 2, "{}", run.err);
    let run = spice(&["--port", "5901"], &path);
    assert_eq!((run.status, run.err.as_str()), (Some(1), ""));
    assert!(run.out.contains(r#""field":"magic""#), "{}", run.out);
}

#[test]
fn link_types() {
    let frames = [up(1, SYN, b""), up(2, ACK, b"text")];
    let rewrap = |header: &[u8]| frames.iter().map(|frame| [header, &frame[14..]].concat()).collect::<Vec<_>>();
    for (link_type, frames) in [
        (1, frames.to_vec()),
        // Behind a VLAN tag.
        (1, frames.iter().map(|frame| [&frame[..12], &[0x81, 0, 0, 5], &frame[12..]].concat()).collect()),
        (101, rewrap(&[])),
        (228, rewrap(&[])),
        (0, rewrap(&[2, 0, 0, 0])),
        (108, rewrap(&[0, 0, 0, 2])),
        (113, rewrap(&[0, 0, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0])),
        (276, rewrap(&[8, 0, 0, 0, 0, 0, 0, 1, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0])),
    ] {
        let read = input::read(&temporary("link-type.pcap", &pcap(link_type, &frames)), &[]).unwrap();
        assert_eq!(read.notes, [""; 0], "{link_type}");
        let contents: Vec<_> = read.conversations.iter().map(|it| it.client.bytes.as_slice()).collect();
        assert_eq!(contents, [b"text"], "{link_type}");
    }
    let read = input::read(&temporary("unknown-link-type.pcap", &pcap(147, &frames)), &[]).unwrap();
    assert!(read.conversations.is_empty());
    assert_eq!(read.notes, ["2 packets of a link type that is not known here are left out"]);
}

#[test]
fn ipv6_and_padding() {
    let mut padded = up(2, ACK, b"ab");
    padded.extend_from_slice(&[0xaa; 4]);
    let (client, _) = streams("padding.pcap", &[up(1, SYN, b""), padded]);
    assert_eq!(client.bytes, b"ab");

    let mut frame = Vec::new();
    let local = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let packet = PacketBuilder::ethernet2([0; 6], [0; 6]).ipv6(local, local, 64).tcp(1234, 5900, 1, 1000);
    packet.write(&mut frame, b"six").unwrap();
    let conversations = read("ipv6.pcap", &[frame]);
    assert_eq!(conversations.len(), 1);
    assert_eq!(
        (conversations[0].conn.as_str(), conversations[0].client.bytes.as_slice()),
        ("[::1]:1234->[::1]:5900", &b"six"[..])
    );
}

#[test]
fn packets_of_which_only_the_beginning_was_captured() {
    let mut frames = vec![up(1, SYN, b""), up(2, ACK, b"abcdefgh"), up(10, ACK, b"ij")];
    let cut = frames[1].len() - 3;
    frames[1].truncate(cut);
    let (client, _) = streams("snaplen.pcap", &frames);
    assert_eq!((client.bytes.as_slice(), client.hole), (&b"abcde"[..], Some(3)));
}

#[test]
fn fragments_are_left_out_and_counted() {
    let mut frames = [up(1, SYN, b""), up(2, ACK, b"ab"), up(4, ACK, b"cd")];
    // More fragments follow, says the IPv4 header of the last one.
    frames[2][14 + 6] |= 0x20;
    let read = input::read(&temporary("fragments.pcap", &pcap(1, &frames)), &[]).unwrap();
    assert_eq!(read.notes, ["1 IP fragments are left out"]);
    assert_eq!(read.conversations[0].client.bytes, b"ab");
}

#[test]
fn captures_that_end_early_or_are_damaged() {
    let file = pcap(1, &[up(1, SYN, b""), up(2, ACK, b"abc"), up(5, ACK, b"def")]);
    let read = input::read(&temporary("cut.pcap", &file[..file.len() - 5]), &[]).unwrap();
    assert_eq!(read.notes, ["the capture ends inside a packet"]);
    assert_eq!(read.conversations[0].client.bytes, b"abc");

    let file = std::fs::read(vector("02-seamless.pcapng")).unwrap();
    let read = input::read(&temporary("cut.pcapng", &file[..file.len() / 2]), &[]).unwrap();
    assert_eq!(read.notes, ["the capture ends inside a packet"]);
    assert!(!read.conversations.is_empty());

    // The length at the end of a block disagrees with that at its beginning.
    let mut damaged = file;
    let first = u32::from_le_bytes(damaged[4..8].try_into().unwrap()) as usize;
    damaged[first + 4] ^= 4;
    let error = input::read(&temporary("damaged.pcapng", &damaged), &[]).unwrap_err();
    assert!(error.contains("is damaged"), "{error}");

    let error = input::read(&temporary("nothing.pcap", b""), &[]).unwrap_err();
    assert!(error.contains("is not a capture"), "{error}");
}

#[test]
fn packets_larger_than_the_reader_begins_with() {
    // 3 MiB of options in one block, behind which the reader must still find the next one.
    let mut file = std::fs::read(vector("02-seamless.pcapng")).unwrap();
    let section = u32::from_le_bytes(file[4..8].try_into().unwrap()) as usize;
    let size = 3 << 20;
    let length = u32::try_from(size + 12).unwrap().to_le_bytes();
    let block = [&0x0bad_u32.to_le_bytes()[..], &length, &vec![0; size], &length].concat();
    file.splice(section..section, block);
    let with = input::read(&temporary("large.pcapng", &file), &[]).unwrap();
    let without = input::read(&vector("02-seamless.pcapng"), &[]).unwrap();
    assert_eq!(with.conversations, without.conversations);
}

/// How often each name occurs in each direction, of messages on the main channel.
fn main_channel(records: &[Value]) -> BTreeMap<(String, String), usize> {
    let main = |record: &&Value| record["name"] == "SpiceLinkMess" && record["fields"]["channel_type"] == 1;
    let conns: Vec<_> = records.iter().filter(main).map(|record| record["conn"].clone()).collect();
    let mut counts = BTreeMap::new();
    for record in records.iter().filter(|record| conns.contains(&record["conn"])) {
        let key = [&record["dir"], &record["name"]].map(|part| part.as_str().unwrap_or_default().to_owned());
        *counts.entry(key.into()).or_default() += 1;
    }
    counts
}

#[test]
fn the_real_capture() {
    let capture = spice(&["--verify"], &vector("02-seamless.pcapng"));
    assert_eq!((capture.status, capture.err.as_str()), (Some(0), ""));
    let records = capture.records();
    assert!(records.iter().all(|record| record.get("incomplete").is_none()), "{}", capture.out);
    let streams = spice(&["--verify"], &vector("02-seamless.jsonl")).records();
    assert_eq!(main_channel(&records), main_channel(&streams));

    // Four channels on each of two servers, and the bytes of the main channels as in the streams.
    let conversations = input::read(&vector("02-seamless.pcapng"), &[]).unwrap().conversations;
    let spice_only: Vec<_> = conversations.iter().filter(|each| each.client.bytes.starts_with(b"REDQ")).collect();
    assert_eq!(spice_only.len(), 8);
    for expected in input::read(&vector("02-seamless.jsonl"), &[]).unwrap().conversations {
        let found = conversations.iter().find(|each| each.client.bytes == expected.client.bytes);
        let found = found.unwrap_or_else(|| panic!("{} is not in the capture", expected.conn));
        assert!(found.server.bytes == expected.server.bytes, "{}", expected.conn);
    }

    // The target's port alone.
    let target = spice(&["--port", "15931"], &vector("02-seamless.pcapng"));
    let conns: std::collections::BTreeSet<_> =
        target.records().iter().map(|record| record["conn"].as_str().unwrap().to_owned()).collect();
    assert_eq!(conns.len(), 4);
    assert!(conns.iter().all(|conn| conn.ends_with("->127.0.0.1:15931")), "{conns:?}");
}
