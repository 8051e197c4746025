//! Where in the config something stands: file, path, and once it was looked up, line and column.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::index::Index;
use super::problem::quoted;

/// A place in the config: `config.yaml:12:5: pipelines[2].every`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    file: Arc<str>,
    path: Vec<Step>,
    part: Part,
    spot: Option<Spot>,
}

/// One step from a mapping or a list into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Item(usize),
}

/// Which part of an entry is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Key,
    Value,
}

/// A place in the text of a file, with the line as it can be shown: without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The line, in which values that may be secrets are replaced by `…`.
    pub(super) shown: String,
    /// What of it is meant, in bytes.
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Place {
    pub(super) fn file(name: &Path) -> Self {
        let file = Arc::from(name.display().to_string());
        Self { file, path: Vec::new(), part: Part::Value, spot: None }
    }

    pub(super) fn at(mut self, spot: Option<Spot>) -> Self {
        self.spot = spot;
        self
    }

    pub(super) fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()))
    }

    pub(super) fn item(&self, index: usize) -> Self {
        self.step(Step::Item(index))
    }

    fn step(&self, step: Step) -> Self {
        let mut place = self.clone();
        place.path.push(step);
        place
    }

    /// The same, but the key there rather than its value.
    pub(super) fn itself(mut self) -> Self {
        self.part = Part::Key;
        self
    }

    /// Looks up in the `index` of its file where it is.
    pub(super) fn locate(&mut self, index: &Index<'_>) {
        if self.spot.is_none() {
            self.spot = index.spot(&self.path, self.part);
        }
    }

    /// The name of the file.
    #[must_use]
    pub fn file_name(&self) -> &str {
        &self.file
    }

    /// Where in the text it is, where that is known.
    #[must_use]
    pub fn spot(&self) -> Option<&Spot> {
        self.spot.as_ref()
    }

    /// The way to it through mappings and lists: `pipelines[2].every`; empty for the whole file.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = String::new();
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        for step in &self.path {
            match step {
                Step::Key(key) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    if !key.is_empty() && key.chars().all(plain) {
                        path.push_str(key);
                    } else {
                        path.push_str(&quoted(key));
                    }
                }
                Step::Item(index) => path.extend(["[", &index.to_string(), "]"]),
            }
        }
        path
    }

    /// How one speaks of this place at `other`: without the file where that is the same.
    pub(super) fn seen_from(&self, other: &Self) -> String {
        if self.file == other.file {
            self.path()
        } else {
            format!("{} of {}", self.path(), self.file)
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(Spot { line, column, .. }) = self.spot {
            write!(f, ":{line}:{column}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path())?;
        }
        Ok(())
    }
}
