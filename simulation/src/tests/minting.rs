//! One reusable ticket admits a whole mesh, and one of those who hold it mints members.

use super::{TOKENS, ask, check_text, finish};
use crate::{Mesh, millis, secs};
use ed25519_dalek::{Signer as _, SigningKey};
use messages::roster::Input;
use messages::wire::latest::Introduction;
use messages::{
    Capabilities, Kind, Label, Letter, List, NodeId, Record, RecordClass, Signature, SignedRecord,
    Stamp,
};
use std::net::SocketAddr;

/// Ids that are minted for each node: each of them is a member, and none of them is anywhere.
const MINTED: u32 = 96;

/// A member that exists nowhere, as it introduces itself.
fn minted(mesh: &Mesh, number: u32) -> Introduction {
    let mut seed = [0xee; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    let key = SigningKey::from_bytes(&seed);
    let author = NodeId(key.verifying_key().to_bytes());
    let said = Capabilities {
        addrs: List::truncated([SocketAddr::from(([203, 0, 113, 1], 9))]),
        ..Capabilities::default()
    };
    let record = Record {
        network: mesh.network(),
        class: RecordClass::Public,
        kind: Kind::CAPABILITIES,
        author,
        id: Label::default(),
        stamp: Stamp(1),
        value: Some(said.encode().unwrap()),
    };
    let signature = Signature::from_bytes(&key.sign(&record.signing_bytes()).to_bytes());
    Introduction {
        record: SignedRecord { record, signature },
        credential: mesh.credential(author),
    }
}

fn active(mesh: &Mesh, node: usize, nodes: usize) -> usize {
    let peers = (0..nodes).filter(|peer| *peer != node);
    peers.filter(|peer| mesh.is_active(node, *peer)).count()
}

#[track_caller]
fn check_all_met(mesh: &Mesh, nodes: usize) {
    assert_eq!(mesh.crashes(), Vec::<String>::new());
    for node in 0..nodes {
        assert_eq!(active(mesh, node, nodes), nodes - 1, "node {node}");
    }
}

#[test]
fn fifty_nodes_by_one_ticket_meet() {
    let mut mesh = Mesh::seed(60).nodes(50).one_ticket().build();
    mesh.run_for(secs(20));
    check_all_met(&mesh, 50);
}

#[test]
fn a_member_that_mints_others_does_not_keep_the_mesh_apart() {
    let nodes = 12;
    let mut mesh = Mesh::seed(61)
        .nodes(nodes)
        .engines(&[11])
        .absent(&[8, 9, 10, 11])
        .one_ticket()
        .untraced()
        .build();
    mesh.run_for(secs(3));
    // Node 2 names other members to each of its peers, and those pass them on to everybody.
    let from = mesh.id(2);
    for number in 0..MINTED {
        let to = [0, 1, 3, 4, 5, 6, 7][number as usize % 7];
        let entries = List::truncated([minted(&mesh, number)]);
        let letter = Letter::Roster(mesh.network(), Input::Introduced { from, entries });
        mesh.tell(to, letter);
        mesh.run_for(millis(20));
    }
    mesh.run_for(secs(30));
    // Whoever comes now meets everybody, although a crowd is dialled for ever.
    for late in [8, 9, 10, 11] {
        mesh.start(late);
    }
    mesh.run_for(secs(20));
    check_all_met(&mesh, nodes);
    let client = ask(&mut mesh, 8, 8);
    let answer = finish(&mut mesh, client);
    check_text(&answer, 8, TOKENS);
}
