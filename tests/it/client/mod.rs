//! The client of Harness against real sockets: every answer, every fault, and no secret anywhere.

mod answers;
mod faults;
mod listing;
mod secrets;
mod server;

use std::path::Path;
use std::time::Duration;

use harness_exporter::config::{Account, Pipeline, SecretSource, Webhook};
use harness_exporter::harness::{self, Client, TriggerCall};
use harness_exporter::model::{
    AccountName, Address, Answered, DetailsVersion, EventAnswer, EventId, PipelineName,
    TriggerAnswer, WebhookVersion,
};
use secrecy::SecretString;
use url::Url;

/// The secrets of these tests. Neither looks like a key of Harness, so that only knowing them helps.
const KEY: &str = "the-key-of-acme-0001";
const TOKEN: &str = "the-token-of-nightly-0002";

const ACCOUNT_ID: &str = "acme0000000000000000AA";

/// An answer to a webhook as v1 gives it.
const ACCEPTED: &str =
    r#"{"status":"SUCCESS","data":"65a1b2c3d4e5f60718293a4b","metaData":null,"correlationId":"c"}"#;

/// Long enough for a loaded machine; what stalls is given up after it.
const TIMEOUT: Duration = Duration::from_secs(3);

fn inline(secret: &str) -> SecretSource {
    SecretSource::Inline(SecretString::from(secret))
}

fn account(url: &Url) -> Account {
    Account {
        api_key: Some(inline(KEY)),
        timeout: TIMEOUT,
        ..Account::new(AccountName::new("acme"), url.clone(), ACCOUNT_ID)
    }
}

fn client(url: &Url) -> Client {
    client_of(&account(url))
}

fn client_of(account: &Account) -> Client {
    harness::install_crypto();
    Client::new(account).unwrap()
}

fn pipeline() -> Pipeline {
    Pipeline {
        project: "shop front".to_owned(),
        pipeline: "checkout".to_owned(),
        trigger: "by_exporter".to_owned(),
        webhook: Webhook::Token(inline(TOKEN)),
        headers: vec![("X-Team".to_owned(), "payments".to_owned())],
        ..Pipeline::new(PipelineName::new("nightly"), AccountName::new("acme"))
    }
}

async fn trigger(client: &Client, version: WebhookVersion) -> Answered<TriggerAnswer> {
    send(client, &pipeline(), version, "{}").await
}

async fn send(
    client: &Client,
    pipeline: &Pipeline,
    version: WebhookVersion,
    payload: &str,
) -> Answered<TriggerAnswer> {
    let address = &Address::Version(version);
    client.trigger(TriggerCall { pipeline, address, payload }).await
}

async fn read(client: &Client, version: DetailsVersion) -> Answered<EventAnswer> {
    client.read_event(version, &EventId::new("65a1b2c3d4e5f60718293a4b").unwrap()).await
}

fn accepted() -> TriggerAnswer {
    TriggerAnswer::Accepted(EventId::new("65a1b2c3d4e5f60718293a4b").unwrap())
}

fn file(path: &Path) -> SecretSource {
    SecretSource::File(path.to_owned())
}
