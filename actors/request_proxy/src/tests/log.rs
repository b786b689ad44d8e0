//! The token log, the pace and the seam, each alone.

use super::{LOCAL, peer, piece};
use crate::log::{Fit, Log};
use crate::pace::Pace;
use crate::seam::Contributions;
use messages::limits::TOKENS_MAX;
use messages::ports::gateway::Seam;
use messages::{Compute, Digest, List, Micros, Mono, TokenBatch, TokenId};

fn batch(first: u32, ids: &[u32]) -> TokenBatch {
    let tokens = List::truncated(ids.iter().map(|id| piece(*id, b"x")));
    TokenBatch {
        attempt: 1,
        first,
        tokens,
    }
}

fn log(ids: &[u32]) -> Log {
    let mut log = Log::new(None);
    for id in ids {
        assert!(log.push(TokenId(*id)));
    }
    log
}

/// The ids that a batch adds to a log of 1, 2, 3; or why it adds none.
fn check(first: u32, ids: &[u32], expected: Result<&[u32], Fit<'static>>) {
    let batch = batch(first, ids);
    match (log(&[1, 2, 3]).fit(&batch), expected) {
        (Fit::Next(next), Ok(expected)) => {
            assert_eq!(
                next.iter().map(|token| token.id.0).collect::<Vec<_>>(),
                expected
            );
        }
        (fit, expected) => assert_eq!(Some(fit), expected.err()),
    }
}

#[test]
fn a_batch_is_cut_to_what_comes_next() {
    check(3, &[4, 5], Ok(&[4, 5]));
    check(1, &[2, 3, 4], Ok(&[4]));
    check(0, &[1, 2], Ok(&[]));
    check(3, &[], Ok(&[]));
}

#[test]
fn a_batch_that_leaves_a_gap_or_says_something_else_does_not_fit() {
    check(4, &[5], Err(Fit::Gap));
    check(u32::MAX, &[5], Err(Fit::Gap));
    check(2, &[9, 4], Err(Fit::Contradiction));
}

#[test]
fn the_log_holds_what_was_asked_for_and_never_more_than_a_job_can_carry() {
    let mut short = Log::new(Some(2));
    assert!(short.push(TokenId(1)) && !short.is_full() && short.push(TokenId(2)));
    assert!(short.is_full() && !short.push(TokenId(3)));
    assert_eq!(short.resume().len(), 2);
    let mut long = Log::new(Some(u32::MAX));
    assert!((0..TOKENS_MAX).all(|_| long.push(TokenId(1))));
    assert!(!long.push(TokenId(1)));
    assert_eq!(long.resume().len(), TOKENS_MAX);
}

/// A pace after these intervals in milliseconds.
fn pace(intervals: impl IntoIterator<Item = u64>) -> Pace {
    let (mut pace, mut now) = (Pace::default(), Mono(0));
    pace.arrive(now);
    for millis in intervals {
        now = now + Micros::from_millis(millis);
        pace.arrive(now);
        pace.invariants();
    }
    pace
}

#[test]
fn the_patience_is_eight_times_the_99th_percentile_of_the_last_128() {
    let cases: [(Vec<u64>, u64); 6] = [
        (vec![], 600),
        (vec![10; 7], 600),
        (vec![10; 8], 250),
        (vec![100; 50], 800),
        // One in 128 is above the 99th percentile, two are not.
        ([vec![100; 127], vec![900; 1]].concat(), 800),
        ([vec![100; 126], vec![900; 2]].concat(), 7_200),
    ];
    for (intervals, millis) in cases {
        assert_eq!(
            pace(intervals.clone()).gap_max(),
            Micros::from_millis(millis),
            "{intervals:?}"
        );
    }
}

#[test]
fn old_intervals_are_forgotten() {
    let slow_then_fast = [vec![1_000; 128], vec![50; 128]].concat();
    assert_eq!(pace(slow_then_fast).gap_max(), Micros::from_millis(400));
}

#[test]
fn an_interval_that_the_client_caused_is_not_counted() {
    let mut pace = pace([50; 20]);
    pace.pause();
    pace.arrive(Mono(0) + Micros::from_secs(900));
    assert_eq!(pace.gap_max(), Micros::from_millis(400));
}

#[test]
fn an_answer_is_exact_where_every_contributor_computes_alike() {
    let [one, other] = ["one", "other"].map(|name| Digest::of(name, &[]));
    let compute = |digest| Compute {
        digest,
        splice: true,
    };
    let seam = |adds: &[(messages::router::Via, Digest)]| {
        let mut contributions = Contributions::default();
        for (via, digest) in adds {
            contributions.add(*via, compute(*digest));
        }
        contributions.seam()
    };
    assert_eq!(
        seam(&[]),
        Seam {
            holders: 0,
            exact: true
        }
    );
    assert_eq!(
        seam(&[(LOCAL, one), (LOCAL, one)]),
        Seam {
            holders: 1,
            exact: true
        }
    );
    assert_eq!(
        seam(&[(LOCAL, one), (peer(1), one)]),
        Seam {
            holders: 2,
            exact: true
        }
    );
    let back = [(LOCAL, one), (peer(1), other), (LOCAL, one)];
    assert_eq!(
        seam(&back),
        Seam {
            holders: 2,
            exact: false
        }
    );
    assert_eq!(
        seam(&[(LOCAL, one), (LOCAL, other)]),
        Seam {
            holders: 1,
            exact: false
        }
    );
}
