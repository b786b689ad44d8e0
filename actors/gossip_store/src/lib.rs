//! GossipStore: the records of a network.
//!
//! # Role
//! Keeps one signed register per (kind, author, id) for everything that members share, and brings
//! it into agreement with its neighbours: what this node says is sent to all at once and may be
//! lost; what differs is found by digests and read. It interprets no record, and writes none but
//! this node's own, as the catalog publisher asks for.
//!
//! # Inputs
//! `gossip_store::Input`: members and withdrawn tickets from the roster, neighbours and their
//! frames from sessions, own values from the catalog publisher, rows and commits from the store.
//!
//! # Output
//! `Session::Gossip` to neighbours, commits to the store; to the roster, what a neighbour shows for
//! an author that nobody here has heard of, and whom a neighbour has not heard of.
//!
//! Frames of one whose session is not active are dropped: the session is the gate. Until what is
//! durable was loaded the store is *loading*: it notes who is there and says nothing; then it is
//! *open*. A store that has had neighbours for a while reads one that comes *later* after a second
//! or two, when there is mostly nothing left that differs. "read" is a question to a neighbour;
//! "news" are own records, said to all; "roots" tells all others but the one that a record came
//! from that there is more; "answer" answers; "write" is a commit; "·" is nothing.
//!
//! A network may have more members than its nodes ever meet. A record of an author whom the roster
//! does not keep is *held* while its neighbour is asked why that author belongs ("who"), and is
//! taken where the roster vouches for what it shows ("vouch").
//!
//! | input             | loading | open         |
//! |-------------------|---------|--------------|
//! | Started           | watch, load | watch, load |
//! | Loaded            | ·       | ·            |
//! | Loaded, neighbour | read    | ·            |
//! | Committed, own    | ·       | later news   |
//! | Committed         | ·       | ·            |
//! | CommitFailed      | ·       | ·            |
//! | Members           | ·       | ·            |
//! | Member            | ·       | ·            |
//! | Member, held      | ·       | roots, write |
//! | Stranger          | ·       | write        |
//! | Vouched           | ·       | write        |
//! | Vouched, held     | ·       | roots, write |
//! | NotVouched        | ·       | who          |
//! | NotVouched, last  | ·       | ·            |
//! | Revoked           | ·       | ·            |
//! | Revoked, vouched  | ·       | write        |
//! | Active            | ·       | read         |
//! | Active, later     | ·       | ·            |
//! | Gone              | ·       | ·            |
//! | News              | ·       | roots, write |
//! | News, known       | ·       | ·            |
//! | News, not heard of | ·      | who          |
//! | Roots, other      | ·       | read         |
//! | Roots, equal      | ·       | ·            |
//! | Compare           | ·       | answer       |
//! | Want              | ·       | answer       |
//! | Differ, asked     | ·       | read         |
//! | Have, asked       | ·       | roots, read, write |
//! | Who, vouched      | ·       | answer       |
//! | Who, member       | ·       | who          |
//! | Credentials, asked | ·      | vouch        |
//! | not asked for     | ·       | ·            |
//! | of a stranger     | ·       | ·            |
//! | Publish           | ·       | write        |
//! | Publish, as it is | ·       | ·            |
//! | Read              | ·       | shared       |
//! | Say               | ·       | write        |
//! | Say, as it is     | ·       | done         |
//! | Set               | ·       | write        |
//! | Down              | watch   | watch        |
//! | Commit returned   | ·       | ·            |
//! | Another returned  | ·       | ·            |
//! | Deadline          | load    | read         |
//!
//! # Invariants
//! A record is kept if and only if its author signed it for this network, and is a member whom the
//! roster keeps or has vouched for, by a ticket that is neither over nor withdrawn; of a register
//! the one with the greatest (stamp, digest). This node's own records are durable before anybody
//! hears of them. At most one neighbour is read at a time, one question at a time. A gated record
//! crosses only while this node shares them, either way.
//!
//! # Failure
//! None of its own. A record that is not kept is counted; an answer that does not come is not
//! waited for. What broadcasts lose, the next reading finds: soon after a session begins, when a
//! neighbour says that it has more, and once a minute.
//!
//! # After restart
//! Reloads what is durable. Sessions and the roster see it go down and say again who is there; the
//! catalog publisher says its values again; what was not yet written is read from neighbours.

mod admin;
mod authors;
mod neighbours;
mod own;
mod pull;
mod reading;
mod registers;
mod signature;
mod strangers;
mod taking;
#[cfg(test)]
mod tests;
mod tree;
mod vouched;
mod writing;

pub use registers::{AHEAD_MAX, AUTHOR_RECORDS_MAX, PARKED_MAX, Refused, TOMBSTONE_AGE_MAX};

use admin::Admin;
use kernel::{Ctx, Deadline, Failure, Machine, Outbox, ReturnReason, Signal, Signer, View};
use messages::gossip_store::{Input, Seed};
use messages::peer_session;
use messages::ports::store::Command;
use messages::wire::latest::{Gossip, Roots};
use messages::{Address, Letter, Micros, Mono, NodeId, Now, RecordClass, Wall};
use neighbours::{NEIGHBOURS_MAX, Neighbour, Neighbours};
use own::Own;
use pull::{Pull, Refusals};
use registers::{Ground, Registers};
use std::sync::Arc;
use strangers::Strangers;
use taking::Counts;
use vouched::{VOUCHED_MAX, Vouched};
use writing::Writing;

/// The records of a network. See the crate's page.
#[derive(Debug)]
pub struct GossipStore {
    seed: Seed,
    signer: Arc<dyn Signer>,
    registers: Registers,
    refusals: Refusals,
    strangers: Strangers,
    vouched: Vouched,
    neighbours: Neighbours,
    /// The neighbour that is being read, and whether it answered in this turn.
    pull: Option<Pull>,
    answered: bool,
    asks: u32,
    read_last: Option<NodeId>,
    /// Until when it is new among its neighbours.
    new_until: Mono,
    /// When the next neighbour is read again, and who was last.
    refresh_at: Mono,
    refreshed: Option<NodeId>,
    /// Whether gated records cross.
    shares: bool,
    /// Whether the roster has said who is a member.
    knows_members: bool,
    own: Own,
    admin: Admin,
    writing: Writing,
    /// When time changes what is in force.
    due_at: Option<Mono>,
    /// What the last turn left, for people.
    roots: Option<Roots>,
    entropy: kernel::Entropy,
    counts: Counts,
}

impl GossipStore {
    /// A store that has loaded nothing yet.
    #[must_use]
    pub fn new(seed: Seed, ctx: Ctx) -> Self {
        let mut entropy = ctx.entropy;
        let mut registers = Registers::new(seed.network, seed.me);
        // The roster counts the others.
        registers.admit(seed.me, Ground::Member);
        Self {
            registers,
            signer: ctx.signer,
            // Tokens begin anywhere: an answer to an earlier life must not answer this one.
            writing: Writing::new(entropy.number()),
            due_at: None,
            roots: None,
            entropy,
            refusals: Refusals::default(),
            strangers: Strangers::default(),
            vouched: Vouched::new(VOUCHED_MAX),
            neighbours: Neighbours::new(),
            pull: None,
            answered: false,
            asks: 0,
            read_last: None,
            new_until: Mono::default(),
            refresh_at: Mono::default(),
            refreshed: None,
            shares: seed.shares,
            knows_members: false,
            own: Own::default(),
            admin: Admin::new(seed.shares),
            counts: Counts::default(),
            seed,
        }
    }

    fn on_started(&mut self, now: Now, out: &mut Outbox) {
        self.refresh_at = now.mono + self.refresh_wait();
        out.watch(Address::Store);
        self.load(now.mono, out);
    }

    /// Whether gated records cross. What was not sent or taken meanwhile is read now, both ways.
    fn on_share(&mut self, shares: bool) {
        if std::mem::replace(&mut self.shares, shares) == shares || !shares {
            return;
        }
        for neighbour in self.neighbours.values_mut() {
            neighbour.is_to_read(RecordClass::Gated);
            neighbour.is_behind();
        }
    }

    fn on_gone(&mut self, peer: NodeId) {
        self.neighbours.remove(&peer);
        self.strangers.gone(peer);
        if self.pull.as_ref().is_some_and(|pull| pull.peer == peer) {
            kernel::sometimes!(true, "gossip store: a neighbour goes while it is read");
            self.pull = None;
        }
    }

    fn on_returned(&mut self, now: Now, letter: &Letter, why: ReturnReason, out: &mut Outbox) {
        match letter {
            // It never came to the store, which says nothing of it.
            Letter::Store(Command::Commit { token, .. }) => {
                kernel::sometimes!(true, "gossip store: the store has no room for a write");
                self.on_commit_failed(now.mono, *token, out);
            }
            // Its session died and says nothing more.
            Letter::Session(_, peer, _) if why == ReturnReason::NoActor => self.on_gone(*peer),
            // It is told that there is more; what is a question or an answer is asked again.
            Letter::Session(_, peer, peer_session::Input::Gossip(said))
                if matches!(**said, Gossip::News(_)) =>
            {
                kernel::sometimes!(true, "gossip store: news find no room at a session");
                if let Some(neighbour) = self.neighbours.get_mut(peer) {
                    neighbour.is_behind();
                }
            }
            // The store's Down, or the next try, covers what is lost.
            Letter::Session(..)
            | Letter::Store(_)
            | Letter::GossipStore(..)
            | Letter::Roster(..)
            | Letter::Router(_)
            | Letter::Proxy(..)
            | Letter::Worker(..)
            | Letter::Observer(_)
            | Letter::Transport(_)
            | Letter::Stream(..)
            | Letter::Engine(..)
            | Letter::Gateway(_)
            | Letter::Control(_) => {}
        }
    }

    fn on_heard(&mut self, now: Now, peer: NodeId, gossip: Gossip, out: &mut Outbox) {
        let Some(neighbour) = self.neighbours.get_mut(&peer) else {
            kernel::sometimes!(true, "gossip store: a stranger speaks");
            self.counts.dropped += 1;
            return;
        };
        match gossip {
            Gossip::News(records) => self.take_all(now, peer, records.into_vec()),
            Gossip::Roots(theirs) => {
                neighbour.differs(&theirs, &roots_of(&mut self.registers, self.shares));
            }
            question @ (Gossip::Compare { .. } | Gossip::Want { .. } | Gossip::Who(_)) => {
                neighbour.asks(question);
            }
            Gossip::Credentials(shown) => self.on_credentials(peer, shown, out),
            Gossip::Differ { ask, parts } => self.on_differ(now.mono, peer, ask, &parts),
            Gossip::Have { ask, records } => self.on_have(now, peer, ask, records),
        }
    }

    /// What is in order after any turn.
    fn settle(&mut self, now: Now, out: &mut Outbox) {
        for neighbour in self.neighbours.values_mut() {
            neighbour.wait_is_over(now.mono);
        }
        if !self.writing.is_loaded() {
            return;
        }
        let early = self.own.take_early();
        self.on_publish(now, early);
        self.answer_early(now, out);
        if self.registers.advance(now.wall) {
            // What found no room among records from the future may find some now.
            self.refusals.clear();
            self.read_all_but(None);
        }
        self.advance_authors(now);
        let until = |at: Wall| now.mono + Micros(at.0.saturating_sub(now.wall.0));
        let due = [self.registers.next_change(), self.vouched.next_end()];
        self.due_at = due.into_iter().flatten().min().map(until);
        self.say_changes(now.mono, out);
        self.answer(now.mono, out);
        self.ask_who(now, out);
        self.read_on(now.mono, out);
        self.write(out);
        self.roots = Some(roots_of(&mut self.registers, true));
    }

    /// Answers questions and says what is left to say, as far as each neighbour has room.
    fn answer(&mut self, now: Mono, out: &mut Outbox) {
        for (peer, neighbour) in &mut self.neighbours {
            while let Some(question) = neighbour.next_question(now) {
                if let Gossip::Who(authors) = &question {
                    let is_member = |author| self.registers.is_member(author);
                    let known = (&self.vouched, is_member);
                    authors::prove((&self.seed, *peer), known, authors, out);
                }
                let said = pull::answer(&question, &mut self.registers, self.shares);
                if let Some(said) = said {
                    out.tell(to_peer(&self.seed, *peer, said));
                }
            }
            if neighbour.take_behind(now) {
                kernel::sometimes!(true, "gossip store: a neighbour is told that there is more");
                let roots = Gossip::Roots(roots_of(&mut self.registers, self.shares));
                out.tell(to_peer(&self.seed, *peer, roots));
            }
        }
    }
}

/// What this node has of each class.
fn roots_of(registers: &mut Registers, shares: bool) -> Roots {
    let mut root = |class| registers.tree(class).digest(messages::Prefix::ROOT);
    Roots {
        public: root(RecordClass::Public),
        gated: shares.then(|| root(RecordClass::Gated)),
    }
}

/// The beginnings of both digests.
fn short(roots: &Roots) -> String {
    let gated = roots.gated.unwrap_or_default();
    format!("{:016x} {:016x}", roots.public.short(), gated.short())
}

/// A frame for a neighbour, by its session.
fn to_peer(seed: &Seed, peer: NodeId, gossip: Gossip) -> Letter {
    let input = peer_session::Input::Gossip(Box::new(gossip));
    Letter::Session(seed.network, peer, input)
}

impl Machine for GossipStore {
    type Input = Input;

    fn handle(&mut self, now: Now, input: Input, out: &mut Outbox) -> Result<(), Failure> {
        match input {
            Input::Loaded(items) => self.on_loaded(now.wall, items)?,
            Input::Committed(token) => self.on_committed(now, token, out),
            Input::CommitFailed(token) => self.on_commit_failed(now.mono, token, out),
            Input::Members(members) => self.on_members(now, &members),
            Input::Member(member) => self.is_author(now, member, Ground::Member),
            Input::Stranger(member) => self.withdraw(member, Ground::Member),
            Input::Vouched(vouched) => self.on_vouched(now, vouched),
            Input::NotVouched { from, authors } => self.on_not_vouched(now, from, &authors),
            Input::Revoked(tickets) => self.on_revoked(tickets),
            Input::Active(peer) => self.on_active(now, peer),
            Input::Gone(peer) => self.on_gone(peer),
            Input::Heard(peer, gossip) if self.writing.is_loaded() => {
                self.on_heard(now, peer, *gossip, out);
            }
            // Who asked asks again; news are found when this life reads its neighbours.
            Input::Heard(..) => self.counts.dropped += 1,
            Input::Publish(facts) => self.on_publish(now, facts),
            Input::Admin {
                query,
                asker,
                request,
            } => self.on_admin(now, (query, asker), *request, out),
        }
        self.settle(now, out);
        Ok(())
    }

    fn signal(&mut self, now: Now, signal: Signal, out: &mut Outbox) -> Result<(), Failure> {
        match signal {
            Signal::Started(_) => self.on_started(now, out),
            Signal::Down { why, .. } => self.on_store_down(now.mono, &why, out),
            Signal::Returned { letter, why } => self.on_returned(now, &letter, why, out),
        }
        self.settle(now, out);
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        let at = |at: Mono, why| Deadline { at, why };
        let neighbours = self
            .neighbours
            .values()
            .filter_map(Neighbour::deadline)
            .min()
            // Before the rows are here nobody is told or read.
            .filter(|_| self.writing.is_loaded());
        let strangers = self.strangers.deadline();
        [
            self.writing.deadline(),
            self.pull
                .as_ref()
                .map(|pull| at(pull.answer_until(), "an answer is late")),
            neighbours.map(|when| at(when, "a neighbour may be told more, or be read")),
            self.own.say_at().map(|when| at(when, "say what changed")),
            strangers.map(|when| at(when, "ask why an author belongs")),
            self.due_at.map(|when| at(when, "a record's time comes")),
            (!self.neighbours.is_empty()).then(|| at(self.refresh_at, "read a neighbour again")),
        ]
        .into_iter()
        .fold(None, Deadline::earliest)
    }

    fn on_deadline(&mut self, now: Now, out: &mut Outbox) -> Result<(), Failure> {
        self.on_write_deadline(now.mono, out);
        self.give_up_late(now.mono);
        self.refresh(now.mono);
        self.settle(now, out);
        Ok(())
    }

    fn view(&self) -> View {
        View {
            phase: match self.writing.is_loaded() {
                true => "open",
                false => "loading",
            },
            facts: vec![
                ("records", self.registers.len().to_string()),
                ("root", self.roots.as_ref().map_or_else(String::new, short)),
                ("in force", self.registers.in_force().count().to_string()),
                ("neighbours", self.neighbours.len().to_string()),
                ("vouched for", self.vouched.len().to_string()),
                ("not heard of", self.strangers.len().to_string()),
                ("from the future", self.registers.parked().to_string()),
                ("taken", self.counts.taken.to_string()),
                ("known already", self.counts.known.to_string()),
                ("refused", self.counts.refused.to_string()),
                ("dropped", self.counts.dropped.to_string()),
            ],
        }
    }

    fn invariants(&self) {
        self.registers.invariants();
        self.strangers.invariants();
        self.vouched.invariants();
        assert!(
            self.neighbours.len() <= NEIGHBOURS_MAX,
            "too many neighbours"
        );
    }
}
