//! The feature `tracing`: one span a link, one event a transition, no secrets.
//!
//! Alone in its binary, because `tracing` caches across threads which callsites anybody listens to.

mod pair;

use handover::machine::Machine;
use handover::spice::Port;
use handover::spice::client::{Address, Client, Command, Config, Input};
use handover::time::Instant;
use pair::{CAPS, link, pair};
use std::sync::{Arc, Mutex};

/// Keeps the text of every span and event.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl tracing::field::Visit for Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push(format!("{field}={value:?}"));
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        self.0.lock().unwrap().push(format!("span {}", attributes.metadata().name()));
        attributes.record(&mut self.clone());
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn spans_and_transitions_are_traced_without_secrets() {
    spice();
    tds5();
    repmgr();
    deferral();
    group();
}

/// A login, its answer, and the machines of both ends.
fn tds5() {
    use bytes::BytesMut;
    use handover::tds5::SessionId;
    use handover::tds5::connection::{ClientConnection, Item, ServerConnection};
    use handover::tds5::login::{Login, LoginRecord};
    use handover::tds5::target::{Config, Input, Output, Target};
    use handover::wire::ByteOrder;

    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        let mut client = ClientConnection::new(Default::default(), Default::default());
        let mut server = ServerConnection::new(Default::default(), Default::default());
        let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
        let record = LoginRecord::new(ByteOrder::Little).with_user(b"guest", b"0123456789abcdef").unwrap();
        client.login(&Login::new(record, true), &mut up).unwrap();
        server.receive(&up);
        let Some(Item::Login(login)) = server.next_item().unwrap() else { panic!("a login was sent") };
        let mut target = Target::new(Config::default(), Instant::ZERO);
        target.handle(Instant::ZERO, Input::Item(Item::Login(login))).unwrap();
        target.handle(Instant::ZERO, Input::SetSessionId(SessionId::new(*b"012345").unwrap())).unwrap();
        target.handle(Instant::ZERO, Input::Accept { tokens: Vec::new() }).unwrap();
        while let Some(output) = target.poll_output() {
            match output {
                Output::Send(token) => server.token(&token, &mut down).unwrap(),
                Output::SessionId(id) => server.session_id(id, &mut down).unwrap(),
                Output::EndMessage => server.end(&mut down),
                _ => {}
            }
        }
        client.receive(&down);
        while client.next_item().unwrap().is_some() {}
    });
    let lines = log.0.lock().unwrap();
    let text = lines.join("\n");
    assert_eq!(lines.iter().filter(|line| *line == "span link").count(), 2, "{text}");
    for expected in ["message=login requested", "message=login answered", "machine=\"tds5 target\"", "to=\"Serving\""] {
        assert!(lines.iter().any(|line| line == expected), "{expected} in {text}");
    }
    for secret in ["0123456789abcdef", "012345", "48, 49, 50", "303132"] {
        assert!(!text.contains(secret), "{text}");
    }
}

fn spice() {
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        let (mut client, mut server) = pair(CAPS);
        link(&mut client, &mut server, CAPS);
        let mut machine = Client::new(Config::default());
        let address = Address::new("host", Port::from_wire(1), Port::ABSENT, None);
        machine.handle(Instant::ZERO, Input::Command(Command::Connect(address))).unwrap();
    });
    let lines = log.0.lock().unwrap();
    let text = lines.join("\n");
    assert_eq!(lines.iter().filter(|line| *line == "span link").count(), 2, "{text}");
    for expected in ["machine=\"spice client\"", "from=\"Offline\"", "event=\"Connect\"", "to=\"Opening\""] {
        assert_eq!(lines.iter().filter(|line| *line == expected).count(), 1, "{expected} in {text}");
    }
    assert!(!text.contains("0123456789abcdef") && !text.contains("48, 49, 50"), "{text}");
}

/// A message from one site to another.
fn repmgr() {
    use handover::repmgr::channel::{MessageId, To};
    use handover::repmgr::endpoint::{ChannelId, SiteCommand, SiteConfig, SiteEndpoint, SiteOutput};
    use handover::repmgr::{Segments, SiteAddress};

    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        let now = Instant::ZERO;
        let (mut here, mut there) =
            (SiteEndpoint::new(SiteConfig::default()), SiteEndpoint::new(SiteConfig::default()));
        let (channel, to) = (ChannelId(1), To::Site(SiteAddress::new("there", 5000).unwrap()));
        here.command(now, SiteCommand::OpenChannel { channel, to }).unwrap();
        let (id, segments) = (MessageId(1), Segments::one("0123456789abcdef"));
        here.command(now, SiteCommand::Send { channel, id, segments }).unwrap();
        let Some(SiteOutput::Dial { link, .. }) = here.poll_output() else { panic!("a link is wanted") };
        let accepted = there.accept(now);
        here.connected(now, link).unwrap();
        loop {
            if let Some(output) = here.poll_output() {
                if let SiteOutput::Transmit { bytes, .. } = output {
                    there.received(now, accepted, &bytes).unwrap();
                }
            } else if let Some(output) = there.poll_output() {
                if let SiteOutput::Transmit { bytes, .. } = output {
                    here.received(now, link, &bytes).unwrap();
                }
            } else {
                break;
            }
        }
    });
    let lines = log.0.lock().unwrap();
    let text = lines.join("\n");
    assert_eq!(lines.iter().filter(|line| *line == "span link").count(), 2, "{text}");
    for expected in ["machine=\"repmgr channel\"", "machine=\"repmgr connection\"", "to=\"Ready\""] {
        assert!(lines.iter().any(|line| line == expected), "{expected} in {text}");
    }
    assert!(!text.contains("0123456789abcdef") && !text.contains("48, 49, 50"), "{text}");
}

/// A command that one server carries out.
fn deferral() {
    use handover::deferral::client::{self, Client, Credentials, Peer, Task};
    use handover::deferral::message::{Command, CommandName, Message};
    use handover::deferral::server::{self, JobId, Server};
    use handover::deferral::{RequestId, ServerUri};
    use handover::frame::Text;

    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        let now = Instant::ZERO;
        let uri: ServerUri = "handover://there:1".parse().unwrap();
        let arguments = vec!["0123456789abcdef".into()];
        let command = Command { name: CommandName::new("help").unwrap(), arguments };
        let credentials = Credentials("0123456789abcdef".into());
        let task = Task { credentials, ..Task::new(RequestId([7; 16]), vec![uri], command) };
        let mut client = Client::new(client::Config::default(), task, now).unwrap();
        let mut server = Server::new(server::Config::default());
        loop {
            match client.poll_output() {
                Some(client::Output::Dial { link, .. }) => {
                    client.handle(now, client::Input::Opened { link, peer: Peer::default() }).unwrap();
                }
                Some(client::Output::Send { link, message }) => {
                    server.handle(now, server::Input::Message { link, message, random: 0 }).unwrap();
                    let bytes = "0123456789abcdef".into();
                    server.handle(now, server::Input::Data { job: JobId(1), bytes }).unwrap();
                    server.handle(now, server::Input::End { job: JobId(1), status: 0, text: Text::EMPTY }).unwrap();
                }
                Some(_) => {}
                None => match server.poll_output() {
                    Some(server::Output::Send { link, message }) => {
                        let last = matches!(message, Message::End(_));
                        client.handle(now, client::Input::Message { link, message }).unwrap();
                        if last {
                            server.handle(now, server::Input::Drain).unwrap();
                        }
                    }
                    Some(_) => {}
                    None => break,
                },
            }
        }
    });
    let lines = log.0.lock().unwrap();
    let text = lines.join("\n");
    for expected in
        ["machine=\"deferral client\"", "to=\"Executing\"", "machine=\"deferral server\"", "to=\"Draining\""]
    {
        assert!(lines.iter().any(|line| line == expected), "{expected} in {text}");
    }
    assert!(!text.contains("0123456789abcdef") && !text.contains("48, 49, 50"), "{text}");
}

/// A process that joins a group of its own.
fn group() {
    use handover::group::coordinator::{self, Coordinator, Credentials};
    use handover::group::process::{self, Process};
    use handover::group::{Attributes, CoordinatorId, DomainId, Epoch, GroupName, RequestId};
    use handover::machine::LinkId;

    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        let (now, link) = (Instant::ZERO, LinkId(1));
        let mut config = process::Config::new(1, 1);
        config.credentials = Credentials("0123456789abcdef".into());
        let mut process = Process::new(config);
        let epoch = Epoch(0).next(CoordinatorId(1));
        let mut coordinator = Coordinator::new(coordinator::Config::new(DomainId(1), epoch), now);
        process.handle(now, process::Input::Opened(link)).unwrap();
        loop {
            if let Some(output) = process.poll_output() {
                match output {
                    process::Output::Send { message, .. } => {
                        coordinator.handle(now, coordinator::Input::Message { link, message }).unwrap();
                    }
                    process::Output::Event(process::Event::Entered { .. }) => {
                        let attributes = Attributes::new(GroupName::new("kitchen").unwrap());
                        let (request, local_name) = (RequestId(1), String::from("0123456789abcdef"));
                        let join = process::Input::Join { request, attributes, instance: 0, local_name };
                        process.handle(now, join).unwrap();
                    }
                    _ => {}
                }
            } else if let Some(output) = coordinator.poll_output() {
                match output {
                    coordinator::Output::Send { message, .. } => {
                        process.handle(now, process::Input::Message { link, message }).unwrap();
                    }
                    coordinator::Output::Event(coordinator::Event::Entering { link, .. }) => {
                        coordinator.handle(now, coordinator::Input::Admit { link, allowed: true }).unwrap();
                    }
                    _ => {}
                }
            } else {
                break;
            }
        }
        assert_eq!(process.provider(RequestId(1)).unwrap().members().len(), 1);
    });
    let lines = log.0.lock().unwrap();
    let text = lines.join("\n");
    for expected in ["machine=\"group process\"", "machine=\"group provider\"", "to=\"Member\""] {
        assert!(lines.iter().any(|line| line == expected), "{expected} in {text}");
    }
    assert!(!text.contains("0123456789abcdef") && !text.contains("48, 49, 50"), "{text}");
}
