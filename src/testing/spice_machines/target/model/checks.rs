//! What came of an input, held against what must.

use super::*;

fn broken<T>(property: &str, why: core::fmt::Arguments<'_>) -> Result<T, String> {
    Err(format!("{property}: {why}"))
}

impl Reference<Target, Input> for TargetModel {
    fn expect(&self, input: &Input) -> Option<Expected> {
        let limits = &self.config.limits;
        let fine = match input {
            Input::Link { link, connection_id, channel, session_id, .. } => {
                let several = channel.is_main() && self.config.several_clients;
                let full = several && self.sessions.len() >= limits.clients;
                let taken = several
                    && *connection_id == 0
                    && self.sessions.iter().any(|session| session.session_id == *session_id);
                *session_id != 0 && self.find(*link).is_none() && !full && !taken
            }
            Input::Message { link, packet } => {
                let Some((session, entry)) = self.find(*link) else { return Some(Expected::Fine) };
                if self.judge(session, entry, &packet.message) != Verdict::Hold {
                    return Some(self.rehearse(input));
                }
                let bytes: usize = entry.held.iter().map(Packet::body_len).sum();
                let fits = bytes + packet.body_len() <= limits.held_bytes || entry.held.is_empty();
                fits && entry.held.len() < limits.held_messages
            }
            Input::Send { link, packet } => self.find(*link).is_some_and(|(session, _)| {
                let reserved = match &packet.message {
                    ServerMessage::DstSeamlessAck | ServerMessage::DstSeamlessNack => true,
                    // T2, T3: to a client that arrives it is the machine that says it.
                    ServerMessage::Init(init) => session.arriving || init.session_id != session.session_id,
                    _ => false,
                };
                !session.is_parked() && !reserved
            }),
            Input::Init { client, .. } => {
                let wanted = |session: &Session| session.client == *client && session.ended && !session.begun;
                if self.sessions.iter().any(wanted) {
                    return Some(self.rehearse(input));
                }
                false
            }
            Input::RejectData(link) => self.find(*link).is_some(),
            Input::Closed(_) | Input::VmRunning | Input::Timeout => true,
        };
        Some(if fine { Expected::Fine } else { Expected::Misuse })
    }

    fn follow(&mut self, now: Instant, input: &Input, outputs: &[Output], machine: &Target) -> Result<(), String> {
        self.check_silence(input, outputs)?;
        let must = self.input(now, input);
        let did = Out::of(outputs)?;
        must.compare(&did)?;
        if machine.poll_timeout() != self.deadline() {
            return broken("T7", format_args!("the deadline is {:?}", machine.poll_timeout()));
        }
        if machine.clients() != self.sessions.len() {
            return broken("T6", format_args!("{} clients are there", machine.clients()));
        }
        Ok(())
    }

    fn at_rest(&self, _machine: &Target) -> Result<(), String> {
        match self.sessions.iter().find(|session| session.arriving && !session.settled) {
            Some(session) => broken("T7", format_args!("{session:?} never arrives and never goes")),
            None => Ok(()),
        }
    }
}

impl TargetModel {
    /// Whether a message that starts channels makes one of those held a violation.
    fn rehearse(&self, input: &Input) -> Expected {
        let out = self.clone().input(self.now, input);
        let wrong = out.gone.iter().any(|(_, reason)| *reason == Loss::Violation);
        if wrong { Expected::Violation } else { Expected::Fine }
    }

    /// T1 to T4 on each message by itself.
    fn check_silence(&self, input: &Input, outputs: &[Output]) -> Result<(), String> {
        let mut answers = 0;
        for output in outputs {
            let Output::Send { link, packet } = output else { continue };
            let Some((session, _)) = self.find(*link) else {
                return broken("T6", format_args!("{packet:?} on a link that is closed"));
            };
            let asks = |message: &ClientMessage| matches!(message, ClientMessage::MigrateDstDoSeamless(_));
            let asked = matches!(input, Input::Message { packet, .. } if asks(&packet.message));
            match &packet.message {
                ServerMessage::DstSeamlessAck | ServerMessage::DstSeamlessNack => {
                    answers += 1;
                    if !asked || answers > 1 || session.acked {
                        return broken("T4", format_args!("{:?} again, or unasked", packet.message));
                    }
                }
                ServerMessage::Init(_) if session.arriving && (!session.ended || session.begun || session.acked) => {
                    return broken("T2", format_args!("INIT to {session:?}"));
                }
                ServerMessage::Init(init) if init.session_id != session.session_id => {
                    return broken("T3", format_args!("INIT says {}", init.session_id));
                }
                ServerMessage::Init(_) => {}
                other if session.is_parked() => return broken("T1", format_args!("{other:?} to {session:?}")),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Out {
    fn of(outputs: &[Output]) -> Result<Self, String> {
        let mut did = Self::default();
        for output in outputs {
            match output.clone() {
                Output::Accept(link) => did.accept.push(link),
                Output::Refuse { link, error } => did.refuse.push((link, error)),
                Output::Send { link, packet } => did.send.push((link, packet.message)),
                Output::Close(link) if did.close.contains(&link) => {
                    return broken("T5", format_args!("{link:?} is closed twice"));
                }
                Output::Close(link) => drop(did.close.insert(link)),
                Output::Pause(link) => did.pause.push(link),
                Output::Resume(link) => did.resume.push(link),
                Output::Event(event) => match event {
                    Event::Attached { client, link, session_id, arriving, .. } => {
                        did.attached.push((client, link, session_id, arriving));
                    }
                    Event::ChannelAttached { client, link, .. } => did.joined.push((client, link)),
                    Event::ChannelStarted { link, start } => did.started.push((link, start)),
                    Event::InitWanted { client, session_id } => did.wanted.push((client, session_id)),
                    Event::MigrateData { link, .. } => did.data.push(link),
                    Event::Settled { client, start } => did.settled.push((client, start)),
                    Event::Message { link, packet } => did.pass.push((link, packet)),
                    Event::ChannelGone(link) => did.lost.push(link),
                    Event::Gone { client, reason } => did.gone.push((client, reason)),
                },
            }
        }
        Ok(did)
    }

    /// The first list that differs, by its property.
    fn compare(&self, did: &Self) -> Result<(), String> {
        let lists = [
            ("T4, T2", self.send == did.send),
            ("T5, T6", self.close == did.close && self.gone == did.gone && self.lost == did.lost),
            ("T7", self.settled == did.settled && self.data == did.data),
            ("messages pass", self.pass == did.pass),
            ("links", *self == *did),
        ];
        match lists.iter().find(|(_, same)| !same) {
            Some((property, _)) => broken(property, format_args!("{did:?}\nand not {self:?}")),
            None => Ok(()),
        }
    }
}
