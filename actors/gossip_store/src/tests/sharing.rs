//! Gated records, which cross only between those who share.

use super::*;

fn gated(n: u8, world: &mut World, id: &str, value: &str) {
    let fact = Fact {
        class: RecordClass::Gated,
        kind: Kind::PROMPT,
        ..fact(id, Some(value))
    };
    world.tell(n, Input::Publish(vec![fact]));
}

#[test]
fn whoever_does_not_share_sends_and_takes_no_gated_record_and_catches_up_later() {
    let mut world = World::new(3);
    world.connect(0, 1);
    world.connect(1, 2);
    world.settle();
    world.share(1, false);
    gated(0, &mut world, "a", "of 0");
    gated(1, &mut world, "a", "of 1");
    world.publish(0, "open", Some("of 0"));
    world.run_for(Micros::from_secs(200));
    assert_eq!(world.value(2, 0, "open").as_deref(), Some("of 0"));
    for (n, author) in [(0, 1), (1, 0), (2, 0), (2, 1)] {
        assert_eq!(
            world.value(n, author, "a"),
            None,
            "{n} holds a prompt of {author}"
        );
    }
    // What is its own is its own.
    assert_eq!(world.value(1, 1, "a").as_deref(), Some("of 1"));
    world.share(1, true);
    world.run_for(Micros::from_secs(3));
    for (n, author) in [(0, 1), (1, 0), (2, 0), (2, 1)] {
        assert!(
            world.value(n, author, "a").is_some(),
            "{n} lacks the prompt of {author}"
        );
    }
    assert!(world.agree());
}

#[test]
fn a_question_for_gated_records_is_answered_by_nothing() {
    let mut world = World::new(2);
    gated(0, &mut world, "a", "of 0");
    world.share(0, false);
    world.connect(0, 1);
    world.run_for(Micros::from_secs(200));
    let parts = world.heard.iter().filter_map(|(from, _, said)| {
        let Gossip::Differ { parts, .. } = said else {
            return None;
        };
        (*from == 0).then(|| parts.clone())
    });
    let same = messages::wire::latest::Part::Same;
    assert!(
        parts
            .flat_map(messages::List::into_vec)
            .all(|part| part == same)
    );
    assert_eq!(world.registers(1).len(), 0);
}

#[test]
fn a_gated_record_that_is_asked_for_as_a_public_one_is_not_sent() {
    use messages::wire::latest::AskId;
    let mut world = World::new(2);
    gated(0, &mut world, "a", "of 0");
    world.share(0, false);
    world.tell(0, Input::Active(id(1)));
    world.air.clear();
    let key = messages::RecordKey::of(Kind::PROMPT, id(0), "a");
    for class in [RecordClass::Public, RecordClass::Gated] {
        let (ask, keys) = (AskId(7), messages::List::truncated([key]));
        let question = Gossip::Want { ask, class, keys };
        world.tell(0, Input::Heard(id(1), Box::new(question)));
        let records = messages::List::new();
        let (_, _, said) = world.air.pop_back().unwrap();
        assert_eq!(said, Gossip::Have { ask, records }, "{class:?}");
    }
}
