//! What is durable, and what waits for it.

use super::*;

/// Within it what is durable is said.
const HALF_A_SECOND: Micros = Micros::from_millis(500);

#[test]
fn nobody_hears_of_an_own_record_before_it_is_durable() {
    let mut world = World::new(2);
    world.connect(0, 1);
    world.settle();
    world.nodes[0].disk = None;
    world.publish(0, "a", Some("x"));
    world.settle();
    assert_eq!(world.registers(0).len(), 0);
    assert_eq!(world.value(1, 0, "a"), None);
    world.nodes[0].disk = Some(true);
    world.flush(0);
    world.run_for(HALF_A_SECOND);
    assert_eq!(world.value(1, 0, "a").as_deref(), Some("x"));
}

#[test]
fn of_edits_that_wait_for_the_disk_the_last_one_is_said() {
    let mut world = World::new(2);
    world.connect(0, 1);
    world.nodes[0].disk = None;
    for value in ["x", "y", "z"] {
        world.publish(0, "a", Some(value));
    }
    world.nodes[0].disk = Some(true);
    world.flush(0);
    world.run_for(HALF_A_SECOND);
    assert_eq!(world.value(1, 0, "a").as_deref(), Some("z"));
}

#[test]
fn a_value_that_stands_already_is_not_stamped_again() {
    let mut world = World::new(1);
    world.publish(0, "a", Some("x"));
    let stamp = world.registers(0).in_force().next().unwrap().record.stamp;
    world.run_for(Micros::from_secs(10));
    world.publish(0, "a", Some("x"));
    world.publish(0, "never there", None);
    assert_eq!(world.registers(0).len(), 1);
    assert_eq!(
        world.registers(0).in_force().next().unwrap().record.stamp,
        stamp
    );
}

#[test]
fn a_stamp_grows_although_the_wall_clock_falls() {
    let mut world = World::new(1);
    world.publish(0, "a", Some("x"));
    world.now.wall = Wall(WALL - 1_000_000_000);
    world.publish(0, "a", Some("y"));
    assert_eq!(world.value(0, 0, "a").as_deref(), Some("y"));
    let stamp = world.registers(0).in_force().next().unwrap().record.stamp;
    assert_eq!(stamp, Stamp(WALL + 1));
}

#[test]
fn what_was_written_is_there_in_the_next_life() {
    let mut world = World::new(2);
    world.connect(0, 1);
    for n in 0..300 {
        world.publish(0, &n.to_string(), Some("x"));
    }
    world.publish(0, "7", None);
    world.run_for(Micros::from_secs(5));
    let before = world.roots(1);
    world.part(0, 1);
    world.restart(1);
    assert_eq!(world.roots(1), before);
    assert_eq!(world.value(1, 0, "7"), None);
    assert_eq!(world.registers(1).len(), 300);
}

#[test]
fn a_full_disk_is_tried_again_and_loses_nothing() {
    let mut world = World::new(2);
    world.connect(0, 1);
    world.settle();
    for n in 0..2 {
        world.nodes[n].disk = Some(false);
    }
    world.publish(0, "a", Some("x"));
    world.publish(1, "b", Some("y"));
    world.run_for(Micros::from_secs(12));
    assert_eq!(world.value(1, 0, "a"), None);
    for n in 0..2 {
        world.nodes[n].disk = Some(true);
    }
    world.run_for(Micros::from_secs(12));
    assert!(world.agree());
    assert_eq!(world.value(1, 0, "a").as_deref(), Some("x"));
    world.restart(0);
    assert_eq!(world.value(0, 1, "b").as_deref(), Some("y"));
}

#[test]
fn a_database_that_restarts_is_given_what_it_lost() {
    let mut world = World::new(1);
    world.nodes[0].disk = None;
    world.publish(0, "a", Some("x"));
    world.nodes[0].commits.clear();
    let who = messages::Address::Store;
    world.signal(
        0,
        Signal::Down {
            who,
            incarnation: None,
            why: kernel::Exit::Killed,
        },
    );
    world.nodes[0].disk = Some(true);
    world.run_for(Micros::from_secs(6));
    assert_eq!(world.value(0, 0, "a").as_deref(), Some("x"));
    assert_eq!(world.nodes[0].rows.len(), 1);
}

#[test]
fn a_life_that_loads_says_nothing_and_reads_its_neighbours_then() {
    let mut world = World::new(2);
    world.publish(0, "a", Some("x"));
    world.connect(0, 1);
    world.settle();
    // A new life whose database does not answer.
    let mut store = store(1, true);
    let (now, mut out) = (world.now, Outbox::new());
    store
        .signal(
            now,
            Signal::Started(Incarnation { boot: 1, n: 2 }),
            &mut out,
        )
        .unwrap();
    store
        .handle(now, Input::Members(vec![id(0), id(1)]), &mut out)
        .unwrap();
    store.handle(now, Input::Active(id(0)), &mut out).unwrap();
    let said = std::mem::take(out.effects_mut());
    let to_session = |effect: &&Effect| matches!(effect, Effect::Tell(Letter::Session(..)));
    assert_eq!(said.iter().filter(to_session).count(), 0);
    let loads = |effect: &&Effect| matches!(effect, Effect::Tell(Letter::Store(Command::Load(_))));
    assert_eq!(said.iter().filter(loads).count(), 1);
    store
        .handle(now, Input::Loaded(Vec::new()), &mut out)
        .unwrap();
    assert_eq!(
        std::mem::take(out.effects_mut())
            .iter()
            .filter(to_session)
            .count(),
        1
    );
}

#[test]
fn a_row_that_is_no_record_is_a_failure() {
    let mut world = World::new(1);
    let row = Bytes::from_static(b"row");
    world.nodes[0]
        .rows
        .insert(row.clone(), Bytes::from_static(b"garbage"));
    let mut store = store(0, true);
    let item = (
        crate::writing::row_of(NETWORK, row),
        Bytes::from_static(b"garbage"),
    );
    let mut out = Outbox::new();
    assert!(
        store
            .handle(world.now, Input::Loaded(vec![item]), &mut out)
            .is_err()
    );
}

#[test]
fn rows_of_who_is_no_member_any_more_are_deleted_whatever_comes_first() {
    let signed = record(1, "a", WALL, Some("x"));
    let row = crate::writing::row_of(NETWORK, Bytes::copy_from_slice(&signed.record.key().0));
    let item = (row, crate::writing::value_of(&signed));
    let own = record(0, "a", WALL, Some("x"));
    let row = crate::writing::row_of(NETWORK, Bytes::copy_from_slice(&own.record.key().0));
    let own = (row, crate::writing::value_of(&own));
    let world = World::new(0);
    for members_first in [true, false] {
        let (mut store, mut out) = (store(0, true), Outbox::new());
        // The roster names the others.
        let members = Input::Members(vec![id(2)]);
        let loaded = Input::Loaded(vec![item.clone(), own.clone()]);
        let told = match members_first {
            true => [members, loaded],
            false => [loaded, members],
        };
        for input in told {
            store.handle(world.now, input, &mut out).unwrap();
        }
        assert_eq!(store.registers.len(), 1, "its own, {members_first}");
        let deletes = |effect: &Effect| {
            let Effect::Tell(Letter::Store(Command::Commit { writes, .. })) = effect else {
                return false;
            };
            let gone = |(of, value): &(_, Option<Bytes>)| *of == item.0 && value.is_none();
            writes.iter().any(gone)
        };
        assert!(out.effects().iter().any(deletes), "{members_first}");
    }
}

#[test]
fn a_database_that_is_not_there_is_looked_for_later() {
    let mut world = World::new(1);
    let who = messages::Address::Store;
    let away = Signal::Down {
        who,
        incarnation: None,
        why: kernel::Exit::NoActor,
    };
    assert_eq!(world.signal(0, away), []);
    world.now.mono = world.now.mono + Micros::from_secs(10);
    assert_eq!(world.wake(0), [Effect::Watch(who)]);
}

#[test]
fn what_is_said_before_the_rows_are_there_is_newer_than_they_are() {
    let world = World::new(0);
    let (mut store, mut out) = (store(0, true), Outbox::new());
    let before = record(0, "a", WALL + 1_000, Some("before"));
    let row = crate::writing::row_of(NETWORK, Bytes::copy_from_slice(&before.record.key().0));
    let rows = vec![(row, crate::writing::value_of(&before))];
    for input in [
        Input::Publish(vec![fact("a", Some("after"))]),
        Input::Loaded(rows),
    ] {
        store.handle(world.now, input, &mut out).unwrap();
    }
    let commit = out.effects().iter().find_map(|effect| {
        let Effect::Tell(Letter::Store(Command::Commit { token, .. })) = effect else {
            return None;
        };
        Some(*token)
    });
    let committed = Input::Committed(commit.expect("a commit"));
    store.handle(world.now, committed, &mut out).unwrap();
    let newest = store.registers.in_force().next().unwrap();
    assert_eq!(newest.record.value.as_deref(), Some(&b"after"[..]));
    assert_eq!(newest.record.stamp, Stamp(WALL + 1_001));
}

#[test]
fn what_is_to_be_said_later_does_not_wake_a_life_that_loads() {
    let mut store = store(1, true);
    let mut now = World::new(1).now;
    let mut out = Outbox::new();
    let started = Signal::Started(Incarnation { boot: 1, n: 2 });
    store.signal(now, started, &mut out).unwrap();
    for input in [Input::Members(vec![id(0), id(1)]), Input::Active(id(0))] {
        store.handle(now, input, &mut out).unwrap();
    }
    // News of the life before found no room.
    let news = peer_session::Input::Gossip(Box::new(Gossip::News(List::new())));
    let returned = Signal::Returned {
        letter: Box::new(Letter::Session(NETWORK, id(0), news)),
        why: kernel::ReturnReason::Busy,
    };
    store.signal(now, returned, &mut out).unwrap();
    for _ in 0..20 {
        let next = store.deadline().expect("it loads again").at;
        assert!(next > now.mono, "{:?}", store.deadline());
        now.mono = next;
        store.on_deadline(now, &mut out).unwrap();
    }
}
