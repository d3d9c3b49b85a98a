//! The floor: a cursor over a slice, written for these two messages and nothing else.

use super::native::{Cursor, Sink, share};
use bytes::Bytes;

/// The number of the protocol.
const DEFERRAL: u8 = 1;

impl<'a> Cursor<'a> {
    #[inline(always)]
    fn text(&mut self, size: usize) -> Option<&'a str> {
        let text = std::str::from_utf8(self.bytes(size)?).ok()?;
        (!text.contains(char::is_control)).then_some(text)
    }
}

/// A REQUEST as a cursor reads it; arguments are shown one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestView<'a> {
    pub(crate) id: [u8; 16],
    pub(crate) epoch: u16,
    pub(crate) flags: u16,
    pub(crate) deadline_ms: u32,
    pub(crate) receipt: &'a [u8],
    pub(crate) credentials: &'a [u8],
    pub(crate) referrer: &'a str,
    pub(crate) command: &'a str,
    pub(crate) arguments: u16,
}

/// Every size lies within the body and its bound.
#[inline]
pub(crate) fn decode_request<'a>(body: &'a [u8], mut each: impl FnMut(&'a [u8])) -> Option<RequestView<'a>> {
    let mut cursor = Cursor(body);
    let (id, epoch) = (cursor.array()?, cursor.u16()?);
    let (flags, deadline_ms) = (cursor.u16()?, cursor.u32()?);
    let size = cursor.u8().filter(|size| *size <= 64)?;
    let receipt = cursor.bytes(size.into())?;
    let size = cursor.u16()?;
    let credentials = cursor.bytes(size.into())?;
    let size = cursor.u16().filter(|size| *size <= 1024)?;
    let referrer = cursor.text(size.into())?;
    let size = cursor.u16().filter(|size| (1..=256).contains(size))?;
    let command = cursor.text(size.into())?;
    let arguments = cursor.u16()?;
    for _ in 0..arguments {
        let size = cursor.u32()?;
        each(cursor.bytes(usize::try_from(size).ok()?)?);
    }
    let whole = cursor.0.is_empty();
    whole.then_some(RequestView { id, epoch, flags, deadline_ms, receipt, credentials, referrer, command, arguments })
}

/// The same, to be kept: texts of its own, all else shares the buffer.
#[derive(Debug)]
pub(crate) struct RequestKept {
    pub(crate) id: [u8; 16],
    pub(crate) epoch: u16,
    pub(crate) flags: u16,
    pub(crate) deadline_ms: u32,
    pub(crate) receipt: Bytes,
    pub(crate) credentials: Bytes,
    pub(crate) referrer: Box<str>,
    pub(crate) command: String,
    pub(crate) arguments: Vec<Bytes>,
}

#[inline]
pub(crate) fn keep_request(body: &Bytes) -> Option<Box<RequestKept>> {
    let mut arguments = Vec::with_capacity(super::ARGUMENTS);
    let view = decode_request(body, |argument| arguments.push(share(body, argument)))?;
    Some(Box::new(RequestKept {
        id: view.id,
        epoch: view.epoch,
        flags: view.flags,
        deadline_ms: view.deadline_ms,
        receipt: share(body, view.receipt),
        credentials: share(body, view.credentials),
        referrer: view.referrer.into(),
        command: view.command.into(),
        arguments,
    }))
}

/// A DEFER as a cursor reads it; alternates are shown one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeferView<'a> {
    pub(crate) id: [u8; 16],
    pub(crate) epoch: u16,
    pub(crate) kind: u8,
    pub(crate) server: [u8; 16],
    pub(crate) reason: &'a str,
    pub(crate) numbers: [u32; 3],
    pub(crate) receipt: &'a [u8],
    pub(crate) alternates: u8,
}

/// Every size lies within the body and its bound.
#[inline]
pub(crate) fn decode_defer<'a>(body: &'a [u8], mut each: impl FnMut(u8, [u8; 16], &'a str)) -> Option<DeferView<'a>> {
    let mut cursor = Cursor(body);
    let (id, epoch) = (cursor.array()?, cursor.u16()?);
    let kind = cursor.u8().filter(|kind| matches!(kind, 1 | 2 | 4))?;
    let server = cursor.array()?;
    let size = cursor.u8()?;
    let reason = cursor.text(size.into())?;
    let numbers = [cursor.u32()?, cursor.u32()?, cursor.u32()?];
    let size = cursor.u8().filter(|size| *size <= 64)?;
    let receipt = cursor.bytes(size.into())?;
    let alternates = cursor.u8().filter(|count| *count <= 32)?;
    for _ in 0..alternates {
        let (abilities, server) = (cursor.u8()?, cursor.array()?);
        let size = cursor.u16().filter(|size| *size <= 1024)?;
        each(abilities, server, cursor.text(size.into())?);
    }
    let whole = cursor.0.is_empty();
    whole.then_some(DeferView { id, epoch, kind, server, reason, numbers, receipt, alternates })
}

/// The same, to be kept.
#[derive(Debug)]
pub(crate) struct DeferKept {
    pub(crate) id: [u8; 16],
    pub(crate) epoch: u16,
    pub(crate) kind: u8,
    pub(crate) server: [u8; 16],
    pub(crate) reason: String,
    pub(crate) numbers: [Option<u32>; 3],
    pub(crate) receipt: Bytes,
    pub(crate) alternates: Vec<(u8, [u8; 16], Box<str>)>,
}

#[inline]
pub(crate) fn keep_defer(body: &Bytes) -> Option<Box<DeferKept>> {
    let mut alternates = Vec::with_capacity(super::ALTERNATES);
    let view = decode_defer(body, |abilities, server, uri| alternates.push((abilities, server, uri.into())))?;
    Some(Box::new(DeferKept {
        id: view.id,
        epoch: view.epoch,
        kind: view.kind,
        server: view.server,
        reason: view.reason.into(),
        numbers: view.numbers.map(|number| (number != u32::MAX).then_some(number)),
        receipt: share(body, view.receipt),
        alternates,
    }))
}

/// One check of the size up front. Returns how many bytes were written, with the frame's header.
#[inline]
pub(crate) fn encode_request(request: &super::Request, room: &mut [u8]) -> Option<usize> {
    let arguments: usize = request.arguments.iter().map(|argument| 4 + argument.len()).sum();
    let texts = request.receipt.len() + request.credentials.len() + request.referrer.len() + request.command.len();
    let body = 18 + 6 + 1 + 2 + 2 + 2 + 2 + texts + arguments;
    let mut sink = Sink::frame(room, DEFERRAL, 0x01, body)?;
    sink.put(&request.id);
    sink.put(&request.epoch.to_be_bytes());
    sink.put(&request.flags.to_be_bytes());
    sink.put(&request.deadline_ms.to_be_bytes());
    sink.put(&[u8::try_from(request.receipt.len()).ok()?]);
    sink.put(&request.receipt);
    sink.sized(&request.credentials)?;
    sink.sized(request.referrer.as_bytes())?;
    sink.sized(request.command.as_bytes())?;
    sink.put(&u16::try_from(request.arguments.len()).ok()?.to_be_bytes());
    for argument in &request.arguments {
        sink.put(&u32::try_from(argument.len()).ok()?.to_be_bytes());
        sink.put(argument);
    }
    Some(8 + body)
}

/// The same for a deferral.
#[inline]
pub(crate) fn encode_defer(defer: &super::Defer, room: &mut [u8]) -> Option<usize> {
    let alternates: usize = defer.alternates.iter().map(|alternate| 19 + alternate.uri.len()).sum();
    let body = 18 + 1 + 16 + 1 + defer.reason.len() + 12 + 1 + defer.receipt.len() + 1 + alternates;
    let mut sink = Sink::frame(room, DEFERRAL, 0x85, body)?;
    sink.put(&defer.id);
    sink.put(&defer.epoch.to_be_bytes());
    sink.put(&[defer.kind]);
    sink.put(&defer.server);
    sink.put(&[u8::try_from(defer.reason.len()).ok()?]);
    sink.put(defer.reason.as_bytes());
    sink.put(&defer.queue_length.to_be_bytes());
    sink.put(&defer.estimate_ms.to_be_bytes());
    sink.put(&defer.retry_after_ms.to_be_bytes());
    sink.put(&[u8::try_from(defer.receipt.len()).ok()?]);
    sink.put(&defer.receipt);
    sink.put(&[u8::try_from(defer.alternates.len()).ok()?]);
    for alternate in &defer.alternates {
        sink.put(&[alternate.abilities]);
        sink.put(&alternate.server);
        sink.sized(alternate.uri.as_bytes())?;
    }
    Some(8 + body)
}
