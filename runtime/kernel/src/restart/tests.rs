use super::*;
use crate::Entropy;

fn failed() -> Exit {
    Exit::Failed("a bug".to_owned())
}

/// Decides on failures at these instants, in milliseconds, of one child.
fn decisions(at_ms: &[u64]) -> Vec<Decision> {
    let mut history = History::of(Address::Router);
    let now = |ms: &u64| Mono(ms * 1_000);
    at_ms
        .iter()
        .map(|ms| decide(now(ms), Restart::Permanent, &failed(), &mut history))
        .collect()
}

const fn wait(millis: u64) -> Decision {
    Decision::Restart(Micros::from_millis(millis))
}

const PARK: Decision = Decision::Park(Micros::from_secs(60));

/// The waits of a child that dies as soon as it lives, up to its park.
const WAITS_MS: [u64; 13] = [
    10, 20, 40, 80, 160, 320, 640, 1_280, 2_000, 2_000, 2_000, 2_000, 2_000,
];

#[test]
fn waits_double_until_the_budget_is_spent_and_the_next_one_is_whole() {
    let mut all = WAITS_MS.map(wait).to_vec();
    all.push(PARK);
    assert_eq!(decisions(&[0; 14]), all);
    assert_eq!(decisions(&[0; 28]), [all.clone(), all].concat());
}

/// A child's lives, each as long as `life` draws, until `end`: when it died, and what followed.
fn lives(
    number: u64,
    end: Mono,
    mut life: impl FnMut(&mut Entropy) -> Micros,
) -> Vec<(Mono, Decision)> {
    let mut draw = Entropy::from_number(number);
    let (mut history, mut now, mut seen) = (History::of(Address::Router), Mono(0), Vec::new());
    while now < end {
        now = now + life(&mut draw);
        let decision = decide(now, Restart::Permanent, &failed(), &mut history);
        seen.push((now, decision));
        now = now
            + match decision {
                Decision::Restart(wait) | Decision::Park(wait) => wait,
                Decision::Forget => panic!("a permanent child is let go"),
            };
    }
    seen
}

/// Lives of every sort: most are short, some are healthy.
fn any_life(draw: &mut Entropy) -> Micros {
    match draw.below(20) {
        0 => Micros::from_millis(draw.below(60_000)),
        1..5 => Micros::from_millis(draw.below(6_000)),
        _ => Micros(draw.below(20_000)),
    }
}

#[test]
fn a_child_is_parked_only_after_it_was_tried_for_ten_seconds() {
    let mut parks = 0;
    for number in 0..300 {
        let mut begun = None;
        for (at, decision) in lives(number, Mono(600_000_000), any_life) {
            let begun_at = *begun.get_or_insert(at);
            if decision == PARK {
                assert!(at.since(begun_at) >= Micros::from_secs(10), "{number}");
                (parks, begun) = (parks + 1, None);
            }
        }
    }
    assert!(parks > 100, "only {parks} parks");
}

#[test]
fn no_child_is_started_more_than_eighty_times_a_minute() {
    let most_in_a_minute = |seen: &[(Mono, Decision)]| {
        let within = |from: Mono| {
            let minute = from..from + Micros::from_secs(60);
            seen.iter().filter(|(at, _)| minute.contains(at)).count()
        };
        seen.iter().map(|(at, _)| within(*at)).max().unwrap_or(0)
    };
    let end = Mono(600_000_000);
    let most = most_in_a_minute(&lives(0, end, |_| Micros(0)));
    assert!(most <= 14, "{most} of a child that dies at once");
    for number in 0..100 {
        let most = most_in_a_minute(&lives(number, end, any_life));
        assert!(most <= 80, "{number}: {most}");
    }
    // The worst: a healthy life whenever the waits begin to be felt.
    for healthy_each in 1..14 {
        let mut n = 0;
        let seen = lives(0, end, |_| {
            n += 1;
            [Micros(0), HEALTHY][usize::from(n % healthy_each == 0)]
        });
        let most = most_in_a_minute(&seen);
        assert!(most <= 80, "healthy each {healthy_each}: {most}");
    }
}

#[test]
fn who_lived_well_has_a_whole_budget_and_who_did_not_spends_it() {
    let short = HEALTHY.0 - 1;
    for (life, parks) in [(HEALTHY, false), (Micros(short), true)] {
        let seen = lives(0, Mono(3_600_000_000), |_| life);
        let parked = seen.iter().any(|(_, decision)| *decision == PARK);
        assert_eq!(parked, parks, "a life of {life:?} each time");
    }
    // Whoever could not be started has not lived, however long that took.
    let mut history = History::of(Address::Router);
    let unborn = Exit::StartFailed(String::new());
    let spent = (0..14)
        .map(|n| {
            decide(
                Mono(n * 20_000_000),
                Restart::Permanent,
                &unborn,
                &mut history,
            )
        })
        .any(|decision| decision == PARK);
    assert!(spent);
}

#[test]
fn a_failure_each_eight_seconds_is_never_too_much() {
    let at: Vec<u64> = (0..100).map(|n| n * 8_000).collect();
    assert!(decisions(&at).iter().all(|decision| *decision == wait(10)));
}

#[test]
fn who_restarts_after_what() {
    let exits = [
        (failed(), true),
        (Exit::Panicked(String::new()), true),
        (Exit::StartFailed(String::new()), true),
        (Exit::Killed, true),
        (Exit::Normal, false),
        (Exit::Stopped, false),
        (Exit::NoActor, false),
    ];
    for (exit, abnormal) in exits {
        let again = |restart| {
            let decision = decide(Mono(0), restart, &exit, &mut History::of(Address::Router));
            decision != Decision::Forget
        };
        assert_eq!(exit.is_abnormal(), abnormal);
        // Whoever is asked to stop never gets here: an end that nobody asked for is repaired.
        assert!(again(Restart::Permanent), "{exit}");
        assert_eq!(again(Restart::Transient), abnormal, "{exit}");
        assert!(!again(Restart::Temporary), "{exit}");
    }
}

#[test]
fn an_exit_that_needs_no_restart_is_no_failure() {
    let mut history = History::of(Address::Router);
    for _ in 0..20 {
        let decision = decide(Mono(0), Restart::Transient, &Exit::Normal, &mut history);
        assert_eq!(decision, Decision::Forget);
    }
    assert_eq!(history, History::of(Address::Router));
}

#[test]
fn a_history_never_overflows() {
    let mut history = History::of(Address::Router);
    for n in 0..10_000 {
        let _ = decide(Mono(n), Restart::Permanent, &failed(), &mut history);
        assert!(history.failures < FAILURES_MAX);
    }
}

#[test]
fn an_engine_that_dies_of_its_model_after_minutes_spends_its_budget() {
    let parks = |child: Address, life: u64| {
        let mut history = History::of(child);
        let mut now = Mono(0);
        (0..14).any(|_| {
            now = now + Micros::from_secs(life);
            decide(now, Restart::Permanent, &failed(), &mut history) == PARK
        })
    };
    let engine = Address::Engine(messages::DeviceId(0));
    assert!(parks(engine, 300));
    assert!(!parks(engine, 700));
    assert!(!parks(Address::Router, 300));
}
