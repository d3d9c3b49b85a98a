//! Where streams begin, and which version they are.

use super::{CONFIRMATION, PARAMETERS, PROPOSAL, conversation, names, records, repmgr};
use serde_json::json;

/// A message without segments, and the answer of 0 bytes.
const MESSAGE: &str = "050000001000000000ffffffff000000000000000000000000";
const ANSWER: &str = "060000000000000000";

#[test]
fn whoever_proposes_is_the_dialler() {
    // The input says that the listener has opened the connection.
    let found = records("swapped.jsonl", CONFIRMATION, &[PROPOSAL, PARAMETERS, MESSAGE].concat());
    let steps: Vec<_> = found.iter().map(|record| record["fields"]["step"].as_str()).collect();
    assert_eq!(steps, [Some("Confirmation"), Some("Proposal"), Some("Parameters"), None]);
    // One direction alone, of either side; the other may not have been captured.
    assert_eq!(records("alone.jsonl", "", CONFIRMATION).len(), 1);
    assert_eq!(records("alone.jsonl", CONFIRMATION, "").len(), 1);
    assert_eq!(records("alone.jsonl", "", &[PROPOSAL, PARAMETERS].concat()).len(), 2);
    // Empty heartbeats in front of the proposal.
    let found = records("early.jsonl", &["040000000000000000", PROPOSAL, PARAMETERS].concat(), CONFIRMATION);
    assert_eq!(names(&found), ["HEARTBEAT", "HANDSHAKE", "HANDSHAKE", "HANDSHAKE"]);
}

#[test]
fn streams_that_begin_inside_a_connection() {
    let replication = "030000000400000001aabbccddee";
    let found = records("inside.jsonl", &[MESSAGE, replication].concat(), &[ANSWER, MESSAGE].concat());
    assert_eq!(names(&found), ["APP_MESSAGE", "REP_MESSAGE", "APP_RESPONSE", "APP_MESSAGE"]);
    assert_eq!(found[1]["fields"], json!({"control_len": 4, "control": "aabbccdd", "record_len": 1, "record": "ee"}));
    // Of one direction the beginning is there.
    let found = records("half.jsonl", &[PROPOSAL, PARAMETERS].concat(), ANSWER);
    assert_eq!(names(&found), ["HANDSHAKE", "HANDSHAKE", "APP_RESPONSE"]);
    let found = records("half.jsonl", MESSAGE, &[CONFIRMATION, ANSWER].concat());
    assert_eq!(names(&found), ["APP_MESSAGE", "HANDSHAKE", "APP_RESPONSE"]);
}

#[test]
fn the_listener_says_which_version_it_is() {
    // Proposed 1 to 4, chosen 3: port, priority, flags. Sites take messages of 4 on it all the same.
    let confirmation = "020000000a0000000f17df00000064000000043132372e302e302e31000000000300";
    let parameters = "020000000a0000000a17e000000064000000063132372e302e302e3100";
    let found = records("three.jsonl", &[PROPOSAL, parameters, MESSAGE].concat(), &[confirmation, ANSWER].concat());
    assert_eq!(names(&found), ["HANDSHAKE", "HANDSHAKE", "APP_MESSAGE", "HANDSHAKE", "APP_RESPONSE"]);
    let expected = json!({"step": "Parameters", "port": 6112, "priority": 100, "flags": ["APP_CHANNEL", "ELECTABLE"], "host": "127.0.0.1"});
    assert_eq!(found[1]["fields"], expected);
    // Chosen 2: port, priority.
    let confirmation = "02000000060000000f17df000000643132372e302e302e31000000000200";
    let parameters = "02000000060000000a17e0000000643132372e302e302e3100";
    let found = records("two.jsonl", &[PROPOSAL, parameters].concat(), confirmation);
    assert_eq!(found[1]["fields"]["priority"], 100);
    // What stands behind the layout is kept.
    let long = "020000000e0000000217e000080000000700000006abcd7800";
    let found = records("long.jsonl", &[PROPOSAL, long].concat(), CONFIRMATION);
    assert_eq!((&found[1]["fields"]["extra_len"], &found[1]["fields"]["extra"]), (&2.into(), &"abcd".into()));
    // Version 1, from both sides.
    let legacy = "020000000c000000020100000017e00000000000647800";
    let found = records("one.jsonl", legacy, legacy);
    let expected =
        json!({"step": "LegacyHandshake", "control_len": 12, "control": "0100000017e0000000000064", "host": "x"});
    assert_eq!((&found[0]["fields"], &found[1]["fields"]), (&expected, &expected));
}

#[test]
fn a_question_instead_of_parameters() {
    let question = "080000000c00000008000000027800000100000000";
    let answer = "080000000c0000000300000002790017d500000002";
    let dialler = [PROPOSAL, question].concat();
    let found = records("question.jsonl", &dialler, &[CONFIRMATION, answer, "080000000000000002"].concat());
    assert_eq!(found[1]["fields"], json!({"kind": "REMOVE_REQUEST", "host": "x", "port": 1, "flags": 0}));
    assert_eq!(found[3]["fields"], json!({"kind": "GM_FORWARD", "host": "y", "port": 6101, "generation": 2}));
    assert_eq!(found[4]["fields"], json!({"kind": "GM_FAILURE"}));
    // A kind that is not known keeps its bytes.
    let unknown = "08000000020000000cabcd";
    let found = records("question.jsonl", &[PROPOSAL, unknown].concat(), CONFIRMATION);
    assert_eq!(found[1]["fields"], json!({"kind": 12, "body_len": 2, "body": "abcd"}));
}

#[test]
fn incomplete_streams_alone_are_no_failure() {
    let proposal = &PROPOSAL[..60];
    let opened = [PROPOSAL, PARAMETERS, &MESSAGE[..20]].concat();
    for (dialler, listener, expected) in [
        (&PROPOSAL[..10], "", vec![("a2b", 0, 5)]),
        (proposal, "", vec![("a2b", 0, 30)]),
        (&opened, &CONFIRMATION[..70], vec![("a2b", 71, 10), ("b2a", 0, 35)]),
        ("", "", vec![]),
    ] {
        let run = repmgr(&["--verify"], &conversation("incomplete-repmgr.jsonl", dialler, listener));
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
    let opened = [PROPOSAL, PARAMETERS].concat();
    for (bytes, kind, message, field) in [
        ("000000000000000000", "invalid", "Header", "type"),
        ("090000000000000000", "invalid", "Header", "type"),
        (PROPOSAL, "invalid", "Header", "type"),
        ("040000000b0000000000000000000000000000000000", "invalid", "Heartbeat", "length"),
        ("050000000b00000000", "short", "AppMessage", "segments"),
        ("0500000010000000010000000000000000", "short", "AppMessage", "segments"),
        ("050000001000000000000000000000000000000000000000000000", "invalid", "AppMessage", "terminator"),
        ("05ffffffff00000000", "limit", "AppMessage", "length"),
        ("080000000000000004", "invalid", "OwnMessage", "length"),
    ] {
        let dialler = [&opened, bytes].concat();
        let run =
            repmgr(&["--verify"], &conversation("malformed-repmgr.jsonl", &dialler, &[CONFIRMATION, ANSWER].concat()));
        assert_eq!(run.status, Some(1), "{bytes}: {}", run.out);
        let found = run.records();
        // The other direction is printed all the same.
        assert_eq!(found.len(), 5, "{bytes}: {}", run.out);
        assert_eq!(found[2]["offset"], 71, "{bytes}");
        let fault = &found[2]["error"];
        assert_eq!(
            (&fault["kind"], &fault["message"], &fault["field"]),
            (&kind.into(), &message.into(), &field.into()),
            "{bytes}: {fault}"
        );
    }
    // No version in common: that is not malformed, but nothing can come behind it.
    let proposal = "02000000000000000b7800000000050000000900";
    let run = repmgr(&["--verify"], &conversation("versions.jsonl", proposal, ""));
    assert_eq!((run.status, run.records().len()), (Some(0), 1), "{}", run.out);
    assert_eq!(run.records()[0]["fields"]["max"], 9);
    let run = repmgr(&[], &conversation("versions.jsonl", &[proposal, PARAMETERS].concat(), ""));
    assert_eq!((run.status, run.records().len()), (Some(1), 2), "{}", run.out);
    assert_eq!(run.records()[1]["error"]["kind"], "invalid");
}
