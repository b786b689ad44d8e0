//! Records of authors that a roster has never heard of.

use super::agreement::cost;
use super::*;
use crate::strangers::STRANGERS_MAX;
use messages::wire::latest::BATCH_RECORDS_MAX;

const SECOND: Micros = Micros::from_secs(1);
const MINUTE: Micros = Micros::from_secs(60);

/// A row of nodes whose rosters keep only those beside them.
fn row(count: u8) -> World {
    let mut world = World::new(count);
    for n in 0..count {
        let beside = [n.saturating_sub(1), n, (n + 1).min(count - 1)];
        world.kept[usize::from(n)] = beside.into_iter().collect();
        world.tell_members(n);
    }
    for n in 1..count {
        world.connect(n - 1, n);
    }
    world.settle();
    world
}

fn asked(world: &World) -> usize {
    let who = |(_, _, said): &&(u8, u8, Gossip)| matches!(said, Gossip::Who(_));
    world.heard.iter().filter(who).count()
}

/// Records of authors that nobody has heard of, each signed.
fn made_up(world: &mut World, count: u16, ticket: Option<u8>) -> Vec<SignedRecord> {
    let of = |n: u16| {
        let secret = SigningKey::from_bytes(
            &[&n.to_le_bytes()[..], &[7; 30]]
                .concat()
                .try_into()
                .unwrap(),
        );
        let key = Key(secret);
        let author = Signer::node(&key);
        if let Some(ticket) = ticket {
            world.tickets.insert(author, ticket);
        }
        let mut record = record(0, "x", WALL, Some("y")).record;
        record.author = author;
        let signature = key.sign(&record.signing_bytes());
        SignedRecord { record, signature }
    };
    (0..count).map(of).collect()
}

fn news(world: &mut World, records: &[SignedRecord]) {
    for some in records.chunks(BATCH_RECORDS_MAX) {
        let news = Gossip::News(List::truncated(some.to_vec()));
        world.tell(0, Input::Heard(id(1), Box::new(news)));
    }
}

#[test]
fn a_record_reaches_who_has_never_heard_of_its_author() {
    let mut world = row(6);
    world.publish(0, "a", Some("by 0"));
    world.publish(5, "a", Some("by 5"));
    world.run_for(Micros::from_secs(3));
    for n in 0..6 {
        assert_eq!(world.value(n, 0, "a").as_deref(), Some("by 0"), "{n}");
        assert_eq!(world.value(n, 5, "a").as_deref(), Some("by 5"), "{n}");
    }
    assert!(world.agree());
    // Each record went over each edge once, and of each author each node asked once.
    assert_eq!((cost(&world).0, asked(&world)), (10, 8));
    // What an author says later is taken at once.
    world.publish(0, "a", Some("later"));
    world.run_for(Micros::from_secs(3));
    assert_eq!(world.value(5, 0, "a").as_deref(), Some("later"));
    assert_eq!(asked(&world), 8);
}

#[test]
fn what_was_vouched_for_is_known_to_the_next_life() {
    let mut world = row(4);
    world.publish(0, "a", Some("by 0"));
    world.run_for(Micros::from_secs(3));
    let before = asked(&world);
    world.restart(3);
    world.run_for(Micros::from_secs(3));
    assert_eq!(world.value(3, 0, "a").as_deref(), Some("by 0"));
    assert_eq!(asked(&world), before);
    world.roots(3);
    assert_eq!(world.nodes[3].store.vouched.len(), 1);
}

#[test]
fn whoever_does_not_belong_is_not_kept_and_not_asked_for_again() {
    let mut world = row(4);
    // Node 1 keeps somebody whose ticket the others know to be withdrawn.
    world.tickets.insert(id(0), 5);
    world.withdrawn.insert(5);
    world.publish(0, "a", Some("by 0"));
    world.run_for(Micros::from_secs(5));
    assert_eq!(world.value(1, 0, "a").as_deref(), Some("by 0"));
    assert_eq!(world.value(2, 0, "a"), None);
    let (before, once) = (cost(&world).0, asked(&world));
    assert_eq!(once, 1);
    world.run_for(MINUTE);
    // Not more often than it is held to be of no use.
    assert!(asked(&world) <= once + 4 && cost(&world).0 <= before + 4);
    assert_eq!(world.value(2, 0, "a"), None);
}

#[test]
fn a_withdrawn_ticket_takes_the_records_of_who_came_by_it() {
    let mut world = row(4);
    world.tickets.insert(id(0), 5);
    world.publish(0, "a", Some("by 0"));
    world.publish(1, "a", Some("by 1"));
    world.run_for(Micros::from_secs(3));
    assert!(world.value(3, 0, "a").is_some());
    world.withdrawn.insert(5);
    for n in 1..4 {
        world.tell(n, Input::Stranger(id(0)));
        world.tell(n, Input::Revoked(vec![TicketKey([5; 32])]));
    }
    world.run_for(SECOND);
    for n in 1..4 {
        assert_eq!(world.value(n, 0, "a"), None, "{n}");
        assert!(world.value(n, 1, "a").is_some(), "{n}");
    }
    // Nor does the next life know of it.
    world.restart(3);
    world.run_for(SECOND);
    assert_eq!(world.nodes[3].store.vouched.len(), 1);
}

#[test]
fn a_membership_that_is_over_takes_its_records_with_it() {
    let mut world = row(4);
    let end = Wall(world.now.wall.0 + 2 * MINUTE.0);
    let proof = proof_by(1, id(0), Some(end));
    world.publish(0, "a", Some("by 0"));
    world.loses = |said| matches!(said, Gossip::Credentials(_));
    world.run_for(SECOND);
    assert_eq!(world.value(2, 0, "a"), None);
    let shown = Gossip::Credentials(List::truncated([(id(0), proof)]));
    world.tell(2, Input::Heard(id(1), Box::new(shown)));
    assert!(world.value(2, 0, "a").is_some());
    world.run_for(MINUTE);
    assert!(world.value(2, 0, "a").is_some());
    world.run_for(MINUTE);
    assert_eq!(world.value(2, 0, "a"), None);
}

#[test]
fn who_is_not_answered_asks_again_and_at_last_reads_again() {
    let mut world = row(3);
    world.loses = |said| matches!(said, Gossip::Credentials(_));
    world.publish(0, "a", Some("by 0"));
    world.run_for(Micros::from_secs(5));
    assert_eq!(asked(&world), 3);
    let held = world.nodes[2].store.strangers.len();
    assert_eq!((held, world.value(2, 0, "a")), (1, None));
    world.run_for(Micros::from_secs(6));
    assert_eq!(world.nodes[2].store.strangers.len(), 0);
    world.loses = |_| false;
    world.run_for(Micros(2 * MINUTE.0));
    assert_eq!(world.value(2, 0, "a").as_deref(), Some("by 0"));
}

#[test]
fn what_nobody_asked_for_is_no_proof() {
    let mut world = row(3);
    world.tickets.insert(id(9), 1);
    let shown = |n: u8| Gossip::Credentials(List::truncated([(id(n), proof_by(1, id(n), None))]));
    world.tell(0, Input::Heard(id(1), Box::new(shown(9))));
    assert_eq!(world.nodes[0].store.vouched.len(), 0);
    // Nor what another neighbour shows than the one that sent the record.
    world.loses = |said| matches!(said, Gossip::Credentials(_));
    world.connect(0, 2);
    let record = record(9, "a", WALL, Some("y"));
    news(&mut world, &[record]);
    world.tell(0, Input::Heard(id(2), Box::new(shown(9))));
    assert_eq!(world.nodes[0].store.vouched.len(), 0);
    world.tell(0, Input::Heard(id(1), Box::new(shown(9))));
    assert_eq!(world.nodes[0].store.vouched.len(), 1);
    assert_eq!(world.value(0, 9, "a").as_deref(), Some("y"));
}

#[test]
fn a_forged_record_of_a_stranger_is_not_held() {
    let mut world = row(2);
    let mut forged = record(9, "a", WALL, Some("y"));
    forged.record.stamp = Stamp(WALL + 1);
    news(&mut world, &[forged]);
    assert_eq!(world.nodes[0].store.strangers.len(), 0);
    assert_eq!(world.nodes[0].store.counts.refused, 1);
}

#[test]
fn one_neighbour_fills_a_quarter_and_its_going_leaves_nothing() {
    let mut world = row(3);
    world.connect(0, 2);
    let all = made_up(&mut world, 400, None);
    news(&mut world, &all);
    assert_eq!(world.nodes[0].store.strangers.len(), STRANGERS_MAX / 4);
    let other = record(9, "a", WALL, Some("y"));
    let said = Gossip::News(List::truncated([other]));
    world.tell(0, Input::Heard(id(2), Box::new(said)));
    assert_eq!(world.nodes[0].store.strangers.len(), STRANGERS_MAX / 4 + 1);
    // What is held is not looked at again, nor what finds no room.
    let before = world.nodes[0].store.counts.dropped;
    news(&mut world, &all);
    assert_eq!(world.nodes[0].store.counts.dropped, before + 400);
    world.part(0, 1);
    assert_eq!(world.nodes[0].store.strangers.len(), 1);
}

#[test]
fn what_found_no_room_is_read_again() {
    let mut world = row(2);
    let all = made_up(&mut world, 400, Some(1));
    // Read before there was anything: nothing but the lack of room leads back to it.
    world.run_for(Micros::from_secs(3));
    for some in &all {
        let author = some.record.author;
        let proof = world.proof(author);
        world.tell(1, Input::Vouched(vec![(author, proof)]));
        world.has(1, some.clone());
    }
    news(&mut world, &all);
    assert_eq!(world.nodes[0].store.strangers.len(), STRANGERS_MAX / 4);
    world.run_for(Micros::from_secs(5));
    assert_eq!(world.registers(0).len(), 400);
}

#[test]
fn a_record_that_is_held_is_not_asked_for_again() {
    let mut world = row(3);
    world.loses = |said| matches!(said, Gossip::Credentials(_));
    world.publish(0, "a", Some("by 0"));
    world.run_for(SECOND);
    assert_eq!(world.nodes[2].store.strangers.len(), 1);
    let before = cost(&world).0;
    for _ in 0..5 {
        let theirs = world.roots(1);
        world.tell(2, Input::Heard(id(1), Box::new(Gossip::Roots(theirs))));
        world.run_for(Micros::from_millis(150));
    }
    assert_eq!(cost(&world).0, before);
}

/// Node 0 is a neighbour of 1 and of 2, who both have a record of 3; only 2 can prove it.
fn two_who_sent_it(world: &mut World) {
    for n in [1, 2] {
        world.tell(n, Input::Member(id(3)));
        world.has(n, record(3, "a", WALL, Some("x")));
    }
    world.connect(0, 1);
    world.run_for(Micros::from_millis(10));
    world.connect(0, 2);
}

fn triangle() -> World {
    let mut world = World::new(4);
    world.kept = vec![
        [0, 1, 2].into(),
        [0, 1, 2].into(),
        [0, 1, 2, 3].into(),
        [3].into(),
    ];
    world.tell_members(0);
    world
}

#[test]
fn who_shows_what_is_no_proof_keeps_nobody_elses_from_counting() {
    let mut world = triangle();
    world.loses = |said| matches!(said, Gossip::Credentials(_));
    two_who_sent_it(&mut world);
    world.run_for(Micros::from_millis(500));
    // It is held, and so the other one was read without taking it.
    assert_eq!(world.nodes[0].store.strangers.len(), 1);
    let bad = Gossip::Credentials(List::truncated([(id(3), proof_by(9, id(3), None))]));
    world.tell(0, Input::Heard(id(1), Box::new(bad)));
    // Nor is it held for that neighbour again at once.
    let news = Gossip::News(List::truncated([record(3, "a", WALL, Some("x"))]));
    world.tell(0, Input::Heard(id(1), Box::new(news)));
    assert_eq!(world.nodes[0].store.strangers.len(), 0);
    world.loses = |_| false;
    world.run_for(SECOND);
    assert_eq!(world.value(0, 3, "a").as_deref(), Some("x"));
}

/// Node 0 is shown by node 1, its only neighbour, what is no proof of 3.
fn shown_no_proof() -> World {
    let mut world = triangle();
    world.loses = |said| matches!(said, Gossip::Credentials(_));
    world.tell(1, Input::Member(id(3)));
    world.has(1, record(3, "a", WALL, Some("x")));
    world.connect(0, 1);
    world.run_for(Micros::from_millis(500));
    let bad = Gossip::Credentials(List::truncated([(id(3), proof_by(9, id(3), None))]));
    world.tell(0, Input::Heard(id(1), Box::new(bad)));
    // From now on it can prove it.
    world.kept[1].insert(3);
    world.loses = |_| false;
    world.run_for(SECOND);
    assert_eq!(world.value(0, 3, "a"), None);
    world
}

#[test]
fn who_could_not_prove_an_author_is_asked_again_after_a_while() {
    let mut world = shown_no_proof();
    world.run_for(Micros::from_secs(16));
    assert_eq!(world.value(0, 3, "a").as_deref(), Some("x"));
}

#[test]
fn who_could_not_prove_an_author_and_comes_anew_is_asked_at_once() {
    let mut world = shown_no_proof();
    world.part(0, 1);
    world.connect(0, 1);
    world.run_for(Micros::from_secs(3));
    assert_eq!(world.value(0, 3, "a").as_deref(), Some("x"));
}

#[test]
fn who_is_silent_keeps_nobody_else_from_being_asked() {
    let mut world = triangle();
    // The roster of node 1 says nothing of 3.
    two_who_sent_it(&mut world);
    world.run_for(Micros::from_secs(5));
    assert_eq!(world.value(0, 3, "a").as_deref(), Some("x"));
}

#[test]
fn a_proof_that_the_roster_never_sees_is_asked_for_again() {
    let mut world = row(3);
    world.deaf = 1;
    world.publish(0, "a", Some("by 0"));
    world.run_for(Micros::from_secs(4));
    assert_eq!(world.deaf, 0);
    assert_eq!(world.value(2, 0, "a").as_deref(), Some("by 0"));
}

#[test]
fn a_forged_copy_keeps_nobody_from_reading_the_true_one() {
    let mut world = World::new(3);
    let true_one = record(2, "a", WALL, Some("x"));
    let mut forged = true_one.clone();
    forged.signature = Signature::from_bytes(&[7; 64]);
    world.connect(0, 1);
    news(&mut world, &[forged]);
    assert_eq!(world.registers(0).len(), 0);
    world.has(2, true_one);
    world.connect(0, 2);
    world.run_for(Micros::from_secs(3));
    assert_eq!(world.value(0, 2, "a").as_deref(), Some("x"));
}

#[test]
fn one_author_of_many_records_leaves_room_for_others() {
    let mut world = row(2);
    let of_one: Vec<SignedRecord> = (0..100)
        .map(|n| record(9, &n.to_string(), WALL, Some("x")))
        .collect();
    news(&mut world, &of_one);
    assert_eq!(
        world.nodes[0].store.strangers.held(),
        crate::strangers::OF_AUTHOR_MAX
    );
    // What replaces one that is held is held all the same.
    let newer = record(9, "0", WALL + 1, Some("newer"));
    news(&mut world, &[newer]);
    world.tickets.insert(id(9), 1);
    let shown = Gossip::Credentials(List::truncated([(id(9), proof_by(1, id(9), None))]));
    world.tell(0, Input::Heard(id(1), Box::new(shown)));
    assert_eq!(world.value(0, 9, "0").as_deref(), Some("newer"));
}

#[test]
fn a_late_joiner_reads_all_of_many_authors_in_one_go() {
    let mut world = row(3);
    let all = made_up(&mut world, 900, Some(1));
    for some in &all {
        let author = some.record.author;
        let proof = world.proof(author);
        world.tell(1, Input::Vouched(vec![(author, proof)]));
    }
    for some in all.chunks(BATCH_RECORDS_MAX) {
        let said = Gossip::News(List::truncated(some.to_vec()));
        world.tell(1, Input::Heard(id(2), Box::new(said)));
    }
    world.part(0, 1);
    world.part(1, 2);
    world.connect(0, 1);
    // Each frame takes a while: a turn of reading is over before it is done.
    while world.registers(0).len() < 900 && world.now.mono < Mono(40_000_000) {
        for _ in 0..world.air.len() {
            world.deliver_one();
        }
        world.run_clock(Micros::from_millis(200));
    }
    assert_eq!(world.registers(0).len(), 900, "{:?}", world.now.mono);
}

#[test]
fn a_withdrawn_ticket_counts_whether_it_is_told_before_the_rows_or_after() {
    let mut world = row(4);
    world.tickets.insert(id(0), 5);
    world.publish(0, "a", Some("by 0"));
    world.run_for(Micros::from_secs(3));
    assert_eq!(world.nodes[3].store.vouched.len(), 1);
    let rows = world.nodes[3].rows.clone();
    let tables = world.nodes[3].tables.clone();
    for is_first in [true, false] {
        let mut life = World::new(4);
        life.kept[3] = [2, 3].into();
        life.nodes[3].rows = rows.clone();
        life.nodes[3].tables = tables.clone();
        life.nodes[3].store = store(3, true);
        let revoked = Input::Revoked(vec![TicketKey([5; 32])]);
        if is_first {
            life.tell(3, revoked.clone());
        }
        life.start(3);
        life.tell_members(3);
        if !is_first {
            assert_eq!(life.nodes[3].store.vouched.len(), 1);
            life.tell(3, revoked);
        }
        life.run_for(SECOND);
        assert_eq!(life.nodes[3].store.vouched.len(), 0);
        assert_eq!(life.value(3, 0, "a"), None);
        assert!(!life.nodes[3].rows.contains_key(&id(0).0[..]));
    }
}

#[test]
fn a_life_that_finds_its_rows_writes_none_of_them_again() {
    let mut world = row(4);
    world.publish(0, "a", Some("by 0"));
    world.run_for(Micros::from_secs(3));
    world.nodes[3].disk = None;
    world.restart(3);
    world.run_for(SECOND);
    assert_eq!(world.nodes[3].commits.len(), 0);
}

#[test]
fn an_author_that_the_disk_did_not_take_is_written_later() {
    let mut world = row(4);
    world.nodes[3].disk = Some(false);
    world.publish(0, "a", Some("by 0"));
    world.run_for(Micros::from_secs(3));
    assert_eq!(world.nodes[3].store.vouched.len(), 1);
    assert!(world.nodes[3].rows.is_empty());
    world.nodes[3].disk = Some(true);
    world.run_for(Micros::from_secs(6));
    world.restart(3);
    assert_eq!(world.nodes[3].store.vouched.len(), 1);
}

#[test]
fn who_gives_way_to_another_is_an_author_no_more_also_after_a_restart() {
    let mut world = row(2);
    world.nodes[0].store.vouched = crate::vouched::Vouched::new(1);
    world.tickets.insert(id(8), 1);
    world.tickets.insert(id(9), 1);
    let (first, second) = match id(8) < id(9) {
        true => (9, 8),
        false => (8, 9),
    };
    for n in [first, second] {
        world.tell(0, Input::Vouched(vec![(id(n), proof_by(1, id(n), None))]));
        let record = record(n, "a", WALL, Some("x"));
        news(&mut world, &[record]);
    }
    assert_eq!(world.value(0, first, "a"), None);
    assert_eq!(world.value(0, second, "a").as_deref(), Some("x"));
    world.run_for(SECOND);
    assert!(!world.nodes[0].rows.contains_key(&id(first).0[..]));
    assert!(world.nodes[0].rows.contains_key(&id(second).0[..]));
}
