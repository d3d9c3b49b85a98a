//! `--protocol group` (spec/vectors/group/README.md has the vectors).

use crate::{Run, run, temporary};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/vectors/group");
const HELLO: &str = "00000018 01000101 00040000 00000000 00 00 01 02 0001 0001 0000000000000000";

fn group(args: &[&str], file: &Path) -> Run {
    let fixed = ["--protocol", "group"].iter().chain(args).map(OsStr::new);
    run(fixed.chain([file.as_os_str()]))
}

fn name(record: &Value) -> &str {
    record["name"].as_str().unwrap()
}

/// One direction of one link, behind a hello.
fn stream(name: &str, hex: &str) -> PathBuf {
    let hex = format!("{HELLO}{hex}").replace(' ', "");
    let line = json!({"conn": "x", "dir": "c2s", "hex": hex}).to_string() + "\n";
    temporary(name, line.as_bytes())
}

fn vectors(file: &str) -> Vec<Value> {
    serde_json::from_str(&fs::read_to_string(Path::new(VECTORS).join(file)).unwrap()).unwrap()
}

fn bytes(vector: &Value) -> String {
    vector["bytes"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

#[test]
fn links_are_told_as_they_say() {
    let links = Path::new(VECTORS).join("links.jsonl");
    let run = group(&["--verify"], &links);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let records = run.records();
    let mut told = 0;
    for line in fs::read_to_string(links).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let of = |record: &&Value| record["conn"] == line["conn"] && record["dir"] == line["dir"];
        let said = records.iter().filter(of).map(|record| match name(record) {
            "Unknown" => format!("{:#04x}", record["type"].as_u64().unwrap()),
            name => name.to_owned(),
        });
        let said: Vec<String> = said.collect();
        assert_eq!(json!(said), line["says"], "{}", line["conn"]);
        told += said.len();
    }
    assert_eq!(told, records.len());
}

/// Leaves of both: names that both have are equal, once flags, numbers with names and opaque bytes are told apart.
fn leaves(value: &Value, path: &str, list: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| leaves(value, &format!("{path}.{name}"), list));
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(at, value)| leaves(value, &format!("{path}.{at}"), list));
        }
        other => list.push((path.to_owned(), other.clone())),
    }
}

/// Every message of the vectors, as full as it may be: what is a plain number or nothing in the vector is shown so.
#[test]
fn every_field_of_every_message_is_shown() {
    let vectors = vectors("messages.json");
    let hex: String = vectors.iter().map(bytes).collect();
    let run = group(&["--verify"], &stream("group_vectors.jsonl", &hex));
    assert_eq!(run.status, Some(0), "{}", run.err);
    let records = run.records();
    assert_eq!(records.len(), 1 + vectors.len());
    let mut compared = 0;
    for (vector, record) in vectors.iter().zip(&records[1..]) {
        let kind = vector["kind"].as_str().unwrap();
        assert!(name(record) == kind || name(record) == "Unknown" && kind.starts_with("0x"), "{record}");
        let (mut said, mut shown) = (Vec::new(), Vec::new());
        leaves(&vector["message"], "", &mut said);
        leaves(&record["fields"], "", &mut shown);
        for (path, value) in said {
            // Said elsewhere in what is shown.
            let path = path.replace(".voting.", ".").replace(".entry.", ".");
            let path = path.replace(".wish.code", ".wish.leave").replace(".wish.expulsion", ".wish.expel");
            let find = |path: &str| shown.iter().find(|(shown, _)| shown == path).map(|(_, value)| value);
            compared += 1;
            match (find(&path), &value) {
                // A name instead of a number, or the number as a text; the digest in hexadecimal.
                (Some(Value::String(text)), Value::Number(number)) => {
                    let known = text.chars().all(|c| c.is_ascii_uppercase() || c == '_');
                    let same = *text == number.to_string() || *text == format!("{:016x}", number.as_u64().unwrap());
                    assert!(known || same, "{kind}{path}: {text}, not {number}");
                }
                // A group's name, escaped.
                (Some(Value::String(text)), Value::String(said))
                    if path.ends_with("name") || path.ends_with("group") =>
                {
                    let digits = said.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
                    let bytes: Vec<u8> = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
                    assert_eq!(*text, bytes.escape_ascii().to_string());
                }
                (Some(shown), said) => assert_eq!(shown, said, "{kind}{path}"),
                // Flags are a list of names, which may be empty.
                (None, Value::Number(number)) => {
                    let flags = ["batch_control", "summary", "flags", "subscription"];
                    assert!(flags.iter().any(|flag| path.ends_with(flag)), "{kind}{path}: {number}");
                    let names = shown.iter().filter(|(shown, _)| shown.starts_with(&format!("{path}.")));
                    assert_eq!(names.count() == 0, number.as_u64() == Some(0), "{kind}{path}");
                }
                // Bytes are shown by their size and beginning; credentials by their size.
                (None, Value::String(said)) => {
                    let size = find(&format!("{path}.length")).or_else(|| find(&format!("{path}_length")));
                    assert_eq!(size, Some(&json!(said.len() / 2)), "{kind}{path}");
                    let beginning = find(&format!("{path}.bytes")).and_then(Value::as_str).unwrap_or_default();
                    assert!(said.starts_with(beginning), "{kind}{path}");
                }
                (None, said) => panic!("{kind}{path} {said} is not shown"),
            }
        }
    }
    assert!(compared > 1000, "{compared}");
}

#[test]
fn fields_are_shown_and_secrets_are_not() {
    // An entry with credentials, a join, a vote with a default vote and a summary that has a bit of tomorrow.
    let enter =
        "0000002a 01020100 00000001 0000000000000002 0000000000010001 00000000 00000000 00000000 00000006 736563726574";
    let join = "00000018 01020200 00000007 ffff 00000003 03 770a62 05 02 01 03 01 001e 0000 00";
    let announcement = "0000002a 01028700 00000000 00000002 0000000000000001 0000000000000005 8001 0001 00000003 0000 0000000000000001";
    let file = stream("group_fields.jsonl", &format!("{enter} {join} {announcement}"));
    let run = group(&["--verify"], &file);
    let records = run.records();
    assert_eq!((run.status, records.len()), (Some(0), 4), "{records:?} {}", run.err);
    let offer = json!({"protocol": "GROUP", "min_version": 1, "max_version": 1, "capabilities": 0});
    assert_eq!(records[0]["fields"]["offers"], json!([offer]));
    assert_eq!(
        (name(&records[1]), &records[1]["type"], &records[1]["size"], &records[1]["fields"]["credentials_length"]),
        ("ENTER", &json!(1), &json!(42), &json!(6))
    );
    let attributes = &records[2]["fields"]["attributes"];
    assert_eq!(records[2]["fields"]["instance"], json!(-1));
    assert_eq!(
        *attributes,
        json!({
            "client_version": 3, "name": "w\\nb", "batch_control": ["JOINS", "DEACTIVATE_ON_FAILURE"], "phases": "N",
            "reflection_phases": "ONE", "default_vote": "REJECT", "merge_control": "DISSOLVE", "time_limit": 30,
            "reflection_time_limit": 0, "source_group": null
        })
    );
    let fields = &records[3]["fields"];
    assert_eq!(fields["flags"], json!(["TIME_LIMIT_EXCEEDED", "0x8000"]));
    assert_eq!(fields["providers"], json!([{"node": 3, "instance": 0, "incarnation": 1}]));
    // The same for people.
    let text = group(&["--verify", "--format", "text"], &file);
    assert!(text.status == Some(0) && text.out.lines().count() == 4, "{}", text.out);
    assert!(text.out.contains("credentials_length=6") && text.out.contains("DEACTIVATE_ON_FAILURE"), "{}", text.out);
    for shown in [run.out, text.out] {
        assert!(!shown.contains("secret") && !shown.contains("736563") && !shown.contains("w\nb"), "{shown}");
    }
}

#[test]
fn what_is_malformed_ends_its_stream() {
    let refused = vectors("refused.json");
    assert!(refused.len() >= 85);
    let line = |(at, vector): (usize, &Value)| {
        let hex = format!("{HELLO}{}ffff", bytes(vector)).replace(' ', "");
        json!({"conn": at.to_string(), "dir": "c2s", "hex": hex}).to_string() + "\n"
    };
    let file = temporary("group_refused.jsonl", refused.iter().enumerate().map(line).collect::<String>().as_bytes());
    let run = group(&[], &file);
    assert_eq!(run.status, Some(1));
    let records = run.records();
    for (at, vector) in refused.iter().enumerate() {
        let conn = json!(at.to_string());
        let told: Vec<&Value> = records.iter().filter(|record| record["conn"] == conn).collect();
        let [hello, error] = told[..] else { panic!("{told:?}") };
        assert_eq!((name(hello), &error["error"]["field"]), ("HELLO", &vector["field"]), "{vector}");
        assert_eq!(error["error"]["kind"], vector["kind"]);
    }
}

#[test]
fn half_a_frame_is_none() {
    let run = group(&[], &stream("group_half.jsonl", "00000008 01020800 00000000"));
    assert_eq!((run.status, &run.records()[1]["incomplete"]), (Some(0), &json!(12)));
}
