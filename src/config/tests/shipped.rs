//! The `config.yaml` at the top: it is what it says it is.

use std::collections::BTreeSet;

use super::super::PLACEHOLDER_ACCOUNT_ID;
use super::super::keys::SECTIONS;
use super::good;
use crate::schedule::Schedule;

pub(super) const SHIPPED: &str = include_str!("../../../config.yaml");

/// The key of a line, if that is a key that is commented out, and the line without the `# `.
fn commented(line: &str) -> Option<(&str, String)> {
    let key = line.trim_start().strip_prefix("# ")?.split_once(':')?.0;
    let is_key = key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    is_key.then(|| (key, line.replacen("# ", "", 1)))
}

#[test]
fn it_runs_as_it_is() {
    let (config, warnings) = good(SHIPPED);
    assert_eq!(warnings, []);
    let pipelines: Vec<_> = config
        .pipelines
        .iter()
        .map(|pipeline| {
            (pipeline.name.as_str(), pipeline.schedule.as_ref().map_or("", Schedule::text))
        })
        .collect();
    assert_eq!(
        pipelines,
        [
            ("checkout", "every 6h"),
            ("catalog-tests", "every 8h"),
            ("search-index", "every 12h"),
            ("nightly-backup", "every 1d"),
            ("legacy-billing", "every 12h"),
            ("release-train", "every 12h"),
        ]
    );
    let placeholders = config.placeholder_accounts();
    let ids: Vec<_> = placeholders.iter().map(|account| account.account_id.as_str()).collect();
    assert_eq!(ids, [PLACEHOLDER_ACCOUNT_ID]);
}

#[test]
fn each_commented_key_can_be_used() {
    let mut keys = Vec::new();
    for (index, line) in SHIPPED.lines().enumerate() {
        let Some((key, active)) = commented(line) else { continue };
        keys.push(key);
        let mut lines: Vec<&str> = SHIPPED.lines().collect();
        lines[index] = &active;
        good(&lines.join("\n"));
    }
    assert_eq!(
        keys,
        [
            "api_key_file",
            "api_key_env",
            "api_key",
            "ca_file",
            "account",
            "schedule",
            "every",
            "overdue_after",
            "retry",
            "webhook_token_file",
            "webhook_token_env",
            "webhook_token",
            "webhook_url_file",
            "webhook_url_env",
            "webhook_url",
            "notifications",
            "notifications",
            "notifications",
        ]
    );
}

#[test]
fn it_names_every_key_that_there_is() {
    let shown: BTreeSet<&str> = SHIPPED
        .split(['\n', '{', ','])
        .filter_map(|part| {
            let part = part.trim_start().trim_start_matches("- ").trim_start_matches("# ");
            part.split_once(':').map(|(key, _)| key)
        })
        .collect();
    for key in SECTIONS.iter().flat_map(|(_, section)| section.keys()) {
        assert!(shown.contains(key.name), "{} is not in the shipped config.yaml", key.name);
    }
}

#[test]
fn its_defaults_are_the_defaults() {
    let bare = good(
        "
accounts: [{account_id: YOUR_ACCOUNT_ID}]
pipelines: [{org: default, project: shop, pipeline: checkout, trigger: exporter, every: 6h}]",
    );
    let (shipped, bare) = (good(SHIPPED).0, bare.0);
    assert_eq!(format!("{:?}", shipped.accounts), format!("{:?}", bare.accounts));
    assert_eq!(format!("{:?}", shipped.pipelines[0]), format!("{:?}", bare.pipelines[0]));
    assert_eq!(shipped.storage, bare.storage);
    assert_eq!(shipped.results, bare.results);
    assert_eq!(shipped.metrics, bare.metrics);
}
