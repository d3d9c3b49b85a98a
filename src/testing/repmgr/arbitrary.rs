//! `Arbitrary` by the same generators. What depends on the version has one of those that have proposals.

use super::version;
use crate::repmgr::handshake::{
    Confirmation, Handshake, LegacyHandshake, Parameters, Proposal, SiteParameters, VersionRange,
};
use crate::repmgr::message::{AppMessage, AppResponse, Message, Permanent, Replication, ResponseError};
use crate::repmgr::own::{Membership, OwnMessage, SiteRequest};
use crate::repmgr::{Header, Host, Segments, SiteAddress};
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

/// A value of a version.
fn versioned<T>(choices: &mut Choices<'_>, generate: fn(crate::repmgr::Version, &mut Choices<'_>) -> T) -> T {
    let version = version(choices);
    generate(version, choices)
}

arbitrary! {
    Header: super::header;
    Host: super::host;
    SiteAddress: super::site_address;
    VersionRange: super::version_range;
    Handshake: super::handshake;
    Proposal: |choices| versioned(choices, super::proposal);
    LegacyHandshake: super::legacy;
    Confirmation: |choices| versioned(choices, super::confirmation);
    Parameters: |choices| versioned(choices, super::parameters);
    SiteParameters: |choices| versioned(choices, super::site_parameters);
    Segments: super::segments;
    Message: super::message;
    AppMessage: super::app_message;
    AppResponse: super::app_response;
    ResponseError: super::response_error;
    Permanent: super::permanent;
    Replication: super::replication;
    OwnMessage: super::own_message;
    Membership: super::membership;
    SiteRequest: super::site_request;
}
