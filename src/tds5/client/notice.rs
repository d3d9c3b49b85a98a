//! Notices for the client's library, and the redirections among them (spec/tds5.md 5).

use crate::tds5::ids::MessageId;
use crate::tds5::migration::{Address, Migration};
use crate::tds5::token::{EedStatus, Format, Token};
use alloc::vec::Vec;

/// The number of the notice that says where to go instead.
const REDIRECT: i32 = 1;
/// The state of such a notice that says: now. (2 says: keep the list for later.)
const IMMEDIATE: u8 = 1;

/// A notice whose parameters may be to come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Begun {
    redirects: bool,
    format: Option<Format>,
}

/// Tells notices with their parameters from the other tokens of one link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Notices {
    begun: Option<Begun>,
}

/// What a token is.
#[derive(Debug)]
pub(super) enum Sort {
    /// No part of a notice.
    Ordinary,
    /// A part of a notice.
    Notice,
    /// The last part of a notice that says where to go instead.
    Redirect(Vec<Address>),
}

impl Notices {
    pub(super) fn sort(&mut self, token: &Token) -> Sort {
        let begun = self.begun.take();
        match (token, begun) {
            (Token::Eed(eed), _) if eed.status.0 & EedStatus::INFO.0 != 0 => {
                let follows = eed.status.0 & EedStatus::FOLLOWS.0 != 0 || eed.number == REDIRECT;
                let redirects = eed.number == REDIRECT && eed.state == IMMEDIATE;
                self.begun = follows.then_some(Begun { redirects, format: None });
                Sort::Notice
            }
            (Token::Format(format), Some(Begun { redirects, format: None })) if !format.kind().is_rows() => {
                self.begun = Some(Begun { redirects, format: Some(format.clone()) });
                Sort::Notice
            }
            (Token::Params(values), Some(Begun { redirects, format: Some(format) })) => {
                let parameters = Some((&format, &*values.data));
                match Migration::from_parameters(MessageId::MIGRATION_REQUEST, parameters) {
                    Some(Migration::Request(request)) if redirects => Sort::Redirect(request.addresses),
                    _ => Sort::Notice,
                }
            }
            _ => Sort::Ordinary,
        }
    }

    /// The message is over, and no parameters come any more.
    pub(super) fn end(&mut self) {
        self.begun = None;
    }
}
