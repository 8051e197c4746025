//! The binary at work: runs of every kind, against a world that stands still and is moved by hand.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use harness_exporter::simulator::{Script, Simulator, World};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tempfile::TempDir;

use crate::child::{Child, exporter, until};

pub(super) const ACCOUNT_ID: &str = "acme0000000000000000AA";

/// One for all tests. No connection is kept, for it would belong to the runtime of the test that
/// made it.
pub(crate) fn http() -> &'static reqwest::Client {
    static HTTP: LazyLock<reqwest::Client> = LazyLock::new(|| {
        harness_exporter::harness::install_crypto();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]);
        client.pool_max_idle_per_host(0).build().expect("a client")
    });
    &HTTP
}

/// What a pipeline of the config is called, here and in Harness.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) name: String,
    pub(super) org: String,
    pub(super) project: String,
    pub(super) pipeline: String,
    pub(super) trigger: String,
}

impl Names {
    /// The same for all of them.
    pub(super) fn all(name: &str) -> Self {
        let name = name.to_owned();
        let [org, project, pipeline, trigger] = std::array::from_fn(|_| name.clone());
        Self { name, org, project, pipeline, trigger }
    }
}

/// Pipelines of one project with a trigger `exporter` each.
pub(super) fn pipelines(names: &[&str]) -> Vec<Names> {
    let one = |name: &&str| Names {
        org: "default".to_owned(),
        project: "shop".to_owned(),
        trigger: "exporter".to_owned(),
        ..Names::all(name)
    };
    names.iter().map(one).collect()
}

/// A text as YAML reads it, whatever is in it.
fn quoted(text: &str) -> String {
    let escaped = text.chars().fold(String::new(), |mut escaped, character| {
        match character {
            plain if plain.is_ascii_alphanumeric() => escaped.push(plain),
            other => write!(escaped, "\\U{:08X}", u32::from(other)).unwrap(),
        }
        escaped
    });
    format!("\"{escaped}\"")
}

/// A config with these pipelines, none of them due before years have passed.
pub(super) fn yaml(account: &str, url: &str, pipelines: &[Names]) -> String {
    let mut config = format!(
        "accounts:\n  - {{name: {}, url: {url}, account_id: {ACCOUNT_ID}, requests_per_minute: \
         60000}}\n\
         defaults: {{polling: {{first: 50ms, min: 50ms, max: 100ms}}, every: 10000d, align: epoch, overdue_after: 10m, labels: {{team: web}}}}\n\
         metrics: {{run_info: true, labels: [team]}}\n\
         pipelines:\n",
        quoted(account)
    );
    for one in pipelines {
        let Names { name, org, project, pipeline, trigger } = one;
        let [name, org, project, pipeline, trigger] =
            [name, org, project, pipeline, trigger].map(|text| quoted(text));
        writeln!(
            config,
            "  - {{name: {name}, org: {org}, project: {project}, pipeline: {pipeline}, trigger: \
             {trigger}}}"
        )
        .unwrap();
    }
    config
}

/// The binary, running `serve` against a world of the test.
pub(super) struct Exporter {
    _child: Child,
    address: String,
    simulator: Simulator,
    folder: TempDir,
}

impl Exporter {
    pub(super) async fn start(account: &str, pipelines: &[Names], world: World) -> Self {
        let simulator = Simulator::start(world, ([127, 0, 0, 1], 0).into()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.yaml");
        fs::write(&config, yaml(account, &simulator.url(), pipelines)).unwrap();
        let mut command = exporter();
        command
            .args(["serve", "--web.enable-trigger", "--web.listen-address=127.0.0.1:0"])
            .arg("--storage.url=sqlite://runs.db")
            .current_dir(folder.path());
        let mut child = Child::start(&mut command, folder.path());
        let address = child
            .says("where it listens", |said| {
                let line = said.lines().find(|line| line.contains("msg=listening"))?;
                let mut words = line.split_whitespace();
                words.find_map(|word| word.strip_prefix("address=")).map(str::to_owned)
            })
            .await;
        Self { _child: child, address, simulator, folder }
    }

    pub(super) fn address(&self) -> String {
        self.address.clone()
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) const fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// Lets time pass in Harness.
    pub(super) fn advance(&self, by: Duration) {
        self.simulator.world().advance(by);
    }

    /// Triggers a pipeline by hand, and waits until Harness has its webhook.
    pub(super) async fn trigger(&self, name: &str) {
        let before = self.simulator.world().ledger.len();
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
        let url = format!("http://{}/api/v1/pipelines/{name}/trigger", self.address);
        let answer = http().post(url).send().await.unwrap();
        assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
        until("the webhook arrives", async || {
            let received = self.simulator.world().ledger.len();
            if received > before { Ok(()) } else { Err(format!("{received} webhooks")) }
        })
        .await;
    }

    pub(super) async fn scrape(&self) -> String {
        let answer = http().get(format!("http://{}/metrics", self.address)).send().await.unwrap();
        answer.text().await.unwrap()
    }
}

/// An exporter that has seen a success, a failure, a run that expired, a start that was refused, a
/// webhook that was refused, and a run that waits for a person.
pub(super) async fn told() -> Exporter {
    let names = ["steady", "broken", "stuck", "refused", "unheard", "approved"];
    let mut world = World::new(ACCOUNT_ID, 0.0);
    let scripts = [
        ("steady", Script::succeed()),
        ("broken", Script::fail_at(1)),
        ("stuck", Script::expire()),
        ("refused", Script::refuse_start("no such branch")),
        ("approved", Script::wait_for_approval(Duration::from_hours(999))),
    ];
    for (name, script) in scripts {
        world.pipeline("default", "shop", name, "exporter").will(script);
    }
    let exporter = Exporter::start("acme", &pipelines(&names), world).await;
    for name in names {
        exporter.trigger(name).await;
    }
    exporter.advance(Duration::from_hours(25));
    for result in ["success", "failure", "timeout"] {
        seen(&exporter, &format!("result=\"{result}\"}} 1")).await;
    }
    for reason in ["start_refused", "rejected"] {
        seen(&exporter, &format!("reason=\"{reason}\"}} 1")).await;
    }
    seen(&exporter, "state=\"waiting_person\"} 1").await;
    exporter
}

async fn seen(exporter: &Exporter, end: &str) {
    until(end, async || {
        let exposition = exporter.scrape().await;
        let found = exposition.lines().any(|line| line.ends_with(end));
        if found { Ok(()) } else { Err(exposition) }
    })
    .await;
}
