//! Executions of our triggers that are none of ours: another exporter has the same config, or a
//! person sends the webhook.
//!
//! With a key, what the triggers of a project have started is listed now and then, where a call can
//! be spared, and what none of our runs has had is counted. What may still turn out to be a run's is
//! left for the next look; what may have been that of a run which was given up is not counted. Only
//! what starts while this process knows the pipeline is looked at: of earlier lives not everything is
//! remembered, and a run of ours must never be taken for another's.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::account::{AccountState, Spare};
use super::adoption::{MARGIN, MOST_PAGES, PAGE, TOLERANCE, is_of, started};
use super::batch::{Listing, Project};
use super::matching::Candidate;
use super::{Effect, Engine, ListExecutions, Purpose};
use crate::limiter::Ticket;
use crate::model::{
    Answered, ExecutionFilter, ExecutionId, ExecutionsAnswer, Fact, ListedExecution, Mono, Now,
    PipelineName, Target, Wall,
};
use crate::run;

/// How long after a look the next one is.
const LOOK_EVERY: Duration = Duration::from_mins(10);

/// How much later than it started an execution may come into a list.
const LAG: Duration = Duration::from_mins(1);

/// How far back is looked at most: what runs that are over have had is remembered for longer.
const REACH: Duration = Duration::from_hours(1);

/// What is known of the executions that others start in a project.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// Since when its pipelines are known, and what they trigger.
    since: HashMap<PipelineName, (Target, Wall)>,
    /// Up to when everything has been decided.
    decided: Wall,
    /// Whether the next look is planned.
    planned: bool,
    look: Look,
}

/// A look, over several pages.
#[derive(Debug)]
struct Look {
    call: Option<Ticket>,
    begun: Wall,
    page: u32,
    size: u32,
    found: Vec<ListedExecution>,
}

impl Default for Look {
    fn default() -> Self {
        Self { call: None, begun: Wall::default(), page: 0, size: PAGE, found: Vec::new() }
    }
}

/// What is to be made of an execution that none of our runs is known to own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Another,
    PerhapsOurs,
    NotKnown,
}

impl Engine {
    /// From now on what others start of a pipeline's trigger is counted.
    pub(super) fn watch_for_others(&mut self, name: &PipelineName, now: Now) {
        let Some(pipeline) = self.pipelines.get(name).filter(|_| self.checks) else { return };
        let (project, target) = (Project::of(&pipeline.config), pipeline.config.target());
        if !self.accounts.get(&project.account).is_some_and(AccountState::has_key) {
            return;
        }
        let project = Arc::new(project);
        let others = self.others.entry(project.clone()).or_default();
        if others.since.get(name).is_none_or(|(known, _)| *known != target) {
            others.since.insert(name.clone(), (target, now.wall));
        }
        if others.look.call.is_none() && !others.planned {
            self.plan_others(project, now.mono.after(LOOK_EVERY));
        }
    }

    fn plan_others(&mut self, project: Arc<Project>, at: Mono) {
        let Some(account) = self.accounts.get_mut(&project.account) else { return };
        let Some(others) = self.others.get_mut(&project) else { return };
        others.planned = true;
        account.checks.insert((at, Spare::Others(project)));
    }

    /// Looks at the next page of what has been started in a project.
    pub(super) fn look_for_others(&mut self, project: &Arc<Project>, now: Now) {
        let Some(others) = self.others.get_mut(project) else { return };
        others.planned = false;
        let pipelines = &self.pipelines;
        others.since.retain(|name, (target, _)| {
            pipelines.get(name).is_some_and(|pipeline| {
                Project::of(&pipeline.config) == **project && pipeline.config.target() == *target
            })
        });
        let account = self.accounts.get_mut(&project.account);
        let Some(account) = account.filter(|account| account.has_key()) else {
            self.others.remove(project);
            return;
        };
        if others.since.is_empty() {
            self.others.remove(project);
            return;
        }
        if !account.filters_by_trigger || account.lists.listing == Listing::Not {
            return self.plan_others(project.clone(), now.mono.after(LOOK_EVERY));
        }
        if others.look.page == 0 {
            others.look.begun = now.wall;
        }
        let since = others.since.values().map(|(_, since)| *since).min().unwrap_or(now.wall);
        let from = since.max(others.decided).max(now.wall.before(REACH));
        let ahead = run::correction(account.skew);
        let triggers: BTreeSet<_> =
            others.since.values().map(|(target, _)| target.trigger.clone()).collect();
        let triggers = triggers.into_iter().collect();
        let filter = ExecutionFilter::started([from, now.wall], triggers, ahead, MARGIN);
        let query = project.query(filter, others.look.page, others.look.size);
        others.look.call = Some(account.take(now.mono));
        self.effects.push(Effect::ListExecutions(ListExecutions {
            account: project.account.clone(),
            purpose: Purpose::FindOthers(project.clone()),
            query,
            waited: Duration::ZERO,
        }));
    }

    /// What was started in a project was listed, or not.
    pub(super) fn others_listed(
        &mut self,
        project: &Arc<Project>,
        answered: Answered<ExecutionsAnswer>,
        now: Now,
    ) {
        let Some(others) = self.others.get_mut(project) else { return };
        let Some(ticket) = others.look.call.take() else { return };
        let retry_after = match &answered.answer {
            ExecutionsAnswer::Throttled { retry_after } => *retry_after,
            _ => None,
        };
        let Some(account) = self.accounts.get_mut(&project.account) else { return };
        account.settle(ticket, &answered, retry_after, now);
        let look = &mut others.look;
        match answered.answer {
            ExecutionsAnswer::Page(page) => {
                look.found.extend(page.executions);
                look.page += 1;
                if !page.last && look.page < MOST_PAGES {
                    return self.plan_others(project.clone(), now.mono);
                }
                self.decide(project, now);
            }
            ExecutionsAnswer::TooLarge if look.size > 1 => {
                *look = Look { size: look.size / 2, ..Look::default() };
                return self.plan_others(project.clone(), now.mono);
            }
            ExecutionsAnswer::Refused(refusal) if refusal.status == 400 => {
                account.filters_by_trigger = false;
            }
            _ => {}
        }
        if let Some(others) = self.others.get_mut(project) {
            others.look = Look { size: others.look.size, ..Look::default() };
        }
        self.plan_others(project.clone(), now.mono.after(LOOK_EVERY));
    }

    /// Counts what a look has found.
    fn decide(&mut self, project: &Arc<Project>, now: Now) {
        let Some(others) = self.others.get_mut(project) else { return };
        let found = std::mem::take(&mut others.look.found);
        let mut decided = others.look.begun.before(LAG);
        let mut counts: HashMap<PipelineName, (u64, ExecutionId)> = HashMap::new();
        for (name, one, start) in self.strangers(project, &found) {
            match self.verdict(project, &name, one, start, now) {
                Verdict::Another => {
                    let count = counts.entry(name).or_insert_with(|| (0, one.id.clone()));
                    count.0 += 1;
                    self.counted.insert(one.id.clone(), now.mono);
                }
                Verdict::PerhapsOurs => decided = decided.min(start),
                Verdict::NotKnown => {}
            }
        }
        if let Some(others) = self.others.get_mut(project) {
            others.decided = decided;
        }
        self.counted.retain(|_, at| at.after(REACH * 2) > now.mono);
        for (pipeline, (count, execution)) in counts {
            self.effects.push(Effect::Fact(Fact::ForeignRuns { pipeline, count, execution }));
        }
    }

    /// What was found that none of our runs is known to own, and of which pipelines' trigger it is.
    fn strangers<'a>(
        &self,
        project: &Arc<Project>,
        found: &'a [ListedExecution],
    ) -> Vec<(PipelineName, &'a ListedExecution, Wall)> {
        let Some(others) = self.others.get(project) else { return Vec::new() };
        let ahead = self.ahead(&project.account);
        let claimed = self.claimed();
        let mut seen = HashSet::new();
        let mut strangers = Vec::new();
        for one in found.iter().filter(|one| !claimed.has(one) && seen.insert(&one.id)) {
            let Some(start) = started(one, ahead) else { continue };
            if self.counted.contains_key(&one.id) {
                continue;
            }
            for (name, (target, since)) in &others.since {
                if start >= since.after(TOLERANCE) && is_of(one, target) {
                    strangers.push((name.clone(), one, start));
                }
            }
        }
        strangers
    }

    fn verdict(
        &self,
        project: &Project,
        name: &PipelineName,
        one: &ListedExecution,
        start: Wall,
        now: Now,
    ) -> Verdict {
        let Some(target) = self.pipelines.get(name).map(|pipeline| pipeline.config.target()) else {
            return Verdict::NotKnown;
        };
        let undecided = self.undecided(&project.account, &target, now);
        if undecided.iter().any(|run| run.may_own(one, start)) {
            return Verdict::PerhapsOurs;
        }
        let candidate = Candidate { execution: &one.id, start, contested: false };
        let mut verdict = Verdict::Another;
        for sought in self.sought_with(&project.account, &target, now) {
            match sought.may_own(&candidate) {
                true if !sought.is_over => return Verdict::PerhapsOurs,
                true => verdict = Verdict::NotKnown,
                false => {}
            }
        }
        verdict
    }
}
