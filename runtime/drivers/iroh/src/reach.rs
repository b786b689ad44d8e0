//! Which addresses of this machine are told to others.

use messages::limits::ADDRS_MAX;
use std::net::{IpAddr, SocketAddr};

#[cfg(test)]
mod tests;

/// The addresses at which others can reach this node, as many as a ticket holds. Where there are
/// more, neither family takes the other's half.
pub(crate) fn reachable(addrs: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let (mut ipv4, mut ipv6): (Vec<_>, Vec<_>) = addrs
        .into_iter()
        .filter(|addr| is_reachable(addr.ip()))
        .partition(SocketAddr::is_ipv4);
    let room = (ADDRS_MAX / 2).max(ADDRS_MAX.saturating_sub(ipv4.len()));
    ipv6.truncate(room);
    ipv4.truncate(ADDRS_MAX - ipv6.len());
    ipv4.extend(ipv6);
    ipv4
}

/// An IPv6 link-local address means nothing without its interface, whose number is another one on
/// each machine and does not travel.
fn is_reachable(ip: IpAddr) -> bool {
    let local = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    !local && !ip.is_unspecified() && !ip.is_multicast()
}
