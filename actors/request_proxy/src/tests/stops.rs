//! Stop strings, with the seam inside them.

use super::{Ended, Rig, peer, piece, seed, words};
use kernel::{Machine, scripted};
use messages::request_proxy::Seed;
use messages::{EndReason, Label, List, Usage};

/// Tokens of a run in which a stop string is looked for.
const TOKENS: u32 = 40;

fn stopping(draw: u64, stops: &[&str]) -> Rig {
    let stops = List::truncated(stops.iter().map(|stop| Label::truncated(stop)));
    Rig::new(Seed {
        seed: Some(draw),
        stops,
        ..seed()
    })
}

/// The tokens of a run until its text contains `stop`.
fn tokens_until(draw: u64, stop: &str) -> u32 {
    (1..=TOKENS)
        .find(|tokens| scripted::text(draw, *tokens).contains(stop))
        .unwrap()
}

/// One holder is lost at `k`; the answer ends before `stop` all the same.
fn check(draw: u64, stop: &str, k: u32) {
    let whole = scripted::text(draw, TOKENS);
    let expected = whole.split(stop).next().unwrap();
    let needed = tokens_until(draw, stop);
    let mut rig = stopping(draw, &["never said", stop]);
    rig.accepted(peer(1));
    rig.stream_tokens(0..k.min(needed));
    if k < needed {
        rig.stream_ended();
        rig.accepted(peer(2));
        rig.stream_tokens(k..needed);
    }
    assert_eq!(rig.text, expected, "{stop:?}, the holder lost at {k}");
    let Some(Ended::Finished(reason, usage, _)) = rig.ended else {
        panic!("{:?}", rig.ended)
    };
    assert_eq!(reason, EndReason::Stop);
    assert_eq!(usage.completion, needed);
}

#[test]
fn a_seam_inside_a_stop_string_does_not_hide_it() {
    let mut across = 0;
    for draw in 0..4 {
        let text = scripted::text(draw, TOKENS);
        let letters: Vec<(usize, char)> = text.char_indices().collect();
        // Stop strings of every length from every place: across tokens, and with characters of
        // several bytes.
        for start in (20..160).step_by(7) {
            let len = 2 + start % 17;
            let stop = &text[letters[start].0..letters[start + len].0];
            let first = text.find(stop).unwrap();
            let needed = tokens_until(draw, stop);
            let begun = (0..=needed)
                .rfind(|n| scripted::text(draw, *n).len() <= first)
                .unwrap();
            across += u32::from(needed > begun + 1);
            for k in begun..=needed {
                check(draw, stop, k);
            }
        }
    }
    assert!(across > 20, "{across} stop strings lie across tokens");
}

#[test]
fn a_stop_string_cancels_the_holder() {
    let mut rig = stopping(5, &["STOP"]);
    rig.accepted(peer(1));
    assert_eq!(words(&rig.tokens(0, vec![piece(1, b"one ST")])), ["text"]);
    assert_eq!(rig.text, "one ");
    let rest = vec![piece(2, b"OP two"), piece(3, b" three")];
    assert_eq!(words(&rig.tokens(1, rest)), ["cancel", "end"]);
    assert_eq!(rig.text, "one ");
    // The token behind the stop string in the same batch does not count.
    assert!(matches!(
        rig.ended,
        Some(Ended::Finished(_, Usage { completion: 2, .. }, _))
    ));
}

#[test]
fn what_was_held_back_goes_out_at_the_end() {
    let mut rig = stopping(5, &["STOP"]);
    rig.accepted(peer(1));
    rig.tokens(0, vec![piece(1, b"one STO")]);
    assert_eq!(rig.text, "one ");
    assert_eq!(words(&rig.end(EndReason::Length, 1)), ["text", "end"]);
    assert_eq!(rig.text, "one STO");
}

#[test]
fn what_the_client_waits_for_is_not_shown() {
    let mut rig = stopping(5, &["secret"]);
    rig.accepted(peer(1));
    rig.tokens(0, vec![piece(1, b"secre")]);
    assert!(!format!("{:?}{:?}", rig.proxy, rig.proxy.view()).contains("secre"));
}
