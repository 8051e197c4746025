//! How soon after its due time a webhook is sent, what many pipelines cost one process, and how soon
//! after a notification an end is shown.
//!
//! The binary is run as a user runs it, against the stand-in of Harness in this process, with limit
//! and caps out of the way; both share the machine. No figure is asserted, but that nothing is
//! missed.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement, run by hand"
)]

mod exporter;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use exporter::{ACCOUNT, Exporter, sum};
use harness_exporter::simulator::{Simulator, Stage, World};

const KEY: &str = "the-key-of-the-bench";

const TOKEN: &str = "the-token-of-the-bench";

/// Words of the command line pick the parts whose name has one of them.
#[tokio::main]
async fn main() {
    let asked: Vec<_> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let parts: [(&str, &dyn Fn()); 3] = [
        ("at_once", &|| at_once(1_000)),
        ("notified", &|| notified(20)),
        ("many", &|| [2_500, 5_000, 10_000].into_iter().for_each(many)),
    ];
    println!("| what | figure |\n|---|---|");
    for (name, measure) in parts {
        if asked.is_empty() || asked.iter().any(|asked| name.contains(asked.as_str())) {
            measure();
        }
    }
}

/// From a due time that so many pipelines share to their webhooks being received: the second and
/// the third time, when there are connections.
fn at_once(count: usize) {
    let every = 20_000;
    let simulator = world(count, Duration::from_secs(4));
    let schedule = "every: 20s, align: epoch";
    let _exporter = start(&simulator, &pipelines(count, schedule));
    let begun = Instant::now();
    while simulator.world().ledger.len() < 3 * count {
        assert!(begun.elapsed() < Duration::from_mins(4), "it takes too long");
        std::thread::sleep(Duration::from_millis(100));
    }
    let world = simulator.world();
    let mut lags: Vec<_> =
        world.ledger.iter().skip(count).map(|received| received.at_ms % every).collect();
    lags.sort_unstable();
    println!(
        "| due time to webhook received, {count} pipelines due at once: p50, p99, longest | {} ms, \
         {} ms, {} ms |",
        part(&lags, 50),
        part(&lags, 99),
        part(&lags, 100)
    );
}

/// What so many pipelines cost that are due one after the other, every two minutes.
fn many(count: usize) {
    let simulator = world(count, Duration::from_secs(20));
    let exporter = start(&simulator, &pipelines(count, "every: 2m"));
    exporter.until(|text| sum(text, "harness_pipeline_runs_total", "") >= 1.0);
    let (cpu, ended, calls) = (exporter.cpu(), exporter.ended(), exporter.calls());
    let begun = Instant::now();
    exporter.settle(Duration::from_secs(125));
    let (cpu, ended, calls) =
        (exporter.cpu() - cpu, exporter.ended() - ended, exporter.calls() - calls);
    let took = begun.elapsed().as_secs_f64();
    let text = exporter.scrape();
    assert!(sum(&text, "harness_pipeline_schedules_missed_total", "") < 1.0, "missed");
    let sent: BTreeSet<_> =
        simulator.world().ledger.iter().map(|one| one.pipeline.clone()).collect();
    assert_eq!(sent.len(), count, "each was due within two minutes");
    let series = text.lines().filter(|line| line.starts_with("harness_")).count();
    let memory = exporter.resident_kb();
    let mut scrapes: Vec<_> = (0..20)
        .map(|_| {
            let begun = Instant::now();
            exporter.request("GET /metrics", "accept-encoding: gzip\r\n", "");
            begun.elapsed()
        })
        .collect();
    scrapes.sort_unstable();
    println!("| {count} pipelines every 2 min: runs ended a minute | {:.0} |", ended / took * 60.0);
    println!("| – calls for one run | {:.1} |", calls / ended);
    println!("| – CPU, of one core | {:.1} % |", cpu / took * 100.0);
    println!("| – CPU for one run | {:.3} ms |", cpu / ended * 1e3);
    println!(
        "| – resident memory, for one pipeline | {:.0} MB, {:.1} kB |",
        memory / 1e3,
        memory / count as f64
    );
    println!("| – scrape with gzip, {series} series: p50 | {:.1} ms |", millis(part(&scrapes, 50)));
}

/// From Harness' notification of an end to its being on `/metrics`, where nobody would look for
/// hours.
fn notified(count: usize) {
    let simulator = world(count, Duration::from_hours(1));
    let seldom = "polling: {first: 2s, min: 12h, max: 12h}, every: 10s, align: epoch";
    let mut config = pipelines(count, seldom);
    let _ = writeln!(config, "notifications: {{token: {TOKEN}}}");
    let exporter = Exporter::start(&simulator.url(), &config);
    let executing = r#"state="executing""#;
    exporter.until(|text| sum(text, "harness_pipeline_active_runs", executing) >= count as f64);
    simulator.world().advance(Duration::from_hours(2));
    let executions: Vec<_> =
        simulator.world().executions().iter().map(|one| one.id().to_owned()).collect();
    let mut took = Vec::new();
    for (seen, execution) in executions.iter().take(count).enumerate() {
        let begun = Instant::now();
        let headers = format!("x-harness-exporter-token: {TOKEN}\r\n");
        let body = format!(
            r#"{{"eventData":{{"planExecutionId":"{execution}","eventType":"PipelineEnd"}}}}"#
        );
        exporter.request("POST /hooks/harness", &headers, &body);
        while exporter.ended() <= seen as f64 {
            assert!(begun.elapsed() < Duration::from_mins(1), "it takes too long");
        }
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    println!(
        "| notification to the end on `/metrics`, {count} runs: p50, longest | {:.0} ms, {:.0} ms |",
        millis(part(&took, 50)),
        millis(part(&took, 100))
    );
}

/// Of sorted values the one below which so many percent of them are.
fn part<T: Copy>(sorted: &[T], percent: usize) -> T {
    *sorted.get(sorted.len() * percent / 100).or(sorted.last()).unwrap()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn start(simulator: &Simulator, pipelines: &str) -> Exporter {
    let account = format!("url: '{}', api_key: {KEY}", simulator.url());
    Exporter::start_on(tempfile::tempdir().unwrap(), &account, pipelines)
}

/// In ten projects.
fn project(number: usize) -> String {
    format!("project{}", number % 10)
}

fn world(count: usize, duration: Duration) -> Simulator {
    let mut world = World::new(ACCOUNT, 1.0);
    world.keys.insert(KEY.to_owned());
    for number in 0..count {
        let pipeline =
            world.pipeline("default", &project(number), &format!("p{number}"), "exporter");
        pipeline.queue(Duration::from_secs(1)).stages([Stage::new("main", duration)]);
    }
    Simulator::start(world, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap()
}

fn pipelines(count: usize, more: &str) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let project = project(number);
        let _ = writeln!(
            text,
            "  - {{pipeline: p{number}, project: {project}, trigger: exporter, {more}}}"
        );
        text
    })
}
