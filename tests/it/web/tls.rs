//! TLS: who may speak to us, and what becomes of who does not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use harness_exporter::web::{Guard, Limits};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::{Client, Identity, tls};
use tempfile::TempDir;

use super::server::{EXPOSITION, Server, Setup, client};
use super::users::hash;
use crate::child::output;

/// Who vouches for certificates.
type Issuer = CertifiedIssuer<'static, KeyPair>;

fn issuer() -> Issuer {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for this machine and its key, in PEM.
fn certificate(issuer: &Issuer) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    (params.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem())
}

/// A folder with a web config, and what it names.
struct Desk {
    folder: TempDir,
    /// Vouches for the server.
    servers: Issuer,
    /// Vouches for clients.
    clients: Issuer,
}

impl Desk {
    fn new(more: &str) -> Self {
        let desk =
            Self { folder: tempfile::tempdir().unwrap(), servers: issuer(), clients: issuer() };
        desk.certify();
        desk.write("ca.pem", &desk.clients.pem());
        let tls = format!("tls_server_config:\n  cert_file: c.pem\n  key_file: k.pem\n{more}");
        desk.write("web.yml", &format!("{tls}basic_auth_users: {{admin: {}}}\n", hash("s3cret")));
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Gives the server a new certificate.
    fn certify(&self) {
        let (certificate, key) = certificate(&self.servers);
        self.write("k.pem", &key);
        self.write("c.pem", &certificate);
    }

    async fn start(&self, limits: Limits) -> Server {
        let guard = Guard::open(&self.path("web.yml")).unwrap();
        Setup { limits, guard, ..Setup::default() }.start().await
    }

    /// A client that trusts the server, and shows what `issuer` vouches for.
    fn client(&self, issuer: Option<&Issuer>) -> Client {
        // Installs the crypto that every client needs.
        drop(client());
        let root = tls::Certificate::from_pem(self.servers.pem().as_bytes()).unwrap();
        let builder = Client::builder().no_proxy().tls_certs_only([root]);
        let builder = match issuer.map(certificate) {
            Some((certificate, key)) => builder
                .identity(Identity::from_pem(format!("{key}{certificate}").as_bytes()).unwrap()),
            None => builder,
        };
        builder.build().unwrap()
    }
}

/// The status and body of a scrape; none where there was no connection.
async fn scrape(server: &Server, client: &Client) -> Option<(u16, String)> {
    let url = format!("https://localhost:{}/metrics", server.address.port());
    let answer = client.get(url).basic_auth("admin", Some("s3cret")).send().await.ok()?;
    let status = answer.status().as_u16();
    Some((status, answer.text().await.ok()?))
}

fn scraped() -> (u16, String) {
    (200, EXPOSITION.to_owned())
}

#[tokio::test]
async fn it_speaks_tls_and_nothing_else() {
    let desk = Desk::new("");
    let server = desk.start(Limits::default()).await;
    assert_eq!(scrape(&server, &desk.client(None)).await, Some(scraped()));
    let plain = server.raw("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(!plain.contains("HTTP/1.1") && !plain.contains("harness_up"), "{plain}");
    let url = format!("https://localhost:{}/metrics", server.address.port());
    let unknown = desk.client(None).get(url).send().await.unwrap();
    assert_eq!(unknown.status(), 401, "TLS does not stand for a password");
}

#[tokio::test]
async fn fault_47_who_shows_no_good_certificate_is_not_let_in() {
    let must = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n";
    let desk = Desk::new(must);
    let server = desk.start(Limits::default()).await;
    assert_eq!(scrape(&server, &desk.client(None)).await, None);
    assert_eq!(scrape(&server, &desk.client(Some(&desk.servers))).await, None, "of another issuer");
    assert_eq!(scrape(&server, &desk.client(Some(&desk.clients))).await, Some(scraped()));

    let may = must.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven");
    let desk = Desk::new(&may);
    let server = desk.start(Limits::default()).await;
    assert_eq!(scrape(&server, &desk.client(None)).await, Some(scraped()));
    assert_eq!(scrape(&server, &desk.client(Some(&desk.servers))).await, None, "of another issuer");
    assert_eq!(scrape(&server, &desk.client(Some(&desk.clients))).await, Some(scraped()));
}

#[tokio::test]
async fn a_new_certificate_needs_no_restart_and_a_bad_one_changes_nothing() {
    let mut desk = Desk::new("");
    let server = desk.start(Limits::default()).await;
    let before = desk.client(None);
    assert_eq!(scrape(&server, &before).await, Some(scraped()));
    desk.write("c.pem", "no certificate");
    assert_eq!(scrape(&server, &desk.client(None)).await, Some(scraped()));
    desk.servers = issuer();
    desk.certify();
    assert_eq!(scrape(&server, &desk.client(None)).await, Some(scraped()), "the new one");
    let text = fs::read_to_string(desk.path("web.yml")).unwrap();
    let users = text.lines().last().unwrap();
    desk.write("web.yml", users);
    assert_eq!(
        scrape(&server, &desk.client(None)).await,
        Some(scraped()),
        "TLS is not switched off"
    );
}

#[tokio::test]
async fn fault_39_who_does_not_get_on_with_the_handshake_is_not_waited_for() {
    let desk = Desk::new("");
    let limits = Limits { header: Duration::from_millis(200), ..Limits::default() };
    let server = desk.start(limits).await;
    for sent in ["", "\u{16}\u{3}\u{1}"] {
        assert_eq!(server.raw(sent).await, "", "closed without an answer");
    }
    assert_eq!(scrape(&server, &desk.client(None)).await, Some(scraped()));
}

#[test]
fn promtool_takes_the_same_file() {
    let must = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  \
                min_version: TLS13\n";
    let desk = Desk::new(must);
    let path: &Path = &desk.path("web.yml");
    Guard::open(path).unwrap();
    let checked = output(Command::new("promtool").args(["check", "web-config"]).arg(path));
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn what_is_no_good_in_the_files_is_named() {
    let desk = Desk::new("");
    let good = |name: &str| fs::read_to_string(desk.path(name)).unwrap();
    let (certificate, key) = (good("c.pem"), good("k.pem"));
    for (name, content, wanted) in [
        ("k.pem", "no key", "key_file "),
        ("k.pem", &*certificate, "key_file "),
        ("k.pem", &*self::certificate(&desk.servers).1, "are of no use together: "),
        ("c.pem", "no certificate", "holds no certificate"),
        ("c.pem", &*key, "holds no certificate"),
    ] {
        desk.write("k.pem", &key);
        desk.write("c.pem", &certificate);
        desk.write(name, content);
        let error = Guard::open(&desk.path("web.yml")).unwrap_err().to_string();
        assert!(error.contains(wanted) && error.contains(name), "{error}");
        assert!(!error.contains("PRIVATE") && !error.contains('\n'), "{error}");
    }
}
