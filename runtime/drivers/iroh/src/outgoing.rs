//! Writing to a stream that may be slow.

use crate::shared::code;
use bytes::Bytes;
use iroh::endpoint::SendStream;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// Frames of a control stream that wait to be written.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// What waits; as much again may be in the writer's hands.
    queue: Mutex<Queue>,
    more: Notify,
    /// True once all that was queued is acknowledged, or never will be.
    over: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    finishing: bool,
}

/// There is no room for another frame: the peer takes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// A writer gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unwritten {
    /// The peer took nothing for [`STALL_WAIT`].
    Stalled,
    /// The peer stopped the stream, or the link is gone.
    Stopped,
}

impl Outgoing {
    pub(crate) fn new() -> Self {
        let queue = Mutex::new(Queue::default());
        Self {
            queue,
            more: Notify::new(),
            over: watch::Sender::new(false),
        }
    }

    /// Queues a frame.
    pub(crate) fn push(&self, frame: Bytes) -> Result<(), Full> {
        let mut queue = self.queue();
        if queue.bytes + frame.len() > QUEUE_BYTES_MAX {
            return Err(Full);
        }
        queue.bytes += frame.len();
        queue.frames.push_back(frame);
        drop(queue);
        self.more.notify_one();
        Ok(())
    }

    /// Nothing follows what is queued.
    pub(crate) fn finish(&self) {
        self.queue().finishing = true;
        self.more.notify_one();
    }

    /// Waits until all that was queued arrived, or never will. The caller bounds the wait.
    pub(crate) async fn flushed(&self) {
        // The sender lives as long as `self`.
        let _ = self.over.subscribe().wait_for(|over| *over).await;
    }

    /// Writes until the end is asked for or the stream fails.
    pub(crate) async fn run(&self, mut send: SendStream) -> Result<(), Unwritten> {
        let result = self.write_all(&mut send).await;
        if result.is_err() {
            let _ = send.reset(code::STALLED);
        }
        self.over.send_replace(true);
        result
    }

    async fn write_all(&self, send: &mut SendStream) -> Result<(), Unwritten> {
        while let Some(mut frames) = self.next().await {
            write_out(send, &mut frames).await?;
        }
        finish_out(send).await;
        Ok(())
    }

    async fn next(&self) -> Option<Vec<Bytes>> {
        loop {
            let more = self.more.notified();
            {
                let mut queue = self.queue();
                if !queue.frames.is_empty() {
                    queue.bytes = 0;
                    return Some(queue.frames.drain(..).collect());
                }
                if queue.finishing {
                    return None;
                }
            }
            more.await;
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes all of `chunks`, as long as the peer takes some of it every [`STALL_WAIT`].
pub(crate) async fn write_out(
    send: &mut SendStream,
    chunks: &mut [Bytes],
) -> Result<(), Unwritten> {
    let mut rest = chunks;
    while !rest.is_empty() {
        match timeout(STALL_WAIT, send.write_many_chunks(&mut rest)).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return Err(Unwritten::Stopped),
            Err(_) => return Err(Unwritten::Stalled),
        }
    }
    Ok(())
}

/// Finishes the stream and waits a moment for the peer to have all of it.
pub(crate) async fn finish_out(send: &mut SendStream) {
    if send.finish().is_ok() {
        // A peer that confirms later has it all the same: the link goes on resending.
        let _ = timeout(CONFIRM_WAIT, send.stopped()).await;
    }
}

/// A peer that takes nothing for so long is dropped, not waited for.
const STALL_WAIT: Duration = Duration::from_secs(10);
/// Longer than the slowest round trip between continents, twice.
const CONFIRM_WAIT: Duration = Duration::from_secs(1);
/// Sixteen largest control frames: a session says that much only to a peer that takes nothing.
const QUEUE_BYTES_MAX: usize = 1024 * 1024;
