//! A hand beneath the machine: what it sends is taken apart again, and something is slipped in between.

use bytes::BytesMut;
use handover::limits::Tds5Limits;
use handover::tds5::connection::ServerConnection;
use handover::tds5::migration::{Migration, Options};
use handover::tds5::stream::{MessageStream, Piece, Sender};
use handover::tds5::token::Token;
use handover::wire::Framer;

/// What is slipped in.
pub enum Slip {
    Nothing,
    /// Tokens, into the message that is being sent.
    Tokens(Vec<Token>),
    /// Tokens in the place of the one that would follow.
    Instead(Vec<Token>),
    /// A message of its own, packet type 17. The one that is being sent is ended before, and goes on behind it.
    Message(Migration),
}

/// Where: before the token `next`, or behind the last one of a message.
pub struct Place<'a> {
    /// Messages of the server before this one; the first is the answer to the login.
    pub message: usize,
    /// Tokens of this message before this place.
    pub token: usize,
    pub next: Option<&'a Token>,
}

/// Whoever decides.
pub type Hand = Box<dyn FnMut(Place<'_>) -> Slip + Send>;

pub struct Beneath {
    hand: Hand,
    machine: Framer<MessageStream>,
    wire: ServerConnection,
    message: usize,
    token: usize,
}

impl Beneath {
    pub fn new(hand: Hand) -> Self {
        let limits = Tds5Limits::DEFAULT;
        Self {
            hand,
            machine: Framer::new(MessageStream::new(Sender::Server, limits)),
            wire: ServerConnection::new(limits, Options::DEFAULT),
            message: 0,
            token: 0,
        }
    }

    /// What goes out for what the machine sends.
    pub fn sent(&mut self, bytes: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        self.machine.push(bytes);
        while let Some(piece) = self.machine.next_item().expect("our machine sends what can be read") {
            match piece {
                Piece::Token(token) => {
                    if self.slip(Some(&token), &mut out) {
                        self.wire.token(&token, &mut out).expect("it was sent already");
                    }
                    self.token += 1;
                }
                Piece::End(_) => {
                    self.slip(None, &mut out);
                    self.wire.end(&mut out);
                    (self.message, self.token) = (self.message + 1, 0);
                }
                _ => {}
            }
        }
        out
    }

    /// Whether the token that is to follow does.
    fn slip(&mut self, next: Option<&Token>, out: &mut BytesMut) -> bool {
        let slip = (self.hand)(Place { message: self.message, token: self.token, next });
        let keeps = !matches!(slip, Slip::Instead(_));
        match slip {
            Slip::Nothing => {}
            Slip::Tokens(tokens) | Slip::Instead(tokens) => {
                tokens.iter().for_each(|token| self.wire.token(token, out).expect("it can be sent"));
            }
            Slip::Message(migration) => {
                self.wire.end(out);
                self.wire.migration(&migration, out).expect("it can be sent");
            }
        }
        keeps
    }
}
