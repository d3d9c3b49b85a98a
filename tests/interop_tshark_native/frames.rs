//! The fields of a frame, as our decoder reads them and as tshark shows them.

use crate::group;
use crate::pdml::Node;
use handover::deferral::RequestFlags;
use handover::deferral::message::{Command, Defer, Message, Request};
use handover::frame::{Close, CloseReason, Extensions, Frame, Hello, Native, Protocol};
use handover::group::message::Message as GroupMessage;

/// A field's name and what it shows: numbers in decimal, bytes in hexadecimal, texts as they are.
pub(crate) type Fields = Vec<(String, String)>;

/// Everything that tshark complains of, but for the chat about TCP: the name of the complaint and its text. What is
/// malformed or short, and an error of the script, are such complaints.
pub(crate) fn complaints(nodes: &[Node]) -> Vec<String> {
    const CHAT: &str = "2097152";
    let mut found = Vec::new();
    for node in nodes.iter().flat_map(Node::walk) {
        let severity = || node.find("_ws.expert.severity").map(|severity| severity.show.clone());
        if node.name == "_ws.expert" && severity().is_none_or(|severity| severity != CHAT) {
            let name = node.children.first().map(|child| child.name.clone()).unwrap_or_default();
            found.push(format!("{name}: {}", node.line));
        }
    }
    found
}

/// The frames of a capture, in order.
pub(crate) fn dissected(packets: &[Node]) -> Vec<&Node> {
    packets.iter().flat_map(|packet| &packet.children).filter(|proto| proto.name == "handover").collect()
}

/// All fields below a frame, but for complaints.
fn below(proto: &Node) -> Vec<&Node> {
    let own = |node: &&Node| node.name.starts_with("handover.") && node.name != "handover";
    let complaint =
        |node: &&Node| !matches!(node.name.as_str(), "handover.malformed" | "handover.unsupported" | "handover.beyond");
    proto.walk().into_iter().skip(1).filter(own).filter(complaint).collect()
}

/// What tshark shows of a frame.
pub(crate) fn shown(proto: &Node) -> Fields {
    let show = |node: &Node| match node.name.rsplit('.').next() {
        _ if node.name.starts_with("handover.group.") => group::show(node),
        Some("body" | "identity" | "value") => hex(&node.value),
        Some("id" | "server" | "receipt" | "credentials" | "argument" | "bytes") => hex(&node.value),
        Some("agent" | "text" | "offer" | "extension") => node.show.clone(),
        Some("referrer" | "command" | "reason" | "alternate" | "uri" | "status") => node.show.clone(),
        _ => node.number().to_string(),
    };
    below(proto).into_iter().map(|node| (node.name.clone(), show(node))).collect()
}

/// The bytes of all fields, one behind the other: those of the frame. Single bits are shown again.
pub(crate) fn bytes(proto: &Node) -> Vec<u8> {
    let of_group = |name: &str| name.strip_prefix("handover.group.").is_some_and(group::is_bit);
    let is_bit = |name: &str| {
        name.ends_with(".critical") || name.contains(".flags.") || name.contains(".abilities.") || of_group(name)
    };
    let fields = below(proto).into_iter().filter(|node| !is_bit(&node.name));
    fields.flat_map(|node| node.value.clone()).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct List(Fields);

impl List {
    fn number(&mut self, name: &str, number: impl Into<u64>) {
        self.0.push((format!("handover.{name}"), number.into().to_string()));
    }

    fn group(&mut self, name: &str) {
        self.0.push((format!("handover.{name}"), String::new()));
    }

    /// Nothing is shown of none.
    fn some(&mut self, name: &str, text: String) {
        if !text.is_empty() {
            self.0.push((format!("handover.{name}"), text));
        }
    }

    fn extensions(&mut self, extensions: &Extensions) {
        for extension in extensions.iter() {
            self.group("extension");
            self.number("extension.type", extension.ty.0);
            self.number("extension.critical", u8::from(extension.ty.is_critical()));
            self.number("extension.size", extension.value.len() as u64);
            self.some("extension.value", hex(extension.value));
        }
    }

    fn hello(&mut self, hello: &Hello) {
        self.number("hello.max_body", hello.max_body);
        self.number("hello.boot", hello.boot);
        self.number("hello.identity_size", hello.identity.as_bytes().len() as u64);
        self.some("hello.identity", hex(hello.identity.as_bytes()));
        self.number("hello.agent_size", hello.agent.as_str().len() as u64);
        self.some("hello.agent", hello.agent.as_str().to_owned());
        self.number("hello.count", hello.offers.len() as u64);
        for offer in &hello.offers {
            self.group("hello.offer");
            self.number("hello.offer.protocol", offer.protocol.0);
            self.number("hello.offer.min_version", offer.versions.min);
            self.number("hello.offer.max_version", offer.versions.max);
            self.number("hello.offer.capabilities", offer.capabilities.bits());
        }
        self.extensions(&hello.extensions);
    }

    fn sized(&mut self, name: &str, text: String, size: usize) {
        self.number(&format!("{name}_size"), size as u64);
        self.some(name, text);
    }

    fn command(&mut self, command: &Command) {
        let name = command.name.as_str();
        self.sized("deferral.command", name.to_owned(), name.len());
        self.number("deferral.arguments_count", command.arguments.len() as u64);
        for argument in &command.arguments {
            self.sized("deferral.argument", hex(argument), argument.len());
        }
    }

    fn flags(&mut self, name: &str, flags: RequestFlags) {
        let bits = flags.bits();
        self.number(name, bits);
        for (at, name) in ["priority", "read_only", "idempotent", "again"].into_iter().enumerate() {
            self.number(&format!("deferral.request.flags.{name}"), bits >> at & 1);
        }
    }

    fn request(&mut self, request: &Request) {
        self.flags("deferral.request.flags", request.flags);
        self.number("deferral.request.deadline", request.deadline_ms);
        self.sized("deferral.receipt", hex(&request.receipt), request.receipt.len());
        self.sized("deferral.request.credentials", hex(&request.credentials), request.credentials.len());
        let referrer = request.referrer.as_ref().map(ToString::to_string).unwrap_or_default();
        let size = referrer.len();
        self.sized("deferral.request.referrer", referrer, size);
        self.command(&request.command);
    }

    fn defer(&mut self, defer: &Defer) {
        let optional = |number: Option<u32>| number.unwrap_or(u32::MAX);
        self.number("deferral.defer.kind", defer.kind.0);
        self.some("deferral.defer.server", hex(&defer.server.0));
        self.sized("deferral.defer.reason", defer.reason.as_str().to_owned(), defer.reason.as_str().len());
        self.number("deferral.defer.queue_length", optional(defer.queue_length));
        self.number("deferral.defer.estimate", optional(defer.estimate_ms));
        self.number("deferral.defer.retry_after", optional(defer.retry_after_ms));
        self.sized("deferral.receipt", hex(&defer.receipt), defer.receipt.len());
        self.number("deferral.defer.alternates_count", defer.alternates.len() as u64);
        for alternate in &defer.alternates {
            let bits = alternate.abilities.bits();
            self.group("deferral.alternate");
            self.number("deferral.alternate.abilities", bits);
            self.number("deferral.alternate.abilities.read", bits & 1);
            self.number("deferral.alternate.abilities.write", bits >> 1 & 1);
            self.some("deferral.alternate.server", hex(&alternate.server.0));
            let uri = alternate.uri.to_string();
            let size = uri.len();
            self.sized("deferral.alternate.uri", uri, size);
        }
        if let Some(next) = &defer.next {
            self.flags("deferral.defer.next_flags", defer.next_flags);
            self.command(next);
        }
    }

    fn deferral(&mut self, message: &Message) {
        let key = message.key().expect("it is known");
        self.some("deferral.id", hex(&key.id.0));
        self.number("deferral.epoch", key.epoch);
        let extensions = match message {
            Message::Request(request) => {
                self.request(request);
                &request.extensions
            }
            Message::Queued(queued) => {
                self.number("deferral.queued.position", queued.position);
                self.number("deferral.queued.estimate", queued.estimate_ms.unwrap_or(u32::MAX));
                &queued.extensions
            }
            Message::Data(data) => {
                self.number("deferral.data.size", data.bytes.len() as u64);
                self.some("deferral.data.bytes", hex(&data.bytes));
                &data.extensions
            }
            Message::End(end) => {
                self.some("deferral.end.status", end.status.to_string());
                self.sized("deferral.end.text", end.text.as_str().to_owned(), end.text.as_str().len());
                &end.extensions
            }
            Message::Defer(defer) => {
                self.defer(defer);
                &defer.extensions
            }
            Message::Refused(refused) => {
                self.number("deferral.refused.code", refused.code.0);
                self.sized("deferral.refused.text", refused.text.as_str().to_owned(), refused.text.as_str().len());
                &refused.extensions
            }
            Message::Cancel(signal) | Message::Executing(signal) | Message::Cancelled(signal) => &signal.extensions,
            other => panic!("{other:?}"),
        };
        self.extensions(extensions);
    }

    fn close(&mut self, close: &Close) {
        let CloseReason(reason) = close.reason;
        self.number("close.reason", reason);
        self.number("close.text_size", close.text.as_str().len() as u64);
        self.some("close.text", close.text.as_str().to_owned());
        self.extensions(&close.extensions);
    }
}

/// What our decoder reads of a frame.
pub(crate) fn fields(frame: &Frame) -> Fields {
    let mut list = List(Vec::new());
    list.number("length", frame.body.len() as u64);
    list.number("version", 1_u8);
    list.number("protocol", frame.protocol.0);
    list.number("kind", frame.kind);
    list.number("flags", frame.flags.bits());
    list.number("flags.critical", frame.flags.bits() & 1);
    match (frame.protocol, frame.kind) {
        (Protocol::LINK, Hello::KIND) => Hello::from_frame(frame).iter().for_each(|hello| list.hello(hello)),
        (Protocol::LINK, Close::KIND) => Close::from_frame(frame).iter().for_each(|close| list.close(close)),
        (Protocol::DEFERRAL, _) => match Message::from_frame(frame) {
            Ok(Message::Unknown { .. }) | Err(_) => list.some("body", hex(&frame.body)),
            Ok(message) => list.deferral(&message),
        },
        (Protocol::GROUP, _) => match GroupMessage::from_frame(frame) {
            Ok(GroupMessage::Unknown { .. }) | Err(_) => list.some("body", hex(&frame.body)),
            Ok(message) => list.0.extend(group::fields(&message)),
        },
        _ => list.some("body", hex(&frame.body)),
    }
    list.0
}
