//! Triggers being looked up: what Harness tells of where a webhook is to be sent, when that changes,
//! and what this process has been told.

use std::collections::BTreeMap;

use harness_exporter::config::{Pipeline, Webhook};
use harness_exporter::engine::{Input, LookUpTrigger, SendTrigger};
use harness_exporter::model::{
    Address, Answered, FoundTrigger, LookupAnswer, PipelineName, Reason, Refusal, TriggerAnswer,
    WebhookPath,
};

use super::harness::{Harness, Trouble};
use super::invariants::{self, Held};
use super::plan::{HOUR, MINUTE, SECOND};
use super::rng::Rng;
use super::world::{Event, World};

/// How a Harness answers who looks a trigger up.
#[derive(Debug)]
pub(super) struct Lookups {
    tells: Tells,
    /// How long a token is good.
    lasts: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tells {
    /// Where the webhook is to be sent.
    Where,
    /// Only that there is such a trigger.
    Nothing,
    /// It refuses to.
    Never,
}

impl Lookups {
    pub(super) fn new(rng: &mut Rng) -> Self {
        Self {
            tells: rng.pick(&[Tells::Where, Tells::Where, Tells::Nothing, Tells::Never]),
            lasts: rng.pick(&[20 * SECOND, 10 * MINUTE, 1_000 * HOUR]),
        }
    }

    fn webhook(&self, pipeline: &Pipeline, at: u64) -> WebhookPath {
        let token = at / self.lasts;
        WebhookPath::new(&format!("/webhook/custom/token-{token}/v3?x={}", pipeline.name))
    }
}

impl Harness {
    /// Whether a webhook that is sent there finds its trigger.
    pub(super) fn takes(&self, send: &SendTrigger, webhook: &WebhookPath, at: u64) -> bool {
        self.lookups.webhook(&send.pipeline, at) == *webhook
    }

    /// Answers who looks a trigger up. The answer, and how long it takes.
    fn look_up(
        &self,
        pipeline: &Pipeline,
        at: u64,
        rng: &mut Rng,
    ) -> (Answered<LookupAnswer>, u64) {
        let took = rng.between(1, 400);
        let failed = LookupAnswer::Failed { message: String::new() };
        let refused = |status| {
            (LookupAnswer::Refused(Refusal { status, ..Refusal::default() }), Some(status))
        };
        let found = |webhook| LookupAnswer::Found(FoundTrigger { enabled: Some(true), webhook });
        let (answer, code) = match (self.trouble(at), self.lookups.tells) {
            (Some(Trouble::Away), _) => (failed, None),
            (Some(Trouble::Broken), _) => (failed, Some(500)),
            (Some(Trouble::Throttling), _) => {
                (LookupAnswer::Throttled { retry_after: None }, Some(429))
            }
            _ if rng.per_mille(self.roughness) => match rng.below(4) {
                0 => (LookupAnswer::Throttled { retry_after: None }, Some(429)),
                1 => refused(401),
                _ => (failed, Some(502)),
            },
            (None, Tells::Never) => refused(403),
            (None, Tells::Nothing) => (found(None), Some(200)),
            (None, Tells::Where) => (found(Some(self.lookups.webhook(pipeline, at))), Some(200)),
        };
        (self.answered(answer, code, took), took)
    }
}

/// What a process has been told of its pipelines' triggers since a webhook of theirs was refused last.
pub(super) type Told = BTreeMap<PipelineName, Vec<Option<WebhookPath>>>;

impl World {
    pub(super) fn look_up(&mut self, look_up: &LookUpTrigger) -> Held {
        self.note("look-up");
        let pipeline = &look_up.pipeline;
        self.before_a_read(&pipeline.account)?;
        let (answered, took) = self.harness.look_up(pipeline, self.at, &mut self.rng);
        self.say(|_| format!("  LOOK UP {}: {:?}", pipeline.name, answered.answer));
        let (pipeline, answered) = (pipeline.name.clone(), Box::new(answered));
        let input = Input::TriggerLookedUp { pipeline, answered };
        let life = self.life;
        self.after(took, Event::Input { life, input });
        Ok(())
    }

    /// What the engine is about to hear of where webhooks are to be sent.
    pub(super) fn note_told(&mut self, input: &Input) {
        let Some(process) = &mut self.process else { return };
        match input {
            Input::TriggerLookedUp { pipeline, answered } => {
                let webhook = match &answered.answer {
                    LookupAnswer::Found(found) => found.webhook.clone(),
                    LookupAnswer::Refused(_) => None,
                    _ => return,
                };
                process.told.entry(pipeline.clone()).or_default().push(webhook);
            }
            Input::Triggered { run, answered } => {
                let rejected = |reason: &Reason| *reason == Reason::Rejected;
                if let TriggerAnswer::Refused { reason, .. } = &answered.answer
                    && rejected(reason)
                    && let Some(run) = self.store.runs.get(run)
                {
                    process.told.remove(&run.pipeline);
                }
            }
            _ => {}
        }
    }

    pub(super) fn check_address(&self, send: &SendTrigger) -> Held {
        let has_key = |pipeline: &Pipeline| {
            let account = self.config.accounts.get(&pipeline.account);
            account.is_some_and(|account| account.api_key.is_some())
        };
        let looks_up = matches!(send.pipeline.webhook, Webhook::Auto) && has_key(&send.pipeline);
        let told = self.process.as_ref().and_then(|process| process.told.get(&send.pipeline.name));
        let is_told = match &send.address {
            Address::Told(webhook) => {
                told.is_some_and(|told| told.iter().flatten().any(|one| one == webhook))
            }
            Address::Version(_) => told.is_some(),
        };
        invariants::a_look_up_comes_first(!looks_up || is_told)
    }
}
