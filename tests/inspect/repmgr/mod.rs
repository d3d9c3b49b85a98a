//! `--protocol repmgr` (spec/vectors/repmgr/README.md has the vectors).

mod begin;
mod messages;

use crate::{Run, input, name, run, temporary, vectors_of};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/vectors/repmgr");

/// A dialler's proposal and parameters, a listener's confirmation (s02).
const PROPOSAL: &str = "020000000c0000001301000000e0170000000000643132372e302e302e3100000000010000000400";
const PARAMETERS: &str = "020000000c0000000a17e0000800000007000000063132372e302e302e3100";
const CONFIRMATION: &str = "020000000c0000000f17df000800000007000000043132372e302e302e31000000000400";

fn repmgr(args: &[&str], file: &Path) -> Run {
    let fixed = ["--protocol", "repmgr"].iter().chain(args).map(OsStr::new);
    run(fixed.chain([file.as_os_str()]))
}

fn vectors() -> Vec<PathBuf> {
    [vectors_of(VECTORS, "jsonl"), vectors_of(VECTORS, "pcapng")].concat()
}

/// A file with one conversation; both directions in hexadecimal.
fn conversation(name: &str, dialler: &str, listener: &str) -> PathBuf {
    let line = |dir, hex| json!({"conn": "x", "dir": dir, "hex": hex}).to_string() + "\n";
    temporary(name, (line("a2b", dialler) + &line("b2a", listener)).as_bytes())
}

/// What is said of a conversation that is well-formed.
fn records(name: &str, dialler: &str, listener: &str) -> Vec<Value> {
    let run = repmgr(&["--verify"], &conversation(name, dialler, listener));
    assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{}", run.out);
    run.records()
}

fn names(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["name"].as_str().unwrap()).collect()
}

#[test]
fn every_vector_is_reproduced() {
    for path in vectors() {
        let run = repmgr(&["--verify"], &path);
        assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{}: {}", name(&path), run.out);
        assert!(run.records().len() >= 5, "{}", name(&path));
        assert_eq!(run.out, repmgr(&[], &path).out, "{}", name(&path));
    }
}

#[test]
fn streams_are_covered_without_a_gap() {
    for path in vectors() {
        let mut lengths: BTreeMap<(String, String), u64> = BTreeMap::new();
        for record in repmgr(&[], &path).records() {
            let stream = [&record["conn"], &record["dir"]].map(|part| part.as_str().unwrap().to_owned());
            *lengths.entry(stream.into()).or_default() += record["length"].as_u64().expect("a message");
        }
        // The name of a connection may be used again for a later one.
        for conversation in input::read(&path, &[]).unwrap().conversations {
            for stream in [conversation.client, conversation.server] {
                let key = (conversation.conn.clone(), stream.dir);
                let left = lengths.entry(key).or_default();
                *left = left.checked_sub(stream.bytes.len() as u64).expect("no more messages than bytes");
            }
        }
        assert!(lengths.values().all(|left| *left == 0), "{}: {lengths:?}", name(&path));
    }
}

/// What a request and its answer look like.
const GOLDEN: &str = r#"{"conn":"x","dir":"a2b","offset":0,"length":40,"name":"HANDSHAKE","type":2,"size":31,"fields":{"step":"Proposal","legacy_len":12,"legacy":"01000000e017000000000064","host":"127.0.0.1","min":1,"max":4,"trailing":0}}
{"conn":"x","dir":"a2b","offset":40,"length":31,"name":"HANDSHAKE","type":2,"size":22,"fields":{"step":"Parameters","port":6112,"alignment":8,"ack_policy":"QUORUM","flags":["APP_CHANNEL","ELECTABLE"],"host":"127.0.0.1"}}
{"conn":"x","dir":"a2b","offset":71,"length":41,"name":"APP_MESSAGE","type":5,"size":32,"fields":{"sizes":[4],"segments":["65636866"],"tag":0,"limit":256,"flags":["BULK","REQUEST","RESPONSE_LIMIT"]}}
{"conn":"x","dir":"a2b","offset":112,"length":41,"name":"APP_MESSAGE","type":5,"size":32,"fields":{"sizes":[4],"segments":["65636867"],"tag":1,"limit":0,"flags":["REQUEST"]}}
{"conn":"x","dir":"b2a","offset":0,"length":36,"name":"HANDSHAKE","type":2,"size":27,"fields":{"step":"Confirmation","port":6111,"alignment":8,"ack_policy":"QUORUM","flags":["ELECTABLE"],"host":"127.0.0.1","version":4,"trailing":0}}
{"conn":"x","dir":"b2a","offset":36,"length":9,"name":"RESP_ERROR","type":7,"size":0,"fields":{"tag":1,"code":30995,"error":"DB_KEYEMPTY"}}
{"conn":"x","dir":"b2a","offset":45,"length":29,"name":"APP_RESPONSE","type":6,"size":20,"fields":{"tag":0,"sizes":[4],"segments":["65636866"]}}
"#;

#[test]
fn golden() {
    let dialler = [
        PROPOSAL,
        PARAMETERS,
        "0500000020000000016563686600000000ffffffff0000000400000000000000000000010000000007",
        "0500000020000000016563686700000000ffffffff0000000400000000000000010000000000000002",
    ];
    let listener = [CONFIRMATION, "070000791300000001", "0600000014000000006563686600000000ffffffff0000000400000000"];
    let file = conversation("golden-repmgr.jsonl", &dialler.concat(), &listener.concat());
    let run = repmgr(&["--verify"], &file);
    assert_eq!((run.status, run.err.as_str()), (Some(0), ""));
    assert_eq!(run.out, GOLDEN);
    let text = repmgr(&["--format", "text"], &file).out;
    let last = text.lines().last().unwrap();
    let expected = "x b2a        45        29  APP_RESPONSE                               type=6 size=20 tag=0 sizes=[4] segments=[\"65636866\"]";
    assert_eq!(last, expected);
}

#[test]
fn a_site_joins_by_its_names() {
    let file: PathBuf = [VECTORS, "s01_join_group.jsonl"].iter().collect();
    let records = repmgr(&[], &file).records();
    let mut count = BTreeMap::new();
    for name in names(&records) {
        *count.entry(name).or_insert(0) += 1;
    }
    let expected = [("HANDSHAKE", 7), ("HEARTBEAT", 7), ("OWN_MSG", 3), ("PERMLSN", 1), ("REP_MESSAGE", 74)];
    assert_eq!(count, expected.into());
    let own: Vec<_> = records.iter().filter(|record| record["name"] == "OWN_MSG").map(|it| &it["fields"]).collect();
    let site = |port| json!({"host": "127.0.0.1", "port": port, "status": "PRESENT"});
    let expected = [
        json!({"kind": "JOIN_REQUEST", "host": "127.0.0.1", "port": 6102, "flags": 0}),
        json!({"kind": "JOIN_SUCCESS", "version": 3, "generation": 1, "sites": [site(6101), site(6102)]}),
        json!({"kind": "PARM_REFRESH", "ack_policy": "ONE", "flags": ["APP_CHANNEL"]}),
    ];
    assert_eq!(own, expected.iter().collect::<Vec<_>>());
    let heartbeat = records.iter().find(|record| record["name"] == "HEARTBEAT").unwrap();
    assert_eq!(heartbeat["fields"], json!({"generation": 1, "file": 1, "offset": 0x4899}));
}

#[test]
fn a_capture_says_the_same_as_its_streams() {
    let [streams, capture] = ["jsonl", "pcapng"].map(|ending| {
        let file: PathBuf = [VECTORS.to_owned(), format!("s04_request_response.{ending}")].iter().collect();
        file
    });
    // Without a port the conversation is found by what it begins with.
    for args in [&["--port", "6131"][..], &[]] {
        let found = repmgr(args, &capture);
        assert_eq!((found.status, found.err.as_str()), (Some(0), ""));
        let found: Vec<_> = found.records().into_iter().map(|mut record| record["fields"].take()).collect();
        let expected: Vec<_> =
            repmgr(&[], &streams).records().into_iter().map(|mut record| record["fields"].take()).collect();
        assert_eq!(found, expected);
    }
    let other = repmgr(&["--port", "6132"], &capture);
    assert_eq!((other.status, other.out.as_str()), (Some(0), ""));
}

#[test]
fn of_a_large_segment_the_beginning() {
    let file: PathBuf = [VECTORS, "s03_send_msg_multi.jsonl"].iter().collect();
    let records = repmgr(&[], &file).records();
    let large = records.iter().find(|record| record["size"] == 100_064).unwrap();
    assert_eq!(large["fields"]["sizes"], json!([5, 0, 100_000, 5]));
    let segments = large["fields"]["segments"].as_array().unwrap();
    assert_eq!((segments[0].as_str(), segments[1].as_str()), (Some("616c706861"), Some("")));
    assert_eq!(segments[2].as_str().map(str::len), Some(128));
}

#[test]
fn conversations_of_other_protocols_are_left_out() {
    for other in ["spice/02-seamless.pcapng", "tds5/mig_exchange.pcap"] {
        let other: PathBuf = [env!("CARGO_MANIFEST_DIR"), "spec/vectors", other].iter().collect();
        let run = repmgr(&[], &other);
        assert_eq!((run.status, run.out.as_str()), (Some(0), ""));
        assert!(run.err.contains("does not look like this protocol, skipped"), "{}", run.err);
    }
    for path in vectors_of(VECTORS, "pcapng") {
        let run = crate::spice(&[], &path);
        assert_eq!((run.status, run.out.as_str()), (Some(0), ""));
    }
}
