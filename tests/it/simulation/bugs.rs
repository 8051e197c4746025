//! Bugs planted at the seams, to prove that the invariants can see: a simulation that finds nothing
//! says little until it has found what is there.

use super::{SEEDS_FOR_A_BUG, world};

/// A mistake that a driver, a store or a restore could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    /// Webhooks leave as soon as they are asked for.
    SendBeforeSave,
    /// A commit that failed is taken as done for the webhooks that waited for it.
    SendAfterFailure,
    /// The engine is never told that a commit failed.
    FailureUntold,
    /// After a failure the rest is saved without what follows from the failure.
    RetryApart,
    /// Runs found in `Sending` are given back as `Waiting`.
    ResendOnRestore,
    /// After a restart the last slot counts as not handled.
    ForgetLastSlot,
    /// After a restart the slots that were owed are not.
    ForgetOwed,
    /// After a restart one open run is not given back.
    ForgetRun,
    /// How far slots are handled is saved before what was done about them.
    MarkEarly,
    /// A transaction without webhooks is lost though the store said yes.
    LoseCommit,
    /// The disk is never synced: what is lost with the power was acted upon.
    NeverSync,
    /// A fact is counted twice.
    CountTwice,
    /// A fact is shown before it is saved.
    ShowBeforeSave,
    /// Who asks for a run is answered before it is saved.
    ReplyBeforeSave,
    /// An answer of Harness' is dropped.
    DropAnswer,
    /// A webhook whose answer was lost is sent again.
    RepeatUnknown,
    /// Deadlines are not heeded.
    NoDeadline,
    /// Pipelines may have as many runs as they like.
    NoForbid,
    /// Calls are not limited.
    IgnoreLimiter,
    /// `Retry-After` is not passed on.
    IgnoreRetryAfter,
    /// The id of an event is mixed up.
    MixUpEvents,
    /// A word that is not known is taken for an end.
    UnknownIsAnEnd,
    /// The order to stop is not passed on.
    IgnoreStop,
    /// After a restart a run of unknown fate is given back as `Waiting`.
    ResendUnconfirmed,
    /// After a restart nothing is known of what ended runs have had.
    ForgetClaims,
    /// Of several executions that may be a run's the first is shown alone.
    GuessAmongSeveral,
    /// A run of unknown fate is not looked for as long as it should be.
    GiveUpEarly,
    /// The order to pause or resume is not passed on.
    IgnorePause,
    /// The engine does not know of maintenance windows.
    IgnoreMaintenance,
    /// After a restart an edited schedule passes for the one that was.
    CatchUpByEdit,
    /// A run of unknown fate is given back as one to be tried again.
    RetryUnconfirmed,
    /// What has settled its due time is given back as to be tried again.
    SettleTwice,
    /// What was tried at a due time before the last one is given back as to be tried again.
    RetryLate,
    /// That nothing is tried again is not saved.
    LoseSettled,
    /// Open runs of pipelines that were removed are not given back.
    ForgetRemoved,
    /// The engine does not know that there is a key.
    SkipLookUp,
}

/// Every bug, and the invariant that must catch it.
const PLANTED: &[(Bug, &str)] = &[
    (Bug::SendBeforeSave, "saved_before_sent"),
    (Bug::SendAfterFailure, "saved_before_sent"),
    (Bug::FailureUntold, "schedule_balances"),
    (Bug::RetryApart, "schedule_balances"),
    (Bug::ResendOnRestore, "at_most_one_accepted_webhook_per_slot_and_attempt"),
    (Bug::ForgetLastSlot, "a_slot_is_begun_once"),
    (Bug::ForgetOwed, "schedule_balances"),
    (Bug::ForgetRun, "every_run_ends_once"),
    (Bug::MarkEarly, "schedule_balances"),
    (Bug::LoseCommit, "counters_never_fall"),
    (Bug::NeverSync, "at_most_one_accepted_webhook_per_slot_and_attempt"),
    (Bug::CountTwice, "books_balance"),
    (Bug::ShowBeforeSave, "counters_never_fall"),
    (Bug::ReplyBeforeSave, "replies_are_true"),
    (Bug::DropAnswer, "every_run_ends_once"),
    (Bug::RepeatUnknown, "at_most_one_accepted_webhook_per_slot_and_attempt"),
    (Bug::NoDeadline, "every_run_ends_once"),
    (Bug::NoForbid, "forbid_holds"),
    (Bug::IgnoreLimiter, "budget_kept"),
    (Bug::IgnoreRetryAfter, "throttling_is_heeded"),
    (Bug::MixUpEvents, "reads_only_known_events"),
    (Bug::UnknownIsAnEnd, "unknown_words_are_followed"),
    (Bug::IgnoreStop, "stopping_begins_nothing"),
    (Bug::ResendUnconfirmed, "at_most_one_accepted_webhook_per_slot_and_attempt"),
    (Bug::ForgetClaims, "never_one_for_two"),
    (Bug::GuessAmongSeveral, "nothing_is_guessed"),
    (Bug::GiveUpEarly, "looked_for_until_the_deadline"),
    (Bug::IgnorePause, "nothing_is_sent_while_left_alone"),
    (Bug::IgnoreMaintenance, "nothing_is_sent_while_left_alone"),
    (Bug::CatchUpByEdit, "nothing_fires_by_an_edit"),
    (Bug::RetryUnconfirmed, "a_retry_follows_what_went_wrong"),
    (Bug::SettleTwice, "a_slot_is_settled_once"),
    (Bug::LoseSettled, "a_slot_is_settled_once"),
    (Bug::RetryLate, "a_retry_is_before_the_next_due_time"),
    (Bug::ForgetRemoved, "every_run_ends_once"),
    (Bug::SkipLookUp, "a_look_up_comes_first"),
];

#[test]
fn every_planted_bug_is_caught_by_the_invariant_it_breaks() {
    let mut missed = Vec::new();
    for (bug, invariant) in PLANTED {
        let mut others = std::collections::BTreeMap::new();
        let caught = (0..SEEDS_FOR_A_BUG).any(|seed| match world::live(seed, Some(*bug)) {
            Ok(_) => false,
            Err(violation) => {
                *others.entry(violation.invariant).or_insert(0) += 1;
                violation.invariant == *invariant
            }
        });
        if !caught {
            missed.push(format!("{bug:?}: not by {invariant}, but by {others:?}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
