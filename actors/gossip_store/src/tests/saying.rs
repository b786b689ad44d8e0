//! What is durable is said together, and the newest counts.

use super::admin::{SECOND, commit, prompt, say};
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

#[test]
fn a_change_whose_write_fails_is_answered_by_the_newer_one_that_is_written() {
    let mut world = World::new(1);
    world.nodes[0].disk = None;
    say(&mut world, 1, "a", Some("first"));
    say(&mut world, 2, "a", Some("second"));
    commit(&mut world, false);
    assert_eq!(world.nodes[0].answers, []);
    commit(&mut world, true);
    let answers = &world.nodes[0].answers;
    assert_eq!(answers[..], [(1, Answer::Done), (2, Answer::Done)]);
}

#[test]
fn what_is_said_anew_when_its_deletion_is_forgotten_stays() {
    let mut world = World::new(1);
    say(&mut world, 1, "a", Some("x"));
    world.run_for(SECOND);
    say(&mut world, 2, "a", None);
    world.run_for(SECOND);
    world.nodes[0].disk = None;
    // At the same moment it is said again, and its deletion is over.
    world.now.wall = Wall(world.now.wall.0 + crate::TOMBSTONE_AGE_MAX);
    say(&mut world, 3, "a", Some("anew"));
    world.nodes[0].disk = Some(true);
    world.flush(0);
    world.run_for(SECOND);
    assert_eq!(world.nodes[0].answers.last(), Some(&(3, Answer::Done)));
    world.restart(0);
    assert_eq!(world.value(0, 0, "a").as_deref(), Some("anew"));
}

#[test]
fn what_is_of_the_other_class_is_refused() {
    let mut world = World::new(1);
    let public = Fact {
        class: RecordClass::Public,
        ..prompt("a", Some("x"))
    };
    world.ask(0, 1, AdminRequest::Say(vec![public]));
    let (_, answer) = &world.nodes[0].answers[0];
    assert!(matches!(answer, Answer::Refused(why) if why.contains("the other class")));
    assert_eq!(world.nodes[0].commits.len(), 0);
}

#[test]
fn in_a_network_that_is_full_nobody_is_told_that_it_was_done() {
    use crate::registers::{Ground, RECORDS_MAX};
    let mut world = World::new(1);
    let authors = RECORDS_MAX / crate::AUTHOR_RECORDS_MAX;
    let pattern = record(0, "", WALL, Some("x"));
    let registers = &mut world.nodes[0].store.registers;
    for author in 1..=authors {
        let author = NodeId([author as u8; 32]);
        registers.admit(author, Ground::Member);
        for which in 0..crate::AUTHOR_RECORDS_MAX {
            let mut signed = pattern.clone();
            signed.record.author = author;
            signed.record.id = Label::truncated(&which.to_string());
            registers.merge(Wall(WALL), signed, |_| true).unwrap();
        }
    }
    registers.take_changes(usize::MAX, &BTreeSet::new());
    say(&mut world, 1, "a", Some("x"));
    let (_, answer) = &world.nodes[0].answers[0];
    assert!(matches!(answer, Answer::Refused(why) if why.contains("as many records as it may")));
    // What is said unasked finds the one place that everybody has, and no other; its row goes.
    world.publish(0, "first", Some("x"));
    world.publish(0, "second", Some("x"));
    world.run_for(SECOND);
    let row = |id_of: &str| messages::RecordKey::of(Kind::SESSION_CATALOG, id(0), id_of);
    assert!(world.nodes[0].rows.contains_key(&row("first").0[..]));
    assert!(!world.nodes[0].rows.contains_key(&row("second").0[..]));
}
