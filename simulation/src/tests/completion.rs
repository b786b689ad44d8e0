//! A request enters one node and is served by another.

use super::{TOKENS, ask, check_text, finish, met};
use crate::{Ask, Mesh, State, millis, secs};
use messages::EndReason;
use messages::request_proxy::Failure;

#[test]
fn a_completion_crosses_the_mesh() {
    let mut mesh = met(Mesh::seed(1).nodes(2).engines(&[0]));
    let client = ask(&mut mesh, 1, 42);
    let answer = finish(&mut mesh, client);
    check_text(&answer, 42, TOKENS);
    assert_eq!(answer.served_by, Some(mesh.id(0)));
    mesh.run_for(secs(1));
    assert_eq!(mesh.jobs(0), 0, "the slot is free");
}

#[test]
fn a_node_serves_its_own_client_first() {
    let mut mesh = met(Mesh::seed(2).nodes(2).engines(&[0, 1]));
    let client = ask(&mut mesh, 1, 42);
    let answer = finish(&mut mesh, client);
    check_text(&answer, 42, TOKENS);
    assert_eq!(answer.served_by, Some(mesh.id(1)));
}

#[test]
fn an_answer_without_a_limit_ends_by_itself() {
    let mut mesh = met(Mesh::seed(3).nodes(2).engines(&[0]).step(millis(1)));
    let client = mesh.ask(1, Ask::new(5));
    let answer = finish(&mut mesh, client);
    check_text(&answer, 5, kernel::scripted::ANSWER_TOKENS);
    assert!(matches!(
        answer.state,
        State::Finished {
            reason: EndReason::Stop,
            ..
        }
    ));
}

#[test]
fn a_stop_string_ends_the_answer_and_the_job() {
    let mut mesh = met(Mesh::seed(4).nodes(2).engines(&[0]));
    let whole = kernel::scripted::text(9, 200);
    let (before, _) = whole
        .split_once(" takes over ")
        .expect("the script says it");
    let client = mesh.ask(1, Ask::new(9).max_tokens(200).stop(" takes over "));
    let answer = finish(&mut mesh, client);
    assert_eq!(answer.text, before);
    assert!(matches!(
        answer.state,
        State::Finished {
            reason: EndReason::Stop,
            ..
        }
    ));
    mesh.run_for(secs(1));
    assert_eq!(mesh.jobs(0), 0, "the job ended with it");
}

#[test]
fn many_requests_at_once_are_all_answered() {
    let mut mesh = met(Mesh::seed(5).nodes(3).engines(&[0]));
    let clients: Vec<_> = (0..30)
        .map(|n| (n, ask(&mut mesh, 1 + usize::try_from(n % 2).unwrap(), n)))
        .collect();
    for (seed, client) in clients {
        let answer = finish(&mut mesh, client);
        check_text(&answer, seed, TOKENS);
    }
}

#[test]
fn a_client_that_goes_away_frees_the_slot_in_every_phase() {
    for delay_ms in [0, 1, 3, 5, 10, 15, 40, 100, 300] {
        let mut mesh = met(Mesh::seed(6).nodes(2).engines(&[0]));
        let client = mesh.ask(1, Ask::new(1).max_tokens(1_000));
        mesh.run_for(millis(delay_ms));
        mesh.hang_up(client);
        mesh.run_for(millis(500));
        assert_eq!(mesh.jobs(0), 0, "after {delay_ms} ms");
        let drawn = mesh.drawn(0);
        mesh.run_for(secs(2));
        assert_eq!(mesh.drawn(0), drawn, "nothing is drawn for nobody");
    }
}

#[test]
fn an_unknown_model_is_an_error_at_once() {
    let mut mesh = met(Mesh::seed(7).nodes(2).engines(&[0]));
    let start = mesh.time();
    let client = mesh.ask(1, Ask::new(1).model("no-such-model"));
    let answer = finish(&mut mesh, client);
    assert_eq!(answer.state, State::Failed(Failure::UnknownModel));
    assert!(mesh.time() - start < 1_000_000);
}

#[test]
fn the_model_list_names_what_peers_serve() {
    let mesh = met(Mesh::seed(8).nodes(2).engines(&[0]));
    let names: Vec<String> = mesh
        .models(1)
        .iter()
        .map(|model| model.name.to_string())
        .collect();
    assert_eq!(names, ["scripted"]);
}

#[test]
fn busy_everywhere_is_an_error_within_a_second() {
    let mut mesh = met(Mesh::seed(9).nodes(2).engines(&[0]));
    // 16 slots and 64 places in the queue.
    for seed in 0..80 {
        mesh.ask(1, Ask::new(seed).max_tokens(100_000));
    }
    mesh.run_for(secs(1));
    let start = mesh.time();
    let client = ask(&mut mesh, 1, 99);
    let answer = finish(&mut mesh, client);
    assert!(
        matches!(answer.state, State::Failed(Failure::Busy { .. })),
        "{answer:?}"
    );
    assert!(mesh.time() - start <= 1_100_000, "{}", mesh.time() - start);
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let run = |seed| {
        let mut mesh = Mesh::seed(seed).nodes(5).engines(&[0, 3]).build();
        mesh.run_for(secs(1));
        let client = ask(&mut mesh, 2, 7);
        finish(&mut mesh, client);
        mesh.report().trace
    };
    assert_eq!(run(11), run(11));
    assert_ne!(run(11), run(12));
}
