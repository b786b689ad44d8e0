//! What a human changes, as what this node says.

use crate::permissions::permission;
use crate::prompts::said;
use messages::gossip_store::{Fact, Shared};
use messages::limits::NAME_BYTES_MAX;
use messages::{
    Kind, Label, RecordClass, RecordError, SharedPrompt, Stamp, ToolMode, ToolPermission,
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

fn fact(kind: Kind, id: Label<NAME_BYTES_MAX>, after: Stamp) -> Fact {
    Fact {
        class: RecordClass::Gated,
        kind,
        id,
        value: None,
        after,
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
    let after = known
        .as_ref()
        .map_or(Stamp(0), |known| known.record.record.stamp);
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
    let mut fact = fact(Kind::PROMPT, id("the id", which)?, after);
    fact.value = Some(prompt.encode()?);
    Ok(fact)
}

/// Removes a prompt for all who trust this node. One that others wrote is removed by a word that
/// stays for as long as theirs may: a deletion is forgotten after a month.
///
/// # Errors
/// [`EditError::NoSuchPrompt`].
pub fn remove_prompt(shared: &Shared, which: &str) -> Result<Fact, EditError> {
    let known = said(shared).remove(which);
    let known = known.filter(|known| known.prompt.is_some());
    let known = known.ok_or_else(|| EditError::NoSuchPrompt(which.to_owned()))?;
    let mut fact = fact(
        Kind::PROMPT,
        id("the id", which)?,
        known.record.record.stamp,
    );
    let is_of_others = |signed: &messages::SignedRecord| {
        let record = &signed.record;
        let is_it = record.kind == Kind::PROMPT && &*record.id == which;
        is_it && record.author != shared.me && record.value.is_some()
    };
    if shared.records.iter().any(is_of_others) {
        let removed = SharedPrompt {
            removed: true,
            ..SharedPrompt::default()
        };
        fact.value = Some(removed.encode()?);
    }
    Ok(fact)
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
    let mut fact = fact(Kind::TOOL_PERMISSION, id("the tool", tool)?, Stamp(0));
    fact.value = Some(setting.encode()?);
    Ok(fact)
}

/// Takes this node's own setting for a tool back.
///
/// # Errors
/// [`EditError`].
pub fn unset_permission(tool: &str) -> Result<Fact, EditError> {
    Ok(fact(Kind::TOOL_PERMISSION, id("the tool", tool)?, Stamp(0)))
}
