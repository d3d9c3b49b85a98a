//! What links and drivers do: bytes, closes, and the outputs of the endpoints.

use super::*;
use crate::limits::RepmgrLimits;

impl Written {
    fn new(side: Side) -> Self {
        Self {
            stream: MessageStream::new(side, VersionRange::CHANNELS, &RepmgrLimits::DEFAULT),
            bytes: BytesMut::new(),
            numbers: Vec::new(),
            came: 0,
            asked: BTreeMap::new(),
            congested: false,
        }
    }
}

impl Sites {
    fn end(&mut self, at: usize, up: bool) -> (usize, LinkId) {
        let Link { dialler, pipe, .. } = &self.links[at];
        if up { (pipe.server, pipe.at_server.id) } else { (*dialler, pipe.at_client.id) }
    }

    pub(super) fn connect(&mut self, at: usize) -> bool {
        let Link { dialler, pipe, .. } = &mut self.links[at];
        let (dialler, link) = (*dialler, pipe.at_client.id);
        if pipe.up || pipe.is_over() {
            return false;
        }
        if pipe.server >= SITES {
            (pipe.at_client.done, pipe.at_server.done) = (true, true);
            let result = self.sites[dialler].endpoint.closed(self.now, link);
            self.did(dialler, result);
            return true;
        }
        pipe.up = true;
        pipe.at_server.id = self.sites[pipe.server].endpoint.accept(self.now);
        let result = self.sites[dialler].endpoint.connected(self.now, link);
        self.did(dialler, result);
        true
    }

    /// Hands over up to `most` bytes, and behind the last one the news that the link is closed, to an end that reads.
    pub(super) fn deliver(&mut self, at: usize, up: bool, most: usize) -> bool {
        let (site, link) = self.end(at, up);
        let pipe = &mut self.links[at].pipe;
        let closing = pipe.is_closing(up);
        let is_up = pipe.up;
        let end = pipe.end(up);
        if !is_up || end.done || end.paused || (end.bytes.is_empty() && !closing) {
            return false;
        }
        end.done = closing;
        let bytes = end.take(most);
        let endpoint = &mut self.sites[site].endpoint;
        let result = if closing { endpoint.closed(self.now, link) } else { endpoint.received(self.now, link, &bytes) };
        self.did(site, result);
        true
    }

    pub(super) fn break_link(&mut self, at: usize, dialler: bool, listener: bool) {
        let link = &mut self.links[at];
        link.faulty = true;
        let pipe = &mut link.pipe;
        let (at_client, at_server, up) = (pipe.at_client.done, pipe.at_server.done, pipe.up);
        pipe.at_client.bytes.clear();
        pipe.at_server.bytes.clear();
        // The end that is not told now hears it as a close by the other one.
        (pipe.at_client.done, pipe.at_server.done) =
            (dialler || at_client || !listener || !up, listener || at_server || !up);
        for (told, was, up) in [(dialler || !listener || !up, at_client, false), (listener && up, at_server, true)] {
            if told && !was {
                let (site, link) = self.end(at, up);
                let result = self.sites[site].endpoint.closed(self.now, link);
                self.did(site, result);
            }
        }
    }

    /// Tells the drivers' endpoints which links take more and which do not.
    pub(super) fn congest(&mut self) {
        for at in 0..self.links.len() {
            for up in [true, false] {
                let (site, link) = self.end(at, !up);
                let capacity = self.capacity;
                let Link { pipe, written, .. } = &mut self.links[at];
                let waiting = pipe.end(up).bytes.len();
                let written = &mut written[usize::from(!up)];
                let full = if written.congested { waiting > capacity / 2 } else { waiting > capacity };
                if full == written.congested || !pipe.up || pipe.end(!up).done {
                    continue;
                }
                written.congested = full;
                self.ledger.counts.congested += u32::from(full);
                let endpoint = &mut self.sites[site].endpoint;
                let result = if full { endpoint.congested(self.now, link) } else { endpoint.drained(self.now, link) };
                self.did(site, result);
            }
        }
    }

    /// The link of a site's, by its number there, and whether the site has dialled it.
    fn find(&self, site: usize, link: LinkId) -> Option<(usize, bool)> {
        let dialled = |entry: &Link| entry.dialler == site && entry.pipe.at_client.id == link;
        let accepted = |entry: &Link| entry.pipe.up && entry.pipe.server == site && entry.pipe.at_server.id == link;
        let at = self.links.iter().position(|entry| dialled(entry) || accepted(entry))?;
        Some((at, dialled(&self.links[at])))
    }

    pub(super) fn carry_out(&mut self, site: usize) {
        while let Some(output) = self.sites[site].endpoint.poll_output() {
            match output {
                SiteOutput::Dial { link, address } => {
                    let server = if core::mem::take(&mut self.refuse) { usize::MAX } else { self.listener(&address) };
                    let written = [Written::new(Side::Dialler), Written::new(Side::Listener)];
                    let pipe = Pipe::new(link, server, LinkId(u32::MAX), false);
                    self.links.push(Link { dialler: site, pipe, written, faulty: false });
                }
                SiteOutput::Transmit { link, bytes } => self.transmit(site, link, &bytes),
                SiteOutput::Close(link) => {
                    let (at, dialled) = self.find(site, link).expect("it is one of its links");
                    let link = &mut self.links[at];
                    link.faulty |= self.timing;
                    link.pipe.at_server.done |= !link.pipe.up;
                    let end = link.pipe.end(!dialled);
                    end.done = true;
                    end.bytes.clear();
                }
                SiteOutput::Pause(link) | SiteOutput::Resume(link) => {
                    let paused = matches!(output, SiteOutput::Pause(_));
                    let (at, dialled) = self.find(site, link).expect("it is one of its links");
                    let end = self.links[at].pipe.end(!dialled);
                    assert_ne!(core::mem::replace(&mut end.paused, paused), paused, "6.4: {output:?} comes twice");
                    self.ledger.counts.paused += u32::from(paused);
                }
                SiteOutput::Event(event) => self.event(site, event),
            }
        }
        self.sites[site].heard();
    }

    fn listener(&self, address: &crate::repmgr::SiteAddress) -> usize {
        (0..SITES).find(|at| site(u8::try_from(*at).unwrap_or(0)) == *address).unwrap_or(usize::MAX)
    }

    /// Looks into what a site writes, and puts it on its way.
    fn transmit(&mut self, site: usize, link: LinkId, bytes: &[u8]) {
        let (at, dialled) = self.find(site, link).expect("it is one of its links");
        let own = usize::from(!dialled);
        self.links[at].written[own].bytes.extend_from_slice(bytes);
        loop {
            let Written { stream, bytes, congested, .. } = &mut self.links[at].written[own];
            let congested = *congested;
            let Some(message) = stream.decode_next(bytes).expect("P19: what is written can be read") else { break };
            let of_application = !matches!(message, Message::Handshake(_));
            assert!(!(congested && of_application), "6.4: {} is written on a congested link", message.name());
            let written = &mut self.links[at].written;
            let number = match &message {
                Message::Handshake(_) => 0,
                Message::App(message) => {
                    let number = content(&message.segments);
                    written[own].numbers.push(number);
                    if let Some(Wanted { tag, .. }) = message.wanted() {
                        let other = written[own].asked.insert(tag, number);
                        assert_eq!(other, None, "P9: the tag of {number} is in use");
                    }
                    self.ledger.written(site, number);
                    number
                }
                Message::Response(crate::repmgr::message::AppResponse { tag, .. })
                | Message::Error(crate::repmgr::message::ResponseError { tag, .. }) => {
                    let asked = written[1 - own].asked.remove(tag);
                    assert!(asked.is_some() || self.ledger.garbled, "P10: an answer too many: {message:?}");
                    asked.unwrap_or(0)
                }
                other => panic!("P19: {other:?} is written"),
            };
            self.trace.0.push(Line::Wire(site, link, message.name(), number));
        }
        assert!(self.links[at].written[own].bytes.is_empty(), "P17: a part of a message is written");
        let pipe = &mut self.links[at].pipe;
        if !pipe.end(dialled).done {
            pipe.end(dialled).bytes.extend(bytes);
        }
    }

    fn event(&mut self, site: usize, event: SiteEvent) {
        self.trace.0.push(Line::Event(site, event.clone()));
        match event {
            SiteEvent::Channel { channel, event } => {
                if let channel::Event::LinkLost { link, messages } = event {
                    let (at, dialled) = self.find(site, link).expect("P15: it is one of its links");
                    let numbers = self.links[at].written[0].numbers.iter();
                    let had = numbers.filter(|number| self.ledger.is_message(**number)).count();
                    assert!(dialled && u32::try_from(had) == Ok(messages), "P17: the link had {had} messages");
                }
                self.ledger.told(site, channel, &event);
            }
            SiteEvent::Dispatch(event) => {
                let came = self.sites[site].event(&event, &mut self.ledger);
                if let Some((link, number)) = came.filter(|_| !self.ledger.garbled) {
                    self.came(site, link, number);
                }
            }
            SiteEvent::Link { event: LinkEvent::Closed(reason), .. } => {
                let own = [CloseReason::Unreachable, CloseReason::Lost, CloseReason::Local, CloseReason::TimedOut];
                assert!(self.ledger.garbled || own.contains(&reason), "P6: a site closes a link for {reason:?}");
            }
            SiteEvent::Link { event: LinkEvent::Ready(_), .. } => {}
            SiteEvent::Link { event, .. } => assert!(self.ledger.garbled, "P19: a site is told {event:?}"),
        }
    }

    /// Something has come on a link: behind everything that was written there before it.
    fn came(&mut self, site: usize, link: LinkId, number: u32) {
        let Some((at, dialled)) = self.find(site, link) else {
            // From this site itself. Replies are among what its channel sends.
            if !self.ledger.is_reply(number) {
                let before = self.locals.insert((site, link), number);
                assert!(before < Some(number), "P22: {number} comes behind {before:?}");
            }
            return;
        };
        assert!(!self.sites[site].endpoint.is_local(link), "6.4: {link:?} leads to another site");
        let written = &mut self.links[at].written[usize::from(dialled)];
        let behind = written.numbers.iter().skip(written.came).position(|other| *other == number);
        let Some(behind) = behind else {
            panic!("P22: {number} is not to come, of {:?} behind {}", written.numbers, written.came);
        };
        assert!(behind == 0 || self.ledger.refused, "P22: {behind} others were to come before {number}");
        written.came += behind + 1;
    }
}
