//! SPICE: both directions of a link, each telling the other's decoder what it needs to know.

mod fields;

use crate::decode::{Direction, Protocol};
use crate::input::Conversation;
use crate::record::{Fields, Head, Record};
use handover::error::EncodeError;
use handover::limits::SpiceLimits;
use handover::spice::link::{LinkHeader, MAGIC};
use handover::spice::stream::{ClientItem, ClientStream, ServerItem, ServerStream};
use handover::spice::{DataHeader, HeaderKind, LinkError, Message, Packet};
use handover::wire::Encode;

/// The protocol.
pub(crate) struct Spice;

type Client<'a> = Direction<'a, ClientStream>;
type Server<'a> = Direction<'a, ServerStream>;

impl Protocol for Spice {
    fn recognises(&self, conversation: &Conversation) -> bool {
        let Conversation { client, server, .. } = conversation;
        let first = if client.bytes.is_empty() { &server.bytes } else { &client.bytes };
        first.iter().zip(&MAGIC).all(|(came, expected)| came == expected)
    }

    fn decode(&self, conversation: &Conversation, verify: bool) -> [Vec<Record>; 2] {
        let limits = SpiceLimits::DEFAULT;
        let mut client = Direction::new(ClientStream::new(limits), &conversation.client, verify);
        let mut server = Direction::new(ServerStream::new(limits), &conversation.server, verify);
        // Each goes as far as it can, until neither has moved.
        while pull_client(&mut client, &mut server) | pull_server(&mut client, &mut server) {}
        [client.finish(None), server.finish(None)]
    }
}

/// Takes what the client sent, as far as that is possible now; says whether there was something.
fn pull_client(client: &mut Client<'_>, server: &mut Server<'_>) -> bool {
    let mut moved = false;
    while let Some(item) = client.next_item() {
        moved = true;
        let header = client.decoder.header();
        match item {
            ClientItem::Link(mess) => {
                server.decoder.set_link(&mess);
                let fields = fields::link_mess(client.frame(), &mess);
                client.push(link("SpiceLinkMess", Some(&mess), fields), || mess.to_vec());
            }
            ClientItem::Mechanism(mechanism) => {
                let fields = Fields::default().with("mechanism", mechanism.mechanism);
                client.push(link("SpiceLinkAuthMechanism", None, fields), || mechanism.to_vec());
            }
            // Whoever has the key could read the password: nothing of it is shown.
            ClientItem::Ticket(ticket) => {
                client.push(link("SpiceLinkEncryptedTicket", None, Fields::default()), || Ok(ticket.0.to_vec()));
            }
            ClientItem::SubMessage(packet) => {
                let fields = fields::client(&packet.message);
                client.push(message(header, &packet, true, fields), || framed(header, &packet));
            }
            ClientItem::Message(packet) => {
                let fields = fields::client(&packet.message);
                client.push(message(header, &packet, false, fields), || framed(header, &packet));
            }
            _ => {}
        }
    }
    moved
}

/// Takes what the server sent, as far as that is possible now; says whether there was something.
fn pull_server(client: &mut Client<'_>, server: &mut Server<'_>) -> bool {
    let mut moved = false;
    while let Some(item) = server.next_item() {
        moved = true;
        let header = server.decoder.header();
        match item {
            ServerItem::Reply(reply) => {
                // A refusal settles nothing: what a client sent behind it was never read.
                if reply.error() == LinkError::OK {
                    client.decoder.set_reply(&reply);
                }
                let fields = fields::link_reply(server.frame(), &reply);
                server.push(link("SpiceLinkReply", Some(&reply), fields), || reply.to_vec());
            }
            ServerItem::Result(result) => {
                let fields = Fields::default().with("result", result.error.0);
                server.push(link("SpiceLinkResult", None, fields), || result.to_vec());
            }
            ServerItem::SubMessage(packet) => {
                let fields = fields::server(&packet.message);
                server.push(message(header, &packet, true, fields), || framed(header, &packet));
            }
            ServerItem::Message(packet) => {
                let fields = fields::server(&packet.message);
                server.push(message(header, &packet, false, fields), || framed(header, &packet));
            }
            _ => {}
        }
    }
    moved
}

/// A part of the link stage; `sized` if it has a link header.
fn link(name: &'static str, sized: Option<&dyn Encode>, fields: Fields) -> Head {
    let size = sized.map(|sized| (sized.encoded_len() - LinkHeader::SIZE) as u64);
    Head { name, ty: None, size, sub: false, fields }
}

fn message<M: Message>(header: Option<HeaderKind>, packet: &Packet<M>, sub: bool, mut fields: Fields) -> Head {
    if !packet.extra.is_empty() {
        fields = fields.with_opaque("extra_len", "extra", &packet.extra);
    }
    if header == Some(HeaderKind::Full) && !sub {
        fields = fields.with("serial", packet.serial).with("sub_list", packet.sub_list);
    }
    let (name, ty, size) = (packet.message.name(), packet.message.wire_type(), packet.body_len() as u64);
    Head { name, ty: Some(ty.into()), size: Some(size), sub, fields }
}

/// A message as it stands on the wire, from its parts: what the decoder says must be enough.
fn framed<M: Message>(header: Option<HeaderKind>, packet: &Packet<M>) -> Result<Vec<u8>, EncodeError> {
    let header = DataHeader {
        serial: packet.serial.filter(|_| header == Some(HeaderKind::Full)),
        ty: packet.message.wire_type(),
        size: u32::try_from(packet.body_len()).unwrap_or(u32::MAX),
        sub_list: packet.sub_list,
    };
    Ok([header.to_vec()?, packet.message.to_vec()?, packet.extra.to_vec()].concat())
}
