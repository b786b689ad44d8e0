//! One child process, from its start to its end.
//!
//! A thread of its own starts it and waits for its end: Linux tells a child of its parent's death
//! when the *thread* that started it ends, so that thread must live as long as the driver does.

use std::io::{PipeReader, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use tokio::sync::oneshot;

/// What a child is started with.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
    /// All of its environment but the allowlist.
    pub(crate) environment: Vec<(String, String)>,
}

/// How a started child is spoken with.
#[derive(Debug)]
pub(crate) struct Lines {
    /// Its standard input, both ways.
    pub(crate) socket: UnixStream,
    /// What it prints.
    pub(crate) log: PipeReader,
}

/// Keeps a child alive: dropping it kills the child and takes leave of it.
#[derive(Debug)]
pub(crate) struct Keeper {
    _alive: mpsc::Sender<()>,
}

/// A child that is being started.
#[derive(Debug)]
pub(crate) struct Starting {
    pub(crate) keeper: Keeper,
    /// The lines to it, or why it did not start.
    pub(crate) lines: oneshot::Receiver<Result<Lines, String>>,
    /// How it ended, after it did and the keeper was dropped.
    pub(crate) ended: oneshot::Receiver<String>,
}

/// Starts a child.
///
/// # Errors
/// There is no thread for it.
pub(crate) fn start(name: String, order: Order) -> Result<Starting, String> {
    let (alive, released) = mpsc::channel();
    let (lines_sender, lines) = oneshot::channel();
    let (ended_sender, ended) = oneshot::channel();
    std::thread::Builder::new()
        .name(name)
        .spawn(move || {
            let (mut child, lines) = match spawn(&order) {
                Ok(found) => found,
                Err(why) => {
                    // A driver that is gone needs no reason.
                    let _ = lines_sender.send(Err(why));
                    return;
                }
            };
            if lines_sender.send(Ok(lines)).is_ok() {
                // Nothing is ever sent: it returns when the keeper is dropped.
                let _ = released.recv();
            }
            let _ = ended_sender.send(leave(&mut child));
        })
        .map_err(|error| format!("there is no thread for the engine: {error}"))?;
    Ok(Starting {
        keeper: Keeper { _alive: alive },
        lines,
        ended,
    })
}

fn spawn(order: &Order) -> Result<(Child, Lines), String> {
    let (program, arguments) = order
        .command
        .split_first()
        .ok_or("the engine has no command line")?;
    let complaint = |error: std::io::Error| format!("the engine does not start: {error}");
    let (socket, theirs) = UnixStream::pair().map_err(complaint)?;
    let (log, output) = pipe().map_err(complaint)?;
    let errors = output.try_clone().map_err(complaint)?;
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(order.environment.iter().map(|(name, value)| (name, value)))
        // Otherwise an abort starts a debugger and hangs.
        .env("GGML_NO_BACKTRACE", "1")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::from(output))
        .stderr(Stdio::from(errors))
        // A key that interrupts the node at a terminal is the node's to answer.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("the engine does not start: {program}: {error}"))?;
    Ok((child, Lines { socket, log }))
}

/// Kills the child where it lives, and takes its exit status either way.
fn leave(child: &mut Child) -> String {
    // It fails only where the child has ended.
    let _ = child.kill();
    match child.wait() {
        Ok(status) => how(status),
        Err(error) => format!("ended in a way that cannot be told: {error}"),
    }
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (_, Some(signal)) => format!("was ended by signal {signal}"),
        (Some(code), None) => format!("exited with {code}"),
        (None, None) => "ended".to_owned(),
    }
}
