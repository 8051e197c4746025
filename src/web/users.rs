//! Who may come in: users with bcrypt hashes of their passwords.
//!
//! Whoever asks wrongly learns nothing: an unknown user costs as much work as a known one.
//! A password that was right is remembered by its tag, for bcrypt is slow on purpose and a scrape is
//! not to be.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bcrypt::HashParts;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::keyed::{Keyed, Tag};

/// The users of a web config.
#[derive(Debug, Default)]
pub(super) struct Users {
    hashes: BTreeMap<String, Hash>,
    /// What those who were right said, at most one tag a user.
    right: Mutex<HashMap<String, Tag>>,
}

/// A bcrypt hash that can be checked against.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Hash(String);

/// Who somebody says to be.
pub(super) struct Claim {
    user: String,
    password: Vec<u8>,
}

/// What is to be done about a claim.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It was right before.
    Right,
    /// Its password is to be checked against this hash.
    Check {
        /// A hash that costs the work; of somebody else where the user is unknown.
        against: Hash,
        /// Whether the claim is right if the password is.
        known: bool,
    },
}

impl Hash {
    /// Takes a hash as `htpasswd -B` and exporter-toolkit write it.
    pub(super) fn new(text: &str) -> Result<Self, &'static str> {
        const WANT: &str = "want a bcrypt hash such as `htpasswd -nBC 10 NAME` prints";
        let parts: HashParts = text.parse().map_err(|_| WANT)?;
        // `2x` marks the hashes of a broken implementation, which no password fits.
        if !(4..=31).contains(&parts.get_cost()) || text.starts_with("$2x$") {
            return Err(WANT);
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether `password` fits. Takes long, so not to be called on a thread that has other work.
    pub(super) fn fits(&self, password: &[u8]) -> bool {
        bcrypt::verify(password, &self.0).unwrap_or(false)
    }

    fn cost(&self) -> u32 {
        self.0.parse().map_or(0, |parts: HashParts| parts.get_cost())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(..)")
    }
}

impl Claim {
    /// What the header `Authorization` claims by the scheme `Basic`, if anything.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next()?.to_str().ok()?;
        if values.next().is_some() {
            return None;
        }
        let (scheme, encoded) = value.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = STANDARD.decode(encoded.trim()).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        let (user, password) = decoded.split_at_checked(colon)?;
        let user = String::from_utf8(user.to_vec()).ok()?;
        Some(Self { user, password: password.get(1..)?.to_vec() })
    }

    /// The password, to be checked on another thread.
    pub(super) fn into_password(self) -> Vec<u8> {
        self.password
    }
}

impl Users {
    /// Users by name.
    pub(super) fn new(hashes: BTreeMap<String, Hash>) -> Self {
        Self { hashes, right: Mutex::default() }
    }

    /// Whether there are none, so that everybody may come in.
    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// What is to be done about `claim`; nothing can be done where there are no users.
    pub(super) fn judge(&self, claim: &Claim, keyed: &Keyed) -> Option<Judgement> {
        let right =
            self.right.lock().unwrap_or_else(PoisonError::into_inner).get(&claim.user).cloned();
        if right.is_some_and(|tag| keyed.same(&tag, &claim.tag(keyed))) {
            return Some(Judgement::Right);
        }
        let known = self.hashes.get(&claim.user);
        let against = known.or_else(|| self.hashes.values().max_by_key(|hash| hash.cost()))?;
        Some(Judgement::Check { against: against.clone(), known: known.is_some() })
    }

    /// Remembers that a claim with this tag of this user was right.
    pub(super) fn remember(&self, user: String, tag: Tag) {
        self.right.lock().unwrap_or_else(PoisonError::into_inner).insert(user, tag);
    }
}

impl Claim {
    /// Who is claimed to ask.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// What stands for the claim.
    pub(super) fn tag(&self, keyed: &Keyed) -> Tag {
        keyed.tag(&[self.user.as_bytes(), &self.password])
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn claimed(value: &'static str) -> Option<(String, Vec<u8>)> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
        Claim::of(&headers).map(|claim| (claim.user, claim.password))
    }

    fn claim(user: &str, password: &str) -> Claim {
        Claim { user: user.to_owned(), password: password.as_bytes().to_vec() }
    }

    fn users() -> Users {
        // Hashes at their cheapest, of words that nobody uses.
        let hash = |word, cost| Hash::new(&bcrypt::hash(word, cost).unwrap()).unwrap();
        let hashes = [("cheap", hash("one", 4)), ("dear", hash("two", 5))];
        Users::new(hashes.map(|(name, hash)| (name.to_owned(), hash)).into())
    }

    #[test]
    fn a_claim_is_read_as_browsers_and_prometheus_write_it() {
        let said = |user: &str, password: &[u8]| Some((user.to_owned(), password.to_vec()));
        for (value, wanted) in [
            ("Basic YTpi", said("a", b"b")),
            ("basic YTpi", said("a", b"b")),
            ("Basic  YTpi", said("a", b"b")),
            ("Basic YTpiOmM=", said("a", b"b:c")),
            ("Basic OmI=", said("", b"b")),
            ("Basic YTo=", said("a", b"")),
            ("Basic YTr/", said("a", b"\xff")),
            ("Basic /zpi", None),
            ("Basic YWI=", None),
            ("Basic YTpi!", None),
            ("Basic", None),
            ("Basic ", None),
            ("", None),
            ("Bearer YTpi", None),
        ] {
            assert_eq!(claimed(value), wanted, "{value}");
        }
        let mut twice = HeaderMap::new();
        twice.append(AUTHORIZATION, HeaderValue::from_static("Basic YTpi"));
        twice.append(AUTHORIZATION, HeaderValue::from_static("Basic YTpj"));
        assert!(Claim::of(&twice).is_none(), "which of two is meant is not guessed");
    }

    #[test]
    fn a_hash_is_one_that_can_be_checked() {
        let good = bcrypt::hash("word", 4).unwrap();
        for prefix in ["$2a$", "$2b$", "$2y$"] {
            let hash = Hash::new(&good.replace("$2b$", prefix)).unwrap();
            assert!(hash.fits(b"word") && !hash.fits(b"Word") && !hash.fits(b""), "{prefix}");
        }
        for bad in [
            "",
            "word",
            "$apr1$8mNBX1tn$dNuJ0Ckp3Ub7vHR7pyhWL/",
            &good.replace("$2b$", "$2x$"),
            &good.replace("$04$", "$03$"),
            &good.replace("$04$", "$32$"),
            &good[..59],
            &format!("{good}x"),
        ] {
            let error = Hash::new(bad).unwrap_err();
            assert_eq!(error, "want a bcrypt hash such as `htpasswd -nBC 10 NAME` prints");
        }
    }

    #[test]
    fn fault_47_an_unknown_user_costs_as_much_as_the_dearest_known_one() {
        let (users, keyed) = (users(), Keyed::new().unwrap());
        let judged = |user, password| users.judge(&claim(user, password), &keyed).unwrap();
        let hash = |user: &str| users.hashes[user].clone();
        for password in ["one", "two", "three", ""] {
            for (user, against, known) in [
                ("cheap", hash("cheap"), true),
                ("dear", hash("dear"), true),
                ("nobody", hash("dear"), false),
                ("", hash("dear"), false),
            ] {
                let wanted = Judgement::Check { against, known };
                assert_eq!(judged(user, password), wanted, "{user} {password}");
            }
        }
    }

    #[test]
    fn only_what_was_right_is_remembered() {
        let (users, keyed) = (users(), Keyed::new().unwrap());
        let right = claim("cheap", "one");
        users.remember(right.user().to_owned(), right.tag(&keyed));
        assert_eq!(users.judge(&right, &keyed), Some(Judgement::Right));
        for (user, password) in [("cheap", "two"), ("cheap", ""), ("dear", "one"), ("", "one")] {
            let judged = users.judge(&claim(user, password), &keyed);
            assert!(matches!(judged, Some(Judgement::Check { .. })), "{user} {password}");
        }
        assert_eq!(Users::default().judge(&right, &keyed), None);
    }

    #[test]
    fn no_hash_is_printed() {
        let printed = format!("{:?}", users());
        assert!(printed.contains("cheap") && !printed.contains("$2"), "{printed}");
    }
}
