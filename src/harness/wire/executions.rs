//! What Harness says of executions that are listed, or read by their id.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{
    Any, ExecutionDetails, SummaryObject, envelope, instant, is_success, not_success, printable,
};
use crate::harness::secret::Secrets;
use crate::model::{EventId, ExecutionId, ExecutionsPage, ListedExecution, Summary};

/// `data` of a list: a page as Spring writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PageObject {
    content: Any<Option<Vec<Option<Box<SummaryObject>>>>>,
    last: Any<Option<bool>>,
    total_pages: Any<Option<u64>>,
    total_elements: Any<Option<u64>>,
}

/// `executionTriggerInfo`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct TriggerInfo {
    trigger_type: Any<String>,
    triggered_by: Any<Option<Box<TriggeredBy>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TriggeredBy {
    trigger_identifier: Any<String>,
    extra_info: Any<Option<Box<ExtraInfo>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ExtraInfo {
    event_correlation_id: Any<String>,
    trigger_ref: Any<String>,
}

/// Which part of a list was asked for.
#[derive(Clone, Copy, Debug)]
pub(in crate::harness) struct Part {
    /// Which page, from 0.
    pub(in crate::harness) page: u32,
    /// How many a page has.
    pub(in crate::harness) size: u32,
}

/// Reads a page of a list.
///
/// # Errors
/// What makes it no answer that can be used; not cleaned.
pub(in crate::harness) fn executions(
    body: &[u8],
    part: Part,
    secrets: &Secrets,
) -> Result<ExecutionsPage, String> {
    let page = data::<PageObject>(body)?;
    let content = page.content.0.ok_or("it has no content")?;
    let full = u64::try_from(content.len()).is_ok_and(|count| count >= u64::from(part.size));
    // Where it is not said, a page that is not full is the last.
    let last = page.last.0.unwrap_or_else(|| {
        page.total_pages.0.map_or(!full, |pages| u64::from(part.page) + 1 >= pages)
    });
    let objects = content.into_iter().flatten();
    Ok(ExecutionsPage {
        executions: objects.filter_map(|object| object.into_listed(secrets)).collect(),
        last,
        total: page.total_elements.0,
    })
}

/// Reads the answer about one execution.
///
/// # Errors
/// What makes it no answer that can be used; not cleaned.
pub(in crate::harness) fn execution(body: &[u8], secrets: &Secrets) -> Result<Summary, String> {
    let data = data::<ExecutionDetails>(body)?;
    let summary = data.pipeline_execution_summary.0.ok_or("it has no pipelineExecutionSummary")?;
    Ok(summary.into_model(secrets))
}

fn data<T: DeserializeOwned>(body: &[u8]) -> Result<Box<T>, String> {
    let envelope = envelope::<Any<Option<Box<T>>>>(body)?;
    if !is_success(&envelope.status.0) {
        return Err(not_success(&envelope.status.0, &envelope.message.0));
    }
    envelope.data.0.ok_or_else(|| "it has no data".to_owned())
}

impl SummaryObject {
    /// None where it has no id, by which alone it could be known again.
    fn into_listed(mut self, secrets: &Secrets) -> Option<ListedExecution> {
        let id = ExecutionId::new(&secrets.clean(&self.plan_execution_id.0)).ok()?;
        let info = self.execution_trigger_info.0.take().unwrap_or_default();
        let by = info.triggered_by.0.unwrap_or_default();
        let extra = by.extra_info.0.unwrap_or_default();
        // `account/org/project/trigger`, where the identifier itself is left out.
        let referred = extra.trigger_ref.0.rsplit_once('/').map(|(_, last)| last.to_owned());
        let identifier = |text: &mut Any<String>| printable(std::mem::take(&mut text.0));
        Some(ListedExecution {
            id,
            org: identifier(&mut self.org_identifier),
            project: identifier(&mut self.project_identifier),
            pipeline: identifier(&mut self.pipeline_identifier).unwrap_or_default(),
            trigger: printable(by.trigger_identifier.0).or_else(|| printable(referred?)),
            trigger_type: secrets.clean(&info.trigger_type.0),
            event: EventId::new(&secrets.clean(&extra.event_correlation_id.0)).ok(),
            created: instant(std::mem::take(&mut self.created_at)),
            summary: self.into_model(secrets),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Wall;

    fn secrets() -> Secrets {
        Secrets::open(None).unwrap()
    }

    fn page(data: &str) -> Result<ExecutionsPage, String> {
        let body = format!(r#"{{"status":"SUCCESS","data":{data}}}"#);
        executions(body.as_bytes(), Part { page: 1, size: 2 }, &secrets())
    }

    #[test]
    fn a_list_is_read_with_what_started_each() {
        let data = r#"{"last":false,"totalElements":7,"content":[
            {"planExecutionId":"x1","orgIdentifier":"o","projectIdentifier":"s","pipelineIdentifier":"p",
             "status":"Running","startTs":1659569558476,"createdAt":1659569558663,"runSequence":4,
             "moduleInfo":{"cd":[[{}]]},
             "executionTriggerInfo":{"triggerType":"WEBHOOK_CUSTOM","triggeredBy":{"uuid":"systemUser",
               "triggerIdentifier":"t","extraInfo":{"eventCorrelationId":"e1","triggerRef":"a/o/s/t"}}}},
            {"planExecutionId":"x2","executionTriggerInfo":{"triggerType":"WEBHOOK_CUSTOM",
             "triggeredBy":{"extraInfo":{"triggerRef":"a/o/s/u"}}}},
            {"planExecutionId":"x3","executionTriggerInfo":{"triggerType":"MANUAL","triggeredBy":7}},
            {"status":"Running"}, null, 7]}"#;
        let page = page(data).unwrap();
        assert_eq!((page.last, page.total), (false, Some(7)));
        let [first, second, third] = page.executions.as_slice() else { panic!("{page:?}") };
        assert_eq!((first.id.as_str(), first.pipeline.as_str()), ("x1", "p"));
        assert_eq!((first.org.as_deref(), first.project.as_deref()), (Some("o"), Some("s")));
        assert_eq!(first.trigger.as_deref(), Some("t"));
        assert_eq!(first.trigger_type, "WEBHOOK_CUSTOM");
        assert_eq!(first.event, Some(EventId::new("e1").unwrap()));
        assert_eq!(first.created, Some(Wall(1_659_569_558_663)));
        assert_eq!(first.summary.start, Some(Wall(1_659_569_558_476)));
        assert_eq!((first.summary.status.as_str(), first.summary.number), ("Running", Some(4)));
        assert_eq!(first.summary.execution.as_ref(), Some(&first.id));
        assert_eq!((second.trigger.as_deref(), &second.event), (Some("u"), &None));
        assert_eq!((third.trigger.as_deref(), third.trigger_type.as_str()), (None, "MANUAL"));
        assert_eq!((third.org.as_deref(), third.pipeline.as_str()), (None, ""));
    }

    #[test]
    fn the_last_page_is_known_by_what_the_answer_says_of_it() {
        let full = r#"{"planExecutionId":"x1"},{"planExecutionId":"x2"}"#;
        let table = [
            (format!(r#""content":[{full}],"last":true"#), true),
            (r#""content":[],"last":"false""#.to_owned(), false),
            (format!(r#""content":[{full}],"totalPages":2"#), true),
            (format!(r#""content":[{full}],"totalPages":3"#), false),
            (format!(r#""content":[{full}]"#), false),
            (r#""content":[{"planExecutionId":"x1"}]"#.to_owned(), true),
            (r#""content":[]"#.to_owned(), true),
        ];
        for (fields, last) in table {
            assert_eq!(page(&format!("{{{fields}}}")).unwrap().last, last, "{fields}");
        }
    }

    #[test]
    fn what_is_no_list_is_not_taken_for_an_empty_one() {
        for (data, problem) in [
            ("null", "it has no data"),
            ("[]", "it has no data"),
            ("{}", "it has no content"),
            (r#"{"content":null}"#, "it has no content"),
            (r#"{"content":{}}"#, "it has no content"),
        ] {
            assert_eq!(page(data).unwrap_err(), problem, "{data}");
        }
        let refused = executions(
            br#"{"status":"FAILURE","message":"no"}"#,
            Part { page: 0, size: 1 },
            &secrets(),
        );
        assert_eq!(refused.unwrap_err(), "FAILURE: no");
    }

    #[test]
    fn one_execution_is_read() {
        let read = |body: &str| execution(body.as_bytes(), &secrets());
        let good = r#"{"status":"SUCCESS","data":{"pipelineExecutionSummary":{
            "planExecutionId":"x1","status":"Success"},"executionGraph":{"nodeMap":{}}}}"#;
        assert_eq!(read(good).unwrap().status, "Success");
        for (body, problem) in [
            (r#"{"status":"SUCCESS","data":{}}"#, "it has no pipelineExecutionSummary"),
            (r#"{"status":"SUCCESS","data":null}"#, "it has no data"),
            ("<html>", "a page instead of JSON"),
        ] {
            assert_eq!(read(body).unwrap_err(), problem);
        }
    }
}
