//! Runs of unknown fate: whether Harness has started an execution for them, and which.
//!
//! Such a run is never sent again. Where the account has a key, its execution is looked for among
//! those that its trigger has started since, until `unconfirmed_deadline`; the run holds `forbid`
//! meanwhile. It is taken only where it is certain: never two executions for one run, nor one for
//! two. What belongs to another of our runs, or may, is none of its own; where the rest can be
//! understood in more than one way, nothing is guessed and the run ends as a failed trigger.
//!
//! [`Search`] is one run's looking, over several pages; [`Claims`] remembers what ended runs have
//! had; [`matching`](super::matching) decides.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::account::AccountState;
use super::calls::Call;
use super::matching::{self, Candidate, Sought};
use super::{Active, Effect, Engine, ListExecutions, Purpose, Timer};
use crate::config::Pipeline;
use crate::limiter::Ticket;
use crate::model::{
    AccountName, Answered, ExecutionFilter, ExecutionsAnswer, ExecutionsPage, ExecutionsQuery,
    ListedExecution, Mono, Now, Outcome, Phase, Reason, RunId, Summary, Target, Wall,
};
use crate::run;

/// By how much an execution may seem to have started before its webhook: clocks that differ by up to
/// 2 s are taken as equal, and Harness' `Date` has whole seconds.
pub(super) const TOLERANCE: Duration = Duration::from_secs(5);

/// How much more is asked for than is wanted, as long as the clocks' difference is not known well.
pub(super) const MARGIN: Duration = Duration::from_mins(1);

/// For how long after its deadline a last look is tried again.
const LAST_LOOKS: Duration = Duration::from_mins(1);

/// The longest gap between last looks.
const LAST_GAP: Duration = Duration::from_secs(5);

/// The most pages that a look has: so many executions of one trigger in so short a time leave
/// nothing certain anyway.
pub(super) const MOST_PAGES: u32 = 10;

/// How many executions are asked for at once.
pub(super) const PAGE: u32 = 100;

/// The custom webhook's `triggerType`.
const WEBHOOK: &str = "WEBHOOKCUSTOM";

/// How far the looking for one run's execution has come.
#[derive(Clone, Debug)]
pub(super) struct Search {
    /// The next page of this look.
    page: u32,
    size: u32,
    found: Vec<ListedExecution>,
    /// How many looks there have been, whether they said anything or not.
    looks: u32,
    /// How far Harness' clock was held to be ahead when this page was asked for.
    ahead: i64,
    /// Whether this look was begun when the deadline had passed, so that it is the last.
    is_last: bool,
}

impl Default for Search {
    fn default() -> Self {
        Self { page: 0, size: PAGE, found: Vec::new(), looks: 0, ahead: 0, is_last: false }
    }
}

impl Search {
    fn begin_again(&mut self) {
        self.page = 0;
        self.found.clear();
    }
}

impl Engine {
    /// Nobody knows whether Harness acted. With a key that is found out, without one it never is.
    pub(super) fn doubt(&mut self, id: &RunId, reason: Reason, message: Option<String>, now: Now) {
        let Some(active) = self.runs.get_mut(id) else { return };
        let has_key = self.accounts.get(&active.run.account).is_some_and(AccountState::has_key);
        let Some(target) = active.target().filter(|_| has_key) else {
            return self.fail(id, (Outcome::Unconfirmed, reason), message, now);
        };
        active.run.message = message.or_else(|| active.run.message.take());
        let change = run::unconfirmed(&mut active.run, reason, target);
        let run = Arc::new(active.run.clone());
        self.record(change, run, None);
        self.search_from(id, now);
    }

    /// Begins to look for the execution of a run of unknown fate.
    fn search_from(&mut self, id: &RunId, now: Now) {
        let Some(active) = self.runs.get_mut(id) else { return };
        active.search = Search::default();
        self.claims.allow_for(active.rules.unconfirmed_deadline);
        let first = active.sent_at.after(active.rules.polling.first).max(now.mono);
        let deadline = active.search_deadline().max(now.mono);
        self.read_at(id, first.min(deadline));
        // Whoever comes too late has one look all the same.
        let over = deadline.after(LAST_LOOKS);
        self.timers.insert((over, Timer::SearchEnds(id.clone())));
    }

    /// After a restart the looking goes on, unless the key is gone.
    pub(super) fn go_on_searching(&mut self, id: &RunId, now: Now) {
        let Some(active) = self.runs.get(id) else { return };
        let has_key = self.accounts.get(&active.run.account).is_some_and(AccountState::has_key);
        if has_key { self.search_from(id, now) } else { self.not_found(id, now) }
    }

    /// A run has been looked for as long as it may, though nothing could be read in the end.
    pub(super) fn search_ends(&mut self, id: &RunId, now: Now) {
        let Some(active) = self.runs.get(id) else { return };
        // A call under way decides when it is answered.
        if active.run.phase != Phase::Unconfirmed || active.call.is_some() {
            return;
        }
        let over = active.search_over();
        if over > now.mono {
            // An edit of the config has put the deadline off.
            self.timers.insert((over, Timer::SearchEnds(id.clone())));
        } else {
            self.not_found(id, now);
        }
    }

    fn not_found(&mut self, id: &RunId, now: Now) {
        let Some(active) = self.runs.get(id) else { return };
        let reason = active.run.doubt.unwrap_or(Reason::Unconfirmed);
        self.fail(id, (Outcome::Unconfirmed, reason), None, now);
    }

    /// Looks through the next page of the executions of a run's trigger.
    pub(super) fn search(&mut self, id: &RunId, waited: Duration, now: Now) {
        let Some((account, target, _)) = self.runs.get(id).and_then(|a| a.sought(now)) else {
            return;
        };
        if !self.accounts.get(&account).is_some_and(AccountState::has_key) {
            // An edit of the config has taken the key away.
            return self.not_found(id, now);
        }
        let all = self.sought_with(&account, &target, now);
        let from = all.iter().map(|sought| sought.from).min().unwrap_or(now.wall);
        let until = all.iter().map(|sought| sought.until).max().unwrap_or(now.wall);
        let Some(active) = self.runs.get_mut(id) else { return };
        let Some(state) = self.accounts.get_mut(&account) else { return };
        if active.search.page == 0 {
            active.search.is_last = now.mono >= active.search_deadline();
        }
        let ahead = run::correction(state.skew);
        active.search.ahead = ahead;
        let filter = if state.filters_by_trigger {
            ExecutionFilter::started([from, until], vec![target.trigger], ahead, MARGIN)
        } else {
            ExecutionFilter::Pipeline(target.pipeline)
        };
        let (page, size) = (active.search.page, active.search.size);
        let query =
            ExecutionsQuery { org: target.org, project: target.project, filter, page, size };
        active.call = Some(Call::Search(state.take(now.mono)));
        let purpose = Purpose::Search(id.clone());
        self.effects.push(Effect::ListExecutions(ListExecutions {
            account,
            purpose,
            query,
            waited,
        }));
    }

    pub(super) fn searched(&mut self, id: &RunId, answered: Answered<ExecutionsAnswer>, now: Now) {
        let Some(active) = self.runs.get_mut(id) else { return };
        let Some(Call::Search(ticket)) = active.call.take() else { return };
        let by_trigger =
            self.accounts.get(&active.run.account).is_some_and(|a| a.filters_by_trigger);
        self.settle_search(id, ticket, &answered, now);
        let Some(active) = self.runs.get_mut(id) else { return };
        match answered.answer {
            ExecutionsAnswer::Page(page) => return self.take_page(id, *page, now),
            ExecutionsAnswer::TooLarge if active.search.size > 1 => {
                active.search.size /= 2;
                active.search.begin_again();
                return self.read_at_once(id, now);
            }
            ExecutionsAnswer::Refused(refusal) if refusal.status == 400 && by_trigger => {
                active.search.begin_again();
                if let Some(account) = self.accounts.get_mut(&active.run.account) {
                    account.filters_by_trigger = false;
                }
                return self.read_at_once(id, now);
            }
            ExecutionsAnswer::Throttled { .. } if now.mono < active.search_over() => {
                return self.read_at_once(id, now);
            }
            _ => {}
        }
        self.failed_look(id, now);
    }

    /// A look that says nothing is repeated, unless it is too late even for that.
    fn failed_look(&mut self, id: &RunId, now: Now) {
        let Some(active) = self.runs.get_mut(id) else { return };
        active.search.looks = active.search.looks.saturating_add(1);
        self.look_anew(id, now);
    }

    fn look_anew(&mut self, id: &RunId, now: Now) {
        let Some(active) = self.runs.get_mut(id) else { return };
        active.search.begin_again();
        if now.mono >= active.search_over() {
            return self.not_found(id, now);
        }
        self.search_again(id, now);
    }

    fn settle_search(
        &mut self,
        id: &RunId,
        ticket: Ticket,
        answered: &Answered<ExecutionsAnswer>,
        now: Now,
    ) {
        let retry_after = match &answered.answer {
            ExecutionsAnswer::Throttled { retry_after } => *retry_after,
            _ => None,
        };
        self.settle_call(id, ticket, answered, retry_after, now);
    }

    fn take_page(&mut self, id: &RunId, page: ExecutionsPage, now: Now) {
        let Some((account, target, _)) = self.runs.get(id).and_then(|a| a.sought(now)) else {
            return;
        };
        let all = self.sought_with(&account, &target, now);
        let ahead = self.ahead(&account);
        let Some(active) = self.runs.get_mut(id) else { return };
        let search = &mut active.search;
        let off = Duration::from_millis(ahead.abs_diff(search.ahead));
        if off > MARGIN {
            // It was the wrong span of time that was asked for, so something may be missing.
            return self.look_anew(id, now);
        }
        let earliest = all.iter().map(|sought| sought.from).min().unwrap_or_default();
        let started = |one: &ListedExecution| started(one, ahead);
        // The newest come first, so that what follows an older one is older still.
        let beyond = page.executions.iter().filter_map(started).any(|start| start < earliest);
        let whole = page.last || beyond;
        search.found.extend(page.executions);
        search.page += 1;
        if !whole && search.page < MOST_PAGES {
            return self.read_at_once(id, now);
        }
        let found = std::mem::take(&mut search.found);
        let is_last = search.is_last;
        search.page = 0;
        search.looks = search.looks.saturating_add(1);
        let its_own = if whole { self.its_own(id, &found, now) } else { None };
        match its_own {
            Some(summary) => self.adopt(id, &summary, now),
            None if is_last => self.not_found(id, now),
            None => self.search_again(id, now),
        }
    }

    /// Which of what was found is the execution of this run, where that is certain.
    fn its_own(&self, id: &RunId, found: &[ListedExecution], now: Now) -> Option<Summary> {
        let active = self.runs.get(id)?;
        let (account, target, own) = active.sought(now)?;
        let ahead = self.ahead(&account);
        let claimed = self.claimed();
        let undecided = self.undecided(&account, &target, now);
        let mut seen = HashSet::new();
        let theirs = found.iter().filter(|one| is_of(one, &target) && !claimed.has(one));
        let candidates: Vec<Candidate<'_>> = theirs
            .filter(|one| seen.insert(&one.id))
            .filter_map(|one| {
                let start = started(one, ahead)?;
                let contested = undecided.iter().any(|other| other.may_own(one, start));
                Some(Candidate { execution: &one.id, start, contested })
            })
            .collect();
        let mut rivals = self.sought_with(&account, &target, now);
        rivals.retain(|sought| sought.run != own.run);
        let execution = if active.search.is_last {
            matching::at_the_deadline(&own, &rivals, &candidates)
        } else {
            matching::before_the_deadline(&own, &rivals, &candidates)
        }?;
        let listed = found.iter().find(|one| one.id == *execution)?;
        Some(Summary { execution: Some(listed.id.clone()), ..listed.summary.clone() })
    }

    fn adopt(&mut self, id: &RunId, summary: &Summary, now: Now) {
        let Some(active) = self.runs.get_mut(id) else { return };
        let Some(execution) = summary.execution.clone() else { return };
        let change = run::adopted(&mut active.run, execution, now);
        active.accepted_at = active.sent_at;
        let run = Arc::new(active.run.clone());
        self.record(change, run, None);
        self.take_summary(id, summary, now);
        self.look_again(id, super::answers::Look::TOLD, now);
    }

    /// The gaps double, so that a run is found soon, and little is asked where there is none.
    fn search_again(&mut self, id: &RunId, now: Now) {
        let Some(active) = self.runs.get(id) else { return };
        let polling = &active.rules.polling;
        let doubled = polling.min.saturating_mul(1 << active.search.looks.min(16));
        let gap = doubled.min(polling.max.max(polling.min));
        let deadline = active.search_deadline();
        let at = if now.mono < deadline {
            now.mono.after(gap).min(deadline)
        } else {
            now.mono.after(gap.min(LAST_GAP).max(polling.min))
        };
        self.read_at(id, at);
    }

    pub(super) fn ahead(&self, account: &AccountName) -> i64 {
        run::correction(self.accounts.get(account).and_then(|account| account.skew))
    }

    /// The runs of unknown fate of a trigger, those that have ended without being found included.
    pub(super) fn sought_with(
        &self,
        account: &AccountName,
        target: &Target,
        now: Now,
    ) -> Vec<Sought> {
        let active = self.runs.values().filter_map(|active| active.sought(now));
        let active = active.filter(|(of, at, _)| of == account && at == target);
        let ended = self.claims.unfound(account, target);
        let ended = ended.filter(|unfound| unfound.outcome == Outcome::Unconfirmed);
        active
            .map(|(_, _, sought)| sought)
            .chain(ended.map(|unfound| unfound.sought(now)))
            .collect()
    }
}

impl Active {
    /// What it triggered, in Harness' identifiers; none where nobody knows that any more.
    pub(super) fn target(&self) -> Option<Target> {
        self.run.target.clone().or_else(|| self.config.as_deref().map(Pipeline::target))
    }

    /// Until when its execution is looked for.
    fn search_deadline(&self) -> Mono {
        self.sent_at.after(self.rules.unconfirmed_deadline)
    }

    /// When looking for it is over even if nothing can be read.
    fn search_over(&self) -> Mono {
        self.search_deadline().after(LAST_LOOKS)
    }

    /// In what span of time its execution has started, by our clock.
    fn window(&self, now: Now) -> Sought {
        window(&self.run.id, wall_of(self.sent_at, now), self.rules.unconfirmed_deadline)
    }

    fn sought(&self, now: Now) -> Option<(AccountName, Target, Sought)> {
        let is_sought = self.run.phase == Phase::Unconfirmed;
        let target = self.run.target.as_ref().filter(|_| is_sought)?.clone();
        Some((self.run.account.clone(), target, self.window(now)))
    }
}

/// An instant by the wall clock as it goes now: it may have been set since.
pub(super) fn wall_of(instant: Mono, now: Now) -> Wall {
    now.wall.before(now.mono.since(instant))
}

pub(super) fn window(run: &RunId, sent: Wall, unconfirmed_deadline: Duration) -> Sought {
    Sought {
        run: run.clone(),
        from: sent.before(TOLERANCE),
        until: sent.after(unconfirmed_deadline),
        is_over: false,
    }
}

/// Whether an execution was started by this trigger's webhook.
pub(super) fn is_of(one: &ListedExecution, target: &Target) -> bool {
    let same =
        |found: &Option<String>, wanted: &str| found.as_deref().is_none_or(|it| it == wanted);
    let kind: String = one.trigger_type.chars().filter(char::is_ascii_alphanumeric).collect();
    one.trigger.as_deref() == Some(&target.trigger)
        && one.pipeline == target.pipeline
        && same(&one.org, &target.org)
        && same(&one.project, &target.project)
        && kind.eq_ignore_ascii_case(WEBHOOK)
}

/// When an execution started, by our clock; one that is queued has only been made.
pub(super) fn started(one: &ListedExecution, ahead: i64) -> Option<Wall> {
    let theirs = one.summary.start.or(one.created)?;
    Some(Wall(theirs.0.saturating_sub(ahead)))
}
