//! Per stream: never more unread bytes than allowed.
//!
//! Unread is what a worker gave a stream and the request at the other end was not handed. The
//! window between the ends and the queue before it are all the room there is; one reply may stand
//! over each, because a reply is not cut.

use super::{Checker, Findings, Seen, Sight};
use crate::drivers::transport::flow::{QUEUE_BYTES_MAX, STREAM_WINDOW};
use crate::event::NodeIndex;
use kernel::{Effect, Mail};
use messages::ports::stream::Command;
use messages::wire::latest::{Frame, JobReply};
use messages::{Address, JobId, Letter, StreamId, peer_session, request_proxy};
use std::collections::BTreeMap;

/// The largest reply there can be.
const REPLY_MAX: usize = messages::limits::REPLY_FRAME_BYTES_MAX;
/// Window and queue, and a reply that goes over the edge of the window.
const UNREAD_MAX: usize = STREAM_WINDOW + QUEUE_BYTES_MAX;

/// See the module.
#[derive(Default)]
pub(super) struct Credits {
    /// The serving ends: whose job each stream is.
    serving: BTreeMap<(NodeIndex, StreamId), JobId>,
    /// The asking ends.
    asking: BTreeMap<(NodeIndex, StreamId), JobId>,
    flows: BTreeMap<JobId, Flow>,
}

/// Bytes of one stream. Only what was written and is not yet read counts: both ends may come and
/// go apart.
#[derive(Debug, Default)]
struct Flow {
    written: usize,
    read: usize,
    heaviest: usize,
}

impl Checker for Credits {
    fn name(&self) -> &'static str {
        "credits"
    }

    fn see(&mut self, at: &Sight, seen: &Seen<'_>, found: &mut Findings<'_>) {
        match seen {
            Seen::Takes(Address::Stream(stream), Mail::Letter(Letter::Stream(_, command))) => {
                if let Command::Reply(reply) = command {
                    self.written(at, *stream, reply, found);
                }
            }
            Seen::Does(Address::Transport, Effect::Tell(Letter::Session(.., input))) => {
                self.opened(at, input, found);
            }
            Seen::Does(Address::Stream(stream), Effect::Tell(Letter::Proxy(_, input))) => {
                if let request_proxy::Input::Reply(reply) = input {
                    self.read(at, *stream, reply);
                }
            }
            Seen::Leaf(Address::Stream(stream), false) => {
                let end = (at.node, *stream);
                self.serving.remove(&end);
                if let Some(job) = self.asking.remove(&end) {
                    self.flows.remove(&job);
                }
            }
            Seen::Dies => {
                self.serving.retain(|(node, _), _| *node != at.node);
                self.asking.retain(|(node, _), _| *node != at.node);
            }
            Seen::Turn(..)
            | Seen::Takes(..)
            | Seen::Does(..)
            | Seen::Leaf(..)
            | Seen::Asked(_)
            | Seen::HungUp(_)
            | Seen::Reads(_)
            | Seen::Planned(_)
            | Seen::Boots
            | Seen::Spoiled
            | Seen::Thaws(_)
            | Seen::Moved
            | Seen::Disturbed => {}
        }
    }
}

impl Credits {
    fn opened(&mut self, at: &Sight, input: &peer_session::Input, found: &Findings<'_>) {
        if let peer_session::Input::Inbound { stream, job, .. } = input {
            self.serving.insert((at.node, *stream), job.id);
        } else if let peer_session::Input::Opened {
            stream,
            request,
            attempt,
        } = input
            && let Some(origin) = found.id(at.node)
        {
            let (request, attempt) = (*request, *attempt);
            let job = JobId {
                origin,
                request,
                attempt,
            };
            self.asking.insert((at.node, *stream), job);
            self.flows.insert(job, Flow::default());
        }
    }

    fn written(
        &mut self,
        at: &Sight,
        stream: StreamId,
        reply: &JobReply,
        found: &mut Findings<'_>,
    ) {
        let job = self.serving.get(&(at.node, stream));
        let Some(flow) = job.and_then(|job| self.flows.get_mut(job)) else {
            return;
        };
        let weight = bytes_of(reply);
        flow.heaviest = flow.heaviest.max(weight).min(REPLY_MAX);
        flow.written += weight;
        let unread = flow.written.saturating_sub(flow.read);
        // The last reply always finds room.
        let allowed = UNREAD_MAX + flow.heaviest;
        if !reply.is_last() && unread > allowed {
            let what = format!("{unread} bytes of {stream:?} are unread, where {allowed} may be");
            found.say(at.node, what);
        }
    }

    fn read(&mut self, at: &Sight, stream: StreamId, reply: &JobReply) {
        let job = self.asking.get(&(at.node, stream));
        if let Some(flow) = job.and_then(|job| self.flows.get_mut(job)) {
            flow.read += bytes_of(reply);
        }
    }
}

/// What a reply takes on the wire.
fn bytes_of(reply: &JobReply) -> usize {
    reply.encode().map_or(0, |bytes| bytes.len())
}
