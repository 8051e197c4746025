//! Saving what has happened, and what that does to the books.

use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, TransactionBehavior, params};

use crate::model::{
    Change, ExecutionId, Fact, Mark, Phase, PipelineName, Reason, Run, RunResult, StoredPipeline,
    Wall,
};
use crate::totals::{self, DURATIONS, Entry, Op, Owner};

use super::load::{OF_ACCOUNT, OF_PIPELINE, buckets};
use super::prune::KEPT_OF_A_KIND;
use super::sql::Sql;
use super::{Error, Store};

/// Long enough that freeing it afterwards says something about room on the disk.
const FILLER: usize = 16 * 1024;

/// How safe what is committed must be before something follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// It outlives the loss of power: a webhook that Harness may act on, or an answer, is to follow.
    Synced,
    /// It outlives this process, and the power from the next commit with more care on, which is never
    /// far: what is lost with it is read from Harness again. It costs no sync of the disk.
    Written,
}

impl Care {
    pub(super) fn apply(self, connection: &Connection) -> rusqlite::Result<()> {
        let synchronous = match self {
            Self::Synced => "FULL",
            Self::Written => "NORMAL",
        };
        connection.pragma_update(None, "synchronous", synchronous)
    }
}

/// What stopped a transaction, before the store's name is known.
enum Stopped {
    Database(rusqlite::Error),
    Named(Error),
}

impl From<rusqlite::Error> for Stopped {
    fn from(source: rusqlite::Error) -> Self {
        Self::Database(source)
    }
}

impl Store {
    /// Saves `facts` and carries them into the books, in one transaction, with this care. Facts that can be derived are not saved; where there are no others, nothing is
    /// written.
    ///
    /// # Errors
    /// Where it could not be written whole; then nothing of it is.
    pub fn commit(&mut self, facts: &[Fact], care: Care) -> Result<(), Error> {
        if facts.iter().all(Fact::is_derived) {
            return Ok(());
        }
        self.take_care(care)?;
        self.write(|connection, sql| {
            let mut buckets = buckets(connection, sql)?;
            for fact in facts {
                if let Fact::Buckets(others) = fact {
                    begin_durations_anew(connection, sql, others)?;
                    buckets = Arc::clone(others);
                }
                save(connection, sql, fact, &buckets)?;
            }
            Ok(())
        })
    }

    /// Tries whether the store can be written, the disk included, and leaves nothing behind.
    ///
    /// # Errors
    /// Where it can't.
    pub fn probe(&mut self) -> Result<(), Error> {
        self.take_care(Care::Synced)?;
        self.write(|connection, sql| {
            let filler = " ".repeat(FILLER);
            connection.prepare_cached(&sql.fill_probe)?.execute([filler])?;
            connection.prepare_cached(&sql.empty_probe)?.execute([])?;
            Ok(())
        })
    }

    /// Brings what was committed to the disk itself.
    ///
    /// # Errors
    /// Where it can't.
    pub fn sync(&mut self) -> Result<(), Error> {
        let played = self.connection.query_row("pragma wal_checkpoint(passive)", [], |_| Ok(()));
        played.map_err(|source| self.database(source))
    }

    fn take_care(&mut self, care: Care) -> Result<(), Error> {
        if self.care != care {
            care.apply(&self.connection).map_err(|source| self.database(source))?;
            self.care = care;
        }
        Ok(())
    }

    fn write(
        &mut self,
        work: impl FnOnce(&Connection, &Sql) -> Result<(), Stopped>,
    ) -> Result<(), Error> {
        let Self { connection, sql, .. } = self;
        let transact = || {
            // A transaction that is left early is rolled back when it is dropped.
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            work(&transaction, sql)?;
            Ok(transaction.commit()?)
        };
        transact().map_err(|stopped| match stopped {
            Stopped::Database(source) => self.database(source),
            Stopped::Named(error) => error,
        })
    }
}

fn save(connection: &Connection, sql: &Sql, fact: &Fact, buckets: &[i64]) -> Result<(), Stopped> {
    match fact {
        Fact::Loaded(pipeline) => save_pipeline(connection, sql, pipeline)?,
        Fact::Run { run, change, mark } => {
            let text = if *change == Change::Begun { &sql.claim_run } else { &sql.save_run };
            save_run(connection, text, run)?;
            if !run.is_active() {
                delete_surplus(connection, sql, run)?;
            }
            if let Some(mark) = mark {
                save_mark(connection, sql, &run.pipeline, mark)?;
            }
        }
        Fact::Missed { pipeline, mark, .. } => save_mark(connection, sql, pipeline, mark)?,
        // What there is of it is in the books.
        Fact::TriggerLookedUp { .. }
        | Fact::Buckets(_)
        | Fact::Waiting(_)
        | Fact::Next { .. }
        | Fact::Maintenance { .. } => {}
    }
    for entry in totals::of(fact, buckets) {
        carry(connection, sql, &entry)?;
    }
    Ok(())
}

fn save_run(connection: &Connection, text: &str, run: &Run) -> Result<(), Stopped> {
    let body = serde_json::to_string(run).map_err(|source| {
        Stopped::Named(Error::Unwritable { what: format!("run {}", run.id), source })
    })?;
    let ended = (run.phase == Phase::Ended).then(|| run.ended.or(run.end).unwrap_or(run.begun));
    let finished = run.result.and_then(|_| run.end.or(ended));
    let bad = ended.map(|_| ended_badly(run));
    let saved = connection.prepare_cached(text)?.execute(params![
        run.id.as_str(),
        run.pipeline.as_str(),
        run.due.map(millis),
        run.attempt,
        millis(run.begun),
        run.execution.as_ref().map(ExecutionId::as_str),
        run.resolved.map(millis),
        finished.map(millis),
        ended.map(millis),
        bad,
        run.result.map(RunResult::as_str),
        run.duration.filter(|_| finished.is_some()),
        body,
    ]);
    match saved {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            return Err(Stopped::Named(Error::AlreadyClaimed { run: run.id.clone() }));
        }
        saved => saved?,
    };
    Ok(())
}

fn delete_surplus(connection: &Connection, sql: &Sql, run: &Run) -> Result<(), Stopped> {
    connection.prepare_cached(&sql.delete_surplus)?.execute(params![
        run.pipeline.as_str(),
        ended_badly(run),
        KEPT_OF_A_KIND
    ])?;
    Ok(())
}

/// Whether a reader looks for it when something is wrong.
fn ended_badly(run: &Run) -> bool {
    match run.result {
        Some(result) => result.is_bad() == Some(true),
        None => run.reason != Some(Reason::Skipped),
    }
}

fn save_pipeline(
    connection: &Connection,
    sql: &Sql,
    pipeline: &StoredPipeline,
) -> Result<(), Stopped> {
    connection.prepare_cached(&sql.save_pipeline)?.execute(params![
        pipeline.name.as_str(),
        pipeline.schedule,
        pipeline.paused,
        pipeline.held,
        millis(pipeline.since),
        millis(pipeline.mark.handled_until),
        owed_text(&pipeline.name, &pipeline.mark)?,
    ])?;
    Ok(())
}

fn save_mark(
    connection: &Connection,
    sql: &Sql,
    pipeline: &PipelineName,
    mark: &Mark,
) -> Result<(), Stopped> {
    connection.prepare_cached(&sql.save_mark)?.execute(params![
        pipeline.as_str(),
        millis(mark.handled_until),
        owed_text(pipeline, mark)?,
    ])?;
    Ok(())
}

fn owed_text(pipeline: &PipelineName, mark: &Mark) -> Result<String, Stopped> {
    serde_json::to_string(&mark.owed).map_err(|source| {
        let what = format!("due times of pipeline {pipeline}");
        Stopped::Named(Error::Unwritable { what, source })
    })
}

/// Sum, count and buckets together: what was counted by other bounds is in none of these buckets.
fn begin_durations_anew(
    connection: &Connection,
    sql: &Sql,
    buckets: &[i64],
) -> Result<(), Stopped> {
    connection.prepare_cached(&sql.forget_totals)?.execute([DURATIONS])?;
    connection.prepare_cached(&sql.forget_bounds)?.execute([DURATIONS])?;
    for bound in buckets {
        connection.prepare_cached(&sql.add_bound)?.execute(params![DURATIONS, bound])?;
    }
    Ok(())
}

fn carry(connection: &Connection, sql: &Sql, entry: &Entry) -> Result<(), Stopped> {
    let text = match entry.op {
        Op::Add(_) => &sql.add_to_total,
        Op::Set(_) => &sql.set_total,
        Op::Max(_) => &sql.raise_total,
    };
    let (kind, owner) = match &entry.owner {
        Owner::Pipeline(name) => (OF_PIPELINE, name.as_str()),
        Owner::Account(name) => (OF_ACCOUNT, name.as_str()),
    };
    let (family, label) = entry.key.to_text();
    let value = entry.op.apply(0);
    connection.prepare_cached(text)?.execute(params![kind, owner, family, label, value])?;
    Ok(())
}

fn millis(instant: Wall) -> i64 {
    instant.0
}
