//! Executions that are listed or read by their id, and triggers that are looked up: what is asked,
//! and what comes of each answer, from raw bodies and from the stand-in.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::Method;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::server::{Play, Received, Server, Then, closed_port};
use super::*;
use harness_exporter::model::{
    ExecutionAnswer, ExecutionFilter, ExecutionId, ExecutionsAnswer, ExecutionsPage,
    ExecutionsQuery, FoundTrigger, ListedExecution, LookupAnswer, Target, Wall,
};
use harness_exporter::simulator::{Answer, Endpoint, Fault, FilterSupport, Simulator, World};

const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const POOR_KEY: &str = "the-key-without-rights";

fn target() -> Target {
    let Pipeline { org, project, pipeline, trigger, .. } = pipeline();
    Target { org, project, pipeline, trigger }
}

fn query(filter: ExecutionFilter) -> ExecutionsQuery {
    let (org, project) = ("default".to_owned(), "shop front".to_owned());
    ExecutionsQuery { org, project, filter, page: 0, size: 100 }
}

fn ids(ids: &[&str]) -> ExecutionFilter {
    ExecutionFilter::Ids(ids.iter().map(|id| ExecutionId::new(id).unwrap()).collect())
}

fn of_trigger(trigger: &str) -> ExecutionFilter {
    let triggers = vec![trigger.to_owned()];
    ExecutionFilter::Triggers { triggers, from: Wall(0), until: Wall(i64::MAX / 2) }
}

async fn page(client: &Client, query: &ExecutionsQuery) -> ExecutionsPage {
    match client.list_executions(query).await.answer {
        ExecutionsAnswer::Page(page) => *page,
        other => panic!("{other:?}"),
    }
}

async fn asked(template: ResponseTemplate, call: impl AsyncFn(&Client)) -> Request {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(template).mount(&server).await;
    call(&client(&server.uri().parse().unwrap())).await;
    let mut requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

#[tokio::test]
async fn each_call_asks_for_what_it_is_to_bring() {
    let scope = "accountIdentifier=acme0000000000000000AA&orgIdentifier=default&\
                 projectIdentifier=shop+front";
    let (from, until) = (Wall(1_000), Wall(2_000));
    let triggers = ExecutionFilter::Triggers { triggers: vec!["by".to_owned()], from, until };
    let table = [
        (ids(&["x1", "x2"]), "", json!({ "planExecutionIds": ["x1", "x2"] })),
        (
            triggers,
            "",
            json!({
                "triggerIdentifiers": ["by"],
                "timeRange": { "startTime": 1_000, "endTime": 2_000 },
            }),
        ),
        (
            ExecutionFilter::Pipeline("check out".to_owned()),
            "&pipelineIdentifier=check+out",
            json!({}),
        ),
    ];
    for (filter, more, mut expected) in table {
        let request = asked(ResponseTemplate::new(500), async |client| {
            client.list_executions(&query(filter.clone())).await;
        })
        .await;
        assert_eq!(request.method, Method::POST);
        assert_eq!(request.url.path(), "/gateway/pipeline/api/pipelines/execution/summary");
        let expected_query = format!("{scope}&page=0&size=100&sort=startTs%2CDESC{more}");
        assert_eq!(request.url.query(), Some(expected_query.as_str()));
        expected["filterType"] = json!("PipelineExecution");
        assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), expected);
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(request.headers["x-api-key"], KEY);
    }

    let request = asked(ResponseTemplate::new(500), async |client| {
        client.read_execution(&target(), &ExecutionId::new("x-1_A").unwrap()).await;
    })
    .await;
    assert_eq!(request.method, Method::GET);
    assert_eq!(request.url.path(), "/gateway/pipeline/api/pipelines/execution/v2/x-1_A");
    assert_eq!(request.url.query(), Some(scope));
    assert_eq!(request.headers["x-api-key"], KEY);

    let request = asked(ResponseTemplate::new(500), async |client| {
        client.look_up(&pipeline()).await;
    })
    .await;
    assert_eq!(request.method, Method::GET);
    assert_eq!(request.url.path(), "/gateway/pipeline/api/triggers/by_exporter/details");
    let of_pipeline = format!("{scope}&targetIdentifier=checkout");
    assert_eq!(request.url.query(), Some(of_pipeline.as_str()));
    assert_eq!(request.headers["x-api-key"], KEY);
}

/// A world with one pipeline, in which time passes only by being told to.
fn world() -> World {
    let mut world = World::new(ACCOUNT_ID, 0.0);
    world.keys.insert(KEY.to_owned());
    world.keys_without_rights.insert(POOR_KEY.to_owned());
    world.pipeline("default", "shop front", "checkout", "by_exporter").token(Some(TOKEN));
    world.pipeline("default", "shop front", "checkout", "by_others");
    world
}

fn harness(world: World) -> (Simulator, Client) {
    let simulator = Simulator::start(world, ANY_PORT).unwrap();
    let client = client(&simulator.url().parse().unwrap());
    (simulator, client)
}

fn keyed(simulator: &Simulator, key: &str) -> Client {
    let url = simulator.url().parse().unwrap();
    client_of(&Account { api_key: Some(inline(key)), ..account(&url) })
}

/// Identifier of the trigger, its type and the event, as a list tells them.
fn started_by(listed: &ListedExecution) -> (Option<&str>, &str, Option<&str>) {
    let event = listed.event.as_ref().map(EventId::as_str);
    (listed.trigger.as_deref(), listed.trigger_type.as_str(), event)
}

#[tokio::test]
async fn a_list_tells_who_started_what() {
    let (simulator, client) = harness(world());
    let TriggerAnswer::Accepted(ours) = trigger(&client, WebhookVersion::V3).await.answer else {
        panic!("not accepted")
    };
    let theirs = {
        let mut world = simulator.world();
        world.advance(Duration::from_secs(3));
        let trigger = ["default", "shop front", "checkout", "by_others"];
        let theirs = world.triggered_by_others(trigger);
        world.advance(Duration::from_secs(3));
        world.started_by_hand(["default", "shop front", "checkout"]);
        theirs
    };
    let everything = query(ExecutionFilter::Pipeline("checkout".to_owned()));
    let all = page(&client, &everything).await;
    let seen: Vec<_> = all.executions.iter().map(started_by).collect();
    let webhook = "WEBHOOK_CUSTOM";
    let expected = [
        (None, "MANUAL", None),
        (Some("by_others"), webhook, Some(theirs.as_str())),
        (Some("by_exporter"), webhook, Some(ours.as_str())),
    ];
    assert_eq!(seen, expected);
    assert_eq!((all.last, all.total), (true, Some(3)));
    for listed in &all.executions {
        assert_eq!(listed.org.as_deref(), Some("default"));
        assert_eq!(listed.project.as_deref(), Some("shop front"));
        assert_eq!(listed.pipeline, "checkout");
        assert_eq!(listed.summary.status, "Running");
        assert!(listed.created > listed.summary.start);
    }

    let alone = page(&client, &query(of_trigger("by_exporter"))).await;
    let [found] = alone.executions.as_slice() else { panic!("{alone:?}") };
    let ExecutionAnswer::Summary(summary) =
        client.read_execution(&target(), &found.id).await.answer
    else {
        panic!("no summary")
    };
    assert_eq!(*summary, found.summary);
    assert_eq!(simulator.world().ledger.len(), 1);
}

#[tokio::test]
async fn a_list_comes_in_pages() {
    let (simulator, client) = harness(world());
    for _ in 0..5 {
        simulator.world().started_by_hand(["default", "shop front", "checkout"]);
    }
    let mut numbers = Vec::new();
    let mut ends = Vec::new();
    for number in 0..3 {
        let all = query(ExecutionFilter::Pipeline("checkout".to_owned()));
        let part = page(&client, &ExecutionsQuery { page: number, size: 2, ..all }).await;
        assert_eq!(part.total, Some(5));
        numbers.extend(part.executions.iter().map(|listed| listed.summary.number.unwrap()));
        ends.push(part.last);
    }
    assert_eq!(numbers, [5, 4, 3, 2, 1]);
    assert_eq!(ends, [false, false, true]);
}

#[tokio::test]
async fn a_filter_that_is_not_known_is_told_by_the_answer() {
    let (simulator, client) = harness(world());
    let started: Vec<String> = (0..3)
        .map(|_| simulator.world().started_by_hand(["default", "shop front", "checkout"]))
        .collect();
    let wanted = query(ids(&[&started[0], "unheard-of"]));
    let came = |page: &ExecutionsPage| -> Vec<String> {
        page.executions.iter().map(|listed| listed.id.to_string()).collect()
    };
    assert_eq!(came(&page(&client, &wanted).await), [started[0].clone()]);

    simulator.world().plan_execution_ids = FilterSupport::Ignored;
    let everything: Vec<_> = started.iter().rev().cloned().collect();
    assert_eq!(came(&page(&client, &wanted).await), everything);

    simulator.world().plan_execution_ids = FilterSupport::Refused;
    simulator.world().trigger_identifiers = FilterSupport::Refused;
    for query in [wanted, query(of_trigger("by_exporter"))] {
        let answered = client.list_executions(&query).await;
        let ExecutionsAnswer::Refused(refusal) = answered.answer else { panic!("{answered:?}") };
        assert_eq!((refusal.status, refusal.code.as_str()), (400, "INVALID_REQUEST"));
        assert!(refusal.message.contains("Unrecognized field"), "{}", refusal.message);
    }
    let pipeline = query(ExecutionFilter::Pipeline("checkout".to_owned()));
    assert_eq!(came(&page(&client, &pipeline).await), everything);
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_allowed_are_told_apart() {
    let (simulator, client) = harness(world());
    let execution = ExecutionId::new("unheard-of").unwrap();
    let pipeline = pipeline();
    let missing = client.read_execution(&target(), &execution).await;
    assert_eq!((missing.answer, missing.code), (ExecutionAnswer::Missing, Some(404)));
    let mut other = pipeline.clone();
    other.trigger = "unheard_of".to_owned();
    let LookupAnswer::Refused(refusal) = client.look_up(&other).await.answer else {
        panic!("it was found")
    };
    assert_eq!((refusal.status, refusal.code.as_str()), (404, "ENTITY_NOT_FOUND"));

    let poor = keyed(&simulator, POOR_KEY);
    let everything = query(ExecutionFilter::Pipeline("checkout".to_owned()));
    let ExecutionsAnswer::Refused(refusal) = poor.list_executions(&everything).await.answer else {
        panic!("it was listed")
    };
    assert_eq!((refusal.status, refusal.code.as_str()), (403, "NG_ACCESS_DENIED"));
    let answered = poor.read_execution(&target(), &execution).await;
    assert!(matches!(answered.answer, ExecutionAnswer::Failed { .. }), "{answered:?}");
    assert_eq!(answered.code, Some(403));
    let LookupAnswer::Refused(refusal) = poor.look_up(&pipeline).await.answer else {
        panic!("it was found")
    };
    assert_eq!(refusal.status, 403);
    let wrong = keyed(&simulator, "no-such-key");
    let LookupAnswer::Refused(refusal) = wrong.look_up(&pipeline).await.answer else {
        panic!("it was found")
    };
    assert_eq!((refusal.status, refusal.code.as_str()), (401, "INVALID_TOKEN"));
}

#[tokio::test]
async fn a_trigger_that_is_looked_up_tells_where_its_webhook_goes_and_keeps_it_secret() {
    let (simulator, client) = harness(world());
    // Another host than the one that was called: nothing of it may be used.
    simulator.world().base_url = Some("https://elsewhere.example/".to_owned());
    simulator
        .world()
        .pipeline("default", "shop front", "checkout", "by_exporter")
        .token(Some("a-token-never-read-before"))
        .enabled(false);
    let answered = client.look_up(&pipeline()).await;
    let printed = format!("{answered:?}");
    assert!(!printed.contains("a-token-never"), "{printed}");
    let LookupAnswer::Found(FoundTrigger { enabled, webhook }) = answered.answer else {
        panic!("{printed}")
    };
    assert_eq!(enabled, Some(false));
    let path = webhook.unwrap().exposed().to_owned();
    let start = "/gateway/pipeline/api/webhook/custom/a-token-never-read-before/v3?account";
    assert!(path.starts_with(start), "{path}");

    // From now on Harness may echo it as it likes.
    let body = "the webhook token: a-token-never-read-before".to_owned();
    let fault = Fault::Before(Answer::body(400, "text/plain", body));
    simulator.world().faults.next(Endpoint::Event, 1, fault);
    let answered = read(&client, DetailsVersion::V2).await;
    let expected = "HTTP 400: the webhook token: [redacted]".to_owned();
    assert_eq!(answered.answer, EventAnswer::Failed { message: expected });
}

#[tokio::test]
async fn faults_01_and_19_to_23_are_failures_of_a_call_that_is_made_once() {
    let everything = query(ExecutionFilter::Pipeline("checkout".to_owned()));
    let execution = ExecutionId::new("x1").unwrap();
    let unreachable = client(&closed_port().await);
    let answered = unreachable.list_executions(&everything).await;
    assert!(matches!(answered.answer, ExecutionsAnswer::Failed { .. }), "{answered:?}");
    assert_eq!(answered.code, None);

    let head = "HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n";
    let plays: [(&[u8], Then); 4] = [
        (b"", Then::Reset),
        (head.as_bytes(), Then::Close),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n<html", Then::Close),
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", Then::Close),
    ];
    for (said, then) in plays {
        let said = said.to_vec();
        let server =
            Server::start(move |_: &Received| Play { answer: said.clone(), then: then.clone() })
                .await;
        let client = client(&server.url);
        let listed = client.list_executions(&everything).await.answer;
        assert!(matches!(listed, ExecutionsAnswer::Failed { .. }), "{listed:?}");
        let one = client.read_execution(&target(), &execution).await.answer;
        assert!(matches!(one, ExecutionAnswer::Failed { .. }), "{one:?}");
        let trigger = client.look_up(&pipeline()).await.answer;
        assert!(matches!(trigger, LookupAnswer::Failed { .. }), "{trigger:?}");
        assert_eq!(server.received().len(), 3);
    }
}

#[tokio::test]
async fn fault_22_a_list_over_the_limit_is_told_so_that_fewer_can_be_asked_for() {
    let (simulator, client) = harness(world());
    let flood = Fault::Before(Answer::Flood { bytes: 9 * 1024 * 1024 });
    simulator.world().faults.next(Endpoint::Executions, 1, flood);
    let everything = query(ExecutionFilter::Pipeline("checkout".to_owned()));
    let answered = client.list_executions(&everything).await;
    assert_eq!((answered.answer, answered.code), (ExecutionsAnswer::TooLarge, Some(200)));
    let throttled = Fault::Before(Answer::Status { code: 429, retry_after: Some(7) });
    simulator.world().faults.next(Endpoint::Executions, 1, throttled);
    let retry_after = Some(Duration::from_secs(7));
    let answered = client.list_executions(&everything).await;
    assert_eq!(answered.answer, ExecutionsAnswer::Throttled { retry_after });
    assert_eq!(
        page(&client, &everything).await,
        ExecutionsPage { last: true, total: Some(0), ..Default::default() }
    );
}
