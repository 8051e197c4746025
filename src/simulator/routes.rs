//! Which call is meant, who may make it, and what is answered: from the world alone.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::clock::{Moment, millis};
use super::faults::Endpoint;
use super::reply::Reply;
use super::world::{Received, World};

/// A request as it came in.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Bytes,
}

impl Call {
    /// A query parameter, where it is there and not empty.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let value = self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value)?;
        (!value.is_empty()).then_some(value)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The webhook of a trigger without a token, v1.
    WebhookV1,
    /// The same, v2.
    WebhookV2,
    /// The webhook of a trigger with this token.
    WebhookV3(String),
    /// An event's details, the older endpoint.
    DetailsV1(String),
    /// The newer one.
    DetailsV2(String),
    Execution(String),
    Executions,
    Trigger(String),
    /// A pipeline's triggers, to be listed.
    Triggers,
    /// Another one, to be made.
    NewTrigger,
    Unknown,
}

impl Route {
    pub(super) fn of(call: &Call) -> Self {
        let bare = call.path.strip_prefix("/gateway").unwrap_or(&call.path);
        let segments: Vec<&str> = bare.trim_start_matches('/').split('/').collect();
        match (call.method.as_str(), segments.as_slice()) {
            ("POST", ["api", "webhook", "custom"] | ["pipeline", "api", "webhook", "custom"]) => {
                Self::WebhookV1
            }
            ("POST", ["pipeline", "api", "webhook", "custom", "v2"]) => Self::WebhookV2,
            ("POST", ["pipeline", "api", "webhook", "custom", token, "v3"]) => {
                Self::WebhookV3((*token).to_owned())
            }
            ("GET", ["pipeline", "api", "webhook", "triggerExecutionDetails", id]) => {
                Self::DetailsV1((*id).to_owned())
            }
            ("GET", ["pipeline", "api", "webhook", "triggerExecutionDetailsV2", id]) => {
                Self::DetailsV2((*id).to_owned())
            }
            ("GET", ["pipeline", "api", "pipelines", "execution", "v2", id]) => {
                Self::Execution((*id).to_owned())
            }
            ("POST", ["pipeline", "api", "pipelines", "execution", "summary"]) => Self::Executions,
            ("GET", ["pipeline", "api", "triggers", id, "details"]) => {
                Self::Trigger((*id).to_owned())
            }
            ("GET", ["pipeline", "api", "triggers"]) => Self::Triggers,
            ("POST", ["pipeline", "api", "triggers"]) => Self::NewTrigger,
            _ => Self::Unknown,
        }
    }

    pub(super) const fn is_webhook(&self) -> bool {
        matches!(self.endpoint(), Endpoint::Trigger)
    }

    pub(super) const fn endpoint(&self) -> Endpoint {
        match self {
            Self::WebhookV1 | Self::WebhookV2 | Self::WebhookV3(_) => Endpoint::Trigger,
            Self::DetailsV1(_) | Self::DetailsV2(_) => Endpoint::Event,
            Self::Execution(_) => Endpoint::Execution,
            Self::Executions => Endpoint::Executions,
            Self::Trigger(_) => Endpoint::TriggerLookup,
            Self::Triggers | Self::NewTrigger => Endpoint::Triggers,
            Self::Unknown => Endpoint::Unknown,
        }
    }
}

/// Everything that an answer is made of, but for the world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) call: &'a Call,
    pub(super) now: Moment,
    /// `correlationId` of the answer.
    pub(super) correlation: &'a str,
}

/// What an API key is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyUse {
    /// Checked where there is one.
    Optional,
    /// Nothing is answered without one.
    Required,
    /// It must be valid, and what it may do does not matter.
    Unchecked,
}

impl World {
    /// Puts a webhook into the ledger and says where.
    pub(super) fn receive(&mut self, asked: Asked<'_>) -> usize {
        let call = asked.call;
        let parameter = |name: &str| call.parameter(name).unwrap_or_default().to_owned();
        self.ledger.push(Received {
            at_ms: millis(asked.now.real),
            path: call.path.clone(),
            org: parameter("orgIdentifier"),
            project: parameter("projectIdentifier"),
            pipeline: parameter("pipelineIdentifier"),
            trigger: parameter("triggerIdentifier"),
            payload: String::from_utf8_lossy(&call.body).into_owned(),
            headers: call.headers.clone(),
            event: None,
            execution: None,
        });
        self.ledger.len() - 1
    }

    /// Answers a call; `received` is a webhook's place in the ledger.
    pub(super) fn answer(
        &mut self,
        asked: Asked<'_>,
        route: &Route,
        received: Option<usize>,
    ) -> Reply {
        if self.seed_only && !matches!(route, Route::WebhookV1 | Route::DetailsV1(_)) {
            return Reply::of_gateway(404);
        }
        let answer = match route {
            Route::WebhookV1 | Route::WebhookV2 | Route::WebhookV3(_) => {
                self.answer_webhook(asked, route, received.unwrap_or(usize::MAX))
            }
            Route::DetailsV2(_) if !self.knows_v2_details => {
                return Reply::unknown_path(asked.correlation);
            }
            Route::DetailsV1(id) | Route::DetailsV2(id) => self.answer_details(asked, route, id),
            Route::Execution(id) => self.answer_execution(asked, id),
            Route::Executions => self.answer_executions(asked),
            Route::Trigger(id) => self.answer_trigger(asked, id),
            Route::Triggers => self.answer_triggers(asked),
            Route::NewTrigger => self.answer_new_trigger(asked),
            Route::Unknown => {
                self.unexpected.push(format!("{} {}", asked.call.method, asked.call.path));
                return Reply::unknown_path(asked.correlation);
            }
        };
        answer.unwrap_or_else(|refusal| refusal)
    }

    /// Whether the call's API key allows it.
    pub(super) fn check_key(
        &self,
        asked: Asked<'_>,
        key_use: KeyUse,
        permission: &str,
    ) -> Result<(), Reply> {
        let Some(key) = asked.call.header("x-api-key") else {
            if key_use != KeyUse::Required {
                return Ok(());
            }
            let message = "Invalid or missing credentials";
            return Err(Reply::error(401, "INVALID_CREDENTIAL", message, asked.correlation));
        };
        if self.keys.contains(key) {
            return Ok(());
        }
        if self.keys_without_rights.contains(key) {
            let pipeline = asked.call.parameter("pipelineIdentifier").unwrap_or_default();
            let denied = Err(Reply::access_denied(permission, pipeline));
            return if key_use == KeyUse::Unchecked { Ok(()) } else { denied };
        }
        let account = asked.call.parameter("accountIdentifier").unwrap_or_default();
        let message = format!(
            "Invalid call: Invalid token or token expired. Account id for API called: {account}"
        );
        Err(Reply::error(401, "INVALID_TOKEN", &message, asked.correlation))
    }

    /// The account's base URL, with a slash at its end.
    pub(super) fn base(&self, call: &Call) -> String {
        let called = || format!("http://{}/", call.header("host").unwrap_or("localhost"));
        self.base_url.clone().unwrap_or_else(called)
    }
}

/// A query parameter that has to be there.
pub(super) fn required<'a>(asked: Asked<'a>, name: &str) -> Result<&'a str, Reply> {
    let missing = || Reply::invalid_parameter(name, "must not be null", asked.correlation);
    asked
        .call
        .query
        .iter()
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.as_str())
        .ok_or_else(missing)
}
