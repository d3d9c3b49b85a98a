//! What the application of the tests says: batches of numbered rows, and what servers know of them.

use bytes::{BufMut, Bytes, BytesMut};
use handover::tds5::token::{Column, DataType, Done, Format, FormatKind, Token, Values};
use handover::tds5::{DoneStatus, SessionId};
use handover::wire::ByteOrder;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// A command: a number, and how many rows of which width it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    pub number: u32,
    pub rows: u32,
    pub width: usize,
}

pub fn batch(number: u32, rows: u32) -> Batch {
    Batch { number, rows, width: 10 }
}

impl Batch {
    pub fn text(self) -> Bytes {
        format!("{} {} {}", self.number, self.rows, self.width).into()
    }

    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(text).ok()?.split(' ');
        let mut next = || words.next()?.parse::<u32>().ok();
        let (number, rows, width) = (next()?, next()?, next()?);
        Some(Self { number, rows, width: usize::try_from(width).ok()? })
    }

    fn filler(number: u32, row: u32) -> u8 {
        number.wrapping_mul(31).wrapping_add(row).to_le_bytes()[0]
    }

    pub fn row(self, order: ByteOrder, row: u32) -> Token {
        let width = u32::try_from(self.width).expect("it came from a u32");
        let mut data = BytesMut::new();
        for value in [self.number, row, width] {
            match order {
                ByteOrder::Little => data.put_u32_le(value),
                ByteOrder::Big => data.put_u32(value),
            }
        }
        data.put_bytes(Self::filler(self.number, row), self.width);
        Token::Row(Values { data: data.freeze() })
    }

    pub fn done(self) -> Token {
        let count = i32::try_from(self.rows).expect("tests want few rows");
        Done { status: DoneStatus::COUNT, count, ..Done::FINAL }.into()
    }
}

/// Two integers and some bytes.
pub fn format(order: ByteOrder) -> Token {
    let columns = [
        Column::fixed(DataType::INT4).named("batch"),
        Column::fixed(DataType::INT4).named("row"),
        Column::long(DataType::LONGBINARY, order, 0x7fff_ffff).named("filler"),
    ];
    Format::new(FormatKind::Rows, order, &columns).expect("three columns can be carried").into()
}

/// The batch and the number of a row, if all of it is as it was sent.
pub fn read_row(format: &Format, row: &Values) -> Option<(u32, u32)> {
    let integer = |bytes: &[u8]| {
        let bytes = bytes.try_into().ok()?;
        Some(match format.order() {
            ByteOrder::Little => u32::from_le_bytes(bytes),
            ByteOrder::Big => u32::from_be_bytes(bytes),
        })
    };
    let values: Vec<&[u8]> = format.values(&row.data).filter_map(|(_, value)| value.data).collect();
    let [number, row, filler] = values.try_into().ok()?;
    let (number, row) = (integer(number)?, integer(row)?);
    filler.iter().all(|byte| *byte == Batch::filler(number, row)).then_some((number, row))
}

/// What a server knows of a session, and hands over.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The batch that is being answered, and how many of its rows were sent.
    pub running: Option<(Batch, u32)>,
}

/// What all servers of a test share.
#[derive(Debug, Default)]
pub struct World {
    /// The sessions that are between two servers.
    pub contexts: Mutex<HashMap<SessionId, Context>>,
    /// Each batch that has reached a server, and which.
    batches: Mutex<Vec<(&'static str, u32)>>,
}

impl World {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn arrived(&self, server: &'static str, batch: u32) {
        self.batches.lock().expect("no holder panics").push((server, batch));
    }

    /// All batches that have reached a server, in order.
    pub fn batches(&self) -> Vec<(&'static str, u32)> {
        self.batches.lock().expect("no holder panics").clone()
    }
}
