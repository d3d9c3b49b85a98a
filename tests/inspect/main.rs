//! The inspector (examples/inspect), run as its users run it.
//!
//! `cargo test` builds it; after `cargo test --test inspect` alone it may be missing, or an old one.

mod capture;
#[path = "../../examples/inspect/decode.rs"]
#[allow(dead_code, reason = "the inspector needs more of it")]
mod decode;
mod deferral_text;
#[path = "../support/example.rs"]
mod example;
#[path = "../../examples/inspect/input/mod.rs"]
#[allow(dead_code, reason = "the inspector needs more of it")]
mod input;
mod jsonl;
mod native;
#[path = "../../examples/inspect/record.rs"]
#[allow(dead_code, reason = "the inspector needs more of it")]
mod record;
mod repmgr;
mod tds5;
mod verify;

use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/vectors/spice");

/// Files that hold something malformed; all others are well.
const MALFORMED: [&str; 3] =
    ["09-tls-port-and-cert-subject.jsonl", "17-link-errors.jsonl", "34b-fake-begin-host-offset-0.jsonl"];

/// What one run gave.
struct Run {
    status: Option<i32>,
    out: String,
    err: String,
}

impl Run {
    fn records(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }
}

fn command() -> Command {
    Command::new(example::example("inspect"))
}

fn run(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
    let output = command().args(args).output().expect("the inspector runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Run { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn vector(name: &str) -> PathBuf {
    [VECTORS, name].iter().collect()
}

fn spice(args: &[&str], file: &Path) -> Run {
    let fixed = ["--protocol", "spice"].iter().chain(args).map(OsStr::new);
    run(fixed.chain([file.as_os_str()]))
}

/// All vectors with this ending.
fn vectors(ending: &str) -> Vec<PathBuf> {
    vectors_of(VECTORS, ending)
}

fn vectors_of(directory: &str, ending: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(directory).expect("the vectors").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|it| it == ending)).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(OsStr::to_str).expect("a name")
}

/// A file of its own for a test.
fn temporary(name: &str, content: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).expect("the target's tmp directory can be written to");
    path
}

#[test]
fn every_vector_is_reproduced() {
    for path in vectors("jsonl").into_iter().chain(vectors("pcapng")) {
        let run = spice(&["--verify"], &path);
        let expected = i32::from(MALFORMED.contains(&name(&path)));
        assert_eq!(run.status, Some(expected), "{}: {}", name(&path), run.err);
        assert!(!run.out.contains(r#""kind":"verify""#), "{}: not reproduced", name(&path));
        assert!(run.records().len() > 7, "{}", name(&path));
        // What --verify adds is errors, and there are none.
        assert_eq!(run.out, spice(&[], &path).out, "{}", name(&path));
    }
}

#[test]
fn streams_are_covered_without_a_gap() {
    for path in vectors("jsonl") {
        let mut ends: BTreeMap<(String, String), u64> = BTreeMap::new();
        for record in spice(&[], &path).records() {
            let stream = [&record["conn"], &record["dir"]].map(|part| part.as_str().unwrap().to_owned());
            let end = ends.entry(stream.into()).or_default();
            assert_eq!(record["offset"], *end, "{}: {record}", name(&path));
            *end += record["length"].as_u64().or_else(|| record["incomplete"].as_u64()).unwrap_or_else(|| {
                assert!(record["error"].is_object(), "{record}");
                0
            });
        }
        let malformed = MALFORMED.contains(&name(&path));
        for conversation in input::read(&path, &[]).unwrap().conversations {
            for stream in [&conversation.client, &conversation.server] {
                let end = ends.remove(&(conversation.conn.clone(), stream.dir.clone()));
                // An empty stream prints nothing; one that is refused ends early.
                let length = Some(stream.bytes.len() as u64).filter(|&length| length > 0);
                assert!(end == length || malformed && end < length, "{} {}", name(&path), conversation.conn);
            }
        }
        assert!(ends.is_empty(), "{}: streams that are not in the file", name(&path));
    }
}

/// 34b-fake-begin-host-offset-0, the whole output.
const GOLDEN: &str = r#"{"conn":"client->fake-source#main","dir":"c2s","offset":0,"length":42,"name":"SpiceLinkMess","size":26,"fields":{"version":"2.2","connection_id":0,"channel_type":1,"channel_id":0,"num_common":1,"num_channel":1,"caps_offset":18,"common_words":["0xd"],"channel_words":["0xf"]}}
{"conn":"client->fake-source#main","dir":"c2s","offset":42,"length":4,"name":"SpiceLinkAuthMechanism","fields":{"mechanism":1}}
{"conn":"client->fake-source#main","dir":"c2s","offset":46,"length":128,"name":"SpiceLinkEncryptedTicket","fields":{}}
{"conn":"client->fake-source#main","dir":"c2s","offset":174,"length":6,"name":"SPICE_MSGC_MAIN_ATTACH_CHANNELS","type":104,"size":0,"fields":{}}
{"conn":"client->fake-source#main","dir":"s2c","offset":0,"length":202,"name":"SpiceLinkReply","size":186,"fields":{"version":"2.2","error":0,"pub_key_len":162,"num_common":1,"num_channel":1,"caps_offset":178,"common_words":["0xb"],"channel_words":["0xf"]}}
{"conn":"client->fake-source#main","dir":"s2c","offset":202,"length":4,"name":"SpiceLinkResult","fields":{"result":0}}
{"conn":"client->fake-source#main","dir":"s2c","offset":206,"length":38,"name":"SPICE_MSG_MAIN_INIT","type":103,"size":32,"fields":{"session_id":287454020,"display_channels_hint":1,"supported_mouse_modes":1,"current_mouse_mode":1,"agent_connected":0,"agent_tokens":10,"multi_media_time":1000,"ram_hint":0}}
{"conn":"client->fake-source#main","dir":"s2c","offset":244,"length":12,"name":"SPICE_MSG_MAIN_CHANNELS_LIST","type":104,"size":6,"fields":{"n":1,"channels":[[3,0]]}}
{"conn":"client->fake-source#main","dir":"s2c","offset":256,"error":{"kind":"invalid","message":"DstInfo","field":"host","reason":"must not be null or empty (got 0)"}}
"#;

#[test]
fn golden_json() {
    let run = spice(&["--verify", "--format", "json"], &vector("34b-fake-begin-host-offset-0.jsonl"));
    assert_eq!((run.status, run.err.as_str()), (Some(1), ""));
    assert_eq!(run.out, GOLDEN);
}

#[test]
fn golden_text() {
    let run = spice(&["--format", "text"], &vector("19e-short-migrate-data.jsonl"));
    assert_eq!((run.status, run.err.as_str()), (Some(0), ""));
    let line =
        |prefix: &str| run.out.lines().find(|line| line.starts_with(prefix)).unwrap_or_else(|| panic!("{}", run.out));
    assert_eq!(
        line("client->target#main c2s        42 "),
        "client->target#main c2s        42         4  SpiceLinkAuthMechanism                     mechanism=1"
    );
    assert_eq!(
        line("client->target#main c2s       174 "),
        "client->target#main c2s       174        10  SPICE_MSGC_MAIN_MIGRATE_DST_DO_SEAMLESS    type=110 size=4 src_version=1"
    );
    assert!(run.out.lines().all(|line| line == line.trim_end()));

    let run = spice(&["--format", "text"], &vector("17-link-errors.jsonl"));
    assert_eq!(run.status, Some(1));
    assert!(run.out.contains("client->source#main.4  s2c       316    122880  incomplete\n"), "{}", run.out);
    let refused = "error (unsupported): LinkHeader.major: not supported: only major version 2 is spoken (got 1)\n";
    assert!(run.out.contains(refused), "{}", run.out);
}

#[test]
fn fields_by_the_names_of_the_protocol() {
    let records = spice(&[], &vector("09-tls-port-and-cert-subject.jsonl")).records();
    let begin = records.iter().find(|record| record["name"] == "SPICE_MSG_MAIN_MIGRATE_BEGIN_SEAMLESS").unwrap();
    let expected = serde_json::json!({
        "port": 15931, "sport": 15933, "host_size": 10, "host_off": 24, "host": "127.0.0.1",
        "cert_size": 30, "cert_off": 34, "cert_subject": "C=XX,O=Test,CN=target.example", "src_mig_version": 1,
    });
    assert_eq!((&begin["type"], &begin["size"], &begin["fields"]), (&116.into(), &64.into(), &expected));

    let records = spice(&[], &vector("14a-old-client-full-header-no-caps.jsonl")).records();
    let switch = records.iter().find(|record| record["name"] == "SPICE_MSG_MAIN_MIGRATE_SWITCH_HOST").unwrap();
    let fields = &switch["fields"];
    assert_eq!((&fields["serial"], &fields["sub_list"], &fields["cert_subject"]), (&8.into(), &0.into(), &Value::Null));
    assert_eq!((&switch["length"], &switch["size"]), (&48.into(), &30.into()));

    let records = spice(&[], &vector("34g-fake-begin-trailing-bytes.jsonl")).records();
    let begin = records.iter().find(|record| record["name"] == "SPICE_MSG_MAIN_MIGRATE_BEGIN").unwrap();
    assert_eq!(
        (&begin["fields"]["extra_len"], &begin["fields"]["extra"]),
        (&14.into(), &"7461696c2d7461696c2d7461696c".into())
    );

    // Of a large payload only the beginning.
    let records = spice(&[], &vector("01-semi-seamless.jsonl")).records();
    let ping = records.iter().find(|record| record["size"] == 256_012).unwrap();
    assert_eq!((&ping["fields"]["data_len"], &ping["fields"]["data"]), (&256_000.into(), &"00".repeat(64).into()));
}

#[test]
fn incomplete_streams_alone_are_no_failure() {
    let line = |dir: &str, hex: &str| format!("{{\"conn\":\"x\",\"dir\":\"{dir}\",\"hex\":\"{hex}\"}}\n");
    let conversations = input::read(&vector("01-semi-seamless.jsonl"), &[]).unwrap().conversations;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (up, down) = (&conversations[0].client.bytes, &conversations[0].server.bytes);

    // Cut inside a header, inside a body, and a client that nobody answers: nothing behind its link message can
    // be told.
    for (client, server, expected) in [
        (&up[..15], &down[..0], vec![("c2s", 0, 15)]),
        (&up[..42], &down[..210], vec![("s2c", 206, 4)]),
        (&up[..180], &down[..0], vec![("c2s", 42, 138)]),
        (&up[..0], &down[..250], vec![("s2c", 206, 44)]),
    ] {
        let text = line("c2s", &hex(client)) + &line("s2c", &hex(server));
        let run = spice(&["--verify"], &temporary("incomplete.jsonl", text.as_bytes()));
        assert_eq!(run.status, Some(0), "{}", run.out);
        let left: Vec<_> = run.records().into_iter().filter(|record| record.get("incomplete").is_some()).collect();
        let expected = expected.into_iter().map(|(dir, offset, incomplete): (&str, u64, u64)| {
            serde_json::json!({"conn": "x", "dir": dir, "offset": offset, "incomplete": incomplete})
        });
        assert_eq!(left, expected.collect::<Vec<_>>());
    }

    // A refusal settles nothing either: what a hasty client sent behind it was never read.
    let refused = conversations_of("09-tls-port-and-cert-subject.jsonl", "client->target#main");
    let text = line("c2s", &hex(&up[..180])) + &line("s2c", &hex(&refused.server.bytes));
    let run = spice(&[], &temporary("refused.jsonl", text.as_bytes()));
    assert_eq!(run.status, Some(0), "{}", run.out);
    assert!(run.out.contains(r#"{"conn":"x","dir":"c2s","offset":42,"incomplete":138}"#), "{}", run.out);

    assert_eq!(spice(&[], &temporary("empty.jsonl", line("c2s", "").as_bytes())).out, "");
}

fn conversations_of(file: &str, conn: &str) -> input::Conversation {
    let mut found = input::read(&vector(file), &[]).unwrap().conversations.into_iter();
    found.find(|each| each.conn == conn).unwrap_or_else(|| panic!("{file} has no {conn}"))
}

#[test]
fn sub_messages_have_no_place_of_their_own() {
    // A LIST with MIGRATE_END in it, behind a link stage with mini headers.
    let real = conversations_of("01-semi-seamless.jsonl", "client->source#main");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let list = "08000c000000010006000000700000000000";
    let text = format!(
        "{{\"conn\":\"x\",\"dir\":\"s2c\",\"hex\":\"{}{list}\"}}\n{{\"conn\":\"x\",\"dir\":\"c2s\",\"hex\":\"{}\"}}\n",
        hex(&real.server.bytes[..206]),
        hex(&real.client.bytes[..174]),
    );
    let path = temporary("list.jsonl", text.as_bytes());
    let run = spice(&["--verify"], &path);
    assert_eq!(run.status, Some(0), "{}", run.out);
    let lines: Vec<_> = run.out.lines().skip(5).collect();
    assert_eq!(
        lines,
        [
            r#"{"conn":"x","dir":"s2c","length":0,"name":"SPICE_MSG_MAIN_MIGRATE_END","type":112,"size":0,"sub":true,"fields":{}}"#,
            r#"{"conn":"x","dir":"s2c","offset":206,"length":18,"name":"SPICE_MSG_LIST","type":8,"size":12,"fields":{"data_len":12,"data":"010006000000700000000000"}}"#,
        ]
    );
    let text = spice(&["--format", "text"], &path).out;
    assert!(text.contains("SPICE_MSG_MAIN_MIGRATE_END                 (sub-message) type=112 size=0\n"), "{text}");
}

#[test]
fn no_secret_is_printed() {
    for path in vectors("jsonl") {
        let conversations = input::read(&path, &[]).unwrap().conversations;
        let (json, text) = (spice(&["--verify"], &path), spice(&["--verify", "--format", "text"], &path));
        let printed = [&json.out, &json.err, &text.out, &text.err].map(|out| out.to_lowercase());
        let mut tickets = 0;
        for record in json.records().iter().filter(|record| record["name"] == "SpiceLinkEncryptedTicket") {
            let sender = conversations.iter().find(|each| record["conn"] == each.conn.as_str()).unwrap();
            let at = usize::try_from(record["offset"].as_u64().unwrap()).unwrap();
            let ticket: String = sender.client.bytes[at..at + 128].iter().map(|byte| format!("{byte:02x}")).collect();
            tickets += 1;
            // Not even eight bytes of it.
            for at in (0..=ticket.len() - 16).step_by(2).filter(|_| !ticket.starts_with("ffff")) {
                assert!(printed.iter().all(|out| !out.contains(&ticket[at..at + 16])), "{}", name(&path));
            }
        }
        assert!(tickets > 0, "{}: no ticket was sent", name(&path));
        assert!(printed.iter().all(|out| !out.contains("sesame") && !out.contains("30819f30")), "{}", name(&path));
    }
}

#[test]
fn usage_errors() {
    let file = vector("02-seamless.jsonl");
    let file = file.to_str().unwrap();
    for args in [
        &[][..],
        &["--protocol", "spice"],
        &[file],
        &["--protocol", "telnet", file],
        &["--protocol", "spice", "--port", "65536", file],
        &["--protocol", "spice", "--format", "xml", file],
        &["--protocol", "spice", "--no-such-option", file],
        &["--protocol", "spice", "capture.txt"],
    ] {
        let run = run(args);
        assert_eq!((run.status, run.out.as_str()), (Some(2), ""), "{args:?}");
        assert!(run.err.starts_with("error: ") && run.err.contains("--help"), "{args:?}: {}", run.err);
    }
    let help = run(["--help"]);
    assert_eq!(help.status, Some(0));
    for option in ["--protocol", "--verify", "--format", "--port"] {
        assert!(help.out.contains(option), "{}", help.out);
    }
}

#[test]
fn files_that_cannot_be_read() {
    let good = vector("34d-fake-begin-host-without-nul.jsonl");
    let bad = vector("34b-fake-begin-host-offset-0.jsonl");
    for missing in ["no-such-file.jsonl", "no-such-file.pcapng"] {
        let run = run(["--protocol".as_ref(), "spice".as_ref(), missing.as_ref(), good.as_os_str(), bad.as_os_str()]);
        // The others are printed all the same; the worst finding counts.
        assert_eq!(run.status, Some(2));
        assert!(run.err.contains(missing) && run.err.contains("cannot be read"), "{}", run.err);
        assert_eq!(run.records().len(), 18 + 9);
    }
    let text = temporary("text.pcap", b"this is no capture, however long it may be");
    let run = spice(&[], &text);
    assert_eq!((run.status, run.out.as_str()), (Some(2), ""));
    assert!(run.err.contains("is not a capture"), "{}", run.err);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    // More than any pipe holds.
    let line = |dir: &str, hex: &str| format!("{{\"conn\":\"x\",\"dir\":\"{dir}\",\"hex\":\"{hex}\"}}\n");
    let real = conversations_of("01-semi-seamless.jsonl", "client->source#main");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let many = hex(&real.client.bytes[..174]) + &"020000000000".repeat(20_000);
    let text = line("c2s", &many) + &line("s2c", &hex(&real.server.bytes[..206]));
    let path = temporary("many.jsonl", text.as_bytes());
    let mut child = command()
        .args(["--protocol", "spice"])
        .arg(path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the inspector runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}
