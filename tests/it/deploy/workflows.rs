//! The workflows: that what they run is there, that they take what others wrote only as it was when
//! it was looked at, and that each job may do no more than it has to. Their words are checked by
//! GitHub's own linter, where the test workflow says.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::{Value, json};

use crate::child::output;
use crate::repo::{files, root, text};

use super::{document, texts};

const RELEASE: &str = ".github/workflows/release.yaml";
const TEST: &str = ".github/workflows/test.yaml";

/// What may be run that is not in the repository: what it is, and why it is not.
const FOREIGN: [(&str, &str); 5] = [
    ("apt-get update", "the list of packages"),
    ("apt-get install --yes --no-install-recommends buildah", "builds and pushes images"),
    ("cargo install --locked cargo-cyclonedx@0.5.9", "says what is built in"),
    ("go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12", "reads workflows"),
    (
        r#"echo "$TOKEN" | buildah login --username "$GITHUB_ACTOR" --password-stdin ghcr.io"#,
        "a token is there for this job alone",
    ),
];

/// Which jobs may change something, and what.
const WRITES: [(&str, &str); 2] = [("image", "packages"), ("publish", "contents")];

fn workflows() -> BTreeMap<String, Value> {
    let paths = files(".github/workflows", "yaml");
    assert_eq!(paths, [RELEASE, TEST]);
    paths.into_iter().map(|path| (path.clone(), document(&path))).collect()
}

/// The jobs of all workflows, by their names.
fn jobs() -> BTreeMap<String, Value> {
    let mut jobs = BTreeMap::new();
    for (path, workflow) in workflows() {
        for (name, job) in workflow["jobs"].as_object().unwrap() {
            let mut job = job.clone();
            // What holds for a job that says nothing of its own.
            if job["permissions"].is_null() {
                job["permissions"] = workflow["permissions"].clone();
            }
            jobs.insert(format!("{path} {name}"), job);
        }
    }
    jobs
}

fn steps(job: &Value) -> impl Iterator<Item = &Value> {
    job["steps"].as_array().into_iter().flatten()
}

/// What the steps of a job run, a command a line.
fn commands(job: &Value) -> Vec<&str> {
    let run = steps(job).filter_map(|step| step["run"].as_str());
    run.flat_map(str::lines).map(str::trim).collect()
}

#[test]
fn every_job_may_do_what_it_has_to_and_no_more() {
    let mut writing = BTreeSet::new();
    for (place, job) in jobs() {
        let name = place.split(' ').next_back().unwrap();
        let permissions = job["permissions"].as_object();
        for (what, how) in permissions.unwrap_or_else(|| panic!("{place} says no permissions")) {
            match how.as_str().unwrap() {
                "read" => assert_eq!(what, "contents", "{place}"),
                "write" => assert!(writing.insert((name.to_owned(), what.clone())), "{place}"),
                how => panic!("{place}: {what} {how}"),
            }
        }
        // A job that calls a workflow has its limits.
        assert_ne!(job["timeout-minutes"].is_null(), job["uses"].is_null(), "{place}");
    }
    let wanted = WRITES.map(|(job, what)| (job.to_owned(), what.to_owned()));
    assert_eq!(writing, wanted.into());
    assert_eq!(document(RELEASE)["permissions"], json!({}));
    assert_eq!(document(TEST)["permissions"], json!({ "contents": "read" }));
}

#[test]
fn what_others_wrote_is_taken_by_its_commit() {
    let mut seen = BTreeMap::new();
    for path in workflows().into_keys() {
        for line in text(&path).lines() {
            let Some((_, used)) = line.split_once("uses: ") else { continue };
            if let Some(ours) = used.strip_prefix("./") {
                assert!(root().join(ours).exists(), "{path}: {ours}");
                continue;
            }
            let (action, pinned) = used.split_once('@').unwrap();
            let (commit, version) = pinned.split_once(" # v").unwrap_or_else(|| panic!("{line}"));
            assert!(commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit()), "{line}");
            assert_eq!(version.split('.').count(), 3, "{line}");
            let first = seen.entry(action.to_owned()).or_insert_with(|| pinned.to_owned());
            assert_eq!(first, pinned, "{path}: one version of {action}");
        }
    }
    assert!(seen.keys().all(|action| action.starts_with("actions/")), "{seen:?}");
}

#[test]
fn no_step_is_handed_the_token_that_it_does_not_ask_for() {
    for (place, job) in jobs() {
        for step in steps(&job) {
            if step["uses"].as_str().is_some_and(|uses| uses.starts_with("actions/checkout@")) {
                assert_eq!(step["with"]["persist-credentials"], false, "{place}");
            }
            // What is filled in before a shell reads it could be a command.
            let run = step["run"].as_str().unwrap_or_default();
            assert!(!run.contains("${{"), "{place}: {run}");
        }
    }
}

/// What scripts/release can be told to do, as it says itself.
fn release_steps() -> BTreeMap<String, usize> {
    let output = output(Command::new(root().join("scripts/release")).current_dir(root()));
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    let usage = |line: &str| {
        let mut words = line.split_whitespace();
        assert_eq!(words.next(), Some("scripts/release"), "{line}");
        let step = words.next().unwrap().to_owned();
        let argument = words.next().unwrap();
        (step, usize::from(argument.chars().all(|c| c.is_ascii_uppercase())))
    };
    said.lines().map(usage).collect()
}

#[test]
fn what_is_run_is_there() {
    let makefile = text("Makefile");
    let mut undone: BTreeMap<_, _> = release_steps();
    undone.remove("notes").expect("publish takes them");
    let mut foreign = BTreeSet::new();
    for (place, job) in jobs() {
        for command in commands(&job) {
            let words: Vec<_> = command.split(' ').collect();
            match words[..] {
                ["make", target] => {
                    let rule = format!("\n{target}:");
                    assert!(makefile.contains(&rule), "{place}: {command}");
                }
                ["scripts/release", step, ref rest @ ..] => {
                    assert_eq!(undone.remove(step), Some(rest.len()), "{place}: {command}");
                }
                _ => {
                    let known = FOREIGN.iter().find(|(known, _)| *known == command);
                    foreign.insert(known.unwrap_or_else(|| panic!("{place}: {command}")));
                }
            }
        }
    }
    assert_eq!(undone, BTreeMap::new(), "nobody does this");
    assert_eq!(foreign, FOREIGN.iter().collect(), "what nobody runs");
}

#[test]
fn everything_is_built_with_the_oldest_toolchain_that_is_enough() {
    let manifest = text("Cargo.toml");
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    let wanted = format!("rust:{}-bookworm", version.trim_matches('"'));
    let mut seen = 0;
    for (place, job) in jobs() {
        let container = &job["container"];
        if let Some(image) = container["image"].as_str().or(container.as_str()) {
            assert_eq!(image, wanted, "{place}");
            seen += 1;
        }
    }
    assert!(seen >= 4, "{seen}");
}

#[test]
fn the_test_workflow_runs_the_test_command() {
    let workflow = document(TEST);
    assert_eq!(commands(&workflow["jobs"]["test"]), ["make test"]);
    let on = workflow["on"].as_object().unwrap();
    for event in ["push", "pull_request", "workflow_call"] {
        assert!(on.contains_key(event), "{event}");
    }
}

#[test]
fn nothing_is_released_that_was_not_tested_whole() {
    let workflow = document(RELEASE);
    let jobs = workflow["jobs"].as_object().unwrap();
    assert_eq!(jobs["test"]["uses"], format!("./{TEST}"));
    let before = |job: &str| -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![job.to_owned()];
        while let Some(job) = open.pop() {
            let needs = &jobs[&job]["needs"];
            let needs = needs.as_str().map_or_else(
                || needs.as_array().map(|_| texts(needs)).unwrap_or_default(),
                |one| vec![one],
            );
            open.extend(needs.iter().map(|&need| need.to_owned()));
            found.extend(needs.into_iter().map(str::to_owned));
        }
        found
    };
    let all = ["build", "check", "image", "sbom", "test"].map(str::to_owned);
    assert_eq!(before("publish"), all.into());
    assert_eq!(before("image"), ["build", "check", "test"].map(str::to_owned).into());
}

#[test]
fn a_tag_is_of_the_version_that_it_names() {
    let manifest = text("Cargo.toml");
    let version = manifest.lines().find_map(|line| line.strip_prefix("version = ")).unwrap();
    let version = version.trim_matches('"');
    let asked = |tag: &str| {
        let mut command = Command::new(root().join("scripts/release"));
        let output = output(command.args(["check", tag]).current_dir(root()));
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (good, said) = asked("v9.9.9");
    assert!(!good);
    assert_eq!(said, format!("error: release: the tag is v9.9.9, and Cargo.toml says {version}\n"));
    // Before a release its section is still called [Unreleased].
    let is_released = text("CHANGELOG.md").contains(&format!("\n## [{version}]"));
    let (good, said) = asked(&format!("v{version}"));
    assert_eq!(good, is_released, "{said}");
}
