//! What the foundation promises, in virtual time.

mod bare;
mod clients;
mod clocks;
mod completion;
#[cfg(feature = "conformance")]
mod conformance;
mod costs;
mod disks;
mod engines;
mod failover;
#[cfg(feature = "conformance")]
mod free;
mod hardships;
mod membership;
mod minting;
mod nats;
mod neighbourhood;
mod paths;
mod replays;
mod schedules;
mod supervision;
mod swarm;

use crate::{Answer, Ask, ClientId, Mesh, MeshBuilder, State, secs};

/// Tokens of an answer in most tests: some two hundred bytes, every sort of piece in it.
const TOKENS: u32 = 24;

/// Nodes that have met: sessions are active and adverts are known.
fn met(builder: MeshBuilder) -> Mesh {
    let mut mesh = builder.checked().build();
    mesh.run_for(secs(2));
    assert_eq!(mesh.crashes(), Vec::<String>::new());
    mesh
}

/// Runs until a request is over.
fn finish(mesh: &mut Mesh, client: ClientId) -> Answer {
    let over = mesh.run_until(secs(120), |mesh| {
        !matches!(mesh.answer(client).state, State::Waiting | State::Streaming)
    });
    let answer = mesh.answer(client);
    assert!(over, "the request hangs: {answer:?}");
    assert_eq!(mesh.violations(), []);
    answer
}

/// An answer is what an unbroken run of the scripted engine says.
fn check_text(answer: &Answer, seed: u64, tokens: u32) {
    assert_eq!(
        answer.text,
        kernel::scripted::text(seed, tokens),
        "{answer:?}"
    );
    let State::Finished { usage, .. } = &answer.state else {
        panic!("not finished: {answer:?}")
    };
    assert_eq!(usage.completion, tokens);
    assert_eq!(answer.ends, 1);
}

fn ask(mesh: &mut Mesh, node: usize, seed: u64) -> ClientId {
    mesh.ask(node, Ask::new(seed).max_tokens(TOKENS))
}
