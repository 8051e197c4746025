//! Harness says that something has happened to an execution: a hint to look at its run at once.
//!
//! What it says is not believed, it only moves a look. So a wrong one costs a call and a lost one
//! costs nothing: the looks go on as they would have. One about an execution that is none of our
//! runs' costs no call, and of those about one that is, however many come, one every few seconds;
//! all hints together cost half of an account's calls at most.

use std::time::Duration;

use super::{Engine, Timer};
use crate::model::{ExecutionId, Now};

/// How far apart the looks are that hints bring about. Several hints come at an end.
const APART: Duration = Duration::from_secs(3);

impl Engine {
    /// Something has happened to this execution.
    pub(super) fn notified(&mut self, execution: &ExecutionId, now: Now) {
        let Some(id) = self.executions.get(execution) else { return };
        let Some(active) = self.runs.get_mut(id) else { return };
        // Where a look is still to come, it will see this too.
        if active.hinted_at.is_some_and(|last| last > now.mono) {
            return;
        }
        let Some(account) = self.accounts.get_mut(&active.run.account) else { return };
        let at = active.hinted_at.map_or(now.mono, |last| last.after(APART).max(now.mono));
        let at = account.hint_at(at);
        active.hinted_at = Some(at);
        self.timers.insert((at, Timer::Hint(id.clone())));
    }
}
