//! Seeds that draw everything that a world can do to a node: clocks, costs, births, disks, engines
//! and clients. Every client has one end, no text has a hole, and nobody panics.

use crate::{
    Arrivals, Ask, Clock, Costs, DiskFault, EngineFault, Mesh, MeshBuilder, Process, State, millis,
    secs,
};
use kernel::Entropy;
use messages::request_proxy::Failure;

/// Seeds of one test run.
const SEEDS: std::ops::Range<u64> = 0..40;

#[test]
fn every_client_of_a_hard_world_has_one_end() {
    let (mut ends, mut finished) = (0, 0);
    for seed in SEEDS {
        for state in hardship(seed) {
            ends += 1;
            finished += u64::from(matches!(state, State::Finished { .. }));
        }
    }
    assert!(
        finished * 3 > ends,
        "{finished} of {ends}: most clients are served"
    );
    assert!(finished < ends, "and some are not");
}

fn hardship(seed: u64) -> Vec<State> {
    let mut draw = Entropy::from_number(seed);
    let nodes = 3 + below(&mut draw, 4);
    let mut mesh = builder(seed, nodes, &mut draw).build();
    mesh.run_for(secs(6));
    let process = match draw.below(3) {
        0 => Process::Steady,
        1 => Process::Random,
        _ => Process::Bursts(12),
    };
    let crowd = Arrivals::at(&[1], millis(20 + draw.below(200)), 60)
        .process(process)
        .tokens(80)
        .cancels(200, secs(1))
        .slow(200, 60);
    mesh.arrivals(&crowd);
    for _ in 0..24 {
        disturb(&mut mesh, &mut draw, nodes);
        mesh.run_for(millis(draw.below(700)));
    }
    for node in 0..nodes {
        mesh.thaw(node);
        mesh.disk(node, DiskFault::None);
        mesh.engine(node, EngineFault::None);
        mesh.start(node);
    }
    mesh.run_for(secs(200));
    let clients = mesh.clients().to_vec();
    for client in &clients {
        let answer = mesh.answer(client.id);
        let whole = kernel::scripted::text(client.seed, client.tokens);
        let wrong = match &answer.state {
            State::Finished { .. } => answer.text != whole || answer.ends != 1,
            State::Gone => !whole.starts_with(&answer.text),
            State::Failed(Failure::Internal) | State::Waiting | State::Streaming => true,
            State::Failed(_) | State::Broken => {
                !whole.starts_with(&answer.text) || answer.ends != 1
            }
        };
        assert!(!wrong, "seed {seed}: {client:?} {answer:?}");
    }
    let broken: Vec<String> = mesh
        .crashes()
        .into_iter()
        .filter(|crash| !crash.ends_with("killed"))
        .collect();
    assert_eq!(broken, Vec::<String>::new(), "seed {seed}");
    let client = mesh.ask(1, Ask::new(77).max_tokens(10));
    mesh.run_for(secs(20));
    let answer = mesh.answer(client);
    assert!(
        matches!(answer.state, State::Finished { .. }),
        "seed {seed}: {answer:?}"
    );
    let ends = clients.iter().map(|client| mesh.answer(client.id).state);
    ends.collect()
}

/// Clocks, costs and engines.
fn builder(seed: u64, nodes: usize, draw: &mut Entropy) -> MeshBuilder {
    let engines: Vec<usize> = (0..nodes).filter(|n| *n != 1).collect();
    let mut builder = Mesh::seed(seed)
        .nodes(nodes)
        .engines(&engines)
        .step(millis(1 + draw.below(20)));
    if draw.chance(700_000) {
        builder = builder.costs(Costs::drawn(draw));
    }
    if draw.chance(500_000) {
        builder = builder.shuffled();
    }
    for node in 0..nodes {
        let offset_us = i64::try_from(draw.below(7_200_000_000)).unwrap() - 3_600_000_000;
        let drift_ppm = i32::try_from(draw.below(1_000)).unwrap() - 500;
        builder = builder.clock(
            node,
            Clock {
                offset_us,
                drift_ppm,
            },
        );
    }
    builder
}

/// One fault, or none. Node 1 has the clients: its power stays.
fn disturb(mesh: &mut Mesh, draw: &mut Entropy, nodes: usize) {
    let node = below(draw, nodes);
    let other = if node == 1 { 0 } else { node };
    let span = millis(draw.below(3_000));
    match draw.below(16) {
        0 => mesh.disk(node, DiskFault::Full),
        1 => mesh.disk(other, DiskFault::TornNext),
        2 => mesh.disk(node, DiskFault::LoseSyncs),
        3 => mesh.disk(node, DiskFault::Slow(span)),
        4 => mesh.disk(node, DiskFault::None),
        5 => mesh.engine(node, EngineFault::Wedge),
        6 => mesh.engine(node, EngineFault::Crash),
        7 => mesh.engine(node, EngineFault::Stall(span)),
        8 => mesh.engine(node, EngineFault::SlowPrefill(span)),
        9 => mesh.engine(node, EngineFault::None),
        10 => mesh.kill(other),
        11 => mesh.start(other),
        12 => mesh.jump_clock(
            node,
            i64::try_from(draw.below(20_000_000)).unwrap() - 10_000_000,
        ),
        13 => mesh.drift(node, i32::try_from(draw.below(100_000)).unwrap() - 50_000),
        14 => mesh.freeze(other),
        _ => mesh.thaw(other),
    }
}

fn below(draw: &mut Entropy, end: usize) -> usize {
    usize::try_from(draw.below(end as u64)).unwrap()
}
