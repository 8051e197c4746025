//! What Harness says in these stories.

use crate::config::{Account, SecretSource};
use crate::model::*;

pub(super) const NO_MESSAGE: String = String::new();

pub(super) const V1: Address = Address::Version(WebhookVersion::V1);
pub(super) const V2: Address = Address::Version(WebhookVersion::V2);

pub(super) const NEVER_LEFT: TriggerAnswer = TriggerAnswer::NeverLeft { message: NO_MESSAGE };
pub(super) const UNKNOWN_PATH: TriggerAnswer = TriggerAnswer::UnknownPath { message: NO_MESSAGE };
pub(super) const THROTTLED: TriggerAnswer = TriggerAnswer::Throttled { retry_after: None };
pub(super) const FAILED_READ: EventAnswer = EventAnswer::Failed { message: NO_MESSAGE };

/// A trigger that is there, with this path.
pub(super) fn found(path: &str) -> LookupAnswer {
    let webhook = Some(WebhookPath::new(path));
    LookupAnswer::Found(FoundTrigger { enabled: Some(true), webhook })
}

/// Gives an account a key.
pub(super) fn with_key(account: &mut Account) {
    account.api_key = Some(SecretSource::Env("KEY".to_owned()));
}

/// An answer about the event, without an execution.
pub(super) fn event(status: &str) -> EventAnswer {
    let status = status.to_owned();
    EventAnswer::Details(Box::new(EventDetails { found: true, status, ..EventDetails::default() }))
}

/// An answer about its execution.
pub(super) fn execution(status: &str) -> EventAnswer {
    EventAnswer::Details(Box::new(EventDetails {
        found: true,
        status: "TARGET_EXECUTION_REQUESTED".to_owned(),
        execution: ExecutionId::new("BOvtFC6x").ok(),
        summary: Some(Summary { status: status.to_owned(), ..Summary::default() }),
        ..EventDetails::default()
    }))
}

/// An execution of which nothing more is told.
pub(super) fn execution_without_details() -> EventAnswer {
    let EventAnswer::Details(mut details) = execution("") else { unreachable!() };
    details.summary = None;
    EventAnswer::Details(details)
}
