//! Lowercase base32 without padding (RFC 4648 alphabet), with or without a checksum.

use data_encoding::{Encoding, Specification};
use std::sync::LazyLock;

/// Characters of checksum behind an id: 25 bits, one typing error in 33 million passes.
const CHECKSUM_CHARS: usize = 5;

static BASE32: LazyLock<Option<Encoding>> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification
        .symbols
        .push_str("abcdefghijklmnopqrstuvwxyz234567");
    specification
        .translate
        .from
        .push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    specification
        .translate
        .to
        .push_str("abcdefghijklmnopqrstuvwxyz");
    specification.encoding().ok()
});

/// The lowercase base32 of `bytes`.
pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE32
        .as_ref()
        .map_or_else(String::new, |encoding| encoding.encode(bytes))
}

/// The bytes of a base32 text in either case, or nothing where it is not one.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    BASE32.as_ref()?.decode(text.as_bytes()).ok()
}

/// The base32 of `bytes`, then its checksum.
pub(crate) fn encode_checked(bytes: &[u8]) -> String {
    let mut text = encode(bytes);
    text.push_str(&checksum(bytes));
    text
}

/// The bytes before the checksum, or nothing where text or checksum is wrong.
pub(crate) fn decode_checked(text: &str) -> Option<Vec<u8>> {
    let at = text.len().checked_sub(CHECKSUM_CHARS)?;
    if !text.is_char_boundary(at) {
        return None;
    }
    let (body, sum) = text.split_at(at);
    let bytes = decode(body)?;
    sum.eq_ignore_ascii_case(&checksum(&bytes)).then_some(bytes)
}

fn checksum(bytes: &[u8]) -> String {
    let digest = crate::Digest::of("mesh-node id checksum", &[bytes]);
    let mut text = encode(&digest.0[..4]);
    text.truncate(CHECKSUM_CHARS);
    text
}
