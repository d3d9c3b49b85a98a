//! Oracles of the historical wire. Each takes bytes and panics with what does not hold (spec/deferral.md 8, D13): so
//! proptest, libFuzzer and a seed in a file all run the same.

use super::reference::{self, Said};
use crate::deferral::text::{
    AgentReplies, AgentReply, AgentRequest, AgentRequests, AnswerStream, BadUrl, Call, Directive, Ending, Item,
    request_line,
};
use crate::testing::{Choices, check_chunking, check_encoding};
use crate::wire::{Encode, Framer, StreamDecode};
use bytes::BytesMut;
use std::collections::BTreeSet;
use std::format;
use std::string::ToString;
use std::vec::Vec;

fn rest(choices: &mut Choices<'_>) -> Vec<u8> {
    (0..choices.remaining()).map(|_| choices.byte()).collect()
}

/// A target: any bytes, or a call that a generator decides on.
///
/// The first byte chooses which: the target itself, an odd one, or a call through its target and back.
///
/// # Panics
/// A call is not read back as it was written, or a target is read otherwise than by [`reference`](mod@reference).
pub fn run_text_call(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    match choices.byte() % 3 {
        0 => check_target(&rest(&mut choices)),
        1 => check_target(&super::odd_target(&mut choices)),
        _ => {
            let (base, call) = (super::base(&mut choices), super::call(&mut choices));
            let target = call.target(&base).expect("D13: the generator keeps to the rules");
            assert!(target.starts_with(base.as_bytes()), "D13: the base comes first");
            let (origin, behind) = Call::split(base.as_bytes()).expect("D13: it is a base");
            assert_eq!(Call::parse_below(behind, &target), Ok(call), "D13: a call");
            assert_eq!(Call::split(&target).map(|(found, _)| found), Some(origin), "D13: its origin");
            let line = [&b"GET "[..], &target, b" HTTP/1.1"].concat();
            let parts = (&b"GET"[..], &target[..], &b"HTTP/1.1"[..]);
            assert_eq!(request_line(&line), Some(parts), "D13: its line");
            check_target(&target);
        }
    }
}

/// Any target.
///
/// # Panics
/// It is read otherwise than by [`reference`](mod@reference), or cannot be written again.
pub fn check_target(target: &[u8]) {
    let Ok(call) = Call::parse(target) else { return };
    let at = target.iter().rposition(|byte| *byte == b'?').expect("D13: no call without a question mark");
    assert!(target[..at].ends_with(&call.path) && !call.path.is_empty(), "D13: the path stands before the pairs");
    let pairs = reference::pairs(&target[at + 1..]).expect("D13: a percent sign without digits");
    let mut found: BTreeSet<(Vec<u8>, Vec<u8>)> = BTreeSet::new();
    for (index, argument) in call.arguments.iter().enumerate() {
        found.insert((index.to_string().into_bytes(), argument.to_vec()));
    }
    found.extend(call.unknown.iter().map(|(key, value)| (key.to_vec(), value.to_vec())));
    let context = &call.context;
    let words = [
        ("USER-NAME", &context.user_name),
        ("CLIENT-PLATFORM", &context.client_platform),
        ("CURRENT-DIRECTORY", &context.current_directory),
        ("USER-HOME-DIRECTORY", &context.user_home_directory),
    ];
    let rc = context.rc.iter().flat_map(|rc| [("CHANGESAFERC", &rc.contents), ("RCPATH", &rc.path)]);
    found.extend(words.into_iter().chain(rc).map(|(key, value)| (key.into(), value.to_vec())));
    for (key, value) in &pairs {
        let is_kept = match &key[..] {
            b"ALLOW-REDIRECT" => value == if call.allow_redirect { &b"T"[..] } else { b"NIL" },
            b"TIMEZONE-OFFSET" => reference::number(value) == Some(context.timezone_offset),
            _ => found.contains(&(key.clone(), value.clone())),
        };
        assert!(is_kept, "D13: {} is lost", key.escape_ascii());
    }
    let meant = pairs.len();
    let again = call.target("http://h/");
    if meant + 8 > Call::MAX_PAIRS && again.is_err() {
        return;
    }
    let again = again.expect("D13: what was read can be written");
    assert_eq!(Call::parse(&again), Ok(call), "D13: read, written, and read again");
}

/// An answer: any bytes, or lines that a generator decides on.
///
/// The first byte chooses the limit, what becomes of bad URLs, and whether the rest is the body or decisions; then
/// cuts, then the rest.
///
/// # Panics
/// A way of cutting gives something else, more is held than was pushed, it is read otherwise than by
/// [`reference`](mod@reference), something that is not whole counts, or a line is not written back byte for byte.
pub fn run_text_answer(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let form = choices.byte();
    let limit = if form & 1 == 0 { 1 << 20 } else { 40 };
    let bad_url = if form & 2 == 0 { BadUrl::VoidsLine } else { BadUrl::LeftOut };
    let cuts: Vec<usize> = (0..choices.below(8)).map(|_| usize::from(choices.u16())).collect();
    let body = if form & 4 == 0 { rest(&mut choices) } else { super::answer(&mut choices) };
    check_answer(&body, limit, bad_url, &cuts);
    agent(&body, limit, &cuts);
}

/// Any answer.
///
/// # Panics
/// As [`run_text_answer`].
pub fn check_answer(body: &[u8], limit: usize, bad_url: BadUrl, cuts: &[usize]) {
    let make = || AnswerStream::new(limit).bad_url(bad_url);
    check_chunking(make, body, cuts);
    let mut framer = Framer::new(make());
    let (mut items, mut lines) = (Vec::new(), Vec::new());
    let mut failed = false;
    for byte in body {
        framer.push(&[*byte]);
        loop {
            match framer.next_item() {
                Ok(Some(item)) => {
                    if !matches!(item, Item::End(Ending::Returned(_) | Ending::Redirected(_))) {
                        lines.extend(framer.decoder().line().to_vec().unwrap_or_default());
                    }
                    check_item(&item);
                    items.push(item);
                }
                Ok(None) => break,
                Err(_) => failed = true,
            }
            if failed {
                break;
            }
        }
        let held = framer.buffered();
        assert!(framer.decoder().is_handed_over() || held <= limit, "D13: {held} bytes are held, {limit} are allowed");
    }
    // Whoever refuses knows of nothing that the other does not.
    let (said, read) = reference::answer(body, bad_url);
    let found: Vec<Said> = items.iter().map(told).collect();
    let handed_over = framer.decoder().is_handed_over();
    let expected: Vec<Said> =
        said.iter().filter(|said| !matches!(said, Said::HandedOver | Said::TooMany)).cloned().collect();
    if failed {
        assert!(expected.starts_with(&found), "D13: {found:?} is not how {expected:?} begins");
    } else {
        assert_eq!(found, expected, "D13: {}", body.escape_ascii());
        assert_eq!(handed_over, said.last() == Some(&Said::HandedOver), "D13: the agent");
        assert_eq!(lines, body[..read], "D13: lines are written back");
    }
    // Success is said by a whole line, and by nothing else.
    let ending = framer.decoder().finish();
    let last = items.iter().rev().find(|item| !matches!(item, Item::End(_)));
    match ending {
        Ending::Returned(status) => assert_eq!(last, Some(&Item::Directive(Directive::Return(status)))),
        Ending::Redirected(kind) => {
            let is_it = |item: &&Item| matches!(item, Item::Directive(Directive::Redirect(it)) if it.kind == kind);
            assert!(last.filter(is_it).is_some(), "D13: {last:?}");
        }
        Ending::Unknown(_) => {}
    }
}

/// A directive that may be sent means the same when it has been.
fn check_item(item: &Item) {
    let Item::Directive(directive) = item else { return };
    if directive.check().is_err() {
        return;
    }
    let bytes = check_encoding(directive);
    let again = AnswerStream::new(usize::MAX).decode_next(&mut BytesMut::from(&bytes[..]));
    assert_eq!(again, Ok(Some(item.clone())), "D13: {}", bytes.escape_ascii());
}

/// An item as the reference says it.
fn told(item: &Item) -> Said {
    let word = |word: &str, text: &[u8]| Said::Word(word.into(), text.to_vec());
    match item {
        Item::Skipped(_) => Said::Skipped,
        Item::End(ending) => Said::End(*ending),
        Item::Directive(Directive::Display(text)) => word("DISPLAY", text),
        Item::Directive(Directive::ChangeDirectory(text)) => word("CD", text),
        Item::Directive(Directive::StartFileAgent) => word("STARTFSA", b""),
        Item::Directive(Directive::Unknown { token, argument }) => Said::Word(token.to_vec(), argument.to_vec()),
        Item::Directive(Directive::Redirect(redirect)) => {
            let servers = redirect.servers.iter().map(|server| server.to_vec()).collect();
            Said::Elsewhere(redirect.kind, redirect.path.as_ref().map(|path| path.to_vec()), servers)
        }
        Item::Directive(Directive::Return(value)) => word("RETURN", format!("{value}").as_bytes()),
        Item::Directive(Directive::Trace(value)) => word("TRACE", format!("{value}").as_bytes()),
    }
}

/// The same bytes as a conversation of the file agent, in both directions.
fn agent(bytes: &[u8], limit: usize, cuts: &[usize]) {
    check_chunking(|| AgentRequests::new(limit), bytes, cuts);
    check_chunking(|| AgentReplies::new(limit), bytes, cuts);
    let mut src = BytesMut::from(bytes);
    let (mut requests, mut back) = (AgentRequests::new(limit), Vec::new());
    while let Ok(Some(AgentRequest { name, argument })) = requests.decode_next(&mut src) {
        back.extend(AgentRequest { name, argument }.to_vec().expect("D13: it was read"));
    }
    assert_eq!(back, bytes[..back.len()], "D13: requests to the agent are written back");
    let mut src = BytesMut::from(bytes);
    let (mut replies, mut back) = (AgentReplies::new(limit), Vec::new());
    while let Ok(Some(AgentReply { code, text })) = replies.decode_next(&mut src) {
        back.extend(AgentReply { code, text }.to_vec().expect("D13: it was read"));
    }
    assert_eq!(back, bytes[..back.len()], "D13: answers of the agent are written back");
}
