//! Which executions belong to our other runs, as far as that is known: those under way and those that
//! are over. What is claimed here is never taken for the execution of a run of unknown fate.

use std::collections::{HashSet, VecDeque};
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
    /// The longest `unconfirmed_deadline` of a run that has ended or is looked for.
    longest_deadline: Duration,
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

/// What is known to belong to our runs, at one moment.
#[derive(Debug, Default)]
pub(super) struct Claimed<'a> {
    events: HashSet<&'a EventId>,
    executions: HashSet<&'a ExecutionId>,
}

impl Claimed<'_> {
    /// Whether this is one of them.
    pub(super) fn has(&self, one: &ListedExecution) -> bool {
        self.executions.contains(&one.id)
            || one.event.as_ref().is_some_and(|event| self.events.contains(event))
    }
}

/// A run of which it is not known yet what it owns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Undecided {
    since: Wall,
    /// Whether a list that tells events tells this one apart.
    has_event: bool,
}

impl Undecided {
    /// Whether this one, which started then, may be its own.
    pub(super) fn may_own(self, one: &ListedExecution, start: Wall) -> bool {
        self.since <= start && !(self.has_event && one.event.is_some())
    }
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

    /// A run may be looked for as long as this.
    pub(super) fn allow_for(&mut self, unconfirmed_deadline: Duration) {
        self.longest_deadline = self.longest_deadline.max(unconfirmed_deadline);
    }

    /// Takes note of the time, and forgets what is too old.
    pub(super) fn pass(&mut self, now: Mono) {
        for (since, _) in self.ended.iter_mut().rev().take_while(|(since, _)| since.is_none()) {
            *since = Some(now);
        }
        let after = REMEMBERED.saturating_add(self.longest_deadline);
        while let Some((Some(since), _)) = self.ended.front()
            && since.after(after) < now
        {
            self.ended.pop_front();
        }
    }
}

impl Engine {
    /// What is known to belong to our runs.
    pub(super) fn claimed(&self) -> Claimed<'_> {
        let active = self.runs.values().map(|active| &active.run);
        let active = active.map(|run| (run.event.as_ref(), run.execution.as_ref()));
        let ended = self.claims.ended.iter();
        let ended = ended.map(|(_, claim)| (claim.event.as_ref(), claim.execution.as_ref()));
        let mut claimed = Claimed::default();
        for (event, execution) in active.chain(ended) {
            claimed.events.extend(event);
            claimed.executions.extend(execution);
        }
        claimed
    }

    /// Our runs of a trigger of which it will be known later what they own, or never will: those
    /// whose webhook has not been answered, and those whose event a list may not tell.
    pub(super) fn undecided(
        &self,
        account: &AccountName,
        target: &Target,
        now: Now,
    ) -> Vec<Undecided> {
        let since = |sent_at: Mono| wall_of(sent_at, now).before(TOLERANCE);
        let lost = self.claims.unfound(account, target);
        let lost = lost.filter(|one| one.outcome == Outcome::Lost);
        let lost = lost.map(|one| Undecided { since: since(one.sent_at), has_event: true });
        let open = self.runs.values().filter_map(|other| {
            let has_event = match other.run.phase {
                Phase::Sending => false,
                Phase::Accepted => true,
                _ => return None,
            };
            let same = other.run.account == *account && other.target().as_ref() == Some(target);
            same.then(|| Undecided { since: since(other.sent_at), has_event })
        });
        lost.chain(open).collect()
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
        self.claims.allow_for(active.rules.unconfirmed_deadline);
        self.claims.ended.push_back((None, claim));
    }
}

impl Unfound {
    pub(super) fn sought(&self, now: Now) -> Sought {
        let sought = window(&self.run, wall_of(self.sent_at, now), self.unconfirmed_deadline);
        Sought { is_over: true, ..sought }
    }
}
