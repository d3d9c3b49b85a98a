//! The links, and what the machines want done.

use super::*;

impl Parties {
    pub(super) fn carry_out_client(&mut self) {
        while let Some(output) = self.client.poll_output() {
            self.trace.0.push(Line::Client(output.clone()));
            match output {
                client::Output::Dial { link, server } => {
                    self.next += 1;
                    self.links.push(Link {
                        client: link,
                        host: host_of(&server),
                        uri: server,
                        server: LinkId(self.next),
                        up: false,
                        to_server: VecDeque::new(),
                        to_client: VecDeque::new(),
                        client_done: false,
                        server_done: true,
                    });
                }
                client::Output::Send { link, message } => {
                    let link = self.links.iter_mut().find(|one| one.client == link && !one.client_done);
                    let link = link.expect("7: there is such a link");
                    if let (Message::Request(request), Some(host)) = (&message, link.host) {
                        self.ledger.asks(link.client, host, request);
                    }
                    link.to_server.push_back(message);
                }
                client::Output::Close(link) => {
                    let link = self.links.iter_mut().find(|one| one.client == link && !one.client_done);
                    link.expect("7: there is such a link").client_done = true;
                }
                client::Output::Event(client::Event::Ended(outcome)) => self.ledger.told(outcome),
                client::Output::Event(_) => {}
            }
        }
    }

    pub(super) fn carry_out_server(&mut self, at: usize) {
        while let Some(output) = self.hosts[at].server.poll_output() {
            self.trace.0.push(Line::Server(at, output.clone()));
            match output {
                server::Output::Send { link, message } => {
                    if let Message::Refused(refused) = &message {
                        let why = [RefusalCode::OVERLOADED, RefusalCode::DEADLINE];
                        self.turned_away |= why.contains(&refused.code);
                    }
                    if let Message::Defer(defer) = &message {
                        // A server that cannot take anybody who has no priority may be all there is.
                        self.turned_away |= defer.kind == DeferKind::NO_SERVICE && self.hosts[at].stopped;
                    }
                    let link = self.links.iter_mut().find(|one| one.server == link && !one.server_done);
                    link.into_iter().for_each(|link| link.to_client.push_back(message.clone()));
                }
                server::Output::Close(link) => panic!("nobody has made a mistake on {link:?}"),
                server::Output::Event(Event::Execute(job)) => {
                    self.hosts[at].jobs.push((job.id, job.key));
                    if job.key.id == self.task.id {
                        self.ledger.begins(job.key, at, self.hosts[at].life);
                    }
                }
                server::Output::Event(Event::Abandoned(_)) => {}
            }
        }
    }

    pub(super) fn connect(&mut self, at: usize) -> bool {
        let link = &mut self.links[at];
        if link.up || link.client_done {
            return false;
        }
        link.up = true;
        let client = link.client;
        match link.host.filter(|host| !self.hosts[*host].down) {
            Some(host) => {
                link.server_done = false;
                let peer = self.hosts[host].peer;
                self.tell(client::Input::Opened { link: client, peer });
            }
            None => {
                link.client_done = true;
                self.tell(client::Input::Closed(client));
            }
        }
        true
    }

    /// One message, or that the other end has gone.
    pub(super) fn deliver(&mut self, at: usize, up: bool) -> bool {
        let link = &mut self.links[at];
        if !link.up {
            return false;
        }
        if up {
            let (Some(host), false) = (link.host, link.server_done) else { return false };
            let (server, late) = (link.server, link.client_done);
            if let Some(message) = link.to_server.pop_front() {
                if let Message::Request(request) = &message {
                    let own = self.task.servers.iter().any(|own| own.same_origin(&link.uri));
                    assert_eq!(!request.credentials.is_empty(), own, "D8: {} is shown {request:?}", link.uri);
                    if late {
                        self.ledger.is_late();
                    }
                }
                let random = self.random();
                self.order(host, server::Input::Message { link: server, message, random });
            } else if late {
                link.server_done = true;
                self.order(host, server::Input::Closed(server));
            } else {
                return false;
            }
        } else {
            if link.client_done {
                link.to_client.clear();
                return false;
            }
            let client = link.client;
            if let Some(message) = link.to_client.pop_front() {
                self.ledger.hears(client, &message);
                self.tell(client::Input::Message { link: client, message });
            } else if link.server_done {
                link.client_done = true;
                self.tell(client::Input::Closed(client));
            } else {
                return false;
            }
        }
        true
    }

    pub(super) fn break_link(&mut self, at: usize, both: bool) {
        let link = &mut self.links[at];
        link.to_client.clear();
        if both {
            link.to_server.clear();
            if !core::mem::replace(&mut link.server_done, true) {
                let (host, server) = (link.host, link.server);
                host.into_iter().for_each(|host| self.order(host, server::Input::Closed(server)));
            }
        }
        let link = &mut self.links[at];
        let client = link.client;
        link.up = true;
        if !core::mem::replace(&mut link.client_done, true) {
            self.tell(client::Input::Closed(client));
        }
    }

    /// It begins afresh, with another memory; its links are gone, and their other ends hear of it in time.
    pub(super) fn crash(&mut self, at: usize) {
        for link in self.links.iter_mut().filter(|link| link.host == Some(at) && !link.server_done) {
            link.server_done = true;
            link.to_server.clear();
            link.to_client.clear();
        }
        let host = &mut self.hosts[at];
        host.life += 1;
        host.peer.memory = host.peer.memory.map(|_| host.life);
        host.server = Server::new(host.config.clone());
        host.jobs.clear();
    }
}
