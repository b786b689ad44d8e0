//! `mesh-sim meta`: every seed in two processes, byte for byte.

use crate::swarm::commit;
use anyhow::{Context as _, Result, ensure};
use simulation::swarm::Plan;
use simulation::swarm::meta::{first_entry, parting, rerun, trace};
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

/// Runs every seed twice in each order of turns, and once more as the schedule of what it did.
pub(crate) fn run(seeds: Range<u64>) -> Result<()> {
    compare(seeds.clone(), in_two_processes)?;
    repeat(seeds, rerun)
}

/// Runs the schedule of what each seed did.
#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn repeat(seeds: Range<u64>, rerun: impl Fn(u64) -> Result<(), String>) -> Result<()> {
    let mut bad = Vec::new();
    for seed in seeds {
        if let Err(why) = rerun(seed) {
            println!("seed {seed}, as the schedule of what it did: {why}");
            bad.push(seed);
        }
    }
    ensure!(
        bad.is_empty(),
        "seeds whose schedule is another run: {bad:?}"
    );
    println!("what each of them did repeats it without a draw");
    Ok(())
}

/// Compares what comes of each seed, in each order of turns, with what comes of it once more.
#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn compare(
    seeds: Range<u64>,
    twice: impl Fn(u64, bool, Range<u64>) -> Result<(Printed, Printed)>,
) -> Result<()> {
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

fn in_two_processes(seed: u64, shuffled: bool, show: Range<u64>) -> Result<(Printed, Printed)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str, ok: bool) -> Printed {
        let text = text.to_owned();
        Printed { text, ok }
    }

    /// What is said of two seeds of which the second comes to these two in this order of turns,
    /// and to one and the same in the other.
    fn check(order: bool, one: (&str, bool), two: (&str, bool), said: Option<&str>) {
        let verdict = compare(7..9, |seed, shuffled, _| {
            let same = || printed("1 entries", true);
            Ok(match seed == 8 && shuffled == order {
                true => (printed(one.0, one.1), printed(two.0, two.1)),
                false => (same(), same()),
            })
        });
        let why = verdict.err().map(|error| error.to_string());
        assert_eq!(why.as_deref(), said);
    }

    #[test]
    fn a_seed_whose_schedule_is_another_run_is_named() {
        let verdict = repeat(3..9, |seed| match seed % 4 {
            0 => Err("5 acts became 4".to_owned()),
            _ => Ok(()),
        });
        let why = verdict.err().map(|error| error.to_string());
        let said = "seeds whose schedule is another run: [4, 8]";
        assert_eq!(why.as_deref(), Some(said));
        assert!(repeat(0..3, |_| Ok(())).is_ok());
    }

    #[test]
    fn a_seed_that_differs_from_itself_or_fails_twice_is_named() {
        let named = Some("seeds that are no replay: [8]");
        for order in [false, true] {
            check(order, ("2 entries", true), ("2 entries", true), None);
            check(order, ("2 entries", true), ("3 entries", true), named);
            check(order, ("2 entries", false), ("2 entries", false), named);
            check(order, ("2 entries", true), ("2 entries", false), named);
        }
    }
}
