//! What can be said about a config: what is wrong with it, and what is merely unwise.
//!
//! Every remark has a place and fits on one line, and none repeats a value that may be a secret.

use std::fmt;

use super::index::Index;
use super::place::Place;

/// Something that keeps the config from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What was found and what would do, on one line.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Something that works, and that its author may not have meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where.
    pub place: Place,
    /// What may come of it, on one line.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Everything that is wrong with a config, in all of its files; at least one problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl std::error::Error for Problems {}

/// One problem a line, without a line end after the last.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// What was noticed so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Warning>,
}

impl Report {
    pub(super) fn problem(&mut self, place: &Place, message: impl Into<String>) {
        self.problems.push(Problem { place: place.clone(), message: message.into() });
    }

    /// Looks up in the `index` of the file called `name` where its places are.
    pub(super) fn locate(&mut self, name: &str, index: &Index<'_>) {
        let problems = self.problems.iter_mut().map(|problem| &mut problem.place);
        let warnings = self.warnings.iter_mut().map(|warning| &mut warning.place);
        for place in problems.chain(warnings).filter(|place| place.file_name() == name) {
            place.locate(index);
        }
    }

    pub(super) fn warn(&mut self, place: &Place, message: impl Into<String>) {
        self.warnings.push(Warning { place: place.clone(), message: message.into() });
    }
}

/// The longest text of a user's that is repeated to him.
const QUOTED: usize = 60;

/// `text` within backticks, on one line, and not at length.
pub(super) fn quoted(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(QUOTED)
        .flat_map(|c| {
            let plain = matches!(c, '"' | '\'' | '\\').then_some(c);
            let escaped = plain.is_none().then(|| c.escape_debug());
            plain.into_iter().chain(escaped.into_iter().flatten())
        })
        .collect();
    if text.chars().nth(QUOTED).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// The one of `known` that was probably meant by `typed`: a typing error or two away.
pub(super) fn nearest<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let typed: Vec<char> = typed.chars().take(QUOTED).flat_map(char::to_lowercase).collect();
    let allowed = typed.len().div_ceil(3);
    known
        .into_iter()
        .map(|word| (distance(&typed, &word.chars().collect::<Vec<_>>()), word))
        .filter(|(distance, word)| *distance <= allowed && *distance < word.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// How many letters must be put in, taken out or replaced (Levenshtein).
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, a) in from.iter().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(to) {
            let replaced = diagonal + usize::from(a != b);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = above + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let of = |a: &str, b: &str| {
            distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>())
        };
        for (a, b, far) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("every", "every", 0),
            ("evry", "every", 1),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
        ] {
            assert_eq!(of(a, b), far, "{a} {b}");
            assert_eq!(of(b, a), far, "{b} {a}");
        }
    }

    #[test]
    fn a_near_word_is_found_and_a_far_one_is_not() {
        let known = ["every", "org", "url", "api_key_file", "api_key"];
        assert_eq!(nearest("evry", known), Some("every"));
        assert_eq!(nearest("Every", known), Some("every"));
        assert_eq!(nearest("apiKeyFile", known), Some("api_key_file"));
        assert_eq!(nearest("orgs", known), Some("org"));
        assert_eq!(nearest("cron", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest("x", known), None);
    }

    #[test]
    fn what_is_quoted_stays_on_one_line() {
        assert_eq!(quoted("it's \"ü\" 🚀"), "`it's \"ü\" 🚀`");
        assert_eq!(quoted("a\nb\0\u{2028}"), "`a\\nb\\0\\u{2028}`");
        assert_eq!(quoted(&"a".repeat(61)), format!("`{}…`", "a".repeat(60)));
    }
}
