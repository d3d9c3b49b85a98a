//! The grammar of spec/deferral.md 6 once more, by searching instead of by states. Nothing here is fast, and nothing
//! is shared with the codec.

use crate::deferral::text::{BadUrl, Doubt, Ending, RedirectKind};
use std::format;
use std::string::String;
use std::vec::Vec;

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Its word and its text.
    Word(Vec<u8>, Vec<u8>),
    /// Where to go: kind, path, servers.
    Elsewhere(RedirectKind, Option<Vec<u8>>, Vec<Vec<u8>>),
    /// Nothing that is followed.
    Skipped,
    /// The end.
    End(Ending),
    /// The bytes from here on are the file agent's.
    HandedOver,
    /// There are too many servers.
    TooMany,
}

/// What a body says, and how many bytes of it were read.
#[must_use]
pub fn answer(body: &[u8], bad_url: BadUrl) -> (Vec<Said>, usize) {
    let (mut said, mut at) = (Vec::new(), 0);
    loop {
        let rest = &body[at..];
        if matches!(rest.first(), Some(b' ' | b'\n')) {
            said.push(Said::End(Ending::Unknown(Doubt::BlankLine)));
            return (said, at);
        }
        let Some((word, text, size)) = line(rest) else { return (said, at) };
        at += size;
        let one = meaning(&word, &text, bad_url);
        let end = match &one {
            Said::Word(word, text) if word == b"RETURN" => {
                number(text).map(|status| Said::End(Ending::Returned(status)))
            }
            Said::Word(word, _) if word == b"STARTFSA" => Some(Said::HandedOver),
            Said::Elsewhere(kind, ..) => Some(Said::End(Ending::Redirected(*kind))),
            _ => None,
        };
        let over = end.is_some() || matches!(one, Said::End(_) | Said::TooMany);
        said.push(one);
        said.extend(end);
        if over {
            return (said, at);
        }
    }
}

/// Word, text and size of the line at the front, if it is whole.
fn line(rest: &[u8]) -> Option<(Vec<u8>, Vec<u8>, usize)> {
    let end = rest.iter().position(|byte| *byte == b' ' || *byte == b'\n')?;
    let word = rest[..end].to_vec();
    if rest[end] == b'\n' {
        return Some((word, Vec::new(), end + 1));
    }
    let begin = end + rest[end..].iter().position(|byte| *byte != b' ')?;
    if rest[begin] != b'"' {
        let size = begin + rest[begin..].iter().position(|byte| *byte == b'\n')?;
        return Some((word, rest[begin..size].to_vec(), size + 1));
    }
    let mut text = Vec::new();
    let mut at = begin + 1;
    while *rest.get(at)? != b'"' {
        if rest[at] == b'\\' {
            at += 1;
        }
        text.push(*rest.get(at)?);
        at += 1;
    }
    // One byte more belongs to it.
    rest.get(at + 1).map(|_| (word, text, at + 2))
}

fn meaning(word: &[u8], text: &[u8], bad_url: BadUrl) -> Said {
    let said = || Said::Word(word.to_vec(), text.to_vec());
    let unknown = |doubt| Said::End(Ending::Unknown(doubt));
    match word {
        b"RETURN" if number(text).is_none() => unknown(Doubt::NoStatus),
        b"TRACE" if words(text).is_empty() => Said::Skipped,
        b"TRACE" if number(text).is_none() => unknown(Doubt::NoLevel),
        b"RETURN" | b"TRACE" => {
            let number = number(text).map(|number| format!("{number}"));
            Said::Word(word.to_vec(), number.unwrap_or_default().into())
        }
        b"STARTFSA" => Said::Word(word.to_vec(), Vec::new()),
        b"REDIRECT" => {
            let words = words(text);
            let kinds = [
                (":BUSY", RedirectKind::Busy),
                (":NO-SERVICE", RedirectKind::NoService),
                (":READ-ONLY", RedirectKind::ReadOnly),
                (":CONTINUE", RedirectKind::Continue),
            ];
            let Some((first, rest)) = words.split_first() else { return Said::Skipped };
            let Some((_, kind)) = kinds.into_iter().find(|(name, _)| name.as_bytes() == &first[..]) else {
                return unknown(Doubt::UnknownRedirect);
            };
            let (path, urls) = match (kind, rest.split_first()) {
                (RedirectKind::Continue, None) => return Said::Skipped,
                (RedirectKind::Continue, Some((path, urls))) => (Some(path.clone()), urls),
                _ => (None, rest),
            };
            if path.iter().any(|path| path.len() > 1024 || path.iter().any(|byte| *byte < 0x20 || *byte == 0x7f)) {
                return Said::Skipped;
            }
            servers(kind, path, urls, bad_url)
        }
        _ => said(),
    }
}

fn servers(kind: RedirectKind, path: Option<Vec<u8>>, urls: &[Vec<u8>], bad_url: BadUrl) -> Said {
    let mut good = Vec::new();
    for url in urls {
        match is_url(url) {
            true => good.push(url.clone()),
            false if bad_url == BadUrl::VoidsLine => return Said::Skipped,
            false => {}
        }
        if good.len() > 256 {
            return Said::TooMany;
        }
    }
    Said::Elsewhere(kind, path, good)
}

fn words(text: &[u8]) -> Vec<Vec<u8>> {
    let words = text.split(|byte| b" \t\r\n\x0c".contains(byte));
    words.filter(|word| !word.is_empty()).map(<[u8]>::to_vec).collect()
}

/// A sign and digits, of which the value fits 32 bits.
#[must_use]
pub fn number(text: &[u8]) -> Option<i32> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().try_fold(0_i64, |value, digit| {
        let value = value * 10 + i64::from(digit - b'0');
        (value <= 1 << 32).then_some(value)
    })?;
    i32::try_from(sign * value).ok()
}

fn is_url(url: &[u8]) -> bool {
    if url.len() > 1024 || url.iter().any(|byte| !(0x21..=0x7e).contains(byte)) {
        return false;
    }
    let text = String::from_utf8_lossy(url);
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    if !scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    {
        return false;
    }
    let Some(rest) = rest.strip_prefix("//") else { return true };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit(']').next().unwrap_or_default();
    let port = host.split_once(':').map_or("", |(_, port)| port);
    !authority.contains('@') && port.chars().all(|c| c.is_ascii_digit())
}

/// Keys and values of a query as they are meant; `None` if a percent sign has no digits.
#[must_use]
pub fn pairs(query: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let blanks = |text: &[u8]| text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect::<Vec<_>>();
    let plain = |text: &[u8]| {
        let mut parts = text.split(|byte| *byte == b'%');
        let mut out = blanks(parts.next().unwrap_or_default());
        for part in parts {
            let digits = part.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
            out.push(u8::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()?);
            out.extend(blanks(&part[2..]));
        }
        Some(out)
    };
    let pairs = query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            Some((plain(parts.next()?)?, plain(parts.next().unwrap_or_default())?))
        })
        .collect()
}
