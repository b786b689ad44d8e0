//! What the endpoint does where a session has no room.

use super::{Air, Transport};
use crate::drivers::DriverOut;
use crate::network::{Body, Latency, Network, Packet, PathModel, Plan, Way};
use crate::node::Mailbox;
use kernel::{Effect, Entropy, Incarnation, Mail, ReturnReason, Signal, Source};
use messages::limits::FRAMES_WAITING_BYTES_MAX;
use messages::peer_session::{Input, LinkLoss};
use messages::ports::transport::Command;
use messages::wire::latest::{ControlFrame, Frame};
use messages::{Address, Letter, LinkId, Micros, NetworkId, NodeId};

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
    bench.transport.signal(returned, &mut out);
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
