//! What is written about the program, against the program.

use std::collections::BTreeSet;

use crate::child::{exporter, output};

use super::rules::function_of;
use super::{files, root, sources, text};

/// What the binary says when it is run at the root of the repository.
fn said(arguments: &[&str]) -> String {
    let output = output(exporter().args(arguments).current_dir(root()));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_metrics_are_documented_as_they_are() {
    let documented = text("docs/metrics.md");
    assert!(
        documented == said(&["metrics"]),
        "docs/metrics.md is not what the program says: \
         cargo run -- metrics > docs/metrics.md"
    );
}

#[test]
fn the_shipped_config_is_valid() {
    let said = said(&["check"]);
    assert!(said.contains("The config is valid: 6 pipelines"), "{said}");
}

/// The targets of the Makefile.
fn targets() -> BTreeSet<String> {
    let makefile = text("Makefile");
    let rules = makefile.lines().filter(|line| !line.starts_with(['\t', '#', '.', ' ']));
    let rules = rules.filter_map(|line| line.split_once(':'));
    rules
        .filter(|(_, rest)| !rest.starts_with('='))
        .map(|(name, _)| name.trim().to_owned())
        .collect()
}

/// The targets that a document tells to make: in a line of a code block, or between backticks.
fn made(document: &str) -> BTreeSet<String> {
    let mut made = BTreeSet::new();
    let mut in_block = false;
    for line in document.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            continue;
        }
        let pieces: Vec<&str> = if in_block {
            let command = line.split('#').next().unwrap_or_default();
            command.split(['&', ';', '|']).collect()
        } else {
            line.split('`').skip(1).step_by(2).collect()
        };
        for piece in pieces {
            let mut words = piece.split_whitespace().skip_while(|word| *word == "$");
            if words.next() == Some("make") {
                let is_target = |word: &&str| !word.contains('=') && !word.starts_with('-');
                made.extend(
                    words.take_while(|word| *word != "#").filter(is_target).map(str::to_owned),
                );
            }
        }
    }
    made
}

#[test]
fn the_commands_in_the_documents_exist() {
    let targets = targets();
    for document in markdown() {
        let unknown: Vec<_> = made(&text(&document)).difference(&targets).cloned().collect();
        assert_eq!(unknown, [""; 0], "{document} makes what the Makefile does not know");
    }
    let made = made(&text("README.md"));
    for target in ["demo", "test"] {
        assert!(made.contains(target), "README.md does not tell of `make {target}`");
    }
}

fn markdown() -> Vec<String> {
    files("", "md")
}

/// Where the links of a document lead, code blocks left out.
fn links(document: &str) -> Vec<&str> {
    let mut in_block = false;
    let prose = document.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        in_block ^= is_fence;
        !in_block && !is_fence
    });
    prose
        .flat_map(|line| line.split("](").skip(1).filter_map(|rest| rest.split_once(')')))
        .map(|(target, _)| target.split(' ').next().unwrap_or_default())
        .collect()
}

#[test]
fn relative_links_lead_somewhere() {
    for document in markdown() {
        let folder = root().join(&document);
        let folder = folder.parent().unwrap();
        let text = text(&document);
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let path = link.split('#').next().unwrap_or_default();
            assert!(folder.join(path).exists(), "{document}: nothing is at {link}");
        }
    }
}

/// The numbered invariants of the architecture, each as one line.
fn invariants(document: &str) -> Vec<String> {
    let section = document.split("\n## ").find(|section| section.starts_with("Invariants"));
    let section = section.expect("ARCHITECTURE.md has a section on invariants");
    let mut found: Vec<String> = Vec::new();
    for line in section.lines().skip(1) {
        let number = line.split_once(". ").filter(|(number, _)| number.parse::<u32>().is_ok());
        match (number, found.last_mut()) {
            (Some(_), _) => found.push(line.to_owned()),
            (None, Some(last)) => last.extend([" ", line.trim()]),
            (None, None) => {}
        }
    }
    found
}

/// What a test can be called: its function, its module or its file.
fn names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in sources::program().iter().chain(&sources::tests()) {
        let path = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
        names.extend(path.split('/').map(str::to_owned));
        for code in [&source.code, &source.tests] {
            names.extend(code.lines().filter_map(function_of).map(str::to_owned));
            let modules = code.lines().filter_map(|line| line.trim().strip_prefix("mod "));
            names.extend(modules.map(|name| name.trim_end_matches([';', '{', ' ']).to_owned()));
        }
    }
    names
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let document = text("ARCHITECTURE.md");
    let invariants = invariants(&document);
    assert!(invariants.len() >= 10, "there are ten of them, found {invariants:#?}");
    let names = names();
    for invariant in invariants {
        let (_, holders) = invariant
            .split_once("held by")
            .or_else(|| invariant.split_once("Held by"))
            .unwrap_or_else(|| panic!("nothing holds it: {invariant}"));
        let holders: Vec<&str> = holders.split('`').skip(1).step_by(2).collect();
        assert!(!holders.is_empty(), "no test is named: {invariant}");
        for holder in holders {
            let is_path = holder.contains('/')
                && ["", ".rs"].iter().any(|end| root().join(format!("{holder}{end}")).exists());
            let parts = holder.trim_end_matches(".rs").split(['/', ':']);
            let is_known = |part: &str| part.is_empty() || names.contains(part);
            assert!(is_path || parts.clone().all(is_known), "{holder} is no test: {invariant}");
        }
    }
}

#[test]
fn the_readers_of_documents_read_them() {
    let document = "Try `make demo SPEED=60`.\n\n```sh\n$ make test # make coffee\nmake a b\n```\n\
                    See [one](docs/one.md#top \"x\"), [two](https://two.example) ![](three.png)\n\
                    \n## Invariants\n\n1. One. held by `a::b`,\n   `c`\n2. Two.\n\n## Next\n3. No.\n";
    assert_eq!(made(document).into_iter().collect::<Vec<_>>(), ["a", "b", "demo", "test"]);
    assert_eq!(links(document), ["docs/one.md#top", "https://two.example", "three.png"]);
    assert_eq!(invariants(document), ["1. One. held by `a::b`, `c`", "2. Two."]);
    assert_eq!(function_of("    pub(crate) const fn name<T>(of: T) {"), Some("name"));
    assert_eq!(function_of("    let function = name();"), None);
}
