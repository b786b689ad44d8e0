//! Who finds a place among those that were vouched for.

use super::*;
use crate::vouched::{NoPlace, Vouched};

fn proof(ticket: u8, n: u8) -> (NodeId, Credential) {
    let author = NodeId([n; 32]);
    (author, proof_by(ticket, author, None))
}

fn add(to: &mut Vouched, ticket: u8, n: u8) -> Result<Option<NodeId>, NoPlace> {
    let (author, credential) = proof(ticket, n);
    let added = to.add(author, credential);
    to.invariants();
    added
}

#[test]
fn the_heaviest_ticket_gives_way_and_a_lighter_one_finds_a_place() {
    let mut vouched = Vouched::new(4);
    for n in 10..13 {
        assert_eq!(add(&mut vouched, 1, n), Ok(None));
    }
    assert_eq!(add(&mut vouched, 2, 200), Ok(None));
    // The heaviest ticket's own newcomers change nothing, unless their id is smaller.
    assert_eq!(add(&mut vouched, 1, 13), Err(NoPlace::Full));
    assert_eq!(add(&mut vouched, 1, 9), Ok(Some(NodeId([12; 32]))));
    assert_eq!(add(&mut vouched, 3, 250), Ok(Some(NodeId([11; 32]))));
    // One more of the second ticket would be as many as the first has: it takes of its own.
    assert_eq!(add(&mut vouched, 2, 201), Err(NoPlace::Full));
    assert_eq!(add(&mut vouched, 2, 199), Ok(Some(NodeId([200; 32]))));
    assert_eq!(add(&mut vouched, 1, 8), Ok(Some(NodeId([10; 32]))));
    assert_eq!(vouched.len(), 4);
}

#[test]
fn tickets_of_equal_weight_do_not_take_places_from_each_other_for_ever() {
    let mut vouched = Vouched::new(8);
    let mut evictions = 0;
    for _ in 0..100 {
        for n in 10..30 {
            for ticket in [1, 2] {
                let added = add(&mut vouched, ticket, 100 * (ticket - 1) + n);
                evictions += usize::from(matches!(added, Ok(Some(_))));
            }
        }
    }
    assert!(evictions <= 8, "{evictions}");
}

#[test]
fn of_two_proofs_the_one_that_lasts_longer_counts() {
    let mut vouched = Vouched::new(8);
    let author = NodeId([1; 32]);
    let by = |ticket, end: Option<u64>| proof_by(ticket, author, end.map(Wall));
    vouched.add(author, by(1, Some(50))).unwrap();
    vouched.add(author, by(2, Some(40))).unwrap();
    assert_eq!(vouched.next_end(), Some(Wall(50)));
    vouched.add(author, by(2, None)).unwrap();
    vouched.invariants();
    assert_eq!((vouched.len(), vouched.next_end()), (1, None));
    assert_eq!(vouched.revoke(vec![TicketKey([1; 32])]), []);
    assert_eq!(vouched.revoke(vec![TicketKey([2; 32])]), [author]);
}

#[test]
fn rows_of_who_has_no_place_go_and_the_others_are_not_written_again() {
    let mut vouched = Vouched::new(2);
    let rows: BTreeSet<NodeId> = [1, 2, 3].map(|n| NodeId([n; 32])).into();
    for n in [3, 2, 1] {
        add(&mut vouched, 1, n).unwrap();
    }
    vouched.are_rows(&rows);
    assert_eq!(vouched.take_changes(9), [(NodeId([3; 32]), None)]);
}

#[test]
fn whoever_is_told_in_another_order_keeps_the_same_ones_of_a_ticket() {
    let kept = |order: &[u8]| {
        let mut vouched = Vouched::new(3);
        for n in order {
            add(&mut vouched, 1, *n).ok();
        }
        (1..=6)
            .filter(|n| vouched.get(NodeId([*n; 32])).is_some())
            .collect::<Vec<u8>>()
    };
    assert_eq!(kept(&[6, 5, 4, 3, 2, 1]), [1, 2, 3]);
    assert_eq!(kept(&[1, 6, 2, 5, 3, 4]), [1, 2, 3]);
}

#[test]
fn who_came_by_a_withdrawn_ticket_goes_and_does_not_come_back() {
    let mut vouched = Vouched::new(4);
    add(&mut vouched, 1, 1).unwrap();
    add(&mut vouched, 2, 2).unwrap();
    vouched.take_changes(9);
    assert_eq!(vouched.revoke(vec![TicketKey([1; 32])]), [NodeId([1; 32])]);
    vouched.invariants();
    assert_eq!(vouched.take_changes(9), [(NodeId([1; 32]), None)]);
    assert_eq!(add(&mut vouched, 1, 3), Err(NoPlace::Revoked));
}

#[test]
fn a_membership_that_ends_by_itself_is_over_in_time() {
    let mut vouched = Vouched::new(4);
    let author = NodeId([1; 32]);
    let credential = proof_by(1, author, Some(Wall(50)));
    vouched.add(author, credential).unwrap();
    add(&mut vouched, 1, 2).unwrap();
    assert_eq!(vouched.next_end(), Some(Wall(50)));
    assert_eq!(vouched.take_over(Wall(49)), []);
    assert_eq!(vouched.take_over(Wall(50)), [author]);
    assert_eq!((vouched.len(), vouched.next_end()), (1, None));
    vouched.invariants();
}
