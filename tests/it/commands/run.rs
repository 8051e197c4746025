//! `run`: each exit status, both outputs, and that it is on no account.

use std::net::TcpListener;

use harness_exporter::simulator::{Answer, Endpoint, Fault, Script, Stage};
use serde_json::json;

use super::{
    ACCOUNT, ANY_PORT, Desk, KEY, MINUTE, calls, ended, pipeline, serve, signal, until, webhooks,
    world,
};

/// A minute of Harness' time is 10 ms.
const FAST: f64 = 6000.0;

fn three_stages() -> [Stage; 3] {
    ["build", "test", "deploy"].map(|name| Stage::new(name, 5 * MINUTE))
}

/// A URL that nobody listens at any more.
fn nowhere() -> String {
    format!("http://{}", TcpListener::bind(ANY_PORT).unwrap().local_addr().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_is_followed_to_its_end_and_leaves_nothing() {
    let mut world = world(FAST);
    pipeline(&mut world, "checkout").stages(three_stages());
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout", "search"], "every: 1s");
    let said = desk.run(&["run", "our-checkout"]).await;
    assert_eq!(said.status, 0, "{said:?}");
    let world = harness.world();
    let execution = world.executions()[0].id();
    let page = format!(
        "{}/ng/account/{ACCOUNT}/all/orgs/default/projects/shop/pipelines/checkout/executions/\
         {execution}/pipeline",
        harness.url()
    );
    let line = format!("our-checkout: success after 15m, stages: 3 succeeded, {page}\n");
    assert_eq!(said.out, line);
    let event = world.ledger[0].event.as_deref().unwrap();
    let lines: Vec<&str> = said.err.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "note: by hand: no store is opened, no `concurrency` heeded, and no metric counts it",
            "our-checkout: sending the webhook",
            &format!("our-checkout: webhook taken, event {event}"),
        ]
    );
    assert_eq!(world.ledger.len(), 1, "no schedule is heeded");
    assert_eq!(desk.files(), ["config.yaml", "key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_has_every_field() {
    let mut world = world(FAST);
    pipeline(&mut world, "checkout").stages(three_stages()).will(Script::fail_at(2));
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout"], "");
    let said = desk.run(&["run", "our-checkout", "--output=json"]).await;
    assert_eq!(said.status, 1, "{said:?}");
    assert!(said.err.ends_with("error: no success: our-checkout\n"), "{}", said.err);
    let world = harness.world();
    let [mut run] = <[_; 1]>::try_from(said.json()).unwrap();
    for instant in ["begun", "sent", "start", "end"] {
        assert!(run[instant].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{run}");
        run[instant] = json!("then");
    }
    assert!(run["id"].as_str().unwrap().starts_with("our-checkout-manual-"));
    assert!(run["url"].as_str().unwrap().starts_with(&harness.url()));
    assert_eq!(
        run,
        json!({
            "id": run["id"],
            "pipeline": "our-checkout",
            "origin": "manual",
            "due": null,
            "begun": "then",
            "sent": "then",
            "event": world.ledger[0].event,
            "execution": world.executions()[0].id(),
            "outcome": "started",
            "reason": null,
            "status": "failed",
            "result": "failure",
            "start": "then",
            "end": "then",
            "duration_seconds": 600.0,
            "stages": [
                {"id": "build", "status": "success", "duration_seconds": 300.0},
                {"id": "test", "status": "failed", "duration_seconds": 300.0},
                {"id": "deploy", "status": "not_started", "duration_seconds": null},
            ],
            "url": run["url"],
            "message": run["message"],
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_failed_for_certain_is_status_3() {
    let mut world = world(FAST);
    pipeline(&mut world, "checkout").will(Script::refuse_start("the branch is gone"));
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout"], "");
    let said = desk.run(&["run", "our-checkout"]).await;
    assert_eq!(said.status, 3, "{said:?}");
    let line = "our-checkout: trigger failed, start_refused, Failed while";
    assert!(said.out.starts_with(line), "{}", said.out);
    assert!(said.err.ends_with("error: the trigger failed, nothing runs: our-checkout\n"));

    harness.world().keys.clear();
    let said = desk.run(&["run", "our-checkout", "--output=json"]).await;
    assert_eq!(said.status, 3, "{said:?}");
    let run = &said.json()[0];
    assert_eq!((&run["outcome"], &run["reason"]), (&json!("rejected"), &json!("unauthorized")));
    assert_eq!((&run["event"], &run["execution"]), (&json!(null), &json!(null)));

    let desk = Desk::new(&nowhere(), &["checkout"], "start_deadline: 1s");
    let said = desk.run(&["run", "our-checkout"]).await;
    assert_eq!(said.status, 3, "{said:?}");
    let line =
        "our-checkout: trigger unreachable, not_sent, its trigger could not be looked up: could";
    assert!(said.out.starts_with(line), "{said:?}");

    let desk = Desk::new(&nowhere(), &["checkout"], "start_deadline: 1s\n  webhook: v1");
    let said = desk.run(&["run", "our-checkout"]).await;
    assert_eq!(said.status, 3, "{said:?}");
    assert!(said.out.starts_with("our-checkout: trigger unreachable, unreachable, "), "{said:?}");
    assert!(said.err.contains("our-checkout: no effect, trying again: could not connect"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_fate_is_status_4_and_sent_once() {
    for answer in [Answer::status(502), Answer::Reset] {
        let mut world = world(FAST);
        pipeline(&mut world, "checkout");
        world.faults.next(Endpoint::Trigger, 1, Fault::After(answer));
        let harness = serve(world);
        let desk = Desk::new(&harness.url(), &["checkout"], "");
        let config = desk.read("config.yaml").replace("api_key_file: key, ", "");
        desk.write("config.yaml", &config);
        let said = desk.run(&["run", "our-checkout"]).await;
        assert_eq!(said.status, 4, "{said:?}");
        assert!(said.out.starts_with("our-checkout: trigger unconfirmed, "), "{}", said.out);
        let error = "error: unknown whether it runs, look in Harness before you trigger it again: \
                     our-checkout\n";
        assert!(said.err.ends_with(error), "{}", said.err);
        assert_eq!(webhooks(&harness), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_key_a_webhook_of_unknown_fate_is_looked_for_and_followed() {
    let mut world = world(FAST);
    pipeline(&mut world, "checkout");
    world.faults.next(Endpoint::Trigger, 1, Fault::After(Answer::status(502)));
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout"], "");
    let said = desk.run(&["run", "our-checkout"]).await;
    assert_eq!(said.status, 0, "{said:?}");
    let news = "our-checkout: it may have been taken, looking for its execution: HTTP 502";
    assert!(said.err.contains(news), "{}", said.err);
    assert_eq!(webhooks(&harness), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_run_side_by_side_and_the_worst_counts() {
    let mut world = world(FAST);
    pipeline(&mut world, "good");
    pipeline(&mut world, "bad").will(Script::fail_at(1));
    pipeline(&mut world, "refused").will(Script::refuse_start("no"));
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["good", "bad", "refused", "unasked"], "");
    let refused = "error: the trigger failed, nothing runs: our-refused\n";
    for (names, status, error) in [
        (&["our-good"][..], 0, ""),
        (&["our-bad", "our-good"], 1, "error: no success: our-bad\n"),
        (&["our-bad", "our-good", "our-refused"], 3, refused),
    ] {
        let before = webhooks(&harness);
        let said = desk.run(&[&["run", "--output=json"], names].concat()).await;
        assert_eq!(said.status, status, "{said:?}");
        assert!(said.err.ends_with(error), "{}", said.err);
        assert_eq!(webhooks(&harness) - before, names.len());
        let mut ended: Vec<_> = said.json().iter().map(|run| run["pipeline"].clone()).collect();
        ended.sort_by_key(ToString::to_string);
        assert_eq!(ended, names);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_usage_is_status_2_and_sends_nothing() {
    let harness = serve(world(FAST));
    let desk = Desk::new(&harness.url(), &["checkout"], "");
    let placeholder = desk.read("config.yaml").replace(ACCOUNT, "YOUR_ACCOUNT_ID");
    desk.write("placeholder.yaml", &placeholder);
    let account = &format!("--account={ACCOUNT}")[..];
    let url = &format!("--url={}", harness.url())[..];
    let ids = ["--org=o", "--project=s", "--pipeline=p", "--trigger=t"];
    for (line, error) in [
        (
            &["our-check"][..],
            "no pipeline of the config is called our-check: `harness-exporter check` lists them",
        ),
        (&["our-checkout", "our-checkout"], "our-checkout is named twice: name it once"),
        (
            &["our-checkout", "--config.file=placeholder.yaml"],
            "the account_id of account default is still YOUR_ACCOUNT_ID: put yours there, or try \
             `harness-exporter demo`, which needs none",
        ),
        (
            &["our-checkout", "--config.file=none.yaml"],
            "there is no such file or folder\n--> none.yaml\n\nerror: the config has 1 problem",
        ),
        (&[account, url, "--org=o", "--trigger=t"], "--account wants --project, --pipeline too"),
        (
            &[&[account, "--url=http://h.example"], &ids[..]].concat(),
            "command line: accounts[0].url: found http to `h.example`, want https (http only to \
             a loopback host such as localhost, or with `allow_http: true`)",
        ),
        (
            &[&[account, url, "--api-key-file=none"], &ids[..]].concat(),
            "the API key of account default can't be used: secret file none \
             can't be read: No such file or directory (os error 2)",
        ),
    ] {
        let said = desk.run(&[&["run"], line].concat()).await;
        assert_eq!(said.status, 2, "{line:?}: {said:?}");
        assert_eq!((said.out.as_str(), said.err), ("", format!("error: {error}\n")), "{line:?}");
    }
    assert!(harness.world().calls.is_empty());
}

/// Somebody may have set the variables for good, for runs outside any config.
#[tokio::test(flavor = "multi_thread")]
async fn names_on_the_command_line_win_over_variables() {
    let mut world = world(FAST);
    pipeline(&mut world, "checkout");
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout"], "");
    let set = |line: &[&str]| {
        let mut command = desk.command(line);
        command.env("HARNESS_EXPORTER_ACCOUNT", "another").env("HARNESS_EXPORTER_ORG", "other");
        command.env("HARNESS_EXPORTER_URL", "http://127.0.0.1:9");
        command
    };
    let said = ended(set(&["run", "our-checkout", "--detach"]).spawn().unwrap()).await;
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(webhooks(&harness), 1);
    let said = ended(set(&["run", "our-checkout", "--org=default"]).spawn().unwrap()).await;
    assert_eq!(said.status, 2, "{said:?}");
    assert!(said.err.contains("a NAME and --org exclude each other"), "{said:?}");
    let said = ended(set(&["run"]).spawn().unwrap()).await;
    assert_eq!(said.status, 2, "{said:?}");
    assert!(said.err.contains("--account wants --project, --pipeline, --trigger"), "{said:?}");
    assert_eq!(webhooks(&harness), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_config_the_command_line_says_it_all() {
    let mut world = world(FAST);
    pipeline(&mut world, "checkout").token(Some("tok-4711")).requires_key(true);
    let harness = serve(world);
    let desk = Desk::empty();
    desk.write("token", "tok-4711\n");
    let url = format!("--url={}", harness.url());
    let account = format!("--account={ACCOUNT}");
    let ids = ["--org=default", "--project=shop", "--pipeline=checkout", "--trigger=exporter"];
    let line = [&["run", &url, &account, "--webhook-token-file=token"], &ids[..]].concat();
    let mut command = desk.command(&line);
    command.env("HARNESS_EXPORTER_API_KEY", KEY);
    let said = ended(command.spawn().unwrap()).await;
    assert_eq!(said.status, 0, "{said:?}");
    assert!(said.out.starts_with("checkout: success after 1m, "), "{}", said.out);
    assert!(harness.world().ledger[0].path.ends_with("/custom/tok-4711/v3"));
    assert_eq!(desk.files(), ["token"]);

    let said = desk.run(&line).await;
    assert_eq!(said.status, 3, "{said:?}");
    assert!(said.out.contains("Authorization is mandatory"), "{}", said.out);
    assert!(!said.out.contains("tok-4711"));
}

#[tokio::test(flavor = "multi_thread")]
async fn detached_it_prints_the_event_and_goes() {
    let mut world = world(0.0);
    pipeline(&mut world, "checkout");
    pipeline(&mut world, "search");
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout", "search"], "");
    let event = desk.detached("our-checkout").await;
    assert_eq!(harness.world().ledger[0].event.as_ref(), Some(&event));

    let said = desk.run(&["run", "our-search", "our-checkout", "--detach"]).await;
    assert_eq!(said.status, 0, "{said:?}");
    let world = harness.world();
    let event = |name| world.webhooks_of(name).last().unwrap().event.clone().unwrap();
    let (checkout, search) = (event("checkout"), event("search"));
    assert_eq!(said.out, format!("our-checkout {checkout}\nour-search {search}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn following_ends_at_its_timeout_and_the_run_goes_on() {
    let mut world = world(0.0);
    pipeline(&mut world, "checkout");
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout"], "");
    let said = desk.run(&["run", "our-checkout", "--timeout=1s", "--output=json"]).await;
    assert_eq!(said.status, 1, "{said:?}");
    let end = "our-checkout: no longer followed, goes on in Harness\n\
               error: no success: our-checkout\n";
    assert!(said.err.ends_with(end), "{}", said.err);
    let run = &said.json()[0];
    assert_eq!((&run["outcome"], &run["result"]), (&json!("pending"), &json!(null)));
    assert_eq!(run["event"], json!(harness.world().ledger[0].event));

    let desk = Desk::new(&nowhere(), &["checkout"], "");
    let said = desk.run(&["run", "our-checkout", "--timeout=1s"]).await;
    assert_eq!(said.status, 3, "{said:?}");
    assert!(said.err.contains("our-checkout: no longer followed, was not triggered\n"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_end_it_leaves_the_run_to_harness() {
    let mut world = world(0.0);
    pipeline(&mut world, "checkout");
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout"], "");
    let child = desk.command(&["run", "our-checkout"]).spawn().unwrap();
    until("a look at the event", async || calls(&harness, Endpoint::Event) > 0).await;
    signal(child.id(), "-TERM");
    let said = ended(child).await;
    assert_eq!(said.status, 1, "{said:?}");
    let event = harness.world().ledger[0].event.clone().unwrap();
    assert_eq!(said.out, format!("our-checkout: pending, event {event}\n"));
    assert!(said.err.contains("our-checkout: no longer followed, goes on in Harness\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_end_it_waits_for_the_answer_to_its_webhook() {
    let mut world = world(0.0);
    pipeline(&mut world, "checkout");
    world.faults.next(Endpoint::Trigger, 1, Fault::After(Answer::Never));
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout"], "");
    let config = desk.read("config.yaml").replace("timeout: 5s", "timeout: 1s");
    desk.write("config.yaml", &config);
    let child = desk.command(&["run", "our-checkout"]).spawn().unwrap();
    until("the webhook", async || webhooks(&harness) > 0).await;
    signal(child.id(), "-INT");
    let said = ended(child).await;
    assert_eq!(said.status, 4, "{said:?}");
    assert!(said.out.starts_with("our-checkout: unconfirmed, "), "{}", said.out);
}
