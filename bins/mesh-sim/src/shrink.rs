//! `mesh-sim shrink` and `mesh-sim replay`: a failing seed becomes a short file, and runs again.

use anyhow::{Context as _, Result, bail, ensure};
use simulation::swarm::{Outcome, Plan, Schedule, kind_of, shrink};
use std::path::Path;

/// Makes a seed's failure short, and writes it down.
pub(crate) fn run(seed: u64, attempts: u64, out: &Path) -> Result<()> {
    // A run that panics says so in its outcome: hundreds of them need not say more.
    std::panic::set_hook(Box::new(|_| {}));
    shorten(Plan::draw(seed), attempts, out)
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn shorten(plan: Plan, attempts: u64, out: &Path) -> Result<()> {
    let seed = plan.seed;
    let outcome = plan.run();
    let Some(first) = outcome.failures.first() else {
        bail!("seed {seed} does not fail: there is nothing to shrink");
    };
    println!(
        "seed {seed}: {} acts, {} nodes: {first}",
        outcome.acts.len(),
        plan.nodes
    );
    let kind = kind_of(first);
    let schedule = Schedule {
        fails: outcome.failures.clone(),
        plan,
        acts: outcome.acts,
    };
    let mut fails = |schedule: &Schedule| {
        let failures = schedule.run().failures;
        failures.iter().any(|failure| kind_of(failure) == kind)
    };
    let shrunk = shrink(&schedule, attempts, &mut fails)
        .context("the run fails only as it is drawn: this is a bug of the simulation")?;
    let mut short = shrunk.schedule;
    let Outcome {
        failures, journal, ..
    } = short.run();
    println!(
        "after {} runs: {} acts, {} nodes",
        shrunk.attempts,
        short.acts.len(),
        short.plan.nodes
    );
    println!("{}\n{}", journal.join("\n"), failures.join("\n"));
    short.fails = failures;
    ensure!(!short.fails.is_empty(), "the shortened run holds");
    let text = short.text().map_err(anyhow::Error::msg)?;
    std::fs::write(out, text).with_context(|| format!("cannot write {}", out.display()))?;
    println!(
        "replay: cargo run --release -p mesh-sim -- replay {}",
        out.display()
    );
    Ok(())
}

/// Runs a file that was written so.
#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
pub(crate) fn replay(file: &Path) -> Result<()> {
    let text = std::fs::read_to_string(file);
    let text = text.with_context(|| format!("cannot read {}", file.display()))?;
    let schedule = Schedule::parse(&text);
    let schedule = schedule.map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?;
    let outcome = schedule.run();
    println!("{}", outcome.journal.join("\n"));
    for failure in &outcome.failures {
        println!("FAILED: {failure}");
    }
    if let Some(report) = outcome.report {
        println!(
            "{} virtual ms, trace {}",
            report.time_us / 1_000,
            report.trace
        );
    }
    ensure!(
        outcome.failures.is_empty(),
        "{} failures",
        outcome.failures.len()
    );
    println!("nothing fails");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use simulation::swarm::{Act, Fault, Topology};

    /// Two nodes that move before each knows an address of the other do not find each other again.
    fn failing() -> Plan {
        let mut plan = Plan {
            nodes: 2,
            engines: Vec::new(),
            late: Vec::new(),
            boxes: Vec::new(),
            outer: Vec::new(),
            relay: None,
            degree: None,
            core: vec![0, 1],
            movers: vec![0, 1],
            topology: Topology::Full,
            rounds: 12,
            ..Plan::draw(1)
        };
        plan.mix.faults = vec![Fault::CutPair, Fault::Rebind];
        plan.mix.per_round = 3;
        plan
    }

    #[test]
    fn a_failing_run_becomes_a_short_file_that_fails_in_the_same_way() {
        let folder = std::env::temp_dir().join(format!("mesh-sim-shrink-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let out = folder.join("short.toml");
        let plan = failing();
        let long = plan.run();
        assert_ne!(long.failures, Vec::<String>::new());
        shorten(plan, 60, &out).unwrap();
        let short = Schedule::parse(&std::fs::read_to_string(&out).unwrap()).unwrap();
        assert!(short.acts.len() < long.acts.len(), "{:?}", short.acts);
        let moves = |act: &Act| matches!(act, Act::Rebind { .. });
        assert!(short.acts.iter().any(moves), "{:?}", short.acts);
        assert_eq!(kind_of(&short.fails[0]), kind_of(&long.failures[0]));
        let why = replay(&out).unwrap_err().to_string();
        assert_eq!(why, format!("{} failures", short.fails.len()));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_run_that_holds_writes_nothing_and_a_file_that_holds_is_told_so() {
        let folder = std::env::temp_dir().join(format!("mesh-sim-hold-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let out = folder.join("nothing.toml");
        let mut plan = failing();
        plan.mix.faults = vec![Fault::None];
        let why = shorten(plan.clone(), 60, &out).unwrap_err().to_string();
        assert!(why.contains("does not fail"), "{why}");
        assert!(!out.exists());
        let acts = vec![Act::Wait { us: 1_000_000 }];
        let fails = Vec::new();
        let schedule = Schedule { fails, plan, acts };
        std::fs::write(&out, schedule.text().unwrap()).unwrap();
        replay(&out).unwrap();
        std::fs::write(&out, "plan = 1").unwrap();
        let why = replay(&out).unwrap_err().to_string();
        assert!(why.contains("nothing.toml") && why.contains('1'), "{why}");
        assert!(replay(&folder.join("absent.toml")).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
