//! Where the store is, as the config says it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where a store is: `sqlite://data/x.db` (relative to the working directory) or
/// `sqlite:///var/lib/x.db`. The path is taken as it stands; nothing in it is decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    path: PathBuf,
}

/// A text that names no store. It never repeats the text, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLocation {
    /// PostgreSQL.
    #[error("a store in PostgreSQL is not supported yet: use sqlite:// and a path")]
    PostgreSql,
    /// Something else than a URL of SQLite.
    #[error(
        "not the URL of a store: use sqlite:// and a path, as in sqlite://data/harness-exporter.db"
    )]
    Scheme,
    /// No path, or one that names no file.
    #[error("sqlite:// needs the path of a file, as in sqlite://data/harness-exporter.db")]
    NoFile,
    /// Parameters, which are not looked at.
    #[error("the URL of a store has no parameters: leave out what follows the ? or #")]
    Parameters,
    /// A database that would be gone with the process.
    #[error("a store in memory would forget what was sent: use sqlite:// and the path of a file")]
    Memory,
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

impl FromStr for Location {
    type Err = BadLocation;

    fn from_str(text: &str) -> Result<Self, BadLocation> {
        let Some(path) = text.strip_prefix("sqlite://") else {
            let scheme = text.split(':').next().unwrap_or_default();
            return Err(match scheme {
                "postgres" | "postgresql" => BadLocation::PostgreSql,
                _ => BadLocation::Scheme,
            });
        };
        if path == ":memory:" {
            return Err(BadLocation::Memory);
        }
        if path.contains(['?', '#']) {
            return Err(BadLocation::Parameters);
        }
        let file = path.rsplit('/').next().unwrap_or_default();
        if ["", ".", ".."].contains(&file) || path.contains('\0') {
            return Err(BadLocation::NoFile);
        }
        Ok(Self { path: PathBuf::from(path) })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite://{}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file_or_says_what_would_do() {
        let table: &[(&str, Result<&str, BadLocation>)] = &[
            ("sqlite://data/x.db", Ok("data/x.db")),
            ("sqlite://x.db", Ok("x.db")),
            ("sqlite:///var/lib/x.db", Ok("/var/lib/x.db")),
            ("sqlite:///var/lib/a b%20c.db", Ok("/var/lib/a b%20c.db")),
            ("sqlite://", Err(BadLocation::NoFile)),
            ("sqlite://data/", Err(BadLocation::NoFile)),
            ("sqlite:///", Err(BadLocation::NoFile)),
            ("sqlite://data/..", Err(BadLocation::NoFile)),
            ("sqlite://x.db?mode=ro", Err(BadLocation::Parameters)),
            ("sqlite://:memory:", Err(BadLocation::Memory)),
            ("sqlite:x.db", Err(BadLocation::Scheme)),
            ("data/x.db", Err(BadLocation::Scheme)),
            ("", Err(BadLocation::Scheme)),
            ("postgres://user:hunter2@db/x", Err(BadLocation::PostgreSql)),
            ("mysql://user:hunter2@db/x", Err(BadLocation::Scheme)),
        ];
        for (text, expected) in table {
            let found: Result<Location, _> = text.parse();
            let expected = expected.clone().map(Location::of_file);
            assert_eq!(found, expected, "{text}");
            match found {
                Ok(location) => assert_eq!(location.to_string(), *text),
                Err(error) => assert!(!error.to_string().contains("hunter2")),
            }
        }
    }
}
