//! The webhook: every accepted one starts a run, for there is no key by which Harness could know
//! that it has seen it before.

use serde_json::json;

use super::history::Accepted;
use super::pipeline::TriggerKey;
use super::reply::Reply;
use super::routes::{Asked, KeyUse, Route, required};
use super::world::World;

impl World {
    pub(super) fn answer_webhook(
        &mut self,
        asked: Asked<'_>,
        route: &Route,
        received: usize,
    ) -> Result<Reply, Reply> {
        self.check_key(asked, KeyUse::Optional, "core_pipeline_execute")?;
        let account = required(asked, "accountIdentifier")?.to_owned();
        if asked.call.body.is_empty() {
            self.unexpected.push("a webhook without a body".to_owned());
            return Err(Reply::invalid_parameter("body", "must not be null", asked.correlation));
        }
        let matched = self.matching(asked, &account)?;
        self.check_authorization(asked, &account, &matched)?;
        match route {
            Route::WebhookV3(token) => self.check_token(asked, token)?,
            _ => self.check_tokenless(asked, &account, &matched)?,
        }
        let event = self.accept(
            asked.now,
            Accepted {
                account: account.clone(),
                matched,
                payload: String::from_utf8_lossy(&asked.call.body).into_owned(),
                with_key: asked.call.header("x-api-key").is_some(),
                received,
            },
        );
        let data = match route {
            Route::WebhookV1 => json!(event),
            _ => self.event_urls(asked, &account, &event),
        };
        Ok(Reply::success(&data, asked.correlation))
    }

    /// The enabled triggers that the query means: all of the project's where it names none.
    fn matching(&self, asked: Asked<'_>, account: &str) -> Result<Vec<TriggerKey>, Reply> {
        let call = asked.call;
        let (Some(org), Some(project)) =
            (call.parameter("orgIdentifier"), call.parameter("projectIdentifier"))
        else {
            let message = "orgIdentifier and projectIdentifier are required query parameters for \
                           custom webhook triggers. Please provide both.";
            return Err(Reply::invalid_request(message, asked.correlation));
        };
        if !self.accounts.contains(account) {
            return Ok(Vec::new());
        }
        let fits =
            |name: &str, value: &str| call.parameter(name).is_none_or(|wanted| wanted == value);
        let matched = self.pipelines.iter().filter(|(key, pipeline)| {
            pipeline.enabled
                && key.org == org
                && key.project == project
                && fits("pipelineIdentifier", &key.pipeline)
                && fits("triggerIdentifier", &key.trigger)
        });
        Ok(matched.map(|(key, _)| key.clone()).collect())
    }

    fn check_authorization(
        &self,
        asked: Asked<'_>,
        account: &str,
        matched: &[TriggerKey],
    ) -> Result<(), Reply> {
        let mut pipelines = matched.iter().filter_map(|key| self.pipelines.get(key));
        if asked.call.header("x-api-key").is_some() || !pipelines.any(|one| one.requires_key) {
            return Ok(());
        }
        let org = asked.call.parameter("orgIdentifier").unwrap_or_default();
        let project = asked.call.parameter("projectIdentifier").unwrap_or_default();
        let message = format!(
            "Authorization is mandatory for custom triggers in {account}:{org}:{project}. \
             Please add X-Api-Key header in the request"
        );
        Err(Reply::invalid_request(&message, asked.correlation))
    }

    /// A token only has to be that of some enabled trigger: which one fires is the query's matter.
    fn check_token(&self, asked: Asked<'_>, token: &str) -> Result<(), Reply> {
        let owners: Vec<_> =
            self.pipelines.values().filter(|one| one.token.as_deref() == Some(token)).collect();
        if owners.iter().any(|one| one.enabled) {
            return Ok(());
        }
        let enabled = if owners.is_empty() { "" } else { "enabled " };
        let message =
            format!("No {enabled}custom trigger found for the used custom webhook token: {token}");
        Err(Reply::invalid_request(&message, asked.correlation))
    }

    fn check_tokenless(
        &self,
        asked: Asked<'_>,
        account: &str,
        matched: &[TriggerKey],
    ) -> Result<(), Reply> {
        if matched.is_empty() {
            let mut message = format!("No enabled custom trigger found for Account:{account}");
            for (label, name) in [
                ("Org", "orgIdentifier"),
                ("Project", "projectIdentifier"),
                ("Pipeline", "pipelineIdentifier"),
                ("Trigger", "triggerIdentifier"),
            ] {
                if let Some(value) = asked.call.parameter(name) {
                    message.extend([", ", label, ": ", value]);
                }
            }
            return Err(Reply::invalid_request(&message, asked.correlation));
        }
        let mut pipelines = matched.iter().filter_map(|key| self.pipelines.get(key));
        if pipelines.any(|one| one.token.is_some()) {
            let message = "This webhook url is no longer supported for newly created custom webhook \
                           triggers. We are migrating to new webhook urls using custom webhook \
                           tokens in the url.";
            return Err(Reply::invalid_request(message, asked.correlation));
        }
        Ok(())
    }

    fn event_urls(&self, asked: Asked<'_>, account: &str, event: &str) -> serde_json::Value {
        let base = self.base(asked.call);
        let org = asked.call.parameter("orgIdentifier").unwrap_or_default();
        let project = asked.call.parameter("projectIdentifier").unwrap_or_default();
        let pages = format!("{base}ng/#/account/{account}/all/orgs/{org}/projects/{project}");
        let details = if self.knows_v2_details {
            "triggerExecutionDetailsV2"
        } else {
            "triggerExecutionDetails"
        };
        json!({
            "eventCorrelationId": event,
            "apiUrl": format!(
                "{base}gateway/pipeline/api/webhook/{details}/{event}?accountIdentifier={account}"
            ),
            "uiUrl": format!("{pages}/deployments?page=0"),
            "uiSetupUrl": format!("{pages}/pipelines"),
        })
    }
}
