//! What the drivers and the applications of the three do.

use super::*;

impl Parties {
    pub(super) fn carry_out_client(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                ClientOutput::Dial { link, address, tls } => {
                    self.next_link += 1;
                    let server = usize::from(address.host.as_ref() == b"b");
                    self.pipes.push(Pipe::new(link, server, LinkId(self.next_link), tls));
                }
                ClientOutput::Transmit { link, bytes } => {
                    let pipe = self.client_pipe(link);
                    if !pipe.at_server.done {
                        pipe.at_server.bytes.extend(&bytes);
                    }
                }
                ClientOutput::TicketWanted { link, .. } => {
                    // A ticket is any 128 bytes.
                    let ticket = Ticket([(link.0 % 251) as u8; 128]);
                    let result = self.client.ticket(link, &ticket);
                    self.check(result);
                }
                ClientOutput::Close(link) => {
                    let pipe = self.client_pipe(link);
                    pipe.at_client.done = true;
                    pipe.at_server.done |= !pipe.up;
                    pipe.at_client.bytes.clear();
                }
                ClientOutput::Pause(link) => self.client_pipe(link).at_client.paused = true,
                ClientOutput::Resume(link) => self.client_pipe(link).at_client.paused = false,
                ClientOutput::Event(event) => self.client_event(&event),
            }
        }
    }

    fn client_pipe(&mut self, link: LinkId) -> &mut Pipe {
        self.pipes.iter_mut().find(|pipe| pipe.at_client.id == link).expect("the client has dialled it")
    }

    fn client_event(&mut self, event: &client::Event) {
        self.trace.0.push(Line::Client(event.clone()));
        self.ledger.client_event(event);
        let client::Event::Message { channel, packet } = event else { return };
        match &packet.message {
            ServerMessage::AgentData(data) => {
                number_in(&data.data).into_iter().for_each(|number| self.ledger.client_got(*channel, number));
            }
            ServerMessage::Unknown(unknown) if unknown.ty == 900 => {
                number_in(&unknown.body).into_iter().for_each(|number| self.ledger.client_got(*channel, number));
            }
            ServerMessage::Init(_) => {
                for number in [1, 2] {
                    let caps = Capabilities::default();
                    // It is there already in a session that goes on.
                    let _ =
                        self.client.command(self.now, Command::OpenChannel { channel: super::channel(number), caps });
                }
            }
            _ => {}
        }
    }

    pub(super) fn carry_out_server(&mut self, at: usize) {
        while let Some(output) = self.servers[at].endpoint.poll_output() {
            match output {
                ServerOutput::LinkRequested { link, .. } => {
                    let (tls, secure) = (self.server_pipe(at, link).tls, self.servers[at].secure);
                    let endpoint = &mut self.servers[at].endpoint;
                    let result = if secure && !tls {
                        endpoint.refuse(link, LinkError::NEED_SECURED)
                    } else if self.refuse == Some(false) {
                        self.refuse = None;
                        endpoint.refuse(link, LinkError::ERROR)
                    } else {
                        endpoint.reply(link, PublicKey([7; PublicKey::SIZE]))
                    };
                    self.check(result);
                }
                ServerOutput::Ticket { link, .. } => {
                    let result = if self.refuse == Some(true) {
                        self.refuse = None;
                        self.servers[at].endpoint.refuse(link, LinkError::PERMISSION_DENIED)
                    } else {
                        self.servers[at].endpoint.admit(self.now, link, 1000 + link.0)
                    };
                    self.check(result);
                }
                ServerOutput::Transmit { link, bytes } => {
                    let pipe = self.server_pipe(at, link);
                    if !pipe.at_client.done {
                        pipe.at_client.bytes.extend(&bytes);
                    }
                }
                ServerOutput::Close(link) => {
                    let pipe = self.server_pipe(at, link);
                    pipe.at_server.done = true;
                    pipe.at_server.bytes.clear();
                }
                ServerOutput::Pause(link) => self.server_pipe(at, link).at_server.paused = true,
                ServerOutput::Resume(link) => self.server_pipe(at, link).at_server.paused = false,
                ServerOutput::Event(event) => self.server_event(at, event),
            }
        }
    }

    fn server_pipe(&mut self, at: usize, link: LinkId) -> &mut Pipe {
        let is = |pipe: &&mut Pipe| pipe.at_server.id == link && pipe.server == at;
        self.pipes.iter_mut().find(is).expect("the server has accepted it")
    }

    fn server_event(&mut self, at: usize, event: ServerEvent) {
        self.trace.0.push(Line::Server(at, event.clone()));
        match event {
            ServerEvent::Target(event) => self.target_event(at, &event),
            ServerEvent::Source(event) => self.source_event(at, &event),
        }
    }

    fn target_event(&mut self, at: usize, event: &target::Event) {
        self.ledger.target_event(at, event);
        let server = &mut self.servers[at];
        let command = match *event {
            target::Event::Attached { client, link, session_id, arriving, .. } => {
                server.links.insert(link, (client, ChannelId::MAIN));
                server.newest = Some(client);
                let packet: Packet<ServerMessage> = ServerMessage::Init(init(session_id)).into();
                (!arriving).then_some(ServerCommand::Send { link, packet })
            }
            target::Event::ChannelAttached { client, link, channel } => {
                server.links.insert(link, (client, channel));
                None
            }
            target::Event::InitWanted { client, session_id } => {
                Some(ServerCommand::Init { client, init: init(session_id) })
            }
            _ => None,
        };
        if let Some(command) = command {
            let result = self.servers[at].endpoint.command(self.now, command);
            // Its client may have gone in the same breath.
            if self.clean && self.servers[at].endpoint.target().clients() > 0 {
                self.check(result);
            }
        }
    }

    fn source_event(&mut self, at: usize, event: &source::Event) {
        self.ledger.source_event(at, event);
        match event {
            source::Event::MigrateDataWanted { link, channel } => {
                let data = super::super::super::target::state_of(channel.ty);
                let result =
                    self.servers[at].endpoint.command(self.now, ServerCommand::MigrateData { link: *link, data });
                self.check(result);
            }
            source::Event::Message { link, packet } => {
                let Some(&(_, channel)) = self.servers[at].links.get(link) else { return };
                let body = match &packet.message {
                    ClientMessage::AgentData(data) => &data.data,
                    ClientMessage::Unknown(unknown) if unknown.ty == 900 => &unknown.body,
                    _ => return,
                };
                number_in(body).into_iter().for_each(|number| self.ledger.server_got(at, channel, number));
            }
            _ => {}
        }
    }
}

fn init(session_id: u32) -> Init {
    Init {
        session_id,
        display_channels_hint: 1,
        supported_mouse_modes: 3,
        current_mouse_mode: 1,
        agent_connected: 0,
        agent_tokens: 10,
        multi_media_time: 0,
        ram_hint: 0,
    }
}
