//! A mesh that is larger than a neighbourhood stays one mesh. The scenario files 80, 81 and 83 run
//! the same with more seeds.

use super::{TOKENS, ask, check_text, finish};
use crate::{Ask, Mesh, MeshBuilder, State, secs};
use messages::Neighbourhood;

/// What degree 6 keeps.
const KEEP: usize = 12;

fn fifty(seed: u64) -> MeshBuilder {
    Mesh::seed(seed).nodes(50).degree(6).one_ticket().untraced()
}

#[test]
fn fifty_nodes_that_one_ticket_lets_in_are_one_mesh_of_few_sessions() {
    for seed in 0..8 {
        let mut mesh = fifty(seed).build();
        mesh.run_for(secs(30));
        let graph = mesh.graph();
        assert!(graph.is_connected(), "seed {seed}: {:?}", graph.parts);
        assert_eq!(graph.sessions.len(), 50);
        assert!(
            graph.least() >= 1 && graph.most() <= KEEP,
            "seed {seed}: {graph:?}"
        );
        let ends = graph.ends();
        assert!(
            (150..=400).contains(&ends),
            "seed {seed}: {ends} ends of sessions"
        );
        assert_eq!(mesh.crashes(), Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
fn a_neighbour_that_dies_is_replaced_within_half_a_minute() {
    for seed in 0..5 {
        let mut mesh = fifty(seed).build();
        mesh.run_for(secs(30));
        let poor = (1..50)
            .min_by_key(|node| mesh.neighbours(*node).len())
            .unwrap();
        for peer in mesh.neighbours(poor) {
            let peer = mesh.index(peer).unwrap();
            mesh.kill(peer);
        }
        let is_alive = |mesh: &Mesh, peer| mesh.index(peer).is_some_and(|at| mesh.is_up(at));
        let alive = |mesh: &Mesh| {
            let peers = mesh.neighbours(poor).into_iter();
            peers.filter(|peer| is_alive(mesh, *peer)).count()
        };
        assert_eq!(alive(&mesh), 0);
        let found = mesh.run_until(secs(30), |mesh| alive(mesh) >= 3);
        assert!(found, "seed {seed}: node {poor} has {}", alive(&mesh));
    }
}

#[test]
fn when_half_of_the_mesh_dies_the_rest_is_one_mesh_again() {
    for seed in 0..4 {
        let mut mesh = fifty(seed).build();
        mesh.run_for(secs(60));
        for node in 0..25 {
            mesh.kill(node * 2);
        }
        mesh.run_for(secs(60));
        let graph = mesh.graph();
        assert!(graph.is_connected(), "seed {seed}: {:?}", graph.parts);
        assert!(
            graph.least() >= 1 && graph.most() <= KEEP,
            "seed {seed}: {graph:?}"
        );
    }
}

#[test]
fn a_mesh_that_was_cut_in_two_is_one_again_when_the_cut_is_mended() {
    for seed in 0..3 {
        let mut mesh = fifty(seed).build();
        mesh.run_for(secs(60));
        let (left, right): (Vec<_>, Vec<_>) = (0..50).partition(|node| node % 2 == 0);
        mesh.cut(&left, &right);
        mesh.run_for(secs(120));
        assert_eq!(mesh.graph().parts.len(), 2, "seed {seed}");
        mesh.heal();
        let whole = (0..240).any(|_| {
            mesh.run_for(secs(1));
            mesh.graph().is_connected()
        });
        assert!(whole, "seed {seed}");
    }
}

#[test]
fn a_request_reaches_a_holder_in_a_mesh_that_is_larger_than_what_is_kept() {
    for seed in 0..10 {
        let holders = [20, 40, 59];
        let builder = Mesh::seed(seed).nodes(60).degree(6).one_ticket().untraced();
        let mut mesh = builder.engines(&holders).build();
        mesh.run_for(secs(20));
        let is_far = |mesh: &Mesh, node: usize| {
            let near = mesh.neighbours(node);
            holders
                .iter()
                .all(|holder| !near.contains(&mesh.id(*holder)))
        };
        let far = (0..60).find(|node| !holders.contains(node) && is_far(&mesh, *node));
        let client = far.unwrap();
        let met = mesh.run_until(secs(300), |mesh| !mesh.models(client).is_empty());
        assert!(met, "seed {seed}: node {client} finds no holder");
        let request = ask(&mut mesh, client, seed);
        let answer = finish(&mut mesh, request);
        check_text(&answer, seed, TOKENS);
    }
}

#[test]
fn a_session_in_use_is_not_let_go_however_many_come() {
    let late: Vec<_> = (10..60).collect();
    let builder = Mesh::seed(5).nodes(60).degree(6).one_ticket().untraced();
    let mut mesh = builder.engines(&[0]).absent(&late).build();
    mesh.run_for(secs(10));
    let holder = mesh.id(0);
    let clients = (1..10).filter(|node| mesh.neighbours(*node).contains(&holder));
    let clients: Vec<_> = clients.collect();
    assert!(clients.len() >= 3);
    let long = |node: usize| Ask::new(node as u64).max_tokens(3_000);
    let requests: Vec<_> = clients
        .iter()
        .map(|node| mesh.ask(*node, long(*node)))
        .collect();
    mesh.run_for(secs(1));
    mesh.arrive(&late, secs(40));
    let held = mesh.graph().sessions[&0];
    assert!(held <= KEEP + KEEP / 4 + 1, "{held} sessions");
    for (node, request) in clients.iter().zip(requests) {
        let answer = mesh.answer(request);
        assert_eq!(answer.state, State::Streaming, "node {node}");
        assert!(answer.pause_us_max < 500_000, "node {node}: {answer:?}");
        assert!(
            mesh.neighbours(*node).contains(&holder),
            "node {node} was let go"
        );
    }
}

#[test]
fn below_what_is_looked_for_nothing_is_bounded() {
    let run = |neighbourhood: Neighbourhood| {
        let builder = Mesh::seed(3).nodes(30).engines(&[7]);
        let mut mesh = builder.neighbourhood(neighbourhood).build();
        mesh.run_for(secs(20));
        mesh.kill(7);
        mesh.run_for(secs(40));
        (mesh.graph(), mesh.report())
    };
    let (graph, report) = run(Neighbourhood::DEFAULT);
    assert_eq!((graph.least(), graph.most()), (28, 28));
    let wide = Neighbourhood::new(200, 800).unwrap();
    assert_eq!(run(wide).1.trace, report.trace);
    let narrow = Neighbourhood::new(20, 80).unwrap();
    assert_ne!(run(narrow).1.trace, report.trace);
}
