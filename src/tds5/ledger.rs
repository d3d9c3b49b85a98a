//! What a server owes its client: the commands that wait for their final DONE, and an attention that waits for its
//! acknowledgement (spec/tds5.md 6.1 and 6.4). Every connection of a server keeps one.

use super::connection::Item;
use super::ids::{DoneStatus, PacketType};
use super::migration::Migration;
use super::token::{Done, Token};
use crate::error::Misuse;

/// The books of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ledger {
    /// Commands without a final DONE.
    pending: u32,
    /// Whether the next final DONE acknowledges an attention.
    attention: bool,
    /// Whether a response message was begun and not ended.
    open: bool,
    /// Whether the message that is coming in has had anything but migration in it, and any migration.
    contents: bool,
    migration: bool,
}

/// What an item of the client means to the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// It is the application's.
    Pass(Item),
    /// It is the application's, and completes a command.
    Command(Item),
    /// The running command is to be cancelled.
    Attention,
    /// There is none to be cancelled: this acknowledges it.
    Acknowledge(Token),
    /// The client goes.
    Logout,
    /// A migration message.
    Migration(Migration),
    /// Nothing of interest.
    Nothing,
    /// It must not come: what it is.
    Illegal(&'static str),
}

impl Ledger {
    pub(crate) const fn pending(&self) -> u32 {
        self.pending
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.open
    }

    /// Takes a command that a client waits for since before.
    pub(crate) fn add(&mut self) {
        self.pending = self.pending.saturating_add(1);
    }

    /// Ends the message that is being sent.
    pub(crate) fn close_message(&mut self) {
        self.open = false;
    }

    /// Enters an item that has come.
    pub(crate) fn take(&mut self, item: Item, limit: u32) -> Incoming {
        match item {
            Item::Login(_) => Incoming::Illegal("a second login"),
            Item::Migration(migration) => {
                self.migration = true;
                Incoming::Migration(migration)
            }
            Item::Token(Token::Logout(_)) => Incoming::Logout,
            Item::End(PacketType::ATTENTION) if self.pending > 0 => {
                self.attention = true;
                Incoming::Attention
            }
            Item::End(PacketType::ATTENTION) => {
                let status = Done::FINAL.status.union(DoneStatus::ATTENTION);
                Incoming::Acknowledge(Done { status, ..Done::FINAL }.into())
            }
            Item::End(ty) => {
                let contents = core::mem::take(&mut self.contents);
                let migration = core::mem::take(&mut self.migration);
                if !ty.is_request() {
                    // The end of a migration message says nothing more.
                    return if contents { Incoming::Pass(Item::End(ty)) } else { Incoming::Nothing };
                }
                if migration && !contents {
                    return Incoming::Nothing;
                }
                if self.pending >= limit {
                    return Incoming::Illegal("more commands than may wait");
                }
                self.add();
                Incoming::Command(Item::End(ty))
            }
            item => {
                self.contents = true;
                Incoming::Pass(item)
            }
        }
    }

    /// Whether a token of a response can be sent now.
    pub(crate) fn check_response(&self) -> Result<(), Misuse> {
        if self.pending == 0 {
            return Err(Misuse::Refused { what: "Respond", reason: "no command waits for a response" });
        }
        Ok(())
    }

    /// Enters a token of a response: what is to be sent, and whether it ends the message.
    pub(crate) fn respond(&mut self, token: Token) -> (Token, bool) {
        match token {
            Token::Done(done) if done.is_final() => {
                let attention = core::mem::take(&mut self.attention);
                let status = if attention { done.status.union(DoneStatus::ATTENTION) } else { done.status };
                self.pending = self.pending.saturating_sub(1);
                self.open = false;
                (Done { status, ..done }.into(), true)
            }
            token => {
                self.open = true;
                (token, false)
            }
        }
    }
}
