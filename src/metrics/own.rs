//! What this process counts about itself.
//!
//! Others tell it what happened in their words; which series that is, is decided here. The numbers
//! live in a registry of the `prometheus` crate, made once and handed around: there is no global
//! one. They start anew with the process. Names, meanings and labels are those of the table in
//! `exporter`. No call can fail.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::{LabelPair, MetricFamily};
use prometheus::{
    CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    Opts, Registry,
};

use super::catalogue::Metric;
use super::exporter as declared;
use crate::config::Config;
use crate::model::{AccountName, Wall};

/// Upper bounds for calls of Harness, in seconds; its timeout is 30 s by default.
const CALL_BOUNDS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Upper bounds for how late a webhook is, in seconds, up to the default `start_deadline`.
const TRIGGER_LAG_BOUNDS: &[f64] = &[0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];

/// Upper bounds for how late an end is seen, in seconds, up to 5 times the default `polling.max`.
const DETECTION_LAG_BOUNDS: &[f64] = &[0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// Which of Harness' endpoints was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A webhook was sent.
    Trigger,
    /// A trigger's webhook URL was looked up.
    TriggerLookup,
    /// An event was read.
    Event,
    /// One execution was read.
    Execution,
    /// Executions were listed.
    Executions,
}

impl Endpoint {
    /// Every endpoint, in the order of the documentation.
    pub const ALL: &'static [Self] =
        &[Self::Trigger, Self::TriggerLookup, Self::Event, Self::Execution, Self::Executions];

    /// The endpoint as it stands in a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::TriggerLookup => "trigger_lookup",
            Self::Event => "event",
            Self::Execution => "execution",
            Self::Executions => "executions",
        }
    }
}

/// Of what a status was not in our tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusKind {
    /// Of an execution.
    Execution,
    /// Of an event.
    Trigger,
}

impl StatusKind {
    /// Both.
    pub const ALL: &'static [Self] = &[Self::Execution, Self::Trigger];

    /// The kind as it stands in a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Execution => "execution",
            Self::Trigger => "trigger",
        }
    }
}

/// A loop that must not stand still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loop {
    /// The driver's.
    Driver,
    /// The store's.
    Store,
}

impl Loop {
    /// Both.
    pub const ALL: &'static [Self] = &[Self::Driver, Self::Store];

    /// The loop as it stands in a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Store => "store",
        }
    }
}

/// The numbers of this process. Every method takes `&self`, so that one is shared by all tasks.
#[derive(Debug)]
pub struct Own {
    registry: Registry,
    up: GaugeVec,
    last_success: GaugeVec,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    throttled: IntCounterVec,
    rate_limit_wait: CounterVec,
    rate_limit: GaugeVec,
    unknown_statuses: IntCounterVec,
    trigger_lag: Histogram,
    detection_lag: Histogram,
    last_tick: GaugeVec,
    clock_skew: GaugeVec,
    store_writes: IntCounter,
    store_write_failures: IntCounter,
    reload_successful: Gauge,
    reload_timestamp: Gauge,
    config_hash: Gauge,
    build_info: GaugeVec,
}

impl Own {
    /// Everything at its beginning, for the accounts of `config`.
    ///
    /// # Errors
    /// Where the `prometheus` crate refuses a declaration: a defect, which a test rules out.
    pub fn new(config: &Config) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let reg = &registry;
        let own = Self {
            up: vec(reg, &declared::UP, GaugeVec::new)?,
            last_success: vec(reg, &declared::API_LAST_SUCCESS, GaugeVec::new)?,
            requests: vec(reg, &declared::API_REQUESTS, IntCounterVec::new)?,
            request_duration: vec(reg, &declared::API_REQUEST_DURATION, |opts, labels| {
                HistogramVec::new(bounds(opts, CALL_BOUNDS), labels)
            })?,
            throttled: vec(reg, &declared::API_THROTTLED, IntCounterVec::new)?,
            rate_limit_wait: vec(reg, &declared::API_RATE_LIMIT_WAIT, CounterVec::new)?,
            rate_limit: vec(reg, &declared::API_RATE_LIMIT, GaugeVec::new)?,
            unknown_statuses: vec(reg, &declared::UNKNOWN_STATUSES, IntCounterVec::new)?,
            trigger_lag: one(reg, &declared::TRIGGER_LAG, |opts| {
                Histogram::with_opts(bounds(opts, TRIGGER_LAG_BOUNDS))
            })?,
            detection_lag: one(reg, &declared::DETECTION_LAG, |opts| {
                Histogram::with_opts(bounds(opts, DETECTION_LAG_BOUNDS))
            })?,
            last_tick: vec(reg, &declared::LAST_TICK, GaugeVec::new)?,
            clock_skew: vec(reg, &declared::CLOCK_SKEW, GaugeVec::new)?,
            store_writes: one(reg, &declared::STORE_WRITES, IntCounter::with_opts)?,
            store_write_failures: one(reg, &declared::STORE_WRITE_FAILURES, IntCounter::with_opts)?,
            reload_successful: one(reg, &declared::RELOAD_SUCCESSFUL, Gauge::with_opts)?,
            reload_timestamp: one(reg, &declared::RELOAD_TIMESTAMP, Gauge::with_opts)?,
            config_hash: one(reg, &declared::CONFIG_HASH, Gauge::with_opts)?,
            build_info: vec(reg, &declared::BUILD_INFO, GaugeVec::new)?,
            registry,
        };
        own.begin(config)?;
        Ok(own)
    }

    /// These are the accounts from now on. What was counted of others stays; what stands for now does
    /// not.
    pub fn configured(&self, config: &Config) {
        for gauges in [&self.up, &self.last_success, &self.rate_limit, &self.clock_skew] {
            let shown = gauges.collect();
            let labels = shown
                .iter()
                .flat_map(MetricFamily::get_metric)
                .flat_map(prometheus::proto::Metric::get_label);
            let gone = labels.map(LabelPair::value).filter(|n| !config.accounts.contains_key(*n));
            for name in gone {
                // It was there just now.
                let _ = gauges.remove_label_values(&[name]);
            }
        }
        for (name, account) in &config.accounts {
            let labels = [name.as_str()];
            set(&self.rate_limit, &labels, f64::from(account.requests_per_minute));
            self.throttled.with_label_values(&labels);
            self.rate_limit_wait.with_label_values(&labels);
        }
    }

    /// A counter is there from the first scrape, so that its first step is seen.
    fn begin(&self, config: &Config) -> prometheus::Result<()> {
        self.configured(config);
        for kind in StatusKind::ALL {
            self.unknown_statuses.get_metric_with_label_values(&[kind.as_str()])?;
        }
        #[cfg(target_os = "linux")]
        self.registry
            .register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(())
    }

    /// A call ended: with this HTTP status, or without an answer.
    pub fn call(
        &self,
        account: &AccountName,
        endpoint: Endpoint,
        code: Option<u16>,
        took: Duration,
    ) {
        let code = code.filter(|code| (100..=599).contains(code));
        let code = code.map_or_else(|| "error".to_owned(), |code| code.to_string());
        add(&self.requests, &[account.as_str(), endpoint.as_str(), &code]);
        let labels = [account.as_str(), endpoint.as_str()];
        if let Ok(histogram) = self.request_duration.get_metric_with_label_values(&labels) {
            histogram.observe(took.as_secs_f64());
        }
    }

    /// Harness answered 429.
    pub fn throttled(&self, account: &AccountName) {
        add(&self.throttled, &[account.as_str()]);
    }

    /// A call waited so long for our own rate limit.
    pub fn rate_limit_waited(&self, account: &AccountName, waited: Duration) {
        if let Ok(counter) = self.rate_limit_wait.get_metric_with_label_values(&[account.as_str()])
        {
            counter.inc_by(waited.as_secs_f64());
        }
    }

    /// Harness serves this account.
    pub fn set_up(&self, account: &AccountName) {
        set(&self.up, &[account.as_str()], 1.0);
    }

    /// Harness does not serve this account: it does not answer, fails, or refuses the key.
    pub fn set_down(&self, account: &AccountName) {
        set(&self.up, &[account.as_str()], 0.0);
    }

    /// What was said last of whether Harness serves this account; none before anything was.
    pub fn up(&self, account: &AccountName) -> Option<bool> {
        let families = self.up.collect();
        let mut series = families.iter().flat_map(MetricFamily::get_metric);
        let labelled = |label: &LabelPair| label.value() == account.as_str();
        let found = series.find(|series| series.get_label().iter().any(labelled))?;
        Some(found.get_gauge().get_value() > 0.0)
    }

    /// Harness gave a good answer.
    pub fn api_success(&self, account: &AccountName, at: Wall) {
        set(&self.last_success, &[account.as_str()], seconds(at.0));
    }

    /// Harness' clock is so many milliseconds ahead of ours.
    pub fn set_skew(&self, account: &AccountName, millis: i64) {
        set(&self.clock_skew, &[account.as_str()], seconds(millis));
    }

    /// A status was not in our tables. To be told once a run and kind.
    pub fn unknown_status(&self, kind: StatusKind) {
        add(&self.unknown_statuses, &[kind.as_str()]);
    }

    /// A webhook was sent so long after its due time, jitter included.
    pub fn trigger_lag(&self, lag: Duration) {
        self.trigger_lag.observe(lag.as_secs_f64());
    }

    /// A run's end was recorded so long after it.
    pub fn detection_lag(&self, lag: Duration) {
        self.detection_lag.observe(lag.as_secs_f64());
    }

    /// A loop went round.
    pub fn tick(&self, which: Loop, at: Wall) {
        set(&self.last_tick, &[which.as_str()], seconds(at.0));
    }

    /// The store was written.
    pub fn store_written(&self) {
        self.store_writes.inc();
    }

    /// The store was to be written, and that failed.
    pub fn store_write_failed(&self) {
        self.store_writes.inc();
        self.store_write_failures.inc();
    }

    /// A config was loaded. `hash` is a hash of what it says, below 2^53 so that a float holds it.
    pub fn config_loaded(&self, hash: u64, at: Wall) {
        self.reload_successful.set(1.0);
        self.reload_timestamp.set(seconds(at.0));
        self.config_hash.set(hash as f64);
    }

    /// A config was to be loaded, and the old one stays.
    pub fn config_refused(&self) {
        self.reload_successful.set(0.0);
    }

    /// What was built, from what and with what. To be told once.
    pub fn build_info(&self, version: &str, revision: &str, rustversion: &str) {
        set(&self.build_info, &[version, revision, rustversion], 1.0);
    }

    /// Every family that has a series, by name.
    pub(super) fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

fn one<T: Collector + Clone + 'static>(
    registry: &Registry,
    metric: &Metric,
    make: impl FnOnce(Opts) -> prometheus::Result<T>,
) -> prometheus::Result<T> {
    let collector = make(Opts::new(metric.name, metric.help))?;
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn vec<T: Collector + Clone + 'static>(
    registry: &Registry,
    metric: &Metric,
    make: impl FnOnce(Opts, &[&str]) -> prometheus::Result<T>,
) -> prometheus::Result<T> {
    let labels: Vec<_> = metric.label_names().collect();
    one(registry, metric, |opts| make(opts, &labels))
}

fn bounds(opts: Opts, bounds: &[f64]) -> HistogramOpts {
    HistogramOpts::from(opts).buckets(bounds.to_vec())
}

fn set(gauges: &GaugeVec, labels: &[&str], value: f64) {
    if let Ok(gauge) = gauges.get_metric_with_label_values(labels) {
        gauge.set(value);
    }
}

fn add(counters: &IntCounterVec, labels: &[&str]) {
    if let Ok(counter) = counters.get_metric_with_label_values(labels) {
        counter.inc();
    }
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}
