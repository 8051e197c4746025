//! The calls themselves: URLs, headers, connections, time limits.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use reqwest::{Certificate, Request, Response, redirect, retry};
use secrecy::ExposeSecret;
use url::Url;

use super::classify::{self, Body, Reply};
use super::secret::{SecretError, Secrets};
use super::timing::Stopwatch;
use crate::config::{Account, Pipeline};
use crate::model::{AccountName, Address, Answered, Reason, TriggerAnswer};

/// The largest body that is read, counted after decompression.
const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// What a body is read into, so much at a time.
const BLOCK: usize = 16 * 1024;

/// A server that takes longer than this to take a connection is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Below the idle time after which load balancers close, so that we are first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Far above the bundle of any system.
const LARGEST_CA_FILE: u64 = 16 * 1024 * 1024;

const USER_AGENT: &str = concat!("harness-exporter/", env!("CARGO_PKG_VERSION"));

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Why there can be no client for an account.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API key can't be had.
    #[error("the API key of account {account} can't be used: {error}")]
    Key {
        /// The account's name.
        account: AccountName,
        /// Why.
        error: SecretError,
    },
    /// [`super::install_crypto`] was not called.
    #[error("no cryptography is installed for TLS connections")]
    NoCrypto,
    /// The certificates to be trusted can't be had.
    #[error("the ca_file {} of account {account} can't be used: {problem}", path.display())]
    Certificates {
        /// The account's name.
        account: AccountName,
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// No connections can be made, for want of certificates say.
    #[error("no connections can be made to account {account}: {problem}")]
    Connections {
        /// The account's name.
        account: AccountName,
        /// Why, cleaned.
        problem: String,
    },
}

/// Makes calls to Harness for one account. A clone is cheap and shares its connections and keys.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    base: Url,
    account_name: AccountName,
    account_id: String,
    secrets: Secrets,
}

/// A webhook to be sent.
#[derive(Clone, Copy)]
pub struct TriggerCall<'a> {
    /// Whose trigger.
    pub pipeline: &'a Pipeline,
    /// Where it is sent to.
    pub address: &'a Address,
    /// The JSON body.
    pub payload: &'a str,
}

impl Client {
    /// A client for `account`. Reads its API key, where it has one; makes no call.
    ///
    /// # Errors
    /// Where the key or `ca_file` can't be read, or TLS can't be set up.
    pub fn new(account: &Account) -> Result<Self, Error> {
        let Some(path) = &account.ca_file else { return Self::with_roots(account, &[]) };
        let roots = certificates(path).map_err(|problem| Error::Certificates {
            account: account.name.clone(),
            path: path.clone(),
            problem,
        })?;
        Self::with_roots(account, &roots)
    }

    /// As [`Client::new`], and trusts `roots` beside the certificates of the system.
    fn with_roots(account: &Account, roots: &[Certificate]) -> Result<Self, Error> {
        // reqwest would panic.
        rustls::crypto::CryptoProvider::get_default().ok_or(Error::NoCrypto)?;
        let name = account.name.clone();
        let secrets = Secrets::open(account.api_key.as_ref())
            .map_err(|error| Error::Key { account: name.clone(), error })?;
        let http = connections(account, roots).map_err(|error| {
            let problem = explain(error, &secrets);
            Error::Connections { account: name, problem }
        })?;
        let inner = Inner {
            http,
            base: account.url.clone(),
            account_name: account.name.clone(),
            account_id: account.account_id.clone(),
            secrets,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Sends a webhook, once. Whatever happens it is not sent again.
    pub async fn trigger(&self, call: TriggerCall<'_>) -> Answered<TriggerAnswer> {
        let stopwatch = Stopwatch::start();
        let (request, departure) = match self.inner.webhook(call) {
            Ok(request) => request,
            Err(message) => return not_made(TriggerAnswer::NotSent { message }),
        };
        match self.inner.send(request, stopwatch).await {
            Ok((reply, skew)) => Answered {
                answer: classify::trigger(&reply, &self.inner.secrets),
                code: Some(reply.status),
                skew,
                took: Some(stopwatch.elapsed()),
            },
            Err(message) if departure.may_have_left() => {
                let reason = Reason::Unconfirmed;
                unanswered(TriggerAnswer::Unknown { reason, message }, stopwatch)
            }
            Err(message) => unanswered(TriggerAnswer::NeverLeft { message }, stopwatch),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("account", &self.inner.account_name).finish_non_exhaustive()
    }
}

/// Leaves out the payload and the extra headers, which may hold anything.
impl fmt::Debug for TriggerCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TriggerCall")
            .field("pipeline", &self.pipeline.name)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Always on the account's own host: nothing of an answer ever becomes a URL.
    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    fn authorize(&self, request: &mut Request) -> Result<(), String> {
        let key = self.secrets.key().map_err(|error| format!("no API key: {error}"))?;
        if let Some(key) = key {
            let mut value = HeaderValue::from_str(key.expose_secret())
                .map_err(|_| "the API key can't stand in a header".to_owned())?;
            value.set_sensitive(true);
            request.headers_mut().insert(API_KEY, value);
        }
        Ok(())
    }

    /// The answer and the skew of the clocks, or why there is no answer, cleaned.
    async fn send(
        &self,
        request: Request,
        stopwatch: Stopwatch,
    ) -> Result<(Reply, Option<i64>), String> {
        let sent = self.http.execute(request).await;
        let response = sent.map_err(|error| explain(error, &self.secrets))?;
        let status = response.status().as_u16();
        if status == 401 {
            self.secrets.doubt_key();
        }
        let skew = stopwatch.skew(response.headers());
        let retry_after = stopwatch.retry_after(response.headers());
        let body = read_body(response, &self.secrets).await;
        Ok((Reply { status, retry_after, body }, skew))
    }
}

/// There was no call, for want of something that it takes.
fn not_made<T>(answer: T) -> Answered<T> {
    Answered { answer, code: None, skew: None, took: None }
}

fn unanswered<T>(answer: T, stopwatch: Stopwatch) -> Answered<T> {
    Answered { answer, code: None, skew: None, took: Some(stopwatch.elapsed()) }
}

/// The certificates in a PEM file, one at least.
fn certificates(path: &Path) -> Result<Vec<Certificate>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut text = Vec::new();
    file.take(LARGEST_CA_FILE + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if u64::try_from(text.len()).is_ok_and(|length| length > LARGEST_CA_FILE) {
        return Err("it is larger than any bundle of certificates".to_owned());
    }
    let roots = Certificate::from_pem_bundle(&text);
    let roots = roots.map_err(|_| "it is no PEM file of certificates".to_owned())?;
    if roots.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(roots) }
}

fn connections(account: &Account, roots: &[Certificate]) -> reqwest::Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .timeout(account.timeout)
        .connect_timeout(account.timeout.min(CONNECT_TIMEOUT))
        .pool_idle_timeout(IDLE_TIMEOUT)
        // A redirect would carry key and body to another host.
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .tls_certs_merge(roots.iter().cloned());
    if account.is_loopback() {
        builder = builder.no_proxy();
    }
    if account.url.scheme() == "http" {
        // Spares a machine without any certificates from needing some.
        builder = builder.tls_certs_only([]);
    }
    builder.build()
}

async fn read_body(mut response: Response, secrets: &Secrets) -> Body {
    let mut blocks = Vec::new();
    let mut length = 0;
    loop {
        match response.chunk().await {
            Ok(Some(piece)) if length + piece.len() > LARGEST_BODY => return Body::TooLarge,
            Ok(Some(piece)) => {
                length += piece.len();
                append(&mut blocks, &piece);
            }
            Ok(None) => return Body::Whole(blocks.concat()),
            Err(error) if error.is_timeout() => return Body::Stalled(explain(error, secrets)),
            Err(error) => return Body::Broken(explain(error, secrets)),
        }
    }
}

/// Fills blocks of one size. One buffer that doubles as it grows would take up to three times the
/// room, and the pieces as they come in without end would take many times theirs.
fn append(blocks: &mut Vec<Vec<u8>>, mut piece: &[u8]) {
    while !piece.is_empty() {
        if blocks.last().is_none_or(|block| block.len() >= BLOCK) {
            blocks.push(Vec::with_capacity(BLOCK));
        }
        let Some(block) = blocks.last_mut() else { return };
        let (fits, rest) = piece.split_at(piece.len().min(BLOCK.saturating_sub(block.len())));
        block.extend_from_slice(fits);
        piece = rest;
    }
}

/// An error and what caused it, without the URL and any secret, on one line in lower case.
fn explain(error: reqwest::Error, secrets: &Secrets) -> String {
    let connecting = error.is_connect();
    let error = error.without_url();
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        let text = error.to_string();
        // These layers only name the step, and reqwest's the URL; what they hold tells the cause.
        let names_step = error.is::<reqwest::Error>() || text.starts_with("client error (");
        if !names_step && !causes.contains(&text) {
            causes.push(text);
        }
        cause = error.source();
    }
    if causes.is_empty() {
        causes.push(error.to_string());
    } else if connecting {
        causes.insert(0, "could not connect".to_owned());
    }
    // In this order: a secret in lower case would not be known.
    secrets.clean(&causes.join(": ")).to_lowercase()
}

mod reads;
mod triggers;
mod webhook;

#[cfg(test)]
mod tls_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_size_fill_blocks_of_one() {
        let mut blocks = Vec::new();
        let whole: Vec<u8> = (0..=u8::MAX).cycle().take(3 * BLOCK + 5).collect();
        let mut rest = whole.as_slice();
        for size in [0, 1, BLOCK, 2, BLOCK - 3, BLOCK + 2, usize::MAX] {
            let (piece, after) = rest.split_at(size.min(rest.len()));
            append(&mut blocks, piece);
            rest = after;
        }
        let sizes: Vec<_> = blocks.iter().map(Vec::len).collect();
        assert_eq!(sizes, [BLOCK, BLOCK, BLOCK, 5]);
        assert_eq!(blocks.concat(), whole);
    }
}
