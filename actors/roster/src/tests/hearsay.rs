//! Members that others speak of: how many there may be, who gives way, whose turn it is.

use super::*;
use crate::hearsay::{BY_INTRODUCER_MAX, BY_TICKET_MAX};
use crate::members::{Known, NoRoom, Table};
use messages::limits::MEMBERS_MAX;
use std::collections::BTreeMap;

const DAY: Micros = Micros::from_secs(24 * 60 * 60);
/// Who mints, and who does not.
const LIAR: u8 = 10;
const HONEST: u8 = 11;

/// A node that needs no key.
fn minted(number: usize) -> NodeId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&(number as u64 + 1).to_be_bytes());
    NodeId(id)
}

/// A member as a table sees it: what does not verify never gets there.
fn entry(number: usize, ticket: usize) -> Introduction {
    let nobody = Signature::from_bytes(&[0; 64]);
    let grant = Grant {
        owner: NodeId([OWNER; 32]),
        label: Label::default(),
        ticket: TicketKey(minted(ticket).0),
        name: Label::default(),
        issued: WALL,
        expires: None,
    };
    let record = Record {
        network: NetworkId([0; 32]),
        class: RecordClass::Public,
        kind: Kind::CAPABILITIES,
        author: minted(number),
        id: Label::default(),
        stamp: Stamp(1),
        value: None,
    };
    Introduction {
        record: SignedRecord {
            record,
            signature: nobody,
        },
        credential: Credential::Ticket {
            grant: Box::new(SignedGrant {
                grant,
                signature: nobody,
            }),
            joined: nobody,
        },
    }
}

/// A table, and what becomes of members in it.
struct Members(Table);

impl Members {
    fn new() -> Self {
        Self(Table::new(NodeId([ME; 32]), &[]))
    }

    fn hear(&mut self, number: usize, ticket: usize, from: u8) -> Result<Option<NodeId>, NoRoom> {
        let entry = entry(number, ticket);
        let from = NodeId([from; 32]);
        let room = self.0.has_room_for(&entry, from);
        let said = Capabilities::default();
        let heard = self.0.introduced(Mono(0), &entry, &said, from);
        assert_eq!(room, heard.is_ok(), "what is said of the room is true");
        self.0.invariants(NodeId([ME; 32]));
        heard
    }

    fn judge(&mut self, number: usize, now: Mono) -> Result<Option<NodeId>, NoRoom> {
        self.judge_by(number, 0, now)
    }

    fn judge_by(
        &mut self,
        number: usize,
        ticket: usize,
        now: Mono,
    ) -> Result<Option<NodeId>, NoRoom> {
        let credential = entry(number, ticket).credential;
        let judged = self.0.judged(now, minted(number), &credential);
        self.0.invariants(NodeId([ME; 32]));
        judged
    }

    /// A member that had a session at the beginning, which lasted.
    fn meet(&mut self, number: usize) {
        self.meet_by(number, 0, Mono(0)).unwrap();
    }

    fn meet_by(&mut self, number: usize, ticket: usize, now: Mono) -> Result<(), NoRoom> {
        self.judge_by(number, ticket, now)?;
        self.0.lasted(minted(number));
        self.0.left(now, minted(number));
        Ok(())
    }

    /// A member that completes a handshake and leaves.
    fn knock(&mut self, number: usize, ticket: usize, now: Mono) -> Result<(), NoRoom> {
        self.judge_by(number, ticket, now)?;
        self.0.left(now, minted(number));
        Ok(())
    }

    fn lost(&self, mut numbers: std::ops::Range<usize>) -> Option<usize> {
        numbers.find(|number| !self.0.knows(minted(*number)))
    }
}

#[test]
fn a_thousand_nodes_that_one_ticket_admitted_are_all_known() {
    let mut members = Members::new();
    for number in 0..999 {
        assert_eq!(members.hear(number, 0, OWNER), Ok(None), "{number}");
    }
    assert_eq!(members.0.len(), 999);
}

#[test]
fn whoever_holds_a_ticket_fills_its_share_and_no_more() {
    let mut members = Members::new();
    for number in 0..3 * BY_TICKET_MAX {
        let heard = members.hear(number, 0, LIAR);
        assert_eq!(heard.is_ok(), number < BY_TICKET_MAX, "{number}");
    }
    // Another ticket's member, and the same ticket's by another's word, find a place.
    assert_eq!(members.hear(5_000, 1, LIAR), Ok(None));
    let instead = members.hear(5_001, 0, HONEST);
    assert!(matches!(instead, Ok(Some(_))), "{instead:?}");
    assert_eq!(members.0.len(), BY_TICKET_MAX + 1);
    // Who comes to be here takes no place of those that are heard of.
    members.judge(5_001, Mono(0)).unwrap();
    let instead = members.hear(5_002, 0, HONEST);
    assert_eq!(instead, Ok(None));
}

#[test]
fn an_introducer_fills_its_share_and_no_more() {
    let mut members = Members::new();
    let mut known = 0;
    for number in 0..2 * BY_INTRODUCER_MAX {
        known += usize::from(members.hear(number, number / 100, LIAR).is_ok());
    }
    assert_eq!(known, BY_INTRODUCER_MAX);
    assert_eq!(members.hear(60_000, 0, HONEST), Ok(None));
}

#[test]
fn a_crowd_that_many_minted_leaves_room_for_a_ticket_that_has_less() {
    let mut members = Members::new();
    for number in 0..MEMBERS_MAX {
        let (ticket, from) = (number / BY_TICKET_MAX, number / BY_INTRODUCER_MAX);
        let from = LIAR + u8::try_from(from).unwrap();
        assert_eq!(members.hear(number, ticket, from), Ok(None), "{number}");
    }
    for number in 20_000..20_100 {
        let heard = members.hear(number, 77, 99);
        assert!(matches!(heard, Ok(Some(_))), "{heard:?}");
        assert!(members.0.knows(minted(number)));
    }
    assert_eq!(members.0.len(), MEMBERS_MAX);
    // And for everybody who is here.
    for number in 30_000..30_100 {
        assert!(matches!(members.judge(number, Mono(0)), Ok(Some(_))));
    }
}

#[test]
fn nobody_who_had_a_session_gives_way_to_anybody_minted() {
    let mut members = Members::new();
    let old: Vec<usize> = (0..100).collect();
    for number in &old {
        members.meet(*number);
    }
    // Heard of, then knocking, by the ten thousands.
    for number in 1_000..1_000 + 2 * MEMBERS_MAX {
        let _ = members.hear(number, number % 50, LIAR + (number % 40) as u8);
    }
    assert_eq!(members.0.len(), MEMBERS_MAX);
    for number in 50_000..50_100 + MEMBERS_MAX {
        let _ = members.judge(number, Mono(1));
    }
    for number in &old {
        assert!(members.0.knows(minted(*number)), "{number} is lost");
    }
    assert_eq!(members.0.len(), MEMBERS_MAX);
}

#[test]
fn where_everybody_had_a_session_only_a_day_away_makes_room() {
    let mut members = Members::new();
    for number in 0..MEMBERS_MAX {
        members.meet(number);
    }
    members.meet_by(7, 0, Mono(5)).unwrap();
    assert_eq!(members.hear(20_000, 1, HONEST), Err(NoRoom));
    assert_eq!(members.judge(20_000, Mono(DAY.0 - 1)), Err(NoRoom));
    let now = Mono(DAY.0);
    for _ in 0..3 {
        let gone = members.judge(20_000, now).unwrap();
        assert_ne!(gone, Some(minted(7)), "it was here a moment later");
    }
}

#[test]
fn a_member_that_was_here_in_an_earlier_life_is_no_hearsay_in_this_one() {
    let mut members = Members::new();
    members.hear(1, 0, LIAR).unwrap();
    let credential = entry(1, 5).credential;
    members
        .0
        .restored(Mono(0), minted(1), credential.clone(), Known::Lasted, None);
    let known = members.0.get(minted(1)).unwrap();
    assert!(known.is_judged() && known.credential == credential);
    // What was only heard of has its share after a restart as well.
    for number in 2..2 * BY_TICKET_MAX {
        let credential = entry(number, 0).credential;
        members
            .0
            .restored(Mono(0), minted(number), credential, Known::Heard, None);
    }
    members.0.invariants(NodeId([ME; 32]));
    assert_eq!(members.0.len(), 1 + BY_TICKET_MAX);
}

#[test]
fn whoever_only_knocks_takes_no_more_than_its_tickets_share() {
    let mut members = Members::new();
    (0..100).for_each(|number| members.meet(number));
    for number in 100..300 {
        members.hear(number, 1, HONEST).unwrap();
        members.hear(number + 200, 0, HONEST).unwrap();
    }
    members.knock(99_999, 0, Mono(0)).unwrap();
    for number in 1_000..1_000 + 2 * MEMBERS_MAX {
        let _ = members.knock(number, 0, Mono(1));
    }
    for number in 500..520 {
        let heard = members.hear(number, 0, HONEST);
        assert!(matches!(heard, Ok(Some(_))), "{heard:?}");
    }
    assert_eq!(members.lost(99_999..100_000), None, "it came before them");
    assert_eq!(members.lost(0..520), None, "a minted crowd took a place");
    assert!(members.0.len() <= 300 + BY_TICKET_MAX);
    for number in 50_000..50_100 {
        assert_eq!(members.judge_by(number, 2, Mono(2)), Ok(None));
    }
}

#[test]
fn the_ticket_with_the_most_members_gives_way_and_no_other() {
    let mut members = Members::new();
    for number in 0..100 {
        members.meet_by(number, 1, Mono(0)).unwrap();
        members.hear(100 + number, 2, HONEST).unwrap();
    }
    // Every minted id stays for as long as it takes.
    for number in 1_000..1_000 + 2 * MEMBERS_MAX {
        let _ = members.meet_by(number, 0, Mono(1));
    }
    assert_eq!(members.0.len(), MEMBERS_MAX);
    assert_eq!(members.judge_by(60_000, 0, Mono(2)), Err(NoRoom));
    for number in 50_000..50_100 {
        let gone = members.judge_by(number, 3, Mono(2));
        assert!(matches!(gone, Ok(Some(_))), "{gone:?}");
    }
    assert_eq!(members.lost(0..200), None, "another ticket's gave way");
    assert_eq!(members.lost(50_000..50_100), None);
}

#[test]
fn a_lane_whose_members_answered_keeps_the_others() {
    let mut members = Members::new();
    for number in 0..900 {
        members.hear(number, 0, HONEST).unwrap();
    }
    (0..450).for_each(|number| members.meet(number));
    // One holder has many ids speak for it, each of which answered for another.
    for sybil in 0..60 {
        let from = 100 + u8::try_from(sybil).unwrap();
        for number in 0..100 {
            let _ = members.hear(1_000 + sybil * 100 + number, 0, from);
        }
        let _ = members.judge(1_000 + sybil * 100, Mono(1));
    }
    assert_eq!(members.lost(0..900), None, "an honest lane shrank");
    // The last that answered left a place in the share.
    assert_eq!(members.0.len(), 450 + 60 + BY_TICKET_MAX - 1);
}

/// Dials that nobody answers for five seconds: when each peer was dialled first, in seconds.
fn first_dials(bench: &mut Bench, span: Micros) -> BTreeMap<NodeId, u64> {
    let begin = bench.now.mono;
    let (mut first, mut waiting) = (BTreeMap::new(), Vec::new());
    bench.sent.clear();
    while bench.now.mono < begin + span {
        bench.wait(Micros::from_millis(100));
        let now = bench.now.mono;
        for effect in std::mem::take(&mut bench.sent) {
            let Effect::Tell(Letter::Transport(transport::Command::Dial { peer, .. })) = effect
            else {
                continue;
            };
            let after = now.since(begin).as_millis() / 1_000;
            first.entry(peer).or_insert(after);
            waiting.push((now + Micros::from_secs(5), peer));
        }
        let late: Vec<_> = waiting.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, peer) in late {
            let why = transport::DialError::TimedOut;
            bench.tell(Input::DialFailed { peer, why });
        }
    }
    for (_, peer) in waiting {
        let why = transport::DialError::TimedOut;
        bench.tell(Input::DialFailed { peer, why });
    }
    first
}

fn by_ticket(number: u8, peer: u8) -> Introduction {
    Introduction {
        credential: join(&ticket(number, None), node(peer)),
        ..advert(peer, 1)
    }
}

#[test]
fn a_crowd_that_nobody_answers_for_delays_the_others_by_a_turn() {
    let crowd: Vec<Introduction> = (60..=255).map(|peer| by_ticket(100, peer)).collect();
    // By another ticket; by the same one, as another member says: while the crowd is new, and when
    // all of it failed. Then, as the same member says, too.
    let (new, failed) = (Micros(0), Micros::from_secs(600));
    let others: [(u8, u8, Micros); 5] = [
        (101, HONEST, new),
        (100, HONEST, new),
        (101, HONEST, failed),
        (100, HONEST, failed),
        (100, LIAR, failed),
    ];
    for (ticket, from, after) in others {
        let mut bench = Bench::new(seed(ME));
        bench.activate(OWNER);
        for entries in crowd.chunks(32) {
            bench.tell(introduced(LIAR, entries.iter().cloned()));
        }
        first_dials(&mut bench, after);
        let newcomers: Vec<u8> = (20..26).collect();
        let entries = newcomers.iter().map(|peer| by_ticket(ticket, *peer));
        bench.tell(introduced(from, entries));
        let dials = first_dials(&mut bench, Micros::from_secs(60));
        for peer in newcomers {
            let after = dials.get(&node(peer)).copied().unwrap_or(u64::MAX);
            assert!(after <= 30, "{peer} of {ticket} by {from}: {after} s");
        }
    }
}

/// A session that lasts so long, of a peer that says then that it is where nobody is.
fn visit(bench: &mut Bench, peers: &[u8], lasts: Micros) {
    for peer in peers {
        bench.activate(*peer);
        bench.tell(introduced(*peer, [advert(*peer, 1)]));
    }
    first_dials(bench, lasts);
    for peer in peers {
        bench.tell(ended(*peer, LOST));
        bench.session_down(*peer, Exit::Normal);
    }
}

#[test]
fn a_crowd_that_was_here_delays_neither_hearsay_nor_a_redial() {
    let crowd: Vec<u8> = (60..=255).collect();
    // It knocks and leaves, or stays for long enough to count as met.
    for lasts in [Micros(0), Micros::from_secs(10)] {
        for ticket in [100, 101] {
            let mut bench = Bench::new(seed(ME));
            bench.activate(OWNER);
            visit(&mut bench, &crowd, lasts);
            first_dials(&mut bench, Micros::from_secs(600));
            visit(&mut bench, &[12, 13], Micros::from_secs(10));
            let heard: Vec<u8> = (20..26).collect();
            let entries = heard.iter().map(|peer| by_ticket(ticket, *peer));
            bench.tell(introduced(HONEST, entries));
            let dials = first_dials(&mut bench, Micros::from_secs(60));
            for (peers, limit) in [(vec![12, 13], 6), (heard, 30)] {
                for peer in peers {
                    let after = dials.get(&node(peer)).copied().unwrap_or(u64::MAX);
                    assert!(after <= limit, "{peer} of {ticket}, {lasts:?}: {after} s");
                }
            }
        }
    }
}

#[test]
fn tickets_take_turns_among_those_that_stayed_and_do_not_answer() {
    let mut bench = Bench::new(seed(ME));
    bench.activate(OWNER);
    let crowd: Vec<u8> = (60..=255).collect();
    visit(&mut bench, &crowd, Micros::from_secs(10));
    for peer in [12, 13] {
        let entry = by_ticket(101, peer);
        bench.tell(link_up(peer, 1));
        bench.tell(judge(peer, entry.credential.clone()));
        bench.tell(Input::Active { peer: node(peer) });
        bench.tell(introduced(peer, [entry]));
    }
    first_dials(&mut bench, Micros::from_secs(10));
    for peer in [12, 13] {
        bench.tell(ended(peer, LOST));
        bench.session_down(peer, Exit::Normal);
    }
    first_dials(&mut bench, Micros::from_secs(600));
    for minute in 0..5 {
        let dials = first_dials(&mut bench, Micros::from_secs(60));
        for peer in [12, 13] {
            assert!(dials.contains_key(&node(peer)), "{peer} in minute {minute}");
        }
    }
}

#[test]
fn a_network_of_fifty_by_one_ticket_is_dialled_in_seconds() {
    let mut bench = Bench::new(seed(ME));
    bench.activate(OWNER);
    bench.tell(introduced(OWNER, (10..42).map(|peer| advert(peer, 1))));
    bench.tell(introduced(OWNER, (42..60).map(|peer| advert(peer, 1))));
    bench.sent.clear();
    for _ in 0..40 {
        bench.wait(Micros::from_millis(100));
        for peer in bench.roster.dials.in_flight() {
            let number = (10..60).find(|number| node(*number) == peer).unwrap();
            bench.activate(number);
        }
    }
    assert_eq!(bench.roster.sessions.active(), 51);
}
