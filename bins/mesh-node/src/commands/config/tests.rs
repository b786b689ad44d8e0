//! What `config show` prints can be copied into the file.

use super::{lines, shown};
use crate::cli::Serve;
use crate::file::{self, File};
use std::fs;

#[test]
fn what_is_shown_is_a_file_that_says_the_same_and_never_the_key() {
    let home = std::env::temp_dir().join(format!("mesh-show-{}", std::process::id()));
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("api.key"), "a-secret\n").unwrap();
    for text in [
        "",
        "engine = 'scripted'",
        "models = ['builtin', './a \"b\".gguf', 'c\\d']\nlog = 'json'\napi_key_file = 'api.key'\n\
         api = '0.0.0.0:1'\nconsole = '[::1]:2'\nlisten = ['127.0.0.1:3', '[::1]:4']\n\
         neighbours_sought = 3\nneighbours_kept = 20\nengine = 'scripted'\nscripted_rate = 7",
    ] {
        let read = |text: &str| {
            let (file, unknown) = File::parse(text).unwrap();
            assert_eq!(unknown, Vec::<String>::new(), "{text}");
            let config = file::config(&home, &file, &Serve::default()).unwrap();
            (file, config)
        };
        let (file, config) = read(text);
        let printed = lines(&file, &config).join("\n");
        let (again, same) = read(&printed);
        assert_eq!(shown(&again, &same), shown(&file, &config), "{printed}");
        assert_eq!(lines(&again, &same).join("\n"), printed);
        let json = shown(&file, &config).to_string();
        let is_set = config.api_key.is_some();
        assert_eq!(printed.contains("# an API key is set"), is_set, "{printed}");
        let said = format!("{printed}{json}");
        assert!(!said.contains("a-secret"), "{said}");
        // All that the file may say is shown, but what has no meaning for this engine.
        for key in file::KEYS {
            let left_out = match key {
                "api_key_file" => !is_set,
                "scripted_rate" => !text.contains("scripted"),
                _ => false,
            };
            let shows = printed
                .lines()
                .any(|line| line.starts_with(&format!("{key} = ")));
            assert_eq!(shows, !left_out, "{key}: {printed}");
        }
    }
    fs::remove_dir_all(&home).unwrap();
}
