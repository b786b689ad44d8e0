//! Commands that ask a running node, or look at a home.

mod config;
mod shared;
mod status;

use crate::cli::{Cli, Command, Config as ConfigCommand, Identity, Ticket};
use crate::file::{self, TEMPLATE};
use crate::{print, serve};
use anyhow::{Context, Result, bail};
use messages::{Ticket as Invitation, TicketKey, Wall};
use node::control::{ClientError, Request, Response, ask};
use node::membership_of;
use node::store::{Database, Home, load_or_create};
use serde_json::json;
use shared::Desk;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long `stop` waits for the node to be gone.
const STOP_WAIT: Duration = Duration::from_secs(20);
/// How often it looks.
const STOP_LOOK: Duration = Duration::from_millis(50);

/// Carries out a command.
pub(crate) fn run(cli: Cli) -> Result<ExitCode> {
    if let Command::Version = cli.command {
        version(cli.json);
        return Ok(ExitCode::SUCCESS);
    }
    let home = file::home(cli.home)?;
    match cli.command {
        Command::Serve(arguments) => return serve::run(&home, &arguments, cli.json),
        Command::Init => init(&home, cli.json)?,
        Command::Ticket { command } => ticket(&home, command, cli.json)?,
        Command::Join { ticket } => join(&home, ticket, cli.json)?,
        Command::Status => status::show(&home, cli.json)?,
        Command::Models => status::models(&home, cli.json)?,
        Command::Prompts { of, command } => {
            shared::of_prompts(Desk::new(&home, of.network.as_deref(), cli.json)?, command)?;
        }
        Command::Permissions { of, command } => {
            shared::of_permissions(Desk::new(&home, of.network.as_deref(), cli.json)?, command)?;
        }
        Command::Network { of, command } => {
            shared::of_network(Desk::new(&home, of.network.as_deref(), cli.json)?, command)?;
        }
        Command::Stop => stop(&home, cli.json)?,
        Command::Config {
            command: ConfigCommand::Check,
        } => return config::check(&home, cli.json),
        Command::Config {
            command: ConfigCommand::Show,
        } => config::show(&home, cli.json)?,
        Command::Identity {
            command: Identity::Show,
        } => identity(&home, cli.json)?,
        Command::Version => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn version(as_json: bool) {
    let version = env!("CARGO_PKG_VERSION");
    if as_json {
        print::json(&json!({ "version": version, "protocol": messages::wire::latest::VERSION }));
    } else {
        print::line(&format!("mesh-node {version}"));
    }
}

fn init(path: &Path, as_json: bool) -> Result<()> {
    let home = Home::open(path)?;
    let signer = load_or_create(&home)?;
    Database::open(&home)?;
    let config = home.path().join("config.toml");
    if !config.exists() {
        std::fs::write(&config, TEMPLATE).with_context(|| config.display().to_string())?;
    }
    let node = node::id_of(&signer).to_string();
    if as_json {
        print::json(&json!({ "home": home.path(), "node": node }));
    } else {
        print::line(&format!("home {}", home.path().display()));
        print::line(&format!("node {node}"));
    }
    Ok(())
}

fn ticket(home: &Path, command: Ticket, as_json: bool) -> Result<()> {
    let request = match command {
        Ticket::New { name, expires_in } => {
            let expires = expires_in.as_deref().map(expiry).transpose()?;
            Request::TicketNew {
                network: None,
                name,
                expires,
            }
        }
        Ticket::List => Request::TicketList { network: None },
        Ticket::Revoke { ticket } => {
            let key = match ticket.parse::<TicketKey>() {
                Ok(key) => key,
                Err(_) => Invitation::parse(&ticket)
                    .map(|ticket| ticket.grant.grant.ticket)
                    .context("neither a ticket's key nor a ticket")?,
            };
            Request::TicketRevoke {
                network: None,
                ticket: key,
            }
        }
    };
    match ask(home, &request)? {
        Response::Ticket(text) if as_json => print::json(&json!({ "ticket": text })),
        Response::Ticket(text) => print::line(&text),
        Response::Tickets(rows) => status::tickets(&rows, as_json),
        Response::Done if as_json => print::json(&json!({ "done": true })),
        Response::Done => print::line("revoked"),
        Response::Refused(why) => bail!("{why}"),
        Response::Status(..) | Response::Joined(_) | Response::Shared(_) => {
            bail!("the node answered another question")
        }
    }
    Ok(())
}

fn join(path: &Path, ticket: String, as_json: bool) -> Result<()> {
    let network = match ask(
        path,
        &Request::Join {
            ticket: ticket.clone(),
        },
    ) {
        Ok(Response::Joined(network)) => network,
        Ok(Response::Refused(why)) => bail!("{why}"),
        Ok(_) => bail!("the node answered another question"),
        Err(ClientError::NotRunning(_)) => {
            let home = Home::open(path)?;
            let signer = load_or_create(&home)?;
            let joined = membership_of(&ticket, node::id_of(&signer), wall())?;
            Database::open(&home)?.join(&joined)?;
            joined.network()
        }
        Err(error) => return Err(error.into()),
    };
    if as_json {
        print::json(&json!({ "network": network.to_string() }));
    } else {
        print::line(&format!("joined {network}"));
    }
    Ok(())
}

fn stop(home: &Path, as_json: bool) -> Result<()> {
    match ask(home, &Request::Stop)? {
        Response::Done => {}
        Response::Refused(why) => bail!("{why}"),
        Response::Status(..)
        | Response::Ticket(_)
        | Response::Tickets(_)
        | Response::Shared(_)
        | Response::Joined(_) => {
            bail!("the node answered another question")
        }
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "a command line waits in real time"
    )]
    let start = Instant::now();
    while Home::open(home).is_err() {
        if start.elapsed() > STOP_WAIT {
            bail!("the node was asked to stop and still runs");
        }
        std::thread::sleep(STOP_LOOK);
    }
    if as_json {
        print::json(&json!({ "stopped": true }));
    } else {
        print::line("stopped");
    }
    Ok(())
}

fn identity(path: &Path, as_json: bool) -> Result<()> {
    let node = match ask(path, &Request::Status) {
        Ok(Response::Status(about, _)) => about.node,
        Ok(Response::Refused(why)) => bail!("{why}"),
        Ok(_) => bail!("the node answered another question"),
        Err(ClientError::NotRunning(_)) => node::id_of(&load_or_create(&Home::open(path)?)?),
        Err(error) => return Err(error.into()),
    };
    if as_json {
        print::json(&json!({ "node": node.to_string() }));
    } else {
        print::line(&node.to_string());
    }
    Ok(())
}

/// The wall time after a span like `90s`, `30m`, `12h`, `7d`.
fn expiry(text: &str) -> Result<Wall> {
    let wrong = || format!("--expires-in {text}: write 90s, 30m, 12h or 7d");
    let unit = text.chars().last().with_context(wrong)?;
    let secs = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => bail!(wrong()),
    };
    let count: u64 = text[..text.len() - 1].parse().ok().with_context(wrong)?;
    let span = count.checked_mul(secs * 1_000_000).with_context(wrong)?;
    wall().0.checked_add(span).map(Wall).with_context(wrong)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a command line has the time of its machine"
)]
fn wall() -> Wall {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Wall(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
