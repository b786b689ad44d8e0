//! The header of a GGUF file, checked in safe Rust before llama.cpp sees the file.
//!
//! Every count, length and offset is compared with what the file can hold before anything is
//! read or allocated for it. What passes here is well-formed; whether it is a model that works is
//! found out in the engine's process, which may die of it.

mod kinds;
mod source;

#[cfg(test)]
pub(crate) mod forge;
#[cfg(test)]
mod tests;

use kinds::Kind;
pub(crate) use kinds::block_of;
use source::Source;
use std::collections::BTreeSet;
use std::io::Read;

/// What a GGUF file says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `general.architecture`: which network it is.
    pub architecture: String,
    /// `general.name`.
    pub name: Option<String>,
    /// `<architecture>.context_length`: tokens that it was trained for.
    pub context_length: u32,
    /// `tokenizer.chat_template`.
    pub chat_template: Option<String>,
    /// How many tensors it holds.
    pub tensors: usize,
}

/// Why a file is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GgufError {
    /// It ends before its header does.
    #[error("the file ends inside its header")]
    Truncated,
    /// It cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// It is something else.
    #[error("this is no GGUF file: it does not begin with GGUF")]
    NotGguf,
    /// It is of a kind that cannot be served.
    #[error("this GGUF file is not supported: {0}")]
    Unsupported(String),
    /// It contradicts itself or the format.
    #[error("the GGUF file is damaged: {0}")]
    Damaged(String),
}

/// Reads and checks the header of a file of `length` bytes.
///
/// # Errors
/// [`GgufError`], which says in a sentence what is wrong.
pub fn read_header(file: impl Read, length: u64) -> Result<Header, GgufError> {
    let mut source = Source::new(file, length);
    if source.bytes::<4>()? != *b"GGUF" {
        return Err(GgufError::NotGguf);
    }
    match source.u32()? {
        2 | 3 => {}
        swapped if swapped & 0xFFFF == 0 => return unsupported("it is big-endian"),
        version => return unsupported(&format!("its version is {version}, not 2 or 3")),
    }
    let tensors = source.count("tensors", TENSORS_MAX, TENSOR_BYTES_MIN)?;
    let pairs = source.count("keys", PAIRS_MAX, PAIR_BYTES_MIN)?;
    let mut facts = Facts::default();
    let mut keys = BTreeSet::new();
    for _ in 0..pairs {
        let key = source.text("a key", KEY_BYTES_MAX)?;
        if key.is_empty() || !keys.insert(key.clone()) {
            return damaged(&format!("the key '{key}' is empty or stands in it twice"));
        }
        let kind = Kind::read(&mut source)?;
        facts.take(&key, kind, &mut source)?;
    }
    check_tensors(&mut source, tensors, facts.alignment)?;
    facts.into_header(tensors)
}

/// What is kept of the key-value pairs.
#[derive(Debug)]
struct Facts {
    architecture: Option<String>,
    name: Option<String>,
    chat_template: Option<String>,
    alignment: u64,
    /// The key's prefix and the value of each `*.context_length`; one is the rule.
    contexts: Vec<(String, u32)>,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            architecture: None,
            name: None,
            chat_template: None,
            alignment: ALIGNMENT_DEFAULT,
            contexts: Vec::new(),
        }
    }
}

impl Facts {
    fn take<R: Read>(
        &mut self,
        key: &str,
        kind: Kind,
        source: &mut Source<R>,
    ) -> Result<(), GgufError> {
        match (key, kind) {
            ("general.architecture", Kind::Text) => {
                self.architecture = Some(source.text(key, NAME_BYTES_MAX)?);
            }
            ("general.name", Kind::Text) => self.name = Some(source.text(key, TEXT_BYTES_MAX)?),
            ("tokenizer.chat_template", Kind::Text) => {
                self.chat_template = Some(source.text(key, TEMPLATE_BYTES_MAX)?);
            }
            ("general.alignment", Kind::U32) => {
                self.alignment = u64::from(source.u32()?);
                if !self.alignment.is_power_of_two() || self.alignment > ALIGNMENT_MAX {
                    return damaged(&format!("its alignment of {} is none", self.alignment));
                }
            }
            ("split.count", Kind::U16) => {
                if source.u16()? > 1 {
                    return unsupported("it is one of several parts: join them into one file");
                }
            }
            (
                "general.architecture"
                | "general.name"
                | "tokenizer.chat_template"
                | "general.alignment"
                | "split.count",
                _,
            ) => return damaged(&format!("the key '{key}' has a value of another type")),
            (_, Kind::U32) if key.ends_with(CONTEXT_SUFFIX) => {
                let prefix = key.trim_end_matches(CONTEXT_SUFFIX).to_owned();
                let context = source.u32()?;
                if self.contexts.len() < CONTEXTS_MAX {
                    self.contexts.push((prefix, context));
                }
            }
            (_, kind) => kind.skip(key, source)?,
        }
        Ok(())
    }

    fn into_header(self, tensors: usize) -> Result<Header, GgufError> {
        let Some(architecture) = self.architecture else {
            return damaged("it does not say which architecture it is");
        };
        let context = self
            .contexts
            .iter()
            .find(|(prefix, _)| *prefix == architecture);
        let Some((_, context_length)) = context else {
            return damaged(&format!("it has no '{architecture}{CONTEXT_SUFFIX}'"));
        };
        match *context_length {
            0 => damaged("its context holds no token"),
            context_length => Ok(Header {
                architecture,
                name: self.name,
                context_length,
                chat_template: self.chat_template,
                tensors,
            }),
        }
    }
}

/// Each tensor begins where the one before it ends, as llama.cpp demands, and all end within the
/// file.
fn check_tensors<R: Read>(
    source: &mut Source<R>,
    tensors: usize,
    alignment: u64,
) -> Result<(), GgufError> {
    if tensors == 0 {
        return damaged("it holds no tensors");
    }
    let mut names = BTreeSet::new();
    let mut end = 0_u64;
    let mut padded = 0_u64;
    for _ in 0..tensors {
        let name = source.text("a tensor's name", TENSOR_NAME_BYTES_MAX)?;
        if name.is_empty() || !names.insert(name.clone()) {
            return damaged(&format!(
                "the tensor '{name}' has no name or stands in it twice"
            ));
        }
        let bytes = tensor_bytes(&name, source)?;
        let offset = source.u64()?;
        if offset != padded {
            return damaged(&format!(
                "the tensor '{name}' begins at {offset}, not at {padded}"
            ));
        }
        let sum = offset.checked_add(bytes);
        let Some(sum) = sum.filter(|sum| *sum <= source.length()) else {
            return damaged(&format!("the tensor '{name}' does not fit the file"));
        };
        end = sum;
        padded = sum.next_multiple_of(alignment);
    }
    let data = source.position().next_multiple_of(alignment);
    match data.checked_add(end) {
        Some(end) if end <= source.length() => Ok(()),
        Some(_) | None => damaged("its last tensor ends behind the file's end: copy it again"),
    }
}

/// Reads a tensor's shape and type; its size in bytes.
fn tensor_bytes<R: Read>(name: &str, source: &mut Source<R>) -> Result<u64, GgufError> {
    let dimensions = source.u32()?;
    if dimensions == 0 || dimensions > DIMENSIONS_MAX {
        return damaged(&format!("the tensor '{name}' has {dimensions} dimensions"));
    }
    let mut elements = 1_u64;
    let mut row = 0;
    for dimension in 0..dimensions {
        let size = source.u64()?;
        if dimension == 0 {
            row = size;
        }
        elements = match elements.checked_mul(size) {
            Some(elements) if elements > 0 && elements < ELEMENTS_MAX => elements,
            Some(_) | None => return damaged(&format!("the tensor '{name}' has no real size")),
        };
    }
    let kind = source.u32()?;
    let Some((block, bytes)) = block_of(kind) else {
        return unsupported(&format!(
            "the tensor '{name}' is of the unknown type {kind}"
        ));
    };
    if row % block != 0 {
        return damaged(&format!(
            "a row of the tensor '{name}' is no whole number of blocks"
        ));
    }
    (elements / block).checked_mul(bytes).map_or_else(
        || damaged(&format!("the tensor '{name}' has no real size")),
        Ok,
    )
}

fn damaged<T>(why: &str) -> Result<T, GgufError> {
    Err(GgufError::Damaged(why.to_owned()))
}

fn unsupported<T>(why: &str) -> Result<T, GgufError> {
    Err(GgufError::Unsupported(why.to_owned()))
}

/// The largest published models hold some thousands.
const TENSORS_MAX: u64 = 65_536;
/// Published models hold some dozens.
const PAIRS_MAX: u64 = 4_096;
/// A name's length, one letter, the number of dimensions, one of them, a type and an offset.
const TENSOR_BYTES_MIN: u64 = 8 + 1 + 4 + 8 + 4 + 8;
/// A key's length, one letter, a type and one byte.
const PAIR_BYTES_MIN: u64 = 8 + 1 + 4 + 1;
/// Published keys are under 64 bytes.
const KEY_BYTES_MAX: u64 = 256;
/// llama.cpp's own limit (`GGML_MAX_NAME`), its closing zero byte left out.
const TENSOR_NAME_BYTES_MAX: u64 = 63;
/// A word.
const NAME_BYTES_MAX: u64 = 64;
/// A line of text.
const TEXT_BYTES_MAX: u64 = 4_096;
/// The longest published template is under 32 KiB.
const TEMPLATE_BYTES_MAX: u64 = 256 * 1024;
/// llama.cpp's own limit (`GGML_MAX_DIMS`).
const DIMENSIONS_MAX: u32 = 4;
/// llama.cpp counts elements in a signed number.
const ELEMENTS_MAX: u64 = 1 << 62;
/// The format's default.
const ALIGNMENT_DEFAULT: u64 = 32;
/// A large page.
const ALIGNMENT_MAX: u64 = 2 << 20;
const CONTEXT_SUFFIX: &str = ".context_length";
/// A file that names several architectures' contexts is odd; more than a few are not looked at.
const CONTEXTS_MAX: usize = 8;
