//! `--protocol deferral`, the historical wire (spec/vectors/deferral_text/README.md has the vectors).

use crate::{Run, input, name, run, temporary, vectors_of};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/vectors/deferral_text");

/// Files that hold something malformed, with what is said of it; all others are well.
const MALFORMED: [(&str, &[&str]); 8] = [
    ("06f_continue_no_path", &["Directive.argument: REDIRECT :CONTINUE without a path"]),
    ("09a_html", &["Response.Content-Type: not cli/response: the original counts the server as dead"]),
    ("09c_charset", &["Response.Content-Type: not cli/response: the original counts the server as dead"]),
    ("10e_return_bare", &["Answer.end: RETURN without a number"]),
    ("11d_redirect_bare", &["Directive.argument: REDIRECT without a kind"]),
    ("12d_blank_line", &["Answer.end: a blank line ends the answer"]),
    (
        "12g_crlf_string",
        &["Line.after: a newline is expected behind the quotation mark", "Answer.end: a blank line ends the answer"],
    ),
    ("12r_unknown_kind", &["Answer.end: a kind of redirection that is not known"]),
];

fn deferral(args: &[&str], file: &Path) -> Run {
    let fixed = ["--protocol", "deferral"].iter().chain(args).map(OsStr::new);
    run(fixed.chain([file.as_os_str()]))
}

fn vector(name: &str) -> PathBuf {
    [VECTORS, &format!("{name}.jsonl")].iter().collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A file with one conversation.
fn conversation(name: &str, client: &[u8], server: &[u8]) -> PathBuf {
    let line = |dir, bytes| json!({"conn": "x", "dir": dir, "hex": hex(bytes)}).to_string() + "\n";
    temporary(name, (line("c2s", client) + &line("s2c", server)).as_bytes())
}

/// A request, and the head of an answer.
const REQUEST: &[u8] = b"GET http://h/csf/command/help?ALLOW-REDIRECT=T&USER-NAME=&CLIENT-PLATFORM=&CURRENT-DIRECTORY=\
    &USER-HOME-DIRECTORY=&TIMEZONE-OFFSET=0 HTTP/1.1\r\n\r\n";
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: cli/response\r\n\r\n";

/// What a server's answer is made of, and what is said against it.
fn answered(name: &str, body: &[u8]) -> (i32, Vec<Value>) {
    let run = deferral(&["--verify"], &conversation(name, REQUEST, &[HEAD, body].concat()));
    let records = run.records().into_iter().filter(|record| record["dir"] == "s2c").skip(1).collect();
    (run.status.unwrap(), records)
}

fn errors(records: &[Value]) -> Vec<String> {
    let errors = records.iter().filter_map(|record| record.get("error"));
    let part = |error: &Value, key: &str| error[key].as_str().unwrap().to_owned();
    errors.map(|it| format!("{}.{}: {}", part(it, "message"), part(it, "field"), part(it, "reason"))).collect()
}

#[test]
fn every_vector_is_reproduced() {
    let mut malformed = 0;
    for path in vectors_of(VECTORS, "jsonl") {
        let run = deferral(&["--verify"], &path);
        let expected = MALFORMED.iter().find(|(file, _)| name(&path).starts_with(file)).map(|(_, errors)| *errors);
        malformed += usize::from(expected.is_some());
        assert_eq!(run.status, Some(i32::from(expected.is_some())), "{}: {}", name(&path), run.out);
        assert_eq!(errors(&run.records()), expected.unwrap_or_default(), "{}", name(&path));
        assert_eq!(run.out, deferral(&[], &path).out, "{}", name(&path));
    }
    assert_eq!(malformed, MALFORMED.len());
}

#[test]
fn streams_are_covered_without_a_gap() {
    for path in vectors_of(VECTORS, "jsonl") {
        let mut ends: BTreeMap<(String, String), u64> = BTreeMap::new();
        for record in deferral(&[], &path).records() {
            if record.get("error").is_some() {
                continue;
            }
            let stream = [&record["conn"], &record["dir"]].map(|part| part.as_str().unwrap().to_owned());
            let end = ends.entry(stream.into()).or_default();
            assert_eq!(record["offset"], *end, "{}: {record}", name(&path));
            *end += record["length"].as_u64().expect("a message");
        }
        for conversation in input::read(&path, &[]).unwrap().conversations {
            for stream in [&conversation.client, &conversation.server] {
                let end = ends.remove(&(conversation.conn.clone(), stream.dir.clone()));
                let length = Some(stream.bytes.len() as u64).filter(|&length| length > 0);
                assert_eq!(end, length, "{} {}", name(&path), conversation.conn);
            }
        }
        assert!(ends.is_empty(), "{}: streams that are not in the file", name(&path));
    }
}

/// 07a_chain3, the second contact: a call with a `.csf` file, and a redirection.
const GOLDEN: &str = r#"{"conn":"client->A#2","dir":"c2s","offset":0,"length":449,"name":"GET","fields":{"base":"http://127.0.0.1:17001/","path":"csf/command/ws_sync","arguments":["my ws","-v"],"allow_redirect":true,"user_name":"alice","client_platform":"Linux","current_directory":"/home/alice/projects/changesaf/cwd7/ws/","user_home_directory":"/home/alice/projects/changesaf/home/","timezone_offset":0,"rc_size":18,"rc_path":"/home/alice/projects/changesaf/cwd7/ws/.csf","headers":["User-Agent: Java Runtime, Debian 17.0.15 (Linux, amd64, 6.1)"]}}
{"conn":"client->A#2","dir":"s2c","offset":0,"length":47,"name":"Response","fields":{"status_line":"HTTP/1.1 200 OK","content_type":"cli/response","headers":["Content-Type: cli/response"]}}
{"conn":"client->A#2","dir":"s2c","offset":47,"length":92,"name":"REDIRECT","fields":{"kind":":READ-ONLY","servers":["http://127.0.0.1:17001/","http://127.0.0.1:17002/","http://127.0.0.1:17003/"]}}
{"conn":"client->A#2","dir":"s2c","offset":139,"length":0,"name":"End","fields":{"ending":"Redirected","kind":":READ-ONLY"}}
"#;

#[test]
fn golden() {
    let run = deferral(&["--verify"], &vector("07a_chain3"));
    assert_eq!((run.status, run.err.as_str()), (Some(0), ""));
    let second: String =
        run.out.lines().filter(|line| line.contains("A#2")).map(|line| line.to_owned() + "\n").collect();
    assert_eq!(second, GOLDEN);
    let text = deferral(&["--format", "text"], &vector("14a_1")).out;
    let last = text.lines().last().unwrap();
    assert_eq!(
        last,
        "client->A#1 s2c        68         0  End                                        ending=Returned status=1"
    );
}

#[test]
fn a_session_of_the_file_agent() {
    let records = deferral(&["--verify"], &vector("16a_fsa_helo_quit")).records();
    let names: Vec<_> = records.iter().map(|record| record["name"].as_str().unwrap()).collect();
    let expected = [
        "GET",
        "AgentReply",
        "AgentReply",
        "Response",
        "STARTFSA",
        "AgentRequest",
        "AgentRequest",
        "DISPLAY",
        "RETURN",
        "End",
    ];
    assert_eq!(names, expected);
    assert_eq!(records[1]["fields"], json!({"code": 200, "text": "1"}));
    assert_eq!(records[2]["fields"], json!({"code": 221}));
    assert_eq!(records[6]["fields"], json!({"request": "QUIT", "argument": "T"}));
    assert_eq!(records[7]["fields"], json!({"size": 9, "text": "after fsa"}));
}

#[test]
fn how_answers_end() {
    let end = |records: &[Value]| records.iter().rfind(|record| record["name"] == "End").map(|it| it["fields"].clone());
    let unknown = |doubt: &str| Some(json!({"ending": "Unknown", "doubt": doubt}));
    let cases: [(&str, &[u8], i32, Option<Value>); 7] = [
        ("deferral-eof.jsonl", b"DISPLAY \"half\"\n", 0, unknown("EndOfStream")),
        ("deferral-cut.jsonl", b"DISPLAY \"half", 0, None),
        ("deferral-agent.jsonl", b"STARTFSA\n", 0, None),
        ("deferral-blank.jsonl", b"TRACE 1\n RETURN 0\n", 1, unknown("BlankLine")),
        ("deferral-level.jsonl", b"TRACE on\nRETURN 0\n", 1, unknown("NoLevel")),
        ("deferral-rest.jsonl", b"RETURN 0\nRETURN 1\n", 0, Some(json!({"ending": "Returned", "status": 0}))),
        ("deferral-void.jsonl", b"REDIRECT :BUSY x\n", 1, unknown("EndOfStream")),
    ];
    for (name, body, status, ending) in cases {
        let (found, records) = answered(name, body);
        assert_eq!((found, end(&records)), (status, ending), "{name}: {records:?}");
    }
    let (_, records) = answered("deferral-cut.jsonl", b"DISPLAY \"half");
    assert_eq!(records, [json!({"conn": "x", "dir": "s2c", "offset": 47, "incomplete": 13})]);
    let (_, records) = answered("deferral-rest.jsonl", b"RETURN 0\nRETURN 1\n");
    let rest = records.last().unwrap();
    assert_eq!((&rest["name"], &rest["fields"]["size"]), (&json!("Rest"), &json!(9)));
    // Where what ends it stands.
    let place = |name: &str, body: &[u8]| {
        let (_, records) = answered(name, body);
        records.iter().find(|record| record.get("error").is_some()).unwrap()["offset"].clone()
    };
    assert_eq!(place("deferral-place-1.jsonl", b"TRACE 1\n\nRETURN 0\n"), 47 + 8);
    assert_eq!(place("deferral-place-2.jsonl", b"TRACE 1\nRETURN x\n"), 47 + 8);
    // A request to the agent that is none ends the stream.
    let (status, records) = answered("deferral-agent-no.jsonl", b"STARTFSA\nHELLO\nQUIT T\nRETURN 0\n");
    assert_eq!(
        (status, errors(&records)),
        (1, vec!["AgentRequest.name: four letters are expected (got 5)".to_owned()])
    );
}

#[test]
fn requests_that_are_none() {
    let error = |name: &str, client: &[u8]| {
        let run = deferral(&["--verify"], &conversation(name, client, b""));
        (run.status.unwrap(), errors(&run.records()))
    };
    let one = |text: &str| vec![text.to_owned()];
    assert_eq!(
        error("deferral-flag.jsonl", b"GET http://h/x?ALLOW-REDIRECT=F HTTP/1.1\r\n\r\n"),
        (1, one("Call.target: a value that is not known: ALLOW-REDIRECT is T or NIL, TIMEZONE-OFFSET a number"))
    );
    assert_eq!(
        error("deferral-behind.jsonl", &[REQUEST, b"GET"].concat()),
        (1, one("Request.end: nothing may stand behind a request"))
    );
    // Another client's spelling is read, and not reproduced.
    let (status, errors) = error("deferral-spelled.jsonl", b"GET /x?0=%7e HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!((status, errors.len()), (1, 1));
    assert!(errors[0].starts_with("GET.bytes: "), "{errors:?}");
    // A head without its end.
    let run = deferral(&[], &conversation("deferral-head.jsonl", b"GET http://h/", b"HTTP/1.1 200 OK\r\n"));
    let records = run.records();
    assert!(run.status == Some(0) && records.iter().all(|record| record["incomplete"].is_u64()), "{}", run.out);
}

#[test]
fn secrets_are_not_shown() {
    let client =
        b"GET http://me:hush1@h/csf/command/x?ALLOW-REDIRECT=T&CHANGESAFERC=hush2&RCPATH=%2F.csf&k=hush3 HTTP/1.1\r\n\
        authorization: Basic hush4\r\nCookie:hush5\r\nHost: h\r\n\r\n";
    for args in [&[][..], &["--verify"], &["--format", "text"]] {
        let run = deferral(args, &conversation("deferral-secret.jsonl", client, HEAD));
        assert!(!(run.out + &run.err).contains("hush"));
    }
    let records = deferral(&[], &conversation("deferral-secret.jsonl", client, HEAD)).records();
    let fields = &records[0]["fields"];
    assert_eq!((&fields["base"], &fields["rc_size"]), (&json!("http://…@h/"), &json!(5)));
    assert_eq!(fields["unknown"], json!(["k"]));
    assert_eq!(fields["headers"], json!(["authorization: …", "Cookie: …", "Host: h"]));
}

/// What begins with neither a method nor an answer is on the other wire.
#[test]
fn the_wires_are_told_apart() {
    let frame = b"\0\0\0\0\x01\0\x01\x01";
    let records = deferral(&[], &conversation("deferral-frame.jsonl", frame, frame)).records();
    assert!(records.iter().all(|record| record["name"] != "GET" && record["name"] != "Response"), "{records:?}");
    let only_answer = deferral(&[], &conversation("deferral-answer.jsonl", b"", &[HEAD, b"RETURN 0\n"].concat()));
    assert_eq!((only_answer.status, only_answer.records().len()), (Some(0), 3));
    for other in ["spice/02-seamless.pcapng", "tds5/mig_exchange.pcap", "repmgr/s04_request_response.pcapng"] {
        let other: PathBuf = [env!("CARGO_MANIFEST_DIR"), "spec/vectors", other].iter().collect();
        let run = deferral(&[], &other);
        assert_eq!((run.status, run.out.as_str()), (Some(0), ""));
        assert!(run.err.contains("does not look like this protocol, skipped"), "{}", run.err);
    }
}
