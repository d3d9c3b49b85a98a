//! DONE, DONEPROC and DONEINPROC (spec/tds5.md 3.4).

use super::body::{Compose, Parse};
use crate::error::DecodeError;
use crate::tds5::ids::{DoneStatus, TokenType};
use crate::wire::{ByteOrder, Writer, codes, fixed, put};

codes! {
    /// Where the client's transaction stands, as two of its readings name it. What 1 and 2 mean on the wire is
    /// disputed: keep the number, and ask [`DoneStatus::IN_TRANSACTION`] whether a transaction is open.
    pub struct TransactionState(u16) {
        /// No transaction.
        NONE = 0, "TDS_NOT_IN_TRAN";
        /// Read by some as "succeeded", by others as "in progress".
        SUCCEEDED_OR_IN_PROGRESS = 1, "TDS_TRAN_SUCCEED";
        /// Read by some as "in progress", by others as "completed".
        IN_PROGRESS_OR_COMPLETED = 2, "TDS_TRAN_PROGRESS";
        /// Read by some as "the statement was aborted", by others as "the transaction has failed".
        STATEMENT_ABORTED_OR_FAILED = 3, "TDS_STMT_ABORT";
        /// Read by some as "the transaction was aborted", by others as "the statement has failed".
        ABORTED_OR_STATEMENT_FAILED = 4, "TDS_TRAN_ABORT";
    }
}

/// Which of the three tokens it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum DoneKind {
    /// A command, or a statement of a batch.
    #[doc(alias = "TDS_DONE")]
    Done,
    /// A procedure.
    #[doc(alias = "TDS_DONEPROC")]
    Procedure,
    /// A statement of a procedure.
    #[doc(alias = "TDS_DONEINPROC")]
    InProcedure,
}

impl DoneKind {
    /// The token that it is.
    pub(super) const fn token_type(self) -> TokenType {
        match self {
            Self::Done => TokenType::DONE,
            Self::Procedure => TokenType::DONE_PROCEDURE,
            Self::InProcedure => TokenType::DONE_IN_PROCEDURE,
        }
    }
}

/// The end of a command, or of a part of one: u16 status, u16 transaction state, i32 count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias = "srv_senddone")]
pub struct Done {
    /// Which token it is.
    pub kind: DoneKind,
    /// What it says.
    pub status: DoneStatus,
    /// Where the transaction stands.
    pub transaction: TransactionState,
    /// How many rows, if the status has COUNT.
    pub count: i32,
}

impl Done {
    /// The end of a command that has nothing to say. Its transaction state is 2, which nobody reads as "in the middle
    /// of one" without the status' IN_TRANSACTION.
    #[doc(alias = "SRV_DONE_FINAL")]
    pub const FINAL: Self = Self {
        kind: DoneKind::Done,
        status: DoneStatus::empty(),
        transaction: TransactionState::IN_PROGRESS_OR_COMPLETED,
        count: 0,
    };

    /// Whether nothing more comes for the command: no MORE, neither the end of a statement inside a procedure nor that
    /// of an event.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        !self.status.intersects(DoneStatus::MORE.union(DoneStatus::EVENT))
            && !matches!(self.kind, DoneKind::InProcedure)
    }

    #[inline(always)]
    pub(super) fn parse(kind: DoneKind, order: ByteOrder, body: &[u8]) -> Result<Self, DecodeError> {
        let (_, (status, transaction, count)) =
            fixed!(in order; "Done", body, { status: u16, transaction: u16, count: i32 });
        let (status, transaction) = (DoneStatus::from_bits_retain(status), TransactionState(transaction));
        Ok(Self { kind, status, transaction, count })
    }
}

impl Compose for Done {
    #[inline]
    fn body_len(&self) -> usize {
        8
    }

    #[inline]
    fn write_body(&self, order: ByteOrder, writer: &mut Writer<'_>) {
        let (status, transaction) = (self.status.bits(), self.transaction.0);
        put!(in order; writer, { status: u16 = status, transaction: u16 = transaction, count: i32 = self.count });
    }
}

/// RETURNSTATUS: what a procedure has returned, i32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReturnStatus {
    /// The value.
    pub value: i32,
}

impl Parse<'_> for ReturnStatus {
    fn parse(order: ByteOrder, body: &[u8]) -> Result<Self, DecodeError> {
        let (_, (value,)) = fixed!(in order; "ReturnStatus", body, { value: i32 });
        Ok(Self { value })
    }
}

impl Compose for ReturnStatus {
    fn body_len(&self) -> usize {
        4
    }

    fn write_body(&self, order: ByteOrder, writer: &mut Writer<'_>) {
        put!(in order; writer, { value: i32 = self.value });
    }
}

/// LOGOUT: the client goes; u8 options, 0. The server answers with a final DONE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Logout {
    /// No option is known.
    pub options: u8,
}

impl Parse<'_> for Logout {
    fn parse(_order: ByteOrder, body: &[u8]) -> Result<Self, DecodeError> {
        let (_, (options,)) = fixed!("Logout", body, { options: u8 });
        Ok(Self { options })
    }
}

impl Compose for Logout {
    fn body_len(&self) -> usize {
        1
    }

    fn write_body(&self, _order: ByteOrder, writer: &mut Writer<'_>) {
        writer.put(&[self.options]);
    }
}
