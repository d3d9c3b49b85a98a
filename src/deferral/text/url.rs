//! What is taken for a server's URL (spec/deferral.md 6.2).

use super::directive::Redirect;

/// Whether a word of a redirection names a server: a scheme and a colon; no more than 1024 bytes, all of them visible
/// ASCII; behind `//` no user's name, and as port digits or nothing. The original takes more: any length, any
/// character, and a user's name, which it then sends in clear.
pub(super) fn is_url(word: &[u8]) -> bool {
    if word.len() > Redirect::MAX_URL || !word.iter().all(u8::is_ascii_graphic) {
        return false;
    }
    let Some(colon) = word.iter().position(|byte| *byte == b':') else { return false };
    let (scheme, rest) = word.split_at(colon);
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    is_scheme && rest.strip_prefix(b"://").is_none_or(|rest| is_authority(authority(rest)))
}

/// Whether the original reaches the server that it names: over HTTP, with a host, and with a slash at the end, since it
/// puts nothing between URL and path.
pub(super) fn is_safe(word: &[u8]) -> bool {
    let host = word.strip_prefix(b"http://").map(authority);
    is_url(word) && host.is_some_and(|host| host.first().is_some_and(|byte| *byte != b':')) && word.ends_with(b"/")
}

fn authority(rest: &[u8]) -> &[u8] {
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
}

fn is_authority(authority: &[u8]) -> bool {
    // The colons of an IPv6 address stand in brackets.
    let behind = authority.iter().rposition(|byte| *byte == b']').unwrap_or_default();
    let host = authority.get(behind..).unwrap_or_default();
    let port = host.iter().position(|byte| *byte == b':').and_then(|colon| host.get(colon.saturating_add(1)..));
    !authority.contains(&b'@') && port.is_none_or(|port| port.iter().all(u8::is_ascii_digit))
}

/// Whether a word of a continuation is a path: up to 1024 bytes without control characters, so that it can stand in a
/// request line.
pub(super) fn is_path(word: &[u8]) -> bool {
    (1..=Redirect::MAX_URL).contains(&word.len()) && !word.iter().any(u8::is_ascii_control)
}
