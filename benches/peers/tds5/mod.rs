//! What the TDS 5.0 benches compare with: hand-written code as the floor, another codec on messages of like content.
//!
//! The floor checks what the format demands, that every length lies within what is there, and nothing else: no
//! errors with a field in them, no types of tokens and values beyond those of the bench.

pub(crate) mod bare;
pub(crate) mod hand;
pub(crate) mod postcard;
#[path = "../raw.rs"]
pub(crate) mod raw;

/// What a request to migrate says.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Request {
    /// As it stands on the wire.
    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// Request number `index`; all but the first have addresses of 13 to 20 bytes.
pub(crate) fn request(index: usize) -> Request {
    let host = match index {
        0 => "127.0.0.1".to_owned(),
        _ => format!("10.{}.{}.{}", index * 7 % 256, index * 31 % 256, index * 113 % 256),
    };
    Request { host, port: 5001 + u16::try_from(index * 37 % 20_000).unwrap() }
}

/// The numbers of the tokens.
pub(crate) mod ty {
    pub(crate) const MESSAGE: u8 = 0x65;
    pub(crate) const TABLE_NAME: u8 = 0xa4;
    pub(crate) const COLUMN_INFO: u8 = 0xa5;
    pub(crate) const ORDER_BY: u8 = 0xa9;
    pub(crate) const PARAMS: u8 = 0xd7;
    pub(crate) const ENVIRONMENT_CHANGE: u8 = 0xe3;
    pub(crate) const EED: u8 = 0xe5;
    pub(crate) const PARAM_FORMAT: u8 = 0xec;
    pub(crate) const DONE: u8 = 0xfd;
}

/// The numbers of the data types that an address may have.
pub(crate) mod data {
    pub(crate) const VARCHAR: u8 = 0x27;
    pub(crate) const CHAR: u8 = 0x2f;
    pub(crate) const LONGCHAR: u8 = 0xaf;
}
