//! What is shown of the link's own messages, and of the deferral protocol's. Credentials and receipts never are, but for their sizes.

use crate::record::{Fields, hex};
use bytes::Bytes;
use handover::deferral::message::{Alternate, Command, Message};
use handover::deferral::{DeferKind, RefusalCode, RequestFlags};
use handover::frame::{Close, Extensions, Frame, Hello, Offer};
use serde_json::{Value, json};

pub(super) fn hello(hello: &Hello) -> Fields {
    let Hello { max_body, boot, identity, agent, offers, extensions } = hello;
    let offer = |offer: &Offer| {
        let name = offer.protocol.name().map_or_else(|| offer.protocol.0.to_string(), str::to_owned);
        let (min, max) = (offer.versions.min, offer.versions.max);
        json!({ "protocol": name, "min_version": min, "max_version": max, "capabilities": offer.capabilities.bits() })
    };
    let fields = Fields::default()
        .with("max_body", *max_body)
        .with("boot", *boot)
        .with("identity", hex(identity.as_bytes()))
        .with("agent", agent.as_str())
        .with("offers", offers.iter().map(offer).collect::<Vec<Value>>());
    with_extensions(fields, extensions)
}

pub(super) fn close(close: &Close) -> Fields {
    let reason = close.reason.name().map_or_else(|| close.reason.0.to_string(), str::to_owned);
    with_extensions(Fields::default().with("reason", reason).with("text", close.text.as_str()), &close.extensions)
}

pub(super) fn unknown(frame: &Frame) -> Fields {
    let protocol = frame.protocol.name().map_or_else(|| frame.protocol.0.to_string(), str::to_owned);
    let fields = Fields::default().with("protocol", protocol).with("flags", frame.flags.bits());
    fields.with_opaque("body_length", "body", &frame.body)
}

pub(super) fn deferral(message: &Message) -> Fields {
    let fields = match message.key() {
        Some(key) => Fields::default().with("id", key.id.to_string()).with("epoch", key.epoch),
        None => Fields::default(),
    };
    match message {
        Message::Request(request) => {
            let fields = with_flags(fields, "flags", request.flags)
                .with("deadline_ms", request.deadline_ms)
                .with("receipt_length", request.receipt.len())
                .with("credentials_length", request.credentials.len());
            let fields = match &request.referrer {
                Some(referrer) => fields.with("referrer", referrer.as_str()),
                None => fields,
            };
            with_extensions(with_command(fields, &request.command), &request.extensions)
        }
        Message::Cancel(signal) | Message::Executing(signal) | Message::Cancelled(signal) => {
            with_extensions(fields, &signal.extensions)
        }
        Message::Queued(queued) => {
            let fields = fields.with("position", queued.position).with("estimate_ms", queued.estimate_ms);
            with_extensions(fields, &queued.extensions)
        }
        Message::Data(data) => with_extensions(fields.with_opaque("length", "bytes", &data.bytes), &data.extensions),
        Message::End(end) => {
            with_extensions(fields.with("status", end.status).with("text", end.text.as_str()), &end.extensions)
        }
        Message::Defer(defer) => {
            let fields = fields
                .with("kind", defer.kind.name().unwrap_or_default())
                .with("server", defer.server.to_string())
                .with("reason", defer.reason.as_str())
                .with("queue_length", defer.queue_length)
                .with("estimate_ms", defer.estimate_ms)
                .with("retry_after_ms", defer.retry_after_ms)
                .with("receipt_length", defer.receipt.len())
                .with("alternates", defer.alternates.iter().map(alternate).collect::<Vec<Value>>());
            let fields = match &defer.next {
                Some(next) if defer.kind == DeferKind::CONTINUE => {
                    with_command(with_flags(fields, "next_flags", defer.next_flags), next)
                }
                _ => fields,
            };
            with_extensions(fields, &defer.extensions)
        }
        Message::Refused(refused) => {
            let RefusalCode(number) = refused.code;
            let code = refused.code.name().map_or_else(|| number.to_string(), str::to_owned);
            with_extensions(fields.with("code", code).with("text", refused.text.as_str()), &refused.extensions)
        }
        Message::Unknown { body, .. } => fields.with_opaque("body_length", "body", body),
        _ => fields,
    }
}

fn with_flags(fields: Fields, name: &'static str, flags: RequestFlags) -> Fields {
    let known = [
        (RequestFlags::PRIORITY, "PRIORITY"),
        (RequestFlags::READ_ONLY, "READ_ONLY"),
        (RequestFlags::IDEMPOTENT, "IDEMPOTENT"),
        (RequestFlags::AGAIN, "AGAIN"),
    ];
    let mut names: Vec<String> =
        known.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, name)| (*name).to_owned()).collect();
    let rest = known.iter().fold(flags, |rest, (flag, _)| rest - *flag);
    if !rest.is_empty() {
        names.push(format!("{:#06x}", rest.bits()));
    }
    fields.with(name, names)
}

/// The first bytes of each argument, as of any payload.
fn with_command(fields: Fields, command: &Command) -> Fields {
    let argument = |argument: &Bytes| json!(Fields::default().with_opaque("length", "bytes", argument));
    let arguments: Vec<Value> = command.arguments.iter().map(argument).collect();
    fields.with("command", command.name.as_str()).with("arguments", arguments)
}

fn alternate(alternate: &Alternate) -> Value {
    let (uri, abilities) = (alternate.uri.as_str(), alternate.abilities.bits());
    json!({ "uri": uri, "abilities": abilities, "server": alternate.server.to_string() })
}

pub(super) fn with_extensions(fields: Fields, extensions: &Extensions) -> Fields {
    if extensions.as_bytes().is_empty() {
        return fields;
    }
    let all = extensions.iter().map(|one| json!({ "type": one.ty.0, "value": hex(one.value) })).collect::<Vec<Value>>();
    fields.with("extensions", all)
}
