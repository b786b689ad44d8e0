//! Job streams between two drivers.

use super::world::{Event, NETWORK, Node, OTHER, close, greet, hello, job, pair, request};
use kernel::{Effect, How, ReturnReason, Signal};
use messages::inference_worker::{Input as WorkerInput, Sink};
use messages::peer_session::Input;
use messages::ports::stream;
use messages::ports::transport::Command;
use messages::request_proxy::{self, Flow};
use messages::wire::latest::{Beacon, ControlFrame, End, JobReply, Refused};
use messages::{
    Address, DeviceId, EndReason, Letter, LinkId, List, Refusal, StreamId, TokenBatch, TokenId,
    TokenPiece,
};

const DEVICE: DeviceId = DeviceId(0);

/// A stream from a request at `a` to a worker at `b`.
pub(super) struct Lane {
    pub(super) a: Node,
    pub(super) b: Node,
    link_a: LinkId,
    ask: StreamId,
    pub(super) serve: StreamId,
}

impl Lane {
    pub(super) async fn open() -> Self {
        let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
        let (link_a, _) = pair(&mut a, &mut b).await;
        a.probe(Address::Proxy(request(1))).await;
        b.probe(Address::Worker(DEVICE)).await;
        let (ask, serve) = open(&mut a, &mut b, link_a, 1).await;
        let (here, there) = (
            Address::Session(NETWORK, b.id),
            Address::Session(NETWORK, a.id),
        );
        a.tell_as(here, Effect::Watch(Address::Stream(ask)));
        b.tell_as(there, Effect::Watch(Address::Stream(serve)));
        b.tell(Letter::Stream(serve, stream::Command::Serve(DEVICE)));
        Self {
            a,
            b,
            link_a,
            ask,
            serve,
        }
    }

    pub(super) fn reply(&self, reply: JobReply) {
        let letter = Letter::Stream(self.serve, stream::Command::Reply(reply));
        self.b
            .tell_as(Address::Worker(DEVICE), Effect::Tell(letter));
    }

    fn tell_ask(&self, command: stream::Command) {
        self.a.tell(Letter::Stream(self.ask, command));
    }

    async fn both_down(&mut self) {
        self.a.down(Address::Stream(self.ask)).await;
        self.b.down(Address::Stream(self.serve)).await;
    }

    /// No last word came: the request is told so.
    async fn lost(&mut self) {
        let ended = request_proxy::Input::StreamEnded { attempt: 1 };
        assert_eq!(proxy(&mut self.a).await, ended);
        self.both_down().await;
    }
}

async fn open(a: &mut Node, b: &mut Node, link: LinkId, n: u64) -> (StreamId, StreamId) {
    a.command(Command::Open {
        link,
        network: NETWORK,
        peer: b.id,
        request: request(n),
        job: job(a.id, n, 1),
    });
    let ask = match a.session("Opened").await {
        Input::Opened { stream, .. } => stream,
        other => panic!("{other:?} instead of Opened"),
    };
    let serve = match b.session("Inbound").await {
        Input::Inbound {
            stream,
            job: arrived,
            ..
        } => {
            assert_eq!(arrived, job(a.id, n, 1));
            stream
        }
        other => panic!("{other:?} instead of Inbound"),
    };
    (ask, serve)
}

pub(super) async fn proxy(node: &mut Node) -> request_proxy::Input {
    node.expect("a letter to the request", |event| match event {
        Event::Letter(Letter::Proxy(_, input)) => Some(input.clone()),
        _ => None,
    })
    .await
}

async fn reply(node: &mut Node) -> JobReply {
    match proxy(node).await {
        request_proxy::Input::Reply(reply) => reply,
        other => panic!("{other:?} instead of a reply"),
    }
}

/// Whether the worker got its last reply back before the marker that was sent behind it.
async fn refused(worker: &mut Node) -> bool {
    let came_back = worker
        .expect("the reply or the marker", |event| match event {
            Event::Signal(
                _,
                Signal::Returned {
                    why: ReturnReason::Busy,
                    ..
                },
            ) => Some(true),
            Event::Letter(Letter::Worker(_, WorkerInput::Drain)) => Some(false),
            _ => None,
        })
        .await;
    if came_back {
        assert!(
            !Box::pin(refused(worker)).await,
            "one reply came back twice"
        );
    }
    came_back
}

async fn flow(node: &mut Node) -> Flow {
    node.expect("a turn of the flow", |event| match event {
        Event::Letter(Letter::Worker(
            _,
            WorkerInput::Sink {
                flow,
                sink: Sink::Stream(_),
            },
        )) => Some(*flow),
        _ => None,
    })
    .await
}

pub(super) fn tokens(first: u32, count: u32, bytes: usize) -> JobReply {
    let piece = |n| TokenPiece {
        id: TokenId(n),
        bytes: vec![b'x'; bytes].into(),
    };
    JobReply::Tokens(TokenBatch {
        attempt: 1,
        first,
        tokens: List::truncated((first..first + count).map(piece)),
    })
}

pub(super) fn end(tokens: u32) -> JobReply {
    JobReply::End(End {
        attempt: 1,
        reason: EndReason::Stop,
        tokens,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_arrive_in_order_and_the_last_one_ends_both_leaves() {
    let mut lane = Lane::open().await;
    for n in 0..100 {
        lane.reply(tokens(n, 1, 4));
    }
    lane.reply(end(100));
    for n in 0..100 {
        assert_eq!(reply(&mut lane.a).await, tokens(n, 1, 4));
    }
    assert_eq!(reply(&mut lane.a).await, end(100));
    lane.both_down().await;
    let ended = |event: &Event| {
        let ended = request_proxy::Input::StreamEnded { attempt: 1 };
        matches!(event, Event::Letter(Letter::Proxy(_, input)) if *input == ended)
    };
    assert!(!lane.a.saw(ended));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_ends_the_stream_at_both_ends() {
    let mut lane = Lane::open().await;
    lane.tell_ask(stream::Command::Cancel);
    lane.both_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_dies_ends_its_stream() {
    let mut lane = Lane::open().await;
    assert!(lane.a.hive.directory().kill(Address::Proxy(request(1))));
    lane.both_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_ends_its_streams() {
    let mut lane = Lane::open().await;
    lane.reply(tokens(0, 1, 4));
    assert_eq!(reply(&mut lane.a).await, tokens(0, 1, 4));
    assert!(lane.b.hive.directory().kill(Address::Worker(DEVICE)));
    lane.lost().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_transport_ends_its_streams() {
    let mut lane = Lane::open().await;
    assert!(lane.b.hive.directory().kill(Address::Transport));
    lane.lost().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_session_ends_its_streams_and_leaves_the_link_to_others() {
    let mut lane = Lane::open().await;
    for node in [&mut lane.a, &mut lane.b] {
        node.probe(Address::Roster(OTHER)).await;
        node.command(Command::Attach(OTHER));
    }
    lane.a.dial(OTHER, &lane.b);
    let (peer_b, link_a, _) = lane.a.link_up(OTHER).await;
    lane.a.probe(Address::Session(OTHER, peer_b)).await;
    lane.a.send(link_a, OTHER, hello(1));
    let (peer_a, link_b, _) = lane.b.link_up(OTHER).await;
    lane.b.probe(Address::Session(OTHER, peer_a)).await;
    lane.b.send(link_b, OTHER, hello(2));
    assert_eq!(lane.b.frame().await, hello(1));
    assert_eq!((peer_b, link_a), (lane.b.id, lane.link_a));
    lane.a.command(close(lane.link_a, NETWORK));
    lane.lost().await;
    lane.a.send(link_a, OTHER, ControlFrame::Ping(1));
    let ping = |event: &Event| match event {
        Event::Letter(Letter::Session(OTHER, _, Input::Frame { frame, .. })) => Some(frame.clone()),
        _ => None,
    };
    assert_eq!(lane.b.expect("a ping", ping).await, ControlFrame::Ping(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_reply_is_flushed_when_its_node_stops() {
    let lane = Lane::open().await;
    lane.tell_ask(stream::Command::Read(Flow::Full));
    for n in 0..3 {
        lane.reply(tokens(n * 256, 256, 100));
    }
    lane.reply(end(768));
    let Lane { mut a, b, ask, .. } = lane;
    let read = async {
        // Long enough for a stop that waits for nothing to be over.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        a.tell(Letter::Stream(ask, stream::Command::Read(Flow::Ready)));
    };
    tokio::join!(b.hive.stop(), read);
    for n in 0..3 {
        assert_eq!(reply(&mut a).await, tokens(n * 256, 256, 100));
    }
    assert_eq!(reply(&mut a).await, end(768));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_reaches_the_request() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    let (link_a, _) = pair(&mut a, &mut b).await;
    a.probe(Address::Proxy(request(1))).await;
    let (_, serve) = open(&mut a, &mut b, link_a, 1).await;
    b.tell(Letter::Stream(
        serve,
        stream::Command::Refuse(Refusal::NoModel),
    ));
    let refused = JobReply::Refused(Refused {
        attempt: 1,
        why: Refusal::NoModel,
    });
    assert_eq!(reply(&mut a).await, refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undecided_stream_ends_by_itself() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    let (link_a, _) = pair(&mut a, &mut b).await;
    a.probe(Address::Proxy(request(1))).await;
    open(&mut a, &mut b, link_a, 1).await;
    assert_eq!(
        proxy(&mut a).await,
        request_proxy::Input::StreamEnded { attempt: 1 }
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_for_a_session_that_is_gone_is_refused() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    let (link_a, _) = pair(&mut a, &mut b).await;
    a.probe(Address::Proxy(request(1))).await;
    let session = Address::Session(NETWORK, a.id);
    b.probe(Address::Worker(DEVICE)).await;
    b.tell_as(Address::Worker(DEVICE), Effect::Watch(session));
    b.tell_as(session, Effect::Stop(session, How::Drain));
    b.down(session).await;
    let (peer, job) = (b.id, job(a.id, 1, 1));
    let open = Command::Open {
        link: link_a,
        network: NETWORK,
        peer,
        request: request(1),
        job,
    };
    a.command(open);
    let refused = JobReply::Refused(Refused {
        attempt: 1,
        why: Refusal::NotAdmitted,
    });
    assert_eq!(reply(&mut a).await, refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_fills_a_bounded_queue_and_loses_nothing() {
    let mut lane = Lane::open().await;
    lane.tell_ask(stream::Command::Read(Flow::Full));
    // A batch of 256 tokens of 40 bytes: 14 KiB. The queue takes nine, the network five or six.
    let mut taken = Vec::new();
    for n in 0..32 {
        lane.reply(tokens(n * 256, 256, 40));
        // What came back is in the worker's mailbox before this is.
        lane.b.tell(Letter::Worker(DEVICE, WorkerInput::Drain));
        match refused(&mut lane.b).await {
            true => {}
            false => taken.push(n),
        }
    }
    assert!((9..=17).contains(&taken.len()), "{taken:?}");
    assert_eq!(flow(&mut lane.b).await, Flow::Full);
    lane.tell_ask(stream::Command::Read(Flow::Ready));
    for n in taken {
        assert_eq!(reply(&mut lane.a).await, tokens(n * 256, 256, 40));
    }
    assert_eq!(flow(&mut lane.b).await, Flow::Ready);
    lane.reply(end(0));
    assert_eq!(reply(&mut lane.a).await, end(0));
    lane.both_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_never_comes_back_is_dropped() {
    let mut lane = Lane::open().await;
    lane.tell_ask(stream::Command::Read(Flow::Full));
    for n in 0..8 {
        lane.reply(tokens(n * 256, 256, 1_024));
    }
    lane.b.down(Address::Stream(lane.serve)).await;
    assert_eq!(lane.b.keepsake.counts().stalls.get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_speaks_for_its_own_try_only() {
    let mut lane = Lane::open().await;
    lane.reply(JobReply::Beacon(Beacon {
        attempt: 2,
        steps: 1,
    }));
    lane.lost().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_beyond_the_peers_limit_fails_at_once() {
    let mut a = Node::start(1).await;
    let mut b = Node::with(2, |config| config.max_jobs = 4).await;
    let (link_a, _) = pair(&mut a, &mut b).await;
    a.probe(Address::Proxy(request(1))).await;
    let (mut opened, mut failed) = (0, 0);
    for n in 1..=64 {
        let (peer, job) = (b.id, job(a.id, n, 1));
        a.command(Command::Open {
            link: link_a,
            network: NETWORK,
            peer,
            request: request(1),
            job,
        });
        match a.session("an answer").await {
            Input::Opened { .. } => opened += 1,
            Input::OpenFailed { attempt: 1, .. } => failed += 1,
            other => panic!("{other:?} instead of an answer"),
        }
    }
    assert!((4..=20).contains(&opened), "{opened}");
    assert_eq!(opened + failed, 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_opens_a_job_before_admission() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    let (link_a, _) = greet(&mut a, &mut b).await;
    a.probe(Address::Proxy(request(1))).await;
    let (peer, job) = (b.id, job(a.id, 1, 1));
    a.command(Command::Open {
        link: link_a,
        network: NETWORK,
        peer,
        request: request(1),
        job,
    });
    assert_eq!(
        proxy(&mut a).await,
        request_proxy::Input::StreamEnded { attempt: 1 }
    );
    assert_eq!(b.keepsake.counts().jobs.get(), 1);
}
