//! Messages as bodies of frames.

use super::{Alternate, Command, CommandName, Data, Defer, End, Message, Queued, Refused, Request, RequestKey, Signal};
use crate::deferral::ids::{DeferKind, MessageKind, RefusalCode, RequestFlags, RequestId, ServerAbilities, ServerId};
use crate::deferral::uri::ServerUri;
use crate::error::{DecodeError, EncodeError, to_u64};
use crate::frame::{Body, FrameFlags, Native, Protocol};
use crate::wire::{ByteOrder::Big, Writer, fits_u32, length_u32, put};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

/// Most bytes of a receipt.
const RECEIPT: usize = Defer::MAX_RECEIPT;
/// Most alternates of one deferral.
const ALTERNATES: usize = 32;
/// Bytes of an alternate without its URI.
const ALTERNATE: usize = 1 + 16 + 2;
/// Bytes of an argument without its value.
const ARGUMENT: usize = 4;
/// Bytes of a key.
const KEY: usize = 16 + 2;

impl RequestKey {
    fn parse(body: &mut Body<'_>) -> Result<Self, DecodeError> {
        Ok(Self { id: RequestId(body.array("id")?), epoch: body.u16("epoch")? })
    }

    #[inline]
    fn write(self, writer: &mut Writer<'_>) {
        let mut fields = writer.lend(KEY);
        fields.put(&self.id.0);
        put!(in Big; &mut fields, { epoch: u16 = self.epoch });
    }
}

impl Command {
    fn parse(body: &mut Body<'_>) -> Result<Self, DecodeError> {
        let size = body.u16("command_size")?;
        if !(1..=CommandName::MAX).contains(&usize::from(size)) {
            return Err(body.invalid("command_size", "1 to 256", u64::from(size)));
        }
        let raw = body.slice("command", usize::from(size))?;
        let name = plain_text(raw).map_err(|(reason, got)| body.invalid("command", reason, got))?;
        let count = body.u16("arguments_count")?;
        // Each has a size at least: a number that lies is found out before anything is made for it.
        if usize::from(count).saturating_mul(ARGUMENT) > body.left() {
            return Err(body.invalid("arguments_count", "more than there is room for", u64::from(count)));
        }
        let mut arguments = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let size = usize::try_from(body.u32("argument_size")?).unwrap_or(usize::MAX);
            arguments.push(body.share("argument", size)?);
        }
        Ok(Self { name: CommandName(String::from(name)), arguments })
    }

    #[inline]
    fn encoded_len(&self) -> usize {
        let fixed = 2_usize.saturating_add(self.name.as_str().len()).saturating_add(2);
        self.arguments.iter().fold(fixed, |sum, argument| sum.saturating_add(ARGUMENT).saturating_add(argument.len()))
    }

    #[inline]
    fn check(&self, message: &'static str) -> Result<(), EncodeError> {
        at_most(message, "arguments", self.arguments.len(), usize::from(u16::MAX))?;
        self.arguments.iter().try_for_each(|argument| fits_u32(message, "argument", argument.len()))
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        put!(in Big; writer, { size: u16 = length_u16(self.name.as_str().len()) });
        writer.put(self.name.as_str().as_bytes());
        put!(in Big; writer, { count: u16 = length_u16(self.arguments.len()) });
        for argument in &self.arguments {
            put!(in Big; writer, { size: u32 = length_u32(argument.len()) });
            writer.put(argument);
        }
    }
}

impl Request {
    fn parse(whole: &Bytes) -> Result<Self, DecodeError> {
        let mut body = Body::new("Request", whole);
        let key = RequestKey::parse(&mut body)?;
        let flags = RequestFlags::from_bits_retain(body.u16("flags")?);
        let deadline_ms = body.u32("deadline_ms")?;
        let receipt = receipt(&mut body)?;
        let size = body.u16("credentials_size")?;
        let credentials = body.share("credentials", usize::from(size))?;
        let referrer = match body.u16("referrer_size")? {
            0 => None,
            size => Some(uri(&mut body, "referrer_size", "referrer", size)?),
        };
        let command = Command::parse(&mut body)?;
        let extensions = body.extensions()?;
        Ok(Self { key, flags, deadline_ms, receipt, credentials, referrer, command, extensions })
    }

    #[inline]
    fn encoded_len(&self) -> usize {
        let referrer = self.referrer.as_ref().map_or(0, |uri| uri.as_str().len());
        let fixed = KEY.saturating_add(2).saturating_add(4).saturating_add(1).saturating_add(2).saturating_add(2);
        fixed
            .saturating_add(self.receipt.len())
            .saturating_add(self.credentials.len())
            .saturating_add(referrer)
            .saturating_add(self.command.encoded_len())
            .saturating_add(self.extensions.as_bytes().len())
    }

    #[inline]
    fn check(&self) -> Result<(), EncodeError> {
        at_most("Request", "receipt", self.receipt.len(), RECEIPT)?;
        at_most("Request", "credentials", self.credentials.len(), usize::from(u16::MAX))?;
        self.command.check("Request")
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        let mut head = writer.lend(KEY + 2 + 4 + 1);
        self.key.write(&mut head);
        put!(in Big; &mut head, {
            flags: u16 = self.flags.bits(), deadline_ms: u32 = self.deadline_ms,
            receipt_size: u8 = length_u8(self.receipt.len())
        });
        writer.put(&self.receipt);
        put!(in Big; writer, { credentials_size: u16 = length_u16(self.credentials.len()) });
        writer.put(&self.credentials);
        let referrer = self.referrer.as_ref().map(ServerUri::as_str).unwrap_or_default();
        put!(in Big; writer, { referrer_size: u16 = length_u16(referrer.len()) });
        writer.put(referrer.as_bytes());
        self.command.write(writer);
        writer.put(self.extensions.as_bytes());
    }
}

impl Defer {
    fn parse(whole: &Bytes) -> Result<Self, DecodeError> {
        let mut body = Body::new("Defer", whole);
        let key = RequestKey::parse(&mut body)?;
        let kind = DeferKind(body.u8("kind")?);
        if kind.name().is_none() {
            // Neither what follows nor what is to be done about it can be guessed.
            let reason = "a kind of deferral that must be understood";
            return Err(DecodeError::unsupported("Defer", "kind", reason, u64::from(kind.0)));
        }
        let server = ServerId(body.array("server")?);
        let reason = body.text("reason")?;
        let queue_length = body.optional("queue_length")?;
        let estimate_ms = body.optional("estimate_ms")?;
        let retry_after_ms = body.optional("retry_after_ms")?;
        let receipt = receipt(&mut body)?;
        let count = usize::from(body.u8("alternates_count")?);
        if count > ALTERNATES {
            return Err(body.invalid("alternates_count", "at most 32", to_u64(count)));
        }
        // As above.
        if count.saturating_mul(ALTERNATE) > body.left() {
            return Err(body.invalid("alternates_count", "more than there is room for", to_u64(count)));
        }
        let mut alternates = Vec::with_capacity(count);
        for _ in 0..count {
            alternates.push(Alternate::parse(&mut body)?);
        }
        let (mut next, mut next_flags) = (None, RequestFlags::empty());
        if kind == DeferKind::CONTINUE {
            next_flags = RequestFlags::from_bits_retain(body.u16("next_flags")?);
            next = Some(Command::parse(&mut body)?);
        }
        let extensions = body.extensions()?;
        Ok(Self {
            key,
            kind,
            server,
            reason,
            queue_length,
            estimate_ms,
            retry_after_ms,
            receipt,
            alternates,
            next,
            next_flags,
            extensions,
        })
    }

    #[inline]
    fn encoded_len(&self) -> usize {
        let fixed = KEY.saturating_add(1).saturating_add(16).saturating_add(12).saturating_add(2);
        let alternates = self.alternates.iter().fold(0_usize, |sum, one| sum.saturating_add(one.encoded_len()));
        fixed
            .saturating_add(self.reason.encoded_len())
            .saturating_add(self.receipt.len())
            .saturating_add(alternates)
            .saturating_add(self.next.as_ref().map_or(0, |next| next.encoded_len().saturating_add(2)))
            .saturating_add(self.extensions.as_bytes().len())
    }

    #[inline]
    fn check(&self) -> Result<(), EncodeError> {
        let invalid = |field, reason| Err(EncodeError::Invalid { message: "Defer", field, reason });
        at_most("Defer", "receipt", self.receipt.len(), RECEIPT)?;
        at_most("Defer", "alternates", self.alternates.len(), ALTERNATES)?;
        if self.kind.name().is_none() {
            return invalid("kind", "no kind of deferral");
        }
        is_sayable("Defer", "queue_length", self.queue_length)?;
        is_sayable("Defer", "estimate_ms", self.estimate_ms)?;
        is_sayable("Defer", "retry_after_ms", self.retry_after_ms)?;
        match (&self.next, self.kind == DeferKind::CONTINUE) {
            (Some(next), true) => next.check("Defer"),
            (None, false) if self.next_flags.is_empty() => Ok(()),
            _ => invalid("next", "in a continuation, and only there"),
        }
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        let mut head = writer.lend(KEY + 1 + 16);
        self.key.write(&mut head);
        put!(in Big; &mut head, { kind: u8 = self.kind.0 });
        head.put(&self.server.0);
        self.reason.write(writer);
        put!(in Big; writer, {
            queue_length: u32 = optional(self.queue_length), estimate_ms: u32 = optional(self.estimate_ms),
            retry_after_ms: u32 = optional(self.retry_after_ms), receipt_size: u8 = length_u8(self.receipt.len())
        });
        writer.put(&self.receipt);
        put!(in Big; writer, { count: u8 = length_u8(self.alternates.len()) });
        self.alternates.iter().for_each(|alternate| alternate.write(writer));
        if let Some(next) = &self.next {
            put!(in Big; writer, { next_flags: u16 = self.next_flags.bits() });
            next.write(writer);
        }
        writer.put(self.extensions.as_bytes());
    }
}

impl Alternate {
    fn parse(body: &mut Body<'_>) -> Result<Self, DecodeError> {
        let abilities = ServerAbilities::from_bits_retain(body.u8("abilities")?);
        let server = ServerId(body.array("alternate_server")?);
        let size = body.u16("uri_size")?;
        Ok(Self { uri: uri(body, "uri_size", "uri", size)?, abilities, server })
    }

    #[inline]
    fn encoded_len(&self) -> usize {
        ALTERNATE.saturating_add(self.uri.as_str().len())
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        let (uri, mut head) = (self.uri.as_str(), writer.lend(ALTERNATE));
        put!(in Big; &mut head, { abilities: u8 = self.abilities.bits() });
        head.put(&self.server.0);
        put!(in Big; &mut head, { size: u16 = length_u16(uri.len()) });
        writer.put(uri.as_bytes());
    }
}

impl Native for Message {
    const PROTOCOL: Protocol = Protocol::DEFERRAL;

    #[inline]
    fn kind(&self) -> u8 {
        let kind = match self {
            Self::Request(_) => MessageKind::REQUEST,
            Self::Cancel(_) => MessageKind::CANCEL,
            Self::Queued(_) => MessageKind::QUEUED,
            Self::Executing(_) => MessageKind::EXECUTING,
            Self::Data(_) => MessageKind::DATA,
            Self::End(_) => MessageKind::END,
            Self::Defer(_) => MessageKind::DEFER,
            Self::Cancelled(_) => MessageKind::CANCELLED,
            Self::Refused(_) => MessageKind::REFUSED,
            Self::Unknown { kind, .. } => *kind,
        };
        kind.0
    }

    fn name(&self) -> &'static str {
        MessageKind(self.kind()).name().unwrap_or("Unknown")
    }

    fn parse(kind: u8, flags: FrameFlags, whole: &Bytes) -> Result<Self, DecodeError> {
        let kind = MessageKind(kind);
        Ok(match kind {
            MessageKind::REQUEST => Self::Request(Box::new(Request::parse(whole)?)),
            MessageKind::CANCEL => Self::Cancel(signal("Cancel", whole)?),
            MessageKind::QUEUED => {
                let mut body = Body::new("Queued", whole);
                let key = RequestKey::parse(&mut body)?;
                let (position, estimate_ms) = (body.u32("position")?, body.optional("estimate_ms")?);
                Self::Queued(Queued { key, position, estimate_ms, extensions: body.extensions()? })
            }
            MessageKind::EXECUTING => Self::Executing(signal("Executing", whole)?),
            MessageKind::DATA => {
                let mut body = Body::new("Data", whole);
                let key = RequestKey::parse(&mut body)?;
                let size = usize::try_from(body.u32("size")?).unwrap_or(usize::MAX);
                let bytes = body.share("bytes", size)?;
                Self::Data(Data { key, bytes, extensions: body.extensions()? })
            }
            MessageKind::END => {
                let mut body = Body::new("End", whole);
                let key = RequestKey::parse(&mut body)?;
                let (status, text) = (body.i32("status")?, body.text("text")?);
                Self::End(End { key, status, text, extensions: body.extensions()? })
            }
            MessageKind::DEFER => Self::Defer(Box::new(Defer::parse(whole)?)),
            MessageKind::CANCELLED => Self::Cancelled(signal("Cancelled", whole)?),
            MessageKind::REFUSED => {
                let mut body = Body::new("Refused", whole);
                let key = RequestKey::parse(&mut body)?;
                let (code, text) = (RefusalCode(body.u16("code")?), body.text("text")?);
                Self::Refused(Refused { key, code, text, extensions: body.extensions()? })
            }
            _ if flags.contains(FrameFlags::CRITICAL) => {
                let reason = "a message that must be understood";
                return Err(DecodeError::unsupported("Header", "kind", reason, u64::from(kind.0)));
            }
            _ => Self::Unknown { kind, body: whole.clone() },
        })
    }

    #[inline]
    fn body_len(&self) -> usize {
        let (fixed, extensions) = match self {
            Self::Request(request) => return request.encoded_len(),
            Self::Defer(defer) => return defer.encoded_len(),
            Self::Unknown { body, .. } => return body.len(),
            Self::Cancel(signal) | Self::Executing(signal) | Self::Cancelled(signal) => (0, &signal.extensions),
            Self::Queued(queued) => (8, &queued.extensions),
            Self::Data(data) => (data.bytes.len().saturating_add(4), &data.extensions),
            Self::End(end) => (end.text.encoded_len().saturating_add(4), &end.extensions),
            Self::Refused(refused) => (refused.text.encoded_len().saturating_add(2), &refused.extensions),
        };
        KEY.saturating_add(fixed).saturating_add(extensions.as_bytes().len())
    }

    #[inline]
    fn check(&self) -> Result<(), EncodeError> {
        match self {
            Self::Request(request) => request.check(),
            Self::Defer(defer) => defer.check(),
            Self::Data(data) => fits_u32("Data", "bytes", data.bytes.len()),
            Self::Queued(queued) => is_sayable("Queued", "estimate_ms", queued.estimate_ms),
            Self::Unknown { kind, .. } if kind.name().is_some() => {
                Err(EncodeError::Invalid { message: "Unknown", field: "kind", reason: "a kind that is known" })
            }
            _ => Ok(()),
        }
    }

    #[inline]
    fn write_body(&self, writer: &mut Writer<'_>) {
        let extensions = match self {
            Self::Request(request) => return request.write(writer),
            Self::Defer(defer) => return defer.write(writer),
            Self::Unknown { body, .. } => return writer.put(body),
            Self::Cancel(signal) | Self::Executing(signal) | Self::Cancelled(signal) => {
                signal.key.write(writer);
                &signal.extensions
            }
            Self::Queued(Queued { key, position, estimate_ms, extensions }) => {
                key.write(writer);
                put!(in Big; writer, { position: u32 = *position, estimate_ms: u32 = optional(*estimate_ms) });
                extensions
            }
            Self::Data(Data { key, bytes, extensions }) => {
                key.write(writer);
                put!(in Big; writer, { size: u32 = length_u32(bytes.len()) });
                writer.put(bytes);
                extensions
            }
            Self::End(End { key, status, text, extensions }) => {
                key.write(writer);
                put!(in Big; writer, { status: i32 = *status });
                text.write(writer);
                extensions
            }
            Self::Refused(Refused { key, code, text, extensions }) => {
                key.write(writer);
                put!(in Big; writer, { code: u16 = code.0 });
                text.write(writer);
                extensions
            }
        };
        writer.put(extensions.as_bytes());
    }
}

fn signal(message: &'static str, whole: &Bytes) -> Result<Signal, DecodeError> {
    let mut body = Body::new(message, whole);
    Ok(Signal { key: RequestKey::parse(&mut body)?, extensions: body.extensions()? })
}

fn receipt(body: &mut Body<'_>) -> Result<Bytes, DecodeError> {
    let size = body.u8("receipt_size")?;
    if usize::from(size) > RECEIPT {
        return Err(body.invalid("receipt_size", "at most 64", u64::from(size)));
    }
    body.share("receipt", usize::from(size))
}

/// A URI of `size` bytes.
fn uri(
    body: &mut Body<'_>,
    size_field: &'static str,
    field: &'static str,
    size: u16,
) -> Result<ServerUri, DecodeError> {
    let length = usize::from(size);
    if length > ServerUri::MAX {
        return Err(body.invalid(size_field, "at most 1024", u64::from(size)));
    }
    let raw = body.slice(field, length)?;
    ServerUri::from_wire(raw).map_err(|reason| body.invalid(field, reason, u64::from(size)))
}

/// UTF-8 without control characters; if it is not, why, and the byte or character that shows it.
fn plain_text(raw: &[u8]) -> Result<&str, (&'static str, u64)> {
    let text = core::str::from_utf8(raw).map_err(|error| {
        let byte = raw.get(error.valid_up_to()).copied().unwrap_or_default();
        ("no UTF-8", u64::from(byte))
    })?;
    match text.chars().find(|c| c.is_control()) {
        Some(control) => Err(("a control character", u64::from(u32::from(control)))),
        None => Ok(text),
    }
}

/// The largest value stands for none.
fn is_sayable(message: &'static str, field: &'static str, value: Option<u32>) -> Result<(), EncodeError> {
    if value == Some(u32::MAX) {
        return Err(EncodeError::Invalid { message, field, reason: "the largest value stands for none" });
    }
    Ok(())
}

fn optional(value: Option<u32>) -> u32 {
    value.unwrap_or(u32::MAX)
}

fn length_u16(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

fn length_u8(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

fn at_most(message: &'static str, field: &'static str, got: usize, max: usize) -> Result<(), EncodeError> {
    let (max, got) = (to_u64(max), to_u64(got));
    if got > max { Err(EncodeError::TooLong { message, field, max, got }) } else { Ok(()) }
}
