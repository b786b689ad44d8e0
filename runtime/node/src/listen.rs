//! Where peers connect where nobody says so: every interface, on a port that the home remembers.

use std::fmt::Display;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;

#[cfg(test)]
mod tests;

/// Fresh ports that are tried for one that both families have free. A port that one family has
/// free is hardly ever taken in the other, so a further try finds one.
const FRESH_TRIES: u32 = 4;

/// IPv4 and IPv6 on the port of earlier boots, so that addresses in tickets stay true; on another
/// free one where that is taken. IPv4 alone where IPv6 cannot be had.
///
/// # Errors
/// A sentence: no port is free, or the home cannot keep it.
pub(crate) fn everywhere(home: &Path) -> Result<Vec<SocketAddr>, String> {
    let path = home.join("port");
    let last = fs::read_to_string(&path)
        .ok()
        .and_then(|port| port.trim().parse().ok());
    let places = choose(last, free)?;
    if let Some(why) = &places.without_ipv6 {
        tracing::info!("peers reach this node over IPv4 alone: {why}");
    }
    if last != Some(places.port) {
        fs::write(&path, format!("{}\n", places.port))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(places.addrs())
}

/// These places, if all of them can be listened at.
///
/// # Errors
/// A sentence that names the first that cannot.
pub(crate) fn exactly(places: &[SocketAddr]) -> Result<Vec<SocketAddr>, String> {
    for place in places {
        free(*place).map_err(|error| {
            format!(
                "peers cannot connect at {place} ({error}): choose another --listen, or stop what \
                 holds it"
            )
        })?;
    }
    Ok(places.to_vec())
}

/// What was found to listen at.
#[derive(Debug, PartialEq, Eq)]
struct Places {
    port: u16,
    /// Why there is no IPv6, where there is none.
    without_ipv6: Option<String>,
}

impl Places {
    fn addrs(&self) -> Vec<SocketAddr> {
        let mut addrs = vec![ipv4(self.port)];
        addrs.extend(self.without_ipv6.is_none().then(|| ipv6(self.port)));
        addrs
    }
}

/// Chooses by what `free` says of a place: the port that it has there, or why it has none.
fn choose(
    last: Option<u16>,
    free: impl Fn(SocketAddr) -> io::Result<u16>,
) -> Result<Places, String> {
    let places = |port| Places {
        port,
        without_ipv6: free(ipv6(port)).err().as_ref().map(why_not),
    };
    // Peers know the remembered port: half of it is worth more than the whole of another.
    if let Some(port) = last.filter(|port| *port != 0 && free(ipv4(*port)).is_ok()) {
        return Ok(places(port));
    }
    let mut tries = 1;
    loop {
        let port = free(ipv4(0)).map_err(|error| format!("no UDP port is free: {error}"))?;
        let found = places(port);
        if found.without_ipv6.is_none() || tries == FRESH_TRIES {
            return Ok(found);
        }
        tries += 1;
    }
}

fn why_not(error: &impl Display) -> String {
    format!("IPv6 cannot be listened on ({error})")
}

/// The port that a place has, if it is free. The wildcard of IPv6 may claim IPv4 as well, so
/// nothing of this process holds the port meanwhile.
fn free(place: SocketAddr) -> io::Result<u16> {
    Ok(UdpSocket::bind(place)?.local_addr()?.port())
}

fn ipv4(port: u16) -> SocketAddr {
    (Ipv4Addr::UNSPECIFIED, port).into()
}

fn ipv6(port: u16) -> SocketAddr {
    (Ipv6Addr::UNSPECIFIED, port).into()
}
