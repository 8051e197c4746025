//! The binary as a user runs it, and what the operating system says of its process (`/proc`).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const ACCOUNT: &str = "acme0000000000000000AA";

/// Clock ticks a second in `/proc/PID/stat`: fixed by Linux' interface to programs.
const TICKS_PER_SECOND: f64 = 100.0;

pub(crate) struct Exporter {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Exporter {
    pub(crate) fn start(url: &str, pipelines: &str) -> Self {
        Self::start_on(tempfile::tempdir().unwrap(), &format!("url: '{url}'"), pipelines)
    }

    /// With these keys of the account beside its id and its limits, which are out of the way.
    pub(crate) fn start_on(folder: tempfile::TempDir, account: &str, pipelines: &str) -> Self {
        let config = folder.path().join("config.yaml");
        std::fs::write(
            &config,
            format!(
                "accounts:\n  - {{account_id: {ACCOUNT}, {account}, requests_per_minute: 1000000, \
                 max_active_runs: 1000000, triggers_per_minute: 1000000}}\n\
                 defaults: {{org: default, project: shop}}\n\
                 storage: {{url: 'sqlite://{}'}}\npipelines:\n{pipelines}",
                folder.path().join("store.db").display(),
            ),
        )
        .unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_harness-exporter"))
            .args(["serve", "--web.listen-address=127.0.0.1:0", "--config.file"])
            .arg(Path::new(&config))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line =
            lines.find(|line| line.as_ref().unwrap().contains("msg=listening")).unwrap().unwrap();
        let address = line.split("address=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        // Read on, or the exporter would block on a full pipe.
        std::thread::Builder::new().spawn(move || lines.for_each(drop)).unwrap();
        Self { child, address, _folder: folder }
    }

    pub(crate) fn scrape(&self) -> String {
        String::from_utf8(self.request("GET /metrics", "", "")).unwrap()
    }

    /// What is answered, head and body.
    pub(crate) fn request(&self, what: &str, headers: &str, body: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let (host, length) = (&self.address, body.len());
        let request = format!(
            "{what} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\
             {headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }

    pub(crate) fn until(&self, holds: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !holds(&self.scrape()) {
            assert!(begun.elapsed() < Duration::from_mins(2), "it takes too long");
            self.settle(Duration::from_millis(200));
        }
    }

    #[expect(clippy::unused_self, reason = "reads as what happens to the exporter")]
    pub(crate) fn settle(&self, time: Duration) {
        std::thread::sleep(time);
    }

    pub(crate) fn ended(&self) -> f64 {
        sum(&self.scrape(), "harness_pipeline_runs_total", "")
    }

    pub(crate) fn calls(&self) -> f64 {
        sum(&self.scrape(), "harness_api_requests_total", "")
    }

    pub(crate) fn resident_kb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// User and system time so far, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).unwrap().parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / TICKS_PER_SECOND
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The sum over the series of `metric` whose labels hold `label`.
pub(crate) fn sum(text: &str, metric: &str, label: &str) -> f64 {
    text.lines()
        .filter(|line| line.starts_with(metric) && line.contains(label))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}
