//! What a node says of itself, for people and for scripts.

use crate::print;
use anyhow::{Result, bail};
use messages::observer::{Fact, Snapshot};
use messages::ports::control::TicketRow;
use node::control::{About, Request, Response, ask};
use node::status_json;
use serde_json::{Value, json};
use std::path::Path;

/// `mesh-node status`.
pub(crate) fn show(home: &Path, as_json: bool) -> Result<()> {
    let (about, snapshot) = snapshot_of(home)?;
    let why_not = about.why_not.as_deref();
    let value = status_json(about.node, about.boot, &about.version, why_not, &snapshot);
    if as_json {
        print::json(&value);
        return Ok(());
    }
    print::line(&format!("node       {}", about.node));
    print::line(&format!(
        "version    {} (boot {})",
        about.version, about.boot
    ));
    let ready = why_not.map_or_else(|| "yes".to_owned(), |why| format!("no: {why}"));
    print::line(&format!("ready      {ready}"));
    print::line(&format!("api        http://{}/v1", about.api));
    print::line(&format!("management http://{}", about.console));
    let list = |key: &str| value[key].as_array().cloned().unwrap_or_default();
    for network in list("networks") {
        print::line(&format!(
            "network    {} members {} active {}",
            text(&network["id"]),
            network["members"],
            network["active"]
        ));
        if let Some(refused) = network["refused"].as_str() {
            print::line(&format!("           refused: {refused}"));
        }
        for away in network["unreached"].as_array().into_iter().flatten() {
            let (node, why) = (text(&away["node"]), text(&away["why"]));
            print::line(&format!("           not reached: {node}: {why}"));
        }
    }
    for peer in list("peers") {
        print::line(&format!(
            "peer       {} {} {} rtt {} µs",
            text(&peer["node"]),
            text(&peer["phase"]),
            text(&peer["path"]),
            peer["rtt_us"]
        ));
    }
    for model in list("models") {
        print::line(&format!("model      {}", text(&model["id"])));
    }
    for actor in list("actors")
        .iter()
        .filter(|actor| actor["state"] != "running")
    {
        print::line(&format!(
            "actor      {} {}",
            text(&actor["address"]),
            text(&actor["state"])
        ));
    }
    Ok(())
}

/// `mesh-node models`.
pub(crate) fn models(home: &Path, as_json: bool) -> Result<()> {
    let (_, snapshot) = snapshot_of(home)?;
    let mut rows = Vec::new();
    for (_, fact) in &snapshot.facts {
        if let Fact::Models(models) = fact {
            rows.extend(models.iter().cloned());
        }
    }
    if as_json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|model| {
                let (id, digest) = (model.name.to_string(), model.model.to_string());
                json!({ "id": id, "digest": digest, "context": model.context })
            })
            .collect();
        print::json(&json!({ "models": rows }));
    } else {
        for model in rows {
            print::line(&model.name);
        }
    }
    Ok(())
}

/// `mesh-node ticket list`.
pub(crate) fn tickets(rows: &[TicketRow], as_json: bool) {
    if as_json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|row| {
                json!({
                    "ticket": row.ticket.to_string(),
                    "name": row.name.to_string(),
                    "issued": row.issued.as_secs(),
                    "expires": row.expires.map(messages::Wall::as_secs),
                    "revoked": row.revoked,
                })
            })
            .collect();
        return print::json(&json!({ "tickets": rows }));
    }
    for row in rows {
        let state = if row.revoked { "revoked" } else { "valid" };
        let line = format!("{} {state} {}", row.ticket, &*row.name);
        print::line(line.trim_end());
    }
}

pub(super) fn snapshot_of(home: &Path) -> Result<(About, Snapshot)> {
    match ask(home, &Request::Status)? {
        Response::Status(about, snapshot) => Ok((about, *snapshot)),
        Response::Refused(why) => bail!("{why}"),
        Response::Ticket(_)
        | Response::Tickets(_)
        | Response::Shared(_)
        | Response::Joined(_)
        | Response::Done => {
            bail!("the node answered another question")
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}
