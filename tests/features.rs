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
