//! Forgetting what nobody needs, a little at a time. Totals are never forgotten.

use std::time::Duration;

use rusqlite::params;

use crate::model::Wall;

use super::{Error, Store};

/// How many runs are deleted in one go: few enough that no commit waits long for it.
const AT_ONCE: u32 = 500;

/// How many ended runs a pipeline has that ended well, and how many that ended badly. The older
/// ones go with the transaction that saves a newer end, so there are never more, and no sweep.
pub(super) const KEPT_OF_A_KIND: u32 = 200;

impl Store {
    /// Deletes runs whose end was recorded more than `retention` before `now`, the oldest first,
    /// 500 at the most, and says how many. Those that the gauges speak of stay, however old.
    ///
    /// # Errors
    /// Where the database could not be written; then nothing is deleted.
    pub fn prune(&mut self, now: Wall, retention: Duration) -> Result<usize, Error> {
        let before = now.before(retention).0;
        self.connection
            .prepare_cached(&self.sql.delete_old)
            .and_then(|mut delete| delete.execute(params![before, AT_ONCE]))
            .map_err(|source| self.database(source))
    }
}
