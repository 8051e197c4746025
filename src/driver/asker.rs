//! Who waits for an answer of the engine's, and how it is put to them.

use tokio::sync::oneshot;

use crate::engine::Reply;
use crate::web::{SwitchReply, TriggerReply};

/// See the module's documentation.
pub(super) enum Asker {
    /// For a run.
    Trigger(oneshot::Sender<TriggerReply>),
    /// For pipelines to be paused or resumed.
    Switch(oneshot::Sender<SwitchReply>),
}

impl Asker {
    /// Whoever asked may have gone; what was asked for holds all the same.
    pub(super) fn tell(self, reply: Reply) {
        match self {
            Self::Trigger(waits) => {
                let _ = waits.send(match reply {
                    Reply::Begun(run) => TriggerReply::Accepted { run: run.to_string() },
                    Reply::UnknownPipeline(_) => TriggerReply::UnknownPipeline,
                    Reply::Active => TriggerReply::Active,
                    Reply::NotSaved | Reply::Switched(_) => TriggerReply::StoreUnavailable,
                    Reply::DryRun => TriggerReply::DryRun,
                });
            }
            Self::Switch(waits) => {
                let _ = waits.send(match reply {
                    Reply::Switched(names) => SwitchReply::Done {
                        pipelines: names.iter().map(ToString::to_string).collect(),
                    },
                    Reply::UnknownPipeline(name) => SwitchReply::UnknownPipeline(name),
                    _ => SwitchReply::StoreUnavailable,
                });
            }
        }
    }
}
