//! What is shown of a request, a directive, and of what the file agent says.

use crate::record::Fields;
use bytes::Bytes;
use handover::deferral::text::{AgentReply, AgentRequest, Call, Directive, Ending, Line};
use serde_json::Value;

/// How much of a text is shown.
const SHOWN: usize = 400;

/// Bytes for people: UTF-8 as it is, others escaped.
pub(super) fn shown(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).map_or_else(|_| bytes.escape_ascii().to_string(), str::to_owned);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn list<'a>(items: impl IntoIterator<Item = &'a Bytes>) -> Value {
    items.into_iter().map(|item| shown(item)).collect::<Vec<_>>().into()
}

/// A call. A user's name and password in front of the host, and what is in the `.csf` file, are not shown.
pub(super) fn call(base: &[u8], call: &Call) -> Fields {
    let Call { path, arguments, allow_redirect, context, unknown } = call;
    let fields = Fields::default()
        .with("base", shown(&without_user(base)))
        .with("path", shown(path))
        .with("arguments", list(arguments))
        .with("allow_redirect", *allow_redirect)
        .with("user_name", shown(&context.user_name))
        .with("client_platform", shown(&context.client_platform))
        .with("current_directory", shown(&context.current_directory))
        .with("user_home_directory", shown(&context.user_home_directory))
        .with("timezone_offset", context.timezone_offset);
    let fields = match &context.rc {
        Some(rc) => fields.with("rc_size", rc.contents.len()).with("rc_path", shown(&rc.path)),
        None => fields,
    };
    if unknown.is_empty() {
        return fields;
    }
    fields.with("unknown", list(unknown.iter().map(|(key, _)| key)))
}

fn without_user(base: &[u8]) -> Vec<u8> {
    let scheme = base.windows(3).position(|three| three == b"://").map_or(0, |at| at + 3);
    match base.iter().rposition(|byte| *byte == b'@') {
        Some(at) if at > scheme => {
            [base.get(..scheme), Some("…".as_bytes()), base.get(at..)].map(Option::unwrap_or_default).concat()
        }
        _ => base.to_vec(),
    }
}

pub(super) fn directive(directive: &Directive) -> Fields {
    let fields = Fields::default();
    match directive {
        Directive::Display(text) => fields.with("size", text.len()).with("text", shown(text)),
        Directive::Return(status) => fields.with("status", *status),
        Directive::Trace(level) => fields.with("level", *level),
        Directive::ChangeDirectory(directory) => fields.with("directory", shown(directory)),
        Directive::Redirect(redirect) => {
            let fields = fields.with("kind", redirect.kind.token());
            let fields = match &redirect.path {
                Some(path) => fields.with("path", shown(path)),
                None => fields,
            };
            fields.with("servers", list(&redirect.servers))
        }
        Directive::Unknown { token, argument } => fields.with("token", shown(token)).with("argument", shown(argument)),
        _ => fields,
    }
}

/// A line that is no directive.
pub(super) fn line(line: &Line) -> Fields {
    Fields::default().with("token", shown(&line.token)).with("argument", shown(&line.argument.text()))
}

pub(super) fn ending(ending: Ending) -> Fields {
    let fields = Fields::default();
    match ending {
        Ending::Returned(status) => fields.with("ending", "Returned").with("status", status),
        Ending::Redirected(kind) => fields.with("ending", "Redirected").with("kind", kind.token()),
        Ending::Unknown(doubt) => fields.with("ending", "Unknown").with("doubt", format!("{doubt:?}")),
    }
}

pub(super) fn request(request: &AgentRequest) -> Fields {
    let fields = Fields::default().with("request", shown(&request.name));
    match &request.argument {
        Some(argument) => fields.with("argument", shown(argument)),
        None => fields,
    }
}

pub(super) fn reply(reply: &AgentReply) -> Fields {
    let fields = Fields::default().with("code", reply.code);
    match &reply.text {
        Some(text) => fields.with("text", shown(text)),
        None => fields,
    }
}
