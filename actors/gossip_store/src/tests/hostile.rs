//! Neighbours that are admitted, and hostile.

use super::*;
use messages::wire::latest::{AskId, Entry, Part};
use messages::{Digest, List, Prefix, RecordKey};

fn say(world: &mut World, gossip: Gossip) -> Vec<Effect> {
    world.tell(0, Input::Heard(id(1), Box::new(gossip)))
}

/// The question that is open at node 0.
fn question(world: &World) -> Gossip {
    let asked = world.air.iter().rev().find(|(from, ..)| *from == 0);
    asked.expect("a question").2.clone()
}

/// A store that has asked its first question of a neighbour that does what the test says.
fn asking() -> World {
    let mut world = World::new(2);
    world.tell(0, Input::Active(id(1)));
    world
}

fn entry(n: u8) -> Entry {
    Entry {
        key: RecordKey([n; 32]),
        stamp: Stamp(WALL),
        digest: Digest([n; 32]),
    }
}

#[test]
fn what_was_not_asked_for_is_no_answer() {
    let mut world = asking();
    let Gossip::Compare { ask, .. } = question(&world) else {
        panic!("another question");
    };
    let parts = List::truncated([Part::Entries(List::truncated([entry(1)]))]);
    let two = List::truncated([Part::Same, Part::Same]);
    let records = List::truncated([record(1, "a", WALL, Some("x"))]);
    let other = AskId(ask.0 + 1);
    world.air.clear();
    for said in [
        Gossip::Differ {
            ask: other,
            parts: parts.clone(),
        },
        Gossip::Differ { ask, parts: two },
        Gossip::Have { ask, records },
    ] {
        assert_eq!(say(&mut world, said), []);
    }
    assert_eq!(world.registers(0).len(), 0);
    // The answer is taken all the same.
    say(&mut world, Gossip::Differ { ask, parts });
    let Gossip::Want { ask, keys, .. } = question(&world) else {
        panic!("another question");
    };
    assert_eq!(&*keys, [RecordKey([1; 32])]);
    // A record that was not asked for, in the place of the one that was.
    let records = List::truncated([record(1, "b", WALL, Some("x"))]);
    assert_eq!(say(&mut world, Gossip::Have { ask, records }), []);
    assert_eq!(world.registers(0).len(), 0);
}

#[test]
fn whoever_finds_differences_everywhere_is_left_for_another() {
    let mut world = World::new(3);
    world.tell(0, Input::Active(id(1)));
    let mut questions = 0;
    while let Gossip::Compare { ask, places, .. } = question(&world) {
        questions += 1;
        assert!(questions < 10_000, "it is asked for ever");
        world.air.clear();
        world.now.mono = world.now.mono + Micros::from_millis(10);
        let lie = |n: u8| Digest([n + 1; 32]);
        let part = Part::Branches(List::truncated((0..16).map(lie)));
        let parts = List::truncated(places.iter().map(|_| part.clone()));
        if say(&mut world, Gossip::Differ { ask, parts }).is_empty() {
            break;
        }
    }
    assert!(questions > 16, "{questions} questions");
    // The other neighbour is read as soon as a newcomer is.
    world.tell(0, Input::Active(id(2)));
    world.now.mono = world.now.mono + Micros::from_secs(2);
    world.wake(0);
    let asked = world
        .air
        .iter()
        .find(|(from, to, _)| (*from, *to) == (0, 2));
    assert!(asked.is_some(), "the liar is still being read");
}

#[test]
fn records_that_are_refused_are_not_asked_for_again() {
    let mut world = asking();
    let Gossip::Compare { ask, .. } = question(&world) else {
        panic!("another question");
    };
    // Of a kind that is never gated.
    let mut stranger = record(1, "a", WALL, Some("x")).record;
    stranger.class = RecordClass::Gated;
    let stranger = signed(1, stranger);
    let listed = Entry {
        key: stranger.record.key(),
        stamp: stranger.record.stamp,
        digest: crate::registers::version_of(&stranger).1,
    };
    let parts = List::truncated([Part::Entries(List::truncated([listed]))]);
    say(
        &mut world,
        Gossip::Differ {
            ask,
            parts: parts.clone(),
        },
    );
    let Gossip::Want { ask, .. } = question(&world) else {
        panic!("another question");
    };
    let records = List::truncated([stranger.clone()]);
    say(&mut world, Gossip::Have { ask, records });
    assert_eq!(world.registers(0).len(), 0);
    for (is_room_made, wants) in [(false, false), (true, true)] {
        if is_room_made {
            world.tell(0, Input::Stranger(id(3)));
        }
        world.tell(0, Input::Gone(id(1)));
        world.air.clear();
        world.tell(0, Input::Active(id(1)));
        let Gossip::Compare { ask, .. } = question(&world) else {
            panic!("another question");
        };
        world.air.clear();
        say(
            &mut world,
            Gossip::Differ {
                ask,
                parts: parts.clone(),
            },
        );
        let wanted = world
            .air
            .iter()
            .any(|(_, _, said)| matches!(said, Gossip::Want { .. }));
        assert_eq!(wanted, wants, "asked again");
    }
}

#[test]
fn a_flood_of_questions_is_answered_at_a_bounded_rate() {
    let mut world = asking();
    let mut answered = 0;
    for n in 0..10_000 {
        let places = List::truncated([(Prefix::ROOT, Digest([1; 32]))]);
        let (ask, class) = (AskId(n), RecordClass::Public);
        let said = say(&mut world, Gossip::Compare { ask, class, places });
        answered += said.len();
    }
    assert!(answered <= 256, "{answered} answers at once");
    // What waits is bounded, and is answered in time.
    world.air.clear();
    world.loses = |_| true;
    world.run_for(Micros::from_secs(1));
    let late = world.nodes[0].store.deadline().map(|next| next.why);
    assert_ne!(late, Some("a neighbour may be told more"));
}

#[test]
fn whoever_has_no_active_session_is_not_heard() {
    let mut world = World::new(2);
    let records = List::truncated([record(1, "a", WALL, Some("x"))]);
    assert_eq!(say(&mut world, Gossip::News(records)), []);
    let places = List::truncated([(Prefix::ROOT, Digest([1; 32]))]);
    let (ask, class) = (AskId(1), RecordClass::Public);
    assert_eq!(say(&mut world, Gossip::Compare { ask, class, places }), []);
    assert_eq!(world.registers(0).len(), 0);
}

#[test]
fn keys_that_share_all_that_the_tree_looks_at_hide_nobody() {
    use crate::tree::Tree;
    let (mut one, mut two) = (Tree::new(), Tree::new());
    let crafted = |n: u8| {
        let mut key = [5; 32];
        key[31] = n;
        RecordKey(key)
    };
    for n in 0..60 {
        one.set(crafted(n), (Stamp(1), Digest([n; 32])));
        two.set(crafted(n), (Stamp(1), Digest([n; 32])));
    }
    // Others that are far from them make the place deep.
    for n in 0..200 {
        let other = RecordKey(Digest::of("other", &[&[n]]).0);
        one.set(other, (Stamp(1), Digest([n; 32])));
        two.set(other, (Stamp(1), Digest([n; 32])));
    }
    assert_eq!(one.digest(Prefix::ROOT), two.digest(Prefix::ROOT));
    two.set(crafted(30), (Stamp(2), Digest([0; 32])));
    assert_ne!(one.digest(Prefix::ROOT), two.digest(Prefix::ROOT));
    let deepest = (0..Prefix::DEPTH_MAX).fold(Prefix::ROOT, |at, depth| {
        at.child(crafted(0).nibble(depth) as u8)
    });
    let mine = one.digest(deepest);
    let Part::Entries(entries) = two.part(deepest, mine) else {
        panic!("it is not listed");
    };
    let changed = entries.iter().find(|entry| entry.stamp == Stamp(2));
    assert_eq!(changed.map(|entry| entry.key), Some(crafted(30)));
}
