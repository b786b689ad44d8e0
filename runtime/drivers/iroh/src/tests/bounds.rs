//! What peers can make a node hold.

use super::hostile::{bytes, member, stranger, stream, within_patience};
use super::world::{NETWORK, Node, id_of, job, pair, raw_at, request};
use crate::endpoint::{STREAM_WINDOW, source_of};
use crate::links::STRANGERS_PER_SOURCE_MAX;
use iroh::endpoint::{ConnectionError, SendStream};
use iroh::{EndpointAddr, EndpointId};
use messages::limits::{
    FRAMES_WAITING_BYTES_MAX, JOB_FRAME_BYTES_MAX, PROMPT_BYTES_MAX, REPLY_FRAME_BYTES_MAX,
    TOKENS_MAX,
};
use messages::peer_session::{Input, LinkLoss};
use messages::ports::stream::Command as StreamCommand;
use messages::ports::transport::Command;
use messages::request_proxy::Flow;
use messages::wire::latest::{ALPN, ControlFrame, Frame as _, JobRequest, Purpose};
use messages::{Address, Letter, List, Prompt, Text, TokenId};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Pings that fill a session's mailbox.
fn pings_max() -> usize {
    FRAMES_WAITING_BYTES_MAX / ControlFrame::Ping(0).weight()
}

async fn ping(control: &mut SendStream, count: usize) {
    for n in 0..count {
        let ping = bytes(&ControlFrame::Ping(n as u64));
        // The other end may have closed it by then.
        let _ = control.write_all(&ping).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_beyond_a_sessions_room_end_the_link_and_both_sides_learn_why() {
    let mut node = Node::start(2).await;
    let (conn, mut control, _recv, of) = stranger(&mut node).await;
    let stuck = Arc::clone(&node.stuck);
    let held = stuck.lock().await;
    within_patience(ping(&mut control, pings_max() + 100)).await;
    let error = within_patience(conn.closed()).await;
    drop(held);
    let ConnectionError::ApplicationClosed(close) = error else {
        panic!("{error:?} instead of a reason");
    };
    let why = String::from_utf8_lossy(&close.reason).into_owned();
    assert!(why.contains("more control frames"), "{why}");
    assert_eq!(node.keepsake.counts().overruns.get(), 1);
    for n in 0.. {
        match node.session("a frame or the end").await {
            Input::Frame { frame, .. } => assert_eq!(frame, ControlFrame::Ping(n)),
            Input::LinkDown { link, why } => {
                assert_eq!((link, why), (of, LinkLoss::Overrun));
                break;
            }
            other => panic!("{other:?} instead of a frame or the end"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_find_room_wait_for_a_stuck_session() {
    let mut node = Node::start(2).await;
    let (_conn, mut control, _recv, _) = stranger(&mut node).await;
    let count = pings_max() / 2;
    let stuck = Arc::clone(&node.stuck);
    let held = stuck.lock().await;
    within_patience(ping(&mut control, count)).await;
    drop(held);
    for n in 0..count {
        assert_eq!(node.frame().await, ControlFrame::Ping(n as u64));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_of_one_address_leave_room_for_others() {
    let node = Node::start(2).await;
    let id = EndpointId::from_bytes(&node.id.0).unwrap();
    let addr = EndpointAddr::new(id).with_ip_addr(node.addr);
    let crowd = raw_at(9, ALPN, "127.0.0.2:0").await;
    let mut held = Vec::new();
    for _ in 0..STRANGERS_PER_SOURCE_MAX {
        held.push(
            within_patience(crowd.connect(addr.clone(), ALPN))
                .await
                .unwrap(),
        );
    }
    let refused = within_patience(crowd.connect(addr.clone(), ALPN)).await;
    assert!(refused.is_err());
    assert_eq!(node.keepsake.counts().no_room.get(), 1);
    let other = raw_at(8, ALPN, "127.0.0.3:0").await;
    within_patience(other.connect(addr, ALPN)).await.unwrap();
}

#[test]
fn a_source_is_an_address_or_a_network_of_64_bits() {
    let of = |addr: &str| source_of(addr.parse::<IpAddr>().unwrap()).to_string();
    assert_eq!(of("10.1.2.3"), "10.1.2.3");
    assert_eq!(of("::ffff:10.1.2.3"), "10.1.2.3");
    assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
}

/// The head of a frame of `len` bytes, and zeroes up to `count` bytes.
fn partial(len: usize, kind: u16, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    bytes[..4].copy_from_slice(&u32::try_from(len).unwrap().to_le_bytes());
    bytes[4..6].copy_from_slice(&kind.to_le_bytes());
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_nobody_reads_leave_a_session_room() {
    const STREAMS: u32 = 24;
    let mut node = Node::with(2, |config| config.max_jobs = STREAMS).await;
    let (conn, mut control, _recv, link) = member(&mut node).await;
    node.probe(Address::Proxy(request(1))).await;
    let mut streams = Vec::new();
    for n in 0..STREAMS {
        let job = job(node.id, 1, n + 1);
        node.command(Command::Open {
            link,
            network: NETWORK,
            peer: id_of(9),
            request: request(1),
            job,
        });
        let Input::Opened { stream, .. } = node.session("Opened").await else {
            panic!("no stream");
        };
        node.tell(Letter::Stream(stream, StreamCommand::Read(Flow::Full)));
        streams.push(within_patience(conn.accept_bi()).await.unwrap());
    }
    let unread = partial(REPLY_FRAME_BYTES_MAX, 2, STREAM_WINDOW as usize);
    for (send, _) in &mut streams {
        within_patience(send.write_all(&unread)).await.unwrap();
    }
    // More of them stay where they are; the session's own stream goes on.
    within_patience(ping(&mut control, 1)).await;
    assert_eq!(node.frame().await, ControlFrame::Ping(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_jobs_that_do_not_end_hold_a_bounded_share() {
    const HELD: usize = 16 * 1024 * 1024 / JOB_FRAME_BYTES_MAX;
    let mut node = Node::start(2).await;
    let (conn, mut control, _recv, _) = member(&mut node).await;
    let begun = partial(JOB_FRAME_BYTES_MAX, 1, 4 * STREAM_WINDOW as usize);
    let mut held = Vec::new();
    for _ in 0..HELD {
        let (mut send, recv) = stream(&conn, Purpose::Job, NETWORK).await;
        within_patience(send.write_all(&begun)).await.unwrap();
        held.push((send, recv));
    }
    let (mut send, _late) = stream(&conn, Purpose::Job, NETWORK).await;
    let mut late = JoinSet::new();
    late.spawn(async move { send.write_all(&begun).await });
    // Time enough for one that is read.
    for n in 0..100 {
        control
            .write_all(&bytes(&ControlFrame::Ping(n)))
            .await
            .unwrap();
        assert_eq!(node.frame().await, ControlFrame::Ping(n));
    }
    assert!(late.try_join_next().is_none());
    let (mut first, _) = held.remove(0);
    first.reset(0_u32.into()).unwrap();
    let written = within_patience(late.join_next()).await;
    written.unwrap().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_jobs_are_open_at_once_over_one_link() {
    const JOBS: u32 = 1_000;
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    let (link, _) = pair(&mut a, &mut b).await;
    a.probe(Address::Proxy(request(1))).await;
    for n in 1..=JOBS {
        a.command(Command::Open {
            link,
            network: NETWORK,
            peer: b.id,
            request: request(1),
            job: job(a.id, 1, n),
        });
    }
    for _ in 0..JOBS {
        let answer = a.session("Opened").await;
        assert!(matches!(answer, Input::Opened { .. }), "{answer:?}");
        let asked = b.session("Inbound").await;
        assert!(matches!(asked, Input::Inbound { .. }), "{asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_job_that_waits_for_others_has_its_own_time_after_them() {
    const HELD: usize = 16 * 1024 * 1024 / JOB_FRAME_BYTES_MAX;
    let mut node = Node::start(2).await;
    let (conn, _control, _recv, _) = member(&mut node).await;
    let begun = partial(JOB_FRAME_BYTES_MAX, 1, STREAM_WINDOW as usize);
    let mut held = Vec::new();
    for _ in 0..HELD {
        let (mut send, recv) = stream(&conn, Purpose::Job, NETWORK).await;
        within_patience(send.write_all(&begun)).await.unwrap();
        held.push((send, recv));
    }
    let mut whole = job(id_of(9), 1, 1);
    whole.prompt = Prompt::Raw(Text::from("x".repeat(PROMPT_BYTES_MAX)));
    whole.resume = List::truncated(vec![TokenId(u32::MAX); TOKENS_MAX]);
    let (mut send, _recv) = stream(&conn, Purpose::Job, NETWORK).await;
    let mut late = JoinSet::new();
    let frame = JobRequest::Open(whole).encode().unwrap();
    late.spawn(async move { send.write_all(&frame).await.map(|()| send) });
    // The others never end, and are given up; then there is room.
    let Input::Inbound { job, .. } = node.session("Inbound").await else {
        panic!("no job");
    };
    assert_eq!(job.resume.len(), TOKENS_MAX);
    late.join_next().await.unwrap().unwrap().unwrap();
}
