//! `demo`: what it prints, with colours only where they are wanted.

use std::fs::File;

use super::{Desk, ended, signal, until};

/// What it prints up to the end of a run of the pipeline that always succeeds.
async fn shown(variables: &[(&str, &str)]) -> String {
    let desk = Desk::empty();
    let config = concat!("--config.file=", env!("CARGO_MANIFEST_DIR"), "/config.yaml");
    let mut command = desk.command(&["demo", config, "--web.listen-address=127.0.0.1:0"]);
    command.envs(variables.iter().copied()).stdout(File::create(desk.path().join("out")).unwrap());
    let child = command.spawn().unwrap();
    let is_over = |line: &str| line.starts_with("checkout ") && line.contains("success ");
    until("a run of checkout", async || desk.read("out").lines().any(is_over)).await;
    signal(child.id(), "-TERM");
    let said = ended(child).await;
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(desk.files(), ["out"]);
    desk.read("out")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_addresses_what_to_look_at_next_and_a_line_a_run() {
    let out = shown(&[]).await;
    assert!(!out.contains('\u{1b}'), "{out}");
    let lines: Vec<&str> = out.lines().collect();
    let metrics = lines[1].strip_prefix("metrics               ").unwrap();
    assert_eq!(lines[4], format!("next: curl -s {metrics} | grep last_run_result"));
    let is_run = |line: &&str| line.contains(" run ") || line.contains(" trigger failed ");
    assert!(lines[5..].iter().all(is_run), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_where_they_are_asked_for_and_not_refused() {
    let out = shown(&[("CLICOLOR_FORCE", "1")]).await;
    assert!(out.contains("\u{1b}[2mnext: "), "{out}");
    assert!(out.contains("\u{1b}[32msuccess "), "{out}");
    let out = shown(&[("NO_COLOR", "1")]).await;
    assert!(!out.contains('\u{1b}'), "{out}");
}
