//! Which URL the webhook of a pipeline has: by version, by token, or as Harness' UI gives it.
//!
//! A URL is a secret, for it may hold a token: nothing of it is part of a message but the names of
//! its parameters.

use secrecy::ExposeSecret as _;
use url::Url;

use super::fields::{Fields, Read};
use super::place::Place;
use super::problem::{Report, quoted};
use super::secret::{self, Beside};
use super::settings::WebhookWord;
use super::{Account, SecretSource, Webhook, values};
use crate::model::WebhookVersion;

/// Where a token may be.
pub(super) const TOKEN_KEYS: [&str; 3] =
    ["webhook_token_file", "webhook_token_env", "webhook_token"];

/// Where a whole URL may be.
pub(super) const URL_KEYS: [&str; 3] = ["webhook_url_file", "webhook_url_env", "webhook_url"];

/// What the keys of a pipeline say of its webhook's URL.
pub(super) struct Link {
    token: Read<SecretSource>,
    source: Read<SecretSource>,
    /// The URL, where it could be opened.
    url: Read<WebhookUrl>,
    /// The one of [`URL_KEYS`] that was used.
    key: &'static str,
}

/// The identifiers that stand beside a URL.
pub(super) struct Given {
    pub(super) org: Option<String>,
    pub(super) project: Option<String>,
    pub(super) pipeline: Option<String>,
    pub(super) trigger: Option<String>,
}

impl Link {
    /// Reads what there is, and opens the URL.
    pub(super) fn read(fields: &mut Fields<'_>, beside: Beside<'_>) -> Self {
        let token = secret::read(fields, beside.folder, TOKEN_KEYS);
        let source = secret::read(fields, beside.folder, URL_KEYS);
        let key = match &source {
            Read::Is(SecretSource::File(_)) => URL_KEYS[0],
            Read::Is(SecretSource::Env(_)) => URL_KEYS[1],
            _ => URL_KEYS[2],
        };
        let opened = source.as_ref().good().and_then(|source| beside.secrets.open(source));
        let url = match (&source, opened) {
            (Read::Wrong, _) => Read::Wrong,
            (_, None) => Read::Absent,
            (_, Some(opened)) => {
                match opened.and_then(|url| WebhookUrl::read(url.expose_secret())) {
                    Ok(url) => Read::Is(url),
                    Err(message) => {
                        fields.problem(key, message);
                        Read::Wrong
                    }
                }
            }
        };
        Self { token, source, url, key }
    }

    /// What `field` of the URL is.
    pub(super) fn id(&self, field: impl Fn(&WebhookUrl) -> &String) -> Read<String> {
        match &self.url {
            Read::Absent => Read::Absent,
            Read::Wrong => Read::Wrong,
            Read::Is(url) => Read::Is(field(url).clone()),
        }
    }

    /// Whether the URL is of the `account` and the identifiers `given` beside it; none where it is
    /// not, which is reported at `place`.
    pub(super) fn agrees(
        &self,
        given: &Given,
        account: Option<&Account>,
        place: &Place,
        report: &mut Report,
    ) -> Option<()> {
        let Read::Is(url) = &self.url else { return Some(()) };
        let mut agrees = Some(());
        if let Some(Err(message)) = account.map(|account| url.belongs_to(account)) {
            report.problem(&place.key(self.key), message);
            agrees = None;
        }
        for (key, given, in_url) in [
            ("org", &given.org, &url.org),
            ("project", &given.project, &url.project),
            ("pipeline", &given.pipeline, &url.pipeline),
            ("trigger", &given.trigger, &url.trigger),
        ] {
            if let Some(given) = given.as_ref().filter(|given| *given != in_url) {
                let message = format!(
                    "found {}, and another one in {}, want the same or none here",
                    quoted(given),
                    self.key
                );
                report.problem(&place.key(key), message);
                agrees = None;
            }
        }
        agrees
    }

    /// What follows for the webhook of the pipeline at `place`; none where that is a problem, which
    /// is reported. Only v3 has a token in its URL, so a token decides, unless another was asked
    /// for.
    pub(super) fn webhook(
        self,
        word: Read<WebhookWord>,
        place: &Place,
        report: &mut Report,
    ) -> Option<Webhook> {
        let word = word.unless_absent(WebhookWord::Auto)?;
        let (token, source) = (self.token.maybe().good()?, self.source.maybe().good()?);
        let at = place.key("webhook");
        let Some(source) = source else { return by_word(word, token, &at, report) };
        if token.is_some() {
            let message =
                format!("found a token beside {}, want the URL alone: it has its token", self.key);
            report.problem(&place.key(self.key), message);
            return None;
        }
        let version = match &self.url {
            Read::Wrong => return None,
            Read::Is(url) => url.version,
            Read::Absent => word.version().unwrap_or(WebhookVersion::V3),
        };
        if let Some(wanted) = word.version().filter(|wanted| *wanted != version) {
            let message = format!(
                "found {}, and a URL of {} in {}, want the same or auto",
                wanted.as_str(),
                version.as_str(),
                self.key
            );
            report.problem(&at, message);
            return None;
        }
        Some(Webhook::Url { source, version })
    }
}

/// The webhook where no URL is given.
fn by_word(
    word: WebhookWord,
    token: Option<SecretSource>,
    place: &Place,
    report: &mut Report,
) -> Option<Webhook> {
    match (word.version(), token) {
        (None | Some(WebhookVersion::V3), Some(token)) => Some(Webhook::Token(token)),
        (None, None) => Some(Webhook::Auto),
        (Some(WebhookVersion::V3), None) => {
            let keys = [TOKEN_KEYS, URL_KEYS].concat().join(", ");
            report.problem(place, format!("found v3 without a token, want one of {keys}"));
            None
        }
        (Some(version), None) => Some(Webhook::Fixed(version)),
        (Some(_), Some(_)) => {
            report.problem(place, "found a token with v1 or v2, want v3 or auto");
            None
        }
    }
}

/// What a URL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WebhookUrl {
    pub(super) version: WebhookVersion,
    pub(super) account_id: String,
    pub(super) org: String,
    pub(super) project: String,
    pub(super) pipeline: String,
    pub(super) trigger: String,
    url: Url,
}

const WANT: &str = "want the URL as Harness shows it for a custom webhook trigger";

impl WebhookUrl {
    /// Reads `text`.
    ///
    /// # Errors
    /// What keeps it from being the URL of one custom webhook trigger, and what would do.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("found no URL ({error}), {WANT}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("found something else than https, {WANT}"));
        }
        Ok(Self {
            version: version(&url)?,
            account_id: parameter(&url, "accountIdentifier")?,
            org: parameter(&url, "orgIdentifier")?,
            project: parameter(&url, "projectIdentifier")?,
            // Without these two Harness would start every trigger of the project.
            pipeline: parameter(&url, "pipelineIdentifier")?,
            trigger: parameter(&url, "triggerIdentifier")?,
            url,
        })
    }

    /// Whether it leads to `account`.
    ///
    /// # Errors
    /// How it differs.
    pub(super) fn belongs_to(&self, account: &Account) -> Result<(), String> {
        let target = |url: &Url| (url.host_str().map(str::to_owned), url.port_or_known_default());
        if target(&self.url) != target(&account.url) {
            let url = &account.url;
            return Err(format!("found another host than that of the account, want {url}"));
        }
        if self.account_id != account.account_id {
            let id = &account.account_id;
            return Err(format!("found another accountIdentifier in it, want {id}"));
        }
        Ok(())
    }
}

fn version(url: &Url) -> Result<WebhookVersion, String> {
    let segments: Vec<&str> = url.path_segments().map(Iterator::collect).unwrap_or_default();
    match segments.as_slice() {
        [.., "webhook", "custom"] => Ok(WebhookVersion::V1),
        [.., "webhook", "custom", "v2"] => Ok(WebhookVersion::V2),
        [.., "webhook", "custom", token, "v3"] if !token.is_empty() => Ok(WebhookVersion::V3),
        _ => Err(format!("found another path than that of a custom webhook, {WANT}")),
    }
}

fn parameter(url: &Url, name: &str) -> Result<String, String> {
    let mut values = url.query_pairs().filter(|(key, _)| key == name);
    match (values.next(), values.next()) {
        (Some((_, value)), None) if !value.is_empty() => match values::check_name(&value) {
            Ok(()) => Ok(value.into_owned()),
            Err(_) => Err(format!("found a {name} in it that no identifier is, {WANT}")),
        },
        (Some(_), Some(_)) => Err(format!("found {name} in it twice, {WANT}")),
        _ => Err(format!("found no {name} in it, {WANT}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &str = "accountIdentifier=a&orgIdentifier=o&projectIdentifier=p%20q\
                         &pipelineIdentifier=x&triggerIdentifier=t";

    fn read(path: &str) -> Result<WebhookUrl, String> {
        WebhookUrl::read(&format!("https://app.harness.io{path}?{QUERY}"))
    }

    #[test]
    fn the_path_tells_the_version() {
        for (path, version) in [
            ("/gateway/api/webhook/custom", WebhookVersion::V1),
            ("/gateway/pipeline/api/webhook/custom/v2", WebhookVersion::V2),
            ("/gateway/pipeline/api/webhook/custom/tok-1/v3", WebhookVersion::V3),
            ("/pipeline/api/webhook/custom/v2", WebhookVersion::V2),
        ] {
            let url = read(path).unwrap();
            assert_eq!(url.version, version, "{path}");
            assert_eq!([url.org, url.project, url.pipeline, url.trigger], ["o", "p q", "x", "t"]);
        }
        for path in ["", "/", "/webhook/custom/", "/webhook/custom//v3", "/webhook/trigger"] {
            let error = read(path).unwrap_err();
            assert!(error.starts_with("found another path"), "{path}: {error}");
        }
    }

    #[test]
    fn nothing_of_it_is_repeated() {
        for text in [
            "hunter2",
            "https://hunter2:x/",
            "ftp://hunter2/webhook/custom",
            "https://h/webhook/custom/hunter2/v3",
            "https://h/webhook/custom/hunter2/v3?accountIdentifier=hunter2",
            "https://h/hunter2?accountIdentifier=hunter2",
        ] {
            let error = WebhookUrl::read(text).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
            assert!(error.contains("want the URL as Harness shows it"), "{error}");
        }
    }
}
