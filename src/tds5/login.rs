//! The login message: a record of 568 bytes and the client's capabilities (spec/tds5.md 2.1).

mod field;
mod record;

pub use field::{PasswordText, RemotePasswords, Text};
pub use record::LoginRecord;

use super::capability::{Capabilities, RequestCapability, ResponseCapability};
use super::secret::SessionId;
use super::token::Token;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bitflags::bitflags;
use core::fmt;

bitflags! {
    /// What kind of connection it is to be; an ordinary one has no bit. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct ConnectionType: u8 {
        /// The client is a server.
        #[doc(alias = "TDS_LSERVER")]
        const SERVER = 0x01;
        /// For a user of that server.
        #[doc(alias = "TDS_LREMUSER")]
        const REMOTE_USER = 0x02;
        /// For procedure calls within a server.
        #[doc(alias = "TDS_LINTERNAL_RPC")]
        const INTERNAL_RPC = 0x04;
        const _ = !0;
    }
}

bitflags! {
    /// What the client wants of security. With a bit that encrypts, the record holds no password. Unknown bits are
    /// kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct SecurityLogin: u8 {
        /// An encrypted password.
        #[doc(alias = "TDS_SEC_LOG_ENCRYPT")]
        const ENCRYPT = 0x01;
        /// A challenge.
        #[doc(alias = "TDS_SEC_LOG_CHALLENGE")]
        const CHALLENGE = 0x02;
        /// Labels.
        #[doc(alias = "TDS_SEC_LOG_LABELS")]
        const LABELS = 0x04;
        /// Something that the application defines.
        #[doc(alias = "TDS_SEC_LOG_APPDEFINED")]
        const APPLICATION_DEFINED = 0x08;
        /// A secure session.
        #[doc(alias = "TDS_SEC_LOG_SECSESS")]
        const SECURE_SESSION = 0x10;
        /// An encrypted password, second form.
        #[doc(alias = "TDS_SEC_LOG_ENCRYPT2")]
        const ENCRYPT_2 = 0x20;
        /// An encrypted password, third form.
        #[doc(alias = "TDS_SEC_LOG_ENCRYPT3")]
        const ENCRYPT_3 = 0x80;
        const _ = !0;
    }
}

bitflags! {
    /// What the login has to do with availability. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[doc(alias = "lhalogin")]
    pub struct HaLogin: u8 {
        /// The client wants a session id.
        #[doc(alias = "TDS_HA_LOG_SESSION")]
        const SESSION = 0x01;
        /// Resumes the session of that id after a failover.
        #[doc(alias = "TDS_HA_LOG_RESUME")]
        const RESUME = 0x02;
        /// This is the failover server for the session.
        #[doc(alias = "TDS_HA_LOG_FAILOVERSRV")]
        const FAILOVER_SERVER = 0x04;
        /// The client understands a redirection of its login.
        #[doc(alias = "TDS_HA_LOG_REDIRECT")]
        const REDIRECT = 0x08;
        /// Continues a migration.
        #[doc(alias = "TDS_HA_LOG_MIGRATE")]
        const MIGRATE = 0x10;
        const _ = !0;
    }
}

/// What a login message holds.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Login {
    /// The record.
    pub record: Box<LoginRecord>,
    /// What the client can do.
    pub capabilities: Capabilities,
    /// What else the message holds: no known client sends anything.
    pub extra: Vec<Token>,
}

impl Login {
    /// The login of a client that can do what this crate can read, and be migrated if `migratable`.
    #[must_use]
    pub fn new(record: LoginRecord, migratable: bool) -> Self {
        Self { record: Box::new(record), capabilities: Capabilities::offered(migratable), extra: Vec::new() }
    }

    /// The session that this login continues at the server that it migrates to; `None` for any other login. One that
    /// says "migration" without an id is an ordinary login.
    #[must_use]
    pub fn is_migration(&self) -> Option<SessionId> {
        self.record.session_id.filter(|_| self.record.ha_login.contains(HaLogin::MIGRATE))
    }

    /// Whether the client can be migrated, for all that it says.
    #[must_use]
    pub fn migratable(&self) -> bool {
        self.capabilities.request(RequestCapability::MIGRATE) && self.takes_messages()
    }

    /// Whether the client has asked for a session id by the means of failover: a bit of the record, or the capability.
    #[must_use]
    pub fn wants_session(&self) -> bool {
        let by_record = self.record.ha_login.contains(HaLogin::SESSION);
        (by_record || self.capabilities.request(RequestCapability::CLUSTER_FAILOVER)) && self.takes_messages()
    }

    /// A client that wants no MSG can be told no session id and no migration.
    fn takes_messages(&self) -> bool {
        !self.capabilities.response(ResponseCapability::NO_MESSAGE)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let capabilities = format_args!("{}", self.capabilities);
        f.debug_struct("Login").field("record", &self.record).field("capabilities", &capabilities).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::capability::Mask;
    use super::*;
    use crate::wire::ByteOrder;
    use alloc::format;

    fn client() -> LoginRecord {
        LoginRecord::new(ByteOrder::Little)
    }

    #[test]
    fn what_a_login_is() {
        let id = SessionId::new([1; 6]).unwrap();
        let login = |record: LoginRecord, request: &[u16], response: &[u16]| Login {
            record: Box::new(record),
            extra: Vec::new(),
            capabilities: Capabilities::new(
                &Mask::of(request.iter().copied()).unwrap(),
                &Mask::of(response.iter().copied()).unwrap(),
            ),
        };
        assert_eq!(login(client().with_migration(id), &[], &[]).is_migration(), Some(id));
        let without_id = LoginRecord { session_id: None, ..client().with_migration(id) };
        assert_eq!(login(without_id, &[], &[]).is_migration(), None);
        assert_eq!(login(LoginRecord { session_id: Some(id), ..client() }, &[], &[]).is_migration(), None);
        assert!(login(client(), &[89], &[]).migratable() && !login(client(), &[89], &[1]).migratable());
        assert!(!login(client(), &[88], &[]).migratable());
        assert!(login(client(), &[81], &[]).wants_session() && !login(client(), &[81], &[1]).wants_session());
        assert!(!login(client(), &[89], &[]).wants_session());
        let asks = LoginRecord { ha_login: HaLogin::SESSION, ..client() };
        assert!(login(asks, &[], &[]).wants_session());
        assert!(format!("{:?}", login(client(), &[89], &[])).contains("{REQUEST: {MIGRATE}, RESPONSE: {}}"));
    }
}
