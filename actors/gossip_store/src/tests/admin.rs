//! What humans ask, and what they are answered.

use super::*;
use kernel::Exit;
use messages::Address;
use messages::gossip_store::{PromptPolicy, Settings, Shared, Trusted};
use messages::limits::RECORD_BYTES_MAX;

pub(super) const SECOND: Micros = Micros::from_secs(1);

pub(super) fn prompt(id: &str, value: Option<&str>) -> Fact {
    Fact {
        class: RecordClass::Gated,
        kind: Kind::PROMPT,
        ..fact(id, value)
    }
}

pub(super) fn say(world: &mut World, query: u64, id: &str, value: Option<&str>) {
    world.ask(0, query, AdminRequest::Say(vec![prompt(id, value)]));
}

fn is_refused(answer: &(u64, Answer), query: u64, why: &str) -> bool {
    matches!(answer, (of, Answer::Refused(said)) if *of == query && said.contains(why))
}

fn read(world: &mut World, n: u8) -> Shared {
    world.ask(n, 99, AdminRequest::Read(Kind::PROMPT));
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
    world.ask(0, 2, AdminRequest::Set(vec![Setting::AutoGossip(false)]));
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
    world.ask(
        0,
        1,
        AdminRequest::Set(vec![Setting::Trusted(trusted.clone())]),
    );
    world.ask(
        0,
        2,
        AdminRequest::Set(vec![Setting::Prompts(PromptPolicy::Own)]),
    );
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
    world.ask(0, 2, AdminRequest::Read(Kind::PROMPT));
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

/// The next commit that waits for the disk is answered.
pub(super) fn commit(world: &mut World, durable: bool) {
    let (token, writes) = world.nodes[0].commits.pop_front().expect("a commit");
    if durable {
        for (row, value) in writes {
            world.nodes[0].rows.insert(row, value.expect("a value"));
        }
        world.tell(0, Input::Committed(token));
    } else {
        world.tell(0, Input::CommitFailed(token));
    }
}

#[test]
fn of_two_changes_on_their_way_each_is_answered_by_its_own_write() {
    let mut world = World::new(1);
    world.nodes[0].disk = None;
    say(&mut world, 1, "a", Some("first"));
    say(&mut world, 2, "a", Some("second"));
    commit(&mut world, true);
    assert_eq!(world.nodes[0].answers, [(1, Answer::Done)]);
    commit(&mut world, false);
    assert!(is_refused(
        &world.nodes[0].answers[1],
        2,
        "nothing is changed"
    ));
    assert_eq!(world.value(0, 0, "a").as_deref(), Some("first"));
    world.nodes[0].disk = Some(true);
    world.restart(0);
    assert_eq!(world.value(0, 0, "a").as_deref(), Some("first"));
}

#[test]
fn whoever_says_again_what_is_not_durable_yet_waits_for_it() {
    let mut world = World::new(1);
    world.nodes[0].disk = None;
    say(&mut world, 1, "a", Some("x"));
    say(&mut world, 2, "a", Some("x"));
    assert_eq!(
        (world.nodes[0].answers.len(), world.nodes[0].commits.len()),
        (0, 1)
    );
    commit(&mut world, false);
    let answers = world.nodes[0].answers.clone();
    assert!((0..2).all(|n| is_refused(&answers[n], n as u64 + 1, "nothing is changed")));
}

#[test]
fn a_write_that_comes_back_from_a_database_that_is_parked_is_refused_and_holds_up_nothing() {
    let mut world = World::new(1);
    world.nodes[0].disk = None;
    say(&mut world, 1, "a", Some("x"));
    let (token, _) = world.nodes[0].commits.pop_front().unwrap();
    let letter = Letter::Store(Command::Commit {
        asker: OfStore::GossipStore(NETWORK),
        token,
        writes: Vec::new(),
    });
    let why = kernel::ReturnReason::StartFailed;
    let letter = Box::new(letter);
    world.signal(0, Signal::Returned { letter, why });
    assert!(is_refused(
        &world.nodes[0].answers[0],
        1,
        "nothing is changed"
    ));
    world.nodes[0].disk = Some(true);
    world.run_for(Micros::from_secs(6));
    say(&mut world, 2, "a", Some("y"));
    assert_eq!(world.nodes[0].answers[1], (2, Answer::Done));
}

#[test]
fn what_somebody_else_changed_meanwhile_is_not_overwritten() {
    use messages::gossip_store::CHANGED;
    let mut world = World::new(1);
    world.nodes[0].disk = None;
    let from_nothing = |value: &str| Fact {
        expects: Some(Stamp(0)),
        ..prompt("a", Some(value))
    };
    world.ask(0, 1, AdminRequest::Say(vec![from_nothing("x")]));
    // Also of what is not durable yet.
    world.ask(0, 2, AdminRequest::Say(vec![from_nothing("y")]));
    assert!(is_refused(&world.nodes[0].answers[0], 2, CHANGED));
    commit(&mut world, true);
    world.ask(0, 3, AdminRequest::Say(vec![from_nothing("y")]));
    assert!(is_refused(&world.nodes[0].answers[2], 3, CHANGED));
    let stamp = world.registers(0).in_force().next().unwrap().record.stamp;
    let from_it = Fact {
        expects: Some(stamp),
        ..prompt("a", Some("y"))
    };
    world.nodes[0].disk = Some(true);
    world.ask(0, 4, AdminRequest::Say(vec![from_it]));
    assert_eq!(world.value(0, 0, "a").as_deref(), Some("y"));
}

#[test]
fn a_prompt_is_changed_for_who_trusts_others_too() {
    let mut world = World::new(2);
    let theirs = Record {
        class: RecordClass::Gated,
        kind: Kind::PROMPT,
        ..record(1, "a", WALL + 90_000_000, Some("theirs")).record
    };
    world.has(0, signed(1, theirs));
    let trusted = Setting::Trusted(Trusted::Only(List::new()));
    world.ask(0, 1, AdminRequest::Set(vec![trusted]));
    say(&mut world, 2, "a", Some("mine"));
    let shared = read(&mut world, 0);
    // Who is not trusted is not shown, and is overtaken all the same.
    assert_eq!(shared.records.len(), 1);
    assert_eq!(shared.records[0].record.stamp, Stamp(WALL + 90_000_001));
}

#[test]
fn what_is_too_much_leaves_out_others_first_and_no_other_kind() {
    let mut world = World::new(2);
    let long = "x".repeat(RECORD_BYTES_MAX);
    say(&mut world, 1, "mine", Some("x"));
    for n in 0..3_000_u64 {
        let theirs = Record {
            class: RecordClass::Gated,
            kind: Kind::PROMPT,
            ..record(1, &n.to_string(), WALL + 1_000 + n, Some(&long)).record
        };
        world.has(0, signed(1, theirs));
    }
    let shared = read(&mut world, 0);
    assert!(shared.left_out > 0);
    assert_eq!(&*shared.records[0].record.id, "mine");
    world.ask(0, 99, AdminRequest::Read(Kind::TOOL_PERMISSION));
    let (_, answer) = world.nodes[0].answers.pop().unwrap();
    assert!(matches!(answer, Answer::Shared(shared) if shared.left_out == 0));
}

#[test]
fn what_waits_for_the_disk_counts_as_said() {
    let mut world = World::new(1);
    let most = crate::AUTHOR_RECORDS_MAX as u64;
    let facts = |ids: std::ops::Range<u64>| {
        AdminRequest::Say(ids.map(|n| prompt(&n.to_string(), Some("x"))).collect())
    };
    world.ask(0, 1, facts(0..most - 2));
    world.nodes[0].disk = None;
    world.ask(0, 2, facts(most..most + 2));
    world.ask(0, 3, facts(most + 5..most + 6));
    assert!(is_refused(
        &world.nodes[0].answers[1],
        3,
        "at most 4096 things"
    ));
    // A deletion finds its place, as does a change of what is there.
    world.ask(
        0,
        4,
        AdminRequest::Say(vec![prompt("0", None), prompt("1", Some("y"))]),
    );
    world.nodes[0].disk = Some(true);
    world.flush(0);
    let done: BTreeSet<u64> = world.nodes[0]
        .answers
        .iter()
        .filter(|(_, answer)| *answer == Answer::Done)
        .map(|(query, _)| *query)
        .collect();
    assert_eq!(done, [1, 2, 4].into());
}

#[test]
fn what_an_author_with_a_wrong_clock_says_is_read_when_its_time_comes() {
    let mut world = World::new(2);
    let ahead = crate::AHEAD_MAX + 60_000_000;
    for n in 0..12_u64 {
        world.nodes[1]
            .store
            .registers
            .admit(id(1), crate::registers::Ground::Member);
        let said = record(1, &n.to_string(), WALL + ahead + n, Some("x"));
        world.nodes[1]
            .store
            .registers
            .merge(Wall(WALL + ahead), said, is_of)
            .unwrap();
    }
    world.connect(0, 1);
    world.run_for(Micros::from_secs(30));
    assert_eq!(world.registers(0).len(), crate::PARKED_MAX);
    world.run_for(Micros::from_secs(40));
    assert_eq!(world.registers(0).len(), 12);
    assert_eq!(world.registers(0).in_force().count(), 12);
}
