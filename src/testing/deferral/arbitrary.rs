//! `Arbitrary` by the same generators.

use crate::deferral::message::{
    Alternate, Command, CommandName, Data, Defer, End, Message, Queued, Refused, Request, RequestKey, Signal,
};
use crate::deferral::{DeferKind, RefusalCode, RequestFlags, RequestId, ServerAbilities, ServerId, ServerUri};
use crate::testing::Choices;
use arbitrary::{Arbitrary, Result, Unstructured};

macro_rules! arbitrary {
    ($($type:ty: $generate:path;)+) => {$(
        #[cfg_attr(docsrs, doc(cfg(feature = "arbitrary")))]
        impl<'a> Arbitrary<'a> for $type {
            fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
                Choices::lend(u, $generate)
            }
        }
    )+};
}

arbitrary! {
    RequestId: super::request_id;
    ServerId: super::server_id;
    RequestKey: super::key;
    RequestFlags: super::flags;
    ServerAbilities: super::abilities;
    DeferKind: super::defer_kind;
    RefusalCode: super::refusal_code;
    CommandName: super::command_name;
    Command: super::command;
    ServerUri: super::server_uri;
    Alternate: super::alternate;
    Request: super::request;
    Signal: super::signal;
    Queued: super::queued;
    Data: super::data;
    End: super::end;
    Defer: super::defer;
    Refused: super::refused;
    Message: super::message;
}
