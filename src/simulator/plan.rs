//! The whole course of an execution, worked out when it starts: which status everything has from
//! which age on. Its state at any instant is then a look into it.

use std::time::Duration;

use super::pipeline::{Shape, Stage};
use super::script::Course;

/// The 24 hours of a stage without a timeout of its own, and what Harness once took to notice.
const EXPIRES_AFTER: Duration = Duration::from_millis(86_404_046);

/// Harness' rule for the status of the whole: the first of these that a stage has.
const WORST_FIRST: [&str; 6] =
    ["Aborted", "Errored", "Failed", "AbortedByFreeze", "ApprovalRejected", "Expired"];
const GOOD: [&str; 5] = ["Success", "PassedWithWarning", "IgnoreFailed", "Skipped", "Suspended"];

/// Whether an execution or a stage with this status is over.
pub(super) fn is_final(status: &str) -> bool {
    GOOD.contains(&status) || WORST_FIRST.contains(&status)
}

/// Statuses, each from an age on, ages ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Timeline(Vec<(Duration, String)>);

impl Timeline {
    fn push(&mut self, from: Duration, status: &str) {
        self.0.push((from, status.to_owned()));
    }

    /// The status at an age, and since when; none before the first.
    pub(super) fn at(&self, age: Duration) -> Option<(Duration, &str)> {
        let (from, status) = self.0.iter().rev().find(|(from, _)| *from <= age)?;
        Some((*from, status))
    }

    /// The last status, and since when.
    pub(super) fn last(&self) -> Option<(Duration, &str)> {
        self.at(Duration::MAX)
    }

    /// From when it has a status that does not begin with `Queued`.
    pub(super) fn begins(&self) -> Option<Duration> {
        self.0.iter().find(|(_, status)| !is_queued(status)).map(|(from, _)| *from)
    }

    fn cut(&mut self, at: Duration, status: &str) {
        self.0.retain(|(from, _)| *from < at);
        if self.last().is_some_and(|(_, status)| !is_final(status)) {
            self.push(at, status);
        }
    }
}

/// Whether the status is one of those before there is a plan.
pub(super) fn is_queued(status: &str) -> bool {
    status.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("queued"))
}

/// A node of the layout.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) identifier: String,
    pub(super) kind: String,
    pub(super) statuses: Timeline,
    pub(super) shape: NodeShape,
}

#[derive(Clone, Debug)]
pub(super) enum NodeShape {
    Stage,
    Parallel(Vec<Node>),
    Matrix(Vec<Node>),
}

impl Node {
    fn cut(&mut self, at: Duration, status: &str) {
        self.statuses.cut(at, status);
        if let NodeShape::Parallel(children) | NodeShape::Matrix(children) = &mut self.shape {
            for child in children {
                child.cut(at, status);
            }
        }
    }
}

/// The course of one execution.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) statuses: Timeline,
    pub(super) nodes: Vec<Node>,
}

impl Plan {
    /// The course that an execution of these stages takes.
    pub(super) fn new(stages: &[Stage], course: &Course) -> Self {
        if let Course::Statuses(statuses) = course {
            return Self::of_statuses(stages, statuses);
        }
        let total = stages.iter().map(count).sum();
        let mut planner =
            Planner { course, total, number: 0, stopped: false, hold: None, endings: Vec::new() };
        let mut end = Duration::ZERO;
        let mut nodes = Vec::new();
        for stage in stages {
            let (node, later) = planner.lay(stage, end);
            nodes.push(node);
            end = later;
        }
        let mut statuses = Timeline::default();
        statuses.push(Duration::ZERO, "Running");
        if let Some((from, until)) = planner.hold {
            statuses.push(from, "ApprovalWaiting");
            statuses.push(until, "Running");
        }
        statuses.push(end, &aggregate(&planner.endings));
        let mut plan = Self { statuses, nodes };
        if let Course::Abort(at) = course {
            plan.statuses.cut(*at, "Aborted");
            plan.nodes.iter_mut().for_each(|node| node.cut(*at, "Aborted"));
        }
        plan
    }

    /// The first stage shares the statuses of the whole; the others have only a good end with it.
    fn of_statuses(stages: &[Stage], statuses: &[(Duration, String)]) -> Self {
        let whole = Timeline(statuses.to_vec());
        let good_end: Vec<_> = statuses
            .iter()
            .filter(|(_, status)| GOOD.contains(&status.as_str()))
            .cloned()
            .collect();
        let node = |index: usize, stage: &Stage| Node {
            identifier: stage.identifier.clone(),
            kind: stage.kind.clone(),
            statuses: if index == 0 { whole.clone() } else { Timeline(good_end.clone()) },
            shape: NodeShape::Stage,
        };
        let nodes =
            flat(stages).into_iter().enumerate().map(|(index, stage)| node(index, stage)).collect();
        Self { nodes, statuses: whole }
    }
}

/// How many stages Harness counts in it.
fn count(stage: &Stage) -> usize {
    match &stage.shape {
        Shape::Single | Shape::Matrix(_) => 1,
        Shape::Parallel(children) => children.iter().map(count).sum(),
    }
}

fn flat(stages: &[Stage]) -> Vec<&Stage> {
    let mut all = Vec::new();
    for stage in stages {
        match &stage.shape {
            Shape::Parallel(children) => all.extend(flat(children)),
            Shape::Single | Shape::Matrix(_) => all.push(stage),
        }
    }
    all
}

fn aggregate(endings: &[String]) -> String {
    let has = |status: &str| endings.iter().any(|ending| ending == status);
    let worst = WORST_FIRST.into_iter().find(|status| has(status));
    let whole = worst.unwrap_or(if has("IgnoreFailed") { "IgnoreFailed" } else { "Success" });
    whole.to_owned()
}

/// Lays stages one after the other.
struct Planner<'a> {
    course: &'a Course,
    /// How many stages Harness counts.
    total: usize,
    /// The number of the stage laid last, from 1.
    number: usize,
    /// Whether an earlier stage ended the execution.
    stopped: bool,
    /// While an approval is waited for.
    hold: Option<(Duration, Duration)>,
    endings: Vec<String>,
}

impl Planner<'_> {
    /// Lays a stage from `start`, and says when the next may begin.
    fn lay(&mut self, stage: &Stage, start: Duration) -> (Node, Duration) {
        let (shape, statuses, end) = match &stage.shape {
            Shape::Single => {
                let (statuses, end) = self.lay_single(stage, start);
                (NodeShape::Stage, statuses, end)
            }
            Shape::Parallel(children) => {
                let (nodes, end) = self.lay_parallel(children, start);
                (NodeShape::Parallel(nodes), Timeline::default(), end)
            }
            Shape::Matrix(iterations) => {
                let (nodes, end) = self.lay_matrix(stage, *iterations, start);
                (NodeShape::Matrix(nodes), Timeline::default(), end)
            }
        };
        let (identifier, kind) = (stage.identifier.clone(), stage.kind.clone());
        (Node { identifier, kind, statuses, shape }, end)
    }

    fn lay_single(&mut self, stage: &Stage, start: Duration) -> (Timeline, Duration) {
        self.number += 1;
        let mut statuses = Timeline::default();
        if self.stopped {
            return (statuses, start);
        }
        let mut running = start;
        if let Course::Approval(wait) = self.course
            && self.number == self.total
        {
            running = start.saturating_add(*wait);
            statuses.push(start, "ApprovalWaiting");
            self.hold = Some((start, running));
        }
        statuses.push(running, "Running");
        let (end, status) = match self.course {
            Course::Expire if self.number == 1 => (EXPIRES_AFTER, "Expired"),
            Course::FailAt(number) if self.number == (*number).clamp(1, self.total) => {
                (running.saturating_add(stage.duration), "Failed")
            }
            _ => (running.saturating_add(stage.duration), stage.status.as_str()),
        };
        statuses.push(end, status);
        self.stopped = !GOOD.contains(&status);
        self.endings.push(status.to_owned());
        (statuses, end)
    }

    /// A stage that goes wrong does not stop those beside it, only those after the group.
    fn lay_parallel(&mut self, children: &[Stage], start: Duration) -> (Vec<Node>, Duration) {
        let before = self.stopped;
        let mut after = before;
        let mut end = start;
        let mut nodes = Vec::new();
        for child in children {
            self.stopped = before;
            let (node, child_end) = self.lay(child, start);
            nodes.push(node);
            after |= self.stopped;
            end = end.max(child_end);
        }
        self.stopped = after;
        (nodes, end)
    }

    /// Where the stage is to go wrong, all but its last iteration succeed.
    fn lay_matrix(
        &mut self,
        stage: &Stage,
        iterations: usize,
        start: Duration,
    ) -> (Vec<Node>, Duration) {
        let (last, end) = self.lay_single(stage, start);
        let mut good = last.clone();
        if let Some((_, status)) = good.0.last_mut() {
            "Success".clone_into(status);
        }
        let node = |index: usize| Node {
            identifier: stage.identifier.clone(),
            kind: stage.kind.clone(),
            statuses: if index + 1 == iterations { last.clone() } else { good.clone() },
            shape: NodeShape::Stage,
        };
        ((0..iterations).map(node).collect(), end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn stages() -> Vec<Stage> {
        let tests = [Stage::new("unit", MINUTE), Stage::new("browser", 3 * MINUTE)];
        vec![
            Stage::new("build", 2 * MINUTE),
            Stage::parallel(tests),
            Stage::matrix("deploy", MINUTE, 2),
        ]
    }

    /// `12:Running build:Success …`: minute, the whole's status, then every stage's with its own.
    fn state(plan: &Plan, age: Duration) -> String {
        fn add(nodes: &[Node], age: Duration, text: &mut String) {
            for node in nodes {
                match &node.shape {
                    NodeShape::Stage => {
                        let status = node.statuses.at(age).map_or("-", |(_, status)| status);
                        text.extend([" ", &node.identifier, ":", status]);
                    }
                    NodeShape::Parallel(children) | NodeShape::Matrix(children) => {
                        add(children, age, text);
                    }
                }
            }
        }
        let mut text = plan.statuses.at(age).map_or("-", |(_, status)| status).to_owned();
        add(&plan.nodes, age, &mut text);
        text
    }

    #[test]
    fn courses_run_as_planned() {
        let fail = Course::FailAt(2);
        let approval = Course::Approval(120 * MINUTE);
        let abort = Course::Abort(3 * MINUTE);
        let table = [
            (&Course::AsPlanned, 0, "Running build:Running unit:- browser:- deploy:- deploy:-"),
            (
                &Course::AsPlanned,
                3,
                "Running build:Success unit:Success browser:Running deploy:- deploy:-",
            ),
            (
                &Course::AsPlanned,
                6,
                "Success build:Success unit:Success browser:Success deploy:Success deploy:Success",
            ),
            (&fail, 4, "Running build:Success unit:Failed browser:Running deploy:- deploy:-"),
            (&fail, 5, "Failed build:Success unit:Failed browser:Success deploy:- deploy:-"),
            (
                &Course::FailAt(9),
                6,
                "Failed build:Success unit:Success browser:Success deploy:Success deploy:Failed",
            ),
            (&abort, 3, "Aborted build:Success unit:Aborted browser:Aborted deploy:- deploy:-"),
            (&Course::Expire, 1_440, "Running build:Running unit:- browser:- deploy:- deploy:-"),
            (&Course::Expire, 1_441, "Expired build:Expired unit:- browser:- deploy:- deploy:-"),
            (
                &approval,
                124,
                "ApprovalWaiting build:Success unit:Success browser:Success \
                 deploy:ApprovalWaiting deploy:ApprovalWaiting",
            ),
            (
                &approval,
                126,
                "Success build:Success unit:Success browser:Success deploy:Success deploy:Success",
            ),
        ];
        for (course, minute, wanted) in table {
            let plan = Plan::new(&stages(), course);
            assert_eq!(state(&plan, minute * MINUTE), wanted, "{course:?} at {minute}");
        }
        let plan = Plan::new(&stages(), &Course::Expire);
        assert_eq!(plan.statuses.last(), Some((Duration::from_millis(86_404_046), "Expired")));
    }

    #[test]
    fn a_stage_may_end_in_its_own_way() {
        let table = [
            ("IgnoreFailed", "IgnoreFailed a:IgnoreFailed b:Success"),
            ("Skipped", "Success a:Skipped b:Success"),
            ("ApprovalRejected", "ApprovalRejected a:ApprovalRejected b:-"),
        ];
        for (status, wanted) in table {
            let stages = [Stage::new("a", MINUTE).ends(status), Stage::new("b", MINUTE)];
            let plan = Plan::new(&stages, &Course::AsPlanned);
            assert_eq!(state(&plan, 2 * MINUTE), wanted);
        }
    }

    #[test]
    fn statuses_come_in_turn() {
        let statuses = vec![
            (Duration::ZERO, "QUEUED_PLAN_CREATION".to_owned()),
            (MINUTE, "FooBar".to_owned()),
            (2 * MINUTE, "Success".to_owned()),
        ];
        let plan = Plan::new(&stages(), &Course::Statuses(statuses));
        assert_eq!(plan.statuses.begins(), Some(MINUTE));
        assert_eq!(state(&plan, MINUTE), "FooBar build:FooBar unit:- browser:- deploy:-");
        assert_eq!(
            state(&plan, 2 * MINUTE),
            "Success build:Success unit:Success browser:Success deploy:Success"
        );
    }
}
