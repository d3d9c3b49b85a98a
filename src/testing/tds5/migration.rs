//! Messages of the migration exchange, and addresses.

use super::format::{cells, four, values_of};
use super::login::session_id;
use crate::tds5::MessageId;
use crate::tds5::migration::{Address, FailReason, Migration, Options, Request};
use crate::tds5::token::{Column, DataType, Format, FormatKind, Message, Token, Values};
use crate::testing::Choices;
use crate::wire::ByteOrder;
use bytes::Bytes;
use std::string::String;
use std::vec::Vec;

/// An address by [`Address::new`]: a name, a number of either kind, with a zone or without.
pub fn address(choices: &mut Choices<'_>) -> Address {
    let host: String = match choices.byte() % 8 {
        0 | 1 => (0..=choices.length(Address::MAX_HOST - 1))
            .map(|_| *choices.pick(&['a', '.', '-', 'Z', '9', '_', '%']))
            .collect(),
        2 => "127.0.0.1".into(),
        3 => "::1".into(),
        // At its longest it just fits a VARCHAR, in brackets and with a port of five digits.
        4 => {
            let zone = (0..choices.length(240)).map(|_| *choices.pick(&['e', 't', 'h', '0', ':', '%']));
            "fe80::%".chars().chain(zone).collect()
        }
        5 => (0..=choices.length(38)).map(|_| *choices.pick(&[':', 'f', '0', '1', 'A'])).collect(),
        _ => (0..=choices.length(Address::MAX_HOST - 1))
            .map(|_| choices.pick(b"!\"#$&'()*+,-./0;<=>?@A\\^_`a{|}~"))
            .map(|&byte| char::from(byte))
            .collect(),
    };
    let port = choices.edge_u16().max(1);
    Address::new(&host, port).expect("the generator keeps to the rules")
}

/// A text that names an address, in one of the forms that are known, with white space of any kind between the words.
pub fn address_text(address: &Address, choices: &mut Choices<'_>) -> String {
    let (host, port) = (address.host(), address.port());
    let space = *choices.pick(&[" ", "  ", "\t", " \n"]);
    match choices.byte() % 3 {
        0 => std::format!("{address}"),
        1 => std::format!("{host}{space}{port}"),
        _ => std::format!("{}tcp{space}ether{space}{host}{space}{port}\0", if choices.boolean() { space } else { "" }),
    }
}

/// Any configuration of the layout of migration messages.
pub fn options(choices: &mut Choices<'_>) -> Options {
    Options {
        address_type: *choices.pick(&[DataType::VARCHAR, DataType::CHAR, DataType::LONGCHAR]),
        session_id_type: *choices.pick(&[DataType::VARBINARY, DataType::BINARY, DataType::LONGBINARY]),
        migrate_packets: !choices.boolean(),
        accept_anywhere: true,
    }
}

/// A request with any number of addresses up to the default limit, and now and then with text that is none.
pub fn request(choices: &mut Choices<'_>) -> Request {
    let count = if choices.one_in(16) { 32 } else { choices.below(4) };
    let addresses = (0..count).map(|_| address(choices)).collect();
    let unreadable = (0..if choices.one_in(4) { choices.below(3) } else { 0 })
        .map(|_| {
            // No port: no form of an address.
            let mut text = choices.bytes(250);
            text.iter_mut().for_each(|byte| *byte |= 0x80);
            Bytes::from(text)
        })
        .collect();
    Request { addresses, unreadable }
}

/// A reason with a code, a text, or both. A text that is empty is none on the wire.
pub fn fail_reason(choices: &mut Choices<'_>) -> FailReason {
    let code = (choices.byte() % 3 != 1).then(|| choices.edge_u32() as i32);
    let text = (code.is_none() || choices.boolean()).then(|| choices.text(80));
    FailReason { code, text }
}

/// Any message of the exchange, as this crate sends it.
pub fn migration(choices: &mut Choices<'_>) -> Migration {
    match choices.below(9) {
        0 => Migration::Sync,
        1 => Migration::Continue,
        2 => Migration::Ignore,
        3 => Migration::Resume,
        4 => Migration::Fail(None),
        5 => Migration::Fail(Some(fail_reason(choices))),
        6 => Migration::SessionId(Some(session_id(choices))),
        7 => Migration::SessionId(None),
        _ => Migration::Request(request(choices)),
    }
}

/// A message of the exchange as a peer could lay it out: other types, names, column status, parameters that we do not
/// know. What it must be read as, and its tokens.
pub fn odd_migration(order: ByteOrder, choices: &mut Choices<'_>) -> (Migration, Vec<Token>) {
    match choices.below(4) {
        0 => {
            let id = session_id(choices);
            let mut parameters = Parameters::new(order, choices);
            // What has not six bytes is no id.
            if choices.boolean() {
                parameters.add(DataType::INTN, &[1, 2, 3, 4], choices);
            }
            let ty = *choices.pick(&[DataType::VARBINARY, DataType::BINARY, DataType::CHAR, DataType::LONGBINARY]);
            parameters.add(ty, &id.bytes(), choices);
            (Migration::SessionId(Some(id)), parameters.tokens(MessageId::HA_FAILOVER))
        }
        1 => {
            let mut parameters = Parameters::new(order, choices);
            let mut request = Request::default();
            for _ in 0..=choices.below(3) {
                let address = address(choices);
                let text = address_text(&address, choices);
                // One that is longer than a VARCHAR can be needs the long type.
                let ty = *choices.pick(&[DataType::LONGCHAR, DataType::VARCHAR, DataType::CHAR]);
                let ty = if text.len() > 255 { DataType::LONGCHAR } else { ty };
                parameters.add(ty, text.as_bytes(), choices);
                request.addresses.push(address);
                if choices.one_in(3) {
                    // The right text in a type that is no text.
                    parameters.add(DataType::VARBINARY, b"host:5000", choices);
                    request.unreadable.push(Bytes::from_static(b"host:5000"));
                }
            }
            (Migration::Request(request), parameters.tokens(MessageId::MIGRATION_REQUEST))
        }
        2 => {
            let mut parameters = Parameters::new(order, choices);
            let code = i32::from(choices.byte() as i8);
            let (ty, bytes): (_, Vec<u8>) = match choices.byte() % 4 {
                0 => (DataType::INT4, four(order, code as u32).to_vec()),
                1 => (DataType::SINT1, [code as u8].to_vec()),
                2 if order == ByteOrder::Big => (DataType::INT8, i64::from(code).to_be_bytes().to_vec()),
                2 => (DataType::INT8, i64::from(code).to_le_bytes().to_vec()),
                _ if order == ByteOrder::Big => (DataType::INT2, (code as i16).to_be_bytes().to_vec()),
                _ => (DataType::INT2, (code as i16).to_le_bytes().to_vec()),
            };
            if choices.boolean() {
                parameters.add(DataType::FLT8, &[0x40; 8], choices);
            }
            let text = choices.text(60);
            parameters.add(DataType::LONGCHAR, text.as_bytes(), choices);
            parameters.add(ty, &bytes, choices);
            // The first of each counts.
            parameters.add(DataType::VARCHAR, b"second", choices);
            let reason = FailReason { code: Some(code), text: Some(text) };
            (Migration::Fail(Some(reason)), parameters.tokens(MessageId::MIGRATION_FAIL))
        }
        _ => {
            // Parameters where none are known mean nothing.
            let format = super::format::format(FormatKind::Params, order, choices);
            let cells = cells(&format, choices);
            let values = values_of(&format, &cells, choices);
            let (migration, id) = *choices.pick(&[
                (&Migration::Sync, MessageId::MIGRATION_SYNC),
                (&Migration::Continue, MessageId::MIGRATION_CONTINUE),
                (&Migration::Ignore, MessageId::MIGRATION_IGNORE),
                (&Migration::Resume, MessageId::MIGRATION_RESUME),
            ]);
            (migration.clone(), [Message::new(id, true).into(), format.into(), Token::Params(values)].into())
        }
    }
}

/// Parameters that are put together one by one.
struct Parameters {
    order: ByteOrder,
    kind: FormatKind,
    columns: Vec<Column>,
    values: Vec<u8>,
}

impl Parameters {
    fn new(order: ByteOrder, choices: &mut Choices<'_>) -> Self {
        let kind = if choices.boolean() { FormatKind::WideParams } else { FormatKind::Params };
        Self { order, kind, columns: Vec::new(), values: Vec::new() }
    }

    fn add(&mut self, ty: DataType, value: &[u8], choices: &mut Choices<'_>) {
        let mut column = match ty {
            DataType::LONGCHAR | DataType::LONGBINARY => Column::long(ty, self.order, choices.edge_u32()),
            DataType::INT2 | DataType::INT4 | DataType::INT8 | DataType::SINT1 | DataType::FLT8 => Column::fixed(ty),
            _ => Column::short(ty, choices.byte()),
        };
        if choices.one_in(4) {
            column = column.named(choices.bytes(30));
        }
        if choices.one_in(4) {
            column.status = 0x08;
            self.values.push(0);
        }
        match column.size.len() {
            0 => {}
            1 => self.values.push(value.len() as u8),
            _ => self.values.extend(four(self.order, value.len() as u32)),
        }
        self.values.extend_from_slice(value);
        self.columns.push(column);
    }

    fn tokens(self, id: MessageId) -> Vec<Token> {
        let format = Format::new(self.kind, self.order, &self.columns).expect("the generator keeps to the rules");
        [Message::new(id, true).into(), format.into(), Token::Params(Values { data: self.values.into() })].into()
    }
}
