//! The declarations of what is about this process: one entry a metric.
//!
//! `Own` fills those of `Source::Own`; the others follow from what is being rendered.

use super::catalogue::{Kind, Label, Metric, Number, Source, Value};
use super::labels::{ACCOUNT, CODE, ENDPOINT, KIND, LOOP, REVISION, RUSTVERSION, VERSION};

/// Every metric about this process, in the order of the documentation.
pub(super) static FAMILIES: &[Metric] = &[
    UP,
    API_LAST_SUCCESS,
    API_REQUESTS,
    API_REQUEST_DURATION,
    API_THROTTLED,
    API_RATE_LIMIT_WAIT,
    API_RATE_LIMIT,
    UNKNOWN_STATUSES,
    TRIGGER_LAG,
    DETECTION_LAG,
    DUE_WAITING,
    LAST_TICK,
    PIPELINES,
    CLOCK_SKEW,
    STORE_WRITES,
    STORE_WRITE_FAILURES,
    RELOAD_SUCCESSFUL,
    RELOAD_TIMESTAMP,
    CONFIG_HASH,
    BUILD_INFO,
    own(Kind::Counter, "process_cpu_seconds_total", "User and system CPU time spent.", &[]),
    own(Kind::Gauge, "process_open_fds", "Open file descriptors.", &[]),
    own(Kind::Gauge, "process_max_fds", "The limit for open file descriptors.", &[]),
    own(Kind::Gauge, "process_virtual_memory_bytes", "Size of the virtual memory.", &[]),
    own(Kind::Gauge, "process_resident_memory_bytes", "Size of the resident memory.", &[]),
    own(Kind::Gauge, "process_start_time_seconds", "When the process started.", &[]),
    own(Kind::Gauge, "process_threads", "Threads of the operating system.", &[]),
    SERIES,
];

pub(super) const UP: Metric = own(
    Kind::Gauge,
    "harness_up",
    "0 after three calls in a row without an answer or with 5xx, or after a 401; 1 after a good \
     answer. Absent before the first call.",
    &[ACCOUNT],
);

pub(super) const API_LAST_SUCCESS: Metric = own(
    Kind::Gauge,
    "harness_api_last_success_timestamp_seconds",
    "When Harness last gave a good answer. Absent before the first.",
    &[ACCOUNT],
);

pub(super) const API_REQUESTS: Metric = own(
    Kind::Counter,
    "harness_api_requests_total",
    "Calls of Harness by what was answered.",
    &[ACCOUNT, ENDPOINT, CODE],
);

pub(super) const API_REQUEST_DURATION: Metric = own(
    Kind::Histogram,
    "harness_api_request_duration_seconds",
    "How long a call of Harness took, answered or not.",
    &[ACCOUNT, ENDPOINT],
);

pub(super) const API_THROTTLED: Metric = own(
    Kind::Counter,
    "harness_api_throttled_total",
    "Calls that Harness answered 429.",
    &[ACCOUNT],
);

pub(super) const API_RATE_LIMIT_WAIT: Metric = own(
    Kind::Counter,
    "harness_api_rate_limit_wait_seconds_total",
    "How long calls waited for our own rate limit, all of them together.",
    &[ACCOUNT],
);

pub(super) const API_RATE_LIMIT: Metric = own(
    Kind::Gauge,
    "harness_api_rate_limit_per_minute",
    "Our own limit for calls of Harness, from the config.",
    &[ACCOUNT],
);

pub(super) const UNKNOWN_STATUSES: Metric = own(
    Kind::Counter,
    "harness_exporter_unknown_statuses_total",
    "Statuses from Harness that are not in our tables, each counted once a run.",
    &[KIND],
);

pub(super) const TRIGGER_LAG: Metric = own(
    Kind::Histogram,
    "harness_exporter_trigger_lag_seconds",
    "From a due time, jitter included, to its webhook being sent.",
    &[],
);

pub(super) const DETECTION_LAG: Metric = own(
    Kind::Histogram,
    "harness_exporter_detection_lag_seconds",
    "From a run's end to our recording it.",
    &[],
);

const DUE_WAITING: Metric = Metric {
    name: "harness_exporter_due_waiting",
    kind: Kind::Gauge,
    help: "Due times of all pipelines that wait for the rate limit or a cap. Retries and manual \
           runs are not among them.",
    labels: &[],
    source: Source::Snapshot(|snapshot, emit| emit(&[], size(snapshot.waiting))),
};

pub(super) const LAST_TICK: Metric = own(
    Kind::Gauge,
    "harness_exporter_loop_last_tick_timestamp_seconds",
    "When the loop last went round: at least every 15 s, also when idle.",
    &[LOOP],
);

const PIPELINES: Metric = Metric {
    name: "harness_exporter_pipelines",
    kind: Kind::Gauge,
    help: "Pipelines in the config.",
    labels: &[],
    source: Source::Snapshot(|snapshot, emit| emit(&[], size(snapshot.pipelines.len()))),
};

/// The last of the catalogue, because it counts what was written before it.
const SERIES: Metric = Metric {
    name: "harness_exporter_series",
    kind: Kind::Gauge,
    help: "Series of this scrape, this one included.",
    labels: &[],
    source: Source::Rendering,
};

pub(super) const CLOCK_SKEW: Metric = own(
    Kind::Gauge,
    "harness_exporter_clock_skew_seconds",
    "How far Harness' clock is ahead of ours, by the Date of its last answer.",
    &[ACCOUNT],
);

pub(super) const STORE_WRITES: Metric = own(
    Kind::Counter,
    "harness_exporter_store_writes_total",
    "Transactions in which the store was written, those that failed included.",
    &[],
);

pub(super) const STORE_WRITE_FAILURES: Metric = own(
    Kind::Counter,
    "harness_exporter_store_write_failures_total",
    "Transactions in which the store was to be written and that failed.",
    &[],
);

pub(super) const RELOAD_SUCCESSFUL: Metric = own(
    Kind::Gauge,
    "harness_exporter_config_last_reload_successful",
    "1 where the last attempt to load the config succeeded, else 0.",
    &[],
);

pub(super) const RELOAD_TIMESTAMP: Metric = own(
    Kind::Gauge,
    "harness_exporter_config_last_reload_success_timestamp_seconds",
    "When the config was last loaded with success.",
    &[],
);

pub(super) const CONFIG_HASH: Metric = own(
    Kind::Gauge,
    "harness_exporter_config_hash",
    "A number that differs where the running config does.",
    &[],
);

pub(super) const BUILD_INFO: Metric = own(
    Kind::Gauge,
    "harness_exporter_build_info",
    "What was built, from what and with what. Always 1.",
    &[VERSION, REVISION, RUSTVERSION],
);

const fn own(
    kind: Kind,
    name: &'static str,
    help: &'static str,
    labels: &'static [Label],
) -> Metric {
    Metric { name, kind, help, labels, source: Source::Own }
}

fn size(value: impl TryInto<i64>) -> Value<'static> {
    Value::Number(Number::Count(value.try_into().unwrap_or(i64::MAX)))
}
