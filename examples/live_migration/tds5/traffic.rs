//! The application that runs over the migrated session: numbered batches, each answered with numbered rows.

use crate::flow::Flow;
use bytes::{BufMut, BytesMut};
use handover::tds5::token::{Column, DataType, Done, Format, FormatKind, Language, Token, Values};
use handover::tds5::{DoneStatus, SessionId};
use handover::wire::ByteOrder;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// The rows of each batch.
pub const ROWS: u32 = 8;
/// After so many rows the server takes a break, and may let the client go.
pub const HALF: u32 = 4;

/// What a server knows of a session. It is handed over when the session moves; nothing of it is on the wire.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Batches that have come.
    pub batches: Flow,
    /// Rows that were sent.
    pub rows: Flow,
    /// The batch that is being answered, and how many of its rows were sent.
    pub running: Option<(u32, u32)>,
}

/// Where servers find the context of a session that comes to them, by its id. Here it is in memory that all of them
/// share; elsewhere it is a database, or a connection between the servers.
pub type Contexts = Arc<Mutex<HashMap<SessionId, Context>>>;

/// The place of a row among all rows of a session, from 1.
pub fn row_number(batch: u32, row: u32) -> u64 {
    u64::from(batch - 1) * u64::from(ROWS) + u64::from(row)
}

/// The command for a batch.
pub fn batch_text(batch: u64) -> String {
    format!("batch {batch}")
}

pub fn batch_of(language: &Language) -> Option<u32> {
    std::str::from_utf8(&language.text).ok()?.strip_prefix("batch ")?.parse().ok()
}

/// The format of each row: two integers.
pub fn row_format(order: ByteOrder) -> Token {
    let columns = ["batch", "row"].map(|name| Column::fixed(DataType::INT4).named(name));
    Format::new(FormatKind::Rows, order, &columns).expect("two columns can be carried").into()
}

pub fn row(order: ByteOrder, batch: u32, row: u32) -> Token {
    let mut data = BytesMut::new();
    for value in [batch, row] {
        match order {
            ByteOrder::Little => data.put_u32_le(value),
            ByteOrder::Big => data.put_u32(value),
        }
    }
    Token::Row(Values { data: data.freeze() })
}

/// Batch and number of a row.
pub fn read_row(format: &Format, row: &Values) -> Option<(u32, u32)> {
    let mut values = format.values(&row.data).map(|(_, value)| {
        let bytes = <[u8; 4]>::try_from(value.data?).ok()?;
        Some(match format.order() {
            ByteOrder::Little => u32::from_le_bytes(bytes),
            ByteOrder::Big => u32::from_be_bytes(bytes),
        })
    });
    values.next()?.zip(values.next()?).filter(|(batch, _)| *batch > 0)
}

/// The one final DONE of a batch.
pub fn end_of_batch() -> Token {
    Done { status: DoneStatus::COUNT, count: i32::try_from(ROWS).expect("it is small"), ..Done::FINAL }.into()
}
