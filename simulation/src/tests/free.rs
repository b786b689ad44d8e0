//! What clients see of actors that run freely is what they see of the machines in the world.

use super::{TOKENS, check_text, finish};
use crate::{Answer, Ask, ClientId, FreeMesh, Mesh, MeshBuilder, State, expected_text, secs};
use messages::Address;
use messages::request_proxy::Failure;

/// A mesh in which node 1 has met all holders.
fn met(builder: MeshBuilder) -> FreeMesh {
    let mut free = builder.free_running().expect("a runtime");
    let knows = |mesh: &Mesh| !mesh.models(1).is_empty();
    assert!(free.run_until(secs(10), knows), "nobody is met");
    free.run_for(secs(2));
    free
}

fn ask(free: &mut FreeMesh, node: usize, seed: u64) -> ClientId {
    free.mesh().ask(node, Ask::new(seed).max_tokens(TOKENS))
}

/// Runs until a request is over.
fn end_of(free: &mut FreeMesh, client: ClientId) -> Answer {
    let over = free.run_until(secs(120), |mesh| !mesh.answer(client).is_open());
    let answer = free.mesh().answer(client);
    assert!(over, "the request hangs: {answer:?}");
    answer
}

fn server(mesh: &Mesh, client: ClientId) -> Option<usize> {
    mesh.answer(client).served_by.and_then(|id| mesh.index(id))
}

/// Runs until so many tokens are drawn; gives who draws them.
fn run_to_token(free: &mut FreeMesh, client: ClientId, tokens: u64) -> usize {
    let reached = free.run_until(secs(60), |mesh| {
        server(mesh, client).is_some_and(|server| mesh.drawn(server) >= tokens)
    });
    assert!(reached, "no token {tokens}");
    server(free.mesh(), client).expect("a server")
}

#[test]
fn an_answer_crosses_the_mesh() {
    for seed in 0..4 {
        let mut free = met(Mesh::seed(seed).nodes(2).engines(&[0]));
        let client = ask(&mut free, 1, seed);
        check_text(&end_of(&mut free, client), seed, TOKENS);
    }
}

#[test]
fn a_killed_server_leaves_the_text_identical() {
    for position in 0..u64::from(TOKENS) {
        let mut free = met(Mesh::seed(position).nodes(3).engines(&[0, 2]));
        let client = ask(&mut free, 1, position);
        let server = run_to_token(&mut free, client, position);
        assert!(free.start(server).is_err(), "it runs");
        free.kill(server);
        let answer = end_of(&mut free, client);
        check_text(&answer, position, TOKENS);
        assert!(answer.pause_us_max <= 1_000_000, "{position}: {answer:?}");
        free.start(server).expect("it boots again");
        let again = ask(&mut free, 1, 99);
        check_text(&end_of(&mut free, again), 99, TOKENS);
    }
}

#[test]
fn any_killed_actor_leaves_the_text_identical() {
    for node in 0..3 {
        let mut free = met(Mesh::seed(5).nodes(3).engines(&[0, 2]));
        for (round, who) in (0..).zip(free.addresses(node)) {
            let client = ask(&mut free, 1, round);
            run_to_token(&mut free, client, 3);
            assert!(free.kill_actor(node, who) || matches!(who, Address::Stream(_)));
            let answer = end_of(&mut free, client);
            if (node, who) == (1, Address::Gateway) {
                // Its connections are the server's own.
                assert!(expected_text(round, TOKENS).starts_with(&answer.text));
            } else {
                check_text(&answer, round, TOKENS);
            }
            free.run_for(secs(30));
        }
    }
}

#[test]
fn a_client_that_leaves_frees_its_slot() {
    let mut free = met(Mesh::seed(3).nodes(2).engines(&[0]));
    let client = free.mesh().ask(1, Ask::new(3).max_tokens(10_000));
    run_to_token(&mut free, client, 5);
    free.mesh().hang_up(client);
    free.run_for(secs(1));
    let drawn = free.mesh().drawn(0);
    free.run_for(secs(5));
    assert_eq!(free.mesh().drawn(0), drawn, "nobody reads it");
}

#[test]
fn a_model_that_nobody_has_is_unknown() {
    let mut free = met(Mesh::seed(3).nodes(2).engines(&[0]));
    let client = free.mesh().ask(1, Ask::new(3).model("another"));
    let answer = end_of(&mut free, client);
    assert_eq!(answer.state, State::Failed(Failure::UnknownModel));
}

#[test]
fn the_last_holder_that_dies_is_told_as_in_the_world() {
    let builder = || Mesh::seed(8).nodes(2).engines(&[0]);
    let mut free = met(builder());
    let client = ask(&mut free, 1, 8);
    run_to_token(&mut free, client, 6);
    free.kill(0);
    let freely = end_of(&mut free, client);

    let mut mesh = super::met(builder());
    let client = super::ask(&mut mesh, 1, 8);
    mesh.run_until(secs(60), |mesh| mesh.drawn(0) >= 6);
    mesh.kill(0);
    assert_eq!(freely.state, finish(&mut mesh, client).state);
}
