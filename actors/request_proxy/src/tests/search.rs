//! The search for a holder, and how it ends.

use super::{Ended, LOCAL, Rig, choice, peer, seed, words};
use kernel::{Exit, ReturnReason, Signal};
use messages::request_proxy::{Failure, Input};
use messages::router::{Input as ToRouter, NoRoute, Outcome, Via};
use messages::{Address, Label, Letter, Mono, Refusal};

const BUSY: NoRoute = NoRoute::Busy {
    retry_after_ms: 700,
};

/// Answers every question with `answer` until the request fails, at most so many milliseconds;
/// a holder that is asked refuses with `refusal`.
fn check(
    rig: &mut Rig,
    answer: impl Fn(&Rig) -> Result<Via, NoRoute>,
    refusal: &Refusal,
    within: u64,
) -> Failure {
    for _ in 0..within {
        while rig.query.is_some() && rig.ended.is_none() && rig.phase() == "Routing" {
            let answer = answer(rig).map(choice);
            let attempt = rig.query.take().unwrap().attempt;
            rig.tell(Input::Routed {
                attempt,
                choice: answer.map(Box::new),
            });
            if rig.phase() == "Opening" {
                let attempt = rig.attempt();
                rig.tell(Input::NotOpened {
                    attempt,
                    why: refusal.clone(),
                });
            }
        }
        if rig.ended.is_some() {
            break;
        }
        rig.wait(1);
    }
    let Some(Ended::Failed(failure)) = rig.ended.clone() else {
        panic!("no failure after {within} ms: {:?}", rig.ended)
    };
    assert!(rig.stopped);
    failure
}

fn nobody(no_route: NoRoute) -> impl Fn(&Rig) -> Result<Via, NoRoute> {
    move |_| Err(no_route.clone())
}

/// These holders in turn, unless they are excluded.
fn among(vias: &'static [Via]) -> impl Fn(&Rig) -> Result<Via, NoRoute> {
    move |rig| {
        let excluded = &rig.query.as_ref().unwrap().exclude;
        let free = vias.iter().find(|via| !excluded.contains(via));
        free.copied().ok_or(NoRoute::NoneLeft)
    }
}

const fn busy(retry_after_ms: u32) -> Refusal {
    Refusal::Busy { retry_after_ms }
}

fn crashed() -> Refusal {
    Refusal::EngineFailed(Label::default())
}

#[test]
fn an_unknown_model_fails_at_once() {
    let mut rig = Rig::new(seed());
    let failure = check(&mut rig, nobody(NoRoute::UnknownModel), &busy(1), 1);
    assert_eq!(failure, Failure::UnknownModel);
    assert_eq!(rig.now, Mono(0));
}

#[test]
fn holders_that_are_all_full_fail_within_a_second_and_are_asked_until_then() {
    let mut rig = Rig::new(seed());
    let failure = check(&mut rig, nobody(BUSY), &busy(1), 901);
    assert_eq!(
        failure,
        Failure::Busy {
            retry_after_ms: 700
        }
    );
    assert!(rig.now >= Mono(899_000));
    const PEERS: [Via; 3] = [LOCAL, peer(1), peer(2)];
    let mut rig = Rig::new(seed());
    let failure = check(&mut rig, among(&PEERS), &busy(400), 901);
    assert_eq!(
        failure,
        Failure::Busy {
            retry_after_ms: 400
        }
    );
    for via in PEERS {
        let asked = rig.jobs.iter().filter(|(asked, _)| *asked == via).count();
        assert!(asked > 3, "{via:?} was asked {asked} times");
    }
    assert!(
        rig.outcomes
            .iter()
            .all(|(_, outcome)| *outcome == Outcome::Busy)
    );
    assert_eq!(rig.outcomes.len(), rig.jobs.len());
}

#[test]
fn a_holder_that_has_room_at_last_is_taken() {
    let mut rig = Rig::new(seed());
    for _ in 0..4 {
        rig.routed(Err(BUSY));
        assert_eq!(words(&rig.wait(200)), ["seek"]);
    }
    rig.accepted(peer(1));
    rig.scripted(0..1);
    // What was said before counts no more.
    rig.wait(500);
    rig.stream_ended();
    rig.routed(Err(BUSY));
    rig.wait(900);
    assert_eq!(rig.ended, None);
}

#[test]
fn silent_holders_are_waited_for_three_seconds() {
    let mut rig = Rig::new(seed());
    let failure = check(&mut rig, nobody(NoRoute::NoneLeft), &busy(1), 3_001);
    assert_eq!(failure, Failure::HoldersLost { attempts: 0 });
    assert!(rig.now >= Mono(2_999_000));
}

#[test]
fn an_answer_that_has_begun_is_worth_three_seconds_and_ends_as_lost() {
    for no_route in [BUSY, NoRoute::NoneLeft, NoRoute::UnknownModel] {
        let mut rig = Rig::new(seed());
        rig.accepted(peer(1));
        rig.stream_tokens(0..3);
        rig.stream_ended();
        let lost = rig.now;
        let failure = check(&mut rig, nobody(no_route), &busy(1), 3_001);
        assert_eq!(failure, Failure::HoldersLost { attempts: 1 });
        assert!(rig.now.since(lost).as_millis() >= 2_999);
    }
}

#[test]
fn full_holders_of_an_answer_that_has_begun_are_asked_for_three_seconds() {
    const PEERS: [Via; 6] = [LOCAL, peer(1), peer(2), peer(3), peer(4), peer(5)];
    let mut rig = Rig::new(seed());
    rig.accepted(peer(9));
    rig.stream_tokens(0..3);
    rig.stream_ended();
    let lost = rig.now;
    check(&mut rig, among(&PEERS), &busy(1), 3_001);
    assert!(
        rig.now.since(lost).as_millis() >= 2_999,
        "being full is no failed attempt"
    );
    assert!(rig.jobs.len() > 60);
}

#[test]
fn at_most_sixteen_attempts_fail() {
    const PEERS: [Via; 3] = [LOCAL, peer(1), peer(2)];
    let mut rig = Rig::new(seed());
    let failure = check(&mut rig, among(&PEERS), &crashed(), 60_000);
    assert_eq!(failure, Failure::HoldersLost { attempts: 9 });
    let mut rig = Rig::new(seed());
    for n in 1..=16 {
        rig.accepted(peer(n));
        rig.stream_ended();
    }
    assert_eq!(
        rig.ended,
        Some(Ended::Failed(Failure::HoldersLost { attempts: 16 }))
    );
}

#[test]
fn a_holder_that_failed_is_left_alone_for_a_second() {
    let mut rig = Rig::new(seed());
    rig.accepted(peer(1));
    rig.stream_ended();
    for _ in 0..5 {
        assert!(rig.query.as_ref().unwrap().exclude.contains(&peer(1)));
        rig.routed(Err(NoRoute::NoneLeft));
        rig.wait(200);
    }
    assert!(!rig.query.as_ref().unwrap().exclude.contains(&peer(1)));
}

#[test]
fn a_holder_that_cannot_serve_it_is_never_asked_again() {
    let mut rig = Rig::new(seed());
    rig.asked(peer(1));
    rig.refused(Refusal::PromptMismatch);
    for _ in 0..14 {
        assert!(rig.query.as_ref().unwrap().exclude.contains(&peer(1)));
        rig.routed(Err(NoRoute::NoneLeft));
        rig.wait(200);
    }
}

#[test]
fn a_holder_whose_engine_starts_again_is_asked_again_after_a_second() {
    let mut rig = Rig::new(seed());
    rig.asked(peer(1));
    rig.refused(Refusal::NoModel);
    for _ in 0..5 {
        assert!(rig.query.as_ref().unwrap().exclude.contains(&peer(1)));
        rig.routed(Err(NoRoute::NoneLeft));
        rig.wait(200);
    }
    assert!(!rig.query.as_ref().unwrap().exclude.contains(&peer(1)));
}

#[test]
fn what_no_holder_could_do_fails_at_once() {
    let context = Refusal::ContextExceeded {
        context: 8,
        prompt: 9,
    };
    let mut rig = Rig::new(seed());
    rig.asked(peer(1));
    assert_eq!(words(&rig.refused(context)), ["fail"]);
    let exceeded = Failure::ContextExceeded {
        context: 8,
        prompt: 9,
    };
    assert_eq!(rig.ended, Some(Ended::Failed(exceeded)));
    assert_eq!(rig.outcomes, [(peer(1), Outcome::Served)]);
    let mut rig = Rig::new(seed());
    rig.asked(peer(1));
    rig.refused(Refusal::Unsupported(Label::truncated("no grammar")));
    let unsupported = Failure::Unsupported(Label::truncated("no grammar"));
    assert_eq!(rig.ended, Some(Ended::Failed(unsupported)));
}

#[test]
fn what_another_holder_accepted_is_the_holders_own_limit() {
    let mut rig = Rig::new(seed());
    rig.accepted(peer(1));
    rig.stream_tokens(0..2);
    rig.stream_ended();
    rig.asked(peer(2));
    let context = Refusal::ContextExceeded {
        context: 8,
        prompt: 9,
    };
    assert_eq!(words(&rig.refused(context)), ["seek"]);
    rig.wait(2_000);
    assert!(rig.query.as_ref().unwrap().exclude.contains(&peer(2)));
}

#[test]
fn a_question_that_dies_with_the_router_is_asked_again() {
    let mut rig = Rig::new(seed());
    assert_eq!(words(&rig.wait(1_000)), ["seek"]);
    let query = Box::new(rig.query.clone().unwrap());
    let letter = Box::new(Letter::Router(ToRouter::Route(query)));
    rig.signal(Signal::Returned {
        letter,
        why: ReturnReason::Busy,
    });
    assert_eq!(words(&rig.wait(200)), ["seek"]);
    rig.accepted(peer(1));
}

#[test]
fn without_any_router_the_request_ends() {
    let mut rig = Rig::new(seed());
    rig.wait(4_001);
    assert_eq!(
        rig.ended,
        Some(Ended::Failed(Failure::HoldersLost { attempts: 0 }))
    );
}

#[test]
fn answers_to_other_questions_are_ignored() {
    let mut rig = Rig::new(seed());
    let wrong = Input::Routed {
        attempt: 7,
        choice: Ok(Box::new(choice(peer(1)))),
    };
    assert_eq!(words(&rig.tell(wrong)), Vec::<&str>::new());
    rig.asked(peer(1));
    let again = Input::Routed {
        attempt: 2,
        choice: Ok(Box::new(choice(peer(2)))),
    };
    assert_eq!(words(&rig.tell(again)), Vec::<&str>::new());
    assert_eq!(rig.attempt(), 1);
}

#[test]
fn a_gateway_that_is_not_there_ends_it() {
    let mut rig = Rig::new(seed());
    let who = Address::Gateway;
    rig.signal(Signal::Down {
        who,
        incarnation: None,
        why: Exit::NoActor,
    });
    assert!(rig.stopped);
}
