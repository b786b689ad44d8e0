//! Peers that speak QUIC and mean no good.

use super::world::{Event, NETWORK, Node, OTHER, connect, hello, pair, raw, raw_at};
use iroh::endpoint::{Connection, RecvStream, SendStream};
use messages::peer_session::Input;
use messages::wire::latest::{
    ALPN, ControlFrame, EXPORTER_LABEL, Frame, Preface, Purpose, network_tag,
};
use messages::{Address, Letter, LinkId, NetworkId};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::timeout;

pub(super) async fn stream(
    conn: &Connection,
    purpose: Purpose,
    network: NetworkId,
) -> (SendStream, RecvStream) {
    let (mut send, recv) = conn.open_bi().await.unwrap();
    let preface = Preface {
        purpose,
        tag: tag(conn, network),
    };
    send.write_all(&preface.encode()).await.unwrap();
    (send, recv)
}

fn tag(conn: &Connection, network: NetworkId) -> [u8; 32] {
    let mut exported = [0; 32];
    conn.export_keying_material(&mut exported, EXPORTER_LABEL, &[])
        .unwrap();
    network_tag(network, &exported)
}

pub(super) async fn control_stream(
    conn: &Connection,
    network: NetworkId,
) -> (SendStream, RecvStream) {
    stream(conn, Purpose::Control, network).await
}

pub(super) fn bytes(frame: &ControlFrame) -> Vec<u8> {
    frame.encode().unwrap()
}

/// A stranger whose control stream reached a session.
pub(super) async fn stranger(node: &mut Node) -> (Connection, SendStream, RecvStream, LinkId) {
    let endpoint = raw(9, ALPN).await;
    let conn = connect(&endpoint, node).await;
    let (send, recv) = control_stream(&conn, NETWORK).await;
    let (peer, link, dialled) = node.link_up(NETWORK).await;
    assert!(!dialled);
    node.probe(Address::Session(NETWORK, peer)).await;
    node.send(link, NETWORK, hello(2));
    // The endpoint ends with the test's runtime.
    std::mem::forget(endpoint);
    (conn, send, recv, link)
}

/// A peer that has received the session's Admit.
pub(super) async fn member(node: &mut Node) -> (Connection, SendStream, RecvStream, LinkId) {
    let (conn, send, mut recv, link) = stranger(node).await;
    node.send(link, NETWORK, ControlFrame::Admit(()));
    let mut said = [bytes(&hello(2)), bytes(&ControlFrame::Admit(()))].concat();
    let expected = said.clone();
    recv.read_exact(&mut said).await.unwrap();
    assert_eq!(said, expected);
    (conn, send, recv, link)
}

async fn check_bad(garbage: &[u8]) {
    let mut node = Node::start(2).await;
    let (_conn, mut send, _recv, link) = stranger(&mut node).await;
    send.write_all(&bytes(&ControlFrame::Ping(1)))
        .await
        .unwrap();
    send.write_all(garbage).await.unwrap();
    assert_eq!(node.frame().await, ControlFrame::Ping(1));
    match node.session("BadFrame").await {
        Input::BadFrame { link: of, why } => {
            assert_eq!(of, link);
            assert!(!why.is_empty());
        }
        other => panic!("{other:?} instead of BadFrame"),
    }
    assert_eq!(node.keepsake.counts().bad_frames.get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversize_frame_is_bad_before_its_body_arrives() {
    let mut header = vec![0; 6];
    header[..4].copy_from_slice(&(64 * 1024_u32 + 1).to_le_bytes());
    check_bad(&header).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_body_is_bad() {
    // A Ping without its number.
    check_bad(&[2, 0, 0, 0, 5, 0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_is_bad() {
    check_bad(&[0xff; 4096]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_kind_is_skipped() {
    let mut node = Node::start(2).await;
    let (_conn, mut send, _recv, _) = stranger(&mut node).await;
    let mut unknown = vec![12, 0, 0, 0, 0xee, 0x7f];
    unknown.extend([1; 10]);
    send.write_all(&unknown).await.unwrap();
    send.write_all(&bytes(&ControlFrame::Ping(3)))
        .await
        .unwrap();
    assert_eq!(node.frame().await, ControlFrame::Ping(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_may_arrive_byte_by_byte() {
    let mut node = Node::start(2).await;
    let (_conn, mut send, _recv, _) = stranger(&mut node).await;
    for byte in bytes(&ControlFrame::Ping(u64::MAX)) {
        send.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(node.frame().await, ControlFrame::Ping(u64::MAX));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_network_closes_a_strangers_link() {
    let node = Node::start(2).await;
    let endpoint = raw(9, ALPN).await;
    let conn = connect(&endpoint, &node).await;
    let _streams = control_stream(&conn, OTHER).await;
    within_patience(conn.closed()).await;
    assert_eq!(node.keepsake.counts().tags.get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_preface_closes_a_strangers_link() {
    let node = Node::start(2).await;
    let endpoint = raw(9, ALPN).await;
    let conn = connect(&endpoint, &node).await;
    let (mut send, _recv) = conn.open_bi().await.unwrap();
    send.write_all(&[1; 20]).await.unwrap();
    within_patience(conn.closed()).await;
    assert_eq!(node.keepsake.counts().prefaces.get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_stranger_is_closed() {
    let node = Node::start(2).await;
    let endpoint = raw(9, ALPN).await;
    let conn = connect(&endpoint, &node).await;
    within_patience(conn.closed()).await;
    assert_eq!(node.keepsake.counts().strangers.get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_is_never_admitted_is_closed() {
    let mut node = Node::start(2).await;
    let (conn, mut send, _recv, _) = stranger(&mut node).await;
    send.write_all(&bytes(&hello(1))).await.unwrap();
    within_patience(conn.closed()).await;
    assert_eq!(node.keepsake.counts().strangers.get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_few_streams() {
    let mut node = Node::start(2).await;
    let (conn, _send, _recv, _) = stranger(&mut node).await;
    // Streams that are refused give their place back; their number is bounded all the same.
    for _ in 0..64 {
        let Ok((mut send, mut recv)) = conn.open_bi().await else {
            break;
        };
        let preface = Preface {
            purpose: Purpose::Gossip,
            tag: tag(&conn, NETWORK),
        };
        let _ = send.write_all(&preface.encode()).await;
        assert!(recv.read_to_end(1).await.is_err());
    }
    within_patience(conn.closed()).await;
    assert_eq!(node.keepsake.counts().early_streams.get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_no_job() {
    let mut node = Node::start(2).await;
    let (conn, _send, _recv, _) = stranger(&mut node).await;
    let (_send, mut recv) = stream(&conn, Purpose::Job, NETWORK).await;
    assert!(recv.read_to_end(10).await.is_err());
    assert_eq!(node.keepsake.counts().jobs.get(), 1);
    assert!(!node.saw(|event| matches!(
        event,
        Event::Letter(Letter::Session(_, _, Input::Inbound { .. }))
    )));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_members_second_link_has_a_members_room() {
    let mut node = Node::start(2).await;
    let (conn, _control, _recv, link) = member(&mut node).await;
    let endpoint = raw(9, ALPN).await;
    let second = connect(&endpoint, &node).await;
    let _control = control_stream(&second, NETWORK).await;
    assert!(node.link_up(NETWORK).await.1 > link);
    let mut streams = Vec::new();
    for _ in 0..32 {
        streams.push(within_patience(stream(&second, Purpose::Job, NETWORK)).await);
    }
    assert_eq!(conn.close_reason(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_members_garbage_costs_one_stream() {
    let mut node = Node::start(2).await;
    let (conn, mut control, _recv, _) = member(&mut node).await;
    let (mut send, mut recv) = stream(&conn, Purpose::Job, NETWORK).await;
    send.write_all(&[0xff; 64]).await.unwrap();
    assert!(recv.read_to_end(10).await.is_err());
    let (_send, mut recv) = control_stream(&conn, OTHER).await;
    assert!(recv.read_to_end(10).await.is_err());
    control
        .write_all(&bytes(&ControlFrame::Ping(2)))
        .await
        .unwrap();
    assert_eq!(node.frame().await, ControlFrame::Ping(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_in_one_direction_and_datagrams_are_off() {
    let node = Node::start(2).await;
    let endpoint = raw(9, ALPN).await;
    let conn = connect(&endpoint, &node).await;
    let mut open = pin!(conn.open_uni());
    let polled = open.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Pending));
    assert_eq!(conn.max_datagram_size(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_find_no_room_beyond_a_limit_and_members_keep_theirs() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    let (link_a, _) = pair(&mut a, &mut b).await;
    let per_source = crate::links::STRANGERS_PER_SOURCE_MAX;
    let mut dials = tokio::task::JoinSet::new();
    for n in 0..crate::links::STRANGERS_MAX / per_source + 1 {
        let endpoint = raw_at(9, ALPN, &format!("127.0.0.{}:0", n + 2)).await;
        let id = iroh::EndpointId::from_bytes(&b.id.0).unwrap();
        let addr = iroh::EndpointAddr::new(id).with_ip_addr(b.addr);
        for _ in 0..per_source {
            let (endpoint, addr) = (endpoint.clone(), addr.clone());
            dials.spawn(async move { endpoint.connect(addr, ALPN).await });
        }
    }
    let results = within_patience(dials.join_all()).await;
    assert!(results.iter().any(Result::is_ok));
    assert!(results.iter().any(Result::is_err));
    assert!(b.keepsake.counts().no_room.get() > 0);
    a.send(link_a, NETWORK, ControlFrame::Ping(1));
    assert_eq!(b.frame().await, ControlFrame::Ping(1));
}

pub(super) async fn within_patience<T>(wait: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), wait)
        .await
        .expect("it did not happen")
}
