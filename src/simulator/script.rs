//! What becomes of one webhook: a plan that a pipeline follows for its next runs.
//!
//! A script says how Harness processes the event, which course the execution takes, and what is
//! odd about what is told of it. These three are independent of each other.

use std::time::Duration;

use serde_json::{Value, json};

/// What becomes of one webhook. Durations are simulated ones.
///
/// ```
/// # use std::time::Duration;
/// # use harness_exporter::simulator::Script;
/// let flaky = [Script::succeed(), Script::fail_at(2)];
/// let retried = Script::show("Failed").then(Duration::from_secs(60), "Running");
/// let odd = Script::succeed().patch(serde_json::json!({ "startTs": -1 }));
/// ```
#[derive(Clone, Debug)]
pub struct Script {
    pub(super) processing: Processing,
    pub(super) course: Course,
    pub(super) without_details: Duration,
    pub(super) summary_patch: Value,
    pub(super) details_patch: Value,
}

/// How Harness processes the event.
#[derive(Clone, Debug)]
pub(super) enum Processing {
    /// It stays `QUEUED` for ever.
    Never,
    /// It ends with this word.
    Word { word: String, message: String, runs: bool },
}

/// How an execution goes on.
#[derive(Clone, Debug)]
pub(super) enum Course {
    /// Every stage ends as the pipeline's stages say.
    AsPlanned,
    /// This stage fails, counted from 1 as Harness counts stages.
    FailAt(usize),
    /// The first stage runs into the 24 hours that Harness gives it.
    Expire,
    /// The last stage waits this long for an approval.
    Approval(Duration),
    /// Aborted at this age, where it is still running then.
    Abort(Duration),
    /// These statuses, each from an age on.
    Statuses(Vec<(Duration, String)>),
}

impl Script {
    /// Every stage ends as the pipeline's stages say, which is well unless they say otherwise.
    #[must_use]
    pub fn succeed() -> Self {
        Self::running(Course::AsPlanned)
    }

    /// Stage `number` fails at the end of its time, and those after it are not started. Counted
    /// from 1 as Harness counts stages (a parallel group is its children, a matrix is one); the
    /// last stage where there are fewer.
    #[must_use]
    pub fn fail_at(number: usize) -> Self {
        Self::running(Course::FailAt(number))
    }

    /// The first stage passes its timeout: `Expired` after 86,404,046 ms, a day and four seconds.
    #[must_use]
    pub fn expire() -> Self {
        Self::running(Course::Expire)
    }

    /// The last stage waits for an approval, gets it after `wait`, and then goes on as planned.
    #[must_use]
    pub fn wait_for_approval(wait: Duration) -> Self {
        Self::running(Course::Approval(wait))
    }

    /// Somebody aborts it at the age `after`.
    #[must_use]
    pub fn abort_after(after: Duration) -> Self {
        Self::running(Course::Abort(after))
    }

    /// The execution has this status, for ever or until what [`Script::then`] says. Any word will
    /// do; one of Harness' final ones ends it there and then.
    #[must_use]
    pub fn show(status: &str) -> Self {
        Self::running(Course::Statuses(vec![(Duration::ZERO, status.to_owned())]))
    }

    /// After a further `after`, the execution has this status. Said of a script that did not begin
    /// with [`Script::show`], it is `Running` until then.
    #[must_use]
    pub fn then(mut self, after: Duration, status: &str) -> Self {
        let mut statuses = match self.course {
            Course::Statuses(statuses) => statuses,
            _ => vec![(Duration::ZERO, "Running".to_owned())],
        };
        let last = statuses.last().map_or(Duration::ZERO, |(from, _)| *from);
        statuses.push((last.saturating_add(after), status.to_owned()));
        self.course = Course::Statuses(statuses);
        self
    }

    /// Harness accepts the webhook and then can't start the pipeline: whatever the cause, the word
    /// is `INVALID_RUNTIME_INPUT_YAML`.
    #[must_use]
    pub fn refuse_start(message: &str) -> Self {
        let message =
            format!("Failed while requesting Pipeline Execution through Trigger: {message}");
        Self::respond("INVALID_RUNTIME_INPUT_YAML", &message)
    }

    /// The event is processed with this word and no execution.
    #[must_use]
    pub fn respond(word: &str, message: &str) -> Self {
        let (word, message) = (word.to_owned(), message.to_owned());
        Self { processing: Processing::Word { word, message, runs: false }, ..Self::succeed() }
    }

    /// The event is never processed: `QUEUED`, or 400, for ever.
    #[must_use]
    pub fn never_resolve() -> Self {
        Self { processing: Processing::Never, ..Self::succeed() }
    }

    /// The event is processed with this word although there is an execution.
    #[must_use]
    pub fn processed_as(mut self, status: &str) -> Self {
        if let Processing::Word { word, .. } = &mut self.processing {
            status.clone_into(word);
        }
        self
    }

    /// `executionDetails` of the event is null until the execution has this age.
    #[must_use]
    pub const fn without_details_for(mut self, age: Duration) -> Self {
        self.without_details = age;
        self
    }

    /// Changes every `pipelineExecutionSummary` by this JSON merge patch (RFC 7396): null takes a
    /// field away.
    #[must_use]
    pub fn patch(mut self, patch: Value) -> Self {
        self.summary_patch = patch;
        self
    }

    /// Changes `data` of the event's details by this JSON merge patch (RFC 7396).
    #[must_use]
    pub fn patch_details(mut self, patch: Value) -> Self {
        self.details_patch = patch;
        self
    }

    fn running(course: Course) -> Self {
        let processing = Processing::Word {
            word: "TARGET_EXECUTION_REQUESTED".to_owned(),
            message: "Pipeline execution was requested successfully".to_owned(),
            runs: true,
        };
        Self {
            processing,
            course,
            without_details: Duration::ZERO,
            summary_patch: json!({}),
            details_patch: json!({}),
        }
    }
}

/// Applies a JSON merge patch (RFC 7396).
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(object) = target.as_object_mut() else { return };
    for (name, value) in fields {
        if value.is_null() {
            object.remove(name);
        } else {
            merge(object.entry(name.as_str()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_merge_as_the_rfc_says() {
        let table = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b", "b": 1}), json!({"a": null}), json!({"b": 1})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ];
        for (mut target, patch, merged) in table {
            merge(&mut target, &patch);
            assert_eq!(target, merged, "{patch}");
        }
    }
}
