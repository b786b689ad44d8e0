//! What members share: prompts and tool permissions. Each field is encoded apart, as those of
//! [`Capabilities`](crate::Capabilities): one that cannot be read becomes its default, and the rest
//! survives.

use super::{Field, RecordError, decode_fields, encode_fields, field, value};
use crate::bounded::{Label, List};
use crate::limits::{
    COMMAND_BYTES_MAX, COMMANDS_MAX, NAME_BYTES_MAX, PROMPT_TEXT_BYTES_MAX, RECORD_BYTES_MAX,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The value of a `Prompt` record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedPrompt {
    /// What people call it.
    pub name: Label<NAME_BYTES_MAX>,
    /// What the model is told first.
    pub system: Label<PROMPT_TEXT_BYTES_MAX>,
    /// What a human's first message begins with.
    pub user: Label<PROMPT_TEXT_BYTES_MAX>,
    /// Its author removes the prompt of this id, whoever wrote it. A deletion would be forgotten
    /// after a month, and whoever kept the prompt could bring it back.
    pub removed: bool,
}

impl SharedPrompt {
    /// The record value.
    ///
    /// # Errors
    /// [`RecordError::TooLarge`] where the fields together exceed [`RECORD_BYTES_MAX`].
    pub fn encode(&self) -> Result<Bytes, RecordError> {
        let fields = [
            field(1, &self.name),
            field(2, &self.system),
            field(3, &self.user),
            field(4, &self.removed),
        ];
        encode_fields(&fields, RECORD_BYTES_MAX)
    }

    /// Reads a record value field by field.
    ///
    /// # Errors
    /// Where the bytes are no list of fields at all, or too many bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut read = Self::default();
        for Field { tag, body } in &decode_fields(bytes, RECORD_BYTES_MAX)? {
            match tag {
                1 => read.name = value(body),
                2 => read.system = value(body),
                3 => read.user = value(body),
                4 => read.removed = value(body),
                _ => {}
            }
        }
        Ok(read)
    }
}

/// What a tool may do. The later, the stricter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ToolMode {
    /// Everything, without being asked.
    AcceptAll,
    /// A human is asked, but for commands that are always accepted.
    #[default]
    Ask,
    /// Nothing.
    Denied,
}

/// The value of a `ToolPermission` record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolPermission {
    /// What the tool may do.
    pub mode: ToolMode,
    /// Commands that run without being asked, to the letter.
    pub always_accept: List<Label<COMMAND_BYTES_MAX>, COMMANDS_MAX>,
    /// Its author has no setting any more. A deletion would be forgotten after a month, and whoever
    /// kept the setting could bring it back.
    pub unset: bool,
}

impl ToolPermission {
    /// The record value.
    ///
    /// # Errors
    /// [`RecordError::TooLarge`] where the fields together exceed [`RECORD_BYTES_MAX`].
    pub fn encode(&self) -> Result<Bytes, RecordError> {
        let fields = [
            field(1, &self.mode),
            field(2, &self.always_accept),
            field(3, &self.unset),
        ];
        encode_fields(&fields, RECORD_BYTES_MAX)
    }

    /// Reads a record value field by field. A mode that cannot be read is to ask.
    ///
    /// # Errors
    /// Where the bytes are no list of fields at all, or too many bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut read = Self::default();
        for Field { tag, body } in &decode_fields(bytes, RECORD_BYTES_MAX)? {
            match tag {
                1 => read.mode = value(body),
                2 => read.always_accept = value(body),
                3 => read.unset = value(body),
                _ => {}
            }
        }
        Ok(read)
    }
}
