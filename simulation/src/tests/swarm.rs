//! Seeds that draw their own mesh, workload and faults.

use super::{check_text, finish};
use crate::{Ask, Mesh, State, millis, secs};
use kernel::Entropy;
use messages::Address;
use messages::request_proxy::Failure;

/// Seeds of one test run.
const SEEDS: std::ops::Range<u64> = 0..60;

#[test]
fn every_request_ends_once_and_with_the_right_text() {
    SEEDS.for_each(run);
}

/// One seed's mesh, from its first fault to a request after the last.
pub(super) fn run(seed: u64) {
    {
        let mut draw = Entropy::from_number(seed);
        let nodes = 3 + index(&mut draw, 6);
        let engines: Vec<usize> = (0..nodes)
            .filter(|n| *n != 1 && draw.chance(600_000))
            .collect();
        let mut builder = Mesh::seed(seed).nodes(nodes).engines(&engines);
        if draw.chance(500_000) {
            builder = builder.shuffled();
        }
        let mut mesh = builder.checked().build();
        mesh.run_for(secs(3));
        let mut clients = Vec::new();
        for _ in 0..20 {
            if draw.chance(700_000) {
                let seed = draw.number();
                let tokens = u32::try_from(1 + draw.below(60)).unwrap();
                clients.push((seed, tokens, mesh.ask(1, Ask::new(seed).max_tokens(tokens))));
            }
            disturb(&mut mesh, &mut draw, nodes);
            mesh.run_for(millis(draw.below(800)));
        }
        for node in 0..nodes {
            mesh.thaw(node);
        }
        mesh.heal();
        for (text_seed, tokens, client) in clients {
            let answer = finish(&mut mesh, client);
            match &answer.state {
                State::Finished { .. } => check_text(&answer, text_seed, tokens),
                State::Failed(Failure::Internal) => panic!("seed {seed}: {answer:?}"),
                State::Failed(_) | State::Broken => {
                    let whole = kernel::scripted::text(text_seed, tokens);
                    assert!(whole.starts_with(&answer.text), "seed {seed}: {answer:?}");
                    assert_eq!(answer.ends, 1, "seed {seed}: {answer:?}");
                }
                State::Waiting | State::Streaming | State::Gone => {
                    panic!("seed {seed}: {answer:?}");
                }
            }
        }
        let broken: Vec<String> = mesh
            .crashes()
            .into_iter()
            .filter(|crash| !crash.ends_with("killed"))
            .collect();
        assert_eq!(broken, Vec::<String>::new(), "seed {seed}");
        progress(seed, &mut mesh, nodes, &engines);
        mesh.assert_clean();
    }
}

/// One fault, or none. Node 1 has the clients and stays.
fn disturb(mesh: &mut Mesh, draw: &mut Entropy, nodes: usize) {
    let node = match index(draw, nodes) {
        1 => 0,
        node => node,
    };
    match draw.below(12) {
        0 => mesh.kill(node),
        1 => mesh.close(node),
        2 | 3 => mesh.start(node),
        4 => mesh.freeze(node),
        5 => mesh.thaw(node),
        6 => mesh.cut(&[node], &[1]),
        7 => mesh.heal(),
        8 | 9 => {
            let addresses = mesh.addresses(node);
            if !addresses.is_empty() {
                let victim = addresses[index(draw, addresses.len())];
                if !matches!(victim, Address::Stream(_)) {
                    mesh.kill_actor(node, victim);
                }
            }
        }
        _ => {}
    }
}

/// After faults end, everybody is up, and a request is served.
fn progress(seed: u64, mesh: &mut Mesh, nodes: usize, engines: &[usize]) {
    for node in 0..nodes {
        mesh.start(node);
    }
    mesh.run_for(secs(90));
    if engines.is_empty() {
        return;
    }
    let client = mesh.ask(1, Ask::new(77).max_tokens(10));
    let answer = finish(mesh, client);
    assert!(
        matches!(answer.state, State::Finished { .. }),
        "seed {seed}: {answer:?}"
    );
    check_text(&answer, 77, 10);
}

fn index(draw: &mut Entropy, end: usize) -> usize {
    usize::try_from(draw.below(end as u64)).unwrap()
}
