//! The optional features: `tokio-util`'s codecs and `tracing`'s spans.

use bytes::BytesMut;
use handover::limits::SpiceLimits;
use handover::spice::connection::{ClientConnection, ClientEvent, ServerConnection, ServerEvent};
use handover::spice::link::{LinkMess, LinkReply, LinkResult, PublicKey, Ticket};
use handover::spice::main_channel::{AgentData, ChannelsList};
use handover::spice::stream::{ClientItem, ServerItem};
use handover::spice::{
    Capabilities, ChannelId, ChannelType, ClientMessage, CommonCaps, LinkError, MainCaps, Packet, ServerMessage,
    SubList,
};
use std::sync::{Arc, Mutex};
use tokio_util::codec::{Decoder, Encoder};

const CAPS: CommonCaps = CommonCaps::AUTH_SELECTION.union(CommonCaps::AUTH_SPICE).union(CommonCaps::MINI_HEADER);

fn pair(caps: CommonCaps) -> (ClientConnection, ServerConnection) {
    let main: Capabilities = MainCaps::SEMI_SEAMLESS_MIGRATE.into();
    let client = ClientConnection::new(7, ChannelId::MAIN, caps, main, SpiceLimits::DEFAULT);
    (client, ServerConnection::new(SpiceLimits::DEFAULT))
}

#[test]
fn codecs_carry_a_whole_link() {
    let (mut client, mut server) = pair(CAPS);
    let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
    let agent = Packet::new(ClientMessage::AgentData(AgentData { data: vec![1, 2, 3].into() }));

    let mess = LinkMess::new(7, ChannelId::MAIN, CAPS, MainCaps::SEMI_SEAMLESS_MIGRATE.into());
    client.encode(ClientItem::Link(mess.clone()), &mut up).unwrap();
    assert_eq!(server.decode(&mut up).unwrap(), Some(ClientItem::Link(mess)));
    let reply = LinkReply::accept(PublicKey([3; 162]), CAPS, Capabilities::default());
    server.encode(ServerItem::Reply(reply.clone()), &mut down).unwrap();
    assert_eq!(client.decode(&mut down).unwrap(), Some(ServerItem::Reply(reply)));

    // The link stage's order is kept: no message before the ticket.
    assert!(client.encode(ClientItem::Message(agent.clone()), &mut up).is_err());
    assert!(up.is_empty());
    let mechanism = handover::spice::link::AuthMechanism { mechanism: 1 };
    client.encode(ClientItem::Mechanism(mechanism), &mut up).unwrap();
    client.encode(ClientItem::Ticket(Ticket([9; 128])), &mut up).unwrap();
    client.encode(ClientItem::Message(agent), &mut up).unwrap();
    assert_eq!(server.decode(&mut up).unwrap(), Some(ClientItem::Mechanism(mechanism)));
    assert_eq!(server.decode(&mut up).unwrap(), Some(ClientItem::Ticket(Ticket([9; 128]))));
    let Some(ClientItem::Message(packet)) = server.decode(&mut up).unwrap() else { panic!("a message was sent") };
    assert_eq!((packet.serial, packet.message.name()), (Some(1), "SPICE_MSGC_MAIN_AGENT_DATA"));

    server.encode(ServerItem::Result(LinkResult { error: LinkError::OK }), &mut down).unwrap();
    assert!(client.decode(&mut down).unwrap().is_some());
    // An error of the codec is an error of the stream.
    down.extend_from_slice(&[101, 0, 1, 0, 0, 0, 0]);
    assert!(client.decode(&mut down).unwrap_err().to_string().contains("DstInfo.port"));
}

/// Runs the link stage of a pair.
fn link(client: &mut ClientConnection, server: &mut ServerConnection, caps: CommonCaps) {
    let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
    client.start(&mut up).unwrap();
    server.receive(&up.split());
    assert!(matches!(server.next_event(), Ok(Some(ServerEvent::Link(_)))));
    server.reply(&LinkReply::accept(PublicKey([3; 162]), caps, Capabilities::default()), &mut down).unwrap();
    client.receive(&down.split());
    assert!(matches!(client.next_event(), Ok(Some(ClientEvent::TicketWanted(_)))));
    client.answer_ticket(&Ticket(SECRET), &mut up).unwrap();
    server.receive(&up.split());
    assert!(matches!(server.next_event(), Ok(Some(ServerEvent::Ticket(_)))));
    server.finish(LinkError::OK, &mut down).unwrap();
    client.receive(&down.split());
    assert!(matches!(client.next_event(), Ok(Some(ClientEvent::Linked { .. }))));
}

const SECRET: [u8; 128] = *b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\
0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn sub_messages_come_once_and_before_their_message() {
    let caps = CommonCaps::AUTH_SELECTION | CommonCaps::AUTH_SPICE;
    let (mut client, mut server) = pair(caps);
    link(&mut client, &mut server, caps);
    let channels = ServerMessage::ChannelsList(ChannelsList::from_iter([ChannelId::new(ChannelType::INPUTS, 0)]));
    let list = SubList::new(&[ServerMessage::AgentConnected, channels]).unwrap();
    let mut down = BytesMut::new();
    server.send(&ServerMessage::List(list).into(), &mut down).unwrap();
    server.send(&ServerMessage::MigrateEnd.into(), &mut down).unwrap();
    client.receive(&down);
    let mut names = Vec::new();
    while let Some(ClientEvent::Message(packet)) = client.next_event().unwrap() {
        assert_eq!((packet.sub_list, packet.extra.len()), (0, 0));
        names.push(packet.message.name());
    }
    let expected = ["SPICE_MSG_MAIN_AGENT_CONNECTED", "SPICE_MSG_MAIN_CHANNELS_LIST", "SPICE_MSG_MAIN_MIGRATE_END"];
    assert_eq!(names, expected);
}

/// Keeps the text of every span and event.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl tracing::field::Visit for Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push(format!("{field}={value:?}"));
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        self.0.lock().unwrap().push(format!("span {}", attributes.metadata().name()));
        attributes.record(&mut self.clone());
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn spans_and_transitions_are_traced_without_secrets() {
    use handover::machine::Machine;
    use handover::spice::client::{Address, Client, Command, Config, Input};
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        let (mut client, mut server) = pair(CAPS);
        link(&mut client, &mut server, CAPS);
        let mut machine = Client::new(Config::default());
        let address = Address::new("host", handover::spice::Port::from_wire(1), handover::spice::Port::ABSENT, None);
        machine.handle(handover::time::Instant::ZERO, Input::Command(Command::Connect(address))).unwrap();
    });
    let lines = log.0.lock().unwrap();
    let text = lines.join("\n");
    assert_eq!(lines.iter().filter(|line| *line == "span link").count(), 2, "{text}");
    for expected in ["machine=\"spice client\"", "from=\"Offline\"", "event=\"Connect\"", "to=\"Opening\""] {
        assert_eq!(lines.iter().filter(|line| *line == expected).count(), 1, "{expected} in {text}");
    }
    assert!(!text.contains("0123456789abcdef") && !text.contains("48, 49, 50"), "{text}");
}
