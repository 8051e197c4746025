//! That the files in the repository are true: the documents against the program, and the rules of
//! the house against the sources.

// Says that its helpers are part of tests, which lints ask for.
#[cfg(test)]
mod documents;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod sources;

use std::fs;
use std::path::Path;

/// What is no part of the repository: what was built, and what runs left behind.
const NOT_OURS: [&str; 5] = ["target", "data", "dist", ".git", "node_modules"];

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository as text. The test fails where there is none.
pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file below a folder whose name ends so, by its path in the repository.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let is_ours = NOT_OURS.iter().all(|name| entry.file_name() != *name);
            match entry.file_type().unwrap() {
                kind if kind.is_dir() && is_ours => folders.push(entry.path()),
                kind if kind.is_file() && entry.path().extension() == Some(extension.as_ref()) => {
                    found.push(within(&entry.path()));
                }
                _ => {}
            }
        }
    }
    found.sort();
    found
}

fn within(path: &Path) -> String {
    let inside = path.strip_prefix(root()).unwrap();
    inside.to_str().expect("a name in UTF-8").to_owned()
}
