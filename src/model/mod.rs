//! The words of the program: names, ids, instants, and the closed vocabularies of the metrics.
//!
//! Everything here is a value. Nothing here knows where it came from or what is done with it, so
//! that every other module can speak in these words without depending on each other.

mod answer;
mod fact;
mod listing;
mod names;
mod run;
mod time;
mod total;
mod trigger_status;
mod words;

pub use answer::{
    Address, Answered, DetailsVersion, EventAnswer, EventDetails, LayoutNode, Summary, Target,
    TriggerAnswer, WebhookVersion,
};
pub use fact::{Change, Durations, Fact, Mark, Restored, StoredPipeline};
pub use listing::{
    ExecutionAnswer, ExecutionFilter, ExecutionsAnswer, ExecutionsPage, ExecutionsQuery,
    FoundTrigger, ListedExecution, LookupAnswer, Refusal, WebhookPath,
};
pub use names::{AccountName, EventId, ExecutionId, InvalidId, PipelineName, RunId};
pub use run::{ActiveState, Phase, ReportedStages, Run, Setback, Stage};
pub use time::{LONGEST_DURATION, Mono, Now, Wall};
pub use total::{Cell, DURATION_BOUNDS, DURATIONS, Key, Owner, Total, WAIT_BOUNDS};
pub use trigger_status::{TriggerClass, TriggerStatus};
pub use words::{
    FailureType, MissedReason, Origin, Outcome, PauseCause, Reason, RunResult, SlotResult,
    StageState, Status,
};
