//! The sessions of a network: begun for each peer with a link, and known until they are gone.

mod letters;

use crate::Roster;
use crate::members::NoRoom;
use kernel::{Child, Exit, How, Outbox, Restart};
use messages::limits::HANDSHAKES_MAX;
use messages::peer_session::{self, Ended, LinkLoss, Verdict};
use messages::wire::latest::Deny;
use messages::{Branch, Credential, LinkId, Micros, Mono, NodeId, Now, Seed, TicketKey};
use std::collections::BTreeMap;
use std::ops::Bound;

/// The sessions, by peer.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    map: BTreeMap<NodeId, Session>,
    /// How many are in each state: asked in every turn.
    shaking: usize,
    strangers: usize,
    active: usize,
    /// Of those that are shaking or active, such as this node dialled; of these, the shaking.
    own: usize,
    own_shaking: usize,
}

/// One session, as its roster sees it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) state: State,
    /// Whether the peer was known when it came.
    known: bool,
    /// The links that it was told of, newest last: told again to its next life.
    links: Vec<(LinkId, bool)>,
    /// The ticket that its peer was admitted by.
    pub(crate) ticket: Option<TicketKey>,
    /// Whether this node dialled it.
    pub(crate) dialled: bool,
    /// Until then it is not asked to end.
    pub(crate) spared: Mono,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not active, or not active again yet.
    Shaking,
    /// Both sides have admitted each other, since then.
    Active(Mono),
    /// It said that it ended, or is ending; its Down is still to come. A link that came up
    /// meanwhile waits for the next session.
    Ending(Option<(LinkId, bool)>),
}

impl State {
    /// Whether it has been active for a while.
    fn lasted(self, now: Mono) -> bool {
        matches!(self, Self::Active(since) if now.since(since) >= LASTED)
    }
}

impl Sessions {
    pub(crate) fn contains(&self, peer: NodeId) -> bool {
        self.map.contains_key(&peer)
    }

    /// Whether there is a session that is not ending.
    pub(crate) fn is_live(&self, peer: NodeId) -> bool {
        let state = self.map.get(&peer).map(|session| session.state);
        matches!(state, Some(State::Shaking | State::Active(_)))
    }

    pub(crate) const fn active(&self) -> usize {
        self.active
    }

    /// Sessions that this node dialled, and those of them that are on their way.
    pub(crate) const fn own(&self) -> (usize, usize) {
        (self.own, self.own_shaking)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (NodeId, &Session)> {
        self.map.iter().map(|(peer, session)| (*peer, session))
    }

    /// Does not ask it to end before this time.
    pub(crate) fn spare(&mut self, peer: NodeId, until: Mono) {
        if let Some(session) = self.map.get_mut(&peer) {
            session.spared = until;
        }
    }

    pub(crate) fn is_active(&self, peer: NodeId) -> bool {
        let state = self.map.get(&peer).map(|session| session.state);
        matches!(state, Some(State::Active(_)))
    }

    /// Peers with an active session, in order.
    pub(crate) fn active_peers(&self) -> Vec<NodeId> {
        self.active_after(None).collect()
    }

    /// Peers after `from` with an active session, in order.
    pub(crate) fn active_after(&self, from: Option<NodeId>) -> impl Iterator<Item = NodeId> + '_ {
        let start = from.map_or(Bound::Unbounded, Bound::Excluded);
        let active = |(_, session): &(&NodeId, &Session)| matches!(session.state, State::Active(_));
        self.map
            .range((start, Bound::Unbounded))
            .filter(active)
            .map(|(peer, _)| *peer)
    }

    /// Peers whose session has been active for a while.
    pub(crate) fn lasting(&self, now: Mono) -> Vec<NodeId> {
        let lasting = |(_, session): &(&NodeId, &Session)| session.state.lasted(now);
        self.map
            .iter()
            .filter(lasting)
            .map(|(peer, _)| *peer)
            .collect()
    }

    /// Peers with a session that is not ending, in order.
    pub(crate) fn live_peers(&self) -> Vec<NodeId> {
        let live = |(_, session): &(&NodeId, &Session)| !matches!(session.state, State::Ending(_));
        self.map
            .iter()
            .filter(live)
            .map(|(peer, _)| *peer)
            .collect()
    }

    /// Peers that were admitted by this ticket.
    pub(crate) fn by_ticket(&self, ticket: TicketKey) -> Vec<NodeId> {
        let came_by = |(_, session): &(&NodeId, &Session)| session.ticket == Some(ticket);
        self.map
            .iter()
            .filter(came_by)
            .map(|(peer, _)| *peer)
            .collect()
    }

    /// Strangers get most of the room, and never all of it: they cost nothing to make, and members
    /// must get in past them.
    const fn has_room(&self, known: bool) -> bool {
        self.shaking < HANDSHAKES_MAX && (known || self.strangers < STRANGERS_MAX)
    }

    fn insert(&mut self, peer: NodeId, known: bool, links: Vec<(LinkId, bool)>) {
        self.remove(peer);
        let session = Session {
            state: State::Shaking,
            known,
            dialled: links.iter().any(|(_, dialled)| *dialled),
            links,
            ticket: None,
            spared: Mono::default(),
        };
        self.count(&session, true);
        self.map.insert(peer, session);
    }

    fn remove(&mut self, peer: NodeId) -> Option<Session> {
        let session = self.map.remove(&peer)?;
        self.count(&session, false);
        Some(session)
    }

    fn set(&mut self, peer: NodeId, state: State) {
        if let Some(mut session) = self.remove(peer) {
            session.state = state;
            self.count(&session, true);
            self.map.insert(peer, session);
        }
    }

    /// Another link of a session that is not ending.
    fn remember(&mut self, peer: NodeId, link: LinkId, dialled: bool) {
        if let Some(mut session) = self.remove(peer) {
            remember(&mut session.links, link, dialled);
            session.dialled |= dialled;
            self.count(&session, true);
            self.map.insert(peer, session);
        }
    }

    fn count(&mut self, session: &Session, more: bool) {
        let change = |count: &mut usize, by: bool| match more {
            true => *count += usize::from(by),
            false => *count -= usize::from(by),
        };
        let shaking = session.state == State::Shaking;
        let active = matches!(session.state, State::Active(_));
        change(&mut self.shaking, shaking);
        change(&mut self.strangers, shaking && !session.known);
        change(&mut self.active, active);
        change(&mut self.own, session.dialled && (shaking || active));
        change(&mut self.own_shaking, session.dialled && shaking);
    }

    pub(crate) fn invariants(&self) {
        assert!(
            self.strangers <= self.shaking,
            "more strangers than handshakes"
        );
        assert!(
            self.shaking + self.active <= self.map.len(),
            "more states than sessions"
        );
        let mut links = self.map.values().map(|session| session.links.len());
        assert!(links.all(|links| links <= LINKS_MAX), "too many links");
    }
}

impl Roster {
    /// A connection carries this network.
    pub(crate) fn on_link_up(
        &mut self,
        now: Now,
        peer: NodeId,
        link: LinkId,
        dialled: bool,
        out: &mut Outbox,
    ) {
        if peer == self.seed.me {
            return self.close(link, "a node has no session with itself", out);
        }
        self.dials.connected(peer);
        if self.dials.over && !self.sessions.is_live(peer) {
            kernel::sometimes!(true, "roster: a link comes up while the node leaves");
            return self.close(link, "the node leaves", out);
        }
        let Some(session) = self.sessions.map.get_mut(&peer) else {
            return self.begin(now, peer, link, dialled, out);
        };
        match &mut session.state {
            State::Ending(pending) => {
                let older = pending.replace((link, dialled));
                kernel::sometimes!(true, "roster: a link comes up while a session ends");
                if let Some((older, _)) = older.filter(|(older, _)| *older != link) {
                    kernel::sometimes!(true, "roster: two links come as a session ends");
                    self.close(older, "a newer link is there", out);
                }
            }
            State::Shaking | State::Active(_) => {
                self.sessions.remember(peer, link, dialled);
                kernel::sometimes!(true, "roster: a peer has another link");
                self.to_session(peer, peer_session::Input::Link { link, dialled }, out);
            }
        }
    }

    /// Starts the session of a link, if there is room for another handshake.
    fn begin(&mut self, now: Now, peer: NodeId, link: LinkId, dialled: bool, out: &mut Outbox) {
        let known = self.table.knows(peer);
        if !self.sessions.has_room(known) {
            kernel::sometimes!(known, "roster: too many handshakes");
            kernel::sometimes!(!known, "roster: too many strangers");
            self.close(link, "too many handshakes at once", out);
            return self.on_dial_failed(now, peer);
        }
        self.sessions.insert(peer, known, vec![(link, dialled)]);
        out.start(Child {
            at: self.session_address(peer),
            seed: Seed::Session(peer_session::Seed {
                network: self.seed.network,
                me: self.seed.me,
                boot: self.seed.boot,
                peer,
                credential: self.seed.credential.clone(),
                link,
                dialled,
            }),
            under: Branch::Sessions(self.seed.network),
            restart: Restart::Transient,
        });
        self.brief(peer, out);
    }

    /// Tells a session, in whatever life it is, what this roster told it before.
    fn brief(&self, peer: NodeId, out: &mut Outbox) {
        let links = self
            .sessions
            .map
            .get(&peer)
            .map(|session| session.links.clone());
        for (link, dialled) in links.unwrap_or_default() {
            self.to_session(peer, peer_session::Input::Link { link, dialled }, out);
        }
        self.to_session(peer, peer_session::Input::Serves(self.advert.serves()), out);
        self.to_session(peer, peer_session::Input::Load(self.advert.load()), out);
        out.watch(self.session_address(peer));
    }

    /// Makes sure that a session that speaks is known: an earlier life of this roster began it.
    fn adopt(&mut self, peer: NodeId, out: &mut Outbox) {
        kernel::sometimes!(!self.sessions.contains(peer), "roster: it adopts a session");
        if !self.sessions.contains(peer) {
            self.dials.connected(peer);
            let known = self.table.knows(peer);
            self.sessions.insert(peer, known, Vec::new());
            self.brief(peer, out);
        }
    }

    /// A session asks whether its peer is a member.
    pub(crate) fn on_judge(
        &mut self,
        now: Now,
        peer: NodeId,
        credential: &Credential,
        out: &mut Outbox,
    ) {
        self.adopt(peer, out);
        kernel::sometimes!(self.is_loading(), "roster: it judges before the disk spoke");
        // What is known of a ticket needs no disk: a session that stood is cut at once.
        let is_revoked = self.is_loading() && self.tickets.is_revoked(credential);
        kernel::sometimes!(
            is_revoked,
            "roster: it knows of a revocation before the disk spoke"
        );
        let verdict = match self.is_loading() {
            true if is_revoked => Verdict::Deny(Deny::Revoked),
            true => Verdict::Unknown,
            false => match self.judge(now, peer, credential) {
                Ok(until) => Verdict::Admit { until },
                Err(why) => Verdict::Deny(why),
            },
        };
        self.to_session(peer, peer_session::Input::Verdict(verdict), out);
    }

    fn judge(
        &mut self,
        now: Now,
        peer: NodeId,
        credential: &Credential,
    ) -> Result<Option<messages::Wall>, Deny> {
        let until = self.belongs(peer, credential, now.wall)?;
        let evicted = self.table.judged(now.mono, peer, credential);
        if let Some(evicted) = evicted.map_err(|NoRoom| Deny::Full)? {
            kernel::sometimes!(true, "roster: a member gives way to another");
            self.forget_dials(evicted);
        }
        if let Some(session) = self.sessions.map.get_mut(&peer) {
            session.ticket = credential.ticket();
        }
        Ok(until)
    }

    /// A session's two sides have admitted each other.
    pub(crate) fn on_active(&mut self, now: Now, peer: NodeId, out: &mut Outbox) {
        self.adopt(peer, out);
        self.dials.admitted(peer);
        match self.sessions.map.get(&peer).map(|session| session.state) {
            Some(State::Shaking) => self.sessions.set(peer, State::Active(now.mono)),
            Some(State::Active(_)) => {}
            Some(State::Ending(_)) | None => return,
        }
        self.on_own_admission(now, peer);
        self.welcome(now, peer, out);
        self.on_neighbour(now, peer, out);
    }

    /// A session is over; its Down follows.
    pub(crate) fn on_session_ended(
        &mut self,
        now: Now,
        peer: NodeId,
        why: &Ended,
        out: &mut Outbox,
    ) {
        let lasted = match self.sessions.map.get(&peer).map(|session| session.state) {
            None => {
                // Begun by an earlier life of this roster.
                kernel::sometimes!(true, "roster: a session of an earlier life ends");
                self.sessions.insert(peer, true, Vec::new());
                out.watch(self.session_address(peer));
                false
            }
            Some(State::Ending(_)) => return,
            Some(state) => state.lasted(now.mono),
        };
        self.sessions.set(peer, State::Ending(None));
        self.on_left(now, peer, lasted);
        self.redial(now, peer, lasted, why);
        let enough = Ended::DeniedHere(Deny::Enough);
        let released = matches!(why, Ended::DeniedByPeer(Deny::Enough)) || *why == enough;
        self.on_neighbour_gone(now, peer, released);
    }

    /// A member is not here any more.
    fn on_left(&mut self, now: Now, peer: NodeId, lasted: bool) {
        if lasted {
            self.table.lasted(peer);
        }
        if let Some(evicted) = self.table.left(now.mono, peer) {
            self.forget_dials(evicted);
        }
    }

    pub(crate) fn on_session_down(&mut self, now: Now, peer: NodeId, why: &Exit, out: &mut Outbox) {
        let Some(session) = self.sessions.map.get(&peer) else {
            return;
        };
        let links = session.links.clone();
        match (session.state, why) {
            (State::Ending(pending), _) => {
                self.sessions.remove(peer);
                self.on_left(now, peer, false);
                if let Some((link, dialled)) = pending {
                    self.dials.connected(peer);
                    self.begin(now, peer, link, dialled, out);
                }
            }
            (State::Shaking | State::Active(_), Exit::StartFailed(_)) => {
                // It spent its restarts: the next link begins with a new one.
                kernel::sometimes!(true, "roster: a session has spent its restarts");
                out.stop(self.session_address(peer), How::Kill);
                for (link, _) in links {
                    self.close(link, "the session failed", out);
                }
                self.lost(now, peer);
            }
            (State::Shaking | State::Active(_), why) if why.is_abnormal() => {
                kernel::sometimes!(true, "roster: a session crashes");
                self.sessions.set(peer, State::Shaking);
                // Its next life does not count the streams of this one.
                self.sessions.spare(peer, now.mono + STREAMS_MAX);
                self.brief(peer, out);
            }
            (State::Shaking | State::Active(_), _) => self.lost(now, peer),
        }
    }

    /// A session is gone without a word.
    fn lost(&mut self, now: Now, peer: NodeId) {
        let session = self.sessions.remove(peer);
        let lasted = session.is_some_and(|session| session.state.lasted(now.mono));
        self.on_left(now, peer, lasted);
        self.redial(now, peer, lasted, &Ended::LinkLost(LinkLoss::Reset));
        self.on_neighbour_gone(now, peer, false);
    }
}

fn remember(links: &mut Vec<(LinkId, bool)>, link: LinkId, dialled: bool) {
    links.retain(|(known, _)| *known != link);
    links.push((link, dialled));
    if links.len() > LINKS_MAX {
        kernel::sometimes!(true, "roster: the oldest link of a peer is forgotten");
        links.remove(0);
    }
}

/// Links to tell a session's next life of: those that may still be up.
const LINKS_MAX: usize = 3;
/// Handshakes that peers nobody knows may have at once.
const STRANGERS_MAX: usize = HANDSHAKES_MAX * 3 / 4;
/// A session that was active for so long was no accident: the back-off begins anew, and its peer
/// has earned its place.
const LASTED: Micros = Micros::from_secs(10);
/// After this the streams of a session's earlier life are over, as a session that leaves has it.
const STREAMS_MAX: Micros = Micros::from_secs(60);
