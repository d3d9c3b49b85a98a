//! Handshakes as bytes: a header, a control part and a record.

use super::{Confirmation, Control, Handshake, LegacyHandshake, Parameters, Proposal, SiteParameters, VersionRange};
use crate::error::{DecodeError, EncodeError, to_u64};
use crate::repmgr::header::Header;
use crate::repmgr::host::Host;
use crate::repmgr::ids::{AckPolicy, ConnectionFlags, MessageType, Version};
use crate::wire::{ByteOrder::Big, Encode, Writer, fits_u32, fixed, length_u32, put, share};
use bytes::Bytes;

impl LegacyHandshake {
    /// Bytes of the control part.
    pub const CONTROL_SIZE: usize = 12;

    fn parse(control: Bytes, host: Host) -> Result<Self, DecodeError> {
        Self::check_control(&control)?;
        Ok(Self { control, host })
    }

    fn check_control(control: &[u8]) -> Result<(), DecodeError> {
        const MESSAGE: &str = "LegacyHandshake";
        let (rest, (version, ..)) =
            fixed!(in Big; MESSAGE, control, { version: u32, port: u16, padding: u16, priority: u32 });
        end(MESSAGE, "control", rest)?;
        if version != Version::V1.0 && version.swap_bytes() != Version::V1.0 {
            let reason = "without other versions in the record it must be 1";
            return Err(DecodeError::invalid(MESSAGE, "version", reason, u64::from(version)));
        }
        Ok(())
    }
}

impl Control {
    /// Bytes of the layout, the port among them.
    const fn size(&self) -> usize {
        match self {
            Self::V2 { .. } => 2 + 4,
            Self::V3 { .. } => 2 + 4 + 4,
            Self::V4 { .. } => 2 + 2 + 4 + 4,
        }
    }
}

impl SiteParameters {
    fn parse(message: &'static str, version: Version, control: &Bytes, host: Host) -> Result<Self, DecodeError> {
        let (extra, port, fields) = match version {
            Version::V2 => {
                let (extra, (port, priority)) = fixed!(in Big; message, control, { port: u16, priority: u32 });
                (extra, port, Control::V2 { priority })
            }
            Version::V3 => {
                let (extra, (port, priority, flags)) =
                    fixed!(in Big; message, control, { port: u16, priority: u32, flags: u32 });
                (extra, port, Control::V3 { priority, flags: ConnectionFlags::from_bits_retain(flags) })
            }
            Version::V4 => {
                let (extra, (port, alignment, ack_policy, flags)) =
                    fixed!(in Big; message, control, { port: u16, alignment: u16, ack_policy: u32, flags: u32 });
                let (ack_policy, flags) = (AckPolicy(ack_policy), ConnectionFlags::from_bits_retain(flags));
                (extra, port, Control::V4 { alignment, ack_policy, flags })
            }
            Version(other) => {
                let reason = "its parameters are not known";
                return Err(DecodeError::unsupported(message, "version", reason, u64::from(other)));
            }
        };
        Ok(Self { host, port, control: fields, extra: share(control, extra) })
    }

    fn control_len(&self) -> usize {
        self.control.size().saturating_add(self.extra.len())
    }

    fn write_control(&self, writer: &mut Writer<'_>) {
        let port = self.port;
        match self.control {
            Control::V2 { priority } => put!(in Big; writer, { port: u16 = port, priority: u32 = priority }),
            Control::V3 { priority, flags } => {
                put!(in Big; writer, { port: u16 = port, priority: u32 = priority, flags: u32 = flags.bits() });
            }
            Control::V4 { alignment, ack_policy, flags } => {
                put!(in Big; writer, {
                    port: u16 = port, alignment: u16 = alignment, ack_policy: u32 = ack_policy.0,
                    flags: u32 = flags.bits()
                });
            }
        }
        writer.put(&self.extra);
    }
}

/// Nothing may be left.
fn end(message: &'static str, field: &'static str, rest: &[u8]) -> Result<(), DecodeError> {
    if rest.is_empty() {
        return Ok(());
    }
    Err(DecodeError::invalid(message, field, "holds more than its layout", to_u64(rest.len())))
}

/// The host at the front of a record, and what is behind its zero.
fn host<'a>(message: &'static str, record: &'a Bytes) -> Result<(Host, &'a [u8]), DecodeError> {
    let name = record.split(|byte| *byte == 0).next().unwrap_or_default();
    let Some((_, rest)) = record.get(name.len()..).and_then(<[u8]>::split_first) else {
        return Err(DecodeError::invalid(message, "host", "must end with a zero byte", to_u64(record.len())));
    };
    match Host::try_from(share(record, name)) {
        Ok(host) => Ok((host, rest)),
        Err(_) => Err(DecodeError::invalid(message, "host", "must not hold a zero byte", 0)),
    }
}

impl Handshake {
    /// The dialler's first.
    pub(in crate::repmgr) fn parse_first(control: Bytes, record: &Bytes) -> Result<Self, DecodeError> {
        const MESSAGE: &str = "Proposal";
        let (host, rest) = host(MESSAGE, record)?;
        if rest.is_empty() {
            return LegacyHandshake::parse(control, host).map(Self::Legacy);
        }
        let (rest, (min, max, trailing)) = fixed!(in Big; MESSAGE, rest, { min: u32, max: u32, trailing: u8 });
        end(MESSAGE, "record", rest)?;
        let versions = VersionRange { min: Version(min), max: Version(max) };
        Ok(Self::Proposal(Proposal { legacy: control, host, versions, trailing }))
    }

    /// The listener's answer.
    pub(in crate::repmgr) fn parse_answer(control: Bytes, record: &Bytes) -> Result<Self, DecodeError> {
        const MESSAGE: &str = "Confirmation";
        let (host, rest) = host(MESSAGE, record)?;
        if rest.is_empty() {
            return LegacyHandshake::parse(control, host).map(Self::Legacy);
        }
        let (rest, (version, trailing)) = fixed!(in Big; MESSAGE, rest, { version: u32, trailing: u8 });
        end(MESSAGE, "record", rest)?;
        let version = Version(version);
        let site = SiteParameters::parse(MESSAGE, version, &control, host)?;
        Ok(Self::Confirmation(Confirmation { version, site, trailing }))
    }

    /// The dialler's second.
    pub(in crate::repmgr) fn parse_second(
        version: Version,
        control: &Bytes,
        record: &Bytes,
    ) -> Result<Self, DecodeError> {
        const MESSAGE: &str = "Parameters";
        let (host, rest) = host(MESSAGE, record)?;
        end(MESSAGE, "record", rest)?;
        Ok(Self::Parameters(Parameters { site: SiteParameters::parse(MESSAGE, version, control, host)? }))
    }

    fn control_len(&self) -> usize {
        match self {
            Self::Proposal(step) => step.legacy.len(),
            Self::Legacy(step) => step.control.len(),
            Self::Confirmation(Confirmation { site, .. }) | Self::Parameters(Parameters { site }) => site.control_len(),
        }
    }

    fn record_len(&self) -> usize {
        let (host, behind) = match self {
            Self::Proposal(step) => (&step.host, 4 + 4 + 1),
            Self::Legacy(step) => (&step.host, 0),
            Self::Confirmation(step) => (&step.site.host, 4 + 1),
            Self::Parameters(step) => (&step.site.host, 0),
        };
        host.as_bytes().len().saturating_add(1).saturating_add(behind)
    }
}

/// The message, with its header.
impl Encode for Handshake {
    fn encoded_len(&self) -> usize {
        Header::SIZE.saturating_add(self.control_len()).saturating_add(self.record_len())
    }

    fn check(&self) -> Result<(), EncodeError> {
        let invalid = |field, reason| Err(EncodeError::Invalid { message: self.name(), field, reason });
        match self {
            Self::Legacy(step) if LegacyHandshake::check_control(&step.control).is_err() => {
                return invalid("control", "must be 12 bytes that begin with version 1");
            }
            Self::Confirmation(step) if step.version != step.site.control.version() => {
                return invalid("version", "the control part is laid out for another version");
            }
            _ => {}
        }
        fits_u32(self.name(), "control", self.control_len())?;
        fits_u32(self.name(), "record", self.record_len())
    }

    fn write(&self, writer: &mut Writer<'_>) {
        let (word1, word2) = (length_u32(self.control_len()), length_u32(self.record_len()));
        Header { ty: MessageType::HANDSHAKE, word1, word2 }.write(writer);
        match self {
            Self::Proposal(step) => writer.put(&step.legacy),
            Self::Legacy(step) => writer.put(&step.control),
            Self::Confirmation(Confirmation { site, .. }) | Self::Parameters(Parameters { site }) => {
                site.write_control(writer);
            }
        }
        let host = match self {
            Self::Proposal(step) => &step.host,
            Self::Legacy(step) => &step.host,
            Self::Confirmation(Confirmation { site, .. }) | Self::Parameters(Parameters { site }) => &site.host,
        };
        writer.put(host.as_bytes());
        writer.put(&[0]);
        match self {
            Self::Proposal(step) => {
                let VersionRange { min, max } = step.versions;
                put!(in Big; writer, { min: u32 = min.0, max: u32 = max.0, trailing: u8 = step.trailing });
            }
            Self::Confirmation(step) => {
                put!(in Big; writer, { version: u32 = step.version.0, trailing: u8 = step.trailing });
            }
            Self::Legacy(_) | Self::Parameters(_) => {}
        }
    }
}
