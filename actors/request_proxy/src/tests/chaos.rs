//! Anything, in any order: whatever arrives, the client reads a prefix of the unbroken run, and
//! once the mesh behaves again, all of it.

use super::{Ended, LOCAL, Rig, choice, peer, seed};
use kernel::{Entropy, Machine, scripted};
use messages::request_proxy::{Flow, Input, Seed};
use messages::router::{NoRoute, Via};
use messages::wire::latest::{Beacon, End, JobReply};
use messages::{Address, DeviceId, EndReason, Label, List, Micros, Refusal, StreamId, TokenBatch};

/// Tokens of an answer.
const TOKENS: u32 = 30;
/// The seed of the answer.
const DRAW: u64 = 5;

/// How often each way to end was seen.
#[derive(Default, Debug)]
struct Seen {
    finished: u32,
    failed: u32,
    attempts_max: u32,
    healed: u32,
}

fn holder(entropy: &mut Entropy) -> Via {
    match u8::try_from(entropy.below(4)).unwrap() {
        0 => LOCAL,
        n => peer(n),
    }
}

fn refusal(entropy: &mut Entropy) -> Refusal {
    match entropy.below(8) {
        0 => Refusal::NoModel,
        1 => Refusal::PromptMismatch,
        2 => Refusal::Draining,
        3 => Refusal::TooSlow,
        4 => Refusal::EngineFailed(Label::default()),
        5 => Refusal::NotAdmitted,
        _ => Refusal::Busy { retry_after_ms: 5 },
    }
}

/// Tokens of an attempt, honest in content and not in order.
fn some_tokens(rig: &mut Rig, entropy: &mut Entropy, attempt: u32) {
    let have = rig
        .proxy
        .view()
        .facts
        .iter()
        .find(|fact| fact.0 == "tokens")
        .unwrap()
        .1
        .clone();
    let have: u32 = have.parse().unwrap();
    let first = match entropy.below(8) {
        0 => have + 1,
        1 => have.saturating_sub(2),
        2 => 0,
        _ => have,
    };
    let len = u32::try_from(entropy.below(5)).unwrap();
    let end = (first + len).min(TOKENS).max(first);
    let tokens = List::truncated((first..end).map(|at| scripted::token(DRAW, at)));
    rig.reply(JobReply::Tokens(TokenBatch {
        attempt,
        first,
        tokens,
    }));
}

/// One thing that may happen.
fn step(rig: &mut Rig, entropy: &mut Entropy) {
    let n = rig.attempt();
    let attempt = if entropy.chance(150_000) {
        n.saturating_sub(1)
    } else {
        n
    };
    let stream = StreamId(u64::from(attempt));
    match entropy.below(24) {
        0..=4 if rig.query.is_some() => {
            let via = holder(entropy);
            rig.routed(Ok(choice(via)));
        }
        5 if rig.query.is_some() => {
            let busy = NoRoute::Busy { retry_after_ms: 9 };
            rig.routed(Err(if entropy.chance(500_000) {
                NoRoute::NoneLeft
            } else {
                busy
            }));
        }
        6 | 7 => drop(rig.tell(Input::Opened { attempt, stream })),
        8 => drop(rig.tell(Input::NotOpened {
            attempt,
            why: refusal(entropy),
        })),
        9..=11 if n > 0 => drop(rig.accept()),
        12..=16 => some_tokens(rig, entropy, attempt),
        17 => {
            let steps = entropy.below(6);
            rig.reply(JobReply::Beacon(Beacon { attempt, steps }));
        }
        18 if n > 0 => {
            let why = refusal(entropy);
            rig.refused(why);
        }
        19 => drop(rig.tell(Input::StreamEnded { attempt })),
        20 => {
            let worker = Address::Worker(DeviceId(0));
            rig.down(if entropy.chance(500_000) {
                worker
            } else {
                Address::Stream(stream)
            });
        }
        21 => {
            let flow = if entropy.chance(500_000) {
                Flow::Full
            } else {
                Flow::Ready
            };
            rig.flow(flow);
        }
        // A world may wake it for a deadline that has moved.
        22 if entropy.chance(500_000) => drop(rig.deadline()),
        22 => {
            let end = End {
                attempt,
                reason: EndReason::Stop,
                tokens: TOKENS,
            };
            rig.reply(JobReply::End(end));
        }
        _ => {
            let millis = 1 + entropy.below(400);
            rig.wait(millis);
        }
    }
}

/// The mesh behaves: the first holder that is not excluded serves to the end.
fn heal(rig: &mut Rig) {
    rig.flow(Flow::Ready);
    for _ in 0..60 {
        if rig.ended.is_some() {
            return;
        }
        rig.query = None;
        // Whoever had the job is gone; somebody takes over as soon as the router is asked.
        rig.stream_ended();
        while rig.query.is_none() && rig.ended.is_none() {
            rig.wait(50);
        }
        let Some(query) = rig.query.clone() else {
            return;
        };
        let mut holders = (1..40).map(peer);
        let via = holders.find(|via| !query.exclude.contains(via)).unwrap();
        let before = rig.attempt();
        rig.routed(Ok(choice(via)));
        if rig.attempt() > before {
            let (attempt, stream) = (rig.attempt(), rig.stream());
            rig.tell(Input::Opened { attempt, stream });
            rig.accept();
            let from = u32::try_from(rig.job().resume.len()).unwrap();
            rig.stream_tokens(from..TOKENS);
            rig.end(EndReason::Stop, TOKENS);
        }
    }
}

fn check(draw: u64, seen: &mut Seen) {
    let mut entropy = Entropy::from_number(draw);
    let total = Micros::from_secs(3_600);
    let mut rig = Rig::new(Seed {
        seed: Some(DRAW),
        total,
        ..seed()
    });
    let whole = scripted::text(DRAW, TOKENS);
    for _ in 0..entropy.below(500) {
        step(&mut rig, &mut entropy);
        assert!(whole.starts_with(&rig.text), "seed {draw}: {:?}", rig.text);
        assert_eq!(rig.ended.is_some(), rig.stopped, "seed {draw}");
    }
    seen.healed += u32::from(rig.ended.is_none());
    heal(&mut rig);
    match rig.ended.clone() {
        Some(Ended::Finished(_, usage, seam)) => {
            seen.finished += 1;
            assert_eq!(rig.text, whole, "seed {draw}");
            assert_eq!(usage.completion, TOKENS);
            assert!(seam.exact && seam.holders > 0);
        }
        Some(Ended::Failed(_)) => seen.failed += 1,
        None => panic!("seed {draw}: it never ends, {:?}", rig.proxy),
    }
    super::trace::check(seed().trace, rig.jobs.iter().map(|(_, job)| job));
    seen.attempts_max = seen.attempts_max.max(rig.attempt());
    assert_eq!(
        rig.outcomes.len(),
        rig.jobs.len(),
        "seed {draw}: an attempt without an outcome"
    );
}

#[test]
fn whatever_arrives_no_token_is_said_twice_and_none_is_missing() {
    let mut seen = Seen::default();
    for draw in 0..3_000 {
        check(draw, &mut seen);
    }
    let every = seen.finished > 500 && seen.failed > 100 && seen.healed > 500;
    assert!(every && seen.attempts_max > 12, "{seen:?}");
}
