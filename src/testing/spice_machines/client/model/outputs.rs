//! What a client does, one output after the other.

use super::*;

impl ClientModel {
    pub(super) fn follow_outputs(&mut self, input: &Input, outputs: &[Output]) -> Result<(), String> {
        for output in outputs {
            if self.over {
                return broken("K9", format_args!("{output:?} behind the end"));
            }
            match output {
                Output::Open { link, channel, connection_id, address, .. } => {
                    self.opens(*link, *channel, *connection_id, address)?;
                }
                Output::Send { link, packet } => self.sends(*link, &packet.message, input)?,
                Output::Close(link) => self.closes(*link)?,
                Output::Resume(link) if self.find(*link) == Some((ChannelId::MAIN, false)) => self.replay_main(),
                Output::Pause(_) | Output::Resume(_) => {}
                Output::Event(event) => self.says(event)?,
            }
        }
        Ok(())
    }

    /// K8: a new session names id 0, everything else the session's.
    fn opens(&mut self, link: LinkId, id: ChannelId, connection_id: u32, address: &Address) -> Result<(), String> {
        if link.0 != self.next_link {
            return broken("K8", format_args!("{link:?} is not the next"));
        }
        self.next_link += 1;
        self.links.insert(link, Link::default());
        let Some(channel) = self.channels.get_mut(&id) else {
            return broken("K8", format_args!("{id:?} is not wanted"));
        };
        let fresh = channel.home.is_none() && id.is_main();
        if fresh {
            self.session_id = 0;
            self.address = Some(address.clone());
        }
        if connection_id != self.session_id || (!fresh && connection_id == 0) {
            return broken("K8", format_args!("{link:?} names {connection_id}, the session is {}", self.session_id));
        }
        let slot = if channel.home.is_none() { &mut channel.home } else { &mut channel.target };
        match slot.replace(link) {
            Some(old) => broken("K8", format_args!("{link:?} in the place of {old:?}")),
            None => Ok(()),
        }
    }

    fn sends(&mut self, link: LinkId, message: &ClientMessage, input: &Input) -> Result<(), String> {
        if self.leaving.contains(&link) && matches!(message, ClientMessage::MigrateFlushMark | ClientMessage::Ack) {
            return Ok(());
        }
        let Some((id, target)) = self.find(link) else {
            return broken("K5", format_args!("{message:?} on {link:?}, which is closed"));
        };
        let entry = self.links.get_mut(&link).expect("it was found");
        entry.sent += 1;
        if !entry.linked {
            return broken("K5", format_args!("{message:?} on {link:?}, which is not there"));
        }
        if entry.flushed {
            return broken("K5", format_args!("{message:?} behind FLUSH_MARK"));
        }
        if *message == ClientMessage::Ack && !entry.has_window {
            return broken("5.8", format_args!("ACK on {link:?}, whose server has set no window"));
        }
        let first = entry.sent == 1;
        entry.flushed = *message == ClientMessage::MigrateFlushMark;
        if let Some(token) = token_up(message) {
            let channel = self.channels.get_mut(&id).expect("it was found");
            let due = channel.outgoing.pop_front();
            if due.as_ref() != Some(token) || self.awaits_init {
                return broken("K10", format_args!("{token:?} is sent, {due:?} is next"));
            }
        }
        match message {
            ClientMessage::MigrateEnd if !(target && id.is_main()) => {
                broken("K4", format_args!("MIGRATE_END on {link:?}"))
            }
            ClientMessage::MigrateEnd => {
                let expected = if self.asked == Asked::No { 2 } else { 1 };
                let sent = self.links.get(&link).map_or(0, |link| link.sent);
                self.awaits_init = true;
                self.address = self.attempt.as_ref().map(|attempt| attempt.address.clone());
                if sent == expected { Ok(()) } else { broken("K4", format_args!("MIGRATE_END is message {sent}")) }
            }
            ClientMessage::MigrateDstDoSeamless(_) => {
                self.asked = Asked::Waiting;
                if target && id.is_main() && first { Ok(()) } else { broken("K4", format_args!("DO_SEAMLESS")) }
            }
            ClientMessage::MigrateData(data) => {
                let came = matches!(input, Input::Message { packet, .. } if packet.message == ServerMessage::MigrateData(data.clone()));
                let before = usize::from(id.is_main());
                let sent = self.links.get(&link).map_or(0, |link| link.sent);
                if came && sent == before + 1 { Ok(()) } else { broken("K4", format_args!("MIGRATE_DATA is {sent}")) }
            }
            _ if target => broken("K4", format_args!("{message:?} to the target before the switch")),
            ClientMessage::MigrateConnected
            | ClientMessage::MigrateConnectedSeamless
            | ClientMessage::MigrateConnectError => self.answers(id, message),
            _ if self.awaits_init && !id.is_main() => broken("K4", format_args!("{message:?} before INIT")),
            _ => Ok(()),
        }
    }

    /// K1, K2, K3.
    fn answers(&mut self, id: ChannelId, message: &ClientMessage) -> Result<(), String> {
        if !self.owes_answer || !id.is_main() {
            return broken("K1", format_args!("{message:?} answers nothing"));
        }
        self.owes_answer = false;
        if *message == ClientMessage::MigrateConnectError {
            return Ok(());
        }
        let seamless = *message == ClientMessage::MigrateConnectedSeamless;
        let there = |channel: &Channel| !self.linked(channel.home) || self.linked(channel.target);
        if self.asked == Asked::Waiting || !self.channels.values().all(there) {
            return broken("K2", format_args!("{message:?} too early"));
        }
        if seamless != (self.asked == Asked::Yes) {
            return broken("K3", format_args!("{message:?}, and the target was {:?}", self.asked));
        }
        Ok(())
    }

    /// A link of the source that is closed behind MIGRATE_END is the switch of that channel.
    fn closes(&mut self, link: LinkId) -> Result<(), String> {
        if self.links.remove(&link).is_none() {
            return broken("K7", format_args!("{link:?} is closed and was not open"));
        }
        self.leaving.remove(&link);
        let Some((id, target)) = self.find(link) else { return Ok(()) };
        let other = self.channels.get(&id).and_then(|channel| channel.target);
        let switches = !target && other.is_some() && self.awaits_init;
        let channel = self.channels.get_mut(&id).expect("it was found");
        if !switches {
            self.drop_session(link);
            return Ok(());
        }
        channel.home = channel.target.take();
        channel.incoming = core::mem::take(&mut channel.early);
        if id.is_main() {
            self.owes_answer = false;
        }
        Ok(())
    }

    /// What had come on the target's main link counts from the switch on.
    fn replay_main(&mut self) {
        let main = self.channels.entry(ChannelId::MAIN).or_default();
        let init = main.incoming.iter().any(|packet| matches!(packet.message, ServerMessage::Init(_)));
        self.awaits_init &= !init;
    }

    fn says(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::MigrationStarted { attempt, scheme, address } => {
                self.attempts += 1;
                if self.attempt.is_some() || attempt.0 != self.attempts || self.owes_answer {
                    return broken("K1", format_args!("{event:?} while another is open"));
                }
                self.owes_answer = *scheme != Scheme::SwitchHost;
                self.asked = Asked::Never;
                let (number, scheme, address) = (attempt.0, *scheme, address.clone());
                self.attempt = Some(Attempt { number, scheme, address, ready: false });
            }
            Event::MigrationReady { attempt, scheme } => {
                let seamless = if self.asked == Asked::Yes { Scheme::Seamless } else { Scheme::SemiSeamless };
                match self.attempt.as_mut() {
                    Some(open) if open.number == attempt.0 && !open.ready && *scheme == seamless => {
                        (open.ready, open.scheme) = (true, *scheme);
                    }
                    _ => return broken("K2", format_args!("{event:?}")),
                }
            }
            Event::MigrationEnded { attempt, outcome } => {
                if self.attempt.as_ref().is_none_or(|open| open.number != attempt.0) {
                    return broken("K1", format_args!("{event:?} while another is open"));
                }
                let open = self.attempt.take();
                if *outcome == Outcome::Switched(Scheme::Seamless) {
                    self.address = open.map(|attempt| attempt.address);
                }
                self.asked = Asked::Never;
                self.moving = false;
                self.channels.values_mut().for_each(|channel| channel.moved = false);
            }
            Event::ChannelClosed { channel, .. } => {
                let closed = self.channels.remove(channel);
                let links = closed.into_iter().flat_map(|channel| [channel.home, channel.target]).flatten();
                if let Some(link) = links.into_iter().find(|link| self.links.contains_key(link)) {
                    return broken("K7", format_args!("{channel:?} is closed and {link:?} is not"));
                }
            }
            Event::Message { channel, packet } => {
                if is_payload(&packet.message) {
                    return self.passes(*channel, packet);
                }
            }
            Event::Linked { .. } => {}
            Event::Disconnected(_) => {
                self.over = true;
                self.attempt = None;
                if !self.links.is_empty() {
                    return broken("K7", format_args!("{:?} are left open", self.links));
                }
                self.channels.clear();
            }
        }
        Ok(())
    }

    /// K10: what came passes once and in order.
    fn passes(&mut self, id: ChannelId, packet: &Packet<ServerMessage>) -> Result<(), String> {
        let Some(channel) = self.channels.get_mut(&id) else {
            return broken("K10", format_args!("{packet:?} on {id:?}, which is closed"));
        };
        while let Some(next) = channel.incoming.pop_front() {
            if next == *packet {
                return Ok(());
            }
            if is_payload(&next.message) {
                return broken("K10", format_args!("{packet:?} passes, {next:?} is next"));
            }
        }
        broken("K10", format_args!("{packet:?} passes and never came"))
    }
}
