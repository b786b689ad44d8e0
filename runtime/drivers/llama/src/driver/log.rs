//! What the child prints, passed on to the node's log within limits.

use messages::Address;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The child's output so far.
#[derive(Debug)]
pub(super) struct Log<R> {
    output: R,
    engine: Address,
    line: Vec<u8>,
    lines: u32,
    last: String,
}

impl<R: AsyncRead + Unpin> Log<R> {
    pub(super) const fn new(output: R, engine: Address) -> Self {
        Self {
            output,
            engine,
            line: Vec::new(),
            lines: 0,
            last: String::new(),
        }
    }

    /// Passes on lines until the child's output is closed.
    pub(super) async fn follow(&mut self) {
        let mut buffer = [0; 1_024];
        while let Ok(count @ 1..) = self.output.read(&mut buffer).await {
            for byte in &buffer[..count] {
                if *byte == b'\n' {
                    self.end_line();
                } else if self.line.len() < LINE_BYTES_MAX {
                    self.line.push(*byte);
                }
            }
        }
    }

    /// The last line that was not empty.
    pub(super) fn last(&self) -> &str {
        &self.last
    }

    fn end_line(&mut self) {
        let text = String::from_utf8_lossy(&self.line).trim().to_owned();
        self.line.clear();
        self.lines = self.lines.saturating_add(1);
        if text.is_empty() {
            return;
        }
        if self.lines <= LINES_MAX {
            tracing::warn!(engine = %self.engine, "{text}");
        }
        self.last = text;
    }
}

/// One line of llama.cpp's log.
const LINE_BYTES_MAX: usize = 512;
/// Lines of one life: a model of a stranger may make it print for ever.
const LINES_MAX: u32 = 1_000;
