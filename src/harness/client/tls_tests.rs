//! Servers whose TLS is not to be trusted. Here rather than with the other faults, since telling
//! an expired certificate from an unknown one takes a client that trusts an authority of ours.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::model::{EventId, PipelineName, WebhookVersion};

const TIMEOUT: Duration = Duration::from_secs(5);

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: Certificate,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let root = Certificate::from_der(certificate.der()).unwrap();
        Self { issuer: Issuer::new(params, key), root, pem: certificate.pem() }
    }

    fn certify(&self, host: &str, last_year: i32) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(last_year, 12, 31);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        serving(certificate.der().clone(), &key)
    }
}

fn self_signed(host: &str) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([host.to_owned()]).unwrap();
    serving(params.self_signed(&key).unwrap().der().clone(), &key)
}

fn serving(certificate: CertificateDer<'static>, key: &KeyPair) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap()
}

/// A server that accepts every webhook, over TLS.
async fn server(config: ServerConfig) -> (Url, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let mut listening = JoinSet::new();
    listening.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let body = r#"{"status":"SUCCESS","data":"e1"}"#;
            let length = body.len();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (url, listening)
}

/// A server that takes connections and says nothing, in any protocol.
async fn silence() -> (Url, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
    let mut listening = JoinSet::new();
    listening.spawn(async move {
        let mut held = Vec::new();
        while let Ok(connection) = listener.accept().await {
            held.push(connection);
        }
    });
    (url, listening)
}

fn account(url: Url, timeout: Duration) -> Account {
    Account { timeout, ..Account::new(AccountName::new("acme"), url, "acme0000000000000000AA") }
}

fn pipeline() -> Pipeline {
    Pipeline::new(PipelineName::new("nightly"), AccountName::new("acme"))
}

async fn trigger(account: &Account, roots: &[Certificate]) -> TriggerAnswer {
    crate::harness::install_crypto();
    let client = Client::with_roots(account, roots).unwrap();
    let pipeline = pipeline();
    let address = Address::Version(WebhookVersion::V1);
    let call = TriggerCall { pipeline: &pipeline, address: &address, payload: "{}" };
    client.trigger(call).await.answer
}

#[tokio::test]
async fn fault_46_a_server_that_cannot_prove_itself_gets_no_webhook() {
    let ours = Authority::new("ours");
    let (good, _listening) = server(ours.certify("127.0.0.1", 2999)).await;
    let answer = trigger(&account(good, TIMEOUT), std::slice::from_ref(&ours.root)).await;
    assert_eq!(answer, TriggerAnswer::Accepted(EventId::new("e1").unwrap()));

    let table = [
        (ours.certify("127.0.0.1", 2001), "expired"),
        (ours.certify("other.invalid", 2999), "not valid for name"),
        (Authority::new("theirs").certify("127.0.0.1", 2999), "unknownissuer"),
        (self_signed("127.0.0.1"), "unknownissuer"),
    ];
    for (config, expected) in table {
        let (url, _listening) = server(config).await;
        let answer = trigger(&account(url, TIMEOUT), std::slice::from_ref(&ours.root)).await;
        let TriggerAnswer::NeverLeft { message } = answer else { panic!("{expected}: {answer:?}") };
        assert!(message.starts_with("could not connect: "), "{message}");
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

#[tokio::test]
async fn fault_46_a_stalled_handshake_never_left() {
    let (url, _listening) = silence().await;
    let answer = trigger(&account(url, Duration::from_secs(1)), &[]).await;
    let TriggerAnswer::NeverLeft { message } = answer else { panic!("{answer:?}") };
    assert!(message.contains("timed out"), "{message}");
}

#[tokio::test]
async fn the_certificates_of_a_ca_file_are_trusted_beside_the_usual_ones() {
    let ours = Authority::new("ours");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    let (good, _listening) = server(ours.certify("127.0.0.1", 2999)).await;
    let trusting =
        |path: &Path| Account { ca_file: Some(path.to_owned()), ..account(good.clone(), TIMEOUT) };
    std::fs::write(&path, format!("{}{}", Authority::new("other").pem, ours.pem)).unwrap();
    crate::harness::install_crypto();
    let client = Client::new(&trusting(&path)).unwrap();
    let pipeline = pipeline();
    let address = Address::Version(WebhookVersion::V1);
    let call = TriggerCall { pipeline: &pipeline, address: &address, payload: "{}" };
    let answer = client.trigger(call).await.answer;
    assert_eq!(answer, TriggerAnswer::Accepted(EventId::new("e1").unwrap()));

    for (content, expected) in [
        ("", "there is no certificate in it"),
        ("no certificate", "there is no certificate in it"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "it is no PEM file"),
    ] {
        std::fs::write(&path, content).unwrap();
        let error = Client::new(&trusting(&path)).unwrap_err().to_string();
        assert!(error.contains("ca.pem of account acme can't be used: "), "{error}");
        assert!(error.contains(expected), "{content}: {error}");
    }
    let error = Client::new(&trusting(Path::new("/nowhere/ca.pem"))).unwrap_err().to_string();
    assert!(error.contains("/nowhere/ca.pem of account acme can't be used: No such"), "{error}");
}
