//! Roster: membership of one network, and the verdict of the one gate.
//!
//! # Role
//! Says who is a member and why, whom to dial, and what this node says of itself. One per network;
//! the only actor that dials, the only one that judges a credential, and the only writer of the
//! network's rows in the database. It sees no job.
//!
//! # Inputs
//! `roster::Input`: links and failed dials from the transport; credentials, introductions,
//! revocations and ends from sessions; models and load from workers; rows and confirmations from
//! the store; a human's requests from the control socket; what requests want from the router.
//! `Down` of sessions, of all these and of the gossip store.
//!
//! # Output
//! For a link: the session's start, then `Link`, `Serves`, `Load`, and a watch on it. For a
//! session that becomes active: the revocations, then this node's own record and those of other
//! active members, a page at a time. Later news goes to each active session once, but to whoever
//! it came from. A revocation is written, then cuts off whoever came by its ticket (`Cut`), then
//! goes to the other sessions. This node's own record and a new ticket are written before anybody
//! sees them. Where there are more sessions than are kept, `Release` to one that may go. The gossip
//! store is told of all members when the roster is ready and when the store begins anew, and of
//! each membership in the turn in which it begins (`Member`) or ends (`Stranger`).
//!
//! A roster is *loading* until the store has answered, then *ready*; *leaving* once the node is.
//! "serves" and "busy" are `Serves` and `Load` to a session, "meet" is both and a watch on it,
//! "ask" is `Attach` to a worker, "greet" is "attach" and "ask" with a watch on each, on the
//! snapshot and, last, on the gossip store; "members" is `Members` to the latter, "write" a commit;
//! "·" is nothing, "later" what a turn does that this plans, or the session's Down. A neighbour is
//! absent where it is not there or cannot be started, a session lost where it is gone without a
//! word; "news" are members or a revocation. "Another" is whoever the roster does not watch, and a
//! letter for which its neighbour's Down, or a turn that comes anyway, makes up. `Member`,
//! `Stranger` and facts for people are left out. The rows are of a roster that serves one device
//! and has the owner as its only contact; those of the *owner* are of one that listens. An unknown
//! session that speaks is one of an earlier life's. A life begins with Started, and with it alone.
//!
//! | input               | loading              | ready                | leaving           |
//! |---------------------|----------------------|----------------------|-------------------|
//! | Started             | watch, load, greet   | watch, greet, members | watch, greet, members |
//! | Loaded              | members, dial        | ·                    | ·                 |
//! | Committed           | ·                    | ·                    | ·                 |
//! | CommitFailed        | ·                    | ·                    | ·                 |
//! | Bound               | ·                    | ·                    | ·                 |
//! | LinkUp              | start, link, meet    | start, link, meet    | close             |
//! | LinkUp, second      | link                 | link                 | close             |
//! | LinkUp, own         | close                | close                | close             |
//! | DialFailed          | ·                    | ·                    | ·                 |
//! | Judge, member       | meet, unknown        | meet, admit          | meet, admit       |
//! | Judge, other        | meet, unknown        | meet, deny           | meet, deny        |
//! | Active              | meet                 | meet                 | meet              |
//! | Ended               | watch                | watch                | watch             |
//! | InUse               | ·                    | ·                    | ·                 |
//! | Wanted              | ·                    | ·                    | ·                 |
//! | Introduced          | introduce            | introduce            | introduce         |
//! | Introduced, bad     | ·                    | ·                    | ·                 |
//! | Revoked             | write                | write                | write             |
//! | Revoked, bad        | ·                    | ·                    | ·                 |
//! | Vouch, member       | ·                    | vouch                | vouch             |
//! | Vouch, other        | ·                    | no proof             | no proof          |
//! | Who                 | ·                    | prove                | prove             |
//! | Who, unknown        | ·                    | ·                    | ·                 |
//! | Models              | serves               | serves               | ·                 |
//! | Load                | busy                 | busy                 | ·                 |
//! | TicketNew           | refused              | refused              | refused           |
//! | TicketNew, owner    | refused              | write                | write             |
//! | TicketList          | refused              | refused              | refused           |
//! | TicketList, owner   | refused              | answer               | answer            |
//! | TicketRevoke        | refused              | refused              | refused           |
//! | TicketRevoke, owner | refused              | write                | write             |
//! | Leave               | ·                    | ·                    | ·                 |
//! | Store down          | watch, load          | watch                | watch             |
//! | Transport down      | watch, attach        | watch, attach        | watch, attach     |
//! | Worker down         | watch, ask           | watch, ask           | watch, ask        |
//! | Observer down       | watch                | watch                | watch             |
//! | Records down        | watch                | watch, members       | watch, members    |
//! | Store absent        | later watch, load    | later watch          | later watch       |
//! | Transport absent    | later watch, attach  | later watch, attach  | later watch, attach |
//! | Worker absent       | serves, later watch, ask | serves, later watch, ask | later watch, ask |
//! | Observer absent     | later watch          | later watch          | later watch       |
//! | Records absent      | later watch          | later watch, members | later watch, members |
//! | Session fails       | link, meet           | link, meet           | ·                 |
//! | Session spent       | stop, close          | stop, close          | ·                 |
//! | Session ends        | ·                    | ·                    | ·                 |
//! | Session lost        | ·                    | later dial           | ·                 |
//! | Another down        | ·                    | ·                    | ·                 |
//! | Cut Returned        | stop, close          | stop, close          | stop              |
//! | Link Returned       | close                | close                | close             |
//! | Late Link Returned  | later start, link, meet | later start, link, meet | close       |
//! | News Returned       | ·                    | later introduce      | later introduce   |
//! | Dial Returned       | ·                    | later dial           | ·                 |
//! | Attach Returned     | later watch, attach  | later watch, attach  | later watch, attach |
//! | Members Returned    | later watch          | later watch, members | later watch, members |
//! | Fact Returned       | later watch          | later watch          | later watch       |
//! | Ask Returned        | later watch, ask     | later watch, ask     | later watch, ask  |
//! | Commit Returned     | later write          | later write          | later write       |
//! | Another Returned    | ·                    | ·                    | ·                 |
//! | Deadline            | load                 | write                | write             |
//!
//! # Invariants
//! Nobody is admitted before the revocations are known, nor by a credential that does not verify,
//! is over, or was revoked. At most 8 dials and `HANDSHAKES_MAX` handshakes at once, a quarter of
//! the latter kept for peers that are known. No packet goes to an address that neither a human nor
//! a member named. An own record is signed anew only when its content changed, with a stamp above
//! every durable one. What others present for a member never replaces what it presented itself.
//!
//! Whoever holds a ticket can sign any number of ids into the network, and complete a handshake
//! for each. So trust is earned by one thing, a session that was active for 10 s, and kept over
//! restarts. A member that is not here and never had one is *heard of*, whether others spoke of it
//! or it knocked, and has a share: 1,024 members by one ticket, an eighth of the table by one
//! introducer. Where a ticket's share is spent, whoever came last to its heaviest lane (ticket and
//! introducer) gives way to one of a lighter; a lane weighs its members by those its introducer
//! named that are or were here, so a crowd of introducers takes nothing from one whose members
//! answer. What finds no place is skipped, and a knocker that leaves without one is forgotten.
//!
//! Whoever is here finds a place: in a full table the ticket with the most members that are not
//! here gives way, first those heard of, then who is away the longest; to one by that same ticket,
//! a member that earned its place gives way after a day only. It gives way to no hearsay.
//!
//! Dials follow the same line: 6 of the 8 places at most for trusted peers (and contacts), 6 for
//! those heard of, 4 of these by one ticket. In each, tickets take turns, within a ticket those who
//! spoke of its members, and those whose last dial or session came to nothing with the others. The
//! back-off ends at 30 s for trusted peers, at 5 min for those heard of. The trade-off: a network
//! of more than 1,024 by one ticket is learnt as its members are met, and whoever holds a ticket
//! can fill that ticket's places until it is revoked, which drops all of it.
//!
//! The mesh may be larger than a neighbourhood. With fewer sessions than `seek` this node dials, in
//! the order above as long as it knows no more members than that; beyond, whoever is drawn.
//! Sessions that others dialled count, but this node dials half of `seek` itself. Each minute or
//! so, and soon after a neighbour was lost, it dials one more than it looks for, and lets one go
//! for it where there are more than twice `seek`. A holder of a model that fewer than three
//! neighbours serve (or than the holders that it knows have places for) is dialled beyond `seek`
//! too, and three at once while a request finds nobody who can serve it, whatever neighbours do.
//! With more sessions than `keep` it lets go whoever is drawn of the ticket with the most; never
//! one in use, one under 3 s (in a crowd: one that was not told of the others), of the sessions
//! that this node dialled none while they are no more than half of `keep`, nor the first three that
//! serve a model, up to a quarter of `keep`. That is no failure, and both leave each other in peace
//! for 5 min, longer each time, unless there is nobody else. Beyond `seek` members, only neighbours
//! are passed on: each knows its neighbours' neighbours.
//!
//! # Failure
//! None of its own. What does not verify is skipped and counted. A write that fails is tried again
//! each 5 s, but for a human's, who is told; a revocation holds whether it could be written or not.
//! A session that spent its restarts is stopped and its links are closed; a session that a `Cut`
//! cannot reach is killed. Another member's word that this node was revoked or has expired stops
//! dials of that member alone, unless it can be verified or is the owner's.
//!
//! # After restart
//! Reloads tickets, revocations, members (and which of them are trusted) and its last stamp from
//! the store. Workers and transport
//! answer its greeting. Sessions live on, their admissions hold: each presents its peer's
//! credential again, says again that it is active, and names its peer's record; those that are new
//! wait until all is loaded. Links that came up in between are closed by their own handshakes'
//! deadline and dialled again.

mod advert;
mod dial;
mod durable;
mod fair;
mod hearsay;
mod introductions;
mod members;
mod neighbourhood;
mod neighbours;
mod refusal;
mod sessions;
mod standing;
mod tickets;
mod unreached;
mod verify;
mod vouching;

pub use tickets::join;
pub use verify::{
    Check, IntroductionFault, TicketFault, ed25519, verify_credential, verify_grant,
    verify_introduction, verify_record, verify_revocation, verify_ticket,
};

use advert::Advert;
use dial::Dials;
use durable::Durable;
use introductions::CatchUp;
use kernel::{Ctx, Deadline, Failure, Machine, Outbox, Signal, View};
use members::Table;
use messages::observer::{self, Fact, FactKey, NetworkFact};
use messages::roster::{Input, Seed};
use messages::{Label, Letter, Micros, Mono, NodeId, Now};
use neighbourhood::Outlook;
use neighbours::Away;
use refusal::Refused;
use sessions::Sessions;
use tickets::Tickets;

/// Membership of one network.
#[derive(Debug)]
pub struct Roster {
    seed: Seed,
    ctx: Ctx,
    phase: Phase,
    table: Table,
    sessions: Sessions,
    dials: Dials,
    outlook: Outlook,
    advert: Advert,
    tickets: Tickets,
    durable: Durable,
    catch_up: CatchUp,
    catch_up_at: Option<Mono>,
    /// When to write what changed of the members.
    members_at: Option<Mono>,
    /// When to drop members whose time is over.
    sweep_at: Mono,
    away: Away,
    refused: Option<Refused>,
    unreached: unreached::Reasons,
    /// What the snapshot was told last.
    fact: Option<NetworkFact>,
    /// Entries and rows that did not verify or could not be read.
    skipped: u64,
}

/// Whether what is durable is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not yet: nobody is judged, nobody is dialled.
    Loading {
        /// When to ask the store again.
        again: Mono,
    },
    /// It is.
    Ready,
}

impl Phase {
    const fn name(self) -> &'static str {
        match self {
            Self::Loading { .. } => "loading",
            Self::Ready => "ready",
        }
    }
}

impl Roster {
    /// The membership of the seed's network.
    #[must_use]
    pub fn new(seed: Seed, mut ctx: Ctx) -> Self {
        Self {
            phase: Phase::Loading {
                again: Mono::default(),
            },
            table: Table::new(seed.me, &seed.contacts),
            sessions: Sessions::default(),
            dials: Dials::paused(),
            outlook: Outlook::default(),
            advert: Advert::new(&seed),
            tickets: Tickets::default(),
            durable: Durable::new(ctx.entropy.number()),
            catch_up: CatchUp::default(),
            catch_up_at: None,
            members_at: None,
            sweep_at: Mono::default(),
            away: Away::default(),
            refused: None,
            unreached: unreached::Reasons::new(),
            fact: None,
            skipped: 0,
            seed,
            ctx,
        }
    }

    const fn is_loading(&self) -> bool {
        matches!(self.phase, Phase::Loading { .. })
    }

    /// What is durable is known: membership is judged, and whoever is known is dialled.
    fn on_ready(&mut self, now: Now, out: &mut Outbox) {
        self.phase = Phase::Ready;
        self.dials.paused = false;
        self.begin_advert(now);
        self.begin_outlook(now);
        for peer in self.table.members() {
            // Introduced while the revocations were not known.
            let revoked = |member: &members::Member| self.tickets.is_revoked(&member.credential);
            if self.table.get(peer).is_some_and(revoked) {
                self.forget_member(peer);
            }
        }
        // Contacts at once, the others after a moment of their own.
        for peer in self.table.contacts() {
            if !self.sessions.is_live(peer) {
                self.dials.place(peer, self.table.standing(peer));
                self.dials.want(peer, now.mono);
            }
        }
        for peer in self.table.members() {
            self.want(now, peer);
        }
        for peer in self.sessions.active_peers() {
            self.catch_up.begin(peer);
        }
        self.look_at_own_membership(now);
        self.tell_all_members(out);
        self.dial(now, out);
        self.catch_up(now, out);
        self.plan_members(now);
    }

    /// A member's new record: it may be elsewhere, or in another mind.
    fn on_news_of(&mut self, now: Now, peer: NodeId) {
        if !self.sessions.is_live(peer) && !self.is_loading() {
            self.dials.place(peer, self.table.standing(peer));
            self.dials.changed(peer, now.mono, &mut self.ctx.entropy);
        }
    }

    fn forget_member(&mut self, peer: NodeId) {
        self.table.drop_member(peer);
        self.forget_dials(peer);
    }

    /// Somebody is no member any more. A contact is dialled all the same: a human named it.
    fn forget_dials(&mut self, peer: NodeId) {
        if !self.table.knows(peer) {
            self.dials.forget(peer);
        }
    }

    fn sweep(&mut self, now: Now) {
        self.sweep_at = now.mono + SWEEP;
        for peer in self.sessions.lasting(now.mono) {
            self.table.lasted(peer);
        }
        for peer in self.table.expired(now.wall) {
            if !self.sessions.contains(peer) {
                self.forget_member(peer);
            }
        }
        self.plan_members(now);
    }

    /// Tells the snapshot what changed.
    fn report(&mut self, out: &mut Outbox) {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let fact = NetworkFact {
            label: self.seed.label.clone(),
            owner: self.seed.owner,
            members: count(self.table.len() + 1),
            active: count(self.sessions.active()),
            addrs: self.advert.addrs().clone(),
            refused: self
                .refused
                .as_ref()
                .map(|refused| Label::truncated(&refused.why.to_string())),
            unreached: self.unreached(),
        };
        if self.fact.as_ref() != Some(&fact) {
            self.fact = Some(fact.clone());
            let key = FactKey::Network(self.seed.network);
            let fact = Box::new(Fact::Network(fact));
            out.tell(Letter::Observer(observer::Input::Fact(key, fact)));
        }
    }
}

impl Machine for Roster {
    type Input = Input;

    fn handle(&mut self, now: Now, input: Input, out: &mut Outbox) -> Result<(), Failure> {
        match input {
            Input::Loaded(items) => self.on_loaded(now, items, out),
            Input::Committed(token) => self.on_committed(now, token, out),
            Input::CommitFailed(token) => self.on_commit_failed(now, token, out),
            Input::Bound(addrs) => self.on_bound(now, addrs),
            Input::LinkUp {
                peer,
                link,
                dialled,
            } => {
                self.on_link_up(now, peer, link, dialled, out);
            }
            Input::DialFailed { peer, why } => self.on_not_reached(now, peer, why),
            Input::Judge { peer, credential } => self.on_judge(now, peer, &credential, out),
            Input::Active { peer } => self.on_active(now, peer, out),
            Input::Ended { peer, why } => self.on_session_ended(now, peer, &why, out),
            Input::InUse { peer } => self.on_in_use(now, peer, out),
            Input::Wanted { model } => self.on_wanted(now, model, out),
            Input::Introduced { from, entries } => self.on_introduced(now, from, entries, out),
            Input::Revoked { from, record } => self.on_revoked(now, from, *record, out),
            Input::Vouch { from, shown } => self.on_vouch(now, from, shown, out),
            Input::Who { peer, authors } => self.on_who(now, peer, &authors, out),
            Input::Models { device, models } => self.on_models(now, device, models, out),
            Input::Load { device, load } => self.on_load(device, load, out),
            Input::Admin { query, request } => self.on_admin(now, query, request, out),
            Input::Leave => self.dials.over = true,
        }
        self.plan_members(now);
        self.gauge();
        self.report(out);
        self.tell_members(out);
        Ok(())
    }

    fn signal(&mut self, now: Now, signal: Signal, out: &mut Outbox) -> Result<(), Failure> {
        match signal {
            Signal::Started(_) => {
                self.sweep_at = now.mono + SWEEP;
                self.greet_neighbours(now, out);
            }
            Signal::Down { who, why, .. } => self.on_down(now, who, &why, out),
            Signal::Returned { letter, why } => self.on_returned(now, &letter, why, out),
        }
        self.gauge();
        self.report(out);
        self.tell_members(out);
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        let at = |at: Mono, why| Deadline { at, why };
        let loading = match self.phase {
            Phase::Loading { again } => Some(at(again, "load again")),
            Phase::Ready => None,
        };
        [
            loading,
            self.dials.deadline(),
            self.outlook_deadline(),
            self.advert.deadline(),
            self.durable.deadline(),
            self.tickets
                .write_at
                .map(|due| at(due, "write revocations")),
            self.catch_up_at.map(|due| at(due, "tell a peer more")),
            self.members_at.map(|due| at(due, "write members")),
            self.away.deadline(),
            Some(at(self.sweep_at, "drop members whose time is over")),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn on_deadline(&mut self, now: Now, out: &mut Outbox) -> Result<(), Failure> {
        let due = |at: Option<Mono>| at.is_some_and(|at| at <= now.mono);
        self.look_again(now, out);
        self.write_due(now, out);
        self.look_at_own_membership(now);
        self.dial(now, out);
        self.trim_due(now, out);
        if due(self.advert.deadline().map(|deadline| deadline.at)) {
            self.publish(now, out);
        }
        if due(self.tickets.write_at) {
            self.write_revocations(out);
        }
        if due(self.catch_up_at) {
            self.catch_up(now, out);
        }
        if due(self.members_at) {
            self.write_members(now, out);
        }
        if due(Some(self.sweep_at)) {
            self.sweep(now);
        }
        self.gauge();
        self.report(out);
        self.tell_members(out);
        Ok(())
    }

    fn view(&self) -> View {
        View {
            phase: self.phase.name(),
            facts: vec![
                ("members", self.table.len().to_string()),
                ("active", self.sessions.active().to_string()),
                ("dials", self.dials.in_flight().len().to_string()),
                ("skipped", self.skipped.to_string()),
            ],
        }
    }

    fn invariants(&self) {
        self.table.invariants(self.seed.me);
        self.sessions.invariants();
        self.dials.invariants();
        self.durable.invariants();
        self.tickets.invariants();
    }
}

/// Between looks at whose time is over, which a session does for its own peer each second, and at
/// who has earned its place, which is looked at when a session ends, too.
const SWEEP: Micros = Micros::from_secs(60);

#[cfg(test)]
mod tests;
