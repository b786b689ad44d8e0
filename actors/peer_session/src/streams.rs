//! Job streams: opened, admitted and counted here. Their bytes pass elsewhere.

use crate::PeerSession;
use crate::handshake::Phase;
use kernel::Outbox;
use messages::inference_worker::{self, Sink};
use messages::limits::JOBS_PER_PEER_MAX;
use messages::ports::{stream, transport};
use messages::request_proxy;
use messages::{
    Address, DeviceId, Job, Letter, LinkId, Micros, ModelId, Mono, Now, Refusal, RequestId,
    StreamId,
};
use std::collections::BTreeMap;

/// What is in flight with the peer.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// Asked of the transport and not answered yet.
    opening: BTreeMap<(RequestId, u32), Mono>,
    /// Ours at the peer, and the peer's at a device of this node.
    open: BTreeMap<StreamId, Side>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Ours(RequestId, u32),
    Peers(DeviceId),
}

impl Streams {
    /// Jobs of this node at the peer.
    pub(crate) fn ours(&self) -> usize {
        self.opening.len()
            + self
                .open
                .values()
                .filter(|side| matches!(side, Side::Ours(..)))
                .count()
    }

    /// Jobs of the peer here.
    pub(crate) fn peers(&self) -> usize {
        self.open
            .values()
            .filter(|side| matches!(side, Side::Peers(_)))
            .count()
    }

    pub(crate) fn count(&self) -> usize {
        self.opening.len() + self.open.len()
    }

    pub(crate) fn forget(&mut self, stream: StreamId) {
        self.open.remove(&stream);
    }

    fn at_device(&self, device: DeviceId) -> usize {
        self.open
            .values()
            .filter(|side| **side == Side::Peers(device))
            .count()
    }
}

impl PeerSession {
    /// A request asks for a job stream to the peer.
    pub(crate) fn on_open(
        &mut self,
        now: Now,
        request: RequestId,
        job: Box<Job>,
        out: &mut Outbox,
    ) {
        let attempt = job.id.attempt;
        let refusal = match self.phase() {
            Phase::Greeting | Phase::Judging | Phase::Admitting | Phase::Closing => {
                Some(Refusal::NotAdmitted)
            }
            Phase::Active if self.leave.is_leaving() => Some(Refusal::Draining),
            Phase::Active if !self.live.is_fresh() => Some(BUSY),
            Phase::Active if self.streams.ours() >= JOBS_PER_PEER_MAX => Some(BUSY),
            Phase::Active => None,
        };
        if let Some(why) = refusal {
            kernel::sometimes!(
                matches!(why, Refusal::NotAdmitted),
                "session: a job is to go out before admission"
            );
            kernel::sometimes!(
                matches!(why, Refusal::Busy { .. }),
                "session: a job is to go to a silent or full peer"
            );
            kernel::sometimes!(
                matches!(why, Refusal::Draining),
                "session: a job is to go out while it leaves"
            );
            return out.tell(not_opened(request, attempt, why));
        }
        self.streams.opening.insert((request, attempt), now.mono);
        out.tell(Letter::Transport(transport::Command::Open {
            link: self.links.primary.id,
            network: self.seed.network,
            peer: self.seed.peer,
            request,
            job,
        }));
    }

    /// The transport opened a stream. One that an earlier life asked for is as good.
    pub(crate) fn on_opened(
        &mut self,
        now: Now,
        stream: StreamId,
        request: RequestId,
        attempt: u32,
        out: &mut Outbox,
    ) {
        if self.ended.is_some() {
            kernel::sometimes!(true, "session: a stream opens when it has ended");
            out.tell(Letter::Stream(stream, stream::Command::Cancel));
            return out.tell(not_opened(request, attempt, Refusal::NotAdmitted));
        }
        self.streams.opening.remove(&(request, attempt));
        self.streams
            .open
            .insert(stream, Side::Ours(request, attempt));
        self.live.hurry(now.mono);
        out.watch(Address::Stream(stream));
        let opened = request_proxy::Input::Opened { attempt, stream };
        out.tell(Letter::Proxy(request, opened));
    }

    pub(crate) fn on_open_failed(&mut self, request: RequestId, attempt: u32, out: &mut Outbox) {
        kernel::sometimes!(true, "session: a stream does not open");
        self.streams.opening.remove(&(request, attempt));
        out.tell(not_opened(request, attempt, BUSY));
    }

    /// The peer asks for a job. The gate is this side's Admit: the peer's own may still be on its
    /// way, for it travels on another stream.
    pub(crate) fn on_inbound(
        &mut self,
        stream: StreamId,
        link: LinkId,
        job: Box<Job>,
        out: &mut Outbox,
    ) {
        let admitted = match self.phase() {
            Phase::Admitting | Phase::Active => link == self.links.primary.id,
            Phase::Greeting | Phase::Judging | Phase::Closing => false,
        };
        let taken = match self.device_for(job.model) {
            // A job travels one hop: its origin is the peer itself.
            _ if !admitted || job.id.origin != self.seed.peer => Err(Refusal::NotAdmitted),
            _ if self.leave.is_leaving() => Err(Refusal::Draining),
            _ if self.streams.peers() >= JOBS_PER_PEER_MAX => Err(BUSY),
            None => Err(Refusal::NoModel),
            Some(device) => Ok(device),
        };
        kernel::sometimes!(
            matches!(taken, Err(Refusal::NotAdmitted)),
            "session: a job comes before admission"
        );
        kernel::sometimes!(
            matches!(taken, Err(Refusal::Draining)),
            "session: a job comes while it leaves"
        );
        kernel::sometimes!(
            matches!(taken, Err(Refusal::NoModel)),
            "session: a job names a model that is not served"
        );
        kernel::sometimes!(
            matches!(taken, Err(Refusal::Busy { .. })),
            "session: a peer has all the jobs it may"
        );
        match taken {
            Err(why) => out.tell(Letter::Stream(stream, stream::Command::Refuse(why))),
            Ok(device) => {
                self.streams.open.insert(stream, Side::Peers(device));
                out.tell(Letter::Stream(stream, stream::Command::Serve(device)));
                let sink = Sink::Stream(stream);
                out.tell(Letter::Worker(
                    device,
                    inference_worker::Input::Job { sink, job },
                ));
                out.watch(Address::Stream(stream));
            }
        }
    }

    /// The device that serves the model and has the fewest jobs of this peer.
    fn device_for(&self, model: ModelId) -> Option<DeviceId> {
        self.serves
            .iter()
            .filter(|(served, _)| *served == model)
            .map(|(_, device)| *device)
            .min_by_key(|device| (self.streams.at_device(*device), *device))
    }

    /// The peer does not answer: whoever waits for it is told.
    pub(crate) fn warn_requests(&self, out: &mut Outbox) {
        for side in self.streams.open.values() {
            if let Side::Ours(request, attempt) = *side {
                let silent = request_proxy::Input::Silent { attempt };
                out.tell(Letter::Proxy(request, silent));
            }
        }
    }

    /// Streams that the transport was asked for and never spoke of again.
    pub(crate) fn give_up_openings(&mut self, now: Now, out: &mut Outbox) {
        let lost = |at: &Mono| now.mono >= *at + OPENING_MAX;
        for (request, attempt) in self.take_openings(lost) {
            kernel::sometimes!(true, "session: an opening is not answered");
            out.tell(not_opened(request, attempt, BUSY));
        }
    }

    /// At the end: nobody will answer for these.
    pub(crate) fn refuse_openings(&mut self, out: &mut Outbox) {
        for (request, attempt) in self.take_openings(|_| true) {
            kernel::sometimes!(true, "session: an opening ends with its session");
            out.tell(not_opened(request, attempt, BUSY));
        }
    }

    fn take_openings(&mut self, which: impl Fn(&Mono) -> bool) -> Vec<(RequestId, u32)> {
        let mut taken = Vec::new();
        self.streams.opening.retain(|key, at| {
            let take = which(at);
            if take {
                taken.push(*key);
            }
            !take
        });
        taken
    }
}

fn not_opened(request: RequestId, attempt: u32, why: Refusal) -> Letter {
    Letter::Proxy(request, request_proxy::Input::NotOpened { attempt, why })
}

/// The answer where there is no room: slots turn over in about a second.
pub(crate) const BUSY: Refusal = Refusal::Busy {
    retry_after_ms: 1_000,
};
/// After this a stream that was asked for will not come: the transport's own limit is shorter.
const OPENING_MAX: Micros = Micros::from_secs(10);
