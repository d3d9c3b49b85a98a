//! Values, and what stands for them on the wire.

use crate::deferral::text::{Argument, Call, Context, Directive, Line, RcFile, Redirect, RedirectKind};
use crate::testing::{Choices, damaged};
use crate::wire::Encode as _;
use bytes::Bytes;
use std::format;
use std::string::String;
use std::vec::Vec;

fn bytes(choices: &mut Choices<'_>, max: usize) -> Bytes {
    choices.bytes(max).into()
}

/// Where a call may be asked.
pub fn base(choices: &mut Choices<'_>) -> String {
    let bases = ["http://h/", "/", "http://127.0.0.1:17001/pre/fix/", "https://[::1]:1/?x=", "http://h:7999/#y/?"];
    String::from(*choices.pick(&bases))
}

fn path(choices: &mut Choices<'_>) -> Bytes {
    match choices.below(6) {
        0 => "csf/command/help".into(),
        1 => "csf/command/a b?c=d#e".into(),
        2 => "csf/command/?".into(),
        3 => "//x://y/?&=".into(),
        4 => b"csf/command/\xf6\xac%"[..].into(),
        _ => {
            let any: Vec<u8> = choices.bytes(2000).into_iter().filter(|byte| !byte.is_ascii_control()).collect();
            if any.is_empty() { "x".into() } else { any.into() }
        }
    }
}

/// What surrounds a client.
pub fn context(choices: &mut Choices<'_>) -> Context {
    Context {
        user_name: bytes(choices, 40),
        client_platform: bytes(choices, 40),
        current_directory: bytes(choices, 400),
        user_home_directory: bytes(choices, 400),
        timezone_offset: choices.edge_u32().cast_signed(),
        rc: choices.boolean().then(|| RcFile { contents: bytes(choices, 5000), path: bytes(choices, 400) }),
    }
}

/// A call that can be asked.
pub fn call(choices: &mut Choices<'_>) -> Call {
    let arguments = match choices.below(20) {
        19 => choices.below(1009),
        few => few % 13,
    };
    let unknown = choices.below(4);
    Call {
        path: path(choices),
        allow_redirect: !choices.boolean(),
        arguments: (0..arguments).map(|_| bytes(choices, 200)).collect(),
        context: context(choices),
        unknown: (0..unknown)
            .map(|_| {
                let key = match choices.below(4) {
                    0 => Bytes::from("X-KEY"),
                    1 => "user-name".into(),
                    2 => "1a".into(),
                    _ => [b"=&"[..].to_vec(), choices.bytes(20)].concat().into(),
                };
                (key, bytes(choices, 40))
            })
            .collect(),
    }
}

/// A target as another client could write it: good, or with one thing that is wrong. Or one of ours that was damaged.
pub fn odd_target(choices: &mut Choices<'_>) -> Vec<u8> {
    if choices.boolean() {
        let base = base(choices);
        let target = call(choices).target(base).expect("the generator keeps to the rules");
        return damaged(target, choices);
    }
    let mut target =
        String::from(*choices.pick(&["http://h", "", "http://me:pw@h:80", "x-y+z.1://[::]", "http:/", "h"]));
    target.push_str(choices.pick::<&str>(&["/csf/command/help", "/", "", "/x?y=z", "/csf/command/a b"]));
    for at in 0..choices.below(8) {
        target.push(if at == 0 { '?' } else { '&' });
        let number = format!("{}", choices.below(3));
        let keys = ["ALLOW-REDIRECT", "USER-NAME", "TIMEZONE-OFFSET", "CHANGESAFERC", "RCPATH", "x", "", &number];
        target.push_str(choices.pick::<&str>(&keys));
        target.push_str(choices.pick::<&str>(&["=T", "=NIL", "=", "", "=%4a+~", "=-330", "=+7", "=%", "=a=b", "=?"]));
    }
    target.into()
}

fn server(choices: &mut Choices<'_>) -> Bytes {
    match choices.below(5) {
        0 => "http://127.0.0.1:17001/".into(),
        1 => "http://[::1]:7999/pre/fix/".into(),
        2 => format!("http://db{}.example.org/", choices.byte()).into(),
        3 => format!("http://h:{}/?x#y/", choices.u32()).into(),
        _ => format!("http://{}/", "h".repeat(choices.below(1016) + 1)).into(),
    }
}

/// A redirection that the original reads safely.
pub fn redirect(choices: &mut Choices<'_>) -> Redirect {
    let kinds = [RedirectKind::Busy, RedirectKind::NoService, RedirectKind::ReadOnly, RedirectKind::Continue];
    let kind = *choices.pick(&kinds);
    let paths = ["csf/command/second", "x?k=v", "\"", "http://h/", "\u{e9}", ":BUSY"];
    let path = (kind == RedirectKind::Continue).then(|| Bytes::from(*choices.pick(&paths)));
    let count = if choices.one_in(60) { Redirect::MAX_SERVERS } else { choices.below(6) };
    Redirect { kind, path, servers: (0..count).map(|_| server(choices)).collect() }
}

/// A directive that the original reads safely.
pub fn directive(choices: &mut Choices<'_>) -> Directive {
    match choices.below(8) {
        0 => Directive::Display(bytes(choices, 5000)),
        1 => Directive::Return(choices.edge_u32().cast_signed()),
        2 => Directive::Trace(choices.edge_u32().cast_signed()),
        3 => Directive::StartFileAgent,
        4 => Directive::ChangeDirectory(bytes(choices, 400)),
        5 | 6 => Directive::Redirect(redirect(choices)),
        _ => {
            let tokens = ["FROB", "QUERY", "display", "RETURN:", "\u{feff}CD", "\""];
            Directive::Unknown { token: Bytes::from(*choices.pick(&tokens)), argument: bytes(choices, 40) }
        }
    }
}

/// A line in any spelling.
pub fn line(choices: &mut Choices<'_>) -> Line {
    let tokens = [
        "DISPLAY",
        "RETURN",
        "TRACE",
        "STARTFSA",
        "CD",
        "REDIRECT",
        "REDIRECT",
        "REDIRECT",
        "FROB",
        "DISPLAY\r",
        "return",
        "\"A\t\"",
    ];
    let token = Bytes::from(*choices.pick(&tokens));
    let blanks = choices.below(3);
    let text = text(choices);
    let argument = match (blanks, choices.boolean()) {
        (0, _) => Argument::None,
        (_, false) => {
            let text: Vec<u8> = text.into_iter().filter(|byte| *byte != b'\n').collect();
            let begin = text.iter().position(|byte| !matches!(byte, b' ' | b'"')).unwrap_or(text.len());
            Argument::Plain { blanks, text: text[begin..].to_vec().into() }
        }
        (_, true) => {
            let mut raw = Vec::new();
            for byte in text {
                if matches!(byte, b'"' | b'\\') || choices.one_in(9) {
                    raw.push(b'\\');
                }
                raw.push(byte);
            }
            let after = if choices.one_in(8) { choices.byte() } else { b'\n' };
            Argument::Quoted { blanks, raw: raw.into(), after }
        }
    };
    Line { token, argument }
}

/// What may stand behind a word: much that nearly means something.
fn text(choices: &mut Choices<'_>) -> Vec<u8> {
    match choices.below(5) {
        0 => choices.bytes(100),
        1 => {
            let numbers: [&[u8]; 12] =
                [b"0", b"+5", b"-0", b"000", b"2147483648", b"", b"0\r", b"0x1", b"1 ", b"-2147483648", b"+", b"\xb2"];
            choices.pick(&numbers).to_vec()
        }
        _ => {
            let words = [
                ":BUSY",
                ":CONTINUE",
                ":NO-SERVICE",
                ":READ-ONLY",
                ":ELSEWHERE",
                "http://a/",
                "http://b:x/",
                "path",
                "b",
                "http://me@c/",
                "https://[::1]:80",
                "file:/x",
                "http://d:7/",
                "\"",
            ];
            let mut text = Vec::new();
            for at in 0..*choices.pick(&[0, 1, 2, 3, 6]) {
                // Most begin with a kind.
                let word = if at == 0 { words[choices.below(8)] } else { *choices.pick(&words) };
                text.extend(word.as_bytes());
                text.extend(*choices.pick(&[b" ", b"\t", b" ", b"\r"]));
            }
            text
        }
    }
}

/// The body of an answer as a server could write it: lines in a row, some of them damaged, mostly with an end.
pub fn answer(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..choices.below(7) {
        let line = match choices.below(4) {
            0 => {
                let directive = directive(choices);
                let ends = matches!(directive, Directive::Return(_) | Directive::Redirect(_));
                let bytes = directive.to_vec().expect("the generator keeps to the rules");
                // An end in the middle is for the others.
                if ends && choices.boolean() { Vec::new() } else { bytes }
            }
            1 => b"DISPLAY \"text\"\n".to_vec(),
            _ => line(choices).to_vec().expect("the generator keeps to the rules"),
        };
        body.extend(if choices.one_in(8) { damaged(line, choices) } else { line });
    }
    body.extend(*choices.pick(&[
        &b"RETURN 0\n"[..],
        b"",
        b"RETURN 0",
        b"\n",
        b"RETURN 0\r\n",
        b"REDIRECT :BUSY \nRETURN 0\n",
    ]));
    body
}
