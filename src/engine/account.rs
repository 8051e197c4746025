//! What the engine knows of an account: its limits, who waits for them, and what its Harness is
//! like.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::batch::{Listing, Lists, Project};
use crate::config::Account;
use crate::limiter::{Limiter, Ticket};
use crate::model::{
    Answered, DetailsVersion, Mono, Now, PipelineName, RunId, Wall, WebhookVersion,
};

/// Calls that may be under way at once: enough for a fast Harness, and a bound on sockets for one
/// that hangs.
const MOST_UNDER_WAY: usize = 200;

/// Calls in a row that must fail before Harness is called down.
const FAILURES_TO_BE_DOWN: u32 = 3;

/// The status of an answer that asks to slow down.
pub(super) const THROTTLED: u16 = 429;

/// Something that waits to be sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Job {
    /// A due time of this pipeline.
    Due(PipelineName),
    /// Another attempt at a due time of this pipeline.
    Retry(PipelineName),
    /// A run that is saved: asked for by hand.
    Run(RunId),
}

/// A look that is due. Where calls are scarce, those go first that have waited longest compared with
/// what was to be (`polling::turn`): their runs are the likeliest to have ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Look {
    /// When it will have waited for twice as long as was to be.
    by: Mono,
    since: Mono,
    at: Sighted,
}

/// What a call looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sighted {
    Run(RunId),
    Project(Arc<Project>),
}

/// What a call is for that nothing waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spare {
    /// Looking this pipeline's trigger up.
    Trigger(PipelineName),
    /// Looking for executions that others have started in this project.
    Others(Arc<Project>),
}

/// What goes next.
#[derive(Clone, Debug)]
pub(super) enum Go {
    /// A due time of this pipeline.
    Begin(PipelineName, Wall),
    /// Another attempt at a due time of this pipeline.
    Retry(PipelineName),
    /// The webhook of a run that is saved.
    Send(RunId),
    /// Another look-up of this pipeline's trigger.
    LookUp(PipelineName),
    /// A look-up of this pipeline's trigger that nothing waits for.
    Check(PipelineName),
    /// A look for executions that others have started in this project.
    Others(Arc<Project>),
    /// A look at a run.
    Read(RunId),
    /// A look at several runs of a project.
    ReadTogether(Arc<Project>),
}

/// What an edit of the config makes of whom an account speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harness {
    /// The same one, that tells the same.
    Same,
    /// Perhaps another one, or one that tells something else.
    Another,
}

/// Which of two ways of the same call a Harness knows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way<V> {
    /// The one that has been answered well: it stays so, whatever single calls come to.
    Known(V),
    /// Neither has been yet; this one is next.
    Trying(V),
}

impl<V: Copy + PartialEq> Way<V> {
    /// The one to take.
    pub(super) fn next(self) -> V {
        match self {
            Self::Known(version) | Self::Trying(version) => version,
        }
    }

    /// A call has been answered as Harness does.
    pub(super) fn works(&mut self, version: V) {
        *self = Self::Known(version);
    }

    /// A call has been answered as one that Harness does not have, or in no way we know. As long as
    /// neither has ever worked, the other one is next.
    pub(super) fn fails(&mut self, version: V, other: V) {
        if matches!(*self, Self::Trying(tried) if tried == version) {
            *self = Self::Trying(other);
        }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct AccountState {
    pub(super) config: Arc<Account>,
    pub(super) limiter: Limiter,
    /// What has not been sent yet, by due time and then by when it came.
    pub(super) fresh: BTreeSet<(Wall, Mono, Job)>,
    /// Runs that were sent, certainly in vain, and may be sent again now.
    pub(super) resends: BTreeSet<(Mono, RunId)>,
    /// Pipelines whose triggers are to be looked up again, since when.
    pub(super) lookups: BTreeSet<(Mono, PipelineName)>,
    /// Calls that nothing waits for, and when they are due.
    pub(super) checks: BTreeSet<(Mono, Spare)>,
    reads: BTreeSet<Look>,
    /// Before when no further look is due because of a hint.
    hints_until: Mono,
    /// Runs that have been sent and are not over.
    pub(super) sent: HashSet<RunId>,
    /// When webhooks were sent within the last minute.
    sent_recently: VecDeque<Mono>,
    pub(super) under_way: usize,
    pub(super) skew: Option<i64>,
    /// Whether this Harness lists executions by their trigger, as far as is known.
    pub(super) filters_by_trigger: bool,
    /// Where webhooks are sent under `webhook: auto`: v1 or v2.
    pub(super) webhook: Way<WebhookVersion>,
    /// At which endpoint events are read.
    pub(super) details: Way<DetailsVersion>,
    /// How executions are listed.
    pub(super) lists: Lists,
    up: Option<bool>,
    failures: u32,
}

impl AccountState {
    pub(super) fn new(config: Arc<Account>, seed: u64) -> Self {
        let limiter = Limiter::new(config.requests_per_minute, seed);
        Self {
            config,
            limiter,
            fresh: BTreeSet::new(),
            resends: BTreeSet::new(),
            lookups: BTreeSet::new(),
            checks: BTreeSet::new(),
            reads: BTreeSet::new(),
            hints_until: Mono::default(),
            sent: HashSet::new(),
            sent_recently: VecDeque::new(),
            under_way: 0,
            skew: None,
            filters_by_trigger: true,
            webhook: Way::Trying(WebhookVersion::V1),
            details: Way::Trying(DetailsVersion::V2),
            lists: Lists::default(),
            up: None,
            failures: 0,
        }
    }

    /// Whether calls can be made that take a key.
    pub(super) fn has_key(&self) -> bool {
        self.config.api_key.is_some()
    }

    /// Goes on with what the config says of it now.
    pub(super) fn reconfigure(&mut self, config: Arc<Account>) -> Harness {
        let same = self.config.url == config.url
            && self.config.account_id == config.account_id
            && self.has_key() == config.api_key.is_some();
        self.limiter.set_limit(config.requests_per_minute);
        if self.config.url != config.url {
            // It may be another Harness.
            self.filters_by_trigger = true;
            self.webhook = Way::Trying(WebhookVersion::V1);
            self.details = Way::Trying(DetailsVersion::V2);
            self.lists = Lists::default();
            (self.up, self.failures, self.skew) = (None, 0, None);
        }
        self.config = config;
        if same { Harness::Same } else { Harness::Another }
    }

    /// When the first of the waiting calls may go. `None` where none waits, or where what they
    /// wait for is an answer.
    pub(super) fn next_call_at(&self, now: Mono) -> Option<Mono> {
        if self.under_way >= MOST_UNDER_WAY {
            return None;
        }
        let fresh_at = if self.fresh.is_empty() { None } else { self.cap_free_at(now) };
        let none = self.resends.is_empty() && self.lookups.is_empty() && self.reads.is_empty();
        let wanted = if none { fresh_at } else { Some(now) };
        let wanted = wanted.map(|at| self.limiter.free_at(now).max(at));
        let check = self.checks.first().map(|(at, _)| self.limiter.spare_at(now).max(*at));
        [wanted, check].into_iter().flatten().min()
    }

    /// When the caps let another run begin; `None` where it takes the end of a run.
    pub(super) fn cap_free_at(&self, now: Mono) -> Option<Mono> {
        if self.sent.len() >= count(self.config.max_active_runs) {
            return None;
        }
        let over = self.sent_recently.len().checked_sub(count(self.config.triggers_per_minute));
        let Some(index) = over else { return Some(now) };
        let minute = Duration::from_mins(1);
        Some(self.sent_recently.get(index).map_or(now, |sent| sent.after(minute)).max(now))
    }

    /// A look at a run is due since then, and comes before others from `by` on.
    pub(super) fn want_look(&mut self, run: RunId, since: Mono, by: Mono) {
        self.reads.insert(Look { by, since, at: Sighted::Run(run) });
    }

    /// A look at several runs of a project is due since then, and comes before others from `by` on.
    pub(super) fn want_list(&mut self, project: Arc<Project>, since: Mono, by: Mono) {
        self.reads.insert(Look { by, since, at: Sighted::Project(project) });
    }

    /// When a look is due that is asked for at `at` because of a hint: such looks take half of the
    /// calls at most, whatever somebody notifies us of.
    pub(super) fn hint_at(&mut self, at: Mono) -> Mono {
        let due = self.hints_until.max(at);
        self.hints_until = due.after(self.limiter.interval() * 2);
        due
    }

    /// Whether executions can be listed.
    pub(super) fn can_list(&self) -> bool {
        self.has_key() && self.lists.listing != Listing::Not
    }

    /// Counts a call that goes now.
    pub(super) fn take(&mut self, now: Mono) -> Ticket {
        self.under_way += 1;
        self.limiter.take(now)
    }

    /// A call is over: what it tells of the account.
    pub(super) fn settle<T>(
        &mut self,
        ticket: Ticket,
        answered: &Answered<T>,
        retry_after: Option<Duration>,
        now: Now,
    ) {
        self.under_way = self.under_way.saturating_sub(1);
        // Where no call was made, Harness is as it was.
        if let Some(took) = answered.took {
            self.note_code(answered.code);
            self.limiter.left(ticket, Mono(now.mono.0.saturating_sub(took)));
        }
        self.skew = answered.skew.or(self.skew);
        if answered.code == Some(THROTTLED) {
            self.limiter.throttled(ticket, retry_after, now.mono);
        } else {
            self.limiter.answered(ticket, now.mono);
        }
    }

    /// Counts a webhook that goes now.
    pub(super) fn note_sent(&mut self, run: &RunId, now: Mono) {
        self.sent.insert(run.clone());
        let minute = Duration::from_mins(1);
        while self.sent_recently.front().is_some_and(|sent| sent.after(minute) <= now) {
            self.sent_recently.pop_front();
        }
        self.sent_recently.push_back(now);
    }

    /// Forgets a run that is over. Where it still waits for a call, it is passed over there.
    pub(super) fn forget(&mut self, run: &RunId) {
        self.sent.remove(run);
    }

    /// What may go now, and since when it has been waiting: triggers before reads, those whose run
    /// is begun already before new ones, and new ones by due time.
    pub(super) fn next(&mut self, now: Mono) -> Option<(Mono, Go)> {
        if self.under_way >= MOST_UNDER_WAY || self.limiter.free_at(now) > now {
            return None;
        }
        if let Some((since, run)) = self.resends.pop_first() {
            return Some((since, Go::Send(run)));
        }
        if let Some((since, pipeline)) = self.lookups.pop_first() {
            return Some((since, Go::LookUp(pipeline)));
        }
        if !self.fresh.is_empty() && self.cap_free_at(now).is_some_and(|at| at <= now) {
            let (due, since, job) = self.fresh.pop_first()?;
            return Some(match job {
                Job::Due(name) => (since, Go::Begin(name, due)),
                Job::Retry(name) => (since, Go::Retry(name)),
                Job::Run(run) => (since, Go::Send(run)),
            });
        }
        if let Some(look) = self.reads.pop_first() {
            return Some(match look.at {
                Sighted::Run(run) => (look.since, Go::Read(run)),
                Sighted::Project(project) => (look.since, Go::ReadTogether(project)),
            });
        }
        let due = self.checks.first().is_some_and(|(at, _)| *at <= now);
        if !due || self.limiter.spare_at(now) > now {
            return None;
        }
        self.checks.pop_first().map(|(since, spare)| match spare {
            Spare::Trigger(pipeline) => (since, Go::Check(pipeline)),
            Spare::Others(project) => (since, Go::Others(project)),
        })
    }

    /// What a call says about whether Harness is up: 0 after three calls in a row without an
    /// answer or with 5xx, or after a 401; 1 after a good answer; 403, 404 and 429 leave it.
    fn note_code(&mut self, code: Option<u16>) {
        match code {
            Some(401) => self.up = Some(false),
            Some(200..=299) => {
                self.failures = 0;
                self.up = Some(true);
            }
            None | Some(500..=599) => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= FAILURES_TO_BE_DOWN {
                    self.up = Some(false);
                }
            }
            Some(_) => self.failures = 0,
        }
    }

    /// How many due times wait for the limits.
    pub(super) fn due_waiting(&self) -> u64 {
        count_due(&self.fresh)
    }

    pub(super) fn up(&self) -> Option<bool> {
        self.up
    }
}

/// How many of these are due times.
pub(super) fn count_due(waiting: &BTreeSet<(Wall, Mono, Job)>) -> u64 {
    waiting.iter().filter(|(_, _, job)| matches!(job, Job::Due(_))).count() as u64
}

fn count(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
