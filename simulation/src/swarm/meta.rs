//! Whether a seed is a replay: its trace as text, and where two of them part.

use super::{Outcome, Plan, Schedule};
use std::cell::RefCell;
use std::fmt::Write as _;
use std::ops::Range;

/// The trace of a run, in brief: one line for each round, with the digest of all that came before.
///
/// With `show`, these entries of the trace follow, one a line.
#[must_use]
pub fn trace(plan: &Plan, show: Range<u64>) -> (String, Outcome) {
    let text = RefCell::new(String::new());
    let outcome = plan.run_watched(|mesh| {
        mesh.show(show.clone());
        let report = mesh.report();
        let mut text = text.borrow_mut();
        let _ = writeln!(
            text,
            "{} entries, {} µs, {} packets, {} bytes: {}",
            report.trace_events, report.time_us, report.packets, report.bytes, report.trace
        );
        if report.trace_events >= show.end && !show.is_empty() {
            shown(&mut text, mesh.shown(), show.start);
        }
    });
    let mut text = text.into_inner();
    let _ = writeln!(text, "{:?}", outcome.tally);
    for line in outcome.failures.iter().chain(&outcome.crashes) {
        let _ = writeln!(text, "{line}");
    }
    (text, outcome)
}

/// Writes what a seed did as a schedule, reads it and runs it: the same run, draws or not.
///
/// # Errors
/// What differs.
pub fn rerun(seed: u64) -> Result<(), String> {
    let plan = Plan::draw(seed);
    let drawn = plan.run();
    let schedule = Schedule {
        fails: Vec::new(),
        plan,
        acts: drawn.acts.clone(),
    };
    let read = Schedule::parse(&schedule.text()?)?;
    if read != schedule {
        return Err("the schedule is read otherwise than it was written".to_owned());
    }
    same(&drawn, &read.run())
}

/// Whether two runs did and came to the same.
fn same(drawn: &Outcome, again: &Outcome) -> Result<(), String> {
    let acts = drawn.acts.iter().zip(&again.acts);
    if let Some((one, two)) = acts.into_iter().find(|(one, two)| one != two) {
        return Err(format!("{one:?} became {two:?}"));
    }
    if drawn.acts.len() != again.acts.len() {
        let (one, two) = (drawn.acts.len(), again.acts.len());
        return Err(format!("{one} acts became {two}"));
    }
    let came_to = |of: &Outcome| {
        let (failures, crashes) = (of.failures.clone(), of.crashes.clone());
        format!(
            "{:?}, failures {failures:?}, crashes {crashes:?}",
            of.report
        )
    };
    let (one, two) = (came_to(drawn), came_to(again));
    match one == two {
        true => Ok(()),
        false => Err(format!("{one} became {two}")),
    }
}

fn shown(text: &mut String, lines: &[String], first: u64) {
    if text.contains(ENTRY) {
        return;
    }
    for (number, line) in (first..).zip(lines) {
        let _ = writeln!(text, "{ENTRY}{number}: {line}");
    }
}

/// How a line begins that shows an entry.
const ENTRY: &str = "entry ";

/// Where two texts part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    /// The first line that differs, as the one has it and as the other has it.
    pub lines: (String, String),
    /// The entries of the trace between which they part, where a digest differs.
    pub entries: Range<u64>,
}

/// Where two traces part; nowhere where they are equal byte for byte.
#[must_use]
pub fn parting(one: &str, two: &str) -> Option<Parting> {
    if one == two {
        return None;
    }
    let mut last = 0;
    let (mut ones, mut twos) = (one.lines(), two.lines());
    loop {
        let (a, b) = (ones.next(), twos.next());
        let count = |line: Option<&str>| line.and_then(entries);
        if a == b && a.is_some() {
            last = count(a).unwrap_or(last);
            continue;
        }
        let end = count(a).into_iter().chain(count(b)).max();
        let owned = |line: Option<&str>| line.unwrap_or("(nothing)").to_owned();
        return Some(Parting {
            lines: (owned(a), owned(b)),
            entries: last..end.unwrap_or(last),
        });
    }
}

/// The first lines that differ among the entries shown.
#[must_use]
pub fn first_entry(one: &str, two: &str) -> Option<(String, String)> {
    let of = |text: &str| -> Vec<String> {
        let entries = text.lines().filter(|line| line.starts_with(ENTRY));
        entries.map(str::to_owned).collect()
    };
    let (one, two) = (of(one), of(two));
    let longest = one.len().max(two.len());
    let line = |lines: &[String], at: usize| lines.get(at).cloned().unwrap_or_default();
    (0..longest)
        .map(|at| (line(&one, at), line(&two, at)))
        .find(|(a, b)| a != b)
}

fn entries(line: &str) -> Option<u64> {
    let (count, rest) = line.split_once(' ')?;
    rest.starts_with("entries")
        .then(|| count.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Entropy;

    #[test]
    fn a_seed_is_a_replay_in_either_order_of_turns() {
        for seed in 0..2 {
            for shuffled in [false, true] {
                let mut plan = Plan::draw(seed);
                plan.shuffled = shuffled;
                let (one, outcome) = trace(&plan, 0..0);
                assert_eq!(outcome.failures, Vec::<String>::new(), "seed {seed}");
                assert_eq!(parting(&one, &trace(&plan, 0..0).0), None, "seed {seed}");
            }
        }
    }

    #[test]
    fn runs_that_differ_in_an_act_or_in_what_they_come_to_are_not_the_same() {
        let drawn = Plan::draw(1).run();
        assert_eq!(same(&drawn, &drawn), Ok(()));
        let mut other = drawn.clone();
        other.acts.pop();
        assert!(same(&drawn, &other).is_err_and(|why| why.contains("acts became")));
        other.acts.clone_from(&drawn.acts);
        other.acts.swap(0, 1);
        assert!(same(&drawn, &other).is_err_and(|why| why.contains(" became ")));
        other.acts.clone_from(&drawn.acts);
        other.failures.push("the world panicked".to_owned());
        assert!(same(&drawn, &other).is_err_and(|why| why.contains("panicked")));
        other.failures.clone_from(&drawn.failures);
        other.report = None;
        assert!(same(&drawn, &other).is_err_and(|why| why.contains("None")));
    }

    #[test]
    fn the_first_entry_that_differs_is_named() {
        let mut other = Plan::draw(1);
        // A burst of one request more than the plan has it, at some time.
        other.workload.burst_max += 1 + Entropy::from_number(1).below(3);
        let (one, _) = trace(&Plan::draw(1), 0..0);
        let (two, _) = trace(&other, 0..0);
        let parting = parting(&one, &two).expect("another workload");
        assert!(!parting.entries.is_empty(), "{parting:?}");
        let (one, _) = trace(&Plan::draw(1), parting.entries.clone());
        let (two, _) = trace(&other, parting.entries);
        let (a, b) = first_entry(&one, &two).expect("an entry");
        assert_ne!(a, b);
        assert!(a.starts_with(ENTRY) && b.starts_with(ENTRY), "{a}\n{b}");
    }
}
