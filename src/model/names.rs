//! Names and ids as types of their own, so that one cannot be passed for another.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Wall;

macro_rules! text_type {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

macro_rules! free_text {
    ($name:ident) => {
        impl $name {
            /// Takes `text` as it is; the config has bounded its length.
            #[must_use]
            pub fn new(text: &str) -> Self {
                Self(Arc::from(text))
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

text_type! {
    /// The name of an account in the config: the label `account`.
    AccountName
}
free_text!(AccountName);

text_type! {
    /// The name of a pipeline in the config: the label `pipeline`. Unique over the whole config.
    PipelineName
}
free_text!(PipelineName);

text_type! {
    /// What Harness gives back for a webhook (`eventCorrelationId`). Opaque.
    EventId
}

text_type! {
    /// Harness' id of an execution (`planExecutionId`). Opaque.
    ExecutionId
}

text_type! {
    /// Our id of a run. A scheduled run's is made of its pipeline, due instant and attempt, so that
    /// the same triggering has the same id in every process that ever thinks of it.
    RunId
}

impl RunId {
    /// The id of the `attempt`th run for the due time `due` of `pipeline`.
    #[must_use]
    pub fn of_slot(pipeline: &PipelineName, due: Wall, attempt: u32) -> Self {
        Self(Arc::from(format!("{pipeline}-{due}-{attempt}")))
    }

    /// The id of a run that somebody asked for; `random` is what makes it unique.
    #[must_use]
    pub fn of_request(pipeline: &PipelineName, random: u64) -> Self {
        Self(Arc::from(format!("{pipeline}-manual-{random:016x}")))
    }
}

/// An id that Harness sent and that cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Nothing at all.
    #[error("the id is empty")]
    Empty,
    /// Longer than any id of Harness' by far: it would only be a burden to keep.
    #[error("the id is longer than 128 characters")]
    TooLong,
    /// Something that does not belong into the path of a URL.
    #[error("the id holds a character that no id of Harness has")]
    Character,
}

/// Harness' ids are 24 hexadecimal digits (events) or 22 characters of URL-safe base64
/// (executions). They are treated as opaque, yet what could not stand in a URL's path is refused.
fn checked(text: &str) -> Result<Arc<str>, InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > 128 {
        return Err(InvalidId::TooLong);
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.~:+=@".contains(c);
    if !text.chars().all(fits) || text.chars().all(|c| c == '.') {
        return Err(InvalidId::Character);
    }
    Ok(Arc::from(text))
}

impl EventId {
    /// Takes an id as Harness sent it.
    ///
    /// # Errors
    /// Where it is empty, longer than 128 characters or has no place in a URL.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        checked(text).map(Self)
    }
}

impl ExecutionId {
    /// Takes an id as Harness sent it.
    ///
    /// # Errors
    /// Where it is empty, longer than 128 characters or has no place in a URL.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        checked(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_cannot_be_polled_are_refused() {
        assert_eq!(EventId::new(""), Err(InvalidId::Empty));
        assert_eq!(EventId::new(&"a".repeat(1_000_000)), Err(InvalidId::TooLong));
        for text in ["a/b", "a b", "..", ".", "a?b", "a\n", "ä"] {
            assert_eq!(EventId::new(text), Err(InvalidId::Character), "{text:?}");
        }
        assert!(EventId::new("62e2f35160958b611e494564").is_ok());
        assert!(ExecutionId::new("BOvtFC6xRReaPeJiOj2yvA").is_ok());
    }

    #[test]
    fn a_slot_has_one_id_whoever_asks() {
        let name = PipelineName::new("nightly");
        let id = RunId::of_slot(&name, Wall(1_764_000_000_000), 1);
        assert_eq!(id.as_str(), "nightly-2025-11-24T16:00:00Z-1");
        assert_eq!(RunId::of_request(&name, 255).as_str(), "nightly-manual-00000000000000ff");
    }
}
