//! A SPICE session, moved four times: semi-seamless, seamless, with a cancel after CONNECTED, and with a dead target
//! that ends in switch-host. Numbered messages go both ways all the time; at the end they are counted.

mod client;
mod qemu;
mod scenarios;
mod server;
#[path = "../../../tests/support/mod.rs"]
mod support;
mod tap;
mod traffic;

pub use qemu::run as run_with_qemu;
pub use scenarios::run;
