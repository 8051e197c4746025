//! The config that holds, as far as the web has to do with it. A reload puts another in its place.

use std::sync::{Arc, PoisonError, RwLock};

use secrecy::SecretString;

use crate::config::Config;

/// What holds at one moment.
#[derive(Clone, Debug)]
pub struct RunningConfig {
    /// The config.
    pub config: Arc<Config>,
    /// What Harness has to say to be listened to, as `notifications` names it; none where
    /// notifications are off.
    pub hook_token: Option<SecretString>,
}

/// Where what holds is found. Clones share it.
#[derive(Clone, Debug)]
pub struct Running(Arc<RwLock<Arc<RunningConfig>>>);

impl Running {
    /// Begins with `terms`.
    #[must_use]
    pub fn new(terms: RunningConfig) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(terms))))
    }

    /// From now on `terms` hold.
    pub fn replace(&self, terms: RunningConfig) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(terms);
    }

    /// What holds now.
    #[must_use]
    pub fn now(&self) -> Arc<RunningConfig> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
