//! Which addresses a ticket holds.

use super::*;

fn addrs(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn both_families_are_told_and_what_reaches_nobody_is_not() {
    let all = addrs(&[
        "0.0.0.0:7",
        "192.0.2.2:7",
        "[::]:7",
        "[fe80::1]:7",
        "[fe80::1%2]:7",
        "[ff02::1]:7",
        "[2001:db8::2]:7",
        "[fd00::2]:7",
        "[::1]:7",
    ]);
    let told = addrs(&["192.0.2.2:7", "[2001:db8::2]:7", "[fd00::2]:7", "[::1]:7"]);
    assert_eq!(reachable(all), told);
}

#[test]
fn a_crowd_of_one_family_leaves_the_other_its_half() {
    let ipv4 = |n: u16| SocketAddr::from(([192, 0, 2, 1], n));
    let ipv6 = |n: u16| SocketAddr::from(([1, 2, 3, 4, 5, 6, 7, 8], n));
    for (fours, sixes, told4, told6) in [
        (40, 40, 8, 8),
        (40, 0, 16, 0),
        (0, 40, 0, 16),
        (40, 3, 13, 3),
        (3, 40, 3, 13),
        (9, 7, 9, 7),
    ] {
        let all = (0..fours).map(ipv4).chain((0..sixes).map(ipv6));
        let told: Vec<_> = (0..told4).map(ipv4).chain((0..told6).map(ipv6)).collect();
        assert_eq!(reachable(all), told, "{fours} {sixes}");
    }
}
