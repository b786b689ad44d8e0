//! Scenarios: a mesh, its clients, what goes wrong and what must hold, in a file.
//!
//! `docs/SIMULATION.md` shows how to write one.
//!
//! ```
//! use simulation::scenario::Scenario;
//!
//! let scenario = Scenario::parse(
//!     r#"
//! guards = "an answer survives the death of its server"
//! seeds = "0..3"
//!
//! [mesh]
//! nodes = 3
//! engines = [0, 2]
//!
//! [[ask]]
//! name = "a"
//! node = 1
//! at = "2s"
//! tokens = 20
//!
//! [[fault]]
//! when = { tokens = { of = "a", number = 7 } }
//! do = { kill = "server of a" }
//!
//! [[expect]]
//! that = { answered = "a" }
//! "#,
//! )
//! .unwrap();
//! for seed in scenario.seeds() {
//!     assert_eq!(scenario.run(*seed).failures, Vec::<String>::new());
//! }
//! ```

/// The examples of the page that teaches all this.
#[cfg(doctest)]
#[doc = include_str!("../../docs/SIMULATION.md")]
struct Page;

mod check;
mod error;
mod expectations;
mod faults;
mod file;
mod plan;
mod replicas;
mod run;
mod values;

#[cfg(test)]
mod tests;

pub use error::ScenarioError;
pub use values::seeds_of;

use crate::{Mesh, MeshBuilder, Report};
use plan::Plan;
use run::Run;
use std::collections::BTreeMap;

/// A scenario that was read and checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    guards: String,
    seeds: Vec<u64>,
    hosts: bool,
    long: bool,
    open: Option<String>,
    /// One per combination of what varies.
    plans: Vec<Plan>,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Time, turns, traffic, and the digest of the trace.
    pub report: Report,
    /// What does not hold, a sentence each.
    pub failures: Vec<String>,
    /// Lines of faults that found nobody to strike.
    pub missed: Vec<usize>,
    /// Lines of expectations whose moment never came: a fault before it found nobody.
    pub unseen: Vec<usize>,
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// The first thing that is wrong: where, and what is allowed.
    pub fn parse(source: &str) -> Result<Self, ScenarioError> {
        plan::scenario(source)
    }

    /// What holds as long as this passes.
    #[must_use]
    pub fn guards(&self) -> &str {
        &self.guards
    }

    /// The seeds of a test run.
    #[must_use]
    pub fn seeds(&self) -> &[u64] {
        &self.seeds
    }

    /// The first seeds: each combination once, and four at least. What a debug build has time for;
    /// `mesh-sim scenarios` runs all.
    #[must_use]
    pub fn few_seeds(&self) -> &[u64] {
        let few = self.plans.len().max(4).min(self.seeds.len());
        &self.seeds[..few]
    }

    /// Whether a debug build takes more than some ten seconds for its seeds, so that tests read it
    /// and leave it to `mesh-sim scenarios`.
    #[must_use]
    pub const fn is_long(&self) -> bool {
        self.long
    }

    /// Whether it runs through real hosts as well.
    #[must_use]
    pub const fn on_hosts(&self) -> bool {
        self.hosts
    }

    /// The bug because of which it does not hold, where one is known.
    #[must_use]
    pub fn open(&self) -> Option<&str> {
        self.open.as_deref()
    }

    /// Lines of all faults, in order.
    #[must_use]
    pub fn fault_lines(&self) -> Vec<usize> {
        let first = self.plans.first();
        first.map_or_else(Vec::new, |plan| {
            plan.faults.iter().map(|fault| fault.line).collect()
        })
    }

    /// What guards nothing in a test run of these outcomes, a sentence each: a fault that finds
    /// nobody with more than half of the seeds, and an expectation that is not looked at with them.
    #[must_use]
    pub fn idle(outcomes: &[Outcome]) -> Vec<String> {
        let count = |lines: fn(&Outcome) -> &Vec<usize>| {
            let mut times = BTreeMap::new();
            for line in outcomes.iter().flat_map(lines) {
                *times.entry(*line).or_insert(0) += 1;
            }
            times.into_iter().filter(|(_, n)| n * 2 > outcomes.len())
        };
        let seeds = outcomes.len();
        let missed = count(|it| &it.missed).map(|(line, n)| {
            format!("the fault of line {line} finds nobody with {n} of {seeds} seeds")
        });
        let unseen = count(|it| &it.unseen).map(|(line, n)| {
            format!("the expectation of line {line} has no moment with {n} of {seeds} seeds")
        });
        missed.chain(unseen).collect()
    }

    /// Runs the combination that falls to this seed, every draw from the seed.
    #[must_use]
    pub fn run(&self, seed: u64) -> Outcome {
        let plan = self.plan(seed);
        Run::new(plan, seed, self.builder(seed), true).go()
    }

    /// The same without the trace's digest, for whoever only wants to know whether it holds.
    #[cfg(test)]
    pub(crate) fn run_untraced(&self, seed: u64) -> Outcome {
        let builder = self.builder(seed).untraced();
        Run::new(self.plan(seed), seed, builder, true).go()
    }

    /// The same in real hosts under real supervisors: what comes of the run must be equal. Hosts
    /// show their machines to nobody, so that nothing is expected of them beyond that.
    #[cfg(feature = "conformance")]
    #[must_use]
    pub fn run_on_hosts(&self, seed: u64) -> Outcome {
        let plan = self.plan(seed);
        Run::new(plan, seed, plan.builder(Mesh::seed(seed)).hosts(), false).go()
    }

    fn builder(&self, seed: u64) -> MeshBuilder {
        self.plan(seed).builder(Mesh::seed(seed)).checked()
    }

    fn plan(&self, seed: u64) -> &Plan {
        let many = u64::try_from(self.plans.len()).unwrap_or(1).max(1);
        &self.plans[usize::try_from(seed % many).unwrap_or(0)]
    }
}
