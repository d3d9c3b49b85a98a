//! What the scenarios of all protocols need: sockets, patience, and waiting.

use super::driver::Wire;
use handover::time::Instant as Moment;
use std::fmt::Debug;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// How long traffic runs before and after each move.
pub const STRETCH: Duration = Duration::from_millis(150);
/// How long any one step may take.
pub const PATIENCE: Duration = Duration::from_secs(15);

pub type Result<T> = std::result::Result<T, String>;

/// A socket on a free port of this machine, and the port.
pub fn bind() -> Result<(TcpListener, u16)> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let port = listener.local_addr().map_err(|error| error.to_string())?.port();
    Ok((listener, port))
}

/// A port of this machine at which nobody listens, for as long as the socket is there: it is that of its own end.
pub fn nobody() -> Result<(TcpStream, u16)> {
    let stream = TcpStream::connect(bind()?.0.local_addr().map_err(|error| error.to_string())?);
    let stream = stream.map_err(|error| error.to_string())?;
    let port = stream.local_addr().map_err(|error| error.to_string())?.port();
    Ok((stream, port))
}

/// Waits for a note that `is` accepts.
pub fn wait<N>(notes: &Receiver<N>, who: &str, what: impl Debug, is: impl Fn(&N) -> bool) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while let Ok(note) = notes.recv_timeout(end.saturating_duration_since(Instant::now())) {
        if is(&note) {
            return Ok(());
        }
    }
    Err(format!("{who}: {what:?} did not come"))
}

/// Asks a party something.
pub fn ask<C, T>(wires: &Sender<Wire<C>>, who: &str, question: impl FnOnce(Sender<T>) -> C) -> Result<T> {
    let (reply, answer) = channel();
    // A party that is gone shows in the answer that does not come.
    let _ = wires.send(Wire::Command(question(reply)));
    answer.recv_timeout(PATIENCE).map_err(|_| format!("{who} does not answer"))
}

/// The longest time in which nothing came.
#[derive(Debug, Default)]
pub struct Silence {
    last: Option<Moment>,
    longest: Duration,
}

impl Silence {
    /// Something has come.
    pub fn broken(&mut self, now: Moment) {
        if let Some(last) = self.last.replace(now) {
            self.longest = self.longest.max(now.saturating_duration_since(last));
        }
    }

    /// In microseconds, since the last call.
    pub fn take(&mut self) -> u128 {
        std::mem::take(self).longest.as_micros()
    }
}
