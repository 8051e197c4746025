//! Harness' own pages, for people.

use url::Url;

use crate::config::Account;
use crate::model::{ExecutionId, Target};

/// The page of an execution. Built from the account's own URL: none that an answer names is ever
/// shown as a place to go to.
#[must_use]
pub fn execution_page(account: &Account, target: &Target, execution: &ExecutionId) -> Url {
    let Target { org, project, pipeline, .. } = target;
    let mut url = account.url.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(["ng", "account", &account.account_id, "all"]);
        segments.extend(["orgs", org, "projects", project, "pipelines", pipeline]);
        segments.extend(["executions", execution.as_str(), "pipeline"]);
    }
    url
}
