//! The sources as text: what is the program, and what is only there to test it.

use super::{files, text};

/// A file of Rust, without its comments, taken apart.
pub(super) struct Source {
    pub(super) path: String,
    /// What is in the program.
    pub(super) code: String,
    /// What is built for tests alone.
    pub(super) tests: String,
}

/// The sources of the program. A module that is there for tests alone has no code.
pub(super) fn program() -> Vec<Source> {
    let mut sources: Vec<_> = files("src", "rs").iter().map(|path| Source::read(path)).collect();
    let test_modules: Vec<_> = sources.iter().flat_map(Source::test_modules).collect();
    for source in &mut sources {
        let is_test = test_modules.iter().any(|module| {
            let rest = source.path.strip_prefix(module.as_str());
            rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        });
        if is_test {
            source.tests.push_str(&std::mem::take(&mut source.code));
        }
    }
    sources
}

/// The sources of the integration tests, all of which are tests.
pub(super) fn tests() -> Vec<Source> {
    let read = |path: &String| {
        let code = without_comments(&text(path));
        Source { path: path.clone(), code: String::new(), tests: code }
    };
    files("tests", "rs").iter().map(read).collect()
}

impl Source {
    fn read(path: &str) -> Self {
        let [mut code, mut tests] = [String::new(), String::new()];
        let text = without_comments(&text(path));
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line.trim() != "#[cfg(test)]" {
                code.extend([line, "\n"]);
                continue;
            }
            // As rustfmt writes it, an item ends with a semicolon or with a brace as far to the
            // left as it began.
            let margin = line.len() - line.trim_start().len();
            for line in lines.by_ref() {
                tests.extend([line, "\n"]);
                let begins_here = line.len() - line.trim_start().len() == margin;
                if begins_here && (line.ends_with(';') || line.ends_with('}')) {
                    break;
                }
            }
        }
        Self { path: path.to_owned(), code, tests }
    }

    /// The paths, without `.rs`, of the modules that this one declares for tests alone.
    fn test_modules(&self) -> Vec<String> {
        let folder = match self.path.strip_suffix("/mod.rs") {
            Some(folder) => folder,
            None => self.path.strip_suffix(".rs").unwrap_or_default(),
        };
        let lines = self.tests.lines().filter_map(|line| line.strip_suffix(';'));
        lines
            .filter_map(|line| line.split_once("mod "))
            .map(|(_, name)| format!("{folder}/{name}"))
            .collect()
    }

    /// The module at the crate's root that it belongs to.
    pub(super) fn top(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or_default();
        inside.split(['/', '.']).next().unwrap_or_default()
    }

    /// The modules at the crate's root that its code names, itself excluded.
    pub(super) fn imports(&self) -> Vec<&str> {
        let names = self.code.split("crate::").skip(1).map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            &rest[..end.unwrap_or(rest.len())]
        });
        names.filter(|name| *name != self.top()).collect()
    }
}

/// Without whole lines of comment: they may tell of anything.
fn without_comments(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}
