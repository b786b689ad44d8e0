//! Reading frames from a stream.

use bytes::BytesMut;
use iroh::endpoint::{ReadError, RecvStream};
use messages::wire::latest::{Frame, FrameError, HEADER_BYTES, Header};
use std::marker::PhantomData;

/// Why no further frame comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The peer finished the stream after a whole frame.
    Finished,
    /// The stream was reset, or the link is gone.
    Reset,
    /// The bytes are no frames.
    Bad(String),
}

/// Reads frames of one family. Dropping [`FrameReader::next`] loses nothing.
pub(crate) struct FrameReader<F> {
    recv: RecvStream,
    /// What arrived and was not read: less than a largest frame and one chunk.
    buffer: BytesMut,
    family: PhantomData<F>,
}

impl<F: Frame> FrameReader<F> {
    pub(crate) fn new(recv: RecvStream) -> Self {
        Self {
            recv,
            buffer: BytesMut::new(),
            family: PhantomData,
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
            match self.recv.read_chunk(CHUNK_BYTES).await {
                Ok(Some(bytes)) => self.buffer.extend_from_slice(&bytes),
                Ok(None) if self.buffer.is_empty() => return Err(Ended::Finished),
                Ok(None) => return Err(Ended::Bad("the stream ends inside a frame".to_owned())),
                Err(
                    ReadError::Reset(_)
                    | ReadError::ConnectionLost(_)
                    | ReadError::ClosedStream
                    | ReadError::ZeroRttRejected,
                ) => return Err(Ended::Reset),
            }
        }
    }

    /// The stream, for its end.
    pub(crate) fn into_recv(self) -> RecvStream {
        self.recv
    }

    /// The stream.
    pub(crate) const fn recv_mut(&mut self) -> &mut RecvStream {
        &mut self.recv
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
            let bytes = self.buffer.split_to(end);
            if let Some(frame) = F::decode_body(header.kind, &bytes[HEADER_BYTES..])? {
                return Ok(Some(frame));
            }
        }
    }
}

/// One read: some 40 datagrams, so that a fast stream is not read packet by packet.
const CHUNK_BYTES: usize = 64 * 1024;
