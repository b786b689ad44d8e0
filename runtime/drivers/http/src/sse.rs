//! The event stream of one answer.

use crate::call::Call;
use crate::lane::Event;
use crate::render::{Answer, Ending, Events};
use bytes::Bytes;
use messages::Mono;
use messages::request_proxy::Failure;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec::IntoIter;
use tokio::time::{Instant, Sleep, sleep};

/// Bytes after which a part of the body is handed on: a short token becomes 250 bytes of event, so
/// what waits for a client that does not read stays as it was said until there is room for it.
pub(crate) const PART_BYTES: usize = 16 << 10;

/// Turns what a request says into events. Dropped before the end, it tells the request so.
#[derive(Debug)]
pub(crate) struct EventStream {
    /// Nothing once the answer is over.
    call: Option<Call>,
    events: Events,
    waiting: IntoIter<Event>,
    begun: bool,
    keep_alive: Duration,
    tick: Pin<Box<Sleep>>,
    /// When something was sent last.
    last: Mono,
    /// When the request should have been over.
    until: Mono,
}

impl EventStream {
    pub(crate) fn new(
        call: Call,
        answer: Answer,
        include_usage: bool,
        waiting: Vec<Event>,
        until: Mono,
    ) -> Self {
        let keep_alive = call.gate().front.config().limits.keep_alive;
        let last = call.gate().port.now().mono;
        Self {
            call: Some(call),
            events: Events::new(answer, include_usage),
            waiting: waiting.into_iter(),
            begun: false,
            keep_alive,
            tick: Box::pin(sleep(keep_alive)),
            last,
            until,
        }
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.call.is_none()
    }

    /// The next bytes; nothing at the end. What waits is one part, up to its size.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(call) = &self.call else {
            return Poll::Ready(None);
        };
        let now = call.gate().port.now().mono;
        let mut out = Vec::new();
        if !self.begun {
            self.begun = true;
            self.events.role(&mut out);
        }
        // Until there is something to send or the lane is empty and knows the waker: events may
        // come that have no text.
        while out.is_empty() && self.call.is_some() && self.more(cx) {
            self.write(&mut out);
        }
        if out.is_empty() {
            return self.poll_silence(cx, now);
        }
        self.last = now;
        Poll::Ready(Some(Bytes::from(out)))
    }

    /// Whether events wait.
    fn more(&mut self, cx: &mut Context<'_>) -> bool {
        if self.waiting.len() > 0 {
            return true;
        }
        let Some(call) = &self.call else {
            return false;
        };
        let mut more = Vec::new();
        let ready = call.poll(cx, &mut more).is_ready();
        self.waiting = more.into_iter();
        ready
    }

    fn write(&mut self, out: &mut Vec<u8>) {
        if write_part(&self.events, &mut self.waiting, out) {
            self.call = None;
        }
    }

    /// Nothing to send: a comment now and then keeps what is between from closing the line.
    fn poll_silence(&mut self, cx: &mut Context<'_>, now: Mono) -> Poll<Option<Bytes>> {
        while self.tick.as_mut().poll(cx).is_ready() {
            if now >= self.until {
                let mut out = Vec::new();
                self.events.error(&Failure::DeadlineExceeded, &mut out);
                self.call = None;
                return Poll::Ready(Some(Bytes::from(out)));
            }
            let silent = Duration::from_micros(now.since(self.last).0);
            let due = self.keep_alive.saturating_sub(silent);
            if due < Duration::from_millis(1) {
                self.last = now;
                self.arm(self.keep_alive);
                return Poll::Ready(Some(Bytes::from_static(b": keep-alive\n\n")));
            }
            self.arm(due);
        }
        Poll::Pending
    }

    fn arm(&mut self, span: Duration) {
        self.tick.as_mut().reset(Instant::now() + span);
    }
}

/// Writes events until a part is full. Whether the answer is over.
pub(crate) fn write_part(
    events: &Events,
    waiting: &mut IntoIter<Event>,
    out: &mut Vec<u8>,
) -> bool {
    while out.len() < PART_BYTES
        && let Some(event) = waiting.next()
    {
        match event {
            // Another holder goes on; the head is sent.
            Event::Started { .. } => {}
            Event::Text(text) => events.text(&text, out),
            Event::Finished {
                reason,
                usage,
                seam,
            } => {
                let ending = Ending {
                    reason,
                    usage,
                    seam,
                };
                events.end(ending, out);
                return true;
            }
            Event::Failed(failure) => {
                events.error(&failure, out);
                return true;
            }
        }
    }
    false
}
