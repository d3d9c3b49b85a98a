//! `Arbitrary` by the same generators.

use crate::frame::{
    Capabilities, Close, CloseReason, Extensions, Frame, FrameFlags, Header, Hello, Identity, Protocol, Text,
};
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
    Protocol: super::protocol;
    FrameFlags: super::flags;
    Header: super::header;
    Frame: super::frame;
    Text: super::text;
    Identity: super::identity;
    Capabilities: super::capabilities;
    Extensions: super::extensions;
    Hello: super::hello;
    CloseReason: super::close_reason;
    Close: super::close;
}
