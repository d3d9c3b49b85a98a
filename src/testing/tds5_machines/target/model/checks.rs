//! What came of an input, held against what must.

use super::*;

impl Reference<Target, Input> for TargetModel {
    fn expect(&self, input: &Input) -> Option<Expected> {
        let asked = matches!(self.stage, Stage::Asked);
        let fine = match input {
            Input::Item(item) => return Some(self.verdict(item)),
            Input::SetSessionId(_) => self.may_set_id(),
            Input::Accept { tokens } => {
                let own = |token: &Token| {
                    matches!(token, Token::Done(_) | Token::LoginAck(_) | Token::Capability(_) | Token::Logout(_))
                };
                asked && !tokens.iter().any(own) && self.config.program_name.len() <= 255
            }
            Input::Refuse { .. } => asked,
            Input::Respond(_) => matches!(self.stage, Stage::In) && self.waiting > 0,
            Input::Closed | Input::Disconnect => !matches!(self.stage, Stage::Over),
            Input::Timeout => true,
        };
        Some(if fine { Expected::Fine } else { Expected::Misuse })
    }

    fn follow(&mut self, now: Instant, input: &Input, outputs: &[Output], machine: &Target) -> Result<(), String> {
        let served = matches!(self.stage, Stage::In);
        let waited = self.waiting;
        let must = self.input(now, input);
        must.check(outputs, as_event, property)?;
        if served {
            self.check_final(input, outputs, waited)?;
        }
        if machine.poll_timeout() != self.due {
            return broken("M14", format_args!("the deadline is {:?}, not {:?}", machine.poll_timeout(), self.due));
        }
        self.check_getters(machine)
    }

    fn at_rest(&self, machine: &Target) -> Result<(), String> {
        if self.ends != 1 {
            return broken("M14", format_args!("the login has ended {} times: {machine:?}", self.ends));
        }
        Ok(())
    }
}

impl TargetModel {
    /// M9: not more final DONEs than were owed, by what has gone over the wire.
    fn check_final(&mut self, input: &Input, outputs: &[Output], waited: u32) -> Result<(), String> {
        let finals = outputs.iter().filter(|output| matches!(output, Output::Send(token) if is_final(token)));
        self.finals += u32::try_from(finals.count()).unwrap_or(u32::MAX);
        let goodbye = matches!(input, Input::Item(Item::Token(Token::Logout(_))));
        let unneeded = matches!(input, Input::Item(Item::End(PacketType::ATTENTION))) && waited == 0;
        self.owed += self.waiting.saturating_sub(waited) + u32::from(goodbye) + u32::from(unneeded);
        if self.finals > self.owed {
            return broken("M9", format_args!("{} final DONEs for {} that are owed one", self.finals, self.owed));
        }
        Ok(())
    }

    fn check_getters(&self, machine: &Target) -> Result<(), String> {
        let served = matches!(self.stage, Stage::In);
        let able = self.login.as_ref().is_some_and(|login| self.grants_migration(login));
        let id = self.given.or(self.shown);
        let own = (machine.pending(), machine.session_id().ok(), machine.migrated());
        let may = (machine.may_set_session_id().is_ok(), machine.may_migrate().is_ok());
        let should = (self.waiting, id, self.migrated());
        let should_may = (self.may_set_id(), served && able && id.is_some());
        if (own, may) != (should, should_may) {
            return broken("M13", format_args!("it says {own:?} and {may:?}, not {should:?} and {should_may:?}"));
        }
        match machine.clone().into_server(server::Config::default()) {
            Ok(server) if served => self.check_server(server, able && id.is_some()),
            Err(_) if !served => Ok(()),
            other => broken("M9", format_args!("turned into a server: {other:?}, in {:?}", self.stage)),
        }
    }

    /// The server that goes on with this connection owes the same.
    fn check_server(&self, mut server: Server, able: bool) -> Result<(), String> {
        let own = (server.pending(), server.migrated(), server.session_id().ok());
        if own != (self.waiting, self.migrated(), self.shown) || server.may_migrate(server::Caller::Own).is_ok() != able
        {
            return broken("M5", format_args!("the server goes on as {server:?}, not as {self:?}"));
        }
        let resume = server::Input::Item(Item::Migration(Migration::Resume));
        server.handle(self.now, resume).map_err(|error| format!("M9: RESUME at the server: {error}"))?;
        let takes = server.poll_output() == Some(server::Output::Event(server::Event::MigrateResume));
        if takes != self.fresh {
            return broken("M9", format_args!("the server takes RESUME: {takes}, in {self:?}"));
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
        Ok(Output::SessionId(_)) => "M13",
        Ok(Output::Send(Token::Capability(_))) => "M4",
        Ok(Output::Send(_) | Output::EndMessage) => "M9",
        Err(Event::MigrateResume | Event::Attention | Event::Item(_)) => "M9",
        Err(Event::Ignored(_)) => "M13",
        _ => "M14",
    }
}
