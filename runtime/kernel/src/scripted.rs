//! The scripted engine's language: tokens that depend only on (seed, position).
//!
//! Tests, simulations and benchmarks know what an unbroken run says without asking any engine.
//! Some characters take several bytes and are split between tokens on purpose: the seam of a
//! splice falls inside them too.

use bytes_of::PIECES;
use messages::{Compute, Digest, Label, ModelAdvert, ModelId, NodeId, Prompt, TokenId, TokenPiece};

/// Tokens of an answer whose length the client leaves open.
pub const ANSWER_TOKENS: u32 = 1_024;
/// Bytes of a prompt that make a token.
pub const BYTES_PER_TOKEN: usize = 4;
/// Tokens of context.
pub const CONTEXT_TOKENS: u32 = 131_072;

/// What the scripted engine serves.
#[must_use]
pub fn advert() -> ModelAdvert {
    ModelAdvert {
        model: model(),
        name: Label::truncated("scripted"),
        compute: Compute {
            digest: Digest::of("mesh-node scripted v1", &[]),
            splice: true,
        },
        context: CONTEXT_TOKENS,
    }
}

/// The scripted model's id.
#[must_use]
pub fn model() -> ModelId {
    ModelId(Digest::of("mesh-node scripted model v1", &[]).0)
}

/// The token at a position.
#[must_use]
pub fn token(seed: u64, position: u32) -> TokenPiece {
    // A multi-byte piece spans two positions: an even position opens what the next one closes.
    let pair = mix(seed, u64::from(position / 2));
    let index = usize::try_from(pair % PIECES.len() as u64).unwrap_or(0);
    let (first, second) = PIECES[index];
    let (half, bytes) = if position.is_multiple_of(2) {
        (0, first)
    } else {
        (1, second)
    };
    let id = u32::try_from(index * 2 + half).unwrap_or(0);
    TokenPiece {
        id: TokenId(id),
        bytes: bytes::Bytes::from_static(bytes),
    }
}

/// What a run of `tokens` tokens says, undecodable bytes at the end left out.
#[must_use]
pub fn text(seed: u64, tokens: u32) -> String {
    let bytes: Vec<u8> = (0..tokens)
        .flat_map(|at| token(seed, at).bytes.to_vec())
        .collect();
    match std::str::from_utf8(&bytes) {
        Ok(text) => text.to_owned(),
        Err(error) => String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned(),
    }
}

/// A prompt's digest and its length in tokens: a token per four bytes, at least one.
#[must_use]
pub fn prompt(prompt: &Prompt) -> (Digest, u32) {
    let encoded = postcard::to_stdvec(prompt).unwrap_or_default();
    let tokens = u32::try_from(prompt.len() / BYTES_PER_TOKEN)
        .unwrap_or(u32::MAX)
        .max(1);
    (
        Digest::of("mesh-node scripted prompt v1", &[&encoded]),
        tokens,
    )
}

/// A seed for a request that names none, from the request itself: any number will do, but the
/// same one on every node that is asked to go on.
#[must_use]
pub fn seed_of(node: NodeId, request: u64) -> u64 {
    Digest::of(
        "mesh-node scripted seed v1",
        &[&node.0, &request.to_le_bytes()],
    )
    .short()
}

/// SplitMix64 over both numbers.
const fn mix(seed: u64, position: u64) -> u64 {
    let mut z = seed.wrapping_add(position.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

mod bytes_of {
    /// Pieces of two tokens. The last four split a character between them.
    pub(super) const PIECES: [(&[u8], &[u8]); 20] = [
        (b"a node", b" answers "),
        (b"the stream", b" goes on "),
        (b"one gate", b" for all "),
        (b"every peer", b" is known "),
        (b"nothing", b" lingers "),
        (b"the mesh", b" holds "),
        (b"a seed", b" replays "),
        (b"no ghost", b" remains "),
        (b"tokens", b" arrive "),
        (b"in order", b", always "),
        (b"a holder", b" is lost "),
        (b"another", b" takes over "),
        (b"and so", b" it ends.\n"),
        (b"relays", b" see nothing "),
        (b"letters", b" come back "),
        (b"turns", b" are atomic "),
        (b"caf\xc3", b"\xa9 "),
        (b"na\xc3", b"\xafve "),
        (b"\xe2\x82", b"\xac "),
        (b"\xf0\x9f", b"\x8c\x90 "),
    ];
}
