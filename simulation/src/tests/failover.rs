//! A stream survives its server.

use super::{TOKENS, ask, check_text, finish, met};
use crate::{Ask, ClientId, Mesh, State, millis, secs};
use messages::request_proxy::Failure;

/// Client at node 1; holders at nodes 0 and 2.
fn two_holders(seed: u64) -> Mesh {
    met(Mesh::seed(seed).nodes(3).engines(&[0, 2]))
}

/// The holder that has drawn tokens for the only request.
fn server(mesh: &Mesh, client: ClientId) -> Option<usize> {
    mesh.answer(client).served_by.and_then(|id| mesh.index(id))
}

/// Runs until the serving node has drawn `tokens` tokens; gives its place.
fn run_to_token(mesh: &mut Mesh, client: ClientId, tokens: u64) -> usize {
    let reached = mesh.run_until(secs(60), |mesh| {
        [0, 2].iter().any(|node| mesh.drawn(*node) >= tokens) && server(mesh, client).is_some()
    });
    assert!(reached, "no token {tokens}");
    server(mesh, client).expect("a server")
}

#[test]
fn a_kill_at_every_token_position_leaves_the_text_identical() {
    for position in 0..=u64::from(TOKENS) {
        let mut mesh = two_holders(position);
        let client = ask(&mut mesh, 1, 1_000 + position);
        let server = run_to_token(&mut mesh, client, position);
        mesh.kill(server);
        let answer = finish(&mut mesh, client);
        check_text(&answer, 1_000 + position, TOKENS);
        assert!(answer.pause_us_max <= 1_000_000, "{position}: {answer:?}");
    }
}

#[test]
fn a_closed_server_costs_less_than_a_quarter_of_a_second() {
    for position in 0..u64::from(TOKENS) {
        let mut mesh = two_holders(100 + position);
        let client = ask(&mut mesh, 1, position);
        let server = run_to_token(&mut mesh, client, position);
        mesh.close(server);
        let answer = finish(&mut mesh, client);
        check_text(&answer, position, TOKENS);
        assert!(answer.pause_us_max <= 250_000, "{} µs", answer.pause_us_max);
    }
}

#[test]
fn a_frozen_server_is_routed_around_in_less_than_three_seconds() {
    for position in (0..u64::from(TOKENS)).step_by(3) {
        let mut mesh = two_holders(200 + position);
        let client = ask(&mut mesh, 1, position);
        let server = run_to_token(&mut mesh, client, position);
        mesh.freeze(server);
        mesh.run_for(secs(4));
        mesh.thaw(server);
        let answer = finish(&mut mesh, client);
        check_text(&answer, position, TOKENS);
        assert!(
            answer.pause_us_max <= 3_000_000,
            "{} µs",
            answer.pause_us_max
        );
        mesh.run_for(secs(2));
        assert_eq!(mesh.jobs(server), 0, "the thawed node gave the job up");
    }
}

#[test]
fn a_wedged_engine_is_routed_around() {
    for position in [0, 1, 5, 12] {
        let mut mesh = two_holders(300 + position);
        let client = ask(&mut mesh, 1, position);
        let server = run_to_token(&mut mesh, client, position);
        mesh.wedge(server, true);
        let answer = finish(&mut mesh, client);
        check_text(&answer, position, TOKENS);
        assert!(
            answer.pause_us_max <= 3_000_000,
            "{} µs",
            answer.pause_us_max
        );
    }
}

#[test]
fn holders_that_die_one_after_the_other_are_all_survived() {
    let mut mesh = met(Mesh::seed(400).nodes(6).engines(&[0, 2, 3, 4, 5]));
    let client = mesh.ask(1, Ask::new(4).max_tokens(60));
    for round in 1..=4_u64 {
        let drawn = round * 10;
        mesh.run_until(secs(60), |mesh| {
            (0..6).map(|node| mesh.drawn(node)).sum::<u64>() >= drawn
        });
        let busy = (0..6).find(|node| mesh.jobs(*node) > 0);
        if let Some(node) = busy {
            mesh.kill(node);
        }
    }
    let answer = finish(&mut mesh, client);
    check_text(&answer, 4, 60);
    let State::Finished { seam, .. } = answer.state else {
        panic!("not finished")
    };
    assert!(seam.exact, "all holders compute alike");
}

#[test]
fn without_another_holder_there_is_a_clear_error_within_the_deadline() {
    let mut mesh = met(Mesh::seed(500).nodes(2).engines(&[0]));
    let client = ask(&mut mesh, 1, 3);
    mesh.run_until(secs(10), |mesh| mesh.answer(client).deltas >= 5);
    let sent = mesh.answer(client).text;
    mesh.kill(0);
    let start = mesh.time();
    let answer = finish(&mut mesh, client);
    assert!(
        matches!(answer.state, State::Failed(Failure::HoldersLost { .. })),
        "{answer:?}"
    );
    assert!(
        answer.text.starts_with(&sent),
        "what was sent is never changed"
    );
    assert!(
        mesh.time() - start <= 20_000_000,
        "{} µs",
        mesh.time() - start
    );
}

#[test]
fn a_holder_that_comes_back_in_time_is_used_again() {
    let mut mesh = met(Mesh::seed(600).nodes(2).engines(&[0]));
    let client = ask(&mut mesh, 1, 3);
    mesh.run_until(secs(10), |mesh| mesh.answer(client).deltas >= 5);
    mesh.close(0);
    mesh.run_for(millis(300));
    mesh.start(0);
    let answer = finish(&mut mesh, client);
    check_text(&answer, 3, TOKENS);
}

#[test]
fn a_cut_between_client_and_server_is_survived() {
    for position in [0, 4, 9, 20] {
        let mut mesh = two_holders(700 + position);
        let client = ask(&mut mesh, 1, position);
        let server = run_to_token(&mut mesh, client, position);
        mesh.cut(&[1], &[server]);
        mesh.run_for(secs(30));
        mesh.heal();
        let answer = finish(&mut mesh, client);
        check_text(&answer, position, TOKENS);
        assert!(answer.pause_us_max <= 1_000_000, "{position}: {answer:?}");
    }
}

#[test]
fn holders_that_are_killed_and_restarted_in_turn_cost_less_than_a_second_each() {
    for step_ms in [5, 10, 20] {
        let builder = Mesh::seed(800 + step_ms)
            .nodes(3)
            .engines(&[0, 2])
            .step(millis(step_ms));
        let mut mesh = met(builder);
        for round in 0..60_u64 {
            let client = mesh.ask(1, Ask::new(round).max_tokens(60));
            mesh.run_until(secs(10), |mesh| mesh.answer(client).served_by.is_some());
            let server = server(&mesh, client).expect("a server");
            mesh.run_until(secs(10), |mesh| mesh.answer(client).deltas >= round % 40);
            mesh.kill(server);
            let answer = finish(&mut mesh, client);
            check_text(&answer, round, 60);
            assert!(
                answer.pause_us_max <= 1_000_000,
                "{step_ms} {round}: {answer:?}"
            );
            mesh.start(server);
            let back = mesh.run_until(secs(10), |mesh| mesh.is_active(server, 1));
            assert!(back, "the holder comes back");
        }
    }
}
