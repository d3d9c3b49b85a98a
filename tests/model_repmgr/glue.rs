//! What machines do takes place: what the site's endpoint does with it, and the network, and what the application
//! remembers.

use super::adapter::{Effect, Note, Step, Stimulus};
use super::ghost::{Property, Reached};
use super::words::link as link_id;
use super::world::{Link, Peer, Side, Site, Word};

impl Step<'_> {
    /// Everything that follows from what machines have done.
    pub(crate) fn settle(&mut self) {
        while let Some((peer, effect)) = self.pending.pop_front() {
            match peer {
                Peer::Channel(site) => self.apply_channel(site, effect),
                Peer::Dispatcher(site) => self.apply_dispatcher(site, effect),
                Peer::Link(id, side) => self.apply_link(id, side, effect),
            }
        }
        self.tidy();
    }

    fn apply_channel(&mut self, site: Site, effect: Effect) {
        match effect {
            Effect::Send(0, word) => self.echo(site, word),
            Effect::Send(number, word) => {
                let id = self.w.dialled(site, number).filter(|link| link.mapped).map(|link| link.id);
                self.check(Property::NoMisuse, id.is_some());
                if let Some(id) = id {
                    self.give(Peer::Link(id, Side::Dialler), Stimulus::Write(word));
                }
            }
            Effect::Close(number) => {
                let Some(link) = self.w.dialled_mut(site, number).filter(|link| link.mapped) else { return };
                link.mapped = false;
                let id = link.id;
                self.give(Peer::Link(id, Side::Dialler), Stimulus::Disconnect);
            }
            Effect::Note(Note::Closed { .. }) => {
                let place = self.w.place_mut(site);
                (place.channel, place.local.closing) = (None, true);
                self.deliver_local(site);
            }
            _ => {}
        }
    }

    fn apply_dispatcher(&mut self, site: Site, effect: Effect) {
        match effect {
            Effect::Send(0, word @ Word::Message(_)) => self.echo(site, word),
            Effect::Send(0, word) if self.w.place(site).channel.is_some() => {
                self.give(Peer::Channel(site), Stimulus::Answer(0, word));
            }
            Effect::Send(id, word) if id != 0 => {
                let side = self.w.link(id).map(|link| link.side(site));
                self.check(Property::NoMisuse, side.is_some());
                if let Some(side) = side {
                    self.give(Peer::Link(id, side), Stimulus::Write(word));
                }
            }
            Effect::Resume(0) => self.deliver_local(site),
            _ => {}
        }
    }

    fn apply_link(&mut self, id: u8, side: Side, effect: Effect) {
        let Some(link) = self.w.link_mut(id) else { return };
        let (site, number, mapped) = (link.site(side), link.number, link.mapped && side == Side::Dialler);
        match effect {
            Effect::Send(_, word) => link.send(side, word),
            Effect::Close(_) => link.close(side),
            Effect::Note(Note::Ready) if mapped => self.give(Peer::Channel(site), Stimulus::Ready(number)),
            Effect::Note(Note::Received(word @ (Word::Message(_) | Word::Request { .. })))
                if self.setup.is_rogue(site) =>
            {
                link.wire.under_way[side as usize] = link.wire.under_way[side as usize].saturating_sub(1);
                match word {
                    Word::Request { tag, number, kind } => link.heard.push((tag, number, kind)),
                    _ => link.wire.arrived += 1,
                }
            }
            Effect::Note(Note::Received(word @ (Word::Message(_) | Word::Request { .. }))) => {
                self.give(Peer::Dispatcher(site), Stimulus::Received(id, word));
            }
            Effect::Note(Note::Received(word)) if mapped => {
                self.give(Peer::Channel(site), Stimulus::Answer(number, word));
            }
            // Nothing was asked on a link that was accepted.
            Effect::Note(Note::Received(_)) => {
                self.check(Property::NoViolation, false);
                self.give(Peer::Link(id, side), Stimulus::Malformed);
            }
            Effect::Note(Note::Over(_)) => {
                match side {
                    Side::Dialler => (link.dialler, link.mapped) = (None, false),
                    Side::Listener => link.listener = None,
                }
                self.give(Peer::Dispatcher(site), Stimulus::Closed(id));
                if mapped {
                    self.give(Peer::Channel(site), Stimulus::Closed(number));
                }
            }
            _ => {}
        }
    }

    /// A message from a site to itself.
    fn echo(&mut self, site: Site, word: Word) {
        self.w.place_mut(site).local.waiting.push(word);
        self.deliver_local(site);
    }

    fn deliver_local(&mut self, site: Site) {
        while !self.w.place(site).dispatcher.get().is_paused(link_id(0)) && !self.w.place(site).local.waiting.is_empty()
        {
            let word = self.w.place_mut(site).local.waiting.remove(0);
            self.give(Peer::Dispatcher(site), Stimulus::Received(0, word));
        }
        let local = &mut self.w.place_mut(site).local;
        if local.closing && !local.gone && local.waiting.is_empty() {
            local.gone = true;
            self.give(Peer::Dispatcher(site), Stimulus::Closed(0));
        }
    }

    /// Forgets links that both ends have forgotten. What is lost with them was told.
    fn tidy(&mut self) {
        let gone = |link: &Link| link.dialler.is_none() && link.listener.is_none();
        for index in 0..self.w.links.len() {
            let link = &self.w.links[index];
            if !gone(link) {
                continue;
            }
            let (wire, cut) = (&link.wire, link.cut);
            let lost = wire.messages > wire.arrived;
            let (told, parted) = (wire.told, wire.parted);
            self.check(Property::P17, !lost || told || (parted && cut));
            if lost && !told && parted {
                self.reach(Reached::BrokenBehindEnd);
            }
        }
        self.w.links.retain(|link| !gone(link));
    }
}
