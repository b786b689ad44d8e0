//! What is durable is said together, and the newest counts.

use super::admin::{SECOND, prompt, say};
use super::*;
use messages::limits::RECORD_BYTES_MAX;

#[test]
fn twenty_changes_are_one_publication_with_the_last_value() {
    let mut world = World::new(2);
    world.connect(0, 1);
    world.run_for(SECOND);
    world.heard.clear();
    for n in 0..20 {
        say(&mut world, n, "a", Some(&n.to_string()));
        world.run_for(Micros::from_millis(20));
    }
    world.run_for(SECOND);
    let news: Vec<_> = world
        .heard
        .iter()
        .filter_map(|(_, _, said)| match said {
            Gossip::News(records) => Some(records.len()),
            Gossip::Roots(_)
            | Gossip::Compare { .. }
            | Gossip::Differ { .. }
            | Gossip::Want { .. }
            | Gossip::Have { .. }
            | Gossip::Who(_)
            | Gossip::Credentials(_) => None,
        })
        .collect();
    assert_eq!(news, [1]);
    assert_eq!(world.value(1, 0, "a").as_deref(), Some("19"));
}

#[test]
fn ten_thousand_changes_are_one_publication_each_half_second() {
    let mut world = World::new(2);
    world.connect(0, 1);
    world.run_for(SECOND);
    let begun = world.now.mono;
    world.heard.clear();
    for n in 0..10_000_u64 {
        say(&mut world, n, &(n % 7).to_string(), Some(&n.to_string()));
        world.run_for(Micros(300));
    }
    world.run_for(SECOND);
    let halves = world.now.mono.since(begun).0 / 500_000;
    let is_news = |(_, _, said): &&(u8, u8, Gossip)| matches!(said, Gossip::News(_));
    let news = world.heard.iter().filter(is_news).count() as u64;
    assert!((4..=halves).contains(&news), "{news} in {halves} halves");
    assert_eq!(world.value(1, 0, "3").as_deref(), Some("9999"));
    assert_eq!(world.nodes[0].answers.len(), 10_000);
}

#[test]
fn what_answers_to_a_newer_record_is_newer_than_that() {
    let mut world = World::new(1);
    let after = Stamp(WALL + 60_000_000);
    let fact = Fact {
        after,
        ..prompt("a", Some("x"))
    };
    world.ask(0, 1, AdminRequest::Say(vec![fact.clone()]));
    let stamp = |world: &World| world.registers(0).in_force().next().unwrap().record.stamp;
    assert_eq!(stamp(&world), Stamp(after.0 + 1));
    // The same again is no change; where others said something since, it is.
    world.ask(0, 2, AdminRequest::Say(vec![fact.clone()]));
    assert_eq!(stamp(&world), Stamp(after.0 + 1));
    let after = Stamp(after.0 + 5);
    world.ask(0, 3, AdminRequest::Say(vec![Fact { after, ..fact }]));
    assert_eq!(stamp(&world), Stamp(after.0 + 1));
}

#[test]
fn long_records_are_read_in_as_many_frames_as_they_take() {
    let mut world = World::new(2);
    let long = "x".repeat(RECORD_BYTES_MAX);
    let facts = (0..100).map(|n| prompt(&n.to_string(), Some(&long)));
    world.ask(0, 1, AdminRequest::Say(facts.collect()));
    world.run_for(SECOND);
    world.connect(0, 1);
    world.run_for(Micros::from_secs(3));
    assert!(world.agree());
    let (records, _) = super::agreement::cost(&world);
    assert_eq!(records, 100, "each once");
}
