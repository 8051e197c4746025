//! What is only read of events and executions: an event's details, an execution, lists of them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::clock::millis;
use super::execution::Execution;
use super::history::Event;
use super::reply::Reply;
use super::routes::{Asked, KeyUse, Route, required};
use super::script::{Processing, merge};
use super::world::{FilterSupport, World};

pub(super) const VIEW: &str = "core_pipeline_view";

impl World {
    /// The older endpoint knows no queued event; the newer one says `QUEUED`.
    pub(super) fn answer_details(
        &self,
        asked: Asked<'_>,
        route: &Route,
        id: &str,
    ) -> Result<Reply, Reply> {
        let key_use = if self.details_require_key { KeyUse::Required } else { KeyUse::Unchecked };
        self.check_key(asked, key_use, VIEW)?;
        let account = required(asked, "accountIdentifier")?;
        let tells_queued = matches!(route, Route::DetailsV2(_));
        let event = self.history.event(account, id);
        let Some(event) = event.filter(|event| event.outcome.is_some() || tells_queued) else {
            let message =
                format!("Trigger event history doesn't exist for event with eventId {id}");
            return Err(Reply::invalid_request(&message, asked.correlation));
        };
        Ok(Reply::success(&self.details(asked, event), asked.correlation))
    }

    fn details(&self, asked: Asked<'_>, event: &Event) -> Value {
        let key = event.matched.as_ref().map(|(key, _)| key);
        let execution = self.history.execution_of(event);
        let outcome = event.outcome.as_ref();
        let queued = millis(event.received.real).saturating_add(self.date_offset);
        let runtime_input =
            execution.map(|one| format!("pipeline:\n  identifier: {}\n", one.key.pipeline));
        let warning = "There are multiple trigger events generated from this eventId. This \
                       response contains only one of them.";
        let mut data = json!({
            "webhookProcessingDetails": {
                "eventFound": true,
                "eventId": event.id,
                "accountIdentifier": event.account,
                "orgIdentifier": key.map(|key| &key.org),
                "projectIdentifier": key.map(|key| &key.project),
                "triggerIdentifier": key.map(|key| &key.trigger),
                "pipelineIdentifier": key.map(|key| &key.pipeline),
                "pipelineExecutionId": execution.map(Execution::id),
                "exceptionOccured": outcome.is_some() && execution.is_none(),
                "status": outcome.map_or("QUEUED", |outcome| &outcome.word),
                "message": outcome.map_or("Trigger execution is queued.", |outcome| &outcome.message),
                "payload": event.payload,
                "eventCreatedAt": outcome.map_or(queued, |outcome| outcome.created_at),
                "runtimeInput": runtime_input,
                "warningMsg": event.crowded.then_some(warning),
            },
            "executionDetails": execution.and_then(|one| execution_details(asked, one)),
            "executionUrl": execution.map(|one| self.execution_url(asked, one)),
        });
        if let Some((_, script)) = &event.matched
            && (outcome.is_some() || matches!(script.processing, Processing::Never))
        {
            merge(&mut data, &script.details_patch);
        }
        data
    }

    fn execution_url(&self, asked: Asked<'_>, execution: &Execution) -> String {
        let (base, key) = (self.base(asked.call), &execution.key);
        let (account, id) = (&execution.account, &execution.id);
        format!(
            "{base}ng/account/{account}/all/orgs/{}/projects/{}/pipelines/{}/executions/{id}/pipeline",
            key.org, key.project, key.pipeline
        )
    }

    pub(super) fn answer_execution(&self, asked: Asked<'_>, id: &str) -> Result<Reply, Reply> {
        let is_meant = self.scope(asked)?;
        let Some(execution) = self.history.execution(id).filter(|one| is_meant(one)) else {
            let message = format!(
                "Plan Execution Summary does not exist or has been deleted for planExecutionId: {id}"
            );
            return Err(Reply::error(404, "ENTITY_NOT_FOUND", &message, asked.correlation));
        };
        let data = json!({ "pipelineExecutionSummary": execution.summary(asked.now) });
        Ok(Reply::success(&data, asked.correlation))
    }

    /// Whether an execution is of the project that is asked about, with a key that may.
    fn scope<'a>(&self, asked: Asked<'a>) -> Result<impl Fn(&Execution) -> bool + use<'a>, Reply> {
        self.check_key(asked, KeyUse::Required, VIEW)?;
        let account = required(asked, "accountIdentifier")?;
        let org = required(asked, "orgIdentifier")?;
        let project = required(asked, "projectIdentifier")?;
        Ok(move |one: &Execution| {
            one.account == account && one.key.org == org && one.key.project == project
        })
    }

    pub(super) fn answer_executions(&mut self, asked: Asked<'_>) -> Result<Reply, Reply> {
        let is_meant = self.scope(asked)?;
        let page = number(asked, "page", 0)?;
        let size = number(asked, "size", 10)?;
        if !(1..=1_000).contains(&size) {
            let message = "Page size should be > 0 and <=1000";
            return Err(Reply::invalid_request(message, asked.correlation));
        }
        let filter = self.filter(asked)?;
        let found: Vec<_> = self
            .executions()
            .iter()
            .rev()
            .filter(|one| is_meant(one) && filter.admits(asked, one))
            .collect();
        let shown = found.iter().skip(page.saturating_mul(size)).take(size);
        let content: Vec<_> = shown.map(|one| one.summary(asked.now)).collect();
        Ok(Reply::success(&spring_page(&content, page, size, found.len()), asked.correlation))
    }

    /// The body of a list may be absent; one that is there must say which kind of filter it is.
    fn filter(&mut self, asked: Asked<'_>) -> Result<Filter, Reply> {
        let body = &asked.call.body;
        let wanted = if body.is_empty() {
            json!({})
        } else {
            match serde_json::from_slice::<Value>(body) {
                Ok(value) if is_filter(&value) => value,
                _ => {
                    self.unexpected.push("a list of executions with an unusable filter".to_owned());
                    let error = "could not be resolved";
                    return Err(Reply::invalid_parameter("filterType", error, asked.correlation));
                }
            }
        };
        let list = |name: &str| texts(wanted.get(name));
        let known = |name: &str, support: FilterSupport| match support {
            FilterSupport::Known => Ok(list(name)),
            FilterSupport::Refused if wanted.get(name).is_some() => {
                let message = format!("Unrecognized field \"{name}\"");
                Err(Reply::invalid_request(&message, asked.correlation))
            }
            FilterSupport::Ignored | FilterSupport::Refused => Ok(BTreeSet::new()),
        };
        let mut statuses = list("status");
        let asked_for = asked.call.query.iter().filter(|(name, _)| name == "status");
        statuses.extend(asked_for.map(|(_, status)| status.clone()));
        let mut pipelines = list("pipelineIdentifiers");
        pipelines.extend(asked.call.parameter("pipelineIdentifier").map(str::to_owned));
        let time = |name: &str| wanted.get("timeRange").and_then(|range| range.get(name)?.as_i64());
        Ok(Filter {
            executions: known("planExecutionIds", self.plan_execution_ids)?,
            triggers: known("triggerIdentifiers", self.trigger_identifiers)?,
            pipelines,
            statuses,
            from: time("startTime").unwrap_or(i64::MIN),
            until: time("endTime").unwrap_or(i64::MAX),
        })
    }
}

/// Null where Harness fails to fetch it, which it does not tell.
fn execution_details(asked: Asked<'_>, execution: &Execution) -> Option<Value> {
    (execution.age(asked.now) >= execution.script.without_details)
        .then(|| json!({ "pipelineExecutionSummary": execution.summary(asked.now) }))
}

/// Which executions a list is to have; an empty list of wishes is none.
struct Filter {
    executions: BTreeSet<String>,
    triggers: BTreeSet<String>,
    pipelines: BTreeSet<String>,
    statuses: BTreeSet<String>,
    from: i64,
    until: i64,
}

impl Filter {
    fn admits(&self, asked: Asked<'_>, execution: &Execution) -> bool {
        let among =
            |wanted: &BTreeSet<String>, value: &str| wanted.is_empty() || wanted.contains(value);
        let (_, status) = execution.status_at(execution.age(asked.now));
        among(&self.executions, &execution.id)
            && among(&self.triggers, &execution.key.trigger)
            && among(&self.pipelines, &execution.key.pipeline)
            && among(&self.statuses, status)
            && (self.from..=self.until).contains(&execution.start_ms())
    }
}

fn is_filter(body: &Value) -> bool {
    body.get("filterType").and_then(Value::as_str) == Some("PipelineExecution")
}

fn texts(list: Option<&Value>) -> BTreeSet<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

pub(super) fn number(asked: Asked<'_>, name: &str, default: usize) -> Result<usize, Reply> {
    let Some(text) = asked.call.parameter(name) else { return Ok(default) };
    text.parse().map_err(|_| Reply::invalid_parameter(name, "must be a number", asked.correlation))
}

fn spring_page(content: &[Value], page: usize, size: usize, total: usize) -> Value {
    let pages = total.div_ceil(size);
    let sort = json!({ "sorted": true, "unsorted": false, "empty": false });
    json!({
        "pageable": {
            "sort": sort,
            "pageNumber": page,
            "pageSize": size,
            "offset": page.saturating_mul(size),
            "paged": true,
            "unpaged": false,
        },
        "totalPages": pages,
        "totalElements": total,
        "last": page + 1 >= pages,
        "first": page == 0,
        "size": size,
        "number": page,
        "sort": sort,
        "numberOfElements": content.len(),
        "empty": content.is_empty(),
        "content": content,
    })
}
