//! The seam between the world and actors that run freely: lives, boots and streams.

use super::*;
use crate::{Ask, State, millis, secs};
use messages::List;
use messages::ports::gateway::Command;

const TOKENS: u32 = 24;

/// Two nodes that have met; the first serves.
fn met() -> FreeMesh {
    let mut free = Mesh::seed(3).nodes(2).engines(&[0]).free_running().unwrap();
    assert!(free.run_until(secs(10), |mesh| !mesh.models(1).is_empty()));
    free.run_for(secs(2));
    free
}

fn actors(free: &FreeMesh, node: NodeIndex) -> Rc<RefCell<Actors>> {
    Rc::clone(&free.running[&node])
}

fn live(free: &FreeMesh, who: Address) -> Option<Incarnation> {
    actors(free, 1).borrow().live(who)
}

/// The gateway of node 1 is told, as a life and a boot, that no model is served.
fn told(free: &mut FreeMesh, life: Incarnation, boot: u64) -> usize {
    let mail = Mail::Letter(Letter::Gateway(Command::Models(List::default())));
    let call = Call {
        node: 1,
        boot,
        at: Address::Gateway,
        what: Want::Take(Some(life), mail),
    };
    answer(&mut free.mesh, &free.running, call);
    free.mesh().models(1).len()
}

#[test]
fn mail_of_an_earlier_life_or_boot_is_nobodys() {
    let mut free = met();
    let boot = free.mesh.world.nodes[1].boots;
    let life = live(&free, Address::Gateway).unwrap();
    let old = Incarnation {
        n: life.n + 1,
        ..life
    };
    assert_eq!(told(&mut free, old, boot), 1);
    assert_eq!(told(&mut free, life, boot + 1), 1);
    assert_eq!(told(&mut free, life, boot), 0);
}

#[test]
fn a_driver_that_is_killed_is_gone_and_lives_again() {
    let mut free = met();
    let client = free.mesh().ask(1, Ask::new(3).max_tokens(10_000));
    assert!(free.run_until(secs(5), |mesh| mesh.answer(client).deltas > 3));
    let life = live(&free, Address::Transport).unwrap();
    assert_eq!(actors(&free, 1).borrow().leaves.len(), 1);
    assert!(free.kill_actor(1, Address::Transport));
    // Its first restart waits for ten milliseconds.
    free.run_for(millis(5));
    assert_eq!(live(&free, Address::Transport), None);
    assert_eq!(actors(&free, 1).borrow().leaves.len(), 0, "and its streams");
    free.run_for(millis(50));
    let next = live(&free, Address::Transport).unwrap();
    assert!(next > life);
    // The end of the earlier one is told late.
    actors(&free, 1).borrow_mut().end(Address::Transport, life);
    assert_eq!(live(&free, Address::Transport), Some(next));
}

#[test]
fn a_request_that_dies_frees_its_slot() {
    let mut free = met();
    let client = free.mesh().ask(1, Ask::new(3).max_tokens(10_000));
    assert!(free.run_until(secs(5), |mesh| mesh.answer(client).deltas > 3));
    let is_request = |who: &Address| matches!(who, Address::Proxy(_));
    let request = free.addresses(1).into_iter().find(is_request).unwrap();
    assert!(free.kill_actor(1, request));
    free.run_for(millis(500));
    assert_eq!(free.mesh().answer(client).state, State::Broken);
    assert_eq!(free.mesh().jobs(0), 0, "its stream has learned of it");
}

#[test]
fn a_node_serves_in_its_second_boot_as_in_its_first() {
    let mut free = met();
    free.kill(0);
    free.run_for(secs(1));
    free.start(0).unwrap();
    free.run_for(secs(40));
    let client = free.mesh().ask(1, Ask::new(4).max_tokens(TOKENS));
    free.run_for(secs(5));
    let text = free.mesh().answer(client).text;
    assert_eq!(text, crate::expected_text(4, TOKENS));
}

#[test]
fn time_passes_as_far_as_it_is_let() {
    let mut free = met();
    let before = free.mesh().time();
    free.run_for(Micros(12_345));
    assert_eq!(free.mesh().time() - before, 12_345);
}

#[test]
fn a_node_that_is_absent_does_not_run() {
    let builder = Mesh::seed(3).nodes(3).absent(&[2]);
    let mut free = builder.free_running().unwrap();
    free.run_for(secs(5));
    assert!(free.mesh().is_up(1) && !free.mesh().is_up(2));
    assert!(!free.mesh().is_active(1, 2));
    free.start(2).unwrap();
    free.run_for(secs(5));
    assert!(free.mesh().is_up(2) && free.addresses(2).len() > 3);
}
