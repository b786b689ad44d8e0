//! A connection's socket: a client that takes nothing, or is gone, does not hold it for ever.

use crate::call::Gate;
use crate::refusal;
use bytes::{Buf, Bytes};
use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// How long a closed connection reads on: an answer that was given before the request was read to
/// its end would be lost to the client otherwise.
const LINGER: Duration = Duration::from_secs(1);
/// Bytes that it reads on at most.
const LINGER_BYTES_MAX: usize = 64 << 20;
/// How often a connection is looked at for a client that has gone. The HTTP layer sees most of
/// them at once, but none behind bytes that it has yet to read.
const GONE_LOOK: Duration = Duration::from_secs(1);

/// The socket as the HTTP layer sees it.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Arc<TcpStream>,
    stall_time: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    lingering: Option<Pin<Box<Sleep>>>,
    discarded: usize,
    gate: Arc<Gate>,
    /// What is left of an answer that stands in for one of the HTTP layer's own.
    refusal: Bytes,
}

impl Socket {
    pub(crate) const fn new(stream: Arc<TcpStream>, stall_time: Duration, gate: Arc<Gate>) -> Self {
        Self {
            stream,
            stall_time,
            stalled: None,
            lingering: None,
            discarded: 0,
            gate,
            refusal: Bytes::new(),
        }
    }

    /// Takes an answer of the HTTP layer's own, and keeps a better one to write.
    fn refuses(&mut self, written: &[u8]) -> bool {
        let answer = refusal::dressed(written, || self.gate.front.mint());
        let found = answer.is_some();
        if let Some(answer) = answer {
            self.refusal = answer.into();
        }
        found
    }

    fn poll_refusal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.refusal.is_empty() {
            let rest = self.refusal.clone();
            let taken = ready!(self.poll_try(cx, |stream| stream.try_write(&rest)))?;
            self.refusal.advance(taken);
        }
        Poll::Ready(Ok(()))
    }

    /// One try to write, again when there is room. Nothing taken for too long is an error.
    fn poll_try(
        &mut self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.stream.poll_write_ready(cx) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => return self.poll_stall(cx),
            }
            match write(&self.stream) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => {
                    self.stalled = None;
                    return Poll::Ready(result);
                }
            }
        }
    }

    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let limit = self.stall_time;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        stalled
            .as_mut()
            .poll(cx)
            .map(|()| Err(ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.stream.try_read(buf.initialize_unfilled()) {
                Ok(read) => {
                    buf.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.refuses(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        self.poll_try(cx, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [head] = parts
            && self.refuses(head)
        {
            return Poll::Ready(Ok(head.len()));
        }
        self.poll_try(cx, |stream| stream.try_write_vectored(parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_refusal(cx)
    }

    /// Says that nothing more will come, then reads until the client has said so too.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(cx))?;
        if self.lingering.is_none() {
            // An error means that the client has closed it already.
            let _ = socket2::SockRef::from(&*self.stream).shutdown(std::net::Shutdown::Write);
            self.lingering = Some(Box::pin(sleep(LINGER)));
        }
        let mut scratch = [0; 4096];
        while self.discarded < LINGER_BYTES_MAX {
            let mut buf = ReadBuf::new(&mut scratch);
            match self.as_mut().poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    self.discarded += buf.filled().len();
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    let over = self.lingering.as_mut().map(|time| time.as_mut().poll(cx));
                    return over.unwrap_or(Poll::Ready(())).map(Ok);
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Ends when the other side has closed the connection, even where bytes before that wait to be
/// read.
pub(crate) async fn gone(stream: &TcpStream) {
    loop {
        sleep(GONE_LOOK).await;
        let ready = pin!(stream.ready(Interest::READABLE));
        let looked = ready.poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(state) = looked
            && state.is_ok_and(|state| state.is_read_closed())
        {
            return;
        }
    }
}
