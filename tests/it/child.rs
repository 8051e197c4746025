//! Programs that a test starts: heard through a file, and ended with the test.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Long enough for anything that does not hang.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Looks again and again until `look` finds what is looked for; says why it did not, if it never
/// does.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let mut why = String::new();
    let looking = async {
        loop {
            match look().await {
                Ok(found) => break found,
                Err(not_yet) => why = not_yet,
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    found.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}, last: {why}"))
}

/// The exporter's own binary, with nothing in its environment.
pub(crate) fn exporter() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness-exporter"));
    command.env_clear();
    command
}

/// A program of the system's. Where it is missing the test fails, saying what to install.
pub(crate) fn output(command: &mut Command) -> process::Output {
    command.output().unwrap_or_else(|error| missing(command, &error))
}

fn missing(command: &Command, error: &std::io::Error) -> ! {
    let program = command.get_program().display();
    match error.kind() {
        ErrorKind::NotFound => panic!(
            "{program} is not installed, and this test needs the real one: run \
             scripts/install-test-tools"
        ),
        _ => panic!("{program} can't be started: {error}"),
    }
}

/// A program that runs beside the test. It is killed when this is dropped.
pub(crate) struct Child {
    name: String,
    process: process::Child,
    said: PathBuf,
}

impl Child {
    /// Starts it. What it says on standard output and standard error goes to a file in `folder`.
    pub(crate) fn start(command: &mut Command, folder: &Path) -> Self {
        let path = Path::new(command.get_program());
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let said = folder.join(format!("{name}.said"));
        let file = File::create(&said).expect("a file for what it says");
        let copy = file.try_clone().expect("a second handle");
        command.stdin(Stdio::null()).stdout(file).stderr(copy);
        let process = command.spawn().unwrap_or_else(|error| missing(command, &error));
        Self { name, process, said }
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.said).expect("what it said")).into_owned()
    }

    /// The first value that `find` makes of what it says. The test fails where it ends before.
    pub(crate) async fn says<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        until(&format!("{} says {what}", self.name), async || {
            // In this order, lest its last words be missed.
            let ended = self.process.try_wait().expect("its state");
            let said = self.said();
            match (find(&said), ended) {
                (Some(found), _) => Ok(found),
                (None, None) => Err(said),
                (None, Some(status)) => panic!("{} ended with {status}:\n{said}", self.name),
            }
        })
        .await
    }

    /// How it ended, once it has.
    pub(crate) async fn ends(&mut self) -> ExitStatus {
        until(&format!("{} ends", self.name), async || {
            self.process.try_wait().expect("its state").ok_or_else(|| self.said())
        })
        .await
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Where it has ended by itself there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
