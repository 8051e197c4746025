//! What the web asks of the driver: a closed list, each with a way to answer it.
//!
//! Nothing is decided here. Whoever asks is told what became of it; dropping a reply says that
//! nothing did, because the process is ending.

use tokio::sync::oneshot;

use crate::model::{ExecutionId, Wall};

/// A request that has passed the door.
#[derive(Debug)]
pub enum Request {
    /// Somebody asks for a run, now.
    Trigger {
        /// The pipeline's name as it was asked for; it may be one that nobody knows.
        pipeline: String,
        /// The JSON to send instead of the configured payload.
        payload: Option<String>,
        /// Who waits for the answer.
        reply: oneshot::Sender<TriggerReply>,
    },
    /// Leave these pipelines alone at their due times; none named means all.
    Pause {
        /// Their names as they were asked for. One that nobody knows refuses the whole request.
        pipelines: Vec<String>,
        /// Who waits for the answer.
        reply: oneshot::Sender<SwitchReply>,
    },
    /// Take these pipelines up again; none named means all.
    Resume {
        /// Their names as they were asked for. One that nobody knows refuses the whole request.
        pipelines: Vec<String>,
        /// Who waits for the answer.
        reply: oneshot::Sender<SwitchReply>,
    },
    /// Read the config again, and go on with it if all of it is good.
    Reload {
        /// Who waits for the answer.
        reply: oneshot::Sender<ReloadReply>,
    },
    /// Harness says that something happened to an execution. A hint: what it says is not believed
    /// but looked up.
    Notified(Notification),
}

/// What became of [`Request::Trigger`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TriggerReply {
    /// The run is saved and will be sent.
    Accepted {
        /// Its id.
        run: String,
    },
    /// No pipeline has that name.
    UnknownPipeline,
    /// A run of it is active and its concurrency is `forbid`.
    Active,
    /// The run could not be saved, so nothing will be sent.
    StoreUnavailable,
    /// This is a dry run, in which nothing is sent.
    DryRun,
}

/// What became of [`Request::Pause`] and [`Request::Resume`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SwitchReply {
    /// All of them are now as asked, whatever they were before.
    Done {
        /// The names of those it was asked of, in the order of the config.
        pipelines: Vec<String>,
    },
    /// No pipeline has this name; nothing has changed.
    UnknownPipeline(String),
    /// It could not be saved; nothing has changed.
    StoreUnavailable,
    /// This exporter cannot do it yet; nothing has changed.
    NotSupported,
}

/// What became of [`Request::Reload`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReloadReply {
    /// The config as it is on disk now holds.
    Done,
    /// The config is not good, in lines for a person; the old one holds.
    Refused(String),
    /// This exporter cannot do it yet; the old config holds.
    NotSupported,
}

/// What Harness says by `POST /hooks/harness`. Everything in it is a claim of the sender's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Which execution; none where a trigger failed before there was one.
    pub execution: Option<ExecutionId>,
    /// Harness' identifiers of where it happened.
    pub scope: NotifiedScope,
    /// What happened.
    pub event: NotifiedEvent,
    /// Harness' coarse word for how it stands, such as `failed`.
    pub status: Option<String>,
    /// When it began.
    pub start: Option<Wall>,
    /// When it ended.
    pub end: Option<Wall>,
}

/// Where in Harness something happened, as far as the sender says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotifiedScope {
    /// Harness' account identifier.
    pub account: Option<String>,
    /// Harness' organization identifier.
    pub org: Option<String>,
    /// Harness' project identifier.
    pub project: Option<String>,
    /// Harness' pipeline identifier.
    pub pipeline: Option<String>,
}

/// The kinds of events that Harness notifies of, as far as they differ for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotifiedEvent {
    /// An execution has begun.
    Started,
    /// An execution has paused or waits for a person.
    Paused,
    /// An execution has ended; Harness says so twice, as an end and as a success or failure.
    Ended,
    /// A stage or a step has begun or ended.
    Progress,
    /// A trigger could not start its pipeline.
    TriggerFailed,
    /// A word that is not in our table.
    Unknown,
}
