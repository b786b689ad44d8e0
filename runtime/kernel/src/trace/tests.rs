//! A turn is written as its event is, and order counts.

use super::{Trace, TraceEvent};
use crate::{Incarnation, Mono, Now, Signal, Turn, Wall};
use messages::{Address, Letter, observer};

const LIFE: Incarnation = Incarnation { boot: 1, n: 2 };

fn now(at: u64) -> Now {
    Now {
        mono: Mono(at),
        wall: Wall(at),
    }
}

fn turns() -> Vec<(Turn, TraceEvent)> {
    let letter = Letter::Observer(observer::Input::Forget(observer::FactKey::Models));
    vec![
        (
            Turn::Letter(letter.clone()),
            TraceEvent::Letter(Box::new(letter)),
        ),
        (
            Turn::Signal(Signal::Started(LIFE)),
            TraceEvent::Signal(Signal::Started(LIFE)),
        ),
        (Turn::Deadline, TraceEvent::Deadline),
    ]
}

#[test]
fn a_turn_gives_the_digest_of_its_event() {
    for (turn, event) in turns() {
        let (mut one, mut other) = (Trace::new(), Trace::new());
        one.add_turn(now(3), 7, Address::Observer, LIFE, &turn);
        other.add(now(3), 7, Address::Observer, LIFE, &event);
        assert_eq!(one.digest(), other.digest());
        assert_ne!(one.digest(), Trace::new().digest());
    }
}

#[test]
fn order_time_and_place_change_the_digest_beyond_what_is_hashed_at_once() {
    let run = |swapped: u64, node: u32| {
        let mut trace = Trace::new();
        for at in 0..20_000 {
            let at = if at / 2 == swapped { at ^ 1 } else { at };
            trace.add(now(at), node, Address::Router, LIFE, &TraceEvent::Start);
        }
        assert_eq!(trace.events(), 20_000);
        trace.digest()
    };
    let plain = run(u64::MAX, 1);
    assert_eq!(plain, run(u64::MAX, 1));
    assert_ne!(plain, run(u64::MAX, 2));
    for swapped in [0, 5_000, 9_999] {
        assert_ne!(plain, run(swapped, 1));
    }
}
