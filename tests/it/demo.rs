//! What `make demo` shows, and that it reaches nothing: the binary with a config that leads to
//! listeners of the test, each of which must see no connection.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;

use crate::child::{Child, exporter, until};

/// A day in 6 seconds: the run that expires after a day starts within 6 and ends within 13.
const FLAGS: [&str; 4] = ["demo", "--for=20s", "--speed=14400", "--web.listen-address=127.0.0.1:0"];

/// What a line of the output says, and the series that says it too.
const SHOWN: [([&str; 3], &str); 4] = [
    (["checkout", "run", "success"], r#"runs_total{P,result="success"}"#),
    (["search-index", "run", "failure"], r#"runs_total{P,result="failure"}"#),
    (["nightly-backup", "run", "timeout"], r#"runs_total{P,result="timeout"}"#),
    (
        ["legacy-billing", "trigger", "start_refused"],
        r#"trigger_failures_total{P,reason="start_refused"}"#,
    ),
];

/// What has listed executions.
const LISTED: &str =
    r#"harness_api_requests_total{account="default",endpoint="executions",code="200"}"#;

/// Listens, and is never to be reached.
struct Trap(TcpListener);

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    fn is_untouched(&self) -> bool {
        // Who connected waits in the queue, even where it has gone again.
        self.0.accept().is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

/// The shipped config with an account that leads to `url` and secrets that are nowhere.
fn config(url: &str) -> String {
    let config = include_str!("../../config.yaml");
    let changes = [
        ("    url: https://app.harness.io\n", format!("    url: {url}\n")),
        ("    # api_key_file: secrets/api-key\n", "    api_key_file: nowhere/key\n".to_owned()),
        (
            "    # webhook_token_env: CHECKOUT_WEBHOOK_TOKEN\n",
            "    webhook_token_env: NOWHERE\n".to_owned(),
        ),
    ];
    changes.iter().fold(config.to_owned(), |config, (from, to)| {
        assert_eq!(config.matches(from).count(), 1, "{from}");
        config.replace(from, to)
    })
}

async fn scrape(url: &str) -> Result<String, String> {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let answer = client.get(url).send().await.map_err(|error| error.to_string())?;
    answer.text().await.map_err(|error| error.to_string())
}

/// The value of a series of the shipped config's `pipeline`, as it is written.
fn value<'a>(exposition: &'a str, pipeline: &str, series: &str) -> Option<&'a str> {
    let labels = format!(r#"account="default",org="default",project="shop",pipeline="{pipeline}""#);
    let series = format!("harness_pipeline_{} ", series.replace('P', &labels));
    exposition.lines().find_map(|line| line.strip_prefix(&series))
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[tokio::test]
async fn the_demo_shows_every_kind_of_end_and_reaches_nothing() {
    harness_exporter::harness::install_crypto();
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    let [account, proxy] = [Trap::set(), Trap::set()];
    fs::write(inside("config.yaml"), config(&account.url())).unwrap();
    fs::create_dir(inside("temporary")).unwrap();
    let storage = inside("storage.db");
    fs::write(&storage, "somebody's own").unwrap();

    let mut command = exporter();
    command.args(FLAGS).current_dir(folder.path()).env("TMPDIR", inside("temporary"));
    command.env("HARNESS_EXPORTER_STORAGE_URL", format!("sqlite://{}", storage.display()));
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"] {
        command.env(variable, proxy.url());
    }
    let mut demo = Child::start(&mut command, folder.path());
    let metrics = demo
        .says("where its metrics are", |said| {
            let line = said.lines().find(|line| line.starts_with("metrics "))?;
            line.split_whitespace().nth(1).map(str::to_owned)
        })
        .await;
    for (words, series) in SHOWN {
        demo.says(&words.join(" "), |said| {
            said.lines().find(|line| words.iter().all(|word| line.contains(word))).map(drop)
        })
        .await;
        // What is printed is on /metrics, or a moment later.
        until(series, async || {
            let exposition = scrape(&metrics).await?;
            match value(&exposition, words[0], series) {
                Some(text) if text.parse::<f64>().is_ok_and(|value| value >= 1.0) => Ok(()),
                found => Err(format!("{found:?}")),
            }
        })
        .await;
    }
    let exposition = scrape(&metrics).await.unwrap();
    assert_eq!(
        value(&exposition, "nightly-backup", r#"last_run_status{P,status="expired"}"#),
        Some("1")
    );

    // The stand-in has a key, so that what takes one is shown too.
    assert_eq!(value(&exposition, "checkout", "trigger_usable{P}"), Some("1"));
    assert_eq!(value(&exposition, "checkout", "foreign_runs_total{P}"), Some("0"));
    assert!(exposition.contains(LISTED), "{exposition}");

    assert!(demo.ends().await.success(), "{}", demo.said());
    assert!(account.is_untouched(), "the account of the config was reached");
    assert!(proxy.is_untouched(), "the proxy was reached");
    assert_eq!(fs::read_to_string(&storage).unwrap(), "somebody's own");
    assert!(is_empty(&inside("temporary")), "the demo's store outlived it");
    assert!(!inside("data").exists(), "the config's store was made");
}
