//! One process a file; never anything made where something was; the schema brought up to date.

use std::fs::{self, File};

use rusqlite::Connection;

use super::*;
use crate::store::log;
use crate::store::open::{MIGRATIONS, migrate};

fn file(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("x.db")
}

#[test]
fn missing_folders_are_made_and_nothing_else_is_left() {
    let folder = folder();
    let location = Location::of_file(folder.path().join("a/b/x.db"));
    drop(Store::open(&location, NOON).unwrap());
    let mut names: Vec<_> = fs::read_dir(folder.path().join("a/b"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["x.db", "x.db.lock"]);
}

#[test]
fn what_a_killed_first_start_left_behind_does_not_matter() {
    let folder = folder();
    fs::write(folder.path().join("x.db.new"), "half").unwrap();
    fs::write(folder.path().join("x.db.new-journal"), "half").unwrap();
    fill(&mut open(&folder));
    assert!(!folder.path().join("x.db.new").exists());
}

#[test]
fn fault_29_a_second_one_is_refused_until_the_first_is_gone() {
    let folder = folder();
    let first = open(&folder);
    let error = refusal(&folder);
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("x.db is in use by another exporter"), "{error}");

    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(file(&folder), &link).unwrap();
    let error = Store::open(&Location::of_file(link), NOON).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");

    let second_name = folder.path().join("second.db");
    fs::hard_link(file(&folder), &second_name).unwrap();
    let error = Store::open(&Location::of_file(&second_name), NOON).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    fs::remove_file(second_name).unwrap();

    fs::remove_file(folder.path().join("x.db.lock")).unwrap();
    let error = refusal(&folder);
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    drop(first);
    open(&folder);
}

#[test]
fn fault_27_what_is_damaged_is_refused_and_stays_as_it_is() {
    let whole = folder();
    let mut store = open(&whole);
    fill(&mut store);
    let runs: Vec<Fact> =
        (100..400).map(|minutes| fact(begun("nightly", minutes), Change::Begun)).collect();
    store.commit(&runs, Care::Synced).unwrap();
    drop(store);
    let good = fs::read(file(&whole)).unwrap();
    let torn = |bytes: std::ops::Range<usize>| {
        let mut torn = good.clone();
        torn[bytes].fill(0xA5);
        torn
    };

    let table: &[(&str, Vec<u8>)] = &[
        ("empty", Vec::new()),
        ("one byte", vec![b'S']),
        ("text", b"pipelines: []\n".repeat(1_000)),
        ("zeros", vec![0; good.len()]),
        ("header only", good[..16].to_vec()),
        ("cut in the first page", good[..1_000].to_vec()),
        ("cut after the first page", good[..4_096].to_vec()),
        ("cut in the middle", good[..good.len() / 2].to_vec()),
        ("last page gone", good[..good.len() - 4_096].to_vec()),
        ("header overwritten", torn(16..100)),
        ("schema overwritten", torn(100..4_096)),
        ("a page overwritten", torn(8 * 4_096..9 * 4_096)),
    ];
    for (what, bytes) in table {
        let folder = folder();
        fs::write(file(&folder), bytes).unwrap();
        let error = refusal(&folder);
        assert!(matches!(error, OpenError::Damaged { .. }), "{what}: {error}");
        assert!(error.to_string().contains("Put back a copy of it"), "{error}");
        assert_eq!(&fs::read(file(&folder)).unwrap(), bytes, "{what}");
    }
}

#[test]
fn a_log_without_its_store_is_damage() {
    let folder = folder();
    let mut store = open(&folder);
    fill(&mut store);
    let crashed = super::folder();
    copy(&folder.path().join("x.db-wal"), &crashed.path().join("x.db-wal"));
    let error = refusal(&crashed);
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert!(!file(&crashed).exists());
}

/// A copy put back while the log of the lost store still lies there.
#[test]
fn a_log_of_another_store_is_refused_and_left_alone() {
    let folder = folder();
    let mut store = open(&folder);
    fill(&mut store);
    drop(store);
    let backup = fs::read(file(&folder)).unwrap();
    let mut store = Store::open(&location(&folder), at(1)).unwrap();
    store.commit(&[fact(begun("nightly", 90), Change::Begun)], Care::Synced).unwrap();
    let log = folder.path().join("x.db-wal");
    let left = fs::read(&log).unwrap();
    drop(store);
    fs::write(file(&folder), &backup).unwrap();
    fs::write(&log, &left).unwrap();

    let error = Store::open(&location(&folder), at(2)).unwrap_err();
    assert!(matches!(error, OpenError::OthersLog { .. }), "{error}");
    assert!(error.to_string().contains("x.db-wal is not of the store"), "{error}");
    assert_eq!(fs::read(file(&folder)).unwrap(), backup);
    fs::remove_file(&log).unwrap();
    let store = Store::open(&location(&folder), at(3)).unwrap();
    assert_eq!(count(&store, "runs"), 3);
}

/// A kill leaves the store with its own log, at whatever moment of the opening it comes.
#[test]
fn its_own_log_is_never_refused() {
    let folder = folder();
    for life in 0..3 {
        let mut store = Store::open(&location(&folder), at(life)).unwrap();
        store.commit(&[fact(begun("nightly", life), Change::Begun)], Care::Synced).unwrap();
        let names = ["x.db", "x.db-wal", "x.db.lock"];
        let left = names.map(|name| fs::read(folder.path().join(name)).unwrap());
        drop(store);
        for (name, bytes) in names.iter().zip(left) {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let between = format!("{} {}", NOON.0 % (1 << 31), at(life).0 % (1 << 31));
        let noted = fs::read_to_string(folder.path().join("x.db.lock")).unwrap();
        for noted in [noted.as_str(), &between, ""] {
            fs::write(folder.path().join("x.db.lock"), noted).unwrap();
            let mut lock = File::open(folder.path().join("x.db.lock")).unwrap();
            let mut store = File::open(file(&folder)).unwrap();
            log::check(&file(&folder), &mut store, &mut lock).unwrap();
        }
    }
    assert_eq!(count(&Store::open(&location(&folder), at(9)).unwrap(), "runs"), 3);
}

#[test]
fn a_link_that_leads_nowhere_is_refused_and_stays() {
    let folder = folder();
    let gone = folder.path().join("not-mounted/x.db");
    std::os::unix::fs::symlink(&gone, file(&folder)).unwrap();
    let error = refusal(&folder);
    assert!(error.to_string().contains("not-mounted/x.db, which is not there"), "{error}");
    assert_eq!(file(&folder).read_link().unwrap(), gone);
    // A folder that nobody may write to, not even root.
    let error = Store::open(&Location::of_file("/proc/self/x.db"), NOON).unwrap_err().to_string();
    assert!(error.contains("let this user read and write it and its folder"), "{error}");
}

#[test]
fn a_database_of_another_program_is_refused_and_not_touched() {
    let folder = folder();
    let other = Connection::open(file(&folder)).unwrap();
    other.execute_batch("create table customers (name text)").unwrap();
    drop(other);
    let before = fs::read(file(&folder)).unwrap();
    assert!(matches!(refusal(&folder), OpenError::Foreign { .. }));
    assert_eq!(fs::read(file(&folder)).unwrap(), before);
}

#[test]
fn fault_31_a_newer_store_is_refused() {
    for edit in ["pragma user_version = 99", "insert into schema_versions values (99, 0)"] {
        let folder = folder();
        let mut store = open(&folder);
        fill(&mut store);
        store.connection.execute_batch(edit).unwrap();
        drop(store);
        let before = fs::read(file(&folder)).unwrap();
        let error = refusal(&folder);
        assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error}");
        assert!(error.to_string().contains("version 99"), "{error}");
        assert_eq!(fs::read(file(&folder)).unwrap(), before);
    }
}

#[test]
fn what_is_no_file_or_out_of_reach_is_refused() {
    let folder = folder();
    fs::create_dir(file(&folder)).unwrap();
    assert!(matches!(refusal(&folder), OpenError::File { .. }));
    File::create(folder.path().join("plain")).unwrap();
    let below = Location::of_file(folder.path().join("plain/x.db"));
    let error = Store::open(&below, NOON).unwrap_err();
    assert!(matches!(error, OpenError::Folder { .. }), "{error}");
}

#[test]
fn it_works_as_durably_as_promised() {
    let folder = folder();
    let store = open(&folder);
    let pragma = |name: &str| -> String {
        let text = |row: &rusqlite::Row<'_>| {
            Ok(match row.get_ref(0)? {
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                other => other.as_str()?.to_owned(),
            })
        };
        store.connection.pragma_query_value(None, name, text).unwrap()
    };
    for (name, value) in [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "0")] {
        assert_eq!(pragma(name), value, "{name}");
    }
    let version = i32::try_from(MIGRATIONS.len()).unwrap().to_string();
    assert_eq!(pragma("user_version"), version);
    let mut store = store;
    for (care, level) in [(Care::Written, "1"), (Care::Synced, "2")] {
        store
            .commit(&[fact(begun("nightly", level.parse().unwrap()), Change::Begun)], care)
            .unwrap();
        let level_now = store.connection.pragma_query_value(None, "synchronous", |row| row.get(0));
        assert_eq!(level_now, Ok(level.parse::<i64>().unwrap()), "{care:?}");
    }
    // The version in which SQLite mended its log against two connections at once.
    assert!(rusqlite::version_number() >= 3_051_003);
}

/// A file as version 1 left it, with active and ended runs, totals and a pipeline.
fn of_version_1(folder: &TempDir) -> Connection {
    let mut old = Connection::open(file(folder)).unwrap();
    migrate(&mut old, &MIGRATIONS[..1], NOON).unwrap();
    old.execute_batch(include_str!("version_1.sql")).unwrap();
    old
}

#[test]
fn a_store_of_version_1_says_what_it_said() {
    let (old, new) = (folder(), folder());
    drop(of_version_1(&old));
    let mut store = open(&new);
    fill(&mut store);
    let mut expected = loaded(&store);
    // What version 1 did not know: since when, by whose hand, and how long a run took.
    expected.pipelines[0].since = expected.pipelines[0].mark.handled_until;
    expected.pipelines[0].held = false;
    expected.durations.clear();

    let mut store = open(&old);
    assert_same(&loaded(&store), &expected);
    assert_eq!(count(&store, "runs"), 3);
    assert_eq!(count(&store, "schema_versions"), 3);
    // And it goes on: the open run ends, and the next one is begun.
    store
        .commit(
            &[
                fact(finished("nightly", 30, RunResult::Success), Change::Finished),
                fact(begun("nightly", 60), Change::Begun),
            ],
            Care::Synced,
        )
        .unwrap();
    assert_eq!(total(&store, Key::Triggers(Origin::Schedule)), 4);
    assert_eq!(loaded(&store).durations[0].succeeded, [59_000]);
    drop(store);
    assert_eq!(total(&open(&old), Key::Runs(RunResult::Success)), 1);
}

#[test]
fn a_schema_is_brought_up_to_date_once() {
    let folder = folder();
    let mut store = open(&folder);
    fill(&mut store);
    let before = loaded(&store);
    let mut longer = MIGRATIONS.to_vec();
    longer.push("alter table runs add column more text; update runs set more = 'yes';");
    migrate(&mut store.connection, &longer, at(1)).unwrap();
    migrate(&mut store.connection, &longer, at(2)).unwrap();
    assert_same(&loaded(&store), &before);
    assert_eq!(count(&store, "schema_versions"), 4);
    assert_eq!(count(&store, "runs where more = 'yes'"), 3);
    drop(store);
    assert!(matches!(refusal(&folder), OpenError::Newer { found: 4, known: 3, .. }));
}

#[test]
fn a_migration_that_fails_changes_nothing() {
    let folder = folder();
    let mut store = open(&folder);
    fill(&mut store);
    let before = loaded(&store);
    let mut longer = MIGRATIONS.to_vec();
    longer
        .push("delete from runs; update pipelines set paused = 0; insert into nowhere values (1)");
    migrate(&mut store.connection, &longer, at(1)).unwrap_err();
    assert_same(&loaded(&store), &before);
    drop(store);
    assert_same(&loaded(&open(&folder)), &before);
}
