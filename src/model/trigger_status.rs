//! Harness' words for what became of an event.

/// What Harness' word about an event amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerClass {
    /// Not resolved yet.
    Pending,
    /// An execution was requested.
    Success,
    /// Skipped by Harness' own rules.
    Skipped,
    /// No trigger, or none whose conditions matched.
    NoMatchingTrigger,
    /// The pipeline could not be started.
    StartRefused,
    /// Harness failed while processing.
    ProcessingError,
    /// Another final failure.
    Other,
    /// A value that is not in our table.
    Unknown,
}

/// Harness' words for what became of an event, with their meaning: the 41 values of its 2026 code,
/// and two that only installations of 2021 send. Every one but `QUEUED` is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TriggerStatus;

impl TriggerStatus {
    /// Every known value and what it amounts to.
    pub const TABLE: &'static [(&'static str, TriggerClass)] = {
        use TriggerClass::{
            NoMatchingTrigger, Other, Pending, ProcessingError, Skipped, StartRefused, Success,
        };
        &[
            ("QUEUED", Pending),
            ("TARGET_EXECUTION_REQUESTED", Success),
            ("NEW_ARTIFACT_EVENT_PROCESSED", Success),
            ("NEW_MANIFEST_EVENT_PROCESSED", Success),
            ("TRIGGER_CONFIRMATION_SUCCESSFUL", Success),
            ("MERGE_QUEUE_CHECKS_CANCELED", Success),
            ("SKIPPED", Skipped),
            ("MERGE_QUEUE_CHECKS_ALREADY_RUNNING", Skipped),
            ("TRIGGER_DID_NOT_MATCH_EVENT_CONDITION", Skipped),
            ("TRIGGER_DID_NOT_MATCH_METADATA_CONDITION", Skipped),
            ("TRIGGER_DID_NOT_MATCH_ARTIFACT_JEXL_CONDITION", Skipped),
            ("INVALID_RUNTIME_INPUT_YAML", StartRefused),
            ("EXCEPTION_WHILE_PROCESSING", ProcessingError),
            ("NO_MATCHING_TRIGGER_FOR_PAYLOAD_CONDITIONS", NoMatchingTrigger),
            ("NO_MATCHING_TRIGGER_FOR_HEADER_CONDITIONS", NoMatchingTrigger),
            ("NO_MATCHING_TRIGGER_FOR_JEXL_CONDITIONS", NoMatchingTrigger),
            ("NO_MATCHING_TRIGGER_FOR_REPO", NoMatchingTrigger),
            ("NO_MATCHING_TRIGGER_FOR_EVENT_ACTION", NoMatchingTrigger),
            ("NO_MATCHING_TRIGGER_FOR_METADATA_CONDITIONS", NoMatchingTrigger),
            ("NO_MATCHING_TRIGGER_FOR_FILEPATH_CONDITIONS", NoMatchingTrigger),
            ("NO_MATCHING_TRIGGER_FOR_FOR_EVENT_SIGNATURES", NoMatchingTrigger),
            ("NO_MATCHING_TRIGGER_FOR_FOR_EVENT_CONDITION", NoMatchingTrigger),
            ("NO_MATCHING_TRIGGER_FOR_CONDITIONS", NoMatchingTrigger),
            ("NO_ENABLED_CUSTOM_TRIGGER_FOUND", NoMatchingTrigger),
            ("NO_ENABLED_CUSTOM_TRIGGER_FOUND_FOR_ACCOUNT", NoMatchingTrigger),
            ("NO_ENABLED_TRIGGER_FOR_PROJECT", NoMatchingTrigger),
            ("NO_ENABLED_TRIGGER_FOR_ACCOUNT", NoMatchingTrigger),
            ("NO_ENABLED_TRIGGER_FOR_SOURCEREPO_TYPE", NoMatchingTrigger),
            ("NO_ENABLED_TRIGGER_FOR_ACCOUNT_SOURCE_REPO", NoMatchingTrigger),
            ("NO_ENABLED_TRIGGER_FOUND_FOR_REPO", NoMatchingTrigger),
            ("NO_TRIGGERS_FOUND_FOR_HARNESS_ARTIFACT_REGISTRY_WEBHOOK", NoMatchingTrigger),
            ("INVALID_PAYLOAD", Other),
            ("TRIGGER_AUTHENTICATION_FAILED", Other),
            ("TARGET_DID_NOT_EXECUTE", Other),
            ("SCM_SERVICE_CONNECTION_FAILED", Other),
            ("FAILED_TO_FETCH_PR_DETAILS", Other),
            ("FAILED_TO_FETCH_PR_COMMITS", Other),
            ("INVALID_HARNESS_ARTIFACT_REGISTRY_TRIGGER_ACTION", Other),
            ("HARNESS_ARTIFACT_REGISTRY_WEBHOOK_NOT_EXECUTED", Other),
            ("TRIGGER_CONFIRMATION_FAILED", Other),
            ("VALIDATION_FAILED_FOR_TRIGGER", Other),
            ("ALL_MAPPED_TRIGGER_FAILED_VALIDATION_FOR_POLLING_EVENT", Other),
            ("POLLING_EVENT_WITH_NO_VERSIONS", Other),
        ]
    };

    /// What Harness' `word` amounts to.
    #[must_use]
    pub fn of(word: &str) -> TriggerClass {
        let word = word.trim();
        Self::TABLE
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(word))
            .map_or(TriggerClass::Unknown, |(_, class)| *class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trigger_status_is_listed_once_and_only_queued_is_open() {
        let mut words: Vec<_> = TriggerStatus::TABLE.iter().map(|(word, _)| *word).collect();
        assert_eq!(words.len(), 43);
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), 43);
        for (word, class) in TriggerStatus::TABLE {
            assert_eq!(*class == TriggerClass::Pending, *word == "QUEUED", "{word}");
        }
        assert_eq!(TriggerStatus::of("FRESH_VALUE"), TriggerClass::Unknown);
    }
}
