//! Job streams: a leaf at each end.

use super::{Transport, decode};
use crate::drivers::DriverOut;
use crate::network::{Body, Packet};
use kernel::{Exit, Signal};
use messages::peer_session::Input as Session;
use messages::ports::stream::Command;
use messages::request_proxy::{Flow, Input as Proxy};
use messages::wire::latest::{Frame, JobReply, JobRequest, Refused};
use messages::{Address, Job, Letter, LinkId, NetworkId, NodeId, RequestId, StreamId};

/// One end of a job stream.
#[derive(Debug)]
pub(super) struct Stream {
    connection: u64,
    /// The asking side's number, which names the stream on the connection.
    number: StreamId,
    attempt: u32,
    end: End,
}

#[derive(Debug)]
enum End {
    Asking {
        request: RequestId,
        paused: bool,
        held: Vec<JobReply>,
    },
    Serving,
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
                end: End::Serving,
            },
        );
        out.leaves_up.push(Address::Stream(stream));
        let input = Session::Inbound { stream, link, job };
        out.tell(Address::Transport, Letter::Session(network, peer, input));
    }

    /// A letter to one end of a stream.
    pub(crate) fn stream_command(
        &mut self,
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
                out.watch(Address::Stream(stream), Address::Worker(device));
            }
            Command::Reply(reply) => self.reply(stream, &reply, out),
            Command::Refuse(why) => {
                self.reply(stream, &JobReply::Refused(Refused { attempt, why }), out);
            }
            Command::Cancel => self.end_stream(stream, out),
            Command::Read(flow) => self.read(stream, flow, out),
        }
    }

    /// The owner of a stream went down, or a letter of the stream found nobody.
    pub(crate) fn stream_signal(&mut self, stream: StreamId, signal: &Signal, out: &mut DriverOut) {
        match signal {
            Signal::Down { .. } => self.end_stream(stream, out),
            Signal::Started(_) | Signal::Returned { .. } => {}
        }
    }

    pub(super) fn job_reply(&mut self, number: StreamId, bytes: &[u8], out: &mut DriverOut) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        let End::Asking {
            request,
            paused,
            held,
        } = &mut stream.end
        else {
            return;
        };
        let Ok(Some(reply)) = decode::<JobReply>(bytes) else {
            return;
        };
        if *paused {
            held.push(reply);
        } else {
            out.tell(
                Address::Stream(number),
                Letter::Proxy(*request, Proxy::Reply(reply)),
            );
        }
    }

    /// The serving side has ended the stream. Whether a last reply came is the request's to know:
    /// it ignores the end of a try that is over.
    pub(super) fn job_end(&mut self, number: StreamId, out: &mut DriverOut) {
        self.forget_stream(number, out);
    }

    pub(super) fn job_cancel(&mut self, connection: u64, number: StreamId, out: &mut DriverOut) {
        let found = self.streams.iter().find(|(_, stream)| {
            stream.connection == connection
                && stream.number == number
                && matches!(stream.end, End::Serving)
        });
        if let Some(stream) = found.map(|(id, _)| *id) {
            self.forget_stream(stream, out);
        }
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
            End::Serving => Body::JobEnd {
                stream: entry.number,
            },
        };
        self.packet(entry.connection, body, out);
        self.forget_stream(stream, out);
    }

    fn reply(&mut self, stream: StreamId, reply: &JobReply, out: &mut DriverOut) {
        let Some(entry) = self.streams.get(&stream) else {
            return;
        };
        let Ok(bytes) = reply.encode() else { return };
        let (connection, number) = (entry.connection, entry.number);
        self.packet(
            connection,
            Body::JobReply {
                stream: number,
                bytes,
            },
            out,
        );
        if reply.is_last() {
            self.end_stream(stream, out);
        }
    }

    fn read(&mut self, stream: StreamId, flow: Flow, out: &mut DriverOut) {
        let Some(entry) = self.streams.get_mut(&stream) else {
            return;
        };
        let End::Asking {
            request,
            paused,
            held,
        } = &mut entry.end
        else {
            return;
        };
        *paused = flow == Flow::Full;
        if !*paused {
            for reply in std::mem::take(held) {
                out.tell(
                    Address::Stream(stream),
                    Letter::Proxy(*request, Proxy::Reply(reply)),
                );
            }
        }
    }

    fn forget_stream(&mut self, stream: StreamId, out: &mut DriverOut) {
        let Some(entry) = self.streams.remove(&stream) else {
            return;
        };
        let at = Address::Stream(stream);
        if let End::Asking { request, held, .. } = entry.end {
            for reply in held {
                out.tell(at, Letter::Proxy(request, Proxy::Reply(reply)));
            }
            let ended = Proxy::StreamEnded {
                attempt: entry.attempt,
            };
            out.tell(at, Letter::Proxy(request, ended));
        }
        out.leaves_down.push((at, Exit::Normal));
    }

    fn packet(&self, connection: u64, body: Body, out: &mut DriverOut) {
        if let Some(link) = self
            .links
            .values()
            .find(|link| link.connection == connection)
        {
            let to = link.peer_index;
            out.packets.push(Packet {
                from: self.index,
                to,
                connection,
                body,
            });
        }
    }

    const fn mint_stream(&mut self) -> StreamId {
        self.streams_minted += 1;
        // The place of the node keeps numbers of both ends of a connection apart.
        StreamId(self.streams_minted * 65_536 + self.index as u64)
    }
}
