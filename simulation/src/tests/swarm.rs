//! Seeds that draw their own mesh, workload and faults; and what they have found.

use super::{ask, check_text, finish, met};
use crate::swarm::{Fault, Plan, Topology};
use crate::{Ask, Mesh, State, millis, secs};
use kernel::Entropy;
use messages::Address;

/// Seeds of one test run; `mesh-sim swarm` runs as many as there is time for.
const SEEDS: std::ops::Range<u64> = 0..40;

#[test]
fn every_seed_is_safe_and_makes_progress() {
    for seed in SEEDS {
        let outcome = Plan::draw(seed).run();
        assert_eq!(outcome.failures, Vec::<String>::new(), "seed {seed}");
        assert!(outcome.report.is_some(), "seed {seed}");
    }
}

#[test]
fn seeds_draw_everything_that_there_is_to_draw() {
    let plans: Vec<Plan> = (0..1_000).map(Plan::draw).collect();
    let has = |what: &str, holds: &dyn Fn(&Plan) -> bool| {
        assert!(plans.iter().any(holds), "no plan has {what}");
        assert!(!plans.iter().all(holds), "every plan has {what}");
    };
    has("two nodes", &|plan| plan.nodes == 2);
    has("forty nodes", &|plan| plan.nodes > 40);
    has("no engine", &|plan| plan.engines.is_empty());
    has("late nodes", &|plan| !plan.late.is_empty());
    has("an order of its own", &|plan| plan.shuffled);
    has("islands", &|plan| {
        matches!(plan.topology, Topology::Islands(_))
    });
    has("a core without the owner", &|plan| !plan.core.contains(&0));
    has("all of it healed", &|plan| plan.core.len() == plan.nodes);
    for fault in [
        Fault::Kill,
        Fault::Wedge,
        Fault::KillInTurn,
        Fault::KillFull,
    ] {
        has("a fault", &|plan| plan.mix.faults.contains(&fault));
    }
    for plan in &plans {
        assert!(plan.core.len() >= 2, "{plan:?}");
        assert!(plan.core.iter().all(|node| *node < plan.nodes), "{plan:?}");
    }
}

/// Found by seed 58: prompts that it answered hid that the engine had lost a step.
#[test]
fn a_lost_step_is_found_out_while_prompts_are_answered() {
    let mut mesh = met(Mesh::seed(58).nodes(2).engines(&[0]));
    let client = mesh.ask(1, Ask::new(1).max_tokens(200));
    mesh.run_until(secs(5), |mesh| mesh.answer(client).deltas > 3);
    mesh.wedge(0, true);
    mesh.run_for(millis(100));
    mesh.wedge(0, false);
    for n in 0..40 {
        mesh.ask(1, Ask::new(n).max_tokens(4));
        mesh.run_for(secs(1));
    }
    let fresh = ask(&mut mesh, 1, 9);
    let answer = finish(&mut mesh, fresh);
    check_text(&answer, 9, super::TOKENS);
}

/// Found by seed 314: what such clients waited for would never come.
#[test]
fn a_server_that_dies_hangs_up_on_its_clients() {
    let mut mesh = met(Mesh::seed(314).nodes(2).engines(&[0]));
    let client = ask(&mut mesh, 1, 5);
    mesh.run_until(secs(5), |mesh| mesh.answer(client).deltas > 3);
    assert!(mesh.kill_actor(1, Address::Gateway));
    mesh.run_for(secs(1));
    let answer = mesh.answer(client);
    assert_eq!((answer.state, answer.ends), (State::Broken, 1));
    mesh.run_for(secs(5));
    assert_eq!(mesh.answer(client).ends, 1, "nothing comes after it");
    assert_eq!(mesh.jobs(0), 0, "its job was taken back");
}

#[test]
fn a_node_falls_between_any_two_effects() {
    let mut draw = Entropy::from_number(1);
    for effects in (0..40).chain((40..200).step_by(16)) {
        let mut mesh = met(Mesh::seed(effects).nodes(3).engines(&[0, 2]));
        let client = ask(&mut mesh, 1, effects);
        let victim = [0, 2][usize::from(draw.chance(500_000))];
        mesh.kill_after_effects(victim, effects);
        let answer = finish(&mut mesh, client);
        check_text(&answer, effects, super::TOKENS);
        let fell = mesh.run_until(secs(60), |mesh| !mesh.is_up(victim));
        assert!(fell, "after {effects} effects");
    }
}

#[test]
fn an_actor_falls_between_two_effects_and_the_others_carry_on() {
    let mut mesh = met(Mesh::seed(2).nodes(3).engines(&[0, 2]));
    let client = ask(&mut mesh, 1, 3);
    mesh.kill_actor_after_effects(0, 1, Some(Address::Router));
    mesh.kill_actor_after_effects(2, 3, None);
    let answer = finish(&mut mesh, client);
    check_text(&answer, 3, super::TOKENS);
    mesh.run_for(secs(5));
    let crashes = mesh.crashes();
    assert_eq!(crashes.len(), 2, "{crashes:?}");
    assert!(
        crashes.contains(&"0: router killed".to_owned()),
        "{crashes:?}"
    );
}
