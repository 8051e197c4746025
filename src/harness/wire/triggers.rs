//! What Harness says of triggers.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::triggers::{Trigger, TriggerError, WebhookUrl};
use super::{Any, envelope, is_success, not_success, printable};
use crate::model::FoundTrigger;

/// One page of a list of triggers.
pub(in crate::harness) struct Page {
    /// What is on it.
    pub(in crate::harness) triggers: Vec<Trigger>,
    /// How many pages there are.
    pub(in crate::harness) pages: u64,
}

/// `data` of an answer that speaks of one trigger (`NGTriggerResponse` after a creation,
/// `NGTriggerDetailsResponse` in a list and for its details), as much of it as is used.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TriggerObject {
    identifier: Any<String>,
    r#type: Any<String>,
    enabled: Any<Option<bool>>,
    webhook_url: Any<String>,
    error_response: Any<Option<bool>>,
    errors: Value,
}

/// Harness' own envelope of pages, which is not Spring's.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PageObject {
    content: Any<Vec<Option<Box<TriggerObject>>>>,
    total_pages: Any<Option<u64>>,
}

/// Reads an answer that speaks of one trigger.
///
/// # Errors
/// What makes it no answer that can be used, or what Harness found wrong; not cleaned.
pub(in crate::harness) fn trigger(body: &[u8]) -> Result<Trigger, TriggerError> {
    let object = data::<TriggerObject>(body)?;
    // Of YAML that it can't use, Harness says so with 200 and SUCCESS.
    if object.error_response.0 == Some(true) {
        let message = format!("the trigger's YAML has errors: {}", object.errors);
        return Err(TriggerError::Refused(message));
    }
    let unnamed = || TriggerError::NoAnswer("it names no trigger".to_owned());
    object.into_trigger().ok_or_else(unnamed)
}

/// Reads the details of one trigger, for the sake of its webhook.
///
/// # Errors
/// What makes it no answer that can be used; not cleaned.
pub(in crate::harness) fn found(body: &[u8]) -> Result<FoundTrigger, String> {
    let trigger = trigger(body).map_err(|error| match error {
        TriggerError::Refused(message) | TriggerError::NoAnswer(message) => message,
        other => other.to_string(),
    })?;
    let webhook = trigger.webhook_url.and_then(|url| url.path_and_query());
    Ok(FoundTrigger { enabled: trigger.enabled, webhook })
}

/// Reads a page of a list.
///
/// # Errors
/// What makes it no answer that can be used; not cleaned.
pub(in crate::harness) fn page(body: &[u8]) -> Result<Page, TriggerError> {
    let page = data::<PageObject>(body)?;
    let objects = page.content.0.into_iter().flatten();
    let triggers = objects.filter_map(|object| object.into_trigger());
    Ok(Page { triggers: triggers.collect(), pages: page.total_pages.0.unwrap_or(1) })
}

fn data<T: DeserializeOwned>(body: &[u8]) -> Result<Box<T>, TriggerError> {
    let envelope = envelope::<Any<Option<Box<T>>>>(body).map_err(TriggerError::NoAnswer)?;
    if !is_success(&envelope.status.0) {
        let message = not_success(&envelope.status.0, &envelope.message.0);
        return Err(TriggerError::Refused(message));
    }
    envelope.data.0.ok_or_else(|| TriggerError::NoAnswer("it has no data".to_owned()))
}

impl TriggerObject {
    fn into_trigger(self) -> Option<Trigger> {
        let identifier = printable(self.identifier.0)?;
        Some(Trigger {
            identifier,
            kind: printable(self.r#type.0).unwrap_or_default(),
            enabled: self.enabled.0,
            webhook_url: WebhookUrl::new(&self.webhook_url.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The trigger in a line, or what is wrong.
    fn read(body: &str) -> String {
        match trigger(body.as_bytes()) {
            Ok(trigger) => {
                let url = trigger.webhook_url.map_or_else(String::new, |url| url.redacted());
                format!("{} {} {:?} {url}", trigger.identifier, trigger.kind, trigger.enabled)
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_answer_about_a_trigger_is_read() {
        let table = [
            (
                r#"{"status":"SUCCESS","data":{"identifier":"t","type":"Webhook","enabled":true,
                "errors":null,"errorResponse":false,"webhookUrl":"https://h.example/gateway/pipeline/api/webhook/custom/abc/v3?x=1"}}"#,
                "t Webhook Some(true) https://h.example/gateway/pipeline/api/webhook/custom/[redacted]/v3?x=1",
            ),
            (r#"{"status":"SUCCESS","data":{"identifier":"t","webhookUrl":7}}"#, "t  None "),
            (
                r#"{"status":"SUCCESS","data":{"errorResponse":true,"errors":{"spec":"no"}}}"#,
                r#"Harness refused: the trigger's YAML has errors: {"spec":"no"}"#,
            ),
            (r#"{"status":"ERROR","message":"no","data":null}"#, "Harness refused: ERROR: no"),
            (
                r#"{"status":"SUCCESS","data":{"identifier":"a\nb"}}"#,
                "no answer that can be used: it names no trigger",
            ),
            (r#"{"status":"SUCCESS"}"#, "no answer that can be used: it has no data"),
            ("<html>", "no answer that can be used: a page instead of JSON"),
        ];
        for (body, expected) in table {
            assert_eq!(read(body), expected);
        }
    }

    #[test]
    fn of_the_webhook_that_was_found_the_path_is_kept() {
        let path = |body: &str| {
            let trigger = found(body.as_bytes()).unwrap();
            trigger.webhook.map_or_else(String::new, |webhook| webhook.exposed().to_owned())
        };
        let url = |url: &str| {
            let data = format!(r#"{{"identifier":"t","enabled":false,"webhookUrl":"{url}"}}"#);
            path(&format!(r#"{{"status":"SUCCESS","data":{data}}}"#))
        };
        assert_eq!(
            url("https://other.example:8/a/webhook/custom/t/v3?x=1"),
            "/a/webhook/custom/t/v3?x=1"
        );
        assert_eq!(url("https://h.example/webhook/custom"), "/webhook/custom");
        assert_eq!(url("https://h.example/elsewhere"), "");
        assert_eq!(url("no url"), "");
        let refused = found(br#"{"status":"ERROR","message":"no"}"#).unwrap_err();
        assert_eq!(refused, "ERROR: no");
    }

    #[test]
    fn a_page_is_read_as_far_as_it_can_be() {
        let body = r#"{"status":"SUCCESS","data":{"totalPages":3,"content":[{"identifier":"a"},7,
            {"identifier":""},{"identifier":"b","enabled":"false"}]}}"#;
        let page = page(body.as_bytes()).unwrap();
        let names: Vec<_> = page.triggers.iter().map(|one| one.identifier.as_str()).collect();
        assert_eq!((page.pages, names), (3, vec!["a", "b"]));
    }
}
