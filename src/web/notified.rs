//! What Harness' notifications say, taken leniently: users write templates of their own, and the
//! poll finds out the truth anyway.

use serde_json::{Map, Value};

use super::{Notification, NotifiedEvent, NotifiedScope};
use crate::model::{ExecutionId, Wall};

/// Longer than any identifier or word of Harness'.
const LONGEST: usize = 128;

/// From here on a number is milliseconds, below it seconds: as seconds it would be the year 5138.
const MILLIS_FROM: i64 = 100_000_000_000;

/// Reads a notification. An error where it tells of nothing that could be looked for.
pub(super) fn read(body: &[u8]) -> Result<Notification, &'static str> {
    let body: Value = serde_json::from_slice(body).map_err(|_| "the body is not JSON")?;
    let data = body.get("eventData").unwrap_or(&body);
    let data = data.as_object().ok_or("the body is no object")?;
    let field = |key| text(data, key);
    let notification = Notification {
        execution: field("planExecutionId").and_then(|id| ExecutionId::new(&id).ok()),
        scope: NotifiedScope {
            account: field("accountIdentifier"),
            org: field("orgIdentifier"),
            project: field("projectIdentifier"),
            pipeline: field("pipelineIdentifier"),
        },
        event: event(&field("eventType").unwrap_or_default()),
        status: field("nodeStatus"),
        start: instant(data, "startTs"),
        end: instant(data, "endTs"),
    };
    if notification.execution.is_none() && notification.scope.pipeline.is_none() {
        return Err("the body names neither a planExecutionId nor a pipelineIdentifier");
    }
    Ok(notification)
}

fn text(data: &Map<String, Value>, key: &str) -> Option<String> {
    let text = data.get(key)?.as_str()?;
    (!text.is_empty() && text.len() <= LONGEST).then(|| text.to_owned())
}

/// The API's times are milliseconds and those of notifications seconds, but for the ones of
/// `TriggerFailed`, which are milliseconds in the sample that Harness publishes.
fn instant(data: &Map<String, Value>, key: &str) -> Option<Wall> {
    let value = data.get(key)?;
    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok()).filter(|n| *n > 0)?;
    Some(Wall(if number < MILLIS_FROM { number * 1000 } else { number }))
}

fn event(word: &str) -> NotifiedEvent {
    match word {
        "PipelineStart" => NotifiedEvent::Started,
        "PipelinePaused" | "Waiting for User Action" | "WaitingForUserAction" => {
            NotifiedEvent::Paused
        }
        "PipelineEnd" | "PipelineSuccess" | "PipelineFailed" => NotifiedEvent::Ended,
        "StageStart" | "StageSuccess" | "StageFailed" | "StepFailed" => NotifiedEvent::Progress,
        "TriggerFailed" => NotifiedEvent::TriggerFailed,
        _ => NotifiedEvent::Unknown,
    }
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
        let scope = NotifiedScope {
            account: Some("acme".to_owned()),
            org: Some("default".to_owned()),
            project: Some("shop".to_owned()),
            pipeline: Some("nightly".to_owned()),
        };
        let wanted = Notification {
            execution: Some(ExecutionId::new("BOvtFC6xRReaPeJiOj2yvA").unwrap()),
            scope: scope.clone(),
            event: NotifiedEvent::Ended,
            status: Some("failed".to_owned()),
            start: Some(Wall(1_795_503_600_000)),
            end: Some(Wall(1_795_503_661_000)),
        };
        assert_eq!(read(sent.as_bytes()).unwrap(), wanted);

        let failed = r#"{"eventData": {"pipelineIdentifier": "nightly", "accountIdentifier": "acme",
            "orgIdentifier": "default", "projectIdentifier": "shop", "eventType": "TriggerFailed",
            "startTs": 1795503600123}}"#;
        let wanted = Notification {
            execution: None,
            scope,
            event: NotifiedEvent::TriggerFailed,
            status: None,
            start: Some(Wall(1_795_503_600_123)),
            end: None,
        };
        assert_eq!(read(failed.as_bytes()).unwrap(), wanted);
    }

    #[test]
    fn what_is_odd_is_left_out_and_what_is_useless_refused() {
        let execution = |body: &str| read(body.as_bytes()).map(|read| read.execution.is_some());
        let long = format!(r#"{{"planExecutionId": "a", "nodeStatus": "{}"}}"#, "x".repeat(129));
        assert_eq!(read(long.as_bytes()).unwrap().status, None);
        for odd in [
            r#"{"planExecutionId": "a"}"#,
            r#"{"planExecutionId": "a", "startTs": "soon", "endTs": {}, "eventType": 7}"#,
            r#"{"planExecutionId": "a", "startTs": -5, "endTs": 1e300}"#,
        ] {
            let read = read(odd.as_bytes()).unwrap();
            assert_eq!((read.start, read.end, read.event), (None, None, NotifiedEvent::Unknown));
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
        fn nothing_breaks_it(number: i64, word in ".*", garbage in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&garbage);
            let body = serde_json::json!({ "planExecutionId": "a", "startTs": number, "eventType": word });
            let start = read(body.to_string().as_bytes()).unwrap().start;
            prop_assert_eq!(start.is_some(), number > 0);
        }
    }
}
