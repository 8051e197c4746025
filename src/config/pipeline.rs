//! `pipelines[]`: what is started, when, and how it is followed.

use std::path::Path;
use std::sync::Arc;

use super::account::Known;
use super::fields::{Fields, Read};
use super::problem::{Place, Report};
use super::settings::{Settings, WebhookWord};
use super::{
    Concurrency, DEFAULT_QUEUE_DEADLINE, DEFAULT_RUN_DEADLINE, DEFAULT_START_DEADLINE,
    DEFAULT_UNCONFIRMED_DEADLINE, Pipeline, Polling, SecretSource, Webhook, secret, values,
};
use crate::model::{PipelineName, WebhookVersion};
use crate::schedule::{Align, Schedule};

const TOKEN_KEYS: [&str; 3] = ["webhook_token_file", "webhook_token_env", "webhook_token"];
const URL_KEYS: [&str; 3] = ["webhook_url_file", "webhook_url_env", "webhook_url"];

/// Reads `defaults`.
pub(super) fn read_defaults(fields: &mut Fields<'_>) -> Settings {
    let message = "not allowed in defaults, want it in each pipeline";
    fields.refuse(&["name", "pipeline", "trigger"], message);
    fields.refuse(&TOKEN_KEYS, message);
    fields.refuse(&URL_KEYS, message);
    Settings::read(fields)
}

/// One pipeline as it was found, before defaults and accounts are known.
pub(super) struct Draft {
    /// Where it stands.
    pub(super) place: Place,
    name: Read<PipelineName>,
    pipeline: Read<String>,
    trigger: Read<String>,
    token: Read<SecretSource>,
    settings: Settings,
}

impl Draft {
    /// Reads one pipeline. Files it names are relative to `folder`.
    pub(super) fn read(fields: &mut Fields<'_>, folder: &Path) -> Self {
        fields.not_yet(&URL_KEYS);
        Self {
            place: fields.place.clone(),
            name: fields.read("name", |value| values::name(value).map(PipelineName::new)),
            settings: Settings::read(fields),
            pipeline: fields.read("pipeline", values::identifier),
            trigger: fields.read("trigger", values::identifier),
            token: secret::read(fields, folder, TOKEN_KEYS),
        }
    }

    /// The name that was given, else the identifier, where they are good.
    pub(super) fn name(&self) -> Option<PipelineName> {
        let identifier =
            || self.pipeline.as_ref().good().map(|pipeline| PipelineName::new(pipeline));
        match &self.name {
            Read::Absent => identifier(),
            Read::Wrong => None,
            Read::Is(name) => Some(name.clone()),
        }
    }

    /// The whole pipeline; none where a problem was reported.
    pub(super) fn finish(
        self,
        defaults: &Settings,
        accounts: &Known,
        report: &mut Report,
    ) -> Option<Pipeline> {
        let name = self.name();
        let place = self.place;
        let aligned = matches!(self.settings.align, Read::Is(_));
        let settings = self.settings.or(defaults);
        let mut required = |read: Read<String>, key: &str, want: &str| {
            read.required(&place.key(key), want, report)
        };
        let org = required(settings.org, "org", "Harness' organization identifier");
        let project = required(settings.project, "project", "Harness' project identifier");
        let pipeline = required(self.pipeline, "pipeline", "Harness' pipeline identifier");
        let trigger =
            required(self.trigger, "trigger", "the identifier of its custom webhook trigger");
        let account = accounts.pick(settings.account, &place.key("account"), report);
        let webhook = webhook(settings.webhook, self.token, &place.key("webhook"), report);
        let every = settings.every.maybe().good();
        let align = settings.align.unless_absent(Align::Spread);
        let schedule = match every? {
            None => {
                if aligned {
                    report.warn(&place.key("align"), "without `every` there is nothing to align");
                }
                None
            }
            Some(every) => Some(Schedule::every(every.interval, align?, &every.written)),
        };
        Some(Pipeline {
            name: name?,
            account: account?,
            org: org?,
            project: project?,
            pipeline: pipeline?,
            trigger: trigger?,
            webhook: webhook?,
            schedule,
            start_deadline: settings.start_deadline.unless_absent(DEFAULT_START_DEADLINE)?,
            concurrency: settings.concurrency.unless_absent(Concurrency::Forbid)?,
            payload: Arc::from(settings.payload.unless_absent("{}".to_owned())?),
            headers: settings.headers.unless_absent(Vec::new())?,
            queue_deadline: settings.queue_deadline.unless_absent(DEFAULT_QUEUE_DEADLINE)?,
            run_deadline: settings.run_deadline.unless_absent(DEFAULT_RUN_DEADLINE)?,
            paused: settings.paused.unless_absent(false)?,
            polling: settings.polling.unless_absent(Polling::DEFAULT)?,
            unconfirmed_deadline: DEFAULT_UNCONFIRMED_DEADLINE,
            overdue_after: None,
            retry: None,
            maintenance: Vec::new(),
            labels: Vec::new(),
        })
    }
}

/// v3 is the only URL with a token in it, so a token decides, unless another was asked for.
fn webhook(
    word: Read<WebhookWord>,
    token: Read<SecretSource>,
    place: &Place,
    report: &mut Report,
) -> Option<Webhook> {
    let word = word.unless_absent(WebhookWord::Auto)?;
    match (word, token.maybe().good()?) {
        (WebhookWord::Auto | WebhookWord::V3, Some(token)) => Some(Webhook::Token(token)),
        (WebhookWord::Auto, None) => Some(Webhook::Auto),
        (WebhookWord::V1, None) => Some(Webhook::Fixed(WebhookVersion::V1)),
        (WebhookWord::V2, None) => Some(Webhook::Fixed(WebhookVersion::V2)),
        (WebhookWord::V3, None) => {
            let keys = TOKEN_KEYS.join(", ");
            report.problem(place, format!("found v3 without a token, want one of {keys}"));
            None
        }
        (WebhookWord::V1 | WebhookWord::V2, Some(_)) => {
            report.problem(place, "found a token with v1 or v2, want v3 or auto");
            None
        }
    }
}
