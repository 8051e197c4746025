//! Looking triggers up: where a webhook under `webhook: auto` is to be sent, and whether the trigger
//! can be used.
//!
//! What is told is kept in memory only, for it may hold a token. A run whose trigger is to be looked
//! up first is not begun meanwhile: it waits as it would for the limits, so that no end of this
//! process leaves its fate unknown. An answer that says no leads to the URLs that need no token; one
//! that says nothing is asked for again, for as long as anything waits for it. After a webhook that
//! was refused the next one is preceded by another look-up; the refused one is not sent again.
//!
//! With a key every trigger is looked up once an hour, and first after a start, where a call can be
//! spared: whether it is there, switched on and seen with this key is shown.

use std::sync::Arc;
use std::time::Duration;

use super::account::{AccountState, Go, Job, Spare, count_due};
use super::{Effect, Engine, Timer};
use crate::config::{Pipeline, Webhook};
use crate::limiter::Ticket;
use crate::model::{
    AccountName, Address, Answered, Fact, FoundTrigger, LookupAnswer, Mono, Now, Phase,
    PipelineName, RunId, Target, Wall, WebhookPath,
};

/// The first gap after a look-up that said nothing, and the longest: short enough that a server
/// which comes back before a usual `start_deadline` is met.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(15);

/// How long after a look-up the trigger is looked up again though no run needs it, and how long after
/// one that said nothing.
const CHECK_EVERY: Duration = Duration::from_hours(1);
const CHECK_AGAIN: Duration = Duration::from_mins(5);

/// A trigger to be looked up.
#[derive(Clone, Debug)]
pub struct LookUpTrigger {
    /// Whose.
    pub pipeline: Arc<Pipeline>,
    /// How long it waited for the limiter.
    pub waited: Duration,
}

/// Something that waits to be sent, as an account keeps it.
pub(super) type Entry = (Wall, Mono, Job);

/// What is known of a pipeline's trigger.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    route: Option<Route>,
    /// The call under way.
    call: Option<Call>,
    /// Whether the next call is planned: its timer runs, or it waits for the limiter.
    planned: bool,
    /// How many calls in a row have said nothing.
    failures: u32,
    /// When it is looked up again though nothing waits for it, and for which account that waits.
    check: Option<(AccountName, Mono)>,
    /// Whether the trigger can be used, as it was told last.
    usable: Option<bool>,
}

/// What the look-up says of where the webhook is to be sent.
#[derive(Debug)]
enum Route {
    /// There.
    Told(WebhookPath),
    /// Nothing: to the URLs that need no token.
    Untold,
}

#[derive(Debug)]
struct Call {
    account: AccountName,
    ticket: Ticket,
    /// What was asked about, as long as that is what the config says.
    target: Option<Target>,
}

impl Lookup {
    /// Where a webhook is to be sent, if that was told.
    pub(super) fn told(&self) -> Option<Address> {
        match &self.route {
            Some(Route::Told(webhook)) => Some(Address::Told(webhook.clone())),
            Some(Route::Untold) | None => None,
        }
    }

    /// Whether it was said whether the trigger can be used.
    fn is_known(&self) -> bool {
        self.usable.is_some()
    }
}

impl Engine {
    /// Whether what is about to go must wait until its trigger has been looked up, which is done now
    /// in its place.
    pub(super) fn looks_up_first(&mut self, go: &Go, since: Mono, now: Now) -> bool {
        let Some((name, entry)) = self.entry_of(go, since) else { return false };
        let Some(pipeline) = self.pipelines.get(&name) else { return false };
        let account = self.accounts.get(&pipeline.config.account);
        let is_auto = matches!(pipeline.config.webhook, Webhook::Auto);
        if self.dry_run || !is_auto || !account.is_some_and(AccountState::has_key) {
            return false;
        }
        let lookup = self.lookups.entry(name.clone()).or_default();
        if lookup.route.is_some() {
            return false;
        }
        let wanted = lookup.call.is_none() && !lookup.planned;
        self.parked.entry(name.clone()).or_default().insert(entry);
        if wanted {
            self.look_up(&name, now.mono.since(since), now);
        }
        true
    }

    /// How many due times wait for a look-up.
    pub(super) fn due_parked(&self) -> u64 {
        self.parked.values().map(count_due).sum()
    }

    /// Whether this waits for the look-up of its trigger.
    pub(super) fn is_parked(&self, name: &PipelineName, entry: &Entry) -> bool {
        self.parked.get(name).is_some_and(|parked| parked.contains(entry))
    }

    /// The pipeline whose webhook would go, and as what it waits in its account.
    fn entry_of(&self, go: &Go, since: Mono) -> Option<(PipelineName, Entry)> {
        match go {
            Go::Begin(name, due) => {
                let waits = self.pipelines.get(name)?.waiting.contains_key(due);
                waits.then(|| (name.clone(), (*due, since, Job::Due(name.clone()))))
            }
            Go::Retry(name) => {
                let due = self.pipelines.get(name)?.retry.as_ref()?.run.due?;
                Some((name.clone(), (due, since, Job::Retry(name.clone()))))
            }
            Go::Send(id) => {
                let active = self.runs.get(id)?;
                let unsent = matches!(active.run.phase, Phase::Due | Phase::Waiting);
                let entry = (active.run.begun, since, Job::Run(id.clone()));
                unsent.then(|| (active.run.pipeline.clone(), entry))
            }
            Go::LookUp(_) | Go::Check(_) | Go::Others(_) | Go::Read(_) | Go::ReadTogether(_) => {
                None
            }
        }
    }

    fn look_up(&mut self, name: &PipelineName, waited: Duration, now: Now) {
        let Some(pipeline) = self.pipelines.get(name).map(|state| state.config.clone()) else {
            return;
        };
        let Some(account) = self.accounts.get_mut(&pipeline.account) else { return };
        let ticket = account.take(now.mono);
        let call =
            Call { account: pipeline.account.clone(), ticket, target: Some(pipeline.target()) };
        self.lookups.entry(name.clone()).or_default().call = Some(call);
        self.effects.push(Effect::LookUpTrigger(LookUpTrigger { pipeline, waited }));
    }

    /// Another call may go, if anything waits for it.
    pub(super) fn look_up_again(&mut self, name: &PipelineName, waited: Duration, now: Now) {
        let Some(lookup) = self.lookups.get_mut(name) else { return };
        lookup.planned = false;
        let free = lookup.call.is_none();
        let Some(parked) = self.parked.get_mut(name) else { return };
        // A run that has failed meanwhile was not taken out.
        parked.retain(|(_, _, job)| match job {
            Job::Run(run) => self.runs.contains_key(run),
            Job::Due(_) | Job::Retry(_) => true,
        });
        if parked.is_empty() {
            self.parked.remove(name);
        } else if free {
            self.look_up(name, waited, now);
        }
    }

    /// A trigger was looked up, or not.
    pub(super) fn looked_up(
        &mut self,
        name: &PipelineName,
        answered: Answered<LookupAnswer>,
        now: Now,
    ) {
        let Some(call) = self.lookups.get_mut(name).and_then(|lookup| lookup.call.take()) else {
            return;
        };
        let retry_after = match &answered.answer {
            LookupAnswer::Throttled { retry_after } => *retry_after,
            _ => None,
        };
        if let Some(account) = self.accounts.get_mut(&call.account) {
            account.settle(call.ticket, &answered, retry_after, now);
        }
        let Some(pipeline) = self.pipelines.get(name) else {
            self.lookups.remove(name);
            return;
        };
        let config = &pipeline.config;
        if config.account != call.account || Some(config.target()) != call.target {
            // It is about what the config said before.
            self.check_at(name, now.mono);
            return self.let_go_on(name);
        }
        let says_something =
            matches!(answered.answer, LookupAnswer::Found(_) | LookupAnswer::Refused(_));
        let gap = if says_something { CHECK_EVERY } else { CHECK_AGAIN };
        self.check_at(name, now.mono.after(gap));
        match answered.answer {
            LookupAnswer::Found(FoundTrigger { enabled, webhook }) => {
                let off = (enabled == Some(false)).then(|| "it is switched off".to_owned());
                self.tell_usable(name, off);
                self.take_route(name, webhook.map(Route::Told));
            }
            LookupAnswer::Refused(refusal) => {
                self.tell_usable(name, Some(refusal.message));
                self.take_route(name, None);
            }
            // The limiter makes it wait.
            LookupAnswer::Throttled { .. } => self.look_up_at(name, now.mono),
            LookupAnswer::Failed { message } => {
                self.note_waiting(name, &message);
                self.look_up_later(name, now);
            }
        }
    }

    /// It is known where to send: as told, or as far as that was told before.
    fn take_route(&mut self, name: &PipelineName, told: Option<Route>) {
        let Some(lookup) = self.lookups.get_mut(name) else { return };
        lookup.failures = 0;
        lookup.route = told.or(lookup.route.take()).or(Some(Route::Untold));
        self.let_go_on(name);
    }

    /// Tells whether the trigger can be used, where that has changed.
    fn tell_usable(&mut self, name: &PipelineName, message: Option<String>) {
        let Some(lookup) = self.lookups.get_mut(name) else { return };
        let usable = message.is_none();
        if lookup.usable.replace(usable) != Some(usable) {
            let pipeline = name.clone();
            self.effects.push(Effect::Fact(Fact::TriggerLookedUp { pipeline, usable, message }));
        }
    }

    /// A look-up that nothing waits for may go.
    pub(super) fn check(&mut self, name: &PipelineName, now: Now) {
        let Some(lookup) = self.lookups.get_mut(name) else { return };
        lookup.check = None;
        if lookup.call.is_some() {
            // Its answer says when the next one is.
        } else if lookup.planned {
            self.check_at(name, now.mono.after(CHECK_AGAIN));
        } else {
            self.look_up(name, Duration::ZERO, now);
        }
    }

    /// The trigger is looked up when a call can be spared, unless that is planned already.
    pub(super) fn check_soon(&mut self, name: &PipelineName, now: Now) {
        let account = self.pipelines.get(name).map(|pipeline| &pipeline.config.account);
        let lookup = self.lookups.get(name);
        let planned = lookup.is_some_and(|lookup| {
            let of_it = |(of, _): &(AccountName, Mono)| Some(of) == account;
            lookup.call.is_some() || (lookup.check.as_ref().is_some_and(of_it) && lookup.is_known())
        });
        if !planned {
            self.check_at(name, now.mono);
        }
    }

    fn check_at(&mut self, name: &PipelineName, at: Mono) {
        let Some(pipeline) = self.pipelines.get(name).filter(|_| self.checks) else { return };
        let account = pipeline.config.account.clone();
        self.drop_check(name);
        let Some(state) = self.accounts.get_mut(&account).filter(|state| state.has_key()) else {
            return;
        };
        state.checks.insert((at, Spare::Trigger(name.clone())));
        self.lookups.entry(name.clone()).or_default().check = Some((account, at));
    }

    fn drop_check(&mut self, name: &PipelineName) {
        let check = self.lookups.get_mut(name).and_then(|lookup| lookup.check.take());
        if let Some((account, at)) = check
            && let Some(account) = self.accounts.get_mut(&account)
        {
            account.checks.remove(&(at, Spare::Trigger(name.clone())));
        }
    }

    /// Who asked by hand is told what they wait for, should it be in vain.
    fn note_waiting(&mut self, name: &PipelineName, message: &str) {
        for (_, _, job) in self.parked.get(name).into_iter().flatten() {
            if let Job::Run(run) = job
                && let Some(active) = self.runs.get_mut(run)
            {
                active.run.message = Some(format!("its trigger could not be looked up: {message}"));
            }
        }
    }

    fn look_up_later(&mut self, name: &PipelineName, now: Now) {
        let Some(lookup) = self.lookups.get_mut(name) else { return };
        let gap = FIRST_RETRY.saturating_mul(1 << lookup.failures.min(8)).min(LONGEST_RETRY);
        lookup.failures = lookup.failures.saturating_add(1);
        self.look_up_at(name, now.mono.after(gap));
    }

    fn look_up_at(&mut self, name: &PipelineName, at: Mono) {
        let Some(lookup) = self.lookups.get_mut(name) else { return };
        lookup.planned = true;
        self.timers.insert((at, Timer::LookUp(name.clone())));
    }

    /// The next look-up is due.
    pub(super) fn look_up_is_due(&mut self, name: PipelineName, at: Mono) {
        let Some(pipeline) = self.pipelines.get(&name) else { return };
        if let Some(account) = self.accounts.get_mut(&pipeline.config.account) {
            account.lookups.insert((at, name));
        }
    }

    /// What waits for the look-up waits for the limits again.
    pub(super) fn let_go_on(&mut self, name: &PipelineName) {
        let Some(pipeline) = self.pipelines.get(name) else { return };
        for (wall, since, job) in self.parked.remove(name).unwrap_or_default() {
            let run = match &job {
                Job::Run(run) => self.runs.get(run).map(|active| &active.run),
                Job::Due(_) | Job::Retry(_) => None,
            };
            let account = run.map_or(&pipeline.config.account, |run| &run.account);
            let Some(account) = self.accounts.get_mut(account) else { continue };
            match (run, job) {
                (Some(run), _) if run.phase == Phase::Waiting => {
                    account.resends.insert((since, run.id.clone()));
                }
                (None, Job::Run(_)) => {}
                (_, job) => {
                    account.fresh.insert((wall, since, job));
                }
            }
        }
    }

    /// What was to be sent for a pipeline no longer is.
    pub(super) fn withdraw(&mut self, name: &PipelineName, entry: &Entry) {
        if let Some(parked) = self.parked.get_mut(name) {
            parked.remove(entry);
        }
        let account = self.pipelines.get(name).map(|pipeline| &pipeline.config.account);
        if let Some(account) = account.and_then(|account| self.accounts.get_mut(account)) {
            account.fresh.remove(entry);
        }
    }

    /// What is known of a trigger holds no longer.
    pub(super) fn forget_trigger(&mut self, name: &PipelineName) {
        let Some(lookup) = self.lookups.get_mut(name) else { return };
        (lookup.route, lookup.planned, lookup.usable) = (None, false, None);
        if let Some(call) = &mut lookup.call {
            call.target = None;
        }
        let account = self.pipelines.get(name).map(|pipeline| &pipeline.config.account);
        if let Some(account) = account.and_then(|account| self.accounts.get_mut(account)) {
            account.lookups.retain(|(_, waiting)| waiting != name);
        }
    }

    /// A pipeline is no longer in the config. A call under way is still to be answered.
    pub(super) fn drop_lookup(&mut self, name: &PipelineName) {
        self.drop_check(name);
        self.parked.remove(name);
        let Some(lookup) = self.lookups.remove(name) else { return };
        if lookup.call.is_some() {
            let kept = Lookup { call: lookup.call, ..Lookup::default() };
            self.lookups.insert(name.clone(), kept);
        }
    }

    /// Harness refused a webhook. It may be that the URL or its token is no longer the trigger's.
    pub(super) fn doubt_route(&mut self, run: &RunId) {
        let name = self.runs.get(run).map(|active| &active.run.pipeline);
        if let Some(lookup) = name.and_then(|name| self.lookups.get_mut(name)) {
            lookup.route = None;
        }
    }
}
