//! All messages of the data stage: one enum a direction, one table each (spec/spice.md 4).

use super::common::{AckSync, Disconnecting, Migrate, MigrateData, Notify, Ping, Pong, SetAck, WaitForChannels};
use super::dst_info::{DstInfo, MigrateBeginSeamless};
use super::ids::ChannelType;
use super::main_channel::{
    AgentConnectedTokens, AgentData, AgentDisconnected, AgentStart, AgentToken, ChannelsList, ClientInfo, DoSeamless,
    Init, MouseMode, MouseModeRequest, MultiMediaTime, Name, QualityIndicator, Uuid,
};
use super::sub_list::SubList;
use crate::error::{DecodeError, EncodeError};
use crate::limits::SpiceLimits;
use crate::wire::{Encode, Payload, Writer, share};
use bytes::{Bytes, BytesMut};

/// A body that can be parsed from the front of a slice; what is behind it is handed back.
pub(crate) trait Body<'a>: Sized {
    fn parse(body: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError>;
}

/// Parses a body and wraps it up. A function of its own for each message, so that its result is built where
/// the caller wants it: copies of it would cost more than the parse.
#[inline(never)]
fn whole<'a, T: Body<'a>, M>(body: &'a [u8], wrap: impl FnOnce(T) -> M) -> Result<(M, &'a [u8]), DecodeError> {
    let (value, rest) = T::parse(body)?;
    Ok((wrap(value), rest))
}

/// Encodes a body; a function of its own for each message.
#[inline(never)]
fn encode<T: Encode>(body: &T, dst: &mut [u8]) -> Result<usize, EncodeError> {
    body.encode(dst)
}

/// Encodes a body; a function of its own for each message.
#[inline(never)]
fn encode_to<T: Encode>(body: &T, dst: &mut BytesMut) -> Result<(), EncodeError> {
    body.encode_to(dst)
}

/// A message whose type this crate does not know for the channel: its bytes are kept. (With a type that it does
/// know, it is encoded as it stands and decoded as that message.)
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Unknown<B = Bytes> {
    /// The wire's type number.
    pub ty: u16,
    /// The whole body.
    pub body: B,
}

impl<B: Payload> Encode for Unknown<B> {
    #[inline]
    fn encoded_len(&self) -> usize {
        self.body.as_ref().len()
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        writer.put(self.body.as_ref());
    }
}

/// Whether a message of the main channel can stand on this one.
const fn in_scope(main_only: bool, channel: ChannelType) -> bool {
    !main_only || channel.0 == ChannelType::MAIN.0
}

/// What the two directions' enums have in common, for code that serves both.
pub trait Message: Encode + Sized + Clone + PartialEq + core::fmt::Debug {
    /// Whether type 8 is a list of messages in this direction.
    const LISTS: bool;

    /// The largest body that a message of type `ty` may have.
    fn body_limit(ty: u16, limits: &SpiceLimits) -> (&'static str, u32);

    /// The wire's type number.
    fn wire_type(&self) -> u16;

    /// The protocol's own name, `Unknown` for a type without one.
    fn name(&self) -> &'static str;

    /// Takes a message out of a whole body, sharing its bytes, and returns it with what the body holds
    /// beyond the message's layout (which peers accept and ignore).
    ///
    /// # Errors
    /// The body is malformed.
    fn from_body(channel: ChannelType, ty: u16, body: &Bytes) -> Result<(Self, Bytes), DecodeError>;
}

/// [`Message::from_body`] for the decoder: what is made of the message is built in its place by `keep`, since
/// moving a message costs more than parsing it.
pub(crate) trait Receive: Message {
    fn receive<R>(
        channel: ChannelType,
        ty: u16,
        body: &Bytes,
        keep: impl FnOnce(Self, Bytes) -> R,
    ) -> Result<R, DecodeError>;
}

macro_rules! messages {
    (
        $(#[$doc:meta])*
        pub enum $enum:ident;
        limits { $migrate_data:literal => migrate_data, _ => $body:ident }
        lists $lists:literal;
        empty { $($e_type:literal $e_main:literal $e:ident $e_name:literal;)* }
        fixed { $($f_type:literal $f_main:literal $f:ident($f_body:ident) $f_name:literal;)* }
        payload { $($p_type:literal $p_main:literal $p:ident($p_body:ident) $p_name:literal;)* }
    ) => {
        $(#[$doc])*
        ///
        /// `B` is how payloads are held: [`Bytes`] in a message that is kept, `&[u8]` in a borrowed view.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[non_exhaustive]
        pub enum $enum<B = Bytes> {
            $(#[doc = concat!("Type ", stringify!($e_type), ", empty body.")] #[doc(alias = $e_name)] $e,)*
            $(#[doc = concat!("Type ", stringify!($f_type), ".")] #[doc(alias = $f_name)] $f($f_body),)*
            $(#[doc = concat!("Type ", stringify!($p_type), ".")] #[doc(alias = $p_name)] $p($p_body<B>),)*
            /// Any other type: the bytes are kept.
            Unknown(Unknown<B>),
        }

        impl<B> $enum<B> {
            /// All type numbers that have a name, whether they belong to the main channel only, and the name.
            pub const TYPES: &'static [(u16, bool, &'static str)] = &[
                $(($e_type, $e_main, $e_name),)* $(($f_type, $f_main, $f_name),)* $(($p_type, $p_main, $p_name),)*
            ];

            /// The wire's type number.
            #[must_use]
            pub fn wire_type(&self) -> u16 {
                match self {
                    $(Self::$e => $e_type,)* $(Self::$f(_) => $f_type,)* $(Self::$p(_) => $p_type,)*
                    Self::Unknown(unknown) => unknown.ty,
                }
            }

            /// The protocol's own name, `Unknown` for a type without one.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$e => $e_name,)* $(Self::$f(_) => $f_name,)* $(Self::$p(_) => $p_name,)*
                    Self::Unknown(_) => "Unknown",
                }
            }

            /// The same message with its payloads held in another way.
            #[must_use]
            pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> $enum<C> {
                match self {
                    $(Self::$e => $enum::$e,)*
                    $(Self::$f(body) => $enum::$f(body),)*
                    $(Self::$p(body) => $enum::$p(body.map(convert)),)*
                    Self::Unknown(Unknown { ty, body }) => $enum::Unknown(Unknown { ty, body: convert(body) }),
                }
            }
        }

        impl<'a> $enum<&'a [u8]> {
            /// Parses the whole body of a message of type `ty` on a channel of kind `channel`, without a
            /// copy. The second value is what the body holds beyond the message's layout; real peers
            /// accept and ignore it.
            ///
            /// # Errors
            /// The body is malformed: it is whole, so a short field is an error and never "need more".
            #[inline]
            pub fn decode(channel: ChannelType, ty: u16, body: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
                match ty {
                    $($e_type if in_scope($e_main, channel) => Ok(($enum::$e, body)),)*
                    $($f_type if in_scope($f_main, channel) => whole(body, $enum::$f),)*
                    $($p_type if in_scope($p_main, channel) => whole(body, $enum::$p),)*
                    _ => Ok(($enum::Unknown(Unknown { ty, body }), &[])),
                }
            }
        }

        impl<B: Payload> Encode for $enum<B> {
            #[inline]
            fn encoded_len(&self) -> usize {
                match self {
                    $(Self::$e => 0,)*
                    $(Self::$f(body) => body.encoded_len(),)*
                    $(Self::$p(body) => body.encoded_len(),)*
                    Self::Unknown(unknown) => unknown.encoded_len(),
                }
            }

            #[inline]
            fn check(&self) -> Result<(), EncodeError> {
                match self {
                    $(Self::$e => Ok(()),)*
                    $(Self::$f(body) => body.check(),)*
                    $(Self::$p(body) => body.check(),)*
                    Self::Unknown(unknown) => unknown.check(),
                }
            }

            #[inline]
            fn write(&self, writer: &mut Writer<'_>) {
                match self {
                    $(Self::$e => {})*
                    $(Self::$f(body) => body.write(writer),)*
                    $(Self::$p(body) => body.write(writer),)*
                    Self::Unknown(unknown) => unknown.write(writer),
                }
            }

            // One look at the variant instead of three.
            #[inline]
            fn encode(&self, dst: &mut [u8]) -> Result<usize, EncodeError> {
                match self {
                    $(Self::$e => Ok(0),)*
                    $(Self::$f(body) => encode(body, dst),)*
                    $(Self::$p(body) => encode(body, dst),)*
                    Self::Unknown(unknown) => encode(unknown, dst),
                }
            }

            #[inline]
            fn encode_to(&self, dst: &mut BytesMut) -> Result<(), EncodeError> {
                match self {
                    $(Self::$e => Ok(()),)*
                    $(Self::$f(body) => encode_to(body, dst),)*
                    $(Self::$p(body) => encode_to(body, dst),)*
                    Self::Unknown(unknown) => encode_to(unknown, dst),
                }
            }
        }

        impl Message for $enum {
            const LISTS: bool = $lists;

            #[inline]
            fn body_limit(ty: u16, limits: &SpiceLimits) -> (&'static str, u32) {
                if ty == $migrate_data { ("migrate_data", limits.migrate_data) } else { (stringify!($body), limits.$body) }
            }

            fn wire_type(&self) -> u16 {
                $enum::wire_type(self)
            }

            fn name(&self) -> &'static str {
                $enum::name(self)
            }

            fn from_body(channel: ChannelType, ty: u16, body: &Bytes) -> Result<(Self, Bytes), DecodeError> {
                Self::receive(channel, ty, body, |message, extra| (message, extra))
            }
        }

        impl Receive for $enum {
            #[inline]
            fn receive<R>(
                channel: ChannelType,
                ty: u16,
                body: &Bytes,
                keep: impl FnOnce(Self, Bytes) -> R,
            ) -> Result<R, DecodeError> {
                match ty {
                    $($e_type if in_scope($e_main, channel) => Ok(keep($enum::$e, share(body, body))),)*
                    $($f_type if in_scope($f_main, channel) => {
                        #[inline(never)]
                        fn fixed<R>(body: &Bytes, keep: impl FnOnce($enum, Bytes) -> R) -> Result<R, DecodeError> {
                            let (value, rest) = $f_body::parse(body)?;
                            let extra = share(body, rest);
                            Ok(keep($enum::$f(value), extra))
                        }
                        fixed(body, keep)
                    })*
                    $($p_type if in_scope($p_main, channel) => {
                        #[inline(never)]
                        fn payload<R>(body: &Bytes, keep: impl FnOnce($enum, Bytes) -> R) -> Result<R, DecodeError> {
                            let (value, rest) = $p_body::parse(body)?;
                            let extra = share(body, rest);
                            Ok(keep($enum::$p(value.map(&mut |part| share(body, part))), extra))
                        }
                        payload(body, keep)
                    })*
                    _ => Ok(keep($enum::Unknown(Unknown { ty, body: share(body, body) }), Bytes::new())),
                }
            }
        }
    };
}

messages! {
    /// What a server sends (spec/spice.md 4.1 on every channel, 4.3 on the main channel).
    pub enum ServerMessage;
    limits { 2 => migrate_data, _ => server_body }
    lists true;
    empty {
        102 true MigrateCancel "SPICE_MSG_MAIN_MIGRATE_CANCEL";
        107 true AgentConnected "SPICE_MSG_MAIN_AGENT_CONNECTED";
        112 true MigrateEnd "SPICE_MSG_MAIN_MIGRATE_END";
        117 true DstSeamlessAck "SPICE_MSG_MAIN_MIGRATE_DST_SEAMLESS_ACK";
        118 true DstSeamlessNack "SPICE_MSG_MAIN_MIGRATE_DST_SEAMLESS_NACK";
    }
    fixed {
        1 false Migrate(Migrate) "SPICE_MSG_MIGRATE";
        3 false SetAck(SetAck) "SPICE_MSG_SET_ACK";
        6 false Disconnecting(Disconnecting) "SPICE_MSG_DISCONNECTING";
        103 true Init(Init) "SPICE_MSG_MAIN_INIT";
        105 true MouseMode(MouseMode) "SPICE_MSG_MAIN_MOUSE_MODE";
        106 true MultiMediaTime(MultiMediaTime) "SPICE_MSG_MAIN_MULTI_MEDIA_TIME";
        108 true AgentDisconnected(AgentDisconnected) "SPICE_MSG_MAIN_AGENT_DISCONNECTED";
        110 true AgentToken(AgentToken) "SPICE_MSG_MAIN_AGENT_TOKEN";
        114 true Uuid(Uuid) "SPICE_MSG_MAIN_UUID";
        115 true AgentConnectedTokens(AgentConnectedTokens) "SPICE_MSG_MAIN_AGENT_CONNECTED_TOKENS";
    }
    payload {
        2 false MigrateData(MigrateData) "SPICE_MSG_MIGRATE_DATA";
        4 false Ping(Ping) "SPICE_MSG_PING";
        5 false WaitForChannels(WaitForChannels) "SPICE_MSG_WAIT_FOR_CHANNELS";
        7 false Notify(Notify) "SPICE_MSG_NOTIFY";
        8 false List(SubList) "SPICE_MSG_LIST";
        101 true MigrateBegin(DstInfo) "SPICE_MSG_MAIN_MIGRATE_BEGIN";
        104 true ChannelsList(ChannelsList) "SPICE_MSG_MAIN_CHANNELS_LIST";
        109 true AgentData(AgentData) "SPICE_MSG_MAIN_AGENT_DATA";
        111 true MigrateSwitchHost(DstInfo) "SPICE_MSG_MAIN_MIGRATE_SWITCH_HOST";
        113 true Name(Name) "SPICE_MSG_MAIN_NAME";
        116 true MigrateBeginSeamless(MigrateBeginSeamless) "SPICE_MSG_MAIN_MIGRATE_BEGIN_SEAMLESS";
    }
}

messages! {
    /// What a client sends (spec/spice.md 4.2 on every channel, 4.4 on the main channel).
    pub enum ClientMessage;
    limits { 5 => migrate_data, _ => client_body }
    lists false;
    empty {
        2 false Ack "SPICE_MSGC_ACK";
        4 false MigrateFlushMark "SPICE_MSGC_MIGRATE_FLUSH_MARK";
        102 true MigrateConnected "SPICE_MSGC_MAIN_MIGRATE_CONNECTED";
        103 true MigrateConnectError "SPICE_MSGC_MAIN_MIGRATE_CONNECT_ERROR";
        104 true AttachChannels "SPICE_MSGC_MAIN_ATTACH_CHANNELS";
        109 true MigrateEnd "SPICE_MSGC_MAIN_MIGRATE_END";
        111 true MigrateConnectedSeamless "SPICE_MSGC_MAIN_MIGRATE_CONNECTED_SEAMLESS";
    }
    fixed {
        1 false AckSync(AckSync) "SPICE_MSGC_ACK_SYNC";
        3 false Pong(Pong) "SPICE_MSGC_PONG";
        6 false Disconnecting(Disconnecting) "SPICE_MSGC_DISCONNECTING";
        101 true ClientInfo(ClientInfo) "SPICE_MSGC_MAIN_CLIENT_INFO";
        105 true MouseModeRequest(MouseModeRequest) "SPICE_MSGC_MAIN_MOUSE_MODE_REQUEST";
        106 true AgentStart(AgentStart) "SPICE_MSGC_MAIN_AGENT_START";
        108 true AgentToken(AgentToken) "SPICE_MSGC_MAIN_AGENT_TOKEN";
        110 true MigrateDstDoSeamless(DoSeamless) "SPICE_MSGC_MAIN_MIGRATE_DST_DO_SEAMLESS";
    }
    payload {
        5 false MigrateData(MigrateData) "SPICE_MSGC_MIGRATE_DATA";
        107 true AgentData(AgentData) "SPICE_MSGC_MAIN_AGENT_DATA";
        112 true QualityIndicator(QualityIndicator) "SPICE_MSGC_MAIN_QUALITY_INDICATOR";
    }
}
