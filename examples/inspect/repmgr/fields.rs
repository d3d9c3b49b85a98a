//! The fields of messages by their names in the crate. Of segments and other payloads the beginning is shown.

use crate::record::{Fields, hex};
use handover::repmgr::handshake::{
    Confirmation, Control, Handshake, LegacyHandshake, Parameters, Proposal, SiteParameters,
};
use handover::repmgr::message::{AppMessage, AppResponse, Message, Permanent, Replication, ResponseError};
use handover::repmgr::own::{Membership, OwnMessage, SiteRequest};
use handover::repmgr::{ErrorCode, Segments, SiteAddress};
use serde_json::{Value, json};

/// How much of a segment is shown.
const SHOWN: usize = 64;

/// A number by its name, if it has one.
fn named(name: Option<&'static str>, number: u32) -> Value {
    name.map_or_else(|| number.into(), Value::from)
}

/// Flags by their names; bits that have none as one number at the end.
macro_rules! flags {
    ($flags:expr) => {{
        let mut names = $flags.iter_names();
        let mut list: Vec<Value> = names.by_ref().map(|(name, _)| name.into()).collect();
        let rest = names.remaining().bits();
        if rest != 0 {
            list.push(rest.into());
        }
        list
    }};
}

/// The fields of a message; of an answer that is a block of segments, what is in it.
pub(super) fn message(message: &Message, block: Option<&Segments>) -> Fields {
    let fields = Fields::default();
    match message {
        Message::PermLsn(place) | Message::Heartbeat(Some(place)) => permanent(fields, place),
        Message::Handshake(step) => handshake(fields.with("step", step.name()), step),
        Message::Replication(Replication { control, record }) => {
            fields.with_opaque("control_len", "control", control).with_opaque("record_len", "record", record)
        }
        Message::App(AppMessage { segments, tag, limit, flags }) => {
            let fields = self::segments(fields, segments);
            fields.with("tag", *tag).with("limit", *limit).with("flags", flags!(flags))
        }
        Message::Response(AppResponse { tag, body }) => {
            let fields = fields.with("tag", *tag);
            match block {
                Some(block) => segments(fields, block),
                None => fields.with_opaque("body_len", "body", body),
            }
        }
        Message::Error(ResponseError { tag, code }) => {
            let fields = fields.with("tag", *tag).with("code", code.0);
            match error(*code) {
                Some(name) => fields.with("error", name),
                None => fields,
            }
        }
        Message::Own(message) => own(fields.with("kind", named(message.ty().name(), message.ty().0)), message),
        _ => fields,
    }
}

fn error(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::NO_SERVER => Some("DB_NOSERVER"),
        ErrorCode::KEY_EMPTY => Some("DB_KEYEMPTY"),
        ErrorCode::BUFFER_SMALL => Some("DB_BUFFER_SMALL"),
        _ => None,
    }
}

fn segments(fields: Fields, segments: &Segments) -> Fields {
    let shown = |segment: &[u8]| hex(segment.get(..SHOWN).unwrap_or(segment));
    fields
        .with("sizes", segments.slices().map(<[u8]>::len).collect::<Vec<_>>())
        .with("segments", segments.slices().map(shown).collect::<Vec<_>>())
}

fn permanent(fields: Fields, place: &Permanent) -> Fields {
    fields.with("generation", place.generation).with("file", place.file).with("offset", place.offset)
}

fn handshake(fields: Fields, step: &Handshake) -> Fields {
    match step {
        Handshake::Proposal(Proposal { legacy, host, versions, trailing }) => fields
            .with_opaque("legacy_len", "legacy", legacy)
            .with("host", host.to_string())
            .with("min", versions.min.0)
            .with("max", versions.max.0)
            .with("trailing", *trailing),
        Handshake::Legacy(LegacyHandshake { control, host }) => {
            fields.with_opaque("control_len", "control", control).with("host", host.to_string())
        }
        Handshake::Confirmation(Confirmation { version, site, trailing }) => {
            parameters(fields, site).with("version", version.0).with("trailing", *trailing)
        }
        Handshake::Parameters(Parameters { site }) => parameters(fields, site),
        _ => fields,
    }
}

fn parameters(fields: Fields, site: &SiteParameters) -> Fields {
    let fields = fields.with("port", site.port);
    let mut fields = match site.control {
        Control::V2 { priority } => fields.with("priority", priority),
        Control::V3 { priority, flags } => fields.with("priority", priority).with("flags", flags!(flags)),
        Control::V4 { alignment, ack_policy, flags } => fields
            .with("alignment", alignment)
            .with("ack_policy", named(ack_policy.name(), ack_policy.0))
            .with("flags", flags!(flags)),
    };
    if !site.extra.is_empty() {
        fields = fields.with_opaque("extra_len", "extra", &site.extra);
    }
    fields.with("host", site.host.to_string())
}

fn address(fields: Fields, site: &SiteAddress) -> Fields {
    fields.with("host", site.host.to_string()).with("port", site.port)
}

fn own(fields: Fields, message: &OwnMessage) -> Fields {
    match message {
        OwnMessage::ConnectReject { version, generation } => {
            fields.with("version", *version).with("generation", *generation)
        }
        OwnMessage::Forward { master, generation } => address(fields, master).with("generation", *generation),
        OwnMessage::JoinRequest(SiteRequest { site, flags })
        | OwnMessage::RemoveRequest(SiteRequest { site, flags }) => address(fields, site).with("flags", *flags),
        OwnMessage::JoinSuccess(Membership { version, generation, sites })
        | OwnMessage::Sharing(Membership { version, generation, sites }) => {
            let site = |member: &handover::repmgr::own::Member| {
                let status = named(member.status.name(), member.status.0);
                json!({"host": member.site.host.to_string(), "port": member.site.port, "status": status})
            };
            let sites: Vec<_> = sites.iter().map(site).collect();
            fields.with("version", *version).with("generation", *generation).with("sites", sites)
        }
        OwnMessage::ParameterRefresh { ack_policy, flags } => {
            fields.with("ack_policy", named(ack_policy.name(), ack_policy.0)).with("flags", flags!(flags))
        }
        OwnMessage::Unknown { body, .. } => fields.with_opaque("body_len", "body", body),
        _ => fields,
    }
}
