//! Job streams: a leaf at each end.

use super::flow::{Outbox, READ_TOLD_BYTES};
use super::{Transport, decode};
use crate::drivers::DriverOut;
use crate::event::{Occurrence, Time};
use crate::network::{Body, Packet};
use kernel::{Exit, ReturnReason, Signal};
use messages::peer_session::Input as Session;
use messages::ports::stream::Command;
use messages::request_proxy::{Flow, Input as Proxy};
use messages::wire::latest::{Frame, JobReply, JobRequest, Refused};
use messages::{
    Address, Job, Letter, LinkId, Micros, NetworkId, NodeId, Refusal, RequestId, StreamId,
};

/// Replies that are read at once: the request's mailbox has room for them.
const READ_AT_ONCE: usize = 64;
/// Then the request has its turn, as long as the real reader waits for room.
const READ_PAUSE_US: u64 = 5_000;

/// Neither a worker nor a refusal in this time: whoever was to decide is gone, as in the real
/// driver.
const DECIDE_WAIT: Micros = Micros::from_secs(5);

/// What a peer is told whose session is full of jobs: one of them ends within about a second.
const RETRY_AFTER_MS: u32 = 1_000;

/// One end of a job stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) connection: u64,
    /// The asking side's number, which names the stream on the connection.
    pub(super) number: StreamId,
    attempt: u32,
    pub(super) end: End,
}

#[derive(Debug)]
pub(super) enum End {
    Asking {
        request: RequestId,
        paused: bool,
        /// What came and is not read: no more than the stream's window.
        held: Vec<(JobReply, u32)>,
        /// What was read since the serving side was told.
        read: u32,
        /// Whether the serving side's end of it has come.
        ended: bool,
    },
    Serving(Outbox),
}

impl Transport {
    pub(super) fn open(
        &mut self,
        link: LinkId,
        network: NetworkId,
        peer: NodeId,
        request: RequestId,
        job: &Job,
        out: &mut DriverOut,
    ) {
        let attempt = job.id.attempt;
        let bytes = JobRequest::Open(Box::new(job.clone())).encode();
        let (Some(entry), Ok(bytes)) = (self.links.get(&link), bytes) else {
            let input = Session::OpenFailed { request, attempt };
            return out.tell(Address::Transport, Letter::Session(network, peer, input));
        };
        let (connection, to) = (entry.connection, entry.peer_index);
        let stream = self.mint_stream();
        let end = End::Asking {
            request,
            paused: false,
            held: Vec::new(),
            read: 0,
            ended: false,
        };
        self.streams.insert(
            stream,
            Stream {
                connection,
                number: stream,
                attempt,
                end,
            },
        );
        out.leaves_up.push(Address::Stream(stream));
        out.watch(Address::Stream(stream), Address::Proxy(request));
        let opened = Session::Opened {
            stream,
            request,
            attempt,
        };
        out.tell(Address::Transport, Letter::Session(network, peer, opened));
        let body = Body::JobOpen {
            network,
            stream,
            bytes,
        };
        out.packets.push(Packet {
            from: self.index,
            to,
            connection,
            body,
        });
    }

    pub(super) fn job_open(
        &mut self,
        connection: u64,
        network: NetworkId,
        number: StreamId,
        bytes: &[u8],
        out: &mut DriverOut,
    ) {
        let Some(link) = self.link_of(connection) else {
            return;
        };
        let Some(entry) = self.links.get(&link) else {
            return;
        };
        let peer = entry.peer;
        let Ok(Some(JobRequest::Open(job))) = decode::<JobRequest>(bytes) else {
            return;
        };
        let stream = self.mint_stream();
        let attempt = job.id.attempt;
        self.streams.insert(
            stream,
            Stream {
                connection,
                number,
                attempt,
                end: End::Serving(Outbox::default()),
            },
        );
        out.leaves_up.push(Address::Stream(stream));
        let input = Session::Inbound { stream, link, job };
        out.tell(Address::Transport, Letter::Session(network, peer, input));
        let late = Occurrence::Decided(stream);
        out.later.push((DECIDE_WAIT.0, late));
    }

    /// Ends a stream of which nobody has said who serves it, or why not.
    pub(crate) fn decided_late(&mut self, stream: StreamId, out: &mut DriverOut) {
        if self.is_undecided(stream) {
            kernel::sometimes!(true, "transport: nobody decides about a job");
            self.end_stream(stream, out);
        }
    }

    /// The session that was to decide about a job does not have it.
    pub(super) fn not_decided(
        &mut self,
        now: Time,
        stream: StreamId,
        why: ReturnReason,
        out: &mut DriverOut,
    ) {
        let why = match why {
            ReturnReason::Busy | ReturnReason::ParkFull => Refusal::Busy {
                retry_after_ms: RETRY_AFTER_MS,
            },
            ReturnReason::NoActor | ReturnReason::StartFailed => Refusal::NotAdmitted,
        };
        kernel::sometimes!(
            matches!(why, Refusal::Busy { .. }),
            "transport: a session has no room for a job"
        );
        kernel::sometimes!(
            matches!(why, Refusal::NotAdmitted),
            "transport: a job finds no session"
        );
        self.stream_command(now, stream, Command::Refuse(why), out);
    }

    /// A letter to one end of a stream.
    pub(crate) fn stream_command(
        &mut self,
        now: Time,
        stream: StreamId,
        command: Command,
        out: &mut DriverOut,
    ) {
        let Some(entry) = self.streams.get_mut(&stream) else {
            return;
        };
        let attempt = entry.attempt;
        match command {
            Command::Serve(device) => {
                if let End::Serving(outbox) = &mut entry.end {
                    outbox.served_by(device);
                }
                out.watch(Address::Stream(stream), Address::Worker(device));
            }
            Command::Reply(reply) => self.reply(now, stream, &reply, out),
            Command::Refuse(why) => {
                let refused = JobReply::Refused(Refused { attempt, why });
                self.reply(now, stream, &refused, out);
            }
            Command::Cancel => self.end_stream(stream, out),
            Command::Read(flow) => self.read(stream, flow, out),
        }
    }

    /// The owner of a stream went down, or a letter of the stream found nobody.
    pub(crate) fn stream_signal(&mut self, stream: StreamId, signal: &Signal, out: &mut DriverOut) {
        match signal {
            Signal::Down { .. } if self.has_last_words(stream) => {
                kernel::sometimes!(true, "transport: a worker dies behind its last word");
            }
            Signal::Down { .. } => self.end_stream(stream, out),
            Signal::Started(_) | Signal::Returned { .. } => {}
        }
    }

    pub(super) fn job_reply(&mut self, number: StreamId, bytes: &[u8], out: &mut DriverOut) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        let End::Asking { held, .. } = &mut stream.end else {
            return;
        };
        match decode::<JobReply>(bytes) {
            Ok(Some(reply)) if reply.attempt() == stream.attempt => {
                held.push((reply, u32::try_from(bytes.len()).unwrap_or(u32::MAX)));
                self.deliver(number, out);
            }
            // A kind that is not known is skipped.
            Ok(None) => {}
            // A holder speaks in frames, and for its own try only.
            Ok(Some(_)) | Err(_) => {
                kernel::sometimes!(true, "transport: a reply is none");
                self.end_stream(number, out);
            }
        }
    }

    /// The serving side has ended the stream. Whether a last reply came is the request's to know:
    /// it ignores the end of a try that is over.
    pub(super) fn job_end(&mut self, number: StreamId, out: &mut DriverOut) {
        let entry = self.streams.get_mut(&number).map(|entry| &mut entry.end);
        if let Some(End::Asking { held, ended, .. }) = entry
            && !held.is_empty()
        {
            // What came before the end is read first.
            kernel::sometimes!(true, "transport: a stream ends before it is read");
            *ended = true;
            return;
        }
        self.forget_stream(number, out);
    }

    pub(super) fn job_cancel(&mut self, connection: u64, number: StreamId, out: &mut DriverOut) {
        if let Some(stream) = self.served(connection, number) {
            self.forget_stream(stream, out);
        }
    }

    /// This side's name of a stream that it serves.
    pub(super) fn served(&self, connection: u64, number: StreamId) -> Option<StreamId> {
        let found = self.streams.iter().find(|(_, stream)| {
            stream.connection == connection
                && stream.number == number
                && matches!(stream.end, End::Serving(_))
        });
        found.map(|(id, _)| *id)
    }

    pub(super) fn end_streams_of(&mut self, connection: u64, out: &mut DriverOut) {
        let ended: Vec<StreamId> = self
            .streams
            .iter()
            .filter(|(_, stream)| stream.connection == connection)
            .map(|(id, _)| *id)
            .collect();
        for stream in ended {
            self.forget_stream(stream, out);
        }
    }

    /// Ends a stream from this side.
    pub(super) fn end_stream(&mut self, stream: StreamId, out: &mut DriverOut) {
        let Some(entry) = self.streams.get(&stream) else {
            return;
        };
        let body = match entry.end {
            End::Asking { .. } => Body::JobCancel {
                stream: entry.number,
            },
            End::Serving(_) => Body::JobEnd {
                stream: entry.number,
            },
        };
        self.packet(entry.connection, body, out);
        self.forget_stream(stream, out);
    }

    fn read(&mut self, stream: StreamId, flow: Flow, out: &mut DriverOut) {
        let Some(entry) = self.streams.get_mut(&stream) else {
            return;
        };
        if let End::Asking { paused, .. } = &mut entry.end {
            *paused = flow == Flow::Full;
        }
        self.deliver(stream, out);
    }

    /// Reads what came, as far as the request wants it.
    pub(crate) fn deliver(&mut self, number: StreamId, out: &mut DriverOut) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        let End::Asking {
            request,
            paused,
            held,
            read,
            ..
        } = &mut stream.end
        else {
            return;
        };
        if *paused {
            kernel::sometimes!(true, "transport: a reply waits for its reader");
            return;
        }
        for (reply, bytes) in held.drain(..held.len().min(READ_AT_ONCE)) {
            *read += bytes;
            let reply = Letter::Proxy(*request, Proxy::Reply(reply));
            out.tell(Address::Stream(number), reply);
        }
        if *read >= READ_TOLD_BYTES {
            let (stream, bytes) = (number, std::mem::take(read));
            let connection = self.streams[&number].connection;
            self.packet(connection, Body::JobRead { stream, bytes }, out);
        }
        self.read_on(number, out);
    }

    /// Reads the rest a moment later, or comes to the end that was already told.
    fn read_on(&mut self, number: StreamId, out: &mut DriverOut) {
        let Some(End::Asking { held, ended, .. }) = self.streams.get(&number).map(|it| &it.end)
        else {
            return;
        };
        if !held.is_empty() {
            kernel::sometimes!(true, "transport: a backlog is read in parts");
            out.later.push((READ_PAUSE_US, Occurrence::Read(number)));
        } else if *ended {
            self.forget_stream(number, out);
        }
    }

    fn forget_stream(&mut self, stream: StreamId, out: &mut DriverOut) {
        let Some(entry) = self.streams.remove(&stream) else {
            return;
        };
        let at = Address::Stream(stream);
        if let End::Asking { request, held, .. } = entry.end {
            for (reply, _) in held {
                out.tell(at, Letter::Proxy(request, Proxy::Reply(reply)));
            }
            let ended = Proxy::StreamEnded {
                attempt: entry.attempt,
            };
            out.tell(at, Letter::Proxy(request, ended));
        }
        out.leaves_down.push((at, Exit::Normal));
    }

    pub(super) fn packet(&self, connection: u64, body: Body, out: &mut DriverOut) {
        let link = self
            .link_of(connection)
            .and_then(|link| self.links.get(&link));
        if let Some(link) = link {
            self.packet_to(link.peer_index, connection, body, out);
        }
    }

    const fn mint_stream(&mut self) -> StreamId {
        self.streams_minted += 1;
        // The place of the node keeps numbers of both ends of a connection apart.
        StreamId(self.streams_minted * 65_536 + self.index as u64)
    }
}
