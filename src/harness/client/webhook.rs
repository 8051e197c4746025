//! The request of a webhook: where it goes, and with what.

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Request};
use secrecy::ExposeSecret;
use url::Url;

use super::{Inner, TriggerCall};
use crate::config::{Pipeline, RESERVED_HEADERS, SecretSource, Webhook};
use crate::harness::body::{Departure, WebhookBody};
use crate::harness::secret::read_secret;
use crate::harness::triggers::WebhookUrl;
use crate::model::{Address, WebhookPath, WebhookVersion};

impl Inner {
    pub(super) fn webhook(&self, call: TriggerCall<'_>) -> Result<(Request, Departure), String> {
        let TriggerCall { pipeline, address, payload } = call;
        let url = match (address, &pipeline.webhook) {
            (Address::Told(webhook), _) => self.on_our_host(webhook, pipeline)?,
            (_, Webhook::Url { source, .. }) => self.given_url(source, pipeline)?,
            (Address::Version(version), _) => self.made_url(*version, pipeline)?,
        };
        let mut request = Request::new(Method::POST, url);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &pipeline.headers {
            self.secrets.saw_header(value);
            let (name, value) = header(name, value)?;
            headers.insert(name, value);
        }
        self.authorize(&mut request)?;
        let (body, departure) = WebhookBody::new(payload);
        *request.body_mut() = Some(reqwest::Body::wrap(body));
        Ok((request, departure))
    }

    fn made_url(&self, version: WebhookVersion, pipeline: &Pipeline) -> Result<Url, String> {
        let mut url = match version {
            WebhookVersion::V1 => self.url(&["gateway", "api", "webhook", "custom"]),
            WebhookVersion::V2 => {
                self.url(&["gateway", "pipeline", "api", "webhook", "custom", "v2"])
            }
            WebhookVersion::V3 => {
                let Webhook::Token(source) = &pipeline.webhook else {
                    return Err("a v3 webhook needs a token, and the config gives none".to_owned());
                };
                let token = self.secrets.token(source);
                let token = token.map_err(|error| format!("no webhook token: {error}"))?;
                let token = token.expose_secret();
                self.url(&["gateway", "pipeline", "api", "webhook", "custom", token, "v3"])
            }
        };
        url.query_pairs_mut().extend_pairs(self.identifiers(pipeline));
        Ok(url)
    }

    /// Of a URL as Harness shows it, path and query on the account's own host.
    fn given_url(&self, source: &SecretSource, pipeline: &Pipeline) -> Result<Url, String> {
        let text = read_secret(source).map_err(|error| format!("no webhook URL: {error}"))?;
        let path = WebhookUrl::new(text.expose_secret()).and_then(|url| url.path_and_query());
        let path = path.ok_or("the webhook URL is none: copy the trigger's whole from Harness")?;
        self.secrets.saw_webhook(&path);
        self.on_our_host(&path, pipeline)
    }

    /// Without pipeline and trigger Harness would fire every enabled trigger of the project, so what
    /// the query leaves out is added.
    fn on_our_host(&self, webhook: &WebhookPath, pipeline: &Pipeline) -> Result<Url, String> {
        let mut url = self.base.clone();
        let (path, query) = webhook.exposed().split_once('?').unwrap_or((webhook.exposed(), ""));
        url.set_path(path);
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        for (name, wanted) in self.identifiers(pipeline) {
            let found = url.query_pairs().find(|(found, _)| found == name);
            let found =
                found.map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty());
            match found {
                None => drop(url.query_pairs_mut().append_pair(name, wanted)),
                Some(found) if found == wanted || wanted.is_empty() => {}
                Some(_) => {
                    return Err(format!("the webhook URL's {name} is another than the config's"));
                }
            }
        }
        Ok(url)
    }

    fn identifiers<'a>(&'a self, pipeline: &'a Pipeline) -> [(&'static str, &'a str); 5] {
        [
            ("accountIdentifier", self.account_id.as_str()),
            ("orgIdentifier", pipeline.org.as_str()),
            ("projectIdentifier", pipeline.project.as_str()),
            ("pipelineIdentifier", pipeline.pipeline.as_str()),
            ("triggerIdentifier", pipeline.trigger.as_str()),
        ]
    }
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let refused = || format!("header {name} can't be sent: take it out of the config");
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
    let mut value = HeaderValue::from_str(value).map_err(|_| refused())?;
    if RESERVED_HEADERS.contains(&parsed.as_str()) {
        return Err(refused());
    }
    value.set_sensitive(true);
    Ok((parsed, value))
}
