//! A start that is refused changes nothing of the home that counts.

use super::*;
use crate::lookout::tests::Folder;
use driver_control::{Duties, Request, Response, ask};
use driver_http::Addresses;
use kernel::Restart;
use messages::observer::FactKey;
use messages::{Address, Branch, Seed};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use tokio::task::spawn_blocking;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

async fn answer(home: PathBuf, request: Request) -> Response {
    let asked = spawn_blocking(move || ask(&home, &request)).await;
    asked.unwrap().unwrap()
}

/// A ticket of the node that runs on this home.
async fn ticket(home: PathBuf) -> String {
    let (network, name, expires) = (None, String::new(), None);
    let request = Request::TicketNew {
        network,
        name,
        expires,
    };
    let answer = answer(home, request).await;
    let Response::Ticket(text) = answer else {
        panic!("{answer:?}")
    };
    text
}

/// How many networks the node that runs on this home is in.
async fn networks(home: PathBuf) -> usize {
    let answer = answer(home, Request::Status).await;
    let Response::Status(_, snapshot) = answer else {
        panic!("{answer:?}")
    };
    let keys = snapshot.facts.iter().map(|(key, _)| key);
    keys.filter(|key| matches!(key, FactKey::Network(_)))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_start_leaves_no_membership_behind() {
    let (inviter, folder) = (Folder::new("inviter"), Folder::new("refused"));
    let a = Node::start(inviter.config(ANY)).await.unwrap();
    let ticket = ticket(inviter.config(ANY).home).await;
    let with_ticket = || Config {
        join: vec![ticket.clone()],
        ..folder.config(ANY)
    };
    let home = with_ticket().home;
    let (api, peers) = (
        TcpListener::bind(ANY).unwrap(),
        UdpSocket::bind(ANY).unwrap(),
    );
    let refusals = [
        (
            "ticket",
            Config {
                join: vec![ticket.clone(), "hello".to_owned()],
                ..with_ticket()
            },
        ),
        (
            "--engine llama",
            Config {
                models: vec!["builtin".to_owned()],
                ..with_ticket()
            },
        ),
        (
            "--api",
            Config {
                api: api.local_addr().unwrap(),
                ..with_ticket()
            },
        ),
        (
            "--listen",
            Config {
                listen: vec![peers.local_addr().unwrap()],
                ..with_ticket()
            },
        ),
    ];
    for (part, config) in refusals {
        let refused = Node::start(config).await.unwrap_err().to_string();
        assert!(refused.contains(part), "{part}: {refused}");
        let database = Database::open(&Home::open(&home).unwrap()).unwrap();
        assert_eq!(database.memberships().unwrap(), Vec::new(), "{refused}");
    }
    let b = Node::start(with_ticket()).await.unwrap();
    assert_eq!(networks(home).await, 2, "its own and the joined one");
    b.stop().await;
    a.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_is_joined_is_remembered_and_has_its_records_before_its_roster() {
    let (inviter, folder) = (Folder::new("host"), Folder::new("guest"));
    let a = Node::start(inviter.config(ANY)).await.unwrap();
    let ticket = ticket(inviter.config(ANY).home).await;
    a.stop().await;
    let home = Home::open(&folder.config(ANY).home).unwrap();
    let database = Database::open(&home).unwrap();
    let duties = NodeDuties {
        me: NodeId([7; 32]),
        boot: 3,
        version: "0".to_owned(),
        devices: Vec::new(),
        neighbourhood: messages::Neighbourhood::DEFAULT,
        database: database.clone(),
        addresses: Addresses {
            api: ANY,
            console: ANY,
        },
        ready: Readiness::not_yet("never"),
        clock: Clock::start(),
        stop: Arc::default(),
    };
    assert!(duties.join("hello").is_err());
    assert_eq!(database.memberships().unwrap(), Vec::new());
    let (network, [records, roster]) = duties.join(&ticket).unwrap();
    let remembered = database.memberships().unwrap();
    assert_eq!(remembered.len(), 1);
    assert_eq!(remembered[0].network(), network);
    assert_eq!(records.at, Address::GossipStore(network));
    assert_eq!(roster.at, Address::Roster(network));
    for child in [&records, &roster] {
        assert_eq!(child.under, Branch::Network(network));
        assert_eq!(child.restart, Restart::Permanent);
    }
    let Seed::GossipStore(seed) = records.seed else {
        panic!("{:?}", records.seed)
    };
    assert_eq!((seed.network, seed.me), (network, duties.me));
    let Seed::Roster(seed) = roster.seed else {
        panic!("{:?}", roster.seed)
    };
    assert_eq!((seed.network, seed.me), (network, duties.me));
}
