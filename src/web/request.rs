//! What the web asks of the driver: a closed list, each with a way to answer it.
//!
//! Nothing is decided here. Whoever asks is told what became of it; dropping a reply says that
//! nothing did, because the process is ending.

use tokio::sync::oneshot;

use crate::model::ExecutionId;

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
    /// Harness says that something happened to this execution. A hint: it is looked at sooner.
    Notified(ExecutionId),
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
        /// The names of those it was asked of.
        pipelines: Vec<String>,
    },
    /// No pipeline has this name; nothing has changed.
    UnknownPipeline(String),
    /// It could not be saved; nothing has changed.
    StoreUnavailable,
}

/// What became of [`Request::Reload`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReloadReply {
    /// The config as it is on disk now holds.
    Done,
    /// The config is not good, in lines for a person; the old one holds.
    Refused(String),
    /// There is no config that could be read again, as in a demo.
    NotSupported,
}
