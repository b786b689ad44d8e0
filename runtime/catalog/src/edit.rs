//! What a human changes, as what this node says.

use crate::permissions::permission;
use crate::prompts::said;
use bytes::Bytes;
use messages::gossip_store::{Fact, Shared};
use messages::limits::NAME_BYTES_MAX;
use messages::{
    Kind, Label, RecordClass, RecordError, SharedPrompt, SignedRecord, Stamp, ToolMode,
    ToolPermission,
};

/// Why nothing is changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// There is no such prompt.
    #[error("there is no prompt {0}: see the list of prompts")]
    NoSuchPrompt(String),
    /// There is one already.
    #[error("there is a prompt {0} already: edit it")]
    Exists(String),
    /// A text is longer than it may be.
    #[error("{0} has more than {1} bytes")]
    TooLong(&'static str, usize),
    /// More than a list may hold.
    #[error("more than {0} commands that are always accepted")]
    TooMany(usize),
    /// A name that is none.
    #[error("{0} must not be empty")]
    Empty(&'static str),
    /// All together is more than a record may hold.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// What is changed of a prompt; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromptEdit {
    /// Its name.
    pub name: Option<String>,
    /// What the model is told first.
    pub system: Option<String>,
    /// What the human's first message begins with.
    pub user: Option<String>,
}

/// What is changed of a tool's permission; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionEdit {
    /// Its mode.
    pub mode: Option<ToolMode>,
    /// All commands that are always accepted.
    pub always_accept: Option<Vec<String>>,
}

fn label<const MAX: usize>(what: &'static str, text: &str) -> Result<Label<MAX>, EditError> {
    Label::try_from(text).map_err(|_| EditError::TooLong(what, MAX))
}

fn id(what: &'static str, text: &str) -> Result<Label<NAME_BYTES_MAX>, EditError> {
    match text.is_empty() {
        true => Err(EditError::Empty(what)),
        false => label(what, text),
    }
}

/// What this node says under an id from now on, if it has said nothing else meanwhile.
fn fact(shared: &Shared, kind: Kind, id: Label<NAME_BYTES_MAX>, value: Bytes) -> Fact {
    let of_it = |signed: &&SignedRecord| {
        let record = &signed.record;
        record.kind == kind && record.id == id
    };
    let (own, others): (Vec<&SignedRecord>, Vec<_>) = shared
        .records
        .iter()
        .filter(of_it)
        .partition(|signed| signed.record.author == shared.me);
    let newest = |of: &[&SignedRecord]| {
        let stamps = of.iter().map(|signed| signed.record.stamp);
        stamps.max().unwrap_or_default()
    };
    let after = match kind {
        // Of permissions none takes the place of another's.
        Kind::TOOL_PERMISSION => Stamp(0),
        _ => newest(&others),
    };
    Fact {
        class: RecordClass::Gated,
        kind,
        id,
        value: Some(value),
        after,
        expects: Some(newest(&own)),
    }
}

/// A new prompt, or another text for one that is in force, whoever wrote that.
///
/// # Errors
/// [`EditError`].
pub fn edit_prompt(
    shared: &Shared,
    which: &str,
    edit: &PromptEdit,
    is_new: bool,
) -> Result<Fact, EditError> {
    let known = said(shared).remove(which);
    let known = known.and_then(|known| known.prompt);
    let mut prompt = match known {
        Some(_) if is_new => return Err(EditError::Exists(which.to_owned())),
        None if !is_new => return Err(EditError::NoSuchPrompt(which.to_owned())),
        known => known.unwrap_or_default(),
    };
    if let Some(name) = &edit.name {
        prompt.name = id("the name", name)?;
    }
    if let Some(system) = &edit.system {
        prompt.system = label("the system prompt", system)?;
    }
    if let Some(user) = &edit.user {
        prompt.user = label("the user prompt", user)?;
    }
    let which = id("the id", which)?;
    Ok(fact(shared, Kind::PROMPT, which, prompt.encode()?))
}

/// Removes a prompt for all who trust this node, whoever wrote it.
///
/// # Errors
/// [`EditError::NoSuchPrompt`].
pub fn remove_prompt(shared: &Shared, which: &str) -> Result<Fact, EditError> {
    let known = said(shared).remove(which);
    if known.is_none_or(|known| known.prompt.is_none()) {
        return Err(EditError::NoSuchPrompt(which.to_owned()));
    }
    let removed = SharedPrompt {
        removed: true,
        ..SharedPrompt::default()
    };
    let which = id("the id", which)?;
    Ok(fact(shared, Kind::PROMPT, which, removed.encode()?))
}

/// Another setting for a tool.
///
/// # Errors
/// [`EditError`].
pub fn edit_permission(
    shared: &Shared,
    tool: &str,
    edit: &PermissionEdit,
) -> Result<Fact, EditError> {
    let mut setting: ToolPermission = permission(shared, tool).own.unwrap_or_default();
    if let Some(mode) = edit.mode {
        setting.mode = mode;
    }
    if let Some(commands) = &edit.always_accept {
        let labels: Result<Vec<_>, _> = commands
            .iter()
            .map(|text| label("a command", text))
            .collect();
        setting.always_accept = labels?
            .try_into()
            .map_err(|_| EditError::TooMany(messages::limits::COMMANDS_MAX))?;
    }
    let tool = id("the tool", tool)?;
    Ok(fact(shared, Kind::TOOL_PERMISSION, tool, setting.encode()?))
}

/// Takes this node's own setting for a tool back; nothing where it has none.
///
/// # Errors
/// [`EditError`].
pub fn unset_permission(shared: &Shared, tool: &str) -> Result<Option<Fact>, EditError> {
    if permission(shared, tool).own.is_none() {
        return Ok(None);
    }
    let unset = ToolPermission {
        unset: true,
        ..ToolPermission::default()
    };
    let tool = id("the tool", tool)?;
    let value = unset.encode()?;
    Ok(Some(fact(shared, Kind::TOOL_PERMISSION, tool, value)))
}
