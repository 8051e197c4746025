//! Where a secret is to be read: a file, an environment variable, or the config itself.
//!
//! No secret is opened here, and none is ever part of a message. Whoever has the config read may
//! hand in a way to open one, because the URL of a webhook says more than a secret.

use std::path::Path;

use secrecy::SecretString;
use serde_yaml::Value;

use super::fields::{Fields, Read};
use super::{SecretSource, values};

/// Whether the URLs of webhooks are opened, to read what they name.
#[derive(Clone, Copy)]
pub enum Secrets<'a> {
    /// They are left alone, unless they stand in the config itself.
    Closed,
    /// They are read with this, whose error says what keeps it from it.
    Opened(&'a dyn Fn(&SecretSource) -> Result<SecretString, String>),
}

impl Secrets<'_> {
    /// What `source` holds; none where it is to be left alone.
    pub(super) fn open(self, source: &SecretSource) -> Option<Result<SecretString, String>> {
        match (source, self) {
            (SecretSource::Inline(secret), _) => Some(Ok(secret.clone())),
            (_, Secrets::Closed) => None,
            (_, Secrets::Opened(open)) => Some(open(source)),
        }
    }
}

/// What surrounds the mappings of one file.
#[derive(Clone, Copy)]
pub(super) struct Beside<'a> {
    /// What files are relative to.
    pub(super) folder: &'a Path,
    pub(super) secrets: Secrets<'a>,
}

/// Reads the three `keys` of one secret (file, variable, inline), of which at most one may stand.
/// Files are relative to `folder`.
pub(super) fn read(
    fields: &mut Fields<'_>,
    folder: &Path,
    keys: [&'static str; 3],
) -> Read<SecretSource> {
    let [file, env, inline] = keys;
    let found = [
        (file, fields.read(file, |value| values::path(value, folder).map(SecretSource::File))),
        (env, fields.read(env, variable)),
        (inline, fields.read(inline, text)),
    ];
    if matches!(found, [_, _, (_, Read::Is(_))]) {
        let message =
            format!("a secret in the config is easily given away, better is {file} or {env}");
        fields.warn(inline, message);
    }
    let mut present: Vec<_> =
        found.into_iter().filter(|(_, read)| !matches!(read, Read::Absent)).collect();
    if present.len() > 1 {
        let names: Vec<_> = present.iter().map(|(key, _)| *key).collect();
        let message =
            format!("found {}, want at most one of {}", names.join(" and "), keys.join(", "));
        fields.report.problem(&fields.place, message);
        return Read::Wrong;
    }
    present.pop().map_or(Read::Absent, |(_, read)| read)
}

fn variable(value: &Value) -> Result<SecretSource, String> {
    match values::text(value)? {
        // Not shown: somebody may have put the secret itself here.
        name if name.contains(['=', '\0']) => {
            Err("found `=` or NUL in it, want the name of an environment variable".to_owned())
        }
        name => Ok(SecretSource::Env(name.to_owned())),
    }
}

fn text(value: &Value) -> Result<SecretSource, String> {
    let secret = values::text(value)?;
    if !secret.chars().all(|c| c.is_ascii_graphic()) {
        return Err(
            "found a character that no header or URL may hold, want letters, digits and signs"
                .to_owned(),
        );
    }
    Ok(SecretSource::Inline(SecretString::from(secret)))
}
