//! `pipelineExecutionSummary` in Harness' JSON, with the oddities of the real one: counts that leave
//! most statuses out, wrappers that never start, 64-bit numbers as text, class names among the data.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::clock::Moment;
use super::execution::{Execution, Starter};
use super::layout::Layout;
use super::plan::{is_final, is_queued};
use super::script::merge;

impl Execution {
    /// `pipelineExecutionSummary` at this moment.
    pub(super) fn summary(&self, now: Moment) -> Value {
        let age = self.age(now);
        let (since, status) = self.status_at(age);
        let key = &self.key;
        let mut summary = json!({
            "pipelineIdentifier": key.pipeline,
            "orgIdentifier": key.org,
            "projectIdentifier": key.project,
            "planExecutionId": self.id,
            "name": key.pipeline,
            "yamlVersion": "0",
            "status": status,
            "tags": [{ "key": "team", "value": "" }],
            "labels": [],
            "executionTriggerInfo": self.trigger_info(),
            "governanceMetadata": self.governance(),
            "moduleInfo": module_info(),
            "modules": ["pms", "cd"],
            "createdAt": self.instant_ms(Duration::from_millis(187)),
            "canRetry": is_final(status) && status != "Success",
            "canReExecute": false,
            "showRetryHistory": false,
            "retriedExecution": false,
            "runSequence": self.number,
            "storeType": "INLINE",
            "executionInputConfigured": false,
            "stagesExecution": false,
            "stagesExecuted": [],
            "allowStageExecutions": false,
            "executionMode": "NORMAL",
            "notesExistForPlanExecutionId": false,
            "shouldUseSimplifiedKey": true,
        });
        let mut extra = Map::new();
        if !is_queued(status) {
            extra.insert("startTs".to_owned(), json!(self.start_ms()));
        }
        if is_final(status) {
            extra.insert("endTs".to_owned(), json!(self.instant_ms(since)));
        }
        self.add_stages(age, is_queued(status), &mut extra);
        self.add_failure(status, &mut extra);
        merge(&mut summary, &Value::Object(extra));
        merge(&mut summary, &self.script.summary_patch);
        summary
    }

    /// Before there is a plan there are no stages.
    fn add_stages(&self, age: Duration, queued: bool, extra: &mut Map<String, Value>) {
        let layout = if queued { Layout::default() } else { Layout::new(self, age) };
        let count = |status: &str| layout.walk.iter().filter(|seen| *seen == status).count();
        let successful = count("Success") + count("PassedWithWarning");
        extra.insert("successfulStagesCount".to_owned(), json!(successful));
        extra.insert("runningStagesCount".to_owned(), json!(count("Running")));
        extra.insert("failedStagesCount".to_owned(), json!(count("Failed")));
        extra.insert("totalStagesCount".to_owned(), json!(layout.walk.len()));
        if let Some(first) = layout.first {
            extra.insert("startingNodeId".to_owned(), json!(first));
        }
        extra.insert("layoutNodeMap".to_owned(), Value::Object(layout.nodes));
    }

    fn add_failure(&self, status: &str, extra: &mut Map<String, Value>) {
        if let Some(kind) = failure_type(status) {
            let message = format!("A stage of {} ended as {status}", self.key.pipeline);
            let failure =
                json!({ "message": message, "failureTypeList": [kind], "responseMessages": [] });
            extra.insert("failureInfo".to_owned(), failure);
            extra.insert("executionErrorInfo".to_owned(), json!({ "message": message }));
        }
        if status == "Aborted" {
            let person = json!({
                "email": "someone@example.com",
                "userName": "Someone",
                "createdAt": self.start_ms(),
            });
            extra.insert("abortedBy".to_owned(), person);
        }
    }

    fn trigger_info(&self) -> Value {
        let key = &self.key;
        let reference = [&self.account, &key.org, &key.project, &key.trigger];
        let (uuid, identifier) = match self.starter {
            Starter::WebhookWithKey => ("serviceAccount", "exporter"),
            Starter::WebhookAlone => ("systemUser", "system"),
            Starter::Hand => {
                return json!({
                    "triggerType": "MANUAL",
                    "triggeredBy": {
                        "uuid": "person",
                        "identifier": "Someone",
                        "extraInfo": { "email": "someone@example.com" },
                    },
                    "isRerun": false,
                });
            }
        };
        json!({
            "triggerType": "WEBHOOK_CUSTOM",
            "triggeredBy": {
                "uuid": uuid,
                "identifier": identifier,
                "extraInfo": {
                    "eventCorrelationId": self.event,
                    "triggerRef": reference.map(String::as_str).join("/"),
                    "execution_trigger_tag_needed_for_abort":
                        format!("{}:{}", self.account, key.pipeline),
                },
                "triggerIdentifier": key.trigger,
                "triggerName": key.trigger,
            },
            "isRerun": false,
        })
    }

    fn governance(&self) -> Value {
        json!({
            "id": "0",
            "deny": false,
            "details": [],
            "message": "",
            "timestamp": self.instant_ms(Duration::ZERO).to_string(),
            "status": "pass",
            "accountId": self.account,
            "orgId": self.key.org,
            "projectId": self.key.project,
            "entity": "",
            "type": "pipeline",
            "action": "onrun",
            "created": self.instant_ms(Duration::from_millis(40)).to_string(),
        })
    }
}

/// What Harness puts there for its own pages.
fn module_info() -> Value {
    json!({
        "cd": {
            "__recast": "io.example.cd.CDPipelineModuleInfo",
            "envGroupIdentifiers": [],
            "envIdentifiers": [null],
            "environmentTypes": [],
            "infrastructureIdentifiers": [null],
            "serviceIdentifiers": ["storefront", null],
        }
    })
}

fn failure_type(status: &str) -> Option<&'static str> {
    match status {
        "Failed" | "Errored" => Some("APPLICATION_ERROR"),
        "Expired" => Some("TIMEOUT_ERROR"),
        "ApprovalRejected" => Some("APPROVAL_REJECTION"),
        _ => None,
    }
}
