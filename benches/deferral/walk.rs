//! One step of a client's walk: an answer goes in, and whom to ask next comes out. What goes in is made beforehand, and
//! what comes out is dropped within the time. 1000 clients an iteration, so that µs read as ns a step.

use bytes::Bytes;
use divan::{Bencher, black_box};
use handover::deferral::client::{Client, Config, Hosts, Input, Output, Peer, Task};
use handover::deferral::message::{Alternate, Command, CommandName, Defer, Message, RequestKey};
use handover::deferral::{DeferKind, RequestFlags, RequestId, ServerId, ServerUri};
use handover::frame::{Extensions, Text};
use handover::machine::{LinkId, Machine};
use handover::time::Instant;

const KEY: RequestKey = RequestKey { id: RequestId([7; 16]), epoch: 0 };
const CLIENTS: usize = 1000;

fn uri(number: usize) -> ServerUri {
    format!("handover://db{number}.example.org:7999").parse().unwrap()
}

/// A client whose first server, of two, has the request.
fn client() -> (Client, LinkId) {
    let mut config = Config::default();
    config.policy.hosts = Hosts::Any;
    let command = Command { name: CommandName::new("help").unwrap(), arguments: Vec::new() };
    let mut client = Client::new(config, Task::new(KEY.id, vec![uri(0), uri(1)], command), Instant::ZERO).unwrap();
    let Some(Output::Dial { link, .. }) = client.poll_output() else { panic!("it dials") };
    client.handle(Instant::ZERO, Input::Opened { link, peer: Peer::default() }).unwrap();
    while client.poll_output().is_some() {}
    (client, link)
}

fn busy(named: usize) -> Message {
    Message::Defer(Box::new(Defer {
        key: KEY,
        kind: DeferKind::BUSY,
        server: ServerId::UNKNOWN,
        reason: Text::EMPTY,
        queue_length: Some(3),
        estimate_ms: Some(900),
        retry_after_ms: None,
        receipt: Bytes::new(),
        alternates: (0..named).map(|number| Alternate::new(uri(2 + number))).collect(),
        next: None,
        next_flags: RequestFlags::empty(),
        extensions: Extensions::NONE,
    }))
}

/// The server is busy and names so many that are not known: they are learnt, and the second server is dialled.
#[divan::bench(args = [0, 4])]
fn busy_and_names(bencher: Bencher<'_, '_>, named: usize) {
    let inputs = || {
        let one = || {
            let (client, link) = client();
            (client, Input::Message { link, message: busy(named) })
        };
        (0..CLIENTS).map(|_| one()).collect::<Vec<_>>()
    };
    bencher.with_inputs(inputs).bench_local_refs(|clients| {
        for (client, input) in clients {
            client.handle(Instant::ZERO, core::mem::replace(input, Input::Timeout)).unwrap();
            while let Some(output) = client.poll_output() {
                black_box(output);
            }
        }
    });
}

/// The link to the second server is there: the request goes out.
#[divan::bench]
fn opened(bencher: Bencher<'_, '_>) {
    let inputs = || {
        let one = || {
            let (mut client, link) = client();
            client.handle(Instant::ZERO, Input::Message { link, message: busy(0) }).unwrap();
            while client.poll_output().is_some() {}
            client
        };
        (0..CLIENTS).map(|_| one()).collect::<Vec<_>>()
    };
    bencher.with_inputs(inputs).bench_local_refs(|clients| {
        for client in clients {
            client.handle(Instant::ZERO, Input::Opened { link: LinkId(2), peer: Peer::default() }).unwrap();
            while let Some(output) = client.poll_output() {
                black_box(output);
            }
        }
    });
}
