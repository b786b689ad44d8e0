//! Runs scenario files.

use anyhow::{Context, Result, bail, ensure};
use simulation::scenario::{Scenario, seeds_of};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Failures that are printed of one file: the first seed that fails is the one to replay.
const FAILURES_SHOWN_MAX: usize = 10;

/// Which seeds to run.
#[derive(Clone, Debug)]
pub(crate) struct Seeds(pub(crate) Vec<u64>);

/// Reads `--seeds`.
pub(crate) fn seeds(text: &str) -> Result<Seeds, String> {
    seeds_of(text).map(Seeds)
}

/// Runs one file, seed by seed.
#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
pub(crate) fn one(file: &Path, seeds: Option<Seeds>) -> Result<()> {
    let scenario = read(file)?;
    println!("guards: {}", scenario.guards());
    // Only over its own seeds can a file be said to guard what it names.
    let is_whole = seeds.is_none();
    let seeds = seeds.map_or_else(|| scenario.seeds().to_vec(), |seeds| seeds.0);
    let mut failed = 0;
    let mut outcomes = Vec::new();
    for seed in &seeds {
        let outcome = scenario.run(*seed);
        let report = outcome.report;
        println!(
            "seed {seed}: {} ms, {} turns, {} packets, {} bytes, trace {}",
            report.time_us / 1_000,
            report.turns,
            report.packets,
            report.bytes,
            report.trace
        );
        for line in &outcome.missed {
            println!("  the fault of line {line} found nobody");
        }
        for line in &outcome.unseen {
            println!("  the moment of the expectation of line {line} never came");
        }
        for failure in &outcome.failures {
            println!("  FAILED {failure}");
        }
        failed += usize::from(!outcome.failures.is_empty());
        outcomes.push(outcome);
    }
    let idle = match is_whole {
        true => Scenario::idle(&outcomes),
        false => Vec::new(),
    };
    for failure in &idle {
        println!("FAILED {failure}");
    }
    let holds = failed == 0 && idle.is_empty();
    match scenario.open().filter(|_| is_whole) {
        Some(bug) if holds => bail!("it holds: take `open` out, which says {bug}"),
        Some(bug) => {
            println!(
                "{failed} of {} seeds fail, as `open` says: {bug}",
                seeds.len()
            );
            return Ok(());
        }
        None => {}
    }
    ensure!(failed == 0, "{failed} of {} seeds failed", seeds.len());
    ensure!(idle.is_empty(), "{} of its lines guard nothing", idle.len());
    println!("{} seeds, all hold", seeds.len());
    Ok(())
}

/// Runs every file of a folder.
#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
pub(crate) fn all(dir: &Path) -> Result<()> {
    let mut failed = Vec::new();
    let files = files(dir)?;
    for file in &files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let scenario = read(file)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "how long a person waits is real time"
        )]
        let began = Instant::now();
        let mut failures = Vec::new();
        let mut outcomes = Vec::new();
        for seed in scenario.seeds() {
            let outcome = scenario.run(*seed);
            let told = outcome.failures.iter();
            failures.extend(told.map(|failure| format!("seed {seed}: {failure}")));
            outcomes.push(outcome);
        }
        failures.extend(Scenario::idle(&outcomes));
        let seeds = scenario.seeds().len();
        let verdict = match (scenario.open(), failures.is_empty()) {
            (None, true) => "holds",
            (None, false) => "FAILED",
            (Some(_), true) => "MENDED",
            (Some(_), false) => "open",
        };
        let seconds = began.elapsed().as_secs_f32();
        println!("{verdict:6} {name} ({seeds} seeds, {seconds:.1} s)");
        for failure in failures.iter().take(FAILURES_SHOWN_MAX) {
            println!("       {failure}");
        }
        if failures.is_empty() == scenario.open().is_some() {
            failed.push(name.into_owned());
        }
    }
    match failed.as_slice() {
        [] => {
            println!("{} files, all as they say", files.len());
            Ok(())
        }
        names => bail!(
            "{} of {} files failed: {}",
            names.len(),
            files.len(),
            names.join(", ")
        ),
    }
}

pub(crate) fn read(file: &Path) -> Result<Scenario> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    Scenario::parse(&text).map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))
}

pub(crate) fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).with_context(|| {
        format!(
            "{} is no folder of scenarios: run this in the repository, or use --dir",
            dir.display()
        )
    })?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
    }
    files.sort();
    ensure!(!files.is_empty(), "{} holds no scenario", dir.display());
    Ok(files)
}
