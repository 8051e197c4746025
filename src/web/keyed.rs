//! Comparing secrets without telling by the time it takes, and keeping what is only to be compared.
//!
//! A secret is turned into a tag by a key that is new in each process, so a tag that is found
//! somewhere is worth nothing, and two that are compared are always of one length.

use std::fmt;

use ring::hmac;

/// The key of this process.
pub(super) struct Keyed(hmac::Key);

/// What stands for a secret.
#[derive(Clone)]
pub(super) struct Tag(hmac::Tag);

impl Keyed {
    /// A new key. An error where the system gives no random numbers.
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &random)))
    }

    /// The tag of these parts; `["ab", "c"]` and `["a", "bc"]` have two.
    pub(super) fn tag(&self, parts: &[&[u8]]) -> Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        Tag(context.sign())
    }

    /// Whether both stand for the same, in a time that does not depend on where they differ.
    pub(super) fn same(&self, one: &Tag, other: &Tag) -> bool {
        // The tags' own tags: verifying compares in constant time, comparing tags does not.
        let of_one = hmac::sign(&self.0, one.0.as_ref());
        hmac::verify(&self.0, other.0.as_ref(), of_one.as_ref()).is_ok()
    }
}

impl fmt::Debug for Keyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyed(..)")
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tag(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_has_the_same_tag_and_nothing_else_has() {
        let keyed = Keyed::new().unwrap();
        let tag = keyed.tag(&[b"ab", b"c"]);
        assert!(keyed.same(&tag, &keyed.tag(&[b"ab", b"c"])));
        for other in [&[&b"a"[..], b"bc"][..], &[b"abc"], &[b"ab"], &[b"ab", b"c", b""], &[]] {
            assert!(!keyed.same(&tag, &keyed.tag(other)), "{other:?}");
        }
        let elsewhere = Keyed::new().unwrap();
        assert!(!keyed.same(&tag, &elsewhere.tag(&[b"ab", b"c"])), "each process has its own key");
        assert!(!format!("{keyed:?} {tag:?}").contains(|c: char| c.is_ascii_digit()));
    }
}
