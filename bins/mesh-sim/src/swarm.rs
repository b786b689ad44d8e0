//! `mesh-sim swarm`: many seeds, and the command that replays the one that fails.

use anyhow::{Result, ensure};
use simulation::swarm::{Outcome, Plan};
use std::ops::Range;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What one campaign runs.
pub(crate) struct Campaign {
    pub(crate) seeds: Range<u64>,
    pub(crate) minutes: Option<f64>,
    pub(crate) jobs: usize,
    pub(crate) verbose: bool,
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
    std::thread::scope(|scope| {
        for _ in 0..campaign.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || limit.is_some_and(|limit| begun.elapsed() >= limit) {
                        return;
                    }
                    one(seed, campaign.verbose, &results);
                }
            });
        }
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

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn one(seed: u64, verbose: bool, results: &Mutex<Results>) {
    let plan = Plan::draw(seed);
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
        println!(
            "replay at commit {}: cargo run --release -p mesh-sim -- swarm --seeds {seed}..{}",
            commit(),
            seed + 1
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
