//! The order in which the original client asks servers (spec/deferral.md 6.4).

use super::directive::RedirectKind;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;

/// A server as the original client knows it.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Server {
    /// Its URL in the spelling in which it was named.
    pub url: Bytes,
    /// Which server it is: two names of the same one have the same key. The original takes the host's address, the port
    /// and the rest of the URL; whoever looks names up makes the key.
    pub key: Bytes,
}

impl Server {
    /// A server that is known by its URL alone.
    #[must_use]
    pub fn new(url: impl Into<Bytes>) -> Self {
        let url = url.into();
        Self { key: url.clone(), url }
    }
}

impl core::fmt::Debug for Server {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&alloc::string::String::from_utf8_lossy(&self.url))
    }
}

/// What the client does next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// It asks a server, for [`Walk::path`] and with [`Walk::allow_redirect`].
    Ask(Server),
    /// Nobody could or would.
    Failed {
        /// Those that declined, the last one first.
        declined: Vec<Server>,
        /// Those that did not answer, the last one first.
        dead: Vec<Server>,
    },
}

/// A list of which the front is next, and in which nothing stands twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct List(VecDeque<Server>);

impl List {
    fn has(&self, server: &Server) -> bool {
        self.0.iter().any(|known| known.key == server.key)
    }

    /// To the front, unless it is there already.
    fn add(&mut self, server: Server) {
        if !self.has(&server) {
            self.0.push_front(server);
        }
    }

    /// Each to the front of `onto`, beginning with the front: what is poured comes out the other way round.
    fn pour(&mut self, mut onto: Self) -> Self {
        core::mem::take(&mut self.0).into_iter().for_each(|server| onto.add(server));
        onto
    }

    fn without(mut self, lists: &[&Self]) -> Self {
        self.0.retain(|server| !lists.iter().any(|list| list.has(server)));
        self
    }

    fn into_vec(self) -> Vec<Server> {
        self.0.into()
    }
}

/// The walk of the original client, with its order and its lists, to be compared with its captured walks. It need not
/// end: servers that always continue keep it going. For a walk that ends, see [`Client`](crate::deferral::client::Client).
///
/// It has one bound that the original lacks: of the servers that it has not met yet it takes up as many as make
/// [`MAX_SERVERS`](Self::MAX_SERVERS) with those that it knows, and passes over the others.
///
/// ```
/// use handover::deferral::text::{RedirectKind, Server, Step, Walk};
///
/// let [a, b, c] = ["http://a/", "http://b/", "http://c/"].map(Server::new);
/// let mut walk = Walk::new(a.clone(), "csf/command/help");
/// assert_eq!(walk.next(), Step::Ask(a.clone()));
/// walk.redirected(RedirectKind::Busy, None, vec![b, c.clone()]);
/// // The last one that was named is asked first.
/// assert_eq!(walk.next(), Step::Ask(c));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Walk {
    path: Bytes,
    allow_redirect: bool,
    to_try: List,
    busy: List,
    lazy: List,
    bad: List,
    dead: List,
    asked: Option<Server>,
}

impl Walk {
    /// Most servers that it knows at a time.
    pub const MAX_SERVERS: usize = 256;

    /// Sets out for a server.
    #[must_use]
    pub fn new(primary: Server, path: impl Into<Bytes>) -> Self {
        let mut to_try = List::default();
        to_try.add(primary);
        Self {
            path: path.into(),
            allow_redirect: true,
            to_try,
            busy: List::default(),
            lazy: List::default(),
            bad: List::default(),
            dead: List::default(),
            asked: None,
        }
    }

    /// What is asked for now.
    #[must_use]
    pub const fn path(&self) -> &Bytes {
        &self.path
    }

    /// Whether the client may be sent on.
    #[must_use]
    pub const fn allow_redirect(&self) -> bool {
        self.allow_redirect
    }

    /// Whom to ask next. A server that was asked and of which nothing is said has done it.
    #[expect(clippy::should_implement_trait, reason = "it is no iterator: what comes depends on what is said between")]
    pub fn next(&mut self) -> Step {
        if self.to_try.0.is_empty() && self.allow_redirect && !(self.busy.0.is_empty() && self.lazy.0.is_empty()) {
            self.allow_redirect = false;
            let busy = core::mem::take(&mut self.busy);
            self.to_try = self.lazy.pour(busy);
        }
        match self.to_try.0.pop_front() {
            Some(server) => {
                self.asked = Some(server.clone());
                Step::Ask(server)
            }
            None => {
                let mut declined = self.bad.clone().into_vec();
                declined.extend(self.busy.clone().into_vec());
                declined.extend(self.lazy.clone().into_vec());
                Step::Failed { declined, dead: self.dead.clone().into_vec() }
            }
        }
    }

    fn known(&self) -> impl Iterator<Item = &List> {
        [&self.to_try, &self.busy, &self.lazy, &self.bad, &self.dead].into_iter()
    }

    /// The server that was asked does not answer, or not with what it should: for good, whatever comes.
    pub fn dead(&mut self) {
        if let Some(server) = self.asked.take() {
            self.dead.add(server);
        }
    }

    /// It sends the client on. `path` is what is to be done next, in a continuation; `servers` stand in the order in
    /// which they are named.
    pub fn redirected(&mut self, kind: RedirectKind, path: Option<Bytes>, servers: Vec<Server>) {
        let Some(asked) = self.asked.take() else { return };
        // The one that was asked is on no list.
        let known: usize = self.known().map(|list| list.0.len()).sum();
        let mut room = Self::MAX_SERVERS.saturating_sub(known).saturating_sub(1);
        let mut named = List::default();
        for server in servers {
            let is_new = server.key != asked.key && !named.has(&server) && !self.known().any(|list| list.has(&server));
            match room.checked_sub(usize::from(is_new)) {
                Some(left) => room = left,
                None => continue,
            }
            named.add(server);
        }
        match kind {
            RedirectKind::Busy | RedirectKind::Continue => self.busy.add(asked),
            RedirectKind::NoService => self.bad.add(asked),
            RedirectKind::ReadOnly => self.lazy.add(asked),
        }
        if kind == RedirectKind::Continue {
            self.allow_redirect = true;
            self.path = path.unwrap_or_default();
            let all = self.bad.pour(named);
            let all = self.busy.pour(all);
            let all = self.lazy.pour(all);
            self.to_try = self.to_try.pour(all).without(&[&self.dead]);
        } else {
            let fresh = named.without(&[&self.lazy, &self.busy, &self.dead, &self.bad]);
            self.to_try = self.to_try.pour(fresh);
        }
    }
}
