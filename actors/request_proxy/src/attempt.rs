//! One try at one holder, and its deadlines.

use crate::hunt::HUNT_MAX;
use crate::pace::Pace;
use kernel::{Deadline, Outbox};
use messages::inference_worker::{self, Sink};
use messages::ports::stream;
use messages::request_proxy::Flow;
use messages::router::Via;
use messages::{
    Address, Compute, Job, Letter, Micros, ModelAdvert, Mono, RequestId, StreamId, peer_session,
};

/// One try.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// Counted from 1.
    pub(crate) n: u32,
    /// The holder.
    pub(crate) via: Via,
    /// What it serves.
    pub(crate) advert: ModelAdvert,
    request: RequestId,
    /// The way to a remote holder, once it is open.
    stream: Option<StreamId>,
    /// What the holder computes with, once it accepted.
    pub(crate) accepted: Option<Compute>,
    /// Whether the holder itself said anything.
    signed: bool,
    /// The highest count of engine steps that it reported.
    steps: Option<u64>,
    /// When it last gave a token or its engine moved; before that, when it was asked.
    progress: Mono,
    /// When it is doubted.
    due: Mono,
    /// When it is doubted for want of a token, however its engine moves.
    dry: Mono,
    /// The stream is gone: what it said before may still be on its way until then.
    closing: Option<Mono>,
    pace: Pace,
    /// Doubles with each holder that was left in doubt: two slow holders are not exchanged for
    /// each other until the attempts are spent.
    patience: u64,
}

impl Attempt {
    /// Asks the holder.
    pub(crate) fn begin(
        now: Mono,
        via: Via,
        advert: ModelAdvert,
        job: Box<Job>,
        doubts: u32,
        out: &mut Outbox,
    ) -> Self {
        let (n, request) = (job.id.attempt, job.id.request);
        match via {
            Via::Local(_, device) => {
                out.watch(Address::Worker(device));
                let input = inference_worker::Input::Job {
                    sink: Sink::Proxy(request),
                    job,
                };
                out.tell(Letter::Worker(device, input));
            }
            Via::Peer(network, peer) => {
                let input = peer_session::Input::Open { request, job };
                out.tell(Letter::Session(network, peer, input));
            }
        }
        kernel::sometimes!(doubts > DOUBLINGS_MAX, "request: patience is the greatest");
        let patience = 1 << doubts.min(DOUBLINGS_MAX);
        Self {
            n,
            via,
            advert,
            request,
            stream: None,
            accepted: None,
            signed: false,
            steps: None,
            progress: now,
            due: now + SIGN_WAIT,
            dry: now + QUEUE_WAIT.times(patience),
            closing: None,
            pace: Pace::default(),
            patience,
        }
    }

    /// The way to a remote holder is open: it has its time to say something from here on. False
    /// where nothing changes. Its replies may be faster than this word of the session.
    pub(crate) fn open(&mut self, now: Mono, stream: StreamId, out: &mut Outbox) -> bool {
        if self.stream.is_some() || matches!(self.via, Via::Local(..)) {
            return false;
        }
        out.watch(Address::Stream(stream));
        self.stream = Some(stream);
        self.progress = now;
        self.due = self.due.max(now + SIGN_WAIT);
        true
    }

    /// The holder took the job: a promise, and no progress.
    pub(crate) fn accept(&mut self, now: Mono, compute: Compute) {
        self.sign();
        self.accepted = Some(compute);
        self.put_off(now);
        self.dry = now + TOKEN_WAIT.times(self.patience);
    }

    /// The job runs, or waits. True where that ends a doubt: the engine has moved since the last
    /// time, and a token is not overdue.
    pub(crate) fn beacon(&mut self, now: Mono, steps: u64) -> bool {
        self.sign();
        let moved = self.steps.is_none_or(|known| steps > known);
        if moved {
            // The first one shows where the engine stands, not that it moves.
            if self.steps.replace(steps).is_some() {
                self.progress = now;
            }
            // Where the engine moves without a token of ours, beacons set the pace, not tokens.
            self.put_off(now);
        }
        moved && now < self.dry
    }

    /// The holder gave tokens that were not known.
    pub(crate) fn tokens(&mut self, now: Mono) {
        self.sign();
        self.pace.arrive(now);
        self.progress = now;
        self.due = now + self.gap_max();
        self.dry = now + TOKEN_WAIT.times(self.patience);
    }

    /// The holder said something.
    pub(crate) const fn sign(&mut self) {
        self.signed = true;
    }

    /// The client takes text again: the holder has its time anew.
    pub(crate) fn resume(&mut self, now: Mono) {
        self.pace.pause();
        self.progress = now;
        self.due = now + self.gap_max().max(SIGN_WAIT);
        self.dry = self.dry.max(now + TOKEN_WAIT.times(self.patience));
    }

    /// The stream's end is gone.
    pub(crate) fn close(&mut self, now: Mono) {
        self.closing.get_or_insert(now + CLOSING_WAIT);
    }

    /// Tells the source of the tokens to stop, or to go on.
    pub(crate) fn flow(&self, flow: Flow, out: &mut Outbox) {
        match (self.via, self.stream) {
            (Via::Local(_, device), _) => {
                let input = inference_worker::Input::Sink {
                    sink: self.sink(),
                    flow,
                };
                out.tell(Letter::Worker(device, input));
            }
            (Via::Peer(..), Some(stream)) => {
                out.tell(Letter::Stream(stream, stream::Command::Read(flow)));
            }
            // It is told when it opens.
            (Via::Peer(..), None) => {}
        }
    }

    /// Nobody wants it any more. A stream that is yet to open is cancelled when it does.
    pub(crate) fn cancel(&self, out: &mut Outbox) {
        match (self.via, self.stream) {
            (Via::Local(_, device), _) => {
                let (sink, attempt) = (self.sink(), self.n);
                let input = inference_worker::Input::Cancel { sink, attempt };
                out.tell(Letter::Worker(device, input));
            }
            (Via::Peer(..), Some(stream)) => {
                out.tell(Letter::Stream(stream, stream::Command::Cancel));
            }
            (Via::Peer(..), None) => {}
        }
    }

    /// What is watched for as long as the attempt lasts, and lives on after it.
    pub(crate) fn unwatch(&self, out: &mut Outbox) {
        if let Via::Local(_, device) = self.via {
            out.unwatch(Address::Worker(device));
        }
    }

    /// Whether the tokens come through this stream.
    pub(crate) fn is_at(&self, stream: StreamId) -> bool {
        self.stream == Some(stream)
    }

    /// Whether the holder has said anything.
    pub(crate) const fn has_signed(&self) -> bool {
        self.signed
    }

    /// Whether what was on its way from a closed stream has had its time.
    pub(crate) fn is_closed(&self, now: Mono) -> bool {
        self.closing.is_some_and(|at| at <= now)
    }

    /// When it last moved on.
    pub(crate) const fn progress(&self) -> Mono {
        self.progress
    }

    /// Whether it should be doubted.
    pub(crate) fn is_overdue(&self, now: Mono) -> bool {
        self.doubted().at <= now
    }

    /// Whether it has stood still for so long that nothing more can be expected, where the request
    /// has stood still since `quiet`.
    pub(crate) fn is_silent(&self, now: Mono, quiet: Mono) -> bool {
        self.over_at(quiet) <= now
    }

    /// When the stream's last words have had their time.
    pub(crate) fn closing(&self) -> Option<Deadline> {
        self.closing.map(|at| Deadline {
            at,
            why: "the stream is gone",
        })
    }

    /// When it is doubted.
    pub(crate) fn doubted(&self) -> Deadline {
        Deadline {
            at: self.due.min(self.dry),
            why: "the holder is overdue",
        }
    }

    /// When it is given up.
    pub(crate) fn given_up(&self, quiet: Mono) -> Deadline {
        Deadline {
            at: self.over_at(quiet),
            why: "the holder is silent",
        }
    }

    /// Asserts what must hold between turns.
    pub(crate) fn invariants(&self) {
        assert!(
            self.accepted.is_none() || self.signed,
            "accepted in silence"
        );
        assert!(
            self.stream.is_none() || matches!(self.via, Via::Peer(..)),
            "a stream to itself"
        );
        self.pace.invariants();
    }

    /// Later tries at a holder that stood still have what the first one and the search left.
    fn over_at(&self, quiet: Mono) -> Mono {
        let alone = (quiet + SILENCE_MAX + HUNT_MAX).max(self.due);
        alone.min(self.progress + SILENCE_MAX)
    }

    /// It has its time from now on, but not beyond what it has without progress.
    fn put_off(&mut self, now: Mono) {
        let due = now + self.gap_max().max(SIGN_WAIT);
        self.due = self.due.max(due.min(self.progress + SILENCE_MAX));
    }

    fn gap_max(&self) -> Micros {
        self.pace.gap_max().times(self.patience).min(SILENCE_MAX)
    }

    const fn sink(&self) -> Sink {
        Sink::Proxy(self.request)
    }
}

/// How long a stream may take to open, and how long a holder may take to say something: a holder
/// gives a sign each 500 ms.
const SIGN_WAIT: Micros = Micros::from_secs(1);
/// How long a holder that stands still is waited for when there is no other: paths heal within
/// this, and an honest engine moves each second while it reads a prompt.
const SILENCE_MAX: Micros = Micros::from_secs(10);
/// How long the first token may take once the job was accepted, and the next after each, before
/// another holder is looked for although the engine moves: it may read somebody's long prompt.
const TOKEN_WAIT: Micros = Micros::from_secs(10);
/// The same before the job is accepted: it may wait in a line, or its own prompt is long. Whoever
/// moves on loses the place, so it is a multiple of what an answer takes.
const QUEUE_WAIT: Micros = Micros::from_secs(60);
/// How long letters of a stream may take that is itself gone: a turn of a loaded node.
const CLOSING_WAIT: Micros = Micros::from_millis(50);
/// Patience grows at most sixteenfold: [`SILENCE_MAX`] bounds it anyway.
const DOUBLINGS_MAX: u32 = 4;
