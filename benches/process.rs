//! What one exporter process costs: idle, with runs in flight, and for each run from trigger to
//! recorded, all durable writes included.
//!
//! The binary is run as a user runs it, against the stand-in of Harness in this process; its
//! figures are the operating system's own (`/proc`). No figure is asserted: this measures.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement, run by hand"
)]

mod exporter;

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use exporter::{ACCOUNT, Exporter, sum};
use harness_exporter::config::Location;
use harness_exporter::model::{
    AccountName, Change, EventId, ExecutionId, Fact, Outcome, Phase, PipelineName, Run, RunId,
    RunResult, Status, Wall,
};
use harness_exporter::simulator::{Simulator, Stage, World};
use harness_exporter::store::{Care, Store};

#[tokio::main]
async fn main() {
    // `cargo bench --bench process -- restart` measures only what has that in its name.
    let asked: Vec<_> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let parts: [(&str, &dyn Fn()); 6] = [
        ("idle", &idle),
        ("in_flight", &|| in_flight(1_000)),
        ("each_run", &|| for_each_run(1_000, "spread")),
        ("each_run_at_once", &|| for_each_run(1_000, "epoch")),
        ("restart", &|| restart(0)),
        ("restart_after_long", &|| restart(100)),
    ];
    println!("| what | figure |\n|---|---|");
    for (name, measure) in parts {
        if asked.is_empty() || asked.iter().any(|asked| name.contains(asked.as_str())) {
            measure();
        }
    }
}

/// Memory of an exporter that has nothing to do.
fn idle() {
    let exporter = Exporter::start("http://127.0.0.1:9", &pipelines(1, ""));
    exporter.settle(Duration::from_secs(3));
    println!("| resident memory, idle, one pipeline | {:.1} MB |", exporter.resident_kb() / 1e3);
}

/// Memory that a run in flight adds: what the process has grown by once the burst of the first
/// calls is over and their connections are closed. It was scraped before, so that what a scrape
/// needs is in both figures.
fn in_flight(count: usize) {
    let simulator = world(count, Duration::from_hours(1));
    let schedule = "every: 40s, align: epoch, polling: {first: 1s, min: 40s, max: 60s}";
    let exporter = Exporter::start(&simulator.url(), &pipelines(count, schedule));
    for _ in 0..5 {
        exporter.scrape();
    }
    let before = exporter.resident_kb();
    let begun = Instant::now();
    while simulator.world().executions().len() < count {
        assert!(begun.elapsed() < Duration::from_mins(2), "it takes too long");
        exporter.settle(Duration::from_millis(200));
    }
    exporter.settle(Duration::from_secs(30));
    let after = exporter.resident_kb();
    println!(
        "| resident memory, {count} pipelines, scraped, before the first run | {:.1} MB |",
        before / 1e3
    );
    println!("| resident memory, {count} runs in flight | {:.1} MB |", after / 1e3);
    println!("| for one run in flight | {:.1} kB |", (after - before) / count as f64);
}

/// CPU time from trigger to recorded, with most of `count` pipelines having a run in flight at any time: due one after
/// the other, or all at once.
fn for_each_run(count: usize, align: &str) {
    let simulator = world(count, Duration::from_secs(8));
    let schedule = format!("every: 10s, align: {align}, concurrency: allow");
    let exporter = Exporter::start(&simulator.url(), &pipelines(count, &schedule));
    exporter.until(|text| sum(text, "harness_pipeline_runs_total", "") >= 1.0);
    let (cpu, ended, calls) = (exporter.cpu(), exporter.ended(), exporter.calls());
    exporter.settle(Duration::from_secs(40));
    let (cpu, ended, calls) =
        (exporter.cpu() - cpu, exporter.ended() - ended, exporter.calls() - calls);
    let how = if align == "epoch" { "all due at once" } else { "due one after the other" };
    println!("| runs ended in 40 s, {count} pipelines every 10 s, {how} | {ended} |");
    println!("| calls for one run | {:.1} |", calls / ended);
    println!("| CPU for one run, saved to disk | {:.3} ms |", cpu / ended * 1e3);
}

/// How soon 10,000 open runs are shown and read again after a start, beside so many ended ones for each
/// of 1,000 pipelines.
fn restart(ended: i64) {
    let simulator = world(0, Duration::ZERO);
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 1_000, 10, ended);
    let bytes = std::fs::metadata(folder.path().join("store.db")).unwrap().len();
    let runs = 1_000 * (10 + ended);
    let begun = Instant::now();
    let exporter = Exporter::start_on(
        folder,
        &format!("url: '{}'", simulator.url()),
        &pipelines(1_000, "concurrency: allow"),
    );
    let text = exporter.scrape();
    let shown = begun.elapsed();
    assert!(sum(&text, "harness_pipeline_active_runs", "") >= 10_000.0);
    while simulator.world().calls.is_empty() {
        assert!(begun.elapsed() < Duration::from_mins(2), "it takes too long");
        std::thread::sleep(Duration::from_millis(1));
    }
    let read = begun.elapsed();
    let (shown, read) = (shown.as_millis(), read.as_millis());
    println!("| store of {runs} runs, for one run | {} bytes |", bytes / runs.unsigned_abs());
    println!("| start to `/metrics`, 10,000 of {runs} runs open | {shown} ms |");
    println!("| start to the first read, 10,000 of {runs} runs open | {read} ms |");
}

/// A store with so many open and ended runs for each pipeline.
fn fill(folder: &Path, pipelines: i64, open: i64, ended: i64) {
    let now = harness_exporter::driver::wall();
    let location = Location::of_file(folder.join("store.db"));
    let mut store = Store::open(&location, now).unwrap();
    for pipeline in 0..pipelines {
        let name = PipelineName::new(&format!("p{pipeline}"));
        let facts = (0..open + ended).map(|number| {
            let begun = Wall(now.0 - 1_000 * (number + 1));
            let id = RunId::of_slot(&name, begun, 1);
            let event = format!("{:024x}", pipeline * 100_000 + number);
            let run = Run {
                due: Some(begun),
                phase: Phase::Executing,
                sent: Some(begun),
                accepted: Some(begun),
                event: EventId::new(&event).ok(),
                execution: ExecutionId::new(&format!("exec-{pipeline}-{number}")).ok(),
                outcome: Outcome::Started,
                resolved: Some(begun),
                status: Some(Status::Running),
                ..Run::new(id, name.clone(), AccountName::new("default"), begun)
            };
            let run = if number < open { run } else { over(run) };
            Fact::Run { run: Arc::new(run), change: Change::Begun, mark: None }
        });
        store.commit(&facts.collect::<Vec<_>>(), Care::Written).unwrap();
    }
}

fn over(run: Run) -> Run {
    let end = Some(Wall(run.begun.0 + 60_000));
    Run {
        phase: Phase::Ended,
        status: Some(Status::Success),
        result: Some(RunResult::Success),
        end,
        duration: Some(60_000),
        ended: end,
        ..run
    }
}

fn world(count: usize, duration: Duration) -> Simulator {
    let mut world = World::new(ACCOUNT, 1.0);
    for number in 0..count {
        let name = format!("p{number}");
        let pipeline = world.pipeline("default", "shop", &name, "exporter");
        pipeline.queue(Duration::from_millis(200)).stages([Stage::new("main", duration)]);
    }
    Simulator::start(world, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap()
}

fn pipelines(count: usize, more: &str) -> String {
    let separator = if more.is_empty() { "" } else { ", " };
    (0..count).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "  - {{pipeline: p{number}, trigger: exporter{separator}{more}}}");
        text
    })
}
