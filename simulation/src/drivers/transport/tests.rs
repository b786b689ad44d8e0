//! What the endpoint does where a session has no room.

use super::flow::STREAM_WINDOW;
use super::slow::CONTROL_BYTES_MAX;
use super::{Air, Transport};
use crate::drivers::DriverOut;
use crate::event::Occurrence;
use crate::network::{Body, Latency, Network, Packet, PathModel, Plan, Way};
use crate::node::Mailbox;
use kernel::{Effect, Entropy, Incarnation, Mail, ReturnReason, Signal, Source};
use messages::limits::FRAMES_WAITING_BYTES_MAX;
use messages::peer_session::{Input, LinkLoss};
use messages::ports::stream;
use messages::ports::transport::Command;
use messages::wire::latest::{ControlFrame, Deny, Frame, JobReply, JobRequest, Refused};
use messages::{Address, DeviceId, Letter, LinkId, Micros, NetworkId, NodeId, Refusal, StreamId};

const NETWORK: NetworkId = NetworkId([7; 32]);
const PEER: NodeId = NodeId([2; 32]);

/// An endpoint with a link on which the session has spoken, and what it sends into.
struct Bench {
    transport: Transport,
    network: Network,
    connection: u64,
    link: LinkId,
}

impl Bench {
    fn arrive(&mut self, body: Body) -> DriverOut {
        let mut out = DriverOut::default();
        let packet = packet(self.connection, body);
        let mut air = Air {
            now: 0,
            network: &mut self.network,
        };
        self.transport.arrive(packet, &mut air, &mut out);
        out
    }
}

fn linked() -> Bench {
    let me = NodeId([1; 32]);
    let mut transport = Transport::new(me, 0, 1);
    let mut out = DriverOut::default();
    let plan = Plan::new(PathModel::new(Latency::new(Micros(1), Micros(0))));
    let mut network = Network::new(&plan, &[me, PEER], Entropy::from_number(1));
    let connection = network.begin(1);
    let mut air = Air {
        now: 0,
        network: &mut network,
    };
    transport.command(Command::Attach(NETWORK), &mut air, &mut out);
    let (dialler, wanted) = (PEER, me);
    let here = "10.0.0.1:1".parse().unwrap();
    let way = Way {
        seen: here,
        dialled: here,
        relayed: false,
    };
    let dial = Body::Dial {
        dialler,
        wanted,
        way,
    };
    transport.arrive(packet(connection, dial), &mut air, &mut out);
    let link = transport.link_of(connection).unwrap();
    let frame = Box::new(ControlFrame::Ping(1));
    let send = Command::Send {
        link,
        network: NETWORK,
        frame,
    };
    transport.command(send, &mut air, &mut out);
    Bench {
        transport,
        network,
        connection,
        link,
    }
}

const fn packet(connection: u64, body: Body) -> Packet {
    Packet {
        from: 1,
        to: 0,
        connection,
        body,
    }
}

/// The letters to sessions.
fn told(out: DriverOut) -> Vec<Letter> {
    let mut told = Vec::new();
    for (_, effect) in out.effects {
        if let Effect::Tell(letter @ Letter::Session(..)) = effect {
            told.push(letter);
        }
    }
    told
}

#[test]
fn a_frame_without_room_ends_the_sessions_end_of_the_link_and_says_why() {
    let mut bench = linked();
    let link = bench.link;
    let mut session = Mailbox::new(Address::Session(NETWORK, PEER), Incarnation::default());
    let bytes = ControlFrame::Ping(2).encode().unwrap();
    let mut taken = 0;
    let returned = loop {
        let (network, bytes) = (NETWORK, bytes.clone());
        let out = bench.arrive(Body::Control { network, bytes });
        let letter = told(out).pop().unwrap();
        match session.enter(Source::World, Mail::Letter(letter)) {
            Ok(()) => taken += 1,
            Err(letter) => break letter,
        }
    };
    let weight = ControlFrame::Ping(2).weight();
    assert_eq!(taken, FRAMES_WAITING_BYTES_MAX / weight);
    let (letter, why) = (returned, ReturnReason::Busy);
    let mut out = DriverOut::default();
    let returned = Signal::Returned { letter, why };
    bench.transport.signal(0, returned, &mut out);
    let closed = |packet: &Packet| matches!(packet.body, Body::Close);
    assert!(out.packets.iter().any(closed));
    let why = LinkLoss::Overrun;
    let down = Letter::Session(NETWORK, PEER, Input::LinkDown { link, why });
    assert_eq!(told(out), [down]);
    assert_eq!(bench.transport.link_of(bench.connection), None);
}

#[test]
fn room_for_frames_comes_back_as_they_are_taken() {
    let (network, peer, link) = (NETWORK, PEER, LinkId(1));
    let mut session = Mailbox::new(Address::Session(network, peer), Incarnation::default());
    let frame = ControlFrame::Ping(1);
    for _ in 0..2 * FRAMES_WAITING_BYTES_MAX / frame.weight() {
        let frame = frame.clone();
        let letter = Letter::Session(network, peer, Input::Frame { link, frame });
        session.enter(Source::World, Mail::Letter(letter)).unwrap();
        assert!(session.take().is_some());
    }
    assert_eq!(session.depth, kernel::Depth::default());
}

/// The peer reads nothing, and the session says so many frames a second: how long until it is told
/// that the link is gone, why, and what waited at most.
fn unread(frames_a_second: u64) -> (u64, LinkLoss, usize) {
    let mut bench = linked();
    bench.network.read(0, 0, 1, false);
    let why = messages::Label::truncated(&"x".repeat(200));
    let frame = Box::new(ControlFrame::Deny(Deny::Protocol(why)));
    let (mut checks, mut most) = (Vec::new(), 0);
    for second in 0..60 {
        let mut out = DriverOut::default();
        let now = second * 1_000_000;
        for _ in 0..frames_a_second {
            let send = Command::Send {
                link: bench.link,
                network: NETWORK,
                frame: frame.clone(),
            };
            let mut air = Air {
                now,
                network: &mut bench.network,
            };
            bench.transport.command(send, &mut air, &mut out);
            most = most.max(bench.transport.unsent());
        }
        if checks.iter().any(|at| *at <= now) {
            let connection = bench.connection;
            bench.transport.check_stalls(connection, now, &mut out);
        }
        checks.extend(out.later.iter().map(|(after, _)| now + after));
        let lost = told(out).into_iter().find_map(|letter| {
            let Letter::Session(_, _, Input::LinkDown { why, .. }) = letter else {
                return None;
            };
            Some(why)
        });
        if let Some(why) = lost {
            return (second, why, most);
        }
    }
    panic!("it is waited for");
}

#[test]
fn a_peer_that_reads_nothing_is_dropped_ten_seconds_after_its_window_is_full() {
    // The window is full after two of them.
    let (seconds, why, most) = unread(150);
    assert_eq!((seconds, why), (12, LinkLoss::TimedOut));
    assert!((1..CONTROL_BYTES_MAX).contains(&most));
}

#[test]
fn a_peer_that_reads_nothing_is_dropped_at_once_when_its_queue_is_full() {
    let (seconds, why, most) = unread(3_000);
    assert_eq!((seconds, why), (1, LinkLoss::Reset));
    assert!((CONTROL_BYTES_MAX - 1_000..=CONTROL_BYTES_MAX).contains(&most));
}

#[test]
fn what_waited_is_sent_when_the_peer_reads_again() {
    let mut bench = linked();
    bench.network.read(0, 0, 1, false);
    let frame = Box::new(ControlFrame::Ping(1));
    let size = frame.encode().unwrap().len();
    let mut sent = 0;
    for _ in 0..STREAM_WINDOW / size + 5 {
        let mut out = DriverOut::default();
        let (link, network, frame) = (bench.link, NETWORK, frame.clone());
        let mut air = Air {
            now: 0,
            network: &mut bench.network,
        };
        let send = Command::Send {
            link,
            network,
            frame,
        };
        bench.transport.command(send, &mut air, &mut out);
        sent += out.packets.len();
    }
    assert_eq!(sent, STREAM_WINDOW / size);
    bench.network.read(0, 0, 1, true);
    let mut out = DriverOut::default();
    bench.transport.window(bench.connection, &mut out);
    assert_eq!(out.packets.len(), 5);
    assert_eq!(bench.transport.unsent(), 0);
}

/// A job stream that the peer opens, and what is told of it.
fn opened(bench: &mut Bench) -> (StreamId, Letter, DriverOut) {
    let job = crate::Mesh::seed(1).nodes(2).build().job(1, 1, 5);
    let bytes = JobRequest::Open(Box::new(job)).encode().unwrap();
    let (network, stream) = (NETWORK, StreamId(1));
    let out = bench.arrive(Body::JobOpen {
        network,
        stream,
        bytes,
    });
    let of = |(_, effect): &(Address, Effect)| {
        let Effect::Tell(letter @ Letter::Session(.., Input::Inbound { stream, .. })) = effect
        else {
            return None;
        };
        Some((*stream, letter.clone()))
    };
    let (stream, inbound) = out.effects.iter().find_map(of).unwrap();
    (stream, inbound, out)
}

/// Whether the peer is told that its stream is over, and how the leaf ends here.
fn is_over(out: &DriverOut) -> (bool, usize) {
    let ended = |packet: &Packet| matches!(packet.body, Body::JobEnd { .. });
    (out.packets.iter().any(ended), out.leaves_down.len())
}

#[test]
fn a_stream_of_which_nobody_decides_is_over_after_five_seconds() {
    let mut bench = linked();
    let (stream, _, out) = opened(&mut bench);
    let decided = |(_, what): &&(u64, Occurrence)| matches!(what, Occurrence::Decided(_));
    let (wait, _) = out.later.iter().find(decided).unwrap();
    assert_eq!(*wait, 5_000_000);
    let mut out = DriverOut::default();
    bench.transport.decided_late(stream, &mut out);
    assert_eq!(is_over(&out), (true, 1));
}

#[test]
fn a_stream_that_a_worker_serves_has_its_time() {
    let mut bench = linked();
    let (stream, ..) = opened(&mut bench);
    let mut out = DriverOut::default();
    let serve = stream::Command::Serve(DeviceId(0));
    bench.transport.stream_command(0, stream, serve, &mut out);
    bench.transport.decided_late(stream, &mut out);
    assert_eq!(is_over(&out), (false, 0));
}

#[test]
fn a_job_that_its_session_does_not_take_is_refused_with_the_reason() {
    let busy = Refusal::Busy {
        retry_after_ms: 1_000,
    };
    let reasons = [
        (ReturnReason::Busy, busy.clone()),
        (ReturnReason::ParkFull, busy),
        (ReturnReason::NoActor, Refusal::NotAdmitted),
        (ReturnReason::StartFailed, Refusal::NotAdmitted),
    ];
    for (why, told) in reasons {
        let mut bench = linked();
        let (_, inbound, _) = opened(&mut bench);
        let letter = Box::new(inbound);
        let mut out = DriverOut::default();
        let returned = Signal::Returned { letter, why };
        bench.transport.signal(0, returned, &mut out);
        let replies = out.packets.iter().filter_map(|packet| {
            let Body::JobReply { bytes, .. } = &packet.body else {
                return None;
            };
            super::decode::<JobReply>(bytes).unwrap()
        });
        let refused = Refused {
            attempt: 1,
            why: told,
        };
        assert_eq!(replies.collect::<Vec<_>>(), [JobReply::Refused(refused)]);
        assert_eq!(is_over(&out), (true, 1));
    }
}

impl Transport {
    /// Dials that have no answer yet.
    pub(crate) fn dialling(&self) -> usize {
        self.dials.len()
    }

    /// Puts as much as this into each of its queues: a bug that the checkers are to catch.
    pub(crate) fn stuff(&mut self, frames: usize, packets: usize, gone: usize) {
        let carried = self.links.values_mut().flat_map(|link| &mut link.carried);
        for (_, carried) in carried {
            carried.waiting = vec![ControlFrame::Ping(1); frames];
        }
        for dial in self.dials.values_mut() {
            dial.stuff((0..packets).map(|_| packet(1, Body::Close)).collect());
        }
        let ids = (0..).map(LinkId).take(gone);
        self.gone.extend(ids.map(|link| (link, PEER)));
    }
}
