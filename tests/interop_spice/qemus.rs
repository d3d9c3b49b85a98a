//! What the tests ask of QEMU, beyond the harness.

use crate::client_party::Client;
use crate::log::PATIENCE;
use crate::support::qemu::{Incoming, Qemu, QemuOptions};
use handover::spice::client::{Config, State};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Main, display, inputs and cursor: what a QEMU with `-vga qxl` offers.
pub const CHANNELS: usize = 4;

/// A target that loses its client within milliseconds of a semi-seamless switch is known to crash; nothing
/// tells when it no longer would.
const LINGER: Duration = Duration::from_millis(200);

pub fn spawn(name: &str, seamless: bool, incoming: Incoming) -> Qemu {
    let seamless = if seamless { "on" } else { "off" };
    spawn_with(name, &format!("disable-ticketing=on,seamless-migration={seamless}"), incoming)
}

pub fn spawn_with(name: &str, spice: &str, incoming: Incoming) -> Qemu {
    let options = QemuOptions { spice: spice.to_owned(), incoming, ..QemuOptions::default() };
    Qemu::spawn(name, &options).unwrap()
}

/// A port of 127.0.0.1 where nobody listens. It is not one of those that the system gives to whoever asks for
/// any port: nobody takes it meanwhile, and no connection to it can meet itself.
pub fn dead_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = 12_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// A client that has all its channels open at `server`.
pub fn client_of(server: &Qemu, config: Config, password: &str) -> Client {
    let client = Client::start(server.port(), config, password);
    client.wait_linked(0, CHANNELS);
    client.round_trip(server.port());
    client
}

/// What a server lists: for each link, its channel's kind and the session's id.
pub fn listed(server: &mut Qemu) -> Vec<(u64, u32)> {
    let info = server.query_spice().unwrap();
    let channels = info["channels"].as_array().cloned().unwrap_or_default();
    let entry = |channel: &Value| {
        // QEMU prints the id as a signed number.
        let id = i32::try_from(channel["connection-id"].as_i64().unwrap()).unwrap();
        (channel["channel-type"].as_u64().unwrap(), id.cast_unsigned())
    };
    let mut listed: Vec<_> = channels.iter().map(entry).collect();
    listed.sort_unstable();
    listed
}

/// Waits until a server lists the four channels of the session `id`, each once. (It may list what is left of
/// earlier ones: spec/spice.md 7.8.)
#[track_caller]
pub fn wait_listed(server: &mut Qemu, id: u32) {
    let end = Instant::now() + PATIENCE;
    loop {
        let listed = listed(server);
        if listed.iter().filter(|(_, of)| *of == id).map(|(kind, _)| *kind).eq(1..=4) {
            return;
        }
        assert!(Instant::now() < end, "listed: {listed:?}, wanted: 1 to 4 of {id}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The client is at `server` and nowhere else: it says so, the server says so, and the session works.
#[track_caller]
pub fn assert_at(client: &Client, server: &mut Qemu, id: u32) {
    let view = client.view();
    assert_eq!((view.state, view.port, view.connection_id), (State::Online, server.port(), id), "{}", client.log);
    let here = view.links.iter().filter(|(port, _)| *port == server.port()).count();
    assert_eq!((here, view.links.len()), (CHANNELS, CHANNELS), "{view:?}\n{}", client.log);
    wait_listed(server, id);
    client.round_trip(server.port());
}

/// Moves the virtual machine, and waits until it runs at the target.
#[track_caller]
pub fn move_vm(from: &mut Qemu, to: &mut Qemu) {
    from.migrate(&to.incoming_uri()).unwrap();
    assert_eq!(from.wait_migration(&["completed", "failed"], PATIENCE).unwrap(), "completed");
    to.wait_for_event("RESUME", PATIENCE).unwrap();
}

/// Waits until a source says that its clients are gone. It says so once.
#[track_caller]
pub fn wait_completed(source: &mut Qemu) {
    source.wait_for_event("SPICE_MIGRATE_COMPLETED", PATIENCE).unwrap();
    let completed = |event: &Value| event["event"] == "SPICE_MIGRATE_COMPLETED";
    assert_eq!(source.events().into_iter().filter(completed).count(), 1);
    assert_eq!(source.query_spice().unwrap()["migrated"], json!(true));
}

/// Ends the client, then the servers; none of them may have crashed.
#[track_caller]
pub fn finish<const N: usize>(client: Client, servers: [&mut Qemu; N]) {
    thread::sleep(LINGER);
    client.finish();
    for server in servers {
        let status = server.stop();
        assert!(status.is_some_and(|status| status.success()), "{status:?}\n{}", server.stderr());
    }
}
