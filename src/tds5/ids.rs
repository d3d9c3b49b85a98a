//! Numbers of the TDS 5.0 wire (spec/tds5.md 1, 3 and 4).

use crate::wire::codes;
use bitflags::bitflags;

codes! {
    /// Kind of a packet, the first byte of its header (spec/tds5.md 1.2). The same numbers mean other things in the
    /// versions of TDS from 7 on.
    pub struct PacketType(u8) {
        /// A command in plain text.
        LANGUAGE = 1, "BUF_LANG";
        /// The login record, and after it the client's answers in a login negotiation.
        LOGIN = 2, "BUF_LOGIN";
        /// A remote procedure call.
        RPC = 3, "BUF_RPC";
        /// What a server answers: tokens.
        RESPONSE = 4, "BUF_RESPONSE";
        /// Raw bytes.
        UNFORMATTED = 5, "BUF_UNFMT";
        /// Cancel the running command: header only.
        ATTENTION = 6, "BUF_ATTN";
        /// Bulk rows.
        BULK = 7, "BUF_BULK";
        /// Opens a logical channel: header only.
        SETUP = 8, "BUF_SETUP";
        /// Closes a logical channel: header only.
        CLOSE = 9, "BUF_CLOSE";
        /// An error on a logical channel: header only.
        ERROR = 10, "BUF_ERROR";
        /// An acknowledgement on a logical channel: header only.
        PROTOCOL_ACK = 11, "BUF_PROTACK";
        /// To be sent back.
        ECHO = 12, "BUF_ECHO";
        /// The end of a logical channel: header only.
        LOGOUT = 13, "BUF_LOGOUT";
        /// What it is for is not known.
        END_PARAM = 14, "BUF_ENDPARAM";
        /// A request or a response in tokens.
        NORMAL = 15, "BUF_NORMAL";
        /// A notification in tokens.
        URGENT = 16, "BUF_URGENT";
        /// A message of the migration protocol, in tokens.
        MIGRATE = 17, "BUF_MIGRATE";
        /// What it is for is not known.
        HELLO = 18, "BUF_HELLO";
        /// SQL Anywhere.
        COMMAND_SEQUENCE_NORMAL = 24, "BUF_CMDSEQ_NORMAL";
        /// SQL Anywhere.
        COMMAND_SEQUENCE_LOGIN = 25, "BUF_CMDSEQ_LOGIN";
        /// SQL Anywhere.
        COMMAND_SEQUENCE_LIVENESS = 26, "BUF_CMDSEQ_LIVENESS";
        /// SQL Anywhere.
        COMMAND_SEQUENCE_RESERVED_1 = 27, "BUF_CMDSEQ_RESERVED1";
        /// SQL Anywhere.
        COMMAND_SEQUENCE_RESERVED_2 = 28, "BUF_CMDSEQ_RESERVED2";
    }
}

impl PacketType {
    /// Whether such a message consists of tokens (a login message after its login record).
    #[must_use]
    pub const fn has_tokens(self) -> bool {
        matches!(self, Self::LOGIN | Self::RESPONSE | Self::NORMAL | Self::URGENT | Self::MIGRATE)
    }

    /// Whether such a message is one header and nothing else.
    #[must_use]
    pub const fn is_header_only(self) -> bool {
        matches!(self, Self::ATTENTION | Self::SETUP | Self::CLOSE | Self::ERROR | Self::PROTOCOL_ACK | Self::LOGOUT)
    }

    /// Whether a server owes a response that ends in a final DONE for such a message of a client that is logged in.
    #[must_use]
    pub const fn is_request(self) -> bool {
        matches!(self, Self::LANGUAGE | Self::RPC | Self::UNFORMATTED | Self::BULK | Self::NORMAL)
    }
}

bitflags! {
    /// The second byte of a packet header (spec/tds5.md 1.3). There is no bit for migration.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct PacketStatus: u8 {
        /// The last packet of its message.
        #[doc(alias = "BUFSTAT_EOM")]
        const END_OF_MESSAGE = 0x01;
        /// Acknowledges an attention.
        #[doc(alias = "BUFSTAT_ATTNACK")]
        const ATTENTION_ACK = 0x02;
        /// Is an attention.
        #[doc(alias = "BUFSTAT_ATTN")]
        const ATTENTION = 0x04;
        /// An event.
        #[doc(alias = "BUFSTAT_EVENT")]
        const EVENT = 0x08;
        /// Encrypted.
        #[doc(alias = "BUFSTAT_SEAL")]
        const SEAL = 0x10;
        /// SQL Anywhere.
        #[doc(alias = "BUFSTAT_ENCRYPT")]
        const ENCRYPT = 0x20;
        /// Encrypted on demand.
        #[doc(alias = "BUFSTAT_SYMENCRYPT")]
        const SYMMETRIC_ENCRYPT = 0x40;
        const _ = !0;
    }
}

codes! {
    /// The first byte of a token (spec/tds5.md 3).
    pub struct TokenType(u8) {
        /// Declares a cursor.
        CURSOR_DECLARE_3 = 0x10, "TDS_CURDECLARE3";
        /// Describes the parameters that follow, with wide fields.
        PARAM_FORMAT_2 = 0x20, "TDS_PARAMFMT2";
        /// A command in a language that the server knows.
        LANGUAGE = 0x21, "TDS_LANGUAGE";
        /// The columns of ORDER BY, with wide fields.
        ORDER_BY_2 = 0x22, "TDS_ORDERBY2";
        /// Declares a cursor, with wide fields.
        CURSOR_DECLARE_2 = 0x23, "TDS_CURDECLARE2";
        /// Describes the rows that follow, with wide fields.
        ROW_FORMAT_2 = 0x61, "TDS_ROWFMT2";
        /// A prepared command, with wide fields.
        DYNAMIC_2 = 0x62, "TDS_DYNAMIC2";
        /// A message with a number, perhaps with parameters.
        MESSAGE = 0x65, "TDS_MSG";
        /// The client goes.
        LOGOUT = 0x71, "TDS_LOGOUT";
        /// Where in a command something was.
        OFFSET = 0x78, "TDS_OFFSET";
        /// What a procedure has returned.
        RETURN_STATUS = 0x79, "TDS_RETURNSTATUS";
        /// The number of a procedure.
        PROCEDURE_ID = 0x7c, "TDS_PROCID";
        /// About a cursor.
        CURSOR_INFO = 0x83, "TDS_CURINFO";
        /// Declares a cursor.
        CURSOR_DECLARE = 0x86, "TDS_CURDECLARE";
        /// About a cursor, with more fields.
        CURSOR_INFO_3 = 0x88, "TDS_CURINFO3";
        /// An event of the server.
        EVENT_NOTICE = 0xa2, "TDS_EVENTNOTICE";
        /// Tables that the result comes from.
        TABLE_NAME = 0xa4, "TDS_TABNAME";
        /// Columns that the result comes from.
        COLUMN_INFO = 0xa5, "TDS_COLINFO";
        /// Sets or asks for an option.
        OPTION_COMMAND = 0xa6, "TDS_OPTIONCMD";
        /// The columns of ORDER BY.
        ORDER_BY = 0xa9, "TDS_ORDERBY";
        /// An error, for clients that take no EED.
        ERROR = 0xaa, "TDS_ERROR";
        /// A notice, for clients that take no EED.
        INFO = 0xab, "TDS_INFO";
        /// The server's answer to a login.
        LOGIN_ACK = 0xad, "TDS_LOGINACK";
        /// How each column is to be shown.
        CONTROL = 0xae, "TDS_CONTROL";
        /// One row.
        ROW = 0xd1, "TDS_ROW";
        /// Parameters, as the last format says.
        PARAMS = 0xd7, "TDS_PARAMS";
        /// What one side can do.
        CAPABILITY = 0xe2, "TDS_CAPABILITY";
        /// Something in the surroundings has changed: database, language, character set, packet size.
        ENVIRONMENT_CHANGE = 0xe3, "TDS_ENVCHANGE";
        /// An error or a notice.
        EED = 0xe5, "TDS_EED";
        /// A procedure call by name.
        DB_RPC = 0xe6, "TDS_DBRPC";
        /// A prepared command.
        DYNAMIC = 0xe7, "TDS_DYNAMIC";
        /// Describes the parameters that follow.
        PARAM_FORMAT = 0xec, "TDS_PARAMFMT";
        /// Describes the rows that follow.
        ROW_FORMAT = 0xee, "TDS_ROWFMT";
        /// A command, or a part of one, is done.
        DONE = 0xfd, "TDS_DONE";
        /// A procedure is done.
        DONE_PROCEDURE = 0xfe, "TDS_DONEPROC";
        /// A statement of a procedure is done.
        DONE_IN_PROCEDURE = 0xff, "TDS_DONEINPROC";
    }
}

codes! {
    /// The number of a [`Message`](super::token::Message) (spec/tds5.md 3.3). 0 to 32767 are the vendor's.
    pub struct MessageId(u16) {
        /// Asks for an encrypted password.
        SECURITY_ENCRYPT = 1, "TDS_MSG_SEC_ENCRYPT";
        /// An encrypted password.
        SECURITY_LOGIN_PASSWORD = 2, "TDS_MSG_SEC_LOGPWD";
        /// Encrypted passwords for remote servers.
        SECURITY_REMOTE_PASSWORD = 3, "TDS_MSG_SEC_REMPWD";
        /// A challenge.
        SECURITY_CHALLENGE = 4, "TDS_MSG_SEC_CHALLENGE";
        /// The answer to it.
        SECURITY_RESPONSE = 5, "TDS_MSG_SEC_RESPONSE";
        /// Asks for labels.
        SECURITY_GET_LABEL = 6, "TDS_MSG_SEC_GETLABEL";
        /// Labels.
        SECURITY_LABEL = 7, "TDS_MSG_SEC_LABEL";
        /// The name of a table.
        SQL_TABLE_NAME = 8, "TDS_MSG_SQL_TBLNAME";
        /// Reserved for gateways.
        GATEWAY_RESERVED = 9, "TDS_MSG_GW_RESERVED";
        /// What a gateway can do.
        OMNI_CAPABILITIES = 10, "TDS_MSG_OMNI_CAPABILITIES";
        /// Something for the security mechanism.
        SECURITY_OPAQUE = 11, "TDS_MSG_SEC_OPAQUE";
        /// The session's id, six bytes.
        HA_FAILOVER = 12, "TDS_MSG_HAFAILOVER";
        /// Nothing, where an answer is expected.
        EMPTY = 13, "TDS_MSG_EMPTY";
        /// Asks for an encrypted password, second form.
        SECURITY_ENCRYPT_2 = 14, "TDS_MSG_SEC_ENCRYPT2";
        /// An encrypted password, second form.
        SECURITY_LOGIN_PASSWORD_2 = 15, "TDS_MSG_SEC_LOGPWD2";
        /// Ciphers.
        SECURITY_CIPHER_2 = 16, "TDS_MSG_SEC_SUP_CIPHER2";
        /// Server to client: please migrate, to these addresses.
        MIGRATION_REQUEST = 17, "TDS_MIG_REQ";
        /// Client to server: I have the request and am ready.
        MIGRATION_SYNC = 18, "TDS_MIG_SYNC";
        /// Server to client: go.
        MIGRATION_CONTINUE = 19, "TDS_MIG_CONT";
        /// Server to client: never mind.
        MIGRATION_IGNORE = 20, "TDS_MIG_IGN";
        /// Client to the original server: I could not.
        MIGRATION_FAIL = 21, "TDS_MIG_FAIL";
        /// Encrypted passwords for remote servers, second form.
        SECURITY_REMOTE_PASSWORD_2 = 22, "TDS_MSG_SEC_REMPWD2";
        /// Client to server: I am waiting for results.
        MIGRATION_RESUME = 23, "TDS_MIG_RESUME";
        /// What it is for is not known.
        HELLO = 24, "TDS_MSG_HELLO";
        /// What it is for is not known.
        LOGIN_PARAMS = 25, "TDS_MSG_LOGINPARAMS";
        /// What it is for is not known.
        GRID_MIGRATION_REQUEST = 26, "TDS_MSG_GRID_MIGREQ";
        /// What it is for is not known.
        GRID_QUIESCE = 27, "TDS_MSG_GRID_QUIESCE";
        /// What it is for is not known.
        GRID_UNQUIESCE = 28, "TDS_MSG_GRID_UNQUIESCE";
        /// What it is for is not known.
        GRID_EVENT = 29, "TDS_MSG_GRID_EVENT";
        /// Asks for an encrypted password, third form.
        SECURITY_ENCRYPT_3 = 30, "TDS_MSG_SEC_ENCRYPT3";
        /// An encrypted password, third form.
        SECURITY_LOGIN_PASSWORD_3 = 31, "TDS_MSG_SEC_LOGPWD3";
        /// Encrypted passwords for remote servers, third form.
        SECURITY_REMOTE_PASSWORD_3 = 32, "TDS_MSG_SEC_REMPWD3";
        /// What it is for is not known.
        DR_MAP = 33, "TDS_MSG_DR_MAP";
        /// A symmetric key.
        SECURITY_SYMMETRIC_KEY = 34, "TDS_MSG_SEC_SYMKEY";
        /// Asks for an encrypted password, fourth form.
        SECURITY_ENCRYPT_4 = 35, "TDS_MSG_SEC_ENCRYPT4";
    }
}

bitflags! {
    /// The status of a DONE (spec/tds5.md 3.4).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct DoneStatus: u16 {
        /// More results follow. Without it the DONE is final.
        #[doc(alias = "TDS_DONE_MORE")]
        const MORE = 0x01;
        /// There was an error.
        #[doc(alias = "TDS_DONE_ERROR")]
        const ERROR = 0x02;
        /// A transaction is in progress.
        #[doc(alias = "TDS_DONE_INXACT")]
        const IN_TRANSACTION = 0x04;
        /// From a procedure.
        #[doc(alias = "TDS_DONE_PROC")]
        const PROCEDURE = 0x08;
        /// The count is valid.
        #[doc(alias = "TDS_DONE_COUNT")]
        const COUNT = 0x10;
        /// Acknowledges an attention.
        #[doc(alias = "TDS_DONE_ATTN")]
        const ATTENTION = 0x20;
        /// Part of an event notification.
        #[doc(alias = "TDS_DONE_EVENT")]
        const EVENT = 0x40;
        /// The count is cumulative.
        #[doc(alias = "TDS_DONE_CUMULATIVE")]
        const CUMULATIVE = 0x80;
        const _ = !0;
    }
}
