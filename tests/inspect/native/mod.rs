//! `--protocol deferral`, native frames (spec/vectors/deferral/README.md has the vectors).

mod group;

use crate::{Run, run, temporary};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

const LINKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/vectors/deferral/links.jsonl");

fn deferral(args: &[&str], file: &Path) -> Run {
    let fixed = ["--protocol", "deferral"].iter().chain(args).map(OsStr::new);
    run(fixed.chain([file.as_os_str()]))
}

fn name(record: &Value) -> &str {
    record["name"].as_str().unwrap()
}

/// One direction of one link.
fn stream(name: &str, hex: &str) -> PathBuf {
    let line = json!({"conn": "x", "dir": "c2s", "hex": hex.replace(' ', "")}).to_string() + "\n";
    temporary(name, line.as_bytes())
}

const HELLO: &str = "00000018 01000101 00040000 00000000 00 00 01 01 0001 0001 0000000000000001";
const KEY: &str = "00112233445566778899aabbccddeeff 0000";

#[test]
fn links_are_told_as_they_say() {
    let run = deferral(&["--verify"], Path::new(LINKS));
    assert_eq!(run.status, Some(0), "{}", run.err);
    let records = run.records();
    let text = fs::read_to_string(LINKS).unwrap();
    let mut told = 0;
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let of = |record: &&Value| record["conn"] == line["conn"] && record["dir"] == line["dir"];
        let said = records.iter().filter(of).map(|record| match (name(record), &record["fields"]["kind"]) {
            ("DEFER", Value::String(kind)) => format!("DEFER {kind}"),
            ("Unknown", _) => format!("Unknown {:#04x}", record["type"].as_u64().unwrap()),
            (name, _) => name.to_owned(),
        });
        let said: Vec<String> = said.collect();
        let expected: Vec<&str> = line["says"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        assert_eq!(said.len(), expected.len(), "{}", line["conn"]);
        for (said, expected) in said.iter().zip(expected) {
            let unknown = said.starts_with("Unknown");
            assert!(said == expected || unknown && !expected.starts_with(char::is_uppercase), "{said}, not {expected}");
        }
        told += said.len();
    }
    assert_eq!(told, records.len());
}

#[test]
fn fields_are_shown_and_secrets_are_not() {
    // Priority and a bit that is not known; 3 bytes of receipt, 6 of credentials, a referrer, two arguments.
    let request = format!(
        "0000004a 01010100 {KEY} 8001 000003e8 03 c0c1c2 0006 736563726574 0013 {} 0004 68656c70 0002 00000000 00000001 61",
        "68616e646f7665723a2f2f6462313a37393939"
    );
    let file = stream("native_fields.jsonl", &format!("{HELLO} {request}"));
    let run = deferral(&["--verify"], &file);
    let records = run.records();
    assert_eq!((run.status, records.len()), (Some(0), 2), "{records:?} {}", run.err);
    let offer = json!({"protocol": "DEFERRAL", "min_version": 1, "max_version": 1, "capabilities": 1});
    assert_eq!(records[0]["fields"]["offers"], json!([offer]));
    let fields = &records[1]["fields"];
    assert_eq!((name(&records[1]), &records[1]["type"], &records[1]["size"]), ("REQUEST", &json!(1), &json!(74)));
    let (id, flags) = (json!("00112233445566778899aabbccddeeff"), json!(["PRIORITY", "0x8000"]));
    assert_eq!((&fields["id"], &fields["epoch"], &fields["flags"]), (&id, &json!(0), &flags));
    assert_eq!((&fields["receipt_length"], &fields["credentials_length"]), (&json!(3), &json!(6)));
    assert_eq!((&fields["referrer"], &fields["command"]), (&json!("handover://db1:7999"), &json!("help")));
    assert_eq!(fields["arguments"], json!([{"length": 0}, {"length": 1, "bytes": "61"}]));
    let shown = run.out.to_lowercase();
    assert!(!shown.contains("c0c1c2") && !shown.contains("736563") && !shown.contains("secret"), "{shown}");
}

#[test]
fn what_is_not_known_is_no_error() {
    // A kind and a flag of tomorrow, and another protocol's frame.
    let file = stream("native_unknown.jsonl", &format!("{HELLO} 00000002 01017080 6869 00000001 01c80501 ff"));
    let run = deferral(&["--verify"], &file);
    let records = run.records();
    assert_eq!(run.status, Some(0), "{records:?}");
    assert_eq!((name(&records[1]), &records[1]["fields"]["body"]), ("Unknown", &json!("6869")));
    let fields = &records[2]["fields"];
    assert_eq!((name(&records[2]), &fields["protocol"], &fields["flags"]), ("Unknown", &json!("200"), &json!(1)));
}

#[test]
fn what_is_malformed_ends_its_stream() {
    let cases = [
        // A CANCEL that is short; a version of the frame that is not known; a body beyond the limit.
        (format!("{HELLO} 00000002 01010200 0011"), "short", "id"),
        (format!("{HELLO} 00000000 02010200"), "unsupported", "version"),
        (format!("{HELLO} 7fffffff 01010200"), "limit", "length"),
        // A kind that must be understood.
        (format!("{HELLO} 00000000 01017001"), "unsupported", "kind"),
    ];
    for (at, (hex, kind, field)) in cases.into_iter().enumerate() {
        let file = stream(&format!("native_malformed_{at}.jsonl"), &(hex + "ffff"));
        let run = deferral(&[], &file);
        let records = run.records();
        let error = &records.last().unwrap()["error"];
        assert_eq!(
            (run.status, &error["kind"], &error["field"]),
            (Some(1), &json!(kind), &json!(field)),
            "{records:?}"
        );
    }
    // Half a frame is none.
    let run = deferral(&[], &stream("native_half.jsonl", &format!("{HELLO} 00000012 01010200 0011")));
    assert_eq!(run.records().last().unwrap()["incomplete"], json!(10));
}
