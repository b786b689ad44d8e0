//! The rows of the spec page for neighbours that go down and letters that come back.

use super::*;

kernel::page_rows!(rows_of_down, DOWN, (Address, &Exit) {
    (Address::Store, Exit::Failed(_) | Exit::Panicked(_) | Exit::Killed) => ["Store down"],
    (Address::Store, _) => ["Store absent"],
    (Address::Transport, Exit::Failed(_) | Exit::Panicked(_) | Exit::Killed) => ["Transport down"],
    (Address::Transport, _) => ["Transport absent"],
    (Address::Worker(_), Exit::Failed(_) | Exit::Panicked(_) | Exit::Killed) => ["Worker down"],
    (Address::Worker(_), _) => ["Worker absent"],
    (Address::Observer, Exit::Failed(_) | Exit::Panicked(_) | Exit::Killed) => ["Observer down"],
    (Address::Observer, _) => ["Observer absent"],
    (Address::GossipStore(_), Exit::Failed(_) | Exit::Panicked(_) | Exit::Killed) => [
        "Records down",
    ],
    (Address::GossipStore(_), _) => ["Records absent"],
    (Address::Session(..), Exit::Failed(_) | Exit::Panicked(_) | Exit::Killed) => [
        "Session fails",
        "Another down",
    ],
    (Address::Session(..), Exit::StartFailed(_)) => ["Session spent", "Another down"],
    (Address::Session(..), _) => ["Session ends", "Session lost", "Another down"],
    (
        Address::Stream(_)
        | Address::Engine(_)
        | Address::Roster(_)
        | Address::Router
        | Address::Proxy(_)
        | Address::Gateway
        | Address::Control,
        _,
    ) => ["Another down"],
});
kernel::page_rows!(rows_of_returned, RETURNED, (&Letter, ReturnReason) {
    (Letter::Session(_, _, peer_session::Input::Cut(_)), ReturnReason::NoActor) => [
        "Another Returned",
    ],
    (Letter::Session(_, _, peer_session::Input::Cut(_)), _) => ["Cut Returned"],
    (Letter::Session(_, _, peer_session::Input::Link { .. }), ReturnReason::NoActor) => [
        "Late Link Returned",
    ],
    (Letter::Session(_, _, peer_session::Input::Link { .. }), _) => ["Link Returned"],
    (
        Letter::Session(_, _, peer_session::Input::Introduce(_) | peer_session::Input::Revoke(_)),
        ReturnReason::Busy,
    ) => ["News Returned"],
    (Letter::Session(..), _) => ["Another Returned"],
    (Letter::Transport(transport::Command::Dial { .. }), _) => ["Dial Returned"],
    (
        Letter::Transport(transport::Command::Attach(_)),
        ReturnReason::Busy | ReturnReason::ParkFull,
    ) => ["Attach Returned"],
    (Letter::Transport(_), _) => ["Another Returned"],
    (Letter::Worker(..), ReturnReason::Busy | ReturnReason::ParkFull) => ["Ask Returned"],
    (Letter::Worker(..), _) => ["Another Returned"],
    (Letter::GossipStore(..), ReturnReason::Busy | ReturnReason::ParkFull) => [
        "Members Returned",
    ],
    (Letter::GossipStore(..), _) => ["Another Returned"],
    (Letter::Observer(_), ReturnReason::Busy | ReturnReason::ParkFull) => ["Fact Returned"],
    (Letter::Store(store::Command::Commit { .. }), _) => ["Commit Returned"],
    (Letter::Store(store::Command::Load(_)), _) => ["Another Returned"],
    (
        Letter::Observer(_)
        | Letter::Control(_)
        | Letter::Roster(..)
        | Letter::Router(_)
        | Letter::Proxy(..)
        | Letter::Stream(..)
        | Letter::Engine(..)
        | Letter::Gateway(_),
        _,
    ) => ["Another Returned"],
});

pub(in crate::tests) fn rows_of_signal(signal: &Signal) -> &'static [&'static str] {
    match signal {
        Signal::Started(_) => STARTED,
        Signal::Down { who, why, .. } => rows_of_down(&(*who, why)),
        Signal::Returned { letter, why } => rows_of_returned(&(letter, *why)),
    }
}

/// All rows of signals.
pub(super) fn all_rows() -> Vec<&'static str> {
    [STARTED, DOWN, RETURNED].concat()
}

/// What happens to a roster, by the name that its row has.
pub(super) const SIGNALS: &[(&str, Happen)] = &[
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
    ("Records down", |bench| {
        bench.down(Address::GossipStore(network()), Exit::Killed)
    }),
    ("Store absent", |bench| {
        let greeting = match bench.roster.is_loading() {
            true => "watch, load",
            false => "watch",
        };
        absent(bench, Address::Store, greeting)
    }),
    ("Transport absent", |bench| {
        absent(bench, Address::Transport, "watch, attach")
    }),
    ("Worker absent", |bench| {
        bench.tell(link_up(PEER, 1));
        absent(bench, Address::Worker(DEVICE), "watch, ask")
    }),
    ("Observer absent", |bench| {
        absent(bench, Address::Observer, "watch")
    }),
    ("Records absent", |bench| {
        let greeting = match bench.roster.is_loading() {
            true => "watch",
            false => "watch, members",
        };
        absent(bench, Address::GossipStore(network()), greeting)
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
    ("Session lost", |bench| {
        bench.tell(link_up(OWNER, 1));
        let did = bench.session_down(OWNER, Exit::Normal);
        then(bench, &did, BACKOFF, "dial")
    }),
    ("Another down", |bench| {
        bench.down(
            Address::Session(NetworkId([9; 32]), node(PEER)),
            Exit::Killed,
        );
        bench.down(Address::Stream(StreamId(1)), Exit::Normal)
    }),
    ("Cut Returned", |bench| {
        bench.tell(link_up(PEER, 1));
        let cut = peer_session::Input::Cut(Deny::Revoked);
        returned(bench, cut, ReturnReason::Busy)
    }),
    ("Link Returned", |bench| {
        bench.tell(link_up(PEER, 1));
        let (link, dialled) = (LinkId(2), true);
        let link = peer_session::Input::Link { link, dialled };
        returned(bench, link, ReturnReason::Busy)
    }),
    ("Late Link Returned", |bench| {
        bench.tell(link_up(PEER, 1));
        let (link, dialled) = (LinkId(2), true);
        let link = peer_session::Input::Link { link, dialled };
        let did = returned(bench, link, ReturnReason::NoActor);
        let rows = bench.rows;
        let next = bench.session_down(PEER, Exit::Normal);
        bench.rows = rows;
        match did.as_str() {
            "·" => format!("later {next}"),
            _ => did,
        }
    }),
    ("News Returned", |bench| {
        bench.tell(Input::Active { peer: node(PEER) });
        bench.tell(Input::Active { peer: node(4) });
        bench.tell(introduced(4, [advert(4, 1)]));
        let news = peer_session::Input::Introduce(List::truncated([advert(4, 1)]));
        let did = returned(bench, news, ReturnReason::Busy);
        then(bench, &did, after(1), "introduce")
    }),
    ("Dial Returned", |bench| {
        let (network, addrs) = (network(), addrs(OWNER));
        let peer = node(OWNER);
        let dial = transport::Command::Dial {
            network,
            peer,
            addrs,
        };
        let did = bench.returned(Letter::Transport(dial), ReturnReason::Busy);
        then(bench, &did, BACKOFF, "dial")
    }),
    ("Attach Returned", |bench| {
        let attach = transport::Command::Attach(network());
        let did = bench.returned(Letter::Transport(attach), ReturnReason::Busy);
        then(bench, &did, after(1), "watch, attach")
    }),
    ("Members Returned", |bench| {
        let member = gossip_store::Input::Member(node(PEER));
        let did = bench.returned(Letter::GossipStore(network(), member), ReturnReason::Busy);
        let greeting = match bench.roster.is_loading() {
            true => "watch",
            false => "watch, members",
        };
        then(bench, &did, after(1), greeting)
    }),
    ("Fact Returned", |bench| {
        let forget = observer::Input::Forget(observer::FactKey::Models);
        let did = bench.returned(Letter::Observer(forget), ReturnReason::Busy);
        bench.sent.clear();
        let did = then(bench, &did, after(1), "watch");
        let told = |effect: &Effect| matches!(effect, Effect::Tell(Letter::Observer(_)));
        assert!(bench.sent.iter().any(told), "the fact is told again");
        did
    }),
    ("Ask Returned", |bench| {
        let ask = inference_worker::Input::Attach(network());
        let did = bench.returned(Letter::Worker(DEVICE, ask), ReturnReason::Busy);
        then(bench, &did, after(1), "watch, ask")
    }),
    ("Commit Returned", commit_returned),
    ("Another Returned", others_return),
];

/// What was done, and whether a turn between these times does this, too.
fn then(bench: &mut Bench, did: &str, (from, to): (Micros, Micros), what: &str) -> String {
    let rows = bench.rows;
    bench.wait(from);
    let turns = bench.wait(Micros(to.0 - from.0));
    bench.rows = rows;
    let planned = turns.iter().any(|turn| turn.contains(what));
    match (did, planned) {
        (did, false) => did.to_owned(),
        ("·", true) => format!("later {what}"),
        (did, true) => format!("{did}, later {what}"),
    }
}

/// The moment this many seconds from now.
const fn after(seconds: u64) -> (Micros, Micros) {
    let span = Micros::from_secs(seconds);
    (Micros(span.0 - 1), span)
}

/// A neighbour is not there.
fn absent(bench: &mut Bench, who: Address, greeting: &str) -> String {
    let did = bench.down(who, Exit::NoActor);
    then(bench, &did, after(10), greeting)
}

/// A letter to a session comes back.
fn returned(bench: &mut Bench, input: peer_session::Input, why: ReturnReason) -> String {
    bench.returned(Letter::Session(network(), node(PEER), input), why)
}

/// What comes back and needs nothing.
fn others_return(bench: &mut Bench) -> String {
    let to_session = |input| Letter::Session(network(), node(PEER), input);
    let close = transport::Command::Close {
        link: LinkId(1),
        network: network(),
        why: Label::default(),
    };
    let busy = [
        to_session(peer_session::Input::Verdict(Verdict::Unknown)),
        to_session(peer_session::Input::Serves(Vec::new())),
        to_session(peer_session::Input::Load(Load::default())),
        to_session(peer_session::Input::Release),
        Letter::Transport(close),
        Letter::Store(store::Command::Load(store::Asker::Roster(network()))),
    ];
    let gone = [
        Letter::Observer(observer::Input::Forget(observer::FactKey::Models)),
        Letter::GossipStore(network(), gossip_store::Input::Members(Vec::new())),
        Letter::GossipStore(network(), gossip_store::Input::Member(node(PEER))),
        Letter::GossipStore(network(), gossip_store::Input::Stranger(node(PEER))),
        to_session(peer_session::Input::Cut(Deny::Revoked)),
        to_session(peer_session::Input::Introduce(List::new())),
        to_session(peer_session::Input::Revoke(revocation(100).into())),
        Letter::Transport(transport::Command::Attach(network())),
        Letter::Worker(DEVICE, inference_worker::Input::Attach(network())),
    ];
    let busy = busy.into_iter().map(|letter| (letter, ReturnReason::Busy));
    let gone = gone
        .into_iter()
        .map(|letter| (letter, ReturnReason::NoActor));
    let all: Vec<String> = busy
        .chain(gone)
        .map(|(letter, why)| {
            let did = bench.returned(letter, why);
            assert!(bench.rows.contains(&"Another Returned"));
            did
        })
        .filter(|did| did != "·")
        .collect();
    if all.is_empty() {
        "·".to_owned()
    } else {
        all.join(", ")
    }
}

/// A write comes back.
fn commit_returned(bench: &mut Bench) -> String {
    bench.sent.clear();
    bench.tell(Input::Revoked {
        from: node(4),
        record: revocation(100).into(),
    });
    let is_write = |effect: &Effect| word(effect) == Some("write");
    let write = bench.sent.iter().position(is_write).unwrap();
    let Effect::Tell(letter) = bench.sent.remove(write) else {
        unreachable!("a write is a letter")
    };
    let did = bench.returned(letter, ReturnReason::NoActor);
    then(bench, &did, after(5), "write")
}

/// The row of a new life.
const STARTED: &[&str] = &["Started"];
/// When a dial that came to nothing is tried again.
const BACKOFF: (Micros, Micros) = (Micros::from_millis(700), Micros::from_millis(1_300));
