//! Reload after reload while pipelines are due and two scrape without a pause. `RELOADS` says how
//! many.

use std::fmt::Write;

use harness_exporter::simulator::{Script, Simulator};

use super::exporter::Exporter;
use super::ledger;
use super::reloads::reload;
use super::scraper::Scraper;
use super::support::{Setup, pipeline, serve, world};

const RELOADS: u64 = 200;

/// Pipelines that no reload changes.
const STEADY: [&str; 3] = ["s0", "s1", "s2"];

/// So much may an exporter grow that has taken up its caches.
const MAY_GROW_BY: i64 = 16 * 1024 * 1024;

/// How often the config is read again, and how often the pipelines are due meanwhile: so seldom that
/// a loaded machine skips none and that none of their runs is forgotten.
struct Plan {
    reloads: u64,
    seconds: u64,
}

impl Plan {
    fn of_environment() -> Self {
        let asked = std::env::var("RELOADS").ok();
        let reloads = asked.map_or(RELOADS, |asked| asked.parse().expect("RELOADS is a number"));
        Self { reloads, seconds: 3 + reloads / 2_000 }
    }

    fn steady(&self) -> String {
        format!("every: {}s, concurrency: allow", self.seconds)
    }

    /// The config of reload `number`: a schedule edited, a pipeline that comes and goes with runs
    /// under way, another limit.
    fn edit(setup: &mut Setup, number: u64) {
        let odd = number % 2;
        setup.set_pipeline("edited", &format!("every: {}s, concurrency: allow", 1 + odd));
        if odd == 0 {
            setup.set_pipeline("guest", "every: 1s, concurrency: allow");
        } else {
            setup.pipelines.remove("guest");
        }
        setup.set_account("requests_per_minute", &(60_000 + odd).to_string());
        setup.write();
    }
}

fn simulator() -> Simulator {
    let mut world = world(60.0);
    for name in STEADY.into_iter().chain(["edited", "guest"]) {
        pipeline(&mut world, name).will_in_turn([Script::succeed(), Script::fail_at(1)]);
    }
    serve(world)
}

/// What a process holds on to, by its own word.
async fn held(exporter: &mut Exporter) -> [i64; 3] {
    let scrape = exporter.scrape().await;
    ["process_resident_memory_bytes", "process_open_fds", "process_threads"]
        .map(|name| scrape.value(name))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_38_reloads_under_load_miss_nothing_keep_nothing_and_drop_no_scrape() {
    let plan = Plan::of_environment();
    let simulator = simulator();
    let setup = Setup::of(&simulator).flag("--web.enable-lifecycle");
    let mut exporter = setup.start_with(STEADY, &plan.steady()).await;
    let scrapers = [STEADY[0], STEADY[1]].map(|always| Scraper::of(&exporter, always));
    let mut story = String::new();
    let mut first = None;
    for number in 0..plan.reloads {
        Plan::edit(&mut exporter.setup, number);
        reload(&exporter).await;
        if (number + 1) % plan.reloads.div_ceil(10) == 0 {
            let held = held(&mut exporter).await;
            first.get_or_insert(held);
            let [resident, files, threads] = held;
            let resident = resident / 1024;
            let _ = writeln!(story, "{number}: {resident} KiB, {files} files, {threads} threads");
        }
    }
    let every = |m: &super::scrape::Scrape| {
        STEADY.iter().all(|name| m.sum(&super::support::ended(name, "success")) > 1)
    };
    exporter.eventually("two runs of each", every).await;
    let mut answered = 0;
    for scraper in scrapers {
        answered += scraper.end().await;
    }
    println!("{story}{answered} scrapes beside {} reloads", plan.reloads);
    let ([before, files, threads], [after, files_after, threads_after]) =
        (first.unwrap(), held(&mut exporter).await);
    assert!(after - before < MAY_GROW_BY, "{story}");
    // A reload's connections go when their runs have been read.
    assert!(files_after < files + 50 && threads_after <= threads + 4, "{story}");
    exporter.restart().await;
    nothing_is_missed(&exporter, &plan);
    exporter.finish(&simulator).await;
}

/// Of a pipeline that no reload changed every due time has its run.
fn nothing_is_missed(exporter: &Exporter, plan: &Plan) {
    let runs = ledger::runs(&exporter.store());
    let interval = i64::try_from(plan.seconds * 1000).unwrap();
    let totals = ledger::totals(&exporter.store());
    for name in STEADY {
        let mut due: Vec<i64> = runs
            .iter()
            .filter(|run| run.pipeline.as_str() == name)
            .map(|run| run.due.unwrap().0)
            .collect();
        due.sort_unstable();
        let gaps = due.windows(2).filter(|pair| pair[1] - pair[0] != interval).count();
        println!("{name}: {} due times, {gaps} gaps", due.len());
        assert!(due.len() > 1 && gaps == 0, "{name}: {due:?}");
        let missed: i64 = totals
            .iter()
            .filter(|((owner, family, _), _)| owner == name && family == "schedules_missed")
            .map(|(_, missed)| missed)
            .sum();
        assert_eq!(missed, 0, "{name}");
    }
}
