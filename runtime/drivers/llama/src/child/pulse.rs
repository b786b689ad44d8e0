//! The way to the parent, and the signs of life on it.

use super::sandbox;
use crate::protocol::{FromChild, encode};
use messages::ports::engine::Event;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Sends frames; between them, beacons. A beacon is sent from the loop that computes and from
/// nowhere else: where computing stands still, they do too.
#[derive(Debug)]
pub(super) struct Pulse(Mutex<State>);

#[derive(Debug)]
struct State {
    socket: UnixStream,
    steps: u64,
    last: Instant,
    loaded_permille: u16,
}

impl Pulse {
    pub(super) fn new(socket: UnixStream) -> Self {
        Self(Mutex::new(State {
            socket,
            steps: 0,
            last: now(),
            loaded_permille: 0,
        }))
    }

    /// Sends a frame. A parent that does not take it is gone, and so is this process.
    pub(super) fn send(&self, message: &FromChild) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.send(message);
    }

    /// Work was done: a part of a chunk, a chunk or a step.
    pub(super) fn beat(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.steps += 1;
        if state.last.elapsed() >= BEACON_EVERY {
            let steps = state.steps;
            state.send(&FromChild::Event(Event::Beacon { steps }));
        }
    }

    /// So much of the models is in memory.
    pub(super) fn loading(&self, permille: u16) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if permille != state.loaded_permille && state.last.elapsed() >= BEACON_EVERY {
            state.loaded_permille = permille;
            state.send(&FromChild::Loading { permille });
        }
    }
}

impl State {
    fn send(&mut self, message: &FromChild) {
        let Ok(frame) = encode(message) else {
            sandbox::log("a frame of the engine is too long");
            return;
        };
        if self.socket.write_all(&frame).is_err() {
            sandbox::end();
        }
        self.last = now();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this process has no node whose clock it could ask"
)]
fn now() -> Instant {
    Instant::now()
}

/// Well under the 500 ms after which a worker's peers begin to wonder.
const BEACON_EVERY: Duration = Duration::from_millis(100);
