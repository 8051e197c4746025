//! Where the loop reads its clocks. The core is handed what they say.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::{Mono, Now, Wall};

/// Where the monotonic clock begins: far enough from its origin that whatever began before the
/// process did has an instant on it too.
const ORIGIN: Duration = Duration::from_hours(100 * 366 * 24);

/// Both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// Clocks that begin now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the shell is where clocks are read")]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// What both clocks say.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { wall: wall(), mono: Mono(ORIGIN.saturating_add(self.started.elapsed())) }
    }
}

/// What the wall clock says.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the shell is where clocks are read")]
pub fn wall() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
