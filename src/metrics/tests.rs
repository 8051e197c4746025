//! The exposition, read back.

mod exposition;
mod story;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::board::Board;
use crate::board::fixtures::{config, execution, noon, run};
use crate::config::{Config, RESERVED_LABELS};
use crate::model::{FailureType, Outcome, Phase, ReportedStages, Run, RunResult, Status, Wall};
use exposition::{Family, read};
use story::{stage, tell, the_board, the_board_of, the_config, the_process};

fn rendered(snapshot: &Snapshot, own: &Own) -> String {
    String::from_utf8(render(snapshot, own)).unwrap()
}

fn families(config: &Config, snapshot: &Snapshot) -> Vec<Family> {
    read(&rendered(snapshot, &Own::new(config).unwrap()))
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Compares a committed file with what the program says; `UPDATE=1` writes it anew.
fn assert_file(name: &str, text: &str) {
    let path = file(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "{name} is not what the program says: run the test with UPDATE=1");
}

#[test]
fn the_exposition_is_the_committed_one() {
    let text = rendered(&the_board(), &the_process());
    // What the operating system says is not the same twice.
    let varies =
        |line: &&str| line.contains("process_") || line.contains("harness_exporter_series");
    let kept: Vec<_> = text.lines().filter(|line| !varies(line)).collect();
    let text = kept.join("\n") + "\n";
    read(&text);
    assert_file("src/metrics/tests/exposition.prom", &text);
}

#[test]
fn the_document_is_the_committed_one() {
    assert_file("docs/metrics.md", &markdown());
}

#[test]
fn the_catalogue_and_the_exposition_name_the_same_families() {
    let (board, own) = (the_board(), the_process());
    let families = read(&rendered(&board, &own));
    let names: Vec<_> = families.iter().map(|family| family.name.as_str()).collect();
    let declared: Vec<_> = catalogue().map(|metric| metric.name).collect();
    assert_eq!(names, declared);
    for family in own.gather() {
        assert!(declared.contains(&family.name()), "{} is not declared", family.name());
    }
    for (metric, family) in catalogue().zip(&families) {
        assert_eq!(family.kind, metric.kind.as_str(), "{}", metric.name);
        let names: Vec<_> = metric.label_names().collect();
        for series in &family.series {
            let found: Vec<_> = series.labels.iter().map(|(name, _)| name.as_str()).collect();
            let found: Vec<_> = found.into_iter().filter(|name| *name != "le").collect();
            assert_eq!(found, names, "{}", metric.name);
        }
        for label in metric.labels {
            let Values::Closed(words) = label.values else { continue };
            let words = words();
            for series in &family.series {
                assert!(words.contains(&series.label(label.name).unwrap()), "{series:?}");
            }
        }
    }
}

#[test]
fn no_extra_label_can_be_one_of_ours() {
    let ours: BTreeSet<_> = catalogue().flat_map(Metric::label_names).collect();
    for label in &ours {
        assert!(RESERVED_LABELS.contains(label), "{label} is not reserved");
    }
    let beside = ["container", "instance", "job", "le", "pod", "quantile"];
    for label in RESERVED_LABELS {
        assert!(ours.contains(label) || beside.contains(&label), "{label} is nobody's");
    }
}

#[test]
fn extra_labels_come_after_those_of_every_pipeline_and_on_nothing_else() {
    let mut config = the_config();
    config.metrics.labels = vec!["team".to_owned(), "tier".to_owned()];
    for (pipeline, team) in config.pipelines.iter_mut().zip(["web", "we\"b", ""]) {
        Arc::make_mut(pipeline).labels = vec![team.to_owned(), "gold".to_owned()];
    }
    let plain = read(&rendered(&the_board(), &the_process()));
    let families = read(&rendered(&the_board_of(&config), &the_process()));
    for ((metric, family), plain) in catalogue().zip(&families).zip(&plain) {
        assert_eq!((metric.name, family.series.len()), (family.name.as_str(), plain.series.len()));
        let of_pipelines = matches!(metric.source, Source::Pipeline(_));
        for (series, plain) in family.series.iter().zip(&plain.series) {
            let mut wanted = plain.labels.clone();
            if of_pipelines {
                let team = match series.label("pipeline").unwrap() {
                    "checkout" => "web",
                    "search" => "we\"b",
                    _ => "",
                };
                let extra = [("team", team), ("tier", "gold")];
                let extra = extra.map(|(name, value)| (name.to_owned(), value.to_owned()));
                wanted.splice(PIPELINE_LABELS.len()..PIPELINE_LABELS.len(), extra);
            }
            assert_eq!(series.labels, wanted, "{}", metric.name);
        }
    }
}

#[test]
fn what_is_a_matter_of_choice_is_there_or_not() {
    let chosen = ["stage_duration_seconds", "stage_status", "info"];
    let chosen = chosen.map(|name| format!("harness_pipeline_last_run_{name}"));
    for (stages, run_info) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut config = the_config();
        (config.metrics.stages, config.metrics.run_info) = (stages, run_info);
        let families = read(&rendered(&the_board_of(&config), &the_process()));
        let there = chosen.each_ref().map(|name| families.iter().any(|one| one.name == *name));
        assert_eq!(there, [stages, stages, run_info]);
        let without = catalogue().filter(|metric| !chosen.iter().any(|name| name == metric.name));
        let absent = without.filter(|metric| families.iter().all(|one| one.name != metric.name));
        assert_eq!(absent.count(), 0);
        let all: usize = families.iter().map(|family| family.series.len()).sum();
        assert_eq!(families.last().unwrap().series[0].value, all.to_string());
    }
}

#[test]
fn the_page_of_a_run_is_that_of_its_own_account_or_none() {
    let mut config = the_config();
    let info = |config: &Config| -> Vec<String> {
        let families = read(&rendered(&the_board_of(config), &the_process()));
        let family = families.into_iter().find(|family| family.name.ends_with("_last_run_info"));
        let url = |series: &exposition::Series| series.label("url").unwrap().to_owned();
        family.unwrap().series.iter().map(url).collect()
    };
    let page = "https://harness.example/ng/account/acme0000000000000000AA/all/orgs/acme/projects/\
                shop/pipelines/Checkout_Smoke/executions/BOvtFC6xRReaPeJi000043/pipeline";
    assert_eq!(info(&config), [page]);
    Arc::make_mut(&mut config.pipelines[0]).account = crate::model::AccountName::new("eu");
    assert_eq!(info(&config), [""]);
}

#[test]
fn durations_are_counted_in_the_buckets_of_the_config() {
    let mut config = the_config();
    config.metrics.duration_buckets = [60_500, 90_500].into();
    let mut board = Board::new(&config);
    let succeeded = Run {
        phase: Phase::Ended,
        execution: execution(1),
        result: Some(RunResult::Success),
        duration: Some(90_500),
        ..run("eu", "billing", noon(0))
    };
    tell(&mut board, succeeded);
    let families = families(&config, &board.snapshot());
    let name = "harness_pipeline_run_duration_seconds";
    let family = families.iter().find(|family| family.name == name).unwrap();
    let said = family.series.iter().map(|series| {
        let name = series.name.trim_start_matches(name);
        format!("{name} {} {}", series.label("le").unwrap_or_default(), series.value)
    });
    let said: Vec<_> = said.collect();
    assert_eq!(
        said,
        ["_bucket 60.5 0", "_bucket 90.5 1", "_bucket +Inf 1", "_sum  90.5", "_count  1"]
    );
}

#[test]
fn names_are_what_prometheus_expects_of_them() {
    let mut names = BTreeSet::new();
    for metric in catalogue() {
        assert!(names.insert(metric.name), "{} is declared twice", metric.name);
        assert_eq!(
            metric.kind == Kind::Counter,
            metric.name.ends_with("_total"),
            "{}",
            metric.name
        );
        let fleet = ["harness_pipeline_", "harness_run_", "harness_trigger_"];
        let fleet = fleet.iter().any(|prefix| metric.name.starts_with(prefix));
        assert_eq!(metric.is_about_fleet(), fleet, "{}", metric.name);
        assert!(metric.help.ends_with('.'), "{}", metric.name);
        let labels: BTreeSet<_> = metric.label_names().collect();
        assert_eq!(labels.len(), metric.label_names().count(), "{}", metric.name);
    }
}

#[test]
fn a_pipeline_that_never_ran_has_its_counters_and_state_sets_at_0() {
    let config = the_config();
    let families = families(&config, &Board::new(&config).snapshot());
    let of = |pipeline: &str| -> Vec<(&str, Vec<&str>)> {
        let of = families.iter().map(|family| {
            let series = family.series.iter().filter(|s| s.label("pipeline") == Some(pipeline));
            (family.name.as_str(), series.map(|series| series.value.as_str()).collect::<Vec<_>>())
        });
        of.filter(|(_, series)| !series.is_empty()).collect()
    };
    let zeros = |count| vec!["0"; count];
    let expected = |paused| {
        vec![
            ("harness_pipeline_info", vec!["1"]),
            ("harness_pipeline_last_trigger_outcome", zeros(8)),
            ("harness_pipeline_last_run_result", zeros(7)),
            ("harness_pipeline_last_result_timestamp_seconds", zeros(7)),
            ("harness_pipeline_consecutive_failures", zeros(1)),
            ("harness_pipeline_consecutive_trigger_failures", zeros(1)),
            ("harness_pipeline_active_runs", zeros(4)),
            ("harness_pipeline_paused", vec![paused, "0", "0", "0"]),
            ("harness_pipeline_triggers_total", zeros(3)),
            ("harness_pipeline_trigger_failures_total", zeros(15)),
            ("harness_pipeline_runs_total", zeros(7)),
            ("harness_pipeline_schedules_missed_total", zeros(7)),
            ("harness_pipeline_foreign_runs_total", zeros(1)),
            ("harness_pipeline_slots_total", zeros(4)),
        ]
    };
    assert_eq!(of("checkout"), expected("0"));
    assert_eq!(of("search"), expected("1"));

    let of_account = |name: &str| {
        let family = families.iter().find(|family| family.name == name).unwrap();
        family.series.iter().filter(|series| series.value == "0").count()
    };
    // Ten bounds, +Inf, sum and count, for each of two accounts.
    assert_eq!(of_account("harness_run_queue_seconds"), 26);
    assert_eq!(of_account("harness_trigger_processing_seconds"), 26);
    assert_eq!(of_account("harness_api_throttled_total"), 2);
    assert_eq!(of_account("harness_api_rate_limit_wait_seconds_total"), 2);
    assert_eq!(of_account("harness_exporter_unknown_statuses_total"), 2);
    assert!(families.iter().all(|family| family.name != "harness_up"));
}

#[test]
fn what_a_newer_run_does_not_know_yet_is_not_told_of_an_older_one() {
    let config = the_config();
    let mut board = Board::new(&config);
    let mut first = run("eu", "billing", noon(0));
    first.execution = execution(1);
    first.outcome = Outcome::Started;
    first.phase = Phase::Ended;
    first.status = Some(Status::Success);
    first.result = Some(RunResult::Success);
    (first.queue, first.start, first.end) = (Some(5), Some(noon(1)), Some(noon(2)));
    tell(&mut board, first);
    let mut second = run("eu", "billing", noon(60));
    second.execution = execution(2);
    second.outcome = Outcome::Started;
    second.phase = Phase::Executing;
    tell(&mut board, second);
    let families = families(&config, &board.snapshot());
    let has = |name: &str| {
        let mut series = families.iter().flat_map(|family| &family.series);
        series.any(|series| series.name == name && series.label("pipeline") == Some("billing"))
    };
    assert!(has("harness_pipeline_last_run_end_timestamp_seconds"));
    for name in ["status", "queue_seconds", "start_timestamp_seconds", "stages", "stage_count"] {
        assert!(!has(&format!("harness_pipeline_last_run_{name}")), "{name}");
    }
}

#[test]
fn the_last_family_counts_the_series() {
    let families = read(&rendered(&the_board(), &the_process()));
    let all: usize = families.iter().map(|family| family.series.len()).sum();
    let last = families.last().unwrap();
    assert_eq!(last.name, "harness_exporter_series");
    assert_eq!(last.series[0].value, all.to_string());
}

#[test]
fn stages_are_bounded_in_number_and_length_and_no_two_are_alike() {
    let config = config(&[("default", "checkout")]);
    let mut ids: Vec<_> = ["a", "a", "", "b\0", "a\"\\\n", "ä"].map(str::to_owned).into();
    ids.extend([format!("{}1", "ü".repeat(128)), format!("{}2", "ü".repeat(128))]);
    ids.extend((0..100).map(|number| format!("s{number}")));
    let mut run = run("default", "checkout", noon(0));
    run.execution = execution(1);
    run.phase = Phase::Ended;
    run.result = Some(RunResult::Failure);
    run.stages = ids.iter().map(|id| stage(id, Status::Failed, Some(1))).collect();
    run.failure_types = vec![FailureType::Other; 3];
    let mut board = Board::new(&config);
    tell(&mut board, run);
    let families = families(&config, &board.snapshot());
    for name in ["stage_duration_seconds", "stage_status"] {
        let name = format!("harness_pipeline_last_run_{name}");
        let family = families.iter().find(|family| family.name == name).unwrap();
        let shown: Vec<_> = family.series.iter().map(|s| s.label("stage").unwrap()).collect();
        let long = "ü".repeat(128);
        assert_eq!(shown[..6], ["a", "", "b\0", "a\"\\\n", "ä", long.as_str()]);
        assert_eq!((shown.len(), shown[6], shown[49]), (50, "s0", "s43"));
    }
    let stages = families.iter().find(|family| family.name == "harness_pipeline_last_run_stages");
    let counts: Vec<_> = stages.unwrap().series.iter().map(|s| s.value.as_str()).collect();
    assert_eq!(counts, ["0", "0", "0", "0", "108", "0", "0", "0", "0"]);
}

#[test]
fn no_text_breaks_the_exposition() {
    let hostile =
        ["\"", "\\", "\n", "\\n", "a\",b=\"c", "} 1\n# EOF\n", "\r\t\0", "日本\u{1f980}", "", "{}"];
    let long = "x\"".repeat(5_000);
    for text in hostile.iter().copied().chain([long.as_str()]) {
        let families = of_pipeline_called(text);
        let info = &families[0].series[0];
        for label in ["account", "org", "project", "pipeline", "trigger"] {
            assert_eq!(info.label(label), Some(text), "{label}");
        }
    }
}

fn of_pipeline_called(text: &str) -> Vec<Family> {
    let mut config = config(&[(text, text)]);
    let pipeline = Arc::make_mut(&mut config.pipelines[0]);
    for field in [&mut pipeline.org, &mut pipeline.project, &mut pipeline.trigger] {
        text.clone_into(field);
    }
    families(&config, &Board::new(&config).snapshot())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_number_and_no_text_breaks_the_exposition(
        texts in prop::collection::vec(any::<String>(), 1..60),
        numbers in prop::array::uniform8(any::<i64>()),
        counts in prop::array::uniform5(any::<u64>()),
    ) {
        let config = config(&[(&texts[0], "pipeline")]);
        let mut run = run(&texts[0], "pipeline", Wall(numbers[0]));
        run.execution = execution(1);
        run.phase = Phase::Ended;
        run.status = Some(Status::Unknown);
        run.result = Some(RunResult::Lost);
        (run.start, run.end) = (Some(Wall(numbers[1])), Some(Wall(numbers[2])));
        (run.duration, run.queue, run.processing) =
            (Some(numbers[3]), Some(numbers[4]), Some(numbers[5]));
        run.number = Some(counts[0]);
        run.resolved = Some(Wall(numbers[6]));
        run.reported = Some(ReportedStages {
            successful: counts[1], running: counts[2], failed: counts[3], total: counts[4],
        });
        run.stages = texts.iter().map(|id| stage(id, Status::Failed, Some(numbers[7]))).collect();
        let mut board = Board::new(&config);
        tell(&mut board, run);
        families(&config, &board.snapshot());
    }

    #[test]
    fn milliseconds_become_exact_seconds(millis in any::<i64>()) {
        let mut text = Vec::new();
        super::text::write_number(&mut text, Number::Millis(millis));
        let text = String::from_utf8(text).unwrap();
        let (seconds, fraction) = text.split_once('.').unwrap_or((&text, ""));
        prop_assert!(!fraction.ends_with('0') && (fraction.is_empty() != text.contains('.')));
        let digits = format!("{}{fraction:0<3}", seconds.trim_start_matches('-'));
        prop_assert_eq!(digits.parse::<u64>().unwrap(), millis.unsigned_abs());
        prop_assert_eq!(text.starts_with('-'), millis < 0);
    }
}

#[test]
fn numbers_are_written_as_the_format_wants_them() {
    let table = [
        (Number::Millis(86_404_046), "86404.046"),
        (Number::Millis(86_404_000), "86404"),
        (Number::Millis(500), "0.5"),
        (Number::Millis(-2_250), "-2.25"),
        (Number::Millis(-7), "-0.007"),
        (Number::Millis(i64::MIN), "-9223372036854775.808"),
        (Number::Count(-1), "-1"),
        (Number::Float(3.0), "3"),
        (Number::Float(1_764_072_000.123), "1764072000.123"),
        (Number::Float(f64::INFINITY), "+Inf"),
        (Number::Float(f64::NEG_INFINITY), "-Inf"),
    ];
    for (number, expected) in table {
        let mut text = Vec::new();
        super::text::write_number(&mut text, number);
        assert_eq!(String::from_utf8(text).unwrap(), expected, "{number:?}");
    }
}

#[test]
fn what_is_not_a_number_is_left_out() {
    let mut text = Text::default();
    let mut family = text.family(catalogue().next().unwrap());
    let nan = Number::Float(f64::NAN);
    family.series(&Labels::default(), &[], Value::Number(nan));
    let histogram = Histogram { buckets: Vec::new(), count: 0, sum: nan };
    family.series(&Labels::default(), &[], Value::Histogram(&histogram));
    assert_eq!(text.into_bytes(), b"");
}
