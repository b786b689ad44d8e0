//! How requests end, and how much they say.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a plant changes one sort of effect and leaves all others alone"
)]

use super::{caught, hands, met};
use crate::drivers::gateway::{Answer, State};
use crate::{Ask, Costs, InputClass, Kind, Mesh, millis, secs};
use kernel::{Effect, scripted};
use messages::ports::gateway::Command;
use messages::{Address, EndReason, Letter, RequestId, Usage};

const REQUEST: RequestId = RequestId { boot: 1, n: 1 };

/// A request of 24 tokens that has ended well.
fn answered() -> Mesh {
    let mut mesh = met(Mesh::seed(3).nodes(2));
    mesh.ask(1, Ask::new(1).max_tokens(24));
    mesh.run_for(secs(5));
    mesh.assert_clean();
    mesh
}

fn answer(mesh: &mut Mesh) -> &mut Answer {
    let boot = mesh.world.nodes[1].boot.as_mut().unwrap();
    boot.drivers.gateway.answers.get_mut(&REQUEST).unwrap()
}

/// What the last word of a request says, changed on its way.
fn last_word(ask: Ask, change: fn(&mut EndReason, &mut Usage), sentence: &str) {
    let mut mesh = met(Mesh::seed(3).nodes(2));
    hands(&mut mesh, move |_, _, mut effect| {
        if let Effect::Tell(Letter::Gateway(Command::Finished { reason, usage, .. })) = &mut effect
        {
            change(reason, usage);
        }
        vec![effect]
    });
    mesh.ask(1, ask);
    mesh.run_for(secs(60));
    caught(&mesh, "tokens", sentence);
}

#[test]
fn a_request_that_begins_again_is_caught() {
    let mut mesh = answered();
    let served_by = mesh.id(0);
    // A gateway that forgets that it had said the end.
    answer(&mut mesh).state = State::Streaming;
    let started = Command::Started {
        request: REQUEST,
        served_by,
        model: scripted::advert().into(),
    };
    mesh.tell(1, Letter::Gateway(started));
    mesh.run_for(secs(1));
    let what = "request 1-1 began again after its end";
    caught(&mesh, "requests end once", what);
}

#[test]
fn text_after_the_end_of_a_request_is_caught() {
    let mut mesh = met(Mesh::seed(3).nodes(2));
    hands(&mut mesh, |_, _, effect| match &effect {
        Effect::Tell(Letter::Gateway(Command::Finished { request, total, .. })) => {
            let more = Command::Delta {
                request: *request,
                offset: *total,
                text: "more".into(),
            };
            vec![effect, Effect::Tell(Letter::Gateway(more))]
        }
        _ => vec![effect],
    });
    mesh.ask(1, Ask::new(1).max_tokens(24));
    mesh.run_for(secs(5));
    let what = "request 1-1 was sent text after its end";
    caught(&mesh, "requests end once", what);
}

#[test]
fn a_text_that_goes_on_behind_the_script_is_caught() {
    let mut mesh = met(Mesh::seed(3).nodes(2));
    mesh.ask(1, Ask::new(1));
    mesh.run_for(secs(1));
    let whole = scripted::text(1, scripted::CONTEXT_TOKENS);
    let answer = answer(&mut mesh);
    answer.text = format!("{whole}and more");
    mesh.run_for(secs(1));
    caught(&mesh, "tokens", "its text is longer than the script");
}

#[test]
fn a_last_word_that_says_what_was_not_is_caught() {
    let short = || Ask::new(1).max_tokens(24);
    let counts = |_: &mut EndReason, usage: &mut Usage| usage.completion += 1;
    last_word(short(), counts, "25 tokens were counted, where 24 were");
    let stops = |reason: &mut EndReason, _: &mut Usage| *reason = EndReason::Stop;
    last_word(short(), stops, "it says that it was stopped");
    let cuts = |reason: &mut EndReason, _: &mut Usage| *reason = EndReason::Length;
    last_word(Ask::new(1), cuts, "it says that it was cut short");
}

/// Found by seed 431 of the swarm: the gateway was as slow as costs may draw it.
#[test]
fn a_last_word_that_waits_behind_the_text_of_others_is_in_time() {
    let slow = Costs::NONE.turn(Kind::Gateway, InputClass::Data, millis(8));
    let mut mesh = met(Mesh::seed(3).nodes(2).costs(slow));
    for n in 0..40 {
        mesh.ask(1, Ask::new(n).max_tokens(300).within(secs(1 + n % 8)));
    }
    mesh.run_until(secs(15), |mesh| {
        mesh.waiting_for(1, Address::Gateway) > 1_000
    });
    assert!(mesh.waiting_for(1, Address::Gateway) > 1_000);
    mesh.run_for(secs(100));
    mesh.assert_clean();
}
