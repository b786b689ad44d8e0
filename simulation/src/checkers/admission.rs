//! Nothing is served before admission, and nothing to who is not admitted or was revoked.
//!
//! Credentials are verified here anew, and who was revoked is known from the owner's signed word
//! as each node took it: from then on a node has [`REVOKED_WITHIN_US`] to cut what it serves.

use super::dues::Dues;
use super::{Checker, Findings, Seen, Sight};
use crate::event::{NodeIndex, Time};
use crate::world::World;
use ed25519_dalek::VerifyingKey;
use kernel::{Effect, Mail, TraceEvent};
use messages::inference_worker::{Input as Worker, Sink};
use messages::peer_session::{Input as Session, Verdict};
use messages::ports::store::{Asker, Command as Stored, Table};
use messages::ports::stream::Command as OfStream;
use messages::roster::Input as Roster;
use messages::wire::latest::{Deny, JobReply};
use messages::{
    Address, Credential, Kind, Letter, NetworkId, NodeId, Signature, StreamId, TicketKey, Token,
    Wall, network_of,
};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// From a node's learning of a revocation to the end of all that it serves by that ticket.
const REVOKED_WITHIN_US: Time = 1_000_000;
/// Between looks at a session that has not come to the word that cuts it.
const CUT_LOOK: Time = 100_000;
/// A full mailbox of the slowest session is worked off in this time: 5,120 letters of 6 ms.
const CUT_MAX: Time = 31_000_000;
/// Turns from the one to the other, each of which may wait for a round on a busy node: the
/// roster's, the session's, and the transport's.
const TURNS: Time = 3;

type Pair = (NodeIndex, NetworkId, NodeId);

/// See the module.
pub(super) struct Admission {
    /// Sessions whose peer the roster admits.
    admitted: BTreeSet<Pair>,
    /// What a peer showed last.
    shown: BTreeMap<Pair, Credential>,
    /// Credentials that were verified, and until when they hold.
    verified: BTreeMap<(NetworkId, NodeId, Option<TicketKey>), Option<Wall>>,
    /// Who opened a stream.
    streams: BTreeMap<(NodeIndex, StreamId), (NetworkId, NodeId)>,
    /// Tickets that a node knows to be revoked, and since when.
    revoked: BTreeMap<(NodeIndex, NetworkId, TicketKey), Time>,
    /// Revocations whose write is on its way.
    writing: BTreeMap<(NodeIndex, NetworkId, Token), Vec<TicketKey>>,
    /// Nodes that were busy, when last, and how long a round of theirs was.
    busy: BTreeMap<NodeIndex, (Time, Time)>,
    /// Revocations that are to have taken force.
    due: Dues<(NetworkId, TicketKey)>,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            admitted: BTreeSet::new(),
            shown: BTreeMap::new(),
            verified: BTreeMap::new(),
            streams: BTreeMap::new(),
            revoked: BTreeMap::new(),
            writing: BTreeMap::new(),
            busy: BTreeMap::new(),
            due: Dues::new(REVOKED_WITHIN_US),
        }
    }
}

impl Checker for Admission {
    fn name(&self) -> &'static str {
        "admission"
    }

    fn see(&mut self, at: &Sight, seen: &Seen<'_>, found: &mut Findings<'_>) {
        match seen {
            Seen::Turn(who, _, event) => self.turn(at, *who, event, found),
            Seen::Does(_, Effect::Tell(letter)) => self.told(at, letter, found),
            Seen::Takes(Address::Stream(stream), Mail::Letter(Letter::Stream(_, command))) => {
                if let OfStream::Reply(JobReply::Accepted(_) | JobReply::Tokens(_)) = command {
                    self.served(at, *stream, found);
                }
            }
            Seen::Leaf(Address::Stream(stream), false) => {
                self.streams.remove(&(at.node, *stream));
            }
            Seen::Dies => self.dies(at.node),
            Seen::Thaws(slept) => self.due.thaws(at.time, at.node, *slept),
            Seen::Takes(..)
            | Seen::Does(..)
            | Seen::Leaf(..)
            | Seen::Asked(_)
            | Seen::HungUp(_)
            | Seen::Reads(_)
            | Seen::Planned(_)
            | Seen::Boots
            | Seen::Spoiled
            | Seen::Moved
            | Seen::Disturbed => {}
        }
    }

    fn after(&mut self, world: &World, node: NodeIndex, found: &mut Findings<'_>) {
        if let Some(round) = world.busy.get(&node) {
            self.busy.insert(node, (world.time, *round));
        }
        while let Some((node, (network, ticket))) = self.due.over(world) {
            let since = self.revoked.get(&(node, network, ticket)).copied();
            let end = since.map_or(0, |since| self.end_of(node, since));
            if end > world.time {
                self.due.set(end, node, (network, ticket));
                continue;
            }
            let by_it = self.admitted.iter().filter(|pair| {
                let shown = self.shown.get(*pair).and_then(ticket_of);
                pair.0 == node && pair.1 == network && shown == Some(ticket)
            });
            let by_it: Vec<NodeId> = by_it.map(|(_, _, peer)| *peer).collect();
            let late = since.is_none_or(|since| world.time >= since + CUT_MAX);
            let waits = |peer: &NodeId| !late && is_about_to_be_cut(world, node, (network, *peer));
            if by_it.iter().any(waits) {
                // A full mailbox of an actor that is slow: what came before is taken first.
                self.due.set(world.time + CUT_LOOK, node, (network, ticket));
            }
            for peer in by_it.into_iter().filter(|peer| !waits(peer)) {
                let peer = found.name(peer);
                found.say(
                    node,
                    format!("it still admits {peer}, whose ticket was revoked"),
                );
            }
        }
    }
}

/// Whether the word that cuts it waits in its session's mailbox.
fn is_about_to_be_cut(world: &World, node: NodeIndex, peer: (NetworkId, NodeId)) -> bool {
    let who = Address::Session(peer.0, peer.1);
    let boot = world.nodes[node].boot.as_ref();
    let mailbox = boot.and_then(|boot| boot.mailboxes.get(&who));
    let cut = Session::Cut(Deny::Revoked);
    let is_cut =
        |mail: &Mail| matches!(mail, Mail::Letter(Letter::Session(_, _, input)) if *input == cut);
    mailbox.is_some_and(|mailbox| mailbox.mail.iter().any(|(_, mail)| is_cut(mail)))
}

impl Admission {
    fn dies(&mut self, node: NodeIndex) {
        self.admitted.retain(|(of, ..)| *of != node);
        self.shown.retain(|(of, ..), _| *of != node);
        self.streams.retain(|(of, _), _| *of != node);
        // What is durable it reads again.
        self.revoked.retain(|(of, ..), _| *of != node);
        self.writing.retain(|(of, ..), _| *of != node);
        self.due.dies(node);
    }

    /// By when nothing is served any more by what a node has known to be revoked since then.
    fn end_of(&self, node: NodeIndex, since: Time) -> Time {
        let busy = self.busy.get(&node).filter(|(last, _)| *last >= since);
        since + REVOKED_WITHIN_US + busy.map_or(0, |(_, round)| TURNS * round)
    }

    fn turn(&mut self, at: &Sight, who: Address, event: &TraceEvent, found: &mut Findings<'_>) {
        match event {
            TraceEvent::Letter(letter) => self.takes(at, letter, found),
            TraceEvent::Effects(effects) => {
                for effect in effects {
                    if let Effect::Tell(letter) = effect {
                        self.told(at, letter, found);
                    }
                }
            }
            TraceEvent::Start | TraceEvent::Exit(_) => {
                if let Address::Session(network, peer) = who {
                    self.admitted.remove(&(at.node, network, peer));
                }
            }
            TraceEvent::Signal(_)
            | TraceEvent::Deadline
            | TraceEvent::Park(_)
            | TraceEvent::Shed(_) => {}
        }
    }

    /// An actor takes a letter.
    fn takes(&mut self, at: &Sight, letter: &Letter, found: &Findings<'_>) {
        if let Letter::Session(network, peer, input) = letter {
            let pair = (at.node, *network, *peer);
            if let Session::Verdict(Verdict::Admit { .. }) = input {
                self.admitted.insert(pair);
            } else if let Session::Verdict(Verdict::Deny(_)) | Session::Cut(_) = input {
                self.admitted.remove(&pair);
            }
        } else if let Letter::Roster(network, input) = letter {
            self.roster_takes(at, *network, input, found);
        }
    }

    /// A human's own word counts from when it is durable: until then it is not answered, and is
    /// given again where it was lost.
    fn roster_takes(
        &mut self,
        at: &Sight,
        network: NetworkId,
        input: &Roster,
        found: &Findings<'_>,
    ) {
        if let Roster::Revoked { from, record } = input
            && found.index(*from) != Some(at.node)
        {
            let record_of = &record.record;
            let owned = network_of(record_of.author, "") == network;
            let signed = signed_by(
                &record_of.author.0,
                &record_of.signing_bytes(),
                &record.signature,
            );
            let ticket = record_of.id.parse::<TicketKey>();
            if let Ok(ticket) = ticket
                && record_of.kind == Kind::REVOCATION
                && owned
                && signed
            {
                self.revoke(at, network, ticket);
            }
        } else if let Roster::Committed(token) = input {
            let tickets = self.writing.remove(&(at.node, network, *token));
            for ticket in tickets.unwrap_or_default() {
                self.revoke(at, network, ticket);
            }
        } else if let Roster::Loaded(items) = input {
            for (key, _) in items {
                if let Some(ticket) = revoked_row(key) {
                    self.revoke(at, network, ticket);
                }
            }
        }
    }

    fn revoke(&mut self, at: &Sight, network: NetworkId, ticket: TicketKey) {
        let key = (at.node, network, ticket);
        if let Entry::Vacant(entry) = self.revoked.entry(key) {
            entry.insert(at.time);
            let due = at.time + REVOKED_WITHIN_US;
            self.due.set(due, at.node, (network, ticket));
        }
    }

    /// Somebody tells something.
    fn told(&mut self, at: &Sight, letter: &Letter, found: &mut Findings<'_>) {
        match letter {
            Letter::Roster(network, Roster::Judge { peer, credential }) => {
                let pair = (at.node, *network, *peer);
                self.shown.insert(pair, *credential.clone());
            }
            Letter::Session(network, peer, Session::Verdict(Verdict::Admit { .. })) => {
                self.judged(at, (at.node, *network, *peer), found);
            }
            Letter::Session(network, peer, Session::Inbound { stream, .. }) => {
                self.streams.insert((at.node, *stream), (*network, *peer));
            }
            Letter::Worker(_, Worker::Job { sink, .. }) => {
                if let Sink::Stream(stream) = sink {
                    self.begun(at, *stream, found);
                }
            }
            Letter::Store(Stored::Commit {
                asker: Asker::Roster(network),
                token,
                writes,
            }) => {
                let rows = writes.iter().filter(|(_, value)| value.is_some());
                let tickets: Vec<_> = rows.filter_map(|(key, _)| revoked_row(key)).collect();
                if !tickets.is_empty() {
                    self.writing.insert((at.node, *network, *token), tickets);
                }
            }
            Letter::Roster(..)
            | Letter::GossipStore(..)
            | Letter::Session(..)
            | Letter::Router(_)
            | Letter::Proxy(..)
            | Letter::Worker(..)
            | Letter::Observer(_)
            | Letter::Transport(_)
            | Letter::Stream(..)
            | Letter::Engine(..)
            | Letter::Gateway(_)
            | Letter::Store(_)
            | Letter::Control(_) => {}
        }
    }

    /// The roster admits who showed this.
    fn judged(&mut self, at: &Sight, pair: Pair, found: &mut Findings<'_>) {
        let (node, network, peer) = pair;
        let Some(shown) = self.shown.get(&pair) else {
            let peer = found.name(peer);
            return found.say(node, format!("it admits {peer}, which has shown nothing"));
        };
        let ticket = ticket_of(shown);
        let until = match self.verified.get(&(network, peer, ticket)) {
            Some(until) => *until,
            None => {
                let until = verify(network, peer, shown);
                self.verified.insert((network, peer, ticket), until);
                until
            }
        };
        let known = ticket.and_then(|ticket| self.revoked.get(&(node, network, ticket)));
        if until.is_none_or(|until| until <= at.now.wall) {
            let peer = found.name(peer);
            found.say(node, format!("it admits {peer}, whose credential is void"));
        } else if known.is_some_and(|since| *since < at.time) {
            let peer = found.name(peer);
            found.say(node, format!("it admits {peer}, whose ticket was revoked"));
        }
    }

    /// A worker is given a job of a peer.
    fn begun(&self, at: &Sight, stream: StreamId, found: &mut Findings<'_>) {
        let Some((network, peer)) = self.streams.get(&(at.node, stream)) else {
            return;
        };
        if !self.admitted.contains(&(at.node, *network, *peer)) {
            let peer = found.name(*peer);
            found.say(
                at.node,
                format!("it serves {peer}, which it has not admitted"),
            );
        }
    }

    /// A peer is sent what a worker drew for it. Streams outlive a session that restarts, so this
    /// asks for no session, but nothing outlives a revocation.
    fn served(&self, at: &Sight, stream: StreamId, found: &mut Findings<'_>) {
        let Some((network, peer)) = self.streams.get(&(at.node, stream)) else {
            return;
        };
        let shown = self.shown.get(&(at.node, *network, *peer));
        let ticket = shown.and_then(ticket_of);
        let since = ticket.and_then(|ticket| self.revoked.get(&(at.node, *network, ticket)));
        if since.is_some_and(|since| at.time > self.end_of(at.node, *since)) {
            let peer = found.name(*peer);
            found.say(
                at.node,
                format!("it serves {peer}, whose ticket was revoked"),
            );
        }
    }
}

fn ticket_of(credential: &Credential) -> Option<TicketKey> {
    match credential {
        Credential::Owner { .. } => None,
        Credential::Ticket { grant, .. } => Some(grant.grant.ticket),
    }
}

fn revoked_row(key: &messages::ports::store::Key) -> Option<TicketKey> {
    let bytes = <[u8; 32]>::try_from(key.row.as_ref()).ok()?;
    (key.table == Table::Revoked).then_some(TicketKey(bytes))
}

/// Until when a credential makes its holder a member; nothing where it does not.
fn verify(network: NetworkId, peer: NodeId, credential: &Credential) -> Option<Wall> {
    let for_ever = Wall(u64::MAX);
    match credential {
        Credential::Owner { label } => (network_of(peer, label) == network).then_some(for_ever),
        Credential::Ticket {
            grant: signed,
            joined,
        } => {
            let grant = &signed.grant;
            let holds = grant.network() == network
                && signed_by(&grant.owner.0, &grant.signing_bytes(), &signed.signature)
                && signed_by(&grant.ticket.0, &grant.joining_bytes(peer), joined);
            holds.then(|| grant.expires.unwrap_or(for_ever))
        }
    }
}

fn signed_by(key: &[u8; 32], bytes: &[u8], signature: &Signature) -> bool {
    let signature = ed25519_dalek::Signature::from_bytes(&signature.to_bytes());
    VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(bytes, &signature).is_ok())
}
