//! The serving side of one job stream: a bounded queue of replies and the task that writes them.

use crate::control::reset;
use crate::line::JobLine;
use crate::outgoing::{Unwritten, finish_out, write_out};
use crate::shared::{Shared, code};
use bytes::Bytes;
use host::{Leaf, LeafPort};
use iroh::endpoint::{RecvStream, SendStream};
use kernel::{Mail, ReturnReason, Signal};
use messages::inference_worker::{Input, Sink};
use messages::ports::stream::Command;
use messages::request_proxy::Flow;
use messages::wire::latest::{Frame, JobReply, Refused};
use messages::{Address, DeviceId, Letter, Refusal, StreamId};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// What the serving end of a stream was told.
#[derive(Debug)]
pub(super) struct ReplyInbox {
    attempt: u32,
    /// Where a close of the session looks whether a last reply is on its way.
    last_words: watch::Sender<()>,
    queue: Mutex<Queue>,
    more: Notify,
    /// Whether the worker is to send more.
    flow: watch::Sender<Flow>,
    /// Who serves, once it is known.
    device: watch::Sender<Option<DeviceId>>,
    /// True once whoever served is gone.
    lost: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Queue {
    replies: VecDeque<JobReply>,
    /// What waits, and what is being written.
    bytes: usize,
    /// Held once the last reply is in it, or was.
    last: Option<watch::Receiver<()>>,
}

/// The serving end of one stream.
pub(super) struct Serve {
    pub(super) stream: StreamId,
    pub(super) line: JobLine,
    pub(super) send: SendStream,
    pub(super) recv: RecvStream,
    pub(super) alive: watch::Receiver<()>,
    pub(super) inbox: Arc<ReplyInbox>,
    pub(super) leaf: LeafPort,
}

impl Serve {
    /// Runs until the last reply was sent, or nobody wants or gives it any more. Then the leaf
    /// goes down.
    pub(super) async fn run(self, shared: &Shared) {
        let Self {
            stream,
            line,
            mut send,
            mut recv,
            mut alive,
            inbox,
            leaf,
        } = self;
        let stopped = send.stopped();
        let end = tokio::select! {
            end = inbox.write(&mut send, &line) => end,
            () = inbox.decided_late() => Err(code::LOST),
            () = inbox.owner_lost() => Err(code::LOST),
            () = inbox.report(stream, &leaf) => Err(code::LOST),
            () = cancelled(&mut recv) => Err(code::CANCELLED),
            _ = stopped => Err(code::CANCELLED),
            _ = alive.changed() => Err(code::LOST),
        };
        match end {
            Ok(()) => finish_out(&mut send).await,
            Err(code) => {
                if code == code::STALLED {
                    shared.counts().stalls.add();
                }
                reset(&mut send, &mut recv, code);
            }
        }
    }
}

/// Comes back when the asking side takes its stream back. It has said all it may say.
async fn cancelled(recv: &mut RecvStream) {
    // A finished half is no cancel; the other half, or the link, tells.
    if let Ok(None) = recv.read_chunk(1).await {
        std::future::pending::<()>().await;
    }
}

impl ReplyInbox {
    pub(super) fn new(attempt: u32, last_words: watch::Sender<()>) -> Self {
        Self {
            attempt,
            last_words,
            queue: Mutex::new(Queue::default()),
            more: Notify::new(),
            flow: watch::Sender::new(Flow::Ready),
            device: watch::Sender::new(None),
            lost: watch::Sender::new(false),
        }
    }

    /// Writes replies up to the last one.
    async fn write(
        &self,
        send: &mut SendStream,
        line: &JobLine,
    ) -> Result<(), iroh::endpoint::VarInt> {
        loop {
            let (replies, bytes, last) = self.next().await;
            let mut frames = Vec::with_capacity(replies.len());
            for reply in replies {
                if matches!(reply, JobReply::Accepted(_)) {
                    line.is_served_here();
                }
                match reply.encode() {
                    Ok(frame) => frames.push(Bytes::from(frame)),
                    Err(error) => {
                        tracing::error!(%error, "a worker's reply cannot be sent");
                        return Err(code::LOST);
                    }
                }
            }
            match write_out(send, &mut frames).await {
                Ok(()) => self.written(bytes),
                Err(Unwritten::Stalled) => return Err(code::STALLED),
                Err(Unwritten::Stopped) => return Err(code::CANCELLED),
            }
            if last {
                return Ok(());
            }
        }
    }

    async fn next(&self) -> (Vec<JobReply>, usize, bool) {
        loop {
            let more = self.more.notified();
            {
                let mut queue = self.queue();
                let (mut round, mut bytes) = (Vec::new(), 0);
                // In small rounds, so that room is told of as it comes.
                while bytes < ROUND_BYTES
                    && let Some(reply) = queue.replies.pop_front()
                {
                    bytes += reply.weight();
                    round.push(reply);
                }
                if !round.is_empty() {
                    return (
                        round,
                        bytes,
                        queue.last.is_some() && queue.replies.is_empty(),
                    );
                }
            }
            more.await;
        }
    }

    fn written(&self, bytes: usize) {
        let mut queue = self.queue();
        queue.bytes = queue.bytes.saturating_sub(bytes);
        if queue.bytes <= LOW_WATER {
            self.turn(Flow::Ready);
        }
    }

    /// Tells the worker of every turn of the flow, as long as the stream lasts.
    async fn report(&self, stream: StreamId, leaf: &LeafPort) {
        let mut device = self.device.subscribe();
        let Some(device) = device
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|found| *found)
        else {
            return;
        };
        leaf.watch(Address::Worker(device));
        let mut flow = self.flow.subscribe();
        let mut told = Flow::Ready;
        loop {
            let turned = *flow.borrow_and_update();
            if turned != told {
                told = turned;
                let input = Input::Sink {
                    sink: Sink::Stream(stream),
                    flow: turned,
                };
                leaf.tell(Letter::Worker(device, input));
            }
            if flow.changed().await.is_err() {
                return;
            }
        }
    }

    /// Comes back when neither a worker nor a refusal came in time.
    async fn decided_late(&self) {
        let mut device = self.device.subscribe();
        let served = device.wait_for(Option::is_some);
        if timeout(DECIDE_WAIT, served).await.is_ok() || self.queue().last.is_some() {
            std::future::pending::<()>().await;
        }
    }

    async fn owner_lost(&self) {
        // The sender lives as long as `self`.
        let _ = self.lost.subscribe().wait_for(|lost| *lost).await;
    }

    /// Queues a reply. A last one always finds room.
    fn put(&self, reply: JobReply) -> Result<(), JobReply> {
        let mut queue = self.queue();
        if queue.last.is_some() {
            return Ok(());
        }
        let weight = reply.weight();
        if !reply.is_last() && queue.bytes > 0 && queue.bytes + weight > QUEUE_BYTES_MAX {
            return Err(reply);
        }
        queue.last = reply.is_last().then(|| self.last_words.subscribe());
        queue.bytes += weight;
        queue.replies.push_back(reply);
        if queue.bytes >= HIGH_WATER {
            self.turn(Flow::Full);
        }
        drop(queue);
        self.more.notify_one();
        Ok(())
    }

    fn turn(&self, to: Flow) {
        self.flow
            .send_if_modified(|flow| std::mem::replace(flow, to) != to);
    }

    fn refuse(&self, why: Refusal) {
        // A last reply finds room, and after one nothing more is said.
        let _ = self.put(JobReply::Refused(Refused {
            attempt: self.attempt,
            why,
        }));
    }

    /// Whoever was to serve is gone; what it said last is sent all the same.
    fn lose(&self) {
        if self.queue().last.is_none() {
            self.lost.send_replace(true);
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leaf for ReplyInbox {
    fn offer(&self, mail: Mail) -> Result<(), Box<Letter>> {
        match mail {
            Mail::Letter(Letter::Stream(stream, Command::Reply(reply))) => {
                let back = |reply| Box::new(Letter::Stream(stream, Command::Reply(reply)));
                return self.put(reply).map_err(back);
            }
            Mail::Letter(Letter::Stream(_, command)) => match command {
                Command::Serve(device) => drop(self.device.send_replace(Some(device))),
                Command::Refuse(why) => self.refuse(why),
                // Cancel and Read are meant for an asking end.
                Command::Cancel | Command::Read(_) | Command::Reply(_) => {}
            },
            Mail::Signal(Signal::Returned { letter, why }) => self.returned(&letter, why),
            // It watches nobody but the worker.
            Mail::Signal(Signal::Down { .. }) => self.lose(),
            Mail::Signal(Signal::Started(_)) | Mail::Letter(_) => {}
        }
        Ok(())
    }
}

impl ReplyInbox {
    /// Only the job itself matters: a worker that misses a turn of the flow gets its replies back.
    fn returned(&self, letter: &Letter, why: ReturnReason) {
        if !matches!(letter, Letter::Session(..)) {
            return;
        }
        match why {
            ReturnReason::Busy | ReturnReason::ParkFull => {
                self.refuse(Refusal::Busy {
                    retry_after_ms: RETRY_AFTER_MS,
                });
            }
            ReturnReason::NoActor | ReturnReason::StartFailed => {
                self.refuse(Refusal::NotAdmitted);
            }
        }
    }
}

/// The worker is told Full here: some hundred steps of the fastest engine.
const HIGH_WATER: usize = 64 * 1024;
/// And Ready here: enough to write while the worker comes round.
const LOW_WATER: usize = 16 * 1024;
/// What is encoded and written at once, unless one reply is larger.
const ROUND_BYTES: usize = 16 * 1024;
/// What finds no room here goes back: seven batches of the most tokens, at nine bytes each, fit
/// above the mark at which Full was told. A batch that is larger enters an empty queue. All job
/// streams of one peer together may hold 128 MiB of replies that it does not take.
const QUEUE_BYTES_MAX: usize = 128 * 1024;
/// A session decides in one turn; this is for one that restarts.
const DECIDE_WAIT: Duration = Duration::from_secs(5);
/// A session that is full of jobs has room again when one of them ends.
const RETRY_AFTER_MS: u32 = 1_000;
