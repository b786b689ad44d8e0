//! A restart is a feature: the client does not notice, or gets one clear error.

use super::{TOKENS, ask, check_text, finish, met};
use crate::{Mesh, State, millis, secs};
use messages::Address;
use messages::request_proxy::Failure;

/// Kills one sort of actor on a node at many moments of a running stream.
fn kill_at_every_moment(node: usize, victim: fn(&Address) -> bool, may_fail: bool) {
    let mut killed = 0;
    for moment in 0..40_u64 {
        let mut mesh = met(Mesh::seed(1_000 + moment).nodes(3).engines(&[0, 2]));
        let client = ask(&mut mesh, 1, moment);
        mesh.run_for(millis(moment * 13));
        let found = mesh.addresses(node).into_iter().find(victim);
        killed += usize::from(found.is_some_and(|who| mesh.kill_actor(node, who)));
        let answer = finish(&mut mesh, client);
        match &answer.state {
            State::Broken | State::Failed(Failure::Internal) if may_fail => {
                assert_eq!(answer.ends, 1, "one clear error: {answer:?}");
            }
            State::Waiting
            | State::Streaming
            | State::Finished { .. }
            | State::Failed(_)
            | State::Broken
            | State::Gone => check_text(&answer, moment, TOKENS),
        }
        mesh.run_for(secs(15));
        let again = ask(&mut mesh, 1, moment + 1);
        let answer = finish(&mut mesh, again);
        check_text(&answer, moment + 1, TOKENS);
    }
    assert!(killed >= 20, "only {killed} were alive to be killed");
}

macro_rules! killed {
    ($($name:ident: $node:literal, $victim:pat, $may_fail:literal;)+) => {$(
        #[test]
        fn $name() {
            kill_at_every_moment($node, |who| matches!(who, $victim), $may_fail);
        }
    )+};
}

killed! {
    the_clients_router_is_killed: 1, Address::Router, false;
    the_clients_roster_is_killed: 1, Address::Roster(_), false;
    the_clients_session_is_killed: 1, Address::Session(..), false;
    the_clients_transport_is_killed: 1, Address::Transport, false;
    the_clients_store_is_killed: 1, Address::Store, false;
    the_clients_observer_is_killed: 1, Address::Observer, false;
    the_clients_request_is_killed: 1, Address::Proxy(_), true;
    the_servers_roster_is_killed: 0, Address::Roster(_), false;
    the_servers_session_is_killed: 0, Address::Session(..), false;
    the_servers_worker_is_killed: 0, Address::Worker(_), false;
    the_servers_engine_is_killed: 0, Address::Engine(_), false;
    the_servers_transport_is_killed: 0, Address::Transport, false;
    the_servers_router_is_killed: 0, Address::Router, false;
}

#[test]
fn an_actor_that_keeps_dying_is_parked_and_tried_again() {
    let mut mesh = met(Mesh::seed(7).nodes(2).engines(&[0]));
    let began = mesh.time();
    for _ in 0..14 {
        let killed = mesh.run_until(secs(3), |mesh| mesh.phase(0, Address::Router).is_some());
        assert!(killed && mesh.kill_actor(0, Address::Router));
    }
    let tried = mesh.time() - began;
    assert!(tried >= secs(10).0, "given up after {tried} us");
    assert!(!mesh.kill_actor(0, Address::Router), "its budget is spent");
    mesh.run_for(secs(61));
    assert!(mesh.kill_actor(0, Address::Router), "it was tried again");
}
