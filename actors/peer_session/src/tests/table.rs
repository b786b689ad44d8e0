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
    Input::Load(_) => ["Load"],
    Input::Serves(_) => ["Serves"],
    Input::Cut(_) => ["Cut"],
    Input::Release => ["Release", "Release, busy"],
    Input::Open { .. } => ["Open"],
    Input::Leave => ["Leave"],
});
kernel::page_rows!(pub(super) rows_of_signal, SIGNALLED, Signal {
    Signal::Started(_) => ["Started"],
    Signal::Down { .. } => [
        "Transport down",
        "Router down",
        "Roster down",
        "Observer down",
        "Router absent",
        "Stream down",
    ],
    Signal::Returned { .. } => ["frame Returned", "job Returned"],
});
/// The row of time that passes.
pub(super) const DEADLINES: &[&str] = &["Deadline"];

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
    ("Router absent", |bench| {
        bench.down(Address::Router, Exit::NoActor)
    }),
    ("Stream down", |bench| {
        bench.down(Address::Stream(StreamId(1)), Exit::Normal)
    }),
    ("frame Returned", |bench| {
        let frame = Box::new(ControlFrame::Admit(()));
        let send = transport::Command::Send {
            link: LINK,
            network: NETWORK,
            frame,
        };
        bench.returned(Letter::Transport(send), ReturnReason::Busy)
    }),
    ("job Returned", |bench| {
        let sink = inference_worker::Sink::Stream(StreamId(1));
        let input = inference_worker::Input::Job {
            sink,
            job: job(PEER, 1),
        };
        bench.returned(Letter::Worker(DeviceId(3), input), ReturnReason::Busy)
    }),
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
    let of_all: BTreeSet<&str> = [TOLD, SIGNALLED, DEADLINES].concat().into_iter().collect();
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
