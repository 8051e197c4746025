//! The dashboards, as Grafana reads them, by the rules of its own linter for dashboards.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use harness_exporter::metrics::{self, Kind};
use serde_json::Value;

use crate::child::output;
use crate::repo::{files, text};

/// The kinds of panels, all of them Grafana's own.
const KINDS: [&str; 5] = ["bargauge", "stat", "state-timeline", "table", "timeseries"];
/// The units, by the identifiers that Grafana knows.
const UNITS: [&str; 7] =
    ["none", "s", "short", "bytes", "percentunit", "dateTimeFromNow", "bool_yes_no"];
/// The ranges that a rate is taken over: what fits the interval of scrapes, all that is shown, and
/// an hour where the title says so.
const RANGES: [&str; 3] = ["$__rate_interval", "$__range", "1h"];

/// The dashboards that are shipped, by their paths.
fn dashboards() -> Vec<(String, Value)> {
    let paths = files("deploy/grafana/dashboards", "json");
    let read = |path: String| {
        let read = serde_json::from_str(&text(&path)).unwrap_or_else(|why| panic!("{path}: {why}"));
        (path, read)
    };
    paths.into_iter().map(read).collect()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}"))
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key}: {value}"))
}

/// The panels that show something.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(&dashboard["panels"]).iter().filter(|panel| panel["type"] != "row")
}

/// What each panel asks of Prometheus, of every pipeline, as Grafana would ask it: where it stands,
/// and the query.
pub(super) fn queries() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for (_, dashboard) in dashboards() {
        for panel in panels(&dashboard) {
            let place = format!("{}, {}", word(&dashboard, "title"), word(panel, "title"));
            for target in list(&panel["targets"]) {
                let mut query = word(target, "expr").replace("=\"$pipeline\"", "=~\"$pipeline\"");
                for (variable, value) in [
                    ("$__rate_interval", "30s"),
                    ("$__range", "10m"),
                    ("$account", ".*"),
                    ("$project", ".*"),
                    ("$pipeline", ".*"),
                ] {
                    query = query.replace(variable, value);
                }
                assert!(!query.contains('$'), "{place}: {query}");
                queries.push((place.clone(), query));
            }
        }
    }
    queries
}

#[test]
fn each_dashboard_is_one_of_ours_and_is_edited_here_alone() {
    let mut identifiers = BTreeSet::new();
    for (path, dashboard) in dashboards() {
        let file = path.rsplit('/').next().unwrap().trim_end_matches(".json");
        assert_eq!(word(&dashboard, "uid"), file);
        identifiers.insert(file.to_owned());
        assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 39, "{path}");
        assert_eq!(dashboard["editable"], false, "{path}");
        assert_eq!(dashboard["tags"][0], "harness", "{path}");
        assert!(!word(&dashboard, "description").is_empty(), "{path}");
    }
    let wanted = ["harness-overview", "harness-pipeline"].map(str::to_owned);
    assert_eq!(identifiers, wanted.into_iter().collect());
    for (path, _) in dashboards() {
        for link in text(&path).split("\"/d/").skip(1) {
            let uid = link.split('?').next().unwrap();
            assert!(identifiers.contains(uid), "{path} leads to {uid}");
        }
    }
}

#[test]
fn every_variable_is_of_use_and_asks_the_chosen_source() {
    for (path, dashboard) in dashboards() {
        let variables = list(&dashboard["templating"]["list"]);
        assert_eq!(
            (word(&variables[0], "name"), word(&variables[0], "type")),
            ("datasource", "datasource")
        );
        let text = text(&path);
        for variable in variables {
            let name = word(variable, "name");
            assert!(!word(variable, "label").is_empty(), "{path}: {name}");
            let used =
                text.contains(&format!("${name}\\\"")) || text.contains(&format!("${{{name}"));
            assert!(used, "{path}: nothing asks for {name}");
            if variable["type"] == "query" {
                assert_eq!(variable["datasource"]["uid"], "${datasource}", "{path}: {name}");
                assert_eq!(variable["refresh"], 2, "{path}: {name} is looked up with the time");
            }
        }
        let page = list(&dashboard["links"]).iter().find(|link| link["type"] == "link").unwrap();
        assert!(word(page, "url").starts_with("${exporter}/"), "{path}");
    }
}

#[test]
fn every_panel_says_what_it_shows_and_asks_the_chosen_source() {
    for (path, dashboard) in dashboards() {
        let mut titles = BTreeSet::new();
        assert!(panels(&dashboard).count() >= 15, "{path}");
        for panel in panels(&dashboard) {
            let title = word(panel, "title");
            assert!(titles.insert(title), "{path}: two of {title}");
            assert!(KINDS.contains(&word(panel, "type")), "{title}");
            assert!(word(panel, "description").ends_with('.'), "{title}");
            let defaults = &panel["fieldConfig"]["defaults"];
            let mut units = vec![word(defaults, "unit")];
            for changed in list(&panel["fieldConfig"]["overrides"]) {
                let properties = list(&changed["properties"]).iter();
                let units_of = properties.filter(|property| property["id"] == "unit");
                units.extend(units_of.map(|property| word(property, "value")));
            }
            assert!(units.iter().all(|unit| UNITS.contains(unit)), "{title}: {units:?}");
            assert!(!list(&defaults["thresholds"]["steps"]).is_empty(), "{title}");
            let targets = list(&panel["targets"]);
            assert!(!targets.is_empty(), "{title}");
            let names: BTreeSet<_> = targets.iter().map(|one| word(one, "refId")).collect();
            assert_eq!(names.len(), targets.len(), "{title}");
            for asked in targets.iter().chain([panel]) {
                assert_eq!(asked["datasource"]["uid"], "${datasource}", "{title}");
            }
            for target in targets {
                assert!(!word(target, "legendFormat").is_empty(), "{title}");
                assert_ne!(target["range"].is_null(), target["instant"].is_null(), "{title}");
            }
        }
    }
}

#[test]
fn every_counter_is_shown_by_its_increase_over_a_range_that_fits() {
    let counters: Vec<_> = metrics::catalogue()
        .flat_map(|metric| match metric.kind {
            Kind::Counter => vec![metric.name.to_owned()],
            Kind::Histogram => vec![format!("{}_bucket", metric.name)],
            Kind::Gauge => Vec::new(),
        })
        .collect();
    let mut seen = 0;
    for (path, dashboard) in dashboards() {
        for query in panels(&dashboard).flat_map(|panel| list(&panel["targets"])) {
            let query = word(query, "expr");
            for (at, name) in counters.iter().flat_map(|name| query.match_indices(name.as_str())) {
                let (before, after) = (&query[..at], &query[at + name.len()..]);
                let is_rate = before.ends_with("rate(") || before.ends_with("increase(");
                assert!(is_rate, "{path}: {name} is a counter: {query}");
                let range = after.split_once('[').unwrap().1.split_once(']').unwrap().0;
                assert!(RANGES.contains(&range), "{path}: {query}");
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn every_query_is_in_order() {
    let rules: Vec<_> = queries()
        .into_iter()
        .map(|(_, query)| serde_json::json!({ "record": "panel", "expr": query }))
        .collect();
    let groups = serde_json::json!({ "groups": [{ "name": "panels", "rules": rules }] });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("panels.yaml");
    fs::write(&path, groups.to_string()).unwrap();
    let output = output(Command::new("promtool").args(["check", "rules", "--lint=none"]).arg(path));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn no_panel_covers_another() {
    for (_, dashboard) in dashboards() {
        let mut taken = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for panel in list(&dashboard["panels"]) {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
            let [x, y, w, h] =
                ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
            assert!(x + w <= 24, "{panel}");
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(taken.insert(cell), "{panel}");
            }
        }
    }
}
