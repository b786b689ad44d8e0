//! Nodes find and keep each other.

use super::{TOKENS, ask, check_text, finish, met};
use crate::{Mesh, secs};
use messages::Address;

fn sessions(mesh: &Mesh, node: usize) -> usize {
    let of_session = |who: &Address| matches!(who, Address::Session(..));
    mesh.addresses(node)
        .iter()
        .filter(|who| of_session(who))
        .count()
}

#[test]
fn nodes_that_know_only_the_owner_find_each_other() {
    let mesh = met(Mesh::seed(1).nodes(6));
    for node in 0..6 {
        assert_eq!(sessions(&mesh, node), 5, "node {node}");
    }
}

#[test]
fn a_late_node_is_found_by_all() {
    let mut mesh = met(Mesh::seed(2).nodes(5).absent(&[4]).engines(&[4]));
    mesh.start(4);
    mesh.run_for(secs(3));
    for node in 0..5 {
        assert_eq!(sessions(&mesh, node), 4, "node {node}");
    }
    let client = ask(&mut mesh, 1, 8);
    let answer = finish(&mut mesh, client);
    check_text(&answer, 8, TOKENS);
}

#[test]
fn members_meet_again_without_the_owner() {
    let mut mesh = met(Mesh::seed(3).nodes(4).engines(&[2]));
    mesh.kill(0);
    mesh.run_for(secs(20));
    mesh.close(3);
    mesh.run_for(secs(1));
    mesh.start(3);
    mesh.run_for(secs(10));
    assert_eq!(sessions(&mesh, 3), 2, "the others are remembered");
    let client = ask(&mut mesh, 3, 8);
    let answer = finish(&mut mesh, client);
    check_text(&answer, 8, TOKENS);
}

#[test]
fn a_dead_peer_leaves_no_ghost() {
    let mut mesh = met(Mesh::seed(4).nodes(3).engines(&[2]));
    mesh.kill(2);
    mesh.run_for(secs(3));
    assert!(
        mesh.models(1).is_empty(),
        "nothing is listed that cannot be served"
    );
    mesh.run_for(secs(20));
    assert_eq!(sessions(&mesh, 1), 1);
}

#[test]
fn a_partition_heals() {
    let mut mesh = met(Mesh::seed(5).nodes(6).engines(&[5]));
    mesh.cut(&[0, 1, 2], &[3, 4, 5]);
    mesh.run_for(secs(60));
    for node in 0..6 {
        assert_eq!(sessions(&mesh, node), 2, "node {node}");
    }
    mesh.heal();
    mesh.run_for(secs(45));
    for node in 0..6 {
        assert_eq!(sessions(&mesh, node), 5, "node {node}");
    }
    let client = ask(&mut mesh, 1, 8);
    let answer = finish(&mut mesh, client);
    check_text(&answer, 8, TOKENS);
}

#[test]
fn fifty_nodes_meet() {
    let mut mesh = Mesh::seed(6)
        .nodes(50)
        .engines(&[49])
        .checked()
        .untraced()
        .build();
    mesh.run_for(secs(20));
    assert_eq!(mesh.crashes(), Vec::<String>::new());
    for node in 0..50 {
        assert_eq!(sessions(&mesh, node), 49, "node {node}");
    }
    let client = ask(&mut mesh, 17, 8);
    let answer = finish(&mut mesh, client);
    check_text(&answer, 8, TOKENS);
}
