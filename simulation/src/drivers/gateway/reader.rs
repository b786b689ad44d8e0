//! A client that reads slowly: what waits for it, and when its request is told to stop.
//!
//! As in the real server, what waits is handed to the socket whole, once the socket is empty.

use messages::request_proxy::Flow;

/// Above this the request is told Full, as by the real server.
const HIGH_BYTES: usize = 16 << 10;
/// Above this the request did not heed it, and is given up.
const HARD_BYTES: usize = 8 << 20;
/// What a piece of text costs besides its bytes.
const EVENT_BYTES: usize = 64;
/// A client that reads nothing for this long is given up, as by the real server.
const STALL_US: u64 = 30_000_000;
/// How often a slow client takes what has come, in microseconds.
const LOOK_US: u64 = 250_000;

/// One client's pace, and what waits for it.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Bytes that it reads in a second.
    rate: u64,
    lane: String,
    /// What the lane counts.
    bytes: usize,
    full: bool,
    /// What is being read.
    socket: String,
    /// Whether a look is on its way.
    looks: bool,
}

/// What came of text for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    Kept,
    Overflow,
}

impl Reader {
    /// A client for which so many bytes wait.
    #[cfg(test)]
    pub(super) fn stuffed(bytes: usize) -> Self {
        Self {
            lane: "x".repeat(bytes),
            ..Self::default()
        }
    }

    pub(super) const fn set_rate(&mut self, rate: u64) {
        self.rate = rate;
    }

    /// Adds text; the request may have to be told.
    pub(super) fn push(&mut self, text: &str) -> (Pushed, Option<Flow>) {
        self.bytes += text.len() + EVENT_BYTES;
        if self.bytes > HARD_BYTES {
            kernel::sometimes!(true, "gateway: too much waits for a client");
            return (Pushed::Overflow, None);
        }
        self.lane.push_str(text);
        let crossed = self.bytes > HIGH_BYTES && !self.full;
        kernel::sometimes!(crossed, "gateway: a request is told to wait");
        self.full |= crossed;
        (Pushed::Kept, crossed.then_some(Flow::Full))
    }

    /// Hands on what waits, if the socket is empty; the request may go on then.
    pub(super) fn pump(&mut self) -> Option<Flow> {
        if !self.socket.is_empty() || self.lane.is_empty() {
            return None;
        }
        self.socket = std::mem::take(&mut self.lane);
        self.bytes = 0;
        std::mem::take(&mut self.full).then_some(Flow::Ready)
    }

    /// After how long it is to be looked at, where nothing is on its way to that.
    pub(super) fn look(&mut self) -> Option<u64> {
        let waits = !self.socket.is_empty() && !self.looks;
        self.looks |= waits;
        waits.then_some(if self.rate == 0 { STALL_US } else { LOOK_US })
    }

    /// What the client has read since the last look, and whether the request may go on; nothing
    /// where it reads nothing at all.
    pub(super) fn read(&mut self) -> Option<(String, Option<Flow>)> {
        self.looks = false;
        if self.rate == 0 && !self.socket.is_empty() {
            kernel::sometimes!(true, "gateway: a client reads nothing for too long");
            return None;
        }
        let most = self.rate.saturating_mul(LOOK_US) / 1_000_000;
        let mut most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        let (mut text, mut flow) = (String::new(), None);
        while most > 0 && !self.is_empty() {
            // Characters stay whole.
            let end = self.socket.ceil_char_boundary(most.min(self.socket.len()));
            text.extend(self.socket.drain(..end));
            most = most.saturating_sub(end);
            flow = self.pump().or(flow);
        }
        Some((text, flow))
    }

    /// All that waits, and whether the request may go on.
    pub(super) fn drain(self) -> (String, Option<Flow>) {
        (self.socket + &self.lane, self.full.then_some(Flow::Ready))
    }

    /// Whether nothing waits.
    pub(super) const fn is_empty(&self) -> bool {
        self.socket.is_empty() && self.lane.is_empty()
    }

    /// Bytes that wait.
    pub(super) const fn waiting(&self) -> usize {
        self.socket.len() + self.lane.len()
    }
}
