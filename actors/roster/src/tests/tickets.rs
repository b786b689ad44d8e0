//! Tickets: made, listed, withdrawn.

use super::*;
use messages::ports::control::{Answer, TicketRow};

fn admin(request: AdminRequest) -> Input {
    Input::Admin {
        query: QueryId(5),
        request,
    }
}

fn new_ticket(name: &str, expires: Option<Wall>) -> Input {
    admin(AdminRequest::TicketNew {
        name: Label::truncated(name),
        expires,
    })
}

fn revoke(ticket: TicketKey) -> Input {
    admin(AdminRequest::TicketRevoke { ticket })
}

/// The owner's roster, listening, with nothing on its way.
fn owner() -> Bench {
    let mut own = seed(OWNER);
    own.devices.clear();
    own.contacts.clear();
    let mut bench = Bench::new(own);
    bench.tell(Input::Bound(addrs(OWNER)));
    bench.wait(Micros::from_millis(300));
    bench.commit(true);
    bench
}

fn answers(bench: &mut Bench) -> Vec<Answer> {
    let answer = |effect: Effect| {
        let Effect::Tell(Letter::Control(control::Command::Answer { answer, .. })) = effect else {
            return None;
        };
        Some(*answer)
    };
    std::mem::take(&mut bench.sent)
        .into_iter()
        .filter_map(answer)
        .collect()
}

fn rows(bench: &mut Bench) -> Vec<TicketRow> {
    bench.sent.clear();
    bench.tell(admin(AdminRequest::TicketList));
    match answers(bench).pop() {
        Some(Answer::Tickets(rows)) => rows,
        other => panic!("{other:?}"),
    }
}

fn issue(bench: &mut Bench, name: &str, expires: Option<Wall>) -> Ticket {
    bench.sent.clear();
    assert_eq!(bench.tell(new_ticket(name, expires)), "write");
    assert_eq!(bench.commit(true), "answer");
    match answers(bench).pop() {
        Some(Answer::Ticket(text)) => Ticket::parse(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_ticket_is_handed_out_when_it_is_durable_and_opens_the_network() {
    let mut bench = owner();
    let end = Some(WALL + Micros::from_secs(3_600));
    let ticket = issue(&mut bench, "laptop", end);
    assert_eq!(crate::verify_ticket(&crate::ed25519, &ticket, WALL), Ok(()));
    assert_eq!((ticket.issuer, &ticket.addrs), (node(OWNER), &addrs(OWNER)));
    let made = join(&ticket, node(PEER));
    assert_eq!(bench.verdict(PEER, made), Verdict::Admit { until: end });
    let rows = rows(&mut bench);
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&*rows[0].name, rows[0].expires, rows[0].revoked),
        ("laptop", end, false)
    );
}

#[test]
fn two_tickets_have_two_keys() {
    let mut bench = owner();
    let (one, two) = (issue(&mut bench, "a", None), issue(&mut bench, "a", None));
    assert_ne!(one.secret, two.secret);
}

#[test]
fn a_ticket_that_could_not_be_written_is_none() {
    let mut bench = owner();
    bench.sent.clear();
    bench.tell(new_ticket("a", None));
    assert_eq!(bench.commit(false), "refused");
    assert_eq!(rows(&mut bench), []);
}

#[test]
fn requests_that_make_no_sense_are_refused_with_a_sentence() {
    let mut bench = owner();
    assert_eq!(bench.tell(new_ticket("late", Some(WALL))), "refused");
    assert_eq!(
        bench.tell(revoke(ticket_key(55))),
        "refused",
        "an unknown ticket"
    );
    let mut own = seed(OWNER);
    own.contacts.clear();
    let mut deaf = Bench::new(own);
    assert_eq!(
        deaf.tell(new_ticket("a", None)),
        "refused",
        "a node without an address"
    );
    check(true, new_ticket("a", None), "refused");
    check(true, revoke(ticket_key(100)), "refused");
    check(false, admin(AdminRequest::TicketList), "refused");
}

#[test]
fn withdrawing_a_ticket_cuts_off_whoever_came_by_it_and_tells_the_others() {
    let mut bench = owner();
    let (bad, good) = (
        issue(&mut bench, "bad", None),
        issue(&mut bench, "good", None),
    );
    for (peer, ticket) in [(10, &bad), (11, &good), (12, &bad)] {
        bench.tell(link_up(peer, u64::from(peer)));
        bench.tell(judge(peer, join(ticket, node(peer))));
        bench.tell(Input::Active { peer: node(peer) });
    }
    bench.sent.clear();
    assert_eq!(
        bench.tell(revoke(bad.grant.grant.ticket)),
        "write",
        "nothing before it is durable"
    );
    assert_eq!(bench.commit(true), "cut, cut, revoke, answer");
    let sent = bench.sent.clone();
    assert_eq!(bench.told(10), [peer_session::Input::Cut(Deny::Revoked)]);
    bench.sent = sent;
    let told = bench.told(11);
    let [peer_session::Input::Revoke(record)] = told.as_slice() else {
        panic!("{told:?}")
    };
    let named = crate::verify_revocation(&crate::ed25519, network(), node(OWNER), record);
    assert_eq!(named, Some(bad.grant.grant.ticket));
    assert_eq!(
        bench.verdict(12, join(&bad, node(12))),
        Verdict::Deny(Deny::Revoked)
    );
    assert!(
        bench.roster.table.get(node(10)).is_none(),
        "and forgets them"
    );
    assert!(rows(&mut bench).iter().any(|row| row.revoked));
    assert_eq!(
        bench.tell(revoke(bad.grant.grant.ticket)),
        "answer",
        "once is enough"
    );
}

#[test]
fn a_revocation_that_could_not_be_written_is_refused_to_the_human() {
    let mut bench = owner();
    let ticket = issue(&mut bench, "a", None);
    bench.sent.clear();
    bench.tell(revoke(ticket.grant.grant.ticket));
    assert_eq!(bench.commit(false), "refused");
    assert!(rows(&mut bench).iter().all(|row| !row.revoked));
}

#[test]
fn a_revocation_from_a_peer_is_applied_written_and_passed_on_once() {
    let mut bench = Bench::with(&[OWNER, 10]);
    bench.sent.clear();
    let input = || Input::Revoked {
        from: node(OWNER),
        record: revocation(66).into(),
    };
    assert_eq!(
        bench.tell(input()),
        "write, revoke",
        "to the one that it did not come from"
    );
    assert_eq!(bench.tell(input()), "·", "it is on its way");
    assert_eq!(bench.commit(true), "·");
    assert_eq!(bench.tell(input()), "·");
}

/// Found by seeds whose disks were slow: for as long as one took, who was revoked was served.
#[test]
fn a_revocation_from_a_peer_holds_before_the_disk_has_it() {
    let mut bench = Bench::with(&[OWNER, 10]);
    let said = bench.tell(Input::Revoked {
        from: node(OWNER),
        record: revocation(100).into(),
    });
    assert_eq!(said, "write, cut");
    assert_eq!(
        bench.verdict(11, credential(11)),
        Verdict::Deny(Deny::Revoked)
    );
}

#[test]
fn a_revocation_holds_though_the_disk_is_full_and_is_written_later() {
    let mut bench = Bench::with(&[10, 11]);
    bench.sent.clear();
    bench.tell(Input::Revoked {
        from: node(11),
        record: revocation(100).into(),
    });
    assert_eq!(bench.commit(false), "·");
    bench.tell(Input::Revoked {
        from: node(11),
        record: revocation(66).into(),
    });
    bench.sent.clear();
    bench.wait(Micros::from_secs(6));
    bench.commit(true);
    assert_eq!(bench.roster.tickets.revoked_after(None).count(), 2);
    bench.wait(Micros::from_secs(6));
}

#[test]
fn many_revocations_are_written_in_batches_and_told_in_pages() {
    let mut bench = Bench::new(seed(ME));
    bench.sent.clear();
    for number in 0..200 {
        bench.tell(Input::Revoked {
            from: node(OWNER),
            record: revocation(number).into(),
        });
    }
    let mut batches = 0;
    let is_write = |effect: &Effect| {
        matches!(
            effect,
            Effect::Tell(Letter::Store(store::Command::Commit { .. }))
        )
    };
    while bench.sent.iter().any(is_write) {
        bench.commit(true);
        batches += 1;
    }
    assert!((3..8).contains(&batches), "{batches}");
    bench.activate(OWNER);
    bench.wait(Micros::from_millis(200));
    let revokes = bench.told(OWNER).into_iter();
    let revokes = revokes.filter(|input| matches!(input, peer_session::Input::Revoke(_)));
    assert_eq!(revokes.count(), 200);
}

#[test]
fn a_cut_that_finds_no_room_becomes_a_kill() {
    let mut bench = Bench::with(&[10]);
    let cut = peer_session::Input::Cut(Deny::Revoked);
    let letter = Letter::Session(network(), node(10), cut);
    assert_eq!(bench.returned(letter.clone(), ReturnReason::NoActor), "·");
    assert_eq!(bench.returned(letter, ReturnReason::Busy), "stop, close");
}

#[test]
fn an_owner_issues_only_so_many_tickets() {
    let mut own = seed(OWNER);
    own.contacts.clear();
    own.devices.clear();
    let mut bench = Bench::loading(own);
    let issued = |n: u32| {
        let mut row = [0; 32];
        row[..4].copy_from_slice(&n.to_le_bytes());
        let value = (Label::<128>::truncated("x"), WALL, None::<Wall>);
        let key = store::Key {
            network: network(),
            table: store::Table::Issued,
            row: row.to_vec().into(),
        };
        (key, postcard::to_stdvec(&value).unwrap().into())
    };
    bench.tell(Input::Loaded((0..4_090).map(issued).collect()));
    bench.tell(Input::Bound(addrs(OWNER)));
    bench.wait(Micros::from_millis(300));
    bench.commit(true);
    let mut refused = 0;
    for _ in 0..12 {
        bench.sent.clear();
        if bench.tell(new_ticket("y", None)) == "write" {
            bench.commit(true);
        } else {
            let why = Label::truncated("too many tickets were issued");
            assert_eq!(answers(&mut bench), [Answer::Refused(why)]);
            refused += 1;
        }
    }
    assert_eq!(refused, 6);
}
