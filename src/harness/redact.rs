//! Cleans text that came from outside, so that it can be logged, stored and shown.
//!
//! Harness echoes webhook tokens in its errors and HTTP libraries print URLs. What is known to be
//! secret goes, and so does what merely looks like it. This is no filter for text of our own.

/// What stands where a secret stood.
const REDACTED: &str = "[redacted]";

/// The longest text that is kept, in characters.
const LONGEST: usize = 300;

/// `text` without `secrets` and without what looks like a Harness key or a webhook token, its
/// control characters escaped, on one line, at most 300 characters long.
pub(super) fn clean(text: &str, secrets: &[&str]) -> String {
    let mut longest_first: Vec<&str> =
        secrets.iter().copied().filter(|secret| !secret.is_empty()).collect();
    // One secret may be the beginning of another, whose rest would else stay.
    longest_first.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let known_hidden = longest_first
        .into_iter()
        .fold(text.to_owned(), |text, secret| text.replace(secret, REDACTED));
    shorten(&escape(&hide_tokens(&hide_keys(&known_hidden))))
}

/// Hides what looks like an API key: `pat.{account}.{id}.{secret}`, or `sat.` and the same.
fn hide_keys(text: &str) -> String {
    let belongs = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let mut hidden = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c| !belongs(c)) {
        let word = piece.trim_end_matches(|c| !belongs(c));
        let (_, end) = piece.split_at(word.len());
        hidden.push_str(if looks_like_key(word) { REDACTED } else { word });
        hidden.push_str(end);
    }
    hidden
}

fn looks_like_key(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    parts.windows(4).any(|four| {
        let begins = four.first().and_then(|part| part.rsplit(['-', '_']).next());
        begins.is_some_and(|kind| ["pat", "sat"].iter().any(|k| kind.eq_ignore_ascii_case(k)))
            && four.iter().all(|part| !part.is_empty())
    })
}

/// Hides the webhook token in every `/custom/{token}/v3`.
pub(super) fn hide_tokens(text: &str) -> String {
    let mut pieces = text.split("/custom/");
    let mut hidden = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        hidden.push_str("/custom/");
        match piece.split_once("/v3") {
            Some((token, rest)) if !token.contains(|c: char| c == '/' || c.is_whitespace()) => {
                hidden.push_str(REDACTED);
                hidden.push_str("/v3");
                hidden.push_str(rest);
            }
            _ => hidden.push_str(piece),
        }
    }
    hidden
}

/// The token in the path of a v3 webhook, as it stands there.
pub(super) fn token_in(path: &str) -> Option<&str> {
    let (_, rest) = path.split_once("/custom/")?;
    let (token, _) = rest.split_once("/v3")?;
    (!token.is_empty() && !token.contains('/')).then_some(token)
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.trim().chars() {
        if c.is_control() {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

fn shorten(text: &str) -> String {
    if text.chars().nth(LONGEST).is_none() {
        return text.to_owned();
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_what_looks_like_them_are_hidden() {
        let secrets = ["s3cret", "s3cret-and-longer", "", "tökén"];
        let table = [
            ("plain text", "plain text"),
            ("the key s3cret.", "the key [redacted]."),
            ("s3cret-and-longer,s3cret", "[redacted],[redacted]"),
            ("a tökén", "a [redacted]"),
            ("key=pat.acme0000.id.Zz9; go", "key=[redacted]; go"),
            ("\"sat.acme-_0.id.Zz9\"", "\"[redacted]\""),
            ("x-PAT.a.b.c.", "[redacted]"),
            ("format.a.b.c sat.a.b pat..b.c", "format.a.b.c sat.a.b pat..b.c"),
            ("POST /custom/abc%20d/v3?x=1", "POST /custom/[redacted]/v3?x=1"),
            ("/custom/a/v3 and /custom/b/v3", "/custom/[redacted]/v3 and /custom/[redacted]/v3"),
            ("/custom/v2?a /custom/x y/v3", "/custom/v2?a /custom/x y/v3"),
            ("\ttwo\nlines\u{1b}[31m\0\n", "two\\nlines\\u{1b}[31m\\u{0}"),
        ];
        for (text, expected) in table {
            assert_eq!(clean(text, &secrets), expected, "{text:?}");
        }
    }

    #[test]
    fn long_text_is_cut_between_characters_and_after_the_secrets_are_gone() {
        let exact = "ä".repeat(300);
        assert_eq!(clean(&exact, &[]), exact);
        let long = clean(&"ä".repeat(301), &[]);
        assert_eq!(long.chars().count(), 300);
        assert!(long.ends_with("ä…"), "{long}");
        let straddling = format!("{}s3cret", "x".repeat(296));
        assert!(!clean(&straddling, &["s3cret"]).contains("s3"));
    }
}
