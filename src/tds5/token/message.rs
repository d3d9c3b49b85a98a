//! MSG, LOGINACK, ENVCHANGE, LANGUAGE, CONTROL and OPTIONCMD (spec/tds5.md 3.2 and 3.3).

use super::body::{Compose, Parse, fits, length_u8, put_short_string, short_string};
use crate::error::{DecodeError, EncodeError, to_u64};
use crate::tds5::ids::MessageId;
use crate::wire::{ByteOrder, Payload, Writer, bytes as take, codes, fixed, put};
use alloc::vec::Vec;
use bytes::Bytes;

/// MSG: a number, perhaps with parameters, which follow as PARAMFMT and PARAMS. u8 length 3, u8 status, u16 id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias = "TDS_MSG")]
pub struct Message<B = Bytes> {
    /// Bit 0x01: parameters follow.
    pub status: u8,
    /// Which message it is.
    pub id: MessageId,
    /// What the token holds beyond that; no known peer sends any.
    pub extra: B,
}

impl Message {
    /// The bit of the status that says that parameters follow.
    #[doc(alias = "TDS_MSG_HASARGS")]
    pub const HAS_PARAMETERS: u8 = 0x01;

    /// A message; whether its parameters follow.
    #[must_use]
    pub const fn new(id: MessageId, has_parameters: bool) -> Self {
        Self { status: if has_parameters { Self::HAS_PARAMETERS } else { 0 }, id, extra: Bytes::new() }
    }
}

impl<B> Message<B> {
    /// Whether parameters follow.
    #[must_use]
    pub const fn has_parameters(&self) -> bool {
        self.status & Message::HAS_PARAMETERS != 0
    }

    /// The same token with its bytes held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> Message<C> {
        Message { status: self.status, id: self.id, extra: convert(self.extra) }
    }
}

impl<'a> Parse<'a> for Message<&'a [u8]> {
    #[inline]
    fn parse(order: ByteOrder, body: &'a [u8]) -> Result<Self, DecodeError> {
        let (extra, (status, id)) = fixed!(in order; "Message", body, { status: u8, id: u16 });
        Ok(Self { status, id: MessageId(id), extra })
    }
}

impl<B: Payload> Compose for Message<B> {
    #[inline]
    fn body_len(&self) -> usize {
        self.extra.as_ref().len().saturating_add(3)
    }

    #[inline]
    fn write_body(&self, order: ByteOrder, writer: &mut Writer<'_>) {
        put!(in order; writer, { status: u8 = self.status, id: u16 = self.id.0 });
        writer.put(self.extra.as_ref());
    }
}

codes! {
    /// The verdict of a LOGINACK. 0x80 may be set in it besides.
    pub struct LoginStatus(u8) {
        /// The client is logged in.
        SUCCEED = 5, "TDS_LOG_SUCCEED";
        /// It is not.
        FAIL = 6, "TDS_LOG_FAIL";
        /// The server has a question first.
        NEGOTIATE = 7, "TDS_LOG_NEGOTIATE";
    }
}

impl LoginStatus {
    /// The verdict without the bit 0x80, which acknowledges a secure session.
    #[must_use]
    pub const fn verdict(self) -> Self {
        Self(self.0 & 0x7f)
    }
}

/// LOGINACK: u8 status, 4 bytes TDS version, server's program name behind a length byte, 4 bytes program version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias = "TDS_LOGINACK")]
pub struct LoginAck<B = Bytes> {
    /// The verdict.
    pub status: LoginStatus,
    /// 5.0.0.0.
    pub tds_version: [u8; 4],
    /// What the length byte of the name says. Some servers write a wrong one: the token's own length counts.
    pub name_length: u8,
    /// The server's program.
    pub program_name: B,
    /// Its version.
    pub program_version: [u8; 4],
}

impl LoginAck {
    /// An answer in TDS 5.0.
    #[must_use]
    pub fn new(status: LoginStatus, program_name: impl Into<Bytes>, program_version: [u8; 4]) -> Self {
        let program_name = program_name.into();
        let name_length = length_u8(program_name.len());
        Self { status, tds_version: [5, 0, 0, 0], name_length, program_name, program_version }
    }
}

impl<B> LoginAck<B> {
    /// The same token with its bytes held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> LoginAck<C> {
        let Self { status, tds_version, name_length, program_name, program_version } = self;
        LoginAck { status, tds_version, name_length, program_name: convert(program_name), program_version }
    }
}

impl<'a> Parse<'a> for LoginAck<&'a [u8]> {
    fn parse(_order: ByteOrder, body: &'a [u8]) -> Result<Self, DecodeError> {
        const MESSAGE: &str = "LoginAck";
        let (rest, (status,)) = fixed!(MESSAGE, body, { status: u8 });
        let short = |field, left: &[u8]| DecodeError::short(MESSAGE, field, 4, left.len());
        let (&tds_version, rest) = rest.split_first_chunk().ok_or_else(|| short("tds_version", rest))?;
        let (rest, (name_length,)) = fixed!(MESSAGE, rest, { name_length: u8 });
        let (program_name, &program_version) = rest.split_last_chunk().ok_or_else(|| short("program_version", rest))?;
        if program_name.len() > usize::from(u8::MAX) {
            let (reason, got) = ("longer than any length can say", to_u64(program_name.len()));
            return Err(DecodeError::invalid(MESSAGE, "program_name", reason, got));
        }
        Ok(Self { status: LoginStatus(status), tds_version, name_length, program_name, program_version })
    }
}

impl<B: Payload> Compose for LoginAck<B> {
    fn body_len(&self) -> usize {
        self.program_name.as_ref().len().saturating_add(10)
    }

    fn check_body(&self) -> Result<(), EncodeError> {
        fits("LoginAck", "program_name", u8::MAX, self.program_name.as_ref().len())
    }

    fn write_body(&self, _order: ByteOrder, writer: &mut Writer<'_>) {
        writer.put(&[self.status.0]);
        writer.put(&self.tds_version);
        writer.put(&[self.name_length]);
        writer.put(self.program_name.as_ref());
        writer.put(&self.program_version);
    }
}

codes! {
    /// What has changed.
    pub struct EnvironmentKind(u8) {
        /// The database.
        DATABASE = 1, "TDS_ENV_DB";
        /// The language.
        LANGUAGE = 2, "TDS_ENV_LANG";
        /// The character set.
        CHARACTER_SET = 3, "TDS_ENV_CHARSET";
        /// The size of packets, in ASCII digits; from the next message on.
        PACKET_SIZE = 4, "TDS_ENV_PACKSIZE";
    }
}

/// ENVCHANGE: any number of {u8 kind, new value behind a length byte, old value behind a length byte}.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias = "TDS_ENVCHANGE")]
pub struct EnvironmentChange<B = Bytes> {
    entries: B,
}

impl EnvironmentChange {
    /// One change.
    ///
    /// # Errors
    /// A value is longer than 255 bytes.
    pub fn new(kind: EnvironmentKind, new: &[u8], old: &[u8]) -> Result<Self, EncodeError> {
        let mut entries = Vec::new();
        entries.push(kind.0);
        for (field, value) in [("new", new), ("old", old)] {
            fits("EnvironmentChange", field, u8::MAX, value.len())?;
            entries.push(length_u8(value.len()));
            entries.extend_from_slice(value);
        }
        Ok(Self { entries: entries.into() })
    }
}

/// The entry at the front: kind, new, old, and what is behind it.
type Change<'a> = (EnvironmentKind, &'a [u8], &'a [u8]);

fn change(input: &[u8]) -> Result<(Change<'_>, &[u8]), DecodeError> {
    const MESSAGE: &str = "EnvironmentChange";
    let (rest, (kind,)) = fixed!(MESSAGE, input, { kind: u8 });
    let (new, rest) = short_string(MESSAGE, "new", rest)?;
    let (old, rest) = short_string(MESSAGE, "old", rest)?;
    Ok(((EnvironmentKind(kind), new, old), rest))
}

impl<B> EnvironmentChange<B> {
    /// The same token with its bytes held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> EnvironmentChange<C> {
        EnvironmentChange { entries: convert(self.entries) }
    }
}

impl<B: Payload> EnvironmentChange<B> {
    /// Each change: what, the new value, the old value.
    pub fn iter(&self) -> impl Iterator<Item = (EnvironmentKind, &[u8], &[u8])> + '_ {
        let mut rest = self.entries.as_ref();
        core::iter::from_fn(move || {
            let (entry, behind) = change(rest).ok()?;
            rest = behind;
            Some(entry)
        })
    }

    /// The new packet size, if it is one of the changes and a number.
    #[must_use]
    pub fn packet_size(&self) -> Option<u32> {
        let (_, new, _) = self.iter().find(|(kind, ..)| *kind == EnvironmentKind::PACKET_SIZE)?;
        if !new.iter().all(u8::is_ascii_digit) {
            return None;
        }
        core::str::from_utf8(new).ok()?.parse().ok()
    }
}

impl<'a> Parse<'a> for EnvironmentChange<&'a [u8]> {
    fn parse(_order: ByteOrder, body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut rest = body;
        while !rest.is_empty() {
            (_, rest) = change(rest)?;
        }
        Ok(Self { entries: body })
    }
}

impl<B: Payload> Compose for EnvironmentChange<B> {
    fn body_len(&self) -> usize {
        self.entries.as_ref().len()
    }

    fn write_body(&self, _order: ByteOrder, writer: &mut Writer<'_>) {
        writer.put(self.entries.as_ref());
    }
}

/// LANGUAGE: u8 status (1 parameters follow, 4 they are those of a batch), then the text.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias = "TDS_LANGUAGE")]
pub struct Language<B = Bytes> {
    /// What follows.
    pub status: u8,
    /// The command.
    pub text: B,
}

impl Language {
    /// A command without parameters.
    #[must_use]
    pub fn new(text: impl Into<Bytes>) -> Self {
        Self { status: 0, text: text.into() }
    }
}

impl<B> Language<B> {
    /// The same token with its bytes held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> Language<C> {
        Language { status: self.status, text: convert(self.text) }
    }
}

impl<B> core::fmt::Debug for Language<B> {
    /// A command may set a password: it is not shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Language(..)")
    }
}

impl<'a> Parse<'a> for Language<&'a [u8]> {
    fn parse(_order: ByteOrder, body: &'a [u8]) -> Result<Self, DecodeError> {
        let (text, (status,)) = fixed!("Language", body, { status: u8 });
        Ok(Self { status, text })
    }
}

impl<B: Payload> Compose for Language<B> {
    fn body_len(&self) -> usize {
        self.text.as_ref().len().saturating_add(1)
    }

    fn write_body(&self, _order: ByteOrder, writer: &mut Writer<'_>) {
        writer.put(&[self.status]);
        writer.put(self.text.as_ref());
    }
}

/// CONTROL: for each column of the format before it, a string behind a length byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias = "TDS_CONTROL")]
pub struct Control<B = Bytes> {
    entries: B,
}

impl Control {
    /// One string a column.
    ///
    /// # Errors
    /// A string is longer than 255 bytes.
    pub fn new<'a>(columns: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, EncodeError> {
        let mut entries = Vec::new();
        for column in columns {
            fits("Control", "column", u8::MAX, column.len())?;
            entries.push(length_u8(column.len()));
            entries.extend_from_slice(column);
        }
        Ok(Self { entries: entries.into() })
    }
}

impl<B> Control<B> {
    /// The same token with its bytes held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> Control<C> {
        Control { entries: convert(self.entries) }
    }
}

impl<B: Payload> Control<B> {
    /// The strings, one a column.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> + '_ {
        let mut rest = self.entries.as_ref();
        core::iter::from_fn(move || {
            let (column, behind) = short_string("Control", "column", rest).ok()?;
            rest = behind;
            Some(column)
        })
    }
}

impl<'a> Parse<'a> for Control<&'a [u8]> {
    fn parse(_order: ByteOrder, body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut rest = body;
        while !rest.is_empty() {
            (_, rest) = short_string("Control", "column", rest)?;
        }
        Ok(Self { entries: body })
    }
}

impl<B: Payload> Compose for Control<B> {
    fn body_len(&self) -> usize {
        self.entries.as_ref().len()
    }

    fn write_body(&self, _order: ByteOrder, writer: &mut Writer<'_>) {
        writer.put(self.entries.as_ref());
    }
}

codes! {
    /// What is to be done with an option.
    pub struct OptionAction(u8) {
        /// Set it.
        SET = 1, "TDS_OPT_SET";
        /// Set it to its default.
        DEFAULT = 2, "TDS_OPT_DEFAULT";
        /// Tell its value.
        LIST = 3, "TDS_OPT_LIST";
        /// This is its value.
        INFO = 4, "TDS_OPT_INFO";
    }
}

/// OPTIONCMD: u8 action, u8 option, argument behind a length byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias = "TDS_OPTIONCMD")]
pub struct OptionCommand<B = Bytes> {
    /// What is to be done.
    pub action: OptionAction,
    /// With which option.
    pub option: u8,
    /// The option's value.
    pub argument: B,
    /// What the token holds beyond that.
    pub extra: B,
}

impl<B> OptionCommand<B> {
    /// The same token with its bytes held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> OptionCommand<C> {
        let Self { action, option, argument, extra } = self;
        OptionCommand { action, option, argument: convert(argument), extra: convert(extra) }
    }
}

impl<'a> Parse<'a> for OptionCommand<&'a [u8]> {
    fn parse(_order: ByteOrder, body: &'a [u8]) -> Result<Self, DecodeError> {
        let (rest, (action, option, argument)) =
            fixed!("OptionCommand", body, { action: u8, option: u8, argument: u8 });
        let (extra, argument) = take("OptionCommand", "argument", usize::from(argument), rest)?;
        Ok(Self { action: OptionAction(action), option, argument, extra })
    }
}

impl<B: Payload> Compose for OptionCommand<B> {
    fn body_len(&self) -> usize {
        self.argument.as_ref().len().saturating_add(self.extra.as_ref().len()).saturating_add(3)
    }

    fn check_body(&self) -> Result<(), EncodeError> {
        fits("OptionCommand", "argument", u8::MAX, self.argument.as_ref().len())
    }

    fn write_body(&self, _order: ByteOrder, writer: &mut Writer<'_>) {
        writer.put(&[self.action.0, self.option]);
        put_short_string(writer, self.argument.as_ref());
        writer.put(self.extra.as_ref());
    }
}
