use super::*;

fn failed() -> Exit {
    Exit::Failed("a bug".to_owned())
}

/// Decides on failures at these instants, in milliseconds, of one child.
fn decisions(at_ms: &[u64]) -> Vec<Decision> {
    let mut history = History::default();
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

#[test]
fn waits_double_until_the_budget_is_spent_and_the_next_one_is_whole() {
    let all = [wait(10), wait(20), wait(40), wait(80), PARK];
    assert_eq!(decisions(&[0; 5]), all);
    assert_eq!(decisions(&[0; 10]), [all, all].concat());
}

#[test]
fn failures_count_together_for_thirty_seconds() {
    assert_eq!(decisions(&[0, 1, 2, 3, 30_000])[4], PARK);
    assert_eq!(decisions(&[0, 1, 2, 3, 30_001])[4], PARK_NOT_YET);
}

/// Three failures are left of four.
const PARK_NOT_YET: Decision = wait(80);

#[test]
fn a_failure_each_eight_seconds_is_never_too_much() {
    let at: Vec<u64> = (0..100).map(|n| n * 8_000).collect();
    assert!(
        decisions(&at)
            .iter()
            .all(|decision| matches!(decision, Decision::Restart(_)))
    );
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
            let decision = decide(Mono(0), restart, &exit, &mut History::default());
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
    let mut history = History::default();
    for _ in 0..20 {
        let decision = decide(Mono(0), Restart::Transient, &Exit::Normal, &mut history);
        assert_eq!(decision, Decision::Forget);
    }
    assert_eq!(history, History::default());
}

#[test]
fn a_history_is_bounded() {
    let mut history = History::default();
    for n in 0..10_000 {
        let _ = decide(Mono(n), Restart::Permanent, &failed(), &mut history);
        assert!(history.failures.len() < FAILURES_MAX);
    }
}
