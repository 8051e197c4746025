//! Letting calls go: what the limiter and the caps allow, in the order that serves best.

use std::sync::Arc;
use std::time::Duration;

use super::account::{AccountState, Go, Job};
use super::adoption::Search;
use super::lookup::Lookup;
use super::{Active, Effect, Engine, PipelineState, ReadEvent, Rules, SendTrigger, Timer};
use crate::config::Webhook;
use crate::limiter::Ticket;
use crate::model::{
    AccountName, Address, Change, DetailsVersion, MissedReason, Mono, Now, Origin, Outcome, Phase,
    PipelineName, Reason, Run, RunId, Wall, WebhookVersion,
};

/// A call under way.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    /// The webhook.
    Trigger(Ticket),
    /// A look at the event.
    Read(Ticket, DetailsVersion),
    /// A look at the execution.
    Execution(Ticket),
    /// A look for the execution.
    Search(Ticket),
}

impl Engine {
    pub(super) fn let_go(&mut self, now: Now) {
        let names: Vec<AccountName> = self.accounts.keys().cloned().collect();
        for name in names {
            while let Some((since, go)) =
                self.accounts.get_mut(&name).and_then(|a| a.next(now.mono))
            {
                if self.looks_up_first(&go, since, now) {
                    continue;
                }
                let waited = now.mono.since(since);
                match go {
                    Go::Begin(name, due) => self.begin(&name, due, waited, now),
                    Go::Retry(name) => self.begin_retry(&name, waited, now),
                    Go::Send(run) => self.send(&run, waited, now),
                    Go::Check(name) => self.check(&name, now),
                    Go::LookUp(name) => self.look_up_again(&name, waited, now),
                    Go::Read(run) => self.look(&run, waited, now),
                    Go::Others(project) => self.look_for_others(&project, now),
                    Go::ReadTogether(project) => self.look_together(&project, waited, now),
                }
            }
        }
    }

    /// Begins the run of a due time.
    fn begin(&mut self, name: &PipelineName, due: Wall, waited: Duration, now: Now) {
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        if pipeline.waiting.remove(&due).is_none() {
            return;
        }
        let config = pipeline.config.clone();
        if pipeline.send_by(due) < now.wall || pipeline.calendar.is_maintenance(now.wall) {
            return self.missed(name, MissedReason::Late, 1, due);
        }
        let id = RunId::of_slot(&config.name, due, 1);
        let run = Run {
            origin: Origin::Schedule,
            due: Some(due),
            ..Run::new(id.clone(), config.name.clone(), config.account.clone(), now.wall)
        };
        let active = Active::of(run, Some(pipeline), now);
        pipeline.active.insert(id.clone());
        self.runs.insert(id.clone(), active);
        self.dispatch(&id, Change::Begun, waited, now);
    }

    /// Sends the webhook of a run that is saved.
    fn send(&mut self, id: &RunId, waited: Duration, now: Now) {
        self.dispatch(id, Change::Sending, waited, now);
    }

    pub(super) fn dispatch(&mut self, id: &RunId, change: Change, waited: Duration, now: Now) {
        let Some(active) = self.runs.get_mut(id) else { return };
        if active.call.is_some() || !matches!(active.run.phase, Phase::Due | Phase::Waiting) {
            return;
        }
        let Some(config) = active.config.clone() else { return };
        if self.dry_run {
            // It stays as it is, until its start deadline ends it.
            let (pipeline, due) = (config.name.clone(), active.run.due);
            return self.effects.push(Effect::Withheld { pipeline, due });
        }
        let Some(account) = self.accounts.get_mut(&active.run.account) else { return };
        account.note_sent(id, now.mono);
        active.call = Some(Call::Trigger(account.take(now.mono)));
        active.sent_at = now.mono;
        active.run.phase = Phase::Sending;
        active.run.sent = Some(now.wall);
        // Should its pipeline be taken out of the config, its execution can still be looked for.
        active.run.target = account.has_key().then(|| config.target());
        let told = self.lookups.get(&config.name).and_then(Lookup::told);
        active.address = match &config.webhook {
            Webhook::Token(_) => Address::Version(WebhookVersion::V3),
            Webhook::Fixed(version) | Webhook::Url { version, .. } => Address::Version(*version),
            Webhook::Auto => told.unwrap_or_else(|| Address::Version(account.webhook.next())),
        };
        let address = active.address.clone();
        let run = Arc::new(active.run.clone());
        let payload = run.payload.clone().unwrap_or_else(|| config.payload.clone());
        let pipeline = self.pipelines.get(&config.name).filter(|_| change == Change::Begun);
        let mark = pipeline.map(PipelineState::mark);
        let fires = |due| pipeline.map(|pipeline| pipeline.calendar.fires(due));
        let due = run.due.filter(|_| run.origin == Origin::Schedule).and_then(fires);
        self.record(change, run, mark);
        self.effects.push(Effect::SendTrigger(SendTrigger {
            run: id.clone(),
            pipeline: config,
            address,
            payload,
            waited,
            due,
        }));
    }

    pub(super) fn look(&mut self, id: &RunId, waited: Duration, now: Now) {
        let Some(active) = self.runs.get_mut(id).filter(|active| active.call.is_none()) else {
            return;
        };
        if let Some(at) = active.look_at.take() {
            self.timers.remove(&(at, Timer::Read(id.clone())));
        }
        self.leave(id);
        let Some(active) = self.runs.get_mut(id) else { return };
        match active.run.phase {
            Phase::Unconfirmed => return self.search(id, waited, now),
            Phase::Executing if active.by_execution || active.run.event.is_none() => {
                return self.look_at_execution(id, waited, now);
            }
            _ => {}
        }
        let Some(event) = active.run.event.clone() else { return };
        let Some(account) = self.accounts.get_mut(&active.run.account) else { return };
        let version = account.details.next();
        active.call = Some(Call::Read(account.take(now.mono), version));
        self.effects.push(Effect::ReadEvent(ReadEvent {
            run: id.clone(),
            account: account.config.name.clone(),
            version,
            event,
            waited,
        }));
    }

    /// The saving of a run's beginning failed, so it was not sent and has not begun.
    pub(super) fn never_begun(&mut self, id: &RunId, now: Now) {
        let Some(active) = self.take_back(id, now) else { return };
        let (name, due, retries) =
            (active.run.pipeline.clone(), active.run.due, active.retries.clone());
        self.retire(id);
        if let Some(last) = retries {
            self.settle(&last);
        } else if let Some(due) = due {
            self.missed(&name, MissedReason::StoreUnavailable, 1, due);
        }
    }

    /// The saving of a further attempt failed, so it was not sent: as before, to be tried again.
    pub(super) fn not_sending(&mut self, id: &RunId, now: Now) {
        let Some(active) = self.take_back(id, now) else { return };
        let asked = active.run.origin == Origin::Manual && active.attempts == 0;
        active.run.phase = if asked { Phase::Due } else { Phase::Waiting };
        let (account, deadline) = (active.run.account.clone(), active.start_deadline);
        // It may have passed while the run was being saved, and was then not heeded.
        self.timers.insert((deadline, Timer::StartDeadline(id.clone())));
        if let Some(account) = self.accounts.get_mut(&account) {
            if asked {
                // It would else stand in its own way where the caps count what has been sent.
                account.forget(id);
                account.fresh.insert((now.wall, now.mono, Job::Run(id.clone())));
            } else {
                account.resends.insert((now.mono, id.clone()));
            }
        }
    }

    fn take_back(&mut self, id: &RunId, now: Now) -> Option<&mut Active> {
        let active = self.runs.get_mut(id)?;
        if let Some(Call::Trigger(ticket)) = active.call.take()
            && let Some(account) = self.accounts.get_mut(&active.run.account)
        {
            account.under_way = account.under_way.saturating_sub(1);
            account.limiter.answered(ticket, now.mono);
        }
        Some(active)
    }

    /// Does what timers are set for.
    pub(super) fn ring(&mut self, now: Now) {
        while self.timers.first().is_some_and(|(at, _)| *at <= now.mono) {
            let Some((at, timer)) = self.timers.pop_first() else { return };
            match timer {
                Timer::Read(run) => {
                    let active = self.runs.get_mut(&run);
                    let by = active.map_or(at, |active| {
                        active.look_at = None;
                        active.looked_at.after(active.turn * 2)
                    });
                    if let Some(account) = self.account_of(&run) {
                        account.want_look(run, at, by);
                    }
                }
                Timer::Hint(run) => {
                    if let Some(account) = self.account_of(&run) {
                        account.want_look(run, at, at);
                    }
                }
                Timer::Together(project) => self.together_is_due(project, at),
                Timer::LookUp(name) => self.look_up_is_due(name, at),
                Timer::Resend(run) => {
                    if let Some(account) = self.account_of(&run) {
                        account.resends.insert((at, run));
                    }
                }
                Timer::StartDeadline(run) => self.start_deadline(&run, now),
                Timer::SearchEnds(run) => self.search_ends(&run, now),
                Timer::DueDeadline(name, due) => self.due_deadline(&name, due, now),
            }
        }
    }

    fn account_of(&mut self, run: &RunId) -> Option<&mut AccountState> {
        let active = self.runs.get(run)?;
        self.accounts.get_mut(&active.run.account)
    }
}

impl Active {
    /// A run with its clocks set by its record.
    pub(super) fn of(run: Run, pipeline: Option<&PipelineState>, now: Now) -> Self {
        let config = pipeline.map(|pipeline| pipeline.config.clone());
        let anchor = |wall: Option<Wall>| wall.map_or(now.mono, |wall| now.mono_of(wall));
        let deadline = pipeline.map_or(now.wall, |pipeline| pipeline.start_by(&run));
        Self {
            sent_at: anchor(run.sent),
            accepted_at: anchor(run.accepted.or(run.sent)),
            started_at: run.start.map(|start| now.mono_of(start)),
            start_deadline: now.mono_at(deadline),
            rules: Rules::of(config.as_ref()),
            run,
            config,
            address: Address::Version(WebhookVersion::V1),
            attempts: 0,
            looked_at: now.mono,
            gap: Duration::ZERO,
            turn: Duration::ZERO,
            look_at: None,
            hinted_at: None,
            group: None,
            alone: false,
            call: None,
            search: Search::default(),
            by_execution: false,
            retries: None,
        }
    }

    /// How long ago, by the clock that is never set, the webhook was sent.
    pub(super) fn since_sent(&self, now: Mono) -> Duration {
        now.since(self.sent_at)
    }
}

/// What a run comes to for which no call was ever made.
pub(super) const NOT_SENT: (Outcome, Reason) = (Outcome::Unreachable, Reason::NotSent);
