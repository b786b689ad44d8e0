//! A run without its draws is the same run, and a failing one becomes short.

use crate::swarm::{Act, Actor, Plan, Schedule, kind_of, meta, shrink};

fn schedule(seed: u64) -> Schedule {
    let plan = Plan::draw(seed);
    let acts = plan.run().acts;
    Schedule {
        fails: Vec::new(),
        plan,
        acts,
    }
}

#[test]
fn what_a_seed_did_repeats_it_to_the_last_digest() {
    // `mesh-sim meta` does so with more of them.
    for seed in 0..5 {
        assert_eq!(meta::rerun(seed), Ok(()), "seed {seed}");
    }
}

/// Fails where a roster was killed on a node that is not the last.
fn fails(schedule: &Schedule) -> bool {
    let outcome = schedule.run();
    let is_it = |crash: &String| crash.starts_with("1: roster");
    outcome.crashes.iter().any(is_it)
}

#[test]
fn a_failing_run_is_shrunk_to_what_it_takes() {
    let mut shrunk = None;
    for seed in 0..400 {
        // Every attempt runs the whole mesh again: a small one tells as much.
        if Plan::draw(seed).nodes > 12 {
            continue;
        }
        let long = schedule(seed);
        let who = Actor::Roster;
        let is_it = |act: &Act| *act == Act::KillActor { node: 1, who };
        if long.acts.iter().any(is_it) && long.acts.len() > 20 {
            shrunk = shrink(&long, 2_000, &mut fails);
            break;
        }
    }
    let shrunk = shrunk.expect("some seed kills that roster");
    let Schedule { plan, acts, .. } = &shrunk.schedule;
    let who = Actor::Roster;
    assert_eq!(acts, &[Act::KillActor { node: 1, who }]);
    assert_eq!((plan.nodes, plan.costs, plan.clocks.len()), (2, false, 0));
    assert!(shrunk.attempts < 200, "{} runs", shrunk.attempts);
}

#[test]
fn what_does_not_fail_is_not_shrunk() {
    assert!(shrink(&schedule(1), 100, &mut |_| false).is_none());
}

#[test]
fn shrinking_ends_when_its_runs_are_spent() {
    let mut runs = 0;
    let shrunk = shrink(&schedule(1), 7, &mut |_| {
        runs += 1;
        true
    });
    assert_eq!((shrunk.map(|shrunk| shrunk.attempts), runs), (Some(7), 7));
}

#[test]
fn a_file_that_is_no_schedule_says_where() {
    let text = schedule(1).text().expect("a file");
    let broken = text.replacen("wait", "weight", 1);
    let error = Schedule::parse(&broken).map(drop).expect_err("no act");
    assert!(
        error.contains("line") && error.contains("`weight`"),
        "{error}"
    );
}

#[test]
fn failures_of_a_sort_differ_in_numbers_alone() {
    let one = kind_of("node 3 works on 2 jobs of nobody");
    assert_eq!(one, kind_of("node 12 works on 1 jobs of nobody"));
    assert_ne!(one, kind_of("the world panicked: 3"));
    let apart = kind_of("12.3 s after the healing: no session [(0, 1), (1, 0)]");
    assert_eq!(apart, kind_of("9 s after the healing: no session [(0, 1)]"));
    assert_eq!(apart, " s after the healing: no session ");
}
