-- What several replicas on one PostgreSQL need to share a store, and what a restart must know of a
-- pipeline to say what it said before. On SQLite one process has the whole file.
--
-- A due time is claimed by the insert of its run: `unique (pipeline, due, attempt)` of the first
-- migration lets one replica win. How far due times are dealt with is claimed by moving
-- `pipelines.handled_until` forward, so that a due time is missed once.

-- Who follows an active run, and until when, by the database's clock, nobody else may. Both null: the
-- one process that has the store open, for as long as it has. So it is on SQLite, where the lock on
-- the file is the lease and nothing need be renewed.
alter table runs add column owner text;
alter table runs add column lease_until bigint;

-- How it ended and how many milliseconds it took, where that is known: what is to be expected of the
-- next one is learned from it. Null for what ended before there was this column.
alter table runs add column result text;
alter table runs add column duration bigint;

-- Nothing was ever searched by it; it is in `body`.
alter table runs drop column phase;

-- The newest finished run is found as before, and the last durations without a look at the runs.
drop index runs_newest_finished;
create index runs_newest_finished on runs (pipeline, finished, id, result, duration)
    where finished is not null;

-- `held`: paused by hand. `since`: the latest of its first load, its last resume and the last edit of
-- its schedule. Of older rows all that is known is that they were there when they were last due.
alter table pipelines add column held bigint not null default 0;
alter table pipelines add column since bigint not null default 0;
update pipelines set since = handled_until;

-- The replicas that are alive, among which the limits of an account are divided; by the database's
-- clock. Empty where there is only one.
create table replicas (
    id text primary key,
    started bigint not null,
    alive_until bigint not null
);
