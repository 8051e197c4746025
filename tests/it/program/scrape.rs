//! The exposition as a scraper reads it, and what must be true of it whenever it is read.

use std::collections::{BTreeMap, BTreeSet};

/// What states facts about the fleet, and so must go on over a restart.
pub(super) const LASTING: [&str; 3] = ["harness_pipeline_", "harness_run_", "harness_trigger_"];

type Labels = BTreeMap<String, String>;

/// One `/metrics`.
#[derive(Clone)]
pub(super) struct Scrape {
    pub(super) text: String,
    /// The samples of each name, by their labels.
    samples: BTreeMap<String, BTreeMap<Labels, f64>>,
    /// The TYPE of each family.
    types: BTreeMap<String, String>,
}

impl Scrape {
    /// Reads an exposition, and checks what must hold on every one.
    pub(super) fn of(text: String) -> Self {
        let mut scrape = Self { text, samples: BTreeMap::new(), types: BTreeMap::new() };
        let text = std::mem::take(&mut scrape.text);
        for line in text.lines() {
            if let Some(declared) = line.strip_prefix("# TYPE ") {
                let (name, kind) = declared.split_once(' ').unwrap();
                let before = scrape.types.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "declared twice: {line}");
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let (name, labels) = read_series(series);
                let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
                let before = scrape.samples.entry(name).or_default().insert(labels, value);
                assert_eq!(before, None, "twice: {line}");
            }
        }
        scrape.text = text;
        scrape.check_numbers();
        scrape.check_books();
        scrape
    }

    /// The whole number that the only series that fits has, `name{label="value"}`.
    pub(super) fn value(&self, selector: &str) -> i64 {
        assert_eq!(self.count(selector), 1, "{selector}");
        self.sum(selector)
    }

    /// The sum of the series that fit, which is a whole number.
    pub(super) fn sum(&self, selector: &str) -> i64 {
        let thousandths: i64 = self.select(selector).into_iter().map(thousandths).sum();
        assert_eq!(thousandths % 1000, 0, "{selector}");
        thousandths / 1000
    }

    /// Of the only series that fits, a number of seconds in milliseconds; none where there is none.
    pub(super) fn millis(&self, selector: &str) -> Option<i64> {
        assert!(self.count(selector) <= 1, "{selector}");
        self.select(selector).first().copied().map(thousandths)
    }

    /// How many series fit.
    pub(super) fn count(&self, selector: &str) -> usize {
        self.select(selector).len()
    }

    fn select(&self, selector: &str) -> Vec<f64> {
        let (name, wanted) = read_series(selector);
        let fits =
            |labels: &Labels| wanted.iter().all(|(name, value)| labels.get(name) == Some(value));
        let all = self.samples.get(&name).into_iter().flatten();
        all.filter(|(labels, _)| fits(labels)).map(|(_, value)| *value).collect()
    }

    /// The lines about the fleet, comments included.
    pub(super) fn lasting(&self) -> Vec<&str> {
        let named = |line: &&str| {
            let line = line.strip_prefix("# HELP ").unwrap_or(line);
            let line = line.strip_prefix("# TYPE ").unwrap_or(line);
            LASTING.iter().any(|prefix| line.starts_with(prefix))
        };
        self.text.lines().filter(named).collect()
    }

    /// The family of a sample, and whether it must never fall.
    fn family(&self, sample: &str) -> (&str, bool) {
        for suffix in ["_bucket", "_sum", "_count"] {
            if let Some((name, kind)) =
                sample.strip_suffix(suffix).and_then(|name| self.types.get_key_value(name))
                && kind == "histogram"
            {
                return (name, true);
            }
        }
        let (name, kind) =
            self.types.get_key_value(sample).unwrap_or_else(|| panic!("{sample} has no TYPE"));
        (name, kind == "counter")
    }

    fn check_numbers(&self) {
        for (name, series) in &self.samples {
            let (family, _) = self.family(name);
            for (labels, value) in series {
                assert!(value.is_finite(), "{name}{labels:?} is {value}");
                let signed = family == "harness_exporter_clock_skew_seconds";
                assert!(signed || *value >= 0.0, "{name}{labels:?} is {value}");
            }
            if let Some(histogram) = name.strip_suffix("_bucket") {
                self.check_histogram(histogram, series);
            }
        }
        for set in ["harness_pipeline_last_trigger_outcome", "harness_pipeline_last_run_result"] {
            for (pipeline, sum) in self.by_pipeline(set) {
                assert!(sum <= 1, "{set} of {pipeline} adds up to {sum}");
            }
        }
    }

    /// Buckets never fall as their bounds rise, and the last says what the count says.
    fn check_histogram(&self, histogram: &str, buckets: &BTreeMap<Labels, f64>) {
        let mut by_series: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
        for (labels, value) in buckets {
            let mut labels = labels.clone();
            let bound = labels.remove("le").unwrap().parse().unwrap();
            by_series.entry(labels).or_default().push((bound, *value));
        }
        for (labels, mut buckets) in by_series {
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(buckets.is_sorted_by(|one, next| one.1 <= next.1), "{histogram}{labels:?}");
            let last = buckets.last().copied();
            let count = self.samples[&format!("{histogram}_count")][&labels];
            assert_eq!(last, Some((f64::INFINITY, count)), "{histogram}{labels:?}");
        }
    }

    /// Every run is counted in exactly one place.
    fn check_books(&self) {
        let [begun, failed, ended, active] =
            ["triggers_total", "trigger_failures_total", "runs_total", "active_runs"]
                .map(|name| self.by_pipeline(&format!("harness_pipeline_{name}")));
        for pipeline in self.pipelines() {
            let [begun, failed, ended, active] = [&begun, &failed, &ended, &active]
                .map(|sums| sums.get(pipeline).copied().unwrap_or(0));
            assert_eq!(
                begun,
                failed + ended + active,
                "{pipeline}: {failed} failed, {ended} ended, {active} active"
            );
        }
    }

    /// The sums of a family's whole numbers, by pipeline.
    fn by_pipeline(&self, name: &str) -> BTreeMap<&str, i64> {
        let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
        for (labels, value) in self.samples.get(name).into_iter().flatten() {
            *sums.entry(labels["pipeline"].as_str()).or_default() += thousandths(*value) / 1000;
        }
        sums
    }

    fn pipelines(&self) -> BTreeSet<&str> {
        self.names("harness_pipeline_info", "pipeline")
    }

    fn accounts(&self) -> BTreeSet<&str> {
        self.names("harness_api_rate_limit_per_minute", "account")
    }

    fn names(&self, family: &str, label: &str) -> BTreeSet<&str> {
        let series = self.samples.get(family).into_iter().flatten();
        series.map(|(labels, _)| labels[label].as_str()).collect()
    }

    /// No counter has fallen or gone since `earlier`; those about the process only where it is the
    /// same one. A pipeline or an account that is no longer in the config has none.
    pub(super) fn check_since(&self, earlier: &Self, same_process: bool) {
        let (pipelines, accounts) = (self.pipelines(), self.accounts());
        for (name, series) in &earlier.samples {
            let (_, grows) = earlier.family(name);
            let lasts = LASTING.iter().any(|prefix| name.starts_with(prefix));
            if !grows || !(lasts || same_process) {
                continue;
            }
            let is_in = |labels: &Labels, label: &str, names: &BTreeSet<&str>| {
                labels.get(label).is_none_or(|name| names.contains(name.as_str()))
            };
            let shown = |labels: &Labels| {
                is_in(labels, "pipeline", &pipelines) && is_in(labels, "account", &accounts)
            };
            for (labels, before) in series.iter().filter(|(labels, _)| shown(labels)) {
                let now = self.samples.get(name).and_then(|series| series.get(labels));
                assert!(
                    now.is_some_and(|now| now >= before),
                    "{name}{labels:?} fell from {before} to {now:?}"
                );
            }
        }
    }
}

fn thousandths(value: f64) -> i64 {
    format!("{:.0}", value * 1000.0).parse().unwrap()
}

/// `name` or `name{label="value",…}`, as it stands before a value.
fn read_series(text: &str) -> (String, Labels) {
    let Some((name, rest)) = text.split_once('{') else {
        return (text.to_owned(), Labels::new());
    };
    let mut labels = Labels::new();
    let mut rest = rest;
    while let Some((label, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut letters = after.chars();
        loop {
            match letters.next() {
                Some('"') => break,
                Some('\\') => value.push(match letters.next() {
                    Some('n') => '\n',
                    Some(letter @ ('\\' | '"')) => letter,
                    other => panic!("{other:?} after a backslash in {text}"),
                }),
                Some(letter) => value.push(letter),
                None => panic!("no end of a value in {text}"),
            }
        }
        labels.insert(label.to_owned(), value);
        rest = letters.as_str();
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    assert_eq!(rest, "}", "{text}");
    (name.to_owned(), labels)
}

#[test]
fn an_exposition_is_read_and_its_faults_are_found() {
    let text = |failed: u32| {
        format!(
            "# TYPE harness_pipeline_info gauge\nharness_pipeline_info{{pipeline=\"a\\\"b\"}} 1\n\
             # TYPE harness_pipeline_triggers_total counter\n\
             harness_pipeline_triggers_total{{pipeline=\"a\\\"b\",origin=\"manual\"}} 2\n\
             # TYPE harness_pipeline_trigger_failures_total counter\n\
             harness_pipeline_trigger_failures_total{{pipeline=\"a\\\"b\",reason=\"other\"}} {failed}\n"
        )
    };
    let good = Scrape::of(text(2));
    assert_eq!(good.value("harness_pipeline_triggers_total{origin=\"manual\"}"), 2);
    assert_eq!(good.millis("harness_pipeline_triggers_total{origin=\"retry\"}"), None);
    let panics = |text: String| std::panic::catch_unwind(|| Scrape::of(text)).is_err();
    assert!(panics(text(1)), "the books are not balanced");
    assert!(panics("# TYPE a gauge\na NaN\n".to_owned()));
    assert!(panics("# TYPE a gauge\na -1\n".to_owned()));
    assert!(panics("# TYPE a gauge\na 1\na 1\n".to_owned()));
    let counter =
        |value: u32| Scrape::of(format!("# TYPE harness_run_x counter\nharness_run_x {value}\n"));
    let fell = std::panic::catch_unwind(|| counter(1).check_since(&counter(2), false));
    assert!(fell.is_err());
    counter(2).check_since(&counter(1), false);
}
