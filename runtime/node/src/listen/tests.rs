//! Where a node listens on machines with and without IPv6.

use super::*;
use std::cell::Cell;
use std::io::{Error, ErrorKind};

/// A machine whose fresh ports count up from 5000, with these places taken.
fn machine(taken: &[SocketAddr], ipv6: bool) -> impl Fn(SocketAddr) -> io::Result<u16> {
    let fresh = Cell::new(5_000);
    move |place| {
        if place.is_ipv6() && !ipv6 {
            return Err(Error::from(ErrorKind::Unsupported));
        }
        if taken.contains(&place) {
            return Err(Error::from(ErrorKind::AddrInUse));
        }
        if place.port() == 0 {
            fresh.set(fresh.get() + 1);
            return Ok(fresh.get() - 1);
        }
        Ok(place.port())
    }
}

#[test]
fn both_families_share_the_remembered_port() {
    for (last, taken, port) in [
        (None, vec![], 5_000),
        (Some(0), vec![], 5_000),
        (Some(7_000), vec![], 7_000),
        (Some(7_000), vec![ipv4(7_000)], 5_000),
        (None, vec![ipv6(5_000)], 5_001),
    ] {
        let places = choose(last, machine(&taken, true)).unwrap();
        let expected = [ipv4(port), ipv6(port)];
        assert_eq!(places.addrs(), expected, "{last:?} {taken:?}");
    }
}

#[test]
fn ipv4_is_alone_where_ipv6_cannot_be_had() {
    let crowded: Vec<SocketAddr> = (5_000..5_010).map(ipv6).collect();
    for (last, taken, has_ipv6, port) in [
        (None, &[][..], false, 5_003),
        (Some(7_000), &[], false, 7_000),
        // Somebody else has the other half of the port that peers know.
        (Some(7_000), &[ipv6(7_000)], true, 7_000),
        (None, &crowded, true, 5_003),
    ] {
        let places = choose(last, machine(taken, has_ipv6)).unwrap();
        assert_eq!(places.addrs(), [ipv4(port)], "{last:?} {has_ipv6}");
        let why = places.without_ipv6.unwrap();
        assert!(why.contains("IPv6"), "{why}");
    }
}

#[test]
fn no_free_port_is_a_sentence() {
    let error = choose(Some(7_000), |_| Err(Error::from(ErrorKind::AddrInUse))).unwrap_err();
    assert!(error.contains("no UDP port is free"), "{error}");
}

#[test]
fn the_port_is_the_same_at_the_next_start() {
    let home = std::env::temp_dir();
    let home = home.join(format!("mesh-listen-{}", std::process::id()));
    fs::create_dir_all(&home).unwrap();
    let first = everywhere(&home).unwrap();
    assert_ne!(first[0].port(), 0);
    assert_eq!(everywhere(&home).unwrap(), first);
    // A real machine, whichever this is: what was chosen can be listened on at once.
    let port = first[0].port();
    let has_ipv6 = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
    assert_eq!(first.contains(&ipv6(port)), has_ipv6);
    // The port that a home remembers stays, with the family that is left.
    if let Ok(_taken) = UdpSocket::bind((Ipv6Addr::LOCALHOST, port)) {
        assert_eq!(everywhere(&home).unwrap(), [ipv4(port)]);
    }
    fs::remove_dir_all(&home).unwrap();
}

#[test]
fn a_place_that_is_taken_is_refused_by_name() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken_at = taken.local_addr().unwrap();
    let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let why = exactly(&[loopback, taken_at]).unwrap_err();
    assert!(why.contains(&taken_at.to_string()), "{why}");
    assert_eq!(exactly(&[loopback]), Ok(vec![loopback]));
}
