//! The asking side of job streams.

use crate::control::{open_now, reset};
use crate::frames::FrameReader;
use crate::line::JobLine;
use crate::links::DRAIN_WAIT;
use crate::outgoing::{Unwritten, write_out};
use crate::shared::{Shared, code};
use bytes::Bytes;
use host::{Leaf, LeafPort};
use iroh::endpoint::SendStream;
use kernel::{Mail, ReturnReason, Signal};
use messages::ports::stream;
use messages::request_proxy::{self, Flow};
use messages::wire::latest::{Frame, JobReply, JobRequest, Preface, Purpose, network_tag};
use messages::{Address, Job, Letter, LinkId, NetworkId, NodeId, RequestId, peer_session};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// What the asking end of a stream was told.
#[derive(Debug)]
struct AskInbox {
    /// True once nobody wants the answer.
    cancelled: watch::Sender<bool>,
    flow: watch::Sender<Flow>,
    /// The reply that came back, and why.
    returned: Mutex<Option<(Letter, ReturnReason)>>,
}

/// How the asking end of a stream came to its end.
enum AskEnd {
    /// The holder said its last word.
    Told,
    /// Nobody wants the answer.
    Cancelled,
    /// No last word will come.
    Lost,
}

impl Shared {
    /// Opens a job stream, or says at once that there is none.
    pub(crate) fn open(
        self: &Arc<Self>,
        link: LinkId,
        network: NetworkId,
        peer: NodeId,
        request: RequestId,
        job: Box<Job>,
    ) {
        let attempt = job.id.attempt;
        let Some(ask) = self.open_stream(link, network, peer, request, job) else {
            let input = peer_session::Input::OpenFailed { request, attempt };
            return self.tell_session(network, peer, input);
        };
        let input = peer_session::Input::Opened {
            stream: ask.id,
            request,
            attempt,
        };
        self.tell_session(network, peer, input);
        let shared = Arc::clone(self);
        self.spawn(async move { ask.run(&shared).await });
    }

    fn open_stream(
        &self,
        link: LinkId,
        network: NetworkId,
        peer: NodeId,
        request: RequestId,
        job: Box<Job>,
    ) -> Option<Ask> {
        let (attempt, line) = (job.id.attempt, JobLine::of(&job));
        let frame = JobRequest::Open(job).encode().ok()?;
        let mut links = self.links();
        let large = Arc::clone(&links.links.get(&link)?.large);
        let (found, conn, exported, session) = links.session(link, network)?;
        if found != peer {
            return None;
        }
        let tag = network_tag(network, exported);
        let alive = session.alive.subscribe();
        let (send, recv) = open_now(conn)?;
        let id = links.mint_stream();
        drop(links);
        let preface = Preface {
            purpose: Purpose::Job,
            tag,
        }
        .encode();
        let inbox = Arc::new(AskInbox::new());
        let leaf = self
            .port
            .leaf(Address::Stream(id), Arc::clone(&inbox) as Arc<dyn Leaf>);
        leaf.watch(Address::Proxy(request));
        let bytes = vec![Bytes::copy_from_slice(&preface), Bytes::from(frame)];
        Some(Ask {
            id,
            request,
            attempt,
            holder: peer,
            line,
            bytes,
            send,
            reader: FrameReader::sharing(recv, large),
            alive,
            inbox,
            leaf,
        })
    }
}

/// The asking end of one stream.
struct Ask {
    id: messages::StreamId,
    request: RequestId,
    attempt: u32,
    holder: NodeId,
    line: JobLine,
    /// The preface and the request.
    bytes: Vec<Bytes>,
    send: SendStream,
    reader: FrameReader<JobReply>,
    alive: watch::Receiver<()>,
    inbox: Arc<AskInbox>,
    leaf: LeafPort,
}

impl Ask {
    async fn run(self, shared: &Shared) {
        let Self {
            request,
            attempt,
            holder,
            line,
            bytes,
            mut send,
            mut reader,
            mut alive,
            inbox,
            leaf,
            ..
        } = self;
        let mut cancelled = inbox.cancelled.subscribe();
        let deliver = Deliver {
            request,
            attempt,
            holder,
            line,
            inbox: &inbox,
            leaf: &leaf,
            shared,
        };
        let end = tokio::select! {
            biased;
            _ = cancelled.wait_for(|cancelled| *cancelled) => AskEnd::Cancelled,
            () = over(&mut alive) => AskEnd::Lost,
            end = exchange(bytes, &mut send, &mut reader, &deliver) => end,
        };
        match end {
            AskEnd::Told => drop(send.finish()),
            AskEnd::Cancelled => reset(&mut send, reader.recv_mut(), code::CANCELLED),
            AskEnd::Lost => {
                reset(&mut send, reader.recv_mut(), code::LOST);
                let input = request_proxy::Input::StreamEnded { attempt };
                leaf.tell(Letter::Proxy(request, input));
            }
        }
    }
}

/// Comes back when the session's end of the link is over, and what came before it was read.
async fn over(alive: &mut watch::Receiver<()>) {
    let _ = alive.changed().await;
    sleep(DRAIN_WAIT).await;
}

/// Gives replies to the request that waits for them.
struct Deliver<'a> {
    request: RequestId,
    attempt: u32,
    holder: NodeId,
    line: JobLine,
    inbox: &'a AskInbox,
    leaf: &'a LeafPort,
    shared: &'a Shared,
}

/// Writes the request, then reads replies up to the last one.
async fn exchange(
    mut bytes: Vec<Bytes>,
    send: &mut SendStream,
    reader: &mut FrameReader<JobReply>,
    deliver: &Deliver<'_>,
) -> AskEnd {
    if let Err(why) = write_out(send, &mut bytes).await {
        if why == Unwritten::Stalled {
            deliver.shared.counts().stalls.add();
        }
        return AskEnd::Lost;
    }
    drop(bytes);
    let mut flow = deliver.inbox.flow.subscribe();
    let mut accepted = false;
    loop {
        // What is not read fills the stream's window, and then the serving side's queue.
        if *flow.borrow_and_update() == Flow::Full {
            // The inbox lives as long as the stream.
            let _ = flow.changed().await;
            continue;
        }
        // No deadline: the request has its own, and cancels.
        let reply = tokio::select! {
            _ = flow.changed() => continue,
            reply = reader.next() => reply,
        };
        match reply {
            Ok(reply) if reply.attempt() == deliver.attempt => {
                let last = reply.is_last();
                // Once, whatever a holder says.
                if matches!(reply, JobReply::Accepted(_)) && !accepted {
                    accepted = true;
                    deliver.line.is_served_by(deliver.holder);
                }
                match deliver.deliver(reply).await {
                    Ok(()) if last => return AskEnd::Told,
                    Ok(()) => {}
                    Err(end) => return end,
                }
            }
            // A holder speaks for its own try only.
            Ok(_) | Err(_) => return AskEnd::Lost,
        }
    }
}

impl Deliver<'_> {
    /// A request that has no room is waited for a moment: a lost reply would be a gap.
    async fn deliver(&self, reply: JobReply) -> Result<(), AskEnd> {
        let mut letter = Letter::Proxy(self.request, request_proxy::Input::Reply(reply));
        for _ in 0..DELIVER_TRIES {
            self.leaf.tell(letter);
            match self.inbox.take_returned() {
                None => return Ok(()),
                Some((_, ReturnReason::NoActor | ReturnReason::StartFailed)) => {
                    return Err(AskEnd::Cancelled);
                }
                Some((back, ReturnReason::Busy | ReturnReason::ParkFull)) => letter = back,
            }
            sleep(DELIVER_PAUSE).await;
        }
        Err(AskEnd::Lost)
    }
}

impl AskInbox {
    fn new() -> Self {
        Self {
            cancelled: watch::Sender::new(false),
            flow: watch::Sender::new(Flow::Ready),
            returned: Mutex::new(None),
        }
    }

    fn take_returned(&self) -> Option<(Letter, ReturnReason)> {
        self.returned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Leaf for AskInbox {
    fn offer(&self, mail: Mail) -> Result<(), Box<Letter>> {
        match mail {
            Mail::Letter(Letter::Stream(_, command)) => match command {
                stream::Command::Cancel => drop(self.cancelled.send_replace(true)),
                stream::Command::Read(flow) => drop(self.flow.send_replace(flow)),
                // Meant for a serving end.
                stream::Command::Serve(_)
                | stream::Command::Reply(_)
                | stream::Command::Refuse(_) => {}
            },
            Mail::Signal(Signal::Returned { letter, why }) => {
                let mut returned = self.returned.lock().unwrap_or_else(PoisonError::into_inner);
                *returned = Some((*letter, why));
            }
            // It watches nobody but the request.
            Mail::Signal(Signal::Down { .. }) => drop(self.cancelled.send_replace(true)),
            Mail::Signal(Signal::Started(_)) | Mail::Letter(_) => {}
        }
        Ok(())
    }
}

/// Together 10 s: a request that takes nothing for so long is stuck.
const DELIVER_TRIES: u32 = 2_000;
const DELIVER_PAUSE: Duration = Duration::from_millis(5);
