//! The numbers that are kept for ever, by name: whose, which, and how the store writes that down.
//!
//! What changes them is said in [`crate::totals`].

use super::{AccountName, MissedReason, Origin, PipelineName, Reason, RunResult, SlotResult};

/// Upper bounds of the duration buckets, in milliseconds, where the config has no others.
pub const DURATION_BOUNDS: &[i64] = &[
    1_000, 5_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_200_000, 1_800_000,
    3_600_000, 7_200_000, 14_400_000, 43_200_000, 90_000_000,
];

/// Upper bounds of the queue and processing buckets, in milliseconds. To change them takes a migration
/// that deletes what was counted by the old ones, sums included.
pub const WAIT_BOUNDS: &[i64] =
    &[500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000, 10_800_000];

/// The family of [`Key::Duration`] in the store.
pub const DURATIONS: &str = "run_duration";

/// One cell of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell {
    /// Observations above the bound before and at or below this one (milliseconds); not cumulated.
    Upto(i64),
    /// Observations above every bound.
    Above,
    /// The sum of all observations, in milliseconds.
    Sum,
}

/// Which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Runs begun.
    Triggers(Origin),
    /// Runs that ended as a failed trigger.
    TriggerFailures(Reason),
    /// Runs that ended with a result.
    Runs(RunResult),
    /// Due times for which nothing was sent.
    Missed(MissedReason),
    /// Due times settled.
    Slots(SlotResult),
    /// Finished runs gone wrong since the last success.
    ConsecutiveFailures,
    /// Failed triggers since the last started one.
    ConsecutiveTriggerFailures,
    /// Whether the trigger can be used, as far as looking it up says: 1 or 0. Not there before the
    /// first look-up.
    TriggerUsable,
    /// When a run last ended so, in milliseconds since the epoch.
    LastResult(RunResult),
    /// The histogram of run durations.
    Duration(RunResult, Cell),
    /// The histogram of queue times, of an account.
    Queue(Cell),
    /// The histogram of trigger processing times, of an account.
    Processing(Cell),
}

/// Whose number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A pipeline's.
    Pipeline(PipelineName),
    /// An account's.
    Account(AccountName),
}

/// A number as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// Whose.
    pub owner: Owner,
    /// Which.
    pub key: Key,
    /// How much.
    pub value: i64,
}

/// How a key is written in the store: the family, and the label values within it.
impl Key {
    /// The family and the label text.
    #[must_use]
    pub fn to_text(self) -> (&'static str, String) {
        match self {
            Self::Triggers(origin) => ("triggers", origin.to_string()),
            Self::TriggerFailures(reason) => ("trigger_failures", reason.to_string()),
            Self::Runs(result) => ("runs", result.to_string()),
            Self::Missed(reason) => ("schedules_missed", reason.to_string()),
            Self::Slots(result) => ("slots", result.to_string()),
            Self::ConsecutiveFailures => ("consecutive_failures", String::new()),
            Self::ConsecutiveTriggerFailures => ("consecutive_trigger_failures", String::new()),
            Self::TriggerUsable => ("trigger_usable", String::new()),
            Self::LastResult(result) => ("last_result", result.to_string()),
            Self::Duration(result, cell) => (DURATIONS, format!("{result}|{}", cell.to_text())),
            Self::Queue(cell) => ("run_queue", cell.to_text()),
            Self::Processing(cell) => ("trigger_processing", cell.to_text()),
        }
    }

    /// Reads back what [`Key::to_text`] wrote. `None` for what this version does not know.
    #[must_use]
    pub fn from_text(family: &str, label: &str) -> Option<Self> {
        Some(match family {
            "triggers" => Self::Triggers(Origin::from_label(label)?),
            "trigger_failures" => Self::TriggerFailures(Reason::from_label(label)?),
            "runs" => Self::Runs(RunResult::from_label(label)?),
            "schedules_missed" => Self::Missed(MissedReason::from_label(label)?),
            "slots" => Self::Slots(SlotResult::from_label(label)?),
            "consecutive_failures" => Self::ConsecutiveFailures,
            "consecutive_trigger_failures" => Self::ConsecutiveTriggerFailures,
            "trigger_usable" => Self::TriggerUsable,
            "last_result" => Self::LastResult(RunResult::from_label(label)?),
            DURATIONS => {
                let (result, cell) = label.split_once('|')?;
                Self::Duration(RunResult::from_label(result)?, Cell::from_text(cell)?)
            }
            "run_queue" => Self::Queue(Cell::from_text(label)?),
            "trigger_processing" => Self::Processing(Cell::from_text(label)?),
            _ => return None,
        })
    }
}

impl Cell {
    fn to_text(self) -> String {
        match self {
            Self::Upto(bound) => bound.to_string(),
            Self::Above => "+Inf".to_owned(),
            Self::Sum => "sum".to_owned(),
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        match text {
            "+Inf" => Some(Self::Above),
            "sum" => Some(Self::Sum),
            _ => text.parse().ok().map(Self::Upto),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_reads_back() {
        let mut keys =
            vec![Key::ConsecutiveFailures, Key::ConsecutiveTriggerFailures, Key::TriggerUsable];
        keys.extend(Origin::ALL.iter().map(|origin| Key::Triggers(*origin)));
        keys.extend(Reason::ALL.iter().map(|reason| Key::TriggerFailures(*reason)));
        keys.extend(MissedReason::ALL.iter().map(|reason| Key::Missed(*reason)));
        keys.extend(SlotResult::ALL.iter().map(|result| Key::Slots(*result)));
        for result in RunResult::ALL {
            keys.extend([Key::Runs(*result), Key::LastResult(*result)]);
            keys.extend([Key::Duration(*result, Cell::Sum), Key::Duration(*result, Cell::Above)]);
            keys.extend(DURATION_BOUNDS.iter().map(|le| Key::Duration(*result, Cell::Upto(*le))));
        }
        keys.extend(WAIT_BOUNDS.iter().map(|bound| Key::Queue(Cell::Upto(*bound))));
        keys.extend([Key::Processing(Cell::Sum), Key::Processing(Cell::Above)]);
        for key in keys {
            let (family, label) = key.to_text();
            assert_eq!(Key::from_text(family, &label), Some(key));
        }
        assert_eq!(Key::from_text("run_queue", "half"), None);
        assert_eq!(Key::from_text("unheard_of", ""), None);
    }
}
