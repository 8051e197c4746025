//! Runs that are followed by their execution instead of their event: those that were found without
//! an event, and those whose event Harness no longer knows. It takes a key.

use std::time::Duration;

use super::account::AccountState;
use super::answers::Look;
use super::calls::Call;
use super::{Effect, Engine, ReadExecution};
use crate::model::{Answered, ExecutionAnswer, Now, Phase, RunId};

impl Engine {
    /// Whether a run can be followed by its execution.
    pub(super) fn can_read_execution(&self, id: &RunId) -> bool {
        let Some(active) = self.runs.get(id) else { return false };
        let has_key = self.accounts.get(&active.run.account).is_some_and(AccountState::has_key);
        has_key && active.run.execution.is_some() && active.target().is_some()
    }

    /// Looks at the execution of a run.
    pub(super) fn look_at_execution(&mut self, id: &RunId, waited: Duration, now: Now) {
        if !self.can_read_execution(id) {
            // Nobody can be asked: its deadline ends it.
            return self.look_again(id, Look::UNTOLD, now);
        }
        let Some(active) = self.runs.get_mut(id) else { return };
        let (Some(target), Some(execution)) = (active.target(), active.run.execution.clone())
        else {
            return;
        };
        let Some(account) = self.accounts.get_mut(&active.run.account) else { return };
        active.call = Some(Call::Execution(account.take(now.mono)));
        let account = account.config.name.clone();
        let run = id.clone();
        self.effects.push(Effect::ReadExecution(ReadExecution {
            run,
            account,
            target,
            execution,
            waited,
        }));
    }

    /// Harness has forgotten the event of an execution that is known: from now on the execution
    /// itself is asked for. Says whether that can be done.
    pub(super) fn turn_to_execution(&mut self, id: &RunId, now: Now) -> bool {
        let known = self.runs.get(id).is_some_and(|active| active.run.phase == Phase::Executing);
        if !known || !self.can_read_execution(id) {
            return false;
        }
        if let Some(active) = self.runs.get_mut(id) {
            active.by_execution = true;
        }
        self.read_at_once(id, now);
        true
    }

    pub(super) fn execution_read(
        &mut self,
        id: &RunId,
        answered: Answered<ExecutionAnswer>,
        now: Now,
    ) {
        let Some(active) = self.runs.get_mut(id) else { return };
        let Some(Call::Execution(ticket)) = active.call.take() else { return };
        let retry_after = match &answered.answer {
            ExecutionAnswer::Throttled { retry_after } => *retry_after,
            _ => None,
        };
        self.settle_call(id, ticket, &answered, retry_after, now);
        let look = match answered.answer {
            ExecutionAnswer::Summary(summary) => {
                self.take_summary(id, &summary, now);
                Look::TOLD
            }
            ExecutionAnswer::Missing => return self.give_up(id, now),
            ExecutionAnswer::Throttled { .. } => Look::THROTTLED,
            ExecutionAnswer::Failed { .. } => Look::UNTOLD,
        };
        self.look_again(id, look, now);
    }
}
