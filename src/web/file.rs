//! `--web.config.file`: exporter-toolkit's format, which all of Prometheus' programs share.
//!
//! What is understood is kept to; the rest of the format is refused by name, because whoever wrote
//! it counts on it. No value is repeated in an error, for hashes and keys are among them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use super::users::Hash;

/// What a web config says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct File {
    /// Who may come in; everybody where there is none.
    pub(super) users: BTreeMap<String, Hash>,
    /// How to speak TLS, if at all.
    pub(super) tls: Option<Tls>,
}

/// `tls_server_config`, with whole paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tls {
    /// Our certificate and those that lead from it to a root, in PEM.
    pub(super) cert: PathBuf,
    /// Its key, in PEM.
    pub(super) key: PathBuf,
    /// What clients have to show.
    pub(super) clients: Clients,
    /// The oldest version that is spoken.
    pub(super) min: Version,
    /// The newest.
    pub(super) max: Version,
}

/// What clients have to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Clients {
    /// Nothing.
    Anybody,
    /// A certificate that these roots vouch for, if they show one.
    MayShow(PathBuf),
    /// A certificate that these roots vouch for.
    MustShow(PathBuf),
}

/// Versions of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    /// 1.2
    Tls12,
    /// 1.3
    Tls13,
}

impl File {
    /// Reads a file's text; the paths in it are relative to `folder`.
    pub(super) fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let root: Value = serde_yaml::from_str(text).map_err(|error| match error.location() {
            Some(at) => format!("line {} column {}: is no YAML", at.line(), at.column()),
            None => "is no YAML".to_owned(),
        })?;
        let mut file = Self::default();
        for (key, value) in entries(&root, "the file")? {
            match key {
                "basic_auth_users" => file.users = users(value)?,
                "tls_server_config" => file.tls = Some(tls(value, folder)?),
                "http_server_config" => http(value)?,
                "rate_limit" => return Err(not_supported(key)),
                _ => return Err(format!("{key} is no key of a web config")),
            }
        }
        Ok(file)
    }
}

/// The entries of a mapping that are not empty.
fn entries<'a>(value: &'a Value, place: &str) -> Result<Vec<(&'a str, &'a Value)>, String> {
    let entries = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Mapping(entries) => entries,
        _ => return Err(format!("{place} must be a mapping")),
    };
    let entries = entries.iter().filter(|(_, value)| !value.is_null());
    let named = entries.map(|(key, value)| match key.as_str() {
        Some(key) => Ok((key, value)),
        None => Err(format!("{place} has a key that is no text")),
    });
    named.collect()
}

fn not_supported(key: &str) -> String {
    format!("{key} is not supported here: take it out")
}

fn users(value: &Value) -> Result<BTreeMap<String, Hash>, String> {
    let entries = entries(value, "basic_auth_users")?.into_iter();
    let users = entries.map(|(name, hash)| {
        if name.is_empty() || name.contains(':') {
            return Err("basic_auth_users: a user's name must not be empty or hold a colon".into());
        }
        let hash = Hash::new(hash.as_str().unwrap_or_default());
        let hash = hash.map_err(|want| format!("basic_auth_users.{name}: {want}"))?;
        Ok((name.to_owned(), hash))
    });
    users.collect()
}

/// We speak HTTP/1.1 only, which is what switching HTTP/2 off means.
fn http(value: &Value) -> Result<(), String> {
    for (key, value) in entries(value, "http_server_config")? {
        let place = format!("http_server_config.{key}");
        match key {
            "http2" if value.as_bool() == Some(false) => {}
            "http2" => return Err(format!("{place}: only false is supported here")),
            "headers" => return Err(not_supported(&place)),
            _ => return Err(format!("{place} is no key of a web config")),
        }
    }
    Ok(())
}

fn tls(value: &Value, folder: &Path) -> Result<Tls, String> {
    let (mut cert, mut key, mut ca) = (None, None, None);
    let (mut policy, mut min, mut max) = ("", Version::Tls12, Version::Tls13);
    for (name, value) in entries(value, "tls_server_config")? {
        let place = format!("tls_server_config.{name}");
        let text = || value.as_str().ok_or_else(|| format!("{place} must be a text"));
        let path = || text().map(|path| Some(folder.join(path)).filter(|_| !path.is_empty()));
        match name {
            "cert_file" => cert = path()?,
            "key_file" => key = path()?,
            "client_ca_file" => ca = path()?,
            "client_auth_type" => policy = text()?,
            "min_version" => min = version(text()?, &place)?,
            "max_version" => max = version(text()?, &place)?,
            "cert" | "key" | "client_ca" => {
                return Err(format!(
                    "{place} is not supported here: put it into a file, {name}_file"
                ));
            }
            "client_allowed_sans"
            | "cipher_suites"
            | "prefer_server_cipher_suites"
            | "curve_preferences" => return Err(not_supported(&place)),
            _ => return Err(format!("{place} is no key of a web config")),
        }
    }
    if min > max {
        return Err("tls_server_config: min_version is above max_version".to_owned());
    }
    Ok(Tls {
        cert: cert.ok_or("tls_server_config has no cert_file")?,
        key: key.ok_or("tls_server_config has no key_file")?,
        clients: clients(policy, ca)?,
        min,
        max,
    })
}

fn version(text: &str, place: &str) -> Result<Version, String> {
    match text {
        "TLS12" => Ok(Version::Tls12),
        "TLS13" => Ok(Version::Tls13),
        _ => Err(format!("{place}: only TLS12 and TLS13 are supported here")),
    }
}

fn clients(policy: &str, ca: Option<PathBuf>) -> Result<Clients, String> {
    const PLACE: &str = "tls_server_config.client_auth_type";
    match (policy, ca) {
        ("" | "NoClientCert", None) => Ok(Clients::Anybody),
        ("VerifyClientCertIfGiven", Some(ca)) => Ok(Clients::MayShow(ca)),
        ("RequireAndVerifyClientCert", Some(ca)) => Ok(Clients::MustShow(ca)),
        ("" | "NoClientCert", Some(_)) => {
            Err(format!("{PLACE} must say what client_ca_file is for: RequireAndVerifyClientCert"))
        }
        ("VerifyClientCertIfGiven" | "RequireAndVerifyClientCert", None) => {
            Err(format!("{PLACE} needs a client_ca_file"))
        }
        _ => Err(format!(
            "{PLACE}: only NoClientCert, VerifyClientCertIfGiven and RequireAndVerifyClientCert \
             are supported here"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<File, String> {
        File::parse(text, Path::new("/etc/web"))
    }

    fn hash() -> String {
        bcrypt::hash("word", 4).unwrap()
    }

    #[test]
    fn what_is_supported_is_understood() {
        let hash = hash();
        let users = parsed(&format!("basic_auth_users:\n  admin: {hash}\n  ro: {hash}\n")).unwrap();
        assert_eq!(users.users.keys().collect::<Vec<_>>(), ["admin", "ro"]);
        assert_eq!(users.tls, None);
        for text in ["", "{}", "basic_auth_users:", "basic_auth_users: {}", "tls_server_config:\n"]
        {
            assert_eq!(parsed(text).unwrap(), File::default(), "{text}");
        }
        assert!(parsed("http_server_config: {http2: false}").is_ok());

        let tls = |more: &str| {
            let text = format!("tls_server_config: {{cert_file: c.pem, key_file: /k.pem{more}}}");
            parsed(&text).unwrap().tls.unwrap()
        };
        let plain = Tls {
            cert: "/etc/web/c.pem".into(),
            key: "/k.pem".into(),
            clients: Clients::Anybody,
            min: Version::Tls12,
            max: Version::Tls13,
        };
        assert_eq!(tls(""), plain);
        assert_eq!(tls(", client_auth_type: NoClientCert, client_ca_file: ''"), plain);
        let ca = || PathBuf::from("/etc/web/ca.pem");
        for (policy, clients) in [
            ("RequireAndVerifyClientCert", Clients::MustShow(ca())),
            ("VerifyClientCertIfGiven", Clients::MayShow(ca())),
        ] {
            let more = format!(", client_auth_type: {policy}, client_ca_file: ca.pem");
            assert_eq!(tls(&more), Tls { clients, ..plain.clone() });
        }
        let newest = Tls { min: Version::Tls13, ..plain.clone() };
        assert_eq!(tls(", min_version: TLS13"), newest);
        assert_eq!(tls(", max_version: TLS12"), Tls { max: Version::Tls12, ..plain });
    }

    #[test]
    fn what_is_not_is_refused_by_name() {
        let tls = |more: &str| format!("tls_server_config: {{cert_file: c, key_file: k, {more}}}");
        for (text, wanted) in [
            ("basic_auth_users: {a: s3cret}".to_owned(), "basic_auth_users.a: want a bcrypt hash"),
            ("basic_auth_users: {a: 7}".into(), "basic_auth_users.a: want a bcrypt hash"),
            ("basic_auth_users: s3cret".into(), "basic_auth_users must be a mapping"),
            ("basic_auth_users: [s3cret]".into(), "basic_auth_users must be a mapping"),
            (
                "basic_auth_users: {'a:b': x}".into(),
                "a user's name must not be empty or hold a colon",
            ),
            ("basic_auth_users: {'': x}".into(), "a user's name must not be empty or hold a colon"),
            ("basic_auth_users: {7: x}".into(), "basic_auth_users has a key that is no text"),
            ("s3cret".into(), "the file must be a mapping"),
            ("basic_auth_user: {}".into(), "basic_auth_user is no key of a web config"),
            ("rate_limit: {burst: 3}".into(), "rate_limit is not supported here"),
            ("http_server_config: {http2: true}".into(), "http_server_config.http2: only false"),
            ("http_server_config: {headers: {X: y}}".into(), "headers is not supported here"),
            ("http_server_config: {x: y}".into(), "http_server_config.x is no key"),
            ("tls_server_config: {key_file: k}".into(), "tls_server_config has no cert_file"),
            ("tls_server_config: {cert_file: c}".into(), "tls_server_config has no key_file"),
            ("tls_server_config: {cert: s3cret}".into(), "put it into a file, cert_file"),
            (tls("cipher_suites: [x]"), "tls_server_config.cipher_suites is not supported here"),
            (tls("prefer_server_cipher_suites: true"), "is not supported here"),
            (tls("client_allowed_sans: [x]"), "is not supported here"),
            (tls("ca_file: x"), "tls_server_config.ca_file is no key of a web config"),
            (tls("min_version: TLS10"), "min_version: only TLS12 and TLS13 are supported here"),
            (tls("min_version: 1.2"), "tls_server_config.min_version must be a text"),
            (tls("min_version: TLS13, max_version: TLS12"), "min_version is above max_version"),
            (tls("client_ca_file: ca"), "client_auth_type must say what client_ca_file is for"),
            (tls("client_auth_type: RequireAndVerifyClientCert"), "needs a client_ca_file"),
            (tls("client_auth_type: RequestClientCert"), "client_auth_type: only NoClientCert"),
            ("a: b: c".into(), "line 1 column "),
            ("a: {".into(), "is no YAML"),
            ("basic_auth_users: {}\nbasic_auth_users: {}".into(), "is no YAML"),
        ] {
            let error = parsed(&text).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
