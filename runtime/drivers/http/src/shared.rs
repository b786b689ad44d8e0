//! What members share as JSON: the bodies of the management API, and the output of the commands.

use catalog::{Decision, Effective, PromptRow, permissions, prompts};
use messages::gossip_store::{PromptPolicy, Shared, Trusted};
use messages::observer::{Fact, FactKey, Snapshot};
use messages::{NetworkId, NodeId, ToolMode, ToolPermission};
use serde_json::{Value, json};

/// The network that is meant where none is named: the one that the node has joined, if that is
/// exactly one, and else its own.
#[must_use]
pub fn meant_network(me: NodeId, snapshot: &Snapshot) -> Option<NetworkId> {
    let of_fact = |(key, fact): &(FactKey, Fact)| match (key, fact) {
        (FactKey::Network(id), Fact::Network(fact)) => Some((*id, fact.owner == me)),
        (
            FactKey::Network(_) | FactKey::Peer(..) | FactKey::Device(_) | FactKey::Models,
            Fact::Network(_) | Fact::Peer(_) | Fact::Device(_) | Fact::Models(_),
        ) => None,
    };
    let all: Vec<(NetworkId, bool)> = snapshot.facts.iter().filter_map(of_fact).collect();
    let mut joined = all.iter().filter(|(_, is_own)| !is_own);
    match (joined.next(), joined.next()) {
        (Some((only, _)), None) => Some(*only),
        (Some(_) | None, _) => all.iter().find(|(_, is_own)| *is_own).map(|(own, _)| *own),
    }
}

/// The prompts that are in force. Keys are only ever added.
///
/// ```text
/// prompts[]  id, name, system, user, author, mine, stamp_us
/// left_out   records that were too many for one answer: the oldest
/// ```
#[must_use]
pub fn prompts_json(shared: &Shared) -> Value {
    let rows = prompts(shared);
    json!({
        "prompts": rows.iter().map(|row| prompt_json(shared, row)).collect::<Vec<_>>(),
        "left_out": shared.left_out,
    })
}

/// One of them.
#[must_use]
pub fn prompt_json(shared: &Shared, row: &PromptRow) -> Value {
    json!({
        "id": row.id,
        "name": &*row.prompt.name,
        "system": &*row.prompt.system,
        "user": &*row.prompt.user,
        "author": row.author.to_string(),
        "mine": row.author == shared.me,
        "stamp_us": row.stamp.0,
    })
}

/// What tools may do here. Keys are only ever added.
///
/// ```text
/// permissions[]  tool, mode (ask|accept_all|denied), always_accept[]: what is in force,
///                own (mode, always_accept[]): this node's setting, or null,
///                tightened_by[]: members whose settings are stricter than it
/// left_out       records that were too many for one answer: the oldest
/// ```
#[must_use]
pub fn permissions_json(shared: &Shared) -> Value {
    let all = permissions(shared);
    json!({
        "permissions": all.iter().map(permission_json).collect::<Vec<_>>(),
        "left_out": shared.left_out,
    })
}

/// One of them.
#[must_use]
pub fn permission_json(effective: &Effective) -> Value {
    let own = |own: &ToolPermission| {
        let commands: Vec<&str> = own.always_accept.iter().map(|text| &**text).collect();
        json!({ "mode": mode_name(own.mode), "always_accept": commands })
    };
    json!({
        "tool": effective.tool,
        "mode": mode_name(effective.mode),
        "always_accept": effective.always_accept,
        "own": effective.own.as_ref().map(own),
        "tightened_by": effective.tightened_by.iter().map(NodeId::to_string).collect::<Vec<_>>(),
    })
}

/// A network's settings on this node. Keys are only ever added.
///
/// ```text
/// network, auto_gossip, trusted ("all", or node ids), prompts (newest|own)
/// ```
#[must_use]
pub fn settings_json(shared: &Shared) -> Value {
    let trusted = match &shared.settings.trusted {
        Trusted::All => json!("all"),
        Trusted::Only(nodes) => {
            json!(nodes.iter().map(NodeId::to_string).collect::<Vec<_>>())
        }
    };
    json!({
        "network": shared.network.to_string(),
        "auto_gossip": shared.settings.auto_gossip,
        "trusted": trusted,
        "prompts": policy_name(shared.settings.prompts),
    })
}

/// `ask`, `accept_all`, `denied`.
#[must_use]
pub const fn mode_name(mode: ToolMode) -> &'static str {
    match mode {
        ToolMode::Ask => "ask",
        ToolMode::AcceptAll => "accept_all",
        ToolMode::Denied => "denied",
    }
}

/// `run`, `ask`, `refuse`.
#[must_use]
pub const fn decision_name(decision: Decision) -> &'static str {
    match decision {
        Decision::Run => "run",
        Decision::Ask => "ask",
        Decision::Refuse => "refuse",
    }
}

/// `newest`, `own`.
#[must_use]
pub const fn policy_name(policy: PromptPolicy) -> &'static str {
    match policy {
        PromptPolicy::Newest => "newest",
        PromptPolicy::Own => "own",
    }
}
