//! Streams that a peer opened: what they are for, and the serving side of jobs.

mod reply;

use crate::control::reset;
use crate::frames::FrameReader;
use crate::line::JobLine;
use crate::links::EARLY_STREAMS_MAX;
use crate::shared::{Shared, code};
use host::Leaf;
use iroh::endpoint::{Connection, RecvStream, SendStream};
use messages::wire::latest::{JobRequest, Preface, Purpose};
use messages::{Address, Letter, LinkId, NetworkId, NodeId, StreamId, peer_session};
use reply::ReplyInbox;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

impl Shared {
    /// Takes streams as long as the connection lasts, then tells its sessions.
    pub(crate) async fn take_streams(self: Arc<Self>, link: LinkId, conn: Connection) {
        // No deadline: the connection's idle time bounds it.
        let error = loop {
            match conn.accept_bi().await {
                Ok((send, recv)) if self.may_open(link) => {
                    let shared = Arc::clone(&self);
                    self.spawn(async move { shared.take_stream(link, send, recv).await });
                }
                Ok(_) => {
                    self.counts().early_streams.add();
                    conn.close(code::STRANGER, b"too many streams before admission");
                }
                Err(error) => break error,
            }
        };
        self.link_lost(link, &error).await;
    }

    fn may_open(&self, link: LinkId) -> bool {
        let mut links = self.links();
        let admitted = links.is_admitted(link);
        let Some(link) = links.links.get_mut(&link) else {
            return false;
        };
        link.early_streams = link.early_streams.saturating_add(u32::from(!admitted));
        admitted || link.early_streams <= EARLY_STREAMS_MAX
    }

    async fn take_stream(
        self: Arc<Self>,
        link: LinkId,
        mut send: SendStream,
        mut recv: RecvStream,
    ) {
        let mut bytes = [0; Preface::BYTES];
        let read = timeout(PREFACE_WAIT, recv.read_exact(&mut bytes)).await;
        let preface = match read {
            Ok(Ok(())) => Preface::decode(&bytes).ok(),
            Ok(Err(_)) | Err(_) => None,
        };
        let Some(preface) = preface else {
            self.counts().prefaces.add();
            return self.turn_away(link, &mut send, &mut recv, b"no preface came in time");
        };
        let network = self.links().network_of(link, &preface.tag);
        let Some(network) = network else {
            self.counts().tags.add();
            return self.turn_away(link, &mut send, &mut recv, b"no such network here");
        };
        match preface.purpose {
            Purpose::Control => self.control_opened(link, network, send, recv),
            Purpose::Job => self.take_job(link, network, send, recv).await,
            Purpose::Gossip => reset(&mut send, &mut recv, code::BAD),
        }
    }

    /// Resets a stream that makes no sense, and closes the link of a stranger that opened it.
    fn turn_away(&self, link: LinkId, send: &mut SendStream, recv: &mut RecvStream, why: &[u8]) {
        reset(send, recv, code::BAD);
        let links = self.links();
        if let Some(found) = links.links.get(&link)
            && !links.is_admitted(link)
        {
            found.conn.close(code::STRANGER, why);
        }
    }

    async fn take_job(
        self: Arc<Self>,
        link: LinkId,
        network: NetworkId,
        mut send: SendStream,
        mut recv: RecvStream,
    ) {
        let Some(member) = self.member(link, network) else {
            self.counts().jobs.add();
            return reset(&mut send, &mut recv, code::STRANGER);
        };
        let Member {
            peer,
            stream,
            alive,
            last_words,
            large,
        } = member;
        let mut reader = FrameReader::sharing(recv, large);
        // Those that wait for others to arrive have their time once it is their turn.
        let job = match reader.ready(REQUEST_WAIT).await {
            Ok(()) => timeout(REQUEST_WAIT, reader.next()).await.ok(),
            Err(ended) => Some(Err(ended)),
        };
        let job = match job {
            Some(Ok(JobRequest::Open(job))) => job,
            Some(Err(_)) | None => {
                self.counts().jobs.add();
                return reset(&mut send, reader.recv_mut(), code::BAD);
            }
        };
        let line = JobLine::of(&job);
        let inbox = Arc::new(ReplyInbox::new(job.id.attempt, last_words));
        let leaf = self
            .port
            .leaf(Address::Stream(stream), Arc::clone(&inbox) as Arc<dyn Leaf>);
        let input = peer_session::Input::Inbound { stream, link, job };
        leaf.tell(Letter::Session(network, peer, input));
        let serve = reply::Serve {
            stream,
            line,
            send,
            recv: reader.into_recv(),
            alive,
            inbox,
            leaf,
        };
        serve.run(&self).await;
    }

    /// Who opened the stream, if its session admitted it.
    fn member(&self, link: LinkId, network: NetworkId) -> Option<Member> {
        let mut links = self.links();
        let large = Arc::clone(&links.links.get(&link)?.large);
        let (peer, _, _, session) = links.session(link, network)?;
        let (alive, last_words) = (session.alive.subscribe(), session.last_words.clone());
        links.admits(network, peer).then(|| Member {
            peer,
            stream: links.mint_stream(),
            alive,
            last_words,
            large,
        })
    }
}

/// An admitted peer that opened a stream.
struct Member {
    peer: NodeId,
    stream: StreamId,
    alive: watch::Receiver<()>,
    last_words: watch::Sender<()>,
    large: Arc<Semaphore>,
}

/// A preface follows its stream's opening in the same datagram, unless it is lost once.
const PREFACE_WAIT: Duration = Duration::from_secs(5);
/// The largest request, 1.6 MiB, at 1.4 Mbit/s, or over a round trip of 350 ms.
const REQUEST_WAIT: Duration = Duration::from_secs(10);
