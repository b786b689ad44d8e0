//! How a session ends, and how it leaves.

use crate::PeerSession;
use kernel::{Deadline, How, Outbox};
use messages::gossip_store::Input as Records;
use messages::observer;
use messages::peer_session::Ended;
use messages::wire::latest::{ControlFrame, Deny};
use messages::{Address, Letter, Micros, Mono, Now, roster, router};

/// Who leaves, and until when running jobs may hold the session.
#[derive(Debug, Default)]
pub(crate) struct Leave {
    until: Option<Mono>,
    /// Whether it is this node that leaves.
    ours: bool,
    /// The boot of the peer that said so.
    boot: Option<u64>,
}

impl Leave {
    pub(crate) const fn is_leaving(&self) -> bool {
        self.until.is_some()
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.until.map(|at| Deadline { at, why: "leave" })
    }
}

impl PeerSession {
    /// The node leaves: no new jobs either way; the session ends with the last running one.
    pub(crate) fn on_leave(&mut self, now: Now, out: &mut Outbox) {
        if !self.active {
            return self.end(Ended::Left, None, out);
        }
        if !self.leave.ours {
            self.leave.ours = true;
            self.leave.until = Some(now.mono + LEAVE);
            if self.streams.count() > 0 {
                kernel::sometimes!(true, "session: the node leaves while jobs run");
                self.send(ControlFrame::Leave(false), out);
            }
        }
    }

    /// The peer leaves: at once, or when the running jobs are over.
    pub(crate) fn on_peer_leaves(&mut self, now: Now, at_once: bool, out: &mut Outbox) {
        if at_once {
            return self.end(Ended::Left, None, out);
        }
        if self.leave.until.is_none() {
            self.leave.until = Some(now.mono + LEAVE);
            self.leave.boot = self.boot_of_peer();
        }
    }

    /// What an earlier boot of the peer said of leaving is over: it is here again.
    pub(crate) fn peer_is_back(&mut self) {
        let is_other = self.leave.boot.is_some() && self.leave.boot < self.boot_of_peer();
        if is_other && !self.leave.ours {
            kernel::sometimes!(true, "session: a peer that was leaving is back");
            self.leave = Leave::default();
        }
    }

    fn boot_of_peer(&self) -> Option<u64> {
        let hello = self.links.primary.talk.hello.as_ref();
        hello.map(|(hello, _)| hello.boot)
    }

    /// Ends a session that is leaving as soon as nothing holds it.
    pub(crate) fn leave_if_idle(&mut self, now: Now, out: &mut Outbox) {
        let over = self.leave.until.is_some_and(|until| now.mono >= until);
        kernel::sometimes!(over, "session: a leave takes too long");
        let idle = self.leave.ours && self.streams.count() == 0;
        if over || idle {
            if self.leave.ours {
                self.send(ControlFrame::Leave(true), out);
            }
            self.end(Ended::Left, None, out);
        }
    }

    /// The roster has enough neighbours: it asks because it sees no stream.
    pub(crate) fn on_release(&mut self, out: &mut Outbox) {
        if !self.active {
            return;
        }
        if self.streams.count() > 0 {
            let peer = self.seed.peer;
            return out.tell(self.to_roster(roster::Input::InUse { peer }));
        }
        self.refuse(Deny::Enough, out);
    }

    /// This side does not admit the peer, or withdraws its admission.
    pub(crate) fn refuse(&mut self, why: Deny, out: &mut Outbox) {
        self.end(Ended::DeniedHere(why.clone()), Some(why), out);
    }

    /// Says goodbye to everybody, once.
    pub(crate) fn end(&mut self, why: Ended, deny: Option<Deny>, out: &mut Outbox) {
        if self.ended.is_some() {
            return;
        }
        self.ended = Some(why.clone());
        if std::mem::take(&mut self.active) {
            self.tell_records(Records::Gone, out);
        }
        if let Some(deny) = deny {
            self.send(ControlFrame::Deny(deny), out);
        }
        for id in self.links.all().collect::<Vec<_>>() {
            out.tell(self.close_letter(id, &reason(&why)));
        }
        self.refuse_openings(out);
        let (network, peer) = (self.seed.network, self.seed.peer);
        out.tell(Letter::Router(router::Input::PeerGone { network, peer }));
        out.tell(self.to_roster(roster::Input::Ended { peer, why }));
        out.tell(Letter::Observer(observer::Input::Forget(self.fact_key())));
        out.stop(Address::Session(network, peer), How::Drain);
    }
}

fn reason(why: &Ended) -> String {
    match why {
        Ended::LinkLost(_) => "the connection was lost".to_owned(),
        Ended::DeniedByPeer(Deny::Enough) => "the peer has enough neighbours".to_owned(),
        Ended::DeniedByPeer(_) => "refused by the peer".to_owned(),
        Ended::DeniedHere(deny) => deny.to_string(),
        Ended::Left => "the node leaves".to_owned(),
    }
}

/// How long running jobs may hold a session that is leaving.
const LEAVE: Micros = Micros::from_secs(60);
