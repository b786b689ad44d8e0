//! One seed, from its first event to the demands on its core.

use super::act::Act;
use super::judge::Demands;
use super::plan::{Plan, index, of, one_of, section};
use super::reach::Core;
use super::stage::Stage;
use super::{Outcome, Schedule, Tally};
use crate::{Mesh, secs};
use kernel::Entropy;
use messages::Micros;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Before the first fault: sessions last the 10 s after which nodes remember each other, and what
/// they remember is on their disks.
const MEETING: Micros = secs(15);

/// Ids under which a node says something: fewer than may be from the future, so that a clock that
/// is wrong hides nothing.
const IDS: u64 = 4;

/// The most that a hasty client gives: what a long answer takes, and less than a request may take
/// that begins when a frozen node goes on.
const HASTE_MAX: Micros = secs(4);

impl Plan {
    /// Runs it. A panic anywhere is a failure of the seed, not of the caller.
    #[must_use]
    pub fn run(&self) -> Outcome {
        self.run_watched(|_| {})
    }

    /// Runs it, and gives the mesh to a watcher when it begins and after every round.
    pub fn run_watched(&self, mut watch: impl FnMut(&mut Mesh)) -> Outcome {
        guarded(self, |acts| {
            let mut stage = Stage::new(self, acts);
            watch(&mut stage.mesh);
            stage.act(Act::Wait { us: MEETING.0 });
            let mut faults = section(self.seed, "faults");
            let mut clients = section(self.seed, "clients");
            let mut records = section(self.seed, "records");
            // In two seeds of five nobody says anything of itself.
            let often = one_of(&mut records, &[0, 0, 200, 500, 900]);
            for _ in 0..self.rounds {
                self.arrivals(&mut stage, &mut clients);
                self.publications(&mut stage, &mut records, often);
                self.mix.strike(&mut stage, &mut faults);
                let us = faults.below(self.round_max.0);
                stage.act(Act::Wait { us });
                watch(&mut stage.mesh);
            }
            let (outcome, mut mesh) = judged(stage);
            watch(&mut mesh);
            outcome
        })
    }

    fn publications(&self, stage: &mut Stage<'_>, draw: &mut Entropy, often: u64) {
        if of(draw, often) {
            let node = index(draw, self.nodes);
            for _ in 0..=draw.below(3) {
                let act = Act::Publish {
                    node,
                    gated: of(draw, 500),
                    id: draw.below(IDS),
                    value: draw.below(1_000),
                };
                if stage.mesh.is_up(node) {
                    stage.act(act);
                }
            }
        }
    }

    fn arrivals(&self, stage: &mut Stage<'_>, draw: &mut Entropy) {
        let Self { workload, .. } = self;
        let mut asked = stage.asked().len() as u64;
        if of(draw, workload.arrive) {
            let node = index(draw, self.nodes);
            for _ in 0..=draw.below(workload.burst_max) {
                // Half of the numbers there are: a file has no larger ones.
                let (seed, tokens) = (draw.number() >> 1, 1 + draw.below(workload.tokens_max));
                let slow = of(draw, workload.slow);
                let bytes_per_sec = slow.then(|| 20 + draw.below(2_000));
                let hasty = of(draw, workload.hasty);
                let within_us = hasty.then(|| draw.below(HASTE_MAX.0));
                if stage.mesh.is_up(node) {
                    stage.act(Act::Ask {
                        id: asked,
                        node,
                        seed,
                        tokens: u32::try_from(tokens).unwrap_or(u32::MAX),
                        bytes_per_sec,
                        within_us,
                    });
                    asked += 1;
                }
            }
        }
        if of(draw, workload.cancel) && asked > 0 {
            let id = draw.below(asked);
            if stage.running(id).is_some() {
                stage.act(Act::HangUp { id });
            }
        }
    }
}

impl Schedule {
    /// Runs it as the seed was run that wrote it.
    #[must_use]
    pub fn run(&self) -> Outcome {
        guarded(&self.plan, |acts| {
            let mut stage = Stage::new(&self.plan, acts);
            for act in &self.acts {
                stage.act(act.clone());
            }
            judged(stage).0
        })
    }
}

/// Heals the core, and demands progress of it.
fn judged(stage: Stage<'_>) -> (Outcome, Mesh) {
    let mut asked = stage.asked();
    let core = Core::new(stage.plan, stage.revoked());
    let Stage {
        plan,
        mut mesh,
        journal,
        struck,
        ..
    } = stage;
    let mut demands = Demands::new(core, &mut mesh);
    demands.heal();
    demands.progress(&mut asked);
    let (failures, tally) = demands.verdict(&asked);
    let outcome = Outcome {
        seed: plan.seed,
        failures,
        report: Some(mesh.report()),
        tally,
        crashes: mesh.crashes(),
        journal,
        struck,
        acts: Vec::new(),
    };
    (outcome, mesh)
}

fn guarded(plan: &Plan, run: impl FnOnce(&mut Vec<Act>) -> Outcome) -> Outcome {
    let mut acts = Vec::new();
    let run = catch_unwind(AssertUnwindSafe(|| run(&mut acts)));
    let outcome = run.unwrap_or_else(|panic| Outcome {
        seed: plan.seed,
        failures: vec![format!("the world panicked: {}", panic_text(&*panic))],
        report: None,
        tally: Tally::default(),
        crashes: Vec::new(),
        journal: Vec::new(),
        struck: BTreeSet::new(),
        acts: Vec::new(),
    });
    Outcome { acts, ..outcome }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a text".to_owned())
}
