//! What a config chooses of the metrics and of what they count: from the start, at a reload and over
//! a restart.

use std::collections::BTreeSet;
use std::time::Duration;

use harness_exporter::simulator::{Script, Simulator};
use reqwest::Method;

use super::exporter::Exporter;
use super::scrape::Scrape;
use super::support::{ACCOUNT, Setup, ended, pipeline, serve, until, world};

const CHOSEN: &str = "\
metrics: {stages: false, run_info: true, labels: [team, tier], duration_buckets: [1s, 1m, 1h]}
results: {ignore_failed: failure, suspended: success}
";

const CHANGED: &str = "\
metrics: {labels: [tier], duration_buckets: [30s, 2h]}
results: {ignore_failed: skip}
";

const FAILED: (&str, &str) = ("ignored", "failure");
const SKIPPED: (&str, &str) = ("ignored", "skip");

const DURATIONS: &str = "harness_pipeline_run_duration_seconds";

const STAGES: [&str; 2] =
    ["harness_pipeline_last_run_stage_duration_seconds", "harness_pipeline_last_run_stage_status"];

/// Each run takes a minute and a half.
fn simulator() -> Simulator {
    let mut world = world(600.0);
    for (name, status) in [("ignored", "IgnoreFailed"), ("suspended", "Suspended")] {
        let script = Script::show("Running").then(Duration::from_secs(90), status);
        pipeline(&mut world, name).will(script);
    }
    serve(world)
}

/// The text between the braces of every series of a pipeline.
fn of_pipelines(scrape: &Scrape) -> Vec<&str> {
    let lines = scrape.text.lines().filter(|line| line.starts_with("harness_pipeline_"));
    lines.map(|line| line.split_once('{').unwrap().1).collect()
}

/// The bounds of the histogram of durations.
fn bounds(scrape: &Scrape) -> BTreeSet<&str> {
    let buckets = of_pipelines(scrape).into_iter().filter_map(|line| line.split_once(",le=\""));
    buckets.map(|(_, rest)| rest.split_once('"').unwrap().0).collect()
}

/// Of the runs with this result: how many durations are counted, how many of them up to this bound,
/// and their sum in seconds.
fn durations(scrape: &Scrape, (pipeline, result): (&str, &str), bound: &str) -> (i64, i64, i64) {
    let of = format!("pipeline=\"{pipeline}\",result=\"{result}\"");
    let count = scrape.value(&format!("{DURATIONS}_count{{{of}}}"));
    let upto = scrape.value(&format!("{DURATIONS}_bucket{{{of},le=\"{bound}\"}}"));
    let sum = scrape.millis(&format!("{DURATIONS}_sum{{{of}}}"));
    (count, upto, sum.unwrap() / 1_000)
}

async fn run(exporter: &mut Exporter, pipeline: &str, result: &str) {
    let selector = ended(pipeline, result);
    let before = exporter.scrape().await.value(&selector);
    exporter.trigger(pipeline).await;
    exporter.eventually("its end", |m| m.value(&selector) > before).await;
}

/// Whether the histogram of a pipeline is there and empty, where that of a scrape is not looked at.
async fn begins_anew(exporter: &Exporter, bound: &str) {
    until("the new buckets", async || {
        let scrape = Scrape::of(exporter.get("/metrics").await.1);
        let is_new = bounds(&scrape).contains(bound);
        is_new.then(|| assert_eq!(durations(&scrape, FAILED, bound), (0, 0, 0)))
    })
    .await;
}

#[tokio::test]
async fn what_the_config_chooses_holds_at_a_start_a_reload_and_a_restart() {
    let simulator = simulator();
    let mut setup = Setup::of(&simulator)
        .pipeline("ignored", "labels: {team: web}")
        .pipeline("suspended", "labels: {tier: \"a \\\"b\\\"\"}")
        .flag("--web.enable-lifecycle");
    setup.sections = CHOSEN.to_owned();
    let mut exporter = setup.start().await;
    run(&mut exporter, "ignored", "failure").await;
    run(&mut exporter, "suspended", "success").await;
    let scrape = exporter.scrape().await;
    for series in of_pipelines(&scrape) {
        let ours = "account=\"default\",org=\"default\",project=\"shop\",pipeline=";
        let ignored = format!("{ours}\"ignored\",team=\"web\",tier=\"\"");
        let suspended = format!("{ours}\"suspended\",team=\"\",tier=\"a \\\"b\\\"\"");
        assert!(series.starts_with(&ignored) || series.starts_with(&suspended), "{series}");
    }
    let series = scrape.text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(scrape.value("harness_exporter_series"), i64::try_from(series).unwrap());
    for name in STAGES {
        assert_eq!(scrape.count(name), 0, "{name}");
    }
    let execution = simulator.world().executions().first().unwrap().id().to_owned();
    let page = format!(
        "{}/ng/account/{ACCOUNT}/all/orgs/default/projects/shop/pipelines/ignored/executions/\
         {execution}/pipeline",
        simulator.url()
    );
    let info =
        format!("harness_pipeline_last_run_info{{execution_id=\"{execution}\",url=\"{page}\"}}");
    assert_eq!(scrape.value(&info), 1);
    let ignored = |name: &str| format!("harness_pipeline_{name}{{pipeline=\"ignored\"}}");
    assert_eq!(scrape.value(&ignored("consecutive_failures")), 1);
    assert_eq!(scrape.value("harness_pipeline_last_run_status{status=\"ignore_failed\"}"), 1);
    assert_eq!(scrape.value("harness_pipeline_last_run_status{status=\"suspended\"}"), 1);
    let last = "harness_pipeline_last_result_timestamp_seconds{pipeline=\"suspended\",result=";
    assert!(scrape.millis(&format!("{last}\"success\"}}")).unwrap() > 0);
    assert_eq!(scrape.value(&format!("{last}\"skip\"}}")), 0);
    assert_eq!(bounds(&scrape), BTreeSet::from(["1", "60", "3600", "+Inf"]));
    assert_eq!(durations(&scrape, FAILED, "60"), (1, 0, 90));
    assert_eq!(durations(&scrape, ("suspended", "success"), "3600"), (1, 1, 90));

    // Another choice, without a restart: what has ended stays what it was.
    exporter.setup.set_pipeline("ignored", "labels: {tier: gold}");
    exporter.setup.sections = CHANGED.to_owned();
    exporter.setup.write();
    let reloaded = exporter.request(Method::POST, "/-/reload", &[], "").await;
    assert_eq!(reloaded.status(), 200);
    begins_anew(&exporter, "30").await;
    exporter.forget_scrapes();
    let scrape = exporter.scrape().await;
    let gold = "harness_pipeline_consecutive_failures{pipeline=\"ignored\",tier=\"gold\"}";
    assert_eq!(scrape.value(gold), 1);
    assert!(!scrape.text.contains("team="));
    assert_eq!(scrape.count("harness_pipeline_last_run_info"), 0);
    for name in STAGES {
        assert!(scrape.count(name) > 0, "{name}");
    }
    assert_eq!(scrape.value(&ended("ignored", "failure")), 1);
    run(&mut exporter, "ignored", "skip").await;
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.value(gold), 1, "a skip changes nothing");
    assert_eq!(bounds(&scrape), BTreeSet::from(["30", "7200", "+Inf"]));
    assert_eq!(durations(&scrape, FAILED, "7200"), (0, 0, 0));
    assert_eq!(durations(&scrape, SKIPPED, "7200"), (1, 1, 90));

    // Over a restart the same goes on, and another choice begins anew.
    exporter.restart().await;
    let again = exporter.scrape().await;
    assert_eq!(again.lasting(), scrape.lasting());
    assert!(exporter.stop().await.success());
    exporter.setup.sections = CHANGED.replace("2h", "3h");
    exporter.start_again().await;
    begins_anew(&exporter, "10800").await;
    exporter.forget_scrapes();
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.value(&ended("ignored", "failure")), 1);
    assert_eq!(scrape.value(&ended("ignored", "skip")), 1);
    assert_eq!(durations(&scrape, SKIPPED, "+Inf"), (0, 0, 0));
    exporter.finish(&simulator).await;
}
