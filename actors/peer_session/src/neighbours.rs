//! Neighbours that go down, and letters that come back.

use crate::PeerSession;
use crate::streams::BUSY;
use kernel::{Deadline, Exit, Outbox, ReturnReason};
use messages::gossip_store::Input as Records;
use messages::inference_worker::{self, Sink};
use messages::peer_session::{Ended, LinkLoss};
use messages::ports::{stream, transport};
use messages::wire::latest::ControlFrame;
use messages::{
    Address, Letter, List, Micros, Mono, NodeId, Now, SignedRecord, request_proxy, roster,
};
use std::collections::VecDeque;

/// What is owed to neighbours.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    /// Who is not there, and when to watch it again.
    away: Vec<(Mono, Address)>,
    /// Letters of the peer that the roster had no room for, oldest first.
    unsent: VecDeque<roster::Input>,
    unsent_at: Option<Mono>,
    /// Revocations that the peer passed on, oldest first: a roster that crashes with one of them
    /// in its mailbox is told again.
    revoked: VecDeque<SignedRecord>,
}

impl Neighbours {
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let away = self
            .away
            .iter()
            .map(|(at, _)| Deadline {
                at: *at,
                why: "watch again",
            })
            .min();
        let unsent = self.unsent_at.map(|at| Deadline {
            at,
            why: "tell the roster again",
        });
        Deadline::earliest(away, unsent)
    }

    fn keep(&mut self, input: roster::Input, at: Mono) {
        if self.unsent.len() == UNSENT_MAX {
            kernel::sometimes!(true, "session: too much waits for the roster");
            self.unsent.pop_front();
        }
        self.unsent.push_back(input);
        self.unsent_at = Some(at);
    }

    fn remember(&mut self, record: SignedRecord) {
        if self.revoked.contains(&record) {
            return;
        }
        if self.revoked.len() == REVOKED_KEPT {
            kernel::sometimes!(true, "session: too many revocations are kept");
            self.revoked.pop_front();
        }
        self.revoked.push_back(record);
    }

    pub(crate) fn invariants(&self) {
        assert!(
            self.revoked.len() <= REVOKED_KEPT,
            "too many revocations are kept"
        );
        assert!(
            self.away.len() <= NEIGHBOURS_MAX,
            "more neighbours than there are"
        );
        assert!(
            self.unsent.len() <= UNSENT_MAX,
            "too much waits for the roster"
        );
        assert_eq!(
            self.unsent.is_empty(),
            self.unsent_at.is_none(),
            "unsent without a deadline"
        );
    }
}

impl PeerSession {
    /// The peer passes on that a ticket was withdrawn.
    pub(crate) fn on_revoke(&mut self, record: Box<SignedRecord>, out: &mut Outbox) {
        self.neighbours.remember((*record).clone());
        self.tell_revoked(record, out);
    }

    fn tell_revoked(&self, record: Box<SignedRecord>, out: &mut Outbox) {
        let from = self.seed.peer;
        out.tell(self.to_roster(roster::Input::Revoked { from, record }));
    }

    /// Tells the gossip store of the peer.
    pub(crate) fn tell_records(&self, what: fn(NodeId) -> Records, out: &mut Outbox) {
        out.tell(Letter::GossipStore(self.seed.network, what(self.seed.peer)));
    }

    /// The actors whose loss is noticed here, but for streams.
    pub(crate) const fn watched(&self) -> [Address; NEIGHBOURS_MAX] {
        let roster = Address::Roster(self.seed.network);
        [
            Address::Router,
            roster,
            Address::Transport,
            Address::Observer,
            Address::GossipStore(self.seed.network),
        ]
    }

    pub(crate) fn on_down(&mut self, now: Now, who: Address, why: &Exit, out: &mut Outbox) {
        if self.ended.is_some() {
            return;
        }
        match who {
            Address::Stream(stream) => self.streams.forget(stream),
            // Its connections died with it.
            Address::Transport => self.end(Ended::LinkLost(LinkLoss::Reset), None, out),
            Address::Router | Address::Roster(_) | Address::GossipStore(_) | Address::Observer => {
                let returns = why.is_abnormal() && !matches!(why, Exit::StartFailed(_));
                kernel::sometimes!(!returns, "session: a neighbour is away");
                match returns {
                    true => self.resync(now, who, out),
                    false => {
                        self.neighbours.away.retain(|(_, away)| *away != who);
                        self.neighbours.away.push((now.mono + AWAY, who));
                    }
                }
            }
            Address::Store
            | Address::Engine(_)
            | Address::Worker(_)
            | Address::Session(..)
            | Address::Proxy(_)
            | Address::Gateway
            | Address::Control => {}
        }
    }

    /// Watches a neighbour again and tells its next life what the last one knew.
    fn resync(&mut self, now: Now, who: Address, out: &mut Outbox) {
        out.watch(who);
        match who {
            Address::Router => self.report.router_lost(),
            Address::Observer => self.report.fact_lost(),
            Address::GossipStore(_) if self.active => self.tell_records(Records::Active, out),
            Address::GossipStore(_) => {}
            Address::Roster(_) => {
                // In this order: the roster then knows who is no member any more before it judges,
                // and the member before its session.
                for record in self.neighbours.revoked.clone() {
                    kernel::sometimes!(true, "session: a roster is told of revocations again");
                    self.tell_revoked(record.into(), out);
                }
                self.judge(now, out);
                if self.active {
                    out.tell(self.to_roster(roster::Input::Active {
                        peer: self.seed.peer,
                    }));
                }
                if let Some(own) = self.peer.own.clone() {
                    let entries = List::truncated([own]);
                    let input = roster::Input::Introduced {
                        from: self.seed.peer,
                        entries,
                    };
                    self.neighbours.keep(input, now.mono + UNSENT_AGAIN);
                }
            }
            Address::Store
            | Address::Transport
            | Address::Stream(_)
            | Address::Engine(_)
            | Address::Worker(_)
            | Address::Session(..)
            | Address::Proxy(_)
            | Address::Gateway
            | Address::Control => {}
        }
    }

    /// Whatever is due towards neighbours.
    pub(crate) fn catch_up(&mut self, now: Now, out: &mut Outbox) {
        let away = std::mem::take(&mut self.neighbours.away);
        let (due, later) = away.into_iter().partition(|(at, _)| *at <= now.mono);
        self.neighbours.away = later;
        let due: Vec<(Mono, Address)> = due;
        for (_, who) in due {
            self.resync(now, who, out);
        }
        if self.neighbours.unsent_at.is_some_and(|at| at <= now.mono) {
            self.neighbours.unsent_at = None;
            for input in std::mem::take(&mut self.neighbours.unsent) {
                kernel::sometimes!(true, "session: the roster is told again");
                out.tell(self.to_roster(input));
            }
        }
    }

    pub(crate) fn on_returned(
        &mut self,
        now: Now,
        letter: Letter,
        why: ReturnReason,
        out: &mut Outbox,
    ) {
        match letter {
            Letter::Transport(transport::Command::Send { frame, .. }) => {
                kernel::sometimes!(true, "session: a frame is returned");
                self.on_unsent_frame(&frame, out);
            }
            Letter::Transport(transport::Command::Open { request, job, .. }) => {
                self.on_open_failed(request, job.id.attempt, out);
            }
            Letter::Worker(
                _,
                inference_worker::Input::Job {
                    sink: Sink::Stream(stream),
                    ..
                },
            ) => {
                kernel::sometimes!(true, "session: a worker has no room for a job");
                out.tell(Letter::Stream(stream, stream::Command::Refuse(BUSY)));
            }
            // The request is over.
            Letter::Proxy(_, request_proxy::Input::Opened { stream, .. }) => {
                kernel::sometimes!(true, "session: a stream opens for a request that is over");
                out.tell(Letter::Stream(stream, stream::Command::Cancel));
            }
            Letter::Router(_) => self.report.router_again(now.mono + again(why)),
            Letter::Roster(_, input) => self.on_untold_roster(now, input, why),
            Letter::GossipStore(_, Records::Active(_)) | Letter::Observer(_)
                if matches!(why, ReturnReason::Busy | ReturnReason::ParkFull) =>
            {
                let who = letter.to();
                let is_store = matches!(who, Address::GossipStore(_));
                kernel::sometimes!(is_store, "session: the gossip store is told again");
                kernel::sometimes!(!is_store, "session: the snapshot is told again");
                self.neighbours.away.retain(|(_, away)| *away != who);
                self.neighbours.away.push((now.mono + UNSENT_AGAIN, who));
            }
            // Of the rest, a newer letter or the other side's Down covers what is lost.
            Letter::Transport(_)
            | Letter::Worker(..)
            | Letter::Proxy(..)
            | Letter::Session(..)
            | Letter::GossipStore(..)
            | Letter::Observer(_)
            | Letter::Stream(..)
            | Letter::Engine(..)
            | Letter::Gateway(_)
            | Letter::Store(_)
            | Letter::Control(_) => {}
        }
    }

    /// A hole in the control stream: pings and loads are repeated anyway, and what is lost of
    /// records is found by their digests; the rest is not.
    fn on_unsent_frame(&mut self, frame: &ControlFrame, out: &mut Outbox) {
        match frame {
            ControlFrame::Ping(_)
            | ControlFrame::Pong(_)
            | ControlFrame::Load(_)
            | ControlFrame::Gossip(_) => {}
            ControlFrame::Hello(_)
            | ControlFrame::Proof(_)
            | ControlFrame::Admit(())
            | ControlFrame::Deny(_)
            | ControlFrame::Introductions(_)
            | ControlFrame::Revoke(_)
            | ControlFrame::Leave(_) => {
                self.end(Ended::LinkLost(LinkLoss::Reset), None, out);
            }
        }
    }

    fn on_untold_roster(&mut self, now: Now, input: roster::Input, why: ReturnReason) {
        let at = now.mono + again(why);
        match input {
            roster::Input::Judge { .. } => self.ask_at = self.ask_at.map(|_| at),
            // A roster that is not there is told all when it is back.
            roster::Input::Active { .. }
                if matches!(why, ReturnReason::NoActor | ReturnReason::StartFailed) => {}
            roster::Input::Introduced { .. }
            | roster::Input::Revoked { .. }
            | roster::Input::Active { .. } => self.neighbours.keep(input, at),
            roster::Input::LinkUp { .. }
            | roster::Input::Ended { .. }
            | roster::Input::InUse { .. }
            | roster::Input::Wanted { .. }
            | roster::Input::Loaded(_)
            | roster::Input::Committed(_)
            | roster::Input::CommitFailed(_)
            | roster::Input::Bound(_)
            | roster::Input::DialFailed { .. }
            | roster::Input::Vouch { .. }
            | roster::Input::Who { .. }
            | roster::Input::Models { .. }
            | roster::Input::Load { .. }
            | roster::Input::Admin { .. }
            | roster::Input::Leave => {}
        }
    }
}

/// When to tell again what came back.
const fn again(why: ReturnReason) -> Micros {
    match why {
        ReturnReason::Busy | ReturnReason::ParkFull => UNSENT_AGAIN,
        ReturnReason::NoActor | ReturnReason::StartFailed => AWAY,
    }
}

/// Router, roster, transport, snapshot, records.
const NEIGHBOURS_MAX: usize = 5;
/// Letters kept for a roster without room: what the peer says while it restarts.
const UNSENT_MAX: usize = 16;
/// Revocations kept for a roster that restarts: as many as a peer passes on at once.
const REVOKED_KEPT: usize = 64;
/// After this a letter without room is sent again.
const UNSENT_AGAIN: Micros = Micros::from_millis(200);
/// After this a neighbour that spent its restarts is looked for again.
const AWAY: Micros = Micros::from_secs(10);
