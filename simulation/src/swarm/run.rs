//! One seed, from its first event to the demands on its core.

use super::judge::{Asked, Demands};
use super::plan::{Plan, index, of, section};
use super::{Outcome, Tally};
use crate::{Ask, Mesh, secs};
use kernel::Entropy;
use messages::Micros;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Before the first fault: sessions last the 10 s after which nodes remember each other, and what
/// they remember is on their disks.
const MEETING: Micros = secs(15);

impl Plan {
    /// Runs it. A panic anywhere is a failure of the seed, not of the caller.
    #[must_use]
    pub fn run(&self) -> Outcome {
        self.run_watched(|_| {})
    }

    /// Runs it, and gives the mesh to a watcher when it begins and after every round.
    pub fn run_watched(&self, mut watch: impl FnMut(&mut Mesh)) -> Outcome {
        let run = catch_unwind(AssertUnwindSafe(|| self.unguarded(&mut watch)));
        run.unwrap_or_else(|panic| Outcome {
            seed: self.seed,
            failures: vec![format!("the world panicked: {}", panic_text(&*panic))],
            report: None,
            tally: Tally::default(),
            crashes: Vec::new(),
            journal: Vec::new(),
        })
    }

    fn unguarded(&self, watch: &mut impl FnMut(&mut Mesh)) -> Outcome {
        let mut mesh = self.mesh();
        watch(&mut mesh);
        mesh.run_for(MEETING);
        let (mut asked, mut journal) = (Vec::new(), Vec::new());
        let mut faults = section(self.seed, "faults");
        let mut clients = section(self.seed, "clients");
        for _ in 0..self.rounds {
            self.arrivals(&mut mesh, &mut clients, &mut asked);
            self.mix
                .strike(&mut mesh, &mut faults, self.nodes, &mut journal);
            mesh.run_for(Micros(faults.below(self.round_max.0)));
            watch(&mut mesh);
        }
        let mut demands = Demands::new(self, &mut mesh);
        demands.heal();
        demands.progress(&mut asked);
        let (failures, tally) = demands.verdict(&asked);
        watch(&mut mesh);
        Outcome {
            seed: self.seed,
            failures,
            report: Some(mesh.report()),
            tally,
            crashes: mesh.crashes(),
            journal,
        }
    }

    fn arrivals(&self, mesh: &mut Mesh, draw: &mut Entropy, asked: &mut Vec<Asked>) {
        let Self { workload, .. } = self;
        if of(draw, workload.arrive) {
            let node = index(draw, self.nodes);
            for _ in 0..=draw.below(workload.burst_max) {
                let (seed, tokens) = (draw.number(), 1 + draw.below(workload.tokens_max));
                let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
                if mesh.is_up(node) {
                    let client = mesh.ask(node, Ask::new(seed).max_tokens(tokens));
                    if of(draw, workload.slow) {
                        mesh.slow_reader(client, Some(20 + draw.below(2_000)));
                    }
                    asked.push(Asked::new(self, mesh, client, (seed, tokens)));
                }
            }
        }
        if of(draw, workload.cancel)
            && let Some(one) = asked.get(index(draw, asked.len()))
            && one.is_running(mesh)
        {
            mesh.hang_up(one.client);
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a text".to_owned())
}
