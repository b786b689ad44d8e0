//! The table of the spec page, cell by cell.

use super::*;

type Happen = fn(&mut Bench) -> String;

/// What happens to a roster, by the name that its row has.
const INPUTS: &[(&str, Happen)] = &[
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
            record: revocation(100),
        })
    }),
    ("Revoked, bad", |bench| {
        let mut forged = revocation(100);
        forged.record.stamp = Stamp(2);
        bench.tell(Input::Revoked {
            from: node(4),
            record: forged,
        })
    }),
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
    ("Admin", |bench| {
        bench.tell(Input::Admin {
            query: QueryId(1),
            request: AdminRequest::TicketList,
        })
    }),
    ("Leave", |bench| bench.tell(Input::Leave)),
    ("LinkUp, leaving", |bench| {
        bench.tell(Input::Leave);
        bench.tell(link_up(PEER, 1))
    }),
    ("Store down", |bench| {
        bench.down(Address::Store, Exit::Killed)
    }),
    ("Transport down", |bench| {
        bench.down(Address::Transport, Exit::Killed)
    }),
    ("Worker down", |bench| {
        bench.down(Address::Worker(DEVICE), Exit::Killed)
    }),
    ("Observer down", |bench| {
        bench.down(Address::Observer, Exit::Killed)
    }),
    ("Session fails", |bench| {
        bench.tell(link_up(PEER, 1));
        bench.session_down(PEER, Exit::Panicked("a defect".to_owned()))
    }),
    ("Session spent", |bench| {
        bench.tell(link_up(PEER, 1));
        bench.session_down(PEER, Exit::StartFailed("spent".to_owned()))
    }),
    ("Session ends", |bench| {
        bench.tell(link_up(PEER, 1));
        bench.tell(ended(PEER, LOST));
        bench.session_down(PEER, Exit::Normal)
    }),
    ("Stream down", |bench| {
        bench.down(Address::Stream(StreamId(1)), Exit::Normal)
    }),
    ("Cut Returned", |bench| {
        bench.tell(link_up(PEER, 1));
        let cut = peer_session::Input::Cut(Deny::Revoked);
        bench.returned(
            Letter::Session(network(), node(PEER), cut),
            ReturnReason::Busy,
        )
    }),
    ("Link Returned", |bench| {
        bench.tell(link_up(PEER, 1));
        let link = peer_session::Input::Link {
            link: LinkId(2),
            dialled: true,
        };
        bench.returned(
            Letter::Session(network(), node(PEER), link),
            ReturnReason::Busy,
        )
    }),
    ("Deadline", Bench::turn),
];

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
    let known: Vec<&str> = INPUTS.iter().map(|(name, _)| *name).collect();
    let named: Vec<&str> = rows.iter().skip(1).map(|row| row[0].as_str()).collect();
    let done: Vec<Vec<String>> = INPUTS
        .iter()
        .map(|(name, happen)| {
            let cell = |ready| happen(&mut Bench::in_phase(ready));
            vec![(*name).to_owned(), cell(false), cell(true)]
        })
        .collect();
    let table: Vec<String> = done
        .iter()
        .map(|row| format!("//! | {} |", row.join(" | ")))
        .collect();
    assert_eq!(
        named,
        known,
        "the rows; the roster does:\n{}",
        table.join("\n")
    );
    assert_eq!(rows[0][1..], ["loading", "ready"], "the columns");
    assert_eq!(rows[1..], done, "the roster does:\n{}", table.join("\n"));
}

#[test]
fn a_roster_begins_by_asking_its_neighbours() {
    let ctx = Ctx {
        entropy: Entropy::from_number(1),
        signer: Arc::new(Keys(ME)),
    };
    let mut roster = Roster::new(seed(ME), ctx);
    let mut out = Outbox::new();
    let now = Now {
        mono: Mono(1),
        wall: WALL,
    };
    let started = Signal::Started(Incarnation { boot: 1, n: 1 });
    roster.signal(now, started, &mut out).unwrap();
    assert_eq!(
        words(out.effects()),
        "watch, load, watch, attach, watch, watch, ask"
    );
}
