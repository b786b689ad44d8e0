//! W3C trace context: which trace a request belongs to, and under which span it is asked.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// The trace that a request belongs to, and the span of whoever passes it on: 25 bytes wherever it
/// goes. An id of zeros names nothing and is never held.
///
/// The standard's other header, `tracestate`, is not carried: it is half a kilobyte of a client's
/// choosing that would enter the log of every node it reaches, nothing here reads it, and the
/// standard lets whoever passes a trace on drop it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct TraceContext {
    trace_id: [u8; 16],
    parent_id: [u8; 8],
    flags: u8,
}

impl TraceContext {
    /// Nothing where an id is all zeros.
    #[must_use]
    pub fn new(trace_id: [u8; 16], parent_id: [u8; 8], flags: u8) -> Option<Self> {
        (trace_id != [0; 16] && parent_id != [0; 8]).then_some(Self {
            trace_id,
            parent_id,
            flags,
        })
    }

    /// A new trace of these drawn numbers, which nobody asked to record, under this span.
    #[must_use]
    pub fn begin(drawn: [u64; 2], span: u64) -> Self {
        let mut trace_id = [0; 16];
        let [high, low] = drawn;
        let (first, last) = trace_id.split_at_mut(8);
        first.copy_from_slice(&high.to_be_bytes());
        last.copy_from_slice(&id_of(low));
        Self {
            trace_id,
            parent_id: id_of(span),
            flags: 0,
        }
    }

    /// What a `traceparent` header says, or nothing where it is malformed. Of a version above 00
    /// the fields that 00 has are read, as the standard wants it, and whatever follows them is not.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let (fields, rest) = header.as_bytes().split_at_checked(HEADER_BYTES)?;
        let (version, fields) = byte_and_dash(fields)?;
        let (trace_id, fields) = id_and_dash::<16>(fields)?;
        let (parent_id, fields) = id_and_dash::<8>(fields)?;
        let flags = hex(*fields.first()?, *fields.get(1)?)?;
        let known = match version {
            0 if rest.is_empty() => SAMPLED | RANDOM,
            // Only this flag is sure to mean the same there.
            1..=0xfe if matches!(rest, [] | [b'-', ..]) => SAMPLED,
            _ => return None,
        };
        Self::new(trace_id, parent_id, flags & known)
    }

    /// The same trace, asked on under this span. Zero, which is no span, stands for one.
    #[must_use]
    pub fn under(self, span: u64) -> Self {
        Self {
            parent_id: id_of(span),
            ..self
        }
    }

    /// Prints the trace's id: 32 lowercase hexadecimal digits.
    #[must_use]
    pub const fn trace_id(&self) -> impl fmt::Display + '_ {
        Hex(&self.trace_id)
    }

    /// Prints the id of the span under which it is asked: 16 digits.
    #[must_use]
    pub const fn parent_id(&self) -> impl fmt::Display + '_ {
        Hex(&self.parent_id)
    }
}

/// As a `traceparent` header of version 00 says it.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, parent) = (self.trace_id(), self.parent_id());
        write!(f, "00-{trace}-{parent}-{:02x}", self.flags)
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceContext({self})")
    }
}

/// A peer's ids are as bound to be some as a client's.
impl<'de> Deserialize<'de> for TraceContext {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (trace_id, parent_id, flags) = Deserialize::deserialize(deserializer)?;
        Self::new(trace_id, parent_id, flags)
            .ok_or_else(|| D::Error::custom("an id of a trace is all zeros"))
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn id_of(number: u64) -> [u8; 8] {
    number.max(1).to_be_bytes()
}

/// The standard has lowercase digits alone.
fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    Some(digit(high)? << 4 | digit(low)?)
}

fn byte_and_dash(text: &[u8]) -> Option<(u8, &[u8])> {
    let ([byte], rest) = id_and_dash(text)?;
    Some((byte, rest))
}

fn id_and_dash<const BYTES: usize>(text: &[u8]) -> Option<([u8; BYTES], &[u8])> {
    let (digits, rest) = text.split_at_checked(2 * BYTES)?;
    let (pairs, _) = digits.as_chunks::<2>();
    let mut id = [0; BYTES];
    for (byte, [high, low]) in id.iter_mut().zip(pairs) {
        *byte = hex(*high, *low)?;
    }
    Some((id, rest.strip_prefix(b"-")?))
}

/// A header of version 00: the shortest of any.
const HEADER_BYTES: usize = 55;
/// Whoever asked may have recorded its part.
const SAMPLED: u8 = 1;
/// The trace's id was drawn (level 2 of the standard). A participant passes it on, and sets all
/// others to zero.
const RANDOM: u8 = 2;

#[cfg(test)]
mod tests;
