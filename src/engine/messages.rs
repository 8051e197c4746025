//! What the engine is told, and what it wants done. The whole behaviour of the program can be read in
//! [`Input`] and [`Effect`]: there is nothing else that goes in or comes out but the time.

use std::sync::Arc;
use std::time::Duration;

use super::{Listing, LookUpTrigger, Project};
use crate::config::{Config, Pipeline};
use crate::model::{
    AccountName, Address, Answered, DetailsVersion, EventAnswer, EventId, ExecutionAnswer,
    ExecutionId, ExecutionsAnswer, ExecutionsQuery, Fact, LookupAnswer, PipelineName, RunId,
    Target, TriggerAnswer, Wall,
};
use crate::run::UnknownWord;

/// What can happen to the engine.
#[derive(Clone, Debug)]
pub enum Input {
    /// A webhook was answered, or certainly won't be.
    Triggered {
        /// Whose.
        run: RunId,
        /// What came of it.
        answered: Answered<TriggerAnswer>,
    },
    /// An event was read.
    EventRead {
        /// Whose.
        run: RunId,
        /// What came of it.
        answered: Answered<EventAnswer>,
    },
    /// An execution was read.
    ExecutionRead {
        /// Whose.
        run: RunId,
        /// What came of it.
        answered: Answered<ExecutionAnswer>,
    },
    /// Executions were listed.
    ExecutionsListed {
        /// What for.
        purpose: Purpose,
        /// What came of it.
        answered: Answered<ExecutionsAnswer>,
    },
    /// A trigger was looked up.
    TriggerLookedUp {
        /// Whose.
        pipeline: PipelineName,
        /// What came of it.
        answered: Box<Answered<LookupAnswer>>,
    },
    /// Harness says that something has happened to an execution.
    Notified {
        /// Which: one of ours, another's, or none at all.
        execution: ExecutionId,
    },
    /// Somebody asks for a run.
    Asked {
        /// To find the one who asked.
        request: u64,
        /// The name of the pipeline, as it was asked for.
        pipeline: String,
        /// The JSON body, where it is not to be the config's.
        payload: Option<Arc<str>>,
        /// Makes the run's id unique.
        random: u64,
    },
    /// Somebody wants these pipelines left alone at their due times, or all where none is named.
    Pause {
        /// To find the one who asked.
        request: u64,
        /// Their names, as they were asked for.
        pipelines: Vec<String>,
    },
    /// Somebody wants these pipelines taken up again, or all where none is named.
    Resume {
        /// To find the one who asked.
        request: u64,
        /// Their names, as they were asked for.
        pipelines: Vec<String>,
    },
    /// This is the config from now on.
    Configured(Arc<Config>),
    /// What was to be saved before these webhooks and answers could not be. They did not happen.
    NotSaved {
        /// Runs whose beginning was not saved.
        begun: Vec<RunId>,
        /// Runs that had been saved before, and were about to be sent.
        sending: Vec<RunId>,
    },
    /// Whether the store can be written. While it can't, nothing new is begun or read.
    StoreWritable {
        /// Whether it can.
        writable: bool,
    },
    /// The process is to end: begin and read nothing more.
    Stop,
}

/// What the engine wants done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// To be remembered, and then to be shown.
    Fact(Fact),
    /// To be sent once every fact before it is saved.
    SendTrigger(SendTrigger),
    /// To be looked up; changes nothing.
    LookUpTrigger(LookUpTrigger),
    /// To be read; changes nothing.
    ReadEvent(ReadEvent),
    /// To be read; changes nothing.
    ReadExecution(ReadExecution),
    /// To be listed; changes nothing.
    ListExecutions(ListExecutions),
    /// From now on executions of an account are listed in this way.
    ListedOtherwise {
        /// Whose.
        account: AccountName,
        /// In which.
        listing: Listing,
        /// What stands in the way of the one before.
        message: String,
    },
    /// To be answered: that a run is begun, once every fact before it is saved.
    Reply {
        /// Whom.
        request: u64,
        /// What.
        reply: Reply,
    },
    /// Would have been sent now, but for the dry run.
    Withheld {
        /// The pipeline it would have triggered.
        pipeline: PipelineName,
        /// For which due time; none for a run that an earlier life left to be sent.
        due: Option<Wall>,
    },
    /// The wall clock was once ahead of now, and until it is there again nothing is due.
    Silenced {
        /// The pipeline that is not triggered.
        pipeline: PipelineName,
        /// Up to when its due times count as dealt with.
        until: Wall,
    },
    /// A word of Harness' that is not in our tables was met.
    UnknownWord {
        /// In which run.
        run: RunId,
        /// The word.
        word: UnknownWord,
    },
}

/// A webhook to be sent.
#[derive(Clone, Debug)]
pub struct SendTrigger {
    /// The run it begins.
    pub run: RunId,
    /// The pipeline it triggers.
    pub pipeline: Arc<Pipeline>,
    /// Where it is sent to.
    pub address: Address,
    /// The JSON body.
    pub payload: Arc<str>,
    /// How long it waited for the limiter.
    pub waited: Duration,
    /// When the due time fired, at the first attempt to send.
    pub due: Option<Wall>,
}

/// An event to be read.
#[derive(Clone, Debug)]
pub struct ReadEvent {
    /// The run it belongs to.
    pub run: RunId,
    /// With whose key.
    pub account: AccountName,
    /// At which endpoint.
    pub version: DetailsVersion,
    /// Which.
    pub event: EventId,
    /// How long it waited for the limiter.
    pub waited: Duration,
}

/// An execution to be read.
#[derive(Clone, Debug)]
pub struct ReadExecution {
    /// The run it belongs to.
    pub run: RunId,
    /// With whose key.
    pub account: AccountName,
    /// Which pipeline's it is.
    pub target: Target,
    /// Which.
    pub execution: ExecutionId,
    /// How long it waited for the limiter.
    pub waited: Duration,
}

/// Executions to be listed.
#[derive(Clone, Debug)]
pub struct ListExecutions {
    /// With whose key.
    pub account: AccountName,
    /// What for.
    pub purpose: Purpose,
    /// Which.
    pub query: ExecutionsQuery,
    /// How long it waited for the limiter.
    pub waited: Duration,
}

/// What executions are listed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To find that of this run, whose fate is unknown.
    Search(RunId),
    /// To see how ours in this project stand.
    Follow(Arc<Project>),
    /// To find those that others have started in this project.
    FindOthers(Arc<Project>),
}

impl Effect {
    /// With whose key a call is to be made that changes nothing, and how long it waited for the
    /// limiter; none where this is no such call.
    #[must_use]
    pub fn read(&self) -> Option<(&AccountName, Duration)> {
        match self {
            Self::LookUpTrigger(look_up) => Some((&look_up.pipeline.account, look_up.waited)),
            Self::ReadEvent(read) => Some((&read.account, read.waited)),
            Self::ReadExecution(read) => Some((&read.account, read.waited)),
            Self::ListExecutions(list) => Some((&list.account, list.waited)),
            _ => None,
        }
    }
}

/// What the one who asked for a run is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is saved and will be sent.
    Begun(RunId),
    /// These are now as they were asked to be, whatever they were before.
    Switched(Vec<PipelineName>),
    /// There is no pipeline of this name, and nothing has changed.
    UnknownPipeline(String),
    /// An older run is active or waiting, and the pipeline forbids a second.
    Active,
    /// It could not be saved.
    NotSaved,
    /// This is a dry run, in which nothing is sent.
    DryRun,
}
