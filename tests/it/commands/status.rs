//! `status`: an event in each of its states, and one that nobody knows.

use harness_exporter::simulator::{Endpoint, Script, Stage};
use serde_json::{Value, json};

use super::{ACCOUNT, Desk, MINUTE, calls, pipeline, serve, webhooks, world};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_shown_as_it_stands() {
    let mut world = world(0.0);
    let stages = [Stage::new("build", 4 * MINUTE), Stage::new("deploy", 30 * MINUTE)];
    pipeline(&mut world, "checkout").stages(stages);
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout"], "");
    let event = desk.detached("our-checkout").await;
    // With names for what differs each time.
    let shown = async || {
        let said = desk.run(&["status", &event]).await;
        assert_eq!((said.status, said.err.as_str()), (0, ""), "{said:?}");
        let mut text = said.out.replace(&event, "EVENT").replace(&harness.url(), "HARNESS");
        if let Some(execution) = harness.world().executions().first() {
            text = text.replace(execution.id(), "EXECUTION");
        }
        let is_time = |line: &&str| line.starts_with("start ") || line.starts_with("end ");
        text.lines().filter(|line| !is_time(line)).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(shown().await, @r"
    event      EVENT
    pipeline   our-checkout
    outcome    pending
    ");

    harness.world().advance(5 * MINUTE);
    insta::assert_snapshot!(shown().await, @r"
    event      EVENT
    pipeline   our-checkout
    outcome    started
    execution  EXECUTION
    status     running
    page       HARNESS/ng/account/acme0000000000000000AA/all/orgs/default/projects/shop/pipelines/checkout/executions/EXECUTION/pipeline
    stages     build  success 4m
               deploy running
    ");

    harness.world().advance(60 * MINUTE);
    insta::assert_snapshot!(shown().await, @r"
    event      EVENT
    pipeline   our-checkout
    outcome    started
    execution  EXECUTION
    status     success
    result     success
    duration   34m
    page       HARNESS/ng/account/acme0000000000000000AA/all/orgs/default/projects/shop/pipelines/checkout/executions/EXECUTION/pipeline
    stages     build  success 4m
               deploy success 30m
    ");
    assert_eq!(webhooks(&harness), 1, "looking triggers nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_tells_what_is_not_known_by_null() {
    let mut world = world(0.0);
    let script = Script::respond("NO_ENABLED_CUSTOM_TRIGGER_FOUND", "none matched");
    pipeline(&mut world, "checkout").will(script);
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout"], "");
    let event = desk.detached("our-checkout").await;
    harness.world().advance(MINUTE);
    // Without a config Harness' own name of the pipeline is all there is.
    let url = format!("--url={}", harness.url());
    let account = format!("--account={ACCOUNT}");
    let line = ["status", &event, &url, &account, "--api-key-file=key", "--output=json"];
    let said = desk.run(&line).await;
    assert_eq!(said.status, 0, "{said:?}");
    let [told] = <[Value; 1]>::try_from(said.json()).unwrap();
    assert_eq!(
        told,
        json!({
            "id": null,
            "pipeline": "checkout",
            "origin": null,
            "due": null,
            "begun": null,
            "sent": null,
            "event": event,
            "execution": null,
            "outcome": "failed",
            "reason": "no_matching_trigger",
            "status": null,
            "result": null,
            "start": null,
            "end": null,
            "duration_seconds": null,
            "stages": [],
            "url": null,
            "message": "none matched",
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_status_1() {
    let mut world = world(0.0);
    pipeline(&mut world, "checkout");
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout"], "");
    let error = async |event: &str| {
        let said = desk.run(&["status", event]).await;
        assert_eq!((said.status, said.out.as_str()), (1, ""), "{said:?}");
        let begin = format!("error: cannot read event {event}: account default: ");
        said.err.strip_prefix(&begin).unwrap().to_owned()
    };
    let unknown = error("65a1b2c3d4e5f60718293a4b").await;
    assert_eq!(unknown, "no record of it: it is too old or mistyped\n");
    let event = desk.detached("our-checkout").await;
    // The older endpoint can't tell what is queued from what it never heard of.
    harness.world().knows_v2_details = false;
    let queued = error(&event).await;
    assert_eq!(queued, "no record of it: it is queued, too old or mistyped\n");
    harness.world().keys.clear();
    let refused = error(&event).await;
    assert!(refused.starts_with("HTTP 401: INVALID_TOKEN: "), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_accounts_are_asked_one_by_one() {
    let mut world = world(0.0);
    world.accounts.insert("acme0000000000000000BB".to_owned());
    pipeline(&mut world, "checkout");
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout"], "");
    let event = desk.detached("our-checkout").await;
    let account =
        |name, id| format!("{{name: {name}, url: '{}', account_id: {id}}}", harness.url());
    let (another, ours) = (account("another", "acme0000000000000000BB"), account("ours", ACCOUNT));
    desk.write("two.yaml", &format!("accounts: [{another}, {ours}]\npipelines: []\n"));
    let said = desk.run(&["status", &event, "--config.file=two.yaml"]).await;
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(said.out, format!("event      {event}\npipeline   checkout\noutcome    pending\n"));
    assert_eq!(calls(&harness, Endpoint::Event), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn watched_it_is_looked_at_until_it_ends_and_nothing_is_triggered() {
    for knows_v2 in [true, false] {
        let mut world = world(120.0);
        world.knows_v2_details = knows_v2;
        let queue = 2 * MINUTE;
        pipeline(&mut world, "checkout").stages([Stage::new("build", 4 * MINUTE)]).queue(queue);
        let harness = serve(world);
        // The schedule is of no matter here, however soon it is due.
        let desk = Desk::new(&harness.url(), &["checkout"], "every: 1s");
        let event = desk.detached("our-checkout").await;
        let said = desk.run(&["status", &event, "--watch", "--output=json"]).await;
        assert_eq!(said.status, 0, "{said:?}");
        let told = said.json();
        assert!(told.len() > 1 && told.iter().all(|one| one["event"] == event.as_str()));
        let last = told.last().unwrap();
        assert_eq!(
            (&last["result"], &last["duration_seconds"]),
            (&json!("success"), &json!(240.0))
        );
        assert_eq!(last["pipeline"], "our-checkout");
        assert_eq!(webhooks(&harness), 1);

        let before = calls(&harness, Endpoint::Event);
        let said = desk.run(&["status", &event, "--watch"]).await;
        assert_eq!(said.status, 0, "{said:?}");
        assert!(said.out.contains("\nresult     success\n"), "{said:?}");
        let looks = calls(&harness, Endpoint::Event) - before;
        assert_eq!(looks, if knows_v2 { 1 } else { 2 }, "what has ended is not watched");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_what_the_config_says_here_and_in_run() {
    let mut world = world(6000.0);
    pipeline(&mut world, "checkout").will(Script::show("Suspended"));
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout"], "");
    let config = desk.read("config.yaml");
    for (section, result, exit) in
        [("", "skip", 1), ("results: {suspended: success}\n", "success", 0)]
    {
        desk.write("config.yaml", &format!("{config}{section}"));
        let event = desk.detached("our-checkout").await;
        let line = ["status", &event, "--output=json", "--watch"];
        // Followed to its end, and then looked at once.
        for line in [&line[..], &line[..3]] {
            let said = desk.run(line).await;
            let last = said.json().pop().unwrap();
            assert_eq!((&last["status"], &last["result"]), (&json!("suspended"), &json!(result)));
        }
        let said = desk.run(&["run", "our-checkout"]).await;
        assert_eq!(said.status, exit, "{said:?}");
        assert!(said.out.starts_with(&format!("our-checkout: {result}")), "{said:?}");
    }
}
