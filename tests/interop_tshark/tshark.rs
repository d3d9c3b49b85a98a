//! Running tshark.

use crate::capture::PORT;
use crate::pdml::{self, Node};
use crate::support::{TempDir, on_path, require, wait_exit};
use handover::wire::ByteOrder;
use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Whether it is there; if it must be and is not, the test fails.
pub(crate) fn available() -> bool {
    require(on_path("tshark"), "tshark")
}

/// What it says of a capture of TDS 5.0: its packets.
pub(crate) fn dissect(capture: &[u8], order: ByteOrder) -> Vec<Node> {
    let endian = if order == ByteOrder::Big { "Big Endian" } else { "Little Endian" };
    let endian = format!("tds.endian_type:{endian}");
    let decode_as = format!("tcp.port=={PORT},tds");
    run(capture, &["-o", "tds.protocol_type:TDS 5.0", "-o", &endian, "-d", &decode_as])
}

/// What it says of a capture, told to read it so: its packets.
pub(crate) fn run(capture: &[u8], arguments: &[&str]) -> Vec<Node> {
    let directory = TempDir::new().expect("a directory");
    let (input, output) = (directory.path().join("talk.pcap"), directory.path().join("talk.pdml"));
    fs::write(&input, capture).expect("a file in it");
    let mut child = Command::new("tshark")
        // Nothing that this machine's user has set.
        .env("WIRESHARK_CONFIG_DIR", directory.path())
        .args(["-n", "-T", "pdml"])
        .args(arguments)
        .arg("-r")
        .arg(&input)
        .stdin(Stdio::null())
        .stdout(File::create(&output).expect("a file in it"))
        .stderr(Stdio::null())
        .spawn()
        .expect("tshark runs");
    let status = wait_exit(&mut child, Duration::from_secs(60));
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    assert!(status.is_some_and(|status| status.success()), "tshark: {status:?}");
    let mut root = pdml::parse(&fs::read_to_string(&output).expect("UTF-8"));
    root.children.remove(0).children
}
