//! A client that is slow, and a client that goes away.

use super::{Ended, LOCAL, Rig, choice, peer, seed, words};
use kernel::{Effect, scripted};
use messages::inference_worker::{Input as ToWorker, Sink};
use messages::ports::stream::Command;
use messages::request_proxy::{Flow, Input};
use messages::router::{NoRoute, Via};
use messages::{Address, DeviceId, EndReason, Letter, Refusal, StreamId};

/// The letter that takes the current attempt's job back.
fn cancel_of(rig: &Rig, local: bool) -> Letter {
    if local {
        let (sink, attempt) = (Sink::Proxy(super::REQUEST), rig.attempt());
        Letter::Worker(DeviceId(0), ToWorker::Cancel { sink, attempt })
    } else {
        Letter::Stream(rig.stream(), Command::Cancel)
    }
}

/// A client that goes away in a phase, at such a holder.
fn check_gone(phase: &str, local: bool, by: fn(&mut Rig) -> Vec<Effect>) {
    let via = if local { LOCAL } else { peer(1) };
    let mut rig = Rig::new(seed());
    if phase != "Routing" {
        rig.asked(via);
    }
    if matches!(phase, "Streaming" | "Doubting") {
        rig.accept();
        rig.stream_tokens(0..20);
    }
    if phase == "Doubting" {
        rig.wait(300);
    }
    assert_eq!(rig.phase(), phase);
    let effects = by(&mut rig);
    let cancel = Effect::Tell(cancel_of(&rig, local));
    assert_eq!(effects.contains(&cancel), phase != "Routing", "{phase}");
    assert!(rig.stopped);
    assert_eq!(rig.ended, None, "nobody reads it");
    assert_eq!(words(&rig.scripted_anyway()), Vec::<&str>::new());
}

impl Rig {
    /// Tokens that were on their way when it ended.
    fn scripted_anyway(&mut self) -> Vec<Effect> {
        if self.jobs.is_empty() {
            Vec::new()
        } else {
            self.scripted(20..25)
        }
    }
}

#[test]
fn a_client_that_goes_away_cancels_the_holder_in_every_phase() {
    let gone: fn(&mut Rig) -> Vec<Effect> = |rig| rig.tell(Input::ClientGone);
    let down: fn(&mut Rig) -> Vec<Effect> = |rig| rig.down(Address::Gateway);
    for phase in ["Routing", "Opening", "Streaming", "Doubting"] {
        for local in [false, true] {
            check_gone(phase, local, gone);
            check_gone(phase, local, down);
        }
    }
}

#[test]
fn a_stream_that_opens_after_its_client_went_away_is_cancelled() {
    let mut rig = Rig::new(seed());
    rig.routed(Ok(choice(peer(1))));
    assert_eq!(words(&rig.tell(Input::ClientGone)), ["quit"]);
    let late = Input::Opened {
        attempt: 1,
        stream: StreamId(1),
    };
    assert_eq!(words(&rig.tell(late)), ["cancel"]);
}

#[test]
fn a_client_that_is_slow_stops_the_source_and_is_not_held_against_the_holder() {
    for via in [LOCAL, peer(1)] {
        let mut rig = Rig::new(seed());
        rig.accepted(via);
        rig.stream_tokens(0..20);
        let full = match via {
            LOCAL => {
                let sink = Sink::Proxy(super::REQUEST);
                Letter::Worker(
                    DeviceId(0),
                    ToWorker::Sink {
                        sink,
                        flow: Flow::Full,
                    },
                )
            }
            Via::Local(..) => panic!("there is one device"),
            Via::Peer(..) => Letter::Stream(rig.stream(), Command::Read(Flow::Full)),
        };
        assert_eq!(rig.flow(Flow::Full), [Effect::Tell(full)]);
        assert_eq!(words(&rig.flow(Flow::Full)), Vec::<&str>::new());
        // What was on its way still comes.
        assert_eq!(words(&rig.scripted(20..22)), ["text"]);
        assert_eq!(words(&rig.wait(60_000)), Vec::<&str>::new());
        // Woken for a deadline that does not run now.
        assert_eq!(words(&rig.deadline()), Vec::<&str>::new());
        assert_eq!(words(&rig.flow(Flow::Ready)), ["flow"]);
        // Its pace is what it was: the client's minute is no interval of its own.
        rig.stream_tokens(22..30);
        assert_eq!(words(&rig.wait(249)), Vec::<&str>::new());
        assert_eq!(words(&rig.wait(1)), ["seek"]);
        rig.scripted(30..40);
        rig.end(EndReason::Stop, 40);
        assert_eq!(rig.text, scripted::text(5, 40));
        assert_eq!(rig.attempt(), 1);
    }
}

#[test]
fn a_holder_that_takes_over_from_another_is_told_that_the_client_is_slow() {
    for via in [LOCAL, peer(2)] {
        let mut rig = Rig::new(seed());
        rig.accepted(peer(1));
        rig.stream_tokens(0..4);
        rig.flow(Flow::Full);
        assert_eq!(words(&rig.stream_ended()), ["seek"]);
        let mut effects = rig.routed(Ok(choice(via)));
        effects.extend(rig.tell(Input::Opened {
            attempt: 2,
            stream: StreamId(2),
        }));
        assert_eq!(words(&effects), ["ask", "flow"]);
        assert_eq!(words(&rig.wait(60_000)), Vec::<&str>::new());
        assert_eq!(words(&rig.flow(Flow::Ready)), ["flow"]);
        rig.accept();
        rig.stream_tokens(4..9);
        assert_eq!(rig.text, scripted::text(5, 9));
    }
}

#[test]
fn a_holder_that_lost_patience_with_the_client_is_replaced_when_the_client_reads() {
    let mut rig = Rig::new(seed());
    rig.accepted(peer(1));
    rig.stream_tokens(0..4);
    rig.flow(Flow::Full);
    rig.wait(30_000);
    assert_eq!(words(&rig.refused(Refusal::TooSlow)), Vec::<&str>::new());
    assert_eq!(words(&rig.wait(60_000)), Vec::<&str>::new());
    assert_eq!(words(&rig.flow(Flow::Ready)), ["seek"]);
    rig.accepted(peer(1));
    rig.stream_tokens(4..9);
    rig.end(EndReason::Stop, 9);
    assert_eq!(rig.text, scripted::text(5, 9));
    assert!(matches!(rig.ended, Some(Ended::Finished(..))));
}

#[test]
fn a_slow_client_hears_of_a_lost_answer_too() {
    let mut rig = Rig::new(seed());
    rig.accepted(peer(1));
    rig.stream_tokens(0..4);
    rig.flow(Flow::Full);
    rig.stream_ended();
    rig.routed(Err(NoRoute::NoneLeft));
    rig.wait(3_000);
    assert!(matches!(rig.ended, Some(Ended::Failed(_))));
}
