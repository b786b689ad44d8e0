//! What the endpoint does where a session has no room.

use super::Transport;
use crate::drivers::DriverOut;
use crate::network::{Body, Packet};
use crate::node::Mailbox;
use kernel::{Effect, Incarnation, Mail, ReturnReason, Signal, Source};
use messages::limits::FRAMES_WAITING_BYTES_MAX;
use messages::peer_session::{Input, LinkLoss};
use messages::ports::transport::Command;
use messages::wire::latest::{ControlFrame, Frame};
use messages::{Address, Letter, LinkId, NetworkId, NodeId};

const NETWORK: NetworkId = NetworkId([7; 32]);
const PEER: NodeId = NodeId([2; 32]);
const CONNECTION: u64 = 5;

/// An endpoint with a link on which the session has spoken.
fn linked() -> (Transport, LinkId) {
    let mut transport = Transport::new(NodeId([1; 32]), 0, 1);
    let mut out = DriverOut::default();
    transport.command(Command::Attach(NETWORK), || 0, &mut out);
    let (dialler, wanted) = (PEER, NodeId([1; 32]));
    transport.arrive(packet(Body::Dial { dialler, wanted }), &mut out);
    let link = transport.link_of(CONNECTION).unwrap();
    let frame = Box::new(ControlFrame::Ping(1));
    let send = Command::Send {
        link,
        network: NETWORK,
        frame,
    };
    transport.command(send, || 0, &mut out);
    (transport, link)
}

const fn packet(body: Body) -> Packet {
    Packet {
        from: 1,
        to: 0,
        connection: CONNECTION,
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
    let (mut transport, link) = linked();
    let mut session = Mailbox::new(Address::Session(NETWORK, PEER), Incarnation::default());
    let bytes = ControlFrame::Ping(2).encode().unwrap();
    let mut taken = 0;
    let returned = loop {
        let mut out = DriverOut::default();
        let (network, bytes) = (NETWORK, bytes.clone());
        transport.arrive(packet(Body::Control { network, bytes }), &mut out);
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
    transport.signal(Signal::Returned { letter, why }, &mut out);
    let closed = |packet: &Packet| matches!(packet.body, Body::Close);
    assert!(out.packets.iter().any(closed));
    let why = LinkLoss::Overrun;
    let down = Letter::Session(NETWORK, PEER, Input::LinkDown { link, why });
    assert_eq!(told(out), [down]);
    assert_eq!(transport.link_of(CONNECTION), None);
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
