//! The calls to Harness that are under way: the one place where an effect becomes a call and its
//! answer an input.
//!
//! It knows neither the store nor the metrics, so that the exporter's loop and the one that only
//! follows a few runs make their calls in the same way.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

use crate::engine::{
    Effect, Input, ListExecutions, LookUpTrigger, ReadEvent, ReadExecution, SendTrigger,
};
use crate::harness::{Client, TriggerCall};
use crate::model::{
    AccountName, Answered, EventAnswer, ExecutionAnswer, ExecutionsAnswer, LookupAnswer,
    TriggerAnswer,
};

/// What a call came to.
#[derive(Debug)]
pub(super) struct Answer {
    /// Whose Harness it was made to.
    pub(super) account: AccountName,
    /// What the engine is to hear of it.
    pub(super) input: Input,
}

/// See the module's documentation.
pub(super) struct Calls {
    clients: BTreeMap<AccountName, Client>,
    webhooks: JoinSet<Answer>,
    reads: JoinSet<Answer>,
    /// How many of each kind may have a connection at once. What hangs in the one kind never holds up
    /// the other, and neither takes what scrapes and the store need.
    room_for_webhooks: Arc<Semaphore>,
    room_for_reads: Arc<Semaphore>,
}

impl Calls {
    /// No call yet; there is one client for each account.
    pub(super) fn new(clients: BTreeMap<AccountName, Client>) -> Self {
        let room = (descriptors().unwrap_or(USUAL_DESCRIPTORS) / 8).max(1);
        Self {
            clients,
            webhooks: JoinSet::new(),
            reads: JoinSet::new(),
            room_for_webhooks: Arc::new(Semaphore::new(room)),
            room_for_reads: Arc::new(Semaphore::new(room)),
        }
    }

    /// Makes new calls with `clients`, and with the old ones for accounts that are still `needed`.
    pub(super) fn take_over(
        &mut self,
        clients: BTreeMap<AccountName, Client>,
        needed: impl Fn(&AccountName) -> bool,
    ) {
        self.clients.retain(|account, _| needed(account));
        self.clients.extend(clients);
    }

    /// Sends a webhook.
    pub(super) fn trigger(&mut self, send: SendTrigger) {
        let account = send.pipeline.account.clone();
        let client = self.clients.get(&account).cloned();
        let room = self.room_for_webhooks.clone();
        self.webhooks.spawn(async move {
            // It is never closed.
            let _place = room.acquire().await;
            let call = TriggerCall {
                pipeline: &send.pipeline,
                address: &send.address,
                payload: &send.payload,
            };
            let answered = match client {
                Some(client) => client.trigger(call).await,
                None => no_client(TriggerAnswer::NotSent { message: NO_CLIENT.to_owned() }),
            };
            Answer { account, input: Input::Triggered { run: send.run, answered } }
        });
    }

    /// Makes the call that an effect asks for, unless it asks for none that changes nothing: then it
    /// comes back.
    pub(super) fn make(&mut self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::LookUpTrigger(look_up) => self.look_up(look_up),
            Effect::ReadEvent(read) => self.read_event(read),
            Effect::ReadExecution(read) => self.read_execution(read),
            Effect::ListExecutions(list) => self.list_executions(list),
            other => return Some(other),
        }
        None
    }

    /// Reads an event.
    fn read_event(&mut self, read: ReadEvent) {
        let ReadEvent { account, run, version, event, .. } = read;
        self.read(account, async move |client| {
            let answered = match client {
                Some(client) => client.read_event(version, &event).await,
                None => no_client(EventAnswer::Failed { message: NO_CLIENT.to_owned() }),
            };
            Input::EventRead { run, answered }
        });
    }

    /// Reads an execution.
    fn read_execution(&mut self, read: ReadExecution) {
        let ReadExecution { account, run, target, execution, .. } = read;
        self.read(account, async move |client| {
            let answered = match client {
                Some(client) => client.read_execution(&target, &execution).await,
                None => no_client(ExecutionAnswer::Failed { message: NO_CLIENT.to_owned() }),
            };
            Input::ExecutionRead { run, answered }
        });
    }

    /// Lists executions.
    fn list_executions(&mut self, list: ListExecutions) {
        let ListExecutions { account, purpose, query, .. } = list;
        self.read(account, async move |client| {
            let answered = match client {
                Some(client) => client.list_executions(&query).await,
                None => no_client(ExecutionsAnswer::Failed { message: NO_CLIENT.to_owned() }),
            };
            Input::ExecutionsListed { purpose, answered }
        });
    }

    /// Looks a trigger up: among the webhooks, because one waits for it.
    fn look_up(&mut self, look_up: LookUpTrigger) {
        let LookUpTrigger { pipeline, .. } = look_up;
        let room = self.room_for_webhooks.clone();
        self.ask(room, pipeline.account.clone(), async move |client| {
            let answered = match client {
                Some(client) => client.look_up(&pipeline).await,
                None => no_client(LookupAnswer::Failed { message: NO_CLIENT.to_owned() }),
            };
            let (pipeline, answered) = (pipeline.name.clone(), Box::new(answered));
            Input::TriggerLookedUp { pipeline, answered }
        });
    }

    /// Makes a call that tells how runs stand.
    fn read<F>(&mut self, account: AccountName, call: impl FnOnce(Option<Client>) -> F)
    where
        F: Future<Output = Input> + Send + 'static,
    {
        self.ask(self.room_for_reads.clone(), account, call);
    }

    /// Makes a call that changes nothing, when there is room for it.
    fn ask<F>(
        &mut self,
        room: Arc<Semaphore>,
        account: AccountName,
        call: impl FnOnce(Option<Client>) -> F,
    ) where
        F: Future<Output = Input> + Send + 'static,
    {
        let call = call(self.clients.get(&account).cloned());
        self.reads.spawn(async move {
            // It is never closed.
            let _place = room.acquire().await;
            Answer { account, input: call.await }
        });
    }

    /// Waits for an answer; none where no call is under way. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Option<Result<Answer, JoinError>> {
        tokio::select! {
            Some(answer) = self.webhooks.join_next() => Some(answer),
            Some(answer) = self.reads.join_next() => Some(answer),
            else => None,
        }
    }

    /// An answer that is there already.
    pub(super) fn try_next(&mut self) -> Option<Result<Answer, JoinError>> {
        self.webhooks.try_join_next().or_else(|| self.reads.try_join_next())
    }

    /// Whether no webhook is under way.
    pub(super) fn no_webhooks(&self) -> bool {
        self.webhooks.is_empty()
    }

    /// Gives up what only reads.
    pub(super) fn drop_reads(&mut self) {
        self.reads.abort_all();
        self.reads.detach_all();
    }
}

/// What a process is usually allowed where the system does not say.
const USUAL_DESCRIPTORS: usize = 1024;

/// How many file descriptors this process may have. Only Linux has a file that says so.
fn descriptors() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

const NO_CLIENT: &str = "its account is not in the config";

/// The answer of a call that there is nobody to make.
fn no_client<T>(answer: T) -> Answered<T> {
    Answered { answer, code: None, skew: None, took: None }
}
