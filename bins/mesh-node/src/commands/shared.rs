//! Prompts, tool permissions and the settings of a network, of the running node.

use super::status::snapshot_of;
use crate::cli::{Mode, NetworkCommand, Permissions, Prompts};
use crate::print;
use anyhow::{Context, Result, bail};
use messages::gossip_store::{AdminRequest, CHANGED, Fact, PromptPolicy, Setting, Shared, Trusted};
use messages::{Kind, NetworkId, NodeId, ToolMode};
use node::catalog::{
    EditError, Effective, PermissionEdit, PromptEdit, decide, edit_permission, edit_prompt,
    permission, permissions, prompt, prompts, remove_prompt, unset_permission,
};
use node::control::{Request, Response, ask};
use node::store::random_bytes;
use node::{
    decision_name, meant_network, mode_name, permission_json, permissions_json, policy_name,
    prompt_json, prompts_json, settings_json,
};
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// How often an edit is made from what others said meanwhile.
const TRIES: usize = 8;

/// The wait before that: a write to a disk that is not slow.
const WRITE_WAIT: Duration = Duration::from_millis(50);

/// Whoever is asked: a running node, for one of its networks.
#[derive(Clone, Copy)]
pub(crate) struct Desk<'a> {
    home: &'a Path,
    network: Option<NetworkId>,
    as_json: bool,
}

impl<'a> Desk<'a> {
    pub(crate) fn new(home: &'a Path, network: Option<&str>, as_json: bool) -> Result<Self> {
        let network = match network {
            Some(text) => Some(text.parse().context("--network: no network's id")?),
            None => {
                let (about, snapshot) = snapshot_of(home)?;
                meant_network(about.node, &snapshot)
            }
        };
        Ok(Self {
            home,
            network,
            as_json,
        })
    }

    fn ask(self, request: AdminRequest) -> Result<Response> {
        let network = self.network;
        match ask(self.home, &Request::Records { network, request })? {
            Response::Refused(why) => bail!("{why}"),
            answer @ (Response::Shared(_) | Response::Done) => Ok(answer),
            Response::Status(..)
            | Response::Ticket(_)
            | Response::Tickets(_)
            | Response::Joined(_) => bail!("the node answered another question"),
        }
    }

    fn read(self, kind: Kind) -> Result<Shared> {
        if let Response::Shared(shared) = self.ask(AdminRequest::Read(kind))? {
            return Ok(*shared);
        }
        bail!("the node answered another question")
    }

    /// Says what comes of the records as they are; once more where somebody else was faster.
    fn say(
        self,
        kind: Kind,
        edit: impl Fn(&Shared) -> Result<Option<Fact>, EditError>,
    ) -> Result<()> {
        let mut tries = TRIES;
        loop {
            let Some(fact) = edit(&self.read(kind)?)? else {
                return Ok(());
            };
            match self.ask(AdminRequest::Say(vec![fact])) {
                Err(why) if why.to_string() == CHANGED && tries > 1 => {
                    tries -= 1;
                    // What the other one said is read once it is durable.
                    std::thread::sleep(WRITE_WAIT);
                }
                said => return said.map(drop),
            }
        }
    }

    fn done(self, what: &str) {
        if self.as_json {
            print::json(&json!({ "done": true }));
        } else {
            print::line(what);
        }
    }
}

/// `mesh-node prompts …`.
pub(crate) fn of_prompts(desk: Desk<'_>, command: Prompts) -> Result<()> {
    match command {
        Prompts::Add {
            id,
            name,
            system,
            user,
        } => {
            let id = id.map_or_else(new_id, Ok)?;
            let edit = PromptEdit {
                name: Some(name),
                system,
                user,
            };
            let added = |shared: &Shared| edit_prompt(shared, &id, &edit, true).map(Some);
            desk.say(Kind::PROMPT, added)?;
            if desk.as_json {
                print::json(&json!({ "id": id }));
            } else {
                print::line(&id);
            }
        }
        Prompts::Edit {
            id,
            name,
            system,
            user,
        } => {
            let edit = PromptEdit { name, system, user };
            let edited = |shared: &Shared| edit_prompt(shared, &id, &edit, false).map(Some);
            desk.say(Kind::PROMPT, edited)?;
            desk.done("changed");
        }
        Prompts::Remove { id } => {
            let removed = |shared: &Shared| remove_prompt(shared, &id).map(Some);
            desk.say(Kind::PROMPT, removed)?;
            desk.done("removed");
        }
        Prompts::List => list(desk, &desk.read(Kind::PROMPT)?),
        Prompts::Show { id } => {
            let shared = desk.read(Kind::PROMPT)?;
            let row = prompt(&shared, &id).with_context(|| format!("there is no prompt {id}"))?;
            if desk.as_json {
                print::json(&prompt_json(&shared, &row));
                return Ok(());
            }
            print::line(&format!("id      {}", row.id));
            print::line(&format!("name    {}", row.prompt.name));
            print::line(&format!("author  {}", row.author));
            print::line(&format!("system  {}", row.prompt.system));
            print::line(&format!("user    {}", row.prompt.user));
        }
    }
    Ok(())
}

fn list(desk: Desk<'_>, shared: &Shared) {
    if desk.as_json {
        return print::json(&prompts_json(shared));
    }
    for row in prompts(shared) {
        let whose = match row.author == shared.me {
            true => "mine".to_owned(),
            false => format!("of {}", row.author),
        };
        print::line(&format!("{} {} {whose}", row.id, row.prompt.name));
    }
    left_out(shared);
}

fn left_out(shared: &Shared) {
    if shared.left_out > 0 {
        print::line(&format!("and {} older records", shared.left_out));
    }
}

/// `mesh-node permissions …`.
pub(crate) fn of_permissions(desk: Desk<'_>, command: Permissions) -> Result<()> {
    match command {
        Permissions::Show { tool: None } => {
            let shared = desk.read(Kind::TOOL_PERMISSION)?;
            if desk.as_json {
                print::json(&permissions_json(&shared));
                return Ok(());
            }
            for one in permissions(&shared) {
                print::line(&in_words(&one));
            }
            left_out(&shared);
        }
        Permissions::Show { tool: Some(tool) } => {
            let one = permission(&desk.read(Kind::TOOL_PERMISSION)?, &tool);
            if desk.as_json {
                print::json(&permission_json(&one));
            } else {
                print::line(&in_words(&one));
            }
        }
        Permissions::Set { unset, tool, .. } if unset => {
            let unset = |shared: &Shared| unset_permission(shared, &tool);
            desk.say(Kind::TOOL_PERMISSION, unset)?;
            desk.done("unset");
        }
        Permissions::Set {
            tool,
            mode,
            always_accept,
            ..
        } => {
            let edit = PermissionEdit {
                mode: mode.map(|mode| match mode {
                    Mode::Ask => ToolMode::Ask,
                    Mode::AcceptAll => ToolMode::AcceptAll,
                    Mode::Denied => ToolMode::Denied,
                }),
                always_accept: (!always_accept.is_empty()).then_some(always_accept),
            };
            if edit == PermissionEdit::default() {
                bail!("say what changes: --mode, --always-accept or --unset");
            }
            let set = |shared: &Shared| edit_permission(shared, &tool, &edit).map(Some);
            desk.say(Kind::TOOL_PERMISSION, set)?;
            desk.done("set");
        }
        Permissions::Check { tool, command } => {
            let shared = desk.read(Kind::TOOL_PERMISSION)?;
            let decision = decision_name(decide(&shared, &tool, &command));
            if desk.as_json {
                print::json(&json!({ "decision": decision }));
            } else {
                print::line(decision);
            }
        }
    }
    Ok(())
}

fn in_words(one: &Effective) -> String {
    let mut line = format!("{} {}", one.tool, mode_name(one.mode));
    for command in &one.always_accept {
        let _ = write!(line, ", runs {command:?}");
    }
    match &one.own {
        None => line.push_str(", not set here"),
        Some(own) if own.mode != one.mode => {
            let _ = write!(line, ", set here to {}", mode_name(own.mode));
        }
        Some(_) => {}
    }
    for author in &one.tightened_by {
        let _ = write!(line, ", tightened by {author}");
    }
    line
}

/// `mesh-node network …`.
pub(crate) fn of_network(desk: Desk<'_>, command: NetworkCommand) -> Result<()> {
    match command {
        NetworkCommand::Show => {
            let shared = desk.read(Kind::PROMPT)?;
            if desk.as_json {
                print::json(&settings_json(&shared));
                return Ok(());
            }
            let settings = &shared.settings;
            let on = if settings.auto_gossip { "on" } else { "off" };
            print::line(&format!("network     {}", shared.network));
            print::line(&format!("auto-gossip {on}"));
            let trusted = match &settings.trusted {
                Trusted::All => "all".to_owned(),
                Trusted::Only(nodes) if nodes.is_empty() => "none".to_owned(),
                Trusted::Only(nodes) => {
                    let nodes: Vec<String> = nodes.iter().map(NodeId::to_string).collect();
                    nodes.join(",")
                }
            };
            print::line(&format!("trusted     {trusted}"));
            print::line(&format!("prompts     {}", policy_name(settings.prompts)));
        }
        NetworkCommand::Set { setting, value } => {
            desk.ask(AdminRequest::Set(vec![setting_of(&setting, &value)?]))?;
            desk.done("set");
        }
    }
    Ok(())
}

fn setting_of(setting: &str, value: &str) -> Result<Setting> {
    Ok(match (setting, value) {
        ("auto-gossip", "on") => Setting::AutoGossip(true),
        ("auto-gossip", "off") => Setting::AutoGossip(false),
        ("prompts", "newest") => Setting::Prompts(PromptPolicy::Newest),
        ("prompts", "own") => Setting::Prompts(PromptPolicy::Own),
        ("trusted", "all") => Setting::Trusted(Trusted::All),
        ("trusted", "none") => Setting::Trusted(Trusted::Only(Vec::new().try_into()?)),
        ("trusted", nodes) => {
            let wrong = || format!("trusted {nodes}: write all, none, or node ids with commas");
            let nodes: Result<Vec<NodeId>, _> = nodes.split(',').map(str::parse).collect();
            let nodes = nodes.ok().and_then(|nodes| nodes.try_into().ok());
            Setting::Trusted(Trusted::Only(nodes.with_context(wrong)?))
        }
        _ => bail!(
            "{setting} {value}: write auto-gossip on|off, prompts newest|own, or trusted \
             all|none|NODE,…"
        ),
    })
}

/// An id that no prompt has yet.
fn new_id() -> Result<String> {
    let bytes: [u8; 32] = random_bytes().context("no random bytes")?;
    let (first, _) = bytes.split_at(8);
    let number = first
        .iter()
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    Ok(format!("prm-{number:016x}"))
}
