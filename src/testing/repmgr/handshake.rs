//! Handshakes and their parts.

use crate::repmgr::handshake::{
    Confirmation, Control, Handshake, LegacyHandshake, Parameters, Proposal, SiteParameters, VersionRange,
};
use crate::repmgr::{AckPolicy, ConnectionFlags, Host, SiteAddress, Version};
use crate::testing::Choices;

/// A host: mostly text, now and then any bytes but zero, now and then none.
pub fn host(choices: &mut Choices<'_>) -> Host {
    let name = match choices.byte() % 4 {
        0 => b"127.0.0.1".to_vec(),
        1 => choices.text(40).into_bytes(),
        _ => choices.bytes(300).into_iter().map(|byte| byte.max(1)).collect(),
    };
    Host::new(name).expect("no zero in it")
}

/// Where a site listens.
pub fn site_address(choices: &mut Choices<'_>) -> SiteAddress {
    SiteAddress { host: host(choices), port: choices.edge_u16() }
}

/// A version that has proposals: 4, mostly.
pub fn version(choices: &mut Choices<'_>) -> Version {
    *choices.pick(&[Version::V4, Version::V4, Version::V3, Version::V2])
}

/// Any range, also ones with nothing in them.
pub fn version_range(choices: &mut Choices<'_>) -> VersionRange {
    let mut bound = || match choices.byte() % 8 {
        0..=5 => Version(u32::from(choices.byte() % 7)),
        _ => Version(choices.edge_u32()),
    };
    VersionRange { min: bound(), max: bound() }
}

/// A range out of which a listener that speaks all versions selects this one.
fn proposed(version: Version, choices: &mut Choices<'_>) -> VersionRange {
    let below = u32::from(choices.byte()) % (version.0 + 1);
    let above = if choices.one_in(4) { choices.edge_u32() } else { 0 };
    let max = if version == Version::V4 { version.0.max(above) } else { version.0 };
    VersionRange { min: Version(below), max: Version(max) }
}

/// What the control part of a version holds.
pub fn control(version: Version, choices: &mut Choices<'_>) -> Control {
    let flags = if choices.boolean() { choices.edge_u32() } else { u32::from(choices.byte() % 8) };
    let flags = ConnectionFlags::from_bits_retain(flags);
    match version {
        Version::V2 => Control::V2 { priority: choices.edge_u32() },
        Version::V3 => Control::V3 { priority: choices.edge_u32(), flags },
        _ if choices.boolean() => Control::v4(AckPolicy(u32::from(choices.byte() % 9)), flags),
        _ => Control::V4 { alignment: choices.edge_u16(), ack_policy: AckPolicy(choices.edge_u32()), flags },
    }
}

/// What a site says of itself in a version, now and then with more behind it.
pub fn site_parameters(version: Version, choices: &mut Choices<'_>) -> SiteParameters {
    let mut site = SiteParameters::new(host(choices), choices.edge_u16(), control(version, choices));
    if choices.one_in(4) {
        site.extra = choices.bytes(40).into();
    }
    site
}

/// A proposal out of which a listener that speaks all versions selects this one. Half of them are as we make them,
/// the others have a control part of any bytes.
pub fn proposal(version: Version, choices: &mut Choices<'_>) -> Proposal {
    let versions = proposed(version, choices);
    let mut proposal = Proposal::new(host(choices), choices.edge_u16(), choices.edge_u32(), versions);
    if choices.boolean() {
        proposal.legacy = choices.bytes(40).into();
        proposal.trailing = choices.byte();
    }
    proposal
}

/// A handshake of version 1, in either byte order.
pub fn legacy(choices: &mut Choices<'_>) -> LegacyHandshake {
    let mut legacy = LegacyHandshake::new(host(choices), choices.edge_u16(), choices.edge_u32());
    if choices.boolean() {
        let mut control = legacy.control.to_vec();
        control[..4].copy_from_slice(&1_u32.to_be_bytes());
        control[4..].fill_with(|| choices.byte());
        legacy.control = control.into();
    }
    legacy
}

/// A confirmation of this version.
pub fn confirmation(version: Version, choices: &mut Choices<'_>) -> Confirmation {
    let mut confirmation = Confirmation::new(site_parameters(version, choices));
    if choices.one_in(4) {
        confirmation.trailing = choices.byte();
    }
    confirmation
}

/// A dialler's parameters in this version.
pub fn parameters(version: Version, choices: &mut Choices<'_>) -> Parameters {
    if version == Version::V4 && choices.one_in(4) {
        return Parameters::channel(host(choices), choices.edge_u16());
    }
    Parameters { site: site_parameters(version, choices) }
}

/// Any step.
pub fn handshake(choices: &mut Choices<'_>) -> Handshake {
    let version = version(choices);
    match choices.below(4) {
        0 => proposal(version, choices).into(),
        1 => parameters(version, choices).into(),
        2 => confirmation(version, choices).into(),
        _ => legacy(choices).into(),
    }
}
