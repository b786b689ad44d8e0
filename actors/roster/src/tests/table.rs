//! The table of the spec page, cell by cell.

mod signals;

use super::*;
use std::collections::BTreeSet;

pub(super) use signals::rows_of_signal;

const PHASES: [&str; 3] = ["loading", "ready", "leaving"];

type Happen = fn(&mut Bench) -> String;

kernel::page_rows!(pub(super) rows_of, TOLD, Input {
    Input::Loaded(_) => ["Loaded"],
    Input::Committed(_) => ["Committed"],
    Input::CommitFailed(_) => ["CommitFailed"],
    Input::Bound(_) => ["Bound"],
    Input::LinkUp { .. } => ["LinkUp", "LinkUp, second", "LinkUp, own"],
    Input::DialFailed { .. } => ["DialFailed"],
    Input::Judge { .. } => ["Judge, member", "Judge, other"],
    Input::Active { .. } => ["Active"],
    Input::Ended { .. } => ["Ended"],
    Input::InUse { .. } => ["InUse"],
    Input::Wanted { .. } => ["Wanted"],
    Input::Introduced { .. } => ["Introduced", "Introduced, bad"],
    Input::Revoked { .. } => ["Revoked", "Revoked, bad"],
    Input::Vouch { .. } => ["Vouch, member", "Vouch, other"],
    Input::Who { .. } => ["Who", "Who, unknown"],
    Input::Models { .. } => ["Models"],
    Input::Load { .. } => ["Load"],
    Input::Admin { request: AdminRequest::TicketNew { .. }, .. } => [
        "TicketNew",
        "TicketNew, owner",
    ],
    Input::Admin { request: AdminRequest::TicketList, .. } => ["TicketList", "TicketList, owner"],
    Input::Admin { request: AdminRequest::TicketRevoke { .. }, .. } => [
        "TicketRevoke",
        "TicketRevoke, owner",
    ],
    Input::Leave => ["Leave"],
});
/// The row of time that passes.
pub(super) const DEADLINES: &[&str] = &["Deadline"];

/// A roster in a phase; of the owner's own node, or of a member's.
fn in_phase(phase: &str, me: u8) -> Bench {
    match phase {
        "loading" => Bench::loading(seed(me)),
        "ready" => Bench::new(seed(me)),
        "leaving" => {
            let mut bench = Bench::new(seed(me));
            bench.tell(Input::Leave);
            bench
        }
        _ => panic!("a phase without a set-up: {phase}"),
    }
}

/// What a human asks.
fn admin(bench: &mut Bench, request: AdminRequest) -> String {
    let query = QueryId(1);
    bench.tell(Input::Admin { query, request })
}

fn new_ticket(bench: &mut Bench) -> String {
    let (name, expires) = (Label::truncated("x"), None);
    admin(bench, AdminRequest::TicketNew { name, expires })
}

fn vouch(bench: &mut Bench, shown: (NodeId, Credential)) -> String {
    let (from, shown) = (node(PEER), vec![shown]);
    bench.tell(Input::Vouch { from, shown })
}

fn who(bench: &mut Bench, authors: &[u8]) -> String {
    let (peer, authors) = (node(PEER), authors.iter().map(|author| node(*author)));
    let authors = List::truncated(authors);
    bench.tell(Input::Who { peer, authors })
}

fn revoke(bench: &mut Bench) -> String {
    let ticket = ticket_key(100);
    admin(bench, AdminRequest::TicketRevoke { ticket })
}

/// The key of a ticket that was issued just now; nothing where none may be.
fn issued(bench: &mut Bench) -> Option<TicketKey> {
    bench.sent.clear();
    if new_ticket(bench) != "write" {
        return None;
    }
    bench.commit(true);
    bench.sent.iter().find_map(|effect| {
        let Effect::Tell(Letter::Control(control::Command::Answer { answer, .. })) = effect else {
            return None;
        };
        let control::Answer::Ticket(text) = &**answer else {
            return None;
        };
        Some(Ticket::parse(text).unwrap().grant.grant.ticket)
    })
}

/// Cells are narrow.
fn short(did: &str) -> String {
    did.replace("serves, busy, watch", "meet")
        .replace("watch, attach, watch, watch, ask, watch", "greet")
}

/// What happens to a roster, by the name that its row has.
const INPUTS: &[(&str, Happen)] = &[
    ("Started", |bench| {
        if bench.roster.is_loading() {
            *bench = Bench::unborn(seed(ME));
        }
        bench.start()
    }),
    ("Loaded", |bench| bench.tell(Input::Loaded(Vec::new()))),
    ("Committed", |bench| bench.tell(Input::Committed(Token(7)))),
    ("CommitFailed", |bench| {
        bench.tell(Input::CommitFailed(Token(7)))
    }),
    ("Bound", |bench| bench.tell(Input::Bound(addrs(ME)))),
    ("LinkUp", |bench| bench.tell(link_up(PEER, 1))),
    ("LinkUp, second", |bench| {
        bench.tell(link_up(PEER, 1));
        bench.tell(link_up(PEER, 2))
    }),
    ("LinkUp, own", |bench| bench.tell(link_up(ME, 1))),
    ("DialFailed", |bench| {
        let why = transport::DialError::TimedOut;
        bench.tell(Input::DialFailed {
            peer: node(OWNER),
            why,
        })
    }),
    ("Judge, member", |bench| {
        bench.tell(judge(PEER, credential(PEER)))
    }),
    ("Judge, other", |bench| {
        bench.tell(judge(PEER, credential(OWNER)))
    }),
    ("Active", |bench| {
        bench.tell(Input::Active { peer: node(PEER) })
    }),
    ("Ended", |bench| bench.tell(ended(PEER, LOST))),
    ("InUse", |bench| {
        bench.tell(Input::InUse { peer: node(PEER) })
    }),
    ("Wanted", |bench| {
        let model = model(1).model;
        bench.tell(Input::Wanted { model })
    }),
    ("Introduced", |bench| {
        bench.tell(Input::Active { peer: node(PEER) });
        bench.tell(introduced(4, [advert(5, 1)]))
    }),
    ("Introduced, bad", |bench| {
        let mut forged = advert(5, 1);
        forged.record.record.stamp = Stamp(2);
        bench.tell(introduced(4, [forged]))
    }),
    ("Revoked", |bench| {
        bench.tell(Input::Revoked {
            from: node(4),
            record: revocation(100).into(),
        })
    }),
    ("Revoked, bad", |bench| {
        let mut forged = revocation(100);
        forged.record.stamp = Stamp(2);
        bench.tell(Input::Revoked {
            from: node(4),
            record: forged.into(),
        })
    }),
    ("Vouch, member", |bench| {
        vouch(bench, (node(9), credential(9)))
    }),
    ("Vouch, other", |bench| {
        vouch(bench, (node(9), credential(8)))
    }),
    ("Who", |bench| {
        bench.tell(judge(9, credential(9)));
        who(bench, &[9, 10])
    }),
    ("Who, unknown", |bench| who(bench, &[10])),
    ("Models", |bench| {
        bench.tell(link_up(PEER, 1));
        bench.tell(Input::Models {
            device: DEVICE,
            models: List::truncated([model(1)]),
        })
    }),
    ("Load", |bench| {
        bench.tell(link_up(PEER, 1));
        let load = Load {
            active: 1,
            queued: 0,
            slots: 2,
            queue_max: 4,
        };
        bench.tell(Input::Load {
            device: DEVICE,
            load,
        })
    }),
    ("TicketNew", new_ticket),
    ("TicketNew, owner", |bench| {
        bench.tell(Input::Bound(addrs(OWNER)));
        new_ticket(bench)
    }),
    ("TicketList", |bench| admin(bench, AdminRequest::TicketList)),
    ("TicketList, owner", |bench| {
        admin(bench, AdminRequest::TicketList)
    }),
    ("TicketRevoke", revoke),
    ("TicketRevoke, owner", |bench| {
        bench.tell(Input::Bound(addrs(OWNER)));
        let ticket = issued(bench).unwrap_or_else(|| ticket_key(100));
        admin(bench, AdminRequest::TicketRevoke { ticket })
    }),
    ("Leave", |bench| bench.tell(Input::Leave)),
];
/// What a turn that was asked for does.
const TURNS: &[(&str, Happen)] = &[("Deadline", Bench::turn)];

fn rows() -> Vec<Vec<String>> {
    include_str!("../lib.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//! | ")?.strip_suffix(" |"))
        .map(|row| {
            row.split(" | ")
                .map(|cell| cell.trim().to_owned())
                .collect()
        })
        .collect()
}

#[test]
fn every_cell_of_the_spec_page_is_what_the_roster_does() {
    let rows = rows();
    let inputs = [INPUTS, signals::SIGNALS, TURNS].concat();
    let known: Vec<&str> = inputs.iter().map(|(name, _)| *name).collect();
    let named: Vec<&str> = rows.iter().skip(1).map(|row| row[0].as_str()).collect();
    let of_all = [TOLD, &signals::all_rows(), DEADLINES].concat();
    let of_all: BTreeSet<&str> = of_all.into_iter().collect();
    assert_eq!(known.iter().copied().collect::<BTreeSet<_>>(), of_all);
    let done: Vec<Vec<String>> = inputs
        .iter()
        .map(|(name, happen)| {
            let me = if name.ends_with(", owner") { OWNER } else { ME };
            let cell = |phase: &str| {
                let mut bench = in_phase(phase, me);
                let did = happen(&mut bench);
                assert!(bench.rows.contains(name), "{name} is another input");
                short(&did)
            };
            std::iter::once((*name).to_owned())
                .chain(PHASES.map(cell))
                .collect()
        })
        .collect();
    let table: Vec<String> = done
        .iter()
        .map(|row| {
            format!(
                "//! | {:19} | {:20} | {:20} | {:17} |",
                row[0], row[1], row[2], row[3]
            )
        })
        .collect();
    assert_eq!(
        named,
        known,
        "the rows; the roster does:\n{}",
        table.join("\n")
    );
    assert_eq!(rows[0][1..], PHASES, "the columns");
    assert_eq!(rows[1..], done, "the roster does:\n{}", table.join("\n"));
}
