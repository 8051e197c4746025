//! Opening: one process a file, nothing made where something was, the schema brought up to date.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::model::Wall;

use super::sql::Sql;
use super::{Care, Store, log, sql};
use crate::config::Location;

/// The schema, oldest part first; the version of a store is how many of them it has been through.
/// A part that was released is never edited.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_runs.sql"),
    include_str!("migrations/0002_replicas.sql"),
    include_str!("migrations/0003_buckets.sql"),
];

/// How long to wait for somebody who looks into the file with a tool.
const BUSY: Duration = Duration::from_secs(1);

/// What every file of SQLite begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Why a store is not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder could not be made.
    #[error("the folder {} of the store can't be made", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file could not be used.
    #[error("{} can't be used: let this user read and write it and its folder", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process has it.
    #[error(
        "the store {} is in use by another exporter: end that one, or give this one a store of \
         its own", path.display()
    )]
    InUse {
        /// The store.
        path: PathBuf,
    },
    /// It is not what was once written.
    #[error(
        "the store {} is damaged: {what}. Put back a copy of it; or, to begin anew and with every \
         counter at 0, move it away", path.display()
    )]
    Damaged {
        /// The store.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Its log is another's: somebody has put the file there while the log of the one before stayed.
    #[error(
        "the log {} is not of the store {} that lies beside it but of the one that was there before: \
         move the log and the -shm file away to use the store as it is, or put back the one they \
         belong to", log.display(), path.display()
    )]
    OthersLog {
        /// The store.
        path: PathBuf,
        /// The log.
        log: PathBuf,
    },
    /// A link that leads nowhere.
    #[error(
        "the store {} is a link to {}, which is not there: mount what it is on, or name another file",
        path.display(), target.display()
    )]
    Dangling {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A database of some other program.
    #[error(
        "{} is a database, but not a store of harness-exporter: name another file", path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Written by a later version.
    #[error(
        "the store {} has schema version {found} and this harness-exporter knows only {known}: \
         run the newer one, or put back the copy from before it was updated", path.display()
    )]
    Newer {
        /// The store.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Its file system can't hold it.
    #[error(
        "the store {} can't keep a write-ahead log: put it on a local disk that this user may \
         write", path.display()
    )]
    NoLog {
        /// The store.
        path: PathBuf,
    },
    /// The database would not.
    #[error("the store {} can't be opened{}", path.display(), super::hint(source))]
    Database {
        /// The store.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

impl Store {
    /// Opens the store at `location`; makes it, and the folders it lies in, where there is none.
    /// `now` is noted beside each change of the schema.
    ///
    /// # Errors
    /// Where another process has it open, or it can't be trusted, or the system would not.
    pub fn open(location: &Location, now: Wall) -> Result<Self, OpenError> {
        make_folder(location.path())?;
        // Two names of one file must be one lock and one log.
        let path = location.path().canonicalize().unwrap_or_else(|_| location.path().to_owned());
        if let Ok(target) = path.read_link() {
            return Err(OpenError::Dangling { path, target });
        }
        let mut by_name = lock(&path, &beside(&path, ".lock"))?;
        if is_missing(&path)? {
            make(&path, now)?;
        }
        // The file by itself too: a hard link gives it a second name, with a lock of its own.
        let mut by_file = lock(&path, &path)?;
        log::check(&path, &mut by_file, &mut by_name)?;
        let mut connection = connect(&path)?;
        let refuse = |source| database_error(&path, source);
        let version = version(&connection).map_err(refuse)?;
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        match version {
            None => return Err(OpenError::Foreign { path }),
            Some(found) if found > known => return Err(OpenError::Newer { path, found, known }),
            Some(_) => {}
        }
        check(&connection, &path)?;
        begin_log(&connection, &path)?;
        migrate(&mut connection, MIGRATIONS, now).map_err(refuse)?;
        log::begin(&connection, &path, [&mut by_file, &mut by_name], now)?;
        let (sql, care) = (Sql::for_sqlite(), Care::Synced);
        Ok(Self { connection, care, sql, path, _locks: [by_file, by_name] })
    }
}

fn make_folder(path: &Path) -> Result<(), OpenError> {
    let folder = folder_of(path);
    fs::create_dir_all(folder)
        .map_err(|source| OpenError::Folder { path: folder.to_owned(), source })
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Takes the lock on the file at `at` for the store at `path`. The kernel gives it back however this
/// process ends, and SQLite's own locks are of another kind. The file beside the store stays: if it
/// were removed, two processes could each hold a lock on a file of that name.
fn lock(path: &Path, at: &Path) -> Result<File, OpenError> {
    let opened = File::options().create(true).truncate(false).read(true).write(true).open(at);
    let file = opened.map_err(|source| OpenError::File { path: at.to_owned(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::File { path: at.to_owned(), source }),
    }
}

/// Whether there never was a store; an error where there was one and it is not whole.
fn is_missing(path: &Path) -> Result<bool, OpenError> {
    let mut start = Vec::new();
    let damaged = |what: &str| OpenError::Damaged { path: path.to_owned(), what: what.to_owned() };
    match File::open(path).and_then(|file| file.take(16).read_to_end(&mut start)) {
        Ok(0) => Err(damaged("the file is empty")),
        Ok(_) if start.as_slice() == MAGIC => Ok(false),
        Ok(_) => Err(damaged("the file is not a database of SQLite")),
        // A log without its file would be played into the new one.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match ["-wal", "-journal"]
                .map(|suffix| beside(path, suffix))
                .iter()
                .find(|p| p.exists())
            {
                Some(log) => Err(damaged(&format!(
                    "the file is gone, but its log {} is still there",
                    log.display()
                ))),
                None => Ok(true),
            }
        }
        Err(source) => Err(OpenError::File { path: path.to_owned(), source }),
    }
}

/// Makes an empty store under another name, so that whatever has the right name is whole.
fn make(path: &Path, now: Wall) -> Result<(), OpenError> {
    let file_error = |source| OpenError::File { path: path.to_owned(), source };
    let refuse = |source| database_error(path, source);
    let unfinished = beside(path, ".new");
    for left_behind in [unfinished.clone(), beside(&unfinished, "-journal")] {
        match fs::remove_file(left_behind) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file_error(error)),
            _ => {}
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = Connection::open_with_flags(&unfinished, flags).map_err(refuse)?;
    migrate(&mut connection, MIGRATIONS, now).map_err(refuse)?;
    connection.close().map_err(|(_, source)| refuse(source))?;
    fs::rename(&unfinished, path)
        .and_then(|()| File::open(folder_of(path))?.sync_all())
        .map_err(file_error)
}

fn connect(path: &Path) -> Result<Connection, OpenError> {
    let connect = || {
        // Without the flag for URIs, in which a path could mean something else.
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(BUSY)?;
        // Else SQLite plans a statement anew whenever a limit or a flag is bound to it: half of all
        // the time that saving took.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Care::Synced.apply(&connection)?;
        connection.pragma_update(None, "foreign_keys", false)?;
        Ok(connection)
    };
    connect().map_err(|source| database_error(path, source))
}

/// The version of the schema; none where it is not one of ours. The header of the file says it too,
/// for tools that do not know our tables: the higher one counts.
fn version(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let header: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if !connection.table_exists(None, "schema_versions")? {
        return Ok(None);
    }
    let table: Option<i64> = connection.query_row(sql::LAST_VERSION, [], |row| row.get(0))?;
    Ok(table.map(|table| table.max(header)))
}

fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let found: String = connection
        .query_row("pragma quick_check(1)", [], |row| row.get(0))
        .map_err(|source| database_error(path, source))?;
    if found == "ok" {
        return Ok(());
    }
    let what = found.replace('\n', " ");
    Err(OpenError::Damaged { path: path.to_owned(), what })
}

fn begin_log(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(|source| database_error(path, source))?;
    if mode == "wal" { Ok(()) } else { Err(OpenError::NoLog { path: path.to_owned() }) }
}

/// Brings the schema up to the last of `migrations`. Each is a transaction of its own: it is there
/// with its version or not at all.
pub(super) fn migrate(
    connection: &mut Connection,
    migrations: &[&str],
    now: Wall,
) -> rusqlite::Result<()> {
    let reached = version(connection)?.unwrap_or(0);
    for (number, migration) in (1_i64..).zip(migrations).filter(|(number, _)| *number > reached) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration)?;
        transaction.execute(&sql::numbered(sql::ADD_VERSION), [number, now.0])?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

pub(super) fn database_error(path: &Path, source: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            OpenError::Damaged { path, what: source.to_string() }
        }
        _ => OpenError::Database { path, source },
    }
}
