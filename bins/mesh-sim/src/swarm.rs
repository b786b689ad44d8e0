//! `mesh-sim swarm`: many seeds, and the command that replays the one that fails.

use anyhow::{Result, ensure};
use simulation::swarm::{Outcome, Plan};
use std::ops::Range;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// What one campaign runs.
pub(crate) struct Campaign {
    pub(crate) seeds: Range<u64>,
    pub(crate) minutes: Option<f64>,
    pub(crate) jobs: usize,
    pub(crate) verbose: bool,
    pub(crate) checked: bool,
    /// What each seed runs.
    pub(crate) draw: fn(u64) -> Plan,
}

/// Both figures of a campaign, and what failed.
#[derive(Default)]
struct Results {
    runs: u64,
    asked: u64,
    finished: u64,
    failed: u64,
    virtual_us: u64,
    turns: u64,
    agreed_us: u64,
    ended_us: u64,
    nodes_max: usize,
    bad: Vec<Outcome>,
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
#[expect(clippy::disallowed_methods, reason = "a campaign's limit is wall time")]
pub(crate) fn run(campaign: &Campaign) -> Result<()> {
    let begun = Instant::now();
    let limit = campaign
        .minutes
        .map(|minutes| Duration::from_secs_f64(minutes * 60.0));
    let next = AtomicU64::new(campaign.seeds.start);
    let results = Mutex::new(Results::default());
    let Range { start, end } = campaign.seeds;
    println!("swarm seeds {start}..{end} commit {}", commit());
    let running = Running::default();
    std::thread::scope(|scope| {
        let (here, all_gone) = channel::<()>();
        for _ in 0..campaign.jobs.max(1) {
            let (here, next, results, running) = (here.clone(), &next, &results, &running);
            scope.spawn(move || {
                let _here = here;
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || limit.is_some_and(|limit| begun.elapsed() >= limit) {
                        return;
                    }
                    running.begin(seed);
                    one(seed, campaign, results);
                    running.end(seed);
                }
            });
        }
        drop(here);
        watch(&running, &all_gone);
    });
    let results = results.into_inner().unwrap_or_default();
    let wall = begun.elapsed().as_secs_f64();
    println!(
        "{} seeds in {wall:.1} s, {:.1} virtual hours, {} turns, {} nodes at most; {} requests, \
         {} whole, {} clear errors; sessions agreed within {:.1} s of the healing, requests \
         ended {:.1} s later",
        results.runs,
        seconds(results.virtual_us) / 3600.0,
        results.turns,
        results.nodes_max,
        results.asked,
        results.finished,
        results.failed,
        seconds(results.agreed_us),
        seconds(results.ended_us),
    );
    let bad: Vec<u64> = results.bad.iter().map(|outcome| outcome.seed).collect();
    ensure!(bad.is_empty(), "{} seeds failed: {bad:?}", bad.len());
    Ok(())
}

/// The seeds that run now, and since when.
#[derive(Default)]
struct Running(Mutex<Vec<(u64, Instant)>>);

impl Running {
    #[expect(clippy::disallowed_methods, reason = "a seed's limit is wall time")]
    fn begin(&self, seed: u64) {
        if let Ok(mut seeds) = self.0.lock() {
            seeds.push((seed, Instant::now()));
        }
    }

    fn end(&self, seed: u64) {
        if let Ok(mut seeds) = self.0.lock() {
            seeds.retain(|(other, _)| *other != seed);
        }
    }

    /// A seed that has run for longer than this.
    fn over(&self, most: Duration) -> Option<u64> {
        let seeds = self.0.lock().ok()?;
        let over = seeds.iter().find(|(_, since)| since.elapsed() > most);
        over.map(|(seed, _)| *seed)
    }
}

/// Waits for all workers. A seed that never ends would keep the campaign for ever and be named
/// nowhere: it ends the process.
#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn watch(running: &Running, all_gone: &Receiver<()>) {
    while all_gone.recv_timeout(LOOK) != Err(RecvTimeoutError::Disconnected) {
        if let Some(seed) = running.over(SEED_MAX) {
            println!("seed {seed} FAILED: it runs for more than {SEED_MAX:?} of wall time");
            replay(seed);
            std::process::exit(1);
        }
    }
}

/// Says how a seed is run again.
#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn replay(seed: u64) {
    println!(
        "replay at commit {}: cargo run --release -p mesh-sim -- swarm --seeds {seed}..{}",
        commit(),
        seed + 1
    );
}

/// Between looks at the seeds that run.
const LOOK: Duration = Duration::from_secs(1);
/// So long one seed may take: the slowest of a debug build took less than a tenth of it.
const SEED_MAX: Duration = Duration::from_secs(300);

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn one(seed: u64, campaign: &Campaign, results: &Mutex<Results>) {
    let verbose = campaign.verbose;
    let mut plan = (campaign.draw)(seed);
    plan.checked = campaign.checked;
    let outcome = plan.run();
    let Ok(mut results) = results.lock() else {
        return;
    };
    if verbose || !outcome.failures.is_empty() {
        println!("\nseed {seed}: {plan:?}\n{:?}", outcome.tally);
    }
    if verbose {
        println!("{}", outcome.journal.join("\n"));
        println!("crashes\n{}", outcome.crashes.join("\n"));
    }
    for failure in &outcome.failures {
        println!("seed {seed} FAILED: {failure}");
    }
    if !outcome.failures.is_empty() {
        replay(seed);
        println!(
            "shorten: cargo run --release -p mesh-sim -- shrink --seed {seed} --out {seed}.toml"
        );
    }
    let tally = outcome.tally;
    results.runs += 1;
    results.asked += tally.asked;
    results.finished += tally.finished;
    results.failed += tally.failed;
    results.agreed_us = results.agreed_us.max(tally.agreed_us);
    results.ended_us = results.ended_us.max(tally.ended_us);
    results.nodes_max = results.nodes_max.max(plan.nodes);
    if let Some(report) = &outcome.report {
        results.virtual_us += report.time_us;
        results.turns += report.turns;
    }
    if !outcome.failures.is_empty() {
        results.bad.push(outcome);
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
pub(crate) fn seconds(us: u64) -> f64 {
    us as f64 / 1_000_000.0
}

/// The commit that is checked out here, and whether something was changed since.
pub(crate) fn commit() -> String {
    let git = Command::new("git")
        .args([
            "--no-optional-locks",
            "describe",
            "--always",
            "--dirty",
            "--exclude=*",
        ])
        .output();
    git.ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use simulation::swarm::Topology;

    #[test]
    fn a_seed_that_does_not_end_is_named() {
        let running = Running::default();
        for seed in [7, 8, 9] {
            running.begin(seed);
        }
        running.end(7);
        assert_eq!(running.over(Duration::ZERO), Some(8));
        assert_eq!(running.over(SEED_MAX), None);
    }

    fn campaign(draw: fn(u64) -> Plan) -> Campaign {
        Campaign {
            seeds: 7..9,
            minutes: None,
            jobs: 2,
            verbose: false,
            checked: true,
            draw,
        }
    }

    /// Two nodes that meet, and nothing else.
    fn quiet(seed: u64) -> Plan {
        Plan {
            nodes: 2,
            engines: Vec::new(),
            late: Vec::new(),
            clocks: Vec::new(),
            boxes: Vec::new(),
            housed: Vec::new(),
            outer: Vec::new(),
            topology: Topology::Full,
            rounds: 0,
            core: vec![0, 1],
            ..Plan::draw(seed)
        }
    }

    /// Of one seed a node is asked for that is not there.
    fn impossible(seed: u64) -> Plan {
        let mut plan = quiet(seed);
        if seed == 8 {
            plan.core.push(9);
        }
        plan
    }

    #[test]
    fn a_seed_that_fails_fails_the_campaign_and_is_named() {
        let verdict = |draw| run(&campaign(draw)).map_err(|error| error.to_string());
        assert_eq!(verdict(quiet), Ok(()));
        assert_eq!(verdict(impossible), Err("1 seeds failed: [8]".to_owned()));
    }

    #[test]
    fn the_watch_ends_with_the_last_worker() {
        let (here, all_gone) = channel::<()>();
        let running = Running::default();
        drop(here);
        watch(&running, &all_gone);
    }
}
