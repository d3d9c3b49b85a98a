//! A whole handover through all three machines in memory, by the number of channels: what it costs besides the network.
//!
//! `cargo bench --bench handover`

use divan::{Bencher, black_box};
use handover::machine::Machine;
use handover::spice::client::{self, Address, Client};
use handover::spice::main_channel::Init;
use handover::spice::source::{self, Source};
use handover::spice::target::{self, Target};
use handover::spice::{
    Capabilities, ChannelId, ChannelType, ClientId, DstInfo, LinkId, MainCaps, MigrateFlags, Port, ServerMessage,
};
use handover::time::Instant;

const NOW: Instant = Instant::ZERO;
const SESSION: u32 = 7;
const INIT: Init = Init {
    session_id: SESSION,
    display_channels_hint: 1,
    supported_mouse_modes: 1,
    current_mouse_mode: 1,
    agent_connected: 0,
    agent_tokens: 10,
    multi_media_time: 0,
    ram_hint: 0,
};

fn main() {
    divan::main();
}

/// A client at its source, and the target. Links have the client's numbers on all sides.
#[derive(Clone)]
struct World {
    client: Client,
    source: Source,
    target: Target,
    /// The first link that belongs to the target.
    border: LinkId,
}

fn channel(number: usize) -> ChannelId {
    if number == 0 { ChannelId::MAIN } else { ChannelId::new(ChannelType::PORT, u8::try_from(number).unwrap()) }
}

fn world(channels: usize) -> World {
    let caps = MainCaps::all();
    let mut world = World {
        client: Client::new(client::Config::default()),
        source: Source::new(source::Config::default()),
        target: Target::new(target::Config::default()),
        border: LinkId(u32::try_from(channels).unwrap() + 1),
    };
    let address = Address::new("127.0.0.1", Port::from_wire(1), Port::ABSENT, None);
    world.client.handle(NOW, client::Input::Command(client::Command::Connect(address))).unwrap();
    for number in 0..channels {
        let link = LinkId(u32::try_from(number).unwrap() + 1);
        let opened = client::Input::Opened { link, caps: Capabilities::default() };
        if number == 0 {
            let attached = source::Input::Attached { client: ClientId(1), link, caps, arriving: false };
            world.source.handle(NOW, attached).unwrap();
            world.client.handle(NOW, opened).unwrap();
            let init = ServerMessage::Init(INIT).into();
            world.client.handle(NOW, client::Input::Message { link, packet: init }).unwrap();
        } else {
            let (channel, flags) = (channel(number), MigrateFlags::for_channel(ChannelType::PORT));
            let attached = source::Input::ChannelAttached { client: ClientId(1), link, channel, flags };
            world.source.handle(NOW, attached).unwrap();
            let open = client::Command::OpenChannel { channel, caps: Capabilities::default() };
            world.client.handle(NOW, client::Input::Command(open)).unwrap();
            world.client.handle(NOW, opened).unwrap();
        }
    }
    while world.client.poll_output().is_some() || world.source.poll_output().is_some() {}
    world
}

impl World {
    /// Carries everything to where it goes, until nothing is left.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.client.poll_output() {
                quiet = false;
                self.client_output(output);
            }
            while let Some(output) = self.target.poll_output() {
                quiet = false;
                self.target_output(output);
            }
            while let Some(output) = self.source.poll_output() {
                quiet = false;
                self.source_output(output);
            }
            if quiet {
                break;
            }
        }
    }

    fn client_output(&mut self, output: client::Output) {
        match output {
            client::Output::Open { link, channel, connection_id, .. } => {
                let caps = MainCaps::all();
                let input = target::Input::Link { link, connection_id, channel, caps, session_id: 9 };
                self.target.handle(NOW, input).unwrap();
            }
            client::Output::Send { link, packet } if link < self.border => {
                self.source.handle(NOW, source::Input::Message { link, packet }).unwrap();
            }
            client::Output::Send { link, packet } => {
                self.target.handle(NOW, target::Input::Message { link, packet }).unwrap();
            }
            client::Output::Close(link) if link < self.border => {
                self.source.handle(NOW, source::Input::Closed(link)).unwrap();
            }
            client::Output::Close(link) => self.target.handle(NOW, target::Input::Closed(link)).unwrap(),
            _ => {}
        }
    }

    fn source_output(&mut self, output: source::Output) {
        match output {
            source::Output::Send { link, packet } => {
                self.client.handle(NOW, client::Input::Message { link, packet }).unwrap();
            }
            source::Output::Event(source::Event::MigrateDataWanted { link, .. }) => {
                let data = vec![0; 65].into();
                self.source.handle(NOW, source::Input::MigrateData { link, data }).unwrap();
            }
            _ => {}
        }
    }

    fn target_output(&mut self, output: target::Output) {
        match output {
            target::Output::Accept(link) => {
                let caps = MainCaps::all().into();
                self.client.handle(NOW, client::Input::Opened { link, caps }).unwrap();
            }
            target::Output::Send { link, packet } => {
                self.client.handle(NOW, client::Input::Message { link, packet }).unwrap();
            }
            target::Output::Event(target::Event::InitWanted { client, .. }) => {
                self.target.handle(NOW, target::Input::Init { client, init: INIT }).unwrap();
            }
            _ => {}
        }
    }

    fn hand_over(&mut self, dst: DstInfo) {
        self.source.handle(NOW, source::Input::MigrateInfo(dst)).unwrap();
        self.settle();
        self.source.handle(NOW, source::Input::VmCompleted).unwrap();
        self.settle();
        assert_eq!(self.client.state(), client::State::Online);
        assert_eq!((self.source.clients(), self.target.state()), (0, target::State::Normal));
    }
}

#[divan::bench(args = [1, 2, 4, 8, 16, 32, 64])]
fn semi_seamless(bencher: Bencher, channels: usize) {
    let mut start = world(channels);
    start.source = {
        // The same clients at a source that offers no more than the semi-seamless scheme.
        let mut config = source::Config::default();
        config.seamless = false;
        let mut source = Source::new(config);
        let caps = MainCaps::all();
        source
            .handle(NOW, source::Input::Attached { client: ClientId(1), link: LinkId(1), caps, arriving: false })
            .unwrap();
        for number in 1..channels {
            let (link, channel) = (LinkId(u32::try_from(number).unwrap() + 1), channel(number));
            let flags = MigrateFlags::for_channel(channel.ty);
            source.handle(NOW, source::Input::ChannelAttached { client: ClientId(1), link, channel, flags }).unwrap();
        }
        source
    };
    let dst = DstInfo::new("127.0.0.1", Port::from_wire(5901), Port::ABSENT, None).unwrap();
    bencher.with_inputs(|| (start.clone(), dst.clone())).bench_local_values(|(mut world, dst)| {
        world.hand_over(black_box(dst));
        world
    });
}
