use super::ground::{Ground, Landed};
use super::nat::{Hop, NatBox};
use super::*;
use messages::{NetworkId, StreamId};
use std::net::{Ipv4Addr, SocketAddrV4};

const FAR: u64 = 60_000_000;

fn rough() -> PathModel {
    PathModel {
        loss_permille: 200,
        reorder_permille: 300,
        bytes_per_sec: Some(1_000_000),
        ..PathModel::new(Latency::new(Micros(5_000), Micros(20_000)))
    }
}

fn connected(path: PathModel) -> (Network, u64) {
    let ids = [NodeId([1; 32]), NodeId([2; 32])];
    let mut network = Network::new(&Plan::new(path), &ids, Entropy::from_number(7));
    let name = network.begin(0);
    let way = Way {
        seen: network.ground.address(0),
        dialled: network.ground.address(1),
        relayed: false,
    };
    let acceptor = ids[1];
    let answer = |_: u32| packet(1, 0, name, Body::Accepted { acceptor, way });
    while matches!(network.send(0, answer(0)), Fate::Gone) {}
    network.establish(0, name, &way);
    (network, name)
}

const fn packet(from: usize, to: usize, connection: u64, body: Body) -> Packet {
    Packet {
        from,
        to,
        connection,
        body,
    }
}

fn frame(name: u64, n: u64) -> Packet {
    let bytes = n.to_be_bytes().to_vec();
    let body = match n % 3 {
        0 => Body::Control {
            network: NetworkId([0; 32]),
            bytes,
        },
        stream => Body::JobReply {
            stream: StreamId(stream),
            bytes,
        },
    };
    packet(0, 1, name, body)
}

/// The numbers of frames in the order in which they arrive.
fn order(mut arrivals: Vec<(Time, u64)>, stream: u64) -> Vec<u64> {
    arrivals.retain(|(_, n)| n % 3 == stream);
    arrivals.sort_by_key(|(at, _)| *at);
    arrivals.into_iter().map(|(_, n)| n).collect()
}

fn arrival(fate: Fate) -> Option<(Time, u64)> {
    let Fate::Arrives(at, packet) = fate else {
        return None;
    };
    let (Body::Control { bytes, .. } | Body::JobReply { bytes, .. }) = packet.body else {
        return None;
    };
    Some((at, u64::from_be_bytes(bytes.try_into().unwrap())))
}

#[test]
fn a_stream_keeps_its_order_and_streams_overtake_each_other() {
    let (mut network, name) = connected(rough());
    let mut arrivals = Vec::new();
    for n in 0..3_000 {
        arrivals.push(arrival(network.send(n * 100, frame(name, n))).unwrap());
    }
    for stream in 0..3 {
        let order = order(arrivals.clone(), stream);
        assert_eq!(order.len(), 1_000);
        assert!(order.is_sorted(), "stream {stream}");
    }
    arrivals.sort_by_key(|(at, _)| *at);
    let numbers: Vec<u64> = arrivals.into_iter().map(|(_, n)| n).collect();
    assert!(!numbers.is_sorted());
}

#[test]
fn what_a_cut_holds_comes_whole_and_in_order_before_what_follows() {
    let (mut network, name) = connected(rough());
    network.cut(0, &[0], &[1]);
    for n in 0..30 {
        assert!(matches!(network.send(n, frame(name, n)), Fate::Gone));
    }
    network.errands();
    network.heal(1_000);
    let errands = network.errands();
    let [Errand { at, node: 0, .. }] = &errands[..] else {
        panic!("one sender has something: {errands:?}")
    };
    assert!((1_000..1_000 + PTO_MAX).contains(at));
    assert!(
        matches!(network.send(1_001, frame(name, 30)), Fate::Gone),
        "it waits"
    );
    let fates = network.resend(*at, name, 0);
    let mut arrivals: Vec<_> = fates.into_iter().filter_map(arrival).collect();
    assert_eq!(arrivals.len(), 31);
    arrivals.extend(arrival(network.send(*at, frame(name, 31))));
    for stream in 0..3 {
        assert!(order(arrivals.clone(), stream).is_sorted());
    }
}

#[test]
fn order_is_kept_per_stream_that_has_something_on_its_way() {
    let (mut network, name) = connected(rough());
    for n in 0..10_000_u64 {
        let body = Body::JobEnd {
            stream: StreamId(n),
        };
        network.send(n * 10_000, packet(0, 1, name, body));
    }
    let lane = &network.connections.get(name).unwrap().lanes[0];
    assert!(lane.streams_known() < 500, "{}", lane.streams_known());
}

#[test]
fn a_place_is_used_again_and_an_old_name_means_nothing() {
    let (mut network, name) = connected(rough());
    network.let_go(0, name, 0);
    assert_eq!(network.hearing(1, name, 1), Hearing::Reset);
    network.let_go(0, name, 1);
    let next = network.begin(0);
    assert_ne!(next, name);
    assert_eq!(u32::try_from(next & 0xFFFF_FFFF), Ok(0), "the same place");
    assert!(matches!(network.send(1, frame(name, 1)), Fate::Gone));
}

#[test]
fn whoever_is_not_heard_is_missed_after_the_idle_time() {
    let (mut network, name) = connected(rough());
    assert_eq!(network.hearing(5, name, 1), Hearing::Fine);
    network.cut(7, &[0], &[1]);
    assert_eq!(network.hearing(9, name, 1), Hearing::Nothing(7));
    assert_eq!(network.hearing(9, name, 0), Hearing::Fine, "one way only");
    let errands = network.errands();
    assert!(matches!(&errands[..], [Errand { node: 1, at, .. }] if *at == 7 + IDLE_TIMEOUT.0));
    network.heal(20);
    assert_eq!(network.hearing(21, name, 1), Hearing::Fine);
    network.silence(30, 0, true);
    network.died(30, 0);
    network.silence(40, 0, false);
    assert_eq!(
        network.hearing(50, name, 1),
        Hearing::Nothing(30),
        "no reset"
    );
}

/// A box before node 0; nodes 1 and 2 are in the open.
fn boxed(nat: Nat) -> Ground {
    let mut ground = Ground::new(3);
    ground.shelter(&[0], nat);
    ground
}

fn seen(ground: &mut Ground, now: Time, to: SocketAddrV4) -> SocketAddrV4 {
    ground.walk(now, 0, to).unwrap().seen
}

#[test]
fn boxes_map_and_filter_by_what_they_depend_on() {
    use Dependence::{Address, AddressAndPort, Endpoint};
    for mapping in [Endpoint, Address, AddressAndPort] {
        for filtering in [Endpoint, Address, AddressAndPort] {
            let mut ground = boxed(Nat {
                mapping,
                filtering,
                ..Nat::SYMMETRIC
            });
            let (one, two) = (ground.address(1), ground.address(2));
            let port = SocketAddrV4::new(*one.ip(), 99);
            let first = seen(&mut ground, 0, one);
            let _ = ground.walk(0, 0, port);
            let case = format!("{mapping:?} {filtering:?}");
            assert_eq!(
                first == seen(&mut ground, 0, two),
                mapping == Endpoint,
                "{case}"
            );
            let home = Ok(Landed { node: 0, seen: one });
            assert_eq!(ground.walk(0, 1, first), home, "{case}");
            let mut fresh = boxed(Nat {
                mapping,
                filtering,
                ..Nat::SYMMETRIC
            });
            let first = seen(&mut fresh, 0, one);
            let stranger = fresh.walk(0, 2, first).is_ok();
            assert_eq!(stranger, filtering == Endpoint, "{case}");
            // Another port of the address that was sent to.
            let mut fresh = boxed(Nat {
                mapping,
                filtering,
                ..Nat::SYMMETRIC
            });
            let _ = fresh.walk(0, 0, port);
            let mapped = SocketAddrV4::new(*first.ip(), first.port());
            let answered = fresh.walk(0, 1, mapped).is_ok();
            assert_eq!(answered, filtering != AddressAndPort, "{case}");
        }
    }
}

#[test]
fn a_box_has_one_outside_port_for_all_that_its_mapping_takes_for_the_same() {
    use Dependence::{Address, AddressAndPort, Endpoint};
    let at = |host, port| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host), port);
    let inside = SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, 2), 7337);
    for (mapping, ports) in [
        (Endpoint, [0, 0, 0]),
        (Address, [0, 0, 1]),
        (AddressAndPort, [0, 1, 2]),
    ] {
        let nat = Nat {
            mapping,
            ..Nat::SYMMETRIC
        };
        let mut sees = NatBox::new(nat, Ipv4Addr::new(198, 18, 0, 0), None);
        // A host, another port of it, another host; and each of them again.
        let towards = [at(1, 7337), at(1, 99), at(2, 7337)];
        for _ in 0..2 {
            let seen = towards.map(|to| sees.outbound(0, Hop::Node(0), inside, to).port());
            assert_eq!(seen.map(|port| port - seen[0]), ports, "{mapping:?}");
        }
    }
}

#[test]
fn a_mapping_lives_as_long_as_it_is_used_from_inside() {
    let mut ground = boxed(Nat::PORT_RESTRICTED);
    let one = ground.address(1);
    let expiry = Nat::PORT_RESTRICTED.expiry.0;
    let first = seen(&mut ground, 0, one);
    assert_eq!(seen(&mut ground, expiry, one), first);
    assert!(ground.walk(2 * expiry, 1, first).is_ok());
    // What comes from outside keeps nothing alive (RFC 4787, REQ-6).
    assert_eq!(
        ground.walk(2 * expiry + 1, 1, first),
        Err(Obstacle::Filtered)
    );
    assert_ne!(seen(&mut ground, 2 * expiry + 1, one), first);
}

#[test]
fn a_blocked_node_hears_and_says_nothing() {
    let mut ground = boxed(Nat::UDP_BLOCKED);
    let one = ground.address(1);
    assert_eq!(ground.walk(0, 0, one), Err(Obstacle::UdpBlocked));
    assert_eq!(ground.reflexive(0, 0), None);
    assert!(ground.is_walled(0) && !ground.is_walled(1));
}

#[test]
fn a_moved_node_is_where_it_says_and_nowhere_else() {
    let mut ground = Ground::new(2);
    let old = ground.address(1);
    ground.rebind(1);
    assert_eq!(ground.walk(0, 0, old), Err(Obstacle::Unroutable));
    let new = ground.address(1);
    assert_eq!(ground.walk(0, 0, new).unwrap().node, 1);
    assert_eq!(ground.walk(FAR, 1, ground.address(0)).unwrap().seen, new);
}
