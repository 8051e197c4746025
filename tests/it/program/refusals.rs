//! What `serve` refuses before anything is triggered, and with which exit status.

use std::fs;
use std::net::TcpListener;

use super::exporter::run;
use super::support::Setup;

const ADDRESS: &str = "--web.listen-address=127.0.0.1:0";

/// A config that would do.
fn setup() -> Setup {
    let setup = Setup::new("http://127.0.0.1:9").pipeline("nightly", "every: 365d");
    setup.write();
    setup
}

async fn refused(setup: &Setup, arguments: &[&str], status: i32, parts: &[&str]) {
    let (found, said) = run(setup, arguments).await;
    assert_eq!(found, status, "{arguments:?}: {said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} in {arguments:?}: {said}");
    }
    assert!(!said.contains("run begun"), "{said}");
    assert!(!setup.store().exists() || status == 1, "no store is made for a bad config");
}

#[tokio::test]
async fn usage_is_refused_with_status_2() {
    let setup = setup();
    let unknown = ["serve", ADDRESS, "--log.colour=red"];
    refused(&setup, &unknown, 2, &["--log.colour"]).await;
    refused(&setup, &["server"], 2, &["server"]).await;
    refused(&setup, &[], 2, &["Usage:"]).await;
    refused(&setup, &["serve", "--web.listen-address=localhost"], 2, &["has no port"]).await;
    refused(&setup, &["serve", ADDRESS, "--log.level=loud"], 2, &["loud"]).await;
    let open = ["serve", "--web.enable-trigger", "--web.listen-address=0.0.0.0:0"];
    refused(&setup, &open, 2, &["error: --web.enable-trigger", "0.0.0.0:0"]).await;
    refused(&setup, &["serve", "--web.enable-trigger"], 2, &["error: --web.enable-trigger"]).await;
    let storage = ["serve", ADDRESS, "--storage.url=postgres://me:hunter2@db/x"];
    refused(&setup, &storage, 2, &["error: --storage.url: PostgreSQL is not supported"]).await;
    let (_, said) = run(&setup, &storage).await;
    assert!(!said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn a_bad_config_is_refused_with_status_2_and_all_that_is_wrong_with_it() {
    let setup = setup();
    let config = setup.folder().join("config.yaml");
    let serve = ["serve", ADDRESS];

    fs::remove_file(&config).unwrap();
    refused(
        &setup,
        &serve,
        2,
        &["error: there is no such file", "--> config.yaml", "error: the config has 1 problem"],
    )
    .await;
    fs::write(&config, "").unwrap();
    refused(&setup, &serve, 2, &["error: "]).await;
    fs::write(&config, "accounts: [").unwrap();
    refused(
        &setup,
        &serve,
        2,
        &["--> config.yaml:1:12", "end of the file", "the config has 1 problem"],
    )
    .await;

    let bad = "accounts:\n  - {account_id: acme0000000000000000AA, timeout: soon}\n\
               pipelines:\n  - {pipeline: a, org: o, project: p, trigger: t, evry: 1h}\n  \
               - {pipeline: b, org: o, project: p, trigger: t, every: 10ms}\n";
    fs::write(&config, bad).unwrap();
    let all = [
        "accounts[0].timeout",
        "pipelines[0].evry",
        "did you mean `every`?",
        "pipelines[1].every",
        "error: the config has 3 problems",
    ];
    refused(&setup, &serve, 2, &all).await;

    let placeholder = "accounts: [{account_id: YOUR_ACCOUNT_ID}]\n\
                       pipelines: [{pipeline: a, org: o, project: p, trigger: t}]\n";
    fs::write(&config, placeholder).unwrap();
    refused(
        &setup,
        &serve,
        2,
        &["error: the account_id of account default is still YOUR_ACCOUNT_ID"],
    )
    .await;
    let shipped = concat!("--config.file=", env!("CARGO_MANIFEST_DIR"), "/config.yaml");
    refused(&setup, &["serve", ADDRESS, shipped], 2, &["YOUR_ACCOUNT_ID"]).await;
}

#[tokio::test]
async fn what_the_machine_refuses_ends_with_status_1() {
    let setup = setup();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap();
    let address = format!("--web.listen-address={taken}");
    let error = format!("error: cannot listen on {taken}");
    refused(&setup, &["serve", &address], 1, &[&error]).await;
}

/// No key, no call: a file that is not there is found before the first webhook needs it.
#[tokio::test]
async fn a_key_that_cannot_be_read_is_refused() {
    let setup = setup();
    fs::remove_file(setup.folder().join("key")).unwrap();
    refused(&setup, &["serve", ADDRESS], 1, &["error: the API key of account default "]).await;
}
