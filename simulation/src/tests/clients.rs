//! Clients that come when they like, go away, or read slowly.

use super::{check_text, finish, met};
use crate::{Arrivals, Ask, Mesh, Micros, Process, State, millis, secs};

#[test]
fn clients_come_as_drawn_and_all_are_answered() {
    for process in [Process::Steady, Process::Random, Process::Bursts(10)] {
        let mut mesh = met(Mesh::seed(1).nodes(3).engines(&[0]));
        let start = mesh.time();
        let crowd = Arrivals::at(&[1, 2], millis(50), 100)
            .process(process)
            .tokens(20);
        mesh.arrivals(&crowd);
        assert_eq!(mesh.clients().len(), 0, "nobody has come");
        mesh.run_for(secs(20));
        let clients = mesh.clients().to_vec();
        assert_eq!(clients.len(), 100);
        for client in &clients {
            check_text(&finish(&mut mesh, client.id), client.seed, client.tokens);
        }
        let last = clients.last().unwrap().at_us - start;
        assert!(
            (2_500_000..9_000_000).contains(&last),
            "{process:?}: {last} us"
        );
        let mut gaps: Vec<u64> = clients
            .windows(2)
            .map(|two| two[1].at_us - two[0].at_us)
            .collect();
        gaps.sort_unstable();
        gaps.dedup();
        match process {
            Process::Steady => assert_eq!(gaps, [50_000]),
            Process::Random => assert!(gaps.len() > 90, "{gaps:?}"),
            Process::Bursts(_) => assert_eq!(gaps, [0, 500_000]),
        }
        assert!(
            [1, 2]
                .iter()
                .all(|node| clients.iter().any(|client| client.node == *node))
        );
    }
}

#[test]
fn the_same_seed_brings_the_same_clients_and_another_seed_others() {
    let come = |seed| {
        let mut mesh = met(Mesh::seed(seed).nodes(2).engines(&[0]));
        let crowd = Arrivals::at(&[1], millis(20), 50)
            .cancels(300, millis(500))
            .slow(300, 40);
        mesh.arrivals(&crowd);
        mesh.run_for(secs(30));
        (mesh.clients().to_vec(), mesh.report().trace)
    };
    assert_eq!(come(1), come(1));
    assert_ne!(come(1).0, come(2).0);
}

#[test]
fn clients_that_go_away_free_their_slots() {
    let mut mesh = met(Mesh::seed(2).nodes(2).engines(&[0]));
    let crowd = Arrivals::at(&[1], millis(20), 200)
        .tokens(200)
        .cancels(600, millis(300));
    mesh.arrivals(&crowd);
    mesh.run_for(secs(90));
    let ends: Vec<State> = mesh
        .clients()
        .iter()
        .map(|client| mesh.answer(client.id).state)
        .collect();
    let gone = ends.iter().filter(|state| **state == State::Gone).count();
    assert!((60..=160).contains(&gone), "{gone} of 200 went away");
    assert!(
        !ends
            .iter()
            .any(|end| matches!(end, State::Waiting | State::Streaming))
    );
    assert_eq!(mesh.jobs(0), 0);
}

/// Tokens that a node draws for a client of its own that reads slowly, in this time.
fn drawn_for_a_slow_client(rate: Option<u64>) -> (u64, usize) {
    let mut mesh = met(Mesh::seed(3).nodes(1).engines(&[0]).step(millis(1)));
    let client = mesh.ask(0, Ask::new(3).max_tokens(100_000));
    mesh.slow_reader(client, rate);
    let mut most = 0;
    mesh.run_until(secs(20), |mesh| {
        most = most.max(mesh.unread(client));
        false
    });
    (mesh.drawn(0), most)
}

#[test]
fn a_slow_reader_holds_up_its_engine_and_no_more_than_a_lane_waits() {
    let (fast, _) = drawn_for_a_slow_client(None);
    let (slow, most) = drawn_for_a_slow_client(Some(1_000));
    assert!(fast > 10_000, "{fast}");
    assert!(slow < fast / 5, "the engine was told: {slow} of {fast}");
    // A lane of 16 KiB holds 230 short pieces of text: one waits, and one is being read.
    assert!((1_000..6_000).contains(&most), "{most} bytes wait");
}

#[test]
fn a_slow_reader_gets_every_byte_in_the_end() {
    let mut mesh = met(Mesh::seed(4).nodes(2).engines(&[0]).step(millis(1)));
    let client = mesh.ask(1, Ask::new(4).max_tokens(6_000));
    mesh.slow_reader(client, Some(3_000));
    mesh.run_for(secs(2));
    let so_far = mesh.answer(client).text;
    assert!(
        (4_000..7_000).contains(&so_far.len()),
        "{} bytes",
        so_far.len()
    );
    assert!(mesh.unread(client) > 0);
    let answer = finish(&mut mesh, client);
    check_text(&answer, 4, 6_000);
    assert!(mesh.time() > 15_000_000, "and at its own pace");
}

#[test]
fn a_reader_that_is_fast_again_catches_up() {
    let mut mesh = met(Mesh::seed(5).nodes(2).engines(&[0]).step(millis(1)));
    let client = mesh.ask(1, Ask::new(5).max_tokens(8_000));
    mesh.slow_reader(client, Some(10));
    mesh.run_for(secs(8));
    mesh.slow_reader(client, None);
    let start = mesh.time();
    check_text(&finish(&mut mesh, client), 5, 8_000);
    assert!(mesh.time() - start < 10_000_000);
}

#[test]
fn a_client_that_reads_nothing_is_given_up() {
    let mut mesh = met(Mesh::seed(6).nodes(2).engines(&[0, 1]).step(millis(1)));
    let client = mesh.ask(1, Ask::new(6).max_tokens(100_000));
    mesh.slow_reader(client, Some(0));
    let answer = finish(&mut mesh, client);
    assert!(matches!(answer.state, State::Failed(_)), "{answer:?}");
    assert_eq!(answer.ends, 1);
    mesh.run_for(secs(1));
    assert_eq!(mesh.jobs(0) + mesh.jobs(1), 0, "and its slot is free");
}

#[test]
fn a_client_of_a_node_that_goes_down_sees_the_connection_break() {
    let mut mesh = met(Mesh::seed(7).nodes(2).engines(&[0]));
    let client = mesh.ask(1, Ask::new(7).max_tokens(500));
    mesh.run_for(secs(1));
    let seen = mesh.answer(client).text;
    mesh.kill(1);
    let answer = mesh.answer(client);
    assert_eq!((answer.state, answer.ends), (State::Broken, 1));
    assert!(
        !seen.is_empty() && answer.text == seen,
        "what it has seen stays"
    );
    let client = mesh.ask(1, Ask::new(8).max_tokens(5));
    assert_eq!(mesh.answer(client).state, State::Broken, "nobody listens");
    mesh.start(1);
    let again = mesh.ask(1, Ask::new(8).max_tokens(5));
    mesh.run_for(Micros(1));
    assert_ne!(client, again);
    mesh.run_for(secs(3));
    let again = mesh.ask(1, Ask::new(9).max_tokens(5));
    check_text(&finish(&mut mesh, again), 9, 5);
}
