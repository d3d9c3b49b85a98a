//! What spec/vectors/ has, protocol by protocol: real traffic and what was written by hand, decoded, written back byte for
//! byte, and cut in every way.

mod deferral;
mod deferral_text;
mod frame;
mod group;
#[path = "../../examples/inspect/input/mod.rs"]
#[allow(dead_code, reason = "the inspector needs more of it")]
mod input;
mod native;
mod repmgr;
mod spice;
mod tds5;
