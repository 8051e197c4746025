//! The search for due times against the oracle of the tests, at length: every time zone, every
//! change of its clock from 1990 to 2040, two days before and after it, forty expressions. Zones
//! whose clocks have shown the same in these years, as those of one country do, are asked about once.
//!
//! Exits with status 1 where they disagree anywhere. `make oracle` runs it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a check that is run by hand"
)]

#[path = "../tests/it/schedule/oracle.rs"]
mod oracle;

use std::collections::BTreeMap;
use std::io::{IsTerminal, stderr};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness_exporter::schedule::timezones;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::oracle::{Days, SHAPES, changes};

const YEARS: [i16; 2] = [1990, 2040];

/// What was found so far.
#[derive(Default)]
struct Tally {
    changes: usize,
    compared: u64,
    disagreements: Vec<String>,
}

fn main() -> ExitCode {
    let begun = Instant::now();
    let names: Vec<String> = timezones().collect();
    let clocks: BTreeMap<_, _> = names.iter().map(|name| (clock(name), name)).collect();
    let zones: Vec<&String> = clocks.into_values().collect();
    let taken = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let tallies = thread::scope(|scope| {
        let work = || {
            let mut tally = Tally::default();
            while let Some(name) = zones.get(taken.fetch_add(1, Ordering::Relaxed)) {
                ask_about(name, &mut tally);
                if stderr().is_terminal() {
                    let done = taken.load(Ordering::Relaxed).min(zones.len());
                    eprint!("\r{done} of {} zones, {name}\x1b[K", zones.len());
                }
            }
            tally
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    if stderr().is_terminal() {
        eprintln!();
    }
    let disagreements: Vec<&String> = tallies.iter().flat_map(|t| &t.disagreements).collect();
    for disagreement in disagreements.iter().take(50) {
        println!("{disagreement}");
    }
    println!(
        "{} zones with {} different clocks, {} changes of them from {} to {}, {} expressions: \
         {} minutes compared in {:.0} s, {} disagreements",
        names.len(),
        zones.len(),
        tallies.iter().map(|tally| tally.changes).sum::<usize>(),
        YEARS[0],
        YEARS[1],
        SHAPES.len(),
        tallies.iter().map(|tally| tally.compared).sum::<u64>(),
        begun.elapsed().as_secs_f64(),
        disagreements.len()
    );
    if disagreements.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the clock of a zone has shown: its offset at first, and each change with the offset after.
fn clock(name: &str) -> Vec<(i64, i32)> {
    let zone = TimeZone::get(name).unwrap();
    let changes = changes(&zone, YEARS[0], YEARS[1]);
    let first = changes.first().map_or(Timestamp::UNIX_EPOCH, |at| *at - Duration::from_secs(1));
    let instants = std::iter::once(first).chain(changes);
    instants.map(|at| (at.as_second(), zone.to_offset(at).seconds())).collect()
}

fn ask_about(name: &str, tally: &mut Tally) {
    let zone = TimeZone::get(name).unwrap();
    for change in changes(&zone, YEARS[0], YEARS[1]) {
        tally.changes += 1;
        let days = Days::around(&zone, change);
        for shape in SHAPES {
            match days.compare(shape, name) {
                Ok(compared) => tally.compared += compared,
                Err(disagreement) => tally.disagreements.push(disagreement),
            }
        }
    }
}
