//! What came of an input, held against what must, and against the properties by themselves.

use super::*;
use std::collections::BTreeMap;

/// What the wire alone tells of one REQ.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// The SYNC that answers it has come.
    synced: bool,
    continued: bool,
    ignored: bool,
    /// How many state events, by what they say.
    ready: u32,
    failed: u32,
    ended: u32,
}

/// What has gone over the wire, whatever the model thinks.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    requests: BTreeMap<u32, Told>,
    /// CONT was the last word.
    gone: bool,
    commands: u32,
    resumed: u32,
    /// LOGOUT, and attentions that found nothing to cancel.
    unneeded: u32,
    finals: u32,
}

impl Reference<Server, Input> for ServerModel {
    fn expect(&self, input: &Input) -> Option<Expected> {
        let limits = &self.config.limits;
        let fine = match input {
            Input::Timeout => true,
            Input::Migrate { addresses, by } => {
                let count = (1..=limits.addresses).contains(&addresses.len());
                let room = self.asked.len() < usize::try_from(limits.unanswered_requests).unwrap_or(usize::MAX);
                self.may_migrate(*by) && count && room
            }
            Input::Cancel { by } => self.may_cancel(*by),
            _ if self.over => false,
            Input::Enter(AttemptId(number)) => {
                let announced = |attempt: Attempt| attempt.stage == Stage::Announced && attempt.number == *number;
                self.attempt.is_some_and(announced) && self.handler.is_none()
            }
            Input::Leave => self.handler.is_some(),
            Input::Respond(_) => self.waiting > 0 && !self.resume && self.stage() != Some(Stage::Told),
            Input::Item(Item::Login(_)) => return Some(Expected::Violation),
            Input::Item(Item::End(ty)) if is_command(*ty) && (self.contents || !self.migration) => {
                let room = self.waiting < limits.pending;
                return Some(if room { Expected::Fine } else { Expected::Violation });
            }
            Input::Item(_) | Input::Closed | Input::Disconnect => true,
        };
        Some(if fine { Expected::Fine } else { Expected::Misuse })
    }

    fn follow(&mut self, now: Instant, input: &Input, outputs: &[Output], machine: &Server) -> Result<(), String> {
        self.check_history(input, outputs)?;
        let must = self.input(now, input);
        must.check(outputs, as_event, property)?;
        self.check_getters(machine)
    }

    fn at_rest(&self, machine: &Server) -> Result<(), String> {
        if let Some(attempt) = &self.attempt {
            return broken("M14", format_args!("{attempt:?} never ends"));
        }
        if let Some((number, told)) = self.history.requests.iter().find(|(_, told)| told.ended != 1) {
            return broken("M5", format_args!("request {number} has ended {} times", told.ended));
        }
        if machine.attempt().is_some() {
            return broken("M14", format_args!("it has an attempt still"));
        }
        Ok(())
    }
}

impl ServerModel {
    /// M5 to M9, by what has gone over the wire and nothing else.
    fn check_history(&mut self, input: &Input, outputs: &[Output]) -> Result<(), String> {
        let oldest = self.asked.front().copied();
        let newest = self.asked.back().copied();
        let able = self.is_able();
        let before = self.waiting;
        let history = &mut self.history;
        match input {
            Input::Migrate { .. } | Input::Cancel { .. } if history.gone => {
                return broken("M7", format_args!("{input:?} is accepted behind CONT"));
            }
            Input::Item(Item::Migration(Migration::Sync)) => {
                let each = self.config.sync_rule == SyncRule::EachRequest;
                let answered = if each { oldest } else { newest };
                answered.and_then(|number| history.requests.get_mut(&number)).into_iter().for_each(|told| {
                    told.synced = true;
                });
            }
            Input::Item(Item::Migration(Migration::Fail(_))) if able => history.gone = false,
            Input::Item(Item::End(PacketType::ATTENTION)) if before == 0 => history.unneeded += 1,
            Input::Item(Item::Token(Token::Logout(_))) => history.unneeded += 1,
            _ => {}
        }
        for output in outputs {
            match output {
                Output::Event(Event::Item(Item::End(ty))) if is_command(*ty) => {
                    history.commands += 1;
                    history.gone = false;
                }
                Output::Event(Event::MigrateResume) if !self.resume => history.resumed += 1,
                Output::Event(Event::Started(AttemptId(number))) => {
                    let number = *number;
                    if !able || history.requests.insert(number, Told::default()).is_some() {
                        return broken("M5", format_args!("attempt {number}, able: {able}"));
                    }
                }
                Output::Event(Event::Ended { attempt: AttemptId(number), .. }) => history.of(*number)?.ended += 1,
                Output::Event(Event::MigrateState { attempt: AttemptId(number), state }) => {
                    let told = history.of(*number)?;
                    match state {
                        StateEvent::Ready => told.ready += 1,
                        StateEvent::Failed(_) => told.failed += 1,
                    }
                    let unfounded = matches!(state, StateEvent::Ready) && !told.synced;
                    if told.ready > 1 || told.failed > 1 || told.ended > 0 || unfounded {
                        return broken("M8", format_args!("{state:?} of attempt {number}: {told:?}"));
                    }
                }
                Output::Migration(migration) => history.said(migration)?,
                Output::Send(token) if is_final(token) => history.finals += 1,
                _ => {}
            }
        }
        let owed = history.commands + history.resumed + history.unneeded;
        if history.finals > owed {
            return broken("M9", format_args!("{} final DONEs for {owed} that are owed one", history.finals));
        }
        Ok(())
    }

    /// What the machine says of itself is what it does.
    fn check_getters(&self, machine: &Server) -> Result<(), String> {
        if machine.poll_timeout() != self.due {
            return broken("M14", format_args!("the deadline is {:?}, not {:?}", machine.poll_timeout(), self.due));
        }
        let (state, property) = (machine.migration_state(), self.property());
        if state != property || state.number() > 5 {
            return broken("M14", format_args!("SRV_T_MIGRATE_STATE is {state:?}, not {property:?}"));
        }
        for by in [Caller::Own, Caller::Other] {
            let may = (machine.may_migrate(by).is_ok(), machine.may_cancel(by).is_ok());
            let should = (self.may_migrate(by), self.may_cancel(by));
            if may != should {
                return broken("M7", format_args!("{by:?} may migrate and cancel: {may:?}, not {should:?}"));
            }
        }
        let attempt = self.attempt.map(|attempt| AttemptId(attempt.number));
        let own = (machine.pending(), machine.attempt(), machine.session_id().ok(), machine.migrated());
        let should = (self.waiting, attempt, self.session.session_id, self.session.migrated);
        if own != should {
            return broken("M9", format_args!("commands, attempt, session: {own:?}, not {should:?}"));
        }
        Ok(())
    }
}

impl History {
    fn of(&mut self, number: u32) -> Result<&mut Told, String> {
        self.requests.get_mut(&number).ok_or_else(|| std::format!("M5: attempt {number} has not started"))
    }

    fn said(&mut self, migration: &Migration) -> Result<(), String> {
        let last = self.requests.last_key_value().map_or(0, |(number, _)| *number);
        match migration {
            Migration::Request(_) => return Ok(()),
            Migration::Continue | Migration::Ignore => {
                let gone = *migration == Migration::Continue;
                let told = self.of(last)?;
                if told.continued || told.ignored || told.ended > 0 || (gone && !told.synced) {
                    return broken("M6", format_args!("{} behind {told:?}", migration.name()));
                }
                (told.continued, told.ignored) = (gone, !gone);
                self.gone = gone;
            }
            other => return broken("M13", format_args!("a server says {other:?}")),
        }
        Ok(())
    }
}

fn as_event(output: &Output) -> Option<&Event> {
    if let Output::Event(event) = output { Some(event) } else { None }
}

/// The property that a difference is about.
fn property(difference: Result<&Output, &Event>) -> &'static str {
    match difference {
        Ok(Output::Migration(Migration::Request(_))) => "M5",
        Ok(Output::Migration(_)) => "M6",
        Ok(Output::Send(_) | Output::EndMessage) => "M9",
        Err(Event::MigrateState { .. }) => "M8",
        Err(Event::Started(_) | Event::Ended { .. }) => "M5",
        Err(Event::MigrateResume | Event::Attention) => "M9",
        Err(Event::Ignored(_)) => "M13",
        _ => "M14",
    }
}
