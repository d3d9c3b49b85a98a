//! A transport connection as two queues of bytes.

use crate::machine::LinkId;
use std::collections::VecDeque;
use std::vec::Vec;

/// One end of a link.
#[derive(Clone, Debug)]
pub(crate) struct End {
    /// Its party's number for the link.
    pub(crate) id: LinkId,
    /// On their way to it.
    pub(crate) bytes: VecDeque<u8>,
    /// It does not read.
    pub(crate) paused: bool,
    /// It has closed the link itself, or has heard that it is closed.
    pub(crate) done: bool,
}

impl End {
    const fn new(id: LinkId) -> Self {
        Self { id, bytes: VecDeque::new(), paused: false, done: false }
    }

    /// The next bytes for it, at most `most`.
    pub(crate) fn take(&mut self, most: usize) -> Vec<u8> {
        let most = most.min(self.bytes.len());
        self.bytes.drain(..most).collect()
    }
}

/// A link between the client and a server.
#[derive(Clone, Debug)]
pub(crate) struct Pipe {
    pub(crate) server: usize,
    pub(crate) tls: bool,
    /// Past the dialling.
    pub(crate) up: bool,
    pub(crate) at_client: End,
    pub(crate) at_server: End,
}

impl Pipe {
    pub(crate) const fn new(client_link: LinkId, server: usize, server_link: LinkId, tls: bool) -> Self {
        Self { server, tls, up: false, at_client: End::new(client_link), at_server: End::new(server_link) }
    }

    pub(crate) const fn end(&mut self, server: bool) -> &mut End {
        if server { &mut self.at_server } else { &mut self.at_client }
    }

    /// Whether this end is to hear that the other one has closed: behind everything that was sent before.
    pub(crate) fn is_closing(&self, server: bool) -> bool {
        let (end, other) = if server { (&self.at_server, &self.at_client) } else { (&self.at_client, &self.at_server) };
        other.done && !end.done && end.bytes.is_empty()
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.at_client.done && self.at_server.done
    }
}
