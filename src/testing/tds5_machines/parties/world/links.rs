//! What links and drivers do: bytes, closes, and the outputs of the endpoints.

use super::super::apps::row_in;
use super::*;

impl Parties {
    pub(super) fn connect(&mut self, at: usize) {
        let link = &mut self.links[at];
        if link.pipe.up || link.pipe.is_over() {
            return;
        }
        let client = link.pipe.at_client.id;
        if link.pipe.server == NOBODY {
            (link.pipe.at_client.done, link.pipe.at_server.done) = (true, true);
            let result = self.client.closed(self.now, client);
            return self.client_did(result);
        }
        link.pipe.up = true;
        link.service = Some(Service::new(ServerEndpoint::new(self.config.clone(), self.now), at));
        let result = self.client.connected(self.now, client);
        self.client_did(result);
    }

    /// Hands over up to `most` bytes, and behind the last one the news that the link is closed.
    pub(super) fn deliver(&mut self, at: usize, up: bool, most: usize) -> bool {
        let link = &mut self.links[at];
        let closing = link.pipe.is_closing(up);
        let client = link.pipe.at_client.id;
        let end = link.pipe.end(up);
        if end.done || (end.bytes.is_empty() && !closing) || (up && link.service.is_none()) {
            return false;
        }
        end.done = closing;
        let bytes = end.take(most);
        match (&mut link.service, up) {
            (Some(service), true) => {
                let endpoint = &mut service.endpoint;
                let result = if closing { endpoint.closed(self.now) } else { endpoint.received(self.now, &bytes) };
                self.server_did(at, result);
            }
            _ if closing => {
                let result = self.client.closed(self.now, client);
                self.client_did(result);
            }
            _ => {
                let result = self.client.received(self.now, client, &bytes);
                self.client_did(result);
            }
        }
        true
    }

    pub(super) fn break_link(&mut self, link: u8, client: bool, server: bool) {
        let Some(at) = self.link(link) else { return };
        let pipe = &mut self.links[at].pipe;
        let (at_client, at_server, up) = (pipe.at_client.done, pipe.at_server.done, pipe.up);
        pipe.at_client.bytes.clear();
        pipe.at_server.bytes.clear();
        let client_link = pipe.at_client.id;
        // The end that is not told now hears it as a close by the other one.
        (pipe.at_client.done, pipe.at_server.done) = (client || at_client || !server, server || at_server || !up);
        if (client || !server) && !at_client {
            let result = self.client.closed(self.now, client_link);
            self.client_did(result);
        }
        if server && up && !at_server {
            let result = self.links[at].service.as_mut().map(|service| service.endpoint.closed(self.now));
            self.server_did(at, result.unwrap_or(Ok(())));
        }
    }

    pub(super) fn carry_out_client(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                ClientOutput::Dial { link, address, tls } => {
                    let server = ["a", "b", "c"].iter().position(|host| *host == address.host()).unwrap_or(NOBODY);
                    let number = LinkId(u32::try_from(self.links.len()).unwrap_or(u32::MAX));
                    self.links.push(Link { pipe: Pipe::new(link, server, number, tls), service: None });
                }
                ClientOutput::Transmit { link, bytes } => {
                    let pipe = self.pipe_of(link);
                    if !pipe.at_server.done {
                        pipe.at_server.bytes.extend(&bytes);
                    }
                }
                ClientOutput::Close(link) => {
                    let pipe = self.pipe_of(link);
                    pipe.at_client.done = true;
                    pipe.at_server.done |= !pipe.up;
                    pipe.at_client.bytes.clear();
                }
                ClientOutput::Event(event) => {
                    if let Event::Item(Item::Token(Token::Row(values))) = &event
                        && let Some((number, row)) = row_in(&values.data)
                    {
                        self.ledger.row_got(number, row);
                    }
                    self.trace.0.push(Line::Client(event.clone()));
                    self.ledger.client_event(&event);
                }
            }
        }
    }

    fn pipe_of(&mut self, link: LinkId) -> &mut Pipe {
        let link = self.links.iter_mut().find(|entry| entry.pipe.at_client.id == link);
        &mut link.expect("the client has dialled it").pipe
    }

    pub(super) fn carry_out_server(&mut self, at: usize) {
        loop {
            let link = &mut self.links[at];
            let Some(output) = link.service.as_mut().and_then(|service| service.endpoint.poll_output()) else { return };
            match output {
                ServerOutput::Transmit(bytes) if !link.pipe.at_client.done => link.pipe.at_client.bytes.extend(&bytes),
                ServerOutput::Transmit(_) => {}
                ServerOutput::Close => {
                    link.pipe.at_server.done = true;
                    link.pipe.at_server.bytes.clear();
                }
                ServerOutput::Event(event) => {
                    self.trace.0.push(Line::Server(at, event.clone()));
                    let Some(service) = &mut link.service else { return };
                    let result = service.event(self.now, &event, &mut self.store, &mut self.ledger);
                    assert!(result.is_ok() || service.is_over() || self.ledger.garbled, "at a login: {result:?}");
                }
            }
        }
    }
}
