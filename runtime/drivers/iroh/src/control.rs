//! Control streams: what sessions say to each other.

use crate::frames::{Ended, FrameReader};
use crate::links::{DRAIN_WAIT, Session};
use crate::outgoing::{Outgoing, Unwritten};
use crate::shared::{Shared, code};
use bytes::Bytes;
use iroh::endpoint::{Connection, RecvStream, SendStream};
use messages::peer_session::{Input, LinkLoss};
use messages::wire::latest::{ControlFrame, Frame, Preface, Purpose, network_tag};
use messages::{Label, Letter, LinkId, NetworkId, NodeId};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// One session's end of a link, as a task knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) link: LinkId,
    pub(crate) network: NetworkId,
    pub(crate) peer: NodeId,
    pub(crate) serial: u64,
}

/// A session's end of a link that waits for what was sent.
struct Closing {
    end: End,
    control: Option<Arc<Outgoing>>,
    last_words: watch::Sender<()>,
}

impl Shared {
    /// Sends a frame; the first one opens the stream, unless the peer has.
    pub(crate) fn send(self: &Arc<Self>, link: LinkId, network: NetworkId, frame: &ControlFrame) {
        let mut links = self.links();
        let Some((peer, conn, exported, session)) = links.session(link, network) else {
            drop(links);
            return self.no_such_link(link, network);
        };
        let Ok(bytes) = frame.encode() else {
            tracing::error!(
                kind = frame.kind(),
                "a control frame is too large: not sent"
            );
            return;
        };
        let end = End {
            link,
            network,
            peer,
            serial: session.serial,
        };
        let control = match &session.control {
            Some(control) => Arc::clone(control),
            None => {
                let tag = network_tag(network, exported);
                match self.open_control(conn, session, end, tag) {
                    Some(control) => control,
                    None => {
                        drop(links);
                        return self.lose(end, LinkLoss::Reset, "no stream for a session");
                    }
                }
            }
        };
        session.spoke.send_replace(true);
        match frame {
            ControlFrame::Admit(()) => links.admit(network, peer, self.config.max_jobs),
            ControlFrame::Deny(_) => links.deny(network, peer),
            ControlFrame::Hello(_)
            | ControlFrame::Proof(_)
            | ControlFrame::Ping(_)
            | ControlFrame::Pong(_)
            | ControlFrame::Introductions(_)
            | ControlFrame::Load(_)
            | ControlFrame::Revoke(_)
            | ControlFrame::Leave(_)
            | ControlFrame::Gossip(_) => {}
        }
        drop(links);
        if control.push(Bytes::from(bytes)).is_err() {
            self.lose(end, LinkLoss::Reset, "the peer takes nothing");
        }
    }

    /// The peer opened a control stream: its network has a session here, or gets one.
    pub(crate) fn control_opened(
        self: &Arc<Self>,
        link: LinkId,
        network: NetworkId,
        send: SendStream,
        recv: RecvStream,
    ) {
        let mut links = self.links();
        let Some(at) = links.links.get(&link) else {
            return;
        };
        let peer = at.peer;
        let known = at
            .sessions
            .get(&network)
            .map(|session| (session.answered, session.closing));
        match known {
            Some((false, false)) => {}
            // A second one: the peer ended its session and began another.
            Some((true, false)) => {
                drop(links.take_session(link, network));
                self.tell_link_down(network, peer, link, LinkLoss::ClosedByPeer);
                self.carry(&mut links, link, network);
            }
            Some((_, true)) => return refuse(send, recv),
            None => self.carry(&mut links, link, network),
        }
        let Some((_, _, _, session)) = links.session(link, network) else {
            return;
        };
        session.answered = true;
        let end = End {
            link,
            network,
            peer,
            serial: session.serial,
        };
        if session.control.is_some() {
            session.spare = Some(send);
        } else {
            session.control = Some(self.write_control(send, None, session, end));
        }
        self.read_control(recv, session, end);
    }

    /// The session is over: what it sent is flushed, then its streams and, with the last session,
    /// the link are closed.
    pub(crate) fn close(self: &Arc<Self>, link: LinkId, network: NetworkId, why: &str) {
        if let Some(closing) = self.begin_close(link, network) {
            let (shared, why) = (Arc::clone(self), why.to_owned());
            self.spawn(async move { shared.finish_close(closing, &why).await });
        }
    }

    /// Closes every session, each as [`Shared::close`] does.
    pub(crate) async fn close_all(self: &Arc<Self>, why: &str) {
        let all: Vec<(LinkId, NetworkId)> = {
            let links = self.links();
            let sessions = |(id, link): (&LinkId, &crate::links::Link)| {
                let id = *id;
                link.sessions
                    .keys()
                    .map(move |network| (id, *network))
                    .collect::<Vec<_>>()
            };
            links.links.iter().flat_map(sessions).collect()
        };
        let begun: Vec<_> = all
            .into_iter()
            .filter_map(|(l, n)| self.begin_close(l, n))
            .collect();
        // Together: one that is slow costs the others nothing.
        let mut finishing = JoinSet::new();
        for closing in begun {
            let (shared, why) = (Arc::clone(self), why.to_owned());
            finishing.spawn(async move { shared.finish_close(closing, &why).await });
        }
        while finishing.join_next().await.is_some() {}
    }

    /// A frame found no room at its session. What follows it would be a stream with a hole, so the
    /// session's end of the link is over, and both sides learn why.
    pub(crate) fn overrun(&self, link: LinkId, network: NetworkId) {
        let mut links = self.links();
        let Some((peer, _, _, session)) = links.session(link, network) else {
            // A frame before this one had the same fate.
            return;
        };
        let end = End {
            link,
            network,
            peer,
            serial: session.serial,
        };
        drop(links);
        self.lose_overrun(end);
    }

    fn lose_overrun(&self, end: End) {
        self.counts().overruns.add();
        tracing::warn!(peer = %end.peer.short(), "a peer says more than its session can take");
        self.lose(
            end,
            LinkLoss::Overrun,
            "more control frames than there is room for",
        );
    }

    /// Stops carrying a network, and ends its sessions.
    pub(crate) fn detach(self: &Arc<Self>, network: NetworkId) {
        let mut links = self.links();
        links.attached.remove(&network);
        let carried = links
            .links
            .iter()
            .filter(|(_, link)| link.sessions.contains_key(&network));
        let carried: Vec<LinkId> = carried.map(|(id, _)| *id).collect();
        drop(links);
        for link in carried {
            self.close(link, network, "this node left the network");
        }
    }

    fn begin_close(&self, link: LinkId, network: NetworkId) -> Option<Closing> {
        let mut links = self.links();
        let (peer, _, _, session) = links.session(link, network)?;
        session.closing = true;
        let control = session.control.clone();
        let end = End {
            link,
            network,
            peer,
            serial: session.serial,
        };
        Some(Closing {
            end,
            control,
            last_words: session.last_words.clone(),
        })
    }

    async fn finish_close(&self, closing: Closing, why: &str) {
        let flushed = async {
            // The control stream's end is the last: the peer may close the link when it sees it.
            closing.last_words.closed().await;
            if let Some(control) = &closing.control {
                control.finish();
                control.flushed().await;
            }
        };
        let _ = timeout(FLUSH_WAIT, flushed).await;
        self.lose(closing.end, LinkLoss::ClosedHere, why);
    }

    fn lose(&self, end: End, why: LinkLoss, farewell: &str) {
        self.end_session(end.link, end.network, end.serial, why, farewell);
    }

    fn open_control(
        self: &Arc<Self>,
        conn: &Connection,
        session: &mut Session,
        end: End,
        tag: [u8; 32],
    ) -> Option<Arc<Outgoing>> {
        let (send, recv) = open_now(conn)?;
        let preface = Preface {
            purpose: Purpose::Control,
            tag,
        };
        let control = self.write_control(send, Some(preface), session, end);
        session.control = Some(Arc::clone(&control));
        self.read_control(recv, session, end);
        Some(control)
    }

    fn write_control(
        self: &Arc<Self>,
        send: SendStream,
        preface: Option<Preface>,
        session: &Session,
        end: End,
    ) -> Arc<Outgoing> {
        let outgoing = Arc::new(Outgoing::new());
        if let Some(preface) = preface {
            // An empty queue has room for 33 bytes.
            let _ = outgoing.push(Bytes::copy_from_slice(&preface.encode()));
        }
        let (shared, queue) = (Arc::clone(self), Arc::clone(&outgoing));
        let mut alive = session.alive.subscribe();
        self.spawn(async move {
            let result = tokio::select! {
                _ = alive.changed() => return,
                result = queue.run(send) => result,
            };
            match result {
                Ok(()) => {}
                Err(Unwritten::Stalled) => {
                    shared.counts().stalls.add();
                    shared.lose(end, LinkLoss::TimedOut, "the peer takes nothing");
                }
                Err(Unwritten::Stopped) => {
                    // Whoever reads the other half knows better why, and tells it in order.
                    let _ = timeout(DRAIN_WAIT, alive.changed()).await;
                    shared.lose(end, LinkLoss::Reset, "the control stream was stopped");
                }
            }
        });
        outgoing
    }

    /// Reads a control stream as long as the session's end of the link lasts.
    fn read_control(self: &Arc<Self>, recv: RecvStream, session: &Session, end: End) {
        let spoke = session.spoke.subscribe();
        let mut alive = session.alive.subscribe();
        let reading = session.reading.subscribe();
        let shared = Arc::clone(self);
        self.spawn(async move {
            let mut reader = FrameReader::new(recv);
            let why = tokio::select! {
                // Fails when the session's end of the link is dropped.
                _ = alive.changed() => None,
                why = shared.pass_on(&mut reader, spoke, end) => Some(why),
            };
            if let Some(why) = why {
                shared.control_ended(why, end);
                drop(reading);
                // The stream stays open, unread, until the session has said why it ends.
                let _ = alive.changed().await;
            }
            let _ = reader.into_recv().stop(code::OVER);
        });
    }

    /// Gives frames to the session once it spoke: before that it may not exist, and its silence
    /// is bounded by the time that strangers get.
    async fn pass_on(
        &self,
        reader: &mut FrameReader<ControlFrame>,
        mut spoke: watch::Receiver<bool>,
        end: End,
    ) -> Ended {
        if spoke.wait_for(|spoke| *spoke).await.is_err() {
            return Ended::Reset;
        }
        loop {
            // No deadline: the session's own pings and the link's idle time bound the silence.
            match reader.next().await {
                Ok(frame) => {
                    let input = Input::Frame {
                        link: end.link,
                        frame,
                    };
                    let letter = Letter::Session(end.network, end.peer, input);
                    // Known at once: a frame behind a lost one may find room again.
                    if self.port.offer(letter).is_err() {
                        return Ended::NoRoom;
                    }
                }
                Err(why) => return why,
            }
        }
    }

    fn control_ended(&self, why: Ended, end: End) {
        match why {
            Ended::Finished => self.lose(end, LinkLoss::ClosedByPeer, "the session is over"),
            Ended::Reset => self.lose(end, LinkLoss::Reset, "the control stream was reset"),
            Ended::NoRoom => self.lose_overrun(end),
            Ended::Bad(why) => {
                self.counts().bad_frames.add();
                let why = Label::truncated(&why);
                let input = Input::BadFrame {
                    link: end.link,
                    why,
                };
                self.tell_session(end.network, end.peer, input);
            }
        }
    }
}

/// Opens a stream if the peer's limit allows one at this moment.
pub(crate) fn open_now(conn: &Connection) -> Option<(SendStream, RecvStream)> {
    let mut open = pin!(conn.open_bi());
    match open.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(streams) => streams.ok(),
        Poll::Pending => None,
    }
}

/// Resets both halves of a stream.
pub(crate) fn reset(send: &mut SendStream, recv: &mut RecvStream, code: iroh::endpoint::VarInt) {
    // A half that is closed already needs no reset.
    let _ = send.reset(code);
    let _ = recv.stop(code);
}

fn refuse(mut send: SendStream, mut recv: RecvStream) {
    reset(&mut send, &mut recv, code::OVER);
}

/// What a session said last is flushed for at most this long.
const FLUSH_WAIT: Duration = Duration::from_secs(1);
