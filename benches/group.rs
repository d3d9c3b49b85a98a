//! Group Services: decoding and encoding a phase and a vote, beside a hand-written floor and other codecs.
//!
//! The phase is the second one of a change of the state value, with a message of a voter; the vote is one for another
//! phase, with another state value. One iteration is a pass over [`pass::PASS`] = 1000 of them, so that a time in µs reads
//! as ns for a message; `same` repeats one message, `varied` has 1000 different ones. Inputs are made beforehand. What
//! comes out is shown to `black_box` and dropped within the time.
//!
//! `handover` and `hand_kept` give a message that can be kept: values share the buffer, a proposal stands for itself.
//! `hand_cursor` and `postcard` borrow everything, and are there to show what keeping costs; `prost` keeps.
//!
//! What is wanted, by medians of one run on a quiet machine: decode at most 2.5 × `hand_kept` and ahead of `prost`;
//! encode at most 1.3 × `hand_cursor`. The last is not reached: it is 1.6 to 1.8 × for a vote and 2.0 to 2.1 × for a phase.
//! The floor knows one message and what it has none of; here that is asked, part by part, and which of 32 messages it is.
//! Nor is `prost` left behind: it takes as long (1.6 to 2.0 × `hand_kept` for a phase, where this takes 1.8; 2.3 to 2.6 ×
//! for a vote, where this takes 2.4), by what is in the messages and where the build puts its code.

#[path = "group/join.rs"]
mod join;
#[path = "peers/pass.rs"]
mod pass;
#[path = "peers/group/mod.rs"]
mod peers;

use ::handover::frame::{Extensions, FrameFlags, Header, Native};
use ::handover::group::message::{Ballot, Message, Open, Phase, Vote};
use ::handover::group::proposal::Proposal;
use ::handover::group::{
    GroupId, ProtocolId, ProtocolKind, ProviderId, ProviderMessage, Sequence, StateValue, Summary, Token,
    Vote as VoteValue,
};
use ::handover::wire::Encode;
use ::prost::Message as _;
use bytes::Bytes;
use divan::{Bencher, black_box};
use pass::{PASSES, Pass, pass, pass_into, pass_onto};
use peers::hand;

fn main() {
    divan::main();
}

fn token([index, generation]: [u32; 2]) -> Token {
    Token { index, generation }
}

fn phase(index: usize) -> Message {
    let phase = peers::phase(index);
    let peers::Provider { node, instance, incarnation } = phase.proposer;
    Message::Phase(Phase {
        token: token(phase.token),
        group: GroupId(phase.group),
        sequence: Sequence(phase.sequence),
        open: Open {
            protocol: ProtocolId(phase.protocol),
            kind: ProtocolKind(phase.kind),
            phase: phase.phase,
            time_limit: phase.time_limit,
            default_vote: VoteValue(phase.default_vote),
            summary: Summary::from_bits_retain(phase.summary),
            proposal: Box::new(Proposal {
                proposer: Some(ProviderId { node, instance, incarnation }),
                state: StateValue::new(phase.state),
                message: ProviderMessage::new(phase.message),
                ..Proposal::default()
            }),
            vote: None,
        },
        extensions: Extensions::NONE,
    })
}

fn vote(index: usize) -> Message {
    let vote = peers::vote(index);
    Message::Vote(Vote {
        token: token(vote.token),
        protocol: ProtocolId(vote.protocol),
        phase: vote.phase,
        ballot: Ballot {
            vote: VoteValue(vote.vote),
            default_vote: None,
            state: StateValue::new(vote.state),
            message: None,
        },
        extensions: Extensions::NONE,
    })
}

const PHASE: u8 = 0x84;
const VOTE: u8 = 0x06;

/// A body as it comes out of a receive buffer: a part of something shared. The floor reads and writes the same bytes.
fn phase_body(index: usize) -> Bytes {
    let bytes = Bytes::from(phase(index).framed().to_vec().unwrap());
    let (peer, mut room) = (peers::phase(index), [0; 512]);
    let size = hand::encode_phase(&peer, &mut room).unwrap();
    assert_eq!(room[..size], bytes);
    let body = bytes.slice(Header::SIZE..);
    let kept = hand::keep_phase(&body).unwrap();
    let Message::Phase(read) = parse(PHASE, &body) else { panic!("a phase") };
    let Open { protocol, kind, phase, time_limit, default_vote, summary, .. } = read.open;
    assert_eq!(
        (read.group.0, read.sequence.0, protocol.0, kind.0),
        (kept.group, kept.sequence, kept.protocol, kept.kind)
    );
    assert_eq!(
        (phase, time_limit, default_vote.0, summary.bits()),
        (kept.phase, kept.time_limit, kept.default_vote, kept.summary)
    );
    assert_eq!(([read.token.index, read.token.generation], Some(peer.proposer)), (kept.token, kept.proposal.proposer));
    assert_eq!(read.open.proposal.state.map(Bytes::from), kept.proposal.state);
    assert_eq!(read.open.proposal.message.map(Bytes::from), kept.proposal.message);
    assert_eq!((kept.proposal.joining.len(), kept.proposal.leaving.len(), kept.proposal.source_state), (0, 0, None));
    body
}

/// The same of a vote.
fn vote_body(index: usize) -> Bytes {
    let bytes = Bytes::from(vote(index).framed().to_vec().unwrap());
    let (peer, mut room) = (peers::vote(index), [0; 512]);
    let size = hand::encode_vote(&peer, &mut room).unwrap();
    assert_eq!(room[..size], bytes);
    let body = bytes.slice(Header::SIZE..);
    let kept = hand::keep_vote(&body).unwrap();
    let Message::Vote(read) = parse(VOTE, &body) else { panic!("a vote") };
    assert_eq!((token(kept.token), kept.protocol, kept.phase), (read.token, read.protocol.0, read.phase));
    assert_eq!((read.ballot.vote.0, read.ballot.default_vote.map(|vote| vote.0)), (kept.vote, kept.default_vote));
    assert_eq!((read.ballot.state.map(Bytes::from), read.ballot.message.map(Bytes::from)), (kept.state, kept.message));
    body
}

fn parse(kind: u8, body: &Bytes) -> Message {
    Message::parse(black_box(kind), FrameFlags::empty(), body).unwrap()
}

macro_rules! benches {
    ($decode:ident, $encode:ident, $peer:ident, $message:ident, $body:ident, $kind:ident, $keep:ident, $cursor:ident,
     $write:ident, $type:ident) => {
        mod $decode {
            use crate::*;

            #[divan::bench(args = PASSES)]
            fn handover(bencher: Bencher<'_, '_>, kind: Pass) {
                pass(bencher, &kind.items($body), |body| parse($kind, body));
            }

            #[divan::bench(args = PASSES)]
            fn hand_kept(bencher: Bencher<'_, '_>, kind: Pass) {
                pass(bencher, &kind.items($body), |body| hand::$keep(body).unwrap());
            }

            #[divan::bench(args = PASSES)]
            fn hand_cursor(bencher: Bencher<'_, '_>, kind: Pass) {
                pass(bencher, &kind.items($body), |body| {
                    hand::$cursor(body).map(|view| black_box(view).phase).unwrap()
                });
            }

            #[divan::bench(args = PASSES)]
            fn postcard(bencher: Bencher<'_, '_>, kind: Pass) {
                let encoded = |index| {
                    let mut room = [0; 512];
                    ::postcard::to_slice(&peers::postcard::$type::from(&peers::$peer(index)), &mut room)
                        .unwrap()
                        .to_vec()
                };
                pass(bencher, &kind.items(encoded), |bytes| {
                    let message: peers::postcard::$type<'_> = ::postcard::from_bytes(bytes).unwrap();
                    black_box(message).phase
                });
            }

            #[divan::bench(args = PASSES)]
            fn prost(bencher: Bencher<'_, '_>, kind: Pass) {
                let encoded = |index| Bytes::from(peers::prost::$type::from(&peers::$peer(index)).encode_to_vec());
                pass(bencher, &kind.items(encoded), |bytes| peers::prost::$type::decode(bytes.clone()).unwrap());
            }
        }

        mod $encode {
            use crate::*;

            #[divan::bench(args = PASSES)]
            fn handover(bencher: Bencher<'_, '_>, kind: Pass) {
                pass_into(bencher, &kind.items($message), |message, room| message.framed().encode(room).unwrap());
            }

            #[divan::bench(args = PASSES)]
            fn hand_cursor(bencher: Bencher<'_, '_>, kind: Pass) {
                pass_into(bencher, &kind.items(peers::$peer), |message, room| hand::$write(message, room).unwrap());
            }

            #[divan::bench(args = PASSES)]
            fn postcard(bencher: Bencher<'_, '_>, kind: Pass) {
                pass_into(bencher, &kind.items(peers::$peer), |message, room| {
                    ::postcard::to_slice(&peers::postcard::$type::from(message), room).unwrap().len()
                });
            }

            #[divan::bench(args = PASSES)]
            fn prost(bencher: Bencher<'_, '_>, kind: Pass) {
                let owned = |index| peers::prost::$type::from(&peers::$peer(index));
                pass_onto(bencher, &kind.items(owned), |message, buffer| message.encode(buffer).unwrap());
            }
        }
    };
}

benches! { decode_phase, encode_phase, phase, phase, phase_body, PHASE, keep_phase, decode_phase, encode_phase, Phase }
benches! { decode_vote, encode_vote, vote, vote, vote_body, VOTE, keep_vote, decode_vote, encode_vote, Vote }
