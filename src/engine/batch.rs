//! Executions that are read together: one call for all of a project's that are at work.
//!
//! It takes a key, and a Harness that lists executions by their ids. Where one does not (versions
//! before 2026 refuse the filter or pass over it), those that our triggers have started are listed
//! instead, and where that is refused too, runs are read one by one; what was found out holds for
//! the account. A list is never proof that an execution is gone: what is missing in it is read by
//! itself from then on.
//!
//! When a call is due is said by [`together`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::account::AccountState;
use super::answers::Look;
use super::{Active, Effect, Engine, ListExecutions, Purpose, Timer};
use crate::config::Pipeline;
use crate::limiter::Ticket;
use crate::model::{
    AccountName, Answered, ExecutionFilter, ExecutionId, ExecutionsAnswer, ExecutionsPage,
    ExecutionsQuery, Mono, Now, Phase, RunId, Wall,
};
use crate::polling::together::{self, Left};

/// How many executions are asked for at once.
const LARGEST: usize = 100;

/// The most pages that are read where all executions of our triggers are listed: what is not on
/// them is cheaper to read by itself.
const MOST_PAGES: u32 = 3;

/// How much earlier than by our clock, and later, what is listed may have started.
const MARGIN: Duration = Duration::from_mins(5);

/// A project of an account, whose executions are listed by one call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Project {
    /// With whose key.
    pub account: AccountName,
    /// Harness' organization identifier.
    pub org: String,
    /// Harness' project identifier.
    pub project: String,
}

/// How an account's Harness lists executions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listing {
    /// By their ids.
    Ids,
    /// By the triggers that started them.
    Triggers,
    /// Not at all, or not to this key.
    Not,
}

/// What is known of the lists of an account's Harness.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lists {
    pub(super) listing: Listing,
    /// How many executions make an answer that is not too large.
    pub(super) size: usize,
}

impl Default for Lists {
    fn default() -> Self {
        Self { listing: Listing::Ids, size: LARGEST }
    }
}

/// The executions of a project that are at work.
#[derive(Debug, Default)]
pub(super) struct Group {
    runs: BTreeSet<RunId>,
    /// When the next call is due, while its timer runs.
    due: Option<Mono>,
    /// Whether the next call is due and waits for the limiter.
    waits: bool,
    /// When the last call went.
    last: Mono,
    /// The call under way.
    call: Option<(Ticket, Page)>,
    /// What the last call has left to be asked for at once.
    next: Option<Page>,
}

/// A call for several executions, or one of several such calls.
#[derive(Debug)]
struct Page {
    listing: Listing,
    number: u32,
    /// Those that have not been found yet.
    missing: BTreeMap<ExecutionId, RunId>,
}

impl Project {
    /// That of a pipeline.
    pub(super) fn of(pipeline: &Pipeline) -> Self {
        let Pipeline { account, org, project, .. } = pipeline;
        Self { account: account.clone(), org: org.clone(), project: project.clone() }
    }

    /// A query for executions in it.
    pub(super) fn query(&self, filter: ExecutionFilter, page: u32, size: u32) -> ExecutionsQuery {
        let (org, project) = (self.org.clone(), self.project.clone());
        ExecutionsQuery { org, project, filter, page, size }
    }
}

impl Active {
    /// The project in which its execution can be listed with others.
    fn project(&self) -> Option<Arc<Project>> {
        let config = self.config.as_ref().filter(|_| self.run.phase == Phase::Executing)?;
        self.run.execution.as_ref().filter(|_| !self.alone)?;
        Some(Arc::new(Project { account: self.run.account.clone(), ..Project::of(config) }))
    }

    fn left(&self) -> Left {
        Left { at: self.looked_at, gap: self.gap }
    }
}

impl Engine {
    /// Lets a run be looked at again together with others. Says whether it can be.
    pub(super) fn join(&mut self, id: &RunId) -> bool {
        let Some(active) = self.runs.get_mut(id) else { return false };
        let Some(project) = active.group.clone().or_else(|| active.project()) else { return false };
        if !self.accounts.get(&project.account).is_some_and(AccountState::can_list) {
            self.leave(id);
            return false;
        }
        active.group = Some(project.clone());
        self.groups.entry(project.clone()).or_default().runs.insert(id.clone());
        self.unplanned.insert(project);
        true
    }

    /// A run is looked at by itself until it joins again.
    pub(super) fn leave(&mut self, id: &RunId) {
        let Some(active) = self.runs.get_mut(id) else { return };
        let Some(project) = active.group.take() else { return };
        if let Some(group) = self.groups.get_mut(&project) {
            group.runs.remove(id);
            self.unplanned.insert(project);
        }
    }

    /// A run is looked at by itself for good.
    fn read_alone(&mut self, id: &RunId) {
        self.leave(id);
        if let Some(active) = self.runs.get_mut(id) {
            active.alone = true;
        }
    }

    /// Sets the times of the next calls where something has changed.
    pub(super) fn plan(&mut self, now: Now) {
        while let Some(project) = self.unplanned.pop_first() {
            let Some(group) = self.groups.get_mut(&project) else { continue };
            if let Some(due) = group.due.take() {
                self.timers.remove(&(due, Timer::Together(project.clone())));
            }
            if group.waits || group.call.is_some() {
                continue;
            }
            let members: Vec<&Active> =
                group.runs.iter().filter_map(|id| self.runs.get(id)).collect();
            let lefts: Vec<Left> = members.iter().map(|active| active.left()).collect();
            let shortest = members.iter().map(|active| active.rules.polling.min).min();
            let Some(due) = together::due(&lefts) else {
                self.groups.remove(&project);
                continue;
            };
            let due = due.max(group.last.after(shortest.unwrap_or_default())).max(now.mono);
            group.due = Some(due);
            self.timers.insert((due, Timer::Together(project)));
        }
    }

    /// A project's call is due.
    pub(super) fn together_is_due(&mut self, project: Arc<Project>, at: Mono) {
        let Some(group) = self.groups.get_mut(&project) else { return };
        group.due = None;
        group.waits = true;
        let gap = at.since(group.last);
        if let Some(account) = self.accounts.get_mut(&project.account) {
            account.want_list(project, at, at.after(gap));
        }
    }

    /// Reads those of a project that are worth it; one alone is read by itself.
    pub(super) fn look_together(&mut self, project: &Arc<Project>, waited: Duration, now: Now) {
        let Some(group) = self.groups.get_mut(project) else { return };
        group.waits = false;
        self.unplanned.insert(project.clone());
        let page = group.next.take();
        let Some(page) = page.or_else(|| self.first_page(project, now)) else { return };
        if page.missing.len() > 1 || page.number > 0 {
            return self.list(project, page, waited, now);
        }
        for id in page.missing.into_values() {
            self.look(&id, waited, now);
        }
    }

    fn first_page(&mut self, project: &Project, now: Now) -> Option<Page> {
        let account = self.accounts.get_mut(&project.account)?;
        let lists = account.lists;
        let group = self.groups.get_mut(project)?;
        group.last = now.mono;
        if lists.listing == Listing::Not {
            for id in &group.runs {
                account.want_look(id.clone(), now.mono, now.mono);
            }
            return None;
        }
        let members = group.runs.iter().filter_map(|id| Some((id, self.runs.get(id)?)));
        let mut chosen: Vec<_> = members
            .map(|(id, active)| (id, active, active.left()))
            .filter(|(_, _, left)| left.is_due_with_others(now.mono))
            .collect();
        chosen.sort_by(|(_, _, one), (_, _, other)| {
            other.urgency(now.mono).total_cmp(&one.urgency(now.mono))
        });
        chosen.truncate(lists.size);
        let missing = chosen
            .into_iter()
            .filter_map(|(id, active, _)| Some((active.run.execution.clone()?, id.clone())));
        Some(Page { listing: lists.listing, number: 0, missing: missing.collect() })
    }

    fn list(&mut self, project: &Arc<Project>, page: Page, waited: Duration, now: Now) {
        let filter = match page.listing {
            Listing::Triggers => self.theirs(project, &page, now.wall),
            Listing::Ids | Listing::Not => {
                ExecutionFilter::Ids(page.missing.keys().cloned().collect())
            }
        };
        let Some(account) = self.accounts.get_mut(&project.account) else { return };
        let size = match page.listing {
            Listing::Triggers => account.lists.size,
            Listing::Ids | Listing::Not => page.missing.len(),
        };
        let query = project.query(filter, page.number, u32::try_from(size).unwrap_or(u32::MAX));
        let Some(group) = self.groups.get_mut(project) else { return };
        group.call = Some((account.take(now.mono), page));
        self.effects.push(Effect::ListExecutions(ListExecutions {
            account: project.account.clone(),
            purpose: Purpose::Follow(project.clone()),
            query,
            waited,
        }));
    }

    /// What the triggers of these runs have started since the first of them.
    fn theirs(&self, project: &Project, page: &Page, now: Wall) -> ExecutionFilter {
        let active = || page.missing.values().filter_map(|id| self.runs.get(id));
        let triggers: BTreeSet<String> =
            active().filter_map(|active| Some(active.config.as_ref()?.trigger.clone())).collect();
        let sent = |active: &Active| active.run.sent.unwrap_or(active.run.begun);
        let first = active().map(sent).min().unwrap_or(now);
        let skew = self.accounts.get(&project.account).and_then(|account| account.skew);
        let triggers = triggers.into_iter().collect();
        ExecutionFilter::started([first, now], triggers, skew.unwrap_or_default(), MARGIN)
    }

    /// Executions were listed, or not.
    pub(super) fn listed(
        &mut self,
        project: &Arc<Project>,
        answered: Answered<ExecutionsAnswer>,
        now: Now,
    ) {
        let call = self.groups.get_mut(project).and_then(|group| group.call.take());
        let Some((ticket, page)) = call else { return };
        self.unplanned.insert(project.clone());
        let retry_after = match &answered.answer {
            ExecutionsAnswer::Throttled { retry_after } => *retry_after,
            _ => None,
        };
        if let Some(account) = self.accounts.get_mut(&project.account) {
            account.settle(ticket, &answered, retry_after, now);
        }
        let look = match answered.answer {
            ExecutionsAnswer::Page(listed) => return self.take_list(project, page, *listed, now),
            ExecutionsAnswer::TooLarge => {
                self.list_fewer(&project.account, page.missing.len());
                Look::THROTTLED
            }
            ExecutionsAnswer::Refused(refusal) if refusal.status == 400 => {
                self.list_otherwise(&project.account, page.listing, refusal.message);
                Look::THROTTLED
            }
            // It says something of this project, not of the filter.
            ExecutionsAnswer::Refused(refusal) if refusal.status != 401 => {
                page.missing.values().for_each(|id| self.read_alone(id));
                Look::THROTTLED
            }
            ExecutionsAnswer::Throttled { .. } => Look::THROTTLED,
            ExecutionsAnswer::Refused(_) | ExecutionsAnswer::Failed { .. } => Look::UNTOLD,
        };
        for id in page.missing.into_values() {
            self.look_again(&id, look, now);
        }
    }

    fn take_list(
        &mut self,
        project: &Arc<Project>,
        mut page: Page,
        listed: ExecutionsPage,
        now: Now,
    ) {
        let more = !listed.last && !listed.executions.is_empty() && page.number + 1 < MOST_PAGES;
        let mut heeded = true;
        for listed in listed.executions {
            let Some(id) = page.missing.remove(&listed.id) else {
                heeded = false;
                continue;
            };
            self.take_summary(&id, &listed.summary, now);
            self.look_again(&id, Look::TOLD, now);
        }
        page.missing.retain(|_, id| self.runs.contains_key(id));
        if page.listing == Listing::Triggers && more && !page.missing.is_empty() {
            page.number += 1;
            return self.turn_over(project, page, now);
        }
        let heeded = heeded || page.listing != Listing::Ids;
        if !heeded {
            let message = "executions were listed that were not asked for".to_owned();
            self.list_otherwise(&project.account, Listing::Ids, message);
        }
        for id in page.missing.into_values() {
            self.leave(&id);
            if heeded {
                self.read_alone(&id);
            }
            self.look_again(&id, Look::THROTTLED, now);
        }
    }

    /// The next page, as soon as a call may go.
    fn turn_over(&mut self, project: &Arc<Project>, page: Page, now: Now) {
        let Some(group) = self.groups.get_mut(project) else { return };
        group.next = Some(page);
        group.waits = true;
        if let Some(account) = self.accounts.get_mut(&project.account) {
            account.want_list(project.clone(), now.mono, now.mono);
        }
    }

    /// An answer about so many executions was larger than is read of any.
    fn list_fewer(&mut self, account: &AccountName, asked: usize) {
        let Some(state) = self.accounts.get_mut(account) else { return };
        state.lists.size = state.lists.size.min(asked / 2);
        if state.lists.size < 2 {
            let message = "the answers are too large".to_owned();
            self.list_otherwise(account, Listing::Triggers, message);
        }
    }

    /// Executions can't be listed in this way.
    fn list_otherwise(&mut self, account: &AccountName, refused: Listing, message: String) {
        let Some(state) = self.accounts.get_mut(account) else { return };
        let listing = match refused {
            Listing::Ids => Listing::Triggers,
            Listing::Triggers | Listing::Not => Listing::Not,
        };
        // Another call may have found it out before.
        if state.lists.listing < listing {
            state.lists.listing = listing;
            let account = account.clone();
            self.effects.push(Effect::ListedOtherwise { account, listing, message });
        }
    }
}
