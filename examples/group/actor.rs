//! A process that was started from here, and what it says.

use serde_json::Value;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process of this program. It is killed with who has started it.
pub struct Actor {
    pub name: String,
    child: Child,
    input: ChildStdin,
    lines: Receiver<Value>,
    /// What was said, and was not what was waited for.
    passed: Vec<Value>,
}

impl Drop for Actor {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Actor {
    /// Starts this program once more, with these arguments.
    pub fn start(program: &Path, name: impl Into<String>, arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().ok_or("no standard input")?;
        let output = child.stdout.take().ok_or("no standard output")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            let mut values = lines.filter_map(|line| serde_json::from_str(&line).ok());
            while values.next().is_some_and(|value| sender.send(value).is_ok()) {}
        });
        Ok(Self { name: name.into(), child, input, lines, passed: Vec::new() })
    }

    pub fn order(&mut self, line: &str) -> Result<(), Box<dyn Error>> {
        writeln!(self.input, "{line}")?;
        Ok(self.input.flush()?)
    }

    /// The next thing of this kind that it says.
    pub fn wait(&mut self, event: &str) -> Result<Value, Box<dyn Error>> {
        self.wait_for(event, |_| true)
    }

    /// The next thing of this kind that it says and that is as wanted.
    pub fn wait_for(&mut self, event: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value, Box<dyn Error>> {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let value = self.lines.recv_timeout(left).map_err(|_| {
                format!("{} has not said {event:?}, but: {}", self.name, Value::from(self.passed.clone()))
            })?;
            if value["event"] == "error" {
                return Err(format!("{}: {}", self.name, value["text"]).into());
            }
            if value["event"] == event && wanted(&value) {
                self.passed.clear();
                return Ok(value);
            }
            self.passed.push(value);
        }
    }

    pub fn kill(self) {
        drop(self);
    }
}
