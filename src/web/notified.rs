//! What Harness' notifications say, taken leniently: users write templates of their own, and the
//! poll finds out the truth anyway. So only which execution is meant is read, and the word for what
//! happened to it, by which two notifications are told apart.
//!
//! Their times are not read: they are seconds where the API's are milliseconds, and milliseconds in
//! the one sample of a `TriggerFailed`.

use serde_json::Value;

use crate::model::ExecutionId;

/// Longer than any identifier or word of Harness'.
const LONGEST: usize = 128;

/// A notification, as far as it is of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notification {
    /// Which execution; none where a trigger failed before there was one.
    pub(super) execution: Option<ExecutionId>,
    /// Harness' word for what happened; of an end, which it tells twice, always `PipelineEnd`.
    pub(super) event: String,
}

/// Reads a notification. An error where it tells of nothing that could be looked for.
pub(super) fn read(body: &[u8]) -> Result<Notification, &'static str> {
    let body: Value = serde_json::from_slice(body).map_err(|_| "the body is not JSON")?;
    let data = body.get("eventData").unwrap_or(&body);
    let data = data.as_object().ok_or("the body is no object")?;
    let field = |key| {
        let text = data.get(key).and_then(Value::as_str).unwrap_or_default();
        if text.len() <= LONGEST { text } else { "" }
    };
    let execution = ExecutionId::new(field("planExecutionId")).ok();
    if execution.is_none() && field("pipelineIdentifier").is_empty() {
        return Err("the body names neither a planExecutionId nor a pipelineIdentifier");
    }
    let event = match field("eventType") {
        "PipelineSuccess" | "PipelineFailed" => "PipelineEnd",
        word => word,
    };
    Ok(Notification { execution, event: event.to_owned() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_harness_sends_is_understood() {
        let sent = r#"{"eventData": {
            "accountIdentifier": "acme", "orgIdentifier": "default",
            "projectIdentifier": "shop", "pipelineIdentifier": "nightly",
            "planExecutionId": "BOvtFC6xRReaPeJiOj2yvA", "eventType": "PipelineFailed",
            "nodeStatus": "failed", "startTime": "Tue Nov 24 07:00:00 UTC 2026",
            "startTs": 1795503600, "endTs": 1795503661,
            "triggeredBy": {"triggerType": "WEBHOOK_CUSTOM"}}}"#;
        let execution = Some(ExecutionId::new("BOvtFC6xRReaPeJiOj2yvA").unwrap());
        let wanted = Notification { execution, event: "PipelineEnd".to_owned() };
        assert_eq!(read(sent.as_bytes()), Ok(wanted));

        let failed = r#"{"eventData": {"pipelineIdentifier": "nightly", "accountIdentifier": "acme",
            "orgIdentifier": "default", "projectIdentifier": "shop", "eventType": "TriggerFailed",
            "startTs": 1795503600123}}"#;
        let wanted = Notification { execution: None, event: "TriggerFailed".to_owned() };
        assert_eq!(read(failed.as_bytes()), Ok(wanted));
    }

    #[test]
    fn what_is_odd_is_left_out_and_what_is_useless_refused() {
        let execution = |body: &str| read(body.as_bytes()).map(|read| read.execution.is_some());
        let long = format!(r#"{{"planExecutionId": "a", "eventType": "{}"}}"#, "x".repeat(129));
        for odd in [
            r#"{"planExecutionId": "a"}"#,
            r#"{"planExecutionId": "a", "startTs": "soon", "endTs": {}, "eventType": 7}"#,
            r#"{"planExecutionId": "a", "startTs": -5, "endTs": 1e300}"#,
            &long,
        ] {
            assert_eq!(read(odd.as_bytes()).unwrap().event, "", "{odd}");
            assert_eq!(execution(odd), Ok(true), "{odd}");
        }
        assert_eq!(
            execution(r#"{"planExecutionId": "a/..", "pipelineIdentifier": "p"}"#),
            Ok(false)
        );
        for useless in
            ["", "{", "[]", "7", "{}", r#"{"eventData": 7}"#, r#"{"planExecutionId": ".."}"#]
        {
            assert!(execution(useless).is_err(), "{useless}");
        }
    }

    proptest! {
        #[test]
        fn nothing_breaks_it(word in ".*", garbage in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&garbage);
            let body = serde_json::json!({ "planExecutionId": "a", "eventType": word });
            let read = read(body.to_string().as_bytes()).unwrap();
            prop_assert!(read.event == word || (read.event.is_empty() && word.len() > LONGEST));
        }
    }
}
