//! `trigger`: from a config to a trigger in Harness that its webhook starts.

use harness_exporter::simulator::{Answer, Endpoint, Fault};

use super::{ACCOUNT, Desk, calls, pipeline, serve, world};

#[tokio::test(flavor = "multi_thread")]
async fn without_yes_it_prints_what_it_would_send() {
    let harness = serve(world(0.0));
    let desk = Desk::new(&harness.url(), &["checkout"], "");
    let line = ["trigger", "create", "our-checkout", "--branch=main", "--input-set=eu"];
    let said = desk.run(&line).await;
    assert_eq!((said.status, said.err.as_str()), (0, "nothing was sent: --yes does it\n"));
    insta::assert_snapshot!(said.out.replace(&harness.url(), "HARNESS"), @r"
    POST HARNESS/gateway/pipeline/api/triggers?accountIdentifier=acme0000000000000000AA&orgIdentifier=default&projectIdentifier=shop&targetIdentifier=checkout
    content-type: application/yaml

    trigger:
      name: exporter
      identifier: exporter
      enabled: true
      orgIdentifier: default
      projectIdentifier: shop
      pipelineIdentifier: checkout
      source:
        type: Webhook
        spec:
          type: Custom
          spec:
            payloadConditions: []
            headerConditions: []
      pipelineBranchName: main
      inputSetRefs:
      - eu
    ");
    assert!(harness.world().calls.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_is_made_listed_looked_up_and_triggered() {
    let mut world = world(6000.0);
    world.pipeline("default", "shop", "checkout", "nightly").enabled(false);
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout"], "");
    let said = desk.run(&["trigger", "create", "our-checkout", "--yes"]).await;
    assert_eq!((said.status, said.out.as_str()), (0, "made trigger exporter\n"), "{said:?}");

    let said = desk.run(&["trigger", "list", "our-checkout"]).await;
    assert_eq!(said.status, 0, "{said:?}");
    insta::assert_snapshot!(said.out, @r"
    TRIGGER   TYPE     ENABLED  IN CONFIG
    exporter  Webhook  yes      yes
    nightly   Webhook  no       no
    ");

    let said = desk.run(&["trigger", "url", "our-checkout"]).await;
    assert_eq!(said.status, 0, "{said:?}");
    let base = format!("{}/gateway/pipeline/api/webhook/custom/", harness.url());
    let ids = format!(
        "/v3?accountIdentifier={ACCOUNT}&orgIdentifier=default&projectIdentifier=shop\
         &pipelineIdentifier=checkout&triggerIdentifier=exporter\n"
    );
    assert_eq!(said.out, format!("{base}[redacted]{ids}"));
    let said = desk.run(&["trigger", "url", "our-checkout", "--show-secrets"]).await;
    assert_eq!((said.status, said.err.as_str()), (0, ""));
    let token = said.out.strip_prefix(&base).and_then(|rest| rest.strip_suffix(&ids)).unwrap();
    assert!(token.len() > 20, "{token}");

    desk.write("token", token);
    let config = desk.read("config.yaml");
    let with_token =
        config.replace("trigger: exporter", "trigger: exporter, webhook_token_file: token");
    desk.write("config.yaml", &with_token);
    let said = desk.run(&["run", "our-checkout"]).await;
    assert_eq!(said.status, 0, "{said:?}");
    assert!(!said.out.contains(token) && !said.err.contains(token));
    assert_eq!(harness.world().unexpected, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_is_read_page_by_page() {
    let mut world = world(0.0);
    for number in 0..101 {
        world.pipeline("default", "shop", "checkout", &format!("t{number}"));
    }
    world.pipeline("default", "shop", "another", "t101");
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout"], "");
    let said = desk.run(&["trigger", "list", "our-checkout"]).await;
    assert_eq!((said.status, said.out.lines().count()), (0, 102), "{said:?}");
    assert_eq!(calls(&harness, Endpoint::Triggers), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_harness_refuses_is_told() {
    let mut world = world(0.0);
    pipeline(&mut world, "checkout");
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout", "gone"], "");
    let error = async |line: &[&str]| {
        let said = desk.run(&[&["trigger"], line].concat()).await;
        assert_eq!((said.status, said.out.as_str()), (1, ""), "{said:?}");
        said.err
    };
    assert_eq!(
        error(&["create", "our-checkout", "--yes"]).await,
        "error: cannot make trigger exporter: Harness refused: HTTP 400: INVALID_REQUEST: Invalid \
         request: Trigger [exporter] already exists or is soft deleted\n"
    );
    harness.world().faults.next(Endpoint::Triggers, 1, Fault::After(Answer::status(502)));
    let unknown = error(&["create", "our-checkout", "--yes"]).await;
    let begin = "error: unknown whether trigger exporter was made, `trigger list` tells: no answer";
    assert!(unknown.starts_with(begin), "{unknown}");
    let refused = error(&["create", "our-gone", "--yes"]).await;
    assert!(refused.contains("Pipeline gone does not exist"), "{refused}");
    let refused = error(&["url", "our-gone"]).await;
    let begin = "error: cannot look up trigger exporter: Harness refused: HTTP 404";
    assert!(refused.starts_with(begin), "{refused}");
    harness.world().keys.clear();
    let refused = error(&["list", "our-checkout"]).await;
    assert!(refused.contains("Harness refused: HTTP 401: INVALID_TOKEN"), "{refused}");

    desk.write("config.yaml", &desk.read("config.yaml").replace("api_key_file: key, ", ""));
    let before = calls(&harness, Endpoint::Triggers);
    assert_eq!(
        error(&["list", "our-checkout"]).await,
        "error: cannot list the triggers of our-checkout: account default has no API key, and \
         Harness wants one for this: give it api_key_file\n"
    );
    assert_eq!(calls(&harness, Endpoint::Triggers), before);
    let said = desk.run(&["trigger", "list", "nobody"]).await;
    assert_eq!(said.status, 2, "{said:?}");
}
