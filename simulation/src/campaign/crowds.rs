//! More of everything than there is room for.

use super::{Judge, Part, met};
use crate::{Ask, Mesh, millis, secs};
use messages::observer::{Asker, Input as Observed};
use messages::{Letter, QueryId};

pub(super) const PARTS: &[Part] = &[
    Part::new("many requests", many_requests),
    Part::new("many origins", many_origins),
    Part::new("many nodes", many_nodes),
    Part::new("curious clients", curious_clients),
];

/// More requests of one node than a holder takes of it.
fn many_requests(judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(1).nodes(3).engines(&[0]));
    for seed in 0..120 {
        mesh.ask(1, Ask::new(seed).max_tokens(400));
    }
    mesh.run_for(millis(300));
    for seed in 0..40 {
        mesh.ask(2, Ask::new(seed).max_tokens(40));
        mesh.run_for(millis(20));
    }
    mesh.run_for(secs(60));
    judge.look(&mesh);
}

/// As many origins as there are places.
fn many_origins(judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(2).nodes(8).engines(&[0]));
    for round in 0..14 {
        for node in 0..8 {
            mesh.ask(node, Ask::new(round).max_tokens(200));
        }
    }
    mesh.run_for(millis(200));
    for node in 1..8 {
        let client = mesh.ask(node, Ask::new(99));
        mesh.run_for(millis(5));
        mesh.hang_up(client);
    }
    mesh.run_for(secs(60));
    judge.look(&mesh);
}

/// All come at once: more members than a page holds.
fn many_nodes(judge: &mut Judge) {
    let all: Vec<usize> = (1..68).collect();
    let mut mesh = Mesh::seed(3).nodes(68).absent(&all).checked().build();
    mesh.run_for(secs(1));
    for node in &all {
        mesh.start(*node);
    }
    mesh.run_for(secs(6));
    mesh.close(0);
    mesh.start(0);
    mesh.run_for(secs(4));
    judge.look(&mesh);
    let mut mesh = Mesh::seed(3).nodes(24).one_ticket().checked().build();
    mesh.run_for(secs(5));
    judge.look(&mesh);
}

/// Consoles ask, and clients ask for what nobody serves.
fn curious_clients(judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(4).nodes(2).engines(&[0]));
    for node in [0, 1] {
        mesh.ask(node, Ask::new(1).model("no-such-model"));
        let (query, asker) = (QueryId(1), Asker::Gateway);
        mesh.tell(node, Letter::Observer(Observed::Query { query, asker }));
    }
    let client = mesh.ask(0, Ask::new(1));
    mesh.run_for(millis(50));
    mesh.hang_up(client);
    mesh.run_for(secs(5));
    judge.look(&mesh);
}
