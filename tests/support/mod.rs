//! What the tests against real peers share: tickets, QEMU, the spice-gtk client, FreeTDS, Berkeley DB.
//!
//! Every call here is blocking and ends: each wait has a deadline, and each
//! process that was started is ended by its process id when its handle drops.
//! All traffic stays on 127.0.0.1.

// Every test program compiles this module for itself, as a private one, and uses its
// own part of it.
#![allow(dead_code, unreachable_pub)]

pub mod gtk;
pub mod libdb;
pub mod qemu;
pub mod ticket;
pub mod tsql;

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs, io, process, thread};

/// How long to sleep between two looks at something that cannot be waited for.
const POLL: Duration = Duration::from_millis(10);

/// Says whether a test may go on with the peer `what`.
///
/// A missing peer skips the test with a line on standard error, so that the crate
/// can be tested anywhere; with `HANDOVER_REQUIRE_PEERS=1` it fails the test, so
/// that a build machine cannot lose these tests unnoticed.
///
/// # Panics
///
/// If the peer is missing and `HANDOVER_REQUIRE_PEERS` is `1`.
pub fn require(peer_available: bool, what: &str) -> bool {
    if !peer_available {
        let required = env::var_os("HANDOVER_REQUIRE_PEERS").is_some_and(|value| value == "1");
        assert!(!required, "{what} is not installed, and HANDOVER_REQUIRE_PEERS=1 asks for it");
        // Not eprintln!: the test runner swallows that when a test passes. In one piece, beside other tests'.
        let _ = io::stderr().write_all(format!("SKIPPED: {what} is not installed\n").as_bytes());
    }
    peer_available
}

/// Is there a program of this name in one of the directories of `PATH`?
pub fn on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// A TCP port of 127.0.0.1 that was free a moment ago.
///
/// One process never gets the same port twice. Others may still take it before it
/// is used: whoever binds it has to be ready to try another one.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        if given.get_or_insert_default().insert(port) {
            return port;
        }
    }
}

/// A process and what it writes to standard error. Dropping it kills the process.
pub struct Process {
    child: Child,
    stderr: Transcript,
}

impl Process {
    /// Starts it, without standard input and output.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let stderr = Transcript::of(child.stderr.take().expect("piped above"));
        Ok(Self { child, stderr })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits for it to end and to have written all it wanted to; `None` if it still
    /// runs after `timeout`.
    pub fn wait_exit(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let status = wait_exit(&mut self.child, timeout)?;
        self.stderr.wait_end(timeout);
        Some(status)
    }

    /// Kills it. Does nothing to a process that has ended.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits for a process to end; `None` if it still runs after `timeout`.
pub fn wait_exit(child: &mut Child, timeout: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(POLL);
    }
}

/// A directory of its own, removed with everything in it on drop.
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes the directory.
    pub fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = env::temp_dir().join(format!("handover-{}-{count}", process::id()));
            match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => return result.map(|()| Self(path)),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The lines a process writes, collected by a thread while others look and wait.
#[derive(Clone, Default)]
pub struct Transcript(Arc<(Mutex<Written>, Condvar)>);

#[derive(Default)]
struct Written {
    lines: Vec<String>,
    ended: bool,
}

impl Transcript {
    /// Starts to collect from `source`, line by line until it ends.
    pub fn of(source: impl Read + Send + 'static) -> Self {
        let transcript = Self::default();
        let writer = transcript.clone();
        thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while matches!(source.read_until(b'\n', &mut line), Ok(1..)) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                writer.locked().lines.push(text);
                writer.0.1.notify_all();
                line.clear();
            }
            writer.locked().ended = true;
            writer.0.1.notify_all();
        });
        transcript
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.locked().lines.clone()
    }

    /// All lines so far, as one text.
    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// Gives each line from number `from` on to `find`, as they come, until it finds
    /// something. `None` at the end of the source or after `timeout`.
    pub fn find_map<T>(
        &self,
        mut from: usize,
        timeout: Duration,
        mut find: impl FnMut(&str) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + timeout;
        loop {
            // `find` runs without the lock, so it may look at the transcript too.
            let (fresh, ended) = {
                let written = self.locked();
                let fresh = written.lines.get(from..).unwrap_or_default().to_vec();
                (fresh, written.ended)
            };
            from += fresh.len();
            if let Some(found) = fresh.iter().find_map(|line| find(line)) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if ended || left.is_zero() {
                return None;
            }
            let idle = |written: &mut Written| !written.ended && written.lines.len() <= from;
            drop(self.0.1.wait_timeout_while(self.locked(), left, idle));
        }
    }

    /// Waits until the source has ended, so that nothing is missing from the
    /// transcript; false after `timeout`.
    pub fn wait_end(&self, timeout: Duration) -> bool {
        let open = |written: &mut Written| !written.ended;
        let waited = self.0.1.wait_timeout_while(self.locked(), timeout, open);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    fn locked(&self) -> MutexGuard<'_, Written> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
