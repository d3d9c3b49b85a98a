//! Messages about membership as bytes.

use super::{Member, Membership, OwnMessage, SiteRequest};
use crate::error::{DecodeError, EncodeError, to_u64};
use crate::repmgr::header::Header;
use crate::repmgr::host::{Host, SiteAddress};
use crate::repmgr::ids::{AckPolicy, ConnectionFlags, MessageType, OwnMessageType, SiteStatus};
use crate::wire::{ByteOrder::Big, Encode, Writer, bytes, fits_u32, fixed, length_u32, put, share};
use alloc::vec::Vec;
use bytes::Bytes;

/// Whether messages of this kind have a type of their own, and are never [`OwnMessage::Unknown`].
const fn is_known(ty: OwnMessageType) -> bool {
    matches!(
        ty,
        OwnMessageType::CONNECT_REJECT
            | OwnMessageType::GM_FAILURE
            | OwnMessageType::GM_FORWARD
            | OwnMessageType::JOIN_REQUEST
            | OwnMessageType::JOIN_SUCCESS
            | OwnMessageType::PARM_REFRESH
            | OwnMessageType::REMOVE_REQUEST
            | OwnMessageType::REMOVE_SUCCESS
            | OwnMessageType::SHARING
    )
}

impl OwnMessageType {
    /// Whether it has no body.
    pub(in crate::repmgr) const fn is_empty(self) -> bool {
        matches!(self, Self::GM_FAILURE | Self::REMOVE_SUCCESS)
    }
}

/// Nothing may be left.
fn end(message: &'static str, rest: &[u8]) -> Result<(), DecodeError> {
    if rest.is_empty() {
        return Ok(());
    }
    Err(DecodeError::invalid(message, "length", "the body holds more than its layout", to_u64(rest.len())))
}

/// An address of a site: u32 size of the host with its zero, host, u16 port. And what is behind it.
fn site<'a>(message: &'static str, body: &Bytes, input: &'a [u8]) -> Result<(SiteAddress, &'a [u8]), DecodeError> {
    let (rest, (size,)) = fixed!(in Big; message, input, { host_size: u32 });
    let (rest, name) = bytes(message, "host", usize::try_from(size).unwrap_or(usize::MAX), rest)?;
    let Some((0, name)) = name.split_last() else {
        return Err(DecodeError::invalid(message, "host", "must end with a zero byte", u64::from(size)));
    };
    let Ok(host) = Host::try_from(share(body, name)) else {
        return Err(DecodeError::invalid(message, "host", "must not hold a zero byte", u64::from(size)));
    };
    let (rest, (port,)) = fixed!(in Big; message, rest, { port: u16 });
    Ok((SiteAddress { host, port }, rest))
}

impl SiteAddress {
    fn own_len(&self) -> usize {
        (4 + 1 + 2_usize).saturating_add(self.host.as_bytes().len())
    }

    fn write_own(&self, writer: &mut Writer<'_>) {
        let host = self.host.as_bytes();
        put!(in Big; writer, { host_size: u32 = length_u32(host.len().saturating_add(1)) });
        writer.put(host);
        writer.put(&[0]);
        put!(in Big; writer, { port: u16 = self.port });
    }
}

impl SiteRequest {
    fn parse(body: &Bytes) -> Result<Self, DecodeError> {
        const MESSAGE: &str = "SiteRequest";
        let (site, rest) = site(MESSAGE, body, body)?;
        let (rest, (flags,)) = fixed!(in Big; MESSAGE, rest, { flags: u32 });
        end(MESSAGE, rest)?;
        Ok(Self { site, flags })
    }
}

impl Membership {
    fn parse(body: &Bytes) -> Result<Self, DecodeError> {
        const MESSAGE: &str = "Membership";
        let (mut rest, (version, generation)) = fixed!(in Big; MESSAGE, body, { version: u32, generation: u32 });
        let mut sites = Vec::new();
        while !rest.is_empty() {
            let (site, behind) = site("Member", body, rest)?;
            let (behind, (status,)) = fixed!(in Big; "Member", behind, { status: u32 });
            sites.push(Member { site, status: SiteStatus(status) });
            rest = behind;
        }
        Ok(Self { version, generation, sites })
    }

    fn body_len(&self) -> usize {
        let sites = self.sites.iter();
        sites.fold(8, |sum: usize, member| sum.saturating_add(member.site.own_len()).saturating_add(4))
    }

    fn write_body(&self, writer: &mut Writer<'_>) {
        put!(in Big; writer, { version: u32 = self.version, generation: u32 = self.generation });
        for member in &self.sites {
            member.site.write_own(writer);
            put!(in Big; writer, { status: u32 = member.status.0 });
        }
    }
}

impl OwnMessage {
    pub(in crate::repmgr) fn parse(ty: OwnMessageType, body: Bytes) -> Result<Self, DecodeError> {
        Ok(match ty {
            OwnMessageType::CONNECT_REJECT => {
                const MESSAGE: &str = "ConnectReject";
                let (rest, (version, generation)) = fixed!(in Big; MESSAGE, &body, { version: u32, generation: u32 });
                end(MESSAGE, rest)?;
                Self::ConnectReject { version, generation }
            }
            OwnMessageType::GM_FAILURE => {
                end("Failure", &body)?;
                Self::Failure
            }
            OwnMessageType::GM_FORWARD => {
                const MESSAGE: &str = "Forward";
                let (master, rest) = site(MESSAGE, &body, &body)?;
                let (rest, (generation,)) = fixed!(in Big; MESSAGE, rest, { generation: u32 });
                end(MESSAGE, rest)?;
                Self::Forward { master, generation }
            }
            OwnMessageType::JOIN_REQUEST => Self::JoinRequest(SiteRequest::parse(&body)?),
            OwnMessageType::JOIN_SUCCESS => Self::JoinSuccess(Membership::parse(&body)?),
            OwnMessageType::PARM_REFRESH => {
                const MESSAGE: &str = "ParameterRefresh";
                let (rest, (ack_policy, flags)) = fixed!(in Big; MESSAGE, &body, { ack_policy: u32, flags: u32 });
                end(MESSAGE, rest)?;
                let (ack_policy, flags) = (AckPolicy(ack_policy), ConnectionFlags::from_bits_retain(flags));
                Self::ParameterRefresh { ack_policy, flags }
            }
            OwnMessageType::REMOVE_REQUEST => Self::RemoveRequest(SiteRequest::parse(&body)?),
            OwnMessageType::REMOVE_SUCCESS => {
                end("RemoveSuccess", &body)?;
                Self::RemoveSuccess
            }
            OwnMessageType::SHARING => Self::Sharing(Membership::parse(&body)?),
            _ if body.is_empty() => {
                return Err(DecodeError::invalid("OwnMessage", "length", "must not be empty", 0));
            }
            _ => Self::Unknown { ty, body },
        })
    }

    fn body_len(&self) -> usize {
        match self {
            Self::ConnectReject { .. } | Self::ParameterRefresh { .. } => 4 + 4,
            Self::Failure | Self::RemoveSuccess => 0,
            Self::Forward { master: site, .. }
            | Self::JoinRequest(SiteRequest { site, .. })
            | Self::RemoveRequest(SiteRequest { site, .. }) => site.own_len().saturating_add(4),
            Self::JoinSuccess(members) | Self::Sharing(members) => members.body_len(),
            Self::Unknown { body, .. } => body.len(),
        }
    }
}

/// The message, with its header.
impl Encode for OwnMessage {
    fn encoded_len(&self) -> usize {
        Header::SIZE.saturating_add(self.body_len())
    }

    fn check(&self) -> Result<(), EncodeError> {
        const MESSAGE: &str = "OwnMessage";
        let invalid = |field, reason| Err(EncodeError::Invalid { message: MESSAGE, field, reason });
        match self {
            Self::Unknown { ty, .. } if is_known(*ty) => invalid("ty", "this kind has a layout of its own"),
            Self::Unknown { body, .. } if body.is_empty() => invalid("body", "must not be empty"),
            _ => fits_u32(MESSAGE, "length", self.body_len()),
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        let (word1, word2) = (length_u32(self.body_len()), self.ty().0);
        Header { ty: MessageType::OWN_MESSAGE, word1, word2 }.write(writer);
        match self {
            Self::ConnectReject { version, generation } => {
                put!(in Big; writer, { version: u32 = *version, generation: u32 = *generation });
            }
            Self::Failure | Self::RemoveSuccess => {}
            Self::Forward { master: site, generation: number }
            | Self::JoinRequest(SiteRequest { site, flags: number })
            | Self::RemoveRequest(SiteRequest { site, flags: number }) => {
                site.write_own(writer);
                put!(in Big; writer, { number: u32 = *number });
            }
            Self::JoinSuccess(members) | Self::Sharing(members) => members.write_body(writer),
            Self::ParameterRefresh { ack_policy, flags } => {
                put!(in Big; writer, { ack_policy: u32 = ack_policy.0, flags: u32 = flags.bits() });
            }
            Self::Unknown { body, .. } => writer.put(body),
        }
    }
}
