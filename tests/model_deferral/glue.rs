//! What the machines are given, and where what they say goes.

use super::mutants::Mutant;
use super::talk::{OTHERS, Step, command, site_of};
use super::world::{Property, Reached, Wire, Word};
use handover::deferral::client::{self, Event};
use handover::deferral::message::Message;
use handover::deferral::server;
use handover::error::Error;
use handover::frame::Text;
use handover::machine::{LinkId, Machine};
use handover::time::Instant;

impl Step<'_> {
    pub(crate) fn client_is_given(&mut self, input: client::Input) {
        let result = self.w.client.change(|client| {
            let timeout = matches!(input, client::Input::Timeout);
            let now = client.poll_timeout().filter(|_| timeout).unwrap_or(Instant::ZERO);
            client.handle(now, input)
        });
        self.drain_client(result);
    }

    pub(crate) fn drain_client(&mut self, result: Result<(), Error>) {
        self.check(Property::NoMisuse, !matches!(result, Err(Error::Misuse(_))));
        self.check(Property::NoBlame, !matches!(result, Err(Error::Violation(_))));
        let outputs: Vec<_> = self.w.client.change(|client| std::iter::from_fn(|| client.poll_output()).collect());
        for output in self.talk.setup.mutant.client_says(outputs) {
            let over = !self.w.outcomes.is_empty();
            self.check(Property::OneEnd, !over);
            match output {
                client::Output::Dial { link, server } => {
                    let site = site_of(&server);
                    self.dials(site);
                    self.w.cancels_now = false;
                    self.w.wires.push(Wire::new(link, site));
                }
                client::Output::Send { link, message } => {
                    let Some(at) = self.w.wires.iter().position(|wire| wire.link == link) else { continue };
                    if let Message::Request(request) = &message {
                        self.asks(self.w.wires[at].name, request);
                    }
                    self.w.cancels_now |= matches!(message, Message::Cancel(_));
                    self.w.wires[at].says(message);
                }
                client::Output::Close(link) => {
                    // Before it was open there is nobody who would hear of it.
                    self.w.wires.retain(|wire| wire.link != link || !wire.dialled);
                    if let Some(wire) = self.w.wires.iter_mut().find(|wire| wire.link == link) {
                        wire.client = false;
                        wire.to_client.clear();
                        if wire.server && !wire.broken {
                            wire.to_server.push_back(Word::End);
                        }
                    }
                }
                client::Output::Event(event) => self.told(event),
                other => panic!("{other:?}"),
            }
        }
    }

    fn told(&mut self, event: Event) {
        match event {
            Event::AskWait { .. } => self.w.asks = true,
            Event::Queued { .. } => self.reach(Reached::Queued),
            Event::Continued(_) => {
                self.reach(Reached::Continued);
                self.w.earned = false;
                self.w.begun.push(0);
            }
            Event::Ended(outcome) => {
                self.w.asks = false;
                self.ends(&outcome);
                self.w.outcomes.push(outcome);
            }
            _ => {}
        }
    }

    pub(crate) fn client_reads(&mut self, at: usize) {
        let wire = &mut self.w.wires[at];
        let link = wire.link;
        let Some(word) = wire.to_client.pop_front() else { return };
        match word {
            Word::Message(message) => {
                if let Message::Defer(defer) = &message {
                    self.hears_deferral(defer);
                }
                self.client_is_given(client::Input::Message { link, message });
            }
            Word::End => {
                wire.client = false;
                self.w.lost = true;
                self.client_is_given(client::Input::Closed(link));
            }
        }
    }

    pub(crate) fn server_reads(&mut self, at: usize) {
        let wire = &mut self.w.wires[at];
        let (link, site) = (wire.link, wire.site);
        let Some(word) = wire.to_server.pop_front() else { return };
        match word {
            Word::Message(message) => {
                let cancel = matches!(message, Message::Cancel(_));
                if cancel && self.talk.setup.mutant == Mutant::CancelUnheard {
                    let key = message.key().expect("it has one");
                    return self.server_says(site, link, Message::Cancelled(key.into()));
                }
                self.server_is_given(site, server::Input::Message { link, message, random: 1 });
            }
            Word::End => {
                wire.server = false;
                self.server_is_given(site, server::Input::Closed(link));
            }
        }
    }

    pub(crate) fn finish(&mut self, at: usize, job: usize) {
        let site = &mut self.w.sites[at];
        let (job, key) = site.jobs.remove(job);
        let ours = key.id.0[0] < OTHERS;
        let input = if ours && site.continues > 0 {
            site.continues -= 1;
            server::Input::Continue { job, next: command("next"), read_only: false, random: 1 }
        } else {
            server::Input::End { job, status: 0, text: Text::EMPTY }
        };
        self.server_is_given(at, input);
    }

    pub(crate) fn server_is_given(&mut self, at: usize, input: server::Input) {
        self.before_server(at, &input);
        let (result, outputs) = self.w.sites[at].server.change(|server| {
            let timeout = matches!(input, server::Input::Timeout);
            let now = server.poll_timeout().filter(|_| timeout).unwrap_or(Instant::ZERO);
            let result = server.handle(now, input.clone());
            (result, std::iter::from_fn(|| server.poll_output()).collect::<Vec<_>>())
        });
        self.check(Property::NoMisuse, !matches!(result, Err(Error::Misuse(_))));
        self.check(Property::NoBlame, !matches!(result, Err(Error::Violation(_))));
        let outputs = self.talk.setup.mutant.server_says(outputs, &self.w.sites[at].line);
        for output in &outputs {
            self.observe_server(at, &input, output);
        }
        self.after_server(at, &input, &outputs);
        for output in outputs {
            if let server::Output::Send { link, message } = output {
                self.server_says(at, link, message);
            }
        }
    }

    fn server_says(&mut self, at: usize, link: LinkId, message: Message) {
        self.speaks(at, &message);
        let wire = self.w.wires.iter_mut().find(|wire| wire.link == link && wire.site == at);
        if let Some(wire) = wire.filter(|wire| wire.client && !wire.broken) {
            wire.to_client.push_back(Word::Message(message));
        }
    }
}
