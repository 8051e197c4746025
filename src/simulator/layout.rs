//! `layoutNodeMap`: the stages as a graph, as Harness draws it.
//!
//! The real one misleads whoever counts its entries: wrappers are entries too and stay `NotStarted`
//! in a finished run, and a `PipelineRollback` may be in it that nothing leads to.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::execution::Execution;
use super::plan::{Node, NodeShape, Timeline, is_final};

/// The graph of an execution at one age.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// By node id.
    pub(super) nodes: Map<String, Value>,
    /// The id of the node to start from; none where there are no stages.
    pub(super) first: Option<String>,
    /// The statuses met on Harness' own walk: a parallel group is its children, a matrix is one.
    pub(super) walk: Vec<String>,
}

impl Layout {
    pub(super) fn new(execution: &Execution, age: Duration) -> Self {
        let mut layout = Self::default();
        let nodes = &execution.plan.nodes;
        for (index, node) in nodes.iter().enumerate() {
            let id = node_id(execution, &index.to_string());
            layout.first.get_or_insert_with(|| id.clone());
            let next =
                (index + 1 < nodes.len()).then(|| node_id(execution, &(index + 1).to_string()));
            layout.add(&Place { execution, age, id: &id, next: next.as_deref() }, node);
        }
        if execution.has_rollback_node {
            let rollback = Node {
                identifier: "prb-rollback".to_owned(),
                kind: "PipelineRollback".to_owned(),
                statuses: Timeline::default(),
                shape: NodeShape::Stage,
            };
            let id = node_id(execution, "rollback");
            layout.insert(&Place { execution, age, id: &id, next: None }, &rollback, &[]);
        }
        layout
    }

    fn add(&mut self, place: &Place<'_>, node: &Node) {
        let children = match &node.shape {
            NodeShape::Stage => {
                self.walk.push(status(node, place.age).to_owned());
                Vec::new()
            }
            NodeShape::Parallel(children) => self.add_children(place, children),
            NodeShape::Matrix(children) => {
                let before = self.walk.len();
                let ids = self.add_children(place, children);
                self.walk.truncate(before);
                self.walk.push(status(node, place.age).to_owned());
                ids
            }
        };
        self.insert(place, node, &children);
    }

    fn add_children(&mut self, place: &Place<'_>, children: &[Node]) -> Vec<String> {
        let mut ids = Vec::new();
        for (index, child) in children.iter().enumerate() {
            let id = format!("{}-{index}", place.id);
            self.add(&Place { id: &id, next: None, ..*place }, child);
            ids.push(id);
        }
        ids
    }

    fn insert(&mut self, place: &Place<'_>, node: &Node, children: &[String]) {
        let (kind, group) = match &node.shape {
            NodeShape::Stage => (node.kind.as_str(), "STAGE"),
            NodeShape::Parallel(_) => ("parallel", "PARALLEL"),
            NodeShape::Matrix(_) => ("MATRIX", "STRATEGY"),
        };
        let mut value = json!({
            "nodeType": kind,
            "nodeGroup": group,
            "nodeIdentifier": node.identifier,
            "name": node.identifier,
            "nodeUuid": place.id,
            "status": status(node, place.age),
            "module": "pms",
            "moduleInfo": { "pms": {} },
            "edgeLayoutList": {
                "currentNodeChildren": children,
                "nextIds": place.next.into_iter().collect::<Vec<_>>(),
            },
            "barrierFound": false,
            "failureInfo": { "message": "" },
            "isRollbackStageNode": kind == "PipelineRollback",
            "executionInputConfigured": false,
            "hidden": false,
        });
        if let Some(object) = value.as_object_mut() {
            for (name, age) in times(node, place.age) {
                object.insert(name.to_owned(), json!(place.execution.instant_ms(age)));
            }
        }
        self.nodes.insert(place.id.to_owned(), value);
    }
}

/// Where a node stands in the graph.
#[derive(Clone, Copy)]
struct Place<'a> {
    execution: &'a Execution,
    age: Duration,
    id: &'a str,
    next: Option<&'a str>,
}

fn node_id(execution: &Execution, path: &str) -> String {
    format!("{}-{path}", execution.nodes)
}

fn status(node: &Node, age: Duration) -> &str {
    node.statuses.at(age).map_or("NotStarted", |(_, status)| status)
}

/// `startTs` once it has started, and `endTs` once it is over.
fn times(node: &Node, age: Duration) -> Vec<(&'static str, Duration)> {
    let Some((since, status)) = node.statuses.at(age) else { return Vec::new() };
    let start =
        node.statuses.begins().filter(|begin| *begin <= age).map(|begin| ("startTs", begin));
    let end = is_final(status).then_some(("endTs", since));
    start.into_iter().chain(end).collect()
}
