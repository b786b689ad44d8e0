//! `config.toml`: the human's file. Read only; unknown keys are named, never dropped in silence.

use crate::cli::{EngineKind, LogForm, Serve, read_address};
use anyhow::{Context, Result, anyhow, bail, ensure};
use messages::Neighbourhood;
use node::{Config, Engine};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// The API's port.
const API_PORT: u16 = 9337;
/// The management API's port.
const CONSOLE_PORT: u16 = 3131;
/// Tokens per second of the scripted engine: a brisk reader's speed.
const SCRIPTED_RATE: u32 = 50;
/// How much of a faulty line is shown.
const LINE_CHARS_MAX: usize = 80;
/// What `init` writes: every key, commented out.
pub(crate) const TEMPLATE: &str = "\
# mesh-node reads this file and never writes it. Flags win over it.
# Check it with: mesh-node config check

# models = [\"builtin\"]           # builtin, a .gguf path, a name in the models folder
# engine = \"llama\"               # or \"scripted\", for tests
# scripted_rate = 50             # tokens per second of the scripted engine
# api = \"127.0.0.1:9337\"         # the OpenAI-compatible API
# console = \"127.0.0.1:3131\"     # the management API
# listen = [\"0.0.0.0:7337\", \"[::]:7337\"]  # where peers connect (UDP)
# neighbours_sought = 64         # with fewer sessions in a network it dials other members
# neighbours_kept = 256          # with more it lets idle ones go; at least 4 x neighbours_sought
# api_key_file = \"api.key\"       # required where api is not loopback
# log = \"pretty\"                 # or \"json\"
";

/// The file's keys.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct File {
    pub(crate) models: Vec<String>,
    pub(crate) engine: Option<String>,
    pub(crate) scripted_rate: Option<u32>,
    #[serde(deserialize_with = "some_address")]
    pub(crate) api: Option<SocketAddr>,
    #[serde(deserialize_with = "some_address")]
    pub(crate) console: Option<SocketAddr>,
    #[serde(deserialize_with = "addresses")]
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) neighbours_sought: Option<u16>,
    pub(crate) neighbours_kept: Option<u16>,
    pub(crate) api_key_file: Option<PathBuf>,
    pub(crate) log: Option<String>,
}

fn some_address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(from)?;
    read_address(&text).map(Some).map_err(D::Error::custom)
}

fn addresses<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SocketAddr>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let read = texts.iter().map(|text| read_address(text));
    read.collect::<Result<_, _>>().map_err(D::Error::custom)
}

/// All keys of the file.
pub(crate) const KEYS: [&str; 10] = [
    "models",
    "engine",
    "scripted_rate",
    "api",
    "console",
    "listen",
    "neighbours_sought",
    "neighbours_kept",
    "api_key_file",
    "log",
];

impl File {
    /// Reads the file of a home; the defaults where there is none. Gives the unknown keys too.
    pub(crate) fn read(home: &Path) -> Result<(Self, Vec<String>)> {
        let path = home.join("config.toml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            // Whether the home can be one at all is said when it is opened.
            Err(error)
                if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) =>
            {
                String::new()
            }
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    pub(crate) fn parse(text: &str) -> Result<(Self, Vec<String>)> {
        let table: toml::Table = toml::from_str(text).map_err(|error| fault(text, &error))?;
        let known = |key: &&String| !KEYS.contains(&key.as_str());
        let unknown = table.keys().filter(known).cloned().collect();
        let file: Self = toml::from_str(text).map_err(|error| fault(text, &error))?;
        file.engine()?;
        file.log()?;
        file.neighbourhood()?;
        Ok((file, unknown))
    }

    /// How many sessions are looked for and kept. Whoever says one gets the other in proportion.
    fn neighbourhood(&self) -> Result<Neighbourhood> {
        let default = Neighbourhood::DEFAULT;
        let (seek, keep) = match (self.neighbours_sought, self.neighbours_kept) {
            (None, None) => return Ok(default),
            (Some(seek), Some(keep)) => (seek, keep),
            (Some(seek), None) => (seek, seek.saturating_mul(4)),
            (None, Some(keep)) => ((keep / 4).max(1), keep),
        };
        Neighbourhood::new(seek, keep)
            .map_err(|why| anyhow!("neighbours_sought = {seek}, neighbours_kept = {keep}: {why}"))
    }

    pub(crate) fn engine(&self) -> Result<Option<EngineKind>> {
        match self.engine.as_deref() {
            None => Ok(None),
            Some("llama") => Ok(Some(EngineKind::Llama)),
            Some("scripted") => Ok(Some(EngineKind::Scripted)),
            Some(other) => bail!("engine = \"{other}\": use \"llama\" or \"scripted\""),
        }
    }

    pub(crate) fn log(&self) -> Result<Option<LogForm>> {
        match self.log.as_deref() {
            None => Ok(None),
            Some("pretty") => Ok(Some(LogForm::Pretty)),
            Some("json") => Ok(Some(LogForm::Json)),
            Some(other) => bail!("log = \"{other}\": use \"pretty\" or \"json\""),
        }
    }
}

/// One line on what cannot be read, with the line of the file.
fn fault(text: &str, error: &toml::de::Error) -> anyhow::Error {
    let why = error.message().lines().collect::<Vec<_>>().join(", ");
    let before = error.span().and_then(|span| text.get(..span.start));
    match before.map(|before| before.matches('\n').count()) {
        Some(n) => {
            let line = text.lines().nth(n).unwrap_or_default().trim();
            let line: String = line.chars().take(LINE_CHARS_MAX).collect();
            anyhow!("line {} (`{line}`): {why}", n + 1)
        }
        None => anyhow!("{why}"),
    }
}

/// The configuration in force: a flag wins over a variable, a variable over the file.
pub(crate) fn config(home: &Path, file: &File, serve: &Serve) -> Result<Config> {
    let rate = serve
        .scripted_rate
        .or(file.scripted_rate)
        .unwrap_or(SCRIPTED_RATE);
    let engine = match serve.engine.or(file.engine()?).unwrap_or(EngineKind::Llama) {
        EngineKind::Llama => Engine::Llama,
        EngineKind::Scripted => Engine::Scripted { rate },
    };
    let key_file = serve.api_key_file.clone();
    let key_file = key_file.or_else(|| file.api_key_file.as_ref().map(|path| home.join(path)));
    let api_key = key_file
        .map(|path| {
            std::fs::read_to_string(&path).with_context(|| {
                let at = place(home, serve.api_key_file.is_some(), "api_key_file");
                format!("{at}: the API key file {}", path.display())
            })
        })
        .transpose()?;
    Ok(Config {
        home: home.to_owned(),
        runtime: runtime(),
        api: address(serve.api, "MESH_API_PORT", file.api, API_PORT)?,
        console: address(
            serve.console,
            "MESH_CONSOLE_PORT",
            file.console,
            CONSOLE_PORT,
        )?,
        listen: if serve.listen.is_empty() {
            file.listen.clone()
        } else {
            serve.listen.clone()
        },
        models: if serve.models.is_empty() {
            file.models.clone()
        } else {
            serve.models.clone()
        },
        engine,
        neighbourhood: file.neighbourhood()?,
        join: serve.join.clone(),
        api_key,
        engine_command: engine_command()?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Where a value comes from that is at fault: the flag, or the file and its key.
pub(crate) fn place(home: &Path, is_flag: bool, key: &str) -> String {
    if is_flag {
        return format!("--{}", key.replace('_', "-"));
    }
    format!("{}: {key}", home.join("config.toml").display())
}

/// A flag, else the variable's port on the file's or the loopback address.
fn address(
    flag: Option<SocketAddr>,
    variable: &str,
    file: Option<SocketAddr>,
    port: u16,
) -> Result<SocketAddr> {
    let mut address = file.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, port).into());
    #[expect(clippy::disallowed_methods, reason = "binaries read the environment")]
    match std::env::var(variable) {
        Ok(text) => {
            let port: u16 = text.parse().unwrap_or(0);
            ensure!(
                port != 0,
                "{variable}={text}: a port is a number from 1 to 65535"
            );
            address.set_port(port);
        }
        Err(std::env::VarError::NotPresent) => {}
        Err(error) => bail!("{variable}: {error}"),
    }
    // Nonsense in the variable is said even where the flag wins.
    Ok(flag.unwrap_or(address))
}

/// Where sockets lie that do not fit the home.
#[expect(clippy::disallowed_methods, reason = "binaries read the environment")]
fn runtime() -> PathBuf {
    std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from)
}

fn engine_command() -> Result<Vec<String>> {
    let binary = std::env::current_exe().context("the path of this program")?;
    let binary = binary
        .to_str()
        .context("this program's path is not UTF-8")?
        .to_owned();
    Ok(vec![binary])
}

/// The home that a command means.
pub(crate) fn home(given: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(home) = given {
        return std::path::absolute(&home).with_context(|| home.display().to_string());
    }
    #[expect(clippy::disallowed_methods, reason = "binaries read the environment")]
    let data = match (std::env::var_os("XDG_DATA_HOME"), std::env::var_os("HOME")) {
        (Some(data), _) if !data.is_empty() => PathBuf::from(data),
        (_, Some(home)) if !home.is_empty() => PathBuf::from(home).join(".local/share"),
        _ => bail!("neither --home, XDG_DATA_HOME nor HOME says where the node's folder is"),
    };
    Ok(data.join("mesh-node"))
}
