//! Triggers as things: one is looked up, all of a pipeline's are listed, another one is made.

use serde_json::{Value, json};

use super::pipeline::{SimulatedPipeline, TriggerKey};
use super::reads::{VIEW, number};
use super::reply::Reply;
use super::routes::{Asked, KeyUse, required};
use super::world::World;

const EDIT: &str = "core_pipeline_edit";

/// Whose triggers are asked about.
struct Scope<'a> {
    account: &'a str,
    org: &'a str,
    project: &'a str,
    pipeline: &'a str,
}

impl<'a> Scope<'a> {
    fn of(asked: Asked<'a>) -> Result<Self, Reply> {
        Ok(Self {
            account: required(asked, "accountIdentifier")?,
            org: required(asked, "orgIdentifier")?,
            project: required(asked, "projectIdentifier")?,
            pipeline: required(asked, "targetIdentifier")?,
        })
    }

    fn has(&self, key: &TriggerKey) -> bool {
        key.org == self.org && key.project == self.project && key.pipeline == self.pipeline
    }

    fn key(&self, trigger: &str) -> TriggerKey {
        TriggerKey::new(self.org, self.project, self.pipeline, trigger)
    }
}

impl World {
    pub(super) fn answer_trigger(&self, asked: Asked<'_>, id: &str) -> Result<Reply, Reply> {
        self.check_key(asked, KeyUse::Required, VIEW)?;
        let scope = Scope::of(asked)?;
        let found = self.pipelines.get(&scope.key(id));
        let Some(trigger) = found.filter(|_| self.accounts.contains(scope.account)) else {
            let message = format!("Trigger {id} does not exist");
            return Err(Reply::error(404, "ENTITY_NOT_FOUND", &message, asked.correlation));
        };
        Ok(Reply::success(&self.trigger_details(asked, &scope, (id, trigger)), asked.correlation))
    }

    /// In Harness' own envelope of pages, which is not the one of its executions.
    pub(super) fn answer_triggers(&self, asked: Asked<'_>) -> Result<Reply, Reply> {
        self.check_key(asked, KeyUse::Required, VIEW)?;
        let scope = Scope::of(asked)?;
        let page = number(asked, "page", 0)?;
        let size = number(asked, "size", 25)?.max(1);
        let all: Vec<Value> = self
            .pipelines
            .iter()
            .filter(|(key, _)| scope.has(key) && self.accounts.contains(scope.account))
            .map(|(key, one)| self.trigger_details(asked, &scope, (key.trigger.as_str(), one)))
            .collect();
        let content: Vec<&Value> = all.iter().skip(page.saturating_mul(size)).take(size).collect();
        let data = json!({
            "totalPages": all.len().div_ceil(size),
            "totalItems": all.len(),
            "pageItemCount": content.len(),
            "pageSize": size,
            "content": content,
            "pageIndex": page,
            "empty": content.is_empty(),
        });
        Ok(Reply::success(&data, asked.correlation))
    }

    /// What is made now has a token, and only the v3 URL works for it.
    pub(super) fn answer_new_trigger(&mut self, asked: Asked<'_>) -> Result<Reply, Reply> {
        self.check_key(asked, KeyUse::Required, EDIT)?;
        let scope = Scope::of(asked)?;
        let refuse = |message: String| Err(Reply::invalid_request(&message, asked.correlation));
        let Some(id) = custom_trigger(&asked.call.body, &scope) else {
            let data =
                json!({ "errorResponse": true, "errors": { "yaml": "not a custom trigger" } });
            return Ok(Reply::success(&data, asked.correlation));
        };
        let sibling = self.pipelines.iter().find(|(key, _)| scope.has(key));
        let Some((_, sibling)) = sibling.filter(|_| self.accounts.contains(scope.account)) else {
            return refuse(format!(
                "Failed while Saving Trigger: Pipeline {} does not exist",
                scope.pipeline
            ));
        };
        if self.pipelines.contains_key(&scope.key(&id)) {
            return refuse(format!("Trigger [{id}] already exists or is soft deleted"));
        }
        let mut trigger = SimulatedPipeline::default();
        trigger.stages(sibling.stages.clone()).queue(sibling.queue);
        trigger.token(Some(&self.random.uuid()));
        self.pipelines.insert(scope.key(&id), trigger);
        let data = json!({
            "name": id,
            "identifier": id,
            "description": null,
            "type": "Webhook",
            "accountIdentifier": scope.account,
            "orgIdentifier": scope.org,
            "projectIdentifier": scope.project,
            "targetIdentifier": scope.pipeline,
            "yaml": String::from_utf8_lossy(&asked.call.body),
            "enabled": true,
            "errors": null,
            "errorResponse": false,
            "stagesToExecute": [],
        });
        Ok(Reply::success(&data, asked.correlation))
    }

    fn trigger_details(
        &self,
        asked: Asked<'_>,
        scope: &Scope<'_>,
        (id, trigger): (&str, &SimulatedPipeline),
    ) -> Value {
        let version =
            trigger.token.as_ref().map_or_else(|| "v2".to_owned(), |token| format!("{token}/v3"));
        let Scope { account, org, project, pipeline } = scope;
        let url = format!(
            "{}gateway/pipeline/api/webhook/custom/{version}?accountIdentifier={account}\
             &orgIdentifier={org}&projectIdentifier={project}&pipelineIdentifier={pipeline}\
             &triggerIdentifier={id}",
            self.base(asked.call)
        );
        json!({
            "name": id,
            "identifier": id,
            "description": null,
            "type": "Webhook",
            "triggerStatus": { "validationStatus": { "statusResult": "SUCCESS" }, "status": "SUCCESS" },
            "lastTriggerExecutionDetails": null,
            "webhookDetails": { "webhookSecret": null, "webhookSourceRepo": "CUSTOM" },
            "buildDetails": null,
            "tags": {},
            "executions": [0, 0, 0, 0, 0, 0, 0],
            "yaml": format!("trigger:\n  identifier: {id}\n"),
            "webhookUrl": url,
            "webhookCurlCommand": format!("curl -X POST '{url}' -d '{{}}'"),
            "registrationStatus": "SUCCESS",
            "enabled": trigger.enabled,
            "pipelineInputOutdated": false,
        })
    }
}

/// The identifier in a YAML that describes a custom webhook trigger of this pipeline.
fn custom_trigger(yaml: &[u8], scope: &Scope<'_>) -> Option<String> {
    let document: Value = serde_yaml::from_slice(yaml).ok()?;
    let text = |path: &str| document.pointer(path).and_then(Value::as_str);
    let wanted = [
        ("/trigger/orgIdentifier", scope.org),
        ("/trigger/projectIdentifier", scope.project),
        ("/trigger/pipelineIdentifier", scope.pipeline),
        ("/trigger/source/type", "Webhook"),
        ("/trigger/source/spec/type", "Custom"),
    ];
    let fits = wanted.iter().all(|(path, value)| text(path) == Some(value))
        && text("/trigger/name").is_some();
    text("/trigger/identifier").filter(|_| fits).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_custom_webhook_trigger_of_the_pipeline_is_taken() {
        let good = "trigger: {name: T, identifier: t, orgIdentifier: o, projectIdentifier: s, \
                    pipelineIdentifier: p, source: {type: Webhook, spec: {type: Custom}}}";
        let scope = Scope { account: "a", org: "o", project: "s", pipeline: "p" };
        let taken = |yaml: &str| custom_trigger(yaml.as_bytes(), &scope);
        assert_eq!(taken(good).as_deref(), Some("t"));
        for (part, instead) in [
            ("name: T, ", ""),
            ("identifier: t, ", ""),
            ("orgIdentifier: o", "orgIdentifier: x"),
            ("projectIdentifier: s", "projectIdentifier: x"),
            ("pipelineIdentifier: p", "pipelineIdentifier: x"),
            ("type: Webhook", "type: Scheduled"),
            ("type: Custom", "type: Github"),
            ("trigger: {", "pipeline: {"),
            ("}}}", ""),
        ] {
            assert_eq!(taken(&good.replacen(part, instead, 1)), None, "{part}");
        }
    }
}
