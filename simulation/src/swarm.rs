//! Seeds that draw their own mesh, workload and faults, and what is demanded of every one.
//!
//! A run has two halves. While faults rage, nothing false may happen: no panic, no broken
//! invariant, no crash that no fault planned, no answer with a wrong byte, and nothing that a
//! checker objects to. Then a drawn core of the nodes is healed, all others stay as they are, and
//! progress is demanded of the core.

mod act;
mod actor;
pub mod bench;
mod faults;
mod judge;
pub mod meta;
mod plan;
mod reach;
mod run;
mod schedule;
mod shrink;
mod stage;
mod strikes;

pub use act::Act;
pub use actor::Actor;
pub use faults::{FAULTS, Fault, Mix};
pub use judge::Tally;
pub use plan::{Plan, Topology, Workload};
pub use schedule::Schedule;
pub use shrink::{Shrunk, kind_of, shrink};

use crate::Report;
pub use crate::hostile::{Forged, Garbage, Unfit};
use std::collections::BTreeSet;

/// What one seed came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What went wrong; nothing in a good run.
    pub failures: Vec<String>,
    /// The world's own figures; none where the world itself panicked.
    pub report: Option<Report>,
    /// What became of the requests.
    pub tally: Tally,
    /// Lives that ended without being asked to, in order.
    pub crashes: Vec<String>,
    /// The faults, in order.
    pub journal: Vec<String>,
    /// The faults that found somebody to strike.
    pub struck: BTreeSet<Fault>,
    /// All that happened before the healing, in order.
    pub acts: Vec<Act>,
}
