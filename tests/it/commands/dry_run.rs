//! `serve --dry-run`: everything but the webhook, and nothing to catch up afterwards.

use std::fs::File;
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use harness_exporter::config::{Source, parse};
use harness_exporter::engine::{Effect, Engine};
use harness_exporter::model::{
    AccountName, Change, Fact, Mono, Now, Phase, PipelineName, Reason, Restored, Run, RunId, Wall,
};

use super::{
    ACCOUNT, ANY_PORT, Desk, MINUTE, ended, pipeline, serve, signal, until, webhooks, world,
};

/// An exporter that runs.
struct Exporter<'a> {
    desk: &'a Desk,
    process: Child,
    /// The file with its log.
    log: &'static str,
    address: SocketAddr,
}

impl<'a> Exporter<'a> {
    async fn start(desk: &'a Desk, log: &'static str, flags: &[&str]) -> Self {
        let address = "--web.listen-address=127.0.0.1:0";
        let line = ["serve", "--web.enable-trigger", "--storage.url=sqlite://exporter.db", address];
        let mut command = desk.command(&[&line, flags].concat());
        command.stdout(Stdio::null()).stderr(File::create(desk.path().join(log)).unwrap());
        let process = command.spawn().unwrap();
        let mut exporter = Self { desk, process, log, address: ANY_PORT };
        until("the port", async || {
            let log = exporter.log();
            let line = log.lines().find(|line| line.contains("msg=listening"));
            let address = line.and_then(|line| line.split_once("address=")?.1.split(' ').next());
            exporter.address = address.map_or(ANY_PORT, |address| address.parse().unwrap());
            address.is_some()
        })
        .await;
        exporter
    }

    fn log(&self) -> String {
        self.desk.read(self.log)
    }

    async fn stop(self) {
        signal(self.process.id(), "-TERM");
        assert_eq!(ended(self.process).await.status, 0);
    }

    /// The value of the series of that name that has this label.
    async fn metric(&self, name: &str, label: &str) -> Option<f64> {
        let url = format!("http://{}/metrics", self.address);
        let text = http().get(url).send().await.unwrap().text().await.unwrap();
        let mut series = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        series.find(|line| line.contains(label))?.rsplit(' ').next()?.parse().ok()
    }

    /// Asks for a run of the pipeline.
    async fn trigger(&self, name: &str) -> (u16, String) {
        let url = format!("http://{}/api/v1/pipelines/{name}/trigger", self.address);
        let answer = http().post(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

/// Without kept connections, which would belong to the runtime of the test that made them.
fn http() -> &'static reqwest::Client {
    static HTTP: LazyLock<reqwest::Client> = LazyLock::new(|| {
        harness_exporter::harness::install_crypto();
        reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap()
    });
    &HTTP
}

const PAUSED: &str = "harness_pipeline_paused";
const NEXT: &str = "harness_pipeline_next_trigger_timestamp_seconds";
const MISSED: &str = "harness_pipeline_schedules_missed_total";
const RUNS: &str = "harness_pipeline_runs_total";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_and_nothing_is_caught_up() {
    let mut world = world(6000.0);
    pipeline(&mut world, "checkout");
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout"], "every: 1s");
    let exporter = Exporter::start(&desk, "first.log", &["--dry-run"]).await;
    let withheld = "msg=\"dry run: would have triggered\"";
    until("two due times", async || exporter.log().matches(withheld).count() >= 2).await;
    let log = exporter.log();
    let line = log.lines().find(|line| line.contains(withheld)).unwrap();
    assert!(line.contains("pipeline=our-checkout due=2"), "{line}");
    assert_eq!(exporter.metric(PAUSED, "cause=\"dry_run\"").await, Some(1.0));
    assert_eq!(exporter.metric(PAUSED, "cause=\"config\"").await, Some(0.0));
    assert_eq!(exporter.metric(NEXT, "").await, None);
    let (status, told) = exporter.trigger("our-checkout").await;
    assert_eq!(status, 409);
    assert!(told.contains("the exporter runs with --dry-run: nothing was triggered"), "{told}");
    assert_eq!(exporter.trigger("nobody").await.0, 404);
    exporter.stop().await;
    assert_eq!(webhooks(&harness), 0);

    // In earnest: the due times of the dry run were none.
    let exporter = Exporter::start(&desk, "second.log", &[]).await;
    until("a webhook", async || webhooks(&harness) > 0).await;
    assert_eq!(exporter.metric(PAUSED, "cause=\"dry_run\"").await, Some(0.0));
    assert_eq!(exporter.metric(MISSED, "reason=\"exporter_down\"").await, Some(0.0));
    exporter.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_open_before_is_followed_to_its_end() {
    let mut world = world(0.0);
    pipeline(&mut world, "checkout");
    let harness = serve(world);
    let desk = Desk::new(&harness.url(), &["checkout"], "");
    let exporter = Exporter::start(&desk, "first.log", &[]).await;
    assert_eq!(exporter.trigger("our-checkout").await.0, 202);
    until("the event", async || exporter.log().contains("msg=\"webhook accepted\"")).await;
    exporter.stop().await;

    let exporter = Exporter::start(&desk, "second.log", &["--dry-run"]).await;
    harness.world().advance(10 * MINUTE);
    let ended = async || exporter.metric(RUNS, "result=\"success\"").await == Some(1.0);
    until("the end of the run", ended).await;
    exporter.stop().await;
    assert_eq!(webhooks(&harness), 1);
}

#[test]
fn what_an_earlier_life_left_to_be_sent_is_withheld_and_ends_in_time() {
    let text = format!(
        "accounts: [{{account_id: {ACCOUNT}}}]\n\
         pipelines: [{{org: o, project: s, pipeline: nightly, trigger: t, start_deadline: 1m}}]\n"
    );
    let (config, _) = parse(&[Source { name: "config.yaml".into(), text }]).unwrap();
    for phase in [Phase::Due, Phase::Waiting] {
        let mut now = Now { wall: Wall(1_795_489_911_000), mono: Mono(Duration::from_hours(1)) };
        let name = PipelineName::new("nightly");
        let id = RunId::of_request(&name, 1);
        let run = Run { phase, ..Run::new(id, name, AccountName::new("default"), now.wall) };
        let mut engine = Engine::new(&config, 0).dry_run();
        let runs = vec![Arc::new(run)];
        engine.restore(&Restored { runs, ..Restored::default() }, now);
        engine.advance(now);
        let mut effects = engine.effects();
        let withheld = |effect: &&Effect| matches!(effect, Effect::Withheld { due: None, .. });
        assert_eq!(effects.iter().filter(withheld).count(), 1, "{phase:?}");
        now.wall = now.wall.after(MINUTE);
        now.mono = now.mono.after(MINUTE);
        engine.advance(now);
        effects.extend(engine.effects());
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::SendTrigger(_))));
        let ended = effects.iter().find_map(|effect| match effect {
            Effect::Fact(Fact::Run { run, change: Change::TriggerFailed, .. }) => run.reason,
            _ => None,
        });
        assert_eq!(ended, Some(Reason::NotSent), "{phase:?}");
    }
}
