//! The engine's process: it gives up its rights, loads the models and answers frames.
//!
//! Nothing of the node is here: no clock, no key, no socket but the one to the parent. It may die
//! at any instant, by llama.cpp's own will too; the parent sees its end and says so.

mod job;
mod llama;
mod model;
mod prompt;
mod pulse;
mod sandbox;
mod serve;
mod template;

use crate::protocol::{FromChild, LENGTH_BYTES, Setup, ToChild, body_length, decode};
use messages::Label;
use pulse::Pulse;
use serve::Engine;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Runs the engine's process until its parent closes the pipe or dies. A binary calls it first
/// when its first argument is [`ENGINE_MARKER`](crate::ENGINE_MARKER), before it starts threads.
#[must_use]
pub fn engine_main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // The parent reads it from the log.
            sandbox::log(&why);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let stdin = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|e| e.to_string())?;
    let mut socket = UnixStream::from(stdin);
    sandbox::follow_parent()?;
    let frame = match read_frame(&mut socket)? {
        Some(ToChild::Load(setup)) => setup,
        Some(ToChild::Command(_)) => return Err("the first frame is no Load".to_owned()),
        None => return Ok(()),
    };
    sandbox::enter(&frame)?;
    let pulse = Arc::new(Pulse::new(socket.try_clone().map_err(|e| e.to_string())?));
    let (sender, commands) = sync_channel(COMMANDS_MAX);
    // It ends with the process: a parent that goes away ends both, at any point of a long load.
    std::thread::Builder::new()
        .name("commands".to_owned())
        .spawn(move || read_commands(socket, &sender))
        .map_err(|error| error.to_string())?;
    serve(&frame, &pulse, &commands)
}

fn serve(setup: &Setup, pulse: &Arc<Pulse>, commands: &Receiver<ToChild>) -> Result<(), String> {
    match Engine::load(setup, pulse) {
        Ok(mut engine) => {
            pulse.send(&FromChild::Loaded {
                build: Label::truncated(&llama::build()),
            });
            engine.run(commands);
            Ok(())
        }
        Err(why) => {
            pulse.send(&FromChild::Refused {
                why: Label::truncated(&why),
            });
            Err(why)
        }
    }
}

/// Hands on frames until the parent closes the pipe, then ends the process.
fn read_commands(mut socket: UnixStream, sender: &SyncSender<ToChild>) {
    loop {
        match read_frame(&mut socket) {
            Ok(Some(frame)) => {
                if sender.send(frame).is_err() {
                    break;
                }
            }
            Ok(None) => break,
            Err(why) => {
                sandbox::log(&why);
                break;
            }
        }
    }
    sandbox::end();
}

/// The next frame; none where the pipe is closed.
fn read_frame(socket: &mut UnixStream) -> Result<Option<ToChild>, String> {
    let mut length = [0; LENGTH_BYTES];
    match socket.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(format!("the engine is started by a node only: {error}")),
    }
    let mut body = vec![0; body_length(length).map_err(|error| error.to_string())?];
    socket
        .read_exact(&mut body)
        .map_err(|error| error.to_string())?;
    decode(&body).map(Some).map_err(|error| error.to_string())
}

/// Commands that wait while a chunk is computed: one per slot and kind, with room.
const COMMANDS_MAX: usize = 1_024;
