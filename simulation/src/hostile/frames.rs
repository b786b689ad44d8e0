//! Frames that no honest end sends: bytes that are none, and words of an answer that no holder
//! drew.

use crate::event::NodeIndex;
use crate::mesh::{ClientId, Mesh};
use crate::network::Body;
use kernel::scripted;
use messages::wire::latest::{Beacon, End, JobReply};
use messages::{EndReason, List, TokenBatch};
use serde::{Deserialize, Serialize};

/// Tries of a request that forged replies claim to belong to.
const ATTEMPTS: std::ops::RangeInclusive<u32> = 1..=20;
/// Length and kind before the body of a frame of 32 bytes, as its length says.
const NOISE_FRAME: u32 = 34;

/// What bytes are that are no frame, or none that means anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Garbage {
    /// Noise.
    Noise,
    /// A header that promises four gigabytes.
    Oversize,
    /// Fewer bytes than a header.
    Short,
    /// A known kind, and a body that is none.
    Body,
    /// A frame of a kind that this version does not know: to be skipped.
    UnknownKind,
    /// Noise as a job's request.
    Job,
    /// Noise among the replies to a job.
    Reply,
}

/// What a forged word of an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forged {
    /// Tokens that the client has, once more.
    Repeated,
    /// Tokens that the client has, and some that come next.
    Overlapping,
    /// Tokens far behind those that come next: what lies between is lost.
    Lost,
    /// Tokens just behind the next one.
    OneLost,
    /// Four tokens that come next, in two frames, of which the second comes first.
    Swapped,
    /// Others at the places of tokens that the client has.
    Changed,
    /// An end behind tokens that never came.
    Ended,
    /// Tokens of a try before the first.
    Old,
    /// No tokens: the holder only says that its engine moves.
    Moving,
}

impl Mesh {
    /// A member sends garbage to another, out of this noise. Tells whether they are connected, and,
    /// for a reply, whether one serves the other.
    pub fn send_garbage(
        &mut self,
        (from, to): (NodeIndex, NodeIndex),
        garbage: Garbage,
        noise: [u8; 32],
    ) -> bool {
        let frame = |length: u32, kind: u16, body: &[u8]| {
            let head = [&length.to_le_bytes()[..], &kind.to_le_bytes()[..]].concat();
            [&head, body].concat()
        };
        let bytes = match garbage {
            Garbage::Noise => noise.to_vec(),
            Garbage::Oversize => frame(u32::MAX, 5, &noise),
            Garbage::Short => noise[..3].to_vec(),
            // Kind 7 are introductions: a list longer than the frame.
            Garbage::Body => frame(NOISE_FRAME, 7, &[0xff; 32]),
            Garbage::UnknownKind => frame(NOISE_FRAME, 60_000, &noise),
            Garbage::Job => return self.send_job(from, to, noise.to_vec()),
            Garbage::Reply => return self.send_reply(from, to, noise.to_vec()),
        };
        self.send_control(from, to, bytes)
    }

    /// A node says these bytes on the first job stream on which it serves another.
    fn send_reply(&mut self, from: NodeIndex, to: NodeIndex, bytes: Vec<u8>) -> bool {
        let boot = self.world.nodes[from].boot.as_ref();
        let found = boot.and_then(|boot| boot.drivers.transport.serves(to));
        let Some((connection, stream)) = found else {
            return false;
        };
        let packet = self.packet(from, to, connection, Body::JobReply { stream, bytes });
        self.world.send(vec![packet]);
        true
    }

    /// Forged words of an answer reach a request for this text and so many tokens, whichever try
    /// it is at. Tells whether the request is alive.
    pub fn forge(&mut self, client: ClientId, (seed, most): (u64, u32), how: Forged) -> bool {
        let sent = self.answer(client).text.len();
        // As many as it takes to say what the client was sent: the request has those, and perhaps
        // more. A token that ends within a character says nothing yet.
        let known = (0..most)
            .take_while(|n| scripted::text(seed, *n).len() < sent)
            .count();
        let known = u32::try_from(known).unwrap_or(u32::MAX);
        // A number that grows from one time to the next.
        let steps = self.time();
        let mut any = false;
        for attempt in ATTEMPTS {
            for reply in forged(how, (seed, known), attempt, steps) {
                any |= self.forge_reply(client, reply);
            }
        }
        any
    }
}

/// The frames of one try, in the order in which they come.
fn forged(how: Forged, (seed, known): (u64, u32), attempt: u32, steps: u64) -> Vec<JobReply> {
    let back = known.saturating_sub(3);
    let tokens = |attempt: u32, first: u32, count: u32, seed: u64| {
        let tokens = (first..first + count).map(|at| scripted::token(seed, at));
        let tokens = List::truncated(tokens);
        JobReply::Tokens(TokenBatch {
            attempt,
            first,
            tokens,
        })
    };
    let batch = |first, count| tokens(attempt, first, count, seed);
    let only = match how {
        Forged::Repeated => batch(back, known - back),
        Forged::Overlapping => batch(back, known - back + 3),
        Forged::Lost => batch(known + 40, 2),
        Forged::OneLost => batch(known + 1, 2),
        Forged::Swapped => return vec![batch(known + 2, 2), batch(known, 2)],
        // No more than it has: what comes next it would believe.
        Forged::Changed => tokens(attempt, back, (known - back).min(2), !seed),
        Forged::Ended => JobReply::End(End {
            attempt,
            reason: EndReason::Stop,
            tokens: known + 40,
        }),
        Forged::Old => tokens(0, known, 1, !seed),
        Forged::Moving => JobReply::Beacon(Beacon { attempt, steps }),
    };
    vec![only]
}
