//! The model: where it begins, what can happen, and what it leads to.

use super::adapter::{Seen, Step, Stimulus};
use super::choices::{Action, End};
use super::configs::Setup;
use super::ghost::{self, Ghost, Property, Wire};
use super::model::{Shared, Told};
use super::mutants::Mutant;
use super::words::{addresses, login, session_id};
use super::world::{Host, Link, Peer, Site, Word, World};
use handover::machine::{LinkId, Machine};
use handover::tds5::PacketType;
use handover::tds5::client::{self, Client};
use handover::tds5::connection::Item;
use handover::tds5::migration::Migration as Message;
use handover::tds5::server::{Server, Session};
use handover::tds5::target::Target;
use handover::tds5::token::{Done, LoginAck, LoginStatus, Token};
use handover::time::Instant;
use stateright::Model;

/// The id that the first server gives.
const FIRST_ID: u8 = 1;

#[derive(Debug)]
pub(crate) struct Migration {
    pub(crate) setup: Setup,
    pub(crate) seen: Seen,
}

impl Migration {
    pub(crate) fn new(setup: Setup) -> Self {
        Self { setup, seen: Seen::default() }
    }

    /// A client that was told to connect.
    fn client(&self) -> Client {
        let mut client = Client::new(self.setup.client());
        let (addresses, login) = (addresses(self.setup.first), Box::new(login()));
        let connect = client::Command::Connect { addresses, login };
        client.handle(Instant::ZERO, client::Input::Command(connect)).expect("a legal start");
        client
    }

    /// A session at the first server; its login is not looked at.
    fn logged_in(&self) -> (Client, Link) {
        let mut client = self.client();
        let link = LinkId(1);
        let capabilities = handover::tds5::capability::Capabilities::offered(self.setup.able);
        let items = [
            Item::Token(LoginAck::new(LoginStatus::SUCCEED, "", [0; 4]).into()),
            Item::Migration(Message::SessionId(Some(session_id(FIRST_ID)))),
            Item::Token(capabilities.into()),
            Item::Token(Token::from(Done::FINAL)),
            Item::End(PacketType::RESPONSE),
        ];
        let items = items.into_iter().map(|item| client::Input::Item { link, item });
        for input in [client::Input::Opened(link)].into_iter().chain(items) {
            client.handle(Instant::ZERO, input).expect("a legal start");
        }
        while client.poll_output().is_some() {}
        let session = Session { migratable: self.setup.able, session_id: Some(session_id(FIRST_ID)), migrated: false };
        let server = Server::new(self.setup.server(), session);
        let wire = Wire { logged_in: true, login_over: true, ..Wire::default() };
        let site = Some(Site::Server(Shared::new(server)));
        (client, Link { arrived: true, site, wire, ..Link::new(1, Host::A) })
    }

    fn init_state(&self) -> World {
        let (client, link, ghost) = if self.setup.starts_logged_in {
            let (client, link) = self.logged_in();
            (client, link, Ghost { current: 1, id: FIRST_ID, ..Ghost::default() })
        } else {
            let mut client = self.client();
            while client.poll_output().is_some() {}
            (client, Link::new(1, self.setup.first[0]), Ghost::default())
        };
        World {
            client: Shared::new(client),
            clock: Instant::ZERO,
            links: vec![link],
            budget: self.setup.budget,
            ghost,
            refuted: 0,
        }
    }

    /// A world and what an action makes of it; `None` if that is refused.
    fn step(&self, world: &World, action: Action, log: Option<Vec<String>>) -> Option<Step<'_>> {
        let mut duties = Vec::new();
        let mut step = Step { setup: &self.setup, seen: &self.seen, w: world.clone(), log };
        if let Action::Fire(_) = action {
            world.duties(&mut duties);
            if duties.is_empty() {
                // Nothing else is left to do: a timer has to help, and that only where another one was early.
                step.check(Property::M14, world.ghost.early);
            } else {
                step.w.budget.timers -= 1;
                step.w.ghost.early = true;
            }
            duties.clear();
        }
        let done = step.take(action);
        if !done {
            // Nothing has changed, by the contract.
            let same = World { refuted: world.refuted, ..step.w.clone() } == *world;
            step.check(Property::NoMisuse, same);
            return (step.w.refuted != world.refuted).then_some(step);
        }
        step.w.tidy();
        step.w.duties(&mut duties);
        if duties.is_empty() && step.w.peers().into_iter().all(|peer| step.w.deadline(peer).is_none()) {
            step.at_rest();
        }
        Some(step)
    }
}

impl Model for Migration {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![self.init_state()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        // Behind a counterexample everything may be wrong. (Mutants go on: several of them refute more than one
        // property, in an order that does not matter.)
        if world.refuted != 0 && self.setup.mutant == Mutant::None {
            return;
        }
        let start = actions.len();
        world.duties(actions);
        let idle = actions.len() == start;
        world.whims(&self.setup, idle, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        Some(self.step(world, action, None)?.w)
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        ghost::all()
    }
}

impl Told for Migration {
    fn tell(&self, world: &World, action: Action) -> String {
        let log = self.step(world, action, Some(Vec::new())).and_then(|step| step.log).unwrap_or_default();
        format!("  {}\n  * {action:?}\n    {}\n", world.line(), log.join("\n    "))
    }
}

impl Step<'_> {
    /// Whether it was done, and not refused.
    fn take(&mut self, action: Action) -> bool {
        match action {
            Action::Migrate(id, by) => return self.order(id, Stimulus::Migrate(by)),
            Action::Cancel(id, by) => return self.order(id, Stimulus::Cancel(by)),
            Action::Attention => {
                if self.feed(Peer::Client, Stimulus::Attention).is_err() {
                    return false;
                }
                self.w.budget.attentions -= 1;
            }
            Action::Enter(id) => {
                let attempt = self.w.app(id).ready;
                self.give(Peer::Server(id), Stimulus::Enter(attempt));
                if let Some(link) = self.w.link_mut(id) {
                    (link.app.ready, link.app.handler) = (0, attempt);
                }
            }
            Action::Leave(id) => {
                self.give(Peer::Server(id), Stimulus::Leave);
                self.w.link_mut(id).into_iter().for_each(|link| link.app.handler = 0);
            }
            Action::Row(id) => {
                self.w.budget.rows -= 1;
                let number = self.w.ghost.rows_sent + 1;
                self.give(Peer::Server(id), Stimulus::Row(number));
            }
            Action::Done(id) => {
                let [command, next] = self.w.app(id).owed;
                self.give(Peer::Server(id), Stimulus::Done(command));
                self.w.link_mut(id).into_iter().for_each(|link| link.app.owed = [next, 0]);
            }
            Action::Accept(id) => {
                let host = self.w.link(id).map_or(Host::Dead, |link| link.host);
                let given = self.setup.gives(host);
                self.w.link_mut(id).into_iter().for_each(|link| link.app.login = false);
                self.give(Peer::Server(id), Stimulus::Accept(given));
            }
            Action::Deny(id) => {
                self.w.budget.denials -= 1;
                self.w.link_mut(id).into_iter().for_each(|link| link.app.login = false);
                self.give(Peer::Server(id), Stimulus::Deny);
            }
            Action::Quit(id) => {
                self.w.budget.quits -= 1;
                self.give(Peer::Server(id), Stimulus::Quit);
            }
            Action::Piece => self.piece(),
            Action::Logout => {
                self.w.budget.logouts -= 1;
                self.w.ghost.leaving = true;
                self.give(Peer::Client, Stimulus::Logout);
            }
            Action::Arrive(id) => self.arrive(id),
            Action::Refuse(id) => {
                if self.w.link(id).is_some_and(|link| link.host != Host::Dead) {
                    self.w.budget.refusals -= 1;
                }
                self.w.links.retain(|link| link.id != id);
                self.give(Peer::Client, Stimulus::OpenFailed(id));
            }
            Action::Deliver(id, end) => self.deliver(id, end),
            Action::Lose(id) => {
                self.w.budget.losses -= 1;
                self.w.link_mut(id).into_iter().for_each(Link::lose);
            }
            Action::Fire(peer) => self.give(peer, Stimulus::Timeout),
        }
        true
    }

    /// An order to migrate, or to take that back. A target becomes a server first.
    fn order(&mut self, id: u8, order: Stimulus) -> bool {
        let peer = Peer::Server(id);
        let turns = self.w.link(id).is_some_and(|link| link.target().is_some());
        if turns && matches!(order, Stimulus::Migrate(_)) {
            self.turn(peer);
        } else if turns {
            return false;
        }
        if self.feed(peer, order).is_err() {
            return false;
        }
        let budget = &mut self.w.budget;
        let left = if matches!(order, Stimulus::Migrate(_)) { &mut budget.requests } else { &mut budget.cancels };
        *left -= 1;
        let holds = self.setup.mutant != Mutant::NotHeld;
        self.w.link_mut(id).into_iter().for_each(|link| {
            link.app.take_back();
            link.app.held &= holds;
        });
        true
    }

    fn piece(&mut self) {
        let ghost = &mut self.w.ghost;
        let end = ghost.composing || !self.setup.split;
        if !ghost.composing {
            self.w.budget.commands -= 1;
        }
        ghost.pieces += 1;
        ghost.commands += u8::from(end);
        ghost.composing = !end;
        let number = ghost.pieces;
        self.give(Peer::Client, Stimulus::Piece(number, end));
    }

    fn arrive(&mut self, id: u8) {
        let target = Target::new(self.setup.target(), Instant::ZERO);
        let Some(link) = self.w.link_mut(id) else { return };
        link.arrived = true;
        link.site = Some(Site::Target(Shared::new(target)));
        self.give(Peer::Client, Stimulus::Opened(id));
    }

    /// The next word; unless single words are looked at, a server's message as far as it has come.
    fn deliver(&mut self, id: u8, end: End) {
        loop {
            let Some(link) = self.w.link_mut(id) else { return };
            let client = end == End::Client;
            let queue = if client { &mut link.down } else { &mut link.up };
            if queue.is_empty() {
                return;
            }
            let word = queue.remove(0);
            let more = matches!(word, Word::Ack(_) | Word::Id(_) | Word::Caps(_) | Word::Row(_) | Word::Done(..));
            let goes_on = more && !self.setup.fine && queue.first().is_some_and(|next| *next != Word::Closed);
            let peer = if client { Peer::Client } else { Peer::Server(id) };
            match word {
                Word::Closed if client => {
                    link.forget(true);
                    self.give(peer, Stimulus::Closed(id));
                }
                Word::Closed => {
                    self.give(peer, Stimulus::Closed(id));
                    self.w.link_mut(id).into_iter().for_each(|link| link.forget(false));
                }
                word => self.give(peer, Stimulus::Word(id, word)),
            }
            if !goes_on {
                return;
            }
        }
    }
}
