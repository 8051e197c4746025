//! Reading the config again: on a thread that may be blocked, one reading at a time.
//!
//! Whoever asks while one is under way is answered by the next, because the file may have been
//! written since.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};

use crate::harness::Client;
use crate::model::AccountName;
use crate::web::{ReloadReply, RunningConfig};

/// A config that has just been read and is good, with what it takes to go on by it.
pub struct Fresh {
    /// The config, and what the web has to know of it.
    pub running: RunningConfig,
    /// What tells it from another.
    pub fingerprint: u64,
    /// What it may not mean.
    pub warnings: Vec<String>,
    /// One for each of its accounts, the keys read anew.
    pub clients: BTreeMap<AccountName, Client>,
}

/// Reads the config, or says in lines for a person why it is no good.
pub type Reread = Arc<dyn Fn() -> Result<Fresh, String> + Send + Sync>;

type Waits = oneshot::Sender<ReloadReply>;

/// See the module's documentation.
pub(super) struct Reloading {
    reread: Option<Reread>,
    under_way: JoinSet<Result<Fresh, String>>,
    /// Who is answered by the reading under way, and who by the next.
    waits: Vec<Waits>,
    later: Vec<Waits>,
}

impl Reloading {
    pub(super) fn new(reread: Option<Reread>) -> Self {
        Self { reread, under_way: JoinSet::new(), waits: Vec::new(), later: Vec::new() }
    }

    /// Somebody asks for it.
    pub(super) fn ask(&mut self, reply: Waits) {
        if self.reread.is_none() {
            // Whoever asked may have gone.
            let _ = reply.send(ReloadReply::NotSupported);
            return;
        }
        self.later.push(reply);
        self.begin();
    }

    fn begin(&mut self) {
        let Some(reread) = self.reread.clone() else { return };
        if self.under_way.is_empty() && !self.later.is_empty() {
            self.waits = std::mem::take(&mut self.later);
            self.under_way.spawn_blocking(move || reread());
        }
    }

    /// Waits for what was read; none where nothing is. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Option<Result<Result<Fresh, String>, JoinError>> {
        self.under_way.join_next().await
    }

    /// Tells those who waited, and begins with the next where others do.
    pub(super) fn tell(&mut self, reply: &ReloadReply) {
        for waits in self.waits.drain(..) {
            let _ = waits.send(reply.clone());
        }
        self.begin();
    }
}
