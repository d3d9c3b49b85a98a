//! The real TDS 5.0 client, FreeTDS: as the program a person would use, [`Tsql`], and as the library that programs
//! use, [`DbLibrary`].
//!
//! Both write what they make of each token into a file, which [`Dump`] reads.

use super::{POLL, TempDir, Transcript, on_path, wait_exit};
use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

/// The system's Python.
const PYTHON: &str = "/usr/bin/python3";

/// The program behind [`DbLibrary`]; it lists its commands at its top.
const SCRIPT: &str = include_str!("dblib.py");

/// For one thing to happen: ample, machines that run tests are busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// How to start a client.
#[derive(Clone, Debug)]
pub struct TdsOptions {
    pub user: String,
    pub password: String,
    /// `initial block size`; the client's own choice, 512, if there is none.
    pub packet_size: Option<u32>,
    /// `client charset`.
    pub charset: Option<String>,
    pub application: Option<String>,
    /// `encryption`: whether passwords are sent encrypted, or not at all.
    pub encryption: Option<String>,
    /// `tds version`, 5.0 by default.
    pub version: String,
}

impl Default for TdsOptions {
    fn default() -> Self {
        Self {
            user: "sa".into(),
            password: "secret".into(),
            packet_size: None,
            charset: None,
            application: None,
            encryption: None,
            version: "5.0".into(),
        }
    }
}

impl TdsOptions {
    /// The file in which FreeTDS looks for a server `peer`.
    fn configuration(&self, port: u16) -> String {
        let size = self.packet_size.map(|size| size.to_string());
        let settings = [
            ("host", Some("127.0.0.1")),
            ("port", Some(&port.to_string())),
            ("tds version", Some(&self.version)),
            ("initial block size", size.as_deref()),
            ("client charset", self.charset.as_deref()),
            ("encryption", self.encryption.as_deref()),
        ];
        let lines = settings.iter().filter_map(|(name, value)| Some(format!("\t{name} = {}\n", (*value)?)));
        ["[peer]\n".to_owned()].into_iter().chain(lines).collect()
    }
}

/// A running client: what it is given to do, and where it writes. Dropping it kills the process.
struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Transcript,
    stderr: Transcript,
    directory: TempDir,
}

/// What a client leaves behind.
#[derive(Debug)]
pub struct Finished {
    /// `None` if a signal has ended it.
    pub code: Option<i32>,
    pub stdout: Vec<String>,
    pub stderr: Vec<String>,
    pub dump: Dump,
}

impl Client {
    fn start(command: &mut Command, port: u16, options: &TdsOptions) -> io::Result<Self> {
        let directory = TempDir::new()?;
        let configuration = directory.path().join("freetds.conf");
        fs::write(&configuration, options.configuration(port))?;
        command.env("FREETDSCONF", configuration).env("TDSDUMP", directory.path().join("dump"));
        command.env_remove("TDSVER").env("LC_ALL", "C.UTF-8").env("HOME", directory.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let stdout = Transcript::of(child.stdout.take().expect("piped above"));
        let stderr = Transcript::of(child.stderr.take().expect("piped above"));
        Ok(Self { child, stdin, stdout, stderr, directory })
    }

    /// A client that has ended shows in what it leaves behind.
    fn type_in(&mut self, lines: &str) {
        let _ = self.stdin.as_mut().map(|stdin| stdin.write_all(lines.as_bytes()).and_then(|()| stdin.flush()));
    }

    fn dump(&self) -> Dump {
        let bytes = fs::read(self.directory.path().join("dump")).unwrap_or_default();
        Dump(String::from_utf8_lossy(&bytes).into_owned())
    }

    #[track_caller]
    fn finish(mut self) -> Finished {
        self.stdin = None;
        let Some(status) = wait_exit(&mut self.child, PATIENCE) else {
            panic!("the client still runs\n{}\n{}\n{:?}", self.stdout.text(), self.stderr.text(), self.dump());
        };
        assert!(self.stdout.wait_end(PATIENCE) && self.stderr.wait_end(PATIENCE), "its output does not end");
        let (stdout, stderr) = (self.stdout.lines(), self.stderr.lines());
        Finished { code: status.code(), stdout, stderr, dump: self.dump() }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running `tsql`. Columns are separated by `|`.
pub struct Tsql(Client);

impl Tsql {
    /// Is it installed?
    pub fn available() -> bool {
        on_path("tsql")
    }

    /// Starts a client of the server at `port`.
    pub fn start(port: u16, options: &TdsOptions) -> io::Result<Self> {
        let mut command = Command::new("tsql");
        command.args(["-S", "peer", "-t", "|", "-U", &options.user, "-P", &options.password]);
        if let Some(name) = &options.application {
            command.args(["-a", name]);
        }
        Client::start(&mut command, port, options).map(Self)
    }

    /// Types a batch and sends it off.
    pub fn batch(&mut self, sql: &str) {
        self.0.type_in(&format!("{sql}\ngo\n"));
    }

    /// Waits until it has written this down.
    #[track_caller]
    pub fn wait_dump(&self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.0.dump().contains(text) {
            assert!(Instant::now() < end, "{text:?} did not come\n{:?}", self.0.dump());
            thread::sleep(POLL);
        }
    }

    /// Kills it, as a crash would.
    pub fn kill(self) {
        drop(self);
    }

    /// Waits for it to end, at the end of its input if not before. What it prints for the person at the keyboard is
    /// left out.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        self.0.type_in("exit\n");
        let mut finished = self.0.finish();
        finished.stdout = finished.stdout.iter().map(|line| without_prompts(line).to_owned()).collect();
        let greetings = ["locale is ", "locale charset is ", "using default charset "];
        finished.stdout.retain(|line| !line.is_empty() && !greetings.iter().any(|start| line.starts_with(start)));
        finished.stderr.retain(|line| !line.is_empty());
        finished
    }
}

/// A line behind all `1> ` and `2> `.
fn without_prompts(line: &str) -> &str {
    let mut rest = line;
    while let Some((number, behind)) = rest.split_once('>')
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        rest = behind.trim_start();
    }
    rest
}

/// A running program that uses FreeTDS' DB-Library. It does what `tsql` never does: it cancels, and calls procedures.
pub struct DbLibrary(Client);

impl DbLibrary {
    /// Are Python and the library installed?
    pub fn available() -> bool {
        static AVAILABLE: OnceLock<bool> = OnceLock::new();
        *AVAILABLE.get_or_init(|| {
            let load = "import ctypes; ctypes.CDLL('libsybdb.so.5')";
            let python = Command::new(PYTHON).args(["-c", load]).stderr(Stdio::null()).status();
            python.is_ok_and(|status| status.success())
        })
    }

    /// Starts a client of the server at `port`.
    pub fn start(port: u16, options: &TdsOptions) -> io::Result<Self> {
        let mut command = Command::new(PYTHON);
        command.args(["-u", "-c", SCRIPT, "peer", &options.user, &options.password]);
        Client::start(&mut command, port, options).map(Self)
    }

    /// Gives it something to do, see the top of `dblib.py`.
    pub fn tell(&mut self, line: &str) {
        self.0.type_in(&format!("{line}\n"));
    }

    /// Waits until it has printed this line.
    #[track_caller]
    pub fn wait(&self, line: &str) {
        let found = self.0.stdout.find_map(0, PATIENCE, |printed| (printed == line).then_some(()));
        assert!(found.is_some(), "{line:?} did not come\n{}\n{:?}", self.0.stdout.text(), self.0.dump());
    }

    /// Waits for it to end, at the end of its input if not before.
    #[track_caller]
    pub fn finish(self) -> Finished {
        self.0.finish()
    }
}

/// What FreeTDS writes down of a connection (`TDSDUMP`).
pub struct Dump(String);

impl std::fmt::Debug for Dump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TDSDUMP:\n")?;
        self.0.lines().try_for_each(|line| writeln!(f, "    {line}"))
    }
}

impl Dump {
    /// The numbers of the tokens that it has read, in order.
    pub fn tokens(&self) -> Vec<u8> {
        let marks = ["looking for login token, got  ", "processing result tokens.  marker is  "];
        let mut tokens = Vec::new();
        for line in self.0.lines() {
            let number = marks.iter().find_map(|mark| line.split_once(mark)?.1.split_once('('));
            if let Some(number) = number.and_then(|(number, _)| u8::from_str_radix(number, 16).ok()) {
                tokens.push(number);
            } else if line.ends_with("stopping on current token") {
                // It looks at the first row twice.
                tokens.pop();
            }
        }
        tokens
    }

    /// The sizes of packet that it has changed to.
    pub fn packet_sizes(&self) -> Vec<u32> {
        let size = |line: &str| line.split_once("changing block size from ")?.1.split_once(" to ")?.1.parse().ok();
        self.0.lines().filter_map(size).collect()
    }

    pub fn contains(&self, text: &str) -> bool {
        self.0.contains(text)
    }

    /// Lines that speak of trouble: what FreeTDS calls an error, and a connection that it gives up.
    pub fn troubles(&self) -> Vec<&str> {
        let is_trouble = |line: &&str| {
            let error = line.contains(": tdserror(") || line.contains("tdserror(0x");
            let given_up = line.ends_with(" to DEAD") && !line.ends_with("IDLE to DEAD");
            // It says the one about PENDING after every command.
            let logic = line.contains("logic error") && !line.ends_with("from IDLE to PENDING");
            error || given_up || logic
        };
        self.0.lines().filter(is_trouble).collect()
    }
}

impl Finished {
    /// It has ended well, and has met with no trouble.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.code == Some(0) && self.dump.troubles().is_empty(), "{:?}\n{self:?}", self.dump.troubles());
    }
}
