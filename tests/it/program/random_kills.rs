//! Killed again and again at random moments while twenty pipelines are due every second.
//! `LEDGER_KILLS` says how often.

use std::path::Path;
use std::time::Duration;

use harness_exporter::driver::wall;
use harness_exporter::model::{PipelineName, Wall};
use harness_exporter::schedule::{Align, Schedule};
use harness_exporter::simulator::{Answer, Endpoint, Fault, Received, Script, Stage, World};
use rusqlite::Connection;

use super::exporter::Exporter;
use super::ledger;
use super::scrape::Scrape;
use super::support::{Setup, pipeline, serve, until, world};

const KILLS: u64 = 50;

const DUE_A_SECOND: u64 = 20;

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

/// How often it is killed, and what follows from that: so few runs of a pipeline that none is
/// forgotten, at the same load.
struct Plan {
    kills: u64,
    interval: Duration,
    names: Vec<String>,
}

impl Plan {
    /// As many kills as the environment asks for, or few enough for every day.
    fn of_environment() -> Self {
        let asked = std::env::var("LEDGER_KILLS").ok();
        let kills = asked.map_or(KILLS, |kills| kills.parse().expect("LEDGER_KILLS is a number"));
        let seconds = 1 + kills / 150;
        let names = (0..DUE_A_SECOND * seconds).map(|number| format!("p{number:03}")).collect();
        Self { kills, interval: Duration::from_secs(seconds), names }
    }

    fn keys(&self, number: usize) -> String {
        let concurrency = if number.is_multiple_of(2) { "forbid" } else { "allow" };
        let interval = self.interval.as_secs();
        format!("every: {interval}s, concurrency: {concurrency}, unconfirmed_deadline: 5s")
    }

    fn world(&self) -> World {
        let mut world = world(60.0);
        for (number, name) in (0_u64..).zip(&self.names) {
            let last = Stage::new("only", Duration::from_secs(5 + 8 * (number % DUE_A_SECOND)));
            let scripts = [Script::succeed(), Script::fail_at(1), Script::refuse_start("not now")];
            pipeline(&mut world, name).stages([last]).will_in_turn(scripts);
        }
        world.faults.rate(Endpoint::Trigger, 0.05, Fault::After(Answer::Never));
        world.faults.rate(Endpoint::Trigger, 0.05, Fault::Before(Answer::status(429)));
        world.faults.rate(Endpoint::Event, 0.05, Fault::Before(Answer::status(500)));
        world
    }
}

/// On several threads: Harness must answer while the exporter is being scraped or waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_26_killed_again_and_again_under_load() {
    let plan = Plan::of_environment();
    let simulator = serve(plan.world());
    let mut setup = Setup::of(&simulator).account("timeout", "1s");
    for (number, name) in plan.names.iter().enumerate() {
        setup.set_pipeline(name, &plan.keys(number));
    }

    let before = wall();
    let mut exporter = setup.start().await;
    let first = exporter.scrape().await;
    let after = wall();
    assert_eq!(first.count("harness_pipeline_info"), plan.names.len());
    live_and_die(&mut exporter, &plan).await;
    exporter.scrape().await;
    assert!(exporter.stop().await.success());
    for (number, name) in plan.names.iter().enumerate() {
        exporter.setup.set_pipeline(name, &format!("{}, paused: true", plan.keys(number)));
    }
    exporter.start_again().await;
    // One after the other, however slow the machine is.
    let mut active = i64::MAX;
    while active > 0 {
        let runs = |m: &Scrape| m.sum("harness_pipeline_active_runs");
        active = runs(&exporter.eventually("another end", |m| runs(m) < active).await);
    }
    assert!(exporter.stop().await.success());
    check_due_times(&exporter.store(), plan.interval, [before, after]);
    assert!(simulator.world().ledger.len() > 100, "there was load");
    println!("{}", table(&plan, &exporter, &simulator.world().ledger));
    exporter.finish(&simulator).await;
}

/// Every third life is so short that it may not have begun to listen.
async fn live_and_die(exporter: &mut Exporter, plan: &Plan) {
    let mut random = Random(SEED);
    for kill in 1..=plan.kills {
        let longest = if kill % 3 == 0 { 150 } else { 700 };
        let moment = wall().after(Duration::from_millis(random.below(longest)));
        until("a random moment", async || (wall() >= moment).then_some(())).await;
        if kill % 3 != 0 {
            exporter.scrape().await;
        }
        exporter.kill().await;
        if kill % 3 == 2 && kill < plan.kills {
            exporter.spawn();
        } else {
            exporter.start_again().await;
        }
        if kill % 50 == 0 {
            println!("{kill} of {} kills, {} scrapes", plan.kills, exporter.scrapes);
        }
    }
}

/// What was found.
fn table(plan: &Plan, exporter: &Exporter, received: &[Received]) -> String {
    let compared = ledger::compare(&ledger::runs(&exporter.store()), received);
    let totals = ledger::totals(&exporter.store());
    let sum = |family: &str, label: &str| -> i64 {
        let fits = |(of, with): (&str, &str)| of == family && (label.is_empty() || with == label);
        totals.iter().filter(|((_, of, with), _)| fits((of, with))).map(|(_, count)| count).sum()
    };
    let rows = [
        ("kills", plan.kills.to_string()),
        ("scrapes, the books balanced in each", exporter.scrapes.to_string()),
        ("webhooks received", received.len().to_string()),
        ("of these in one run that has no other", compared.accounted.to_string()),
        ("doubled: in a run that has another", compared.doubled.to_string()),
        ("unaccounted for: in no run", compared.unaccounted.to_string()),
        ("runs begun", sum("triggers", "").to_string()),
        ("runs ended with a result", sum("runs", "").to_string()),
        ("runs ended as a failed trigger", sum("trigger_failures", "").to_string()),
        ("of these unconfirmed", sum("trigger_failures", "unconfirmed").to_string()),
        ("due times missed", sum("schedules_missed", "").to_string()),
    ];
    rows.map(|(what, count)| format!("{what:<40}{count:>8}")).join("\n")
}

/// How far the due times of each pipeline have been dealt with: until it was paused.
fn handled_until(store: &Path) -> Vec<(String, Wall)> {
    let connection = Connection::open(store).unwrap();
    let mut statement = connection.prepare("select name, handled_until from pipelines").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, Wall(row.get(1)?)))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Each due time since the first start has a run or was missed, and none has or was both.
fn check_due_times(store: &Path, interval: Duration, start: [Wall; 2]) {
    let runs = ledger::runs(store);
    let totals = ledger::totals(store);
    for (name, until) in handled_until(store) {
        let schedule =
            Schedule::every(interval, Align::Spread, &format!("{}s", interval.as_secs()));
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
