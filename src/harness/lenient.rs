//! JSON that need not have the type we expect.
//!
//! Harness' answers are wide and change: fields come and go, are null, or turn from a number into
//! a string. A field that has become something else must not cost us the rest of the answer, so
//! [`Any`] takes whatever is there and makes the best of it, at worst the default. What is not
//! wanted is skipped without being built, however large or deeply nested it is. Text that is not
//! JSON stays an error.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess};

/// The most entries of a list or a map that are kept. The largest pipelines have some hundred stages;
/// millions of tiny entries would take many times the room of their text.
const MOST: usize = 10_000;

/// A `T` read from any JSON value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Any<T>(pub(super) T);

/// What can be made of each kind of JSON value; null is always the default.
pub(super) trait Loose: Default {
    fn of_text(_: &str) -> Self {
        Self::default()
    }

    fn of_integer(_: i64) -> Self {
        Self::default()
    }

    fn of_flag(_: bool) -> Self {
        Self::default()
    }

    fn of_list<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    fn of_object<'de, A: MapAccess<'de>>(mut fields: A) -> Result<Self, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

/// A string as it is; of anything else, the empty one.
impl Loose for String {
    fn of_text(text: &str) -> Self {
        text.to_owned()
    }
}

/// An integer, also written as a string or with a fraction, which is dropped.
impl Loose for Option<i64> {
    fn of_text(text: &str) -> Self {
        text.trim().parse().ok()
    }

    fn of_integer(number: i64) -> Self {
        Some(number)
    }
}

/// As `Option<i64>`, none where it is negative.
impl Loose for Option<u64> {
    fn of_text(text: &str) -> Self {
        text.trim().parse().ok()
    }

    fn of_integer(number: i64) -> Self {
        u64::try_from(number).ok()
    }
}

/// A truth value, also written as a string.
impl Loose for Option<bool> {
    fn of_text(text: &str) -> Self {
        text.trim().parse().ok()
    }

    fn of_flag(flag: bool) -> Self {
        Some(flag)
    }
}

/// A list; of anything else, the empty one.
impl<T: Loose> Loose for Vec<T> {
    fn of_list<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut list = Self::new();
        while let Some(Any(item)) = items.next_element()? {
            if list.len() < MOST {
                list.push(item);
            }
        }
        Ok(list)
    }
}

/// A list; none of anything else.
impl<T: Loose> Loose for Option<Vec<T>> {
    fn of_list<'de, A: SeqAccess<'de>>(items: A) -> Result<Self, A::Error> {
        Vec::of_list(items).map(Some)
    }
}

/// An object whose keys are not known; of anything else, the empty one.
impl<T: Loose> Loose for HashMap<String, T> {
    fn of_object<'de, A: MapAccess<'de>>(mut fields: A) -> Result<Self, A::Error> {
        let mut map = Self::new();
        while let Some((key, Any(value))) = fields.next_entry()? {
            if map.len() < MOST {
                map.insert(key, value);
            }
        }
        Ok(map)
    }
}

/// An object whose fields `T` names; none of anything else.
impl<T: DeserializeOwned> Loose for Option<Box<T>> {
    fn of_object<'de, A: MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(|object| Some(Box::new(object)))
    }
}

impl<'de, T: Loose> Deserialize<'de> for Any<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor(PhantomData)).map(Any)
    }
}

struct Visitor<T>(PhantomData<T>);

impl<'de, T: Loose> serde::de::Visitor<'de> for Visitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_bool<E>(self, flag: bool) -> Result<T, E> {
        Ok(T::of_flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<T, E> {
        Ok(T::of_integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        Ok(i64::try_from(number).map_or_else(|_| T::default(), T::of_integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<T, E> {
        Ok(whole(number).map_or_else(T::default, T::of_integer))
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::of_text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<T, A::Error> {
        T::of_list(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
        T::of_object(fields)
    }
}

/// The integer part, where a floating point number still tells it exactly.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the bound is checked, the rest is dropped"
    )]
    (number.abs() <= EXACT).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Loose>(text: &str) -> T {
        serde_json::from_str::<Any<T>>(text).unwrap().0
    }

    #[test]
    fn a_value_is_taken_for_what_it_can_be() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let values =
            ["null", "true", "7", "-7", "7.9", "1e300", "\"7\"", "\"x\"", "[1]", "{}", &deep];
        let text = values.map(read::<String>);
        assert_eq!(text.join("|"), "||||||7|x|||");
        let signed = values.map(read::<Option<i64>>);
        let seven = Some(7);
        assert_eq!(signed[..7], [None, None, seven, Some(-7), seven, None, seven]);
        assert_eq!(signed[7..], [None; 4]);
        let unsigned = values.map(read::<Option<u64>>);
        assert_eq!(unsigned[..4], [None, None, Some(7), None]);
        let flags = values.map(read::<Option<bool>>);
        assert_eq!(flags[..3], [None, Some(true), None]);
        assert_eq!(read::<Option<bool>>("\"false\""), Some(false));
        let lists = values.map(read::<Vec<String>>);
        assert_eq!(lists.map(|list| list.len()), [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1]);
        assert_eq!(read::<Option<u64>>("18446744073709551615"), None);
        assert_eq!(read::<Option<u64>>("9007199254740993"), Some(9_007_199_254_740_993));
    }

    #[test]
    fn objects_keep_what_fits() {
        let map = read::<HashMap<String, Option<i64>>>(r#"{"a": 1, "b": "x", "c": [[]]}"#);
        assert_eq!(map.len(), 3);
        assert_eq!(map["a"], Some(1));
        assert_eq!(map["b"], None);
        assert_eq!(read::<HashMap<String, String>>("[1]").len(), 0);
        let many = format!("[0{}]", ",0".repeat(MOST));
        assert_eq!(read::<Vec<String>>(&many).len(), MOST);
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        for text in ["", "{", "[1", "\"", "{\"a\":}", "<html>", "1e999999", "{} {}"] {
            assert!(serde_json::from_str::<Any<String>>(text).is_err(), "{text:?}");
        }
    }
}
