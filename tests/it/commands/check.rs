//! `check`: what it prints, and what it finds out from Harness.

use harness_exporter::simulator::{Endpoint, World};

use super::{ACCOUNT, Desk, KEY, calls, pipeline, serve, world};

#[tokio::test(flavor = "multi_thread")]
async fn a_good_config_is_shown_and_nobody_asked() {
    let harness = serve(world(0.0));
    let desk = Desk::new(&harness.url(), &["checkout"], "every: 6h");
    let said = desk.run(&["check"]).await;
    assert_eq!(said.status, 0, "{said:?}");
    assert!(said.out.contains("our-checkout  every 6h"), "{said:?}");
    assert!(said.out.contains("The config is valid: 1 pipeline, 4 runs"), "{said:?}");
    assert!(harness.world().calls.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_config_is_shown_with_its_lines_and_status_2() {
    let desk = Desk::empty();
    desk.write("config.yaml", "accounts:\n- account_id: a\npipelines:\n- schedule: */15 * * * *\n");
    desk.write("second.yaml", "storage:\n  retention: long\n");
    let line = ["check", "--config.file=config.yaml", "--config.file=second.yaml"];
    let said = desk.run(&line).await;
    assert_eq!((said.status, said.out.as_str()), (2, ""), "{said:?}");
    insta::assert_snapshot!(said.err, @r#"
    error: found `*`, which begins an alias in YAML; quote the cron expression: schedule: "*/15 * * * *"
     --> config.yaml:4:13
      |
    4 | - schedule: */15 * * * *
      |             ^

    error: storage.retention: found `long`, want a duration such as 500ms, 30s, 15m, 1h30m, 1d or 1w
     --> second.yaml:2:14
      |
    2 |   retention: long
      |              ^^^^

    error: the config has 2 problems
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_read_of_the_secrets_is_warned_about() {
    let desk = Desk::new("https://harness.example", &["a", "b"], "every: 6h");
    let text = desk.read("config.yaml");
    let with_token = |name: &str, file: &str| {
        let entry = format!("{{name: our-{name},");
        (entry.clone(), format!("{entry} webhook_token_file: {file},"))
    };
    let ((a, with_a), (b, with_b)) = (with_token("a", "gone"), with_token("b", "token"));
    desk.write("config.yaml", &text.replace(&a, &with_a).replace(&b, &with_b));
    desk.write("token", "s3cret");
    let said = desk.run(&["check"]).await;
    let token = "warning: the webhook token of pipeline our-a can't be used: secret file gone \
                 can't be read: No such file or directory (os error 2)\n";
    assert_eq!((said.status, said.err.as_str()), (0, token), "{said:?}");

    desk.write("key", "");
    let said = desk.run(&["check"]).await;
    let key = "warning: the API key of account default can't be used: secret file key is empty: \
               put the secret in it\n";
    assert_eq!((said.status, said.err), (0, format!("{token}{key}")));
    let said = desk.run(&["check", "--online"]).await;
    let failure = key.replace("warning", "error");
    assert_eq!((said.status, said.err), (2, format!("{token}{failure}")));
}

/// A folder as Kubernetes makes it of a `ConfigMap`: the files are links into a hidden folder.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_a_config_map_is_read() {
    let desk = Desk::empty();
    std::fs::create_dir_all(desk.path().join("conf/..2026_11_24")).unwrap();
    desk.write("conf/..2026_11_24/10-account.yaml", "accounts: [{account_id: acme}]\n");
    desk.write(
        "conf/..2026_11_24/20-shop.yaml",
        "pipelines: [{org: o, project: p, pipeline: shop, trigger: t, every: 1d}]\n",
    );
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(to, desk.path().join("conf").join(name)).unwrap();
    };
    link("..2026_11_24", "..data");
    link("..data/10-account.yaml", "10-account.yaml");
    link("..data/20-shop.yaml", "20-shop.yaml");
    let said = desk.run(&["check", "--config.file=conf"]).await;
    assert_eq!(said.status, 0, "{said:?}");
    assert!(said.out.contains("1 pipeline, 1 run in"), "{said:?}");
}

/// The last column of the table that `--online` adds.
fn in_harness(out: &str) -> Vec<&str> {
    let (_, table) = out.split_once("IN HARNESS\n").unwrap();
    table.lines().filter_map(|line| line.split_once("exporter  ")).map(|(_, state)| state).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn online_says_which_triggers_can_be_used_and_changes_nothing() {
    let mut world = world(0.0);
    pipeline(&mut world, "checkout");
    pipeline(&mut world, "asleep").enabled(false);
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout", "asleep", "nowhere"], "");
    let said = desk.run(&["check", "--online"]).await;
    assert_eq!(said.status, 1, "{said:?}");
    assert_eq!(said.err, "error: 2 triggers of the config could not be used now\n");
    let [checkout, asleep, nowhere] = in_harness(&said.out)[..] else { panic!("{said:?}") };
    assert_eq!((checkout, asleep), ("there, and switched on", "switched off"));
    assert!(nowhere.starts_with("not there (HTTP 4"), "{nowhere}");
    assert_eq!(harness.world().calls.len(), 3);
    assert_eq!(calls(&harness, Endpoint::TriggerLookup), 3);
    assert!(harness.world().ledger.is_empty());

    let desk = Desk::new(&harness.url(), &["checkout"], "");
    let said = desk.run(&["check", "--online"]).await;
    assert_eq!((said.status, said.err.as_str()), (0, ""), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn online_asks_nothing_for_an_account_without_a_key_which_is_no_failure() {
    let mut world = world(0.0);
    pipeline(&mut world, "checkout");
    pipeline(&mut world, "asleep").enabled(false);
    let harness = serve(world);
    let url = harness.url();
    let desk = Desk::empty();
    let keyless = format!("  - {{name: keyless, url: '{url}', account_id: {ACCOUNT}}}\n");
    let pipelines = "defaults: {org: default, project: shop}\npipelines:\n  \
                     - {account: keyless, pipeline: checkout, trigger: exporter}\n";
    desk.write("config.yaml", &format!("accounts:\n{keyless}{pipelines}"));
    let said = desk.run(&["check", "--online"]).await;
    assert_eq!((said.status, said.err.as_str()), (0, ""), "{said:?}");
    let unasked = "Account keyless has no API key, so Harness was not asked for its 1 trigger.\n";
    assert!(said.out.ends_with(unasked) && !said.out.contains("IN HARNESS"), "{said:?}");
    assert!(harness.world().calls.is_empty());

    desk.write("key", KEY);
    let keyed =
        format!("  - {{name: keyed, url: '{url}', account_id: {ACCOUNT}, api_key_file: key}}\n");
    let asleep = "  - {account: keyed, pipeline: asleep, trigger: exporter}\n";
    desk.write("config.yaml", &format!("accounts:\n{keyless}{keyed}{pipelines}{asleep}"));
    let said = desk.run(&["check", "--online"]).await;
    assert_eq!(said.status, 1, "{said:?}");
    assert_eq!(said.err, "error: 1 trigger of the config could not be used now\n");
    assert_eq!(in_harness(&said.out).first(), Some(&"switched off"), "{said:?}");
    assert!(said.out.ends_with(unasked), "{said:?}");
}

async fn with_key(world: World, key: &str) -> (i32, String) {
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout"], "");
    desk.write("key", key);
    let said = desk.run(&["check", "--online"]).await;
    assert!(!said.out.contains(key) && !said.err.contains(key), "{said:?}");
    (said.status, in_harness(&said.out).join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn online_says_what_the_key_may_not() {
    let made = || {
        let mut world = world(0.0);
        pipeline(&mut world, "checkout");
        world
    };
    let mut world = made();
    world.keys_without_rights.insert("a-key-without-rights".to_owned());
    let (status, said) = with_key(world, "a-key-without-rights").await;
    assert_eq!(status, 1);
    assert!(said.starts_with("the key may not see it (HTTP 403"), "{said}");
    let (status, said) = with_key(made(), "a-key-of-nobody").await;
    assert_eq!(status, 1);
    assert!(said.starts_with("the key is not good (HTTP 401"), "{said}");
}
