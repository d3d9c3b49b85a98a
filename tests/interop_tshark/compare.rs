//! Beside each other: what tshark says of a capture, and what our decoders say of the same bytes.

use crate::expected::{self, Fields, Shown};
use crate::pdml::Node;
use crate::talk::packets;
use handover::limits::Tds5Limits;
use handover::tds5::PacketType;
use handover::tds5::capability::{Capabilities, CapabilityType};
use handover::tds5::packet::PacketHeader;
use handover::tds5::stream::{MessageStream, Piece, Sender};
use handover::tds5::token::{Format, FormatKind, Token};
use handover::wire::{ByteOrder, Encode, Framer};

/// Everything that tshark complains of, but for the chat about TCP.
pub(crate) fn complaints(packets: &[Node]) -> Vec<String> {
    const CHAT: &str = "2097152";
    let mut found = Vec::new();
    for node in packets.iter().flat_map(Node::walk) {
        let severity = || node.find("_ws.expert.severity").map(|severity| severity.show.clone());
        let expert = node.name == "_ws.expert" && severity().is_none_or(|severity| severity != CHAT);
        let unread = matches!(
            node.name.as_str(),
            "_ws.malformed" | "_ws.short" | "tds.unknown_tds_token" | "tds.invalid_length"
        );
        if expert || unread {
            found.push(format!("{}: {}", node.name, node.line));
        }
    }
    found
}

/// The TDS packets of a capture, in order.
pub(crate) fn dissected(packets: &[Node]) -> Vec<&Node> {
    packets.iter().flat_map(|packet| &packet.children).filter(|proto| proto.name == "tds").collect()
}

/// Goes over the messages of a conversation; how many tokens were compared.
pub(crate) fn compare(order: ByteOrder, messages: &[(bool, Vec<u8>)], packets_shown: &[Node]) -> usize {
    let mut shown = dissected(packets_shown).into_iter();
    let mut client = Framer::new(MessageStream::new(Sender::Client, Tds5Limits::DEFAULT));
    let mut server = Framer::new(MessageStream::new(Sender::Server, Tds5Limits::DEFAULT));
    server.decoder_mut().set_order(order);
    let mut tokens = 0;
    for (number, (from_client, bytes)) in messages.iter().enumerate() {
        let stream = if *from_client { &mut client } else { &mut server };
        let mut last = None;
        for packet in packets(bytes) {
            let proto = shown.next().unwrap_or_else(|| panic!("tshark has fewer packets than message {number}"));
            compare_header(PacketHeader::parse(packet, u16::MAX).expect("a header").expect("a whole one"), proto);
            last = Some(proto);
        }
        let last = last.expect("a message has a packet");
        tokens += compare_message(order, stream, bytes, last, &format!("message {number}"));
    }
    assert_eq!(shown.count(), 0, "tshark has more packets");
    tokens
}

/// Goes over the headers of the packets only.
pub(crate) fn compare_headers(messages: &[(bool, Vec<u8>)], packets_shown: &[Node]) {
    let shown = dissected(packets_shown);
    let headers = messages.iter().flat_map(|(_, bytes)| packets(bytes));
    let headers: Vec<_> =
        headers.filter_map(|packet| PacketHeader::parse(packet, u16::MAX).expect("a header")).collect();
    assert_eq!(shown.len(), headers.len());
    headers.into_iter().zip(shown).for_each(|(header, proto)| compare_header(header, proto));
}

fn compare_header(header: PacketHeader, proto: &Node) {
    let number = |name: &str| proto.children.iter().find(|node| node.name == name).expect(name).number();
    let shown = ["tds.type", "tds.status", "tds.length", "tds.channel", "tds.packet_number", "tds.window"].map(number);
    let PacketHeader { ty, status, length, channel, number, window } = header;
    let ours: [u64; 6] =
        [ty.0.into(), status.bits().into(), length.into(), channel.into(), number.into(), window.into()];
    assert_eq!(shown, ours);
}

/// The nodes that stand for the login record and for tokens.
fn contents(proto: &Node) -> Vec<&Node> {
    const HEADER: [&str; 8] = [
        "tds.type",
        "tds.status",
        "tds.length",
        "tds.channel",
        "tds.packet_number",
        "tds.window",
        "tds.fragments",
        "data",
    ];
    let nodes = proto.children.iter().filter(|node| !HEADER.contains(&node.name.as_str()));
    nodes
        .flat_map(|node| match (node.name.as_str(), node.show.as_str()) {
            ("tds.login", _) => {
                let tokens = node.children.iter().filter(|child| is_token(child));
                std::iter::once(node).chain(tokens).collect::<Vec<_>>()
            }
            ("", "TDS5 Query Packet") => node.children.iter().collect(),
            _ => vec![node],
        })
        .collect()
}

fn is_token(node: &Node) -> bool {
    node.line.starts_with("Token - ")
}

/// The fields below a node that show something.
fn fields(node: &Node) -> Vec<&Node> {
    let parts = |name: &str| {
        name.starts_with("tds.done.status.")
            || name == "tds.lang.token_status.parameterized"
            || name == "tds.type_varbyte.column.name"
    };
    let below = node.children.iter().filter(|child| !(node.name == "tds.login" && is_token(child)));
    let all = below.flat_map(Node::walk);
    all.filter(|field| {
        // A group is no field; flags stand in the number whose bits they are.
        let group = field.name.is_empty() || field.name == "tds.params.parameter" || field.name == "tds.row.field";
        !group && !parts(&field.name)
    })
    .collect()
}

fn compare_message(
    order: ByteOrder,
    stream: &mut Framer<MessageStream>,
    bytes: &[u8],
    proto: &Node,
    what: &str,
) -> usize {
    stream.push(bytes);
    let mut nodes = contents(proto).into_iter();
    let mut tokens = 0;
    while let Some(piece) = stream.next_item().expect("well-formed") {
        match piece {
            Piece::Login(record) => {
                let node = nodes.next().expect("a login record");
                assert_fields(&expected::login(&record), &fields(node), what);
                tokens += 1;
            }
            Piece::Token(token) => {
                let what = format!("{what}, {token:?}");
                let node = nodes.next().unwrap_or_else(|| panic!("tshark ends before {what}"));
                let rows = matches!(token, Token::Row(_));
                let format = if rows { stream.decoder().rows_format() } else { stream.decoder().params_format() };
                compare_token(order, &token, format, node, &what);
                tokens += 1;
            }
            // Text has no tokens; a header only has nothing at all.
            Piece::Data { ty: PacketType::LANGUAGE, data } => {
                let query = nodes.next().expect("a query").find("tds.query").expect("its text");
                assert_eq!(query.show.as_bytes(), &data.0[..], "{what}");
            }
            Piece::Packet(_) | Piece::End(_) => {}
            other => panic!("{what}: {other:?}"),
        }
    }
    assert_eq!(stream.buffered(), 0, "{what}");
    assert_eq!(nodes.map(|node| node.line.as_str()).collect::<Vec<_>>(), [""; 0], "{what}: tshark shows more");
    tokens
}

fn compare_token(order: ByteOrder, token: &Token, format: Option<&Format>, node: &Node, what: &str) {
    let encoded = token.in_order(order);
    if node.name.is_empty() {
        // In type 15 tokens are shown by their numbers, and the size of values is one short.
        let number = format!("Token {:#04x} ", token.token_type().0);
        assert!(node.show.starts_with(&number), "{what}: {}", node.show);
        let left_out = usize::from(matches!(token, Token::Params(_)));
        assert_eq!(node.size, encoded.encoded_len() - left_out, "{what}");
    } else {
        assert_eq!((node.name.as_str(), node.size), (name(token), encoded.encoded_len()), "{what}");
    }
    if let Token::Capability(capabilities) = token {
        return compare_capabilities(capabilities, node, what);
    }
    if let (Token::Params(values) | Token::Row(values), Some(format)) = (token, format) {
        let groups: Vec<_> = node.children.iter().map(|group| group.size).collect();
        assert_eq!(groups, sizes(format, &values.data), "{what}: where its values stand");
    }
    assert_fields(&expected::token(token, encoded.body_len(), format), &fields(node), what);
}

/// How many bytes each value takes: what a shorter list of columns leaves for the rest.
fn sizes(format: &Format, data: &[u8]) -> Vec<usize> {
    format
        .values(data)
        .map(|(column, value)| {
            let content = value.data.map_or(0, <[u8]>::len);
            content
                + match column.size {
                    [] => 0,
                    [_] | [_, _, _] => 1,
                    [_, _, _, _] => 4,
                    // A pointer of sixteen bytes behind its length, a timestamp, a length.
                    _ if value.data.is_some() => 1 + 16 + 8 + 4,
                    _ => 1,
                }
        })
        .collect()
}

/// tshark's name for a token.
fn name(token: &Token) -> &'static str {
    match token {
        Token::Message(_) => "tds.msg",
        Token::Params(_) => "tds.params",
        Token::Row(_) => "tds.row",
        Token::LoginAck(_) => "tds.loginack",
        Token::Capability(_) => "tds.capability",
        Token::EnvironmentChange(_) => "tds.envchange",
        Token::Eed(_) => "tds.eed",
        Token::Error(_) => "tds.error",
        Token::Info(_) => "tds.info",
        Token::Control(_) => "tds.control",
        Token::ReturnStatus(_) => "tds.returnstatus",
        Token::Logout(_) => "tds.logout",
        Token::Done(done) => match done.kind {
            handover::tds5::token::DoneKind::Done => "tds.done",
            handover::tds5::token::DoneKind::Procedure => "tds.doneproc",
            handover::tds5::token::DoneKind::InProcedure => "tds.doneinproc",
        },
        Token::Format(format) => match format.kind() {
            FormatKind::Params => "tds.paramfmt",
            FormatKind::WideParams => "tds.paramfmt2",
            FormatKind::Rows => "tds.rowfmt",
            FormatKind::WideRows => "tds.rowfmt2",
        },
        other => panic!("the script does not say {other:?}"),
    }
}

fn assert_fields(expected: &Fields, shown: &[&Node], what: &str) {
    let names: Vec<_> = shown.iter().map(|node| node.name.as_str()).collect();
    let ours: Vec<_> = expected.iter().map(|(name, _)| name.as_str()).collect();
    // What is only skipped has any fields: the groups were compared.
    if ours.iter().any(|name| name.ends_with('*')) {
        return;
    }
    assert_eq!(names, ours, "{what}");
    for (node, (name, expected)) in shown.iter().zip(expected) {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":");
        let same = match expected {
            Shown::Number(number) if *number < 0 => node.show == number.to_string(),
            Shown::Number(number) => i64::try_from(node.number()) == Ok(*number),
            Shown::Text(text) => node.show == *text,
            Shown::Bytes(bytes) => node.show == hex(bytes),
            Shown::Raw(bytes) => node.value == *bytes,
            Shown::Any => true,
        };
        assert!(same, "{what}: {name} is {:?} ({:?}), ours is {expected:?}", node.show, node.line);
    }
}

/// Names that stand for a number in one of the masks, as a sample.
const NAMED: [(CapabilityType, u64, &str); 12] = [
    (CapabilityType::REQUEST, 1, "tds.capability.req.lang"),
    (CapabilityType::REQUEST, 8, "tds.capability.req.msg"),
    (CapabilityType::REQUEST, 38, "tds.capability.csr.multi"),
    (CapabilityType::REQUEST, 58, "tds.capability.data.columnstatus"),
    (CapabilityType::REQUEST, 59, "tds.capability.widetable"),
    (CapabilityType::REQUEST, 79, "tds.capability.req.srvpktsize"),
    (CapabilityType::REQUEST, 81, "tds.capability.cap.clusterfailover"),
    (CapabilityType::REQUEST, 87, "tds.capability.req.dbrpc2"),
    (CapabilityType::RESPONSE, 1, "tds.capability.res.nomsg"),
    (CapabilityType::RESPONSE, 37, "tds.capability.object.nochar"),
    (CapabilityType::RESPONSE, 57, "tds.capability.no_blob_nchar_16"),
    (CapabilityType::RESPONSE, 58, "tds.capability.no_srvpktsize"),
];

/// Each bit that tshark has a name for: its number follows from where it stands.
fn compare_capabilities(capabilities: &Capabilities, node: &Node, what: &str) {
    let masks: Vec<_> = capabilities.masks().collect();
    let (mut index, mut last, mut bits) = (0_usize, 0, Vec::new());
    for field in fields(node) {
        match field.name.as_str() {
            "tds.capability.length" => {
                let size: usize = masks.iter().map(|(_, mask)| mask.as_bytes().len() + 2).sum();
                assert_eq!(field.number(), size as u64, "{what}");
            }
            "tds.capability.captype" => {
                index += 1;
                assert_eq!(field.number(), u64::from(masks[index - 1].0.0), "{what}");
            }
            "tds.capability.caplen" => {
                assert_eq!(field.number(), masks[index - 1].1.as_bytes().len() as u64, "{what}");
                last = field.pos + masks[index - 1].1.as_bytes().len();
            }
            name => {
                let (ty, mask) = &masks[index - 1];
                // ".... ..1. = …": the bit, from the last one.
                let picture: Vec<char> =
                    field.line.split(" = ").next().unwrap_or_default().chars().filter(|c| *c != ' ').collect();
                let bit = picture.iter().rev().position(|c| *c != '.').expect("a bit");
                let number = u16::try_from((last - field.pos) * 8 + bit).expect("a number");
                assert_eq!(field.number() == 1, mask.contains(number), "{what}: {name}, number {number}");
                bits.push((*ty, u64::from(number), name.to_owned()));
            }
        }
    }
    assert_eq!(index, masks.len(), "{what}");
    for (ty, number, name) in NAMED {
        let room = masks.iter().any(|(other, mask)| *other == ty && mask.as_bytes().len() as u64 * 8 > number);
        let found = bits
            .iter()
            .any(|(other_ty, other, other_name)| (*other_ty, *other, other_name.as_str()) == (ty, number, name));
        assert_eq!(found, room, "{what}: {name}");
    }
}
