//! What tests set up: a config, a world, patience.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use harness_exporter::simulator::{Endpoint, SimulatedPipeline, Simulator, World};
use tempfile::TempDir;

use super::exporter::Exporter;

pub(super) const ACCOUNT: &str = "acme0000000000000000AA";

/// The secrets of these tests. They look like none, so that only knowing them helps.
pub(super) const KEY: &str = "the-key-of-acme-4711-never-shown";
pub(super) const TOKEN: &str = "the-token-of-acme-4712-never-shown";

/// The folder of what is mounted.
pub(super) const MOUNTED: &str = "mounted";

pub(super) const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Long enough for a loaded machine; only what hangs takes so long.
const PATIENCE: Duration = Duration::from_secs(40);

/// Asks again and again until there is an answer.
pub(super) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    let answer = tokio::time::timeout(PATIENCE, asking).await;
    answer.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// One for all tests, because making one reads every root certificate. No connection is kept, for
/// it would belong to the runtime of the test that made it.
pub(super) fn http() -> &'static reqwest::Client {
    static HTTP: LazyLock<reqwest::Client> = LazyLock::new(|| {
        harness_exporter::harness::install_crypto();
        let client = reqwest::Client::builder().no_proxy().no_gzip().pool_max_idle_per_host(0);
        client.timeout(PATIENCE).build().unwrap()
    });
    &HTTP
}

/// A world with a key, in which time passes `speed` times as fast.
pub(super) fn world(speed: f64) -> World {
    let mut world = World::new(ACCOUNT, speed);
    world.keys.insert(KEY.to_owned());
    world
}

/// The pipeline of that name, as the config below means it.
pub(super) fn pipeline<'a>(world: &'a mut World, name: &str) -> &'a mut SimulatedPipeline {
    world.pipeline("default", "shop", name, "exporter")
}

pub(super) fn serve(world: World) -> Simulator {
    Simulator::start(world, ANY_PORT).unwrap()
}

/// How many calls of this kind have come in.
pub(super) fn calls(simulator: &Simulator, endpoint: Endpoint) -> usize {
    simulator.world().calls.iter().filter(|(_, of)| *of == endpoint).count()
}

/// A config in a folder of its own, with everything in it that an exporter writes.
pub(super) struct Setup {
    folder: TempDir,
    account: BTreeMap<&'static str, String>,
    /// Entries of further accounts, in YAML.
    pub(super) more_accounts: Vec<String>,
    /// By Harness' identifier, which is the name too: the other keys, in YAML.
    pub(super) pipelines: BTreeMap<String, String>,
    /// Further sections, in YAML.
    pub(super) sections: String,
    /// The API key that is in the key's file.
    pub(super) key: String,
    /// What `--config.file` says.
    pub(super) config_file: &'static str,
    flags: Vec<String>,
    /// Further keys of the config, in YAML.
    pub(super) more_keys: String,
    /// What the shell is to do before it becomes the exporter.
    pub(super) first: Option<&'static str>,
}

impl Setup {
    /// For a Harness at `url`: with a key, and limits that are out of the way.
    pub(super) fn new(url: &str) -> Self {
        let account = [
            ("url", url),
            ("account_id", ACCOUNT),
            ("api_key_file", "key"),
            ("requests_per_minute", "60000"),
            ("triggers_per_minute", "60000"),
            ("max_active_runs", "1000"),
            ("timeout", "2s"),
        ];
        Self {
            folder: tempfile::tempdir().unwrap(),
            account: account.map(|(key, value)| (key, value.to_owned())).into(),
            more_accounts: Vec::new(),
            more_keys: String::new(),
            pipelines: BTreeMap::new(),
            sections: String::new(),
            key: KEY.to_owned(),
            config_file: "config.yaml",
            flags: vec!["--web.enable-trigger".to_owned()],
            first: None,
        }
    }

    pub(super) fn of(simulator: &Simulator) -> Self {
        Self::new(&simulator.url())
    }

    /// Another value for a key of the account.
    pub(super) fn account(mut self, key: &'static str, value: &str) -> Self {
        self.set_account(key, value);
        self
    }

    pub(super) fn set_account(&mut self, key: &'static str, value: &str) {
        self.account.insert(key, value.to_owned());
    }

    pub(super) fn without_key(mut self) -> Self {
        self.account.remove("api_key_file");
        self
    }

    /// A pipeline whose Harness identifier is its name, with these further keys.
    pub(super) fn pipeline(mut self, name: &str, keys: &str) -> Self {
        self.set_pipeline(name, keys);
        self
    }

    pub(super) fn set_pipeline(&mut self, name: &str, keys: &str) {
        self.pipelines.insert(name.to_owned(), keys.to_owned());
    }

    pub(super) fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    pub(super) fn first(mut self, first: &'static str) -> Self {
        self.first = Some(first);
        self
    }

    pub(super) fn without_flags(mut self) -> Self {
        self.flags.clear();
        self
    }

    /// The config and the secrets are mounted as Kubernetes does it, and this is what is read of them:
    /// [`MOUNTED`], or a file in it.
    pub(super) fn mounted(mut self, config_file: &'static str) -> Self {
        self.config_file = config_file;
        self
    }

    pub(super) fn flags(&self) -> &[String] {
        &self.flags
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn store(&self) -> PathBuf {
        self.folder().join("data").join("harness-exporter.db")
    }

    pub(super) fn output(&self) -> PathBuf {
        self.folder().join("output.log")
    }

    /// Writes the config and the secrets that it names.
    pub(super) fn write(&self) {
        self.put(&self.text());
    }

    /// Writes this as the config, and the secrets.
    pub(super) fn put(&self, config: &str) {
        let (key, token) = (format!("{}\n", self.key), format!("{TOKEN}\n"));
        let files = [("config.yaml", config), ("key", &key), ("token", &token)];
        if self.config_file.starts_with(MOUNTED) {
            return mount(&self.folder().join(MOUNTED), &files);
        }
        for (name, text) in files {
            fs::write(self.folder().join(name), text).unwrap();
        }
    }

    /// The config in YAML.
    pub(super) fn text(&self) -> String {
        let account: Vec<_> =
            self.account.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        let mut config = format!("{}\naccounts:\n  - {{{}}}\n", self.more_keys, account.join(", "));
        for account in &self.more_accounts {
            let _ = writeln!(config, "  - {{{account}}}");
        }
        config.push_str(
            "defaults: {org: default, project: shop, \
             polling: {first: 50ms, min: 50ms, max: 200ms}}\npipelines:\n",
        );
        for (name, keys) in &self.pipelines {
            let _ = writeln!(config, "  - {{pipeline: {name}, trigger: exporter, {keys}}}");
        }
        config.push_str(&self.sections);
        config
    }

    pub(super) async fn start_with<const N: usize>(
        mut self,
        names: [&str; N],
        keys: &str,
    ) -> Exporter {
        for name in names {
            self.set_pipeline(name, keys);
        }
        self.start().await
    }

    pub(super) async fn start(self) -> Exporter {
        Exporter::start(self).await
    }
}

/// The link of a mounted folder that is turned when its files change.
pub(super) const DATA: &str = "..data";

/// Has these files in `folder` as Kubernetes has those of a `ConfigMap`: each is a link into a folder
/// of them all, and to change them that is exchanged for another in one step.
fn mount(folder: &Path, files: &[(&str, &str)]) {
    fs::create_dir_all(folder).unwrap();
    let data = folder.join(DATA);
    let old = fs::read_link(&data);
    let new = tempfile::Builder::new().prefix("..").tempdir_in(folder).unwrap().keep();
    for (name, text) in files {
        fs::write(new.join(name), text).unwrap();
    }
    let link = folder.join("..data_tmp");
    symlink(new.file_name().unwrap(), &link).unwrap();
    fs::rename(&link, &data).unwrap();
    for (name, _) in files {
        let link = folder.join(name);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new(DATA).join(name), &link).unwrap();
        }
    }
    if let Ok(old) = old {
        fs::remove_dir_all(folder.join(old)).unwrap();
    }
}

/// The counter of runs that ended so.
pub(super) fn ended(pipeline: &str, result: &str) -> String {
    format!("harness_pipeline_runs_total{{pipeline=\"{pipeline}\",result=\"{result}\"}}")
}

/// The counter of triggers that failed so.
pub(super) fn failed(pipeline: &str, reason: &str) -> String {
    format!(
        "harness_pipeline_trigger_failures_total{{pipeline=\"{pipeline}\",reason=\"{reason}\"}}"
    )
}

/// The counter of due times that were missed so.
pub(super) fn missed(pipeline: &str, reason: &str) -> String {
    format!(
        "harness_pipeline_schedules_missed_total{{pipeline=\"{pipeline}\",reason=\"{reason}\"}}"
    )
}
