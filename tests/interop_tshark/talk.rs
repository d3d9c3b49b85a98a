//! A conversation said by our connections.

use crate::capture::Capture;
use bytes::BytesMut;
use handover::limits::Tds5Limits;
use handover::tds5::PacketType;
use handover::tds5::connection::{ClientConnection, ServerConnection};
use handover::tds5::login::Login;
use handover::tds5::migration::{Migration, Options};
use handover::tds5::packet::PacketHeader;
use handover::tds5::token::Token;

/// What is in a message.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Login(Login),
    Tokens(Vec<Token>),
    /// In packets of type 17.
    Migration(Migration),
    Logout,
    Attention,
    Text(Vec<u8>),
}

/// A conversation that grows: both ends, and the messages that were said.
pub(crate) struct Talk {
    client: ClientConnection,
    server: ServerConnection,
    /// Each message with its sender and its bytes.
    pub(crate) messages: Vec<(bool, Vec<u8>)>,
}

impl Talk {
    pub(crate) fn new(options: Options) -> Self {
        let limits = Tds5Limits::DEFAULT;
        let (client, server) = (ClientConnection::new(limits, options), ServerConnection::new(limits, options));
        Self { client, server, messages: Vec::new() }
    }

    /// The client says something, and the server hears it.
    pub(crate) fn client(&mut self, said: Said) {
        let mut bytes = BytesMut::new();
        let said = match said {
            Said::Login(login) => self.client.login(&login, &mut bytes),
            Said::Tokens(tokens) => {
                tokens.iter().try_for_each(|token| self.client.token(PacketType::NORMAL, token, &mut bytes))
            }
            Said::Migration(migration) => self.client.migration(&migration, &mut bytes),
            Said::Logout => self.client.logout(&mut bytes),
            Said::Attention => self.client.attention(&mut bytes),
            Said::Text(text) => self.client.data(PacketType::LANGUAGE, &text, &mut bytes),
        };
        said.expect("it can be said");
        self.client.end(&mut bytes);
        self.server.receive(&bytes);
        while self.server.next_item().expect("well-formed").is_some() {}
        self.messages.push((true, bytes.to_vec()));
    }

    /// The server says something, and the client hears it.
    pub(crate) fn server(&mut self, said: Said) {
        let mut bytes = BytesMut::new();
        let said = match said {
            Said::Tokens(tokens) => tokens.iter().try_for_each(|token| self.server.token(token, &mut bytes)),
            Said::Migration(migration) => self.server.migration(&migration, &mut bytes),
            other => panic!("a server does not say {other:?}"),
        };
        said.expect("it can be said");
        self.server.end(&mut bytes);
        self.client.receive(&bytes);
        while self.client.next_item().expect("well-formed").is_some() {}
        self.messages.push((false, bytes.to_vec()));
    }

    /// The conversation in segments: one a packet, or of at most `size` bytes.
    pub(crate) fn capture(&self, size: Option<usize>) -> Capture {
        let mut capture = Capture::new();
        for (from_client, bytes) in &self.messages {
            let segments: Vec<_> = match size {
                Some(size) => bytes.chunks(size).collect(),
                // The largest packet does not fit into one segment.
                None => packets(bytes).into_iter().flat_map(|packet| packet.chunks(60_000)).collect(),
            };
            segments.into_iter().for_each(|segment| capture.segment(*from_client, segment));
        }
        capture
    }
}

/// The packets that a message consists of.
pub(crate) fn packets(mut message: &[u8]) -> Vec<&[u8]> {
    let mut packets = Vec::new();
    while let Some(header) = PacketHeader::parse(message, u16::MAX).expect("a header") {
        let (packet, behind) = message.split_at(header.length.into());
        packets.push(packet);
        message = behind;
    }
    packets
}
