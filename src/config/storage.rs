//! `storage`: where the runs are kept.

use std::time::Duration;

use serde_yaml::Value;

use super::fields::Fields;
use super::problem::quoted;
use super::{Storage, values};

impl Default for Storage {
    fn default() -> Self {
        Self {
            url: "sqlite://data/harness-exporter.db".to_owned(),
            retention: Duration::from_hours(30 * 24),
        }
    }
}

/// Reads the section; none where a problem was reported.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Storage> {
    let default = Storage::default();
    let url = fields.read("url", url).unless_absent(default.url);
    let retention =
        fields.read("retention", values::positive_duration).unless_absent(default.retention);
    Some(Storage { url: url?, retention: retention? })
}

fn url(value: &Value) -> Result<String, String> {
    let text = values::text(value)?;
    check_storage_url(text)?;
    Ok(text.to_owned())
}

/// Whether `text` says where a store is: `sqlite://` and a path, relative to the working directory
/// unless it begins with another `/`.
///
/// # Errors
/// What was found and what would do; nothing of the URL but its scheme, for it may hold a password.
pub fn check_storage_url(text: &str) -> Result<(), String> {
    let want = "want sqlite:// and a path, such as sqlite://data/harness-exporter.db";
    match text.split_once("://") {
        Some(("sqlite", "")) => Err(format!("found no path, {want}")),
        // What other programs take for a store in memory or for options of SQLite's would here
        // become a strange name of a file.
        Some(("sqlite", path)) if path.starts_with(':') || path.contains(['?', '#', '\0']) => {
            Err(format!("found something else than the path of a file, {want}"))
        }
        Some(("sqlite", _)) => Ok(()),
        Some(("postgres" | "postgresql", _)) => {
            Err(format!("PostgreSQL is not supported yet, {want}"))
        }
        Some((scheme, _)) => Err(format!("found the scheme {}, {want}", quoted(scheme))),
        None => Err(format!("found no scheme, {want}")),
    }
}
