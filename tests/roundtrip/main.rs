//! Each codec on any value that its API can build, and on any bytes.

mod deferral;
mod deferral_text;
mod frame;
mod group;
mod native;
mod repmgr;
mod spice;
mod tds5;
