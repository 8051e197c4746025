//! What a metric is: its one declaration, from which the exposition and the documentation come.
//!
//! It knows no format. A declaration tells what series there are and what they say; how that is
//! written is the business of whoever hands in the [`Emit`].

use crate::board::{AccountBoard, Distribution, PipelineBoard, Snapshot};

/// The labels that every metric of a pipeline has, before its own.
pub const PIPELINE_LABELS: &[&str] = &["account", "org", "project", "pipeline"];

/// The label that every metric of an account has, before its own.
pub const ACCOUNT_LABELS: &[&str] = &["account"];

/// A metric: name, type, meaning, labels, and where its series come from.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The name of the family.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// What it means, as sentences.
    pub help: &'static str,
    /// Its own labels, beside those that its source brings.
    pub labels: &'static [Label],
    /// Where its series come from.
    pub source: Source,
}

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Never falls while the process lives.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Observations counted in buckets.
    Histogram,
}

impl Kind {
    /// The type's name, the same in every format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A label, with the values it can have.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// The values it can have.
    pub values: Values,
}

/// The values a label can have.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// These and no others.
    Closed(fn() -> Vec<&'static str>),
    /// Others, of which this can be said.
    Open(&'static str),
}

/// Where the series of a metric come from.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// From the board of each pipeline.
    Pipeline(fn(&PipelineBoard, &mut Emit<'_>)),
    /// From the board of each account.
    Account(fn(&AccountBoard, &mut Emit<'_>)),
    /// From the snapshot as a whole.
    Snapshot(fn(&Snapshot, &mut Emit<'_>)),
    /// What this process has counted about itself.
    Own,
    /// The rendering counts itself.
    Rendering,
}

/// Takes one series: the values of the metric's own labels, in the order of their declaration, and
/// what it says.
pub type Emit<'a> = dyn FnMut(&[&str], Value<'_>) + 'a;

/// What a series says.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// A number.
    Number(Number),
    /// A histogram.
    Histogram(&'a Histogram),
}

/// A number, in the unit in which it was kept: no digit is lost on the way to a format.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A count, or 0 and 1.
    Count(i64),
    /// Milliseconds, which formats show as seconds.
    Millis(i64),
    /// Anything else, in base units.
    Float(f64),
}

/// A histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Upper bound, and how many observations are at or below it, ascending and without `+Inf`.
    pub buckets: Vec<(Number, u64)>,
    /// How many observations there are.
    pub count: u64,
    /// Their sum.
    pub sum: Number,
}

impl From<Distribution> for Histogram {
    fn from(distribution: Distribution) -> Self {
        let cell = |(bound, count)| (Number::Millis(bound), count);
        Self {
            buckets: distribution.buckets.into_iter().map(cell).collect(),
            count: distribution.count,
            sum: Number::Millis(distribution.sum),
        }
    }
}

impl Metric {
    /// Whether it states a fact about the fleet, the same on every replica. The others are about
    /// this process.
    #[must_use]
    pub const fn is_about_fleet(&self) -> bool {
        matches!(self.source, Source::Pipeline(_) | Source::Account(_))
    }

    /// The text for HELP: the meaning, and whether it is about the fleet or about this process.
    #[must_use]
    pub fn help_text(&self) -> String {
        let scope = if self.is_about_fleet() {
            "A fact about the fleet: the same on every replica."
        } else {
            "About this process."
        };
        format!("{} {scope}", self.help)
    }

    /// The names of its labels, those that its source brings first.
    pub fn label_names(&self) -> impl Iterator<Item = &'static str> {
        let brought = match self.source {
            Source::Pipeline(_) => PIPELINE_LABELS,
            Source::Account(_) => ACCOUNT_LABELS,
            Source::Snapshot(_) | Source::Own | Source::Rendering => &[],
        };
        brought.iter().copied().chain(self.labels.iter().map(|label| label.name))
    }
}

impl Label {
    /// A label with a closed vocabulary.
    pub(super) const fn closed(name: &'static str, words: fn() -> Vec<&'static str>) -> Self {
        Self { name, values: Values::Closed(words) }
    }

    /// A label with other values.
    pub(super) const fn open(name: &'static str, about: &'static str) -> Self {
        Self { name, values: Values::Open(about) }
    }
}

/// The words of a vocabulary.
pub(super) fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|value| word(*value)).collect()
}
