//! The table of the spec page, cell by cell.

use super::*;
use messages::peer_session::LinkLoss;
use std::collections::BTreeSet;

const PHASES: [Phase; 5] = [
    Phase::Greeting,
    Phase::Judging,
    Phase::Admitting,
    Phase::Active,
    Phase::Closing,
];

type Happen = fn(&mut Bench) -> String;

kernel::page_rows!(pub(super) rows_of, TOLD, Input {
    Input::Link { .. } => ["Link, new", "Link, known"],
    Input::LinkDown { .. } => ["LinkDown", "LinkDown other"],
    Input::Frame { frame: ControlFrame::Hello(_), .. } => ["greeting", "answer", "Hello, foreign"],
    Input::Frame { frame: ControlFrame::Proof(_), .. } => ["Proof"],
    Input::Frame { frame: ControlFrame::Admit(()), .. } => ["Admit"],
    Input::Frame { frame: ControlFrame::Deny(_), .. } => ["Deny"],
    Input::Frame { frame: ControlFrame::Ping(_), .. } => ["Ping"],
    Input::Frame { frame: ControlFrame::Pong(_), .. } => ["Pong"],
    Input::Frame { frame: ControlFrame::Introductions(_), .. } => ["Introductions"],
    Input::Frame { frame: ControlFrame::Load(_), .. } => ["Load of peer"],
    Input::Frame { frame: ControlFrame::Revoke(_), .. } => ["Revoke of peer"],
    Input::Frame { frame: ControlFrame::Gossip(_), .. } => ["Gossip of peer"],
    Input::Frame { frame: ControlFrame::Leave(_), .. } => ["Leave(false)", "Leave(true)"],
    Input::BadFrame { .. } => ["BadFrame"],
    Input::Path { .. } => ["Path"],
    Input::Inbound { .. } => ["Inbound"],
    Input::Opened { .. } => ["Opened"],
    Input::OpenFailed { .. } => ["OpenFailed"],
    Input::Verdict(Verdict::Admit { .. }) => ["Verdict Admit"],
    Input::Verdict(Verdict::Deny(_)) => ["Verdict Deny"],
    Input::Verdict(Verdict::Unknown) => ["Unknown"],
    Input::Introduce(_) => ["Introduce"],
    Input::Revoke(_) => ["Revoke"],
    Input::Gossip(_) => ["Gossip"],
    Input::Load(_) => ["Load"],
    Input::Serves(_) => ["Serves"],
    Input::Cut(_) => ["Cut"],
    Input::Release => ["Release", "Release, busy"],
    Input::Open { .. } => ["Open"],
    Input::Leave => ["Leave"],
});
kernel::page_rows!(rows_of_down, DOWN, (Address, &Exit) {
    (Address::Transport, _) => ["Transport down"],
    (Address::Router, Exit::Failed(_) | Exit::Panicked(_) | Exit::Killed) => ["Router down"],
    (Address::Router, _) => ["Router absent"],
    (Address::Roster(_), Exit::Failed(_) | Exit::Panicked(_) | Exit::Killed) => ["Roster down"],
    (Address::Roster(_), _) => ["Roster absent"],
    (Address::Observer, Exit::Failed(_) | Exit::Panicked(_) | Exit::Killed) => ["Observer down"],
    (Address::Observer, _) => ["Observer absent"],
    (Address::GossipStore(_), Exit::Failed(_) | Exit::Panicked(_) | Exit::Killed) => [
        "Records down",
    ],
    (Address::GossipStore(_), _) => ["Records absent"],
    (Address::Stream(_), _) => ["Stream down"],
    (
        Address::Store
        | Address::Engine(_)
        | Address::Worker(_)
        | Address::Session(..)
        | Address::Proxy(_)
        | Address::Gateway
        | Address::Control,
        _,
    ) => ["Another down"],
});
kernel::page_rows!(rows_of_returned, RETURNED, (&Letter, ReturnReason) {
    (Letter::Transport(transport::Command::Open { .. }), _) => ["open Returned"],
    (Letter::Transport(transport::Command::Send { .. }), _) => ["frame Returned", "ping Returned"],
    (
        Letter::Transport(
            transport::Command::Attach(_)
            | transport::Command::Detach(_)
            | transport::Command::Dial { .. }
            | transport::Command::Close { .. },
        ),
        _,
    ) => ["Another Returned"],
    (Letter::Worker(_, inference_worker::Input::Job { .. }), _) => ["job Returned"],
    (Letter::Proxy(_, request_proxy::Input::Opened { .. }), _) => ["opened Returned"],
    (Letter::Router(_), _) => ["router Returned"],
    (Letter::Roster(_, roster::Input::Judge { .. }), _) => ["judge Returned"],
    (
        Letter::Roster(_, roster::Input::Active { .. }),
        ReturnReason::Busy | ReturnReason::ParkFull,
    ) => ["active Returned"],
    (Letter::Roster(_, roster::Input::Introduced { .. } | roster::Input::Revoked { .. }), _) => [
        "news Returned",
    ],
    (
        Letter::GossipStore(_, gossip_store::Input::Active(_)),
        ReturnReason::Busy | ReturnReason::ParkFull,
    ) => ["records Returned"],
    (Letter::Observer(_), ReturnReason::Busy | ReturnReason::ParkFull) => ["fact Returned"],
    (
        Letter::Roster(..)
        | Letter::Worker(..)
        | Letter::Proxy(..)
        | Letter::Session(..)
        | Letter::GossipStore(..)
        | Letter::Observer(_)
        | Letter::Stream(..)
        | Letter::Engine(..)
        | Letter::Gateway(_)
        | Letter::Store(_)
        | Letter::Control(_),
        _,
    ) => ["Another Returned"],
});
/// The row of a new life.
const STARTED: &[&str] = &["Started"];
/// The row of time that passes.
pub(super) const DEADLINES: &[&str] = &["Deadline"];

pub(super) fn rows_of_signal(signal: &Signal) -> &'static [&'static str] {
    match signal {
        Signal::Started(_) => STARTED,
        Signal::Down { who, why, .. } => rows_of_down(&(*who, why)),
        Signal::Returned { letter, why } => rows_of_returned(&(letter, *why)),
    }
}

/// A letter comes back for want of room; what the turn after 200 ms does of this.
fn later(bench: &mut Bench, letter: Letter, what: &str) -> String {
    let did = bench.returned(letter, ReturnReason::Busy);
    let rows = bench.rows;
    bench.wait(Micros(199_999));
    let turns = bench.wait(Micros(1));
    bench.rows = rows;
    match turns.iter().any(|turn| turn.contains(what)) {
        true => format!("later {what}"),
        false => did,
    }
}

/// A letter to the roster comes back.
fn untold(bench: &mut Bench, input: roster::Input, what: &str) -> String {
    later(bench, Letter::Roster(NETWORK, input), what)
}

/// A frame comes back.
fn unsent(bench: &mut Bench, frame: ControlFrame) -> String {
    let send = transport::Command::Send {
        link: LINK,
        network: NETWORK,
        frame: Box::new(frame),
    };
    bench.returned(Letter::Transport(send), ReturnReason::Busy)
}

/// What comes back and needs nothing.
fn others_return(bench: &mut Bench) -> String {
    let (attempt, peer, link) = (1, PEER, LinkId(11));
    let close = transport::Command::Close {
        link,
        network: NETWORK,
        why: Label::default(),
    };
    let link_up = roster::Input::LinkUp {
        peer,
        link,
        dialled: false,
    };
    let silent = request_proxy::Input::Silent { attempt };
    let letters = [
        Letter::Roster(NETWORK, link_up),
        Letter::Roster(NETWORK, roster::Input::InUse { peer }),
        Letter::Roster(NETWORK, roster::Input::Active { peer }),
        Letter::Transport(close),
        Letter::Proxy(request(1), silent),
        Letter::Stream(StreamId(1), stream::Command::Cancel),
        Letter::Observer(observer::Input::Forget(bench.session.fact_key())),
        Letter::GossipStore(NETWORK, gossip_store::Input::Active(PEER)),
        Letter::GossipStore(NETWORK, gossip_store::Input::Gone(PEER)),
        Letter::GossipStore(NETWORK, gossip_store::Input::Heard(PEER, gossip())),
    ];
    let did = letters.map(|letter| {
        let did = bench.returned(letter, ReturnReason::NoActor);
        assert!(bench.rows.contains(&"Another Returned"));
        did
    });
    let did = did.join(", ");
    match did.trim_matches(['·', ',', ' ']) {
        "" => "·".to_owned(),
        _ => did,
    }
}

/// What happens to a session, by the name that its row has.
const INPUTS: &[(&str, Happen)] = &[
    ("Started", |bench| {
        if bench.session.phase() == Phase::Greeting {
            *bench = Bench::unborn();
        }
        bench.start()
    }),
    ("Link, new", |bench| {
        bench.tell(Input::Link {
            link: LinkId(11),
            dialled: true,
        })
    }),
    ("Link, known", |bench| {
        bench.tell(Input::Link {
            link: LINK,
            dialled: true,
        })
    }),
    ("LinkDown", |bench| {
        bench.tell(Input::LinkDown {
            link: LINK,
            why: LinkLoss::Reset,
        })
    }),
    ("LinkDown other", |bench| {
        bench.tell(Input::LinkDown {
            link: LinkId(77),
            why: LinkLoss::Reset,
        })
    }),
    ("greeting", |bench| bench.tell(frame(hello(false, 1)))),
    ("answer", |bench| bench.tell(frame(hello(true, 1)))),
    ("Hello, foreign", |bench| {
        let hello = Hello {
            version_min: 7,
            version_max: 9,
            features: 0,
            boot: 1,
        };
        bench.tell(frame(ControlFrame::Hello(hello)))
    }),
    ("Proof", |bench| {
        bench.tell(frame(ControlFrame::Proof(credential("other").into())))
    }),
    ("Admit", |bench| bench.tell(frame(ControlFrame::Admit(())))),
    ("Deny", |bench| {
        bench.tell(frame(ControlFrame::Deny(Deny::Revoked)))
    }),
    ("Ping", |bench| bench.tell(frame(ControlFrame::Ping(4)))),
    ("Pong", |bench| bench.tell(frame(ControlFrame::Pong(1)))),
    ("Introductions", |bench| {
        bench.tell(frame(introductions(PEER, &["m"])))
    }),
    ("Load of peer", |bench| {
        bench.tell(frame(ControlFrame::Load(load(1))))
    }),
    ("Revoke of peer", |bench| {
        bench.tell(frame(ControlFrame::Revoke(
            introduction(PEER, &[]).record.into(),
        )))
    }),
    ("Gossip of peer", |bench| {
        bench.tell(frame(ControlFrame::Gossip(gossip())))
    }),
    ("Leave(false)", |bench| {
        bench.tell(frame(ControlFrame::Leave(false)))
    }),
    ("Leave(true)", |bench| {
        bench.tell(frame(ControlFrame::Leave(true)))
    }),
    ("BadFrame", |bench| {
        bench.tell(Input::BadFrame {
            link: LINK,
            why: Label::truncated("oversize"),
        })
    }),
    ("Path", |bench| {
        bench.tell(Input::Path {
            link: LINK,
            path: Default::default(),
        })
    }),
    ("Inbound", |bench| bench.tell(inbound(1, LINK, PEER))),
    ("Opened", |bench| {
        bench.tell(Input::Opened {
            stream: StreamId(1),
            request: request(1),
            attempt: 1,
        })
    }),
    ("OpenFailed", |bench| {
        bench.tell(Input::OpenFailed {
            request: request(1),
            attempt: 1,
        })
    }),
    ("Verdict Admit", |bench| {
        bench.tell(Input::Verdict(Verdict::Admit { until: None }))
    }),
    ("Verdict Deny", |bench| {
        bench.tell(Input::Verdict(Verdict::Deny(Deny::Revoked)))
    }),
    ("Unknown", |bench| {
        bench.tell(Input::Verdict(Verdict::Unknown))
    }),
    ("Introduce", |bench| {
        bench.tell(Input::Introduce(List::truncated([introduction(
            ME,
            &["m"],
        )])))
    }),
    ("Revoke", |bench| {
        bench.tell(Input::Revoke(introduction(ME, &[]).record.into()))
    }),
    ("Gossip", |bench| bench.tell(Input::Gossip(gossip()))),
    ("Load", |bench| bench.tell(Input::Load(load(2)))),
    ("Serves", |bench| bench.tell(Input::Serves(Vec::new()))),
    ("Cut", |bench| bench.tell(Input::Cut(Deny::Revoked))),
    ("Release", |bench| bench.tell(Input::Release)),
    ("Release, busy", |bench| {
        bench.tell(Input::Opened {
            stream: StreamId(1),
            request: request(1),
            attempt: 1,
        });
        bench.tell(Input::Release)
    }),
    ("Open", |bench| {
        bench.tell(Input::Open {
            request: request(1),
            job: job(ME, 1),
        })
    }),
    ("Leave", |bench| bench.tell(Input::Leave)),
    ("Transport down", |bench| {
        bench.down(Address::Transport, Exit::Killed)
    }),
    ("Router down", |bench| {
        bench.down(Address::Router, Exit::Killed)
    }),
    ("Roster down", |bench| {
        bench.down(Address::Roster(NETWORK), Exit::Killed)
    }),
    ("Observer down", |bench| {
        bench.down(Address::Observer, Exit::Killed)
    }),
    ("Records down", |bench| {
        bench.down(Address::GossipStore(NETWORK), Exit::Killed)
    }),
    ("Router absent", |bench| {
        bench.down(Address::Router, Exit::NoActor)
    }),
    ("Roster absent", |bench| {
        bench.down(Address::Roster(NETWORK), Exit::NoActor)
    }),
    ("Observer absent", |bench| {
        bench.down(Address::Observer, Exit::NoActor)
    }),
    ("Records absent", |bench| {
        bench.down(Address::GossipStore(NETWORK), Exit::NoActor)
    }),
    ("Stream down", |bench| {
        bench.down(Address::Stream(StreamId(1)), Exit::Normal)
    }),
    ("Another down", |bench| {
        bench.down(Address::Gateway, Exit::Killed)
    }),
    ("frame Returned", |bench| {
        unsent(bench, ControlFrame::Admit(()))
    }),
    ("ping Returned", |bench| {
        let did = unsent(bench, ControlFrame::Ping(3));
        assert_eq!(unsent(bench, ControlFrame::Pong(3)), did);
        assert_eq!(unsent(bench, ControlFrame::Load(load(1))), did);
        assert_eq!(unsent(bench, ControlFrame::Gossip(gossip())), did);
        did
    }),
    ("job Returned", |bench| {
        let sink = inference_worker::Sink::Stream(StreamId(1));
        let input = inference_worker::Input::Job {
            sink,
            job: job(PEER, 1),
        };
        bench.returned(Letter::Worker(DeviceId(3), input), ReturnReason::Busy)
    }),
    ("open Returned", |bench| {
        let open = transport::Command::Open {
            link: LINK,
            network: NETWORK,
            peer: PEER,
            request: request(1),
            job: job(ME, 1),
        };
        bench.returned(Letter::Transport(open), ReturnReason::Busy)
    }),
    ("opened Returned", |bench| {
        let (attempt, stream) = (1, StreamId(4));
        let opened = request_proxy::Input::Opened { attempt, stream };
        bench.returned(Letter::Proxy(request(1), opened), ReturnReason::NoActor)
    }),
    ("router Returned", |bench| {
        let (network, peer) = (NETWORK, PEER);
        let letter = Letter::Router(router::Input::PeerGone { network, peer });
        later(bench, letter, "fresh")
    }),
    ("judge Returned", |bench| {
        let (peer, credential) = (PEER, credential("peer").into());
        untold(bench, roster::Input::Judge { peer, credential }, "judge")
    }),
    ("active Returned", |bench| {
        untold(bench, roster::Input::Active { peer: PEER }, "active")
    }),
    ("records Returned", |bench| {
        let input = gossip_store::Input::Active(PEER);
        later(bench, Letter::GossipStore(NETWORK, input), "records")
    }),
    ("fact Returned", |bench| {
        let forget = observer::Input::Forget(bench.session.fact_key());
        later(bench, Letter::Observer(forget), "watch")
    }),
    ("news Returned", |bench| {
        let (from, record) = (PEER, introduction(PEER, &[]).record.into());
        untold(bench, roster::Input::Revoked { from, record }, "revoked")
    }),
    ("Another Returned", others_return),
    ("Deadline", Bench::turn),
];

/// The cells of the spec page: a row's name, then one text for each phase.
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
fn every_cell_of_the_spec_page_is_what_the_session_does() {
    let rows = rows();
    let (head, rows) = rows.split_first().unwrap();
    let phases: Vec<&str> = PHASES.iter().map(|phase| phase.name()).collect();
    assert_eq!(head[1..], phases, "the columns");
    let named: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    let known: Vec<&str> = INPUTS.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, known, "the rows");
    let of_all = [TOLD, STARTED, DOWN, RETURNED, DEADLINES].concat();
    let of_all: BTreeSet<&str> = of_all.into_iter().collect();
    assert_eq!(known.iter().copied().collect::<BTreeSet<_>>(), of_all);
    let mut wrong = Vec::new();
    for (row, (name, happen)) in rows.iter().zip(INPUTS) {
        assert_eq!(row.len(), 6, "the row {name} has a cell for each phase");
        let done: Vec<String> = PHASES
            .iter()
            .map(|phase| {
                let mut bench = Bench::in_phase(*phase);
                let did = happen(&mut bench);
                assert!(bench.rows.contains(name), "{name} is another input");
                did
            })
            .collect();
        if done != row[1..] {
            wrong.push(format!("//! | {name} | {} |", done.join(" | ")));
        }
    }
    assert!(wrong.is_empty(), "the session does:\n{}", wrong.join("\n"));
}
