//! Cleans text that came from outside, so that it can be logged, stored and shown.
//!
//! Harness echoes webhook tokens in its errors and HTTP libraries print URLs. What is known to be
//! secret goes, and so does what merely looks like it. This is no filter for text of our own.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

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
    let known_hidden =
        longest_first.into_iter().fold(text.to_owned(), |text, secret| hide(&text, secret));
    shorten(&escape(&hide_tokens(&hide_keys(&known_hidden))))
}

/// The shortest text that is also looked for where it is coded: shorter ones are found in anything.
const SHORTEST_CODED: usize = 6;

/// What `secret` may look like in base64, alone or amid other text, as in `user:secret`: the part
/// that does not depend on its neighbours, for each place in a group of three bytes.
pub(super) fn coded(secret: &str) -> Vec<String> {
    if secret.len() < SHORTEST_CODED {
        return Vec::new();
    }
    let places = [(0, 0), (1, 2), (2, 3)];
    let engines = [STANDARD_NO_PAD, URL_SAFE_NO_PAD];
    let forms = engines.iter().flat_map(|engine| {
        places.iter().filter_map(|(before, spoilt)| {
            let bytes = [vec![0; *before], secret.as_bytes().to_vec()].concat();
            let whole = bytes.len() * 8 / 6;
            engine.encode(bytes).get(*spoilt..whole).map(str::to_owned)
        })
    });
    let mut forms: Vec<String> = forms.collect();
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// Hides `secret` wherever it stands, any of its bytes percent-coded or not.
fn hide(text: &str, secret: &str) -> String {
    if !text.contains('%') {
        return text.replace(secret, REDACTED);
    }
    let mut hidden = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = without(rest, secret) {
            hidden.push_str(REDACTED);
            rest = after;
        } else {
            hidden.push(c);
            rest = rest.strip_prefix(c).unwrap_or_default();
        }
    }
    hidden
}

/// What follows `secret` in a text that begins with it.
fn without<'a>(text: &'a str, secret: &str) -> Option<&'a str> {
    let mut rest = text.as_bytes();
    for byte in secret.bytes() {
        rest = match rest {
            [b'%', high, low, after @ ..] if hex(*high, *low) == Some(byte) => after,
            [first, after @ ..] if *first == byte => after,
            _ => return None,
        };
    }
    text.get(text.len() - rest.len()..)
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
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
    fn coding_hides_no_secret() {
        let secret = "a-t0k3n/with+signs";
        let table = [
            ("x=a-t0k3n%2Fwith%2bsigns&y", "x=[redacted]&y"),
            ("%61-t0k3n/with+signs%", "[redacted]%"),
            ("100% of a-t0k3n/with+signs", "100% of [redacted]"),
            ("a-t0k3n%2Fwith%2Bsign%", "a-t0k3n%2Fwith%2Bsign%"),
            ("%e4%zz%", "%e4%zz%"),
            ("ä%20ä", "ä%20ä"),
        ];
        for (text, expected) in table {
            assert_eq!(clean(text, &[secret]), expected, "{text:?}");
        }
        let forms = coded(secret);
        let known: Vec<&str> = forms.iter().map(String::as_str).collect();
        for before in ["", "u", "u:", "user:", "somebody:"] {
            for after in ["", "!", "??", " and more"] {
                for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                    let text = engine.encode(format!("{before}{secret}{after}"));
                    let cleaned = clean(&format!("Basic {text}"), &known);
                    assert!(cleaned.contains(REDACTED), "{before}{secret}{after}: {cleaned}");
                    // Of the neighbours some signs may stay, of the secret at most two bits each.
                    let left = cleaned.len() - "Basic ".len() - REDACTED.len();
                    assert!(left <= (before.len() + after.len() + 4) * 4 / 3, "{cleaned}");
                }
            }
        }
        assert!(coded("short").is_empty());
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
