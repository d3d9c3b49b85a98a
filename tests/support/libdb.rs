//! Real sites of Berkeley DB's Replication Manager: the C program `libdb/site.c`, compiled on the spot.
//!
//! A site is told what to do by lines, which are listed at the top of the program, and answers in JSON. What its
//! library returns, by name, is what tests judge by.

use super::{TempDir, Transcript, free_port, on_path, wait_exit};
use serde_json::Value;
use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{env, fs, process};

/// What has to be installed, as Debian names it.
pub const PACKAGE: &str = "libdb5.3-dev (with a C compiler)";

/// The program.
const SOURCE: &str = include_str!("libdb/site.c");

/// For one thing to happen: ample, machines that run tests are busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often to try other ports when somebody else was quicker.
const PORT_ATTEMPTS: u32 = 5;

/// Are the library's header and a C compiler here?
pub fn is_installed() -> bool {
    on_path("cc") && run(Command::new("cc").args(["-E", "-include", "db.h", "-x", "c", "/dev/null"])).is_ok()
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    output.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The program, compiled once by each process.
fn program() -> Result<&'static Path, String> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let failed = |error: std::io::Error| error.to_string();
        // An example has no such directory, and takes the one that it is in itself.
        let own = env::current_exe().map_err(failed)?;
        let own = own.parent().ok_or("the root is no program")?;
        let directory = option_env!("CARGO_TARGET_TMPDIR").map_or(own, Path::new);
        fs::create_dir_all(directory).map_err(failed)?;
        let (source, program) = (directory.join("site.c"), directory.join("libdb-site"));
        let fresh = |path: &Path| path.with_extension(process::id().to_string());
        // Several processes may do this at once: each thing appears when it is complete.
        fs::write(fresh(&source), SOURCE).and_then(|()| fs::rename(fresh(&source), &source)).map_err(failed)?;
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-Wall", "-Wextra", "-o"]).arg(fresh(&program)).arg(&source);
        run(compiler.args(["-ldb-5.3", "-lpthread"]))?;
        fs::rename(fresh(&program), &program).map_err(failed)?;
        Ok(program)
    });
    program.as_deref().map_err(Clone::clone)
}

/// What a site is when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The first of its group.
    Master,
    /// Joins the group of the site at this port.
    Client(u16),
}

/// How to start a site.
#[derive(Clone, Debug)]
pub struct SiteOptions {
    pub role: Role,
    /// All threads for messages; one of them is for replication alone.
    pub threads: u32,
    /// Between heartbeats; a master that is silent for five times as long is deposed. Zero: never.
    pub heartbeat: Duration,
    /// Is there a dispatch function from the start?
    pub dispatch: bool,
}

impl SiteOptions {
    pub fn new(role: Role) -> Self {
        Self { role, threads: 4, heartbeat: Duration::ZERO, dispatch: true }
    }
}

/// A running site. Dropping it kills the process and removes its files.
pub struct Site {
    child: Child,
    stdin: ChildStdin,
    stdout: Transcript,
    stderr: Transcript,
    port: u16,
    last_id: u64,
    /// The numbers of the lines that waits have returned.
    taken: HashSet<usize>,
    _home: TempDir,
}

/// What a site says to a command.
#[derive(Clone, Debug)]
pub struct Answer(Value);

/// A command that was not answered yet.
#[derive(Debug)]
#[must_use]
pub struct Pending {
    id: u64,
    from: usize,
    line: String,
}

impl Site {
    /// Starts a site on a free port of 127.0.0.1 and waits until it takes connections; a client, until it is one.
    pub fn start(options: &SiteOptions) -> Result<Self, String> {
        let mut attempt = 1;
        loop {
            match Self::start_at(free_port(), options) {
                Err(error) if attempt < PORT_ATTEMPTS && error.contains("Address already in use") => attempt += 1,
                result => return result,
            }
        }
    }

    fn start_at(port: u16, options: &SiteOptions) -> Result<Self, String> {
        let failed = |error: std::io::Error| error.to_string();
        let home = TempDir::new().map_err(failed)?;
        let mut command = Command::new(program()?);
        command.arg(home.path()).arg(port.to_string());
        match options.role {
            Role::Master => command.arg("master"),
            Role::Client(helper) => command.args(["client", &format!("helper={helper}")]),
        };
        command.arg(format!("threads={}", options.threads));
        command.arg(format!("heartbeat={}", options.heartbeat.as_micros()));
        command.arg(if options.dispatch { "dispatch=on" } else { "dispatch=off" });
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let stdin = child.stdin.take().expect("piped above");
        let stdout = Transcript::of(child.stdout.take().expect("piped above"));
        let stderr = Transcript::of(child.stderr.take().expect("piped above"));
        let mut site = Self { child, stdin, stdout, stderr, port, last_id: 0, taken: HashSet::new(), _home: home };
        let started = site.wait_event("started")?;
        if Answer(started).name() != "OK" {
            wait_exit(&mut site.child, PATIENCE);
            site.stderr.wait_end(PATIENCE);
            return Err(site.what("it does not start"));
        }
        if options.role != Role::Master {
            site.wait_event("STARTUPDONE")?;
        }
        Ok(site)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Gives a command and waits for what the site says to it.
    pub fn call(&mut self, command: &str) -> Result<Answer, String> {
        let pending = self.begin(command)?;
        self.finish(pending)
    }

    /// Gives a command, to be finished with [`finish`](Self::finish).
    pub fn begin(&mut self, command: &str) -> Result<Pending, String> {
        self.last_id += 1;
        let id = self.last_id;
        let pending = Pending { id, from: self.stdout.lines().len(), line: command.chars().take(80).collect() };
        let written = writeln!(self.stdin, "{id} {command}").and_then(|()| self.stdin.flush());
        written.map_err(|error| self.what(&format!("{command}: {error}")))?;
        Ok(pending)
    }

    /// Waits for what the site says to a command.
    pub fn finish(&self, pending: Pending) -> Result<Answer, String> {
        let Pending { id, from, line } = pending;
        let answer = self.stdout.find_map(from, PATIENCE, |line| parse(line).filter(|value| value["id"] == id));
        answer.map(Answer).ok_or_else(|| self.what(&format!("no answer to {line}")))
    }

    /// Waits for an event. Each event is returned by one wait only, so a second wait for the same name waits for it to
    /// happen again.
    pub fn wait_event(&mut self, name: &str) -> Result<Value, String> {
        let mut number = 0;
        let (taken, mut place) = (&self.taken, 0);
        let event = self.stdout.find_map(0, PATIENCE, |line| {
            (place, number) = (number, number + 1);
            parse(line).filter(|value| value["event"] == name && !taken.contains(&place))
        });
        let event = event.ok_or_else(|| self.what(&format!("no event {name}")))?;
        self.taken.insert(place);
        Ok(event)
    }

    /// All events of a name so far, also those a wait has returned. What it has said before now is among them.
    pub fn events(&mut self, name: &str) -> Result<Vec<Value>, String> {
        // Its answer comes behind them.
        self.call("received a")?;
        Ok(self.events_read(name))
    }

    fn events_read(&self, name: &str) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines.iter().filter_map(|line| parse(line)).filter(|value| value["event"] == name).collect()
    }

    /// Waits for the next message that its dispatch function is given.
    pub fn wait_dispatch(&mut self) -> Result<Answer, String> {
        self.wait_event("dispatch").map(Answer)
    }

    /// Waits until the dispatch function has sent something, and says what its library said to each attempt.
    pub fn wait_answered(&mut self) -> Result<Vec<String>, String> {
        let event = self.wait_event("answered")?;
        let codes = event["codes"].as_array().cloned().unwrap_or_default();
        Ok(codes.into_iter().map(|code| Answer(code).name().to_owned()).collect())
    }

    /// Waits until so many different numbered messages have come.
    pub fn wait_numbered(&mut self, letter: char, count: u64) -> Result<Answer, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let received = self.call(&format!("received {letter}"))?;
            if received.number("fresh") >= count {
                return Ok(received);
            }
            if Instant::now() >= deadline {
                return Err(self.what(&format!("{received:?} instead of {count}")));
            }
            std::thread::sleep(super::POLL);
        }
    }

    /// Stops the process where it is: it keeps its connections and reads nothing.
    pub fn freeze(&self) -> Result<(), String> {
        self.signal("STOP")?;
        // The signal is on its way, and a thread on another processor may run on for a moment.
        let deadline = Instant::now() + PATIENCE;
        while !self.has_stopped() {
            if Instant::now() >= deadline {
                return Err(self.what("it does not stop"));
            }
            std::thread::sleep(super::POLL);
        }
        Ok(())
    }

    /// Have all of its threads stopped? Where this cannot be seen, it is taken for granted.
    fn has_stopped(&self) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        // A thread that has ended meanwhile has no state.
        let mut states = threads.filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
        // The state stands behind the name, which is in parentheses.
        states.all(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')))
    }

    /// Lets it go on.
    pub fn thaw(&self) -> Result<(), String> {
        self.signal("CONT")
    }

    fn signal(&self, name: &str) -> Result<(), String> {
        run(Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]))
    }

    /// Leaves the group as a site should: its environment is closed, which fails if it has panicked before.
    pub fn quit(mut self) -> Result<(), String> {
        let answer = self.call("quit")?;
        let status = wait_exit(&mut self.child, PATIENCE).ok_or_else(|| self.what("it does not end"))?;
        self.stdout.wait_end(PATIENCE);
        if answer.name() != "OK" || !status.success() || !self.events_read("PANIC").is_empty() {
            return Err(self.what(&format!("{answer:?}, {status}")));
        }
        Ok(())
    }

    /// What the library has said of itself.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    fn what(&self, problem: &str) -> String {
        format!("site {}: {problem}\n{}\n{}", self.port, self.stdout.text(), self.stderr.text())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parse(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok()
}

impl Answer {
    /// The name of the return code.
    pub fn name(&self) -> &str {
        self.0["name"].as_str().unwrap_or("none")
    }

    /// A number in it; 0 if it is not there.
    pub fn number(&self, what: &str) -> u64 {
        self.0[what].as_u64().unwrap_or(0)
    }

    /// Something in it that is either so or not.
    pub fn is(&self, what: &str) -> bool {
        self.0[what] == true
    }

    /// Whether what came are these segments, to the last byte.
    pub fn carries<S: AsRef<[u8]>>(&self, segments: impl IntoIterator<Item = S>) -> bool {
        let (mut count, mut digest) = (0, 0xcbf2_9ce4_8422_2325_u64);
        for segment in segments {
            let segment = segment.as_ref();
            let size = u32::try_from(segment.len()).expect("no test sends 4 GiB").to_be_bytes();
            for byte in size.iter().chain(segment) {
                digest = (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
            count += 1;
        }
        self.number("segments") == count && self.0["digest"] == format!("{digest:016x}")
    }
}

/// The bytes of a segment that is given to a site by its size.
pub fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 7 + (i >> 8)).to_le_bytes()[0]).collect()
}
