use super::{BUILTIN, locate, resolve};
use crate::gguf::forge::{CONTEXT, Forge};
use std::fs;
use std::path::PathBuf;

/// A home of its own, removed at the end.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("models-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("models")).unwrap();
        Self(path)
    }

    fn put(&self, name: &str, seed: u64) -> PathBuf {
        let path = self.0.join("models").join(name);
        fs::write(&path, Forge::tiny(seed).bytes()).unwrap();
        path
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_name_a_file_name_and_a_path_lead_to_the_same_model() {
    let home = Home::new("same");
    let path = home.put("small.gguf", 1);
    let by_name = resolve("small", &home.0).unwrap();
    assert_eq!(by_name.name, "small");
    assert_eq!(by_name.header.context_length, CONTEXT);
    assert_eq!(resolve("small.gguf", &home.0).unwrap(), by_name);
    assert_eq!(resolve(path.to_str().unwrap(), &home.0).unwrap(), by_name);
    home.put("other.gguf", 2);
    assert_ne!(resolve("other", &home.0).unwrap().digest, by_name.digest);
}

#[test]
fn the_id_is_of_the_weights_and_the_context_and_not_of_the_name() {
    let home = Home::new("id");
    home.put("one.gguf", 1);
    home.put("two.gguf", 1);
    let (one, two) = (
        resolve("one", &home.0).unwrap(),
        resolve("two", &home.0).unwrap(),
    );
    assert_eq!(one.id(8_192), two.id(8_192));
    assert_eq!(
        one.id(8_192),
        one.id(CONTEXT),
        "the model itself allows no more"
    );
    assert_ne!(one.id(8_192), one.id(128));
}

#[test]
fn what_cannot_be_served_is_refused_with_a_sentence() {
    let home = Home::new("refused");
    let why = resolve("absent", &home.0).unwrap_err();
    assert!(why.starts_with("the model 'absent': "), "{why}");
    assert!(
        resolve("./absent", &home.0)
            .unwrap_err()
            .contains("is no file")
    );
    fs::write(home.0.join("models/junk.gguf"), b"GGUF but not really").unwrap();
    assert!(
        resolve("junk", &home.0)
            .unwrap_err()
            .contains("not supported")
    );
}

#[test]
fn a_url_is_refused_with_the_file_to_fetch_and_its_place() {
    let home = Home::new("urls");
    let folder = home.0.join("models");
    let named = |file: &str| {
        let place = folder.join(file).display().to_string();
        format!("fetch {file} yourself, put it in place as {place} and name it {file}")
    };
    let any = |of: &str| {
        let place = folder.display();
        format!(
            "fetch a .gguf file{of} yourself, put it in the folder {place} and name it by its \
             file name"
        )
    };
    for (reference, way_out) in [
        ("hf://some/model/file.gguf", named("file.gguf")),
        ("hf://some/model/FILE.GGUF", named("FILE.GGUF")),
        ("https://host/a/b.gguf", named("b.gguf")),
        ("hf://some/model", any(" of some/model")),
        ("hf://some/model/", any(" of some/model")),
        ("hf://some/model:Q4_K_M", any(" of some/model:Q4_K_M")),
        ("hf://some/model/.gguf", any(" of some/model/.gguf")),
        ("hf://some/gguf", any(" of some/gguf")),
        ("hf://some/model-v1.5", any(" of some/model-v1.5")),
        ("hf://", any("")),
    ] {
        let scheme = reference.split_once(':').unwrap().0;
        let expected = format!("{scheme}:// models are not downloaded: {way_out}");
        assert_eq!(locate(reference, &home.0), Err(expected), "{reference}");
    }
}

#[test]
fn a_bare_name_is_never_looked_for_where_one_stands_but_said_how() {
    let home = Home::new("here");
    // Tests stand in the folder of their package.
    let why = locate("Cargo.toml", &home.0).unwrap_err();
    assert!(why.ends_with("write ./Cargo.toml"), "{why}");
    assert_eq!(locate("./Cargo.toml", &home.0), Ok("./Cargo.toml".into()));
    let why = locate("nobody.toml", &home.0).unwrap_err();
    assert!(!why.contains("./nobody.toml"), "{why}");
    assert!(why.contains("put the model there"), "{why}");
    let inside = home.0.join("models/Cargo.toml");
    fs::write(&inside, "").unwrap();
    assert_eq!(locate("Cargo.toml", &home.0), Ok(inside), "the folder's");
}

#[test]
fn a_file_that_changes_is_noticed() {
    let home = Home::new("changed");
    let path = home.put("small.gguf", 1);
    let model = resolve("small", &home.0).unwrap();
    assert_eq!(model.unchanged(), Ok(()));
    let mut bytes = Forge::tiny(2).bytes();
    bytes.push(0);
    fs::write(&path, bytes).unwrap();
    assert!(model.unchanged().unwrap_err().contains("was changed"));
    fs::remove_file(&path).unwrap();
    assert!(model.unchanged().unwrap_err().contains("is gone"));
}

#[cfg(feature = "llama")]
#[test]
fn the_builtin_model_is_written_once_and_repaired_where_it_is_damaged() {
    let home = Home::new("builtin");
    let model = resolve(BUILTIN, &home.0).unwrap();
    assert_eq!(model.name, BUILTIN);
    assert_eq!(
        resolve(BUILTIN, &home.0).unwrap(),
        model,
        "the second time it is only read"
    );
    fs::write(&model.path, b"damaged").unwrap();
    assert_eq!(resolve(BUILTIN, &home.0).unwrap().digest, model.digest);
}

#[cfg(not(feature = "llama"))]
#[test]
fn without_llama_there_is_no_builtin_model() {
    let home = Home::new("none");
    assert!(resolve(BUILTIN, &home.0).is_err());
}
