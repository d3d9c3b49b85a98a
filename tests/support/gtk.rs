//! The real SPICE client, spice-gtk: without a screen ([`GtkClient`]) and as the
//! program a person would use ([`Spicy`]).

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use serde_json::Value;

use super::{POLL, Process, TempDir, Transcript, on_path, wait_exit};

/// The system's Python: the bindings to spice-gtk are installed for that one.
const PYTHON: &str = "/usr/bin/python3";

/// The program behind [`GtkClient`]; it lists the events at its top.
const SCRIPT: &str = include_str!("spice_gtk.py");

/// For Python to find out whether it has the bindings.
const IMPORT_TIMEOUT: Duration = Duration::from_secs(20);

/// For a process to end after it was asked to.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// How to start a [`GtkClient`].
#[derive(Clone, Debug, Default)]
pub struct GtkOptions {
    /// The ticket, if the server wants one.
    pub password: Option<String>,
    /// Connect the main channel and no other. For servers that list no other: the
    /// real client does not survive a migration with a listed channel unconnected.
    pub main_only: bool,
    /// Let spice-gtk log what it does, to [`GtkClient::stderr`].
    pub debug: bool,
    /// More environment variables.
    pub env: Vec<(String, String)>,
}

/// A running spice-gtk session. Dropping it kills the process.
pub struct GtkClient {
    group: Group,
    stdout: Transcript,
    stderr: Transcript,
}

impl GtkClient {
    /// Are Python and its bindings to spice-gtk installed?
    pub fn available() -> bool {
        static AVAILABLE: OnceLock<bool> = OnceLock::new();
        *AVAILABLE.get_or_init(|| {
            let import = "import gi; gi.require_version('SpiceClientGLib', '2.0'); \
                          from gi.repository import SpiceClientGLib";
            let python = Process::spawn(Command::new(PYTHON).args(["-c", import]));
            python.ok().and_then(|mut python| python.wait_exit(IMPORT_TIMEOUT)).is_some_and(|status| status.success())
        })
    }

    /// Starts a client for the server at `host` and `port`.
    pub fn start(host: &str, port: u16, options: &GtkOptions) -> io::Result<Self> {
        let mut command = Command::new(PYTHON);
        command
            .args(["-u", "-c", SCRIPT, host])
            .arg(port.to_string())
            .envs(options.env.iter().map(|(key, value)| (key, value)));
        if let Some(password) = &options.password {
            // In one word, so that a password may start with a dash.
            command.arg(format!("--password={password}"));
        }
        if options.main_only {
            command.arg("--main-only");
        }
        if options.debug {
            command.env("SPICE_DEBUG", "1").env("G_MESSAGES_DEBUG", "all");
        }
        let (group, stdout, stderr) = Group::start(&mut command)?;
        Ok(Self { group, stdout, stderr })
    }

    /// All events so far, see the top of `spice_gtk.py`.
    pub fn events(&self) -> Vec<Value> {
        self.stdout.lines().iter().filter_map(event).collect()
    }

    /// Waits for an event `wanted` accepts, and gives it. One that came before the
    /// call counts, see [`GtkClient::wait_after`].
    ///
    /// `None` after `timeout`, or when the client has ended without it.
    pub fn wait(&self, wanted: impl FnMut(&Value) -> bool, timeout: Duration) -> Option<Value> {
        self.wait_after(0, wanted, timeout)
    }

    /// A point in time for [`GtkClient::wait_after`].
    pub fn mark(&self) -> usize {
        self.stdout.lines().len()
    }

    /// The same as [`GtkClient::wait`], for events after `mark` only.
    pub fn wait_after(&self, mark: usize, mut wanted: impl FnMut(&Value) -> bool, timeout: Duration) -> Option<Value> {
        self.stdout.find_map(mark, timeout, |line| event(line).filter(|event| wanted(event)))
    }

    /// Waits until `count` channels were opened.
    pub fn wait_opened(&self, count: usize, timeout: Duration) -> bool {
        let mut opened = 0;
        let wanted = |event: &Value| {
            opened += usize::from(event["what"] == "opened");
            opened >= count
        };
        count == 0 || self.wait(wanted, timeout).is_some()
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// What GLib calls critical: spice-gtk found itself, or the server, in the wrong.
    pub fn criticals(&self) -> Vec<String> {
        let mut lines = self.stderr.lines();
        lines.retain(|line| line.contains("CRITICAL"));
        lines
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.group.child.id()
    }

    /// Ends it: politely at first. Gives the exit status of a client that ended by
    /// itself, `None` if it had to be killed. Its transcripts are complete then.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        if let Some(mut stdin) = self.group.child.stdin.take() {
            let _ = stdin.write_all(b"quit\n");
        }
        let status = wait_exit(&mut self.group.child, STOP_TIMEOUT);
        self.group.end();
        self.stdout.wait_end(STOP_TIMEOUT);
        self.stderr.wait_end(STOP_TIMEOUT);
        status
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        self.group.kill();
    }
}

/// One line of the script: an object, or something else that got among them.
fn event(line: impl AsRef<str>) -> Option<Value> {
    serde_json::from_str(line.as_ref()).ok().filter(Value::is_object)
}

/// `spicy`, the client of spice-gtk, on a screen of its own (Xvfb). Dropping it ends
/// both. It has nothing to tell: watch the server to see it come.
pub struct Spicy {
    group: Group,
    stdout: Transcript,
    stderr: Transcript,
    _files: TempDir,
}

impl Spicy {
    /// Are `spicy` and `xvfb-run` installed?
    pub fn available() -> bool {
        on_path("spicy") && on_path("xvfb-run")
    }

    /// Starts it for the server at `port` of 127.0.0.1. Without the right password it asks a person for it.
    pub fn start(port: u16, password: Option<&str>) -> io::Result<Self> {
        let files = TempDir::new()?;
        let mut command = Command::new("xvfb-run");
        command
            .args(["-a", "spicy", "-h", "127.0.0.1", "-p"])
            .arg(port.to_string())
            // xvfb-run does not tidy up when it is ended by a signal.
            .env("TMPDIR", files.path());
        if let Some(password) = password {
            command.arg(format!("--password={password}"));
        }
        let (group, stdout, stderr) = Group::start(&mut command)?;
        Ok(Self { group, stdout, stderr, _files: files })
    }

    /// What it wrote so far, standard output first.
    pub fn output(&self) -> String {
        format!("{}\n{}", self.stdout.text(), self.stderr.text())
    }

    /// Waits until it ends by itself, as it does when the session is over.
    pub fn wait_exit(&mut self, timeout: Duration) -> Option<ExitStatus> {
        wait_exit(&mut self.group.child, timeout)
    }

    /// Ends it, and Xvfb with it.
    pub fn stop(&mut self) {
        self.group.end();
    }
}

/// A process group of its own, ended on drop.
struct Group {
    child: Child,
    ended: bool,
}

impl Group {
    /// Starts the leader, with its standard output and error.
    fn start(command: &mut Command) -> io::Result<(Self, Transcript, Transcript)> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn()?;
        let stdout = Transcript::of(child.stdout.take().expect("piped above"));
        let stderr = Transcript::of(child.stderr.take().expect("piped above"));
        Ok((Self { child, ended: false }, stdout, stderr))
    }

    /// Sends a signal to all of the group.
    fn signal(&self, signal: &str) {
        // The standard library signals single processes only, and without a choice.
        let _ = Command::new("sh")
            .args(["-c", "kill -s \"$0\" -- \"-$1\" 2>/dev/null", signal])
            .arg(self.child.id().to_string())
            .stdin(Stdio::null())
            .status();
    }

    /// Does any process of the group still run?
    fn alive(&self) -> bool {
        let group = self.child.id().to_string();
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        processes.into_iter().any(|process| {
            let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
            // After the name, in parentheses: the state, the parent, the group.
            let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
            let fields: Vec<&str> = fields.split_whitespace().take(3).collect();
            fields.first() != Some(&"Z") && fields.get(2) == Some(&group.as_str())
        })
    }

    /// Ends whoever is left: by SIGTERM, so that Xvfb removes its lock; then for good.
    fn end(&mut self) {
        if self.ended {
            return;
        }
        self.signal("TERM");
        let deadline = Instant::now() + STOP_TIMEOUT;
        while self.alive() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        self.kill();
    }

    fn kill(&mut self) {
        // Once only: the number of a group that is gone may be given to another.
        if !std::mem::replace(&mut self.ended, true) {
            self.signal("KILL");
            let _ = self.child.wait();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}
