//! `accounts[]`: whom we speak to, and within what limits.

use std::path::Path;

use serde_yaml::Value;
use url::{Host, Url};

use super::fields::{Fields, Read};
use super::place::Place;
use super::problem::{Report, nearest, quoted};
use super::{
    Account, DEFAULT_MAX_ACTIVE_RUNS, DEFAULT_REQUESTS_PER_MINUTE, DEFAULT_TIMEOUT,
    DEFAULT_TRIGGERS_PER_MINUTE, secret, values,
};
use crate::model::AccountName;

/// What Harness allows a key in a minute (its page on rate limits).
const HARNESS_REQUESTS_PER_MINUTE: u32 = 400;

/// One account as it was found.
pub(super) struct Found {
    /// Where it stands.
    pub(super) place: Place,
    /// On its own, because pipelines may refer to an account that has a problem elsewhere.
    pub(super) name: Option<AccountName>,
    /// None where a problem was reported.
    pub(super) account: Option<Account>,
}

/// The accounts that pipelines may name.
pub(super) struct Known {
    /// In the order of the file.
    pub(super) names: Vec<AccountName>,
    /// Whether these are all: a problem may hide one, and then none is called unknown.
    pub(super) complete: bool,
    /// Those of them that have no problem.
    pub(super) good: Vec<Account>,
}

impl Known {
    /// The account of that name, where it has no problem.
    pub(super) fn good(&self, name: &AccountName) -> Option<&Account> {
        self.good.iter().find(|account| account.name == *name)
    }

    /// The account that is `wanted` at `place`, or the only one; none where that is a problem,
    /// which is then reported.
    pub(super) fn pick(
        &self,
        wanted: Read<AccountName>,
        place: &Place,
        report: &mut Report,
    ) -> Option<AccountName> {
        let wanted = wanted.maybe().good()?;
        let picked = match (&wanted, self.names.as_slice()) {
            (Some(wanted), names) => names.iter().find(|name| *name == wanted),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        if picked.is_some() || !self.complete {
            return picked.cloned();
        }
        let names = self.names.iter().map(AccountName::as_str);
        let known: Vec<_> = names.clone().map(quoted).collect();
        let want = format!("want one of {}", known.join(", "));
        report.problem(
            place,
            match wanted {
                None => format!("missing, {want}"),
                Some(wanted) => {
                    let meant = nearest(wanted.as_str(), names);
                    let hint = meant.map_or(want, |name| format!("did you mean {}?", quoted(name)));
                    format!("unknown account {}, {hint}", quoted(wanted.as_str()))
                }
            },
        );
        None
    }
}

/// Reads one account. Files it names are relative to `folder`.
pub(super) fn read(fields: &mut Fields<'_>, folder: &Path) -> Found {
    let name = fields
        .read("name", |value| values::name(value).map(AccountName::new))
        .unless_absent(AccountName::new("default"));
    let account = read_account(fields, folder, name.clone());
    Found { place: fields.place.clone(), name, account }
}

fn read_account(
    fields: &mut Fields<'_>,
    folder: &Path,
    name: Option<AccountName>,
) -> Option<Account> {
    let allowed = match fields.read("allow_http", values::flag) {
        Read::Is(true) => Http::Anywhere,
        _ => Http::ToLoopback,
    };
    let url = match fields.read("url", |value| url(value, allowed)) {
        Read::Absent => Url::parse("https://app.harness.io").ok(),
        other => other.good(),
    };
    let account_id = fields.required("account_id", values::identifier, "your account's identifier");
    let keys = ["api_key_file", "api_key_env", "api_key"];
    let api_key = secret::read(fields, folder, keys).maybe().good();
    let requests_per_minute = fields
        .read("requests_per_minute", values::count)
        .unless_absent(DEFAULT_REQUESTS_PER_MINUTE);
    if requests_per_minute.is_some_and(|count| count > HARNESS_REQUESTS_PER_MINUTE) {
        let message = format!("Harness allows a key {HARNESS_REQUESTS_PER_MINUTE} calls a minute");
        fields.warn("requests_per_minute", message);
    }
    let max_active_runs =
        fields.read("max_active_runs", values::count).unless_absent(DEFAULT_MAX_ACTIVE_RUNS);
    let triggers_per_minute = fields
        .read("triggers_per_minute", values::count)
        .unless_absent(DEFAULT_TRIGGERS_PER_MINUTE);
    let timeout = fields.read("timeout", values::positive_duration).unless_absent(DEFAULT_TIMEOUT);
    let ca_file = fields.read("ca_file", |value| values::path(value, folder)).maybe().good();
    Some(Account {
        name: name?,
        url: url?,
        account_id: account_id?,
        api_key: api_key?,
        requests_per_minute: requests_per_minute?,
        max_active_runs: max_active_runs?,
        triggers_per_minute: triggers_per_minute?,
        timeout: timeout?,
        ca_file: ca_file?,
    })
}

/// Where a URL may lead in plain text.
#[derive(Clone, Copy)]
enum Http {
    ToLoopback,
    Anywhere,
}

/// Scheme, host and port. What is refused is shown only as far as it can hold no password.
fn url(value: &Value, allowed: Http) -> Result<Url, String> {
    let text = values::text(value)?;
    let want = "want a URL such as https://app.harness.io";
    let url = Url::parse(text).map_err(|error| format!("found no URL ({error}), {want}"))?;
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) || matches!(allowed, Http::Anywhere) => {}
        "http" => {
            return Err(format!(
                "found http to {}, want https (http only to a loopback host such as localhost, or \
                 with `allow_http: true`)",
                quoted(host)
            ));
        }
        scheme => return Err(format!("found the scheme {}, {want}", quoted(scheme))),
    }
    let extra = [
        ("credentials", !url.username().is_empty() || url.password().is_some()),
        ("a path", url.path() != "/"),
        ("a query", url.query().is_some()),
        ("a fragment", url.fragment().is_some()),
    ];
    match extra.iter().find(|(_, present)| *present) {
        Some((what, _)) => Err(format!("found {what} in the URL, want only scheme and host")),
        None => Ok(url),
    }
}

impl Account {
    /// Whether its host is this machine. Of names, only `localhost` is known to be.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_from_everything_else() {
        let table = [
            ("http://localhost:8080", true),
            ("http://stand-in.localhost", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:80", true),
            ("https://app.harness.io", false),
            ("https://localhost.example", false),
            ("https://10.0.0.1", false),
            ("https://[2001:db8::1]", false),
        ];
        for (url, expected) in table {
            assert_eq!(is_loopback(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
