//! The record and its layout.

use super::field::{Field, MESSAGE, PasswordText, RemotePasswords, Text};
use super::{ConnectionType, HaLogin, SecurityLogin};
use crate::error::{DecodeError, DecodeErrorKind, EncodeError, to_u64};
use crate::tds5::secret::SessionId;
use crate::wire::{ByteOrder, Encode, Writer};
use alloc::string::ToString;

/// Declares the record: where each field stands, its type and its name in the protocol's own words.
macro_rules! record {
    ($(#[$doc:meta])* pub struct $name:ident; $($(#[$f_doc:meta])* $offset:literal $field:ident: $type:ty, $alias:literal;)+) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name {
            $(
                $(#[$f_doc])*
                #[doc = concat!("\n\nAt offset ", $offset, ".")]
                #[doc(alias = $alias)]
                pub $field: $type,
            )+
        }

        impl $name {
            fn read(input: &[u8]) -> Result<(&[u8], Self), DecodeError> {
                $(let (input, $field) = <$type as Field>::read(stringify!($field), input)?;)+
                Ok((input, Self { $($field),+ }))
            }

            fn put(&self, writer: &mut Writer<'_>) {
                $(self.$field.write(writer);)+
            }
        }

        #[allow(clippy::arithmetic_side_effects, reason = "when it is compiled")]
        const _: () = {
            let mut at = 0;
            $(
                assert!(at == $offset);
                at += <$type as Field>::SIZE;
            )+
            assert!(at == $name::SIZE);
        };
    };
}

record! {
    /// The login record: fields of fixed size, 568 bytes in all. The client's byte order is in the codes of its types.
    #[doc(alias = "LOGINREC")]
    pub struct LoginRecord;
    /// The client's host.
    0 host_name: Text<30>, "lhostname";
    /// The user.
    31 user_name: Text<30>, "lusername";
    /// The password; empty if it is to be encrypted.
    62 password: PasswordText<30>, "lpw";
    /// The client's process: a number in text.
    93 host_process: Text<30>, "lhostproc";
    /// Order of integers of two bytes: 3 little-endian, 2 big-endian.
    124 int2: u8, "lint2";
    /// Order of integers of four bytes: 1 little-endian, 0 big-endian.
    125 int4: u8, "lint4";
    /// Characters: 6 ASCII, 7 EBCDIC.
    126 character: u8, "lchar";
    /// Floats of eight bytes: 10 little-endian, 4 big-endian, 5 VAX D, 11 ND5000.
    127 float8: u8, "lflt";
    /// Date and time of eight bytes: 9 little-endian, 8 big-endian.
    128 date8: u8, "ldate";
    /// 1: say so when the database changes.
    129 use_database_notify: u8, "lusedb";
    /// 1: no bulk copy.
    130 dump_load: u8, "ldmpld";
    /// Not used.
    131 interface_spare: u8, "linterfacespare";
    /// What kind of connection it is to be.
    132 connection_type: ConnectionType, "ltype";
    /// Not used.
    133 buffer_size: [u8; 4], "lbufsize";
    /// Not used.
    137 spare: [u8; 3], "lspare";
    /// The application.
    140 application_name: Text<30>, "lappname";
    /// The server, by the client's name for it.
    171 server_name: Text<30>, "lservname";
    /// Passwords for other servers.
    202 remote_passwords: RemotePasswords, "lrempw";
    /// The version of the protocol: 5.0.0.0.
    458 tds_version: [u8; 4], "ltds";
    /// The client's library.
    462 program_name: Text<10>, "lprogname";
    /// Its version.
    473 program_version: [u8; 4], "lprogvers";
    /// 1: convert short types.
    477 no_short: u8, "lnoshort";
    /// Floats of four bytes: 13 little-endian, 12 big-endian, 14 VAX F, 15 ND5000.
    478 float4: u8, "lflt4";
    /// Date and time of four bytes: 17 little-endian, 16 big-endian.
    479 date4: u8, "ldate4";
    /// The language of messages.
    480 language: Text<30>, "llanguage";
    /// 1: say so when the language changes.
    511 set_language: u8, "lsetlang";
    /// Zero.
    512 old_secure: [u8; 2], "loldsecure";
    /// What the client wants of security.
    514 security_login: SecurityLogin, "lseclogin";
    /// 1: bulk copy with labels.
    515 security_bulk: u8, "lsecbulk";
    /// What the login has to do with availability.
    516 ha_login: HaLogin, "lhalogin";
    /// The session that is continued; on the wire, "none" is zero.
    517 session_id: Option<SessionId>, "lhasessionid";
    /// Not used.
    523 secure_spare: [u8; 2], "lsecspare";
    /// The client's character set.
    525 character_set: Text<30>, "lcharset";
    /// 1: say so when the character set changes.
    556 set_character_set: u8, "lsetcharset";
    /// The packet size that the client asks for: a number in text.
    557 packet_size: Text<6>, "lpacketsize";
    /// Not used.
    564 dummy: [u8; 4], "ldummy";
}

impl LoginRecord {
    /// The size in bytes.
    pub const SIZE: usize = 568;

    /// A record without names for a client of this byte order, with packets of 512 bytes. It asks to be told when the
    /// database or the character set changes.
    #[must_use]
    pub fn new(order: ByteOrder) -> Self {
        let [int2, int4, float8, date8, float4, date4] = match order {
            ByteOrder::Little => [3, 1, 10, 9, 13, 17],
            ByteOrder::Big => [2, 0, 4, 8, 12, 16],
        };
        Self {
            host_name: Text::EMPTY,
            user_name: Text::EMPTY,
            password: PasswordText::default(),
            host_process: Text::EMPTY,
            int2,
            int4,
            character: 6,
            float8,
            date8,
            use_database_notify: 1,
            dump_load: 0,
            interface_spare: 0,
            connection_type: ConnectionType::empty(),
            buffer_size: [0; 4],
            spare: [0; 3],
            application_name: Text::EMPTY,
            server_name: Text::EMPTY,
            remote_passwords: RemotePasswords::default(),
            tds_version: [5, 0, 0, 0],
            program_name: Text::EMPTY,
            program_version: [0; 4],
            no_short: 0,
            float4,
            date4,
            language: Text::EMPTY,
            set_language: 0,
            old_secure: [0; 2],
            security_login: SecurityLogin::empty(),
            security_bulk: 0,
            ha_login: HaLogin::empty(),
            session_id: None,
            secure_spare: [0; 2],
            character_set: Text::EMPTY,
            set_character_set: 1,
            packet_size: Text { bytes: *b"512\0\0\0", length: 3 },
            dummy: [0; 4],
        }
    }

    /// The user, and the password for this server and, by an entry without a name, for all others.
    ///
    /// # Errors
    /// One of them is longer than 30 bytes.
    pub fn with_user(self, name: &[u8], password: &[u8]) -> Result<Self, EncodeError> {
        Ok(Self {
            user_name: Text::named("user_name", name)?,
            password: PasswordText::new(password)?,
            remote_passwords: RemotePasswords::new([(&[][..], password)])?,
            ..self
        })
    }

    /// The client's host and its process there.
    ///
    /// # Errors
    /// The name is longer than 30 bytes.
    pub fn with_host(self, name: &[u8], process: u32) -> Result<Self, EncodeError> {
        let host_process = Text::named("host_process", process.to_string().as_bytes())?;
        Ok(Self { host_name: Text::named("host_name", name)?, host_process, ..self })
    }

    /// The application, and the server by the client's name for it.
    ///
    /// # Errors
    /// A name is longer than 30 bytes.
    pub fn with_names(self, application: &[u8], server: &[u8]) -> Result<Self, EncodeError> {
        let application_name = Text::named("application_name", application)?;
        Ok(Self { application_name, server_name: Text::named("server_name", server)?, ..self })
    }

    /// The client's library and its version.
    ///
    /// # Errors
    /// The name is longer than 10 bytes.
    pub fn with_program(self, name: &[u8], version: [u8; 4]) -> Result<Self, EncodeError> {
        Ok(Self { program_name: Text::named("program_name", name)?, program_version: version, ..self })
    }

    /// The language of messages and the client's character set; empty ones leave it to the server.
    ///
    /// # Errors
    /// A name is longer than 30 bytes.
    pub fn with_locale(self, language: &[u8], character_set: &[u8]) -> Result<Self, EncodeError> {
        let language = Text::named("language", language)?;
        Ok(Self { language, character_set: Text::named("character_set", character_set)?, ..self })
    }

    /// The packet size that the client asks for.
    ///
    /// # Errors
    /// It has more than six digits.
    pub fn with_packet_size(self, size: u32) -> Result<Self, EncodeError> {
        Ok(Self { packet_size: Text::named("packet_size", size.to_string().as_bytes())?, ..self })
    }

    /// The same login at the server that the session migrates to.
    #[must_use]
    pub fn with_migration(self, session_id: SessionId) -> Self {
        Self { ha_login: self.ha_login | HaLogin::MIGRATE, session_id: Some(session_id), ..self }
    }

    /// The byte order of everything that the client sends, and of all that it is sent.
    ///
    /// # Errors
    /// A code is not known, or the two codes disagree.
    pub fn order(&self) -> Result<ByteOrder, DecodeError> {
        let (order, agrees) = match self.int2 {
            3 => (ByteOrder::Little, 1),
            2 => (ByteOrder::Big, 0),
            got => return Err(DecodeError::invalid(MESSAGE, "int2", "must be 3 or 2", u64::from(got))),
        };
        if self.int4 == agrees {
            return Ok(order);
        }
        Err(DecodeError::invalid(MESSAGE, "int4", "must be 1 with int2 3, 0 with int2 2", u64::from(self.int4)))
    }

    /// The packet size that the client asks for, `None` if there is no number.
    #[must_use]
    pub fn packet_size(&self) -> Option<u32> {
        let digits = self.packet_size.as_bytes();
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        core::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// Parses a record.
    ///
    /// # Errors
    /// It is not 568 bytes, a length is beyond its field, the byte order is not clear, or it is of a version that is
    /// not spoken.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (rest, record) = Self::read(bytes)?;
        if !rest.is_empty() {
            return Err(DecodeError::invalid(MESSAGE, "body", "must be 568 bytes", to_u64(bytes.len())));
        }
        record.validate().map(|()| record)
    }

    fn validate(&self) -> Result<(), DecodeError> {
        let [major, ..] = self.tds_version;
        if major != 5 {
            let reason = "only major version 5 is spoken";
            return Err(DecodeError::unsupported(MESSAGE, "tds_version", reason, u64::from(major)));
        }
        if self.old_secure != [0; 2] {
            let got = u64::from(u16::from_be_bytes(self.old_secure));
            return Err(DecodeError::unsupported(MESSAGE, "old_secure", "must be zero", got));
        }
        self.order().map(drop)
    }
}

impl Encode for LoginRecord {
    fn encoded_len(&self) -> usize {
        Self::SIZE
    }

    fn check(&self) -> Result<(), EncodeError> {
        self.validate().map_err(|DecodeError { message, field, kind }| match kind {
            DecodeErrorKind::Invalid { reason, .. } | DecodeErrorKind::Unsupported { reason, .. } => {
                EncodeError::Invalid { message, field, reason }
            }
            _ => EncodeError::Invalid { message, field, reason: "not allowed" },
        })
    }

    fn write(&self, writer: &mut Writer<'_>) {
        self.put(writer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec::Vec};

    fn client() -> LoginRecord {
        LoginRecord::new(ByteOrder::Little)
            .with_user(b"sa", b"secret")
            .and_then(|record| record.with_host(b"vm", 13757))
            .and_then(|record| record.with_names(b"TSQL", b"fake"))
            .and_then(|record| record.with_program(b"TDS-Librar", [5, 0, 0, 0]))
            .and_then(|record| record.with_locale(b"us_english", b""))
            .unwrap()
    }

    #[test]
    fn as_captured() {
        // What FreeTDS sends; all other bytes are zero.
        let mut bytes = [0; LoginRecord::SIZE];
        let parts: [(usize, &[u8]); 17] = [
            (0, b"vm"),
            (30, b"\x02sa"),
            (61, b"\x02secret"),
            (92, b"\x0613757"),
            (123, b"\x05\x03\x01\x06\x0a\x09\x01"),
            (140, b"TSQL"),
            (170, b"\x04fake"),
            (201, b"\x04"),
            (203, b"\x06secret"),
            (457, b"\x08\x05"),
            (462, b"TDS-Librar\x0a\x05"),
            (478, b"\x0d\x11us_english"),
            (510, b"\x0a"),
            (556, b"\x01512"),
            (563, b"\x03"),
            (516, b"\x10\xa1\xb2\xc3\xd4\xe5\xf6"),
            // Padding that is not zero.
            (20, b"pad"),
        ];
        for (index, &(at, part)) in parts.iter().enumerate() {
            bytes[at..at + part.len()].copy_from_slice(part);
            if index == 14 {
                assert_eq!(client().to_vec().unwrap(), bytes);
                assert_eq!(LoginRecord::parse(&bytes), Ok(client()));
            }
            if index == 15 {
                let id = SessionId::new([0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6]).unwrap();
                assert_eq!(client().with_migration(id).to_vec().unwrap(), bytes);
            }
        }
        let record = LoginRecord::parse(&bytes).unwrap();
        assert_eq!(record.to_vec().unwrap(), bytes);
        assert_eq!(record.host_name.as_bytes(), b"vm");
        assert_ne!(record.host_name, client().host_name);
        assert_eq!(record.packet_size(), Some(512));
        assert_eq!(record.password.expose(), b"secret");
        assert_eq!(record.remote_passwords.entries().collect::<Vec<_>>(), [(&b""[..], &b"secret"[..])]);
        let shown = format!("{record:?}");
        assert!(shown.contains("\"TSQL\"") && !shown.contains("secret") && !shown.contains("161"), "{shown}");
    }

    #[test]
    fn what_is_refused() {
        let good = client().to_vec().unwrap();
        let error = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            format!("{}", LoginRecord::parse(&bytes).unwrap_err())
        };
        assert_eq!(error(30, 31), "LoginRecord.host_name: longer than the field (got 31)");
        assert_eq!(error(472, 11), "LoginRecord.program_name: longer than the field (got 11)");
        assert_eq!(error(563, 7), "LoginRecord.packet_size: longer than the field (got 7)");
        assert_eq!(error(124, 4), "LoginRecord.int2: must be 3 or 2 (got 4)");
        assert_eq!(error(124, 2), "LoginRecord.int4: must be 1 with int2 3, 0 with int2 2 (got 1)");
        assert_eq!(error(458, 7), "LoginRecord.tds_version: not supported: only major version 5 is spoken (got 7)");
        assert_eq!(error(513, 1), "LoginRecord.old_secure: not supported: must be zero (got 1)");
        for (length, field) in [(0, "host_name"), (568 - 1, "dummy"), (202, "remote_passwords"), (522, "session_id")] {
            assert_eq!(LoginRecord::parse(&good[..length]).unwrap_err().field, field);
        }
        assert!(LoginRecord::parse(&[&good[..], b"\xe2"].concat()).is_err());
        let mixed = LoginRecord { int4: 0, ..client() };
        assert_eq!(
            format!("{}", mixed.to_vec().unwrap_err()),
            "LoginRecord.int4: must be 1 with int2 3, 0 with int2 2"
        );
        assert_eq!(LoginRecord::new(ByteOrder::Big).order(), Ok(ByteOrder::Big));
        assert_eq!(
            format!("{}", client().with_user(&[b'x'; 31], b"").unwrap_err()),
            "LoginRecord.user_name is too long: 31, at most 30"
        );
        assert!(client().with_user(b"", &[b'x'; 31]).is_err());
        assert!(client().with_packet_size(1_000_000).is_err());
        let size = |text: &[u8]| LoginRecord { packet_size: Text::new(text).unwrap(), ..client() }.packet_size();
        assert_eq!((size(b""), size(b"+1"), size(b"12 "), size(b"000512")), (None, None, None, Some(512)));
        assert_eq!(client().with_packet_size(65_535).unwrap().packet_size(), Some(65_535));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serialised() {
        let record = client();
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<LoginRecord>(&json).unwrap(), record);
        let mut room = [0; 2 * LoginRecord::SIZE];
        let packed = postcard::to_slice(&record, &mut room).unwrap();
        assert_eq!(postcard::from_bytes::<LoginRecord>(packed).unwrap(), record);
        assert!(serde_json::from_str::<Text<2>>("[1,2,3]").is_err() && serde_json::from_str::<Text<2>>("[1]").is_err());
    }
}
