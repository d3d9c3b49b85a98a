//! What the numbers mean.

use crate::wire::codes;

codes! {
    /// What the bits of a mask mean.
    pub struct CapabilityType(u8) {
        /// What the client may ask of the server: [`RequestCapability`].
        REQUEST = 1, "TDS_CAP_REQUEST";
        /// What the server shall not send to the client: [`ResponseCapability`].
        RESPONSE = 2, "TDS_CAP_RESPONSE";
        /// Security.
        SECURITY = 3, "TDS_CAP_SECURITY";
    }
}

/// [`codes!`] with a line for each number, since there are so many of them.
macro_rules! numbers {
    ($(#[$doc:meta])* pub struct $name:ident; $($constant:ident = $value:literal, $alias:literal, $text:literal;)+) => {
        codes! {
            $(#[$doc])*
            pub struct $name(u16) { $(#[doc = $text] $constant = $value, $alias;)+ }
        }
    };
}

numbers! {
    /// The number of something that a client may ask.
    pub struct RequestCapability;
    LANGUAGE = 1, "TDS_REQ_LANG", "Commands in plain text.";
    RPC = 2, "TDS_REQ_RPC", "Remote procedure calls.";
    EVENT = 3, "TDS_REQ_EVT", "Notifications of events.";
    MULTI_STATEMENT = 4, "TDS_REQ_MSTMT", "Several statements in one command.";
    BULK_COPY = 5, "TDS_REQ_BCP", "Bulk copy.";
    CURSOR = 6, "TDS_REQ_CURSOR", "Cursors.";
    DYNAMIC = 7, "TDS_REQ_DYNF", "Prepared commands.";
    MESSAGE = 8, "TDS_REQ_MSG", "The token MSG, which carries all of migration.";
    PARAM = 9, "TDS_REQ_PARAM", "Parameters by RPC's own token.";
    INT1 = 10, "TDS_REQ_INT1", "Integers of one byte.";
    INT2 = 11, "TDS_REQ_INT2", "Integers of two bytes.";
    INT4 = 12, "TDS_REQ_INT4", "Integers of four bytes.";
    BIT = 13, "TDS_REQ_BIT", "Bits.";
    CHAR = 14, "TDS_REQ_CHAR", "Strings of fixed length.";
    VARCHAR = 15, "TDS_REQ_VCHAR", "Strings.";
    BINARY = 16, "TDS_REQ_BIN", "Bytes of fixed length.";
    VARBINARY = 17, "TDS_REQ_VBIN", "Bytes.";
    MONEY8 = 18, "TDS_REQ_MNY8", "Money in eight bytes.";
    MONEY4 = 19, "TDS_REQ_MNY4", "Money in four bytes.";
    DATETIME8 = 20, "TDS_REQ_DATE8", "Date and time in eight bytes.";
    DATETIME4 = 21, "TDS_REQ_DATE4", "Date and time in four bytes.";
    FLOAT4 = 22, "TDS_REQ_FLT4", "Floats of four bytes.";
    FLOAT8 = 23, "TDS_REQ_FLT8", "Floats of eight bytes.";
    NUMERIC = 24, "TDS_REQ_NUM", "Numeric.";
    TEXT = 25, "TDS_REQ_TEXT", "Long text.";
    IMAGE = 26, "TDS_REQ_IMAGE", "Long bytes.";
    DECIMAL = 27, "TDS_REQ_DEC", "Decimal.";
    LONG_CHAR = 28, "TDS_REQ_LCHAR", "Strings beyond 255 bytes.";
    LONG_BINARY = 29, "TDS_REQ_LBIN", "Bytes beyond 255.";
    INTN = 30, "TDS_REQ_INTN", "Integers that can be null.";
    DATETIMEN = 31, "TDS_REQ_DATETIMEN", "Date and time that can be null.";
    MONEYN = 32, "TDS_REQ_MONEYN", "Money that can be null.";
    CURSOR_PREVIOUS = 33, "TDS_REQ_CSR_PREV", "Cursors: fetch the previous row.";
    CURSOR_FIRST = 34, "TDS_REQ_CSR_FIRST", "Cursors: fetch the first row.";
    CURSOR_LAST = 35, "TDS_REQ_CSR_LAST", "Cursors: fetch the last row.";
    CURSOR_ABSOLUTE = 36, "TDS_REQ_CSR_ABS", "Cursors: fetch by number.";
    CURSOR_RELATIVE = 37, "TDS_REQ_CSR_REL", "Cursors: fetch by distance.";
    CURSOR_MULTIPLE = 38, "TDS_REQ_CSR_MULTI", "Cursors: fetch several rows.";
    OUT_OF_BAND = 39, "TDS_REQ_CON_OOB", "Attention out of band.";
    IN_BAND = 40, "TDS_REQ_CON_INBAND", "Attention in band.";
    LOGICAL = 41, "TDS_REQ_CON_LOGICAL", "Logical channels.";
    TOKENISED_TEXT = 42, "TDS_REQ_PROTO_TEXT", "Long values in tokens.";
    TOKENISED_BULK = 43, "TDS_REQ_PROTO_BULK", "Bulk copy in tokens.";
    URGENT_EVENT = 44, "TDS_REQ_URGEVT", "Events by URGENT messages.";
    SENSITIVITY = 45, "TDS_REQ_SENSITIVITY", "Security labels.";
    BOUNDARY = 46, "TDS_REQ_BOUNDARY", "Security boundaries.";
    DESCRIBE_IN = 47, "TDS_REQ_PROTO_DYNAMIC", "Prepared commands describe their input.";
    DYNAMIC_PROCEDURE = 48, "TDS_REQ_PROTO_DYNPROC", "Prepared commands as procedures.";
    FLOATN = 49, "TDS_REQ_FLTN", "Floats that can be null.";
    BITN = 50, "TDS_REQ_BITN", "Bits that can be null.";
    INT8 = 51, "TDS_REQ_INT8", "Integers of eight bytes.";
    VOID = 52, "TDS_REQ_VOID", "Values of no type.";
    DATA_ONLY_BULK = 53, "TDS_REQ_DOL_BULK", "Bulk copy into data-only tables.";
    OBJECT_JAVA = 54, "TDS_REQ_OBJECT_JAVA1", "Java objects.";
    OBJECT_CHAR = 55, "TDS_REQ_OBJECT_CHAR", "Text in pieces.";
    OBJECT_BINARY = 57, "TDS_REQ_OBJECT_BINARY", "Bytes in pieces.";
    COLUMN_STATUS = 58, "TDS_REQ_COLUMNSTATUS", "A status byte for each value.";
    WIDE_TABLES = 59, "TDS_REQ_WIDETABLES", "Tokens with wide fields, as PARAMFMT2.";
    UINT2 = 61, "TDS_REQ_UINT2", "Unsigned integers of two bytes.";
    UINT4 = 62, "TDS_REQ_UINT4", "Unsigned integers of four bytes.";
    UINT8 = 63, "TDS_REQ_UINT8", "Unsigned integers of eight bytes.";
    UINTN = 64, "TDS_REQ_UINTN", "Unsigned integers that can be null.";
    CURSOR_IMPLICIT = 65, "TDS_REQ_CUR_IMPLICIT", "Implicit cursors.";
    NATIVE_LONG_BINARY = 66, "TDS_REQ_NLBIN", "Strings of sixteen-bit units as bytes, in this side's byte order.";
    IMAGE_NCHAR = 67, "TDS_REQ_IMAGE_NCHAR", "Sixteen-bit text in IMAGE.";
    BLOB_NCHAR_16_OBSOLETE = 68, "TDS_REQ_BLOB_NCHAR_16", "No longer in use; see 84.";
    BLOB_NCHAR_8 = 69, "TDS_REQ_BLOB_NCHAR_8", "UTF-8 in pieces.";
    BLOB_NCHAR_SCSU = 70, "TDS_REQ_BLOB_NCHAR_SCSU", "SCSU in pieces.";
    DATE = 71, "TDS_REQ_DATE", "Date alone.";
    TIME = 72, "TDS_REQ_TIME", "Time alone.";
    INTERVAL = 73, "TDS_REQ_INTERVAL", "Intervals.";
    CURSOR_SCROLL = 74, "TDS_REQ_CSR_SCROLL", "Cursors that scroll.";
    CURSOR_SENSITIVE = 75, "TDS_REQ_CSR_SENSITIVE", "Sensitive cursors.";
    CURSOR_INSENSITIVE = 76, "TDS_REQ_CSR_INSENSITIVE", "Insensitive cursors.";
    CURSOR_SEMISENSITIVE = 77, "TDS_REQ_CSR_SEMISENSITIVE", "Semisensitive cursors.";
    CURSOR_KEYSET_DRIVEN = 78, "TDS_REQ_CSR_KEYSETDRIVEN", "Cursors driven by a key set.";
    SERVER_PACKET_SIZE = 79, "TDS_REQ_SRVPKTSIZE", "The server may choose the packet size.";
    UNITEXT = 80, "TDS_REQ_UNITEXT", "Long sixteen-bit text.";
    CLUSTER_FAILOVER = 81, "TDS_REQ_CLUSTERFAILOVER", "Failover in a cluster, with a session id.";
    SINT1 = 82, "TDS_REQ_SINT1", "Signed integers of one byte.";
    LARGE_IDENTIFIERS = 83, "TDS_REQ_LARGEIDENT", "Names beyond thirty bytes.";
    BLOB_NCHAR_16 = 84, "TDS_REQ_BLOB_NCHAR_16", "UTF-16 in pieces.";
    XML = 85, "TDS_REQ_XML", "XML.";
    CURSOR_INFO_3 = 86, "TDS_REQ_CURINFO3", "The token CURINFO3.";
    DB_RPC_2 = 87, "TDS_REQ_DBRPC2", "The token DBRPC2.";
    MIGRATE = 89, "TDS_REQ_MIGRATE", "Connection migration.";
    MULTI_REQUESTS = 90, "TDS_REQ_MULTI_REQUESTS", "Several requests at a time.";
    OPTION_COMMAND_2 = 91, "TDS_REQ_OPTIONCMD2", "Reserved; one implementation has this name for it.";
    LOGIN_INFO = 92, "TDS_REQ_LOGINFO", "Reserved; one implementation has this name for it.";
    BIG_DATETIME = 93, "TDS_REQ_BIGDATETIME", "Date and time in microseconds.";
    MICROSECONDS = 94, "TDS_REQ_USECS", "Microseconds.";
    RPC_LONG_PARAMS = 95, "TDS_REQ_RPCPARAM_LOB", "Long values as parameters of procedures.";
    INSTANCE_ID = 96, "TDS_REQ_INSTID", "The number of the server's instance.";
    GRID = 97, "TDS_REQ_GRID", "Grids.";
    DYNAMIC_BATCH = 98, "TDS_REQ_DYN_BATCH", "Batches of parameters for a prepared command.";
    LANGUAGE_BATCH = 99, "TDS_REQ_LANG_BATCH", "Batches of parameters for a command in plain text.";
    RPC_BATCH = 100, "TDS_REQ_RPC_BATCH", "Batches of parameters for a procedure.";
    LOB_LOCATOR = 101, "TDS_REQ_LOBLOCATOR", "Locators of long values.";
    SELECT_ROW_COUNT = 102, "TDS_REQ_ROWCOUNT_FOR_SELECT", "Row counts of SELECT.";
    LOG_PARAMS = 103, "TDS_REQ_LOGPARAMS", "Parameters in the server's log.";
    DYNAMIC_SUPPRESS_PARAM_FORMAT = 104, "TDS_REQ_DYNAMIC_SUPPRESS_PARAMFMT", "No format of their parameters.";
    READ_ONLY = 105, "TDS_REQ_READONLY", "Connections that only read.";
    COMMAND_ENCRYPTION = 106, "TDS_REQ_COMMAND_ENCRYPTION", "Encrypted commands.";
}

numbers! {
    /// The number of something that a server shall not send.
    pub struct ResponseCapability;
    NO_MESSAGE = 1, "TDS_RES_NOMSG", "No MSG: such a client cannot be migrated.";
    NO_EED = 2, "TDS_RES_NOEED", "No EED.";
    NO_PARAM = 3, "TDS_RES_NOPARAM", "No parameters by RPC's own token.";
    NO_INT1 = 4, "TDS_RES_NOINT1", "No integers of one byte.";
    NO_INT2 = 5, "TDS_RES_NOINT2", "No integers of two bytes.";
    NO_INT4 = 6, "TDS_RES_NOINT4", "No integers of four bytes.";
    NO_BIT = 7, "TDS_RES_NOBIT", "No bits.";
    NO_CHAR = 8, "TDS_RES_NOCHAR", "No strings of fixed length.";
    NO_VARCHAR = 9, "TDS_RES_NOVCHAR", "No strings.";
    NO_BINARY = 10, "TDS_RES_NOBIN", "No bytes of fixed length.";
    NO_VARBINARY = 11, "TDS_RES_NOVBIN", "No bytes.";
    NO_MONEY8 = 12, "TDS_RES_NOMNY8", "No money in eight bytes.";
    NO_MONEY4 = 13, "TDS_RES_NOMNY4", "No money in four bytes.";
    NO_DATETIME8 = 14, "TDS_RES_NODATE8", "No date and time in eight bytes.";
    NO_DATETIME4 = 15, "TDS_RES_NODATE4", "No date and time in four bytes.";
    NO_FLOAT4 = 16, "TDS_RES_NOFLT4", "No floats of four bytes.";
    NO_FLOAT8 = 17, "TDS_RES_NOFLT8", "No floats of eight bytes.";
    NO_NUMERIC = 18, "TDS_RES_NONUM", "No numeric.";
    NO_TEXT = 19, "TDS_RES_NOTEXT", "No long text.";
    NO_IMAGE = 20, "TDS_RES_NOIMAGE", "No long bytes.";
    NO_DECIMAL = 21, "TDS_RES_NODEC", "No decimal.";
    NO_LONG_CHAR = 22, "TDS_RES_NOLCHAR", "No strings beyond 255 bytes.";
    NO_LONG_BINARY = 23, "TDS_RES_NOLBIN", "No bytes beyond 255.";
    NO_INTN = 24, "TDS_RES_NOINTN", "No integers that can be null.";
    NO_DATETIMEN = 25, "TDS_RES_NODATETIMEN", "No date and time that can be null.";
    NO_MONEYN = 26, "TDS_RES_NOMONEYN", "No money that can be null.";
    NO_OUT_OF_BAND = 27, "TDS_RES_CON_NOOOB", "No attention out of band.";
    NO_IN_BAND = 28, "TDS_RES_CON_NOINBAND", "No attention in band.";
    NO_TOKENISED_TEXT = 29, "TDS_RES_PROTO_NOTEXT", "No long values in tokens.";
    NO_TOKENISED_BULK = 30, "TDS_RES_PROTO_NOBULK", "No bulk copy in tokens.";
    NO_SENSITIVITY = 31, "TDS_RES_NOSENSITIVITY", "No security labels.";
    NO_BOUNDARY = 32, "TDS_RES_NOBOUNDARY", "No security boundaries.";
    NO_DEBUG = 33, "TDS_RES_NOTDSDEBUG", "No debug token.";
    NO_STRIP_BLANKS = 34, "TDS_RES_NOSTRIPBLANKS", "No stripping of blanks.";
    NO_INT8 = 35, "TDS_RES_NOINT8", "No integers of eight bytes.";
    NO_OBJECT_JAVA = 36, "TDS_RES_NOJAVA1", "No Java objects.";
    NO_OBJECT_CHAR = 37, "TDS_RES_OBJ_NOCHAR", "No text in pieces.";
    NO_COLUMN_STATUS = 38, "TDS_RES_NOCOLUMNSTATUS", "No status byte for each value.";
    NO_OBJECT_BINARY = 39, "TDS_RES_OBJ_NOBINARY", "No bytes in pieces.";
    NO_UINT2 = 41, "TDS_RES_NOUINT2", "No unsigned integers of two bytes.";
    NO_UINT4 = 42, "TDS_RES_NOUINT4", "No unsigned integers of four bytes.";
    NO_UINT8 = 43, "TDS_RES_NOUINT8", "No unsigned integers of eight bytes.";
    NO_UINTN = 44, "TDS_RES_NOUINTN", "No unsigned integers that can be null.";
    NO_WIDE_TABLES = 45, "TDS_RES_NOWIDETABLES", "No tokens with wide fields.";
    NO_NATIVE_LONG_BINARY = 46, "TDS_RES_NONLBIN", "No strings of sixteen-bit units as bytes.";
    NO_IMAGE_NCHAR = 47, "TDS_RES_IMAGE_NONCHAR", "No sixteen-bit text in IMAGE.";
    NO_BLOB_NCHAR_16_OBSOLETE = 48, "TDS_RES_BLOB_NONCHAR_16", "No longer in use; see 57.";
    NO_BLOB_NCHAR_8 = 49, "TDS_RES_BLOB_NONCHAR_8", "No UTF-8 in pieces.";
    NO_BLOB_NCHAR_SCSU = 50, "TDS_RES_BLOB_NONCHAR_SCSU", "No SCSU in pieces.";
    NO_DATE = 51, "TDS_RES_NODATE", "No date alone.";
    NO_TIME = 52, "TDS_RES_NOTIME", "No time alone.";
    NO_INTERVAL = 53, "TDS_RES_NOINTERVAL", "No intervals.";
    NO_UNITEXT = 54, "TDS_RES_NOUNITEXT", "No long sixteen-bit text.";
    NO_SINT1 = 55, "TDS_RES_NOSINT1", "No signed integers of one byte.";
    NO_LARGE_IDENTIFIERS = 56, "TDS_RES_NO_LARGEIDENT", "No names beyond thirty bytes.";
    NO_BLOB_NCHAR_16 = 57, "TDS_RES_NO_BLOB_NCHAR_16", "No UTF-16 in pieces.";
    NO_SERVER_PACKET_SIZE = 58, "TDS_RES_NO_SRVPKTSIZE", "The server may not choose the packet size.";
    NO_XML = 59, "TDS_RES_NOXML", "No XML.";
    NON_INTEGER_RETURN_VALUE = 60, "TDS_RES_NONINT_RETURN_VALUE", "What it asks for is not known.";
    NO_XNL_METADATA = 61, "TDS_RES_NOXNLMETADATA", "No extended metadata.";
    SUPPRESS_FORMAT = 62, "TDS_RES_SUPPRESS_FMT", "No format where it is known.";
    SUPPRESS_DONE_IN_PROCEDURE = 63, "TDS_RES_SUPPRESS_DONEINPROC", "No DONEINPROC.";
    FORCE_ROW_FORMAT_2 = 64, "TDS_RES_FORCE_ROWFMT2", "Unused; one implementation has this name for it.";
    NO_BIG_DATETIME = 65, "TDS_RES_NOBIGDATETIME", "No date and time in microseconds.";
    NO_MICROSECONDS = 66, "TDS_RES_NOUSECS", "No microseconds.";
    NO_CONTROL = 67, "TDS_RES_NO_TDSCONTROL", "No CONTROL.";
    NO_RPC_LONG_PARAMS = 68, "TDS_RES_RPCPARAM_NOLOB", "No long values as parameters of procedures.";
    NO_LOB_LOCATOR = 69, "TDS_RES_NOLOBLOCATOR", "No locators of long values.";
    NO_SELECT_ROW_COUNT = 70, "TDS_RES_NOROWCOUNT_FOR_SELECT", "No row counts of SELECT.";
    CUMULATIVE_DONE = 71, "TDS_RES_CUMULATIVE_DONE", "Only one implementation has this name for it.";
    LIST_DR_MAP = 72, "TDS_RES_LIST_DR_MAP", "What it asks for is not known.";
    DR_NO_KILL = 73, "TDS_RES_DR_NOKILL", "What it asks for is not known.";
}
