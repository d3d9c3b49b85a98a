//! A TDS 5.0 session, moved between three servers: idle, in the middle of a batch, called off in three ways, asked
//! again, with a server that refuses it, and with one that is not there. The client sends numbered batches all the
//! time and gets numbered rows; at the end both are counted, and the final DONEs too.

mod client;
mod scenarios;
mod server;
mod tap;
mod traffic;

pub use scenarios::run;
