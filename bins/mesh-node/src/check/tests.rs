//! What is said of configurations that cannot be served.

use super::check;
use crate::cli::Serve;
use crate::file::{self, File};
use std::path::Path;

/// What is said of this config.toml in a home without models; nothing where it is well.
fn said(text: &str) -> Option<String> {
    let home = Path::new("/no/such/home");
    let file: File = toml::from_str(text).unwrap();
    let config = file::config(home, &file, &Serve::default()).unwrap();
    check(&config).err().map(|error| format!("{error:#}"))
}

#[test]
fn each_fault_is_a_sentence_with_file_key_and_way_out() {
    for (text, key, way_out) in [
        ("api = '0.0.0.0:9337'", "api = ", "api_key_file"),
        ("console = '[::]:3131'", "console = ", "127.0.0.1:3131"),
        (
            "models = ['/no/file.gguf']",
            "models = ",
            "/no/file.gguf is no file",
        ),
        (
            "models = ['nobody']",
            "models = ",
            "models/nobody.gguf is no file",
        ),
        ("models = ['hf://a/b']", "models = ", "fetch the .gguf file"),
        ("models = ['scripted']", "models = ", "--engine scripted"),
        (
            "engine = 'scripted'\nmodels = ['builtin']",
            "models = ",
            "--engine llama",
        ),
    ] {
        let line = said(text).unwrap_or_else(|| panic!("{text} passes"));
        for part in ["/no/such/home/config.toml", key, way_out] {
            assert!(line.contains(part), "{text}: {line}");
        }
    }
}

#[test]
fn what_can_be_served_passes() {
    for text in [
        "",
        "models = ['builtin']",
        "engine = 'scripted'\nmodels = ['scripted']",
        "api = '[::1]:9337'",
    ] {
        assert_eq!(said(text), None, "{text}");
    }
}
