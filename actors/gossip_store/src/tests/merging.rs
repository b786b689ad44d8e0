//! Which record of a register is kept, and which is none.

use super::*;
use crate::registers::{Ground, Merged, RECORDS_MAX, Registers};
use crate::{AHEAD_MAX, AUTHOR_RECORDS_MAX, PARKED_MAX, Refused, TOMBSTONE_AGE_MAX};
use messages::Prefix;
use messages::limits::RECORD_BYTES_MAX;

const NOW: Wall = Wall(WALL);

fn registers(members: u8) -> Registers {
    let mut registers = Registers::new(NETWORK, id(99));
    for n in 0..members {
        registers.admit(id(n), Ground::Member);
    }
    registers
}

fn merge(into: &mut Registers, signed: SignedRecord) -> Result<Merged, Refused> {
    let merged = into.merge(NOW, signed, is_of);
    into.invariants();
    merged
}

/// Draws the same numbers in each run.
fn shuffled(records: &[SignedRecord], seed: u64) -> Vec<SignedRecord> {
    let mut entropy = Entropy::from_number(seed);
    let mut left = records.to_vec();
    let mut order = Vec::new();
    while !left.is_empty() {
        let at = entropy.below(left.len() as u64) as usize;
        order.push(left.swap_remove(at));
        if entropy.chance(100_000) {
            order.extend(order.last().cloned());
        }
    }
    order
}

#[test]
fn whatever_the_order_and_however_often_they_come_the_same_records_are_kept() {
    let mut records = Vec::new();
    for n in 0..3 {
        for which in 0..20 {
            for stamp in 0..4 {
                let value = format!("{n} {which} {stamp}");
                let value = (stamp != 2).then_some(&*value);
                records.push(record(n, &which.to_string(), WALL + stamp / 2, value));
            }
        }
    }
    let mut first = registers(3);
    for signed in &records {
        merge(&mut first, signed.clone()).unwrap();
    }
    let root = first.tree(RecordClass::Public).digest(Prefix::ROOT);
    assert_eq!(first.len(), 60);
    for seed in 0..20 {
        let mut other = registers(3);
        for signed in shuffled(&records, seed) {
            merge(&mut other, signed).unwrap();
        }
        assert_eq!(
            other.tree(RecordClass::Public).digest(Prefix::ROOT),
            root,
            "seed {seed}"
        );
    }
}

#[test]
fn of_equal_stamps_all_keep_the_same_record() {
    let (one, two) = (
        record(0, "a", WALL, Some("x")),
        record(0, "a", WALL, Some("y")),
    );
    let mut first = registers(1);
    let mut second = registers(1);
    for signed in [&one, &two] {
        merge(&mut first, signed.clone()).unwrap();
    }
    for signed in [&two, &one] {
        merge(&mut second, signed.clone()).unwrap();
    }
    assert_eq!(first.get(&one.record.key()), second.get(&one.record.key()));
}

#[test]
fn what_its_author_did_not_sign_for_this_network_is_refused() {
    let mut into = registers(2);
    let good = record(0, "a", WALL, Some("x"));
    let altered = |change: fn(&mut Record)| {
        let mut signed = good.clone();
        change(&mut signed.record);
        signed
    };
    let cases = [
        (
            altered(|of| of.network = NetworkId([8; 32])),
            Refused::OtherNetwork,
        ),
        (altered(|of| of.stamp = Stamp(WALL + 1)), Refused::Forged),
        (altered(|of| of.value = None), Refused::Forged),
        (altered(|of| of.author = id(1)), Refused::Forged),
        (altered(|of| of.author = id(9)), Refused::NotAMember),
        (
            altered(|of| of.class = RecordClass::Gated),
            Refused::OtherClass,
        ),
        (altered(|of| of.kind = Kind::PROMPT), Refused::OtherClass),
        (altered(|of| of.kind = Kind(999)), Refused::Forged),
        (
            altered(|of| of.value = Some(vec![0; RECORD_BYTES_MAX + 1].into())),
            Refused::TooLarge,
        ),
        (
            record(0, "b", WALL - TOMBSTONE_AGE_MAX, None),
            Refused::Expired,
        ),
    ];
    for (signed, why) in cases {
        assert_eq!(merge(&mut into, signed), Err(why));
    }
    assert_eq!(into.len(), 0);
    assert!(matches!(merge(&mut into, good), Ok(Merged::New(_))));
}

#[test]
fn another_members_register_cannot_be_written() {
    let mut into = registers(2);
    let theirs = record(0, "a", WALL, Some("x"));
    merge(&mut into, theirs.clone()).unwrap();
    // Signed by another member, in the author's name; and in its own.
    let mut forged = record(0, "a", WALL + 1, None);
    forged.signature = key(1).sign(&forged.record.signing_bytes());
    assert_eq!(merge(&mut into, forged), Err(Refused::Forged));
    merge(&mut into, record(1, "a", WALL + 1, None)).unwrap();
    assert_eq!(into.get(&theirs.record.key()), Some(&theirs));
}

#[test]
fn a_record_from_the_future_is_known_and_not_in_force_until_its_time() {
    let mut into = registers(1);
    let (now, then) = (
        record(0, "a", WALL, Some("now")),
        WALL + AHEAD_MAX + 1_000_000,
    );
    let later = record(0, "a", then, Some("later"));
    merge(&mut into, now.clone()).unwrap();
    merge(&mut into, later.clone()).unwrap();
    assert_eq!(merge(&mut into, later.clone()), Ok(Merged::Known));
    assert_eq!(into.in_force().collect::<Vec<_>>(), [&now]);
    assert_eq!(into.next_change(), Some(Wall(WALL + 1_000_000)));
    into.advance(Wall(WALL + 999_999));
    assert_eq!(into.in_force().collect::<Vec<_>>(), [&now]);
    into.advance(Wall(WALL + 1_000_000));
    assert_eq!(into.in_force().collect::<Vec<_>>(), [&later]);
    assert_eq!(into.parked(), 0);
    into.invariants();
}

#[test]
fn one_bad_clock_taints_few_registers_and_nobody_elses() {
    let mut into = registers(2);
    let year = 365 * 24 * 60 * 60 * 1_000_000;
    for n in 0..PARKED_MAX {
        merge(&mut into, record(0, &n.to_string(), WALL + year, Some("x"))).unwrap();
    }
    let more = record(0, "more", WALL + year, Some("x"));
    assert_eq!(merge(&mut into, more), Err(Refused::TooManyAhead));
    // One of those may still be written anew, another author too, and what is not from the future.
    merge(&mut into, record(0, "1", WALL + year + 1, Some("y"))).unwrap();
    merge(&mut into, record(0, "more", WALL, Some("x"))).unwrap();
    merge(&mut into, record(1, "1", WALL + year, Some("x"))).unwrap();
    assert_eq!(into.in_force().count(), 1);
}

#[test]
fn a_deletion_is_remembered_for_thirty_days() {
    let mut into = registers(1);
    let old = record(0, "a", WALL - 5, Some("x"));
    let deleted = record(0, "a", WALL, None);
    merge(&mut into, deleted).unwrap();
    assert_eq!(merge(&mut into, old.clone()), Ok(Merged::Known));
    into.advance(Wall(WALL + TOMBSTONE_AGE_MAX - 1));
    assert_eq!((into.len(), into.in_force().count()), (1, 1));
    into.advance(Wall(WALL + TOMBSTONE_AGE_MAX));
    assert_eq!(into.len(), 0);
    into.invariants();
}

#[test]
fn of_too_many_registers_an_author_keeps_the_newest_whatever_their_order() {
    let records: Vec<_> = (0..AUTHOR_RECORDS_MAX as u64 + 10)
        .map(|n| record(0, &n.to_string(), WALL - n, Some("x")))
        .collect();
    let mut roots = Vec::new();
    for reversed in [false, true] {
        let mut into = registers(2);
        merge(&mut into, record(1, "a", WALL - 1_000_000, Some("theirs"))).unwrap();
        let mut order = records.clone();
        if reversed {
            order.reverse();
        }
        for signed in order {
            // Most are not looked at by the invariants: that would take a while.
            let _ = into.merge(NOW, signed, |_| true);
        }
        into.invariants();
        assert_eq!(into.len(), AUTHOR_RECORDS_MAX + 1);
        assert!(into.get(&records[0].record.key()).is_some(), "the newest");
        assert!(
            into.get(&records[AUTHOR_RECORDS_MAX].record.key())
                .is_none()
        );
        roots.push(into.tree(RecordClass::Public).digest(Prefix::ROOT));
    }
    assert_eq!(roots[0], roots[1]);
}

#[test]
fn whoever_is_no_member_any_more_leaves_nothing() {
    let mut into = registers(2);
    let empty = into.tree(RecordClass::Public).digest(Prefix::ROOT);
    for n in 0..100 {
        merge(
            &mut into,
            record(0, &n.to_string(), WALL + 6 * n * AHEAD_MAX / 50, Some("x")),
        )
        .ok();
    }
    into.withdraw(id(0), Ground::Vouched);
    assert_eq!(into.parked(), PARKED_MAX, "a member has another ground");
    into.withdraw(id(0), Ground::Member);
    assert_eq!((into.len(), into.parked()), (0, 0));
    assert_eq!(into.tree(RecordClass::Public).digest(Prefix::ROOT), empty);
    assert_eq!(
        merge(&mut into, record(0, "a", WALL, Some("x"))),
        Err(Refused::NotAMember)
    );
    into.invariants();
}

#[test]
fn a_network_that_is_full_takes_a_first_record_of_anybody_and_no_other() {
    let authors = RECORDS_MAX / AUTHOR_RECORDS_MAX;
    let mut into = Registers::new(NETWORK, id(99));
    let author = |n: usize| NodeId([n as u8; 32]);
    for n in 0..authors + 2 {
        into.admit(author(n), Ground::Member);
    }
    let pattern = record(0, "", WALL, Some("x"));
    let of = |n: usize, which: usize| {
        let mut signed = pattern.clone();
        signed.record.author = author(n);
        signed.record.id = Label::truncated(&which.to_string());
        signed
    };
    for n in 0..authors {
        for which in 0..AUTHOR_RECORDS_MAX - 1 {
            into.merge(NOW, of(n, which), |_| true).unwrap();
        }
    }
    // One place of each is left, and a last author takes them.
    for which in 0..authors {
        into.merge(NOW, of(authors, which), |_| true).unwrap();
    }
    assert_eq!(into.len(), RECORDS_MAX);
    let more = into.merge(NOW, of(0, AUTHOR_RECORDS_MAX), |_| true);
    assert_eq!(more, Err(Refused::NoRoom));
    assert!(into.merge(NOW, of(authors + 1, 0), |_| true).is_ok());
    let second = into.merge(NOW, of(authors + 1, 1), |_| true);
    assert_eq!(second, Err(Refused::NoRoom));
    into.invariants();
}
