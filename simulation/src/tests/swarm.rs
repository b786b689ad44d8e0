//! Seeds that draw their own mesh, workload and faults; and what they have found.

use super::{ask, check_text, finish, met};
use crate::swarm::{Act, FAULTS, Plan, Topology};
use crate::{Mesh, secs};
use kernel::Entropy;
use messages::Address;
use std::collections::BTreeSet;

/// Seeds of one test run; `mesh-sim swarm` runs as many as there is time for.
const SEEDS: std::ops::Range<u64> = 0..20;

#[test]
fn every_seed_is_safe_and_makes_progress_and_every_fault_strikes() {
    let mut missing = BTreeSet::from(FAULTS);
    let has_tail = |act: &Act| matches!(act, Act::Path { is, .. } if is.latency.tail.permille > 0);
    let mut tails = 0;
    for seed in SEEDS {
        let outcome = Plan::draw(seed).run();
        assert_eq!(outcome.failures, Vec::<String>::new(), "seed {seed}");
        assert!(outcome.report.is_some(), "seed {seed}");
        missing.retain(|fault| !outcome.struck.contains(fault));
        tails += outcome.acts.iter().filter(|act| has_tail(act)).count();
    }
    assert_eq!(missing, BTreeSet::new(), "found nobody to strike");
    assert!(tails > 0, "no path takes long now and then");
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
    has("a relay", &|plan| plan.relay.is_some());
    has("reflection", &|plan| plan.reflection);
    has("two boxes in a row", &|plan| !plan.outer.is_empty());
    has("a box in its core", &|plan| {
        let mut boxed = plan.boxes.iter();
        boxed.any(|(node, _)| plan.core.contains(node))
    });
    has("a bounded neighbourhood", &|plan| plan.degree.is_some());
    has("one ticket", &|plan| plan.one_ticket);
    has("a first node that moves", &|plan| plan.movers == [0]);
    has("many that move", &|plan| plan.movers.len() > 4);
    has("hasty clients", &|plan| plan.workload.hasty > 0);
    has("neighbours behind one box", &|plan| !plan.housed.is_empty());
    has("neighbours of its core", &|plan| {
        let mut housed = plan.housed.iter();
        housed.any(|(one, two)| plan.core.contains(one) && plan.core.contains(two))
    });
    has("a box that turns packets around", &|plan| {
        let turns = |node| {
            plan.boxes
                .iter()
                .any(|(of, nat)| *of == node && nat.hairpin)
        };
        plan.housed.iter().any(|(_, host)| turns(*host))
    });
    for fault in FAULTS {
        has(&format!("{fault:?}"), &|plan| {
            plan.mix.faults.contains(&fault)
        });
    }
    for plan in &plans {
        assert!(plan.core.len() >= 2, "{plan:?}");
        assert!(plan.core.iter().all(|node| *node < plan.nodes), "{plan:?}");
    }
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

/// Drivers too: what they do comes one by one, and a crash may stand before each.
#[test]
fn every_driver_falls_between_two_effects_and_leaves_no_stream() {
    let mut fallen = std::collections::BTreeSet::new();
    for effects in 0..70 {
        let mut mesh = met(Mesh::seed(effects).nodes(3).engines(&[0, 2]));
        mesh.kill_actor_after_effects(0, effects, None);
        let client = ask(&mut mesh, 0, effects);
        let far = ask(&mut mesh, 1, effects);
        mesh.run_for(secs(60));
        for crash in mesh.crashes() {
            fallen.insert(crash.trim_start_matches("0: ").to_owned());
        }
        for node in 0..3 {
            let addresses = mesh.addresses(node);
            let left = addresses
                .iter()
                .find(|who| matches!(who, Address::Stream(_)));
            assert_eq!(left, None, "after {effects} effects, node {node}");
        }
        assert!(!mesh.answer(client).is_open() && !mesh.answer(far).is_open());
    }
    for driver in ["gateway", "transport", "engine/0", "worker/0"] {
        let line = format!("{driver} killed");
        assert!(fallen.contains(&line), "{driver}: {fallen:?}");
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
