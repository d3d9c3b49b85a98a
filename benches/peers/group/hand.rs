//! The floor: a cursor over a slice, written for these two messages and nothing else.

use super::Provider;
use super::native::{Cursor, Sink, share};
use bytes::Bytes;

/// The number of the protocol.
const GROUP: u8 = 2;

impl<'a> Cursor<'a> {
    #[inline(always)]
    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// Whether there is something.
    #[inline(always)]
    fn is_there(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// Bytes behind their size, within bounds.
    #[inline(always)]
    fn sized(&mut self, least: u16, most: u16) -> Option<&'a [u8]> {
        let size = self.u16().filter(|size| (least..=most).contains(size))?;
        self.bytes(size.into())
    }

    /// The same, if there are any.
    #[inline(always)]
    fn optional(&mut self, least: u16, most: u16) -> Option<Option<&'a [u8]>> {
        Some(if self.is_there()? { Some(self.sized(least, most)?) } else { None })
    }

    #[inline(always)]
    fn provider(&mut self) -> Option<Provider> {
        let (node, instance) = (self.u32()?, i16::from_be_bytes(self.array()?));
        Some(Provider { node, instance, incarnation: self.u64()? })
    }

    /// What may be in a proposal, and is not in these.
    #[inline(always)]
    fn none(&mut self) -> Option<()> {
        (!self.is_there()?).then_some(())
    }
}

/// A PHASE as a cursor reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PhaseView<'a> {
    pub(crate) token: [u32; 2],
    pub(crate) group: u64,
    pub(crate) sequence: u64,
    pub(crate) protocol: u64,
    pub(crate) kind: u8,
    pub(crate) phase: u32,
    pub(crate) time_limit: u16,
    pub(crate) default_vote: u8,
    pub(crate) summary: u16,
    pub(crate) proposer: Option<Provider>,
    pub(crate) state: Option<&'a [u8]>,
    pub(crate) message: Option<&'a [u8]>,
}

/// Every size lies within the body and its bound.
#[inline]
pub(crate) fn decode_phase(body: &[u8]) -> Option<PhaseView<'_>> {
    let mut cursor = Cursor(body);
    let token = [cursor.u32()?, cursor.u32()?];
    let (group, sequence, protocol) = (cursor.u64()?, cursor.u64()?, cursor.u64()?);
    let (kind, phase, time_limit) = (cursor.u8()?, cursor.u32()?, cursor.u16()?);
    let (default_vote, summary) = (cursor.u8()?, cursor.u16()?);
    let proposer = if cursor.is_there()? { Some(cursor.provider()?) } else { None };
    // Who joins, who leaves.
    if cursor.u16()? != 0 || cursor.u16()? != 0 {
        return None;
    }
    cursor.none()?;
    let state = cursor.optional(0, 256)?;
    cursor.none()?;
    let message = cursor.optional(1, 2048)?;
    cursor.none()?;
    cursor.none()?;
    let whole = cursor.0.is_empty();
    whole.then_some(PhaseView {
        token,
        group,
        sequence,
        protocol,
        kind,
        phase,
        time_limit,
        default_vote,
        summary,
        proposer,
        state,
        message,
    })
}

/// A proposal that can hold whatever one can.
#[derive(Clone, Debug)]
pub(crate) struct ProposalKept {
    pub(crate) proposer: Option<Provider>,
    pub(crate) joining: Vec<Provider>,
    pub(crate) leaving: Vec<(Provider, u8, u32)>,
    pub(crate) state: Option<Bytes>,
    pub(crate) source_state: Option<Bytes>,
    pub(crate) message: Option<Bytes>,
}

/// The same, to be kept: values share the buffer, the proposal stands for itself.
#[derive(Clone, Debug)]
pub(crate) struct PhaseKept {
    pub(crate) token: [u32; 2],
    pub(crate) group: u64,
    pub(crate) sequence: u64,
    pub(crate) protocol: u64,
    pub(crate) kind: u8,
    pub(crate) phase: u32,
    pub(crate) time_limit: u16,
    pub(crate) default_vote: u8,
    pub(crate) summary: u16,
    pub(crate) proposal: Box<ProposalKept>,
}

#[inline]
pub(crate) fn keep_phase(body: &Bytes) -> Option<PhaseKept> {
    let view = decode_phase(body)?;
    Some(PhaseKept {
        token: view.token,
        group: view.group,
        sequence: view.sequence,
        protocol: view.protocol,
        kind: view.kind,
        phase: view.phase,
        time_limit: view.time_limit,
        default_vote: view.default_vote,
        summary: view.summary,
        proposal: Box::new(ProposalKept {
            proposer: view.proposer,
            joining: Vec::new(),
            leaving: Vec::new(),
            state: view.state.map(|state| share(body, state)),
            source_state: None,
            message: view.message.map(|message| share(body, message)),
        }),
    })
}

/// A VOTE as a cursor reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VoteView<'a> {
    pub(crate) token: [u32; 2],
    pub(crate) protocol: u64,
    pub(crate) phase: u32,
    pub(crate) vote: u8,
    pub(crate) default_vote: Option<u8>,
    pub(crate) state: Option<&'a [u8]>,
    pub(crate) message: Option<&'a [u8]>,
}

/// Every size lies within the body and its bound.
#[inline]
pub(crate) fn decode_vote(body: &[u8]) -> Option<VoteView<'_>> {
    let mut cursor = Cursor(body);
    let token = [cursor.u32()?, cursor.u32()?];
    let (protocol, phase, vote) = (cursor.u64()?, cursor.u32()?, cursor.u8()?);
    let default_vote = if cursor.is_there()? { Some(cursor.u8()?) } else { None };
    let state = cursor.optional(0, 256)?;
    let message = cursor.optional(1, 2048)?;
    let whole = cursor.0.is_empty();
    whole.then_some(VoteView { token, protocol, phase, vote, default_vote, state, message })
}

/// The same, to be kept.
#[derive(Clone, Debug)]
pub(crate) struct VoteKept {
    pub(crate) token: [u32; 2],
    pub(crate) protocol: u64,
    pub(crate) phase: u32,
    pub(crate) vote: u8,
    pub(crate) default_vote: Option<u8>,
    pub(crate) state: Option<Bytes>,
    pub(crate) message: Option<Bytes>,
}

#[inline]
pub(crate) fn keep_vote(body: &Bytes) -> Option<VoteKept> {
    let view = decode_vote(body)?;
    Some(VoteKept {
        token: view.token,
        protocol: view.protocol,
        phase: view.phase,
        vote: view.vote,
        default_vote: view.default_vote,
        state: view.state.map(|state| share(body, state)),
        message: view.message.map(|message| share(body, message)),
    })
}

impl Sink<'_> {
    /// What is there, behind its size.
    #[inline(always)]
    fn some(&mut self, bytes: &[u8]) -> Option<()> {
        self.put(&[1]);
        self.sized(bytes)
    }
}

/// One check of the size up front. Returns how many bytes were written, with the frame's header.
#[inline]
pub(crate) fn encode_phase(phase: &super::Phase, room: &mut [u8]) -> Option<usize> {
    let body = 24 + 18 + 15 + 4 + 1 + 3 + phase.state.len() + 1 + 3 + phase.message.len() + 1 + 1;
    let mut sink = Sink::frame(room, GROUP, 0x84, body)?;
    sink.put(&phase.token[0].to_be_bytes());
    sink.put(&phase.token[1].to_be_bytes());
    sink.put(&phase.group.to_be_bytes());
    sink.put(&phase.sequence.to_be_bytes());
    sink.put(&phase.protocol.to_be_bytes());
    sink.put(&[phase.kind]);
    sink.put(&phase.phase.to_be_bytes());
    sink.put(&phase.time_limit.to_be_bytes());
    sink.put(&[phase.default_vote]);
    sink.put(&phase.summary.to_be_bytes());
    sink.put(&[1]);
    sink.put(&phase.proposer.node.to_be_bytes());
    sink.put(&phase.proposer.instance.to_be_bytes());
    sink.put(&phase.proposer.incarnation.to_be_bytes());
    sink.put(&[0; 5]);
    sink.some(&phase.state)?;
    sink.put(&[0]);
    sink.some(&phase.message)?;
    sink.put(&[0; 2]);
    Some(8 + body)
}

/// The same for a vote.
#[inline]
pub(crate) fn encode_vote(vote: &super::Vote, room: &mut [u8]) -> Option<usize> {
    let body = 8 + 8 + 4 + 1 + 1 + 3 + vote.state.len() + 1;
    let mut sink = Sink::frame(room, GROUP, 0x06, body)?;
    sink.put(&vote.token[0].to_be_bytes());
    sink.put(&vote.token[1].to_be_bytes());
    sink.put(&vote.protocol.to_be_bytes());
    sink.put(&vote.phase.to_be_bytes());
    sink.put(&[vote.vote, 0]);
    sink.some(&vote.state)?;
    sink.put(&[0]);
    Some(8 + body)
}
