//! What came of an input, held against what must.

use super::*;

/// Migration's own messages, which the application cannot send.
fn is_reserved(message: &ServerMessage) -> bool {
    matches!(message.wire_type(), 1 | 2) || matches!(message.name(), name if name.contains("_MIGRATE_"))
}

fn broken<T>(property: &str, why: core::fmt::Arguments<'_>) -> Result<T, String> {
    Err(format!("{property}: {why}"))
}

impl Reference<Source, Input> for SourceModel {
    fn expect(&self, input: &Input) -> Option<Expected> {
        let limits = &self.config.limits;
        let open = self.attempt.as_ref().is_some_and(|attempt| !attempt.completed);
        let known = |link: LinkId| self.find(link).is_some();
        let fine = match input {
            Input::Attached { client, link, .. } => {
                !self.has(*client) && !known(*link) && self.clients.len() < limits.clients
            }
            Input::ChannelAttached { client, link, channel, .. } => {
                let room = self.clients.iter().any(|c| c.id == *client && c.channels.len() < limits.channels);
                room && !known(*link) && !channel.is_main()
            }
            Input::Settled(client) => self.clients.iter().any(|c| c.id == *client && c.arriving),
            Input::Send { link, packet } => {
                !is_reserved(&packet.message) && self.find(*link).is_some_and(|(client, _)| !client.leaving)
            }
            Input::MigrateInfo(_) => !self.completed(),
            Input::VmCompleted | Input::VmFailed | Input::VmCancelled => open,
            Input::MigrateData { link, data } => {
                let owed = |channel: &Channel| channel.wants_data() && !channel.carried;
                !data.is_empty() && self.find(*link).is_some_and(|(_, channel)| owed(channel))
            }
            Input::Message { link, packet } => return Some(self.expect_message(*link, &packet.message)),
            Input::Closed(_) | Input::Timeout => true,
        };
        Some(if fine { Expected::Fine } else { Expected::Misuse })
    }

    fn follow(&mut self, now: Instant, input: &Input, outputs: &[Output], machine: &Source) -> Result<(), String> {
        let ended_before = self.attempt.as_ref().map(|attempt| attempt.number);
        let mut must = self.input(now, input);
        self.check_sends(&must, outputs)?;
        self.check_gone(&mut must, outputs)?;
        if self.completed() && self.clients.is_empty() {
            must.outcome = Some(Outcome::Completed);
        }
        self.check_events(&must, ended_before, outputs)?;
        if machine.poll_timeout() != self.deadline() {
            return broken("S3", format_args!("the deadline is {:?}", machine.poll_timeout()));
        }
        Ok(())
    }

    fn at_rest(&self, machine: &Source) -> Result<(), String> {
        if let Some(attempt) = &self.attempt {
            return broken("S3", format_args!("attempt {} never ends", attempt.number));
        }
        if machine.clients() != self.clients.len() {
            return broken("S3", format_args!("{} clients are attached", machine.clients()));
        }
        Ok(())
    }
}

impl SourceModel {
    /// S1, S2, S6, S7 on each message, and all of them as 5.1 has them (S4, S5).
    fn check_sends(&mut self, must: &Must, outputs: &[Output]) -> Result<(), String> {
        let mut sent = Vec::new();
        let alone = self.clients.len() == 1;
        let (number, completed) = (self.number(), self.completed());
        let wanted: BTreeSet<LinkId> = outputs.iter().filter_map(wanted).collect();
        for output in outputs {
            let Output::Send { link, packet } = output else { continue };
            if must.sent.as_ref().is_some_and(|(to, said)| to == link && said == packet) {
                continue;
            }
            sent.push((*link, packet.message.clone()));
            let message = &packet.message;
            let Some(client) = self.clients.iter_mut().find(|client| client.channel(*link).is_some()) else {
                return broken("S1", format_args!("{message:?} to a client that is not there"));
            };
            let main = client.main();
            let seamless = client.answer == Some((number, Said::Seamless)) && client.asked == Some((number, true));
            let off = matches!(
                message,
                ServerMessage::MigrateEnd | ServerMessage::MigrateSwitchHost(_) | ServerMessage::Migrate(_)
            );
            if off && !completed {
                return broken("S1", format_args!("{message:?} before completion"));
            }
            if off && (*link == main || !matches!(message, ServerMessage::Migrate(_))) {
                client.sent_off += 1;
            }
            if client.sent_off > 1 {
                return broken("S1", format_args!("{message:?} to a client that was sent off already"));
            }
            let channel = client.channels.iter_mut().find(|channel| channel.link == *link).expect("it was found");
            let carries = matches!(message, ServerMessage::MigrateData(_));
            if (channel.told && !carries) || (carries && (channel.carried || !channel.wants_data())) {
                return broken("S6", format_args!("{message:?} behind MIGRATE"));
            }
            match message {
                ServerMessage::Migrate(_) if !seamless || !(alone || channel.id != ChannelId::MAIN) => {
                    return broken("S2", format_args!("MIGRATE to {client:?}"));
                }
                ServerMessage::Migrate(_) => channel.told = true,
                ServerMessage::MigrateData(_) => channel.carried = true,
                ServerMessage::MigrateCancel if client.linked == 0 => {
                    return broken("S1", format_args!("CANCEL to a client that never said CONNECTED"));
                }
                ServerMessage::MigrateCancel => client.linked -= 1,
                _ => {}
            }
            if matches!(message.wire_type(), 101 | 111 | 116) {
                let body = message.to_vec().map_err(|error| format!("S7: {error}"))?;
                if body[..4].chunks(2).any(|port| port == [0xff, 0xff]) {
                    return broken("S7", format_args!("an absent port is sent as 65535"));
                }
            }
        }
        if sent != must.send {
            return broken("S4", format_args!("sent were {sent:?}, not {:?}", must.send));
        }
        self.check_wanted(&wanted)
    }

    /// The application is asked once for the state of each channel that has one to carry.
    fn check_wanted(&mut self, asked: &BTreeSet<LinkId>) -> Result<(), String> {
        for channel in self.clients.iter_mut().flat_map(|client| &mut client.channels) {
            let due = channel.wants_data() && !channel.wanted;
            if due != asked.contains(&channel.link) {
                return broken("S6", format_args!("asked for the state of {asked:?}, due is {channel:?}"));
            }
            channel.wanted |= due;
        }
        Ok(())
    }

    /// A client that goes is closed whole and reported once.
    fn check_gone(&mut self, must: &mut Must, outputs: &[Output]) -> Result<(), String> {
        let mut closes: BTreeSet<LinkId> = BTreeSet::new();
        for (id, _) in &must.go {
            closes.extend(self.client(*id).channels.iter().map(|channel| channel.link));
        }
        self.clients.retain(|client| !must.go.iter().any(|(id, _)| *id == client.id));
        let closed: Vec<LinkId> = outputs
            .iter()
            .filter_map(|output| if let Output::Close(link) = output { Some(*link) } else { None })
            .collect();
        if closed.iter().copied().collect::<BTreeSet<_>>() != closes || closed.len() != closes.len() {
            return broken("S3", format_args!("closed are {closed:?}, not {closes:?}"));
        }
        let gone = |output: &Output| match output {
            Output::Event(Event::ClientGone { client, reason }) => Some((*client, *reason)),
            _ => None,
        };
        let gone: Vec<_> = outputs.iter().filter_map(gone).collect();
        if gone != must.go {
            return broken("S3", format_args!("gone are {gone:?}, not {:?}", must.go));
        }
        Ok(())
    }

    /// S3: each attempt starts, is ready at most once, and ends once.
    fn check_events(&mut self, must: &Must, before: Option<u32>, outputs: &[Output]) -> Result<(), String> {
        let mut open = before;
        let (mut ended, mut passed, mut sent) = (None, None, None);
        for output in outputs {
            match output {
                Output::Event(Event::Started(AttemptId(number))) if open.is_none() && *number == self.attempts => {
                    open = Some(*number);
                }
                Output::Event(Event::Ended { attempt: AttemptId(number), outcome }) if open == Some(*number) => {
                    (open, ended) = (None, Some(*outcome));
                }
                Output::Event(Event::ClientsReady { attempt: AttemptId(number), connected })
                    if open == Some(*number) =>
                {
                    let linked = self.clients.iter().any(|client| self.has_linked(client));
                    let awaited = self.clients.iter().any(|client| self.is_awaited(client));
                    let reported = self.attempt.as_ref().is_some_and(|attempt| attempt.reported);
                    if reported || awaited || linked != *connected {
                        return broken("S3", format_args!("{output:?}, awaited: {awaited}, again: {reported}"));
                    }
                    self.attempt.as_mut().into_iter().for_each(|attempt| attempt.reported = true);
                }
                Output::Event(Event::Message { link, packet }) if passed.is_none() => {
                    passed = Some((*link, packet.clone()));
                }
                Output::Event(Event::ClientGone { .. } | Event::MigrateDataWanted { .. }) | Output::Close(_) => {}
                Output::Send { link, packet } => sent = Some((*link, packet.clone())),
                other => return broken("S3", format_args!("{other:?} while {open:?} is open")),
            }
        }
        if ended != must.outcome {
            return broken("S3", format_args!("the attempt has ended with {ended:?}, not {:?}", must.outcome));
        }
        if passed != must.pass || (must.sent.is_some() && sent != must.sent) {
            return broken("messages pass", format_args!("{passed:?} or {sent:?}, not {must:?}"));
        }
        if open.is_none() {
            self.attempt = None;
        }
        let awaited = self.clients.iter().any(|client| self.is_awaited(client));
        match &self.attempt {
            Some(attempt) if !attempt.completed && !attempt.reported && !awaited => {
                broken("S3", format_args!("nobody is awaited, and that is not reported"))
            }
            _ => Ok(()),
        }
    }
}

fn wanted(output: &Output) -> Option<LinkId> {
    match output {
        Output::Event(Event::MigrateDataWanted { link, .. }) => Some(*link),
        _ => None,
    }
}
