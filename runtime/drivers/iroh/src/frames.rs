//! Reading frames from a stream.

use bytes::BytesMut;
use iroh::endpoint::{ReadError, RecvStream};
use messages::wire::latest::{Frame, FrameError, HEADER_BYTES, Header};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Why no further frame comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The peer finished the stream after a whole frame.
    Finished,
    /// The stream was reset, or the link is gone.
    Reset,
    /// The bytes are no frames.
    Bad(String),
    /// The session has no room for one.
    NoRoom,
}

/// Reads frames of one family. Dropping [`FrameReader::next`] loses nothing.
pub(crate) struct FrameReader<F> {
    recv: RecvStream,
    /// What arrived and was not read: less than a largest frame and one chunk.
    buffer: BytesMut,
    /// What frames over one chunk share with others, in KiB; nothing where all are small.
    large: Option<Arc<Semaphore>>,
    /// The share of the frame that is being read.
    share: Option<OwnedSemaphorePermit>,
    family: PhantomData<F>,
}

impl<F: Frame> FrameReader<F> {
    pub(crate) fn new(recv: RecvStream) -> Self {
        Self {
            recv,
            buffer: BytesMut::new(),
            large: None,
            share: None,
            family: PhantomData,
        }
    }

    /// Of a stream that is one of many: frames over one chunk wait for their share.
    pub(crate) fn sharing(recv: RecvStream, large: Arc<Semaphore>) -> Self {
        Self {
            large: Some(large),
            ..Self::new(recv)
        }
    }

    /// The next frame of a known kind. The caller bounds the wait.
    pub(crate) async fn next(&mut self) -> Result<F, Ended> {
        loop {
            if let Some(frame) = self
                .parse()
                .map_err(|error| Ended::Bad(error.to_string()))?
            {
                return Ok(frame);
            }
            self.take_share().await;
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), Ended> {
        match self.recv.read_chunk(CHUNK_BYTES).await {
            Ok(Some(bytes)) => {
                self.buffer.extend_from_slice(&bytes);
                Ok(())
            }
            Ok(None) if self.buffer.is_empty() => Err(Ended::Finished),
            Ok(None) => Err(Ended::Bad("the stream ends inside a frame".to_owned())),
            Err(
                ReadError::Reset(_)
                | ReadError::ConnectionLost(_)
                | ReadError::ClosedStream
                | ReadError::ZeroRttRejected,
            ) => Err(Ended::Reset),
        }
    }

    /// Waits until the next frame may be held whole: its head is here and, where it is large, its
    /// share. Each part is bounded, so that whoever waits for others has its own time after it.
    pub(crate) async fn ready(&mut self, head_wait: Duration) -> Result<(), Ended> {
        let head = async {
            while self.buffer.len() < HEADER_BYTES {
                self.fill().await?;
            }
            Ok(())
        };
        let late = |_| Ended::Bad("no frame came in time".to_owned());
        timeout(head_wait, head).await.map_err(late)??;
        if let Some(head) = self.buffer.first_chunk::<HEADER_BYTES>() {
            // No share is that large.
            Header::parse(*head, F::BYTES_MAX).map_err(|error| Ended::Bad(error.to_string()))?;
        }
        timeout(SHARE_WAIT, self.take_share()).await.map_err(late)
    }

    /// The stream, for its end.
    pub(crate) fn into_recv(self) -> RecvStream {
        self.recv
    }

    /// The stream.
    pub(crate) const fn recv_mut(&mut self) -> &mut RecvStream {
        &mut self.recv
    }

    /// Waits until the frame whose head is here may be held, if it is large.
    async fn take_share(&mut self) {
        let (None, Some(large)) = (&self.share, &self.large) else {
            return;
        };
        let Some([a, b, c, d, ..]) = self.buffer.first_chunk::<HEADER_BYTES>() else {
            return;
        };
        let len = u32::from_le_bytes([*a, *b, *c, *d]);
        if len as usize > CHUNK_BYTES {
            // It is never closed.
            let share = Arc::clone(large).acquire_many_owned(len.div_ceil(1024));
            self.share = share.await.ok();
        }
    }

    fn parse(&mut self) -> Result<Option<F>, FrameError> {
        loop {
            let Some(head) = self.buffer.first_chunk::<HEADER_BYTES>() else {
                return Ok(None);
            };
            let header = Header::parse(*head, F::BYTES_MAX)?;
            let end = HEADER_BYTES + header.body;
            if self.buffer.len() < end {
                return Ok(None);
            }
            self.share = None;
            let bytes = self.buffer.split_to(end);
            if let Some(frame) = F::decode_body(header.kind, &bytes[HEADER_BYTES..])? {
                return Ok(Some(frame));
            }
        }
    }
}

/// A share is free when a job before it has arrived, each within its own time; a request is given
/// up by its asker before this.
const SHARE_WAIT: Duration = Duration::from_secs(60);
/// One read: more than a datagram. Twice this is what a stream may hold of a frame without a share
/// in what large ones share: 32 MiB where a peer holds all its streams open.
const CHUNK_BYTES: usize = 16 * 1024;
