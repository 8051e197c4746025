//! Custom webhook triggers as things that Harness has: to be made, listed and looked up.
//!
//! A new one looks as small as Harness takes it: no conditions, so that the webhook of the config
//! always starts its pipeline.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use url::{Position, Url};

use super::redact;
use super::secret::Secrets;
use crate::config::{Account, Pipeline};
use crate::model::{AccountName, WebhookPath};

/// A trigger as Harness tells of it.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Harness' identifier.
    pub identifier: String,
    /// `Webhook`, `Scheduled` …; empty where Harness does not say.
    pub kind: String,
    /// Whether it is switched on, where Harness says so.
    pub enabled: Option<bool>,
    /// Where its webhook is to be sent, where it has one and Harness tells it.
    pub webhook_url: Option<WebhookUrl>,
}

/// The URL of a webhook, which may hold a token and is then as secret as a key.
#[derive(Clone)]
pub struct WebhookUrl(SecretString);

impl WebhookUrl {
    /// Takes `text` where it can be such a URL.
    #[must_use]
    pub(super) fn new(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let known = matches!(url.scheme(), "http" | "https") && url.path().contains("/webhook/");
        (known && !text.contains(char::is_control)).then(|| Self(SecretString::from(text)))
    }

    /// The URL with `[redacted]` in the place of its token.
    #[must_use]
    pub fn redacted(&self) -> String {
        redact::hide_tokens(self.0.expose_secret())
    }

    /// Where on its host the webhook is.
    #[must_use]
    pub(super) fn path_and_query(&self) -> Option<WebhookPath> {
        let url = Url::parse(self.exposed()).ok()?;
        Some(WebhookPath::new(&url[Position::BeforePath..Position::AfterQuery]))
    }

    /// The URL as it is.
    #[must_use]
    pub fn exposed(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

/// Why a call about triggers did not bring what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum TriggerError {
    /// Nothing was sent: these calls are answered to nobody unknown.
    #[error("account {0} has no API key, and Harness wants one for this: give it api_key_file")]
    NoKey(AccountName),
    /// Nothing was sent: it can't be.
    #[error("nothing was sent: {0}")]
    NotSent(String),
    /// Harness, or what stands before it, said no: nothing was changed.
    #[error("Harness refused: {0}")]
    Refused(String),
    /// What came of it is not known.
    #[error("no answer that can be used: {0}")]
    NoAnswer(String),
}

impl TriggerError {
    pub(super) fn cleaned(self, secrets: &Secrets) -> Self {
        match self {
            Self::NoKey(_) | Self::NotSent(_) => self,
            Self::Refused(message) => Self::Refused(secrets.clean(&message)),
            Self::NoAnswer(problem) => Self::NoAnswer(secrets.clean(&problem)),
        }
    }
}

/// A custom webhook trigger that is to be.
#[derive(Clone, Copy, Debug)]
pub struct NewTrigger<'a> {
    /// The entry of the config that names it.
    pub pipeline: &'a Pipeline,
    /// The branch that a pipeline stored in Git is to be read from.
    pub branch: Option<&'a str>,
    /// Identifiers of the input sets it runs with.
    pub input_sets: &'a [String],
}

impl NewTrigger<'_> {
    /// The YAML that Harness makes it of.
    ///
    /// # Errors
    /// None that is known: every part is a text, a flag or a list.
    pub fn yaml(&self) -> Result<String, serde_yaml::Error> {
        let Self { pipeline, branch, input_sets } = *self;
        serde_yaml::to_string(&Document {
            trigger: Body {
                name: &pipeline.trigger,
                identifier: &pipeline.trigger,
                enabled: true,
                org: &pipeline.org,
                project: &pipeline.project,
                pipeline: &pipeline.pipeline,
                source: Source {
                    kind: "Webhook",
                    spec: Custom { kind: "Custom", spec: NO_CONDITIONS },
                },
                branch,
                input_sets,
            },
        })
    }
}

/// Where the triggers of a pipeline are made and listed.
#[must_use]
pub fn triggers_url(account: &Account, pipeline: &Pipeline) -> Url {
    let mut url = account.url.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(["gateway", "pipeline", "api", "triggers"]);
    }
    url.query_pairs_mut()
        .append_pair("accountIdentifier", &account.account_id)
        .append_pair("orgIdentifier", &pipeline.org)
        .append_pair("projectIdentifier", &pipeline.project)
        .append_pair("targetIdentifier", &pipeline.pipeline);
    url
}

#[derive(Serialize)]
struct Document<'a> {
    trigger: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    name: &'a str,
    identifier: &'a str,
    enabled: bool,
    #[serde(rename = "orgIdentifier")]
    org: &'a str,
    #[serde(rename = "projectIdentifier")]
    project: &'a str,
    #[serde(rename = "pipelineIdentifier")]
    pipeline: &'a str,
    source: Source,
    #[serde(rename = "pipelineBranchName", skip_serializing_if = "Option::is_none")]
    branch: Option<&'a str>,
    #[serde(rename = "inputSetRefs", skip_serializing_if = "<[String]>::is_empty")]
    input_sets: &'a [String],
}

#[derive(Serialize)]
struct Source {
    #[serde(rename = "type")]
    kind: &'static str,
    spec: Custom,
}

#[derive(Serialize)]
struct Custom {
    #[serde(rename = "type")]
    kind: &'static str,
    spec: Conditions,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Conditions {
    payload_conditions: [(); 0],
    header_conditions: [(); 0],
}

const NO_CONDITIONS: Conditions = Conditions { payload_conditions: [], header_conditions: [] };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_webhook_url_is_taken_for_one_and_its_token_is_hidden() {
        let v3 = "https://h.example/gateway/pipeline/api/webhook/custom/t0k3n/v3?a=b";
        let url = WebhookUrl::new(v3).unwrap();
        assert_eq!(url.exposed(), v3);
        let hidden = "https://h.example/gateway/pipeline/api/webhook/custom/[redacted]/v3?a=b";
        assert_eq!(url.redacted(), hidden);
        assert_eq!(format!("{url:?}"), hidden);
        let v2 = "https://h.example/gateway/pipeline/api/webhook/custom/v2?a=b";
        assert_eq!(WebhookUrl::new(v2).unwrap().redacted(), v2);
        for other in
            ["", "x", "file:///webhook/custom", "https://h.example/", "https://h/webhook/\n"]
        {
            assert!(WebhookUrl::new(other).is_none(), "{other:?}");
        }
    }
}
