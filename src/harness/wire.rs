//! Harness' JSON, as much of it as is used.
//!
//! Field names are Harness' own. Every field may be missing, null or of another type; whether what
//! is left still makes an answer is said by the functions that read it, [`event_details`] and its like. Statuses stay
//! text here: they are the core's to understand.

mod executions;
mod triggers;

use std::collections::HashMap;

use serde::Deserialize;

use super::lenient::{Any, Loose};
use super::secret::Secrets;
use crate::model::{EventDetails, EventId, ExecutionId, LayoutNode, Summary, Target, Wall};
pub(super) use executions::{Part, execution, executions};
pub(super) use triggers::{found, page, trigger};

/// What Harness puts in the place of an id when it could make nothing of a webhook.
const UNRECOGNIZED: &str = "Unrecognized Webhook";

/// The longest identifier that is taken for one, in characters.
const LONGEST_IDENTIFIER: usize = 128;

/// The envelope of every answer, a refusal's included.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Envelope<T: Default> {
    status: Any<String>,
    code: Any<String>,
    message: Any<String>,
    data: T,
}

/// What a good answer to a webhook says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TriggerReply {
    /// The event's id.
    Event(EventId),
    /// That nothing came of it.
    Refused(String),
}

/// What an answer says about itself where it is a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Harness' error code; empty where there is none.
    pub(super) code: String,
    /// For people; not cleaned. Empty where there is none.
    pub(super) message: String,
}

impl Refusal {
    /// Reads what can be read: text that is not JSON is the message, unless it is a page.
    pub(super) fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        match serde_json::from_str::<Any<Option<Box<Envelope<Unused>>>>>(&text) {
            Ok(Any(envelope)) => {
                let envelope = envelope.unwrap_or_default();
                Self { code: envelope.code.0, message: envelope.message.0 }
            }
            Err(_) if text.trim_start().starts_with(['<', '{', '[']) => Self::default(),
            Err(_) => Self { code: String::new(), message: text.trim().to_owned() },
        }
    }
}

/// `data` of a refusal: skipped.
type Unused = Any<Nothing>;

#[derive(Debug, Default)]
struct Nothing;

impl Loose for Nothing {}

/// `data` of an answer to a webhook: the id itself (v1), or an object with it (v2, v3).
#[derive(Debug, Default, PartialEq, Eq)]
struct EventIdText(String);

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct EventIdObject {
    event_correlation_id: Any<String>,
}

impl Loose for EventIdText {
    fn of_text(text: &str) -> Self {
        Self(text.to_owned())
    }

    fn of_object<'de, A: serde::de::MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
        let object = Option::<Box<EventIdObject>>::of_object(fields)?.unwrap_or_default();
        Ok(Self(object.event_correlation_id.0))
    }
}

/// Reads a 2xx answer to a webhook.
///
/// # Errors
/// What makes it no answer of Harness'.
pub(super) fn trigger_reply(body: &[u8], secrets: &Secrets) -> Result<TriggerReply, String> {
    let envelope: Envelope<Any<EventIdText>> = envelope(body)?;
    let Any(EventIdText(id)) = envelope.data;
    if id == UNRECOGNIZED {
        return Ok(TriggerReply::Refused(id));
    }
    if !is_success(&envelope.status.0) {
        return Ok(TriggerReply::Refused(not_success(&envelope.status.0, &envelope.message.0)));
    }
    // Ids are logged: one that holds a secret is no id once it is cleaned.
    let id = EventId::new(&secrets.clean(&id)).map_err(|error| format!("no event id: {error}"))?;
    Ok(TriggerReply::Event(id))
}

/// Reads a 200 answer to the reading of an event.
///
/// # Errors
/// What makes it no answer that can be used; not cleaned.
pub(super) fn event_details(body: &[u8], secrets: &Secrets) -> Result<EventDetails, String> {
    let envelope: Envelope<Any<Option<Box<Data>>>> = envelope(body)?;
    if !is_success(&envelope.status.0) {
        return Err(not_success(&envelope.status.0, &envelope.message.0));
    }
    let data = envelope.data.0.ok_or("it has no data")?;
    let processing =
        data.webhook_processing_details.0.ok_or("it has no webhookProcessingDetails")?;
    let target = processing.target();
    let execution = processing.pipeline_execution_id.0;
    let execution = (!execution.is_empty())
        .then(|| ExecutionId::new(&secrets.clean(&execution)))
        .transpose()
        .map_err(|error| format!("no usable pipelineExecutionId: {error}"))?;
    let summary = data.execution_details.0.and_then(|it| it.pipeline_execution_summary.0);
    Ok(EventDetails {
        found: processing.event_found.0.unwrap_or(true),
        status: secrets.clean(&processing.status.0),
        execution,
        message: cleaned([processing.message.0], secrets),
        summary: summary.map(|summary| summary.into_model(secrets)),
        target,
    })
}

fn envelope<T: Default + for<'de> Deserialize<'de>>(body: &[u8]) -> Result<Envelope<T>, String> {
    let text = String::from_utf8_lossy(body);
    if text.trim_start().starts_with('<') {
        return Err("a page instead of JSON".to_owned());
    }
    let envelope = serde_json::from_str::<Any<Option<Box<Envelope<T>>>>>(&text)
        .map_err(|error| format!("not JSON: {error}"))?;
    let envelope = *envelope.0.ok_or("not a JSON object")?;
    if envelope.status.0.is_empty() { Err("it has no status".to_owned()) } else { Ok(envelope) }
}

fn is_success(status: &str) -> bool {
    status.eq_ignore_ascii_case("SUCCESS")
}

fn not_success(status: &str, message: &str) -> String {
    if message.is_empty() { status.to_owned() } else { format!("{status}: {message}") }
}

/// The first text that is not empty, cleaned.
fn cleaned<const N: usize>(texts: [String; N], secrets: &Secrets) -> Option<String> {
    let text = texts.into_iter().find(|text| !text.is_empty())?;
    Some(secrets.clean(&text))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Data {
    webhook_processing_details: Any<Option<Box<Processing>>>,
    execution_details: Any<Option<Box<ExecutionDetails>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Processing {
    event_found: Any<Option<bool>>,
    org_identifier: Any<String>,
    project_identifier: Any<String>,
    pipeline_identifier: Any<String>,
    trigger_identifier: Any<String>,
    pipeline_execution_id: Any<String>,
    status: Any<String>,
    message: Any<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ExecutionDetails {
    pipeline_execution_summary: Any<Option<Box<SummaryObject>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SummaryObject {
    plan_execution_id: Any<String>,
    pipeline_identifier: Any<String>,
    org_identifier: Any<String>,
    project_identifier: Any<String>,
    execution_trigger_info: Any<Option<Box<executions::TriggerInfo>>>,
    created_at: Any<Option<i64>>,
    status: Any<String>,
    start_ts: Any<Option<i64>>,
    end_ts: Any<Option<i64>>,
    run_sequence: Any<Option<u64>>,
    successful_stages_count: Any<Option<u64>>,
    running_stages_count: Any<Option<u64>>,
    failed_stages_count: Any<Option<u64>>,
    total_stages_count: Any<Option<u64>>,
    starting_node_id: Any<String>,
    starting_node_ids: Any<Vec<String>>,
    layout_node_map: Any<HashMap<String, Option<Box<LayoutObject>>>>,
    failure_info: Any<Option<Box<Failure>>>,
    execution_error_info: Any<Option<Box<Failure>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Failure {
    message: Any<String>,
    failure_type_list: Any<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LayoutObject {
    node_type: Any<String>,
    node_identifier: Any<String>,
    status: Any<String>,
    start_ts: Any<Option<i64>>,
    end_ts: Any<Option<i64>>,
    edge_layout_list: Any<Option<Box<Edges>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Edges {
    current_node_children: Any<Vec<String>>,
    next_ids: Any<Vec<String>>,
}

impl Processing {
    /// All four identifiers, or none: they are null together where nothing matched.
    fn target(&self) -> Option<Target> {
        let identifier = |Any(text): &Any<String>| printable(text.clone());
        Some(Target {
            org: identifier(&self.org_identifier)?,
            project: identifier(&self.project_identifier)?,
            pipeline: identifier(&self.pipeline_identifier)?,
            trigger: identifier(&self.trigger_identifier)?,
        })
    }
}

impl SummaryObject {
    fn into_model(self, secrets: &Secrets) -> Summary {
        let failure = self.failure_info.0.unwrap_or_default();
        let error = self.execution_error_info.0.unwrap_or_default();
        let mut starting_nodes = self.starting_node_ids.0;
        if starting_nodes.is_empty() {
            starting_nodes.push(self.starting_node_id.0);
        }
        starting_nodes.retain(|node| !node.is_empty());
        let layout = self.layout_node_map.0.into_iter();
        Summary {
            execution: ExecutionId::new(&secrets.clean(&self.plan_execution_id.0)).ok(),
            status: secrets.clean(&self.status.0),
            start: instant(self.start_ts),
            end: instant(self.end_ts),
            number: self.run_sequence.0,
            successful_stages: self.successful_stages_count.0,
            running_stages: self.running_stages_count.0,
            failed_stages: self.failed_stages_count.0,
            total_stages: self.total_stages_count.0,
            starting_nodes,
            layout: layout.filter_map(|(id, node)| Some((id, node?.into_model(secrets)))).collect(),
            failure_types: failure.failure_type_list.0,
            message: cleaned([failure.message.0, error.message.0], secrets),
        }
    }
}

impl LayoutObject {
    /// What may end in a label or in the log is cleaned like any other text of Harness'.
    fn into_model(self, secrets: &Secrets) -> LayoutNode {
        let edges = self.edge_layout_list.0.unwrap_or_default();
        LayoutNode {
            kind: self.node_type.0,
            identifier: secrets.clean(&self.node_identifier.0),
            status: self.status.0,
            start: instant(self.start_ts),
            end: instant(self.end_ts),
            next: edges.next_ids.0,
            children: edges.current_node_children.0,
        }
    }
}

/// An identifier, unless it is too long for one or can't be printed.
fn printable(text: String) -> Option<String> {
    let fits = !text.is_empty() && text.chars().count() <= LONGEST_IDENTIFIER;
    (fits && !text.contains(char::is_control)).then_some(text)
}

/// Harness counts milliseconds since 1970. Zero and less stand for "not yet" in its own code.
fn instant(Any(millis): Any<Option<i64>>) -> Option<Wall> {
    millis.filter(|millis| *millis > 0).map(Wall)
}

#[cfg(test)]
mod tests;
