//! `mesh-sim meta`: every seed in two processes, byte for byte.

use crate::swarm::commit;
use anyhow::{Context as _, Result, ensure};
use simulation::swarm::Plan;
use simulation::swarm::meta::{first_entry, parting, trace};
use std::ops::Range;
use std::process::{Child, Command, Stdio};

/// Prints the trace of one seed.
#[expect(clippy::print_stdout, reason = "the trace is what the command is for")]
pub(crate) fn print_trace(seed: u64, shuffled: bool, show: Range<u64>) -> Result<()> {
    let mut plan = Plan::draw(seed);
    plan.shuffled = shuffled;
    let (text, outcome) = trace(&plan, show);
    print!("{text}");
    let failures = outcome.failures.len();
    ensure!(
        failures == 0,
        "seed {seed}, shuffled {shuffled}: {failures} failures"
    );
    Ok(())
}

/// Runs every seed twice in each order of turns.
#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
pub(crate) fn run(seeds: Range<u64>) -> Result<()> {
    let mut bad = Vec::new();
    let count = seeds.end.saturating_sub(seeds.start);
    println!(
        "meta seeds {}..{} commit {}",
        seeds.start,
        seeds.end,
        commit()
    );
    for seed in seeds {
        for shuffled in [false, true] {
            let (one, two) = twice(seed, shuffled, 0..0)?;
            let good = one.ok && two.ok;
            let Some(parting) = parting(&one.text, &two.text) else {
                if !good {
                    println!("seed {seed}, shuffled {shuffled}, FAILED:\n{}", one.text);
                    bad.push(seed);
                }
                continue;
            };
            println!(
                "seed {seed}, shuffled {shuffled}: two runs PART\n  {}\n  {}",
                parting.lines.0, parting.lines.1
            );
            let (one, two) = twice(seed, shuffled, parting.entries.clone())?;
            match first_entry(&one.text, &two.text) {
                Some((one, two)) => println!("first\n  {one}\n  {two}"),
                None => println!("the entries {:?} are alike this time", parting.entries),
            }
            bad.push(seed);
        }
    }
    ensure!(bad.is_empty(), "seeds that are no replay: {bad:?}");
    println!("{count} seeds, each in two orders of turns, are replays byte for byte");
    Ok(())
}

/// What one process printed.
struct Printed {
    text: String,
    ok: bool,
}

fn twice(seed: u64, shuffled: bool, show: Range<u64>) -> Result<(Printed, Printed)> {
    let one = begin(seed, shuffled, &show)?;
    let two = begin(seed, shuffled, &show)?;
    Ok((end(one)?, end(two)?))
}

fn begin(seed: u64, shuffled: bool, show: &Range<u64>) -> Result<Child> {
    let me = std::env::current_exe().context("this program's own path")?;
    let mut command = Command::new(me);
    command.args(["trace", "--seed", &seed.to_string()]);
    command.args(["--show", &format!("{}..{}", show.start, show.end)]);
    if shuffled {
        command.arg("--shuffled");
    }
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    child.context("a second process of this program")
}

fn end(child: Child) -> Result<Printed> {
    let output = child.wait_with_output().context("a second process")?;
    Ok(Printed {
        text: String::from_utf8_lossy(&output.stdout).into_owned(),
        ok: output.status.success(),
    })
}
