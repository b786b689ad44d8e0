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
use tokio::time::{Instant, Sleep, sleep};

/// Turns what a request says into events. Dropped before the end, it tells the request so.
#[derive(Debug)]
pub(crate) struct EventStream {
    /// Nothing once the answer is over.
    call: Option<Call>,
    events: Events,
    waiting: Vec<Event>,
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
            waiting,
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

    /// The next bytes; nothing at the end. All that waits is one part.
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
        if self.waiting.is_empty() {
            // Pending or not, the lane knows the waker by now.
            let _ = call.poll(cx, &mut self.waiting);
        }
        self.write(&mut out);
        if out.is_empty() {
            return self.poll_silence(cx, now);
        }
        self.last = now;
        Poll::Ready(Some(Bytes::from(out)))
    }

    fn write(&mut self, out: &mut Vec<u8>) {
        for event in self.waiting.drain(..) {
            match event {
                // Another holder goes on; the head is sent.
                Event::Started { .. } => {}
                Event::Text(text) => self.events.text(&text, out),
                Event::Finished {
                    reason,
                    usage,
                    seam,
                } => {
                    self.events.end(
                        Ending {
                            reason,
                            usage,
                            seam,
                        },
                        out,
                    );
                    self.call = None;
                }
                Event::Failed(failure) => {
                    self.events.error(&failure, out);
                    self.call = None;
                }
            }
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
