//! Agreement: who must be connected, through boxes and in meshes that are larger than a
//! neighbourhood.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a plant changes one sort of effect and leaves all others alone"
)]

use super::{caught, hands};
use crate::{Dependence, Latency, Mesh, MeshBuilder, Nat, PathModel, millis, secs};
use kernel::Effect;
use messages::Letter;
use messages::ports::transport::Command;

/// No dial goes out between nodes of which this says so.
fn deaf(mesh: &mut Mesh, apart: impl Fn(usize, usize) -> bool + 'static) {
    let nodes = mesh.world.nodes.iter();
    let ids: Vec<_> = nodes.map(|node| node.me).collect();
    hands(mesh, move |node, _, effect| match effect {
        Effect::Tell(Letter::Transport(Command::Dial { peer, .. }))
            if (0..ids.len()).any(|to| ids[to] == peer && apart(node, to)) =>
        {
            Vec::new()
        }
        effect => vec![effect],
    });
}

/// Nodes 1 and 2 come when node 0 is there. They meet, or the checker says that they must.
fn meet(builder: MeshBuilder, planted: bool) -> Mesh {
    let mut mesh = builder.nodes(3).absent(&[1, 2]).checked().build();
    if planted {
        deaf(&mut mesh, |from, to| from > 0 && to > 0);
    }
    mesh.run_for(secs(1));
    mesh.start(1);
    mesh.start(2);
    mesh.run_for(secs(130));
    assert!(mesh.is_active(1, 0) && mesh.is_active(2, 0));
    mesh
}

#[test]
fn a_node_behind_a_box_that_does_not_find_who_can_be_found_is_caught() {
    let nat = |node, nat| move || Mesh::seed(9).nodes(3).nat(node, nat);
    let both = |one, two| move || Mesh::seed(9).nodes(3).nat(1, one).nat(2, two);
    let relay = || PathModel::new(Latency::new(millis(20), millis(2)));
    let worlds: [&dyn Fn() -> MeshBuilder; 6] = [
        // Either of the two is in the open.
        &nat(2, Nat::SYMMETRIC),
        &nat(1, Nat::PORT_RESTRICTED),
        &|| nat(1, Nat::FULL_CONE)().reflection(),
        // Both learn where they are seen, and one lets in whoever comes.
        &|| both(Nat::FULL_CONE, Nat::PORT_RESTRICTED)().reflection(),
        // A relay brings all together.
        &|| both(Nat::SYMMETRIC, Nat::SYMMETRIC)().relay(relay()),
        &|| both(Nat::UDP_BLOCKED, Nat::FULL_CONE)().relay(relay()),
    ];
    for (at, world) in worlds.into_iter().enumerate() {
        let mesh = meet(world(), false);
        assert!(mesh.is_active(1, 2), "world {at}");
        mesh.assert_clean();
        let what = "node 2 can be reached, and there is no session with it";
        caught(&meet(world(), true), "agreement", what);
    }
}

#[test]
fn nodes_that_boxes_keep_apart_need_not_meet() {
    let half = Nat {
        mapping: Dependence::Address,
        ..Nat::FULL_CONE
    };
    let both = |one, two| Mesh::seed(9).nodes(3).nat(1, one).nat(2, two);
    for world in [
        // Nobody learns where it is seen.
        both(Nat::FULL_CONE, Nat::FULL_CONE),
        // It depends on who dials when.
        both(Nat::PORT_RESTRICTED, Nat::PORT_RESTRICTED).reflection(),
        both(Nat::FULL_CONE, Nat::SYMMETRIC).reflection(),
        // A dial may come half through.
        Mesh::seed(9).nodes(3).nat(1, half).reflection(),
    ] {
        meet(world, true).assert_clean();
    }
}

/// Two halves of a bounded mesh, cut apart and mended.
fn halves(seed: u64, planted: bool) -> Mesh {
    let builder = Mesh::seed(seed).nodes(8).degree(2).one_ticket();
    let mut mesh = builder.checked().build();
    mesh.run_for(secs(20));
    let (left, right): (Vec<_>, Vec<_>) = (0..8).partition(|node| node % 2 == 0);
    mesh.cut(&left, &right);
    if planted {
        deaf(&mut mesh, |from, to| from % 2 != to % 2);
    }
    mesh.run_for(secs(60));
    mesh.heal();
    mesh.run_for(secs(310));
    mesh
}

#[test]
fn a_bounded_mesh_that_stays_in_two_parts_is_caught() {
    for seed in 0..2 {
        let mesh = halves(seed, false);
        assert!(mesh.graph().is_connected(), "seed {seed}");
        mesh.assert_clean();
        let mesh = halves(seed, true);
        assert_eq!(mesh.graph().parts.len(), 2, "seed {seed}");
        let what = "can be reached, and no sessions lead to it";
        caught(&mesh, "agreement", what);
    }
}

#[test]
fn a_node_behind_a_box_that_a_bounded_mesh_leaves_out_is_caught() {
    for planted in [false, true] {
        let builder = Mesh::seed(7).nodes(10).degree(4).nat(9, Nat::SYMMETRIC);
        let mut mesh = builder.checked().build();
        mesh.run_for(secs(20));
        mesh.cut(&[9], &[0, 1, 2, 3, 4, 5, 6, 7, 8]);
        if planted {
            deaf(&mut mesh, |from, _| from == 9);
        }
        mesh.run_for(secs(20));
        mesh.heal();
        mesh.run_for(secs(370));
        assert_eq!(mesh.graph().is_connected(), !planted);
        if planted {
            let what = "node 9 can be reached, and no sessions lead to it";
            caught(&mesh, "agreement", what);
        } else {
            mesh.assert_clean();
        }
    }
}
