//! A real QEMU with a SPICE server, driven over QMP.
//!
//! No disk, no KVM, 64 MiB: it starts in a fraction of a second and a migration
//! takes about as long. That is all the SPICE client migration needs.
//!
//! Errors are texts for a person to read: what was waited for in vain, what QMP
//! refused, or, if QEMU is gone, everything it wrote to standard error.
//!
//! With spice-server 0.15.1 a target crashes (SIGSEGV) now and then if a client with
//! a display channel leaves within milliseconds of a semi-seamless switch. A test
//! that looks at the target afterwards lets its client stay for 100 ms or more.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{POLL, Process, TempDir, free_port, on_path};

const PROGRAM: &str = "qemu-system-x86_64";

/// For QEMU to start: ample, machines that run tests are busy.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// For the answer to one QMP command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(20);

/// For QEMU to end after `quit`.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// How often to try other ports when somebody else was quicker.
const PORT_ATTEMPTS: u32 = 5;

/// What QEMU says then: of the SPICE port, and of the migration port.
const PORT_TAKEN: [&str; 2] = ["binding socket to", "Address already in use"];

/// Where a migrating VM may come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Incoming {
    /// Nowhere: this QEMU runs a VM of its own.
    #[default]
    No,
    /// On a free port, see [`Qemu::incoming_uri`].
    Listen,
    /// Not before QMP `migrate-incoming`. A target for clients alone: it needs no
    /// source and outlives a migration that breaks.
    Defer,
}

/// How to start a [`Qemu`].
#[derive(Clone, Debug)]
pub struct QemuOptions {
    /// The options of `-spice` after `addr` and `port`.
    pub spice: String,
    /// Makes it a migration target.
    pub incoming: Incoming,
    /// More arguments.
    pub args: Vec<String>,
    /// More environment variables.
    pub env: Vec<(String, String)>,
}

impl Default for QemuOptions {
    /// A source without passwords, willing to migrate seamlessly.
    fn default() -> Self {
        Self {
            spice: "disable-ticketing=on,seamless-migration=on".into(),
            incoming: Incoming::No,
            args: Vec::new(),
            env: Vec::new(),
        }
    }
}

/// A running QEMU. Dropping it kills the process and removes its files.
pub struct Qemu {
    name: String,
    process: Process,
    qmp: UnixStream,
    messages: Receiver<Value>,
    last_id: u64,
    /// Events in the order they came, each with "a wait has returned it".
    events: Vec<(Value, bool)>,
    port: u16,
    incoming_port: Option<u16>,
    _files: TempDir,
}

impl Qemu {
    /// Is QEMU installed?
    pub fn available() -> bool {
        on_path(PROGRAM)
    }

    /// Starts QEMU on free ports of 127.0.0.1 and waits until it answers QMP, which
    /// is when all its sockets listen.
    pub fn spawn(name: &str, options: &QemuOptions) -> Result<Self, String> {
        Self::spawn_on(name, options, free_port)
    }

    /// The same, with the ports to try coming from `pick`: one for SPICE and, with
    /// [`Incoming::Listen`], another for the migration.
    pub fn spawn_on(name: &str, options: &QemuOptions, mut pick: impl FnMut() -> u16) -> Result<Self, String> {
        let mut attempt = 1;
        loop {
            let port = pick();
            let incoming = (options.incoming == Incoming::Listen).then(&mut pick);
            match Self::start(name, options, port, incoming) {
                Err(error) if attempt < PORT_ATTEMPTS && PORT_TAKEN.iter().any(|text| error.contains(text)) => {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    fn start(name: &str, options: &QemuOptions, port: u16, incoming_port: Option<u16>) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{PROGRAM}: {error}");
        let files = TempDir::new().map_err(failed)?;
        let socket = files.path().join("qmp");
        let mut command = Command::new(PROGRAM);
        command
            .args(["-machine", "pc,accel=tcg", "-m", "64", "-nodefaults"])
            .args(["-no-user-config", "-display", "none", "-vga", "qxl"])
            .args(["-name", name, "-spice"])
            .arg(format!("addr=127.0.0.1,port={port},{}", options.spice))
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", socket.display()))
            .args(&options.args)
            .envs(options.env.iter().map(|(key, value)| (key, value)));
        if let Some(port) = incoming_port {
            command.arg("-incoming").arg(format!("tcp:127.0.0.1:{port}"));
        } else if options.incoming == Incoming::Defer {
            command.args(["-incoming", "defer"]);
        }
        let mut process = Process::spawn(&mut command).map_err(failed)?;

        let deadline = Instant::now() + START_TIMEOUT;
        let qmp = connect(&socket, &mut process, deadline)?;
        let _ = qmp.set_write_timeout(Some(COMMAND_TIMEOUT));
        let (sender, messages) = channel();
        let lines = BufReader::new(qmp.try_clone().map_err(failed)?).lines();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let message = serde_json::from_str(&line).unwrap_or(Value::Null);
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut qemu = Self {
            name: name.to_owned(),
            process,
            qmp,
            messages,
            last_id: 0,
            events: Vec::new(),
            port,
            incoming_port,
            _files: files,
        };
        while qemu.receive(deadline, "QMP greeting")?.get("QMP").is_none() {}
        qemu.command("qmp_capabilities", json!({}))?;
        Ok(qemu)
    }

    /// The port of the SPICE server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where another QEMU migrates to reach this one, for [`Qemu::migrate`].
    ///
    /// # Panics
    ///
    /// If this one was not started with [`Incoming::Listen`].
    pub fn incoming_uri(&self) -> String {
        let port = self.incoming_port.expect("started with Incoming::Listen");
        format!("tcp:127.0.0.1:{port}")
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        self.process.stderr()
    }

    /// Runs a QMP command and gives what it returned. `arguments` is an object.
    pub fn command(&mut self, name: &str, arguments: Value) -> Result<Value, String> {
        self.last_id += 1;
        let id = self.last_id;
        let mut line = json!({"execute": name, "arguments": arguments, "id": id}).to_string();
        line.push('\n');
        if self.qmp.write_all(line.as_bytes()).is_err() {
            return Err(gone(&mut self.process));
        }
        let deadline = Instant::now() + COMMAND_TIMEOUT;
        loop {
            let mut message = self.receive(deadline, name)?;
            if message["id"] != id {
                continue;
            }
            let Some(error) = message.get("error") else {
                return Ok(message["return"].take());
            };
            return Err(format!("{} refused {name}: {error}", self.name));
        }
    }

    /// Waits for a QMP event. Each event is returned by one wait only, so a second
    /// wait for the same name waits for it to happen again.
    pub fn wait_for_event(&mut self, name: &str, timeout: Duration) -> Result<Value, String> {
        let deadline = Instant::now() + timeout;
        loop {
            let wanted = |(event, taken): &&mut (Value, bool)| !taken && event["event"] == name;
            if let Some((event, taken)) = self.events.iter_mut().find(wanted) {
                *taken = true;
                return Ok(event.clone());
            }
            self.receive(deadline, name)?;
        }
    }

    /// All events so far, also those a wait has returned.
    pub fn events(&mut self) -> Vec<Value> {
        while let Ok(message) = self.messages.try_recv() {
            self.sort_in(&message);
        }
        self.events.iter().map(|(event, _)| event.clone()).collect()
    }

    /// Announces the SPICE server at `port` of 127.0.0.1 to the clients
    /// (`client_migrate_info`). The members of `extra` are added or replace these.
    pub fn migrate_info(&mut self, port: u16, extra: Value) -> Result<Value, String> {
        let mut arguments = json!({"protocol": "spice", "hostname": "127.0.0.1", "port": port});
        if let (Some(all), Value::Object(extra)) = (arguments.as_object_mut(), extra) {
            all.extend(extra);
        }
        self.command("client_migrate_info", arguments)
    }

    /// Starts to migrate the VM; see [`Qemu::wait_migration`].
    pub fn migrate(&mut self, uri: &str) -> Result<Value, String> {
        self.command("migrate", json!({"uri": uri}))
    }

    /// Waits until the migration of the VM is in one of `statuses`, and says which.
    pub fn wait_migration(&mut self, statuses: &[&str], timeout: Duration) -> Result<String, String> {
        let deadline = Instant::now() + timeout;
        loop {
            let info = self.command("query-migrate", json!({}))?;
            let status = info["status"].as_str().unwrap_or("none");
            if statuses.contains(&status) {
                return Ok(status.to_owned());
            }
            if Instant::now() >= deadline {
                let name = &self.name;
                return Err(format!("{name}: migration {status}, not {statuses:?}"));
            }
            thread::sleep(POLL);
        }
    }

    /// What QEMU knows of its SPICE server: `migrated`, the `channels` and more.
    pub fn query_spice(&mut self) -> Result<Value, String> {
        self.command("query-spice", json!({}))
    }

    /// Sets the password clients need. Without one nobody gets in, unless the
    /// server was started with `disable-ticketing=on`.
    pub fn set_password(&mut self, password: &str) -> Result<Value, String> {
        let arguments = json!({"protocol": "spice", "password": password});
        self.command("set_password", arguments)
    }

    /// Ends it: politely at first. Gives the exit status of a QEMU that ended by
    /// itself, `None` if it had to be killed.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        let _ = self.command("quit", json!({}));
        let status = self.process.wait_exit(STOP_TIMEOUT);
        self.process.kill();
        status
    }

    /// Kills it, as a crash of its host would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// The next message; an event is kept as well.
    fn receive(&mut self, deadline: Instant, what: &str) -> Result<Value, String> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.messages.recv_timeout(left) {
            Ok(message) => {
                self.sort_in(&message);
                Ok(message)
            }
            Err(RecvTimeoutError::Timeout) => Err(format!("{}: timeout, {what}", self.name)),
            Err(RecvTimeoutError::Disconnected) => Err(gone(&mut self.process)),
        }
    }

    fn sort_in(&mut self, message: &Value) {
        if message.get("event").is_some() {
            self.events.push((message.clone(), false));
        }
    }
}

/// Connects to the QMP socket, which appears some time after the start.
fn connect(socket: &Path, process: &mut Process, deadline: Instant) -> Result<UnixStream, String> {
    loop {
        if let Ok(stream) = UnixStream::connect(socket) {
            return Ok(stream);
        }
        if process.wait_exit(POLL).is_some() {
            return Err(gone(process));
        }
        if Instant::now() >= deadline {
            return Err(format!("timeout, QMP socket: {}", process.stderr()));
        }
    }
}

/// The error for a QEMU that ended, with all it said.
fn gone(process: &mut Process) -> String {
    let status = process.wait_exit(STOP_TIMEOUT);
    let status = status.map_or("no exit status".into(), |status| status.to_string());
    format!("QEMU is gone, {status}\n{}", process.stderr())
}
