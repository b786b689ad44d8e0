//! One end of a job stream: a leaf that letters reach without passing through the transport.
//!
//! It watches its owner (the request that asked, the worker that serves): when the owner goes
//! down, the stream is reset. When the stream ends for any reason the leaf goes down, and whoever
//! watches it learns that.

use crate::request_proxy::Flow;
use crate::wire::latest::JobReply;
use crate::{Class, DeviceId, Refusal};
use serde::{Deserialize, Serialize};

/// What a stream may be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// From a session: this worker serves it. The stream watches the worker and reports
    /// [`crate::inference_worker::Input::Sink`] to it.
    Serve(DeviceId),
    /// From a worker: send. Over the high-water mark the worker is told Full.
    Reply(JobReply),
    /// From a session: send Refused and finish.
    Refuse(Refusal),
    /// From a request: nobody wants it any more; reset.
    Cancel,
    /// From a request: stop, or go on, reading.
    Read(Flow),
}

impl Command {
    /// What may happen to it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Reply(reply) if !reply.is_last() => Class::Data(reply.weight()),
            Self::Serve(_) | Self::Reply(_) | Self::Refuse(_) | Self::Cancel | Self::Read(_) => {
                Class::Control
            }
        }
    }
}
