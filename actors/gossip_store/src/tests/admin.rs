//! What humans ask, and what they are answered.

use super::*;
use kernel::Exit;
use messages::Address;
use messages::gossip_store::{PromptPolicy, Settings, Shared, Trusted};
use messages::limits::RECORD_BYTES_MAX;

const SECOND: Micros = Micros::from_secs(1);

fn prompt(id: &str, value: Option<&str>) -> Fact {
    Fact {
        class: RecordClass::Gated,
        kind: Kind::PROMPT,
        ..fact(id, value)
    }
}

fn say(world: &mut World, query: u64, id: &str, value: Option<&str>) {
    world.ask(0, query, AdminRequest::Say(vec![prompt(id, value)]));
}

fn is_refused(answer: &(u64, Answer), query: u64, why: &str) -> bool {
    matches!(answer, (of, Answer::Refused(said)) if *of == query && said.contains(why))
}

fn read(world: &mut World, n: u8) -> Shared {
    world.ask(n, 99, AdminRequest::Read);
    match world.nodes[usize::from(n)].answers.pop() {
        Some((99, Answer::Shared(shared))) => *shared,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_human_is_answered_when_what_it_said_is_durable() {
    let mut world = World::new(2);
    world.connect(0, 1);
    world.nodes[0].disk = None;
    say(&mut world, 1, "a", Some("x"));
    assert_eq!(world.nodes[0].answers, []);
    world.nodes[0].disk = Some(true);
    world.flush(0);
    assert_eq!(world.nodes[0].answers, [(1, Answer::Done)]);
    // What stands already is durable already.
    say(&mut world, 2, "a", Some("x"));
    assert_eq!(world.nodes[0].answers[1..], [(2, Answer::Done)]);
    world.run_for(SECOND);
    assert_eq!(world.value(1, 0, "a").as_deref(), Some("x"));
}

#[test]
fn what_the_disk_does_not_take_is_refused_and_does_not_come_later() {
    let mut world = World::new(1);
    world.nodes[0].disk = Some(false);
    say(&mut world, 1, "a", Some("x"));
    // Nobody waits for this: it is tried again.
    world.publish(0, "b", Some("y"));
    assert!(is_refused(
        &world.nodes[0].answers[0],
        1,
        "nothing is changed"
    ));
    world.nodes[0].disk = Some(true);
    world.run_for(Micros::from_secs(20));
    assert_eq!(world.value(0, 0, "a"), None);
    assert_eq!(world.value(0, 0, "b").as_deref(), Some("y"));
}

#[test]
fn a_database_that_restarts_is_given_it_again_and_then_it_is_answered() {
    let mut world = World::new(1);
    world.nodes[0].disk = None;
    say(&mut world, 1, "a", Some("x"));
    world.ask(0, 2, AdminRequest::Set(Setting::AutoGossip(false)));
    world.nodes[0].commits.clear();
    let down = Signal::Down {
        who: Address::Store,
        incarnation: None,
        why: Exit::Killed,
    };
    world.signal(0, down);
    world.nodes[0].disk = Some(true);
    world.run_for(Micros::from_secs(3));
    let mut answers = world.nodes[0].answers.clone();
    answers.sort_by_key(|(query, _)| *query);
    assert_eq!(answers, [(1, Answer::Done), (2, Answer::Done)]);
    assert!(!read(&mut world, 0).settings.auto_gossip);
}

#[test]
fn a_database_without_room_for_a_write_refuses_it() {
    let mut world = World::new(1);
    world.nodes[0].disk = None;
    say(&mut world, 1, "a", Some("x"));
    let (token, _) = world.nodes[0].commits[0].clone();
    let commit = Command::Commit {
        asker: OfStore::GossipStore(NETWORK),
        token,
        writes: Vec::new(),
    };
    let returned = Signal::Returned {
        letter: Box::new(Letter::Store(commit)),
        why: kernel::ReturnReason::Busy,
    };
    world.signal(0, returned);
    assert!(is_refused(
        &world.nodes[0].answers[0],
        1,
        "nothing is changed"
    ));
}

#[test]
fn settings_are_durable_before_they_hold_and_known_to_the_next_life() {
    let mut world = World::new(2);
    world.nodes[0].disk = Some(false);
    world.share(0, false);
    assert!(is_refused(
        &world.nodes[0].answers[0],
        0,
        "nothing is changed"
    ));
    assert!(world.nodes[0].store.shares);
    world.nodes[0].disk = Some(true);
    world.run_for(Micros::from_secs(6));
    world.share(0, false);
    let trusted = Trusted::Only(List::truncated([id(1)]));
    world.ask(0, 1, AdminRequest::Set(Setting::Trusted(trusted.clone())));
    world.ask(0, 2, AdminRequest::Set(Setting::Prompts(PromptPolicy::Own)));
    assert!(!world.nodes[0].store.shares);
    // A new life is built as one that shares.
    world.nodes[0].store = store(0, true);
    world.start(0);
    assert!(!world.nodes[0].store.shares);
    let settings = Settings {
        auto_gossip: false,
        trusted,
        prompts: PromptPolicy::Own,
    };
    assert_eq!(read(&mut world, 0).settings, settings);
}

#[test]
fn what_members_share_is_read_with_its_deletions_and_without_the_rest() {
    let mut world = World::new(2);
    world.connect(0, 1);
    say(&mut world, 1, "a", Some("x"));
    say(&mut world, 2, "b", Some("y"));
    world.publish(0, "a session", Some("z"));
    world.run_for(SECOND);
    say(&mut world, 3, "a", None);
    world.run_for(SECOND);
    let shared = read(&mut world, 1);
    assert_eq!((shared.me, shared.network), (id(1), NETWORK));
    assert_eq!(shared.left_out, 0);
    let said: Vec<_> = shared
        .records
        .iter()
        .map(|signed| (signed.record.id.to_string(), signed.record.value.is_some()))
        .collect();
    // The newest first.
    assert_eq!(said, [("a".to_owned(), false), ("b".to_owned(), true)]);
}

#[test]
fn what_is_too_much_for_one_answer_is_left_out_and_counted() {
    let mut world = World::new(1);
    let long = "x".repeat(RECORD_BYTES_MAX);
    let facts = (0..3_000).map(|n| prompt(&n.to_string(), Some(&long)));
    world.ask(0, 1, AdminRequest::Say(facts.collect()));
    let shared = read(&mut world, 0);
    assert_eq!(shared.records.len() as u64 + shared.left_out, 3_000);
    let bytes = shared.records.len() * RECORD_BYTES_MAX;
    assert!((6 << 20..8 << 20).contains(&bytes), "{bytes}");
}

#[test]
fn what_cannot_be_said_is_refused_whole() {
    let mut world = World::new(1);
    let too_long = "x".repeat(RECORD_BYTES_MAX + 1);
    let facts = vec![prompt("a", Some("x")), prompt("b", Some(&too_long))];
    world.ask(0, 1, AdminRequest::Say(facts));
    assert!(is_refused(&world.nodes[0].answers[0], 1, "4096 bytes"));
    let most = crate::AUTHOR_RECORDS_MAX;
    let facts = (0..=most).map(|n| prompt(&n.to_string(), Some("x")));
    world.ask(0, 2, AdminRequest::Say(facts.collect()));
    assert!(is_refused(
        &world.nodes[0].answers[1],
        2,
        "at most 4096 things"
    ));
    assert_eq!(world.registers(0).len(), 0);
}

#[test]
fn whoever_asks_before_the_rows_are_here_is_answered_then_and_a_crowd_is_refused() {
    let mut world = World::new(1);
    say(&mut world, 0, "before", Some("x"));
    world.nodes[0].answers.clear();
    world.nodes[0].store = store(0, true);
    say(&mut world, 1, "a", Some("x"));
    world.ask(0, 2, AdminRequest::Read);
    assert_eq!(world.nodes[0].answers, []);
    world.start(0);
    let mut answers = std::mem::take(&mut world.nodes[0].answers);
    answers.sort_by_key(|(query, _)| *query);
    assert_eq!(answers[0], (1, Answer::Done));
    assert!(matches!(&answers[1].1, Answer::Shared(shared) if shared.records.len() == 1));
    world.nodes[0].disk = None;
    for query in 2..100 {
        say(&mut world, query, &query.to_string(), Some("x"));
    }
    let answers = &world.nodes[0].answers;
    assert_eq!(answers.len(), 98 - 64);
    assert!(
        answers
            .iter()
            .all(|(_, answer)| matches!(answer, Answer::Refused(_)))
    );
}

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
