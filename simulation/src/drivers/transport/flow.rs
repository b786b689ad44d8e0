//! Flow control of job streams: what the asking side does not read fills the stream's window, then
//! the serving side's queue, and then the worker is told.

use super::Transport;
use super::jobs::{End, Stream};
use super::slow::STALL_WAIT;
use crate::drivers::DriverOut;
use crate::event::{Occurrence, Time};
use crate::network::Body;
use messages::inference_worker::{Input, Sink};
use messages::request_proxy::Flow;
use messages::wire::latest::{Frame, JobReply};
use messages::{Address, DeviceId, Letter, StreamId};
use std::collections::VecDeque;

/// Bytes of a stream that may be unread at the asking side, as the real transport is configured.
pub(crate) const STREAM_WINDOW: usize = 64 * 1024;
/// After so much the asking side says what it has read: noq's share of the window.
pub(super) const READ_TOLD_BYTES: u32 = 8 * 1024;
/// The worker is told Full here, and Ready below the other: the real driver's marks.
const HIGH_WATER: usize = 64 * 1024;
const LOW_WATER: usize = 16 * 1024;
/// More than this a worker that waits when it is told to does not have in the queue: the real
/// driver turns it away.
pub(crate) const QUEUE_BYTES_MAX: usize = 128 * 1024;

/// Replies on their way out.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Vec<u8>>,
    queued: usize,
    /// Sent, and not read as far as this side knows.
    unread: usize,
    device: Option<DeviceId>,
    told_full: bool,
    /// Since when the asking side has taken nothing of what waits.
    stuck: Option<Time>,
    /// The last reply is in the queue, or was.
    last: bool,
}

impl Outbox {
    pub(super) const fn served_by(&mut self, device: DeviceId) {
        self.device = Some(device);
    }

    fn put(&mut self, bytes: Vec<u8>, last: bool) {
        if !self.last {
            self.last = last;
            self.queued += bytes.len();
            self.queue.push_back(bytes);
        }
    }

    /// The next reply for which the window has room. A large one goes when nothing is unread.
    fn next(&mut self) -> Option<Vec<u8>> {
        let size = self.queue.front()?.len();
        if self.unread > 0 && self.unread + size > STREAM_WINDOW {
            kernel::sometimes!(true, "transport: a stream's window is spent");
            return None;
        }
        self.unread += size;
        self.queued -= size;
        self.queue.pop_front()
    }

    /// What waits waits from now on, or on; whether that is news.
    fn wait(&mut self, now: Time, moved: bool) -> bool {
        let waited = self.stuck.filter(|_| !moved);
        self.stuck = (!self.queue.is_empty()).then(|| waited.unwrap_or(now));
        self.stuck.is_some() && waited.is_none()
    }

    /// Whether the asking side has taken nothing for too long.
    fn is_stalled(&self, now: Time) -> bool {
        self.stuck.is_some_and(|since| now >= since + STALL_WAIT.0)
    }

    /// What the worker has to be told now.
    fn turn(&mut self) -> Option<(DeviceId, Flow)> {
        let device = self.device?;
        let full = match self.told_full {
            false => self.queued >= HIGH_WATER,
            true => self.queued > LOW_WATER,
        };
        if full == self.told_full {
            return None;
        }
        self.told_full = full;
        kernel::sometimes!(full, "transport: a worker is told to wait");
        kernel::sometimes!(!full, "transport: a worker is told to go on");
        Some((device, if full { Flow::Full } else { Flow::Ready }))
    }
}

impl Transport {
    /// The worker says something to the asking side.
    pub(super) fn reply(
        &mut self,
        now: Time,
        stream: StreamId,
        reply: &JobReply,
        out: &mut DriverOut,
    ) {
        let Ok(bytes) = reply.encode() else { return };
        #[cfg(test)]
        let lax = self.lax;
        if let Some(outbox) = self.outbox(stream) {
            outbox.put(bytes, reply.is_last());
            #[cfg(test)]
            if lax {
                outbox.unread = 0;
            }
        }
        self.flush(now, stream, out);
    }

    /// The asking side has read some of a stream.
    pub(super) fn job_read(
        &mut self,
        now: Time,
        connection: u64,
        number: StreamId,
        bytes: u32,
        out: &mut DriverOut,
    ) {
        let Some(stream) = self.served(connection, number) else {
            return;
        };
        if let Some(outbox) = self.outbox(stream) {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            outbox.unread = outbox.unread.saturating_sub(bytes);
            outbox.stuck = None;
        }
        self.flush(now, stream, out);
    }

    /// The most that one stream holds here beyond its limit. One reply may stand over the edge of
    /// the window, and the last one always finds room in the queue.
    pub(crate) fn stream_excess(&self) -> usize {
        let excess = self.streams.values().map(|stream| {
            let (waits, room) = match &stream.end {
                End::Asking { held, .. } => {
                    let waits = held.iter().map(|(_, size)| u64::from(*size)).sum::<u64>();
                    (usize::try_from(waits).unwrap_or(usize::MAX), STREAM_WINDOW)
                }
                End::Serving(outbox) => (outbox.queued, QUEUE_BYTES_MAX),
            };
            if waits <= room {
                return 0;
            }
            let heaviest = match &stream.end {
                End::Asking { held, .. } => {
                    let heaviest = held.iter().map(|(_, size)| *size).max().unwrap_or(0);
                    usize::try_from(heaviest).unwrap_or(usize::MAX)
                }
                End::Serving(outbox) => outbox.queue.iter().map(Vec::len).max().unwrap_or(0),
            };
            (waits - heaviest).saturating_sub(room)
        });
        excess.max().unwrap_or(0)
    }

    /// Streams of a connection of which the asking side takes nothing are reset, not waited for.
    pub(super) fn reset_stalled(&mut self, connection: u64, now: Time, out: &mut DriverOut) {
        let stalled = |stream: &Stream| match &stream.end {
            End::Serving(outbox) => stream.connection == connection && outbox.is_stalled(now),
            End::Asking { .. } => false,
        };
        let all = self.streams.iter().filter(|(_, stream)| stalled(stream));
        for stream in all.map(|(id, _)| *id).collect::<Vec<_>>() {
            kernel::sometimes!(true, "transport: an answer is not read for too long");
            self.end_stream(stream, out);
        }
    }

    /// Bytes of answers that wait here for their readers.
    pub(super) fn queued_replies(&self) -> usize {
        let ends = self.streams.values().map(|stream| &stream.end);
        ends.map(|end| match end {
            End::Serving(outbox) => outbox.queued,
            End::Asking { .. } => 0,
        })
        .sum()
    }

    /// Whether the end of a stream is on its way by itself.
    pub(super) fn has_last_words(&mut self, stream: StreamId) -> bool {
        self.outbox(stream).is_some_and(|outbox| outbox.last)
    }

    /// Whether a peer opened the stream and neither a worker nor a refusal is known.
    pub(super) fn is_undecided(&mut self, stream: StreamId) -> bool {
        let undecided = |outbox: &mut Outbox| outbox.device.is_none() && !outbox.last;
        self.outbox(stream).is_some_and(undecided)
    }

    /// Sends what the window has room for.
    fn flush(&mut self, now: Time, stream: StreamId, out: &mut DriverOut) {
        let Some(entry) = self.streams.get_mut(&stream) else {
            return;
        };
        let (connection, number) = (entry.connection, entry.number);
        let End::Serving(outbox) = &mut entry.end else {
            return;
        };
        let mut sent = Vec::new();
        while let Some(bytes) = outbox.next() {
            sent.push(bytes);
        }
        let over = outbox.last && outbox.queue.is_empty();
        if outbox.wait(now, !sent.is_empty()) {
            let check = Occurrence::StallCheck(connection);
            out.later.push((STALL_WAIT.0, check));
        }
        if let Some((device, flow)) = outbox.turn() {
            let sink = Sink::Stream(stream);
            let turned = Letter::Worker(device, Input::Sink { sink, flow });
            out.tell(Address::Stream(stream), turned);
        }
        for bytes in sent {
            let stream = number;
            self.packet(connection, Body::JobReply { stream, bytes }, out);
        }
        if over {
            self.end_stream(stream, out);
        }
    }

    fn outbox(&mut self, stream: StreamId) -> Option<&mut Outbox> {
        match &mut self.streams.get_mut(&stream)?.end {
            End::Serving(outbox) => Some(outbox),
            End::Asking { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends what there is room for; how much that is.
    fn sent(outbox: &mut Outbox) -> usize {
        std::iter::from_fn(|| outbox.next()).count()
    }

    #[test]
    fn what_is_not_read_fills_the_window_and_then_the_queue() {
        const DEVICE: DeviceId = DeviceId(0);
        let mut outbox = Outbox::default();
        outbox.served_by(DEVICE);
        let mut worker_told = Vec::new();
        for _ in 0..256 {
            outbox.put(vec![0; 1_024], false);
            sent(&mut outbox);
            worker_told.extend(outbox.turn());
        }
        assert_eq!(outbox.unread, STREAM_WINDOW);
        assert_eq!(worker_told, [(DEVICE, Flow::Full)]);
        let mut read = 0;
        while worker_told.len() < 2 {
            outbox.unread -= 8 * 1_024;
            read += 8 * 1_024;
            assert_eq!(sent(&mut outbox), 8);
            worker_told.extend(outbox.turn());
        }
        assert_eq!(worker_told[1], (DEVICE, Flow::Ready));
        assert_eq!(read, 256 * 1_024 - STREAM_WINDOW - LOW_WATER);
    }

    #[test]
    fn a_reply_larger_than_the_window_goes_alone() {
        let mut outbox = Outbox::default();
        outbox.put(vec![0; STREAM_WINDOW + 1], false);
        outbox.put(vec![0; 1], true);
        assert_eq!(sent(&mut outbox), 1);
        outbox.unread = 0;
        assert_eq!(sent(&mut outbox), 1);
        assert!(outbox.last && outbox.queued == 0);
    }
}
