//! Real actors: what the switchboard decides is what happens.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names the one thing it waits for"
)]

use crate::{Driver, DriverFactory, Hive, HiveConfig, Leaf, LeafPort, Port};
use kernel::{
    Child, Effect, Exit, Failure, Mail, Restart, ReturnReason, Signal, Signer, Source, Turn,
};
use messages::ports::{control, store, stream};
use messages::{
    Address, Branch, Letter, NetworkId, NodeId, QueryId, Refusal, Seed, Signature, StreamId, Token,
};
use std::collections::BTreeSet;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longer than any of this takes, on any machine.
const WAIT: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct NoKey;

impl Signer for NoKey {
    fn node(&self) -> NodeId {
        NodeId([0; 32])
    }
    fn sign(&self, _bytes: &[u8]) -> Signature {
        Signature::from_bytes(&[0; 64])
    }
}

/// What probes report.
type Seen = (Address, Turn);
type Act = Box<dyn Fn(&Port, &Turn) -> Result<(), Failure> + Send + Sync>;

/// Builds drivers that report every turn and do what the test says.
struct Probes {
    seen: Mutex<Sender<Seen>>,
    act: Arc<Act>,
    ports: Mutex<Vec<Port>>,
}

struct Probe {
    seen: Sender<Seen>,
    act: Arc<Act>,
    port: Port,
}

impl DriverFactory for Probes {
    fn build(&self, _child: &Child, port: Port) -> Result<Box<dyn Driver>, String> {
        self.ports.lock().unwrap().push(port.clone());
        let seen = self.seen.lock().unwrap().clone();
        Ok(Box::new(Probe {
            seen,
            act: Arc::clone(&self.act),
            port,
        }))
    }
}

impl Driver for Probe {
    fn turn(&mut self, turn: Turn) -> Result<(), Failure> {
        let result = (self.act)(&self.port, &turn);
        // The test may be over.
        let _ = self.seen.send((self.port.address(), turn));
        result
    }
}

struct Bench {
    hive: Hive,
    seen: Receiver<Seen>,
    probes: Arc<Probes>,
}

impl Bench {
    async fn start(addresses: &[Address], act: Act) -> Self {
        let (sender, seen) = mpsc::channel();
        let probes = Arc::new(Probes {
            seen: Mutex::new(sender),
            act: Arc::new(act),
            ports: Mutex::default(),
        });
        let config = HiveConfig {
            boot: 7,
            entropy_seed: [1; 32],
            signer: Arc::new(NoKey),
            drivers: Arc::clone(&probes) as _,
        };
        let children = addresses
            .iter()
            .map(|at| child(*at, Restart::Permanent))
            .collect();
        let hive = Hive::start(config, children).await.unwrap();
        Self { hive, seen, probes }
    }

    /// The next turn of this address that is of interest.
    fn next<T>(&self, at: Address, mut wanted: impl FnMut(Turn) -> Option<T>) -> T {
        loop {
            let (who, turn) = self.seen.recv_timeout(WAIT).expect("a turn in time");
            if who == at
                && let Some(found) = wanted(turn)
            {
                return found;
            }
        }
    }

    fn started(&self, at: Address) {
        self.next(at, |turn| {
            matches!(turn, Turn::Signal(Signal::Started(_))).then_some(())
        });
    }

    /// These have started, in any order.
    fn all_started<const N: usize>(&self, addresses: [Address; N]) {
        let mut waiting = BTreeSet::from(addresses);
        while !waiting.is_empty() {
            let (who, turn) = self.seen.recv_timeout(WAIT).expect("a turn in time");
            if matches!(turn, Turn::Signal(Signal::Started(_))) {
                waiting.remove(&who);
            }
        }
    }

    fn port(&self, at: Address) -> Port {
        let ports = self.probes.ports.lock().unwrap();
        ports
            .iter()
            .rev()
            .find(|port| port.address() == at)
            .expect("a port")
            .clone()
    }
}

fn child(at: Address, restart: Restart) -> Child {
    Child {
        at,
        seed: Seed::Driver,
        under: Branch::Gateway,
        restart,
    }
}

fn idle() -> Act {
    Box::new(|_, _| Ok(()))
}

fn numbered(n: u64) -> Letter {
    let command = store::Command::Commit {
        asker: store::Asker::Roster(NetworkId([0; 32])),
        token: Token(n),
        writes: Vec::new(),
    };
    Letter::Store(command)
}

fn number(turn: &Turn) -> Option<u64> {
    match turn {
        Turn::Letter(Letter::Store(store::Command::Commit { token, .. })) => Some(token.0),
        _ => None,
    }
}

fn data(bytes: usize) -> Letter {
    let text = messages::Text::from("x".repeat(bytes).as_str());
    let request = messages::RequestId { boot: 1, n: 1 };
    Letter::Gateway(messages::ports::gateway::Command::Delta {
        request,
        offset: 0,
        text,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_of_one_sender_arrive_in_order() {
    let bench = Bench::start(&[Address::Store, Address::Control], idle()).await;
    bench.started(Address::Control);
    let port = bench.port(Address::Control);
    for n in 0..1_000 {
        port.tell(numbered(n));
    }
    for n in 0..1_000 {
        assert_eq!(bench.next(Address::Store, |turn| number(&turn)), n);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_for_nobody_comes_back() {
    let bench = Bench::start(&[Address::Control], idle()).await;
    bench.started(Address::Control);
    bench.port(Address::Control).tell(numbered(1));
    let why = bench.next(Address::Control, |turn| match turn {
        Turn::Signal(Signal::Returned { why, .. }) => Some(why),
        _ => None,
    });
    assert_eq!(why, ReturnReason::NoActor);
}

/// Fails at the letter 666, panics at 667.
fn fragile() -> Act {
    Box::new(|_, turn| match number(turn) {
        Some(666) => Err(Failure("an invariant is broken".to_owned())),
        Some(667) => panic!("{}", "what a user wrote ".repeat(100)),
        Some(668) => Err(Failure("é".repeat(10_000))),
        _ => Ok(()),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_actor_is_restarted_and_gets_what_waited() {
    for (fatal, expected) in [(666, Exit::Failed("an invariant is broken".to_owned()))] {
        let bench = Bench::start(&[Address::Store, Address::Control], fragile()).await;
        bench.started(Address::Control);
        let port = bench.port(Address::Control);
        port.post(vec![Effect::Watch(Address::Store)]);
        port.tell(numbered(fatal));
        let why = bench.next(Address::Control, |turn| match turn {
            Turn::Signal(Signal::Down {
                who: Address::Store,
                why,
                ..
            }) => Some(why),
            _ => None,
        });
        assert_eq!(why, expected);
        for n in 0..10 {
            port.tell(numbered(n));
        }
        bench.started(Address::Store);
        for n in 0..10 {
            assert_eq!(bench.next(Address::Store, |turn| number(&turn)), n);
        }
    }
}

/// How the store ends at this letter, as whoever watches it learns it.
async fn end_at(fatal: u64) -> Exit {
    let bench = Bench::start(&[Address::Store, Address::Control], fragile()).await;
    bench.started(Address::Control);
    let port = bench.port(Address::Control);
    port.post(vec![Effect::Watch(Address::Store)]);
    port.tell(numbered(fatal));
    bench.next(Address::Control, |turn| match turn {
        Turn::Signal(Signal::Down {
            who: Address::Store,
            why,
            ..
        }) => Some(why),
        _ => None,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_panic_its_place_is_kept_and_never_its_text() {
    let Exit::Panicked(place) = end_at(667).await else {
        panic!("no panic")
    };
    assert!(
        place.starts_with("at runtime/host/src/tests.rs:"),
        "{place}"
    );
    assert!(!place.contains("user"), "{place}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failures_sentence_is_bounded() {
    assert_eq!(end_at(668).await, Exit::Failed("é".repeat(128)));
}

#[test]
fn a_panic_in_a_turn_prints_nothing_and_one_outside_is_anybodys() {
    use crate::panics::{guard, put_before};
    use std::panic::catch_unwind;
    let (said, heard) = mpsc::channel();
    let said = Mutex::new(said);
    assert!(guard(|| ()).is_ok());
    put_before(Box::new(move |panic| {
        let line = panic.location().map(std::panic::Location::line);
        // The test may be over.
        let _ = said.lock().unwrap().send(line);
    }));
    let place = guard(|| ["a", "b"][guard_index()].len()).unwrap_err();
    assert!(
        place.starts_with("at runtime/host/src/tests.rs:"),
        "{place}"
    );
    assert!(heard.try_recv().is_err(), "the process's hook was asked");
    assert!(catch_unwind(|| panic!("outside")).is_err());
    assert!(heard.try_recv().is_ok(), "the process's hook was not asked");
}

/// An index that the compiler does not know.
fn guard_index() -> usize {
    std::env::args().count() + 2
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_actor_is_restarted_and_lives_are_greater() {
    let bench = Bench::start(&[Address::Store], idle()).await;
    let life = |turn| match turn {
        Turn::Signal(Signal::Started(life)) => Some(life),
        _ => None,
    };
    let first = bench.next(Address::Store, life);
    assert_eq!(first.boot, 7);
    assert!(bench.hive.directory().kill(Address::Store));
    let second = bench.next(Address::Store, life);
    assert!(second > first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_beyond_the_mailbox_comes_back_as_busy_and_control_still_enters() {
    let (block, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let act: Act = Box::new(move |port, turn| {
        if port.address() == Address::Gateway && matches!(turn, Turn::Letter(_)) {
            // Until the test lets go.
            let _ = gate.lock().unwrap().recv();
        }
        Ok(())
    });
    let bench = Bench::start(&[Address::Gateway, Address::Control], act).await;
    bench.started(Address::Control);
    let port = bench.port(Address::Control);
    let limit = kernel::limits_of(Address::Gateway).letters;
    for _ in 0..=limit + 1 {
        port.tell(data(10));
    }
    let why = bench.next(Address::Control, |turn| match turn {
        Turn::Signal(Signal::Returned { why, .. }) => Some(why),
        _ => None,
    });
    assert_eq!(why, ReturnReason::Busy);
    let depth = bench.hive.directory().depth(Address::Gateway).unwrap();
    assert!(depth.letters <= limit + 1, "{depth:?}");
    assert!(
        port.offer(data(10)).is_err(),
        "what finds no room is known at once"
    );
    let command = messages::ports::gateway::Command::Failed {
        request: messages::RequestId { boot: 1, n: 1 },
        why: messages::request_proxy::Failure::Internal,
    };
    port.tell(Letter::Gateway(command));
    let deeper = bench.hive.directory().depth(Address::Gateway).unwrap();
    assert!(deeper.letters > depth.letters || deeper.letters == limit + 1);
    drop(block);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_actor_that_spends_its_restarts_is_parked_and_says_so() {
    let bench = Bench::start(&[Address::Store, Address::Control], fragile()).await;
    bench.all_started([Address::Store, Address::Control]);
    let port = bench.port(Address::Control);
    for _ in 0..13 {
        port.tell(numbered(666));
        bench.started(Address::Store);
    }
    port.tell(numbered(666));
    port.post(vec![Effect::Watch(Address::Store)]);
    loop {
        let gone = bench.next(Address::Control, |turn| match turn {
            Turn::Signal(Signal::Down { why, .. }) => Some(why),
            _ => None,
        });
        if matches!(gone, Exit::StartFailed(_)) {
            break;
        }
        port.post(vec![Effect::Watch(Address::Store)]);
    }
    port.tell(numbered(1));
    let why = bench.next(Address::Control, |turn| match turn {
        Turn::Signal(Signal::Returned { why, .. }) => Some(why),
        _ => None,
    });
    assert_eq!(why, ReturnReason::StartFailed);
}

struct Slot(Mutex<Sender<Mail>>);

impl Leaf for Slot {
    fn offer(&self, mail: Mail) -> Result<(), Box<Letter>> {
        if let Mail::Letter(letter @ Letter::Stream(_, stream::Command::Refuse(_))) = mail {
            return Err(Box::new(letter));
        }
        self.0.lock().unwrap().send(mail).unwrap();
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaf_takes_letters_watches_and_goes_down_with_its_port() {
    let bench = Bench::start(&[Address::Control], idle()).await;
    bench.started(Address::Control);
    let port = bench.port(Address::Control);
    let at = StreamId(3);
    let (sender, mail) = mpsc::channel();
    let leaf: LeafPort = port.leaf(Address::Stream(at), Arc::new(Slot(Mutex::new(sender))));
    port.post(vec![Effect::Watch(Address::Stream(at))]);
    port.tell(Letter::Stream(at, stream::Command::Cancel));
    assert!(matches!(mail.recv_timeout(WAIT), Ok(Mail::Letter(_))));
    port.tell(Letter::Stream(
        at,
        stream::Command::Refuse(Refusal::NoModel),
    ));
    bench.next(Address::Control, |turn| {
        matches!(
            turn,
            Turn::Signal(Signal::Returned {
                why: ReturnReason::Busy,
                ..
            })
        )
        .then_some(())
    });
    leaf.watch(Address::Store);
    let down = mail.recv_timeout(WAIT);
    assert!(matches!(
        down,
        Ok(Mail::Signal(Signal::Down {
            why: Exit::NoActor,
            ..
        }))
    ));
    drop(leaf);
    bench.next(Address::Control, |turn| {
        matches!(
            turn,
            Turn::Signal(Signal::Down {
                who: Address::Stream(_),
                ..
            })
        )
        .then_some(())
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_stop_takes_what_waits_and_ends_every_actor() {
    let bench = Bench::start(&[Address::Store, Address::Control], idle()).await;
    // In either order.
    let mut unborn = BTreeSet::from([Address::Control, Address::Store]);
    while !unborn.is_empty() {
        let (who, _) = bench.seen.recv_timeout(WAIT).expect("a turn in time");
        unborn.remove(&who);
    }
    let directory = Arc::clone(bench.hive.directory());
    for n in 0..100 {
        directory.send(Source::World, numbered(n));
    }
    let Bench { hive, seen, .. } = bench;
    hive.stop().await;
    let taken = seen
        .try_iter()
        .filter_map(|(_, turn)| number(&turn))
        .count();
    assert_eq!(taken, 100);
    assert_eq!(directory.addresses(), Vec::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_driver_can_end_its_own_life_from_a_task() {
    let bench = Bench::start(&[Address::Store], idle()).await;
    bench.started(Address::Store);
    bench
        .port(Address::Store)
        .fail("the disk is gone".to_owned());
    bench.started(Address::Store);
}

/// The control socket's answers are letters like any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_to_the_observer_is_answered() {
    let bench = Bench::start(&[Address::Control], idle()).await;
    bench.started(Address::Control);
    let observer = Child {
        at: Address::Observer,
        seed: Seed::Observer,
        under: Branch::Node,
        restart: Restart::Permanent,
    };
    bench.hive.start_child(observer);
    let query = messages::observer::Input::Query {
        query: QueryId(5),
        asker: messages::observer::Asker::Control,
    };
    bench.port(Address::Control).tell(Letter::Observer(query));
    let answered = bench.next(Address::Control, |turn| match turn {
        Turn::Letter(Letter::Control(control::Command::Answer { query, .. })) => Some(query),
        _ => None,
    });
    assert_eq!(answered, QueryId(5));
}
