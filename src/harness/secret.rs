//! Reads secrets from where the config says they are, and keeps those that a client has read.
//!
//! A secret is opened here and nowhere else, and never printed: an error names its place alone.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

use super::redact;
use crate::config::{Config, Pipeline, SecretSource, Webhook};
use crate::model::{PipelineName, WebhookPath};

/// Far above any key or token; a device or a wrong file must not be read for ever.
const LARGEST: u64 = 64 * 1024;

/// The shortest value of an extra header that is hidden where it is repeated: a shorter one is a
/// flag or a name, found in every other text.
const SHORTEST_HIDDEN: usize = 8;

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file could not be read.
    #[error("secret file {} can't be read: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The environment variable is not there.
    #[error("environment variable {0} is not set")]
    NotSet(String),
    /// There is nothing in it.
    #[error("{0} is empty: put the secret in it")]
    Empty(String),
    /// It can't be a key or a token.
    #[error("{0} holds white space: put the secret alone in it")]
    Spaces(String),
    /// It can't be a key or a token.
    #[error("{0} holds a character that no secret of Harness has: put the secret alone in it")]
    Character(String),
    /// It can't be a key or a token.
    #[error("{0} is larger than any secret of Harness: put the secret alone in it")]
    TooLarge(String),
}

/// Reads a secret. White space around it is not part of it.
///
/// # Errors
/// Where it can't be read, is empty, over 64 KiB, or holds white space or a control or non-ASCII
/// character. The error names the file or the variable, never the content.
pub fn read_secret(source: &SecretSource) -> Result<SecretString, SecretError> {
    let (place, secret) = match source {
        SecretSource::File(path) => {
            let bytes =
                read_file(path).map_err(|error| SecretError::File { path: path.clone(), error })?;
            // What is not UTF-8 becomes a character that the check below refuses.
            let text = String::from_utf8_lossy(&bytes);
            (format!("secret file {}", path.display()), SecretString::from(text.trim()))
        }
        SecretSource::Env(name) => {
            let value = std::env::var_os(name).ok_or_else(|| SecretError::NotSet(name.clone()))?;
            let text = value.to_string_lossy();
            (format!("environment variable {name}"), SecretString::from(text.trim()))
        }
        SecretSource::Inline(secret) => {
            let secret = SecretString::from(secret.expose_secret().trim());
            ("the secret in the config".to_owned(), secret)
        }
    };
    let text = secret.expose_secret();
    if text.is_empty() {
        return Err(SecretError::Empty(place));
    }
    if u64::try_from(text.len()).is_ok_and(|length| length > LARGEST) {
        return Err(SecretError::TooLarge(place));
    }
    if text.contains(|c: char| c.is_ascii_whitespace()) {
        return Err(SecretError::Spaces(place));
    }
    if text.contains(|c: char| c.is_control() || !c.is_ascii()) {
        return Err(SecretError::Character(place));
    }
    Ok(secret)
}

/// The pipelines whose webhook needs a token that can't be had now. They are sent no webhook until it
/// can; it is looked for anew before each.
#[must_use]
pub fn unreadable_tokens(config: &Config) -> Vec<(PipelineName, SecretError)> {
    let error = |pipeline: &Pipeline| match &pipeline.webhook {
        Webhook::Token(source) => read_secret(source).err(),
        Webhook::Auto | Webhook::Fixed(_) | Webhook::Url { .. } => None,
    };
    let pipelines = config.pipelines.iter();
    pipelines.filter_map(|pipeline| Some((pipeline.name.clone(), error(pipeline)?))).collect()
}

fn read_file(path: &PathBuf) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST + 2).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The secrets of one account: its API key, and every webhook token used so far.
pub(super) struct Secrets {
    source: Option<SecretSource>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    key: Option<SecretString>,
    /// Every secret ever read, an outdated one included: Harness may still echo it.
    seen: Vec<SecretString>,
}

impl Held {
    fn saw(&mut self, secret: &str) {
        if secret.is_empty() || self.seen.iter().any(|seen| seen.expose_secret() == secret) {
            return;
        }
        self.seen.push(SecretString::from(secret));
        self.seen.extend(redact::coded(secret).into_iter().map(SecretString::from));
    }
}

impl Secrets {
    /// Reads the API key, where there is one.
    pub(super) fn open(source: Option<&SecretSource>) -> Result<Self, SecretError> {
        let secrets = Self { source: source.cloned(), held: Mutex::default() };
        secrets.key()?;
        Ok(secrets)
    }

    /// The API key; `None` where the account has none.
    pub(super) fn key(&self) -> Result<Option<SecretString>, SecretError> {
        let Some(source) = &self.source else { return Ok(None) };
        let mut held = self.lock();
        if held.key.is_none() {
            let key = read_secret(source)?;
            held.saw(key.expose_secret());
            held.key = Some(key);
        }
        Ok(held.key.clone())
    }

    /// Harness refused the key: where it is in a file, the next call reads it again.
    pub(super) fn doubt_key(&self) {
        if matches!(self.source, Some(SecretSource::File(_))) {
            self.lock().key = None;
        }
    }

    /// A webhook token, read anew so that a new one is used at once.
    pub(super) fn token(&self, source: &SecretSource) -> Result<SecretString, SecretError> {
        let token = read_secret(source)?;
        self.lock().saw(token.expose_secret());
        Ok(token)
    }

    /// A webhook's URL: what in it may be a token is not to be repeated.
    pub(super) fn saw_webhook(&self, webhook: &WebhookPath) {
        if let Some(token) = redact::token_in(webhook.exposed()) {
            self.lock().saw(&percent_decode_str(token).decode_utf8_lossy());
        }
    }

    /// The value of an extra header, which may hold anything: it and each long word of it.
    pub(super) fn saw_header(&self, value: &str) {
        let mut held = self.lock();
        let words = value.split_whitespace().chain([value]);
        words.filter(|word| word.len() >= SHORTEST_HIDDEN).for_each(|word| held.saw(word));
    }

    /// Text from outside, without any of these secrets; see [`redact::clean`].
    pub(super) fn clean(&self, text: &str) -> String {
        let held = self.lock();
        let seen: Vec<&str> = held.seen.iter().map(ExposeSecret::expose_secret).collect();
        redact::clean(text, &seen)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(content: &[u8]) -> (tempfile::TempDir, SecretSource) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, content).unwrap();
        (directory, SecretSource::File(path))
    }

    #[test]
    fn white_space_around_a_secret_is_not_part_of_it() {
        for content in ["s3cret", "s3cret\n", "s3cret\r\n", " \ts3cret \n\n"] {
            let (_directory, source) = written(content.as_bytes());
            assert_eq!(read_secret(&source).unwrap().expose_secret(), "s3cret", "{content:?}");
        }
    }

    #[test]
    fn what_can_be_no_secret_is_refused_without_being_named() {
        let large = vec![b'a'; 65 * 1024];
        let table: [(&[u8], &str); 9] = [
            (b"", "is empty"),
            (b"\n", "is empty"),
            (b" \n", "is empty"),
            (b"s3\ncret", "holds white space"),
            (b"s3 cret", "holds white space"),
            (b"s3cret\0", "holds a character"),
            (b"s3cret\xff", "holds a character"),
            ("s3cret\u{e4}".as_bytes(), "holds a character"),
            (&large, "is larger"),
        ];
        for (content, expected) in table {
            let (directory, source) = written(content);
            let error = read_secret(&source).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.contains(expected), "{text}");
            assert!(text.contains("secret file /"), "{text}");
            // The folder's name is random and may hold anything.
            let text = text.replace(&directory.path().display().to_string(), "");
            assert!(!text.contains("s3") && !text.contains("aaa"), "{text}");
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        let absent = SecretSource::File(PathBuf::from("/nowhere/key"));
        let text = read_secret(&absent).unwrap_err().to_string();
        assert!(text.starts_with("secret file /nowhere/key can't be read: No such file"), "{text}");
        let unset = SecretSource::Env("HARNESS_EXPORTER_TEST_UNSET".to_owned());
        let text = read_secret(&unset).unwrap_err().to_string();
        assert_eq!(text, "environment variable HARNESS_EXPORTER_TEST_UNSET is not set");
    }

    #[test]
    fn a_doubted_key_is_read_again_from_its_file_alone() {
        let (_directory, source) = written(b"old");
        let SecretSource::File(path) = &source else { unreachable!() };
        let secrets = Secrets::open(Some(&source)).unwrap();
        let key = |secrets: &Secrets| secrets.key().unwrap().unwrap().expose_secret().to_owned();
        std::fs::write(path, "new").unwrap();
        assert_eq!(key(&secrets), "old");
        secrets.doubt_key();
        assert_eq!(key(&secrets), "new");
        assert_eq!(secrets.clean("old and new"), "[redacted] and [redacted]");
        std::fs::remove_file(path).unwrap();
        assert_eq!(key(&secrets), "new");
        secrets.doubt_key();
        assert!(secrets.key().is_err());

        let inline = SecretSource::Inline(SecretString::from("inline"));
        let secrets = Secrets::open(Some(&inline)).unwrap();
        secrets.doubt_key();
        assert_eq!(key(&secrets), "inline");
    }
}
