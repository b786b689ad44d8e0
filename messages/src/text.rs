//! What a user wrote or reads: opened only by the text pipeline and the engine.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// User text. Prints its length, never its content, so that no log or trace can hold a prompt.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text(pub Bytes);

impl Text {
    /// The length in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no text.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.len())
    }
}
