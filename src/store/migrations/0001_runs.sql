-- Instants are bigints: milliseconds since 1970-01-01T00:00:00Z. Flags are 0 or 1.

create table schema_versions (
    version bigint primary key,
    applied bigint not null
);

-- `body` is the whole record as JSON; the columns are what is searched and sorted by.
create table runs (
    id text primary key,
    pipeline text not null,
    -- Null for a run that somebody asked for. Nulls are distinct from each other.
    due bigint,
    attempt bigint not null,
    phase text not null,
    begun bigint not null,
    execution text,
    resolved bigint,
    -- The end of a run that has a result.
    finished bigint,
    -- When the end was recorded; null while the run is active.
    ended bigint,
    -- How an ended run ended: 1 badly, 0 otherwise.
    bad bigint,
    body text not null,
    unique (pipeline, due, attempt)
);

create index runs_newest on runs (pipeline, begun, id);
create index runs_newest_executed on runs (pipeline, begun, id) where execution is not null;
create index runs_newest_finished on runs (pipeline, finished, id) where finished is not null;
create index runs_newest_resolved on runs (pipeline, resolved, id) where resolved is not null;
create index runs_by_age on runs (ended);
create index runs_by_ending on runs (pipeline, bad, ended, id) where ended is not null;

-- `schedule` is empty where there is none; `owed` is a JSON list of instants.
create table pipelines (
    name text primary key,
    schedule text not null,
    paused bigint not null,
    handled_until bigint not null,
    owed text not null
);

-- Never pruned. What `family` and `label` can be is said where the books are kept.
create table totals (
    owner_kind text not null,
    owner text not null,
    family text not null,
    label text not null,
    value bigint not null,
    primary key (owner_kind, owner, family, label)
);

-- Empty but for the moment in which it is tried whether there is room.
create table probe (
    filler text not null
);
