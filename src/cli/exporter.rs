//! A running exporter, as the commands that speak to one reach it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use reqwest::{Method, redirect};
use url::Url;

use crate::harness::install_crypto;

/// Longer than a busy machine needs, and shorter than those who ask for us wait.
const TIMEOUT: Duration = Duration::from_secs(5);

/// As much of a refusal as fits into a line.
const LONGEST_REFUSAL: usize = 200;

#[derive(Args, Debug)]
pub(super) struct Exporter {
    /// Where the exporter listens
    #[arg(
        long = "url",
        env = "HARNESS_EXPORTER_URL",
        hide_env_values = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:10427",
        value_parser = base
    )]
    url: Url,

    /// One of its users, where its --web.config.file names some
    #[arg(
        long = "user",
        env = "HARNESS_EXPORTER_USER",
        hide_env_values = true,
        value_name = "NAME",
        requires = "password_file",
        value_parser = user
    )]
    user: Option<String>,

    /// File with that user's password
    #[arg(
        long = "password-file",
        env = "HARNESS_EXPORTER_PASSWORD_FILE",
        hide_env_values = true,
        value_name = "FILE",
        requires = "user"
    )]
    password_file: Option<PathBuf>,
}

/// A URL that paths can be put behind.
fn base(text: &str) -> Result<Url, &'static str> {
    let url: Url = text.parse().map_err(|_| "must be a URL such as http://127.0.0.1:10427")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with http:// or https://");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must have no ? and no #");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must hold no user: use --user and --password-file");
    }
    Ok(url)
}

fn user(text: &str) -> Result<String, &'static str> {
    if text.is_empty() || text.contains(':') {
        return Err("must be a name without a colon");
    }
    Ok(text.to_owned())
}

impl Exporter {
    /// Asks for `path`, and returns what it says. Anything but a success is an error that names the
    /// URL.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        let place = url.clone();
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = client(&url)?.request(method, url);
        if let (Some(user), Some(_)) = (&self.user, &self.password_file) {
            request = request.basic_auth(user, self.password()?);
        }
        let mut answer = request
            .send()
            .await
            .map_err(reqwest::Error::without_url)
            .with_context(|| format!("{place} does not answer"))?;
        if answer.status().is_success() {
            let said = answer.text().await.map_err(reqwest::Error::without_url);
            return said.with_context(|| format!("{place} breaks off"));
        }
        // What it says is a word more; that it refuses is enough.
        let body = answer.chunk().await.ok().flatten().unwrap_or_default();
        let said: String =
            String::from_utf8_lossy(&body).trim().chars().take(LONGEST_REFUSAL).collect();
        bail!("{place} answers {}: {said}", answer.status())
    }

    /// One line end at the file's end is not part of it.
    fn password(&self) -> anyhow::Result<Option<String>> {
        let Some(path) = &self.password_file else { return Ok(None) };
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read --password-file {}", path.display()))?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        Ok(Some(line.strip_suffix('\r').unwrap_or(line).to_owned()))
    }
}

/// The exporter is near: no proxy leads to it, and what it redirects to is not it.
fn client(url: &Url) -> anyhow::Result<reqwest::Client> {
    install_crypto();
    let client =
        reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(TIMEOUT);
    let client = match url.scheme() {
        // No certificate is looked at, so none need be there.
        "http" => client.tls_certs_only([]),
        _ => client,
    };
    Ok(client.build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_one_that_paths_can_be_put_behind() {
        for good in ["http://127.0.0.1:10427", "https://exporter.example/", "http://[::1]:1/prefix"]
        {
            assert!(base(good).is_ok(), "{good}");
        }
        for bad in [
            "127.0.0.1:10427",
            "localhost",
            "unix:/run/x",
            "http://a/?b",
            "http://a/#b",
            "http://me@a/",
            "http://me:word@a/",
        ] {
            assert!(base(bad).is_err(), "{bad}");
        }
    }
}
