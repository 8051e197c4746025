//! The pure core against a simulated world: thousands of histories, each determined by its seed, in
//! which everything that can go wrong does. Time, the store, the network and Harness are simulated;
//! the engine is the real one. What must hold in all of them is in [`invariants`]; that those would
//! notice is shown by [`bugs`].
//!
//! A failure prints its seed. `SIMULATION_SEED=n cargo test --test it simulation` lives through that
//! history alone and prints how it went.

mod bugs;
mod harness;
mod invariants;
mod listing;
mod lookups;
mod plan;
mod process;
mod rng;
mod seams;
mod store;
mod timetable;
mod world;

use std::collections::BTreeSet;

use harness_exporter::model::{MissedReason, Outcome, Reason, RunResult};

/// How many histories a test run lives through.
const SEEDS: u64 = 2_000;

/// In how many of them a planted bug must be found.
const SEEDS_FOR_A_BUG: u64 = 4_000;

#[test]
fn the_invariants_hold_in_every_history() {
    if let Some(seed) = std::env::var("SIMULATION_SEED").ok().and_then(|seed| seed.parse().ok()) {
        let (outcome, tale) = world::tell(seed, None);
        println!("{}", tale.join("\n"));
        assert!(outcome.is_ok(), "seed {seed}: {outcome:?}");
        return;
    }
    let mut met = BTreeSet::new();
    for seed in 0..SEEDS {
        match world::live(seed, None) {
            Ok(seen) => met.extend(seen),
            Err(violation) => {
                let (_, tale) = world::tell(seed, None);
                let tail = tale.len().saturating_sub(60);
                panic!("{violation:?}\n{}\nSIMULATION_SEED={seed}", tale[tail..].join("\n"));
            }
        }
    }
    everything_was_met(&met);
}

/// Histories in which nothing happens would prove nothing: each way in which a run can end and a
/// due time be missed has been met.
fn everything_was_met(met: &BTreeSet<String>) {
    let mut expected: BTreeSet<String> = BTreeSet::new();
    expected
        .extend(Outcome::ALL.iter().filter(|o| **o != Outcome::Pending).map(|o| format!("{o:?}")));
    expected.extend(Reason::ALL.iter().map(|reason| format!("{reason:?}")));
    expected.extend(RunResult::ALL.iter().map(|result| format!("{result:?}")));
    expected.extend(MissedReason::ALL.iter().map(|reason| format!("{reason:?}")));
    let places = [
        "crash",
        "power",
        "restart",
        "edit",
        "reload",
        "stop",
        "suspend",
        "step",
        "failed commit",
        "pause",
        "resume",
        "maintenance",
        "retry",
        "retry dropped",
        "list",
        "look-up",
    ];
    expected.extend(places.map(str::to_owned));
    let places = ["adopted", "given up", "followed by its execution"];
    expected.extend(places.map(str::to_owned));
    let missing: Vec<_> = expected.difference(met).collect();
    assert!(missing.is_empty(), "never met: {missing:?}");
}
