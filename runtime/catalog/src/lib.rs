//! What is in force of what members share: prompts and tool permissions.
//!
//! Each member writes its own registers, and nobody another's. What holds here is a *projection* of
//! them, computed where it is asked for and stored nowhere: so a record that goes takes its effect
//! with it, and nodes with the same records and the same settings come to the same answer.
//!
//! Prompts of one id: the newest of what trusted members say counts, or this node's own, as the
//! network is set. Permissions of one tool: the strictest of this node's own setting and those of
//! trusted members. Others can tighten what a tool may do here, and never loosen it; where their
//! settings were too many to be looked at, a human is asked.

mod edit;
mod permissions;
mod prompts;
#[cfg(test)]
mod tests;

pub use edit::{EditError, PermissionEdit, PromptEdit, edit_permission, edit_prompt};
pub use edit::{remove_prompt, unset_permission};
pub use permissions::{Decision, Effective, decide, permission, permissions};
pub use prompts::{PromptRow, prompt, prompts};

use messages::gossip_store::Shared;
use messages::{Kind, SignedRecord};

/// The records of a kind whose authors count, deletions included.
fn counted(shared: &Shared, kind: Kind) -> impl Iterator<Item = &SignedRecord> {
    let of_kind = shared.records.iter();
    of_kind.filter(move |signed| {
        let author = signed.record.author;
        signed.record.kind == kind && shared.settings.trusts(shared.me, author)
    })
}
