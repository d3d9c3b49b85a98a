//! `Arbitrary` by the same generators.

use crate::spice::link::{LinkMess, LinkReply, Ticket};
use crate::spice::{
    Capabilities, ChannelId, ChannelType, ClientMessage, DstInfo, HeaderKind, MigrateBeginSeamless, Packet, Port,
    ServerMessage, SubList,
};
use crate::testing::Choices;
use arbitrary::{Arbitrary, Result, Unstructured};

macro_rules! arbitrary {
    ($($type:ty: $generate:expr;)+) => {$(
        #[cfg_attr(docsrs, doc(cfg(feature = "arbitrary")))]
        impl<'a> Arbitrary<'a> for $type {
            fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
                Choices::lend(u, $generate)
            }
        }
    )+};
}

arbitrary! {
    Capabilities: super::capabilities;
    ChannelId: super::channel_id;
    ChannelType: super::any_channel_type;
    Port: super::port;
    Ticket: super::ticket;
    LinkMess: super::link_mess;
    LinkReply: super::link_reply;
    DstInfo: super::dst_info;
    MigrateBeginSeamless: super::migrate_begin_seamless;
    SubList: |choices| super::sub_list(ChannelType::MAIN, choices);
    ServerMessage: |choices| super::server_message(ChannelType::MAIN, choices);
    ClientMessage: |choices| super::client_message(ChannelType::MAIN, choices);
    Packet<ServerMessage>: |choices| super::server_packet(ChannelType::MAIN, HeaderKind::Full, choices).packet;
    Packet<ClientMessage>: |choices| super::client_packet(ChannelType::MAIN, HeaderKind::Full, choices).packet;
}
