//! Reads the files of the config.
//!
//! The only part of the config that touches the disk, and that only to read what it was pointed
//! at: the files that a config names are left to those who need them.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::place::Place;
use super::problem::{Problem, Problems, Warning};
use super::{Config, Secrets, Source, parse};
use crate::schedule;

/// A file longer than this is not a config.
const LONGEST_FILE: u64 = 1024 * 1024;

/// A config that was read from files.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What they say.
    pub config: Config,
    /// What may not have been meant.
    pub warnings: Vec<Warning>,
    /// What [`fingerprint`] says of them.
    pub fingerprint: u64,
}

/// Why there is no config.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Nobody said where it is.
    #[error("no config file was named, want at least one --config.file")]
    NoFile,
    /// It cannot be read, or not be used.
    #[error(transparent)]
    Problems(#[from] Problems),
}

/// Reads the config that is spread over `paths`, with `secrets` for the URLs of webhooks; a folder stands for its `*.yaml`, in the order of
/// their names.
///
/// # Errors
/// Everything that is wrong with any of the files, unreadable ones included.
pub fn load(paths: &[PathBuf], secrets: Secrets<'_>) -> Result<Loaded, ConfigError> {
    if paths.is_empty() {
        return Err(ConfigError::NoFile);
    }
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        match files(path) {
            Ok(files) => {
                for file in files {
                    match read(&file) {
                        Ok(text) => sources.push(Source { name: file, text }),
                        Err(message) => problems.push(problem(&file, message)),
                    }
                }
            }
            Err(message) => problems.push(problem(path, message)),
        }
    }
    let fingerprint = fingerprint(&sources);
    let (config, warnings) = parse::assemble(&sources, secrets, problems)?;
    Ok(Loaded { config, warnings, fingerprint })
}

/// A number that changes with what the files say, whatever they are called. Below 2^53, so that
/// the float that Prometheus makes of it is exact.
#[must_use]
pub fn fingerprint(sources: &[Source]) -> u64 {
    let mut bytes = Vec::new();
    for source in sources {
        // The length keeps apart what one file ends and the next begins with.
        let length = u64::try_from(source.text.len()).unwrap_or(u64::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(source.text.as_bytes());
    }
    schedule::fnv1a(&bytes) >> 11
}

fn problem(path: &Path, message: String) -> Problem {
    Problem { place: Place::file(path), message }
}

/// The files that `path` stands for.
fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    let metadata = fs::metadata(path).map_err(|error| said(&error))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| said(&error))? {
        let file = entry.map_err(|error| said(&error))?.path();
        let hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let yaml = file.extension().is_some_and(|extension| extension == "yaml");
        // Not the entry's own type: in Kubernetes these are links.
        if yaml && !hidden && !file.is_dir() {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err("found no *.yaml in this folder, want at least one".to_owned());
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| said(&error))?;
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE + 1).read_to_end(&mut bytes).map_err(|error| said(&error))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LONGEST_FILE) {
        return Err("found more than 1 MiB, want a smaller file".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "found bytes that are not UTF-8, want a text".to_owned())
}

/// Without the number that the system gives its errors.
fn said(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "not readable: permission denied".to_owned(),
        _ => format!("not readable: {error}"),
    }
}
