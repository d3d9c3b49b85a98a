//! `Arbitrary` by the same generators.

use crate::deferral::text::{Call, Context, Directive, Line, Redirect};
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
    Call: super::call;
    Context: super::context;
    Directive: super::directive;
    Redirect: super::redirect;
    Line: super::line;
}
