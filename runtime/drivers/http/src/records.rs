//! Prompts, permissions and settings of a network, on the management port.

use crate::api::percent_decoded;
use crate::call::Gate;
use crate::error::ApiError;
use crate::management;
use crate::reply::{Reply, json};
use crate::shared::{
    decision_name, meant_network, permission_json, permissions_json, prompt_json, prompts_json,
    settings_json,
};
use bytes::Bytes;
use catalog::{
    EditError, PermissionEdit, PromptEdit, decide, edit_permission, edit_prompt, permission,
    prompt, remove_prompt, unset_permission,
};
use hyper::{Method, Response, StatusCode};
use messages::gossip_store::{
    AdminRequest, CHANGED, Fact, Input, PromptPolicy, Setting, Shared, Trusted,
};
use messages::observer::Asker;
use messages::ports::control::Answer;
use messages::{Kind, Label, Letter, NetworkId, NodeId, ToolMode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long an answer may take: a durable write on a slow disk.
const ANSWER_WAIT: Duration = Duration::from_secs(15);

/// How often an edit is made from what others said meanwhile.
const TRIES: usize = 8;

/// The wait before that: a write to a disk that is not slow.
const WRITE_WAIT: Duration = Duration::from_millis(50);

/// What a path of the management API is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About<'a> {
    Prompts,
    Prompt(&'a str),
    Permissions,
    Permission(&'a str),
    Check(&'a str),
    Network,
}

/// Which one a path is about.
pub(crate) fn about(path: &str) -> Option<About<'_>> {
    let named = |name: &str| !name.is_empty() && !name.contains('/');
    match path {
        "/api/prompts" => Some(About::Prompts),
        "/api/permissions" => Some(About::Permissions),
        "/api/network" => Some(About::Network),
        _ => None,
    }
    .or_else(|| {
        let id = path.strip_prefix("/api/prompts/")?;
        named(id).then_some(About::Prompt(id))
    })
    .or_else(|| {
        let tool = path.strip_prefix("/api/permissions/")?;
        match tool.strip_suffix("/check") {
            Some(tool) => named(tool).then_some(About::Check(tool)),
            None => named(tool).then_some(About::Permission(tool)),
        }
    })
}

/// The methods that it takes.
pub(crate) const fn methods(about: About<'_>) -> &'static [Method] {
    match about {
        About::Prompts => &[Method::GET, Method::HEAD, Method::POST],
        About::Prompt(_) => &[Method::GET, Method::HEAD, Method::PATCH, Method::DELETE],
        About::Permissions => &[Method::GET, Method::HEAD],
        About::Permission(_) => &[Method::GET, Method::HEAD, Method::PUT, Method::DELETE],
        About::Check(_) => &[Method::POST],
        About::Network => &[Method::GET, Method::HEAD, Method::PATCH],
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PromptBody {
    id: Option<String>,
    name: Option<String>,
    system: Option<String>,
    user: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Ask,
    AcceptAll,
    Denied,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PermissionBody {
    mode: Option<Mode>,
    always_accept: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckBody {
    command: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkBody {
    auto_gossip: Option<bool>,
    trusted: Option<TrustedBody>,
    prompts: Option<PolicyBody>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum TrustedBody {
    Word(String),
    Nodes(Vec<String>),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PolicyBody {
    Newest,
    Own,
}

/// Answers a question about what members share, or changes it.
pub(crate) async fn serve(
    gate: &Gate,
    about: About<'_>,
    method: &Method,
    query: Option<&str>,
    body: &Bytes,
) -> Result<Response<Reply>, ApiError> {
    let network = network_of(gate, query).await?;
    let desk = Desk { gate, network };
    let name = match about {
        About::Prompt(name) | About::Permission(name) | About::Check(name) => decoded(name)?,
        About::Prompts | About::Permissions | About::Network => String::new(),
    };
    let name = name.as_str();
    match about {
        About::Prompts if method == Method::POST => desk.add_prompt(parse(body)?).await,
        About::Prompts => Ok(ok(&prompts_json(&desk.read(Kind::PROMPT).await?))),
        About::Prompt(_) if method == Method::PATCH => desk.edit(name, parse(body)?).await,
        About::Prompt(_) if method == Method::DELETE => {
            let removed = |shared: &Shared| remove_prompt(shared, name).map(Some);
            desk.say(Kind::PROMPT, removed).await
        }
        About::Prompt(_) => {
            let shared = desk.read(Kind::PROMPT).await?;
            let absent = || refusal(EditError::NoSuchPrompt(name.to_owned()));
            let row = prompt(&shared, name).ok_or_else(absent)?;
            Ok(ok(&prompt_json(&shared, &row)))
        }
        About::Permissions => {
            let shared = desk.read(Kind::TOOL_PERMISSION).await?;
            Ok(ok(&permissions_json(&shared)))
        }
        About::Permission(_) if method == Method::PUT => desk.set(name, parse(body)?).await,
        About::Permission(_) if method == Method::DELETE => {
            let unset = |shared: &Shared| unset_permission(shared, name);
            desk.say(Kind::TOOL_PERMISSION, unset).await
        }
        About::Permission(_) => {
            let shared = desk.read(Kind::TOOL_PERMISSION).await?;
            Ok(ok(&permission_json(&permission(&shared, name))))
        }
        About::Check(_) => {
            let CheckBody { command } = parse(body)?;
            let shared = desk.read(Kind::TOOL_PERMISSION).await?;
            let decision = decision_name(decide(&shared, name, &command));
            Ok(ok(&json!({ "decision": decision })))
        }
        About::Network if method == Method::PATCH => desk.change(parse(body)?).await,
        About::Network => Ok(ok(&settings_json(&desk.read(Kind::PROMPT).await?))),
    }
}

/// Whoever answers for one network.
#[derive(Clone, Copy)]
struct Desk<'a> {
    gate: &'a Gate,
    network: NetworkId,
}

impl Desk<'_> {
    async fn add_prompt(self, body: PromptBody) -> Result<Response<Reply>, ApiError> {
        let id = body.id.unwrap_or_else(|| self.gate.front.new_prompt_id());
        let edit = PromptEdit {
            name: Some(body.name.unwrap_or_default()),
            system: body.system,
            user: body.user,
        };
        let added = |shared: &Shared| edit_prompt(shared, &id, &edit, true).map(Some);
        self.say(Kind::PROMPT, added).await?;
        Ok(answer(StatusCode::CREATED, &json!({ "id": id })))
    }

    async fn edit(self, id: &str, body: PromptBody) -> Result<Response<Reply>, ApiError> {
        if body.id.is_some_and(|other| other != id) {
            return Err(ApiError::value("id", "a prompt keeps its id"));
        }
        let edit = PromptEdit {
            name: body.name,
            system: body.system,
            user: body.user,
        };
        let edited = |shared: &Shared| edit_prompt(shared, id, &edit, false).map(Some);
        self.say(Kind::PROMPT, edited).await
    }

    async fn set(self, tool: &str, body: PermissionBody) -> Result<Response<Reply>, ApiError> {
        let edit = PermissionEdit {
            mode: body.mode.map(|mode| match mode {
                Mode::Ask => ToolMode::Ask,
                Mode::AcceptAll => ToolMode::AcceptAll,
                Mode::Denied => ToolMode::Denied,
            }),
            always_accept: body.always_accept,
        };
        let set = |shared: &Shared| edit_permission(shared, tool, &edit).map(Some);
        self.say(Kind::TOOL_PERMISSION, set).await
    }

    async fn change(self, body: NetworkBody) -> Result<Response<Reply>, ApiError> {
        let trusted = body.trusted.map(trusted_of).transpose()?;
        let policy = body.prompts.map(|policy| match policy {
            PolicyBody::Newest => PromptPolicy::Newest,
            PolicyBody::Own => PromptPolicy::Own,
        });
        let changes = [
            body.auto_gossip.map(Setting::AutoGossip),
            trusted.map(Setting::Trusted),
            policy.map(Setting::Prompts),
        ];
        let changes = changes.into_iter().flatten().collect();
        let answer = self.ask(AdminRequest::Set(changes)).await?;
        if answer != Answer::Done {
            return Err(unexpected(&answer));
        }
        Ok(ok(&settings_json(&self.read(Kind::PROMPT).await?)))
    }

    async fn read(self, kind: Kind) -> Result<Shared, ApiError> {
        let answer = self.ask(AdminRequest::Read(kind)).await?;
        if let Answer::Shared(shared) = answer {
            return Ok(*shared);
        }
        Err(unexpected(&answer))
    }

    /// Says what comes of the records as they are; once more where somebody else was faster.
    async fn say(
        self,
        kind: Kind,
        edit: impl Fn(&Shared) -> Result<Option<Fact>, EditError>,
    ) -> Result<Response<Reply>, ApiError> {
        let changed = Answer::Refused(Label::truncated(CHANGED));
        let mut answer = changed.clone();
        for _ in 0..TRIES {
            answer = match edit(&self.read(kind).await?).map_err(refusal)? {
                Some(fact) => self.ask(AdminRequest::Say(vec![fact])).await?,
                None => Answer::Done,
            };
            if answer != changed {
                break;
            }
            // What the other one said is read once it is durable.
            sleep(WRITE_WAIT).await;
        }
        if answer != Answer::Done {
            return Err(unexpected(&answer));
        }
        Ok(ok(&json!({ "done": true })))
    }

    async fn ask(self, request: AdminRequest) -> Result<Answer, ApiError> {
        let (query, waiting) = self.gate.ask()?;
        let input = Input::Admin {
            query,
            asker: Asker::Gateway,
            request: Box::new(request),
        };
        self.gate
            .port
            .tell(Letter::GossipStore(self.network, input));
        match timeout(ANSWER_WAIT, waiting).await {
            Ok(Ok(answer)) => Ok(*answer),
            Ok(Err(_)) => Err(ApiError::overloaded(
                "this node is in no such network, or its records restart",
            )),
            Err(_) => {
                self.gate.answer(query, None);
                let status = StatusCode::GATEWAY_TIMEOUT;
                let message = "the records do not answer in time: look whether it was done";
                Err(ApiError::server(status, "timeout", message))
            }
        }
    }
}

/// `?network=ID`; the one that is meant without it.
async fn network_of(gate: &Gate, query: Option<&str>) -> Result<NetworkId, ApiError> {
    let Some(query) = query.filter(|query| !query.is_empty()) else {
        let snapshot = management::snapshot(gate).await?;
        let meant = meant_network(gate.front.config().me, &snapshot);
        let none = || ApiError::overloaded("the node has no network at this moment");
        return meant.ok_or_else(none);
    };
    let id = query
        .strip_prefix("network=")
        .and_then(|id| id.parse().ok());
    id.ok_or_else(|| ApiError::value("network", "write ?network= and a network's id"))
}

fn decoded(name: &str) -> Result<String, ApiError> {
    percent_decoded(name).ok_or_else(|| ApiError::value("path", "it is not percent-encoded UTF-8"))
}

fn trusted_of(body: TrustedBody) -> Result<Trusted, ApiError> {
    let wanted = "write \"all\", or a list of at most 64 node ids";
    let wrong = || ApiError::value("trusted", wanted);
    let nodes = match body {
        TrustedBody::Word(word) if word == "all" => return Ok(Trusted::All),
        TrustedBody::Word(_) => return Err(wrong()),
        TrustedBody::Nodes(nodes) => nodes,
    };
    let nodes: Result<Vec<NodeId>, _> = nodes.iter().map(|node| node.parse()).collect();
    let nodes = nodes.map_err(|_| wrong())?;
    Ok(Trusted::Only(nodes.try_into().map_err(|_| wrong())?))
}

fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        let message = format!("the body is not what this route takes: {error}");
        ApiError::request(StatusCode::BAD_REQUEST, "invalid_body", &message)
    })
}

fn refusal(error: EditError) -> ApiError {
    let (status, code) = match &error {
        EditError::NoSuchPrompt(_) => (StatusCode::NOT_FOUND, "not_found"),
        EditError::Exists(_) => (StatusCode::CONFLICT, "exists"),
        EditError::TooLong(..)
        | EditError::TooMany(_)
        | EditError::Empty(_)
        | EditError::Record(_) => (StatusCode::BAD_REQUEST, "invalid_value"),
    };
    ApiError::request(status, code, &error.to_string())
}

fn unexpected(answer: &Answer) -> ApiError {
    match answer {
        Answer::Refused(why) => ApiError::request(StatusCode::CONFLICT, "refused", why),
        Answer::Snapshot(_)
        | Answer::Ticket(_)
        | Answer::Tickets(_)
        | Answer::Shared(_)
        | Answer::Done => ApiError::overloaded("the records answered another question"),
    }
}

fn ok(body: &Value) -> Response<Reply> {
    answer(StatusCode::OK, body)
}

fn answer(status: StatusCode, body: &Value) -> Response<Reply> {
    json(status, Bytes::from(body.to_string()))
}
