//! The machines beside their reference models, on fixed lists of operations; together these take every row of the
//! transition tables and nothing else.

mod deferral;
mod frame;
mod group;
#[path = "../lists/mod.rs"]
mod lists;
mod repmgr;
mod spice;
mod tds5;
mod transitions;
