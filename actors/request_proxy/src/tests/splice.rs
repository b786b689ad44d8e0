//! A stream survives its server: the holder is lost at every token position, in every way, and the
//! client reads what an unbroken run says.

use super::{Ended, LOCAL, Rig, choice, peer, seed, words};
use kernel::{Machine, scripted};
use messages::ports::gateway::Seam;
use messages::request_proxy::{Failure, Input, Seed};
use messages::router::{NoRoute, Outcome, Via};
use messages::wire::latest::{Accepted, JobReply};
use messages::{
    Address, Compute, DeviceId, Digest, EndReason, Label, Refusal, StreamId, TokenBatch, Usage,
};

/// Tokens of an answer: the seeds below spread characters over the seams in them.
const TOKENS: u32 = 40;

/// How a holder is lost.
#[derive(Clone, Copy, Debug)]
enum Way {
    StreamEnded,
    StreamDown,
    WorkerDown,
    Refused,
    Silent,
    Gap,
    EarlyEnd,
    Contradiction,
}

const WAYS: [Way; 8] = [
    Way::StreamEnded,
    Way::StreamDown,
    Way::WorkerDown,
    Way::Refused,
    Way::Silent,
    Way::Gap,
    Way::EarlyEnd,
    Way::Contradiction,
];

/// Loses the holder of a rig that has received `received` tokens; the router is asked.
fn lose(rig: &mut Rig, way: Way, received: u32) {
    let attempt = rig.attempt();
    rig.query = None;
    match way {
        Way::StreamEnded => drop(rig.stream_ended()),
        Way::StreamDown => {
            rig.down(Address::Stream(rig.stream()));
            assert!(rig.query.is_none(), "its last words may be on their way");
            rig.wait(50);
        }
        Way::WorkerDown => drop(rig.down(Address::Worker(DeviceId(0)))),
        Way::Refused => drop(rig.refused(Refusal::EngineFailed(Label::default()))),
        Way::Silent => drop(rig.wait(1_000)),
        Way::Gap => drop(rig.scripted(received + 1..received + 3)),
        Way::EarlyEnd => drop(rig.end(EndReason::Stop, received + 1)),
        Way::Contradiction if received == 0 => drop(rig.scripted(1..2)),
        Way::Contradiction => drop(rig.tokens(received - 1, vec![super::piece(9_999, b"other")])),
    }
    let query = rig.query.as_ref().unwrap();
    assert_eq!(query.attempt, attempt + 1);
    assert_eq!(query.splice, received > 0);
    assert!(
        query.exclude.contains(&rig.jobs.last().unwrap().0),
        "the lost one is asked for"
    );
}

/// One loss at `k`, then another holder to the end.
fn check(draw: u64, way: Way, k: u32) {
    let mut rig = Rig::new(Seed {
        seed: Some(draw),
        ..seed()
    });
    let first = if matches!(way, Way::WorkerDown) {
        LOCAL
    } else {
        peer(1)
    };
    rig.accepted(first);
    rig.stream_tokens(0..k);
    lose(&mut rig, way, k);
    rig.asked(peer(2));
    let old_words = (0..k + 5).map(|at| scripted::token(draw, at)).collect();
    late_replies(&mut rig, old_words);
    let job = rig.job();
    let resumed: Vec<_> = (0..k).map(|at| scripted::token(draw, at).id).collect();
    assert_eq!(*job.resume, *resumed);
    assert_eq!(job.expect.is_some(), k > 0);
    assert_eq!(
        (job.sampling.seed, job.template_time),
        (draw, seed().arrived)
    );
    rig.accept();
    rig.stream_tokens(k..TOKENS);
    rig.end(EndReason::Length, TOKENS);
    assert_eq!(rig.text, scripted::text(draw, TOKENS), "{way:?} at {k}");
    let usage = Usage {
        prompt: scripted::prompt(&seed().prompt).1,
        completion: TOKENS,
    };
    let seam = Seam {
        holders: u32::from(k > 0) + u32::from(k < TOKENS),
        exact: true,
    };
    assert_eq!(
        rig.ended,
        Some(Ended::Finished(EndReason::Length, usage, seam)),
        "{way:?} at {k}"
    );
    assert!(rig.stopped);
    assert_eq!(
        rig.outcomes,
        [(first, Outcome::Failed), (peer(2), Outcome::Served)]
    );
}

/// What the lost holder still has to say.
fn late_replies(rig: &mut Rig, tokens: Vec<messages::TokenPiece>) {
    let (attempt, first) = (rig.attempt() - 1, 0);
    let tokens = messages::List::truncated(tokens);
    let late = JobReply::Tokens(TokenBatch {
        attempt,
        first,
        tokens,
    });
    assert_eq!(words(&rig.reply(late)), Vec::<&str>::new());
    assert_eq!(
        words(&rig.tell(Input::StreamEnded { attempt })),
        Vec::<&str>::new()
    );
    let opened = Input::Opened {
        attempt,
        stream: StreamId(77),
    };
    assert_eq!(words(&rig.tell(opened)), ["cancel"]);
}

#[test]
fn a_holder_lost_in_any_way_at_any_token_costs_no_byte() {
    let (mut inside, mut between) = (0, 0);
    for draw in 0..6 {
        for k in 0..=TOKENS {
            let bytes: Vec<u8> = (0..k)
                .flat_map(|at| scripted::token(draw, at).bytes.to_vec())
                .collect();
            match std::str::from_utf8(&bytes) {
                Ok(_) => between += 1,
                Err(_) => inside += 1,
            }
            for way in WAYS {
                check(draw, way, k);
            }
        }
    }
    assert!(
        inside > 5 && between > 5,
        "{inside} seams inside characters, {between} between"
    );
}

#[test]
fn holders_lost_one_after_the_other_cost_no_byte() {
    for step in 1..=7 {
        let mut rig = Rig::new(seed());
        let mut received = 0;
        for n in 1.. {
            rig.accepted(peer(n));
            let next = (received + step).min(TOKENS);
            rig.stream_tokens(received..next);
            received = next;
            if n == 14 || received == TOKENS {
                break;
            }
            lose(&mut rig, WAYS[usize::from(n) % 2], received);
        }
        rig.stream_tokens(received..TOKENS);
        rig.end(EndReason::Stop, TOKENS);
        assert_eq!(
            rig.text,
            scripted::text(5, TOKENS),
            "each lost after {step}"
        );
        assert!(matches!(rig.ended, Some(Ended::Finished(..))));
    }
}

#[test]
fn duplicated_overlapping_and_batched_tokens_are_said_once() {
    let mut rig = Rig::new(seed());
    rig.accepted(peer(1));
    for (from, to) in [
        (0, 3),
        (0, 3),
        (1, 5),
        (4, 4),
        (5, 6),
        (0, 12),
        (11, 20),
        (20, TOKENS),
    ] {
        rig.scripted(from..to);
    }
    rig.end(EndReason::Stop, TOKENS);
    assert_eq!(rig.text, scripted::text(5, TOKENS));
    assert_eq!(rig.attempt(), 1);
}

#[test]
fn an_answer_of_another_compute_digest_says_so() {
    let mut rig = Rig::new(seed());
    rig.accepted(peer(1));
    rig.stream_tokens(0..4);
    let prefer = rig.compute;
    lose(&mut rig, Way::StreamEnded, 4);
    assert_eq!(rig.query.as_ref().unwrap().prefer, Some(prefer));
    assert_eq!(rig.query.as_ref().unwrap().pinned, Some(scripted::model()));
    rig.compute = Compute {
        digest: Digest::of("another", &[]),
        splice: true,
    };
    rig.accepted(peer(2));
    rig.stream_tokens(4..8);
    rig.end(EndReason::Stop, 8);
    let Some(Ended::Finished(_, _, seam)) = rig.ended else {
        panic!("{:?}", rig.ended)
    };
    assert_eq!(
        seam,
        Seam {
            holders: 2,
            exact: false
        }
    );
}

#[test]
fn a_holder_that_gave_no_token_leaves_no_seam() {
    let mut rig = Rig::new(seed());
    rig.compute = Compute {
        digest: Digest::of("another", &[]),
        splice: false,
    };
    rig.accepted(peer(1));
    lose(&mut rig, Way::StreamEnded, 0);
    rig.compute = scripted::advert().compute;
    rig.accepted(peer(2));
    rig.stream_tokens(0..8);
    rig.end(EndReason::Stop, 8);
    let Some(Ended::Finished(_, _, seam)) = rig.ended else {
        panic!("{:?}", rig.ended)
    };
    assert_eq!(
        seam,
        Seam {
            holders: 1,
            exact: true
        }
    );
}

#[test]
fn an_engine_without_token_ids_is_replaced_before_its_first_token_only() {
    for received in 0..3 {
        let mut rig = Rig::new(seed());
        rig.compute.splice = false;
        rig.accepted(peer(1));
        rig.stream_tokens(0..received);
        rig.query = None;
        rig.stream_ended();
        if received == 0 {
            assert!(rig.query.is_some(), "it could begin anew");
        } else {
            assert_eq!(rig.query, None);
            let lost = Failure::HoldersLost { attempts: 1 };
            assert_eq!(rig.ended, Some(Ended::Failed(lost)));
        }
    }
}

#[test]
fn an_engine_without_token_ids_is_waited_for_and_not_exchanged() {
    let mut rig = Rig::new(seed());
    rig.compute.splice = false;
    rig.accepted(peer(1));
    rig.stream_tokens(0..2);
    assert_eq!(words(&rig.wait(9_000)), Vec::<&str>::new());
    rig.stream_tokens(2..4);
    assert_eq!(rig.text, scripted::text(5, 4));
    assert_eq!(words(&rig.wait(10_000)), ["cancel", "fail"]);
}

#[test]
fn a_holder_that_reads_the_prompt_otherwise_is_rejected_and_not_asked_again() {
    for (prompt, splice) in [
        (Digest([1; 32]), true),
        (scripted::prompt(&seed().prompt).0, false),
    ] {
        let mut rig = Rig::new(seed());
        rig.accepted(peer(1));
        rig.stream_tokens(0..2);
        lose(&mut rig, Way::StreamEnded, 2);
        rig.asked(peer(2));
        let compute = Compute {
            splice,
            ..rig.compute
        };
        let accepted = Accepted {
            attempt: 2,
            prompt,
            prompt_tokens: 3,
            compute,
        };
        assert_eq!(
            words(&rig.reply(JobReply::Accepted(accepted))),
            ["cancel", "seek"]
        );
        rig.wait(2_500);
        assert!(rig.query.as_ref().unwrap().exclude.contains(&peer(2)));
    }
}

#[test]
fn a_choice_that_cannot_go_on_is_not_taken() {
    let mut rig = Rig::new(seed());
    rig.accepted(peer(1));
    rig.stream_tokens(0..2);
    lose(&mut rig, Way::StreamEnded, 2);
    let mut plain = choice(peer(2));
    plain.advert.compute.splice = false;
    let mut other_model = choice(peer(2));
    other_model.advert.model.0[0] ^= 1;
    for unfit in [plain, other_model, choice(peer(1))] {
        assert_eq!(words(&rig.routed(Ok(unfit))), Vec::<&str>::new());
        rig.wait(200);
    }
    rig.asked(peer(2));
}

#[test]
fn every_token_was_there_and_only_the_end_was_lost() {
    let lost: [fn(&mut Rig) -> Vec<kernel::Effect>; 2] = [Rig::stream_ended, |rig| rig.wait(1_000)];
    for lose in lost {
        let mut rig = Rig::new(Seed {
            max_tokens: Some(TOKENS),
            ..seed()
        });
        rig.accepted(peer(1));
        rig.stream_tokens(0..TOKENS);
        lose(&mut rig);
        assert_eq!(rig.text, scripted::text(5, TOKENS));
        let Some(Ended::Finished(reason, ..)) = rig.ended else {
            panic!("{:?}", rig.ended)
        };
        assert_eq!(reason, EndReason::Length);
    }
}

#[test]
fn an_answer_of_no_tokens_is_whole_once_a_holder_read_its_prompt() {
    let mut rig = Rig::new(Seed {
        max_tokens: Some(0),
        ..seed()
    });
    rig.asked(peer(1));
    rig.stream_ended();
    assert_eq!((&rig.ended, rig.begun), (&None, false));
    rig.accepted(peer(2));
    rig.stream_ended();
    assert!(rig.begun && rig.text.is_empty());
    let Some(Ended::Finished(reason, usage, _)) = rig.ended else {
        panic!("{:?}", rig.ended)
    };
    assert_eq!((reason, usage.completion), (EndReason::Length, 0));
}

#[test]
fn a_holder_that_says_more_than_was_asked_for_is_cut_off() {
    let mut rig = Rig::new(Seed {
        max_tokens: Some(6),
        ..seed()
    });
    rig.accepted(peer(1));
    assert_eq!(words(&rig.scripted(0..9)), ["text", "cancel", "end"]);
    assert_eq!(rig.text, scripted::text(5, 6));
    assert!(matches!(
        rig.ended,
        Some(Ended::Finished(_, Usage { completion: 6, .. }, _))
    ));
}

#[test]
fn a_drawn_seed_is_the_same_in_every_attempt() {
    let mut rig = Rig::new(Seed {
        seed: None,
        ..seed()
    });
    rig.accepted(peer(1));
    rig.stream_ended();
    rig.asked(peer(2));
    assert_eq!(rig.jobs[0].1.sampling, rig.jobs[1].1.sampling);
    assert_ne!(rig.jobs[0].1.sampling.seed, 0);
}

#[test]
fn a_worker_that_restarts_on_this_node_goes_on_with_the_answer() {
    let mut rig = Rig::new(seed());
    rig.accepted(LOCAL);
    rig.stream_tokens(0..7);
    lose(&mut rig, Way::WorkerDown, 7);
    for _ in 0..5 {
        rig.routed(Err(NoRoute::NoneLeft));
        rig.wait(200);
    }
    assert!(
        !rig.query.as_ref().unwrap().exclude.contains(&LOCAL),
        "it may be back"
    );
    rig.accepted(LOCAL);
    rig.stream_tokens(7..TOKENS);
    rig.end(EndReason::Stop, TOKENS);
    assert_eq!(rig.text, scripted::text(5, TOKENS));
    let holders: Vec<Via> = rig.jobs.iter().map(|(via, _)| *via).collect();
    assert_eq!(holders, [LOCAL, LOCAL]);
    assert!(rig.proxy.deadline().is_none());
}
