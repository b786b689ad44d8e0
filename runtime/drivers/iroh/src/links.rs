//! Which connections there are, and which sessions they carry.

use crate::outgoing::Outgoing;
use crate::shared::Shared;
use iroh::endpoint::{Connection, ConnectionError, SendStream, VarInt};
use messages::peer_session::LinkLoss;
use messages::ports::transport::PathInfo;
use messages::wire::latest::{EXPORTER_LABEL, network_tag};
use messages::{LinkId, Mono, NetworkId, NodeId, StreamId, roster};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

/// Links at once: a few hundred KiB each at rest.
pub(crate) const LINKS_MAX: usize = 1024;
/// Links at once on which nobody is admitted yet, handshakes included: two networks' worth of
/// sessions in their handshake.
pub(crate) const STRANGERS_MAX: usize = 2 * messages::limits::HANDSHAKES_MAX;
/// Of those, the ones from one address or IPv6 /64: one machine cannot keep all others out. The
/// nodes behind one home's address, all started at once; whoever finds no room dials again.
pub(crate) const STRANGERS_PER_SOURCE_MAX: usize = 16;
/// Strangers from which on a sender must prove its address first.
pub(crate) const UNPROVED_MAX: usize = 16;
/// Strangers from one source from which on it must: nobody can fill another one's places by
/// sending in its name.
pub(crate) const UNPROVED_PER_SOURCE_MAX: usize = 4;
/// Streams that a stranger may open in all: a control stream for each of a few shared networks.
pub(crate) const EARLY_STREAMS_MAX: u32 = 8;
/// Streams that a stranger may hold open at once.
pub(crate) const STRANGER_STREAMS: u32 = 4;
/// Streams of sessions, above those of jobs: two per session where both sides opened one.
const SESSION_STREAMS: u32 = 16;
/// Large frames of job streams that a link's readers hold incomplete, in KiB: nine of the largest
/// jobs. Whoever begins more of them and sends no end waits for nobody but itself.
const LARGE_KIB_MAX: usize = 16 * 1024;
/// What arrived is read within this time of a connection's end.
pub(crate) const DRAIN_WAIT: Duration = Duration::from_millis(500);

/// The links of one life of the transport.
pub(crate) struct Links {
    /// Numbers the life: ids that it mints are unique in the boot.
    life: u64,
    minted: u64,
    pub(crate) attached: BTreeSet<NetworkId>,
    pub(crate) links: BTreeMap<LinkId, Link>,
    /// Whom a session admitted. The network's session is the gate; this is what its node spends
    /// on strangers.
    admitted: BTreeSet<(NetworkId, NodeId)>,
    /// Dials under way, and for which networks.
    pub(crate) dials: BTreeMap<NodeId, Vec<NetworkId>>,
    /// Where incoming connections in the handshake come from.
    pub(crate) handshakes: Vec<IpAddr>,
}

/// One connection.
pub(crate) struct Link {
    pub(crate) peer: NodeId,
    pub(crate) conn: Connection,
    /// Where the peer dialled from; nothing where this side dialled.
    pub(crate) source: Option<IpAddr>,
    /// Keying material for network tags.
    pub(crate) exported: [u8; 32],
    pub(crate) since: Mono,
    pub(crate) sessions: BTreeMap<NetworkId, Session>,
    pub(crate) early_streams: u32,
    /// What job streams may hold of large frames that are incomplete, in KiB.
    pub(crate) large: Arc<Semaphore>,
    /// Whether an admitted peer's larger limits were set.
    trusted: bool,
}

/// One session's end of a link. Dropping it ends its streams.
pub(crate) struct Session {
    /// Tells it from an earlier one in its place.
    pub(crate) serial: u64,
    /// Where its frames go, once there is a stream.
    pub(crate) control: Option<Arc<Outgoing>>,
    /// Whether the peer opened a control stream.
    pub(crate) answered: bool,
    /// The peer's control stream, where both sides opened one: never written, and open as long as
    /// the session.
    pub(crate) spare: Option<SendStream>,
    /// True once the session spoke: from then on it is there to be spoken to.
    pub(crate) spoke: watch::Sender<bool>,
    /// Closes with the session's end of the link.
    pub(crate) alive: watch::Sender<()>,
    /// Listened to by whoever reads a control stream: frames may still be there to be told of.
    pub(crate) reading: watch::Sender<()>,
    /// Listened to by streams whose last reply is on its way.
    pub(crate) last_words: watch::Sender<()>,
    /// The path that it was told last.
    pub(crate) told: Option<PathInfo>,
    /// Whether its last frames are being flushed.
    pub(crate) closing: bool,
}

impl Links {
    pub(crate) const fn new(life: u64) -> Self {
        Self {
            life,
            minted: 0,
            attached: BTreeSet::new(),
            links: BTreeMap::new(),
            admitted: BTreeSet::new(),
            dials: BTreeMap::new(),
            handshakes: Vec::new(),
        }
    }

    pub(crate) const fn mint_stream(&mut self) -> StreamId {
        StreamId(self.mint())
    }

    /// Unique in a boot: lives are numbered over all of a boot, and none mints 2^32 ids.
    const fn mint(&mut self) -> u64 {
        self.minted += 1;
        (self.life << 32) | self.minted
    }

    /// The link and its session, unless that is ending.
    pub(crate) fn session(
        &mut self,
        link: LinkId,
        network: NetworkId,
    ) -> Option<(NodeId, &Connection, &[u8; 32], &mut Session)> {
        let link = self.links.get_mut(&link)?;
        let session = link
            .sessions
            .get_mut(&network)
            .filter(|session| !session.closing)?;
        Some((link.peer, &link.conn, &link.exported, session))
    }

    /// Which carried network a tag names.
    pub(crate) fn network_of(&self, link: LinkId, tag: &[u8; 32]) -> Option<NetworkId> {
        let exported = &self.links.get(&link)?.exported;
        self.attached
            .iter()
            .copied()
            .find(|network| network_tag(*network, exported) == *tag)
    }

    /// A link to the peer that can be used for another session: one that has it already, or else
    /// the newest.
    pub(crate) fn link_to(&self, peer: NodeId, network: NetworkId) -> Option<LinkId> {
        let usable = |link: &&(LinkId, &Link)| {
            link.1.peer == peer
                && link.1.conn.close_reason().is_none()
                && link.1.sessions.values().any(|session| !session.closing)
        };
        let all: Vec<_> = self.links.iter().map(|(id, link)| (*id, link)).collect();
        let has_it = |link: &&(LinkId, &Link)| link.1.sessions.contains_key(&network);
        let usable: Vec<_> = all.iter().filter(usable).collect();
        let found = usable
            .iter()
            .copied()
            .find(has_it)
            .or_else(|| usable.last().copied());
        found.map(|(id, _)| *id)
    }

    /// Links on which nobody is admitted, and handshakes.
    pub(crate) fn strangers(&self) -> usize {
        let unknown = self.links.keys().filter(|link| !self.is_admitted(**link));
        self.handshakes.len() + unknown.count()
    }

    /// Those of them that came from there.
    pub(crate) fn strangers_from(&self, source: IpAddr) -> usize {
        let from =
            |(id, link): &(&LinkId, &Link)| link.source == Some(source) && !self.is_admitted(**id);
        let shaking = self.handshakes.iter().filter(|from| **from == source);
        shaking.count() + self.links.iter().filter(from).count()
    }

    /// Whether a session of the link admitted the peer.
    pub(crate) fn is_admitted(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|link| {
            link.sessions
                .keys()
                .any(|network| self.admits(*network, link.peer))
        })
    }

    pub(crate) fn admits(&self, network: NetworkId, peer: NodeId) -> bool {
        self.admitted.contains(&(network, peer))
    }

    /// The network's session admits the peer: its links get room for jobs.
    pub(crate) fn admit(&mut self, network: NetworkId, peer: NodeId, max_jobs: u32) {
        self.admitted.insert((network, peer));
        for link in self.links.values_mut().filter(|link| link.peer == peer) {
            link.trust(max_jobs);
        }
    }

    pub(crate) fn deny(&mut self, network: NetworkId, peer: NodeId) {
        self.admitted.remove(&(network, peer));
    }

    /// Takes a session's end from a link, and what was admitted with its last end.
    pub(crate) fn take_session(&mut self, link: LinkId, network: NetworkId) -> Option<Session> {
        let at = self.links.get_mut(&link)?;
        let (peer, session) = (at.peer, at.sessions.remove(&network)?);
        self.forget_admission(network, peer);
        Some(session)
    }

    pub(crate) fn take_link(&mut self, link: LinkId) -> Option<Link> {
        let taken = self.links.remove(&link)?;
        for network in taken.sessions.keys() {
            self.forget_admission(*network, taken.peer);
        }
        Some(taken)
    }

    fn forget_admission(&mut self, network: NetworkId, peer: NodeId) {
        let mut left = self.links.values().filter(|link| link.peer == peer);
        if !left.any(|link| link.sessions.contains_key(&network)) {
            self.admitted.remove(&(network, peer));
        }
    }
}

impl Shared {
    /// A connection is up: its streams are taken from now on.
    pub(crate) fn add_link(
        self: &Arc<Self>,
        links: &mut Links,
        conn: Connection,
        source: Option<IpAddr>,
    ) -> Option<LinkId> {
        let mut exported = [0; 32];
        conn.export_keying_material(&mut exported, EXPORTER_LABEL, &[])
            .ok()?;
        let id = LinkId(links.mint());
        let peer = NodeId(*conn.remote_id().as_bytes());
        self.config.keepsake.remember_peer(id, peer);
        let link = Link {
            peer,
            conn: conn.clone(),
            source,
            exported,
            since: self.port.now().mono,
            sessions: BTreeMap::new(),
            early_streams: 0,
            large: Arc::new(Semaphore::new(LARGE_KIB_MAX)),
            trusted: false,
        };
        links.links.insert(id, link);
        self.spawn(Arc::clone(self).take_streams(id, conn));
        Some(id)
    }

    /// The link carries the network: its roster is told, again where it carried it before.
    pub(crate) fn carry(&self, links: &mut Links, id: LinkId, network: NetworkId) {
        let serial = links.mint();
        let Some(link) = links.links.get_mut(&id) else {
            return;
        };
        link.sessions
            .entry(network)
            .or_insert_with(|| Session::new(serial));
        if links.admitted.contains(&(network, link.peer)) {
            link.trust(self.config.max_jobs);
        }
        let (peer, dialled) = (link.peer, link.source.is_none());
        self.tell_roster(
            network,
            roster::Input::LinkUp {
                peer,
                link: id,
                dialled,
            },
        );
    }

    /// A session's end of a link is over, unless another took its place. The link goes with its
    /// last session.
    pub(crate) fn end_session(
        &self,
        link: LinkId,
        network: NetworkId,
        serial: u64,
        why: LinkLoss,
        farewell: &str,
    ) {
        let mut links = self.links();
        let Some(at) = links.links.get(&link) else {
            return;
        };
        let peer = at.peer;
        let Some(session) = at
            .sessions
            .get(&network)
            .filter(|found| found.serial == serial)
        else {
            return;
        };
        // Where the whole connection is gone, that is the reason.
        let why = at.conn.close_reason().map_or(why, |error| loss_of(&error));
        let why = session.reason(why);
        drop(links.take_session(link, network));
        self.tell_link_down(network, peer, link, why);
        self.close_if_unused(&mut links, link, farewell);
    }

    /// Closes a link that carries no session any more.
    pub(crate) fn close_if_unused(&self, links: &mut Links, link: LinkId, farewell: &str) {
        if links
            .links
            .get(&link)
            .is_some_and(|link| link.sessions.is_empty())
            && let Some(taken) = links.take_link(link)
        {
            taken
                .conn
                .close(crate::shared::code::OVER, farewell.as_bytes());
        }
    }

    /// The connection is gone: all of its sessions are told, after what the peer said before it
    /// went.
    pub(crate) async fn link_lost(&self, link: LinkId, error: &ConnectionError) {
        let why = loss_of(error);
        let mut reading = Vec::new();
        if let Some(found) = self.links().links.get(&link) {
            reading.extend(
                found
                    .sessions
                    .values()
                    .map(|session| session.reading.clone()),
            );
        }
        let drained = async {
            for readers in &reading {
                readers.closed().await;
            }
        };
        let _ = timeout(DRAIN_WAIT, drained).await;
        let mut links = self.links();
        let Some(taken) = links.take_link(link) else {
            return;
        };
        tracing::debug!(peer = %taken.peer.short(), %error, "a link ended");
        for (network, session) in &taken.sessions {
            self.tell_link_down(*network, taken.peer, link, session.reason(why));
        }
    }
}

impl Link {
    /// Raises a stranger's limits to a member's.
    fn trust(&mut self, max_jobs: u32) {
        if !std::mem::replace(&mut self.trusted, true) {
            let streams = max_jobs.saturating_add(SESSION_STREAMS);
            self.conn
                .set_max_concurrent_bi_streams(VarInt::from_u32(streams));
            // Every stream may be full and unread without stopping a session's frames: see there.
            let window = streams.saturating_mul(crate::endpoint::STREAM_WINDOW);
            self.conn.set_receive_window(VarInt::from_u32(window));
        }
    }
}

impl Session {
    fn new(serial: u64) -> Self {
        Self {
            serial,
            control: None,
            answered: false,
            spare: None,
            spoke: watch::Sender::new(false),
            alive: watch::Sender::new(()),
            reading: watch::Sender::new(()),
            last_words: watch::Sender::new(()),
            told: None,
            closing: false,
        }
    }

    /// A session that was closing is closed by this side, whoever is the first to go.
    const fn reason(&self, why: LinkLoss) -> LinkLoss {
        if self.closing {
            LinkLoss::ClosedHere
        } else {
            why
        }
    }
}

/// What a lost connection is to a session.
fn loss_of(error: &ConnectionError) -> LinkLoss {
    match error {
        ConnectionError::ConnectionClosed(_) | ConnectionError::ApplicationClosed(_) => {
            LinkLoss::ClosedByPeer
        }
        ConnectionError::TimedOut => LinkLoss::TimedOut,
        ConnectionError::LocallyClosed => LinkLoss::ClosedHere,
        ConnectionError::VersionMismatch
        | ConnectionError::TransportError(_)
        | ConnectionError::Reset
        | ConnectionError::CidsExhausted => LinkLoss::Reset,
    }
}
