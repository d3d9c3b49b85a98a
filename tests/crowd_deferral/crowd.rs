//! The crowd: who comes when, what it wants, and what came of it.

use super::network::{Future, What};
use handover::deferral::client::{self, Client, Event, Outcome, Peer, Task};
use handover::deferral::message::{Alternate, Command, CommandName, Message};
use handover::deferral::server::{self, Server};
use handover::deferral::{DeferKind, RequestFlags, RequestId, ServerAbilities, ServerId, ServerUri};
use handover::frame::Text;
use handover::machine::{LinkId, Machine};
use handover::testing::Rng;
use handover::time::Instant;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) clients: usize,
    pub(crate) servers: usize,
    pub(crate) slots: usize,
    /// Clients come for so long, evenly.
    pub(crate) arrivals: Duration,
    pub(crate) seed: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Figures {
    pub(crate) served: usize,
    /// How many of them had to go round twice.
    pub(crate) priority: usize,
    pub(crate) lost: usize,
    pub(crate) begun_twice: usize,
    /// Requests with priority that somebody who is able has not taken.
    pub(crate) refused_priority: usize,
    /// How many contacts each client has made, in order of size.
    pub(crate) contacts: Vec<u32>,
    /// Contacts that were made when nobody new had come for a second.
    pub(crate) late_contacts: usize,
    /// Most contacts of one server in one second.
    pub(crate) busiest: u32,
    /// Which of a server's alternates comes first, by its place in the settings.
    pub(crate) first: Vec<u64>,
    pub(crate) longest: Duration,
    pub(crate) over: Duration,
    pub(crate) events: u64,
}

struct Walker {
    client: Client,
    /// Its link, the number that this has at the server, and which server that is.
    link: Option<(LinkId, LinkId, usize)>,
    contacts: u32,
    /// When a timer is set, and since when it waits in line.
    timer: Option<Instant>,
    queued: Option<u64>,
    longest: u64,
}

struct House {
    server: Server,
    writes: bool,
    timer: Option<Instant>,
    /// Contacts in this second.
    second: (u64, u32),
}

/// A link: whose it is, and when the last thing arrives that is under way, for messages stay in order.
struct Link {
    client: usize,
    to_client: u64,
    to_server: u64,
}

pub(crate) struct Crowd {
    setup: Setup,
    rng: Rng,
    now: u64,
    future: Future,
    /// When clients come, the last one first.
    arrivals: Vec<u64>,
    houses: Vec<House>,
    uris: Vec<ServerUri>,
    walkers: Vec<Option<Box<Walker>>>,
    links: Vec<Link>,
    begun: Vec<u8>,
    figures: Figures,
}

/// How many others each server knows.
const OTHERS: usize = 6;

fn at(micros: u64) -> Instant {
    Instant::from_micros(micros)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap()
}

impl Crowd {
    pub(crate) fn new(setup: Setup) -> Self {
        let uri = |at: usize| format!("handover://db:{}", at + 1).parse().unwrap();
        let uris: Vec<ServerUri> = (0..setup.servers).map(uri).collect();
        let mut crowd = Self {
            setup,
            rng: Rng::new(setup.seed),
            now: 0,
            future: Future::default(),
            arrivals: Vec::new(),
            houses: Vec::new(),
            uris,
            walkers: std::iter::repeat_with(|| None).take(setup.clients).collect(),
            links: Vec::new(),
            begun: vec![0; setup.clients],
            figures: Figures { first: vec![0; OTHERS], ..Figures::default() },
        };
        crowd.houses = (0..setup.servers).map(|at| crowd.house(at)).collect();
        let span = micros(setup.arrivals);
        let mut arrivals: Vec<u64> = (0..setup.clients).map(|_| crowd.rng.below(span)).collect();
        arrivals.sort_unstable_by(|one, other| other.cmp(one));
        crowd.arrivals = arrivals;
        crowd.awaits(0);
        // Some are taken out of service for a while.
        for server in 0..setup.servers / 20 {
            crowd.future.put(span / 3, What::Drain(server * 7));
            crowd.future.put(span / 3 * 2, What::Serve(server * 7));
        }
        crowd
    }

    /// One in five only reads.
    fn writes(server: usize) -> bool {
        server % 5 != 4
    }

    /// Which others a server knows: spread over all of them, so that everybody can be come to.
    fn other(&self, server: usize, place: usize) -> usize {
        (server + 1 + place * (self.setup.servers / OTHERS).max(1)) % self.setup.servers
    }

    fn house(&self, at: usize) -> House {
        let mut config = server::Config::default();
        let abilities =
            |writes| if writes { ServerAbilities::READ | ServerAbilities::WRITE } else { ServerAbilities::READ };
        config.id = ServerId(u128::try_from(at + 1).unwrap().to_be_bytes());
        config.abilities = abilities(Self::writes(at));
        config.slots = self.setup.slots;
        config.service_time = Duration::from_millis(300);
        config.limits.queue = 100_000;
        for place in 0..OTHERS {
            let other = self.other(at, place);
            let abilities = abilities(Self::writes(other));
            config.alternates.push(Alternate { abilities, ..Alternate::new(self.uris[other].clone()) });
        }
        House { server: Server::new(config), writes: Self::writes(at), timer: None, second: (0, 0) }
    }

    pub(crate) fn run(mut self) -> Figures {
        while let Some((when, what)) = self.future.next() {
            self.now = when;
            self.happens(what);
        }
        let mut figures = self.figures;
        figures.lost = self.walkers.iter().flatten().count();
        figures.begun_twice = self.begun.iter().filter(|begun| **begun != 1).count();
        figures.events = self.future.happened();
        figures.contacts.sort_unstable();
        figures
    }

    fn happens(&mut self, what: What) {
        use client::Input;
        match what {
            What::Arrives(client) => self.arrives(client),
            What::Opened { client, link } => {
                self.client(
                    client,
                    Input::Opened { link, peer: Peer { id: ServerId::UNKNOWN, memory: Some(1), max_body: None } },
                );
            }
            What::ToClient { client, link, message } => {
                let walker = self.walkers[client].as_ref();
                // What comes on a link that was closed reaches nobody.
                if let Some((local, remote, _)) = walker.and_then(|walker| walker.link)
                    && remote == link
                {
                    self.client(client, Input::Message { link: local, message });
                }
            }
            What::ToServer { server, link, message } => {
                let random = self.rng.next_u64();
                self.server(server, server::Input::Message { link, message, random });
            }
            What::ServerCloses { server, link } => self.server(server, server::Input::Closed(link)),
            What::JobEnds { server, job } => {
                self.server(server, server::Input::End { job, status: 0, text: Text::EMPTY });
            }
            What::ClientTimer(client) => {
                if let Some(walker) = &mut self.walkers[client] {
                    walker.timer = None;
                    self.client(client, Input::Timeout);
                }
            }
            What::ServerTimer(server) => {
                self.houses[server].timer = None;
                self.server(server, server::Input::Timeout);
            }
            What::Drain(server) => self.server(server, server::Input::Drain),
            What::Serve(server) => self.server(server, server::Input::Serve),
        }
    }

    /// The next client is going to come: one at a time, so that not all of them are kept in order.
    fn awaits(&mut self, client: usize) {
        if let Some(when) = self.arrivals.pop() {
            self.future.put(when, What::Arrives(client));
        }
    }

    fn arrives(&mut self, client: usize) {
        self.awaits(client + 1);
        let servers = u64::try_from(self.setup.servers).unwrap();
        // Every second one goes to one of the few that everybody knows.
        let known = if self.rng.below(2) == 0 { servers / 10 } else { servers };
        let first = usize::try_from(self.rng.below(known)).unwrap();
        let reads = self.rng.below(3) > 0;
        let mut config = client::Config::default();
        config.wait_unasked = true;
        let command = Command { name: CommandName::new("work").unwrap(), arguments: Vec::new() };
        let id = RequestId(u128::try_from(client).unwrap().to_be_bytes());
        let task = Task { read_only: reads, ..Task::new(id, vec![self.uris[first].clone()], command) };
        let client_machine = Client::new(config, task, at(self.now)).unwrap();
        self.walkers[client] = Some(Box::new(Walker {
            client: client_machine,
            link: None,
            contacts: 0,
            timer: None,
            queued: None,
            longest: 0,
        }));
        self.drain_client(client);
    }

    /// When a message arrives that is sent now.
    fn way(&mut self) -> u64 {
        self.now + 500 + self.rng.below(1_500)
    }

    fn link(&mut self, link: LinkId) -> &mut Link {
        &mut self.links[usize::try_from(link.0).unwrap()]
    }

    fn goes_to_server(&mut self, link: LinkId, what: What) {
        let when = self.way();
        let link = self.link(link);
        link.to_server = when.max(link.to_server + 1);
        let when = link.to_server;
        self.future.put(when, what);
    }

    fn goes_to_client(&mut self, link: LinkId, what: impl FnOnce(usize) -> What) {
        let when = self.way();
        let link = self.link(link);
        link.to_client = when.max(link.to_client + 1);
        let (when, client) = (link.to_client, link.client);
        self.future.put(when, what(client));
    }

    fn client(&mut self, client: usize, input: client::Input) {
        let now = at(self.now);
        let Some(walker) = &mut self.walkers[client] else { return };
        walker.client.handle(now, input).unwrap_or_else(|error| panic!("{error}"));
        self.drain_client(client);
    }

    fn drain_client(&mut self, client: usize) {
        use client::Output;
        loop {
            let Some(walker) = &mut self.walkers[client] else { return };
            let Some(output) = walker.client.poll_output() else { break };
            match output {
                Output::Dial { link, server } => {
                    let server = usize::from(server.port()) - 1;
                    let remote = LinkId(u32::try_from(self.links.len()).unwrap());
                    self.links.push(Link { client, to_client: 0, to_server: 0 });
                    walker.link = Some((link, remote, server));
                    walker.contacts += 1;
                    self.goes_to_client(remote, |client| What::Opened { client, link });
                    self.contact(server);
                }
                Output::Send { message, .. } => {
                    let (_, link, server) = walker.link.unwrap();
                    self.goes_to_server(link, What::ToServer { server, link, message });
                }
                Output::Close(_) => {
                    if let Some((_, link, server)) = walker.link.take() {
                        self.goes_to_server(link, What::ServerCloses { server, link });
                    }
                }
                Output::Event(Event::Queued { .. }) => walker.queued = Some(self.now),
                Output::Event(Event::Executing(_)) => {
                    if let Some(since) = walker.queued.take() {
                        walker.longest = self.now - since;
                    }
                }
                Output::Event(Event::Ended(outcome)) => return self.ends(client, &outcome),
                Output::Event(_) => {}
                other => panic!("{other:?}"),
            }
        }
        let Some(walker) = &mut self.walkers[client] else { return };
        if let Some(timeout) = walker.client.poll_timeout()
            && walker.timer.is_none_or(|timer| timeout < timer)
        {
            walker.timer = Some(timeout);
            self.future.put(timeout.as_micros(), What::ClientTimer(client));
        }
    }

    fn contact(&mut self, server: usize) {
        let second = self.now / 1_000_000;
        let house = &mut self.houses[server];
        if house.second.0 != second {
            house.second = (second, 0);
        }
        house.second.1 += 1;
        self.figures.busiest = self.figures.busiest.max(house.second.1);
        self.figures.late_contacts += usize::from(self.now > micros(self.setup.arrivals) + 1_000_000);
    }

    fn ends(&mut self, client: usize, outcome: &Outcome) {
        assert!(matches!(outcome, Outcome::Done { complete: true, .. }), "{outcome:?}");
        // Its link is closed with it.
        let walker = self.walkers[client].take().unwrap();
        if let Some((_, link, server)) = walker.link {
            self.goes_to_server(link, What::ServerCloses { server, link });
        }
        let figures = &mut self.figures;
        figures.served += 1;
        figures.priority += usize::from(walker.client.priority());
        figures.contacts.push(walker.contacts);
        figures.longest = figures.longest.max(Duration::from_micros(walker.longest));
        figures.over = Duration::from_micros(self.now);
    }

    fn server(&mut self, at_server: usize, input: server::Input) {
        use server::{Event, Input, Output};
        let now = at(self.now);
        let wanted = match &input {
            Input::Message { message: Message::Request(request), .. } => Some(request.flags),
            _ => None,
        };
        let house = &mut self.houses[at_server];
        house.server.handle(now, input).unwrap_or_else(|error| panic!("{error}"));
        while let Some(output) = self.houses[at_server].server.poll_output() {
            match output {
                Output::Send { link, message } => {
                    self.says(at_server, wanted, &message);
                    self.goes_to_client(link, |client| What::ToClient { client, link, message });
                }
                Output::Event(Event::Execute(job)) => {
                    let client = usize::try_from(u128::from_be_bytes(job.key.id.0)).unwrap();
                    self.begun[client] += 1;
                    let ends = self.now + 150_000 + self.rng.below(300_000);
                    self.future.put(ends, What::JobEnds { server: at_server, job: job.id });
                }
                other => panic!("{other:?}"),
            }
        }
        let house = &mut self.houses[at_server];
        if let Some(timeout) = house.server.poll_timeout()
            && house.timer.is_none_or(|timer| timeout < timer)
        {
            house.timer = Some(timeout);
            self.future.put(timeout.as_micros(), What::ServerTimer(at_server));
        }
    }

    fn says(&mut self, server: usize, wanted: Option<RequestFlags>, message: &Message) {
        let Some(flags) = wanted else { return };
        let reads = flags.contains(RequestFlags::READ_ONLY);
        let able = reads || self.houses[server].writes;
        match message {
            Message::Queued(_) | Message::Executing(_) => {}
            Message::Defer(defer) => {
                let priority = flags.contains(RequestFlags::PRIORITY);
                self.figures.refused_priority += usize::from(priority && able);
                // What only reads may go to all of them.
                if reads && defer.kind == DeferKind::BUSY {
                    let first = usize::from(defer.alternates[0].uri.port()) - 1;
                    let place = (0..OTHERS).find(|place| self.other(server, *place) == first).unwrap();
                    self.figures.first[place] += 1;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}
