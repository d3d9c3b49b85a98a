//! The generators as proptest strategies.

use crate::deferral::text::{Call, Directive, Line};
use crate::testing::strategy;
use proptest::strategy::Strategy;
use std::string::String;
use std::vec::Vec;

/// Most bytes that one value is decided by.
const DECISIONS: usize = 512;

/// Where a call may be asked.
pub fn base() -> impl Strategy<Value = String> {
    strategy(1, super::base)
}

/// A call that can be asked.
pub fn call() -> impl Strategy<Value = Call> {
    strategy(DECISIONS, super::call)
}

/// A target as another client could write it.
pub fn odd_target() -> impl Strategy<Value = Vec<u8>> {
    strategy(DECISIONS, super::odd_target)
}

/// A directive that the original reads safely.
pub fn directive() -> impl Strategy<Value = Directive> {
    strategy(DECISIONS, super::directive)
}

/// A line in any spelling.
pub fn line() -> impl Strategy<Value = Line> {
    strategy(DECISIONS, super::line)
}

/// The body of an answer as a server could write it.
pub fn answer() -> impl Strategy<Value = Vec<u8>> {
    strategy(DECISIONS, super::answer)
}
