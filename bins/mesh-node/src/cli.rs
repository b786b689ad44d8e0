//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Pools machines of people who trust each other behind one OpenAI-compatible endpoint.
#[derive(Debug, Parser)]
#[command(
    name = "mesh-node",
    version,
    after_help = "Example: mesh-node serve --model builtin"
)]
pub(crate) struct Cli {
    /// The node's folder [default: the platform's data directory].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Print JSON where there is output.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the node until it is stopped.
    #[command(after_help = "Examples:\n  mesh-node serve --model builtin\n  \
                      mesh-node serve --join TICKET --api 127.0.0.1:9400")]
    Serve(Serve),
    /// Make the home: key, database and a configuration to edit.
    #[command(after_help = "Example: mesh-node init --home ./alice")]
    Init,
    /// Invite nodes, list invitations, end them.
    #[command(after_help = "Example: mesh-node ticket new --name laptop --expires-in 7d")]
    Ticket {
        #[command(subcommand)]
        command: Ticket,
    },
    /// Join the network of a ticket, now or at the next start.
    #[command(after_help = "Example: mesh-node join TICKET")]
    Join {
        /// The ticket: one lowercase word.
        ticket: String,
    },
    /// Show the running node: networks, peers, models, actors.
    #[command(after_help = "Example: mesh-node status --json")]
    Status,
    /// List the models that clients of the running node may name.
    #[command(after_help = "Example: mesh-node models")]
    Models,
    /// Prompts that the members of a network share: add, edit, remove, list, show.
    #[command(after_help = "Example: mesh-node prompts add --name Tutor --system 'Explain slowly'")]
    Prompts {
        #[command(flatten)]
        of: OfNetwork,
        #[command(subcommand)]
        command: Prompts,
    },
    /// What tools may do here without being asked: the strictest of this node's setting and those
    /// of trusted members.
    #[command(after_help = "Example: mesh-node permissions set shell --mode ask \
                      --always-accept 'git status'")]
    Permissions {
        #[command(flatten)]
        of: OfNetwork,
        #[command(subcommand)]
        command: Permissions,
    },
    /// Show or change what this node does in a network.
    #[command(after_help = "Example: mesh-node network set auto-gossip off")]
    Network {
        #[command(flatten)]
        of: OfNetwork,
        #[command(subcommand)]
        command: NetworkCommand,
    },
    /// Stop the running node in good order.
    #[command(after_help = "Example: mesh-node stop")]
    Stop,
    /// Check or show the configuration.
    #[command(after_help = "Example: mesh-node config check")]
    Config {
        #[command(subcommand)]
        command: Config,
    },
    /// Show who this node is.
    #[command(after_help = "Example: mesh-node identity show")]
    Identity {
        #[command(subcommand)]
        command: Identity,
    },
    /// Show the version.
    #[command(after_help = "Example: mesh-node version --json")]
    Version,
}

/// Reads an address. Names are none: a node asks no resolver.
pub(crate) fn read_address(text: &str) -> Result<SocketAddr, String> {
    let wanted = "write an IP address and a port from 0 to 65535, for example 127.0.0.1:9337";
    text.parse().map_err(|_| wanted.to_owned())
}

fn rate(text: &str) -> Result<u32, String> {
    let wanted = "write tokens per second as a whole number, for example 50";
    text.parse().map_err(|_| wanted.to_owned())
}

#[derive(Debug, Default, Args)]
pub(crate) struct Serve {
    /// A model to serve; repeat for more: `builtin`, a .gguf path, a name in the models folder.
    #[arg(long = "model", value_name = "REF")]
    pub(crate) models: Vec<String>,
    /// A ticket of a network to join; repeat for more.
    #[arg(long, value_name = "TICKET")]
    pub(crate) join: Vec<String>,
    /// Where the OpenAI-compatible API listens [default: 127.0.0.1:9337, or the port in
    /// MESH_API_PORT].
    #[arg(long, value_name = "ADDR", value_parser = read_address)]
    pub(crate) api: Option<SocketAddr>,
    /// Where the management API listens [default: 127.0.0.1:3131, or the port in
    /// MESH_CONSOLE_PORT].
    #[arg(long, value_name = "ADDR", value_parser = read_address)]
    pub(crate) console: Option<SocketAddr>,
    /// Where peers connect, UDP; repeat for more [default: every interface, IPv4 and IPv6].
    #[arg(long, value_name = "ADDR", value_parser = read_address)]
    pub(crate) listen: Vec<SocketAddr>,
    /// What runs the models [default: llama].
    #[arg(long, value_enum)]
    pub(crate) engine: Option<EngineKind>,
    /// Tokens per second of each job of the scripted engine; 0 is as fast as possible
    /// [default: 50].
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(crate) scripted_rate: Option<u32>,
    /// A file whose one line clients must present as their API key.
    #[arg(long, value_name = "FILE")]
    pub(crate) api_key_file: Option<PathBuf>,
    /// How logs are written to standard error [default: pretty]; `MESH_LOG` chooses which, as in
    /// `warn,job=info`.
    #[arg(long, value_enum)]
    pub(crate) log: Option<LogForm>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineKind {
    /// llama.cpp, in a child process.
    Llama,
    /// Deterministic tokens, for tests.
    Scripted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogForm {
    /// For people.
    Pretty,
    /// One object a line.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Ticket {
    /// Make a ticket for the running node's own network and print it alone.
    #[command(after_help = "Example: mesh-node ticket new --name laptop --expires-in 7d")]
    New {
        /// What to call it.
        #[arg(long, default_value = "")]
        name: String,
        /// When the membership that it grants ends: 90s, 30m, 12h, 7d; without it: never.
        #[arg(long, value_name = "TIME")]
        expires_in: Option<String>,
    },
    /// List the tickets that this node issued.
    #[command(after_help = "Example: mesh-node ticket list")]
    List,
    /// End what a ticket grants, wherever it is in use.
    #[command(after_help = "Example: mesh-node ticket revoke KEY")]
    Revoke {
        /// The ticket's key, as `ticket list` shows it, or the ticket itself.
        ticket: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct OfNetwork {
    /// Of which network, by its id [default: the one that the node has joined, if that is exactly
    /// one; else its own].
    #[arg(long, value_name = "ID", global = true)]
    pub(crate) network: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Prompts {
    /// Add a prompt and print its id alone.
    #[command(after_help = "Example: mesh-node prompts add --name Tutor --system 'Explain slowly'")]
    Add {
        /// What people call it.
        #[arg(long)]
        name: String,
        /// What the model is told first.
        #[arg(long)]
        system: Option<String>,
        /// What a human's first message begins with.
        #[arg(long)]
        user: Option<String>,
        /// Its id [default: one that nobody has].
        #[arg(long)]
        id: Option<String>,
    },
    /// Change a prompt, whoever wrote it; what is not named stays.
    #[command(after_help = "Example: mesh-node prompts edit ID --name Coach")]
    Edit {
        /// Its id, as `prompts list` shows it.
        id: String,
        /// What people call it.
        #[arg(long)]
        name: Option<String>,
        /// What the model is told first.
        #[arg(long)]
        system: Option<String>,
        /// What a human's first message begins with.
        #[arg(long)]
        user: Option<String>,
    },
    /// Remove a prompt for all who trust this node.
    #[command(after_help = "Example: mesh-node prompts remove ID")]
    Remove {
        /// Its id.
        id: String,
    },
    /// List the prompts that are in force here.
    #[command(after_help = "Example: mesh-node prompts list --json")]
    List,
    /// Show one of them whole.
    #[command(after_help = "Example: mesh-node prompts show ID")]
    Show {
        /// Its id.
        id: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// A human is asked, but for commands that are always accepted.
    Ask,
    /// All commands run.
    AcceptAll,
    /// None does.
    Denied,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Permissions {
    /// Show what is in force, and why.
    #[command(after_help = "Example: mesh-node permissions show shell")]
    Show {
        /// Of which tool [default: all that anybody has set].
        tool: Option<String>,
    },
    /// Change this node's setting; what is not named stays.
    #[command(after_help = "Example: mesh-node permissions set shell --mode ask \
                      --always-accept 'git status'")]
    Set {
        /// Of which tool: shell, write_file, …
        tool: String,
        /// What it may do.
        #[arg(long, value_enum)]
        mode: Option<Mode>,
        /// A command that runs without being asked, to the letter; repeat for more. Replaces all
        /// that were set before.
        #[arg(long, value_name = "COMMAND")]
        always_accept: Vec<String>,
        /// Take the setting back.
        #[arg(long, conflicts_with_all = ["mode", "always_accept"])]
        unset: bool,
    },
    /// Say what becomes of a command: run, ask or refuse.
    #[command(after_help = "Example: mesh-node permissions check shell 'git status'")]
    Check {
        /// Of which tool.
        tool: String,
        /// The command, to the letter.
        command: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum NetworkCommand {
    /// Show the settings.
    #[command(after_help = "Example: mesh-node network show --json")]
    Show,
    /// Change one: `auto-gossip on|off`, `trusted all|none|NODE,…`, `prompts newest|own`.
    #[command(after_help = "Example: mesh-node network set auto-gossip off")]
    Set {
        /// Which.
        setting: String,
        /// To what.
        value: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Say what is wrong with config.toml, or that nothing is.
    #[command(after_help = "Example: mesh-node config check")]
    Check,
    /// Show the configuration in force.
    #[command(after_help = "Example: mesh-node config show --json")]
    Show,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Identity {
    /// Print the node id alone.
    #[command(after_help = "Example: mesh-node identity show")]
    Show,
}

#[cfg(test)]
mod tests;
