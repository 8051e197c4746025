//! Which executions belong to our other runs, as far as that is known: those under way and those that
//! are over. What is claimed here is never taken for the execution of a run of unknown fate.

use std::collections::VecDeque;
use std::time::Duration;

use super::adoption::{TOLERANCE, wall_of, window};
use super::matching::Sought;
use super::{Active, Engine};
use crate::model::{
    AccountName, EventId, ExecutionId, ListedExecution, Mono, Now, Outcome, Phase, RunId, Target,
    Wall,
};

/// For how long after `unconfirmed_deadline` what an ended run had is remembered: longer than any
/// call takes, and any last look.
const REMEMBERED: Duration = Duration::from_hours(1);

/// What runs that are over have had, as long as it may be met in a list.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Since when, once that is known.
    ended: VecDeque<(Option<Mono>, Claim)>,
}

#[derive(Debug)]
struct Claim {
    event: Option<EventId>,
    execution: Option<ExecutionId>,
    /// One whose execution was never known may be the owner of what is found later.
    unfound: Option<Unfound>,
}

/// A run that ended while it was not known whether it has an execution: it was of unknown fate, or
/// its event was never resolved.
#[derive(Debug)]
pub(super) struct Unfound {
    pub(super) outcome: Outcome,
    run: RunId,
    account: AccountName,
    target: Target,
    sent_at: Mono,
    unconfirmed_deadline: Duration,
}

impl Claims {
    pub(super) fn unfound(
        &self,
        account: &AccountName,
        target: &Target,
    ) -> impl Iterator<Item = &Unfound> {
        let unfound = self.ended.iter().filter_map(|(_, claim)| claim.unfound.as_ref());
        unfound.filter(move |one| one.account == *account && one.target == *target)
    }

    /// Takes note of the time, and forgets what is too old.
    pub(super) fn pass(&mut self, now: Mono, longest_deadline: impl FnOnce() -> Duration) {
        for (since, _) in self.ended.iter_mut().rev().take_while(|(since, _)| since.is_none()) {
            *since = Some(now);
        }
        let old = |after: Duration, (since, _): &(Option<Mono>, Claim)| {
            since.is_some_and(|since| since.after(after) < now)
        };
        if !self.ended.front().is_some_and(|first| old(REMEMBERED, first)) {
            return;
        }
        let after = REMEMBERED.saturating_add(longest_deadline());
        while self.ended.front().is_some_and(|first| old(after, first)) {
            self.ended.pop_front();
        }
    }
}

impl Engine {
    /// Whether an execution is known to belong to another of our runs.
    pub(super) fn is_claimed(&self, one: &ListedExecution) -> bool {
        let same = |event: Option<&EventId>, execution: Option<&ExecutionId>| {
            execution == Some(&one.id) || (event.is_some() && event == one.event.as_ref())
        };
        let active = self.runs.values().map(|active| &active.run);
        active.into_iter().any(|run| same(run.event.as_ref(), run.execution.as_ref()))
            || self
                .claims
                .ended
                .iter()
                .any(|(_, claim)| same(claim.event.as_ref(), claim.execution.as_ref()))
    }

    /// Whether an execution may belong to another of our runs of which that will be known: one whose
    /// webhook has not been answered, or whose event this list does not tell.
    pub(super) fn may_be_anothers(
        &self,
        one: &ListedExecution,
        start: Wall,
        (account, target): (&AccountName, &Target),
        now: Now,
    ) -> bool {
        let sent_before = |sent_at: Mono| wall_of(sent_at, now).before(TOLERANCE) <= start;
        let mut lost = self.claims.unfound(account, target);
        let is_lost = |one: &Unfound| one.outcome == Outcome::Lost && sent_before(one.sent_at);
        if one.event.is_none() && lost.any(is_lost) {
            return true;
        }
        self.runs.values().any(|other| {
            let open = match other.run.phase {
                Phase::Sending => true,
                Phase::Accepted => one.event.is_none(),
                _ => false,
            };
            open && other.run.account == *account
                && other.target().as_ref() == Some(target)
                && sent_before(other.sent_at)
        })
    }

    /// Remembers what a run has had that is over.
    pub(super) fn remember(&mut self, active: &Active) {
        let run = &active.run;
        let is_unfound =
            run.execution.is_none() && matches!(run.outcome, Outcome::Unconfirmed | Outcome::Lost);
        let unfound = active.target().filter(|_| is_unfound).map(|target| Unfound {
            outcome: run.outcome,
            run: run.id.clone(),
            account: run.account.clone(),
            target,
            sent_at: active.sent_at,
            unconfirmed_deadline: active.rules.unconfirmed_deadline,
        });
        if run.event.is_none() && run.execution.is_none() && unfound.is_none() {
            return;
        }
        let claim = Claim { event: run.event.clone(), execution: run.execution.clone(), unfound };
        self.claims.ended.push_back((None, claim));
    }
}

impl Unfound {
    pub(super) fn sought(&self, now: Now) -> Sought {
        let sought = window(&self.run, wall_of(self.sent_at, now), self.unconfirmed_deadline);
        Sought { is_over: true, ..sought }
    }
}
