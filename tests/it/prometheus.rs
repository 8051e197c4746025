//! A real Prometheus scrapes the running binary, and says what it understood.

// Says that its helpers are part of tests, which lints ask for.
#[cfg(test)]
pub(crate) mod server;
#[cfg(test)]
pub(crate) mod story;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::process::Command;
use std::time::Duration;

use harness_exporter::metrics;
use harness_exporter::simulator::{Script, World};

use crate::child::{exporter, output};
use server::Prometheus;
use story::{ACCOUNT_ID, Exporter, Names, pipelines, yaml};

/// What Prometheus is to answer after the story.
const ANSWERS: &[(&str, &str)] = &[
    ("up", "1"),
    ("scrape_samples_scraped - on (instance) harness_exporter_series", "0"),
    ("scrape_samples_post_metric_relabeling - on (instance) harness_exporter_series", "0"),
    (r#"harness_up{account="acme"}"#, "1"),
    ("harness_exporter_pipelines", "6"),
    ("count(harness_pipeline_info == 1)", "6"),
    (r#"count(harness_pipeline_info{team="web"})"#, "6"),
    (r#"count({__name__=~"harness_pipeline_.*",team!="web"}) or vector(0)"#, "0"),
    (
        r#"count(harness_pipeline_last_run_info{pipeline="steady",url=~"http://127.0.0.1:.*/executions/.*"})"#,
        "1",
    ),
    // A success.
    (r#"harness_pipeline_triggers_total{pipeline="steady",origin="manual"}"#, "1"),
    (r#"harness_pipeline_triggers_total{pipeline="steady",origin="schedule"}"#, "0"),
    (r#"harness_pipeline_runs_total{pipeline="steady",result="success"}"#, "1"),
    (r#"sum(harness_pipeline_runs_total{pipeline="steady"})"#, "1"),
    (r#"harness_pipeline_last_run_result{pipeline="steady",result="success"}"#, "1"),
    (r#"sum(harness_pipeline_last_run_result{pipeline="steady"})"#, "1"),
    (r#"harness_pipeline_last_run_status{pipeline="steady",status="success"}"#, "1"),
    (r#"count(harness_pipeline_last_run_status{pipeline="steady"})"#, "1"),
    (r#"harness_pipeline_last_trigger_outcome{pipeline="steady",outcome="started"}"#, "1"),
    (r#"harness_pipeline_last_run_duration_seconds{pipeline="steady"}"#, "60"),
    (r#"harness_pipeline_run_duration_seconds_sum{pipeline="steady",result="success"}"#, "60"),
    (
        r#"harness_pipeline_run_duration_seconds_bucket{pipeline="steady",result="success",le="30"}"#,
        "0",
    ),
    (
        r#"histogram_quantile(1, harness_pipeline_run_duration_seconds_bucket{pipeline="steady",result="success"})"#,
        "60",
    ),
    (r#"harness_pipeline_last_run_stages{pipeline="steady",state="succeeded"}"#, "1"),
    (r#"harness_pipeline_consecutive_failures{pipeline="steady"}"#, "0"),
    // A failure.
    (r#"harness_pipeline_runs_total{pipeline="broken",result="failure"}"#, "1"),
    (r#"harness_pipeline_last_run_status{pipeline="broken",status="failed"}"#, "1"),
    (r#"harness_pipeline_last_run_stages{pipeline="broken",state="failed"}"#, "1"),
    (r#"harness_pipeline_consecutive_failures{pipeline="broken"}"#, "1"),
    (
        r#"harness_pipeline_last_result_timestamp_seconds{pipeline="broken",result="failure"} > bool 0"#,
        "1",
    ),
    (r#"harness_pipeline_last_result_timestamp_seconds{pipeline="broken",result="success"}"#, "0"),
    // Expired: in none of Harness' own counts, and not unfinished.
    (r#"harness_pipeline_runs_total{pipeline="stuck",result="timeout"}"#, "1"),
    (r#"harness_pipeline_last_run_status{pipeline="stuck",status="expired"}"#, "1"),
    (r#"harness_pipeline_last_run_duration_seconds{pipeline="stuck"}"#, "86404.046"),
    (r#"harness_pipeline_last_run_stages{pipeline="stuck",state="expired"}"#, "1"),
    (r#"sum(harness_pipeline_last_run_reported_stages{pipeline="stuck"})"#, "0"),
    (r#"harness_pipeline_last_run_stage_count{pipeline="stuck"}"#, "1"),
    (r#"harness_pipeline_last_run_failure_type{pipeline="stuck",type="timeout_error"}"#, "1"),
    (r#"sum(harness_pipeline_active_runs{pipeline="stuck"})"#, "0"),
    // Accepted and then refused, and refused at the door.
    (r#"harness_pipeline_trigger_failures_total{pipeline="refused",reason="start_refused"}"#, "1"),
    (r#"harness_pipeline_last_trigger_outcome{pipeline="refused",outcome="failed"}"#, "1"),
    (
        r#"harness_pipeline_last_trigger_failure_reason{pipeline="refused",reason="start_refused"}"#,
        "1",
    ),
    (r#"absent(harness_pipeline_last_trigger_failure_reason{pipeline="steady"})"#, "1"),
    (r#"harness_pipeline_consecutive_trigger_failures{pipeline="refused"}"#, "1"),
    (r#"absent(harness_pipeline_last_run_status{pipeline="refused"})"#, "1"),
    (r#"sum(harness_pipeline_runs_total{pipeline="refused"})"#, "0"),
    (r#"harness_pipeline_trigger_failures_total{pipeline="unheard",reason="rejected"}"#, "1"),
    (r#"harness_pipeline_last_trigger_outcome{pipeline="unheard",outcome="rejected"}"#, "1"),
    (r#"harness_api_requests_total{endpoint="trigger",code="400"}"#, "1"),
    (r#"harness_api_requests_total{endpoint="trigger",code="200"}"#, "5"),
    // Waits for a person.
    (r#"harness_pipeline_active_runs{pipeline="approved",state="waiting_person"}"#, "1"),
    (r#"harness_pipeline_last_run_status{pipeline="approved",status="waiting_approval"}"#, "1"),
    // The books.
    (
        "count(sum without (origin) (harness_pipeline_triggers_total) \
         == sum without (reason) (harness_pipeline_trigger_failures_total) \
         + sum without (result) (harness_pipeline_runs_total) \
         + sum without (state) (harness_pipeline_active_runs))",
        "6",
    ),
    ("sum(harness_run_queue_seconds_count)", "3"),
    ("sum(harness_trigger_processing_seconds_count)", "5"),
];

#[tokio::test]
async fn prometheus_reads_what_became_of_every_run() {
    let exporter = story::told().await;
    let mut prometheus = Prometheus::start(&[exporter.address()]).await;
    for (query, wanted) in ANSWERS {
        prometheus.answers(query, wanted).await;
    }

    let told = prometheus.metadata().await;
    let known: BTreeMap<&str, _> =
        metrics::catalogue().map(|metric| (metric.name, metric)).collect();
    for (name, (kind, help)) in &told {
        let metric = known.get(name.as_str()).unwrap_or_else(|| panic!("undeclared: {name}"));
        assert_eq!((kind.as_str(), help), (metric.kind.as_str(), &metric.help_text()), "{name}");
    }
    // The story leaves no metric out, but for the one that takes three runs of a pipeline and those
    // that take a key.
    let absent: BTreeSet<_> =
        known.keys().filter(|name| !told.contains_key(**name)).copied().collect();
    let expected = [
        "harness_pipeline_foreign_runs_total",
        "harness_pipeline_trigger_usable",
        "harness_pipeline_typical_run_duration_seconds",
    ];
    assert_eq!(absent, BTreeSet::from(expected));
    prometheus.complained_of_nothing().await;
}

#[tokio::test]
async fn promtool_finds_the_exposition_in_order() {
    let exporter = story::told().await;
    let path = exporter.folder().join("exposition");
    fs::write(&path, exporter.scrape().await).unwrap();
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(File::open(&path).unwrap());
    let output = output(&mut promtool);
    let said = String::from_utf8_lossy(&output.stderr);
    // The contract's name, for what is no part of a histogram.
    let allowed = "harness_pipeline_last_run_stage_count non-histogram and non-summary metrics \
                   should not have \"_count\" suffix";
    let others: Vec<_> = said.lines().filter(|line| *line != allowed).collect();
    assert_eq!(others, [""; 0]);
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    // 3 says that there are lints, 1 that it can't be parsed.
    assert_eq!(output.status.code(), Some(3), "{said}");
}

/// Everything that a name may hold and a format may trip over.
const HOSTILE: [&str; 12] = [
    "\"",
    "\\",
    "\n",
    "\\n\\\"",
    "a\"} 1\nharness_up{account=\"forged\"} 0 #",
    "{=\"},#'`$",
    "\r\n\t\u{1}\u{7f}\u{1b}[31m",
    "🚀 Größe Ωμέγα 検索 نظام",
    "e\u{301} \u{200b}\u{202e}\u{2028}\u{85}\u{feff}",
    " leading and trailing ",
    "a/b?c=%2F&d;e+f%",
    "<script>alert(1)</script>",
];

/// One pipeline for each hostile value, and one for the longest, with it in every name it has.
fn hostile_names() -> Vec<Names> {
    let longest = "🚀".repeat(128);
    HOSTILE.into_iter().chain([longest.as_str()]).map(Names::all).collect()
}

#[tokio::test]
async fn fault_41_hostile_label_values_come_through_identical() {
    let names = hostile_names();
    let mut world = World::new(ACCOUNT_ID, 0.0);
    for one in &names {
        let Names { org, project, pipeline, trigger, .. } = one;
        world.pipeline(org, project, pipeline, trigger).will(Script::succeed());
    }
    let account = format!("{} account", HOSTILE[4]);
    let exporter = Exporter::start(&account, &names, world);
    let exporter = exporter.await;
    for one in &names {
        exporter.trigger(&one.name).await;
    }
    let received: Vec<_> = {
        let world = exporter.simulator().world();
        let names = |one: &harness_exporter::simulator::Received| {
            let [org, project] = [one.org.clone(), one.project.clone()];
            [org, project, one.pipeline.clone(), one.trigger.clone()]
        };
        world.ledger.iter().map(names).collect()
    };
    for one in &names {
        let wanted = [&one.org, &one.project, &one.pipeline, &one.trigger].map(String::clone);
        assert!(received.contains(&wanted), "{one:?}");
    }
    exporter.advance(Duration::from_mins(5));

    let mut prometheus = Prometheus::start(&[exporter.address()]).await;
    let all = names.len().to_string();
    prometheus.answers("up", "1").await;
    prometheus.answers(r#"sum(harness_pipeline_runs_total{result="success"})"#, &all).await;
    let found = prometheus.series("harness_pipeline_info").await;
    let found: BTreeSet<Vec<String>> = found
        .iter()
        .map(|labels| {
            ["account", "org", "project", "pipeline", "pipeline_identifier", "trigger"]
                .map(|name| labels[name].as_str().unwrap().to_owned())
                .to_vec()
        })
        .collect();
    let wanted: BTreeSet<Vec<String>> = names
        .iter()
        .map(|one| {
            let Names { name, org, project, pipeline, trigger } = one;
            [&account, org, project, name, pipeline, trigger].map(String::clone).to_vec()
        })
        .collect();
    assert_eq!(found, wanted);
    prometheus.complained_of_nothing().await;
}

#[test]
fn fault_41_names_that_are_too_long_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (length, is_good) in [(128, true), (129, false), (10_240, false)] {
        let mut names = pipelines(&["checkout"]);
        names[0].name = "x".repeat(length);
        let path = folder.path().join("config.yaml");
        fs::write(&path, yaml("acme", "http://127.0.0.1:1", &names)).unwrap();
        let output = output(exporter().arg("check").arg("--config.file").arg(&path));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(if is_good { 0 } else { 2 }), "{length}: {said}");
        let wanted = format!("found {length} characters, want at most 128");
        assert_eq!(said.contains(&wanted), !is_good, "{said}");
    }
}
