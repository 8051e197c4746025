//! The client of Harness: sends webhooks, reads events, and says in our words what was answered.
//!
//! It exists to settle one question for every webhook: did Harness certainly *not* act on it? It
//! decides nothing that follows from the answer, repeats no call, follows no redirect, keeps no
//! state beside its connections and secrets, and logs nothing. Nothing it hands out, neither a
//! message nor a `Debug` text, holds an API key or a webhook token (a [`WebhookUrl`] shows its own to
//! who asks it to), and the key goes to the account's own host only.
//!
//! [`Client`] makes the calls; `body` knows whether a webhook left this machine; `classify` turns
//! an answer into our words with the help of `wire` (the JSON) and `lenient` (JSON of the wrong
//! type); `secret` and `redact` keep the secrets; `timing` reads the clocks around a call;
//! `triggers` is about triggers as things that Harness has.

mod body;
mod classify;
mod client;
mod lenient;
mod redact;
mod secret;
mod timing;
mod triggers;
mod wire;

pub use client::{Client, Error, TriggerCall};
pub use secret::{SecretError, read_secret, unreadable_tokens};
pub use triggers::{NewTrigger, Trigger, TriggerError, WebhookUrl, triggers_url};

/// Makes ring the cryptography of every TLS connection of this process. To be called once, before
/// the first [`Client::new`]; where a choice was made already, that one stays.
pub fn install_crypto() {
    // An error only says that one is installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
