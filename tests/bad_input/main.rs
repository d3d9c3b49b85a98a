//! What must not be sent: each case says precisely what is wrong, and that nothing is stored for what was only announced.

mod deferral;
mod deferral_text;
mod errors;
mod frame;
mod group;
mod native;
mod repmgr;
mod spice;
mod tds5;
