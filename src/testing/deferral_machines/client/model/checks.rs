//! What came of an input, held against what must, and against the properties by themselves.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

/// What has gone in and come out, whatever the model thinks.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    dials: usize,
    /// Where each link leads.
    links: BTreeMap<LinkId, ServerUri>,
    /// Each request by server, epoch, priority, and whether it came again.
    requests: BTreeSet<(ServerUri, u16, bool, bool)>,
    /// The link on which a request was sent that has had no answer after which another one may be asked.
    open: Option<(LinkId, u16)>,
    /// On a link that was lost, or by a violation: who has had it.
    unknown: Option<(ServerUri, u16)>,
    /// The user has said that it is worth waiting, or need not.
    waits: bool,
    ends: u32,
}

impl Reference<Client, Input> for ClientModel {
    fn expect(&self, input: &Input) -> Option<Expected> {
        let on = |link: &LinkId| self.asked.as_ref().is_some_and(|asked| asked.link == *link);
        let by_user = self.asked.as_ref().is_some_and(|asked| asked.cancel == Some(true));
        let fine = match input {
            Input::Timeout => true,
            _ if self.place == Place::Ended => false,
            Input::Opened { link, .. } => on(link) && self.place == Place::Dialling,
            Input::Message { link, message } if on(link) && self.place != Place::Dialling => {
                return Some(if self.violates(message) { Expected::Violation } else { Expected::Fine });
            }
            Input::Message { .. } => false,
            Input::Closed(link) => on(link),
            Input::Wait(_) => self.place == Place::Asking,
            Input::Cancel => !by_user,
        };
        Some(if fine { Expected::Fine } else { Expected::Misuse })
    }

    fn follow(&mut self, now: Instant, input: &Input, outputs: &[Output], machine: &Client) -> Result<(), String> {
        let violated = self.expect(input) == Some(Expected::Violation);
        let must = self.input(now, input);
        self.check_properties(input, violated, outputs)?;
        must.check(outputs, as_event, property)?;
        let got = (machine.poll_timeout(), machine.epoch(), machine.priority());
        let should = (self.due, self.key.epoch, self.priority);
        if got != should {
            return broken("4.1", format_args!("deadline, epoch, priority: {got:?}, not {should:?}"));
        }
        let (state, place) = (std::format!("{:?}", machine.state()), std::format!("{:?}", self.place));
        if state != place {
            return broken("4.1", format_args!("it is {state}, not {place}"));
        }
        let (report, own) = (machine.report(), self.report());
        if report != own {
            return broken("D9", format_args!("{report:?}, not {own:?}"));
        }
        check_partition(&report)
    }

    fn at_rest(&self, machine: &Client) -> Result<(), String> {
        if self.history.ends != 1 {
            return broken("7", format_args!("{machine:?} has ended {} times", self.history.ends));
        }
        Ok(())
    }
}

/// D9: nobody is in two lists.
fn check_partition(report: &Report) -> Result<(), String> {
    let Report { declined, dead, violators, aliases, denied, busy, untried, .. } = report;
    let lists = [declined, dead, violators, aliases, denied, busy, untried];
    let all: Vec<&ServerUri> = lists.into_iter().flatten().collect();
    let once: BTreeSet<&ServerUri> = all.iter().copied().collect();
    if once.len() != all.len() {
        return broken("D9", format_args!("somebody is in two lists: {report:?}"));
    }
    Ok(())
}

impl ClientModel {
    /// D1, D2, D3, D6, D7, D8 by what has gone in and come out.
    fn check_properties(&mut self, input: &Input, violated: bool, outputs: &[Output]) -> Result<(), String> {
        let harmless = self.harmless();
        let history = &mut self.history;
        match input {
            Input::Wait(true) => history.waits = true,
            // Whoever says this has not carried it out, or has told how it ended.
            Input::Message { link, message: Message::Defer(_) | Message::Refused(_) | Message::Cancelled(_) }
                if !violated =>
            {
                history.open = None;
                if history.unknown.as_ref().map(|(uri, _)| uri) == history.links.get(link) {
                    history.unknown = None;
                }
            }
            _ => {}
        }
        if let Some((link, epoch)) = history.open {
            let closes = outputs.iter().any(|output| *output == Output::Close(link));
            if closes || *input == Input::Closed(link) {
                history.open = None;
                history.unknown = history.links.get(&link).map(|uri| (uri.clone(), epoch));
            }
        }
        for output in outputs {
            match output {
                Output::Dial { link, server } => {
                    history.dials += 1;
                    let limits = &self.config.limits;
                    let most = 3 * limits.servers * (usize::from(limits.continuations) + 1);
                    if history.dials > most {
                        return broken("D1", format_args!("it dials for the {}th time", history.dials));
                    }
                    if history.links.insert(*link, server.clone()).is_some() {
                        return broken("D1", format_args!("{link:?} is given twice"));
                    }
                    let named = self.known.iter().find(|known| known.uri == *server);
                    let fine = match named {
                        Some(Known { named_by: Some(by), .. }) => {
                            may_name(&self.config, &self.task.servers, by, server)
                        }
                        _ => self.task.servers.contains(server),
                    };
                    if !fine {
                        return broken("D8", format_args!("{server} must not be dialled"));
                    }
                }
                Output::Send { link, message: Message::Request(request) } => {
                    let Some(uri) = history.links.get(link) else {
                        return broken("D6", format_args!("{link:?} leads nowhere"));
                    };
                    let flag = |flag| request.flags.contains(flag);
                    let (again, priority) = (flag(RequestFlags::AGAIN), flag(RequestFlags::PRIORITY));
                    if !history.requests.insert((uri.clone(), request.key.epoch, priority, again)) {
                        return broken("D2", format_args!("{uri} is asked twice: {request:?}"));
                    }
                    if priority && !history.waits && !self.config.wait_unasked {
                        return broken("D3", format_args!("nobody wants to wait, and {uri} is told so"));
                    }
                    let epoch = request.key.epoch;
                    let elsewhere =
                        history.unknown.as_ref().is_some_and(|(who, when)| *when == epoch && (who != uri || !again));
                    if !harmless && elsewhere {
                        return broken("D6", format_args!("{:?} has it, and {uri} is asked", history.unknown));
                    }
                    let own = self.task.servers.iter().any(|own| own.same_origin(uri));
                    if request.credentials.is_empty() == own {
                        return broken("D8", format_args!("{uri} is shown credentials, or not: {own}"));
                    }
                    history.open = Some((*link, epoch));
                }
                Output::Event(Event::Ended(_)) => {
                    history.ends += 1;
                    if history.ends > 1 {
                        return broken("7", format_args!("it ends twice"));
                    }
                }
                _ if history.ends > 0 => return broken("7", format_args!("{output:?} comes after the end")),
                _ => {}
            }
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
        Ok(Output::Dial { .. }) => "D2",
        Ok(Output::Send { message: Message::Request(_), .. }) => "D6",
        Ok(Output::Send { .. }) => "D12",
        Err(Event::Ended(_)) => "D9",
        Err(Event::AskWait { .. }) => "D3",
        _ => "4.2",
    }
}
