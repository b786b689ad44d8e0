//! How many sessions there are, and with whom: a mesh that is larger than a neighbourhood.
//!
//! While this node knows no more members than it looks for, nothing here has an effect: it dials
//! all of them. Beyond that each is one of many, and what counts is that the mesh stays one: whom
//! a node dials is drawn, whom it lets go is drawn, and now and then it dials one more.

use crate::Roster;
use crate::sessions::{Session, State};
use kernel::{Deadline, Outbox};
use messages::peer_session::Input;
use messages::wire::latest::Introduction;
use messages::{Micros, ModelId, Mono, NodeId, Now, TicketKey};
use std::collections::{BTreeMap, BTreeSet};

/// What is planned for the neighbourhood.
#[derive(Debug, Default)]
pub(crate) struct Outlook {
    /// When to dial one more than is looked for.
    look_at: Mono,
    /// Who was dialled so.
    looked: Option<NodeId>,
    /// Whether a holder of a model may be missing, when to look for one, and how long to wait then.
    wants: bool,
    want_at: Mono,
    /// Doubles with each holder that lets go.
    want_pause: Micros,
    /// Who was dialled as a holder.
    holder: Option<NodeId>,
    /// Who is dialled because a request asks for what it serves.
    tried: BTreeSet<NodeId>,
    /// When to look again whom to let go.
    trim_at: Option<Mono>,
    /// Sessions that were asked to end, and until when that is waited for.
    asked: BTreeMap<NodeId, Mono>,
}

impl Outlook {
    fn look_by(&mut self, at: Mono) {
        self.look_at = self.look_at.min(at);
    }
}

impl Roster {
    /// Whether every member that is known may be a neighbour.
    pub(crate) fn is_whole(&self) -> bool {
        self.table.len() <= self.seed.neighbourhood.seek()
    }

    /// Whether more sessions are looked for. Those that others dialled count, but for half: whoever
    /// comes in a crowd must not keep this node from choosing some neighbours itself.
    fn is_hungry(&self) -> bool {
        let seek = self.seed.neighbourhood.seek();
        let (own, own_shaking) = self.sessions.own();
        let underway = self.dials.underway();
        self.sessions.active() + own_shaking + underway < seek || own + underway < seek.div_ceil(2)
    }

    /// Opens or closes the queue of dials.
    pub(crate) fn gauge(&mut self) {
        self.dials.sated = !self.is_hungry();
    }

    /// Whoever let this node go, or was let go, is asked again if there is nobody else.
    pub(crate) fn wake_if_alone(&mut self, now: Now) {
        let (_, on_their_way) = self.sessions.own();
        if self.sessions.active() + on_their_way + self.dials.underway() == 0 {
            self.dials.wake(now.mono, &mut self.ctx.entropy);
        }
    }

    /// Whether there is anything to look for: nobody is dialled before what is durable is known.
    fn has_outlook(&self) -> bool {
        !self.is_whole() && !self.is_loading()
    }

    pub(crate) fn outlook_deadline(&self) -> Option<Deadline> {
        let at = |at, why| Deadline { at, why };
        let look = self
            .has_outlook()
            .then(|| at(self.outlook.look_at, "look around"));
        let want = self.outlook.wants && self.has_outlook();
        let want = want.then(|| at(self.outlook.want_at, "look for a holder"));
        let trim = self.outlook.trim_at.map(|due| at(due, "let one go"));
        [look, want, trim].into_iter().flatten().min()
    }

    pub(crate) fn begin_outlook(&mut self, now: Now) {
        self.outlook.look_at = now.mono + LOOK;
        self.outlook.want_pause = WANT_FIRST;
    }

    /// Somebody became a neighbour.
    pub(crate) fn on_neighbour(&mut self, now: Now, peer: NodeId, out: &mut Outbox) {
        let looked = self.outlook.looked.take_if(|looked| *looked == peer);
        if self.is_whole() {
            return;
        }
        // Each knows its neighbours' neighbours: what was heard before was not passed on.
        if let Some(entry) = self.table.introduction(peer) {
            self.pass_on(&[entry], peer, out);
        }
        let many = self.sessions.active() > 2 * self.seed.neighbourhood.seek();
        if looked.is_some()
            && many
            && let Some(other) = self.whom_to_release(now.mono)
        {
            self.release(now.mono, other, out);
        }
        self.trim(now, out);
    }

    /// A neighbour's session is over.
    pub(crate) fn on_neighbour_gone(&mut self, now: Now, peer: NodeId, released: bool) {
        self.outlook.asked.remove(&peer);
        self.outlook.wants = true;
        if released {
            self.on_let_go(now, peer);
        } else {
            self.outlook.want_pause = WANT_FIRST;
            self.outlook.want_at = now.mono;
            if !self.is_whole() {
                // Whatever took it may have taken others: those that are left look beyond them.
                let pause =
                    Micros(LOOK_AFTER_LOSS.0 / 2 + self.ctx.entropy.below(LOOK_AFTER_LOSS.0));
                self.outlook.look_by(now.mono + pause);
            }
        }
        self.wake_if_alone(now);
    }

    /// A holder has no place: the next one is asked later, once for all that were asked together.
    fn on_let_go(&mut self, now: Now, peer: NodeId) {
        let outlook = &mut self.outlook;
        let serves = !self.table.served_by(peer).is_empty();
        if serves && outlook.want_at <= now.mono + WANT_FIRST {
            outlook.want_pause = outlook.want_pause.times(2).min(WANT_MAX);
            kernel::sometimes!(
                outlook.want_pause == WANT_MAX,
                "roster: holders are looked for as rarely as may be"
            );
            outlook.want_at = now.mono + outlook.want_pause;
        }
    }

    /// No connection came of a dial.
    pub(crate) fn on_nobody_there(&mut self, now: Now, peer: NodeId) {
        if self
            .outlook
            .looked
            .take_if(|looked| *looked == peer)
            .is_some()
        {
            self.outlook.look_by(now.mono + LOOK_AGAIN);
        }
        if self
            .outlook
            .holder
            .take_if(|holder| *holder == peer)
            .is_some()
        {
            self.outlook.want_at = self.outlook.want_at.min(now.mono + LOOK_AGAIN);
        }
        self.wake_if_alone(now);
    }

    /// A member that serves something was heard of.
    pub(crate) const fn on_holder_heard(&mut self) {
        self.outlook.wants = true;
    }

    /// Of what was heard, what others are told.
    pub(crate) fn worth_passing_on(&self, entries: Vec<Introduction>) -> Vec<Introduction> {
        if self.is_whole() {
            return entries;
        }
        let near = |entry: &Introduction| self.sessions.is_active(entry.record.record.author);
        entries.into_iter().filter(near).collect()
    }

    /// Dials one more than is looked for, now and then. A mesh that was cut in two and is whole
    /// again grows together by that, and one that grew in a row is mixed.
    pub(crate) fn look_around(&mut self, now: Now, out: &mut Outbox) {
        if !self.has_outlook() || now.mono < self.outlook.look_at {
            return;
        }
        let pause = LOOK.0 / 2 + self.ctx.entropy.below(LOOK.0);
        self.outlook.look_at = now.mono + Micros(pause);
        let draw = self.ctx.entropy.number();
        if let Some(peer) = self.dials.take_any(now.mono, draw)
            && self.dial_one(peer, out)
        {
            kernel::sometimes!(true, "roster: it looks around");
            self.outlook.looked = Some(peer);
        }
    }

    /// Dials a holder of a model that too few neighbours serve, however many they are.
    pub(crate) fn seek_holder(&mut self, now: Now, out: &mut Outbox) {
        if !self.outlook.wants || !self.has_outlook() || now.mono < self.outlook.want_at {
            return;
        }
        let wanted = self.wanted();
        if wanted.is_empty() {
            (self.outlook.wants, self.outlook.want_pause) = (false, WANT_FIRST);
            return;
        }
        let keep = self.seed.neighbourhood.keep();
        let busy = |holder| self.dials.is_underway(holder);
        let room = !self.outlook.holder.is_some_and(busy)
            && self.sessions.active() + self.dials.underway() < keep
            && self.kept_holders().len() < keep / HOLDERS_SHARE;
        // Where nobody serves a model, a holder that has enough neighbours is asked all the same,
        // and so is one that was not there.
        let due: Vec<NodeId> = wanted
            .into_iter()
            .filter(|(peer, none)| room && self.dials.may_be_taken(*peer, now.mono, *none))
            .map(|(peer, _)| peer)
            .collect();
        if let Some(peer) = self.draw_sound(&due, now)
            && self.dials.take_this(now.mono, peer)
            && self.dial_one(peer, out)
        {
            kernel::sometimes!(true, "roster: a holder is looked for");
            self.outlook.holder = Some(peer);
        }
        self.outlook.want_at = now.mono + WANT_FIRST;
    }

    /// A request asks for a model that no neighbour can serve now, whatever was served a moment
    /// ago: one that is silent stays a neighbour until its link is given up. A few holders are
    /// tried at once.
    pub(crate) fn on_wanted(&mut self, now: Now, model: ModelId, out: &mut Outbox) {
        if !self.has_outlook() {
            return;
        }
        let dials = &self.dials;
        self.outlook.tried.retain(|peer| dials.is_underway(*peer));
        kernel::sometimes!(
            self.outlook.tried.len() >= HOLDERS,
            "roster: as many holders as may be are tried for a request"
        );
        if self.outlook.tried.len() >= HOLDERS {
            return;
        }
        let serves = |models: &[ModelId]| models.contains(&model);
        let due: Vec<NodeId> = self
            .table
            .holders()
            .filter(|(peer, models)| serves(models) && *peer != self.seed.me)
            .filter(|(peer, _)| !self.sessions.is_live(*peer))
            .filter(|(peer, _)| self.dials.may_be_taken(*peer, now.mono, true))
            .map(|(peer, _)| peer)
            .collect();
        if let Some(peer) = self.draw_sound(&due, now)
            && self.dials.take_this(now.mono, peer)
            && self.dial_one(peer, out)
        {
            kernel::sometimes!(true, "roster: a holder is dialled for a request");
            self.outlook.tried.insert(peer);
        }
    }

    /// Draws one, if there is any of which no dial or session has just ended.
    fn draw_sound(&mut self, peers: &[NodeId], now: Now) -> Option<NodeId> {
        let sound = peers.iter().copied();
        let sound: Vec<NodeId> = sound
            .filter(|peer| !self.dials.was_lost(*peer, now.mono))
            .collect();
        self.draw(if sound.is_empty() { peers } else { &sound })
    }

    /// Holders of models that too few neighbours serve, and whether none does.
    fn wanted(&self) -> Vec<(NodeId, bool)> {
        let (served, sought) = (self.served(), self.sought());
        let count = |model: &ModelId| served.get(model).copied().unwrap_or(0);
        let lacks = |model: &ModelId| sought.get(model).is_some_and(|most| count(model) < *most);
        let mut wanted = Vec::new();
        for (peer, models) in self.table.holders() {
            if models.iter().any(lacks) && peer != self.seed.me && !self.sessions.is_live(peer) {
                wanted.push((peer, models.iter().any(|model| count(model) == 0)));
            }
        }
        wanted
    }

    /// How many neighbours are to serve each model: as many as all can have, by what is known of
    /// its holders. Where each took three of few places, some would have none.
    fn sought(&self) -> BTreeMap<ModelId, usize> {
        let mut places: BTreeMap<ModelId, usize> = BTreeMap::new();
        for (_, models) in self.table.holders() {
            for model in models {
                *places.entry(*model).or_default() += self.seed.neighbourhood.keep();
            }
        }
        let members = self.table.len().max(1);
        let share = |places: usize| (places / members).clamp(1, HOLDERS);
        places
            .into_iter()
            .map(|(model, places)| (model, share(places)))
            .collect()
    }

    /// Lets go as many as there are above what is kept.
    pub(crate) fn trim(&mut self, now: Now, out: &mut Outbox) {
        self.outlook.trim_at = None;
        self.outlook.asked.retain(|_, until| *until > now.mono);
        let keep = self.seed.neighbourhood.keep();
        let above = self.sessions.active().saturating_sub(keep);
        for _ in self.outlook.asked.len()..above {
            let Some(peer) = self.whom_to_release(now.mono) else {
                break;
            };
            self.release(now.mono, peer, out);
        }
        kernel::sometimes!(above > 0, "roster: there are too many neighbours");
        if above > 0 {
            self.outlook.trim_at = Some(now.mono + TRIM_AGAIN);
        }
    }

    pub(crate) fn trim_due(&mut self, now: Now, out: &mut Outbox) {
        if self.outlook.trim_at.is_some_and(|at| at <= now.mono) {
            self.trim(now, out);
        }
    }

    fn release(&mut self, now: Mono, peer: NodeId, out: &mut Outbox) {
        self.outlook.asked.insert(peer, now + ASKED);
        self.to_session(peer, Input::Release, out);
    }

    /// A session that was asked to end is in use.
    pub(crate) fn on_in_use(&mut self, now: Now, peer: NodeId, out: &mut Outbox) {
        kernel::sometimes!(true, "roster: a neighbour in use is not let go");
        self.outlook.asked.remove(&peer);
        self.sessions.spare(peer, now.mono + SPARED);
        self.trim(now, out);
    }

    /// Who is let go next: of those by the ticket that has the most, whoever is drawn. So a crowd
    /// that one ticket's holder makes gives way to itself.
    fn whom_to_release(&mut self, now: Mono) -> Option<NodeId> {
        let kept = self.kept_holders();
        let mut by_ticket: BTreeMap<Option<TicketKey>, Vec<NodeId>> = BTreeMap::new();
        for (peer, session) in self.sessions.iter() {
            if self.may_go(now, peer, session) && !kept.contains(&peer) {
                by_ticket.entry(session.ticket).or_default().push(peer);
            }
        }
        let most = by_ticket.values().map(Vec::len).max()?;
        let such: Vec<NodeId> = by_ticket
            .into_values()
            .filter(|peers| peers.len() == most)
            .flatten()
            .collect();
        self.draw(&such)
    }

    fn may_go(&self, now: Mono, peer: NodeId, session: &Session) -> bool {
        let State::Active(since) = session.state else {
            return false;
        };
        let keep = self.seed.neighbourhood.keep();
        let crowded = self.sessions.active() > keep + keep / CROWD_SHARE;
        kernel::sometimes!(crowded, "roster: neighbours come in a crowd");
        let settled = crowded || now.since(since) >= SETTLED;
        let (own, _) = self.sessions.own();
        let free = !session.dialled || own > keep / 2;
        let asked = self.outlook.asked.contains_key(&peer);
        settled && free && !asked && session.spared <= now && !self.catch_up.is_owed(peer)
    }

    /// Neighbours that serve what few others do: of each model the first three, this node's own
    /// choice before the rest. They have a share, for models are made up as easily as names.
    fn kept_holders(&self) -> BTreeSet<NodeId> {
        let active = |(peer, session): (NodeId, &Session)| match session.state {
            State::Active(since) => Some((!session.dialled, since, peer)),
            State::Shaking | State::Ending(_) => None,
        };
        let mut active: Vec<_> = self.sessions.iter().filter_map(active).collect();
        active.sort_unstable();
        let sought = self.sought();
        let mut counts: BTreeMap<ModelId, usize> = BTreeMap::new();
        let mut kept = BTreeSet::new();
        for (_, _, peer) in active {
            let mut scarce = false;
            for model in self.table.served_by(peer) {
                let count = counts.entry(*model).or_default();
                scarce |= *count < sought.get(model).copied().unwrap_or(1);
                *count += 1;
            }
            let room = kept.len() < self.seed.neighbourhood.keep() / HOLDERS_SHARE;
            kernel::sometimes!(scarce && !room, "roster: the holders' share is spent");
            if scarce && room {
                kept.insert(peer);
            }
        }
        kept
    }

    /// How many neighbours serve each model.
    fn served(&self) -> BTreeMap<ModelId, usize> {
        let mut counts = BTreeMap::new();
        for peer in self.sessions.active_after(None) {
            for model in self.table.served_by(peer) {
                *counts.entry(*model).or_default() += 1;
            }
        }
        counts
    }

    fn draw(&mut self, peers: &[NodeId]) -> Option<NodeId> {
        let count = u64::try_from(peers.len()).unwrap_or(u64::MAX);
        let drawn = usize::try_from(self.ctx.entropy.below(count)).ok()?;
        peers.get(drawn).copied()
    }
}

/// Between dials of one more than is looked for, on average: what was cut in two is one again
/// within minutes, and a node of 10,000 pays a handshake a minute.
const LOOK: Micros = Micros::from_secs(60);
/// After a neighbour was lost, on average. A peer that comes and goes has this node dial no more
/// than that.
const LOOK_AFTER_LOSS: Micros = Micros::from_secs(10);
/// After one that was not there the next is tried; those that are gone have their back-off.
const LOOK_AGAIN: Micros = Micros::from_secs(1);
/// Neighbours that serve a model, as far as they are known: where one dies in the middle of an
/// answer and the next is busy, a third goes on.
pub(crate) const HOLDERS: usize = 3;
/// The part of the neighbourhood that is kept for holders, as a divisor: whoever makes up models
/// gets no more of it.
const HOLDERS_SHARE: usize = 4;
/// Between looks for a holder that may be asked: a dial and a handshake are over by then.
const WANT_FIRST: Micros = Micros::from_secs(5);
/// The longest after holders have let go: where more want them than they have room for, each node
/// asks so rarely.
const WANT_MAX: Micros = Micros::from_secs(300);
/// A session so young is not let go: its peer has not heard of the others yet, nor they of it.
const SETTLED: Micros = Micros::from_secs(3);
/// A crowd, as a divisor of what is kept above it: then a session goes as soon as its peer was told
/// of the others. An introducer to whom hundreds come in a second has no more sessions than that.
const CROWD_SHARE: usize = 4;
/// After this a session that was found in use may be asked again.
const SPARED: Micros = Micros::from_secs(10);
/// After this a session that did not end was not reached.
const ASKED: Micros = Micros::from_secs(5);
/// Between looks whom to let go, while there are too many.
const TRIM_AGAIN: Micros = Micros::from_secs(1);
