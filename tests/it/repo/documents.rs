//! What is written about the program, against the program.

use std::collections::BTreeSet;

use crate::child::{exporter, output};

use super::rules::named;
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

/// What can be named in the sources: files, modules, functions, types.
#[derive(Default)]
struct Names {
    functions: BTreeSet<String>,
    others: BTreeSet<String>,
}

impl Names {
    fn read() -> Self {
        let mut names = Self::default();
        for source in sources::program().iter().chain(&sources::tests()) {
            names.others.extend(source.path.trim_end_matches(".rs").split('/').map(str::to_owned));
            for line in [&source.code, &source.tests].into_iter().flat_map(|code| code.lines()) {
                names.functions.extend(named(line, "fn").map(str::to_owned));
                let others = ["mod", "struct", "enum"].into_iter();
                names.others.extend(others.filter_map(|what| named(line, what)).map(str::to_owned));
            }
        }
        names
    }

    /// Whether there is what `name` names: a path in the repository or in the crate.
    fn know(&self, name: &str) -> bool {
        root().join(name).exists()
            || root().join(format!("{name}.rs")).exists()
            || name
                .split(['/', ':'])
                .filter(|part| !part.is_empty())
                .all(|part| self.functions.contains(part) || self.others.contains(part))
    }
}

/// The names that an invariant gives, as code or in italics: single words with a joint in them.
/// What else stands between such marks is Harness' or the config's.
fn given_names(invariant: &str) -> Vec<&str> {
    let code = invariant.split('`').skip(1).step_by(2);
    let italics =
        invariant.split('`').step_by(2).flat_map(|prose| prose.split('*').skip(1).step_by(2));
    let fits = |c: char| c.is_ascii_alphanumeric() || "_:/.".contains(c);
    code.chain(italics)
        .filter(|name| name.contains(['_', '/']) || name.contains("::"))
        .filter(|name| name.chars().all(fits))
        .collect()
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let document = text("ARCHITECTURE.md");
    let invariants = invariants(&document);
    assert!(invariants.len() >= 10, "there are ten of them, found {invariants:#?}");
    let names = Names::read();
    for invariant in invariants {
        let given = given_names(&invariant);
        let unknown: Vec<_> = given.iter().filter(|name| !names.know(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?} are nowhere: {invariant}");
        let is_test = |name: &&&str| {
            let last = name.rsplit([':', '/']).next().unwrap_or_default();
            names.functions.contains(last) || name.starts_with("tests/")
        };
        assert!(given.iter().find(is_test).is_some(), "no test holds this: {invariant}");
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
    let invariant =
        "1. `a b` and *in_italics*, `x::y` or `in/a_path` * 2, not `webhook: auto` or *so*.";
    assert_eq!(given_names(invariant), ["x::y", "in/a_path", "in_italics"]);
    assert_eq!(named("    pub(crate) const fn name<T>(of: T) {", "fn"), Some("name"));
    assert_eq!(named("pub enum Kind {", "enum"), Some("Kind"));
    assert_eq!(named("mod name;", "mod"), Some("name"));
    assert_eq!(named("    let function = name();", "fn"), None);
}
