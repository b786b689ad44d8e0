//! Processes of `mesh-node`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// Longer than a start takes on any machine.
const START_WAIT: Duration = Duration::from_secs(60);

/// Where a node that tests start writes what it logs, in its home.
pub const LOG: &str = "test.log";

/// A folder that goes with its value, unless its test fails.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// An empty folder.
    #[must_use]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("mesh-system-{}-{n}", std::process::id()));
        // A folder of an earlier process with the same number is no use to anyone.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder for a home");
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What the nodes of a failed test logged explains it.
            eprintln!("kept: {}", self.0.display());
            return;
        }
        // A folder that stays behind harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The program under test, as the build left it beside this test's own binary.
fn binary() -> PathBuf {
    let mut path = std::env::current_exe().expect("this test's path");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    let binary = path.join("mesh-node");
    assert!(
        binary.exists(),
        "build it first: cargo build -p mesh-node (no {})",
        binary.display()
    );
    binary
}

/// A command on a home, with nothing of the caller's environment that could reach it.
#[must_use]
pub fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .arg("--home")
        .arg(home)
        .args(arguments)
        .env_remove("MESH_API_PORT")
        .env_remove("MESH_CONSOLE_PORT")
        .env_remove("MESH_LOG")
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end.
#[must_use]
pub fn run(home: &Path, arguments: &[&str]) -> Output {
    finish(&mut command(home, arguments))
}

/// Runs a command to its end. One that goes on instead, as a node does, fails its test.
#[must_use]
pub fn finish(command: &mut Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().expect("the command runs");
    let pid = child.id().to_string();
    let (sender, ended) = mpsc::channel();
    // Nobody waits any more once the deadline is over.
    std::thread::spawn(move || drop(sender.send(child.wait_with_output())));
    if let Ok(output) = ended.recv_timeout(START_WAIT) {
        return output.expect("its output");
    }
    let _ = Command::new("kill").args(["-KILL", &pid]).status();
    panic!("it does not end: {command:?}");
}

/// A command within another one that sets up its surroundings, such as `unshare --net`.
#[must_use]
pub fn within(surroundings: &[&str], inner: &Command) -> Command {
    let mut command = Command::new(surroundings[0]);
    command
        .args(&surroundings[1..])
        .arg(inner.get_program())
        .args(inner.get_args())
        .stdin(Stdio::null());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// What a process prints, as it comes.
#[derive(Debug)]
pub struct Lines(Receiver<String>);

impl Lines {
    /// Of a process whose standard output is a pipe.
    #[must_use]
    pub fn of(child: &mut Child) -> Self {
        let stdout = child.stdout.take().expect("a pipe");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self(lines)
    }

    /// The next line. None in time fails the test.
    #[must_use]
    pub fn wait_for_line(&self) -> String {
        let line = self.0.recv_timeout(START_WAIT);
        line.expect("another line is printed")
    }
}

/// Where the logs of all lives of a home's node go.
fn log(home: &Path) -> fs::File {
    let mut file = fs::File::options();
    file.create(true)
        .append(true)
        .open(home.join(LOG))
        .expect("a log")
}

/// A serving node. Dropping it kills it.
#[derive(Debug)]
pub struct Node {
    child: Child,
    lines: Lines,
    /// Its id, as it printed it.
    pub id: String,
    /// Where its API listens.
    pub api: String,
    /// Where its management API listens.
    pub console: String,
}

impl Node {
    /// Starts `mesh-node serve` on loopback, any ports, and waits until it is ready.
    #[must_use]
    pub fn serve(home: &Path, arguments: &[&str]) -> Self {
        let listen = ["--listen", "127.0.0.1:0"];
        if arguments.contains(&"--listen") {
            return Self::serve_everywhere(home, arguments);
        }
        Self::serve_everywhere(home, &[&listen[..], arguments].concat())
    }

    /// The same, with peers where the node has them by itself: on every interface.
    #[must_use]
    pub fn serve_everywhere(home: &Path, arguments: &[&str]) -> Self {
        let fixed = ["serve", "--api", "127.0.0.1:0", "--console", "127.0.0.1:0"];
        Self::start(home, &mut command(home, &[&fixed[..], arguments].concat()))
    }

    /// The same, of a command that serves this home.
    #[must_use]
    pub fn start(home: &Path, serve: &mut Command) -> Self {
        let mut child = serve
            .stdout(Stdio::piped())
            .stderr(log(home))
            .spawn()
            .expect("mesh-node starts");
        let lines = Lines::of(&mut child);
        let mut node = Self {
            child,
            lines,
            id: String::new(),
            api: String::new(),
            console: String::new(),
        };
        node.read_until_ready();
        node
    }

    fn read_until_ready(&mut self) {
        loop {
            let line = self.lines.wait_for_line();
            if let Some(id) = line.strip_prefix("node ") {
                id.clone_into(&mut self.id);
            } else if let Some(url) = line.strip_prefix("api http://") {
                url.trim_end_matches("/v1").clone_into(&mut self.api);
            } else if let Some(url) = line.strip_prefix("management http://") {
                url.clone_into(&mut self.console);
            } else if line == "ready" {
                return;
            }
        }
    }

    /// The process's number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(sent.expect("kill runs").success(), "kill -{name}");
    }

    /// Kills it at once, as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it is gone");
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn runs(&mut self) -> bool {
        let ended = self.child.try_wait().expect("it can be asked");
        ended.is_none()
    }

    /// Waits for its end.
    #[must_use]
    pub fn wait(&mut self) -> bool {
        self.child.wait().expect("it ends").success()
    }

    /// Its status, from the management API.
    #[must_use]
    pub fn status(&self) -> serde_json::Value {
        let reply = crate::get(&self.console, "/api/status");
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// Waits until this many peers are active here.
    pub fn wait_for_peers(&self, count: usize) {
        self.wait_for("peers", |status| {
            let peers = status["peers"].as_array().cloned().unwrap_or_default();
            let active = |peer: &&serde_json::Value| {
                peer["phase"]
                    .as_str()
                    .is_some_and(|phase| phase.eq_ignore_ascii_case("active"))
            };
            peers.iter().filter(active).count() == count
        });
    }

    /// Waits until this many active peers are known to serve a model.
    pub fn wait_for_holders(&self, count: usize) {
        self.wait_for("holders", |status| {
            let peers = status["peers"].as_array().cloned().unwrap_or_default();
            let holds = |peer: &&serde_json::Value| {
                let models = peer["models"].as_array();
                peer["fresh"] == true && models.is_some_and(|models| !models.is_empty())
            };
            peers.iter().filter(holds).count() == count
        });
    }

    /// Waits until its model list names this model, or does not.
    pub fn wait_for_model(&self, model: &str, listed: bool) {
        self.wait_for(model, |_| {
            let reply = crate::get(&self.api, "/v1/models").json();
            let models = reply["data"].as_array().cloned().unwrap_or_default();
            models.iter().any(|entry| entry["id"] == model) == listed
        });
    }

    /// Asks the status again and again until the condition holds.
    pub fn wait_for(&self, what: &str, mut holds: impl FnMut(&serde_json::Value) -> bool) {
        let mut last = serde_json::Value::Null;
        for _ in 0..1_000 {
            last = self.status();
            if holds(&last) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{what}: {last:#}");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
