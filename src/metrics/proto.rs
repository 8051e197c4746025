//! Reads series out of the `prometheus` crate's families.
//!
//! Its own text encoder is not used: it panics on a family without a type and writes `inf`.

use prometheus::proto::{self, MetricFamily};

use super::catalogue::{Emit, Histogram, Kind, Metric, Number, Value};

/// Hands out the series of `family`, as `metric` declares them.
pub(super) fn collect(metric: &Metric, family: &MetricFamily, emit: &mut Emit<'_>) {
    for series in family.get_metric() {
        let values: Vec<_> =
            metric.labels.iter().map(|label| value_of(series, label.name)).collect();
        match metric.kind {
            Kind::Counter => {
                emit(&values, Value::Number(Number::Float(series.get_counter().get_value())));
            }
            Kind::Gauge => {
                emit(&values, Value::Number(Number::Float(series.get_gauge().get_value())));
            }
            Kind::Histogram => {
                emit(&values, Value::Histogram(&histogram(series.get_histogram())));
            }
        }
    }
}

/// The crate sorts labels by name; a declaration has them in the order in which they are read.
fn value_of<'a>(series: &'a proto::Metric, label: &str) -> &'a str {
    series.get_label().iter().find(|pair| pair.name() == label).map_or("", |pair| pair.value())
}

fn histogram(histogram: &proto::Histogram) -> Histogram {
    let bucket =
        |bucket: &proto::Bucket| (Number::Float(bucket.upper_bound()), bucket.cumulative_count());
    Histogram {
        buckets: histogram.get_bucket().iter().map(bucket).collect(),
        count: histogram.get_sample_count(),
        sum: Number::Float(histogram.get_sample_sum()),
    }
}
