//! The orders of the seed, one by one.
