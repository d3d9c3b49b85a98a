//! Bodies of the data stage (spec/spice.md 3 and 4): too short, too long, too large, unknown.

use super::{HEADERS, LIMITS, data_header, length, limit, linked_client, linked_server, short};
use handover::error::DecodeError;
use handover::spice::stream::{ClientItem, ServerItem};
use handover::spice::{ChannelType, ClientMessage, HeaderKind, ServerMessage, Unknown};
use std::collections::BTreeSet;

/// A body that is exactly as long as it must be.
struct Sample {
    ty: u16,
    /// The message's name in errors.
    message: &'static str,
    /// What stands at the front, in order, with sizes.
    fixed: &'static [(&'static str, usize)],
    /// What the fixed part points at, in order, with sizes.
    pointed_at: &'static [(&'static str, usize)],
    body: &'static [u8],
    /// Whether the message takes all bytes that there are.
    open_end: bool,
}

const fn sample(
    ty: u16,
    message: &'static str,
    fixed: &'static [(&'static str, usize)],
    body: &'static [u8],
) -> Sample {
    Sample { ty, message, fixed, pointed_at: &[], body, open_end: false }
}

const TIME_AND_REASON: &[(&str, usize)] = &[("time_stamp", 8), ("reason", 4)];
const INIT: &[(&str, usize)] = &[
    ("session_id", 4),
    ("display_channels_hint", 4),
    ("supported_mouse_modes", 4),
    ("current_mouse_mode", 4),
    ("agent_connected", 4),
    ("agent_tokens", 4),
    ("multi_media_time", 4),
    ("ram_hint", 4),
];
const NOTIFY: &[(&str, usize)] =
    &[("time_stamp", 8), ("severity", 4), ("visibility", 4), ("what", 4), ("message_len", 4), ("message", 3)];
const DST: &[(&str, usize)] = &[
    ("port", 2),
    ("tls_port", 2),
    ("host_size", 4),
    ("host_data", 4),
    ("cert_subject_size", 4),
    ("cert_subject_data", 4),
];
const SEAMLESS: &[(&str, usize)] = &[
    ("port", 2),
    ("tls_port", 2),
    ("host_size", 4),
    ("host_data", 4),
    ("cert_subject_size", 4),
    ("cert_subject_data", 4),
    ("src_mig_version", 4),
];
const STRINGS: &[(&str, usize)] = &[("host", 3), ("cert_subject", 2)];
const DST_BODY: &[u8] = b"\x3b\x3e\x3d\x3e\x03\0\0\0\x14\0\0\0\x02\0\0\0\x17\0\0\0::\0s\0";
const SEAMLESS_BODY: &[u8] = b"\x3b\x3e\x3d\x3e\x03\0\0\0\x18\0\0\0\x02\0\0\0\x1b\0\0\0\x01\0\0\0::\0s\0";

const SERVER: &[Sample] = &[
    sample(1, "Migrate", &[("flags", 4)], &[3, 0, 0, 0]),
    sample(3, "SetAck", &[("generation", 4), ("window", 4)], &[1, 0, 0, 0, 20, 0, 0, 0]),
    Sample { open_end: true, ..sample(4, "Ping", &[("id", 4), ("timestamp", 8)], &[1; 12]) },
    sample(
        5,
        "WaitForChannels",
        &[("count", 1), ("entries", 20)],
        b"\x02\x02\0\x01\0\0\0\0\0\0\0\x03\0\x09\0\0\0\0\0\0\0",
    ),
    sample(6, "Disconnecting", TIME_AND_REASON, &[1; 12]),
    sample(7, "Notify", NOTIFY, b"\0\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0bad"),
    Sample { open_end: true, ..sample(8, "SubList", &[("count", 2)], &[0, 0]) },
    Sample { pointed_at: STRINGS, ..sample(101, "DstInfo", DST, DST_BODY) },
    sample(103, "Init", INIT, &[1; 32]),
    sample(104, "ChannelsList", &[("count", 4), ("channels", 4)], &[2, 0, 0, 0, 2, 0, 3, 0]),
    sample(105, "MouseMode", &[("supported", 2), ("current", 2)], &[3, 0, 1, 0]),
    sample(106, "MultiMediaTime", &[("time", 4)], &[1; 4]),
    sample(108, "AgentDisconnected", &[("error_code", 4)], &[0; 4]),
    sample(110, "AgentToken", &[("tokens", 4)], &[10, 0, 0, 0]),
    Sample { pointed_at: STRINGS, ..sample(111, "DstInfo", DST, DST_BODY) },
    sample(113, "Name", &[("name_len", 4), ("name", 4)], b"\x04\0\0\0src\0"),
    sample(114, "Uuid", &[("uuid", 16)], &[0x11; 16]),
    sample(115, "AgentConnectedTokens", &[("tokens", 4)], &[10, 0, 0, 0]),
    Sample { pointed_at: STRINGS, ..sample(116, "MigrateBeginSeamless", SEAMLESS, SEAMLESS_BODY) },
];

const CLIENT: &[Sample] = &[
    sample(1, "AckSync", &[("generation", 4)], &[1, 0, 0, 0]),
    sample(3, "Pong", &[("id", 4), ("timestamp", 8)], &[1; 12]),
    sample(6, "Disconnecting", TIME_AND_REASON, &[1; 12]),
    sample(101, "ClientInfo", &[("cache_size", 8)], &[1; 8]),
    sample(105, "MouseModeRequest", &[("mode", 2)], &[2, 0]),
    sample(106, "AgentStart", &[("tokens", 4)], &[10, 0, 0, 0]),
    sample(108, "AgentToken", &[("tokens", 4)], &[10, 0, 0, 0]),
    sample(110, "DoSeamless", &[("src_version", 4)], &[1, 0, 0, 0]),
];

/// Types whose body cannot be too short: empty by definition, or nothing but bytes.
const SERVER_ANY: &[u16] = &[2, 102, 107, 109, 112, 117, 118];
const CLIENT_ANY: &[u16] = &[2, 4, 5, 102, 103, 104, 107, 109, 111, 112];

impl Sample {
    /// What must be said about the first `size` bytes of the body.
    fn error(&self, size: usize) -> DecodeError {
        let mut left = size;
        for &(field, needed) in self.fixed {
            match left.checked_sub(needed) {
                Some(rest) => left = rest,
                None => return short(self.message, field, needed as u64, left as u64),
            }
        }
        let mut end = self.fixed.iter().map(|&(_, size)| size).sum::<usize>();
        for &(field, needed) in self.pointed_at {
            end += needed;
            if size < end {
                let reason = "offset and size must lie within the body";
                return DecodeError::invalid(self.message, field, reason, end as u64);
            }
        }
        panic!("{} bytes of {} are enough", size, self.message)
    }
}

#[test]
fn every_type_has_a_sample() {
    for (types, samples, any) in
        [(ServerMessage::<&[u8]>::TYPES, SERVER, SERVER_ANY), (ClientMessage::<&[u8]>::TYPES, CLIENT, CLIENT_ANY)]
    {
        let sampled: Vec<u16> = samples.iter().map(|sample| sample.ty).chain(any.iter().copied()).collect();
        let distinct: BTreeSet<u16> = sampled.iter().copied().collect();
        assert_eq!(distinct.len(), sampled.len(), "a type is listed twice");
        assert_eq!(distinct, types.iter().map(|&(ty, ..)| ty).collect());
    }
}

/// Checks one direction: bodies cut short, whole, and with a byte behind.
macro_rules! check_samples {
    ($message:ident, $samples:expr, $linked:ident, $item:ident) => {
        for sample in $samples {
            let Sample { ty, body, open_end, .. } = *sample;
            let (whole, rest) = $message::decode(ChannelType::MAIN, ty, body).unwrap();
            assert_eq!((whole.wire_type(), rest), (ty, &[][..]));
            assert_ne!(whole.name(), "Unknown");
            for size in 0..body.len() {
                let error = sample.error(size);
                assert_eq!($message::decode(ChannelType::MAIN, ty, &body[..size]), Err(error), "{ty}, {size} bytes");
                for header in HEADERS {
                    let mut framer = $linked(header, ChannelType::MAIN);
                    framer.push(&data_header(header, ty, u32::try_from(size).unwrap()));
                    framer.push(&body[..size]);
                    assert_eq!(framer.next_item(), Err(error), "{ty}, {size} bytes, {header:?}");
                }
            }
            // One byte more: it is kept, and the message is the same.
            let longer = [body, &[0xee]].concat();
            for header in HEADERS {
                let mut framer = $linked(header, ChannelType::MAIN);
                framer.push(&data_header(header, ty, length(&longer)));
                framer.push(&longer);
                let Ok(Some($item::Message(packet))) = framer.next_item() else { panic!("{ty} with a byte behind") };
                assert_eq!(&packet.extra[..], if open_end { &[][..] } else { &[0xee] }, "{ty}");
                assert_eq!(packet.body_len(), longer.len(), "{ty}");
            }
        }
    };
}

#[test]
fn short_bodies_from_a_server() {
    check_samples!(ServerMessage, SERVER, linked_server, ServerItem);
}

#[test]
fn short_bodies_from_a_client() {
    check_samples!(ClientMessage, CLIENT, linked_client, ClientItem);
}

#[test]
fn a_body_that_has_not_come_yet_is_no_error() {
    for header in HEADERS {
        for Sample { ty, body, .. } in SERVER {
            let mut framer = linked_server(header, ChannelType::MAIN);
            framer.push(&data_header(header, *ty, length(body)));
            framer.push(&body[..body.len() - 1]);
            assert_eq!((framer.next_item(), framer.buffered()), (Ok(None), header.size() + body.len() - 1), "{ty}");
        }
    }
}

#[test]
fn counts_inside_a_body_never_overflow() {
    for (ty, body, error) in [
        (5, &[255; 21][..], short("WaitForChannels", "entries", 2550, 20)),
        (104, &[0xff; 8], short("ChannelsList", "channels", 2 * u64::from(u32::MAX), 4)),
        (113, &[0xff; 8], short("Name", "name", u32::MAX.into(), 4)),
        (7, &[0xff; 28], short("Notify", "message", u32::MAX.into(), 4)),
    ] {
        assert_eq!(ServerMessage::decode(ChannelType::MAIN, ty, body), Err(error));
    }
}

#[test]
fn sizes_beyond_the_limit_are_refused_on_the_header() {
    let server = [(4, "server_body", LIMITS.server_body), (2, "migrate_data", LIMITS.migrate_data)];
    let client = [(3, "client_body", LIMITS.client_body), (5, "migrate_data", LIMITS.migrate_data)];
    for header in HEADERS {
        // A type that is not known has the limit of all others.
        for (ty, what, most) in server.into_iter().chain([(999, "server_body", LIMITS.server_body)]) {
            for size in [most + 1, u32::MAX] {
                let mut framer = linked_server(header, ChannelType::MAIN);
                framer.push(&data_header(header, ty, size));
                let expected = limit("DataHeader", "size", what, most.into(), size.into());
                assert_eq!((framer.next_item(), framer.buffered()), (Err(expected), 0));
            }
            let mut framer = linked_server(header, ChannelType::MAIN);
            framer.push(&data_header(header, ty, most));
            assert_eq!((framer.next_item(), framer.buffered()), (Ok(None), header.size()));
        }
        for (ty, what, most) in client.into_iter().chain([(999, "client_body", LIMITS.client_body)]) {
            for size in [most + 1, u32::MAX] {
                let mut framer = linked_client(header, ChannelType::MAIN);
                framer.push(&data_header(header, ty, size));
                let expected = limit("DataHeader", "size", what, most.into(), size.into());
                assert_eq!((framer.next_item(), framer.buffered()), (Err(expected), 0));
            }
            let mut framer = linked_client(header, ChannelType::MAIN);
            framer.push(&data_header(header, ty, most));
            assert_eq!((framer.next_item(), framer.buffered()), (Ok(None), header.size()));
        }
    }
}

#[test]
fn unknown_types_are_kept() {
    let body = &b"whatever"[..];
    for ty in [0, 99, 100, 119, 304, u16::MAX] {
        let expected = ServerMessage::Unknown(Unknown { ty, body });
        assert_eq!(ServerMessage::decode(ChannelType::MAIN, ty, body), Ok((expected, &[][..])));
        let expected = ClientMessage::Unknown(Unknown { ty, body });
        assert_eq!(ClientMessage::decode(ChannelType::MAIN, ty, body), Ok((expected, &[][..])));
        for header in HEADERS {
            let mut framer = linked_server(header, ChannelType::MAIN);
            framer.push(&data_header(header, ty, length(body)));
            framer.push(body);
            let Ok(Some(ServerItem::Message(packet))) = framer.next_item() else { panic!("{ty}") };
            let ServerMessage::Unknown(unknown) = packet.message else { panic!("{ty}") };
            assert_eq!((unknown.ty, &unknown.body[..]), (ty, body));
            assert!(packet.extra.is_empty());
        }
    }
}

#[test]
fn messages_of_the_main_channel_are_unknown_on_others() {
    // The same numbers mean other things there: even a body that would be too short is kept. All that is common
    // to the channels has a number below 100.
    let types = ServerMessage::<&[u8]>::TYPES.iter().chain(ClientMessage::<&[u8]>::TYPES);
    types.for_each(|&(ty, main_only, name)| assert_eq!(main_only, ty > 100, "{name}"));
    for &(ty, main_only, name) in ServerMessage::<&[u8]>::TYPES {
        let decoded = ServerMessage::decode(ChannelType::DISPLAY, ty, &[]);
        assert_eq!(decoded.is_ok_and(|(message, _)| message.name() == "Unknown"), main_only, "{name}");
    }
    for &(ty, main_only, name) in ClientMessage::<&[u8]>::TYPES {
        let decoded = ClientMessage::decode(ChannelType::INPUTS, ty, &[]);
        assert_eq!(decoded.is_ok_and(|(message, _)| message.name() == "Unknown"), main_only, "{name}");
    }
    let mut framer = linked_server(HeaderKind::Mini, ChannelType::DISPLAY);
    framer.push(&data_header(HeaderKind::Mini, 101, 0));
    let Ok(Some(ServerItem::Message(packet))) = framer.next_item() else { panic!("kept") };
    assert_eq!(packet.message.name(), "Unknown");
}

#[test]
fn the_nul_of_a_notification_may_be_missing() {
    let front = b"\0\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0bad";
    for (behind, nul, extra) in [
        (&b""[..], false, &b""[..]),
        (b"\0", true, b""),
        (b"\0\0", true, b"\0"),
        (b"\0more", true, b"more"),
        (b"more\0", false, b"more\0"),
    ] {
        let body = [&front[..], behind].concat();
        let (message, rest) = ServerMessage::decode(ChannelType::MAIN, 7, &body).unwrap();
        let ServerMessage::Notify(notify) = message else { panic!("{message:?}") };
        assert_eq!((notify.message, notify.terminated, rest), (&b"bad"[..], nul, extra));
    }
}
