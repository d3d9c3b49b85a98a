//! What came of an input, held against what must, and against the properties by themselves.

use super::session::is_wrong;
use super::*;
use crate::tds5::capability::CapabilityType;

/// What has been said and told, whatever the model thinks.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// Pieces of commands that were accepted and not sent, in order.
    given: VecDeque<Piece>,
    /// How often each command was completed or told to be unfinished.
    ends: BTreeMap<u32, u32>,
    /// Links that were dialled and not closed.
    open: Vec<LinkId>,
}

impl Reference<Client, Input> for ClientModel {
    fn expect(&self, input: &Input) -> Option<Expected> {
        let stage = |link: LinkId| {
            let arriving = self.arriving.as_ref().filter(|arriving| arriving.link == link);
            let home = self.home.as_ref().filter(|home| home.link == link && home.alive).map(|_| true);
            arriving.map(|arriving| arriving.there).or(home)
        };
        let known = |link: LinkId| (1..=self.links).contains(&link.0);
        let fine = match input {
            Input::Timeout => true,
            Input::Command(command) => self.expect_command(command),
            Input::Opened(link) | Input::OpenFailed(link) => known(*link) && stage(*link) != Some(true),
            Input::Closed(link) => known(*link),
            Input::Item { link, item } => {
                let wrong = is_wrong(item) && (self.is_arriving(*link) || self.is_home(*link));
                if known(*link) && stage(*link) == Some(true) && wrong {
                    return Some(Expected::Violation);
                }
                known(*link) && stage(*link) != Some(false)
            }
        };
        Some(if fine { Expected::Fine } else { Expected::Misuse })
    }

    fn follow(&mut self, now: Instant, input: &Input, outputs: &[Output], machine: &Client) -> Result<(), String> {
        let (before, home) = (self.stage, self.home.as_ref().map(|home| home.link));
        if let Input::Command(Command::Request { ty, data, end }) = input {
            self.history.given.push_back((*ty, data.clone(), *end));
        }
        if let Input::Closed(link) | Input::OpenFailed(link) = input {
            self.history.open.retain(|open| open != link);
        }
        let must = self.input(now, input);
        if before == Stage::Moving {
            check_kept(home, input, outputs)?;
        }
        self.check_history(outputs, home.filter(|_| matches!(before, Stage::Silent | Stage::Moving)))?;
        must.check(outputs, as_event, property)?;
        self.check_getters(machine)
    }

    fn at_rest(&self, machine: &Client) -> Result<(), String> {
        if let Some(attempt) = &self.attempt {
            return broken("M14", format_args!("{attempt:?} never ends"));
        }
        for number in 1..=self.accepted {
            let ends = self.history.ends.get(&number).copied().unwrap_or(0);
            if ends != 1 {
                return broken("M9", format_args!("command {number} has ended {ends} times"));
            }
        }
        if machine.state() != State::Closed || !self.history.open.is_empty() {
            return broken("M14", format_args!("it hangs in {:?} with {:?}", machine.state(), self.history.open));
        }
        Ok(())
    }
}

impl ClientModel {
    fn expect_command(&self, command: &Command) -> bool {
        let limits = &self.config.limits;
        match command {
            Command::Connect { addresses, .. } => {
                self.stage == Stage::Fresh && (1..=limits.addresses).contains(&addresses.len())
            }
            Command::Request { ty, data, .. } => {
                let begun = self.commands.back().filter(|command| !command.whole);
                let follows = begun.is_none_or(|begun| begun.ty == *ty);
                // A piece of the command that is being sent is sent, and a new command if nothing stands before it.
                let goes = begun.map_or(self.is_free() && self.commands.is_empty(), |begun| begun.begun);
                let waiting = || self.commands.iter().flat_map(|command| &command.pieces);
                let bytes: usize = waiting().map(|(_, data, _)| data.0.len()).sum();
                let fits = bytes + data.0.len() <= limits.held_bytes || waiting().next().is_none();
                let room = waiting().count() < limits.held_messages && fits;
                let session = matches!(self.stage, Stage::Home | Stage::Silent | Stage::Moving);
                session && ty.is_request() && follows && (goes || room)
            }
            Command::Attention => self.current().is_some_and(|current| current.sent),
            Command::Answer { link, ty, .. } => {
                let arriving = self.arriving.as_ref().filter(|arriving| arriving.link == *link);
                let may = [PacketType::NORMAL, PacketType::LOGIN].contains(ty);
                arriving
                    .and_then(|arriving| arriving.answer)
                    .is_some_and(|begun| begun.is_none_or(|one| one == *ty) && may)
            }
            Command::Logout => self.stage == Stage::Home && self.commands.is_empty(),
            Command::Close => self.stage != Stage::Over,
        }
    }

    /// M9 to M12 and M14, by what was said and told and nothing else; `silent` is the link on which nothing may be sent.
    fn check_history(&mut self, outputs: &[Output], silent: Option<LinkId>) -> Result<(), String> {
        let mut silent = silent;
        for output in outputs {
            match output {
                Output::Dial { link, .. } => self.history.open.push(*link),
                Output::Send { link, ty, data, end } if ty.is_request() && self.history.is_given(data) => {
                    let next = self.history.given.pop_front();
                    if silent == Some(*link) || next != Some((*ty, data.clone(), *end)) {
                        return broken("M10", format_args!("{output:?}, silent: {silent:?}"));
                    }
                }
                // Whatever ends the silence.
                Output::Migration { migration: Migration::Resume | Migration::Fail(_), .. } => silent = None,
                Output::Event(Event::Ended { .. }) | Output::Switch { .. } => silent = None,
                Output::Event(Event::Completed(RequestId(number))) => self.history.ended(*number)?,
                Output::Event(Event::Disconnected { unfinished, .. }) => {
                    unfinished.iter().try_for_each(|RequestId(number)| self.history.ended(*number))?;
                    self.history.given.clear();
                }
                Output::Close(link) => {
                    let at = self.history.open.iter().position(|open| open == link);
                    let Some(at) = at else { return broken("M14", format_args!("{link:?} is closed twice")) };
                    self.history.open.remove(at);
                }
                _ => {}
            }
            match output {
                Output::Migration { migration, .. }
                    if !matches!(migration, Migration::Sync | Migration::Fail(_) | Migration::Resume) =>
                {
                    return broken("M13", format_args!("a client says {migration:?}"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_getters(&self, machine: &Client) -> Result<(), String> {
        if machine.poll_timeout() != self.due {
            return broken("M14", format_args!("the deadline is {:?}, not {:?}", machine.poll_timeout(), self.due));
        }
        if machine.state() != self.state() {
            return broken("M14", format_args!("it is in {:?}, not in {:?}", machine.state(), self.state()));
        }
        let home = self.home.as_ref();
        let own = (machine.link(), machine.address(), machine.session_id(), machine.is_migratable());
        let should = (home.map(|home| home.link), home.map(|home| &home.address), self.id, self.is_able());
        if own != should {
            return broken("M12", format_args!("link, address, id, able: {own:?}, not {should:?}"));
        }
        let own = (machine.last_request(), machine.current_request());
        let current = self.current().map(|current| RequestId(current.number));
        let should = ((self.accepted > 0).then_some(RequestId(self.accepted)), current);
        if own != should {
            return broken("M9", format_args!("last and current command: {own:?}, not {should:?}"));
        }
        Ok(())
    }
}

impl History {
    /// 2.3: MIGRATE is asked for exactly if the client may be migrated; 5: REDIRECT if it follows.
    pub(super) fn prepare(&self, login: Option<&mut Login>, config: &Config) {
        let Some(login) = login else { return };
        let mut masks: Vec<_> = login
            .capabilities
            .masks()
            .map(|(ty, mask)| (ty, mask.iter().collect::<Vec<_>>(), mask.as_bytes().len()))
            .collect();
        for (ty, numbers, _) in &mut masks {
            if *ty == CapabilityType::REQUEST {
                numbers.retain(|number| *number != RequestCapability::MIGRATE.0);
                numbers.extend(config.migratable.then_some(RequestCapability::MIGRATE.0));
            }
        }
        let mask = |numbers: Vec<u16>, length: usize| {
            let mut mask = crate::tds5::capability::Mask::zero(u8::try_from(length).expect("a mask is short"));
            numbers.into_iter().for_each(|number| mask.set(number, true).expect("it is small"));
            mask
        };
        login.capabilities = masks.into_iter().map(|(ty, numbers, length)| (ty, mask(numbers, length))).collect();
        if config.follow_redirects {
            login.record.ha_login |= HaLogin::REDIRECT;
        }
    }

    fn ended(&mut self, number: u32) -> Result<(), String> {
        let ends = self.ends.entry(number).or_default();
        *ends += 1;
        if *ends > 1 {
            return broken("M9", format_args!("command {number} has ended {ends} times"));
        }
        Ok(())
    }

    /// Whether it is of a command; the application's answer to a question in a login is not.
    fn is_given(&self, data: &Data) -> bool {
        self.given.iter().any(|(_, given, _)| given == data)
    }
}

/// M11: behind CONT the old connection is closed with the new login, with the session, or because of what came on it.
fn check_kept(home: Option<LinkId>, input: &Input, outputs: &[Output]) -> Result<(), String> {
    let over = |output: &Output| matches!(output, Output::Switch { .. } | Output::Event(Event::Disconnected { .. }));
    let wrong = matches!(input, Input::Item { link, item } if Some(*link) == home && is_wrong(item));
    let closes = outputs.iter().any(|output| matches!(output, Output::Close(link) if Some(*link) == home));
    if closes && !wrong && !outputs.iter().any(over) {
        return broken("M11", format_args!("the old connection is closed: {outputs:?}"));
    }
    Ok(())
}

fn as_event(output: &Output) -> Option<&Event> {
    if let Output::Event(event) = output { Some(event) } else { None }
}

/// The property that a difference is about.
fn property(difference: Result<&Output, &Event>) -> &'static str {
    match difference {
        Ok(Output::Login { .. }) => "M12",
        Ok(Output::Send { .. }) => "M10",
        Ok(Output::Close(_) | Output::Switch { .. } | Output::Dial { .. }) => "M11",
        Ok(_) | Err(Event::Completed(_)) => "M9",
        Err(Event::Ignored { .. }) => "M13",
        _ => "M14",
    }
}
