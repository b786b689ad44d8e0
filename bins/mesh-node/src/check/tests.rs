//! What is said of configurations that cannot be served.

use super::check;
use crate::cli::{Cli, Command, Serve};
use crate::file::{self, File};
use clap::Parser;
use std::fs;
use std::path::{Path, PathBuf};

/// A home that does not exist.
const NOWHERE: &str = "/no/such/home";

fn flags(arguments: &[&str]) -> Serve {
    let line = ["mesh-node", "serve"].into_iter();
    let cli = Cli::try_parse_from(line.chain(arguments.iter().copied())).unwrap();
    let Command::Serve(serve) = cli.command else {
        panic!("another command");
    };
    serve
}

/// What is said of this config.toml and these flags; nothing where all is well.
fn said(home: &Path, text: &str, arguments: &[&str]) -> Option<String> {
    let serve = flags(arguments);
    let file: File = toml::from_str(text).unwrap();
    let checked = file::config(home, &file, &serve).and_then(|config| check(&config, &serve));
    checked.err().map(|error| format!("{error:#}"))
}

#[test]
fn each_fault_of_the_file_is_a_sentence_with_its_key_and_a_way_out() {
    for (text, key, way_out) in [
        ("api = '127.0.0.1:0'", "api:", "name one"),
        ("console = '127.0.0.1:0'", "console:", "name one"),
        ("api = '0.0.0.0:9337'", "api:", "set api_key_file"),
        ("console = '[::]:3131'", "console:", "127.0.0.1:3131"),
        (
            "api_key_file = 'none'",
            "api_key_file:",
            "/no/such/home/none",
        ),
        (
            "models = ['/no/file.gguf']",
            "models",
            "/no/file.gguf is no file",
        ),
        (
            "models = ['nobody']",
            "models",
            "models/nobody.gguf is no file",
        ),
        (
            "models = ['hf://a/b/c.gguf']",
            "models",
            "models/c.gguf and name it c.gguf",
        ),
        (
            "models = ['hf://org/repo']",
            "models",
            "fetch a .gguf file of org/repo yourself, put it in the folder /no/such/home/models",
        ),
        // Tests stand in the folder of their package.
        ("models = ['Cargo.toml']", "models", "write ./Cargo.toml"),
        ("models = ['scripted']", "models", "engine = \"scripted\""),
        (
            "engine = 'scripted'\nmodels = ['builtin']",
            "models",
            "engine = \"llama\"",
        ),
    ] {
        let line = said(Path::new(NOWHERE), text, &[]);
        let line = line.unwrap_or_else(|| panic!("{text} passes"));
        let at = format!("{NOWHERE}/config.toml: {key}");
        assert!(line.starts_with(&at), "{text}: {line}");
        assert!(line.contains(way_out), "{text}: {line}");
        assert!(!line.contains("--engine") && !line.contains('\n'), "{line}");
    }
}

#[test]
fn each_fault_of_a_flag_names_the_flag_and_not_the_file() {
    for (arguments, flag, way_out) in [
        (
            &["--api", "0.0.0.0:9337"][..],
            "--api:",
            "set --api-key-file",
        ),
        (&["--console", "[::]:3131"], "--console:", "127.0.0.1:3131"),
        (&["--api-key-file", "/none"], "--api-key-file:", "/none"),
        (
            &["--api-key-file", "/dev/null"],
            "--api-key-file:",
            "one line",
        ),
        (&["--model", "nobody"], "--model nobody:", "is no file"),
        (&["--model", "scripted"], "--model", "--engine scripted"),
        (
            &["--engine", "scripted", "--model", "builtin"],
            "--model",
            "--engine llama",
        ),
    ] {
        // What the file says is well, and the flag wins.
        let line = said(Path::new(NOWHERE), "api = '127.0.0.1:1'", arguments);
        let line = line.unwrap_or_else(|| panic!("{arguments:?} passes"));
        assert!(line.starts_with(flag), "{arguments:?}: {line}");
        assert!(line.contains(way_out), "{arguments:?}: {line}");
        assert!(!line.contains("config.toml"), "{arguments:?}: {line}");
    }
}

#[test]
fn what_can_be_served_passes() {
    for text in [
        "",
        "engine = 'scripted'\nmodels = ['scripted']",
        "api = '[::1]:9337'",
    ] {
        assert_eq!(said(Path::new(NOWHERE), text, &[]), None, "{text}");
    }
}

/// A folder with a `models` folder, gone with the value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let mark = format!("mesh-check-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(mark);
        fs::create_dir_all(path.join("models")).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Nothing where this build has llama.cpp, else the sentence that it has not.
fn expect_served(line: Option<&str>) {
    assert_eq!(line.is_none(), cfg!(feature = "llama"), "{line:?}");
    for part in [
        "built without llama.cpp",
        "cargo build --release -p mesh-node",
    ] {
        assert!(line.is_none_or(|line| line.contains(part)), "{line:?}");
    }
}

#[test]
fn the_header_of_a_model_file_is_read_by_path_and_by_name() {
    let home = Folder::new("models");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    let whole = fs::read(sources.join("../../runtime/drivers/llama/model/builtin.gguf")).unwrap();
    let mut swollen = whole[..64].to_vec();
    // A count of keys that no file holds.
    swollen[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
    for (name, bytes, hint) in [
        ("whole", &whole[..], None),
        ("empty", b"", Some("the file ends")),
        ("text", b"This is a text.\n", Some("no GGUF file")),
        ("half", &whole[..whole.len() / 2], Some("damaged")),
        ("hostile", &swollen, Some("damaged")),
    ] {
        let path = home.0.join(format!("models/{name}.gguf"));
        fs::write(&path, bytes).unwrap();
        let path = path.to_str().unwrap();
        for reference in [path, name, &format!("{name}.gguf")] {
            let line = said(&home.0, "", &["--model", reference]);
            match hint {
                None => expect_served(line.as_deref()),
                Some(hint) => {
                    let line = line.unwrap_or_else(|| panic!("{reference} passes"));
                    assert!(line.contains(path) && line.contains(hint), "{line}");
                }
            }
        }
    }
    expect_served(said(&home.0, "models = ['builtin']", &[]).as_deref());
}
