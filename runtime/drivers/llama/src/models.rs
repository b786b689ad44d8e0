//! What a model reference means.

use crate::gguf::{self, Header};
use messages::{Compute, Digest, Hasher, Label, ModelAdvert, ModelId};
use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::path::{MAIN_SEPARATOR, Path, PathBuf};
use std::time::SystemTime;

#[cfg(test)]
mod tests;

/// The reference of the model that is part of the program.
pub const BUILTIN: &str = "builtin";

/// A model file that was found, checked and digested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// What people call it: `builtin`, or the file's name without its extension.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// The digest of all its bytes.
    pub digest: Digest,
    /// What it says about itself.
    pub header: Header,
    length: u64,
    modified: Option<SystemTime>,
}

/// Finds, checks and digests the model of a reference: `builtin`, a path, or the name of a file in
/// the home's folder `models`. It reads the whole file.
///
/// # Errors
/// A sentence for people.
pub fn resolve(reference: &str, home: &Path) -> Result<ModelFile, String> {
    if reference == BUILTIN {
        return inspect(BUILTIN.to_owned(), &builtin(&home.join("models"))?);
    }
    let path = locate(reference, home).map_err(|why| format!("the model '{reference}': {why}"))?;
    let name = path.file_stem().map_or_else(
        || reference.to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    );
    inspect(name, &path)
}

/// The file of a reference: a path, or the name of a file in the home's folder `models`.
///
/// # Errors
/// A sentence for people that says what to do. It does not repeat the reference.
pub fn locate(reference: &str, home: &Path) -> Result<PathBuf, String> {
    let folder = home.join("models");
    if let Some((scheme, rest)) = reference.split_once("://") {
        return Err(not_downloaded(scheme, rest, &folder));
    }
    // A bare name is looked for in the folder only, so that it never depends on where one stands.
    let is_path = reference.contains(MAIN_SEPARATOR);
    let mut candidates = if is_path {
        vec![PathBuf::from(reference)]
    } else {
        vec![
            folder.join(reference),
            folder.join(format!("{reference}.gguf")),
        ]
    };
    if let Some(found) = candidates.iter().position(|path| path.is_file()) {
        return Ok(candidates.swap_remove(found));
    }
    let looked: Vec<_> = candidates
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let looked = looked.join(" or ");
    let stands_here = !is_path && Path::new(reference).is_file();
    Err(match stands_here {
        true => format!(
            "{looked} is no file: for the file in this folder write .{MAIN_SEPARATOR}{reference}"
        ),
        false => format!("{looked} is no file: put the model there, or name `{BUILTIN}`"),
    })
}

/// Why a URL is no model, and what to do instead.
fn not_downloaded(scheme: &str, rest: &str, folder: &Path) -> String {
    let rest = rest.trim_matches('/');
    let file = rest.rsplit('/').next().unwrap_or_default();
    let ending = Path::new(file).extension();
    if ending.is_some_and(|ending| ending.eq_ignore_ascii_case("gguf")) {
        let place = folder.join(file);
        return format!(
            "{scheme}:// models are not downloaded: fetch {file} yourself, put it in place as {} \
             and name it {file}",
            place.display()
        );
    }
    let of = match rest {
        "" => String::new(),
        repository => format!(" of {repository}"),
    };
    format!(
        "{scheme}:// models are not downloaded: fetch a .gguf file{of} yourself, put it in the \
         folder {} and name it by its file name",
        folder.display()
    )
}

impl ModelFile {
    /// Whether the file is still the one that was digested, as far as its length and time say.
    pub(crate) fn unchanged(&self) -> Result<(), String> {
        let now = fs::metadata(&self.path)
            .map_err(|error| format!("{} is gone: {error}", self.path.display()))?;
        if now.len() == self.length && now.modified().ok() == self.modified {
            return Ok(());
        }
        Err(format!(
            "{} was changed: start the node again to serve it",
            self.path.display()
        ))
    }

    /// The tokens of context that are served.
    pub(crate) fn context(&self, context_max: u32) -> u32 {
        self.header.context_length.min(context_max)
    }

    /// The model's id: its weights and all that changes its output but the sampling.
    #[must_use]
    pub fn id(&self, context_max: u32) -> ModelId {
        let context = self.context(context_max).to_le_bytes();
        // The file's own template is part of its digest; there is no override to tell apart.
        let parts: [&[u8]; 3] = [&self.digest.0, b"template of the file", &context];
        ModelId(Digest::of("mesh-node llama model v1", &parts).0)
    }

    /// What is told of it, once an engine of this `compute` serves it.
    #[must_use]
    pub fn advert(&self, context_max: u32, compute: Compute) -> ModelAdvert {
        ModelAdvert {
            model: self.id(context_max),
            name: Label::truncated(&self.name),
            compute,
            context: self.context(context_max),
        }
    }
}

fn inspect(name: String, path: &Path) -> Result<ModelFile, String> {
    let shown = path.display();
    let path = path
        .canonicalize()
        .map_err(|error| format!("{shown}: {error}"))?;
    if path
        .to_str()
        .is_none_or(|text| text.len() > crate::protocol::PATH_BYTES_MAX)
    {
        return Err(format!("{shown}: the path is too long or not UTF-8"));
    }
    let open = || File::open(&path).map_err(|error| format!("{shown}: {error}"));
    let file = open()?;
    let facts = file
        .metadata()
        .map_err(|error| format!("{shown}: {error}"))?;
    let header = gguf::read_header(BufReader::new(file), facts.len())
        .map_err(|error| format!("{shown}: {error}"))?;
    let digest = digest(open()?).map_err(|error| format!("{shown}: {error}"))?;
    let (length, modified) = (facts.len(), facts.modified().ok());
    let model = ModelFile {
        name,
        path: path.clone(),
        digest,
        header,
        length,
        modified,
    };
    // A file that is being written while it is digested would never be what its digest says.
    model.unchanged()?;
    Ok(model)
}

fn digest(mut file: File) -> std::io::Result<Digest> {
    let mut hasher = Hasher::new("mesh-node model file v1");
    let mut buffer = vec![0; DIGEST_PART_BYTES];
    loop {
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read(&mut buffer[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        if filled == 0 {
            return Ok(hasher.finish());
        }
        hasher.part(&buffer[..filled]);
    }
}

/// The built-in model's file, written where it is missing or not what it should be.
fn builtin(folder: &Path) -> Result<PathBuf, String> {
    if BUILTIN_BYTES.is_empty() {
        return Err("the built-in model is part of builds with llama.cpp only".to_owned());
    }
    let digest = Digest::of("mesh-node builtin model v1", &[BUILTIN_BYTES]);
    let path = folder.join(format!(".builtin-{:016x}.gguf", digest.short()));
    if fs::read(&path).is_ok_and(|bytes| bytes == BUILTIN_BYTES) {
        return Ok(path);
    }
    // Two nodes may start at once in two homes, never in one: a home has one lock.
    let unfinished = path.with_extension("unfinished");
    let written = fs::create_dir_all(folder)
        .and_then(|()| File::create(&unfinished))
        .and_then(|mut file| file.write_all(BUILTIN_BYTES).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&unfinished, &path));
    match written {
        Ok(()) => Ok(path),
        Err(error) => Err(format!(
            "cannot write the built-in model to {}: {error}",
            path.display()
        )),
    }
}

#[cfg(feature = "llama")]
const BUILTIN_BYTES: &[u8] = include_bytes!("../model/builtin.gguf");
const _: () = assert!(
    BUILTIN_BYTES.len() <= 4 << 20,
    "every clone and every program carries it"
);
#[cfg(not(feature = "llama"))]
const BUILTIN_BYTES: &[u8] = &[];

/// Hashed at once: each part adds its length to the digest, so the size is fixed for ever.
const DIGEST_PART_BYTES: usize = 1 << 20;
