//! What a user types, with the real binary against the stand-in of Harness: what each command
//! prints, how it exits, and what Harness received.

mod check;
mod demo;
mod dry_run;
mod pause;
mod run;
mod schedule;
mod status;
mod trigger;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use harness_exporter::simulator::{Endpoint, SimulatedPipeline, Simulator, World};
use serde_json::Value;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_harness-exporter");
const ACCOUNT: &str = "acme0000000000000000AA";

/// Looks like no key of Harness', so that only knowing it helps.
const KEY: &str = "the-key-of-acme-0815";

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const MINUTE: Duration = Duration::from_mins(1);

/// A command that takes longer hangs.
const PATIENCE: Duration = crate::child::PATIENCE;

/// A world with a key, in which time passes `speed` times as fast.
fn world(speed: f64) -> World {
    let mut world = World::new(ACCOUNT, speed);
    world.keys.insert(KEY.to_owned());
    world
}

/// The pipeline of that name, as the config means it.
fn pipeline<'a>(world: &'a mut World, name: &str) -> &'a mut SimulatedPipeline {
    world.pipeline("default", "shop", name, "exporter")
}

fn serve(world: World) -> Simulator {
    Simulator::start(world, ANY_PORT).unwrap()
}

fn webhooks(simulator: &Simulator) -> usize {
    simulator.world().ledger.len()
}

fn calls(simulator: &Simulator, endpoint: Endpoint) -> usize {
    simulator.world().calls.iter().filter(|(_, of)| *of == endpoint).count()
}

/// A folder in which commands are run.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// With a config for that Harness, which has the key and a pipeline for each name; `keys` are
    /// further ones of every pipeline.
    fn new(url: &str, names: &[&str], keys: &str) -> Self {
        let desk = Self::empty();
        let entry =
            |name| format!("  - {{name: our-{name}, pipeline: {name}, trigger: exporter}}\n");
        let entries: String = names.iter().map(entry).collect();
        desk.write("key", KEY);
        desk.write(
            "config.yaml",
            &format!(
                "accounts:\n  - {{url: '{url}', account_id: {ACCOUNT}, api_key_file: key, timeout: 5s}}\n\
                 defaults:\n  org: default\n  project: shop\n  \
                 polling: {{first: 20ms, min: 20ms, max: 50ms}}\n  {keys}\n\
                 pipelines:\n{entries}"
            ),
        );
        desk
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path().join(name), content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// What is in the folder.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(line).current_dir(self.path()).env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn run(&self, line: &[&str]) -> Said {
        ended(self.command(line).spawn().unwrap()).await
    }

    /// Triggers it and says the event's id.
    async fn detached(&self, name: &str) -> String {
        let said = self.run(&["run", name, "--detach"]).await;
        assert_eq!(said.status, 0, "{}", said.err);
        said.out.trim_end().to_owned()
    }
}

/// What a command printed, and how it exited.
#[derive(Debug)]
struct Said {
    status: i32,
    out: String,
    err: String,
}

impl Said {
    /// Each line of the output, which is JSON.
    fn json(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Waits for the end of a process.
async fn ended(child: Child) -> Said {
    let id = child.id();
    let waiting = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let Ok(output) = tokio::time::timeout(PATIENCE, waiting).await else {
        signal(id, "-KILL");
        panic!("the command hangs");
    };
    let Output { status, stdout, stderr } = output.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(stdout), text(stderr));
    for printed in [&out, &err] {
        assert!(!printed.contains(KEY), "the key was printed: {printed}");
    }
    Said { status: status.code().unwrap_or(-1), out, err }
}

fn signal(id: u32, signal: &str) {
    assert!(Command::new("kill").args([signal, &id.to_string()]).status().unwrap().success());
}

/// Asks again and again until it is so.
async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    crate::child::until(what, async || {
        ask().await.then_some(()).ok_or_else(|| "it is not so".to_owned())
    })
    .await;
}
