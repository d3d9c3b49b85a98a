//! What providers vote on (spec/group.md 2.7).

use super::attributes::Attributes;
use super::ids::{LeaveReason, Phases};
use super::name::{ProviderId, ProviderMessage, StateValue};
use crate::error::{DecodeError, EncodeError};
use crate::frame::{Body, Value, record};
use crate::wire::{Writer, together};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

record! {
    /// Why a provider goes: the provider, u8 reason, u32 code.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[doc(alias = "ha_gs_leave_info_t")]
    pub struct Leave {
        /// Who.
        pub provider: ProviderId,
        /// Why.
        pub reason: LeaveReason,
        /// What it has said itself; 0 if it did not.
        #[doc(alias = "gs_voluntary_leave_code")]
        pub code: u32,
    }

    /// Who is to be expelled, and how: the providers, u32 phase, u32 size and flag.
    #[derive(Clone, PartialEq, Eq, Hash)]
    #[doc(alias = "ha_gs_expel_info_t")]
    pub struct Expulsion {
        /// Who. Each once.
        pub targets: Vec<ProviderId>,
        /// In which phase they are to deactivate themselves; 0: in none.
        #[doc(alias = "gs_deactivate_phase")]
        pub deactivate_phase: u32,
        /// What they are told to do so; the application's.
        #[doc(alias = "gs_deactivate_flag")]
        pub flag: Bytes,
    }

    /// What a protocol is about, as far as it has come.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
    #[doc(alias = "ha_gs_proposal_t")]
    pub struct Proposal {
        /// Who has proposed it; none: the coordinator.
        pub proposer: Option<ProviderId>,
        /// Who joins.
        pub joining: Vec<ProviderId>,
        /// Who goes, and why.
        pub leaving: Vec<Leave>,
        /// How those that are expelled are to deactivate themselves.
        pub expulsion: Option<Expulsion>,
        /// The state value that is proposed; at the end of an approved protocol, the new one.
        pub state: Option<StateValue>,
        /// The state value of the source group.
        pub source_state: Option<StateValue>,
        /// A message.
        pub message: Option<ProviderMessage>,
        /// The attributes that are proposed.
        pub attributes: Option<Box<Attributes>>,
    }

    /// How a proposal of a provider is to be voted on: u8 phases, u16 time limit in s.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Voting {
        /// Whether at all.
        pub phases: Phases,
        /// How long a vote may take in each phase; 0: for ever.
        pub time_limit: u16,
    }
}

impl fmt::Debug for Expulsion {
    /// The flag is the application's: only its size is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { targets, deactivate_phase, flag } = self;
        let mut shown = f.debug_struct("Expulsion");
        shown.field("targets", targets).field("deactivate_phase", deactivate_phase);
        shown.field("flag", &format_args!("{} bytes", flag.len())).finish()
    }
}

/// What a provider proposes: u8 which, and that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Wish {
    /// To leave, with a code of its own.
    #[doc(alias = "ha_gs_leave")]
    Leave(u32),
    /// To expel providers.
    #[doc(alias = "ha_gs_expel")]
    Expel(Expulsion),
    /// Another state value.
    #[doc(alias = "ha_gs_change_state_value")]
    State(StateValue),
    /// A message for all.
    #[doc(alias = "ha_gs_send_message")]
    Message(ProviderMessage),
    /// Other attributes.
    #[doc(alias = "ha_gs_change_attributes")]
    Attributes(Box<Attributes>),
}

impl Value for Wish {
    const LEAST: usize = 3;

    fn parse(body: &mut Body<'_>, field: &'static str) -> Result<Self, DecodeError> {
        Ok(match body.u8(field)? {
            1 => Self::Leave(Value::parse(body, "code")?),
            2 => Self::Expel(Value::parse(body, "expulsion")?),
            3 => Self::State(Value::parse(body, "state")?),
            4 => Self::Message(Value::parse(body, "message")?),
            5 => Self::Attributes(Value::parse(body, "attributes")?),
            other => return Err(body.unsupported(field, "a proposal that must be understood", u64::from(other))),
        })
    }

    fn encoded_len(&self) -> usize {
        let rest = match self {
            Self::Leave(code) => code.encoded_len(),
            Self::Expel(expulsion) => expulsion.encoded_len(),
            Self::State(state) => state.encoded_len(),
            Self::Message(message) => message.encoded_len(),
            Self::Attributes(attributes) => attributes.encoded_len(),
        };
        together(rest, 1)
    }

    fn check(&self, message: &'static str, field: &'static str) -> Result<(), EncodeError> {
        match self {
            Self::Expel(expulsion) => expulsion.check(message, field),
            _ => Ok(()),
        }
    }

    fn write<'w>(&self, writer: Writer<'w>) -> Writer<'w> {
        match self {
            Self::Leave(code) => code.write(1_u8.write(writer)),
            Self::Expel(expulsion) => expulsion.write(2_u8.write(writer)),
            Self::State(state) => state.write(3_u8.write(writer)),
            Self::Message(message) => message.write(4_u8.write(writer)),
            Self::Attributes(attributes) => attributes.write(5_u8.write(writer)),
        }
    }
}
