//! Lists that turns fill and empty again: each holds large things, so that a fresh one for each
//! turn would cost more than what is done with it.

use crate::drivers::DriverOut;
use kernel::{Action, Effect};

/// Empty lists with room.
#[derive(Debug, Default)]
pub(super) struct Spare {
    pub(super) actions: Vec<Action>,
    pub(super) more: Vec<Action>,
    pub(super) effects: Vec<Effect>,
    pub(super) out: DriverOut,
}
