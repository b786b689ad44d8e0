//! Who must meet whom.

use super::*;
use crate::secs;

fn core(plan: &Plan) -> Core<'_> {
    Core::new(plan, &BTreeSet::new())
}

fn meet(plan: &Plan, one: NodeIndex, two: NodeIndex) -> bool {
    core(plan).must_meet(one, two)
}

fn is_served(plan: &Plan, node: NodeIndex) -> Option<bool> {
    core(plan).is_served(&plan.mesh(), node)
}

fn plan(boxes: &[(NodeIndex, Nat)]) -> Plan {
    Plan {
        nodes: 4,
        engines: vec![2],
        core: vec![0, 1, 2, 3],
        boxes: boxes.to_vec(),
        housed: Vec::new(),
        outer: Vec::new(),
        reflection: false,
        relay: None,
        degree: None,
        movers: Vec::new(),
        ..Plan::draw(1)
    }
}

#[test]
fn boxes_need_one_in_the_open_or_reflection_or_a_relay() {
    let two = [(1, Nat::PORT_RESTRICTED), (2, Nat::FULL_CONE)];
    let mut plan = plan(&two);
    assert!(meet(&plan, 0, 3) && meet(&plan, 1, 0) && meet(&plan, 3, 2));
    assert!(!meet(&plan, 1, 2));
    assert_eq!(is_served(&plan, 1), None);
    assert_eq!(is_served(&plan, 3), Some(true));
    plan.reflection = true;
    assert!(meet(&plan, 1, 2));
    plan.movers = vec![2];
    assert!(
        !meet(&plan, 1, 2),
        "nobody tells it that its box has another address"
    );
    plan.movers.clear();
    plan.outer = vec![(1, Nat::SYMMETRIC)];
    assert!(!meet(&plan, 1, 2));
    plan.relay = Some(secs(1));
    assert!(meet(&plan, 1, 2));
    plan.boxes.push((3, Nat::UDP_BLOCKED));
    assert!(meet(&plan, 1, 3));
    plan.relay = None;
    assert!(!meet(&plan, 0, 3));
}

#[test]
fn who_lets_in_and_answers_from_elsewhere_is_not_waited_for() {
    let half = Nat {
        mapping: Dependence::Address,
        ..Nat::FULL_CONE
    };
    let mut plan = plan(&[(1, half)]);
    assert!(meet(&plan, 1, 2));
    plan.reflection = true;
    assert!(!meet(&plan, 1, 2) && !meet(&plan, 2, 1));
}

#[test]
fn who_moved_is_found_through_the_owner_alone() {
    let mut plan = plan(&[(1, Nat::FULL_CONE)]);
    plan.movers = vec![2];
    assert!(meet(&plan, 1, 2));
    plan.core = vec![1, 2, 3];
    assert!(!meet(&plan, 1, 2));
    assert!(meet(&plan, 2, 3) && meet(&plan, 1, 3));
}

#[test]
fn a_bounded_neighbourhood_is_connected_and_serves_whom_it_can() {
    let mut plan = plan(&[]);
    plan.degree = Some(2);
    assert_eq!(is_served(&plan, 2), Some(true));
    assert_eq!(is_served(&plan, 1), None);
    plan.engines.clear();
    assert_eq!(is_served(&plan, 1), Some(false));
    let mut mesh = plan.mesh();
    assert_eq!(core(&plan).apart(&mesh).len(), 3);
    mesh.run_for(secs(60));
    assert!(core(&plan).agrees(&mesh));
    mesh.kill(3);
    assert_eq!(core(&plan).apart(&mesh), vec![(0, 3)]);
}

#[test]
fn neighbours_behind_one_box_meet_and_move_together() {
    let mut plan = plan(&[(1, Nat::SYMMETRIC), (3, Nat::FULL_CONE)]);
    plan.housed = vec![(2, 1)];
    assert_eq!(plan.household(1), vec![1, 2]);
    assert!(meet(&plan, 1, 2) && !meet(&plan, 1, 3));
    let mut mesh = plan.mesh();
    mesh.run_for(secs(20));
    assert!(core(&plan).agrees(&mesh), "{:?}", core(&plan).apart(&mesh));
    plan.boxes = vec![(1, Nat::FULL_CONE), (3, Nat::FULL_CONE)];
    plan.reflection = true;
    assert!(meet(&plan, 1, 3) && meet(&plan, 2, 3));
    plan.movers = vec![2];
    assert!(!meet(&plan, 1, 3), "its box moves with its neighbour");
    assert!(meet(&plan, 1, 2));
    plan.boxes = vec![(1, Nat::UDP_BLOCKED)];
    assert!(!meet(&plan, 1, 2), "nobody tells them of each other");
}

#[test]
fn who_has_a_neighbour_with_the_address_of_the_other_is_misled() {
    let mut plan = Plan {
        nodes: 5,
        core: vec![0, 1, 2, 3, 4],
        ..plan(&[(1, Nat::FULL_CONE), (3, Nat::FULL_CONE)])
    };
    plan.reflection = true;
    plan.housed = vec![(2, 1), (4, 3)];
    assert!(!meet(&plan, 1, 4) && !meet(&plan, 4, 1));
    assert!(!meet(&plan, 2, 3));
    // Each has the other's address itself.
    assert!(meet(&plan, 1, 3) && meet(&plan, 2, 4));
    plan.relay = Some(secs(1));
    assert!(!meet(&plan, 1, 4));
    // Nobody answers any more.
    plan.core = vec![0, 1, 4];
    assert!(meet(&plan, 1, 4));
}

#[test]
fn who_was_revoked_is_no_peer_of_those_that_were_told() {
    let mut plan = plan(&[]);
    plan.one_ticket = false;
    let mut mesh = plan.mesh();
    mesh.run_for(secs(20));
    let core = Core::new(&plan, &BTreeSet::from([2]));
    assert_eq!(
        (&core.members[..], &core.outcasts[..]),
        (&[0, 1, 3][..], &[2][..])
    );
    assert!(core.agrees(&mesh), "nobody has been told");
    assert_eq!(core.is_served(&mesh, 1), None);
    mesh.revoke(2);
    mesh.run_for(secs(2));
    assert!(core.agrees(&mesh), "{:?}", core.wrongly_met(&mesh));
    assert_eq!(core.is_served(&mesh, 1), Some(false));
    assert_eq!(core.is_served(&mesh, 2), Some(true), "it serves itself");
    let other = Core::new(&plan, &BTreeSet::from([1]));
    mesh.cut(&[0], &[1, 3]);
    mesh.run_for(secs(20));
    mesh.revoke(1);
    mesh.run_for(secs(1));
    assert!(mesh.knows_revoked(0, 1) && !mesh.knows_revoked(3, 1));
    assert!(
        mesh.is_active(3, 1) && other.wrongly_met(&mesh).is_empty(),
        "nobody told it"
    );
    mesh.heal();
    mesh.run_until(secs(60), |mesh| mesh.knows_revoked(3, 1));
    mesh.run_for(secs(1));
    assert!(!mesh.is_active(3, 1) && other.wrongly_met(&mesh).is_empty());
}
