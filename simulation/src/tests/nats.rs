//! Who reaches whom through which boxes.

use super::{check_text, finish};
use crate::{Ask, Latency, Mesh, Nat, Obstacle, PathClass, PathModel, millis, secs};
use messages::Micros;

/// What a node may be behind.
const PLACES: [(&str, Option<Nat>); 6] = [
    ("open", None),
    ("full cone", Some(Nat::FULL_CONE)),
    ("restricted", Some(Nat::RESTRICTED)),
    ("port-restricted", Some(Nat::PORT_RESTRICTED)),
    ("symmetric", Some(Nat::SYMMETRIC)),
    ("blocked", Some(Nat::UDP_BLOCKED)),
];

const D: PathClass = PathClass::Direct;
const F: PathClass = PathClass::None(Some(Obstacle::Filtered));
const B: PathClass = PathClass::None(Some(Obstacle::UdpBlocked));

/// How two nodes speak that a third one, in the open, has introduced, where no relay is.
const EXPECTED: [[PathClass; 6]; 6] = [
    [D, D, D, D, D, B],
    [D, D, D, D, D, B],
    [D, D, D, D, D, B],
    [D, D, D, D, F, B],
    [D, D, D, F, F, B],
    [B, B, B, B, B, B],
];

fn relay_leg() -> PathModel {
    PathModel::new(Latency::new(millis(20), millis(2)))
}

/// Node 0 is in the open and introduces the others.
fn three(seed: u64, one: Option<Nat>, two: Option<Nat>, relay: bool) -> Mesh {
    let mut builder = Mesh::seed(seed).nodes(3).engines(&[2]).reflection();
    for (node, nat) in [(1, one), (2, two)] {
        if let Some(nat) = nat {
            builder = builder.nat(node, nat);
        }
    }
    if relay {
        builder = builder.relay(relay_leg());
    }
    builder.build()
}

/// Lets two nodes meet; gives the microseconds until both sessions were active.
fn meet(mesh: &mut Mesh) -> Option<u64> {
    let active = |mesh: &Mesh| mesh.is_active(1, 2) && mesh.is_active(2, 1);
    mesh.run_until(secs(20), active).then(|| mesh.time())
}

/// Scenario 33.
#[test]
fn nat_matrix() {
    for (row, (one, nat_one)) in PLACES.into_iter().enumerate() {
        for (column, (two, nat_two)) in PLACES.into_iter().enumerate() {
            for relay in [false, true] {
                let case = format!("{one} and {two}, relay {relay}");
                let mut mesh = three(33, nat_one, nat_two, relay);
                let met = meet(&mut mesh);
                mesh.run_for(secs(3));
                let expected = match EXPECTED[row][column] {
                    PathClass::None(_) if relay => PathClass::Relayed,
                    class @ (PathClass::Direct | PathClass::Relayed | PathClass::None(_)) => class,
                };
                assert_eq!(mesh.path_class(1, 2), expected, "{case}");
                let reachable = !matches!(expected, PathClass::None(_));
                assert_eq!(met.is_some(), reachable, "{case}");
                if let Some(met) = met {
                    assert!(met < 8_000_000, "{case}: {met} µs");
                    let client = mesh.ask(1, Ask::new(3).max_tokens(8));
                    check_text(&finish(&mut mesh, client), 3, 8);
                }
            }
        }
    }
}

/// What the product can do today: nobody learns an outside address, and there is no relay.
#[test]
fn without_reflection_one_of_two_has_to_be_in_the_open() {
    for (one, nat) in PLACES {
        let builder = Mesh::seed(1).nodes(3);
        let mut mesh = match nat {
            None => builder.build(),
            Some(nat) => builder.nat(1, nat).nat(2, nat).build(),
        };
        let met = meet(&mut mesh).is_some();
        assert_eq!(met, nat.is_none(), "{one}");
        if !met {
            let why = match one {
                "blocked" => Obstacle::UdpBlocked,
                _ => Obstacle::Unroutable,
            };
            let class = mesh.path_class(1, 2);
            // A box's own address means the node itself.
            let own = PathClass::None(Some(Obstacle::SomebodyElse));
            assert!(
                class == PathClass::None(Some(why)) || class == own,
                "{one} {class:?}"
            );
        }
    }
}

/// Scenario 34. Mappings that die between any two packets make a new one each time; whoever dialled
/// is known by its connection, not by its address.
#[test]
fn mapping_expiry() {
    let nat = Nat {
        expiry: Micros::from_millis(30),
        ..Nat::PORT_RESTRICTED
    };
    let mut mesh = Mesh::seed(34).nodes(2).engines(&[0]).nat(1, nat).build();
    mesh.run_for(secs(30));
    assert!(mesh.is_active(0, 1) && mesh.is_active(1, 0));
    let before = mesh.network_counts().migrations;
    assert!(before > 10, "{before}");
    let client = mesh.ask(1, Ask::new(34).max_tokens(24));
    let answer = finish(&mut mesh, client);
    check_text(&answer, 34, 24);
    assert_eq!(mesh.crashes(), Vec::<String>::new());
}

/// Scenario 34, the sleeper: a mapping does not outlive the node's sleep.
#[test]
fn a_sleeper_behind_a_box_comes_back() {
    let mut mesh = three(35, Some(Nat::PORT_RESTRICTED), None, false);
    meet(&mut mesh).unwrap();
    mesh.freeze(1);
    mesh.run_for(secs(300));
    mesh.thaw(1);
    let back = mesh.run_until(secs(8), |mesh| mesh.is_active(1, 2) && mesh.is_active(2, 1));
    assert!(back, "two after five minutes");
}

/// Scenario 35: the one who dialled moves, with and without a box before it.
#[test]
fn rebind_mid_stream() {
    for nat in [None, Some(Nat::PORT_RESTRICTED), Some(Nat::SYMMETRIC)] {
        let mut builder = Mesh::seed(35).nodes(2).engines(&[0]);
        if let Some(nat) = nat {
            builder = builder.nat(1, nat);
        }
        let mut mesh = builder.build();
        mesh.run_for(secs(2));
        let client = mesh.ask(1, Ask::new(5).max_tokens(100));
        for _ in 0..3 {
            mesh.run_for(millis(400));
            mesh.rebind(1);
        }
        let answer = finish(&mut mesh, client);
        check_text(&answer, 5, 100);
        assert!(answer.pause_us_max < 300_000, "{nat:?}: {answer:?}");
        assert!(mesh.network_counts().migrations >= 3);
    }
}

/// QUIC lets whoever dialled move, and nobody else: the stream finds another holder.
#[test]
fn a_server_that_moves_loses_its_connections() {
    let server = 0;
    let builder = Mesh::seed(36).nodes(3).engines(&[0, 2]).absent(&[2]);
    let mut mesh = builder.build();
    mesh.run_for(secs(2));
    let client = mesh.ask(1, Ask::new(5).max_tokens(200));
    mesh.start(2);
    assert!(mesh.run_until(secs(3), |mesh| mesh.is_active(1, 2)));
    mesh.rebind(server);
    let answer = finish(&mut mesh, client);
    check_text(&answer, 5, 200);
    assert!(mesh.drawn(2) > 0, "another one went on");
    assert_eq!(mesh.network_counts().migrations, 0);
    let back = mesh.run_until(secs(60), |mesh| {
        mesh.is_active(1, server) && mesh.is_active(server, 1)
    });
    assert!(back, "the mover is found at its new address");
}

/// Scenario 36: every box gives the same private addresses.
#[test]
fn identical_private_addresses() {
    let mut mesh = three(
        37,
        Some(Nat::PORT_RESTRICTED),
        Some(Nat::PORT_RESTRICTED),
        false,
    );
    assert!(meet(&mut mesh).is_some());
    assert_eq!(mesh.path_class(1, 2), PathClass::Direct);
}

/// Scenario 36, with neighbours: a peer's private address is a neighbour's here. iroh takes the
/// first answer to a dial, so that a neighbour which answers sooner spoils it for good.
#[test]
fn a_neighbour_at_the_peers_private_address_spoils_the_dial() {
    let mut mesh = Mesh::seed(38)
        .nodes(5)
        .reflection()
        .nat_of(&[1, 3], Nat::FULL_CONE)
        .nat_of(&[2, 4], Nat::FULL_CONE)
        .build();
    mesh.run_for(secs(20));
    for (one, two) in [(1, 3), (2, 4), (1, 2), (3, 4)] {
        assert!(mesh.is_active(one, two), "{one} {two}");
    }
    for (one, two) in [(1, 4), (3, 2)] {
        assert!(!mesh.is_active(one, two), "{one} {two}");
    }
}

/// Scenario 37, and back: a stream goes from the direct path to the relay and to a direct path.
#[test]
fn relay_first_direct_later() {
    // Nobody knows an outside address before the relay has brought the two together.
    let mut mesh = Mesh::seed(39)
        .nodes(3)
        .engines(&[2])
        .nat(1, Nat::PORT_RESTRICTED)
        .nat(2, Nat::PORT_RESTRICTED)
        .relay(relay_leg())
        .build();
    meet(&mut mesh).unwrap();
    mesh.run_for(secs(1));
    assert_eq!(mesh.path_class(1, 2), PathClass::Direct);
    assert!(mesh.network_counts().upgrades >= 1);
    let upgrades = mesh.network_counts().upgrades;
    let client = mesh.ask(1, Ask::new(9).max_tokens(500));
    mesh.run_for(secs(1));
    mesh.rebind(2);
    mesh.run_for(secs(2));
    assert_eq!(mesh.path_class(1, 2), PathClass::Relayed);
    mesh.run_for(secs(6));
    assert_eq!(mesh.path_class(1, 2), PathClass::Direct);
    assert!(mesh.network_counts().upgrades > upgrades);
    let answer = finish(&mut mesh, client);
    check_text(&answer, 9, 500);
    let two = mesh.id(2);
    assert_eq!(answer.served_by, Some(two));
}

/// Two boxes in a row are as strict as the stricter one, and those behind one box find each other.
#[test]
fn double_nat_and_hairpin() {
    let strict = (Nat::FULL_CONE, Nat::SYMMETRIC);
    for (inner, outer) in [strict, (strict.1, strict.0)] {
        let builder = Mesh::seed(40).nodes(3).reflection();
        let mut mesh = builder
            .nat(1, inner)
            .nat(1, outer)
            .nat(2, Nat::SYMMETRIC)
            .build();
        assert_eq!(meet(&mut mesh), None);
        assert!(mesh.is_active(1, 0) && mesh.is_active(2, 0));
    }
    for hairpin in [false, true] {
        let outer = Nat {
            hairpin,
            ..Nat::FULL_CONE
        };
        // Each behind a router of its own, both behind the provider's: only a hairpin joins them.
        let builder = Mesh::seed(41).nodes(3).reflection();
        let mut mesh = builder
            .nat(1, Nat::FULL_CONE)
            .nat(2, Nat::FULL_CONE)
            .nat_of(&[1, 2], outer)
            .build();
        assert_eq!(meet(&mut mesh).is_some(), hairpin);
        if !hairpin {
            let why = PathClass::None(Some(Obstacle::NoHairpin));
            assert_eq!(mesh.path_class(1, 2), why);
        }
    }
}
