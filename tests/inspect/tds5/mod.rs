//! `--protocol tds5` (spec/vectors/tds5/README.md has the vectors).

mod streams;
mod tokens;

use crate::{Run, input, name, run, temporary, vectors_of};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/vectors/tds5");

fn tds5(args: &[&str], file: &Path) -> Run {
    let fixed = ["--protocol", "tds5"].iter().chain(args).map(OsStr::new);
    run(fixed.chain([file.as_os_str()]))
}

fn vectors() -> Vec<PathBuf> {
    [vectors_of(VECTORS, "jsonl"), vectors_of(VECTORS, "pcap")].concat()
}

fn vector(name: &str) -> PathBuf {
    [VECTORS, name].iter().collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A packet of type `ty`; the last of its message if `last`.
fn packet(ty: u8, last: bool, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).unwrap().to_be_bytes();
    [&[ty, u8::from(last), length[0], length[1], 0, 0, 0, 0], payload].concat()
}

/// A file with one conversation.
fn conversation(name: &str, client: &[u8], server: &[u8]) -> PathBuf {
    let line = |dir, bytes| json!({"conn": "x", "dir": dir, "hex": hex(bytes)}).to_string() + "\n";
    temporary(name, (line("c2s", client) + &line("s2c", server)).as_bytes())
}

/// What is said of a conversation that is well-formed.
fn records(name: &str, client: &[u8], server: &[u8]) -> Vec<Value> {
    let run = tds5(&["--verify"], &conversation(name, client, server));
    assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{}", run.out);
    run.records()
}

/// Offset, length, name and fields but for the packet type.
fn facts(record: &Value) -> (u64, u64, &str, Value) {
    let mut fields = record["fields"].clone();
    fields.as_object_mut().unwrap().remove("packet").expect("fields.packet");
    let number = |key: &str| record[key].as_u64().unwrap();
    (number("offset"), number("length"), record["name"].as_str().unwrap(), fields)
}

/// The login message of a captured client, without its packets.
fn captured_login() -> Vec<u8> {
    let captured = &input::read(&vector("login_default.jsonl"), &[]).unwrap().conversations[0].client.bytes;
    [&captured[8..512], &captured[520..619]].concat()
}

#[test]
fn every_vector_is_reproduced() {
    for path in vectors() {
        let run = tds5(&["--verify"], &path);
        assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{}: {}", name(&path), run.out);
        assert!(run.records().len() >= 14, "{}", name(&path));
        assert_eq!(run.out, tds5(&[], &path).out, "{}", name(&path));
    }
}

#[test]
fn between_tokens_stand_packet_headers_and_nothing_else() {
    for path in vectors() {
        let records = tds5(&[], &path).records();
        for conversation in input::read(&path, &[]).unwrap().conversations {
            for stream in [conversation.client, conversation.server] {
                let mut end = 0;
                for record in records.iter().filter(|record| record["dir"] == stream.dir.as_str()) {
                    let (offset, length, ..) = facts(record);
                    let gap = offset - end;
                    assert!(gap == 0 || gap == 8, "{}: {record}", name(&path));
                    end = offset + length;
                }
                assert_eq!(end, stream.bytes.len() as u64, "{}", name(&path));
            }
        }
    }
}

#[test]
fn the_exchange_by_its_names() {
    let records = tds5(&[], &vector("mig_exchange.pcap")).records();
    let messages: Vec<_> = records
        .iter()
        .filter(|record| record["name"] == "MSG")
        .map(|record| {
            let field = |key: &str| record["fields"][key].as_str().unwrap().to_owned();
            (record["dir"].as_str().unwrap(), field("packet"), field("id"))
        })
        .collect();
    let expected = [
        ("c2s", "MIGRATE", "MIG_SYNC"),
        ("c2s", "MIGRATE", "MIG_FAIL"),
        ("c2s", "NORMAL", "MIG_RESUME"),
        ("c2s", "NORMAL", "MIG_FAIL"),
        ("s2c", "RESPONSE", "HAFAILOVER"),
        ("s2c", "MIGRATE", "MIG_REQ"),
        ("s2c", "MIGRATE", "MIG_CONT"),
        ("s2c", "MIGRATE", "MIG_IGN"),
        ("s2c", "RESPONSE", "MIG_REQ"),
    ];
    assert_eq!(messages, expected.map(|(dir, packet, id)| (dir, packet.to_owned(), id.to_owned())));
    // Of the session id only the length.
    let params: Vec<_> = records.iter().filter(|record| record["name"] == "PARAMS").map(facts).collect();
    let address = json!({"values": ["127.0.0.1:5001"]});
    assert_eq!(
        params,
        [
            (708, 16, "PARAMS", json!({"values": ["connect falied"]})),
            (50, 8, "PARAMS", json!({"lengths": [6]})),
            (129, 16, "PARAMS", address.clone()),
            (198, 16, "PARAMS", address),
        ]
    );
}

/// query_mig_inresp, what the server sent in answer to the login and to two commands, without the capabilities.
const GOLDEN: &str = r#"{"conn":"tsql->server","dir":"s2c","offset":8,"length":13,"name":"ENVCHANGE","type":227,"size":10,"fields":{"packet":"RESPONSE","changes":[{"kind":"PACKET_SIZE","new":"2048","old":"512"}]}}
{"conn":"tsql->server","dir":"s2c","offset":21,"length":23,"name":"LOGINACK","type":173,"size":20,"fields":{"packet":"RESPONSE","status":5,"verdict":"SUCCEED","tds_version":"05000000","name_length":10,"program_name":"fakeserver","program_version":"0f000000"}}
{"conn":"tsql->server","dir":"s2c","offset":79,"length":9,"name":"DONE","type":253,"size":8,"fields":{"packet":"RESPONSE","status":[],"transaction":0,"count":0}}
{"conn":"tsql->server","dir":"s2c","offset":96,"length":9,"name":"DONE","type":253,"size":8,"fields":{"packet":"RESPONSE","status":["COUNT"],"transaction":0,"count":0}}
{"conn":"tsql->server","dir":"s2c","offset":113,"length":5,"name":"MSG","type":101,"size":3,"fields":{"packet":"RESPONSE","status":1,"id":"MIG_REQ"}}
{"conn":"tsql->server","dir":"s2c","offset":118,"length":14,"name":"PARAMFMT","type":236,"size":11,"fields":{"packet":"RESPONSE","count":1,"columns":[{"data_type":"VARCHAR","locale":"","name":"","size":255,"status":0,"user_type":0}]}}
{"conn":"tsql->server","dir":"s2c","offset":132,"length":16,"name":"PARAMS","type":215,"size":15,"fields":{"packet":"RESPONSE","values":["127.0.0.1:5001"]}}
{"conn":"tsql->server","dir":"s2c","offset":148,"length":9,"name":"DONE","type":253,"size":8,"fields":{"packet":"RESPONSE","status":["COUNT"],"transaction":0,"count":0}}
"#;

#[test]
fn golden_json() {
    let out = tds5(&["--verify"], &vector("query_mig_inresp.jsonl")).out;
    let server = out.lines().filter(|line| line.contains(r#""dir":"s2c""#) && !line.contains("CAPABILITY"));
    let lines: Vec<_> = server.take(GOLDEN.lines().count()).collect();
    assert_eq!(lines, GOLDEN.lines().collect::<Vec<_>>());
}

#[test]
fn golden_text() {
    let run = tds5(&["--format", "text"], &vector("query_mig_inresp.jsonl"));
    let line = |prefix: &str| run.out.lines().find(|line| line.starts_with(prefix)).unwrap_or_default();
    assert_eq!(
        line("tsql->server s2c       113 "),
        "tsql->server s2c       113         5  MSG                                        type=101 size=3 packet=RESPONSE status=1 id=MIG_REQ"
    );
    assert_eq!(
        line("tsql->server c2s       701 "),
        "tsql->server c2s       701         2  LOGOUT                                     type=113 size=1 packet=NORMAL options=0"
    );
}

#[test]
fn the_login_by_the_names_of_the_crate() {
    let records = tds5(&[], &vector("login_longuser.jsonl")).records();
    assert_eq!((&records[0]["type"], &records[0]["size"]), (&2.into(), &568.into()));
    let (offset, length, name, fields) = facts(&records[0]);
    // A packet header stands in the middle of it.
    assert_eq!((offset, length, name), (8, 568 + 8, "LOGINREC"));
    let expected = json!({
        "host_name": "vm", "user_name": "abcdefghijklmnopqrstuvwxyz0123", "password_len": 1, "host_process": "13878",
        "int2": 3, "int4": 1, "character": 6, "float8": 10, "date8": 9, "use_database_notify": 1, "dump_load": 0,
        "interface_spare": 0, "connection_type": [], "buffer_size": "00000000", "spare": "000000",
        "application_name": "TSQL", "server_name": "fake",
        "remote_passwords": [{"server": "", "password_len": 1}], "tds_version": "05000000",
        "program_name": "TDS-Librar", "program_version": "05000000", "no_short": 0, "float4": 13, "date4": 17,
        "language": "us_english", "set_language": 0, "old_secure": "0000", "security_login": [], "security_bulk": 0,
        "ha_login": [], "session_id_len": 0, "secure_spare": "0000", "character_set": "", "set_character_set": 1,
        "packet_size": "2048", "dummy": "00000000",
    });
    assert_eq!(fields, expected);

    let mask = |index: usize, ty: &str| {
        let masks = records[index]["fields"]["masks"].as_array().unwrap();
        let mask = masks.iter().find(|mask| mask["type"] == ty).unwrap();
        assert_eq!(mask["length"], 14);
        mask["set"].as_array().unwrap().clone()
    };
    assert_eq!(records[1]["name"], "CAPABILITY");
    let (asked, refused) = (mask(1, "REQUEST"), mask(1, "RESPONSE"));
    assert!(asked.contains(&"MESSAGE".into()) && !asked.contains(&"MIGRATE".into()));
    assert!(refused.contains(&"NO_TOKENISED_TEXT".into()) && !refused.contains(&"NO_MESSAGE".into()));
}
