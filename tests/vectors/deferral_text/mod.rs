//! Byte streams of the original client of ChangeSafe (spec/vectors/deferral_text/README.md): decoded, written back
//! byte for byte, cut in every way. And its walks, replayed.

mod replay;

use bytes::BytesMut;
use handover::deferral::text::{
    AgentReplies, AgentReply, AgentRequest, AgentRequests, AnswerStream, BadUrl, Call, Directive, Doubt, Ending, Item,
    is_answer, request_line,
};
use handover::testing::deferral_text::{check_answer, check_target};
use handover::wire::{Encode, Framer, StreamDecode};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/vectors/deferral_text");

/// A contact: whom, and unless it was refused the flag, the target and the connection.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Contact {
    server: String,
    allow: Option<String>,
    target: Option<String>,
    conn: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    name: String,
    title: String,
    argv: Vec<String>,
    primary: String,
    contacts: Vec<Contact>,
    exit: i32,
    out: String,
    err: String,
}

fn scenarios() -> Vec<Scenario> {
    let path: PathBuf = [VECTORS, "scenarios.json"].iter().collect();
    let scenarios: Vec<Scenario> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(scenarios.len(), 46);
    scenarios
}

/// The connections of a scenario: what the client sent, and what it was sent.
fn streams(name: &str) -> BTreeMap<String, [Vec<u8>; 2]> {
    let path: PathBuf = [VECTORS, &format!("{name}.jsonl")].iter().collect();
    if name == "08a_primary_dead" {
        assert!(!path.exists());
        return BTreeMap::new();
    }
    let conversations = crate::input::read(&path, &[]).unwrap().conversations;
    let count = conversations.len();
    let streams: BTreeMap<_, _> =
        conversations.into_iter().map(|it| (it.conn, [it.client.bytes, it.server.bytes])).collect();
    assert_eq!(streams.len(), count, "{name}");
    streams
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// The target of a request, its head, and what is behind it.
fn request(stream: &[u8]) -> (&[u8], &[u8]) {
    let end = find(stream, b"\r\n\r\n").expect("a whole head") + 4;
    let (head, behind) = stream.split_at(end);
    let line = &head[..find(head, b"\r\n").unwrap()];
    let (method, target, version) = request_line(line).unwrap();
    assert_eq!((method, version), (&b"GET"[..], &b"HTTP/1.1"[..]));
    // No other header: not even Host.
    let header = String::from_utf8(head[line.len() + 2..end - 4].to_vec()).unwrap();
    assert!(header.starts_with("User-Agent: Java Runtime, ") && !header.contains('\n'), "{header}");
    (target, behind)
}

/// Head and body of an answer, parted as the original does it (spec/deferral.md 6.2.1): a line ends with LF, CR is
/// dropped, the head ends with an empty line or with the stream, the last Content-Type counts. `None`: the server is dead.
fn body(stream: &[u8]) -> Option<&[u8]> {
    let (mut at, mut counts) = (0, false);
    while at < stream.len() {
        let end = stream[at..].iter().position(|byte| *byte == b'\n').map_or(stream.len(), |end| at + end);
        let line: Vec<u8> = stream[at..end].iter().copied().filter(|byte| *byte != b'\r').collect();
        at = (end + 1).min(stream.len());
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or_default();
        if line[..colon].eq_ignore_ascii_case(b"content-type") {
            counts = is_answer(&line[colon + 1..]);
        }
    }
    counts.then_some(&stream[at..])
}

/// All items of an answer, with the lines that they were made of, what the agent was asked, and how it ends.
struct Read {
    items: Vec<(Item, Vec<u8>)>,
    asked: Vec<AgentRequest>,
    ending: Ending,
    left: usize,
}

fn read(body: &[u8]) -> Read {
    let (mut answer, mut requests) = (Framer::new(AnswerStream::default()), AgentRequests::default());
    answer.push(body);
    let (mut items, mut asked) = (Vec::new(), Vec::new());
    loop {
        if answer.decoder().is_handed_over() {
            let Some(request) = requests.decode_next(answer.buffer_mut()).unwrap() else { break };
            if request.name == AgentRequest::QUIT {
                answer.decoder_mut().resume();
            }
            asked.push(request);
        } else {
            match answer.next_item().unwrap() {
                Some(item) => items.push((item, answer.decoder().line().to_vec().unwrap_or_default())),
                None if answer.decoder().is_handed_over() => {}
                None => break,
            }
        }
    }
    Read { items, asked, ending: answer.decoder().finish(), left: answer.buffered() }
}

#[test]
fn every_stream_belongs_to_a_contact() {
    let mut files = 0;
    for scenario in scenarios() {
        let streams = streams(&scenario.name);
        files += usize::from(!streams.is_empty());
        let conns: BTreeSet<_> = scenario.contacts.iter().filter_map(|contact| contact.conn.clone()).collect();
        assert_eq!(conns, streams.keys().cloned().collect(), "{}", scenario.name);
        for contact in &scenario.contacts {
            let Some(conn) = &contact.conn else { continue };
            let (target, _) = request(&streams[conn][0]);
            assert_eq!(Some(target), contact.target.as_ref().map(String::as_bytes), "{} {conn}", scenario.name);
        }
    }
    assert_eq!(files, 45);
    let listed = std::fs::read_dir(VECTORS).unwrap().filter(|entry| {
        let path = entry.as_ref().unwrap().path();
        path.extension().is_some_and(|ending| ending == "jsonl")
    });
    assert_eq!(listed.count(), 45);
}

/// Requests: no exception.
#[test]
fn requests_are_written_back_byte_for_byte() {
    let mut count = 0;
    for scenario in scenarios() {
        let directory = if scenario.primary.ends_with("/pre/fix/") { "pre/fix/" } else { "" };
        for (conn, [up, _]) in streams(&scenario.name) {
            let (target, behind) = request(&up);
            let call = Call::parse_below(directory.as_bytes(), target).unwrap();
            let base = [Call::split(target).unwrap().0, directory.as_bytes()].concat();
            assert_eq!(call.target(&base).unwrap(), target, "{} {conn}", scenario.name);
            assert!(call.unknown.is_empty() && call.command().is_some());
            let expected: Vec<_> = scenario.argv.iter().skip(1).map(|argument| argument.as_bytes().to_vec()).collect();
            assert_eq!(call.arguments, expected, "{} {conn}", scenario.name);
            assert_eq!(behind.is_empty(), !scenario.name.starts_with("16a"));
            check_target(target);
            for end in 0..target.len() {
                check_target(&target[..end]);
            }
            count += 1;
        }
    }
    assert_eq!(count, 113);
}

/// Lines in the spelling that came: no exception. Directives in our own spelling: these, and only these, come out
/// otherwise (spec/deferral.md 6.6).
const SPELLED_OTHERWISE: [(&[u8], &[u8]); 7] = [
    // A blank too many.
    (b"REDIRECT :BUSY \n", b"REDIRECT :BUSY\n"),
    (b"REDIRECT :NO-SERVICE \n", b"REDIRECT :NO-SERVICE\n"),
    (b"REDIRECT :READ-ONLY \n", b"REDIRECT :READ-ONLY\n"),
    // Text without quotation marks.
    (b"CD /home/alice/projects/changesaf/cwd7/ws\n", b"CD \"/home/alice/projects/changesaf/cwd7/ws\"\n"),
    (b"MENU 2 \"a\" \"b\"\n", b"MENU \"2 \\\"a\\\" \\\"b\\\"\"\n"),
    // Backslashes that need not be there.
    (b"DISPLAY \"q\\\" b\\\\ n\\n t\\t x\\x\"\n", b"DISPLAY \"q\\\" b\\\\ nn tt xx\"\n"),
    // Another byte than a newline behind the text.
    (b"DISPLAY \"one\"\r", b"DISPLAY \"one\"\n"),
];

#[test]
fn answers_are_written_back_byte_for_byte() {
    let mut otherwise = BTreeSet::new();
    let (mut answers, mut directives) = (0, 0);
    for scenario in scenarios() {
        for (conn, [_, down]) in streams(&scenario.name) {
            let Some(body) = body(&down) else { continue };
            let what = format!("{} {conn}", scenario.name);
            answers += 1;
            let read = read(body);
            let mut back = Vec::new();
            let mut asked = read.asked.iter();
            for (item, line) in &read.items {
                match item {
                    Item::End(Ending::Returned(_) | Ending::Redirected(_)) => continue,
                    Item::Directive(directive) => {
                        directives += 1;
                        let ours = directive.to_vec().unwrap();
                        if ours != *line {
                            otherwise.insert((line.clone(), ours));
                        }
                    }
                    Item::Skipped(_) | Item::End(_) => {}
                }
                back.extend(line);
                if *item == Item::Directive(Directive::StartFileAgent) {
                    asked.by_ref().for_each(|request| back.extend(request.to_vec().unwrap()));
                }
            }
            assert_eq!(back, body[..body.len() - read.left], "{what}");
            let over = matches!(read.ending, Ending::Unknown(Doubt::BlankLine | Doubt::UnknownRedirect));
            assert_eq!(read.left == 0, !over, "{what}");
            for limit in [1 << 20, 30] {
                check_answer(body, limit, BadUrl::VoidsLine, &[1, 9, body.len() / 2]);
            }
        }
    }
    assert_eq!((answers, directives), (110, 147));
    let expected: BTreeSet<_> = SPELLED_OTHERWISE.iter().map(|(came, ours)| (came.to_vec(), ours.to_vec())).collect();
    assert_eq!(otherwise, expected);
}

/// What is not whole is never taken for a result.
#[test]
fn answers_that_are_cut_anywhere_have_no_result() {
    for scenario in scenarios() {
        for (conn, [_, down]) in streams(&scenario.name) {
            let Some(body) = body(&down) else { continue };
            let whole = read(body).ending;
            for end in 0..body.len() {
                let cut = read(&body[..end]).ending;
                let unknown = matches!(cut, Ending::Unknown(_));
                // Behind an end there may be more.
                assert!(unknown || cut == whole && end + 1 < body.len(), "{} {conn} at {end}: {cut:?}", scenario.name);
            }
            // A head that is cut has no body.
            for end in 0..down.len() - body.len() {
                let cut = self::body(&down[..end]);
                assert!(cut.is_none_or(|body| body.is_empty() || !whole_directive(body)), "{} at {end}", scenario.name);
            }
        }
    }
}

fn whole_directive(body: &[u8]) -> bool {
    !read(body).items.is_empty()
}

#[test]
fn the_file_agent_answers() {
    let streams = streams("16a_fsa_helo_quit");
    let [up, down] = &streams["client->A#1"];
    let asked: Vec<_> = read(body(down).unwrap()).asked.iter().map(|request| request.name).collect();
    assert_eq!(asked, [AgentRequest::HELO, AgentRequest::QUIT]);
    let (_, behind) = request(up);
    let (mut replies, mut src) = (AgentReplies::default(), BytesMut::from(behind));
    let replies: Vec<AgentReply> = std::iter::from_fn(|| replies.decode_next(&mut src).unwrap()).collect();
    assert!(src.is_empty());
    assert_eq!(replies.iter().map(|reply| reply.code).collect::<Vec<_>>(), [200, AgentReply::BYE]);
    let back: Vec<u8> = replies.iter().flat_map(|reply| reply.to_vec().unwrap()).collect();
    assert_eq!(back, behind);
}
