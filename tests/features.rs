//! The feature `tokio-util`, and sub-messages on a live link.

mod pair;

use bytes::BytesMut;
use handover::spice::connection::ClientEvent;
use handover::spice::link::{LinkMess, LinkReply, LinkResult, PublicKey, Ticket};
use handover::spice::main_channel::{AgentData, ChannelsList};
use handover::spice::stream::{ClientItem, ServerItem};
use handover::spice::{
    Capabilities, ChannelId, ChannelType, ClientMessage, CommonCaps, LinkError, MainCaps, Packet, ServerMessage,
    SubList,
};
use pair::{CAPS, link, pair};
use tokio_util::codec::{Decoder, Encoder};

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

#[test]
fn repmgr_codecs_carry_a_handshake_and_a_request() {
    use handover::limits::RepmgrLimits;
    use handover::repmgr::handshake::{Handshake, Parameters, Proposal, VersionRange};
    use handover::repmgr::message::{AppMessage, Message, Wanted};
    use handover::repmgr::stream::{MessageStream, Side};
    use handover::repmgr::{Host, Segments};

    let mut stream = MessageStream::new(Side::Dialler, VersionRange::CHANNELS, &RepmgrLimits::DEFAULT);
    let host = Host::new("here").unwrap();
    let request = AppMessage::request(Segments::one("balance?"), Wanted { tag: 3, bulk: false, limit: None });
    let sent: [Message; 3] = [
        Handshake::from(Proposal::new(host.clone(), 5000, 0, VersionRange::CHANNELS)).into(),
        Handshake::from(Parameters::channel(host, 5000)).into(),
        request.into(),
    ];
    let mut bytes = BytesMut::new();
    for message in sent.clone() {
        stream.encode(message, &mut bytes).unwrap();
    }
    for message in sent {
        assert_eq!(stream.decode(&mut bytes).unwrap(), Some(message));
    }
    assert_eq!(stream.decode(&mut bytes).unwrap(), None);
    // An error of the codec is an error of the stream.
    bytes.extend_from_slice(&[0; 9]);
    assert!(stream.decode(&mut bytes).unwrap_err().to_string().contains("Header.type"));
}

#[test]
fn tds5_codecs_carry_a_login_and_a_migration() {
    use handover::tds5::PacketType;
    use handover::tds5::connection::{ClientConnection, Item, ServerConnection};
    use handover::tds5::login::{Login, LoginRecord};
    use handover::tds5::migration::Migration;
    use handover::tds5::token::Done;
    use handover::wire::ByteOrder;

    let mut client = ClientConnection::new(Default::default(), Default::default());
    let mut server = ServerConnection::new(Default::default(), Default::default());
    let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
    let login = Item::Login(Box::new(Login::new(LoginRecord::new(ByteOrder::Big), true)));
    client.encode(login.clone(), &mut up).unwrap();
    assert_eq!(server.decode(&mut up).unwrap(), Some(login));
    for item in [Item::Token(Done::FINAL.into()), Item::End(PacketType::RESPONSE), Item::Migration(Migration::Sync)] {
        server.encode(item.clone(), &mut down).unwrap();
        if !matches!(item, Item::Token(_)) {
            continue;
        }
        assert_eq!(client.decode(&mut down).unwrap(), None, "it may not be the message's last packet");
    }
    let items = [Item::Token(Done::FINAL.into()), Item::End(PacketType::RESPONSE), Item::Migration(Migration::Sync)];
    for item in items {
        assert_eq!(client.decode(&mut down).unwrap(), Some(item));
    }
    assert_eq!(client.decode(&mut down).unwrap(), Some(Item::End(PacketType::MIGRATE)));
    // What only clients send cannot be sent by a server.
    assert!(
        server.encode(Item::Login(Box::new(Login::new(LoginRecord::new(ByteOrder::Big), true))), &mut down).is_err()
    );
    down.extend_from_slice(&[4, 0, 0, 7, 0, 0, 0, 0]);
    assert!(client.decode(&mut down).unwrap_err().to_string().contains("PacketHeader.length"));
}

#[test]
fn messages_survive_serde() {
    use handover::tds5::migration::{Address, Request};
    use handover::tds5::token::{Eed, Token};

    let token = Token::from(Eed::new(4002, 14, "login failed"));
    let text = serde_json::to_string(&token).unwrap();
    assert_eq!(serde_json::from_str::<Token>(&text).unwrap(), token);
    let request = Request { addresses: Address::new("host", 1).into_iter().collect(), unreadable: Vec::new() };
    let text = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
}

#[test]
fn a_stream_of_frames_is_a_codec() {
    use handover::frame::{Close, CloseReason, Frame, FrameStream, Hello, Native};
    use handover::limits::FrameLimits;

    let mut codec = FrameStream::new(&FrameLimits::DEFAULT);
    let mut bytes = BytesMut::new();
    let frames = [Hello::new([]).to_frame().unwrap(), Close::new(CloseReason::DONE).to_frame().unwrap()];
    frames.iter().for_each(|frame: &Frame| codec.encode(frame.clone(), &mut bytes).unwrap());
    let rest = bytes.split_off(10);
    assert_eq!(codec.decode(&mut bytes).unwrap(), None);
    bytes.unsplit(rest);
    frames.iter().for_each(|frame| assert_eq!(codec.decode(&mut bytes).unwrap().as_ref(), Some(frame)));
    assert_eq!(codec.decode(&mut bytes).unwrap(), None);
    bytes.extend_from_slice(&[0, 0, 0, 0, 2, 0, 0, 0]);
    assert!(codec.decode(&mut bytes).unwrap_err().to_string().contains("Header.version"));
}

#[test]
fn frames_survive_serde_and_rules_are_kept() {
    use handover::frame::link::Config;
    use handover::frame::{Capabilities, Frame, Protocol, Text};
    use handover::frame::{Close, CloseReason, Extension, ExtensionType, Extensions, Hello, Identity, Native, Offer};

    let extensions = Extensions::new([Extension { ty: ExtensionType(7), value: b"seven" }]).unwrap();
    let mut hello = Hello::new([Offer::new(Protocol::GROUP, Capabilities::from_bits_retain(u64::MAX))]);
    hello.identity = Identity::new(&b"me"[..]).unwrap();
    hello.agent = Text::new("features/1").unwrap();
    hello.extensions = extensions.clone();
    let close = Close { extensions, ..Close::new(CloseReason(40_000)) };
    let frame = close.to_frame().unwrap();
    let config = Config::new(hello.clone());
    let text = serde_json::to_string(&(&hello, &close, &frame, &config)).unwrap();
    let again: (Hello, Close, Frame, Config) = serde_json::from_str(&text).unwrap();
    assert_eq!(again, (hello, close, frame, config));
    // What cannot be made cannot be read either.
    assert!(serde_json::from_str::<Text>("\"two\\nlines\"").is_err());
    assert!(serde_json::from_str::<Text>(&format!("\"{}\"", "x".repeat(256))).is_err());
    assert!(serde_json::from_str::<Identity>(&serde_json::to_string(&[1; 65][..]).unwrap()).is_err());
    assert!(serde_json::from_str::<Extensions>("[0, 1, 0]").is_err());
}

/// As a whole: what a caller stores of a walk, and what the command line shows.
#[test]
fn deferral_messages_survive_serde_and_rules_are_kept() {
    use handover::deferral::message::{Alternate, Command, CommandName, Defer, Message, Request, RequestKey};
    use handover::deferral::{DeferKind, RequestFlags, RequestId, ServerId, ServerUri};
    use handover::frame::{Extensions, Text};

    let command = || Command { name: CommandName::new("ws_sync").unwrap(), arguments: vec!["ws".into(), "".into()] };
    let key = RequestKey { id: RequestId([9; 16]), epoch: 3 };
    let mut request = Request::new(key, command());
    request.flags = RequestFlags::PRIORITY | RequestFlags::from_bits_retain(0x8000);
    request.referrer = Some("handover://[::1]:7440/csf".parse().unwrap());
    let defer = Defer {
        key,
        kind: DeferKind::CONTINUE,
        server: ServerId([1; 16]),
        reason: Text::new("on").unwrap(),
        queue_length: Some(0),
        estimate_ms: None,
        retry_after_ms: Some(9),
        receipt: "cookie".into(),
        alternates: vec![Alternate::new("http://db2.example.org".parse().unwrap())],
        next: Some(command()),
        next_flags: RequestFlags::READ_ONLY,
        extensions: Extensions::NONE,
    };
    let messages = [Message::Request(Box::new(request)), Message::Defer(Box::new(defer)), Message::Cancel(key.into())];
    let text = serde_json::to_string(&messages).unwrap();
    assert!(text.contains("\"http://db2.example.org\"") && text.contains("\"ws_sync\""), "{text}");
    assert_eq!(serde_json::from_str::<[Message; 3]>(&text).unwrap(), messages);
    // What cannot be made cannot be read either; another spelling is read as the one that is ours.
    assert!(serde_json::from_str::<ServerUri>("\"http://me@db2.example.org\"").is_err());
    assert_eq!(serde_json::from_str::<ServerUri>("\"HTTP://DB2:80/\"").unwrap().as_str(), "http://db2");
    assert!(serde_json::from_str::<CommandName>("\"\"").is_err());
}

/// What a coordinator stores of an outcome, and what the command line shows of a message.
#[test]
fn group_messages_survive_serde_and_rules_are_kept() {
    use handover::frame::Extensions;
    use handover::group::message::{Ballot, Message, Vote};
    use handover::group::replica::{Item, Memory};
    use handover::group::{CoordinatorId, Epoch, GroupName, ProtocolId, StateValue, Token, Vote as VoteValue};
    use handover::limits::GroupLimits;
    use handover::testing::Choices;
    use handover::testing::group::group_record;

    let ballot = Ballot { vote: VoteValue::CONTINUE, default_vote: None, state: StateValue::new("x"), message: None };
    let token = Token { index: 3, generation: 9 };
    let vote = Vote { token, protocol: ProtocolId(7), phase: 2, ballot, extensions: Extensions::NONE };
    let text = serde_json::to_string(&Message::Vote(vote.clone())).unwrap();
    assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), Message::Vote(vote));
    let promise = Item::Promise(Epoch(0).next(CoordinatorId(2)));
    let mut memory = Memory::default();
    memory.add(&promise, &GroupLimits::DEFAULT);
    let record = group_record(&mut Choices::new(&[7; 300]));
    memory.records.insert(record.snapshot.group, record);
    let text = serde_json::to_string(&(&promise, &memory)).unwrap();
    assert_eq!(serde_json::from_str::<(Item, Memory)>(&text).unwrap(), (promise, memory));
    // What cannot be made cannot be read either.
    let long = serde_json::to_string(&vec![b'x'; 33]).unwrap();
    assert!(serde_json::from_str::<GroupName>(&long).is_err());
    let short = serde_json::to_string(b"x").unwrap();
    assert_eq!(serde_json::from_str::<GroupName>(&short).unwrap(), GroupName::new("x").unwrap());
}

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
