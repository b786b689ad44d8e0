//! What a node says of its readiness: the decision alone, then a whole node.

use super::*;
use crate::{Config, Engine, Node};
use messages::observer::NetworkFact;
use messages::{Label, List, NetworkId, NodeId};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};

/// Longer than any of this takes, on any machine.
const WAIT: Duration = Duration::from_secs(60);
/// Between looks of a test.
const PAUSE: Duration = Duration::from_millis(10);

const ROSTER: Address = Address::Roster(NetworkId([1; 32]));

#[test]
fn a_node_is_ready_when_all_is_up_and_every_network_listens() {
    let down = [Address::Router, Address::Store];
    for (missing, was_ready, listens, expected) in [
        (
            &down[..0],
            false,
            false,
            Err("no address to listen on was found"),
        ),
        (&down[..0], false, true, Ok(())),
        (&down[..0], true, false, Ok(())),
        (&down[..1], false, true, Err("not running: router")),
        (&down[..1], true, true, Err("not running: router")),
        (&down[..2], true, true, Err("not running: router, store")),
    ] {
        let verdict = judge(missing, was_ready, listens);
        let expected = expected.map_err(str::to_owned);
        assert_eq!(verdict, expected, "{missing:?} {was_ready} {listens}");
    }
}

#[test]
fn every_network_must_say_where_it_listens() {
    let fact = |id: u8, addrs: &[SocketAddr]| {
        let fact = NetworkFact {
            label: Label::default(),
            owner: NodeId([0; 32]),
            members: 1,
            active: 0,
            addrs: List::truncated(addrs.iter().copied()),
            refused: None,
            unreached: List::new(),
        };
        (FactKey::Network(NetworkId([id; 32])), Fact::Network(fact))
    };
    let here = [SocketAddr::from((Ipv4Addr::LOCALHOST, 1))];
    let snapshot = |facts: Vec<(FactKey, Fact)>| Snapshot {
        facts,
        ..Snapshot::default()
    };
    let expected = [Address::Store, ROSTER, Address::Roster(NetworkId([2; 32]))];
    let listen = |facts| all_listen(&expected, &snapshot(facts));
    assert!(listen(vec![fact(1, &here), fact(2, &here)]));
    assert!(!listen(vec![fact(1, &here), fact(2, &[])]));
    assert!(!listen(vec![fact(1, &here)]));
    assert!(!listen(Vec::new()));
    assert!(all_listen(&expected[..1], &snapshot(Vec::new())));
}

/// A node's folder, gone with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let mark = format!("mesh-ready-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(mark);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn config(&self, listen: SocketAddr) -> Config {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Config {
            home: self.0.join("home"),
            runtime: self.0.clone(),
            api: any,
            console: any,
            listen: vec![listen],
            models: vec!["scripted".to_owned()],
            engine: Engine::Scripted { rate: 0 },
            neighbourhood: messages::Neighbourhood::DEFAULT,
            join: Vec::new(),
            api_key: None,
            engine_command: Vec::new(),
            version: "0".to_owned(),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What `/readyz` answers, head and body.
async fn readyz(at: SocketAddr) -> String {
    let asked = spawn_blocking(move || {
        let mut stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(WAIT)).unwrap();
        let ask = format!("GET /readyz HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n");
        stream.write_all(ask.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    asked.await.unwrap()
}

/// Does something until `/readyz` answers with this status, and says what else it says.
async fn until(node: &Node, status: &str, mut meanwhile: impl FnMut()) -> String {
    let answers = async {
        loop {
            let answer = readyz(node.addresses().api).await;
            if answer.starts_with(&format!("HTTP/1.1 {status}")) {
                return answer;
            }
            meanwhile();
            tokio::time::sleep(PAUSE).await;
        }
    };
    let found = tokio::time::timeout(WAIT, answers).await;
    found.unwrap_or_else(|_| panic!("no {status}: {:?}", node.why_not_ready()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_actor_stays_down_says_so_until_it_is_back() {
    let folder = Folder::new("down");
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let node = Node::start(folder.config(any)).await.unwrap();
    assert_eq!(node.why_not_ready(), None);
    until(&node, "200", || ()).await;
    let roster = node.directory().addresses();
    let roster = roster
        .into_iter()
        .find(|who| matches!(who, Address::Roster(_)));
    let roster = roster.unwrap();
    // It dies as soon as it lives, so its supervisor waits longer each time.
    let answer = until(&node, "503", || {
        node.directory().kill(roster);
    })
    .await;
    assert!(
        answer.contains(&format!("not running: {roster}")),
        "{answer}"
    );
    until(&node, "200", || ()).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_does_not_start_where_it_cannot_listen() {
    let folder = Folder::new("taken");
    let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = taken.local_addr().unwrap();
    let refused = Node::start(folder.config(at)).await.unwrap_err();
    assert!(refused.to_string().contains(&at.to_string()), "{refused}");
}
