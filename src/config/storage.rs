//! `storage`: where the runs are kept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde_yaml::Value;

use super::fields::Fields;
use super::problem::quoted;
use super::{Storage, values};

impl Default for Storage {
    fn default() -> Self {
        Self {
            location: Location::of_file("data/harness-exporter.db"),
            retention: Duration::from_hours(30 * 24),
        }
    }
}

/// Reads the section; none where a problem was reported.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Storage> {
    let default = Storage::default();
    let location = fields.read("url", url).unless_absent(default.location);
    let retention =
        fields.read("retention", values::positive_duration).unless_absent(default.retention);
    Some(Storage { location: location?, retention: retention? })
}

fn url(value: &Value) -> Result<Location, String> {
    values::text(value)?.parse()
}

/// Where a store is: the file that a URL such as `sqlite://data/x.db` (relative to the working
/// directory) or `sqlite:///var/lib/x.db` names. Nothing in the path is decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    path: PathBuf,
}

impl Location {
    /// The store in the file at `path`.
    #[must_use]
    pub fn of_file(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The error says what was found and what would do, and repeats nothing of the URL but its scheme,
/// for it may hold a password.
impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let want = "want sqlite:// and a path, such as sqlite://data/harness-exporter.db";
        let names_no_file =
            |path: &str| ["", ".", ".."].iter().any(|end| path.rsplit('/').next() == Some(end));
        match text.split_once("://") {
            // What other programs take for a store in memory or for options of SQLite's would here
            // become a strange name of a file.
            Some(("sqlite", path)) if path.starts_with(':') || path.contains(['?', '#', '\0']) => {
                Err(format!("found something else than the path of a file, {want}"))
            }
            Some(("sqlite", path)) if names_no_file(path) => Err(format!("found no path, {want}")),
            Some(("sqlite", path)) => Ok(Self::of_file(path)),
            Some(("postgres" | "postgresql", _)) => {
                Err(format!("PostgreSQL is not supported yet, {want}"))
            }
            Some((scheme, _)) => Err(format!("found the scheme {}, {want}", quoted(scheme))),
            None => Err(format!("found no scheme, {want}")),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite://{}", self.path.display())
    }
}
