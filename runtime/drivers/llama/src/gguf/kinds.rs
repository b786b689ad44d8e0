//! The types of values and of tensors.

use super::GgufError;
use super::source::Source;
use std::io::Read;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Two bytes.
    U16,
    /// Four bytes.
    U32,
    /// A text.
    Text,
    /// One byte, 0 or 1.
    Bool,
    /// Elements of one type.
    Array,
    /// Something else, of this many bytes.
    Plain(u64),
}

impl Kind {
    pub(super) fn read<R: Read>(source: &mut Source<R>) -> Result<Self, GgufError> {
        Ok(match source.u32()? {
            0 | 1 => Self::Plain(1),
            2 => Self::U16,
            3 => Self::Plain(2),
            4 => Self::U32,
            5 | 6 => Self::Plain(4),
            7 => Self::Bool,
            8 => Self::Text,
            9 => Self::Array,
            10..=12 => Self::Plain(8),
            other => return Err(GgufError::Damaged(format!("no value is of type {other}"))),
        })
    }

    /// Passes over a value, checking it.
    pub(super) fn skip<R: Read>(self, key: &str, source: &mut Source<R>) -> Result<(), GgufError> {
        match self {
            Self::Array => skip_array(key, source),
            Self::Text => source.skip_text(key, TEXT_BYTES_MAX),
            Self::Bool => skip_bool(key, source),
            Self::U16 | Self::U32 | Self::Plain(_) => source.skip(self.bytes_min()),
        }
    }

    /// How many bytes a value takes at least.
    const fn bytes_min(self) -> u64 {
        match self {
            Self::Bool => 1,
            Self::U16 => 2,
            Self::U32 => 4,
            // Its length.
            Self::Text => 8,
            // Its type and length.
            Self::Array => 12,
            Self::Plain(bytes) => bytes,
        }
    }
}

fn skip_array<R: Read>(key: &str, source: &mut Source<R>) -> Result<(), GgufError> {
    let element = Kind::read(source)?;
    if element == Kind::Array {
        let why = format!("'{key}' is an array of arrays");
        return Err(GgufError::Unsupported(why));
    }
    let count = source.count(
        &format!("elements of '{key}'"),
        ELEMENTS_MAX,
        element.bytes_min(),
    )?;
    match element {
        Kind::Text => (0..count).try_for_each(|_| source.skip_text(key, ELEMENT_BYTES_MAX)),
        Kind::Bool => (0..count).try_for_each(|_| skip_bool(key, source)),
        Kind::U16 | Kind::U32 | Kind::Plain(_) | Kind::Array => {
            source.skip(count as u64 * element.bytes_min())
        }
    }
}

fn skip_bool<R: Read>(key: &str, source: &mut Source<R>) -> Result<(), GgufError> {
    match source.bytes::<1>()? {
        [0 | 1] => Ok(()),
        [other] => Err(GgufError::Damaged(format!(
            "'{key}' is true or false, not {other}"
        ))),
    }
}

/// Elements and bytes of a block of a tensor type, as the ggml of the pinned llama.cpp lays them
/// out.
pub(crate) const fn block_of(kind: u32) -> Option<(u64, u64)> {
    Some(match kind {
        // F32, I32.
        0 | 26 => (1, 4),
        // F16, I16, BF16.
        1 | 25 | 30 => (1, 2),
        // Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q8_1, IQ4_NL.
        2 | 20 => (32, 18),
        3 => (32, 20),
        6 => (32, 22),
        7 => (32, 24),
        8 => (32, 34),
        9 => (32, 36),
        // Q2_K to Q8_K.
        10 => (256, 84),
        11 => (256, 110),
        12 => (256, 144),
        13 => (256, 176),
        14 => (256, 210),
        15 => (256, 292),
        // IQ2_XXS, IQ2_XS, IQ3_XXS, IQ1_S, IQ3_S, IQ2_S, IQ4_XS, IQ1_M.
        16 => (256, 66),
        17 => (256, 74),
        18 => (256, 98),
        19 => (256, 50),
        21 => (256, 110),
        22 => (256, 82),
        23 => (256, 136),
        29 => (256, 56),
        // I8.
        24 => (1, 1),
        // I64, F64.
        27 | 28 => (1, 8),
        // TQ1_0, TQ2_0.
        34 => (256, 54),
        35 => (256, 66),
        // MXFP4, NVFP4, Q1_0, Q2_0.
        39 => (32, 17),
        40 => (64, 36),
        41 => (128, 18),
        42 => (64, 18),
        _ => return None,
    })
}

/// A value that nobody here reads: other templates, licences.
const TEXT_BYTES_MAX: u64 = 1024 * 1024;
/// One token or one merge.
const ELEMENT_BYTES_MAX: u64 = 64 * 1024;
/// The largest published vocabularies have 300,000 tokens and half a million merges.
const ELEMENTS_MAX: u64 = 4 * 1024 * 1024;
