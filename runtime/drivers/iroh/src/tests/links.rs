//! Links and control streams between two drivers.

use super::world::{Event, NETWORK, Node, OTHER, close, connect, greet, hello, id_of, pair, raw};
use messages::peer_session::{Input, LinkLoss};
use messages::ports::transport::{Command, DialError, PathKind};
use messages::wire::latest::{ControlFrame, Deny};
use messages::{Address, Label, Letter, LinkId, List, roster};
use std::net::SocketAddr;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_dialled_link_carries_frames_both_ways_in_order() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    let (link_a, link_b) = pair(&mut a, &mut b).await;
    for n in 0..500 {
        a.send(link_a, NETWORK, ControlFrame::Ping(n));
        b.send(link_b, NETWORK, ControlFrame::Pong(n));
    }
    for n in 0..500 {
        assert_eq!(b.frame().await, ControlFrame::Ping(n));
        assert_eq!(a.frame().await, ControlFrame::Pong(n));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bound_address_is_the_real_one() {
    let a = Node::start(1).await;
    assert!(a.addr.ip().is_loopback());
    assert_ne!(a.addr.port(), 0);
    assert_eq!(a.keepsake.bound().unwrap(), [a.addr]);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_wait_until_the_session_spoke() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    a.dial(NETWORK, &b);
    let (_, link_a, _) = a.link_up(NETWORK).await;
    for n in 0..50 {
        a.send(link_a, NETWORK, ControlFrame::Ping(n));
    }
    let (_, link_b, _) = b.link_up(NETWORK).await;
    // The session starts late, as a roster that is busy would start it.
    tokio::time::sleep(Duration::from_millis(100)).await;
    b.probe(Address::Session(NETWORK, a.id)).await;
    b.send(link_b, NETWORK, hello(2));
    for n in 0..50 {
        assert_eq!(b.frame().await, ControlFrame::Ping(n));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_network_shares_the_link_and_both_sides_may_speak_first() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    let (link_a, link_b) = pair(&mut a, &mut b).await;
    for node in [&mut a, &mut b] {
        node.probe(Address::Roster(OTHER)).await;
        node.command(Command::Attach(OTHER));
    }
    a.dial(OTHER, &b);
    b.dial(OTHER, &a);
    assert_eq!(a.link_up(OTHER).await, (b.id, link_a, true));
    assert_eq!(b.link_up(OTHER).await, (a.id, link_b, false));
    a.probe(Address::Session(OTHER, b.id)).await;
    b.probe(Address::Session(OTHER, a.id)).await;
    a.send(link_a, OTHER, hello(1));
    b.send(link_b, OTHER, hello(2));
    for n in 0..100 {
        a.send(link_a, OTHER, ControlFrame::Ping(n));
        b.send(link_b, OTHER, ControlFrame::Ping(n));
    }
    assert_eq!(a.frame().await, hello(2));
    assert_eq!(b.frame().await, hello(1));
    for n in 0..100 {
        assert_eq!(a.frame().await, ControlFrame::Ping(n));
        assert_eq!(b.frame().await, ControlFrame::Ping(n));
    }
    // The end of one session leaves the other's frames flowing.
    a.command(close(link_a, OTHER));
    assert_eq!(
        a.session("its own end").await,
        down(link_a, LinkLoss::ClosedHere)
    );
    assert_eq!(
        b.session("the peer's end").await,
        down(link_b, LinkLoss::ClosedByPeer)
    );
    a.send(link_a, NETWORK, ControlFrame::Ping(9));
    assert_eq!(b.frame().await, ControlFrame::Ping(9));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_before_a_close_arrives() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    let (link_a, link_b) = half_greet(&mut a, &mut b).await;
    say(&a, link_a, MUCH);
    a.command(close(link_a, NETWORK));
    tokio::time::sleep(HASTE).await;
    b.send(link_b, NETWORK, hello(2));
    hear(&mut b, MUCH).await;
    assert_eq!(
        b.session("the end").await,
        down(link_b, LinkLoss::ClosedByPeer)
    );
    let end = a.expect("the end", |event| match event {
        Event::Letter(Letter::Session(_, _, input @ Input::LinkDown { .. })) => Some(input.clone()),
        _ => None,
    });
    assert_eq!(end.await, down(link_a, LinkLoss::ClosedHere));
    a.send(link_a, NETWORK, ControlFrame::Ping(0));
    let answer = a.expect("an answer", |event| match event {
        Event::Letter(Letter::Session(_, _, input @ Input::LinkDown { .. })) => Some(input.clone()),
        _ => None,
    });
    assert_eq!(answer.await, down(link_a, LinkLoss::Reset));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrived_before_a_link_went_is_told_before_its_end() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    let (link_a, link_b) = half_greet(&mut a, &mut b).await;
    say(&a, link_a, 100);
    a.command(close(link_a, NETWORK));
    assert_eq!(
        a.session("the end").await,
        down(link_a, LinkLoss::ClosedHere)
    );
    b.send(link_b, NETWORK, hello(2));
    hear(&mut b, 100).await;
    assert_eq!(
        b.session("the end").await,
        down(link_b, LinkLoss::ClosedByPeer)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_says_all_that_it_had_to_say() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    let (link_a, link_b) = half_greet(&mut a, &mut b).await;
    say(&a, link_a, MUCH);
    let speak = async {
        tokio::time::sleep(HASTE).await;
        b.send(link_b, NETWORK, hello(2));
    };
    tokio::join!(a.hive.stop(), speak);
    hear(&mut b, MUCH).await;
    assert_eq!(
        b.session("the end").await,
        down(link_b, LinkLoss::ClosedByPeer)
    );
}

/// Two nodes of which the dialler may speak, and the other has not spoken yet: it takes no more
/// than a stream's window holds.
async fn half_greet(a: &mut Node, b: &mut Node) -> (LinkId, LinkId) {
    a.dial(NETWORK, b);
    let (_, link_a, _) = a.link_up(NETWORK).await;
    a.probe(Address::Session(NETWORK, b.id)).await;
    b.probe(Address::Session(NETWORK, a.id)).await;
    a.send(link_a, NETWORK, wordy());
    let (_, link_b, _) = b.link_up(NETWORK).await;
    (link_a, link_b)
}

/// Long enough for a close that waits for nothing to be over.
const HASTE: Duration = Duration::from_millis(200);
/// More than a stream's window holds, and less than a queue.
const MUCH: usize = 1_200;

fn wordy() -> ControlFrame {
    ControlFrame::Deny(Deny::Protocol(Label::truncated(&"so ".repeat(85))))
}

/// One wordy frame was the greeting.
fn say(node: &Node, link: LinkId, frames: usize) {
    for _ in 1..frames {
        node.send(link, NETWORK, wordy());
    }
}

async fn hear(node: &mut Node, frames: usize) {
    for _ in 0..frames {
        assert_eq!(node.frame().await, wordy());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_transport_keeps_its_port_and_disowns_old_links() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    let (link_a, link_b) = pair(&mut a, &mut b).await;
    assert!(a.hive.directory().kill(Address::Transport));
    let lost = b.session("the end").await;
    assert!(
        matches!(lost, Input::LinkDown { link, .. } if link == link_b),
        "{lost:?}"
    );
    a.command(Command::Attach(NETWORK));
    let addr = a.addr;
    a.expect("the same address", |event| match event {
        Event::Letter(Letter::Roster(_, roster::Input::Bound(addrs))) => {
            assert_eq!(addrs[..], [addr]);
            Some(())
        }
        _ => None,
    })
    .await;
    a.send(link_a, NETWORK, ControlFrame::Ping(1));
    assert_eq!(a.session("an answer").await, down(link_a, LinkLoss::Reset));
    b.dial(NETWORK, &a);
    let (_, again, _) = b.link_up(NETWORK).await;
    assert!(again > link_b);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_vanishes_is_lost_after_the_idle_time() {
    let mut b = Node::with(2, |config| {
        config.idle_timeout = Duration::from_secs(1);
        config.keep_alive = Duration::from_millis(300);
    })
    .await;
    let vanishing = tokio::runtime::Runtime::new().unwrap();
    let (id, addr) = (b.id, b.addr);
    b.command(Command::Attach(NETWORK));
    let peer = vanishing
        .spawn(async move {
            let endpoint = raw(9, messages::wire::latest::ALPN).await;
            let addr = iroh::EndpointAddr::new(iroh::EndpointId::from_bytes(&id.0).unwrap())
                .with_ip_addr(addr);
            let conn = endpoint
                .connect(addr, messages::wire::latest::ALPN)
                .await
                .unwrap();
            let streams = super::hostile::control_stream(&conn, NETWORK).await;
            // Nobody is left to say goodbye.
            std::mem::forget((endpoint, conn, streams));
        })
        .await;
    peer.unwrap();
    let (peer, link, _) = b.link_up(NETWORK).await;
    assert_eq!(peer, id_of(9));
    b.probe(Address::Session(NETWORK, peer)).await;
    b.send(link, NETWORK, hello(2));
    vanishing.shutdown_background();
    assert_eq!(b.session("the end").await, down(link, LinkLoss::TimedOut));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_dial_says_why() {
    let mut a = Node::start(1).await;
    let b = Node::start(2).await;
    let foreign = raw(3, b"another protocol").await;
    let foreign_addr = foreign.bound_sockets()[0];
    let mut answering = tokio::task::JoinSet::new();
    answering.spawn(async move {
        while let Some(incoming) = foreign.accept().await {
            let _ = incoming.await;
        }
    });
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let dials: [(u8, &[SocketAddr], DialError); 5] = [
        (1, &[a.addr], DialError::WrongPeer),
        (5, &[], DialError::NoAddress),
        (5, &[b.addr], DialError::WrongPeer),
        (3, &[foreign_addr], DialError::Refused),
        // Another one than above: the endpoint remembers where a node was called before.
        (6, &[silent.local_addr().unwrap()], DialError::TimedOut),
    ];
    for (secret, addrs, expected) in dials {
        let (peer, addrs) = (id_of(secret), List::truncated(addrs.iter().copied()));
        a.command(Command::Dial {
            network: NETWORK,
            peer,
            addrs,
        });
        let why = a
            .expect("DialFailed", |event| match event {
                Event::Letter(Letter::Roster(_, roster::Input::DialFailed { why, .. })) => {
                    Some(why.clone())
                }
                _ => None,
            })
            .await;
        assert_eq!(why, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_learns_its_path() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    pair(&mut a, &mut b).await;
    let addr = b.addr;
    let path = a
        .expect("a path", |event| match event {
            Event::Letter(Letter::Session(_, _, Input::Path { path, .. })) => Some(*path),
            _ => None,
        })
        .await;
    assert_eq!((path.kind, path.addr), (PathKind::Direct, Some(addr)));
    assert!(path.rtt.0 > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_nobody_speaks_for_is_closed() {
    let mut b = Node::start(2).await;
    let endpoint = raw(9, messages::wire::latest::ALPN).await;
    let conn = connect(&endpoint, &b).await;
    let _streams = super::hostile::control_stream(&conn, NETWORK).await;
    let (peer, link, _) = b.link_up(NETWORK).await;
    b.send(link, NETWORK, hello(2));
    // No session probe lives there: the first frame that comes in comes back.
    let (mut send, _recv) = super::hostile::control_stream(&conn, NETWORK).await;
    send.write_all(&super::hostile::bytes(&ControlFrame::Ping(1)))
        .await
        .unwrap();
    let (_, again, _) = b.link_up(NETWORK).await;
    assert_eq!(again, link);
    b.send(link, NETWORK, hello(2));
    conn.closed().await;
    assert!(
        !b.saw(|event| matches!(event, Event::Letter(Letter::Session(_, of, _)) if *of == peer))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_a_network_ends_its_sessions() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    let (link_a, link_b) = greet(&mut a, &mut b).await;
    a.command(Command::Detach(NETWORK));
    assert_eq!(
        a.session("the end").await,
        down(link_a, LinkLoss::ClosedHere)
    );
    assert_eq!(
        b.session("the end").await,
        down(link_b, LinkLoss::ClosedByPeer)
    );
}

fn down(link: LinkId, why: LinkLoss) -> Input {
    Input::LinkDown { link, why }
}
