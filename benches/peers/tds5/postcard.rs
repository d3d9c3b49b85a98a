//! postcard on a request to migrate, in its best form: borrowed, byte strings as bytes, integers not as varints, one
//! parameter and not a list, for which it would allocate.

use super::data;
use super::raw::Raw;
use serde::{Deserialize, Serialize};

/// What a parameter is.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Column<'a> {
    #[serde(borrow)]
    name: Raw<'a>,
    status: u8,
    #[serde(with = "::postcard::fixint::le")]
    user_type: i32,
    data_type: u8,
    max: u8,
    #[serde(borrow)]
    locale: Raw<'a>,
}

/// A request with one address.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Request<'a> {
    status: u8,
    #[serde(with = "::postcard::fixint::le")]
    id: u16,
    #[serde(borrow)]
    column: Column<'a>,
    #[serde(borrow)]
    value: Raw<'a>,
}

impl<'a> Request<'a> {
    pub(crate) fn new(address: &'a str) -> Self {
        let (name, locale) = (Raw(&[]), Raw(&[]));
        let column = Column { name, status: 0, user_type: 0, data_type: data::VARCHAR, max: 255, locale };
        Self { status: 1, id: 17, column, value: Raw(address.as_bytes()) }
    }
}
