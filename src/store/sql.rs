//! The texts of SQL, in the words that SQLite and PostgreSQL share.
//!
//! They are written with `$1`, `$2` …, as PostgreSQL has it. SQLite takes `$2` for a *name* and
//! numbers names by where they first stand, so `$2 || $1` would be bound the wrong way round
//! without an error; `?2` means the second there. [`Sql::for_sqlite`] rewrites them, once.

use crate::model::Durations;

pub(super) const LAST_VERSION: &str = "select max(version) from schema_versions";

pub(super) const ADD_VERSION: &str =
    "insert into schema_versions (version, applied) values ($1, $2)";

const FILL_PROBE: &str = "insert into probe (filler) values ($1)";

const EMPTY_PROBE: &str = "delete from probe";

/// Whoever inserts first has the due time and attempt; the second one's transaction fails.
const CLAIM_RUN: &str = "
    insert into runs (id, pipeline, due, attempt, begun, execution, resolved, finished, ended, bad,
        result, duration, body)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

/// What of a run changes after it was begun.
const RUN_MOVED_ON: &str = "
    on conflict (id) do update set execution = excluded.execution, resolved = excluded.resolved,
        finished = excluded.finished, ended = excluded.ended, bad = excluded.bad,
        result = excluded.result, duration = excluded.duration, body = excluded.body";

const SAVE_PIPELINE: &str = "
    insert into pipelines (name, schedule, paused, held, since, handled_until, owed)
    values ($1, $2, $3, $4, $5, $6, $7)
    on conflict (name) do update set schedule = excluded.schedule, paused = excluded.paused,
        held = excluded.held, since = excluded.since, handled_until = excluded.handled_until,
        owed = excluded.owed";

/// A pipeline is loaded before anything happens to it; should it not have been, then this one has
/// an empty schedule, and an edited schedule catches nothing up.
const SAVE_MARK: &str = "
    insert into pipelines (name, schedule, paused, held, since, handled_until, owed)
    values ($1, '', 0, 0, $2, $2, $3)
    on conflict (name) do update set handled_until = excluded.handled_until,
        owed = excluded.owed";

/// Saturating, as [`crate::totals::Op::apply`]: SQLite would go on in floating point.
const ADD_TO_TOTAL: &str = "
    insert into totals (owner_kind, owner, family, label, value)
    values ($1, $2, $3, $4, $5)
    on conflict (owner_kind, owner, family, label) do update set value = case
        when totals.value > 0 and excluded.value > 9223372036854775807 - totals.value
        then 9223372036854775807
        else totals.value + excluded.value end";

const SET_TOTAL: &str = "
    insert into totals (owner_kind, owner, family, label, value)
    values ($1, $2, $3, $4, $5)
    on conflict (owner_kind, owner, family, label) do update set value = excluded.value";

const RAISE_TOTAL: &str = "
    insert into totals (owner_kind, owner, family, label, value)
    values ($1, $2, $3, $4, $5)
    on conflict (owner_kind, owner, family, label) do update set value = case
        when excluded.value > totals.value then excluded.value else totals.value end";

const BOUNDS: &str = "select bound from bucket_bounds where family = $1 order by bound";

const FORGET_BOUNDS: &str = "delete from bucket_bounds where family = $1";

const ADD_BOUND: &str = "insert into bucket_bounds (family, bound) values ($1, $2)";

const FORGET_TOTALS: &str = "delete from totals where family = $1";

const PIPELINES: &str = "
    select name, schedule, paused, held, since, handled_until, owed from pipelines";

const TOTALS: &str = "select owner_kind, owner, family, label, value from totals";

const ENDED_SINCE: &str = "select id, body from runs where ended >= $1";

/// The runs that the gauges of the pipeline `p.pipeline` speak of, and the last attempt at its newest
/// due time. They are loaded at a start and
/// never pruned.
const SPOKEN_OF: [&str; 5] = [
    "(select id from runs where pipeline = p.pipeline
        order by begun desc, id desc limit 1)",
    "(select id from runs where pipeline = p.pipeline and execution is not null
        order by begun desc, id desc limit 1)",
    "(select id from runs where pipeline = p.pipeline and finished is not null
        order by finished desc, id desc limit 1)",
    "(select id from runs where pipeline = p.pipeline and resolved is not null
        order by resolved desc, id desc limit 1)",
    // Whether its due time is to be tried again is in its record.
    "(select id from runs where pipeline = p.pipeline and due is not null
        order by due desc, attempt desc limit 1)",
];

/// Every text that is used more than once, ready for SQLite.
#[derive(Debug)]
pub(super) struct Sql {
    pub(super) fill_probe: String,
    pub(super) empty_probe: String,
    pub(super) claim_run: String,
    pub(super) save_run: String,
    pub(super) save_pipeline: String,
    pub(super) save_mark: String,
    pub(super) add_to_total: String,
    pub(super) set_total: String,
    pub(super) raise_total: String,
    /// Parameters: a pipeline, 1 for those that ended badly, how many are kept.
    pub(super) delete_surplus: String,
    /// Parameters: what ended before is old, how many are deleted at most.
    pub(super) delete_old: String,
    pub(super) bounds: String,
    pub(super) forget_bounds: String,
    pub(super) add_bound: String,
    /// Parameter: a family.
    pub(super) forget_totals: String,
    pub(super) pipelines: String,
    pub(super) totals: String,
    pub(super) runs: String,
    /// Parameter: what ended before is left out.
    pub(super) ended_since: String,
    pub(super) durations: String,
}

impl Sql {
    pub(super) fn for_sqlite() -> Self {
        Self {
            fill_probe: numbered(FILL_PROBE),
            empty_probe: numbered(EMPTY_PROBE),
            claim_run: numbered(CLAIM_RUN),
            save_run: numbered(&format!("{CLAIM_RUN} {RUN_MOVED_ON}")),
            save_pipeline: numbered(SAVE_PIPELINE),
            save_mark: numbered(SAVE_MARK),
            add_to_total: numbered(ADD_TO_TOTAL),
            set_total: numbered(SET_TOTAL),
            raise_total: numbered(RAISE_TOTAL),
            delete_surplus: numbered(&delete_surplus()),
            delete_old: numbered(&delete_old()),
            bounds: numbered(BOUNDS),
            forget_bounds: numbered(FORGET_BOUNDS),
            add_bound: numbered(ADD_BOUND),
            forget_totals: numbered(FORGET_TOTALS),
            pipelines: numbered(PIPELINES),
            totals: numbered(TOTALS),
            runs: numbered(&runs()),
            ended_since: numbered(ENDED_SINCE),
            durations: numbered(&durations()),
        }
    }
}

/// The text with SQLite's placeholders. No text of ours has a `$` in another meaning.
pub(super) fn numbered(text: &str) -> String {
    text.replace('$', "?")
}

fn runs() -> String {
    let spoken_of = SPOKEN_OF.map(|run| format!("select {run} from p where pipeline is not null"));
    format!(
        "with recursive {NAMES}
        select id, body from runs where ended is null or id in ({})",
        spoken_of.join(" union all ")
    )
}

/// The names of all pipelines that have a run, as `p.pipeline`, and a null. From name to name along an
/// index: `distinct` would read all of it, and a start take longer with every run there ever was.
const NAMES: &str = "p (pipeline) as (
    select min(pipeline) from runs
    union all
    select (select min(pipeline) from runs where pipeline > p.pipeline)
    from p where p.pipeline is not null)";

fn delete_surplus() -> String {
    format!(
        "delete from runs where id in (
            select p.id from runs as p
            where p.pipeline = $1 and p.bad = $2 and p.ended is not null
            and (p.ended, p.id) <= (
                select ended, id from runs
                where pipeline = $1 and bad = $2 and ended is not null
                order by ended desc, id desc limit 1 offset $3)
            {})",
        nobody_speaks_of()
    )
}

fn delete_old() -> String {
    format!(
        "delete from runs where id in (
            select p.id from runs as p where p.ended < $1 {} order by p.ended limit $2)",
        nobody_speaks_of()
    )
}

/// Of each pipeline the last finished runs and the last successful ones, oldest first. That is a few
/// steps along one index for each, however long its history is.
fn durations() -> String {
    format!(
        "with recursive {NAMES},
        learned as materialized (
            select pipeline, {} as finished_since, {} as succeeded_since
            from p where pipeline is not null)
        select runs.pipeline, runs.result, runs.duration
        from learned join runs on runs.pipeline = learned.pipeline
        where runs.finished is not null and runs.duration is not null
        and (runs.finished >= finished_since
            or (runs.result = 'success' and runs.finished >= succeeded_since))
        order by runs.pipeline, runs.finished, runs.id",
        learned_since(""),
        learned_since(SUCCEEDED)
    )
}

const SUCCEEDED: &str = "and result = 'success'";

/// When the oldest run ended from which is still learned how long the runs of `p.pipeline` take.
fn learned_since(which: &str) -> String {
    format!(
        "coalesce((
            select finished from runs
            where pipeline = p.pipeline and finished is not null and duration is not null {which}
            order by finished desc limit 1 offset {}), 0)",
        Durations::REMEMBERED - 1
    )
}

/// The last successful ones stay because a gauge says how long they took.
fn nobody_speaks_of() -> String {
    format!(
        "{} and (p.result is distinct from 'success' or p.duration is null or p.finished < {})",
        SPOKEN_OF.map(|run| format!("and p.id is distinct from {run}")).join(" "),
        learned_since(SUCCEEDED)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With `$2 || $1` SQLite would bind by first appearance and say "ab".
    #[test]
    fn placeholders_are_bound_by_their_number() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let bind = |text: &str| -> String {
            connection.query_row(text, ["a", "b"], |row| row.get(0)).unwrap()
        };
        assert_eq!(bind("select $2 || $1"), "ab");
        assert_eq!(bind(&numbered("select $2 || $1")), "ba");
    }
}
