//! The fields of a frame, as our decoder reads them and as tshark shows them.

use crate::pdml::Node;
use handover::frame::{Close, CloseReason, Extensions, Frame, Hello, Native, Protocol};

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
        Some("body" | "identity" | "value") => hex(&node.value),
        Some("agent" | "text" | "offer" | "extension") => node.show.clone(),
        _ => node.number().to_string(),
    };
    below(proto).into_iter().map(|node| (node.name.clone(), show(node))).collect()
}

/// The bytes of all fields, one behind the other: those of the frame.
pub(crate) fn bytes(proto: &Node) -> Vec<u8> {
    let fields = below(proto).into_iter().filter(|node| !node.name.ends_with(".critical"));
    fields.flat_map(|node| node.value.clone()).collect()
}

fn hex(bytes: &[u8]) -> String {
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
        _ => list.some("body", hex(&frame.body)),
    }
    list.0
}
