//! `mesh-sim bench`: what the mesh costs, beside what it cost before.

use crate::swarm::{commit, seconds};
use anyhow::{Context as _, Result, ensure};
use simulation::swarm::bench::{Figures, SCENARIOS, differences};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

type Baseline = BTreeMap<String, BTreeMap<String, u64>>;

/// Measures the scenarios of these names, or all.
#[expect(
    clippy::print_stdout,
    reason = "the figures are what the command is for"
)]
#[expect(
    clippy::disallowed_methods,
    reason = "wall speed is shown beside the figures"
)]
pub(crate) fn run(only: &[String], baseline: &Path, write: bool) -> Result<()> {
    for name in only {
        let known = SCENARIOS.iter().any(|scenario| scenario.name == name);
        let names = SCENARIOS.map(|scenario| scenario.name).join(", ");
        ensure!(known, "no scenario is called {name}; there are {names}");
    }
    println!("bench commit {}", commit());
    let mut before = read(baseline, write)?;
    let known = |name: &&String| {
        SCENARIOS
            .iter()
            .any(|scenario| scenario.name == name.as_str())
    };
    let unknown = before.keys().filter(|name| !known(name));
    let mut apart: Vec<String> = unknown
        .map(|name| format!("{name}: in the baseline alone"))
        .collect();
    for scenario in SCENARIOS {
        let name = scenario.name;
        let named = only.iter().any(|only| only == name);
        if !named && (scenario.long || !only.is_empty()) {
            continue;
        }
        let begun = Instant::now();
        let (figures, report) = scenario.run();
        let wall = begun.elapsed().as_secs_f64();
        print(name, &figures, before.get(name));
        println!(
            "  {:.1} virtual seconds in {wall:.2} s: {:.1} a second; {} events, {} turns",
            seconds(report.time_us),
            seconds(report.time_us) / wall,
            report.events,
            report.turns
        );
        if write {
            let named = figures.into_iter().map(|(name, n)| (name.to_owned(), n));
            before.insert(name.to_owned(), named.collect());
        } else {
            let empty = BTreeMap::new();
            apart.extend(differences(
                name,
                &figures,
                before.get(name).unwrap_or(&empty),
            ));
        }
    }
    if write {
        before.retain(|name, _| known(&name));
        return save(baseline, &before);
    }
    ensure!(
        apart.is_empty(),
        "not as in {}:\n  {}\nif that is meant: mesh-sim bench --write",
        baseline.display(),
        apart.join("\n  ")
    );
    Ok(())
}

#[expect(
    clippy::print_stdout,
    reason = "the figures are what the command is for"
)]
fn print(name: &str, figures: &Figures, before: Option<&BTreeMap<String, u64>>) {
    println!("{name}");
    for (figure, now) in figures {
        let before = before.and_then(|before| before.get(*figure));
        match before {
            Some(before) if before != now => println!("  {figure:32} {now:>12}  before {before}"),
            Some(_) | None => println!("  {figure:32} {now:>12}"),
        }
    }
}

fn read(path: &Path, may_lack: bool) -> Result<Baseline> {
    if may_lack && !path.exists() {
        return Ok(Baseline::new());
    }
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the baseline {} cannot be read", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is no baseline", path.display()))
}

fn save(path: &Path, baseline: &Baseline) -> Result<()> {
    let text = toml::to_string(baseline).context("a baseline")?;
    let text = format!("{HEAD}\n{text}");
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// What the file says of itself.
const HEAD: &str = "# What the simulated mesh costs; written by `mesh-sim bench --write`.\n\
                    # A figure repeats exactly for a seed; one that leaves its tolerance is news.";
