//! What follows from Harness' answers.
//!
//! The one question after a webhook is whether Harness certainly did not act. Only then is there
//! another attempt; after an answer that leaves it open the run's execution is looked for.

use std::sync::Arc;
use std::time::Duration;

use super::account::THROTTLED;
use super::calls::{Call, NOT_SENT};
use super::{Active, Effect, Engine, Timer};
use crate::config::Webhook;
use crate::limiter::Ticket;
use crate::model::{
    ActiveState, Address, Answered, Change, DetailsVersion, EventAnswer, EventDetails, Mono, Now,
    Outcome, Phase, Reason, Run, RunId, Setback, Summary, TriggerAnswer, WebhookVersion,
};
use crate::polling::{self, Memory, Pace, Sighting};
use crate::run::{self, Reading, Sight};

/// The first gap between attempts at a server that can't be reached, and the longest: short enough
/// that a server which comes back before `start_deadline` is met.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// How much longer a run is kept open past its deadline while nothing can be read.
const GRACE: Duration = Duration::from_hours(1);

/// What a look at an event or an execution came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Harness said how it stands.
    told: bool,
    /// Harness said to slow down.
    throttled: bool,
}

impl Look {
    pub(super) const TOLD: Self = Self { told: true, throttled: false };
    pub(super) const UNTOLD: Self = Self { told: false, throttled: false };
    pub(super) const THROTTLED: Self = Self { told: false, throttled: true };
}

/// What the trigger comes to where this setback was the last.
fn verdict(setback: Setback) -> (Outcome, Reason) {
    match setback {
        Setback::Throttled => (Outcome::Rejected, Reason::RateLimited),
        Setback::NeverLeft => (Outcome::Unreachable, Reason::Unreachable),
        Setback::NotSent => NOT_SENT,
        Setback::UnknownPath => (Outcome::Rejected, Reason::Rejected),
    }
}

impl Engine {
    pub(super) fn triggered(&mut self, id: &RunId, answered: Answered<TriggerAnswer>, now: Now) {
        let Some(active) = self.runs.get_mut(id) else { return };
        let Some(Call::Trigger(ticket)) = active.call.take() else { return };
        let retry_after = match &answered.answer {
            TriggerAnswer::Throttled { retry_after } => *retry_after,
            _ => None,
        };
        self.settle_call(id, ticket, &answered, retry_after, now);
        match answered.answer {
            TriggerAnswer::Accepted(event) => {
                self.webhook_works(id);
                let Some(active) = self.runs.get_mut(id) else { return };
                active.accepted_at = now.mono;
                let change = run::accepted(&mut active.run, event, now);
                let first = active.sent_at.after(active.rules.polling.first);
                let run = Arc::new(active.run.clone());
                self.read_at(id, first);
                self.record(change, run, None);
            }
            TriggerAnswer::Refused { reason, message } => {
                if reason == Reason::Rejected {
                    self.doubt_route(id);
                }
                self.fail(id, (Outcome::Rejected, reason), Some(message), now);
            }
            TriggerAnswer::UnknownPath { message } => {
                if self.turn_to_v2(id) {
                    self.set_back(id, Setback::UnknownPath, Some(message), now);
                } else {
                    self.doubt_route(id);
                    self.fail(id, (Outcome::Rejected, Reason::Rejected), Some(message), now);
                }
            }
            TriggerAnswer::Throttled { .. } => self.set_back(id, Setback::Throttled, None, now),
            TriggerAnswer::NeverLeft { message } => {
                self.set_back(id, Setback::NeverLeft, Some(message), now);
            }
            TriggerAnswer::NotSent { message } => {
                self.set_back(id, Setback::NotSent, Some(message), now);
            }
            TriggerAnswer::Unknown { reason, message } => {
                self.doubt(id, reason, Some(message), now);
            }
        }
    }

    fn webhook_works(&mut self, id: &RunId) {
        let Some(active) = self.runs.get(id) else { return };
        let auto = active.config.as_ref().is_some_and(|c| matches!(c.webhook, Webhook::Auto));
        let Address::Version(version) = active.address else { return };
        if let Some(account) = self.accounts.get_mut(&active.run.account).filter(|_| auto) {
            account.webhook.works(version);
        }
    }

    /// Whether v2 is worth a try for this run: under `webhook: auto`, where it was sent to v1.
    fn turn_to_v2(&mut self, id: &RunId) -> bool {
        let Some(active) = self.runs.get_mut(id) else { return false };
        if !active.config.as_ref().is_some_and(|c| matches!(c.webhook, Webhook::Auto)) {
            return false;
        }
        let Some(account) = self.accounts.get_mut(&active.run.account) else { return false };
        let Address::Version(version) = active.address else { return false };
        if version != WebhookVersion::V1 {
            // Where v2 is not known either, the next run begins with v1 again.
            account.webhook.fails(WebhookVersion::V2, WebhookVersion::V1);
            return false;
        }
        account.webhook.fails(WebhookVersion::V1, WebhookVersion::V2);
        account.webhook.next() == WebhookVersion::V2
    }

    /// A call is over: what it means for the account.
    pub(super) fn settle_call<T>(
        &mut self,
        id: &RunId,
        ticket: Ticket,
        answered: &Answered<T>,
        retry_after: Option<Duration>,
        now: Now,
    ) {
        let Some(active) = self.runs.get(id) else { return };
        if let Some(account) = self.accounts.get_mut(&active.run.account) {
            account.settle(ticket, answered, retry_after, now);
        }
    }

    /// The attempt certainly started nothing: another follows, unless it is too late for one.
    fn set_back(&mut self, id: &RunId, setback: Setback, message: Option<String>, now: Now) {
        let Some(active) = self.runs.get_mut(id) else { return };
        active.run.setback = Some(setback);
        let retry = FIRST_RETRY.saturating_mul(1 << active.attempts.min(8)).min(LONGEST_RETRY);
        active.attempts = active.attempts.saturating_add(1);
        if now.mono >= active.start_deadline {
            return self.fail(id, verdict(setback), message, now);
        }
        active.run.phase = Phase::Waiting;
        active.run.message = message;
        let run = Arc::new(active.run.clone());
        let deadline = active.start_deadline;
        // A paused limiter holds back what was throttled; a further wait would only add to it.
        let again = match setback {
            Setback::NeverLeft | Setback::NotSent => now.mono.after(retry),
            Setback::Throttled | Setback::UnknownPath => now.mono,
        };
        self.timers.insert((again, Timer::Resend(id.clone())));
        self.timers.insert((deadline, Timer::StartDeadline(id.clone())));
        self.record(Change::Waiting, run, None);
    }

    /// A run has not been sent, or not with any effect, for as long as it may.
    pub(super) fn start_deadline(&mut self, id: &RunId, now: Now) {
        let Some(active) = self.runs.get(id) else { return };
        let verdict = match (active.run.phase, active.run.setback) {
            (Phase::Due | Phase::Waiting, None) => NOT_SENT,
            (Phase::Waiting, Some(setback)) => verdict(setback),
            // Under way or accepted: its answer decides.
            _ => return,
        };
        let message = active.run.message.clone();
        self.fail(id, verdict, message, now);
    }

    pub(super) fn fail(
        &mut self,
        id: &RunId,
        (outcome, reason): (Outcome, Reason),
        message: Option<String>,
        now: Now,
    ) {
        let Some(active) = self.runs.get_mut(id) else { return };
        active.run.message = message.or_else(|| active.run.message.take());
        let change = run::trigger_failed(&mut active.run, outcome, reason, now);
        let run = Arc::new(active.run.clone());
        self.record(change, run, None);
        self.retire(id);
    }

    pub(super) fn event_read(&mut self, id: &RunId, answered: Answered<EventAnswer>, now: Now) {
        let Some(active) = self.runs.get_mut(id) else { return };
        let Some(Call::Read(ticket, version)) = active.call.take() else { return };
        let retry_after = match &answered.answer {
            EventAnswer::Throttled { retry_after } => *retry_after,
            _ => None,
        };
        self.settle_call(id, ticket, &answered, retry_after, now);
        let throttled = answered.code == Some(THROTTLED);
        let told = match answered.answer {
            EventAnswer::Details(details) => {
                self.details_work(id, version);
                self.take_reading(id, &details, now);
                true
            }
            EventAnswer::NoHistory => {
                self.details_work(id, version);
                if self.turn_to_execution(id, now) {
                    return;
                }
                // Of an execution that is known it says nothing: the event has aged out.
                self.runs.get(id).is_some_and(|active| active.run.phase == Phase::Accepted)
            }
            EventAnswer::UnknownPath => {
                if self.details_fail(id, version) {
                    return self.read_at_once(id, now);
                }
                false
            }
            EventAnswer::Throttled { .. } => false,
            EventAnswer::Failed { .. } => {
                if answered.code.is_some() {
                    self.details_fail(id, version);
                }
                false
            }
        };
        self.look_again(id, Look { told, throttled }, now);
    }

    fn details_work(&mut self, id: &RunId, version: DetailsVersion) {
        let Some(active) = self.runs.get(id) else { return };
        if let Some(account) = self.accounts.get_mut(&active.run.account) {
            account.details.works(version);
        }
    }

    /// Whether the other endpoint is to be tried at once: v2 is not there, and v1 may be.
    fn details_fail(&mut self, id: &RunId, version: DetailsVersion) -> bool {
        let Some(active) = self.runs.get(id) else { return false };
        let Some(account) = self.accounts.get_mut(&active.run.account) else { return false };
        let other = match version {
            DetailsVersion::V1 => DetailsVersion::V2,
            DetailsVersion::V2 => DetailsVersion::V1,
        };
        account.details.fails(version, other);
        version == DetailsVersion::V2 && account.details.next() == DetailsVersion::V1
    }

    pub(super) fn read_at_once(&mut self, id: &RunId, now: Now) {
        self.read_at(id, now.mono);
    }

    /// Sets the time of the next look at a run alone.
    pub(super) fn read_at(&mut self, id: &RunId, at: Mono) {
        let Some(active) = self.runs.get_mut(id) else { return };
        if let Some(earlier) = active.look_at.replace(at) {
            self.timers.remove(&(earlier, Timer::Read(id.clone())));
        }
        self.timers.insert((at, Timer::Read(id.clone())));
    }

    fn take_reading(&mut self, id: &RunId, details: &EventDetails, now: Now) {
        self.take_in(id, now, |run, sight| run::read(run, details, sight));
    }

    /// Takes in how the execution of a run stands.
    pub(super) fn take_summary(&mut self, id: &RunId, summary: &Summary, now: Now) {
        self.take_in(id, now, |run, sight| run::read_summary(run, summary, sight));
    }

    fn take_in(&mut self, id: &RunId, now: Now, read: impl FnOnce(&mut Run, &Sight) -> Reading) {
        let Some(active) = self.runs.get_mut(id) else { return };
        let skew = self.accounts.get(&active.run.account).and_then(|account| account.skew);
        let (since_sent, results) = (active.since_sent(now.mono), self.results);
        let sight = Sight { now, since_sent, skew, results };
        let reading = read(&mut active.run, &sight);
        let start = active.run.start.map(|start| now.mono_of(start));
        active.started_at = active.started_at.or(start);
        if let Some(took) = active.run.duration {
            self.memories.entry(active.run.pipeline.clone()).or_default().note([took]);
        }
        for (change, run) in reading.changes {
            self.record(change, run, None);
        }
        for word in reading.unknown {
            self.effects.push(Effect::UnknownWord { run: id.clone(), word });
        }
    }

    /// After a look: over, too late, or when to look again. A deadline ends a run only by an answer
    /// that tells how it stands, until the grace has passed too.
    pub(super) fn look_again(&mut self, id: &RunId, look: Look, now: Now) {
        let Some(active) = self.runs.get(id) else { return };
        if !active.run.is_active() {
            return self.retire(id);
        }
        let limit = match active.run.phase {
            Phase::Executing => active.rules.run_deadline,
            _ => active.rules.queue_deadline,
        };
        let deadline = active.accepted_at.after(limit);
        let ends = if look.told { deadline } else { deadline.after(GRACE) };
        if now.mono >= ends {
            return self.give_up(id, now);
        }
        let (gap, turn) = if look.throttled { Default::default() } else { self.gap(active, now) };
        let left = deadline.since(now.mono);
        let within = |wait: Duration| if left.is_zero() { wait } else { wait.min(left) };
        let (gap, turn) = (within(gap), within(turn));
        if let Some(active) = self.runs.get_mut(id) {
            (active.looked_at, active.gap, active.turn) = (now.mono, gap, turn);
        }
        if !self.join(id) {
            self.read_at(id, now.mono.after(gap));
        }
    }

    /// How long to wait with the next look at a run, and how long where calls are scarce.
    fn gap(&self, active: &Active, now: Now) -> (Duration, Duration) {
        let sighting = Sighting {
            since_sent: active.since_sent(now.mono),
            at_work: active.started_at.map(|start| now.mono.since(start)),
            learned: self.memories.get(&active.run.pipeline).and_then(Memory::learned),
            pace: pace(active, now),
        };
        let polling = &active.rules.polling;
        let gap = polling::gap(polling, &sighting);
        (gap, polling::turn(polling, &sighting, gap))
    }

    pub(super) fn give_up(&mut self, id: &RunId, now: Now) {
        let Some(active) = self.runs.get_mut(id) else { return };
        if active.run.phase != Phase::Executing {
            return self.fail(id, (Outcome::Lost, Reason::Deadline), None, now);
        }
        let change = run::lost(&mut active.run, now);
        let run = Arc::new(active.run.clone());
        self.record(change, run, None);
        self.retire(id);
    }
}

fn pace(active: &Active, now: Now) -> Pace {
    let unresolved = active.run.phase != Phase::Executing;
    let long = now.mono.since(active.accepted_at) > polling::PATIENCE_AFTER;
    if active.run.active_state() == ActiveState::WaitingPerson || (unresolved && long) {
        Pace::Patient
    } else {
        Pace::Usual
    }
}
