//! The stages of an execution, read from Harness' stage map.
//!
//! Harness' own counts leave out most statuses (an expired run shows 0 successful, 0 running,
//! 0 failed of 1), so the map is walked instead: from the starting node along `nextIds`. A
//! `parallel` node stands for its children; a matrix or loop counts as one stage, as Harness counts
//! it. What the walk does not reach (a `PipelineRollback` node, say) is not a stage.

use std::collections::HashSet;

use crate::model::{LONGEST_DURATION, LayoutNode, Stage, Status, Summary, Wall};

/// More than any pipeline has; a bound for answers that are none of Harness'.
const MOST_STAGES: usize = 1000;

/// The stages of `summary`, in the order in which they run.
#[must_use]
pub fn read(summary: &Summary) -> Vec<Stage> {
    let mut walk = Walk { summary, seen: HashSet::new(), stages: Vec::new() };
    walk.along(&summary.starting_nodes);
    walk.stages
}

struct Walk<'a> {
    summary: &'a Summary,
    seen: HashSet<&'a str>,
    stages: Vec<Stage>,
}

impl<'a> Walk<'a> {
    /// Takes `ids` and all that follows them. A stack of its own: the map may be of any shape.
    fn along(&mut self, ids: &'a [String]) {
        let mut todo: Vec<&'a String> = ids.iter().rev().collect();
        while let Some(id) = todo.pop() {
            let Some(node) = self.summary.layout.get(id) else { continue };
            if !self.seen.insert(id) || self.stages.len() >= MOST_STAGES {
                continue;
            }
            todo.extend(node.next.iter().rev());
            match wrapper(&node.kind) {
                Some(Wrapper::Parallel) => todo.extend(node.children.iter().rev()),
                Some(Wrapper::Strategy) => {
                    let stage = self.strategy(node);
                    self.stages.push(stage);
                }
                None => self.stages.push(stage(node)),
            }
        }
    }

    /// A matrix or loop as one stage: its worst child, from the earliest start to the latest end.
    fn strategy(&mut self, node: &'a LayoutNode) -> Stage {
        let mut children = Vec::new();
        let mut todo: Vec<&'a String> = node.children.iter().collect();
        while let Some(id) = todo.pop() {
            let Some(child) = self.summary.layout.get(id) else { continue };
            if !self.seen.insert(id) {
                continue;
            }
            todo.extend(child.next.iter());
            match wrapper(&child.kind) {
                Some(_) => todo.extend(child.children.iter()),
                None => children.push(child),
            }
        }
        let worst =
            children.iter().map(|child| Status::of(&child.status)).max_by_key(|s| badness(*s));
        let Some(worst) = worst else { return stage(node) };
        let start = children.iter().filter_map(|child| child.start).min();
        // A child without an end is still going, whatever the others have reached.
        let end = children
            .iter()
            .map(|child| child.end)
            .max_by_key(|end| (end.is_none(), *end))
            .flatten();
        let own = children.iter().find(|child| !child.identifier.is_empty());
        let id = if node.identifier.is_empty() {
            own.map_or("", |c| &c.identifier)
        } else {
            &node.identifier
        };
        Stage { id: short(id), status: worst, duration: duration(start, end) }
    }
}

enum Wrapper {
    Parallel,
    Strategy,
}

/// The wrapping node types. Their own status stays `NotStarted` even in a finished run.
fn wrapper(kind: &str) -> Option<Wrapper> {
    match kind.to_ascii_uppercase().as_str() {
        "PARALLEL" | "NG_FORK" | "GROUP" => Some(Wrapper::Parallel),
        "MATRIX" | "LOOP" | "PARALLELISM" | "STRATEGY_V1" => Some(Wrapper::Strategy),
        _ => None,
    }
}

fn stage(node: &LayoutNode) -> Stage {
    Stage {
        id: short(&node.identifier),
        status: Status::of(&node.status),
        duration: duration(node.start, node.end),
    }
}

fn duration(start: Option<Wall>, end: Option<Wall>) -> Option<i64> {
    let duration = end?.0.checked_sub(start?.0)?;
    (0..=LONGEST_DURATION).contains(&duration).then_some(duration)
}

/// At most 128 characters, so that a stage's name fits a label.
fn short(text: &str) -> String {
    text.chars().take(128).collect()
}

/// Harness' own order when it makes one status of many: the later in this list, the worse.
fn badness(status: Status) -> usize {
    use Status::{
        Aborted, AbortedByFreeze, ApprovalRejected, Errored, Expired, Failed, IgnoreFailed, Lost,
        NotStarted, PassedWithWarning, Paused, Queued, Running, Skipped, Success, Suspended,
        Unknown, WaitingApproval, WaitingInput, WaitingIntervention, WaitingResource,
        WaitingUpload,
    };
    const ORDER: &[Status] = &[
        Skipped,
        Suspended,
        Success,
        PassedWithWarning,
        IgnoreFailed,
        NotStarted,
        Paused,
        Running,
        Unknown,
        Lost,
        Queued,
        WaitingResource,
        WaitingUpload,
        WaitingInput,
        WaitingApproval,
        WaitingIntervention,
        Expired,
        ApprovalRejected,
        AbortedByFreeze,
        Failed,
        Errored,
        Aborted,
    ];
    ORDER.iter().position(|known| *known == status).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StageState;

    fn node(kind: &str, id: &str, status: &str, next: &[&str], children: &[&str]) -> LayoutNode {
        let list = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        LayoutNode {
            kind: kind.to_owned(),
            identifier: id.to_owned(),
            status: status.to_owned(),
            start: Some(Wall(1_000)),
            end: Some(Wall(4_500)),
            next: list(next),
            children: list(children),
        }
    }

    fn summary(start: &str, nodes: Vec<(&str, LayoutNode)>) -> Summary {
        Summary {
            starting_nodes: vec![start.to_owned()],
            layout: nodes.into_iter().map(|(id, node)| (id.to_owned(), node)).collect(),
            ..Summary::default()
        }
    }

    fn ids(stages: &[Stage]) -> Vec<&str> {
        stages.iter().map(|stage| stage.id.as_str()).collect()
    }

    #[test]
    fn wrappers_are_no_stages_and_the_unreachable_is_not_counted() {
        let stages = read(&summary(
            "a",
            vec![
                ("a", node("CI", "build", "Success", &["p"], &[])),
                ("p", node("parallel", "", "NotStarted", &["d"], &["b", "c"])),
                ("b", node("Custom", "unit", "Success", &[], &[])),
                ("c", node("Custom", "lint", "Failed", &[], &[])),
                ("d", node("Deployment", "deploy", "NotStarted", &[], &[])),
                ("r", node("PipelineRollback", "rollback", "NotStarted", &[], &[])),
            ],
        ));
        assert_eq!(ids(&stages), ["build", "unit", "lint", "deploy"]);
        assert_eq!(stages[2].status.stage_state(), StageState::Failed);
        assert_eq!(stages[0].duration, Some(3_500));
    }

    #[test]
    fn a_matrix_is_one_stage_with_its_worst_child() {
        let mut late = node("Deployment", "deploy", "Running", &[], &[]);
        late.start = Some(Wall(500));
        late.end = None;
        let nodes = |late: LayoutNode| {
            vec![
                ("m", node("MATRIX", "deploy", "NotStarted", &[], &["x", "y"])),
                ("x", node("Deployment", "deploy", "Success", &[], &[])),
                ("y", late),
            ]
        };
        let stages = read(&summary("m", nodes(late.clone())));
        assert_eq!(
            stages,
            [Stage { id: "deploy".into(), status: Status::Running, duration: None }]
        );
        late.status = "Aborted".to_owned();
        late.end = Some(Wall(9_500));
        let stages = read(&summary("m", nodes(late)));
        assert_eq!(
            stages,
            [Stage { id: "deploy".into(), status: Status::Aborted, duration: Some(9_000) }]
        );
    }

    #[test]
    fn an_unexpanded_loop_is_one_queued_stage() {
        let stages =
            read(&summary("m", vec![("m", node("LOOP", "again", "NotStarted", &[], &[]))]));
        assert_eq!(ids(&stages), ["again"]);
        assert_eq!(stages[0].status.stage_state(), StageState::Queued);
    }

    #[test]
    fn circles_and_gaps_end_the_walk() {
        let stages = read(&summary(
            "a",
            vec![
                ("a", node("CI", "a", "Success", &["b", "gone"], &[])),
                ("b", node("CI", "b", "FooBar", &["a"], &[])),
            ],
        ));
        assert_eq!(ids(&stages), ["a", "b"]);
        assert_eq!(stages[1].status.stage_state(), StageState::Other);
        assert!(read(&Summary::default()).is_empty());
    }

    #[test]
    fn impossible_times_leave_the_duration_out() {
        let mut odd = node("CI", "a", "Success", &[], &[]);
        odd.end = Some(Wall(10));
        assert_eq!(read(&summary("a", vec![("a", odd)]))[0].duration, None);
    }

    #[test]
    fn the_order_knows_every_status() {
        let mut places: Vec<_> = Status::ALL.iter().map(|status| badness(*status)).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), Status::ALL.len());
    }
}
