//! Whether the write-ahead log that lies beside a store is that store's own.
//!
//! `SQLite` plays whatever log it finds into the file of that name. Where somebody has put back a copy
//! of a store and left the log of the one that was there, two histories would become one that never
//! was. So each process gives the file a number of its own when it opens it, in the file's header,
//! and notes the number in the file of the lock: a log beside a store of another number is refused.
//!
//! The header is read through a file that stays open as long as the connection. Closing any file of the
//! store would release every lock that `SQLite` has on it, for such are POSIX' locks: the next tool to
//! look into the store would take itself for the last, and remove the log from under us.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use rusqlite::Connection;

use super::open::{OpenError, beside, database_error};
use crate::model::Wall;

/// Where the header of a file of `SQLite` has its `application_id`.
const NUMBER_AT: u64 = 68;

/// Refuses a log that is not of the store at `path`, which is open as `store`, by what `lock` says of
/// the one that was opened here last.
pub(super) fn check(path: &Path, store: &mut File, lock: &mut File) -> Result<(), OpenError> {
    let log = beside(path, "-wal");
    if fs::metadata(&log).map_or(0, |log| log.len()) == 0 {
        return Ok(());
    }
    let mut noted = String::new();
    let read = lock.rewind().and_then(|()| lock.read_to_string(&mut noted));
    read.map_err(|source| OpenError::File { path: path.to_owned(), source })?;
    let number = number(path, store)?.to_string();
    // Nothing is noted by a version that does not know of this, or where it could not be.
    if noted.is_empty() || noted.split(' ').any(|noted| noted == number) {
        return Ok(());
    }
    Err(OpenError::OthersLog { path: path.to_owned(), log })
}

/// Gives the store a new number and notes it. Where that can't be done in full, nothing is noted and
/// nothing will be refused.
pub(super) fn begin(
    connection: &Connection,
    path: &Path,
    [store, lock]: [&mut File; 2],
    now: Wall,
) -> Result<(), OpenError> {
    let old = number(path, store)?;
    let new = u32::try_from(now.0.rem_euclid(1 << 31)).unwrap_or(0);
    // Until the log has been played into the file it may have either.
    if note(lock, &format!("{old} {new}")).is_err() {
        return Ok(());
    }
    connection
        .pragma_update(None, "application_id", new)
        .and_then(|()| connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(())))
        .map_err(|source| database_error(path, source))?;
    let noted = if number(path, store)? == new { new.to_string() } else { String::new() };
    // What can't be noted is as if it never had been.
    let _ = note(lock, &noted);
    Ok(())
}

fn note(lock: &mut File, text: &str) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    lock.write_all(text.as_bytes())?;
    lock.sync_all()
}

fn number(path: &Path, store: &mut File) -> Result<u32, OpenError> {
    let mut bytes = [0; 4];
    let read = store.seek(SeekFrom::Start(NUMBER_AT)).and_then(|_| store.read_exact(&mut bytes));
    read.map_err(|source| OpenError::File { path: path.to_owned(), source })?;
    Ok(u32::from_be_bytes(bytes))
}
