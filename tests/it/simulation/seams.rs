//! Where the process meets the world: the store, the network and those who ask. Here are the places
//! at which it is killed, and those at which bugs are planted.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use harness_exporter::config::{DEFAULT_UNCONFIRMED_DEADLINE, Pipeline};
use harness_exporter::engine::{
    Effect, Input, ListExecutions, Purpose, ReadEvent, Reply, SendTrigger,
};
use harness_exporter::model::{
    AccountName, Change, EventAnswer, EventId, ExecutionAnswer, ExecutionsAnswer, Fact, Origin,
    Outcome, Phase, Run, RunId, Status, TriggerAnswer, TriggerClass, TriggerStatus,
};
use harness_exporter::totals;

use super::bugs::Bug;
use super::invariants::{self, Held};
use super::plan::{MINUTE, SECOND};
use super::process::Turn;
use super::store::pipeline_of;
use super::world::{Event, World};

/// A commit that takes longer holds back new calls: they would reach Harness in a heap.
const LONG: u64 = 300;

impl World {
    pub(super) fn queue(&mut self, mut turn: Turn) -> Held {
        for fact in &turn.facts {
            self.say(|_| match fact {
                Fact::Run { run, change, mark } => {
                    format!("  {change:?} {} {:?} {:?} {mark:?}", run.id, run.phase, run.outcome)
                }
                fact => format!("  {fact:?}"),
            });
        }
        if self.bug == Some(Bug::MarkEarly) {
            for fact in &turn.facts {
                if let (Some(name), Fact::Run { mark, .. }) = (pipeline_of(fact), fact) {
                    self.store.set_mark(name, mark.as_ref());
                }
            }
        }
        if self.bug == Some(Bug::ShowBeforeSave) {
            self.show(&turn.facts);
        }
        if self.bug == Some(Bug::ReplyBeforeSave) {
            self.reply(std::mem::take(&mut turn.replies))?;
        }
        if self.bug == Some(Bug::SendBeforeSave) {
            self.send(std::mem::take(&mut turn.sends))?;
        }
        let Some(process) = &mut self.process else { return Ok(()) };
        let saves = !turn.facts.is_empty();
        if !saves && process.pending.is_empty() {
            return self.release(turn);
        }
        if saves || !turn.replies.is_empty() {
            process.pending.push_back(turn);
        }
        self.commit();
        Ok(())
    }

    /// Begins to save the oldest turn, unless one is being saved.
    pub(super) fn commit(&mut self) {
        let Some(process) = &mut self.process else { return };
        if process.committing || process.pending.is_empty() {
            return;
        }
        process.committing = true;
        process.commits += 1;
        let (life, commit) = (self.life, process.commits);
        let slow = !self.resting && self.rng.per_mille(self.plan.slow_commits);
        let failing = if slow { 400 } else { self.plan.failing_commits };
        let fails = !self.resting && self.rng.per_mille(failing);
        let takes = if slow { self.rng.below(20 * SECOND) } else { self.rng.below(LONG) };
        self.after(takes, Event::Commit { life, works: !fails });
        if takes > LONG {
            self.after(LONG, Event::Slow { life, commit });
        }
    }

    pub(super) fn commit_is_slow(&mut self, commit: u64) -> Held {
        let Some(process) = &mut self.process else { return Ok(()) };
        if process.commits != commit || !process.committing || !process.writable {
            return Ok(());
        }
        process.writable = false;
        self.turn(vec![Input::StoreWritable { writable: false }])
    }

    pub(super) fn commit_ends(&mut self, works: bool) -> Held {
        if self.is_killed() {
            return Ok(());
        }
        let Some(process) = &mut self.process else { return Ok(()) };
        process.committing = false;
        if !works && self.bug != Some(Bug::SendAfterFailure) {
            return self.commit_failed();
        }
        let Some(turn) = process.pending.pop_front() else { return Ok(()) };
        if works {
            self.save(&turn.facts)?;
            // Nothing else waits for a sync of the disk.
            let waits = !turn.sends.is_empty() || !turn.replies.is_empty();
            if waits && self.bug != Some(Bug::NeverSync) {
                self.synced = (self.store.clone(), self.regimes.clone());
            }
        }
        if self.is_killed() {
            return Ok(());
        }
        self.release(turn)?;
        self.commit();
        let Some(process) = &self.process else { return Ok(()) };
        if !process.writable {
            // Not at once: what has just been let out must not be followed by a burst.
            let life = self.life;
            self.after(SECOND, Event::Recovered { life });
        }
        self.turn(Vec::new())
    }

    pub(super) fn store_recovers(&mut self) -> Held {
        let Some(process) = &mut self.process else { return Ok(()) };
        if process.writable || !process.pending.is_empty() {
            return Ok(());
        }
        process.writable = true;
        self.turn(vec![Input::StoreWritable { writable: true }])
    }

    /// The transaction itself: all or nothing, and what holds after it.
    pub(super) fn save(&mut self, facts: &[Fact]) -> Held {
        let sends =
            |fact: &Fact| matches!(fact, Fact::Run { change: Change::Begun | Change::Sending, .. });
        if self.bug == Some(Bug::LoseCommit) && !facts.iter().any(sends) && self.rng.per_mille(100)
        {
            return Ok(());
        }
        for fact in facts {
            if let Fact::Run { run, change: Change::Begun, .. } = fact {
                invariants::forbid_holds(
                    self.pipeline(&run.pipeline).map(Arc::as_ref),
                    run,
                    &self.store,
                )?;
                invariants::a_retry_follows_what_went_wrong(run, &self.store)?;
                invariants::nothing_fires_by_an_edit(self.regimes.get(&run.pipeline), run)?;
                if run.origin == Origin::Retry {
                    self.note("retry");
                }
            }
            if let Fact::Run { change: Change::Settled, .. } = fact {
                self.note("retry dropped");
                if self.bug == Some(Bug::LoseSettled) {
                    continue;
                }
            }
            for entry in totals::of(fact, &self.store.buckets) {
                invariants::counters_never_fall(entry.key, entry.op)?;
            }
            self.note_schedule(fact);
            self.check_found(fact)?;
            self.store.apply(fact)?;
            if self.bug == Some(Bug::CountTwice) && self.rng.per_mille(100) {
                self.store.count(fact);
            }
        }
        let names: BTreeSet<_> = facts.iter().filter_map(pipeline_of).collect();
        for name in names {
            let tally = self.store.tallies.get(name).copied().unwrap_or_default();
            invariants::books_balance(name.as_str(), &tally)?;
            let (Some(row), Some(regime)) =
                (self.store.pipelines.get(name), self.regimes.get(name))
            else {
                continue;
            };
            let owed = i64::try_from(row.mark.owed.len()).unwrap();
            let told = tally.scheduled + tally.missed + owed;
            let due = regime.count(row.mark.handled_until);
            invariants::schedule_balances(name.as_str(), due, told)?;
        }
        Ok(())
    }

    /// What holds of executions that are said to be a run's, and of runs that are given up.
    fn check_found(&mut self, fact: &Fact) -> Held {
        let Fact::Run { run, change, .. } = fact else { return Ok(()) };
        invariants::never_one_for_two(run, &self.store, &self.harness)?;
        let named = |pipeline: &&Pipeline| pipeline.name == run.pipeline;
        let own = self.plan.pipelines.iter().find(named).map(|p| p.unconfirmed_deadline);
        // A run of a pipeline that was removed keeps to its word until the next life.
        let deadline = match self.pipeline(&run.pipeline) {
            Some(pipeline) => pipeline.unconfirmed_deadline,
            None => own.unwrap_or_default().min(DEFAULT_UNCONFIRMED_DEADLINE),
        };
        let has_key = self.config.accounts.get(&run.account).is_some_and(|a| a.api_key.is_some());
        if *change == Change::Started && run.event.is_none() {
            self.note("adopted");
            let looked = self.searched.get(&run.id).copied().unwrap_or(0);
            if self.clocks_true {
                let known = (&self.store, &self.harness);
                invariants::nothing_is_guessed(run, deadline, looked, known)?;
            }
        }
        if run.phase == Phase::Ended && run.outcome == Outcome::Unconfirmed && has_key {
            self.note("given up");
            if self.clocks_true {
                invariants::looked_for_until_the_deadline(run, deadline, self.now().wall)?;
            }
        }
        Ok(())
    }

    /// What could not be saved has not begun. What is left, with what follows from that, is one
    /// transaction: a kill between them must not find a slot handled and not accounted for.
    fn commit_failed(&mut self) -> Held {
        self.note("failed commit");
        self.say(|_| "a commit failed".to_owned());
        let Some(process) = &mut self.process else { return Ok(()) };
        let Some(mut turn) = process.pending.pop_front() else { return Ok(()) };
        let changed = |change: Change| {
            let of = move |fact: &Fact| match fact {
                Fact::Run { run, change: c, .. } if *c == change => Some(run.id.clone()),
                _ => None,
            };
            turn.facts.iter().filter_map(of).collect::<Vec<RunId>>()
        };
        let begun = changed(Change::Begun);
        let dropped: HashSet<RunId> = begun.iter().cloned().collect();
        let mut sending = changed(Change::Sending);
        sending.retain(|run| !dropped.contains(run));
        turn.facts.retain(|fact| {
            !matches!(fact, Fact::Run { change: Change::Begun | Change::Sending, .. })
        });
        process.calls -= turn.sends.len();
        turn.sends.clear();
        for (_, reply) in &mut turn.replies {
            *reply = Reply::NotSaved;
        }
        for mut later in std::mem::take(&mut process.pending) {
            turn.facts.append(&mut later.facts);
            let sends = later.sends.len();
            later.sends.retain(|send| !dropped.contains(&send.run));
            process.calls -= sends - later.sends.len();
            turn.sends.append(&mut later.sends);
            turn.replies.append(&mut later.replies);
        }
        turn.facts
            .retain(|fact| !matches!(fact, Fact::Run { run, .. } if dropped.contains(&run.id)));
        process.pending.push_back(turn);
        // Nothing is saved until what follows has been added to it.
        process.committing = true;
        let untold = self.bug == Some(Bug::FailureUntold);
        process.writable = untold;
        let told =
            vec![Input::StoreWritable { writable: false }, Input::NotSaved { begun, sending }];
        self.turn(if untold { Vec::new() } else { told })?;
        let Some(process) = &mut self.process else { return Ok(()) };
        process.committing = false;
        if self.bug != Some(Bug::RetryApart)
            && let Some(mut last) = process.pending.pop_back()
        {
            if let Some(first) = process.pending.front_mut() {
                first.facts.append(&mut last.facts);
                first.replies.append(&mut last.replies);
                first.sends.append(&mut last.sends);
            } else {
                process.pending.push_back(last);
            }
        }
        let again = self.rng.between(1, 5 * SECOND);
        let life = self.life;
        self.after(again, Event::Again { life });
        Ok(())
    }

    /// What a saved turn lets out.
    fn release(&mut self, turn: Turn) -> Held {
        if self.bug != Some(Bug::ShowBeforeSave) {
            self.show(&turn.facts);
        }
        self.reply(turn.replies)?;
        self.send(turn.sends)
    }

    fn show(&mut self, facts: &[Fact]) {
        let Some(process) = &mut self.process else { return };
        for fact in facts {
            process.board.count(fact);
        }
    }

    fn reply(&mut self, replies: Vec<(u64, Reply)>) -> Held {
        for (_, reply) in replies {
            if let Reply::Begun(run) = reply {
                invariants::replies_are_true(self.store.runs.get(&run))?;
            }
        }
        Ok(())
    }

    fn send(&mut self, sends: Vec<SendTrigger>) -> Held {
        for send in sends {
            if self.is_killed() {
                return Ok(());
            }
            self.post(&send)?;
            self.is_killed();
        }
        Ok(())
    }

    fn post(&mut self, send: &SendTrigger) -> Held {
        invariants::saved_before_sent(self.store.runs.get(&send.run))?;
        let earlier = self.harness.receipts.get(&send.run).map_or(&[][..], Vec::as_slice);
        invariants::at_most_one_accepted_webhook_per_slot_and_attempt(earlier)?;
        self.count_call(&send.pipeline.account)?;
        let (answered, took) = self.harness.post(send, self.at, &mut self.rng);
        self.say(|_| format!("  POST {} {:?}: {:?}", send.run, send.address, answered.answer));
        let unknown = matches!(answered.answer, TriggerAnswer::Unknown { .. });
        if self.bug == Some(Bug::RepeatUnknown) && unknown {
            return self.post(send);
        }
        let input = Input::Triggered { run: send.run.clone(), answered };
        let life = self.life;
        self.after(took, Event::Input { life, input });
        Ok(())
    }

    /// Makes a call that changes nothing.
    pub(super) fn ask_harness(&mut self, read: Effect) -> Held {
        match read {
            Effect::ReadEvent(read) => self.read(read),
            Effect::ReadExecution(read) => {
                self.note("followed by its execution");
                self.before_a_read(&read.account)?;
                let (answered, took) = self.harness.read_execution(&read, self.at, &mut self.rng);
                if let ExecutionAnswer::Summary(summary) = &answered.answer
                    && Status::of(&summary.status) == Status::Unknown
                {
                    self.strange.insert(read.run.clone());
                }
                let (life, input) = (self.life, Input::ExecutionRead { run: read.run, answered });
                self.after(took, Event::Input { life, input });
                Ok(())
            }
            Effect::LookUpTrigger(look_up) => self.look_up(&look_up),
            Effect::ListExecutions(list) => self.list(list),
            other => unreachable!("{other:?}"),
        }
    }

    pub(super) fn before_a_read(&mut self, account: &AccountName) -> Held {
        let mono = self.mono();
        if let Some(process) = &mut self.process {
            process.calls += 1;
            invariants::stopping_begins_nothing(process.stopping)?;
            let rest = process.rests.get(account).copied().unwrap_or(0);
            invariants::throttling_is_heeded(mono, rest)?;
        }
        self.count_call(account)
    }

    fn read(&mut self, mut read: ReadEvent) -> Held {
        if self.bug == Some(Bug::MixUpEvents) && self.rng.per_mille(20) {
            read.event = EventId::new("e00000").unwrap();
        }
        let known = self.harness.gave(&read.event, &read.run);
        invariants::reads_only_known_events(known, read.run.as_str())?;
        self.before_a_read(&read.account)?;
        let (answered, took) = self.harness.read(&read, self.at, &mut self.rng);
        if says_something_unknown(&answered.answer) {
            self.strange.insert(read.run.clone());
        }
        let input = Input::EventRead { run: read.run, answered };
        let life = self.life;
        self.after(took, Event::Input { life, input });
        Ok(())
    }

    fn list(&mut self, list: ListExecutions) -> Held {
        let ListExecutions { account, purpose, query, .. } = list;
        self.before_a_read(&account)?;
        let (answered, took) = self.harness.list(&account, &query, self.at, &mut self.rng);
        self.say(|_| format!("  LIST {query:?}: {:?}", answered.answer));
        if let Purpose::Search(run) = &purpose {
            self.searched.insert(run.clone(), self.at);
        } else if let ExecutionsAnswer::Page(page) = &answered.answer {
            self.note("list");
            for listed in &page.executions {
                let odd = Status::of(&listed.summary.status) == Status::Unknown;
                let of = |run: &&Run| run.execution.as_ref() == Some(&listed.id);
                let run = self.process.as_ref().and_then(|p| p.engine.active_runs().find(of));
                self.strange.extend(run.filter(|_| odd).map(|run| run.id.clone()));
            }
        }
        let input = Input::ExecutionsListed { purpose, answered };
        let life = self.life;
        self.after(took, Event::Input { life, input });
        Ok(())
    }

    fn count_call(&mut self, name: &AccountName) -> Held {
        let at = self.at;
        let calls = self.calls.entry(name.clone()).or_default();
        while calls.front().is_some_and(|call| at - call >= MINUTE) {
            calls.pop_front();
        }
        calls.push_back(at);
        let Some(account) = self.config.accounts.get(name) else { return Ok(()) };
        invariants::budget_kept(account, calls)
    }

    /// What arrives of an answer: all of it, unless that is where the bug is.
    pub(super) fn spoil(&mut self, mut input: Input) -> Option<Input> {
        match (self.bug, &mut input) {
            (Some(Bug::DropAnswer), _) => return (!self.rng.per_mille(20)).then_some(input),
            (Some(Bug::IgnoreRetryAfter), Input::Triggered { answered, .. }) => {
                if let TriggerAnswer::Throttled { retry_after } = &mut answered.answer {
                    *retry_after = None;
                }
            }
            (
                Some(Bug::GuessAmongSeveral),
                Input::ExecutionsListed { purpose: Purpose::Search(_), answered },
            ) => {
                if let ExecutionsAnswer::Page(page) = &mut answered.answer {
                    page.executions.truncate(1);
                    page.last = true;
                }
            }
            (Some(Bug::UnknownIsAnEnd), Input::EventRead { answered, .. }) => {
                if let EventAnswer::Details(details) = &mut answered.answer
                    && let Some(summary) = &mut details.summary
                    && Status::of(&summary.status) == Status::Unknown
                {
                    "Aborted".clone_into(&mut summary.status);
                }
            }
            _ => {}
        }
        Some(input)
    }
}

fn says_something_unknown(answer: &EventAnswer) -> bool {
    let EventAnswer::Details(details) = answer else { return false };
    let word = details.summary.as_ref().map_or("", |summary| &summary.status);
    TriggerStatus::of(&details.status) == TriggerClass::Unknown
        || (!word.is_empty() && Status::of(word) == Status::Unknown)
}
