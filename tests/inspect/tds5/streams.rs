//! Streams that are cut, odd or malformed.

use super::{captured_login, conversation, facts, packet, records, tds5, vector};
use serde_json::{Value, json};
use std::path::PathBuf;

#[test]
fn tokens_that_packets_cut() {
    let tokens = [&b"\xe3\x0a\0\x04\x042048\x03512"[..], b"\xfd\0\0\0\0\0\0\0\0"].concat();
    let mut server = packet(4, false, &tokens[..5]);
    server.extend_from_slice(&packet(4, false, b""));
    server.extend_from_slice(&packet(4, false, &tokens[5..6]));
    server.extend_from_slice(&packet(4, true, &tokens[6..]));
    let records = records("cut.jsonl", b"", &server);
    let places: Vec<_> = records.iter().map(|record| (facts(record).0, facts(record).1)).collect();
    assert_eq!(places, [(8, 13 + 3 * 8), (8 + 13 + 3 * 8, 9)]);
}

#[test]
fn messages_without_tokens() {
    let client = [
        packet(6, true, b""),
        packet(1, true, b"select 1"),
        [packet(3, false, b"abc"), packet(3, true, b"de")].concat(),
        packet(7, true, b"rows"),
        packet(15, true, b""),
        packet(99, true, b"x"),
        packet(24, true, b"x"),
        packet(13, true, b""),
    ];
    let found: Vec<_> = records("messages.jsonl", &client.concat(), b"")
        .into_iter()
        .map(|record| {
            let (offset, length, name, fields) = facts(&record);
            assert_eq!(fields, json!({}));
            (
                offset,
                length,
                name.to_owned(),
                record["type"].clone(),
                record["size"].clone(),
                record["fields"]["packet"].clone(),
            )
        })
        .collect();
    let mut offset = 0;
    let expected = [
        (8, "ATTN", 6, 0, json!("ATTN")),
        (16, "LANG", 1, 8, json!("LANG")),
        (21, "RPC", 3, 5, json!("RPC")),
        (12, "BULK", 7, 4, json!("BULK")),
        (8, "NORMAL", 15, 0, json!("NORMAL")),
        (9, "Unknown", 99, 1, json!(99)),
        (9, "CMDSEQ_NORMAL", 24, 1, json!("CMDSEQ_NORMAL")),
        (8, "LOGOUT", 13, 0, json!("LOGOUT")),
    ]
    .map(|(length, name, ty, size, packet): (u64, &str, u8, u8, Value)| {
        offset += length;
        (offset - length, length, name.to_owned(), json!(ty), json!(size), packet)
    });
    assert_eq!(found, expected);
}

#[test]
fn captures_that_begin_behind_the_login() {
    // The migration exchange alone; and a login negotiation's answer in type 2 behind something else.
    let client = [packet(17, true, b"\x65\x03\0\x12\0"), packet(2, true, b"\x65\x03\0\x0d\0")].concat();
    let server = packet(17, true, b"\x65\x03\0\x13\0");
    let found = records("behind.jsonl", &client, &server);
    let ids: Vec<_> = found.iter().map(|record| record["fields"]["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["MIG_SYNC", "EMPTY", "MIG_CONT"]);
}

#[test]
fn incomplete_streams_alone_are_no_failure() {
    let login = captured_login();
    let (first, done) = (packet(2, false, &login[..504]), b"\xfd\0\0\0\0\0\0\0\0");
    let open = packet(4, false, &[&done[..], done].concat());
    for (client, server, expected) in [
        // A header, a packet, the login record, a token, a message without tokens.
        (&first[..5], &b""[..], vec![("c2s", 0, 5)]),
        (&first[..100], b"", vec![("c2s", 0, 100)]),
        (&first, b"", vec![("c2s", 8, 504)]),
        (b"", &packet(4, false, b"\xe3\x0a\0\x04"), vec![("s2c", 8, 4)]),
        (&packet(3, false, b"ab"), b"", vec![("c2s", 0, 10)]),
        (&[packet(3, false, b"ab"), vec![3, 1]].concat(), b"", vec![("c2s", 0, 12)]),
        // Behind a token nothing is begun, although the message is not over.
        (b"", &open, vec![]),
        (b"", &[&open[..], &[4]].concat(), vec![("s2c", 26, 1)]),
        (b"", &[&open[..], &packet(4, false, b"\xfd"), &[4, 1, 0]].concat(), vec![("s2c", 34, 4)]),
    ] {
        let run = tds5(&["--verify"], &conversation("incomplete-tds5.jsonl", client, server));
        assert_eq!(run.status, Some(0), "{}", run.out);
        let left: Vec<_> = run.records().into_iter().filter(|record| record.get("incomplete").is_some()).collect();
        let expected = expected.into_iter().map(|(dir, offset, incomplete): (&str, u64, u64)| {
            json!({"conn": "x", "dir": dir, "offset": offset, "incomplete": incomplete})
        });
        assert_eq!(left, expected.collect::<Vec<_>>());
    }
}

#[test]
fn what_is_malformed_ends_its_stream() {
    let done = b"\xfd\0\0\0\0\0\0\0\0";
    let (good, short) = (packet(4, false, done), b"\x04\x01\0\x07\0\0\0\0");
    for (server, shown, offset, kind, message, field) in [
        // The header; the type in the middle of a message; a token in the middle of a packet and of a message.
        ([&good[..], short].concat(), 1, 17, "invalid", "PacketHeader", "length"),
        ([&good[..], &packet(15, true, done)].concat(), 1, 17, "invalid", "PacketHeader", "ty"),
        ([&packet(4, false, &done[..3])[..], &packet(15, true, done)].concat(), 0, 11, "invalid", "PacketHeader", "ty"),
        (packet(4, true, &[&done[..], b"\xd7\x01"].concat()), 1, 17, "invalid", "Params", "format"),
        (packet(4, true, &[&done[..], b"\0"].concat()), 1, 17, "unsupported", "Token", "type"),
        (packet(4, true, &[&done[..], b"\xe3\x03"].concat()), 1, 17, "short", "Token", "body"),
        (
            [&packet(4, false, b"\xe3\x04\0\x01")[..], &packet(4, true, b"\x02a\0"), &good].concat(),
            0,
            8,
            "short",
            "EnvironmentChange",
            "old",
        ),
    ] {
        let run = tds5(&["--verify"], &conversation("malformed.jsonl", b"", &server));
        assert_eq!(run.status, Some(1), "{}", run.out);
        let records = run.records();
        assert_eq!(records.len(), shown + 1, "{}", run.out);
        let last = records.last().unwrap();
        assert_eq!(last["offset"], offset, "{last}");
        let fault = &last["error"];
        assert_eq!(
            (&fault["kind"], &fault["message"], &fault["field"]),
            (&kind.into(), &message.into(), &field.into())
        );
    }
    // The other direction is printed all the same.
    let run = tds5(&[], &conversation("malformed.jsonl", &packet(6, true, b""), short));
    assert_eq!((run.status, run.records().len()), (Some(1), 2), "{}", run.out);
}

#[test]
fn conversations_of_other_protocols_are_left_out() {
    let other: PathBuf = [env!("CARGO_MANIFEST_DIR"), "spec/vectors/spice/02-seamless.pcapng"].iter().collect();
    let run = tds5(&[], &other);
    assert_eq!((run.status, run.out.as_str()), (Some(0), ""));
    assert!(run.err.contains("does not look like this protocol, skipped"), "{}", run.err);
    let run = crate::spice(&[], &vector("mig_exchange.pcap"));
    assert_eq!((run.status, run.out.as_str()), (Some(0), ""));
}
