//! The budget of restarts: what is spent after the fourteenth failure in a row, and the minute
//! until the next try.

use super::{caught, met};
use crate::{Mesh, millis, secs};
use kernel::{Effect, How};
use messages::Address;

/// Failures in a row until an actor is left alone.
const FAILURES: usize = 14;

/// A mesh whose first node has a router that has died so often in a row.
fn dying(failures: usize) -> Mesh {
    let mut mesh = met(Mesh::seed(8).nodes(2));
    for _ in 0..failures {
        let back = mesh.run_until(secs(3), |mesh| mesh.is_alive(0, Address::Router));
        assert!(back && mesh.kill_actor(0, Address::Router));
    }
    mesh.assert_clean();
    mesh
}

/// Its supervisor forgets it, and what came before.
fn forget(mesh: &mut Mesh) {
    let effects = vec![Effect::Stop(Address::Router, How::Kill)];
    mesh.world.apply(0, kernel::Source::World, effects);
}

/// It is started as if it had never died.
fn start(mesh: &mut Mesh) {
    forget(mesh);
    let plan = tree::Plan {
        networks: Vec::new(),
        workers: Vec::new(),
        control: false,
    };
    let children = plan.children().into_iter();
    let router = children.filter(|child| child.at == Address::Router);
    let effects = router.map(|child| Effect::Start(std::sync::Arc::new(child)));
    let effects = effects.collect();
    mesh.world.apply(0, kernel::Source::World, effects);
}

#[test]
fn a_supervisor_that_keeps_its_budget_is_not_blamed() {
    let mut mesh = dying(FAILURES);
    mesh.run_for(secs(59));
    assert!(!mesh.is_alive(0, Address::Router), "its budget is spent");
    mesh.run_for(secs(2));
    assert!(mesh.is_alive(0, Address::Router), "it is tried again");
    mesh.assert_clean();
}

#[test]
fn a_fourteenth_failure_that_waits_no_longer_than_the_thirteenth_is_caught() {
    let mut mesh = dying(FAILURES - 1);
    mesh.run_for(millis(2_100));
    mesh.assert_clean();
    assert!(mesh.kill_actor(0, Address::Router));
    mesh.run_for(millis(2_100));
    start(&mut mesh);
    mesh.run_for(millis(10));
    caught(&mesh, "supervision", "router was started 57");
}

#[test]
fn a_next_try_within_the_minute_is_caught() {
    let mut mesh = dying(FAILURES);
    mesh.run_for(secs(59));
    start(&mut mesh);
    mesh.run_for(millis(10));
    caught(&mesh, "supervision", "early after failure 0");
}

#[test]
fn a_next_try_that_does_not_come_after_the_minute_is_caught() {
    let mut mesh = dying(FAILURES);
    forget(&mut mesh);
    mesh.run_for(secs(65));
    mesh.assert_clean();
    mesh.run_for(secs(10));
    caught(
        &mesh,
        "supervision",
        "router ended and was not started again",
    );
}
