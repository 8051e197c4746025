//! The calls that only read: an event, executions, a trigger. Each is made once, whatever comes.

use http::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request};
use serde_json::{Value, json};
use url::Url;

use super::{Client, Inner, Stopwatch, classify, not_made, unanswered};
use crate::config::Pipeline;
use crate::harness::classify::Reply;
use crate::harness::secret::Secrets;
use crate::harness::wire::Part;
use crate::model::{
    Answered, DetailsVersion, EventAnswer, EventId, ExecutionAnswer, ExecutionFilter, ExecutionId,
    ExecutionsAnswer, ExecutionsQuery, LookupAnswer, Target,
};

impl Client {
    /// Reads what became of an event.
    pub async fn read_event(
        &self,
        version: DetailsVersion,
        event: &EventId,
    ) -> Answered<EventAnswer> {
        let request = self.inner.details(version, event);
        let failed = |message| EventAnswer::Failed { message };
        self.inner.ask(request, classify::event, failed).await
    }

    /// Lists executions. Needs a key.
    pub async fn list_executions(&self, query: &ExecutionsQuery) -> Answered<ExecutionsAnswer> {
        let request = self.inner.list(query);
        let part = Part { page: query.page, size: query.size };
        let means = |reply: &Reply, secrets: &Secrets| classify::executions(reply, part, secrets);
        let failed = |message| ExecutionsAnswer::Failed { message };
        self.inner.ask(request, means, failed).await
    }

    /// Reads how an execution of the target's project stands. Needs a key.
    pub async fn read_execution(
        &self,
        target: &Target,
        execution: &ExecutionId,
    ) -> Answered<ExecutionAnswer> {
        let path = ["pipelines", "execution", "v2", execution.as_str()];
        let url = self.inner.project_url(&path, (&target.org, &target.project));
        let request = Request::new(Method::GET, url);
        let failed = |message| ExecutionAnswer::Failed { message };
        self.inner.ask(request, classify::execution, failed).await
    }

    /// Looks a pipeline's trigger up, to learn where its webhook is to be sent. Needs a key.
    pub async fn look_up(&self, pipeline: &Pipeline) -> Answered<LookupAnswer> {
        let request = self.inner.trigger_details(pipeline);
        let failed = |message| LookupAnswer::Failed { message };
        let answered = self.inner.ask(request, classify::lookup, failed).await;
        if let LookupAnswer::Found(trigger) = &answered.answer
            && let Some(webhook) = &trigger.webhook
        {
            self.inner.secrets.saw_webhook(webhook);
        }
        answered
    }
}

impl Inner {
    async fn ask<T>(
        &self,
        mut request: Request,
        means: impl Fn(&Reply, &Secrets) -> T,
        failed: impl Fn(String) -> T,
    ) -> Answered<T> {
        let stopwatch = Stopwatch::start();
        if let Err(message) = self.authorize(&mut request) {
            return not_made(failed(message));
        }
        match self.send(request, stopwatch).await {
            Ok((reply, skew)) => Answered {
                answer: means(&reply, &self.secrets),
                code: Some(reply.status),
                skew,
                took: Some(stopwatch.elapsed()),
            },
            Err(message) => unanswered(failed(message), stopwatch),
        }
    }

    fn details(&self, version: DetailsVersion, event: &EventId) -> Request {
        let endpoint = match version {
            DetailsVersion::V1 => "triggerExecutionDetails",
            DetailsVersion::V2 => "triggerExecutionDetailsV2",
        };
        let path = ["gateway", "pipeline", "api", "webhook", endpoint, event.as_str()];
        let mut url = self.url(&path);
        url.query_pairs_mut().append_pair("accountIdentifier", &self.account_id);
        Request::new(Method::GET, url)
    }

    fn list(&self, query: &ExecutionsQuery) -> Request {
        let path = ["pipelines", "execution", "summary"];
        let mut url = self.project_url(&path, (&query.org, &query.project));
        url.query_pairs_mut()
            .append_pair("page", &query.page.to_string())
            .append_pair("size", &query.size.to_string())
            .append_pair("sort", "startTs,DESC");
        if let ExecutionFilter::Pipeline(pipeline) = &query.filter {
            url.query_pairs_mut().append_pair("pipelineIdentifier", pipeline);
        }
        let mut request = Request::new(Method::POST, url);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(filter(&query.filter).to_string().into());
        request
    }

    pub(super) fn trigger_details(&self, pipeline: &Pipeline) -> Request {
        let path = ["triggers", pipeline.trigger.as_str(), "details"];
        let mut url = self.project_url(&path, (&pipeline.org, &pipeline.project));
        url.query_pairs_mut().append_pair("targetIdentifier", &pipeline.pipeline);
        Request::new(Method::GET, url)
    }

    fn project_url(&self, path: &[&str], (org, project): (&str, &str)) -> Url {
        let mut url = self.url(&["gateway", "pipeline", "api"]);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        url.query_pairs_mut()
            .append_pair("accountIdentifier", &self.account_id)
            .append_pair("orgIdentifier", org)
            .append_pair("projectIdentifier", project);
        url
    }
}

/// The body of a list. A filter that is not wanted is left out, since versions differ in which they
/// know.
fn filter(filter: &ExecutionFilter) -> Value {
    match filter {
        ExecutionFilter::Ids(ids) => {
            let ids: Vec<&str> = ids.iter().map(ExecutionId::as_str).collect();
            json!({ "filterType": "PipelineExecution", "planExecutionIds": ids })
        }
        ExecutionFilter::Triggers { triggers, from, until } => json!({
            "filterType": "PipelineExecution",
            "triggerIdentifiers": triggers,
            "timeRange": { "startTime": from.0, "endTime": until.0 },
        }),
        ExecutionFilter::Pipeline(_) => json!({ "filterType": "PipelineExecution" }),
    }
}
