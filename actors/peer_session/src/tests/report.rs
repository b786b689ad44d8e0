//! What people are shown of the peer's models is what a request finds.

use super::*;
use messages::observer::{Fact, Input as ToObserver};
use messages::router::Input as ToRouter;

/// What the router and the snapshot know of the peer's models: how many.
#[derive(Default)]
struct Known {
    routable: Option<usize>,
    quiet: bool,
    shown: Option<usize>,
    facts: usize,
}

impl Known {
    /// Takes a turn's letters in their order: nothing is shown before it can be routed.
    fn learn(&mut self, out: &Outbox) {
        for effect in out.effects() {
            match effect {
                Effect::Tell(Letter::Router(ToRouter::Peer(state))) => {
                    self.routable = Some(state.models.len());
                    self.quiet = state.quiet;
                }
                Effect::Tell(Letter::Observer(ToObserver::Fact(_, fact))) => {
                    let Fact::Peer(fact) = &**fact else { continue };
                    self.shown = Some(fact.models.len());
                    self.facts += 1;
                    assert_eq!(self.routable, self.shown, "it cannot be routed yet");
                }
                Effect::Tell(_)
                | Effect::Start(_)
                | Effect::Stop(..)
                | Effect::Watch(_)
                | Effect::Unwatch(_) => {}
            }
        }
    }

    fn tell(&mut self, bench: &mut Bench, input: Input) {
        let mut out = Outbox::new();
        bench.session.handle(bench.now, input, &mut out).unwrap();
        self.learn(&out);
    }

    fn signal(&mut self, bench: &mut Bench, signal: Signal) {
        let mut out = Outbox::new();
        bench.session.signal(bench.now, signal, &mut out).unwrap();
        self.learn(&out);
    }

    fn wait(&mut self, bench: &mut Bench, millis: u64) {
        let end = bench.now.mono + Micros::from_millis(millis);
        while let Some(due) = bench.session.deadline().filter(|due| due.at <= end) {
            bench.go(due.at);
            let mut out = Outbox::new();
            bench.session.on_deadline(bench.now, &mut out).unwrap();
            let next = bench.session.deadline().unwrap().at;
            assert!(next > bench.now.mono, "it spins");
            self.learn(&out);
        }
        bench.go(end);
    }
}

/// An active session whose router and snapshot know that the peer serves nothing.
fn up() -> (Bench, Known) {
    let known = Known {
        routable: Some(0),
        quiet: false,
        shown: Some(0),
        facts: 0,
    };
    (Bench::in_phase(Phase::Active), known)
}

#[test]
fn a_model_is_shown_when_it_can_be_routed_and_not_before() {
    let (mut bench, mut known) = up();
    known.tell(&mut bench, frame(introductions(PEER, &["m"])));
    known.wait(&mut bench, 100);
    assert_eq!((known.routable, known.shown), (Some(1), Some(1)));
    // The same on its way out.
    known.tell(&mut bench, frame(introductions(PEER, &[])));
    known.wait(&mut bench, 100);
    assert_eq!((known.routable, known.shown), (Some(0), Some(0)));
}

#[test]
fn a_model_is_not_shown_while_the_router_has_no_room_for_it() {
    let (mut bench, mut known) = up();
    known.wait(&mut bench, 100);
    known.tell(&mut bench, frame(introductions(PEER, &["m"])));
    assert_eq!(known.routable, Some(1), "at once");
    let state = router::PeerState {
        network: NETWORK,
        peer: PEER,
        fresh: true,
        quiet: false,
        models: List::new(),
        load: load(0),
        in_flight: 0,
        rtt: Micros(0),
    };
    let letter = Box::new(Letter::Router(ToRouter::Peer(Box::new(state))));
    let why = ReturnReason::Busy;
    known.signal(&mut bench, Signal::Returned { letter, why });
    known.routable = Some(0);
    let facts = known.facts;
    known.tell(&mut bench, frame(introductions(PEER, &["m", "n"])));
    assert_eq!(known.facts, facts, "it waits for the router");
    known.wait(&mut bench, 11_000);
    assert_eq!((known.routable, known.shown), (Some(2), Some(2)));
}

#[test]
fn a_peer_that_changes_its_models_all_the_time_is_told_of_ten_times_a_second() {
    let (mut bench, mut known) = up();
    for turn in 0..1_000 {
        let names: &[&str] = if turn % 2 == 0 { &["m"] } else { &[] };
        known.tell(&mut bench, frame(introductions(PEER, names)));
        known.wait(&mut bench, 1);
    }
    assert!(known.facts <= 11, "{} facts", known.facts);
}

/// The stream of a job of this node at the peer.
const STREAM: StreamId = StreamId(9);

/// The same, with that job running.
fn running() -> (Bench, Known) {
    let (mut bench, mut known) = up();
    bench.tell(frame(ControlFrame::Pong(1)));
    let (stream, request) = (STREAM, request(1));
    known.tell(
        &mut bench,
        Input::Opened {
            stream,
            request,
            attempt: 1,
        },
    );
    (bench, known)
}

#[test]
fn a_peer_that_leaves_pings_of_a_running_job_unanswered_is_quiet_to_the_router_until_it_is_heard() {
    let (mut bench, mut known) = running();
    known.wait(&mut bench, 449);
    assert!(!known.quiet);
    known.wait(&mut bench, 1);
    assert!(known.quiet, "as its requests are told");
    known.tell(&mut bench, frame(ControlFrame::Pong(2)));
    assert!(!known.quiet, "at once");
}

#[test]
fn a_request_that_leaves_a_silent_peer_leaves_the_question_whether_it_lives() {
    let (mut bench, mut known) = running();
    known.wait(&mut bench, 250);
    let who = Address::Stream(STREAM);
    let why = Exit::Normal;
    known.signal(
        &mut bench,
        Signal::Down {
            who,
            incarnation: None,
            why,
        },
    );
    known.wait(&mut bench, 200);
    assert!(known.quiet);
    known.tell(&mut bench, frame(ControlFrame::Pong(2)));
    assert!(!known.quiet);
    let said = bench.wait(Micros::from_millis(1_000));
    let pings = said.iter().filter(|turn| *turn == "ping").count();
    assert_eq!(pings, 1, "there is no hurry");
}
