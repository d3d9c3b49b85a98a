//! The model: where it begins, what can happen, and what it leads to.

use super::adapter::{Seen, Step, Stimulus};
use super::choices::{Action, End};
use super::configs::Setup;
use super::ghost::{self, Ghost};
use super::model::{Shared, Told};
use super::words::{SOURCE_HOST, init};
use super::world::{BYSTANDER, Budget, Chan, Flags, Link, PEERS, Peer, SESSION, TARGET_NUMBERS, Word, World};
use handover::machine::Machine;
use handover::spice::client::{self, Client, LinkFailure};
use handover::spice::source::{self, Source};
use handover::spice::target::{self, Target};
use handover::spice::{Capabilities, ChannelId, ClientId, LinkError, LinkId, MigrateFlags, Port, ServerMessage};
use handover::time::Instant;
use stateright::{Model, Property};

#[derive(Debug)]
pub(crate) struct Migration {
    pub(crate) setup: Setup,
    pub(crate) seen: Seen,
}

/// Gives a machine an input before anything is judged; its outputs are what the reader expects.
fn drive<'a, M: Machine>(machine: &mut M, input: M::Input<'a>) {
    machine.handle(Instant::ZERO, input).expect("a legal start");
    while machine.poll_output().is_some() {}
}

impl Migration {
    pub(crate) fn new(setup: Setup) -> Self {
        Self { setup, seen: Seen::default() }
    }

    /// A session at the source, with all its channels.
    fn client(&self) -> Client {
        let mut config = client::Config::default();
        config.main_caps = self.setup.client_caps;
        let mut client = Client::new(config);
        let address = client::Address::new(SOURCE_HOST, Port::from_wire(5900), Port::ABSENT, None);
        drive(&mut client, client::Input::Command(client::Command::Connect(address)));
        for (chan, link) in self.setup.channels.iter().zip(1..) {
            let link = LinkId(link);
            if *chan != Chan::Main {
                let (channel, caps) = (chan.id(), Capabilities::default());
                drive(&mut client, client::Input::Command(client::Command::OpenChannel { channel, caps }));
            }
            drive(&mut client, client::Input::Opened { link, caps: self.setup.target_caps().into() });
            if *chan == Chan::Main {
                let packet = ServerMessage::Init(init(SESSION)).into();
                drive(&mut client, client::Input::Message { link, packet });
            }
        }
        client
    }

    fn source(&self) -> Source {
        let mut config = source::Config::default();
        config.seamless = self.setup.seamless;
        let mut source = Source::new(config);
        let (client, caps) = (ClientId(1), self.setup.client_caps);
        drive(&mut source, source::Input::Attached { client, link: LinkId(1), caps, arriving: false });
        for (chan, link) in self.setup.channels.iter().zip(1..).skip(1) {
            let (link, channel) = (LinkId(link), chan.id());
            let flags = MigrateFlags::for_channel(channel.ty);
            drive(&mut source, source::Input::ChannelAttached { client, link, channel, flags });
        }
        source
    }

    fn target(&self) -> Target {
        let mut config = target::Config::default();
        config.migration_version = self.setup.target_version;
        config.several_clients = self.setup.several;
        let mut target = Target::new(config);
        if self.setup.several {
            let (link, session_id) = (LinkId(BYSTANDER.into()), BYSTANDER.into());
            let (connection_id, channel, caps) = (0, ChannelId::MAIN, self.setup.client_caps);
            drive(&mut target, target::Input::Link { link, connection_id, channel, caps, session_id });
        }
        target
    }

    fn init_state(&self) -> World {
        let link = |(chan, id): (&Chan, u8)| Link {
            main: 1,
            arrived: true,
            opened: true,
            server_open: true,
            ..Link::new(id, Peer::Source, *chan, 0, false)
        };
        World {
            source: Some(Shared::new(self.source())),
            target: Some(Shared::new(self.target())),
            client: Some(Shared::new(self.client())),
            clocks: [Instant::ZERO; 3],
            links: self.setup.channels.iter().zip(1..).map(link).collect(),
            init_wanted: None,
            budget: self.setup.budget,
            ghost: Ghost::new(self.setup.channels.iter().fold(0, |mask, chan| mask | chan.bit())),
            refuted: 0,
        }
    }
}

impl Model for Migration {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![self.init_state()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        // Behind a counterexample everything may be wrong. (Mutants go on: several of them refute more than
        // one property, in an order that does not matter.)
        if world.refuted != 0 && self.setup.mutant == super::mutants::Mutant::None {
            return;
        }
        let start = actions.len();
        world.duties(&self.setup, actions);
        let idle = actions.len() == start;
        world.whims(&self.setup, idle, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        Some(self.step(world, action, None).w)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        ghost::all()
    }
}

impl Migration {
    /// A world and what an action makes of it.
    fn step(&self, world: &World, action: Action, log: Option<Vec<String>>) -> Step<'_> {
        let mut duties = Vec::new();
        let mut step = Step { setup: &self.setup, seen: &self.seen, w: world.clone(), log };
        if let Action::Fire(_) = action {
            world.duties(&self.setup, &mut duties);
            if duties.is_empty() {
                // Nothing else is left to do: a timer has to help, and that only where something went wrong.
                let helped = world.ghost.disturbed || world.ghost.rogue;
                step.check(ghost::Property::NoDeadlock, helped);
            } else {
                step.w.budget.timers -= 1;
            }
            duties.clear();
        }
        step.take(action);
        step.w.tidy();
        step.w.duties(&self.setup, &mut duties);
        if duties.is_empty() && PEERS.into_iter().all(|peer| step.w.deadline(peer).is_none()) {
            step.at_rest();
        }
        step
    }
}

impl Told for Migration {
    fn tell(&self, world: &World, action: Action) -> String {
        let log = self.step(world, action, Some(Vec::new())).log.unwrap_or_default();
        format!("  {}\n  * {action:?}\n    {}\n", world.line(), log.join("\n    "))
    }
}

impl Step<'_> {
    fn take(&mut self, action: Action) {
        let Budget { attempts, losses, refusals, deaths, pings, commands, rogue, .. } = &mut self.w.budget;
        match action {
            Action::Info => {
                *attempts -= 1;
                self.feed(Peer::Source, Stimulus::Info);
            }
            Action::Completed => {
                self.feed(Peer::Source, Stimulus::Completed);
                self.feed(Peer::Target, Stimulus::VmRunning);
            }
            Action::Failed => self.feed(Peer::Source, Stimulus::Failed),
            Action::Cancelled => self.feed(Peer::Source, Stimulus::Cancelled),
            Action::Fire(peer) => {
                self.w.ghost.disturbed = true;
                self.feed(peer, Stimulus::Timeout);
            }
            Action::Arrive(id) => self.arrive(id),
            Action::Refuse(id) => {
                *refusals = refusals.saturating_sub(1);
                self.refuse(id);
            }
            Action::Deliver(id, End::Client) => self.deliver_to_client(id),
            Action::Deliver(id, End::Server) => self.deliver_to_server(id),
            Action::Lose(id) => {
                *losses -= 1;
                self.w.ghost.disturbed = true;
                self.w.link_mut(id).into_iter().for_each(Link::lose);
            }
            Action::Die(peer) => {
                *deaths -= 1;
                self.die(peer);
            }
            Action::Say(peer) => self.say(peer),
            Action::Ping(server) => {
                *pings -= 1;
                if let Some(link) = self.w.speaks(server, Chan::Main) {
                    self.feed(server, Stimulus::Say(link, Word::Ping));
                }
            }
            Action::OpenDisplay | Action::CloseDisplay | Action::Abandon | Action::Disconnect => {
                *commands -= 1;
                self.w.ghost.disturbed |= action != Action::OpenDisplay;
                let (channel, caps) = (Chan::Display.id(), Capabilities::default());
                let wish = match action {
                    Action::OpenDisplay => client::Command::OpenChannel { channel, caps },
                    Action::CloseDisplay => client::Command::CloseChannel(channel),
                    Action::Abandon => client::Command::Abandon,
                    _ => client::Command::Disconnect,
                };
                if action == Action::OpenDisplay {
                    self.w.ghost.client_channels |= Chan::Display.bit();
                }
                self.feed(Peer::Client, Stimulus::Command(wish));
            }
            Action::GiveInit => {
                if let Some(client) = self.w.init_wanted.take() {
                    self.feed(Peer::Target, Stimulus::GiveInit(client));
                }
            }
            Action::GiveData(id) => {
                self.w.link_mut(id).into_iter().for_each(|link| link.flags -= Flags::DATA_WANTED);
                self.feed(Peer::Source, Stimulus::GiveData(id));
            }
            Action::Rogue(id, word) => {
                *rogue -= 1;
                self.w.ghost.rogue = true;
                self.w.link_mut(id).into_iter().for_each(|link| link.send(true, word));
            }
        }
    }

    fn arrive(&mut self, id: u8) {
        let Some(link) = self.w.link(id) else { return };
        let (main, named, server) = (link.chan == Chan::Main, link.connection_id, link.server);
        if server == Peer::Source {
            return self.arrive_at_source(id);
        }
        let session = |link: &&Link| link.is_main_of(Peer::Target) && link.server_open && link.session_id() == named;
        let of = if main { id } else { self.w.links.iter().find(session).map_or(id, |link| link.id) };
        if let Some(link) = self.w.link_mut(id) {
            (link.main, link.arrived, link.server_open) = (of, true, true);
        }
        self.feed(Peer::Target, Stimulus::Arrive(id));
    }

    /// A further channel of the session at the source, which has no say in it; its driver has.
    fn arrive_at_source(&mut self, id: u8) {
        let attached = self.w.links.iter().any(|link| link.is_main_of(Peer::Source) && link.server_open);
        let Some(link) = self.w.link_mut(id) else { return };
        (link.main, link.arrived, link.server_open) = (1, true, attached);
        link.send(false, if attached { Word::Accepted } else { Word::Refused });
        if attached {
            self.feed(Peer::Source, Stimulus::Arrive(id));
        }
    }

    fn refuse(&mut self, id: u8) {
        self.w.ghost.disturbed = true;
        let alive = self.w.link(id).is_some_and(|link| self.w.is_alive(link.server));
        let Some(link) = self.w.link_mut(id) else { return };
        link.forget(true);
        let reason = match (alive, self.setup.tls && !link.tls) {
            (false, _) => LinkFailure::Transport,
            (true, true) => LinkFailure::Refused(LinkError::NEED_SECURED),
            (true, false) => LinkFailure::Denied(LinkError::PERMISSION_DENIED),
        };
        // It is as if it had come and gone.
        link.arrived = true;
        self.feed(Peer::Client, Stimulus::OpenFailed(id, reason));
    }

    fn deliver_to_client(&mut self, id: u8) {
        let Some(link) = self.w.link_mut(id) else { return };
        let (word, opened) = (link.down.remove(0), link.opened);
        let stimulus = match word {
            Word::Accepted => {
                link.opened = true;
                Stimulus::Opened(id)
            }
            Word::Refused | Word::Closed => {
                link.forget(true);
                self.w.ghost.disturbed |= word == Word::Refused;
                match (word, opened) {
                    (Word::Refused, _) => Stimulus::OpenFailed(id, LinkFailure::Refused(LinkError::BAD_CONNECTION_ID)),
                    (_, false) => Stimulus::OpenFailed(id, LinkFailure::Transport),
                    (_, true) => Stimulus::Closed(id),
                }
            }
            word => Stimulus::Word(id, word),
        };
        self.feed(Peer::Client, stimulus);
    }

    fn deliver_to_server(&mut self, id: u8) {
        let Some(link) = self.w.link_mut(id) else { return };
        let (word, server) = (link.up.remove(0), link.server);
        if word == Word::Closed {
            link.forget(false);
            self.feed(server, Stimulus::Closed(id));
        } else {
            self.feed(server, Stimulus::Word(id, word));
        }
    }

    fn die(&mut self, peer: Peer) {
        self.w.ghost.disturbed = true;
        match peer {
            Peer::Source => self.w.source = None,
            Peer::Target => (self.w.target, self.w.init_wanted) = (None, None),
            Peer::Client => {
                self.w.client = None;
                self.w.ghost.client_channels = 0;
            }
        }
        for link in self.w.links.iter_mut().filter(|link| peer == Peer::Client || link.server == peer) {
            if link.arrived || peer == Peer::Client {
                link.forget(peer == Peer::Client);
                link.lose();
            }
        }
    }

    fn say(&mut self, peer: Peer) {
        let (budget, ghost) = (&mut self.w.budget, &mut self.w.ghost);
        let (left, said, first) = match peer {
            Peer::Client => (&mut budget.client_says, &mut ghost.client_said, 0),
            Peer::Source => (&mut budget.source_says, &mut ghost.source_said, 0),
            Peer::Target => (&mut budget.target_says, &mut ghost.target_said, TARGET_NUMBERS),
        };
        *left -= 1;
        *said += 1;
        let word = Word::App(first + *said);
        if peer == Peer::Client {
            self.feed(peer, Stimulus::SayOn(self.setup.chat, word));
        } else if let Some(link) = self.w.speaks(peer, self.setup.chat) {
            self.feed(peer, Stimulus::Say(link, word));
        }
    }
}
