//! Reading a past life back.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Params, Row};

use crate::model::{
    AccountName, Durations, Mark, Phase, PipelineName, Restored, Run, RunId, RunResult,
    StoredPipeline, Wall,
};
use crate::totals::{DURATIONS, Key, Owner, Total};

use super::sql::Sql;
use super::{Error, Store};

/// `owner_kind` of a pipeline's totals.
pub(super) const OF_PIPELINE: &str = "pipeline";
/// `owner_kind` of an account's totals.
pub(super) const OF_ACCOUNT: &str = "account";

/// How much longer ago a run may have ended than one of unknown fate was begun.
const MARGIN: Duration = Duration::from_hours(1);

/// The upper bounds of the buckets in which durations are counted.
pub(super) fn buckets(connection: &Connection, sql: &Sql) -> rusqlite::Result<Arc<[i64]>> {
    connection.prepare_cached(&sql.bounds)?.query_map([DURATIONS], |row| row.get(0))?.collect()
}

impl Store {
    /// Everything that is needed to go on where the last process ended: every pipeline, every
    /// total that this version knows, every active run and those that [`Restored`] names. Each
    /// run is there once, in no particular order.
    ///
    /// # Errors
    /// Where the database can't be read, or holds a record that no version wrote.
    pub fn load(&self) -> Result<Restored, Error> {
        Ok(Restored {
            pipelines: self.pipelines()?,
            runs: self.runs()?,
            totals: self.totals()?,
            durations: self.durations()?,
            buckets: buckets(&self.connection, &self.sql)
                .map_err(|source| self.database(source))?,
        })
    }

    fn pipelines(&self) -> Result<Vec<StoredPipeline>, Error> {
        let rows = self.rows(&self.sql.pipelines, |row| {
            let owed: String = row.get(6)?;
            let pipeline = StoredPipeline {
                name: PipelineName::new(row.get_ref(0)?.as_str()?),
                schedule: row.get(1)?,
                paused: row.get(2)?,
                held: row.get(3)?,
                since: Wall(row.get(4)?),
                mark: Mark { handled_until: Wall(row.get(5)?), owed: Vec::new() },
            };
            Ok((pipeline, owed))
        })?;
        rows.into_iter()
            .map(|(mut pipeline, owed)| {
                pipeline.mark.owed = serde_json::from_str(&owed).map_err(|source| {
                    self.unreadable(format!("due times of pipeline {}", pipeline.name), source)
                })?;
                Ok(pipeline)
            })
            .collect()
    }

    /// Where a run is of unknown fate, those that ended since it was begun are there too: what they
    /// have had is not its own.
    fn runs(&self) -> Result<Vec<Arc<Run>>, Error> {
        let mut runs = self.read_runs(&self.sql.runs, [])?;
        let unknown = |run: &&Arc<Run>| matches!(run.phase, Phase::Sending | Phase::Unconfirmed);
        if let Some(since) = runs.iter().filter(unknown).map(|run| run.begun).min() {
            // Clocks may have been set by a little meanwhile.
            let ended = self.read_runs(&self.sql.ended_since, [since.before(MARGIN).0])?;
            let known: HashSet<RunId> = runs.iter().map(|run| run.id.clone()).collect();
            runs.extend(ended.into_iter().filter(|run| !known.contains(&run.id)));
        }
        Ok(runs)
    }

    fn read_runs(&self, sql: &str, parameters: impl Params) -> Result<Vec<Arc<Run>>, Error> {
        let rows = self.rows_of(sql, parameters, |row| {
            let run: Result<Run, _> = serde_json::from_str(row.get_ref(1)?.as_str()?);
            let id: String = if run.is_err() { row.get(0)? } else { String::new() };
            Ok((id, run))
        })?;
        rows.into_iter()
            .map(|(id, run)| {
                run.map(Arc::new).map_err(|source| self.unreadable(format!("run {id}"), source))
            })
            .collect()
    }

    /// A total that this version does not know is left alone: it goes on in the version that does.
    fn totals(&self) -> Result<Vec<Total>, Error> {
        let rows = self.rows(&self.sql.totals, |row| {
            let owner = row.get_ref(1)?.as_str()?;
            let owner = match row.get_ref(0)?.as_str()? {
                OF_PIPELINE => Owner::Pipeline(PipelineName::new(owner)),
                OF_ACCOUNT => Owner::Account(AccountName::new(owner)),
                _ => return Ok(None),
            };
            let key = Key::from_text(row.get_ref(2)?.as_str()?, row.get_ref(3)?.as_str()?);
            let value = row.get(4)?;
            Ok(key.map(|key| Total { owner, key, value }))
        })?;
        Ok(rows.into_iter().flatten().collect())
    }

    fn durations(&self) -> Result<Vec<Durations>, Error> {
        let rows = self.rows(&self.sql.durations, |row| {
            let name = PipelineName::new(row.get_ref(0)?.as_str()?);
            Ok((name, RunResult::from_label(row.get_ref(1)?.as_str()?), row.get(2)?))
        })?;
        let mut all: Vec<Durations> = Vec::new();
        for (pipeline, result, took) in rows {
            let Some(result) = result else { continue };
            if all.last().is_none_or(|last| last.pipeline != pipeline) {
                all.push(Durations::of(pipeline));
            }
            if let Some(durations) = all.last_mut() {
                durations.add(took, result);
            }
        }
        Ok(all)
    }

    fn rows<T>(
        &self,
        sql: &str,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        self.rows_of(sql, [], read)
    }

    fn rows_of<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let rows = self
            .connection
            .prepare(sql)
            .and_then(|mut statement| statement.query_map(parameters, read)?.collect());
        rows.map_err(|source| self.database(source))
    }

    fn unreadable(&self, what: String, source: serde_json::Error) -> Error {
        Error::Unreadable { path: self.path.clone(), what, source }
    }
}
