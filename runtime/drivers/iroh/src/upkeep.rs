//! What is looked at once a second: strangers, paths, addresses.

use crate::links::Links;
use crate::shared::{Shared, code};
use iroh::TransportAddr;
use iroh::endpoint::Connection;
use messages::ports::transport::{PathInfo, PathKind};
use messages::{List, Micros, Mono, peer_session, roster};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

impl Shared {
    /// Runs as long as the driver.
    pub(crate) async fn keep_up(self: Arc<Self>) {
        let mut addrs = self.addrs();
        let mut looks = 0_u32;
        loop {
            // Interfaces are found within moments of the bind; then once a second is enough.
            sleep(if looks < EARLY_LOOKS {
                EARLY_TICK
            } else {
                TICK
            })
            .await;
            looks = looks.saturating_add(1);
            self.tell_addrs(&mut addrs);
            if looks.is_multiple_of(EARLY_LOOKS) || looks > EARLY_LOOKS {
                let mut links = self.links();
                self.expire_strangers(&mut links);
                self.tell_paths(&mut links);
            }
        }
    }

    fn tell_addrs(&self, known: &mut Vec<SocketAddr>) {
        let addrs = self.addrs();
        if addrs == *known {
            return;
        }
        known.clone_from(&addrs);
        let links = self.links();
        for network in &links.attached {
            let addrs = List::truncated(addrs.iter().copied());
            self.tell_roster(*network, roster::Input::Bound(addrs));
        }
    }

    fn expire_strangers(&self, links: &mut Links) {
        let now = self.port.now().mono;
        let over = |since: Mono, wait: Micros| now.since(since) >= wait;
        for (id, link) in &links.links {
            let silent = link.sessions.is_empty() && over(link.since, FIRST_STREAM_WAIT);
            let late = over(link.since, ADMISSION_WAIT) && !links.is_admitted(*id);
            if silent || late {
                self.counts().strangers.add();
                // The task that takes its streams cleans up after it.
                link.conn
                    .close(code::STRANGER, b"nobody was admitted in time");
            }
        }
    }

    fn tell_paths(&self, links: &mut Links) {
        for (id, link) in &mut links.links {
            let path = path_of(&link.conn);
            for (network, session) in &mut link.sessions {
                let news = session.told.is_none_or(|told| is_news(&told, &path));
                if news && *session.spoke.borrow() {
                    session.told = Some(path);
                    let input = peer_session::Input::Path { link: *id, path };
                    self.tell_session(*network, link.peer, input);
                }
            }
        }
    }
}

fn path_of(conn: &Connection) -> PathInfo {
    let paths = conn.paths();
    let selected = paths
        .iter()
        .find(|path| path.is_selected())
        .or_else(|| paths.iter().next());
    let Some(path) = selected else {
        return PathInfo::default();
    };
    let rtt = Micros(u64::try_from(path.rtt().as_micros()).unwrap_or(u64::MAX));
    match path.remote_addr() {
        TransportAddr::Ip(addr) => PathInfo {
            kind: PathKind::Direct,
            addr: Some(*addr),
            rtt,
        },
        TransportAddr::Relay(_) | TransportAddr::Custom(_) | _ => PathInfo {
            kind: PathKind::Relayed,
            addr: None,
            rtt,
        },
    }
}

/// Another way, or a round trip that differs by more than a quarter and [`RTT_NOISE`].
fn is_news(told: &PathInfo, path: &PathInfo) -> bool {
    let apart = (told.rtt - path.rtt) + (path.rtt - told.rtt);
    (told.kind, told.addr) != (path.kind, path.addr)
        || (apart > RTT_NOISE && apart > Micros(told.rtt.0 / 4))
}

/// The pace of everything here.
const TICK: Duration = Duration::from_secs(1);
const EARLY_TICK: Duration = Duration::from_millis(100);
/// Looks at the early pace.
const EARLY_LOOKS: u32 = 10;
/// A stranger's first stream with its preface; both take one round trip.
const FIRST_STREAM_WAIT: Micros = Micros::from_secs(6);
/// The first stream, a session's handshake of 5 s, and the start of both sessions.
const ADMISSION_WAIT: Micros = Micros::from_secs(12);
/// Changes of a round trip that no choice depends on.
const RTT_NOISE: Micros = Micros(200);
