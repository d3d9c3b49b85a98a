//! A real corosync, and processes that are members of its groups.

use crate::support::{Process, TempDir, Transcript, free_port, on_path, require, wait_exit};
use serde_json::Value;
use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

/// What has to be installed, as Debian names it.
const PACKAGES: &str = "corosync, libcpg-dev (with a C compiler)";

/// The program of a member.
const SOURCE: &str = include_str!("member.c");

/// For one thing to happen: ample, machines that run tests are busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks at something that cannot be waited for.
pub const POLL: Duration = Duration::from_millis(2);

/// Whoever has bound a socket to this name runs corosync; it goes with the process.
const LOCK: &str = "handover-corosync";

/// Runs a small command to its end.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    output.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

fn shell(script: &str) -> Result<(), String> {
    run(Command::new("sh").args(["-c", script]))
}

/// Where Debian has it, whatever `PATH` says.
fn executable() -> Option<PathBuf> {
    let usual = Path::new("/usr/sbin/corosync");
    if on_path("corosync") { Some("corosync".into()) } else { usual.is_file().then(|| usual.into()) }
}

/// Waits until `is` says so.
#[track_caller]
pub fn until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < end, "{what}: it does not come to that");
        thread::sleep(POLL);
    }
}

/// A running corosync, a cluster of its own. Dropping it ends it.
pub struct Corosync {
    process: Process,
    home: TempDir,
    /// Its sockets have names that there can be only once, so there is one at a time on a machine.
    _turn: UnixDatagram,
}

impl Corosync {
    /// Starts it; `None` if it is not installed.
    pub fn start() -> Option<Self> {
        let header = Command::new("cc").args(["-E", "-include", "corosync/cpg.h", "-x", "c", "/dev/null"]).output();
        let is_installed = executable().is_some() && header.is_ok_and(|output| output.status.success());
        require(is_installed, PACKAGES).then(|| {
            let end = Instant::now() + 6 * PATIENCE;
            let turn = loop {
                let name = SocketAddr::from_abstract_name(LOCK).unwrap();
                match UnixDatagram::bind_addr(&name) {
                    Ok(turn) => break turn,
                    Err(error) => assert!(Instant::now() < end, "another test has corosync for too long: {error}"),
                }
                thread::sleep(POLL);
            };
            let home = TempDir::new().unwrap();
            let process = launch(home.path());
            Self { process, home, _turn: turn }
        })
    }

    /// Ends it in good order, and starts another one in its place.
    pub fn restart(&mut self) {
        self.end();
        self.process = launch(self.home.path());
    }

    /// Stops it where it is: what members ask for waits.
    pub fn freeze(&self) {
        freeze(self.process.pid());
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        signal("CONT", self.process.pid());
    }

    pub fn log(&self) -> String {
        self.process.stderr()
    }

    pub fn end(&mut self) {
        // Killed, it would leave its shared memory behind.
        let _ = shell(&format!("kill -CONT {0}; kill -TERM {0}", self.process.pid()));
        self.process.wait_exit(PATIENCE);
    }
}

impl Drop for Corosync {
    fn drop(&mut self) {
        self.end();
    }
}

/// Starts it in the foreground and waits until it is ready.
fn launch(home: &Path) -> Process {
    let state = home.join("state");
    fs::create_dir_all(&state).unwrap();
    let settings = format!(
        "totem {{\n version: 2\n cluster_name: handover\n transport: udpu\n interface {{\n linknumber: 0\n mcastport: {}\n }}\n}}\n\
         nodelist {{\n node {{\n ring0_addr: 127.0.0.1\n nodeid: 1\n }}\n}}\n\
         logging {{\n to_stderr: yes\n to_syslog: no\n to_logfile: yes\n logfile: {}\n blackbox: off\n}}\n\
         system {{\n sched_rr: no\n state_dir: {}\n}}\n",
        free_port(),
        home.join("corosync.log").display(),
        state.display(),
    );
    let file = home.join("corosync.conf");
    fs::write(&file, settings).unwrap();
    // The name of its lock file, /run/corosync.pid, is fixed: where namespaces may be made it gets a /run of its own, and
    // needs no privilege. It dies with the thread that has started it, should that be killed itself.
    let own_run = ["--user", "--map-root-user", "--mount"];
    let may = run(Command::new("unshare").args(own_run).args(["mount", "-t", "tmpfs", "none", "/run"])).is_ok();
    let start = "exec setpriv --pdeathsig KILL \"$0\" -f -c \"$1\"";
    let mut command = Command::new(if may { "unshare" } else { "sh" });
    match may {
        true => command.args(own_run).args(["sh", "-c", &format!("mount -t tmpfs none /run && {start}")]),
        false => command.args(["-c", start]),
    };
    let process = Process::spawn(command.arg(executable().unwrap()).arg(&file)).unwrap();
    let end = Instant::now() + PATIENCE;
    while !process.stderr().contains("ready to provide service") {
        assert!(Instant::now() < end, "corosync does not start:\n{}", process.stderr());
        thread::sleep(POLL);
    }
    process
}

fn signal(name: &str, pid: u32) {
    shell(&format!("kill -{name} {pid}")).unwrap();
}

/// Stops a process, and waits until all of its threads have stopped.
fn freeze(pid: u32) {
    signal("STOP", pid);
    until("stopped", || {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
        let mut states = threads.filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
        // The state stands behind the name, which is in parentheses.
        states.all(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')))
    });
}

/// The program of a member, compiled once.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (source, program) = (directory.join("member.c"), directory.join("corosync-member"));
        let fresh = |path: &Path| path.with_extension(process::id().to_string());
        let rename = |path: &Path| fs::rename(fresh(path), path).unwrap();
        // Several processes may do this at once: each thing appears when it is complete.
        fs::write(fresh(&source), SOURCE).unwrap();
        rename(&source);
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-Wall", "-Wextra", "-Werror", "-o"]).arg(fresh(&program)).arg(&source).arg("-lcpg");
        run(&mut compiler).unwrap();
        rename(&program);
        program
    })
}

/// A process with connections to corosync. Dropping it kills it.
pub struct Member {
    child: Child,
    stdin: ChildStdin,
    stdout: Transcript,
    last_id: u32,
}

/// A command that was given, and not yet answered.
#[must_use]
pub struct Pending(u32);

impl Member {
    /// Starts it, with connection 0.
    pub fn start() -> Self {
        let mut command = Command::new(program());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = Transcript::of(child.stdout.take().unwrap());
        let mut member = Self { child, stdin, stdout, last_id: 0 };
        member.must("open 0");
        member
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Gives a command, and waits for the name of the code that the library returns.
    pub fn call(&mut self, command: &str) -> String {
        let pending = self.begin(command);
        self.finish(&pending)
    }

    /// A command that must succeed.
    #[track_caller]
    pub fn must(&mut self, command: &str) {
        let code = self.call(command);
        assert_eq!(code, "CS_OK", "{command}\n{}", self.stdout.text());
    }

    /// Gives a command.
    pub fn begin(&mut self, command: &str) -> Pending {
        self.last_id += 1;
        writeln!(self.stdin, "{} {command}", self.last_id).unwrap();
        Pending(self.last_id)
    }

    #[track_caller]
    pub fn finish(&self, pending: &Pending) -> String {
        let code = self.stdout.find_map(0, PATIENCE, |line| {
            let value = parse(line);
            (value["id"] == pending.0).then(|| value["code"].as_str().map(str::to_owned)).flatten()
        });
        code.unwrap_or_else(|| panic!("command {} was not answered:\n{}", pending.0, self.stdout.text()))
    }

    /// What its callbacks were given, in order.
    pub fn events(&self) -> Vec<Value> {
        self.stdout.lines().iter().map(|line| parse(line)).filter(|value| value["event"].is_string()).collect()
    }

    pub fn freeze(&self) {
        freeze(self.pid());
    }

    pub fn thaw(&self) {
        signal("CONT", self.pid());
    }

    /// Kills it, as a crash does, and waits until it is dead.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.stdout.wait_end(PATIENCE);
    }

    /// Lets it end in good order, without leaving its groups.
    pub fn exit(&mut self) {
        let _ = self.begin("exit");
        assert!(wait_exit(&mut self.child, PATIENCE).is_some_and(|status| status.success()));
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
}
