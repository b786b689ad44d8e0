//! Any order of anything: what a consumer may rely on holds.

use super::*;
use messages::NetworkId;
use std::collections::BTreeMap;

/// What the bench's consumers have seen of each try.
#[derive(Debug, Default)]
struct Consumer {
    next: u32,
    accepted: bool,
    over: bool,
}

/// A small xorshift.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[test]
fn whatever_happens_a_consumer_sees_no_hole_and_one_end() {
    let mut ends = 0;
    for seed in 1..=20 {
        ends += run(seed);
    }
    assert!(
        ends > 500,
        "the runs are too idle to show anything: {ends} ends"
    );
}

fn run(seed: u64) -> usize {
    let mut dice = Dice(seed);
    let mut bench = Bench::ready(3, 5, 4);
    let mut consumers: BTreeMap<(Sink, u32), Consumer> = BTreeMap::new();
    let mut asked: Vec<JobId> = Vec::new();
    let mut stepping: Vec<JobId> = Vec::new();
    let mut sent: Vec<Letter> = Vec::new();
    let (mut fresh, mut ends) = (0, 0);
    for _ in 0..1_000 {
        if asked.len() > 40 {
            asked.drain(..20);
        }
        act(
            &mut bench,
            &mut dice,
            &mut fresh,
            &asked,
            &stepping,
            &mut sent,
            &mut consumers,
        );
        for effect in bench.effects.clone() {
            if let Some((stream, reply)) = reply_of(&effect) {
                let key = (Sink::Stream(stream), reply.attempt());
                ends += usize::from(see(consumers.entry(key).or_default(), reply));
                sent.push(key.0.reply(reply.clone()));
            }
            if let Effect::Tell(Letter::Engine(_, Command::Begin(job))) = &effect {
                asked.push(job.id);
            }
            if let Effect::Tell(Letter::Engine(_, Command::Step(ids))) = &effect {
                stepping.clone_from(ids);
            }
        }
    }
    ends
}

/// Checks one reply; whether it is the last.
fn see(consumer: &mut Consumer, reply: &JobReply) -> bool {
    assert!(!consumer.over, "{reply:?} after the last reply");
    match reply {
        JobReply::Accepted(_) => {
            assert!(!consumer.accepted, "accepted twice");
            consumer.accepted = true;
        }
        JobReply::Tokens(batch) => {
            assert!(consumer.accepted, "tokens before accepted");
            assert_eq!(batch.first, consumer.next, "a hole or an overlap");
            consumer.next += 1;
        }
        JobReply::End(end) => assert_eq!(end.tokens, consumer.next),
        JobReply::Beacon(_) | JobReply::Refused(_) => {}
    }
    consumer.over = reply.is_last();
    consumer.over
}

fn act(
    bench: &mut Bench,
    dice: &mut Dice,
    fresh: &mut u64,
    asked: &[JobId],
    stepping: &[JobId],
    sent: &mut Vec<Letter>,
    consumers: &mut BTreeMap<(Sink, u32), Consumer>,
) {
    let some = |dice: &mut Dice| stream(1 + fresh.saturating_sub(dice.below(6)));
    let one = |dice: &mut Dice| {
        let at = usize::try_from(dice.below(asked.len() as u64 + 1)).unwrap();
        asked.get(at).copied().unwrap_or_else(|| id('z', 1, 1))
    };
    match dice.below(22) {
        0..=3 => {
            *fresh += 1;
            let origin = ['a', 'b', 'c'][usize::try_from(dice.below(3)).unwrap()];
            let max_tokens = Some(u32::try_from(dice.below(6)).unwrap());
            let job = Job {
                max_tokens,
                ..job(id(origin, *fresh, 1))
            };
            bench.tell(Input::Job {
                sink: stream(*fresh),
                job: Box::new(job),
            });
        }
        4..=7 => drop(bench.began(one(dice))),
        8..=12 => drop(bench.drew(stepping)),
        13 => drop(bench.engine(drawn(one(dice), Drawn::End(EndReason::Stop)))),
        14 => drop(bench.tell(full(some(dice)))),
        15 => drop(bench.tell(has_room(some(dice)))),
        16 => drop(bench.tell(Input::Cancel {
            sink: some(dice),
            attempt: 1,
        })),
        17 => drop(bench.down(some(dice).address(), Exit::Normal)),
        18 => {
            let span = [100, 400, 3_000, 30_000][usize::try_from(dice.below(4)).unwrap()];
            bench.later(span);
            bench.wake();
        }
        19 => match sent.pop() {
            Some(letter) => {
                // It never arrived: forget that the consumer saw it, and nothing may follow but
                // the refusal.
                if let Letter::Stream(stream, stream::Command::Reply(JobReply::Tokens(_))) = &letter
                {
                    let consumer = consumers.entry((Sink::Stream(*stream), 1)).or_default();
                    consumer.next = u32::MAX;
                }
                bench.returned(letter, ReturnReason::Busy);
            }
            None => drop(bench.engine(ready())),
        },
        20 => drop(bench.tell(Input::Attach(NetworkId([1; 32])))),
        _ => match dice.below(8) {
            0 => drop(bench.engine(failed())),
            1 => drop(bench.down(Address::Engine(DEVICE), Exit::Killed)),
            _ => drop(bench.engine(ready())),
        },
    }
}
