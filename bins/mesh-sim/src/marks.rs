//! `mesh-sim marks`: every scenario file, some swarm seeds and the worlds made for it must come to
//! every mark of the sources.

use crate::scenarios::{files, read};
use anyhow::{Result, ensure};
use clap::Args;
use simulation::campaign::parts;
use simulation::marks::{Coverage, Place, catalogue, reset};
use simulation::swarm::Plan;
use std::ops::Range;
use std::path::PathBuf;
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

/// Runs some worlds, and names each when it is over. Says what is wrong with them.
type Work = Box<dyn Fn(&mut dyn FnMut(u64, String)) -> Vec<String> + Send + Sync>;

/// What is run for the marks.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// The folder of the scenario files.
    #[arg(long, default_value = "simulation/scenarios")]
    dir: PathBuf,
    /// The swarm's first seed, and the one after the last.
    #[arg(long, value_parser = crate::seeds, default_value = "0..300")]
    seeds: Range<u64>,
    /// Leaves out the worlds of its own: what files and seeds come to by themselves.
    #[arg(long)]
    without_campaign: bool,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Prints in how many worlds each mark was seen, how often, where first; the rarest first.
    #[arg(long)]
    verbose: bool,
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
pub(crate) fn run(search: &Search) -> Result<()> {
    let work = work(search)?;
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Results::default()));
    std::thread::scope(|scope| {
        for _ in 0..search.jobs.max(1) {
            scope.spawn(|| {
                reset();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = work.get(at) else { return };
                    let failures = one(&mut |seed, name| {
                        let number = (at, seed);
                        if let Ok(mut results) = results.lock() {
                            results.coverage.collect(&Place { number, name });
                        }
                    });
                    if let Ok(mut results) = results.lock() {
                        results.failures.extend(failures);
                    }
                }
            });
        }
    });
    let Results { coverage, failures } = results.into_inner().unwrap_or_default();
    let catalogue = catalogue();
    if search.verbose {
        println!("   worlds     times  mark, and the first world that came to it");
        for (name, it) in coverage.rarest() {
            println!(
                "{:9} {:9}  {name}  ({})",
                it.worlds, it.times, it.first.name
            );
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

fn work(search: &Search) -> Result<Vec<Work>> {
    let Search { dir, seeds, .. } = search;
    let mut work: Vec<Work> = Vec::new();
    for file in files(dir)? {
        let scenario = read(&file)?;
        let file = file.file_stem().unwrap_or_default();
        let file = file.to_string_lossy().into_owned();
        // What holds is `mesh-sim scenarios` to say.
        work.push(Box::new(move |over| {
            for seed in scenario.seeds() {
                drop(scenario.run(*seed));
                over(*seed, format!("{file}, seed {seed}"));
            }
            Vec::new()
        }));
    }
    let starts = seeds.clone().step_by(SEEDS_AT_ONCE);
    for start in starts {
        let end = (start + SEEDS_AT_ONCE as u64).min(seeds.end);
        work.push(Box::new(move |over| {
            (start..end).flat_map(|seed| swarm(seed, over)).collect()
        }));
    }
    // Last: a mark that nothing else comes to is told by these.
    for part in parts().into_iter().filter(|_| !search.without_campaign) {
        work.push(Box::new(move |over| {
            let failures = part.run();
            over(0, format!("the campaign's `{}`", part.name()));
            failures
        }));
    }
    Ok(work)
}

fn swarm(seed: u64, over: &mut dyn FnMut(u64, String)) -> Vec<String> {
    let failures = Plan::draw(seed).run().failures.into_iter();
    let failures = failures.map(|it| format!("swarm seed {seed}: {it}"));
    over(seed, format!("swarm seed {seed}"));
    failures.collect()
}
