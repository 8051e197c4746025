//! What of a file may be shown: nothing that is, or may have been meant to be, a secret.

use super::keys::{Form, Key, SECTIONS};

/// Whether what a key holds may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// Yes.
    Open,
    /// No, nor anything below it.
    Secret,
    /// There is no such key, and so nobody knows.
    Unknown,
}

/// Whether what the keys called `name` hold may be shown.
pub(super) fn of(name: &str) -> Secrecy {
    let all = SECTIONS.iter().flat_map(|(_, section)| section.keys());
    let mut named = all.filter(|key| key.name == name).peekable();
    if name == "<<" {
        return Secrecy::Open;
    }
    if named.peek().is_none() {
        return Secrecy::Unknown;
    }
    // Somebody may have put the secret itself where its place is asked for.
    let secret = |key: &Key| {
        use Form::{Headers, Payload, Secret, SecretFile, SecretVariable};
        matches!(key.form, Secret | SecretFile | SecretVariable | Payload | Headers)
    };
    if named.any(secret) { Secrecy::Secret } else { Secrecy::Open }
}

/// Whether `text` is a URL that may have a password in it.
pub(super) fn has_credentials(text: &str) -> bool {
    text.contains("://") && text.contains(['@', '?'])
}
