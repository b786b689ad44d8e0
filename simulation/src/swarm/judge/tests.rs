//! The judge, judged.

use super::super::plan::Plan;
use super::*;
use messages::Letter;
use messages::ports::gateway::Command;
use std::collections::BTreeSet;

fn failures(plan: &Plan, heal: bool, trouble: impl Fn(&mut Mesh)) -> Vec<String> {
    let mut mesh = plan.mesh();
    mesh.run_for(secs(3));
    trouble(&mut mesh);
    let mut demands = Demands::new(core(plan), &mut mesh);
    if heal {
        demands.heal();
    }
    demands.progress(&mut Vec::new());
    demands.verdict(&[]).0
}

fn core(plan: &Plan) -> Core<'_> {
    Core::new(plan, &BTreeSet::new())
}

fn plan() -> Plan {
    Plan {
        nodes: 3,
        engines: vec![1],
        late: Vec::new(),
        core: vec![0, 1],
        costs: false,
        boxes: Vec::new(),
        housed: Vec::new(),
        outer: Vec::new(),
        relay: None,
        reflection: false,
        degree: None,
        clocks: Vec::new(),
        ..Plan::draw(1)
    }
}

#[test]
fn a_core_that_is_not_well_is_a_failure() {
    for trouble in [
        (|mesh| mesh.kill(1)) as fn(&mut Mesh),
        |mesh| mesh.freeze(1),
        |mesh| mesh.cut(&[0], &[1]),
    ] {
        assert_ne!(failures(&plan(), false, trouble), Vec::<String>::new());
        assert_eq!(failures(&plan(), true, trouble), Vec::<String>::new());
    }
}

#[test]
fn what_is_outside_the_core_does_not_matter() {
    let failures = failures(&plan(), true, |mesh| mesh.kill(2));
    assert_eq!(failures, Vec::<String>::new());
}

#[test]
fn a_false_answer_is_told_from_a_true_one() {
    let one = |text: &str, state: State, ends: u32, has_shed: bool| {
        let mut mesh = plan().mesh();
        let client = mesh.ask(0, Ask::new(4).max_tokens(3));
        let asked = Asked::new(&mesh, client, (4, 3));
        let mut answer = Answer::default();
        text.clone_into(&mut answer.text);
        answer.state = state;
        answer.ends = ends;
        asked.lie(&answer, has_shed)
    };
    let whole = kernel::scripted::text(4, 3);
    assert_eq!(one(&whole, State::Streaming, 0, false), None);
    assert_eq!(one(&whole, State::Broken, 1, false), None);
    assert!(one(&whole, State::Broken, 2, false).is_some());
    assert!(one("nonsense", State::Gone, 0, false).is_some());
    let internal = State::Failed(Failure::Internal);
    assert!(one(&whole, internal.clone(), 1, false).is_some());
    assert_eq!(one(&whole, internal, 1, true), None, "it had no room");
}

#[test]
fn a_clog_that_outlasts_the_healing_is_waited_for() {
    let clog = |mesh: &mut Mesh| mesh.clog(&[0], &[1], AGREEMENT.times(3));
    assert_eq!(failures(&plan(), true, clog), Vec::<String>::new());
    assert_ne!(failures(&plan(), false, clog), Vec::<String>::new());
}

#[test]
fn a_failure_of_the_node_is_excused_by_text_without_room_alone() {
    let mut mesh = plan().mesh();
    mesh.run_for(secs(3));
    let clients = [0, 0].map(|node| mesh.ask(node, Ask::new(4).max_tokens(30)));
    mesh.run_until(secs(5), |mesh| mesh.answer(clients[1]).deltas > 3);
    let text = "a".repeat(9 << 20);
    let delta = |n: usize, offset: u64| Command::Delta {
        request: clients[n].request(),
        offset,
        text: text.as_str().into(),
    };
    for offset in 0..8 {
        mesh.tell(0, Letter::Gateway(delta(1, 1_000 + offset)));
    }
    assert!(mesh.has_shed(clients[1]));
    assert!(!mesh.has_shed(clients[0]));
}

#[test]
fn what_nobody_wants_and_is_there_at_the_end_is_a_failure() {
    let plan = plan();
    let mut mesh = plan.mesh();
    mesh.run_for(secs(3));
    let mut demands = Demands::new(core(&plan), &mut mesh);
    demands.lingering();
    assert_eq!(demands.failures, Vec::<String>::new());
    let ask = |mesh: &mut Mesh| mesh.ask(0, Ask::new(1).max_tokens(4_000));
    ask(demands.mesh);
    demands.mesh.run_for(secs(1));
    demands.lingering();
    let left = demands.failures.join("\n");
    for what in [
        "jobs of nobody",
        "a request is",
        "a stream is",
        "a session counts",
        "a worker counts",
    ] {
        assert!(left.contains(what), "{what}: {left}");
    }
}

#[test]
fn all_ways_to_give_a_request_up_leave_nothing() {
    for seed in 0..24 {
        let plan = Plan { seed, ..plan() };
        let mut mesh = plan.mesh();
        mesh.run_for(secs(3));
        let mut demands = Demands::new(core(&plan), &mut mesh);
        demands.abandon();
        demands.lingering();
        assert_eq!(demands.failures, Vec::<String>::new(), "seed {seed}");
    }
}
