//! The real binary as a process, and how tests speak to it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use harness_exporter::simulator::Simulator;
use reqwest::{Method, Response};

use super::ledger;
use super::scrape::Scrape;
use super::support::{KEY, Setup, TOKEN, http, until};

const BINARY: &str = env!("CARGO_BIN_EXE_harness-exporter");

/// `serve`, over all its lives on one store. To be ended by [`Exporter::finish`].
pub(super) struct Exporter {
    pub(super) setup: Setup,
    process: Option<Child>,
    address: SocketAddr,
    /// How many processes there have been, and what the last scrape said in which.
    life: u32,
    last: Option<(u32, Scrape)>,
    /// How often everything was checked that must hold on every scrape.
    pub(super) scrapes: u32,
    finished: bool,
}

impl Exporter {
    pub(super) async fn start(setup: Setup) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut exporter = Self {
            setup,
            process: None,
            address,
            life: 0,
            last: None,
            scrapes: 0,
            finished: false,
        };
        exporter.start_again().await;
        exporter
    }

    /// A further life on the same store, of which nothing is known yet but that it has begun.
    pub(super) fn spawn(&mut self) {
        assert!(self.process.is_none());
        self.process = Some(spawn(&self.setup));
        self.life += 1;
    }

    /// A further life on the same store.
    pub(super) async fn start_again(&mut self) {
        let log_length = fs::metadata(self.setup.output()).map_or(0, |file| file.len());
        self.spawn();
        let address = until("the port", async || {
            let status = self.process.as_mut().unwrap().try_wait().unwrap();
            let output = written_since(&self.setup.output(), log_length);
            assert_eq!(status, None, "it ended: {output}");
            let line = output.lines().find(|line| line.contains("msg=listening"))?;
            let (_, address) = line.split_once("address=")?;
            address.split(' ').next()?.parse().ok()
        });
        self.address = address.await;
    }

    /// How long its files may become, its output included: no room for anything at 0. What is written
    /// beyond that fails, as it does on a full disk; to be started with `trap "" XFSZ`.
    pub(super) fn limit_files(&self, bytes: &str) {
        let process = format!("--pid={}", self.id());
        let limited =
            Command::new("prlimit").args([&process, &format!("--fsize={bytes}:")]).status();
        assert!(limited.expect("prlimit of util-linux").success());
    }

    /// Nothing is told to it, nothing can be saved.
    pub(super) async fn kill(&mut self) {
        self.process.as_mut().unwrap().kill().unwrap();
        self.ended().await;
    }

    /// It is told to end, and says how it did.
    pub(super) async fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended().await
    }

    async fn ended(&mut self) -> ExitStatus {
        let mut process = self.process.take().unwrap();
        until("its end", async || process.try_wait().unwrap()).await
    }

    pub(super) async fn restart(&mut self) {
        assert!(self.stop().await.success());
        self.start_again().await;
    }

    /// Sends it a signal: `HUP` has the config read again.
    pub(super) fn signal(&self, name: &str) {
        let arguments = [format!("-{name}"), self.id().to_string()];
        assert!(Command::new("kill").args(arguments).status().unwrap().success());
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn id(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    pub(super) async fn get(&self, path: &str) -> (u16, String) {
        let response = self.request(Method::GET, path, &[], "").await;
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let mut request =
            http().request(method, format!("http://{}{path}", self.address)).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    /// Asks for a run; the status and what is said.
    pub(super) async fn ask(&self, pipeline: &str, body: &str) -> (u16, serde_json::Value) {
        let path = format!("/api/v1/pipelines/{pipeline}/trigger");
        let response = self.request(Method::POST, &path, &[], body).await;
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
    }

    /// Asks for a run that must be begun.
    pub(super) async fn trigger(&self, pipeline: &str) {
        let (status, said) = self.ask(pipeline, "").await;
        assert_eq!(status, 202, "{said}");
    }

    /// `/metrics`, with everything checked that must hold on every scrape.
    pub(super) async fn scrape(&mut self) -> Scrape {
        let scrape = scraped(self.address).await;
        if let Some((life, last)) = &self.last {
            scrape.check_since(last, *life == self.life);
        }
        self.last = Some((self.life, scrape.clone()));
        self.scrapes += 1;
        scrape
    }

    /// What it has shown is no measure of what it shows from now on.
    pub(super) fn forget_scrapes(&mut self) {
        self.last = None;
    }

    /// Scrapes until it is so.
    pub(super) async fn eventually(
        &mut self,
        what: &str,
        is_so: impl Fn(&Scrape) -> bool,
    ) -> Scrape {
        until(what, async || Some(self.scrape().await).filter(&is_so)).await
    }

    /// Scrapes until the sum of `selector` is `goal`. However slow the machine is, it goes on.
    pub(super) async fn rises_to(&mut self, selector: &str, goal: i64) -> Scrape {
        let mut last = self.scrape().await;
        while last.sum(selector) < goal {
            let reached = last.sum(selector);
            last = self.eventually(selector, |m| m.sum(selector) > reached).await;
        }
        last
    }

    /// Everything it has written in all its lives.
    pub(super) fn output(&self) -> String {
        fs::read_to_string(self.setup.output()).unwrap_or_default()
    }

    pub(super) fn store(&self) -> PathBuf {
        self.setup.store()
    }

    /// Ends it in good order, and compares what Harness received, what the store says and what
    /// the books say. Nothing anywhere may hold a secret or tell of a panic.
    pub(super) async fn finish(self, harness: &Simulator) {
        let store = self.end().await;
        ledger::check(&store.path, &harness.world().ledger);
    }

    /// The same where there is no ledger of what was received.
    pub(super) async fn end(mut self) -> Left {
        if self.process.is_some() {
            self.scrape().await;
            let (status, page) = self.get("/").await;
            assert_eq!(status, 200);
            assert_clean("/", page.as_bytes());
            let status = self.stop().await;
            assert!(status.success(), "{status}: {}", self.output());
        }
        self.finished = true;
        let output = self.output();
        assert!(!output.contains("panicked"), "{output}");
        assert_clean("the output", output.as_bytes());
        assert_clean("the store", &fs::read(self.store()).unwrap());
        ledger::check_totals(&self.store());
        Left { path: self.store(), _exporter: self }
    }
}

/// What an exporter leaves behind: the store, as long as this is held.
pub(super) struct Left {
    pub(super) path: PathBuf,
    _exporter: Exporter,
}

impl Drop for Exporter {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            eprintln!("---- the exporter's output\n{}", self.output());
            if let Some((_, last)) = &self.last {
                let shown = last.text.lines().filter(|line| !line.starts_with('#'));
                let told: Vec<_> = shown.filter(|line| !line.ends_with(" 0")).collect();
                eprintln!("---- the last scrape\n{}", told.join("\n"));
            }
        } else {
            assert!(self.finished, "a test must end with finish()");
        }
    }
}

/// `/metrics` at this address, with everything checked that must hold on each.
pub(super) async fn scraped(address: SocketAddr) -> Scrape {
    let response = http().get(format!("http://{address}/metrics")).send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    assert_eq!(status, 200, "{text}");
    assert_clean("/metrics", text.as_bytes());
    Scrape::of(text)
}

fn written_since(path: &Path, start: u64) -> String {
    let mut file = File::open(path).unwrap();
    file.seek(SeekFrom::Start(start)).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

fn command(setup: &Setup) -> Command {
    let mut command = Command::new(BINARY);
    if let Some(first) = &setup.first {
        command = Command::new("/bin/sh");
        command.args(["-c", &format!("{first}; exec \"$@\""), "sh", BINARY]);
    }
    command.current_dir(setup.folder()).env_clear().stdin(Stdio::null());
    command
}

fn spawn(setup: &Setup) -> Child {
    setup.write();
    let output = OpenOptions::new().create(true).append(true).open(setup.output()).unwrap();
    let mut command = command(setup);
    command.arg("serve").arg(format!("--config.file={}", setup.config_file));
    command.arg("--log.level=debug");
    command.arg("--web.listen-address=127.0.0.1:0").args(setup.flags());
    command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap()
}

/// Runs the binary to its end: the exit status, and everything it wrote.
pub(super) async fn run(setup: &Setup, arguments: &[&str]) -> (i32, String) {
    let path = setup.folder().join("refused.log");
    let output = File::create(&path).unwrap();
    let mut command = command(setup);
    command.args(arguments).stdout(output.try_clone().unwrap()).stderr(output);
    let mut process = command.spawn().unwrap();
    let status = until("its end", async || process.try_wait().unwrap()).await;
    let mut said = String::new();
    File::open(path).unwrap().read_to_string(&mut said).unwrap();
    assert_clean("the output", said.as_bytes());
    (status.code().expect("it was killed"), said)
}

/// The memory of a process at its largest, in bytes.
pub(super) fn peak_memory(process: u32) -> u64 {
    let status = fs::read_to_string(Path::new("/proc").join(process.to_string()).join("status"));
    let status = status.unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    kilobytes * 1024
}

fn assert_clean(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    for secret in [KEY, TOKEN] {
        if let Some(at) = text.find(&secret.to_ascii_lowercase()) {
            let around = &text.as_bytes()[at.saturating_sub(200)..text.len().min(at + 100)];
            panic!("{what} holds a secret: {}", String::from_utf8_lossy(around));
        }
    }
}
