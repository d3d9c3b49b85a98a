//! Unit tests: clients and servers joined by bytes.

use super::{ClientConfig, ClientEndpoint, ClientOutput, ServerConfig, ServerEndpoint, ServerOutput};
use crate::deferral::client::{Event as ClientEvent, Failure, Hosts, Outcome, Task};
use crate::deferral::message::{Alternate, Command, CommandName, Message, Refused, RequestKey};
use crate::deferral::server::{Config as ServerSettings, Event as ServerEvent, Input, Job};
use crate::deferral::{RefusalCode, RequestFlags, RequestId, ServerId, ServerUri};
use crate::error::{EndpointError, Error, Misuse};
use crate::frame::{Close, CloseReason, Extensions, Frame, FrameFlags, FrameStream, Native, Protocol, Text};
use crate::limits::FrameLimits;
use crate::machine::LinkId;
use crate::time::Instant;
use crate::wire::{Encode, Framer};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use alloc::{format, vec};
use bytes::Bytes;
use core::time::Duration;

const NOW: Instant = Instant::ZERO;
const KEY: RequestKey = RequestKey { id: RequestId([7; 16]), epoch: 0 };

fn uri(number: usize) -> ServerUri {
    format!("handover://db{number}:7999").parse().unwrap()
}

fn task(servers: usize) -> Task {
    let command = Command { name: CommandName::new("ws_create").unwrap(), arguments: vec![Bytes::from_static(b"/ws")] };
    Task::new(KEY.id, (0..servers).map(uri).collect(), command)
}

fn settings(number: u8) -> ServerSettings {
    ServerSettings { id: ServerId([number.saturating_add(1); 16]), ..ServerSettings::default() }
}

/// A client and servers, and the bytes between them in pieces of one size.
struct Net {
    client: ClientEndpoint,
    servers: Vec<ServerEndpoint>,
    /// The client's links, with the server and its number for it.
    links: BTreeMap<LinkId, (usize, LinkId)>,
    piece: usize,
    events: Vec<ClientEvent>,
    jobs: Vec<(usize, Job)>,
    /// What the servers were sent.
    seen: Vec<Frame>,
    errors: Vec<EndpointError>,
}

impl Net {
    fn new(config: ClientConfig, task: Task, servers: Vec<ServerConfig>) -> Self {
        Self {
            client: ClientEndpoint::new(config, task, NOW).unwrap(),
            servers: servers.into_iter().map(|config| ServerEndpoint::new(config, 4)).collect(),
            links: BTreeMap::new(),
            piece: usize::MAX,
            events: Vec::new(),
            jobs: Vec::new(),
            seen: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn usual(servers: u8) -> Self {
        let configs = (0..servers).map(|number| ServerConfig::new(settings(number), 1)).collect();
        Self::new(ClientConfig::default(), task(usize::from(servers)), configs)
    }

    /// Until nothing moves. Links to servers that are not there cannot be had.
    fn run(&mut self) {
        loop {
            let mut moved = false;
            while let Some(output) = self.client.poll_output() {
                moved = true;
                self.client_does(output);
            }
            for number in 0..self.servers.len() {
                while let Some(output) = self.servers[number].poll_output() {
                    moved = true;
                    self.server_does(number, output);
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn client_does(&mut self, output: ClientOutput) {
        match output {
            ClientOutput::Dial { link, server } => {
                match (0..self.servers.len()).find(|number| uri(*number) == server) {
                    Some(number) => {
                        let there = self.servers[number].accept(NOW);
                        self.links.insert(link, (number, there));
                        self.client.connected(NOW, link).unwrap();
                    }
                    None => self.client.closed(NOW, link).unwrap(),
                }
            }
            ClientOutput::Transmit { link, bytes } => {
                // Both may close at once.
                let Some(&(number, there)) = self.links.get(&link) else { return };
                let mut framer = Framer::new(FrameStream::new(&FrameLimits::DEFAULT));
                framer.push(&bytes);
                self.seen.extend(core::iter::from_fn(|| framer.next_item().unwrap()));
                for piece in bytes.chunks(self.piece) {
                    let result = self.servers[number].received(NOW, there, piece);
                    self.errors.extend(result.err());
                }
            }
            ClientOutput::Close(link) => {
                let Some((number, there)) = self.links.remove(&link) else { return };
                self.servers[number].closed(NOW, there).unwrap();
            }
            ClientOutput::Event(event) => self.events.push(event),
        }
    }

    fn server_does(&mut self, number: usize, output: ServerOutput) {
        match output {
            ServerOutput::Transmit { link, bytes } => {
                let Some(here) = self.link_of(number, link) else { return };
                for piece in bytes.chunks(self.piece) {
                    let result = self.client.received(NOW, here, piece);
                    self.errors.extend(result.err());
                }
            }
            ServerOutput::Close(link) => {
                let Some(here) = self.link_of(number, link) else { return };
                self.links.remove(&here);
                self.client.closed(NOW, here).unwrap();
            }
            ServerOutput::Event(ServerEvent::Execute(job)) => self.jobs.push((number, *job)),
            ServerOutput::Event(_) => {}
        }
    }

    fn link_of(&self, number: usize, there: LinkId) -> Option<LinkId> {
        self.links.iter().find(|(_, at)| **at == (number, there)).map(|(link, _)| *link)
    }

    /// Both ends find that the link is gone.
    fn lose(&mut self) {
        let (link, (number, there)) = self.links.pop_first().unwrap();
        self.servers[number].closed(NOW, there).unwrap();
        self.client.closed(NOW, link).unwrap();
    }

    fn end(&mut self, index: usize) {
        let (number, job) = self.jobs[index].clone();
        self.servers[number].command(NOW, Input::End { job: job.id, status: 0, text: Text::EMPTY }).unwrap();
        self.run();
    }

    fn outcome(&self) -> &Outcome {
        let mut ends = self.events.iter().filter_map(|event| match event {
            ClientEvent::Ended(outcome) => Some(outcome),
            _ => None,
        });
        let outcome = ends.next().expect("it has ended");
        assert!(ends.next().is_none());
        outcome
    }

    fn requests(&self) -> Vec<RequestFlags> {
        let messages = self.seen.iter().filter(|frame| frame.protocol == Protocol::DEFERRAL);
        let requests = messages.filter_map(|frame| match Message::from_frame(frame).unwrap() {
            Message::Request(request) => Some(request.flags),
            _ => None,
        });
        requests.collect()
    }

    fn closes(&self) -> Vec<CloseReason> {
        self.seen.iter().filter_map(|frame| Close::from_frame(frame).ok()).map(|close| close.reason).collect()
    }
}

/// An answer of a server that does not keep to the text.
fn inject(net: &mut Net, bytes: &[u8]) -> Result<(), EndpointError> {
    let link = *net.links.keys().next().unwrap();
    net.client.received(NOW, link, bytes)
}

#[test]
fn a_command_is_carried_out_however_the_bytes_are_cut() {
    for piece in [1, 3, 1000] {
        let mut net = Net { piece, ..Net::usual(1) };
        net.run();
        let job = net.jobs[0].1.clone();
        assert_eq!((job.key, job.command.name.as_str()), (KEY, "ws_create"));
        let data = Input::Data { job: job.id, bytes: Bytes::from_static(b"created") };
        net.servers[0].command(NOW, data).unwrap();
        net.end(0);
        assert!(matches!(net.outcome(), Outcome::Done { status: 0, complete: true, .. }));
        assert!(net.events.iter().any(|event| matches!(event, ClientEvent::Data(piece) if piece.0 == "created")));
        assert_eq!(net.closes(), [CloseReason::DONE]);
        assert!(net.links.is_empty() && net.client.poll_timeout().is_none());
        assert_eq!(net.servers[0].links().count(), 0);
        // Its own memory of the request is left.
        assert!(net.servers[0].poll_timeout().is_some());
    }
}

#[test]
fn who_is_busy_sends_on_over_bytes() {
    let alternates = vec![Alternate::new(uri(1))];
    let busy = ServerSettings { busy_threshold: Duration::ZERO, alternates, ..settings(0) };
    let servers = vec![ServerConfig::new(busy, 1), ServerConfig::new(settings(1), 1)];
    let mut config = ClientConfig::default();
    config.client.policy.hosts = Hosts::Any;
    let mut first = Net::new(config.clone(), task(1), servers);
    first.run();
    assert_eq!(first.jobs.len(), 1);
    // Another client finds the slot taken.
    let other = Task { id: RequestId([8; 16]), ..task(1) };
    let servers = core::mem::take(&mut first.servers);
    let mut second = Net { servers, ..Net::new(config, other, Vec::new()) };
    second.run();
    assert_eq!(second.jobs[0].0, 1);
    second.end(0);
    assert!(matches!(second.outcome(), Outcome::Done { server, .. } if *server == uri(1)));
}

#[test]
fn a_server_that_speaks_something_else_is_dead() {
    let mut other = ServerConfig::new(settings(0), 1);
    other.link.hello.offers[0].protocol = Protocol::GROUP;
    let mut net = Net::new(ClientConfig::default(), task(2), vec![other, ServerConfig::new(settings(1), 1)]);
    net.run();
    assert_eq!((net.jobs.len(), net.jobs[0].0), (1, 1));
    assert_eq!(net.client.client().report().dead, [uri(0)]);
}

#[test]
fn a_malformed_answer_closes_the_link_and_says_so() {
    let mut net = Net::usual(1);
    net.run();
    let frame = Frame { protocol: Protocol::DEFERRAL, kind: 0x84, flags: FrameFlags::empty(), body: "short".into() };
    let result = inject(&mut net, &frame.to_vec().unwrap());
    assert!(matches!(result, Err(EndpointError::Decode { .. })), "{result:?}");
    net.run();
    assert_eq!(net.closes(), [CloseReason::MALFORMED]);
    // It may have been carried out, and the same server cannot be asked: it is, and says that it runs.
    assert_eq!(net.requests(), [RequestFlags::empty(), RequestFlags::AGAIN]);
}

#[test]
fn a_violation_closes_the_link_and_says_so() {
    let mut net = Net::usual(1);
    net.run();
    let message = Message::Cancelled(KEY.into());
    let result = inject(&mut net, &message.framed().to_vec().unwrap());
    assert!(matches!(result, Err(EndpointError::Machine(Error::Violation(_)))), "{result:?}");
    net.run();
    assert_eq!(net.closes(), [CloseReason::VIOLATION]);
    assert!(matches!(net.outcome(), Outcome::Indeterminate { .. }));
}

#[test]
fn what_comes_behind_the_end_is_not_heard() {
    let mut net = Net::usual(1);
    net.run();
    let refused = Refused { key: KEY, code: RefusalCode::BAD_REQUEST, text: Text::EMPTY, extensions: Extensions::NONE };
    // Twice in one piece: the first is the end, and the second is nobody's.
    let message = Message::Refused(refused).framed().to_vec().unwrap();
    assert_eq!(inject(&mut net, &[&message[..], &message[..]].concat()), Ok(()));
    net.run();
    assert!(matches!(net.outcome(), Outcome::Failed(Failure::Refused { .. }, _)));
    assert_eq!(net.closes(), [CloseReason::DONE]);
}

#[test]
fn who_has_a_memory_is_asked_again_and_says_the_same() {
    let mut net = Net::usual(1);
    net.run();
    let (_, job) = net.jobs[0].clone();
    net.lose();
    net.servers[0].command(NOW, Input::End { job: job.id, status: 3, text: Text::EMPTY }).unwrap();
    net.run();
    assert_eq!(net.jobs.len(), 1);
    assert!(matches!(net.outcome(), Outcome::Done { status: 3, complete: false, .. }));
    assert_eq!(net.requests(), [RequestFlags::empty(), RequestFlags::AGAIN]);
}

#[test]
fn who_has_lost_its_memory_is_not_asked_again() {
    for boot in [0, 2] {
        let mut net = Net::usual(1);
        net.run();
        net.servers[0] = ServerEndpoint::new(ServerConfig::new(settings(0), boot), 4);
        let (link, _) = net.links.pop_first().unwrap();
        net.client.closed(NOW, link).unwrap();
        net.run();
        assert_eq!(net.requests(), [RequestFlags::empty()]);
        assert_eq!(net.jobs.len(), 1);
        assert!(matches!(net.outcome(), Outcome::Indeterminate { .. }), "boot {boot}");
    }
    // Nor is who never had one.
    let mut net = Net::new(ClientConfig::default(), task(1), vec![ServerConfig::new(settings(0), 0)]);
    net.run();
    net.lose();
    net.run();
    assert!(matches!(net.outcome(), Outcome::Indeterminate { .. }));
    assert_eq!(net.requests().len(), 1);
}

#[test]
fn ids_count_if_the_transport_proves_them() {
    for trust_identity in [false, true] {
        // Both names lead to servers that say the same id, and can do nothing.
        let unable = || ServerSettings { abilities: crate::deferral::ServerAbilities::READ, ..settings(0) };
        let servers = vec![ServerConfig::new(unable(), 1), ServerConfig::new(unable(), 1)];
        let config = ClientConfig { trust_identity, ..ClientConfig::default() };
        let mut net = Net::new(config, task(2), servers);
        net.run();
        let Outcome::Failed(_, report) = net.outcome() else { panic!("{:?}", net.outcome()) };
        let aliases: &[ServerUri] = if trust_identity { &[uri(1)] } else { &[] };
        assert_eq!((report.aliases.as_slice(), net.requests().len()), (aliases, 2 - aliases.len()));
    }
}

#[test]
fn a_large_piece_is_cut_for_who_takes_small_ones() {
    let mut config = ClientConfig::default();
    config.link.hello.max_body = 1024;
    let mut net = Net::new(config, task(1), vec![ServerConfig::new(settings(0), 1)]);
    net.run();
    let bytes: Bytes = (0..5000_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
    let job = net.jobs[0].1.id;
    net.servers[0].command(NOW, Input::Data { job, bytes: bytes.clone() }).unwrap();
    net.end(0);
    let pieces = net.events.iter().filter_map(|event| match event {
        ClientEvent::Data(piece) => Some(piece.0.clone()),
        _ => None,
    });
    let pieces: Vec<Bytes> = pieces.collect();
    assert_eq!((pieces.concat(), pieces.len()), (bytes.to_vec(), 5));
    assert!(matches!(net.outcome(), Outcome::Done { .. }));
}

#[test]
fn a_request_that_a_server_does_not_take_is_not_sent_there() {
    let mut small = ServerConfig::new(settings(0), 1);
    small.link.hello.max_body = 1024;
    let mut large = task(2);
    large.command.arguments = vec![vec![0; 2000].into()];
    let mut net = Net::new(ClientConfig::default(), large, vec![small, ServerConfig::new(settings(1), 1)]);
    net.run();
    assert_eq!((net.jobs.len(), net.jobs[0].0), (1, 1));
    assert_eq!(net.client.client().report().declined, [uri(0)]);
}

#[test]
fn a_server_without_a_hello_is_given_up() {
    let mut client = ClientEndpoint::new(ClientConfig::default(), task(1), NOW).unwrap();
    let Some(ClientOutput::Dial { link, .. }) = client.poll_output() else { panic!("it dials") };
    client.connected(NOW, link).unwrap();
    let at = client.poll_timeout().unwrap();
    client.timeout(at).unwrap();
    let outputs: Vec<ClientOutput> = core::iter::from_fn(|| client.poll_output()).collect();
    assert!(outputs.contains(&ClientOutput::Close(link)));
    assert!(matches!(outputs.last(), Some(ClientOutput::Event(ClientEvent::Ended(Outcome::Failed(..))))));
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn a_client_without_a_hello_is_given_up() {
    let mut server = ServerEndpoint::new(ServerConfig::new(settings(0), 1), 4);
    let link = server.accept(NOW);
    let at = server.poll_timeout().unwrap();
    server.timeout(at).unwrap();
    assert!(core::iter::from_fn(|| server.poll_output()).any(|output| output == ServerOutput::Close(link)));
    assert_eq!((server.links().count(), server.poll_timeout()), (0, None));
}

#[test]
fn a_server_refuses_what_clients_do_not_send() {
    let mut net = Net::usual(1);
    net.run();
    let (link, there) = net.links.iter().next().map(|(link, (_, there))| (*link, *there)).unwrap();
    let message = Message::Executing(KEY.into()).framed().to_vec().unwrap();
    let result = net.servers[0].received(NOW, there, &message);
    assert!(matches!(result, Err(EndpointError::Machine(Error::Violation(_)))), "{result:?}");
    assert_eq!(net.servers[0].links().count(), 0);
    net.run();
    assert!(!net.links.contains_key(&link));
}

#[test]
fn what_nobody_takes_stops_more_from_coming() {
    let mut net = Net::usual(1);
    net.run();
    let job = net.jobs[0].1.id;
    let piece = Bytes::from(vec![0; 1 << 20]);
    let mut taken = 0;
    let refused = loop {
        match net.servers[0].command(NOW, Input::Data { job, bytes: piece.clone() }) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 100);
    };
    assert!(matches!(refused, EndpointError::Machine(Error::Misuse(Misuse::Limit(_)))), "{refused:?}");
    assert_eq!(taken, 4);
    net.run();
    net.end(0);
    assert!(matches!(net.outcome(), Outcome::Done { .. }));
}

#[test]
fn links_speak_for_themselves() {
    let mut server = ServerEndpoint::new(ServerConfig::new(settings(0), 1), 4);
    for input in [Input::Closed(LinkId(1)), Input::Timeout] {
        let result = server.command(NOW, input);
        assert!(matches!(result, Err(EndpointError::Machine(Error::Misuse(Misuse::Argument { .. })))), "{result:?}");
    }
    let message = Message::Cancel(KEY.into());
    assert!(server.command(NOW, Input::Message { link: LinkId(1), message, random: 0 }).is_err());
    // Bytes of a link that is over are ignored.
    assert_eq!(server.received(NOW, LinkId(9), b"anything"), Ok(()));
    assert_eq!(server.links().count(), 0);
}
