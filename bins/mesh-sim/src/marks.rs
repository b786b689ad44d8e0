//! `mesh-sim marks`: every scenario file, some swarm seeds and the worlds made for it must come to
//! every mark of the sources.

use crate::scenarios::{files, read};
use anyhow::{Result, ensure};
use simulation::campaign::parts;
use simulation::marks::{Coverage, catalogue, reset};
use simulation::swarm::Plan;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Seeds that one thread takes at a time.
const SEEDS_AT_ONCE: usize = 20;

/// What the threads have found.
#[derive(Default)]
struct Results {
    coverage: Coverage,
    failures: Vec<String>,
}

type Work = Box<dyn Fn() -> Vec<String> + Send + Sync>;

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
pub(crate) fn run(dir: &Path, seeds: Range<u64>, jobs: usize, verbose: bool) -> Result<()> {
    let work = work(dir, seeds)?;
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Results::default()));
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                reset();
                while let Some(one) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let failures = one();
                    let Ok(mut results) = results.lock() else {
                        return;
                    };
                    results.failures.extend(failures);
                    results.coverage.collect();
                }
            });
        }
    });
    let Results { coverage, failures } = results.into_inner().unwrap_or_default();
    let catalogue = catalogue();
    if verbose {
        for name in catalogue.keys() {
            let times = coverage.seen().get(name).copied().unwrap_or_default();
            println!("{times:9} {name}");
        }
    }
    let wrong = [failures, coverage.failures(&catalogue)].concat();
    for failure in &wrong {
        println!("FAILED: {failure}");
    }
    let excused = catalogue.values().flatten().count();
    println!(
        "{} marks, {} seen, {excused} excused",
        catalogue.len(),
        coverage.seen().len()
    );
    ensure!(wrong.is_empty(), "{} failures", wrong.len());
    Ok(())
}

fn work(dir: &Path, seeds: Range<u64>) -> Result<Vec<Work>> {
    let mut work: Vec<Work> = Vec::new();
    for part in parts() {
        work.push(Box::new(move || part.run()));
    }
    for file in files(dir)? {
        let scenario = read(&file)?;
        // What holds is `mesh-sim scenarios` to say.
        work.push(Box::new(move || {
            for seed in scenario.seeds() {
                drop(scenario.run(*seed));
            }
            Vec::new()
        }));
    }
    let starts = seeds.clone().step_by(SEEDS_AT_ONCE);
    for start in starts {
        let end = (start + SEEDS_AT_ONCE as u64).min(seeds.end);
        work.push(Box::new(move || (start..end).flat_map(swarm).collect()));
    }
    Ok(work)
}

fn swarm(seed: u64) -> Vec<String> {
    let failures = Plan::draw(seed).run().failures.into_iter();
    failures
        .map(|it| format!("swarm seed {seed}: {it}"))
        .collect()
}
