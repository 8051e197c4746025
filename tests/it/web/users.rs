//! Users: who is let in, who is not, and that nothing else happens to those who are not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;

use harness_exporter::web::{Guard, Request};
use reqwest::Method;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::server::{Server, Setup, client, header};
use crate::child::output;

/// At the least cost there is: what is tested is not how long it takes.
pub(super) fn hash(password: &str) -> String {
    bcrypt::hash(password, 4).unwrap().replace("$2b$", "$2y$")
}

/// A web config that names these users, in a folder of its own.
pub(super) fn web_config(users: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.yml");
    write(&path, users);
    (folder, path)
}

fn write(path: &Path, users: &[(&str, &str)]) {
    let lines = users.iter().map(|(name, word)| format!("  {name}: {}\n", hash(word)));
    // As tools do that care: the file is never seen half-written.
    let new = path.with_extension("new");
    fs::write(&new, format!("basic_auth_users:\n{}", lines.collect::<String>())).unwrap();
    fs::rename(new, path).unwrap();
}

async fn guarded(path: &Path) -> (Server, mpsc::Receiver<Request>) {
    let (sender, requests) = mpsc::channel(8);
    let guard = Guard::open(path).unwrap();
    (Setup { guard, driver: Some(sender), ..Setup::default() }.start().await, requests)
}

async fn as_user(server: &Server, user: &str, password: &str) -> u16 {
    let url = format!("http://{}/metrics", server.address);
    let answer = client().get(url).basic_auth(user, Some(password)).send().await.unwrap();
    answer.status().as_u16()
}

#[tokio::test]
async fn fault_47_without_the_right_password_nothing_happens() {
    let (_folder, path) = web_config(&[("admin", "s3cret")]);
    let (server, mut requests) = guarded(&path).await;
    let wrong =
        ["", "Basic YWRtaW46d3Jvbmc=", "Basic bm9ib2R5OnMzY3JldA==", "Bearer s3cret", "Basic !"];
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/metrics"),
        (Method::HEAD, "/metrics"),
        (Method::GET, "/-/healthy"),
        (Method::GET, "/-/ready"),
        (Method::GET, "/nowhere"),
        (Method::OPTIONS, "/"),
        (Method::POST, "/-/reload"),
        (Method::POST, "/-/pause"),
        (Method::POST, "/api/v1/pipelines/nightly/trigger"),
    ] {
        for value in wrong {
            let headers = [("authorization", value)];
            let headers = if value.is_empty() { &[][..] } else { &headers[..] };
            let answer = server.request(method.clone(), path, headers).await;
            assert_eq!(answer.status(), 401, "{method} {path} {value}");
            let asks = header(&answer, "www-authenticate");
            assert_eq!(asks, "Basic realm=\"harness-exporter\", charset=\"UTF-8\"");
            let body = answer.text().await.unwrap();
            assert!(!body.contains("admin") && !body.contains("harness_up"), "{body}");
        }
    }
    assert_eq!(server.renderings.load(Ordering::SeqCst), 0);
    assert!(requests.try_recv().is_err(), "nothing was asked of the driver");
    assert_eq!(as_user(&server, "admin", "s3cret").await, 200);
    assert_eq!(as_user(&server, "admin", "s3cret").await, 200, "and from memory");
    assert_eq!(as_user(&server, "admin", "s3crets").await, 401, "memory is of the whole password");
    assert_eq!(server.renderings.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn the_file_is_looked_at_again_and_a_bad_edit_changes_nothing() {
    let (_folder, path) = web_config(&[("admin", "first")]);
    let (server, _requests) = guarded(&path).await;
    assert_eq!(as_user(&server, "admin", "first").await, 200);

    write(&path, &[("admin", "second"), ("other", "third")]);
    assert_eq!(as_user(&server, "admin", "first").await, 401, "not from memory either");
    assert_eq!(as_user(&server, "admin", "second").await, 200);
    assert_eq!(as_user(&server, "other", "third").await, 200);

    for bad in ["basic_auth_users: {admin: plain}", "basic_auth_users: {", "", "rate_limit: {}\n#"]
    {
        fs::write(&path, bad).unwrap();
        assert_eq!(as_user(&server, "other", "third").await, 200, "{bad:?}");
        assert_eq!(server.get("/metrics").await.0, 401, "{bad:?}");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(as_user(&server, "other", "third").await, 200, "removed");
    assert_eq!(server.get("/metrics").await.0, 401, "removed");

    write(&path, &[("admin", "fourth")]);
    assert_eq!(as_user(&server, "admin", "fourth").await, 200);
    assert_eq!(as_user(&server, "other", "third").await, 401);
}

#[tokio::test]
async fn many_who_guess_are_all_refused_and_who_was_right_is_served() {
    let (_folder, path) = web_config(&[("admin", "s3cret")]);
    let (server, _requests) = guarded(&path).await;
    assert_eq!(as_user(&server, "admin", "s3cret").await, 200);
    let url = format!("http://{}/metrics", server.address);
    let mut guesses = JoinSet::new();
    for number in 0..40 {
        let user = if number % 2 == 0 { "admin" } else { "nobody" };
        guesses.spawn(client().get(&url).basic_auth(user, Some(number)).send());
    }
    assert_eq!(as_user(&server, "admin", "s3cret").await, 200);
    while let Some(guess) = guesses.join_next().await {
        assert_eq!(guess.unwrap().unwrap().status(), 401);
    }
}

#[test]
fn promtool_takes_the_same_file() {
    let (_folder, path) = web_config(&[("admin", "s3cret"), ("other", "word")]);
    Guard::open(&path).unwrap();
    let checked = output(Command::new("promtool").args(["check", "web-config"]).arg(&path));
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn what_cannot_be_used_is_named_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.yml");
    let place = format!("web config {}: ", path.display());
    assert!(
        Guard::open(&path).unwrap_err().to_string().starts_with(&format!("{place}No such file"))
    );
    for (text, wanted) in [
        ("basic_auth_users: {a: s3cret}", "basic_auth_users.a: want a bcrypt hash"),
        ("tls_server_config: {cert_file: c.pem, key_file: k.pem}", "key_file "),
        ("users: {}", "users is no key of a web config"),
    ] {
        fs::write(&path, text).unwrap();
        let error = Guard::open(&path).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{place}{wanted}")), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }
}
