//! `pipelines[]`: what is started, when, and how it is followed.

use std::sync::Arc;

use super::account::Known;
use super::fields::{Fields, Read};
use super::place::Place;
use super::problem::{Report, nearest, quoted};
use super::secret::Beside;
use super::settings::Settings;
use super::webhook::{Given, Link, TOKEN_KEYS, URL_KEYS};
use super::{
    Concurrency, DEFAULT_QUEUE_DEADLINE, DEFAULT_RUN_DEADLINE, DEFAULT_START_DEADLINE,
    DEFAULT_UNCONFIRMED_DEADLINE, Pipeline, Polling, values,
};
use crate::model::PipelineName;

/// Reads `defaults`.
pub(super) fn read_defaults(fields: &mut Fields<'_>) -> Settings {
    let message = "not allowed in defaults, want it in each pipeline";
    fields.refuse(&["name", "pipeline", "trigger"], message);
    fields.refuse(&TOKEN_KEYS, message);
    fields.refuse(&URL_KEYS, message);
    Settings::read(fields)
}

/// What holds for the pipelines of all files.
pub(super) struct Whole {
    pub(super) accounts: Known,
    /// The names of the extra labels; none where they are not known.
    pub(super) labels: Option<Vec<String>>,
}

impl Whole {
    /// Reports the `labels` at `place` that `metrics.labels` does not name.
    pub(super) fn check_labels(
        &self,
        labels: &Read<Vec<(String, String)>>,
        place: &Place,
        report: &mut Report,
    ) {
        let (Read::Is(labels), Some(known)) = (labels, &self.labels) else { return };
        for (name, _) in labels.iter().filter(|(name, _)| !known.contains(name)) {
            let hint = match nearest(name, known.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean {}?", quoted(meant)),
                None if known.is_empty() => "want it named in metrics.labels first".to_owned(),
                None => format!("want one of metrics.labels: {}", known.join(", ")),
            };
            report.problem(&place.key("labels").key(name), format!("unknown label, {hint}"));
        }
    }

    /// One value for each name of the extra labels.
    fn label_values(&self, given: &[(String, String)]) -> Vec<String> {
        let value = |name: &String| given.iter().find(|(label, _)| label == name);
        let names = self.labels.iter().flatten();
        names.map(|name| value(name).map(|(_, value)| value.clone()).unwrap_or_default()).collect()
    }
}

/// One pipeline as it was found, before defaults and accounts are known.
pub(super) struct Draft {
    /// Where it stands.
    pub(super) place: Place,
    name: Read<PipelineName>,
    pipeline: Read<String>,
    trigger: Read<String>,
    link: Link,
    settings: Settings,
}

impl Draft {
    /// Reads one pipeline.
    pub(super) fn read(fields: &mut Fields<'_>, beside: Beside<'_>) -> Self {
        Self {
            place: fields.place.clone(),
            name: fields.read("name", |value| values::name(value).map(PipelineName::new)),
            settings: Settings::read(fields),
            pipeline: fields.read("pipeline", values::identifier),
            trigger: fields.read("trigger", values::identifier),
            link: Link::read(fields, beside),
        }
    }

    /// The name that was given, else the identifier, where they are good.
    pub(super) fn name(&self) -> Option<PipelineName> {
        let identifier = || self.pipeline_id().good().map(|pipeline| PipelineName::new(&pipeline));
        match &self.name {
            Read::Absent => identifier(),
            Read::Wrong => None,
            Read::Is(name) => Some(name.clone()),
        }
    }

    fn pipeline_id(&self) -> Read<String> {
        self.pipeline.clone().or(self.link.id(|url| &url.pipeline))
    }

    /// The identifiers that the pipeline says itself.
    fn given(&self) -> Given {
        let good = |read: &Read<String>| read.clone().good();
        Given {
            org: good(&self.settings.org),
            project: good(&self.settings.project),
            pipeline: good(&self.pipeline),
            trigger: good(&self.trigger),
        }
    }

    /// The whole pipeline; none where a problem was reported.
    pub(super) fn finish(
        self,
        defaults: &Settings,
        whole: &Whole,
        report: &mut Report,
    ) -> Option<Pipeline> {
        whole.check_labels(&self.settings.labels, &self.place, report);
        let name = self.name();
        let given = self.given();
        let pipeline = self.pipeline_id();
        let trigger = self.trigger.or(self.link.id(|url| &url.trigger));
        let place = self.place;
        let own = self.settings.timing.clone();
        let mut settings = self.settings;
        settings.org = settings.org.or(self.link.id(|url| &url.org));
        settings.project = settings.project.or(self.link.id(|url| &url.project));
        let settings = settings.or(defaults);
        let mut required = |read: Read<String>, key: &str, want: &str| {
            read.required(&place.key(key), want, report)
        };
        let org = required(settings.org, "org", "Harness' organization identifier");
        let project = required(settings.project, "project", "Harness' project identifier");
        let pipeline = required(pipeline, "pipeline", "Harness' pipeline identifier");
        let trigger = required(trigger, "trigger", "the identifier of its custom webhook trigger");
        let account = whole.accounts.pick(settings.account, &place.key("account"), report);
        let target = account.as_ref().and_then(|name| whole.accounts.good(name));
        let agrees = self.link.agrees(&given, target, &place, report);
        let webhook = self.link.webhook(settings.webhook, &place, report);
        let labels = settings.labels.unless_absent(Vec::new());
        own.warn_of_idle(&settings.timing, &place, report);
        let timing = settings.timing.finish();
        agrees?;
        let (schedule, maintenance) = timing?;
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
            unconfirmed_deadline: settings
                .unconfirmed_deadline
                .unless_absent(DEFAULT_UNCONFIRMED_DEADLINE)?,
            overdue_after: settings.overdue_after.maybe().good()?,
            retry: settings.retry.unless_absent(None)?,
            maintenance,
            labels: whole.label_values(&labels?),
        })
    }
}
