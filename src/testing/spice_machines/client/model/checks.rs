//! What a client must make of an input.

use super::*;

impl Reference<Client, Input> for ClientModel {
    fn expect(&self, input: &Input) -> Option<Expected> {
        let fine = match input {
            Input::Command(command) => return self.expect_command(command),
            Input::Timeout => true,
            // Like one that is closed already.
            Input::Opened { link, .. } | Input::OpenFailed { link, .. } if self.leaving.contains(link) => true,
            Input::Opened { link, .. } | Input::OpenFailed { link, .. } => {
                link.0 < self.next_link && self.links.get(link).is_none_or(|link| !link.linked)
            }
            Input::Closed(link) => link.0 < self.next_link,
            Input::Message { link, packet } => return self.expect_message(*link, packet),
        };
        Some(if fine { Expected::Fine } else { Expected::Misuse })
    }

    fn follow(&mut self, _now: Instant, input: &Input, outputs: &[Output], machine: &Client) -> Result<(), String> {
        if self.over && !outputs.is_empty() {
            return broken("K9", format_args!("{outputs:?} behind the end"));
        }
        let before = self.clone();
        // After a violation nothing but the end follows.
        let ends = |output: &Output| matches!(output, Output::Event(Event::Disconnected(_)));
        if !outputs.iter().any(ends) || before.expect(input) != Some(Expected::Violation) {
            self.take(input);
        }
        self.follow_outputs(input, outputs)?;
        if let Input::Message { link, packet } = input {
            before.check_message(self, *link, packet, outputs)?;
        }
        self.check_state(machine)
    }

    fn at_rest(&self, machine: &Client) -> Result<(), String> {
        if let Some(attempt) = &self.attempt {
            return broken("K1", format_args!("{attempt:?} never ends"));
        }
        if self.owes_answer || !self.links.is_empty() || machine.state() != State::Disconnected {
            return broken("K1", format_args!("an answer or a link is left over"));
        }
        Ok(())
    }
}

impl ClientModel {
    fn expect_command(&self, command: &Command) -> Option<Expected> {
        let in_session = self.connected && !self.over;
        let fine = match command {
            Command::Connect(_) if self.connected || self.over => false,
            Command::Connect(address) => self.has_port(address),
            Command::OpenChannel { channel, .. } => {
                let room = self.channels.len() < self.config.limits.channels;
                in_session && !channel.is_main() && !self.channels.contains_key(channel) && room
            }
            Command::CloseChannel(channel) => !channel.is_main() && self.channels.contains_key(channel),
            Command::Send { channel, packet } => {
                let Some(entry) = self.channels.get(channel) else { return Some(Expected::Misuse) };
                let room = self.is_live(*channel) || entry.outgoing.len() < self.config.limits.held_messages;
                token_up(&packet.message).is_some() && room
            }
            Command::Abandon => self.owes_answer,
            Command::Disconnect => true,
        };
        Some(if fine { Expected::Fine } else { Expected::Misuse })
    }

    fn has_port(&self, address: &Address) -> bool {
        let plain = address.port.get().is_some() && self.config.tls == crate::spice::client::TlsPolicy::AsServerWants;
        plain || address.tls_port.get().is_some()
    }

    fn expect_message(&self, link: LinkId, packet: &Packet<ServerMessage>) -> Option<Expected> {
        if link.0 >= self.next_link {
            return Some(Expected::Misuse);
        }
        let Some((id, target)) = self.find(link) else { return Some(Expected::Fine) };
        let channel = self.channels.get(&id)?;
        let message = &packet.message;
        if !self.linked(Some(link)) {
            return Some(Expected::Misuse);
        }
        if self.waits(id, target) && !(target && id.is_main() && is_answer(message)) {
            let queue = if target { &channel.early } else { &channel.incoming };
            let room = queue.len() < self.config.limits.held_messages;
            return Some(if room { Expected::Fine } else { Expected::Misuse });
        }
        // What waited may be wrong itself.
        let replays = self.channels.values().any(|channel| !channel.early.is_empty() || !channel.incoming.is_empty());
        let between = self.awaits_init || self.moving;
        let ready = self.attempt.as_ref().is_some_and(|attempt| attempt.ready && attempt.scheme == Scheme::Seamless);
        let fine = match message {
            _ if channel.owes_data => matches!(message, ServerMessage::MigrateData(_)),
            message if is_answer(message) => target && self.asked == Asked::Waiting,
            ServerMessage::MigrateData(_) => false,
            ServerMessage::Migrate(_) => (ready || self.moving) && !channel.moved,
            message if is_payload(message) => true,
            ServerMessage::Ping(_) | ServerMessage::SetAck(_) => true,
            _ if !id.is_main() => false,
            ServerMessage::Init(_) | ServerMessage::MigrateSwitchHost(_) => true,
            _ => !between,
        };
        if fine && replays {
            return None;
        }
        Some(if fine { Expected::Fine } else { Expected::Violation })
    }

    /// What the input itself says, before anything comes of it.
    fn take(&mut self, input: &Input) {
        match input {
            Input::Command(Command::Connect(address)) => {
                self.connected = true;
                self.address = Some(address.clone());
                self.channels.insert(ChannelId::MAIN, Channel::default());
            }
            Input::Command(Command::OpenChannel { channel, .. }) => {
                self.channels.insert(*channel, Channel::default());
            }
            Input::Command(Command::Send { channel, packet }) => {
                let token = token_up(&packet.message).cloned();
                self.channels.entry(*channel).and_modify(|channel| channel.outgoing.extend(token));
            }
            Input::Opened { link, .. } => {
                self.links.entry(*link).and_modify(|link| link.linked = true);
            }
            Input::OpenFailed { link, .. } if !self.leaving.contains(link) => self.drop_link(*link),
            Input::Closed(link) => self.drop_session(*link),
            Input::Message { link, packet } => self.take_message(*link, packet),
            Input::OpenFailed { .. } | Input::Command(_) | Input::Timeout => {}
        }
    }

    fn take_message(&mut self, link: LinkId, packet: &Packet<ServerMessage>) {
        let Some((id, target)) = self.find(link) else { return };
        let waits = self.waits(id, target);
        if matches!(packet.message, ServerMessage::SetAck(_)) {
            self.links.entry(link).and_modify(|link| link.has_window = true);
        }
        let Some(channel) = self.channels.get_mut(&id) else { return };
        match &packet.message {
            ServerMessage::DstSeamlessAck if target && id.is_main() => self.asked = Asked::Yes,
            ServerMessage::DstSeamlessNack if target && id.is_main() => self.asked = Asked::No,
            _ if target => channel.early.push_back(packet.clone()),
            _ if waits => channel.incoming.push_back(packet.clone()),
            ServerMessage::Migrate(migrate) => {
                self.moving = true;
                channel.owes_data = migrate.flags.contains(MigrateFlags::NEED_DATA_TRANSFER);
                if !channel.owes_data {
                    self.move_channel(id);
                }
            }
            ServerMessage::MigrateData(_) => self.move_channel(id),
            ServerMessage::Init(init) if id.is_main() => {
                if self.session_id == 0 {
                    self.session_id = init.session_id;
                }
                self.awaits_init = false;
            }
            message if is_payload(message) => channel.incoming.push_back(packet.clone()),
            _ => {}
        }
    }

    /// K6 and K7, by what the message was.
    fn check_message(
        &self,
        after: &Self,
        link: LinkId,
        packet: &Packet<ServerMessage>,
        outputs: &[Output],
    ) -> Result<(), String> {
        let Some((id, target)) = self.find(link) else { return Ok(()) };
        let answer = target && id.is_main() && is_answer(&packet.message);
        if self.waits(id, target) && !answer && !outputs.is_empty() {
            return broken("K6", format_args!("{packet:?} has an effect before the switch"));
        }
        let cancels = !target && id.is_main() && packet.message == ServerMessage::MigrateCancel;
        if cancels && !after.over {
            let homes = |model: &Self| model.channels.values().map(|channel| channel.home).collect::<Vec<_>>();
            let left = after.channels.values().any(|channel| channel.target.is_some());
            if left || homes(self) != homes(after) || self.address != after.address || after.attempt.is_some() {
                return broken("K7", format_args!("after CANCEL not exactly the source is left"));
            }
        }
        Ok(())
    }

    /// What holds at any time.
    fn check_state(&self, machine: &Client) -> Result<(), String> {
        if machine.connection_id() != self.session_id && !self.over {
            return broken("K8", format_args!("the id is {}", machine.connection_id()));
        }
        if !self.over && machine.address() != self.address.as_ref() {
            return broken("K7", format_args!("the address is {:?}", machine.address()));
        }
        let parting = |link: &LinkId| self.attempt.is_some() && self.links.contains_key(link);
        if self.leaving.len() > 1 || !self.leaving.iter().all(parting) {
            return broken("K7", format_args!("{:?} of the source are left open", self.leaving));
        }
        let busy = self.owes_answer || self.awaits_init || self.channels.values().any(|channel| channel.owes_data);
        if busy && machine.poll_timeout().is_none() {
            return broken("K9", format_args!("it waits without a deadline"));
        }
        for (id, channel) in &self.channels {
            if self.is_live(*id) && !channel.outgoing.is_empty() {
                return broken("K10", format_args!("{id:?} keeps {:?} back", channel.outgoing));
            }
            if !self.waits(*id, false) && channel.incoming.iter().any(|packet| is_payload(&packet.message)) {
                return broken("K10", format_args!("{id:?} has lost {:?}", channel.incoming));
            }
        }
        Ok(())
    }
}
