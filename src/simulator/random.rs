//! A small generator of numbers and ids that says the same for the same seed, so that a test that
//! failed can be played again. Nothing here is secret.

/// `SplitMix64`.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

const HEXADECIMAL: &[u8] = b"0123456789abcdef";
const BASE64_URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// True in `probability` of all calls.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        unit < probability
    }

    fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        let size = u64::try_from(alphabet.len()).unwrap_or(u64::MAX);
        let mut letter = || {
            let index = usize::try_from(self.next() % size).unwrap_or(0);
            alphabet.get(index).copied().map_or('0', char::from)
        };
        (0..length).map(|_| letter()).collect()
    }

    /// An event's id: 24 hexadecimal digits.
    pub(super) fn event_id(&mut self) -> String {
        self.text(HEXADECIMAL, 24)
    }

    /// An execution's id, or a node's: 22 characters of URL-safe base64.
    pub(super) fn execution_id(&mut self) -> String {
        self.text(BASE64_URL, 22)
    }

    /// Text in the form of a UUID.
    pub(super) fn uuid(&mut self) -> String {
        [8, 4, 4, 4, 12].map(|length| self.text(HEXADECIMAL, length)).join("-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_says_the_same() {
        let (mut one, mut other) = (Random::new(7), Random::new(7));
        assert_eq!(one.event_id(), other.event_id());
        assert_ne!(one.execution_id(), one.execution_id());
        assert_eq!(one.event_id().len(), 24);
        assert_eq!(one.execution_id().len(), 22);
        assert_eq!(one.uuid().len(), 36);
    }

    #[test]
    fn chances_are_kept() {
        let mut random = Random::new(1);
        let hits = (0..1_000).filter(|_| random.chance(0.25)).count();
        assert!((200..300).contains(&hits), "{hits}");
        assert!(!random.chance(0.0) && random.chance(1.0));
    }
}
