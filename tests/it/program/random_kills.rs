//! Killed again and again at random moments while twenty pipelines are due every second.

use std::path::Path;
use std::time::Duration;

use harness_exporter::driver::wall;
use harness_exporter::model::{PipelineName, Wall};
use harness_exporter::schedule::{Align, Schedule};
use harness_exporter::simulator::{Answer, Endpoint, Fault, Script, Stage};
use rusqlite::Connection;

use super::ledger;
use super::support::{Setup, pipeline, serve, until, world};

const KILLS: u64 = 20;

/// The same moments every time, as far as anything is the same every time.
const SEED: u64 = 0x5eed_0026;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[tokio::test]
async fn fault_26_killed_twenty_times_under_load() {
    let names: Vec<String> = (0..20).map(|number| format!("p{number:02}")).collect();
    let mut world = world(60.0);
    let mut keys: Vec<String> = Vec::new();
    for (number, name) in (0_u64..).zip(&names) {
        let last = Stage::new("only", Duration::from_secs(5 + 8 * number));
        let scripts = [Script::succeed(), Script::fail_at(1), Script::refuse_start("not now")];
        pipeline(&mut world, name).stages([last]).will_in_turn(scripts);
        let concurrency = if number % 2 == 0 { "forbid" } else { "allow" };
        keys.push(format!("every: 1s, concurrency: {concurrency}"));
    }
    world.faults.rate(Endpoint::Trigger, 0.05, Fault::After(Answer::Never));
    world.faults.rate(Endpoint::Trigger, 0.05, Fault::Before(Answer::status(429)));
    world.faults.rate(Endpoint::Event, 0.05, Fault::Before(Answer::status(500)));
    let simulator = serve(world);
    let mut setup = Setup::of(&simulator).account("timeout", "1s");
    for (name, keys) in names.iter().zip(&keys) {
        setup.set_pipeline(name, keys);
    }

    let before = wall();
    let mut exporter = setup.start().await;
    let first = exporter.scrape().await;
    let after = wall();
    assert_eq!(first.count("harness_pipeline_info"), 20);
    let mut random = Random(SEED);
    for kill in 0..KILLS {
        let moment = wall().after(Duration::from_millis(random.below(700)));
        until("a random moment", async || (wall() >= moment).then_some(())).await;
        if kill % 3 == 0 {
            exporter.scrape().await;
        }
        exporter.kill().await;
        exporter.start_again().await;
    }
    exporter.scrape().await;
    assert!(exporter.stop().await.success());
    for (name, keys) in names.iter().zip(&keys) {
        exporter.setup.set_pipeline(name, &format!("{keys}, paused: true"));
    }
    exporter.start_again().await;
    exporter.eventually("all ends", |m| m.sum("harness_pipeline_active_runs") == 0).await;
    assert!(exporter.stop().await.success());
    check_due_times(&exporter.store(), [before, after]);
    assert!(simulator.world().ledger.len() > 100, "there was load");
    exporter.finish(&simulator).await;
}

/// How far the due times of each pipeline have been dealt with: until it was paused.
fn handled_until(store: &Path) -> Vec<(String, Wall)> {
    let connection = Connection::open(store).unwrap();
    let mut statement = connection.prepare("select name, handled_until from pipelines").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, Wall(row.get(1)?)))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Each due time since the first start has a run or was missed, and none has or was both.
fn check_due_times(store: &Path, start: [Wall; 2]) {
    let runs = ledger::runs(store);
    let totals = ledger::totals(store);
    for (name, until) in handled_until(store) {
        let schedule = Schedule::every(Duration::from_secs(1), Align::Spread, "1s");
        let due_times = schedule.due_times(&PipelineName::new(&name));
        let [most, least] = start.map(|start| due_times.count_between(start, until));
        let triggered = runs.iter().filter(|run| run.pipeline.as_str() == name).count();
        let missed = totals
            .iter()
            .filter(|((of, family, _), _)| *of == name && family == "schedules_missed");
        let missed: i64 = missed.map(|(_, count)| count).sum();
        let settled = u64::try_from(missed).unwrap() + triggered as u64;
        assert!((least..=most).contains(&settled), "{name}: {least}..={most}, {settled}");
    }
}
