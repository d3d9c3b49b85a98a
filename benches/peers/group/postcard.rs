//! postcard on messages of like content, in its best form: borrowed, integers not as varints.

use super::raw::Raw;
use serde::{Deserialize, Serialize};

/// A provider.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Provider {
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) node: u32,
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) instance: i16,
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) incarnation: u64,
}

/// A token.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Token {
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) index: u32,
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) generation: u32,
}

impl From<[u32; 2]> for Token {
    fn from([index, generation]: [u32; 2]) -> Self {
        Self { index, generation }
    }
}

/// A phase. What these have none of has a byte that says so.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Phase<'a> {
    pub(crate) token: Token,
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) group: u64,
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) sequence: u64,
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) protocol: u64,
    pub(crate) kind: u8,
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) phase: u32,
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) time_limit: u16,
    pub(crate) default_vote: u8,
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) summary: u16,
    pub(crate) proposer: Option<Provider>,
    /// Joiners, leavers, expulsion.
    pub(crate) none: [u8; 3],
    #[serde(borrow)]
    pub(crate) state: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(crate) source_state: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(crate) message: Option<Raw<'a>>,
    /// Attributes, own vote.
    pub(crate) nothing: [u8; 2],
}

impl<'a> From<&'a super::Phase> for Phase<'a> {
    fn from(phase: &'a super::Phase) -> Self {
        let super::Provider { node, instance, incarnation } = phase.proposer;
        Self {
            token: phase.token.into(),
            group: phase.group,
            sequence: phase.sequence,
            protocol: phase.protocol,
            kind: phase.kind,
            phase: phase.phase,
            time_limit: phase.time_limit,
            default_vote: phase.default_vote,
            summary: phase.summary,
            proposer: Some(Provider { node, instance, incarnation }),
            none: [0; 3],
            state: Some(Raw(&phase.state)),
            source_state: None,
            message: Some(Raw(&phase.message)),
            nothing: [0; 2],
        }
    }
}

/// A vote.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Vote<'a> {
    pub(crate) token: Token,
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) protocol: u64,
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) phase: u32,
    pub(crate) vote: u8,
    pub(crate) default_vote: Option<u8>,
    #[serde(borrow)]
    pub(crate) state: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(crate) message: Option<Raw<'a>>,
}

impl<'a> From<&'a super::Vote> for Vote<'a> {
    fn from(vote: &'a super::Vote) -> Self {
        Self {
            token: vote.token.into(),
            protocol: vote.protocol,
            phase: vote.phase,
            vote: vote.vote,
            default_vote: None,
            state: Some(Raw(&vote.state)),
            message: None,
        }
    }
}
