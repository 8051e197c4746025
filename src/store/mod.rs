//! The memory: what must outlive a kill is on disk before anything that depends on it is done.
//!
//! A turn's facts are one transaction: the runs as they now stand, how far the due times of their
//! pipelines have been dealt with, and what they do to the books ([`crate::totals`]). Either all of
//! it is there or nothing, so that each run is counted once whenever the process dies.
//!
//! What it refuses: to begin with nothing where there was something, to work on what is damaged,
//! foreign or of a newer version, and to share a file with a second process.
//!
//! The schema and the texts of SQL (in `sql`) are such that PostgreSQL takes them as they are.

mod load;
mod log;
mod open;
mod prune;
mod save;
mod sql;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::PathBuf;

use rusqlite::{Connection, ErrorCode};

use crate::model::RunId;

pub use open::OpenError;
pub use save::Care;
pub use writer::{Answer, Batch, Gone, Writer};

/// An open store. There is at most one on a file, in all processes together.
#[derive(Debug)]
pub struct Store {
    // Fields are dropped in this order: the file is closed before the next process may open it.
    connection: Connection,
    /// How the connection commits.
    care: Care,
    sql: sql::Sql,
    path: PathBuf,
    _locks: [File; 2],
}

/// Why the store did not do what was asked. Nothing of what was to be saved is saved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another run has the due time and the attempt of this one.
    #[error("the run {run} is not saved: its due time and attempt belong to another run")]
    AlreadyClaimed {
        /// The run that came second.
        run: RunId,
    },
    /// The database would not.
    #[error("the store {} failed{}", path.display(), hint(source))]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A record is not what this version writes.
    #[error("the store {} holds {what}, which can't be read: put back a copy of it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Which record.
        what: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A record could not be written as JSON.
    #[error("{what} can't be written as JSON")]
    Unwritable {
        /// Which record.
        what: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// What would do.
fn hint(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => ": make room on its disk",
        Some(ErrorCode::ReadOnly) => ": let this user write the file and its folder",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            ": end the program that holds a lock on it"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => ": put back a copy of it",
        _ => "",
    }
}

impl Store {
    fn database(&self, source: rusqlite::Error) -> Error {
        Error::Database { path: self.path.clone(), source }
    }
}
