//! `health`: asks a running exporter whether it is well.
//!
//! For containers, which have no other program to ask with. It says what `/-/healthy` says and
//! judges nothing itself.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use reqwest::redirect;
use url::Url;

use super::{Failure, block_on, print};
use crate::harness::install_crypto;

/// Ask a running exporter whether it is well; exit status 0 if it is, else 1
#[derive(Args, Debug)]
pub(super) struct Health {
    /// Where it listens
    #[arg(
        long = "url",
        env = "HARNESS_EXPORTER_URL",
        hide_env_values = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:10427",
        value_parser = base
    )]
    url: Url,
}

/// Longer than a busy machine needs, and shorter than those who ask for us wait.
const TIMEOUT: Duration = Duration::from_secs(5);

/// As much of a refusal as fits into a line.
const LONGEST_REFUSAL: usize = 200;

impl Health {
    pub(super) fn run(self) -> Result<(), Failure> {
        block_on(ask(&self.url))??;
        Ok(print("healthy\n")?)
    }
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
    Ok(url)
}

async fn ask(base: &Url) -> anyhow::Result<()> {
    let mut url = base.clone();
    url.set_path(&format!("{}/-/healthy", base.path().trim_end_matches('/')));
    install_crypto();
    // The exporter is near: no proxy leads to it, and what it redirects to is not it.
    let client =
        reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(TIMEOUT);
    let client = match url.scheme() {
        // No certificate is looked at, so none need be there.
        "http" => client.tls_certs_only([]),
        _ => client,
    };
    let answer = client.build()?.get(url.clone()).send().await;
    let mut answer = answer
        .map_err(reqwest::Error::without_url)
        .with_context(|| format!("{url} does not answer"))?;
    if answer.status().is_success() {
        return Ok(());
    }
    // What it says is a word more; that it refuses is enough.
    let body = answer.chunk().await.ok().flatten().unwrap_or_default();
    let said: String =
        String::from_utf8_lossy(&body).trim().chars().take(LONGEST_REFUSAL).collect();
    bail!("{url} answers {}: {said}", answer.status())
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
        for bad in ["127.0.0.1:10427", "localhost", "unix:/run/x", "http://a/?b", "http://a/#b"] {
            assert!(base(bad).is_err(), "{bad}");
        }
    }
}
