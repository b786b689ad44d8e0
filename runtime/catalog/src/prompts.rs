//! Prompts, one for each id.

use crate::counted;
use messages::gossip_store::{PromptPolicy, Shared};
use messages::{Kind, NodeId, SharedPrompt, SignedRecord, Stamp};
use std::collections::BTreeMap;

/// A prompt that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptRow {
    /// Which.
    pub id: String,
    /// Who says it.
    pub author: NodeId,
    /// When it was said, by its author's clock.
    pub stamp: Stamp,
    /// What it says.
    pub prompt: SharedPrompt,
}

/// What counts for one id, removed or not.
pub(crate) struct Said<'a> {
    pub(crate) record: &'a SignedRecord,
    /// Nothing where it is removed.
    pub(crate) prompt: Option<SharedPrompt>,
}

/// All prompts that are in force, by id.
#[must_use]
pub fn prompts(shared: &Shared) -> Vec<PromptRow> {
    let said = said(shared).into_iter();
    said.filter_map(|(id, said)| row(id, said)).collect()
}

/// The prompt of an id.
#[must_use]
pub fn prompt(shared: &Shared, id: &str) -> Option<PromptRow> {
    let (id, said) = said(shared).remove_entry(id)?;
    row(id, said)
}

fn row(id: &str, said: Said<'_>) -> Option<PromptRow> {
    Some(PromptRow {
        id: id.to_owned(),
        author: said.record.record.author,
        stamp: said.record.record.stamp,
        prompt: said.prompt?,
    })
}

/// What counts for each id. Of two stamps that are equal, the greater author's: every node comes to
/// the same.
pub(crate) fn said(shared: &Shared) -> BTreeMap<&str, Said<'_>> {
    let own_first = shared.settings.prompts == PromptPolicy::Own;
    let rank = |signed: &SignedRecord| {
        let record = &signed.record;
        let is_own = own_first && record.author == shared.me && record.value.is_some();
        (is_own, record.stamp, record.author)
    };
    let mut newest: BTreeMap<&str, &SignedRecord> = BTreeMap::new();
    for signed in counted(shared, Kind::PROMPT) {
        let known = newest.entry(&signed.record.id).or_insert(signed);
        if rank(known) < rank(signed) {
            *known = signed;
        }
    }
    let read = |record: &SignedRecord| {
        let value = record.record.value.as_ref()?;
        let prompt = SharedPrompt::decode(value).ok()?;
        (!prompt.removed).then_some(prompt)
    };
    newest
        .into_iter()
        .map(|(id, record)| {
            let prompt = read(record);
            (id, Said { record, prompt })
        })
        .collect()
}
