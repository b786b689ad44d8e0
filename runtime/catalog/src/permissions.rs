//! What a tool may do without being asked.

use crate::counted;
use messages::gossip_store::Shared;
use messages::{Kind, NodeId, ToolMode, ToolPermission};
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of a command of a tool. The later, the stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// It runs.
    Run,
    /// A human is asked.
    Ask,
    /// It does not run.
    Refuse,
}

/// What is in force for one tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Which.
    pub tool: String,
    /// The strictest mode of all that count.
    pub mode: ToolMode,
    /// Commands that run although the mode is to ask: those that all who ask accept always.
    pub always_accept: Vec<String>,
    /// This node's own setting; nothing where it has none, and is asked.
    pub own: Option<ToolPermission>,
    /// Other members whose settings are stricter than this node's own.
    pub tightened_by: Vec<NodeId>,
}

/// All tools of which anybody who counts says anything, by name.
#[must_use]
pub fn permissions(shared: &Shared) -> Vec<Effective> {
    let tools: BTreeSet<&str> = counted(shared, Kind::TOOL_PERMISSION)
        .map(|signed| &*signed.record.id)
        .collect();
    tools
        .into_iter()
        .filter(|tool| !settings(shared, tool).is_empty())
        .map(|tool| permission(shared, tool))
        .collect()
}

/// What is in force for a tool, whether or not anybody says anything of it.
#[must_use]
pub fn permission(shared: &Shared, tool: &str) -> Effective {
    let settings = settings(shared, tool);
    let own = settings.get(&shared.me).cloned();
    let mine = own.clone().unwrap_or_default();
    let with_default = || settings.values().chain(own.is_none().then_some(&mine));
    let mode = with_default().map(|one| one.mode).max().unwrap_or_default();
    let mode = mode.max(least(shared));
    let asks: Vec<BTreeSet<&str>> = with_default()
        .filter(|one| one.mode == ToolMode::Ask)
        .map(|one| one.always_accept.iter().map(|text| &**text).collect())
        .collect();
    let always_accept = match mode {
        ToolMode::Ask if shared.left_out == 0 => common(&asks),
        ToolMode::Ask | ToolMode::AcceptAll | ToolMode::Denied => Vec::new(),
    };
    let tightens = |(author, one): (&NodeId, &ToolPermission)| {
        (*author != shared.me && is_stricter(one, &mine)).then_some(*author)
    };
    let tightened_by = settings.iter().filter_map(tightens).collect();
    Effective {
        tool: tool.to_owned(),
        mode,
        always_accept,
        own,
        tightened_by,
    }
}

/// What becomes of a command: the strictest of what each setting that counts makes of it.
#[must_use]
pub fn decide(shared: &Shared, tool: &str, command: &str) -> Decision {
    let settings = settings(shared, tool);
    let own = settings.get(&shared.me).cloned().unwrap_or_default();
    let others = settings.values().map(|one| of_one(one, command));
    let least = match shared.left_out {
        0 => Decision::Run,
        _ => Decision::Ask,
    };
    others.fold(of_one(&own, command).max(least), Decision::max)
}

/// Where not all settings could be looked at, nothing runs without being asked.
const fn least(shared: &Shared) -> ToolMode {
    match shared.left_out {
        0 => ToolMode::AcceptAll,
        _ => ToolMode::Ask,
    }
}

/// What one setting makes of a command.
fn of_one(setting: &ToolPermission, command: &str) -> Decision {
    match setting.mode {
        ToolMode::Denied => Decision::Refuse,
        ToolMode::AcceptAll => Decision::Run,
        ToolMode::Ask if setting.always_accept.iter().any(|one| &**one == command) => Decision::Run,
        ToolMode::Ask => Decision::Ask,
    }
}

/// Whether one refuses or asks where the other does not.
fn is_stricter(one: &ToolPermission, than: &ToolPermission) -> bool {
    let accepts = |of: &ToolPermission, text: &str| of.always_accept.iter().any(|it| &**it == text);
    match one.mode.cmp(&than.mode) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal if one.mode == ToolMode::Ask => {
            than.always_accept.iter().any(|text| !accepts(one, text))
        }
        std::cmp::Ordering::Equal => false,
    }
}

fn common(sets: &[BTreeSet<&str>]) -> Vec<String> {
    let Some((first, others)) = sets.split_first() else {
        return Vec::new();
    };
    let in_all = |text: &&&str| others.iter().all(|set| set.contains(**text));
    first
        .iter()
        .filter(in_all)
        .map(|text| (*text).to_owned())
        .collect()
}

/// The settings of a tool, by author. One that cannot be read counts as the default: to ask.
fn settings(shared: &Shared, tool: &str) -> BTreeMap<NodeId, ToolPermission> {
    let of_tool = counted(shared, Kind::TOOL_PERMISSION);
    let of_tool = of_tool.filter(|signed| &*signed.record.id == tool);
    let read = of_tool.filter_map(|signed| {
        let value = signed.record.value.as_ref()?;
        let setting = ToolPermission::decode(value).unwrap_or_default();
        (!setting.unset).then_some((signed.record.author, setting))
    });
    read.collect()
}
