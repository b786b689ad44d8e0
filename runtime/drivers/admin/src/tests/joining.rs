//! A running node that joins a network: all of its actors begin, and begin anew.

use super::folder;
use crate::{About, ControlConfig, ControlSocket, Duties, Request, Response, Socket, ask};
use host::{Driver, DriverFactory, Hive, HiveConfig, Port};
use kernel::{Child, Failure, Incarnation, Restart, Signal, Signer, Turn};
use messages::{Address, Branch, NetworkId, NodeId, Seed, Signature};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

const OWN: NetworkId = NetworkId([1; 32]);
const OTHER: NetworkId = NetworkId([2; 32]);
const ACTORS: [Address; 2] = [Address::GossipStore(OTHER), Address::Roster(OTHER)];

type Begun = (Address, Incarnation);

fn child(at: Address) -> Child {
    Child {
        at,
        seed: Seed::Driver,
        under: Branch::Network(OTHER),
        restart: Restart::Permanent,
    }
}

/// A node that knows one ticket.
struct OneTicket;

impl Duties for OneTicket {
    fn about(&self) -> About {
        unreachable!("nobody asks for the status")
    }
    fn join(&self, ticket: &str) -> Result<(NetworkId, [Child; 2]), String> {
        match ticket {
            "good" => Ok((OTHER, ACTORS.map(child))),
            _ => Err("no ticket".to_owned()),
        }
    }
    fn stop(&self) {}
}

/// Tells that it begins.
struct Probe(Address, mpsc::UnboundedSender<Begun>);

impl Driver for Probe {
    fn turn(&mut self, turn: Turn) -> Result<(), Failure> {
        if let Turn::Signal(Signal::Started(life)) = turn {
            let _ = self.1.send((self.0, life));
        }
        Ok(())
    }
}

struct Factory(ControlConfig, mpsc::UnboundedSender<Begun>);

impl DriverFactory for Factory {
    fn build(&self, child: &Child, port: Port) -> Result<Box<dyn Driver>, String> {
        Ok(match child.at == Address::Control {
            true => Box::new(ControlSocket::new(self.0.clone(), port)),
            false => Box::new(Probe(child.at, self.1.clone())),
        })
    }
}

#[derive(Debug)]
struct NoSigner;

impl Signer for NoSigner {
    fn node(&self) -> NodeId {
        NodeId([0; 32])
    }
    fn sign(&self, _bytes: &[u8]) -> Signature {
        Signature::from_bytes(&[0; 64])
    }
}

async fn hive(home: &Path) -> (Hive, mpsc::UnboundedReceiver<Begun>) {
    let (tell, begun) = mpsc::unbounded_channel();
    let control = ControlConfig {
        socket: Arc::new(Socket::bind(home, home).unwrap()),
        network: OWN,
        duties: Arc::new(OneTicket),
    };
    let config = HiveConfig {
        boot: 1,
        entropy_seed: [1; 32],
        signer: Arc::new(NoSigner),
        drivers: Arc::new(Factory(control, tell)),
    };
    let control = Child {
        under: Branch::Gateway,
        ..child(Address::Control)
    };
    let hive = Hive::start(config, vec![control]).await.unwrap();
    (hive, begun)
}

async fn join(home: PathBuf, ticket: &str) -> Response {
    let ticket = ticket.to_owned();
    let asked = spawn_blocking(move || ask(&home, &Request::Join { ticket })).await;
    asked.unwrap().unwrap()
}

/// The lives of both actors that begin next, in the order of their addresses.
async fn both(begun: &mut mpsc::UnboundedReceiver<Begun>) -> [Incarnation; 2] {
    let mut lives = Vec::new();
    for _ in ACTORS {
        let next = timeout(Duration::from_secs(20), begun.recv()).await;
        lives.push(next.unwrap().unwrap());
    }
    ACTORS.map(|at| {
        let found = lives.iter().find(|(who, _)| *who == at);
        found.expect("both begin, once each").1
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_joined_has_both_its_actors_and_new_ones_when_joined_again() {
    let home = folder("joining");
    let (hive, mut begun) = hive(&home).await;
    let refused = join(home.clone(), "bad").await;
    assert_eq!(refused, Response::Refused("no ticket".to_owned()));
    assert_eq!(join(home.clone(), "good").await, Response::Joined(OTHER));
    let first = both(&mut begun).await;
    assert_eq!(join(home.clone(), "good").await, Response::Joined(OTHER));
    let second = both(&mut begun).await;
    for (first, second) in first.into_iter().zip(second) {
        assert!(first.n < second.n, "a life of its own");
    }
    assert!(begun.try_recv().is_err(), "and no more");
    hive.stop().await;
}
