//! A pipeline with the custom webhook trigger that starts it, as Harness would have it configured.

use std::collections::VecDeque;
use std::time::Duration;

use super::script::Script;

/// Which trigger of which pipeline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TriggerKey {
    pub(super) org: String,
    pub(super) project: String,
    pub(super) pipeline: String,
    pub(super) trigger: String,
}

impl TriggerKey {
    pub(super) fn new(org: &str, project: &str, pipeline: &str, trigger: &str) -> Self {
        Self {
            org: org.to_owned(),
            project: project.to_owned(),
            pipeline: pipeline.to_owned(),
            trigger: trigger.to_owned(),
        }
    }
}

/// A pipeline with one custom webhook trigger. By default: enabled, without a token, started
/// without a key, one stage of a minute, an event processed after three seconds.
#[derive(Debug)]
pub struct SimulatedPipeline {
    pub(super) token: Option<String>,
    pub(super) enabled: bool,
    pub(super) requires_key: bool,
    pub(super) stages: Vec<Stage>,
    pub(super) queue: Duration,
    scripts: Scripts,
}

/// The scripts of the next runs.
#[derive(Debug, Default)]
struct Scripts {
    line: VecDeque<Script>,
    /// Whether the first has been followed already.
    front_used: bool,
    /// Whether one that was followed goes to the end of the line.
    in_turn: bool,
}

impl Scripts {
    fn next(&mut self) -> Script {
        if self.front_used && self.in_turn {
            self.line.rotate_left(self.line.len().min(1));
        } else if self.front_used && self.line.len() > 1 {
            self.line.pop_front();
        }
        self.front_used = !self.line.is_empty();
        self.line.front().cloned().unwrap_or_else(Script::succeed)
    }
}

impl Default for SimulatedPipeline {
    fn default() -> Self {
        Self {
            token: None,
            enabled: true,
            requires_key: false,
            stages: vec![Stage::new("main", Duration::from_mins(1))],
            queue: Duration::from_secs(3),
            scripts: Scripts::default(),
        }
    }
}

impl SimulatedPipeline {
    /// The webhook token. With one, only the v3 URL works; without one, only v1 and v2 do.
    pub fn token(&mut self, token: Option<&str>) -> &mut Self {
        self.token = token.map(str::to_owned);
        self
    }

    /// Whether the trigger is switched on. Switched off between the webhook and its processing, the
    /// event ends as `NO_ENABLED_CUSTOM_TRIGGER_FOUND`.
    pub const fn enabled(&mut self, enabled: bool) -> &mut Self {
        self.enabled = enabled;
        self
    }

    /// Harness' setting "Mandate Authorization for Custom Webhook Triggers".
    pub const fn requires_key(&mut self, requires_key: bool) -> &mut Self {
        self.requires_key = requires_key;
        self
    }

    /// Its stages, in order.
    pub fn stages(&mut self, stages: impl IntoIterator<Item = Stage>) -> &mut Self {
        self.stages = stages.into_iter().collect();
        self
    }

    /// From a webhook to the processing of its event, in simulated time.
    pub const fn queue(&mut self, queue: Duration) -> &mut Self {
        self.queue = queue;
        self
    }

    /// Adds a script for a next webhook. The last one is followed again and again, until another
    /// is added; a pipeline without any succeeds.
    pub fn will(&mut self, script: Script) -> &mut Self {
        self.scripts.line.push_back(script);
        self
    }

    /// Follows these scripts one after the other, again and again, and no others.
    pub fn will_in_turn(&mut self, scripts: impl IntoIterator<Item = Script>) -> &mut Self {
        let line = scripts.into_iter().collect();
        self.scripts = Scripts { line, front_used: false, in_turn: true };
        self
    }

    pub(super) fn next_script(&mut self) -> Script {
        self.scripts.next()
    }
}

/// A stage, a group of parallel ones, or a matrix of one.
#[derive(Clone, Debug)]
pub struct Stage {
    pub(super) identifier: String,
    pub(super) kind: String,
    pub(super) duration: Duration,
    pub(super) status: String,
    pub(super) shape: Shape,
}

#[derive(Clone, Debug)]
pub(super) enum Shape {
    Single,
    Parallel(Vec<Stage>),
    Matrix(usize),
}

impl Stage {
    /// A stage of type `Custom` that ends as `Success` after `duration`, in simulated time.
    #[must_use]
    pub fn new(identifier: &str, duration: Duration) -> Self {
        Self {
            identifier: identifier.to_owned(),
            kind: "Custom".to_owned(),
            duration,
            status: "Success".to_owned(),
            shape: Shape::Single,
        }
    }

    /// A group of stages that run at the same time. It is no stage itself.
    #[must_use]
    pub fn parallel(stages: impl IntoIterator<Item = Self>) -> Self {
        let shape = Shape::Parallel(stages.into_iter().collect());
        Self { shape, ..Self::new("parallel", Duration::ZERO) }
    }

    /// A stage that runs as a matrix of so many iterations, all at the same time. Harness counts it
    /// as one.
    #[must_use]
    pub fn matrix(identifier: &str, duration: Duration, iterations: usize) -> Self {
        Self { shape: Shape::Matrix(iterations), ..Self::new(identifier, duration) }
    }

    /// Its type: `CI`, `Deployment`, `Approval` …
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        kind.clone_into(&mut self.kind);
        self
    }

    /// Its final status; one that is not good ends the execution with it.
    #[must_use]
    pub fn ends(mut self, status: &str) -> Self {
        status.clone_into(&mut self.status);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::Course;
    use super::*;

    #[test]
    fn scripts_are_followed_in_turn_and_the_last_again_and_again() {
        let mut pipeline = SimulatedPipeline::default();
        let stage_that_fails =
            |pipeline: &mut SimulatedPipeline| match pipeline.next_script().course {
                Course::FailAt(stage) => stage,
                _ => 0,
            };
        assert_eq!(stage_that_fails(&mut pipeline), 0);
        pipeline.will(Script::fail_at(1)).will(Script::fail_at(2));
        let seen: Vec<_> = (0..4).map(|_| stage_that_fails(&mut pipeline)).collect();
        assert_eq!(seen, [1, 2, 2, 2]);
        pipeline.will(Script::fail_at(3));
        assert_eq!(stage_that_fails(&mut pipeline), 3);
        pipeline.will_in_turn([1, 2, 3].map(Script::fail_at));
        let seen: Vec<_> = (0..7).map(|_| stage_that_fails(&mut pipeline)).collect();
        assert_eq!(seen, [1, 2, 3, 1, 2, 3, 1]);
    }
}
