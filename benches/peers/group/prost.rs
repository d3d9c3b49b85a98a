//! prost on messages of like content, in the form that people use for shared bytes.

use bytes::Bytes;

/// A token.
#[derive(Clone, PartialEq, ::prost::Message)]
pub(crate) struct Token {
    #[prost(uint32, tag = "1")]
    pub(crate) index: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) generation: u32,
}

/// A provider.
#[derive(Clone, PartialEq, ::prost::Message)]
pub(crate) struct Provider {
    #[prost(uint32, tag = "1")]
    pub(crate) node: u32,
    #[prost(sint32, tag = "2")]
    pub(crate) instance: i32,
    #[prost(fixed64, tag = "3")]
    pub(crate) incarnation: u64,
}

/// A proposal.
#[derive(Clone, PartialEq, ::prost::Message)]
pub(crate) struct Proposal {
    #[prost(message, optional, tag = "1")]
    pub(crate) proposer: Option<Provider>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) joining: Vec<Provider>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub(crate) state: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub(crate) source_state: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "5")]
    pub(crate) message: Option<Bytes>,
}

/// A phase.
#[derive(Clone, PartialEq, ::prost::Message)]
pub(crate) struct Phase {
    #[prost(message, optional, tag = "1")]
    pub(crate) token: Option<Token>,
    #[prost(fixed64, tag = "2")]
    pub(crate) group: u64,
    #[prost(fixed64, tag = "3")]
    pub(crate) sequence: u64,
    #[prost(fixed64, tag = "4")]
    pub(crate) protocol: u64,
    #[prost(uint32, tag = "5")]
    pub(crate) kind: u32,
    #[prost(uint32, tag = "6")]
    pub(crate) phase: u32,
    #[prost(uint32, tag = "7")]
    pub(crate) time_limit: u32,
    #[prost(uint32, tag = "8")]
    pub(crate) default_vote: u32,
    #[prost(uint32, tag = "9")]
    pub(crate) summary: u32,
    #[prost(message, optional, boxed, tag = "10")]
    pub(crate) proposal: Option<Box<Proposal>>,
}

fn token([index, generation]: [u32; 2]) -> Option<Token> {
    Some(Token { index, generation })
}

impl From<&super::Phase> for Phase {
    fn from(phase: &super::Phase) -> Self {
        let super::Provider { node, instance, incarnation } = phase.proposer;
        Self {
            token: token(phase.token),
            group: phase.group,
            sequence: phase.sequence,
            protocol: phase.protocol,
            kind: phase.kind.into(),
            phase: phase.phase,
            time_limit: phase.time_limit.into(),
            default_vote: phase.default_vote.into(),
            summary: phase.summary.into(),
            proposal: Some(Box::new(Proposal {
                proposer: Some(Provider { node, instance: instance.into(), incarnation }),
                joining: Vec::new(),
                state: Some(phase.state.clone().into()),
                source_state: None,
                message: Some(phase.message.clone().into()),
            })),
        }
    }
}

/// A vote.
#[derive(Clone, PartialEq, ::prost::Message)]
pub(crate) struct Vote {
    #[prost(message, optional, tag = "1")]
    pub(crate) token: Option<Token>,
    #[prost(fixed64, tag = "2")]
    pub(crate) protocol: u64,
    #[prost(uint32, tag = "3")]
    pub(crate) phase: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) vote: u32,
    #[prost(uint32, optional, tag = "5")]
    pub(crate) default_vote: Option<u32>,
    #[prost(bytes = "bytes", optional, tag = "6")]
    pub(crate) state: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "7")]
    pub(crate) message: Option<Bytes>,
}

impl From<&super::Vote> for Vote {
    fn from(vote: &super::Vote) -> Self {
        Self {
            token: token(vote.token),
            protocol: vote.protocol,
            phase: vote.phase,
            vote: vote.vote.into(),
            default_vote: None,
            state: Some(vote.state.clone().into()),
            message: None,
        }
    }
}
