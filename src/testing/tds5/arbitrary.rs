//! `Arbitrary` by the same generators. What has a byte order is little-endian.

use crate::tds5::capability::{Capabilities, Mask};
use crate::tds5::login::{Login, LoginRecord};
use crate::tds5::migration::{Address, FailReason, Migration, Options, Request};
use crate::tds5::packet::PacketHeader;
use crate::tds5::token::{Done, Eed, Format, LoginAck, Message, Notice, Token};
use crate::tds5::{MessageId, PacketType, SessionId};
use crate::testing::Choices;
use crate::wire::ByteOrder;
use arbitrary::{Arbitrary, Result, Unstructured};

const ORDER: ByteOrder = ByteOrder::Little;

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
    PacketType: |choices| super::packet_header(choices).ty;
    PacketHeader: super::packet_header;
    MessageId: super::message_id;
    SessionId: super::session_id;
    Mask: super::mask;
    Capabilities: super::capabilities;
    LoginRecord: |choices| super::login_record(ORDER, choices);
    Login: super::login;
    Address: super::address;
    Request: super::request;
    FailReason: super::fail_reason;
    Migration: super::migration;
    Options: super::options;
    Message: super::message;
    LoginAck: super::login_ack;
    Eed: super::eed;
    Notice: super::notice;
    Done: super::done;
    Format: |choices| {
        let kind = super::format_kind(choices);
        super::format(kind, ORDER, choices)
    };
    Token: |choices| super::token(ORDER, choices);
}
