//! Tokens as this crate's types make them, one by one and in a row.

use super::format::{format, format_kind, unreadable_format, values};
use super::login::capabilities;
use crate::tds5::migration::Migration;
use crate::tds5::token::{
    Control, Done, DoneKind, Eed, EedStatus, EnvironmentChange, EnvironmentKind, Format, FormatKind, Language,
    LoginAck, LoginStatus, Logout, Message, Notice, OptionAction, OptionCommand, Other, ReturnStatus, Token,
    TransactionState,
};
use crate::tds5::{DoneStatus, MessageId, TokenType};
use crate::testing::Choices;
use crate::wire::ByteOrder;
use bytes::Bytes;
use std::vec::Vec;

/// Either byte order.
pub fn byte_order(choices: &mut Choices<'_>) -> ByteOrder {
    if choices.boolean() { ByteOrder::Big } else { ByteOrder::Little }
}

fn short(choices: &mut Choices<'_>) -> Bytes {
    choices.bytes(255).into()
}

/// Long enough for tokens that do not fit a packet, seldom.
fn long(choices: &mut Choices<'_>) -> Bytes {
    let max = if choices.one_in(32) { 20_000 } else { 900 };
    choices.bytes(max).into()
}

/// What no known peer sends behind a known layout: nothing, mostly.
fn extra(choices: &mut Choices<'_>) -> Bytes {
    if choices.one_in(6) { choices.bytes(40).into() } else { Bytes::new() }
}

/// A number of a message: mostly one with a name, those of the migration exchange among them.
pub fn message_id(choices: &mut Choices<'_>) -> MessageId {
    MessageId(if choices.one_in(8) { choices.edge_u16() } else { u16::from(choices.byte() % 36) })
}

/// A MSG of any number, whatever it says about parameters.
pub fn message(choices: &mut Choices<'_>) -> Message {
    Message { status: choices.byte(), id: message_id(choices), extra: extra(choices) }
}

/// A LOGINACK, now and then with a wrong length of the name.
pub fn login_ack(choices: &mut Choices<'_>) -> LoginAck {
    let status = LoginStatus(if choices.one_in(6) { choices.byte() } else { 5 + choices.byte() % 3 });
    let ack = LoginAck::new(status, short(choices), choices.u32().to_be_bytes());
    let tds_version = if choices.one_in(8) { choices.u32().to_be_bytes() } else { ack.tds_version };
    let name_length = if choices.one_in(4) { choices.byte() } else { ack.name_length };
    LoginAck { tds_version, name_length, ..ack }
}

/// An ENVCHANGE of one entry, as the API makes it.
pub fn environment_change(choices: &mut Choices<'_>) -> EnvironmentChange {
    let kind = EnvironmentKind(if choices.one_in(8) { choices.byte() } else { 1 + choices.byte() % 3 });
    let (new, old) = (choices.bytes(255), choices.bytes(255));
    // Sizes of packets are settled by who means it.
    let kind = if kind == EnvironmentKind::PACKET_SIZE { EnvironmentKind::DATABASE } else { kind };
    EnvironmentChange::new(kind, &new, &old).expect("the generator keeps to the rules")
}

/// An EED, whatever it says about parameters.
pub fn eed(choices: &mut Choices<'_>) -> Eed {
    Eed {
        number: choices.edge_u32() as i32,
        state: choices.byte(),
        class: choices.byte(),
        sql_state: short(choices),
        status: EedStatus(if choices.one_in(6) { choices.byte() } else { choices.byte() % 3 }),
        transaction: choices.edge_u16(),
        text: long(choices),
        server: short(choices),
        procedure: short(choices),
        line: choices.edge_u16(),
        extra: extra(choices),
    }
}

/// The contents of an ERROR or an INFO.
pub fn notice(choices: &mut Choices<'_>) -> Notice {
    Notice {
        number: choices.edge_u32() as i32,
        state: choices.byte(),
        class: choices.byte(),
        text: long(choices),
        server: short(choices),
        procedure: short(choices),
        line: choices.edge_u16(),
        extra: extra(choices),
    }
}

/// A DONE of any kind and status.
pub fn done(choices: &mut Choices<'_>) -> Done {
    Done {
        kind: *choices.pick(&[DoneKind::Done, DoneKind::Procedure, DoneKind::InProcedure]),
        status: DoneStatus::from_bits_retain(choices.edge_u16()),
        transaction: TransactionState(choices.edge_u16()),
        count: choices.edge_u32() as i32,
    }
}

/// A LANGUAGE with any text.
pub fn language(choices: &mut Choices<'_>) -> Language {
    Language { status: choices.byte(), text: long(choices) }
}

/// A CONTROL of a few strings.
pub fn control(choices: &mut Choices<'_>) -> Control {
    let columns: Vec<Vec<u8>> = (0..choices.below(6)).map(|_| choices.bytes(255)).collect();
    Control::new(columns.iter().map(|column| &column[..])).expect("the generator keeps to the rules")
}

/// An OPTIONCMD.
pub fn option_command(choices: &mut Choices<'_>) -> OptionCommand {
    let action = OptionAction(1 + choices.byte() % 5);
    OptionCommand { action, option: choices.byte(), argument: short(choices), extra: extra(choices) }
}

/// Numbers of tokens that can be skipped and are not taken apart, with the size of the body where the number says it.
const OTHERS: [(u8, Option<usize>); 22] = [
    (0xa9, None),
    (0xa4, None),
    (0xa2, None),
    (0x10, None),
    (0x22, None),
    (0x23, None),
    (0x62, None),
    (0x83, None),
    (0x86, None),
    (0x88, None),
    (0xa5, None),
    (0xe6, None),
    (0xe7, None),
    (0x8f, None),
    (0x2f, None),
    (0xef, None),
    (0x78, Some(4)),
    (0x7c, Some(8)),
    (0x30, Some(1)),
    (0x74, Some(2)),
    (0xb8, Some(4)),
    (0xf3, Some(1)),
];

/// A token that is skipped and kept: of a kind that is only framed, of an unknown number, or a format of types that
/// are not known.
pub fn other(order: ByteOrder, choices: &mut Choices<'_>) -> Other {
    if choices.one_in(5) {
        let kind = format_kind(choices);
        let ty = match kind {
            FormatKind::Params => TokenType::PARAM_FORMAT,
            FormatKind::WideParams => TokenType::PARAM_FORMAT_2,
            FormatKind::Rows => TokenType::ROW_FORMAT,
            FormatKind::WideRows => TokenType::ROW_FORMAT_2,
        };
        return Other { ty, body: unreadable_format(kind, order, choices).into() };
    }
    let (ty, fixed) = *choices.pick(&OTHERS);
    let body = match fixed {
        Some(size) => (0..size).map(|_| choices.byte()).collect(),
        None => long(choices),
    };
    Other { ty: TokenType(ty), body }
}

/// Any token that needs no other one: all but PARAMS and ROW.
pub fn token(order: ByteOrder, choices: &mut Choices<'_>) -> Token {
    match choices.below(16) {
        0 => done(choices).into(),
        1 => message(choices).into(),
        2 => login_ack(choices).into(),
        3 => capabilities(choices).into(),
        4 => environment_change(choices).into(),
        5 => eed(choices).into(),
        6 => Token::Error(notice(choices)),
        7 => Token::Info(notice(choices)),
        8 => language(choices).into(),
        9 => control(choices).into(),
        10 => option_command(choices).into(),
        11 => ReturnStatus { value: choices.edge_u32() as i32 }.into(),
        12 => Logout { options: choices.byte() }.into(),
        13 | 14 => {
            let kind = format_kind(choices);
            format(kind, order, choices).into()
        }
        _ => other(order, choices).into(),
    }
}

/// Tokens in a row, in which values fit the last format, as they may stand on a connection: none of them belongs to
/// the migration exchange, and none settles a packet size.
#[derive(Clone, Debug)]
pub struct Tokens {
    order: ByteOrder,
    params: Option<Format>,
    rows: Option<Format>,
}

impl Tokens {
    /// Nothing has come yet.
    #[must_use]
    pub const fn new(order: ByteOrder) -> Self {
        Self { order, params: None, rows: None }
    }

    /// Some more: one token, a format with values, or a token with the parameters that it announces.
    pub fn some(&mut self, choices: &mut Choices<'_>) -> Vec<Token> {
        let mut tokens = Vec::new();
        match choices.below(8) {
            0 => {
                let mut message = message(choices);
                if Migration::is_ours(message.id) {
                    message.id = MessageId::EMPTY;
                }
                message.status &= !Message::HAS_PARAMETERS;
                tokens.push(message.into());
            }
            1 => {
                let mut message = message(choices);
                if Migration::is_ours(message.id) {
                    message.id = MessageId::SECURITY_CHALLENGE;
                }
                message.status |= Message::HAS_PARAMETERS;
                tokens.push(message.into());
                self.format(FormatKind::Params, choices, &mut tokens);
                self.values(false, choices, &mut tokens);
            }
            2 => {
                tokens.push(Eed { status: EedStatus::FOLLOWS, ..eed(choices) }.into());
                self.format(FormatKind::WideParams, choices, &mut tokens);
                self.values(false, choices, &mut tokens);
            }
            3 => {
                self.format(format_kind(choices), choices, &mut tokens);
                for _ in 0..choices.below(4) {
                    self.values(choices.boolean(), choices, &mut tokens);
                }
            }
            4 => self.values(true, choices, &mut tokens),
            5 => self.values(false, choices, &mut tokens),
            _ => {
                let token = token(self.order, choices);
                self.note(&token);
                match token {
                    Token::Message(_) => tokens.push(done(choices).into()),
                    other => tokens.push(other),
                }
            }
        }
        tokens
    }

    /// No parameters until a new format has come.
    pub fn forget_parameters(&mut self) {
        self.params = None;
    }

    /// Takes note of a format, and of one that ends what values can be read.
    fn note(&mut self, token: &Token) {
        match token {
            Token::Format(format) if format.kind().is_rows() => self.rows = Some(format.clone()),
            Token::Format(format) => self.params = Some(format.clone()),
            Token::Other(other) => match other.ty {
                TokenType::ROW_FORMAT | TokenType::ROW_FORMAT_2 => self.rows = None,
                TokenType::PARAM_FORMAT | TokenType::PARAM_FORMAT_2 => self.params = None,
                _ => {}
            },
            _ => {}
        }
    }

    fn format(&mut self, kind: FormatKind, choices: &mut Choices<'_>, tokens: &mut Vec<Token>) {
        let token = format(kind, self.order, choices).into();
        self.note(&token);
        tokens.push(token);
    }

    /// Values in the last format; nothing if there is none.
    fn values(&self, rows: bool, choices: &mut Choices<'_>, tokens: &mut Vec<Token>) {
        match (rows, &self.rows, &self.params) {
            (true, Some(format), _) => tokens.push(Token::Row(values(format, choices))),
            (false, _, Some(format)) => tokens.push(Token::Params(values(format, choices))),
            _ => {}
        }
    }
}

/// Up to `most` times [`Tokens::some`].
pub fn tokens(order: ByteOrder, most: usize, choices: &mut Choices<'_>) -> Vec<Token> {
    let mut tokens = Tokens::new(order);
    (0..choices.below(most + 1)).flat_map(|_| tokens.some(choices)).collect()
}
