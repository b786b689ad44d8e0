//! What waits for one client: bounded by bytes, drained whole.

use bytes::Bytes;
use messages::ports::gateway::{Place, Seam};
use messages::request_proxy::Failure;
use messages::{EndReason, ModelAdvert, NodeId, Usage};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Above this the request is told Full: 240 short tokens, a second of most engines. A thousand
/// clients that read nothing hold 16 MiB of it.
pub(crate) const HIGH_BYTES: usize = 16 << 10;
/// Above this the request did not heed Full and is given up: what may be on its way when it is
/// told, which is its mailbox and one frame of its stream.
pub(crate) const HARD_BYTES: usize = 8 << 20;
/// What an event costs besides its text.
const EVENT_BYTES: usize = 64;

/// What a request says to its client.
#[derive(Debug)]
pub(crate) enum Event {
    /// A holder took it.
    Started {
        served_by: NodeId,
        model: Box<ModelAdvert>,
    },
    /// More text.
    Text(Bytes),
    /// The answer is complete.
    Finished {
        reason: EndReason,
        usage: Usage,
        seam: Seam,
    },
    /// There is no (more) answer.
    Failed(Failure),
}

/// What came of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It is kept.
    Kept,
    /// There is no room even for this one: it is lost.
    Overflow,
    /// Text before this one is missing.
    Gap,
}

/// One client's queue.
#[derive(Debug, Default)]
pub(crate) struct Lane(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    events: Vec<Event>,
    bytes: usize,
    /// Bytes of text so far, taken ones included.
    taken: u64,
    full: bool,
    waker: Option<Waker>,
}

impl Lane {
    /// Adds text that comes behind `offset` bytes of it. What was taken before is not taken again.
    ///
    /// `full` is called where this crosses the high-water mark, and before anybody takes anything:
    /// a request that heard of it after the word that there is room again would wait for ever.
    pub(crate) fn text(&self, offset: u64, text: Bytes, full: impl FnOnce()) -> Pushed {
        let mut inner = self.lock();
        match Place::of(inner.taken, offset, text.len()) {
            Place::Next => {}
            Place::Repeat => return Pushed::Kept,
            Place::Gap => return Pushed::Gap,
        }
        let bytes = inner.bytes + text.len() + EVENT_BYTES;
        if bytes > HARD_BYTES {
            return Pushed::Overflow;
        }
        inner.bytes = bytes;
        inner.taken = offset + text.len() as u64;
        let crossed = inner.bytes > HIGH_BYTES && !inner.full;
        if crossed {
            inner.full = true;
            full();
        }
        add(inner, Event::Text(text));
        Pushed::Kept
    }

    /// Adds an event that is no text.
    pub(crate) fn push(&self, event: Event) {
        add(self.lock(), event);
    }

    /// Bytes of text so far.
    pub(crate) fn taken(&self) -> u64 {
        self.lock().taken
    }

    /// Takes all events into `into`, once there are any. `resume` is called where the request was
    /// told that it is full, and before more is added.
    pub(crate) fn poll(
        &self,
        cx: &mut Context<'_>,
        into: &mut Vec<Event>,
        resume: impl FnOnce(),
    ) -> Poll<()> {
        let mut inner = self.lock();
        if inner.events.is_empty() {
            match &mut inner.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                empty @ None => *empty = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        }
        into.append(&mut inner.events);
        inner.bytes = 0;
        if std::mem::take(&mut inner.full) {
            resume();
        }
        Poll::Ready(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(mut inner: MutexGuard<'_, Inner>, event: Event) {
    inner.events.push(event);
    let waker = inner.waker.take();
    drop(inner);
    if let Some(waker) = waker {
        waker.wake();
    }
}
