//! Messages, requests and what their answers look like.

use super::{CONFIRMATION, PARAMETERS, PROPOSAL, conversation, records, repmgr};
use serde_json::{Value, json};

/// A request for one segment, and one for a block of them, both without segments.
fn request(tag: u32, bulk: bool) -> String {
    format!("050000001000000000ffffffff{tag:08x}00000000{:08x}", 2 + u32::from(bulk))
}

/// An answer of one segment "ab", in a block or not.
fn answer(tag: u32, bulk: bool) -> String {
    let body = if bulk { "6162ffffffff0000000200000000" } else { "6162" };
    format!("06{:08x}{tag:08x}{body}", body.len() / 2)
}

/// The fields of the answers to requests; the directions as they stand, so no handshakes.
fn answers(file: &str, requests: &[String], answers: &[String]) -> Vec<Value> {
    let found = records(file, &requests.concat(), &answers.concat());
    found.into_iter().filter(|record| record["dir"] == "b2a").map(|mut record| record["fields"].take()).collect()
}

fn block(tag: u32) -> Value {
    json!({"tag": tag, "sizes": [2], "segments": ["6162"]})
}

fn bytes(tag: u32, body: &str) -> Value {
    json!({"tag": tag, "body_len": body.len() / 2, "body": body})
}

const BLOCK: &str = "6162ffffffff0000000200000000";

#[test]
fn a_request_says_what_its_answer_is() {
    // In whatever order they come.
    let requests = [request(1, true), request(2, false), request(7, true)];
    let found = answers("answers.jsonl", &requests, &[answer(7, true), answer(2, false), answer(1, true)]);
    assert_eq!(found, [block(7), bytes(2, "6162"), block(1)]);
    // Bytes that could be a block are none if none was asked for.
    assert_eq!(answers("answers.jsonl", &[request(0, false)], &[answer(0, true)]), [bytes(0, BLOCK)]);
    assert_eq!(answers("answers.jsonl", &[], &[answer(0, true)]), [bytes(0, BLOCK)]);
    // An error answers too.
    let requests = [request(0, false), request(0, true)];
    assert_eq!(answers("answers.jsonl", &requests, &["070000791300000000".to_owned(), answer(0, true)])[1], block(0));
    assert_eq!(answers("answers.jsonl", &requests, &[answer(0, true), answer(0, true)]), [bytes(0, BLOCK), block(0)]);
}

#[test]
fn both_sides_ask() {
    let (up, down) = ([request(0, true), answer(0, false)].concat(), [request(0, false), answer(0, true)].concat());
    let dialler = [PROPOSAL, PARAMETERS, &up].concat();
    let found = records("both.jsonl", &dialler, &[CONFIRMATION, &down].concat());
    assert_eq!((&found[3]["fields"], &found[6]["fields"]), (&bytes(0, "6162"), &block(0)));
}

#[test]
fn a_good_answer_is_never_called_bad() {
    // One answer came twice: for which request the others are cannot be told.
    let requests = [request(0, false), request(0, true)];
    let found = answers("doubled.jsonl", &requests, &[answer(0, false), answer(0, false), answer(0, true)]);
    assert_eq!(found, [bytes(0, "6162"), bytes(0, "6162"), block(0)]);
    // One was never given, and its tag was used again.
    let found = answers("doubled.jsonl", &[request(0, true), request(0, false)], &[answer(0, false)]);
    assert_eq!(found, [bytes(0, "6162")]);
}

#[test]
fn an_answer_that_is_no_block() {
    let file = conversation("no-block.jsonl", &request(3, true), &[answer(3, false), answer(4, false)].concat());
    let run = repmgr(&["--verify"], &file);
    assert_eq!(run.status, Some(1), "{}", run.out);
    let found = run.records();
    assert_eq!(found[1]["fields"], bytes(3, "6162"));
    let fault = &found[2]["error"];
    assert_eq!(
        (&found[2]["offset"], &fault["kind"], &fault["message"], &fault["field"]),
        (&0.into(), &"short".into(), &"Segments".into(), &"terminator".into())
    );
    // The stream goes on.
    assert_eq!(found[3]["fields"], bytes(4, "6162"));
}

#[test]
fn segments_as_they_are_laid_out() {
    // From memory that is not aligned (s03); in any order, with bytes between them that are not zero.
    let unaligned = "050000003700000003\
         68656c6c6f776f726c642100616263ffffffff000000030000000c00000006000000050000000500000000\
         000000000000000000000000";
    let unordered = "050000002400000002\
                     62aa61bbffffffff00000001000000000000000100000002000000000000000000000000";
    let found = records("segments.jsonl", unaligned, "");
    assert_eq!(found[0]["fields"]["segments"], json!(["68656c6c6f", "776f726c6421", "616263"]));
    assert_eq!(found[0]["fields"]["sizes"], json!([5, 6, 3]));
    let found = records("segments.jsonl", unordered, "");
    assert_eq!(found[0]["fields"]["segments"], json!(["61", "62"]));
}

#[test]
fn errors_by_their_names() {
    let found = records("errors.jsonl", "070000790d0000000007000079170000000107000030390000000207000000000000000a", "");
    let fields: Vec<_> = found.iter().map(|record| record["fields"].clone()).collect();
    let expected = [
        json!({"tag": 0, "code": 30989, "error": "DB_NOSERVER"}),
        json!({"tag": 1, "code": 30999, "error": "DB_BUFFER_SMALL"}),
        json!({"tag": 2, "code": 12345}),
        json!({"tag": 10, "code": 0}),
    ];
    assert_eq!(fields, expected);
}

#[test]
fn unknown_bits_of_flags() {
    let found = records("flags.jsonl", "050000001000000000ffffffff00000009000000ff80000002", "");
    let fields = &found[0]["fields"];
    assert_eq!(
        fields,
        &json!({"sizes": [], "segments": [], "tag": 9, "limit": 255, "flags": ["REQUEST", 0x8000_0000_u32]})
    );
}
