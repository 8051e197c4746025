//! Reads mappings key by key.
//!
//! [`Fields`] hands out the values of one mapping, each with a parser, and notes what is wrong
//! with each, so that one pass over a file finds all there is to find. The keys it knows are those
//! that it was asked for, so no second list of them can go out of date; what is left over in the
//! end is an unknown key. It knows nothing of pipelines and accounts.

use serde_yaml::{Mapping, Value};

use super::place::Place;
use super::problem::{Report, nearest, quoted};
use super::values;

/// What became of a key.
#[derive(Clone, Debug)]
pub(super) enum Read<T> {
    /// It is not there.
    Absent,
    /// It is there and no good, which has been reported.
    Wrong,
    /// It is this.
    Is(T),
}

impl<T> Read<T> {
    /// This, or where it is absent `other`.
    pub(super) fn or(self, other: Self) -> Self {
        if matches!(self, Self::Absent) { other } else { self }
    }

    /// The value, `default` where it is absent, none where it is wrong.
    pub(super) fn unless_absent(self, default: T) -> Option<T> {
        match self {
            Self::Absent => Some(default),
            Self::Wrong => None,
            Self::Is(value) => Some(value),
        }
    }

    /// The same with `Some` around the value, so that absence has a value too.
    pub(super) fn maybe(self) -> Read<Option<T>> {
        match self {
            Self::Absent => Read::Is(None),
            Self::Wrong => Read::Wrong,
            Self::Is(value) => Read::Is(Some(value)),
        }
    }

    /// The value, where there is a good one.
    pub(super) fn good(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Wrong => None,
        }
    }

    /// The same to look at.
    pub(super) fn as_ref(&self) -> Read<&T> {
        match self {
            Self::Absent => Read::Absent,
            Self::Wrong => Read::Wrong,
            Self::Is(value) => Read::Is(value),
        }
    }

    /// The value; its absence at `place` is reported.
    pub(super) fn required(self, place: &Place, want: &str, report: &mut Report) -> Option<T> {
        match self {
            Self::Absent => {
                report.problem(place, format!("missing, want {want}"));
                None
            }
            Self::Wrong => None,
            Self::Is(value) => Some(value),
        }
    }
}

/// A mapping that is being read.
pub(super) struct Fields<'a> {
    /// Where the mapping stands.
    pub(super) place: Place,
    /// Where problems and warnings go.
    pub(super) report: &'a mut Report,
    mapping: &'a Mapping,
    asked: Vec<&'static str>,
    refused: Vec<(&'static str, &'static str)>,
    free_prefix: Option<&'static str>,
}

impl<'a> Fields<'a> {
    /// Has `read` read the mapping `value`, and reports what keys it leaves over. None where
    /// `value` is not a mapping, which is reported too.
    pub(super) fn of<T>(
        value: &'a Value,
        place: Place,
        report: &'a mut Report,
        read: impl FnOnce(&mut Fields<'a>) -> T,
    ) -> Option<T> {
        let Value::Mapping(mapping) = value else {
            report.problem(&place, values::unlike(value, "a mapping of keys to values"));
            return None;
        };
        let (asked, refused) = (Vec::new(), Vec::new());
        let mut fields = Fields { place, report, mapping, asked, refused, free_prefix: None };
        let result = read(&mut fields);
        fields.finish();
        Some(result)
    }

    fn take(&mut self, key: &'static str) -> Option<&'a Value> {
        self.asked.push(key);
        self.mapping.get(key)
    }

    /// Reads the value of `key` with `parse`, whose error says what was found and what would do.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Read<T> {
        let Some(value) = self.take(key) else { return Read::Absent };
        match parse(value) {
            Ok(value) => Read::Is(value),
            Err(message) => {
                self.problem(key, message);
                Read::Wrong
            }
        }
    }

    /// Reads the value of `key`, which must be there.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&Value) -> Result<T, String>,
        want: &str,
    ) -> Option<T> {
        let read = self.read(key, parse);
        read.required(&self.place.key(key), want, self.report)
    }

    /// Reads the mapping under `key`. `read` gives none where it has reported a problem.
    pub(super) fn nested<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
    ) -> Read<T> {
        let Some(value) = self.take(key) else { return Read::Absent };
        Fields::of(value, self.place.key(key), self.report, read)
            .flatten()
            .map_or(Read::Wrong, Read::Is)
    }

    /// Reads the list of mappings under `key`, with none for an item that is no mapping.
    pub(super) fn each<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Fields<'_>) -> T,
    ) -> Read<Vec<Option<T>>> {
        let Some(value) = self.take(key) else { return Read::Absent };
        let place = self.place.key(key);
        let Value::Sequence(items) = value else {
            self.report.problem(&place, values::unlike(value, "a list"));
            return Read::Wrong;
        };
        let read_item = |(index, item)| Fields::of(item, place.item(index), self.report, &mut read);
        Read::Is(items.iter().enumerate().map(read_item).collect())
    }

    /// Reads the list of at most `most` values under `key`.
    pub(super) fn items<T>(
        &mut self,
        key: &'static str,
        most: usize,
        mut parse: impl FnMut(&Value) -> Result<T, String>,
    ) -> Read<Vec<T>> {
        let Some(value) = self.take(key) else { return Read::Absent };
        let place = self.place.key(key);
        let Value::Sequence(items) = value else {
            self.report.problem(&place, values::unlike(value, "a list"));
            return Read::Wrong;
        };
        if items.len() > most {
            let found = items.len();
            self.report.problem(&place, format!("found {found} of them, want at most {most}"));
            return Read::Wrong;
        }
        let mut all = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match parse(item) {
                Ok(item) => all.push(item),
                Err(message) => self.report.problem(&place.item(index), message),
            }
        }
        if all.len() == items.len() { Read::Is(all) } else { Read::Wrong }
    }

    /// Reads the mapping under `key`, whose keys are the user's own.
    pub(super) fn entries<T>(
        &mut self,
        key: &'static str,
        mut parse: impl FnMut(&str, &Value) -> Result<T, String>,
    ) -> Read<Vec<T>> {
        let Some(value) = self.take(key) else { return Read::Absent };
        let place = self.place.key(key);
        let Value::Mapping(mapping) = value else {
            self.report.problem(&place, values::unlike(value, "a mapping of names to texts"));
            return Read::Wrong;
        };
        let mut all = Vec::with_capacity(mapping.len());
        for (name, value) in mapping {
            let Some(name) = name.as_str() else {
                self.report.problem(&place, values::unlike(name, "a text as the name"));
                continue;
            };
            match parse(name, value) {
                Ok(entry) => all.push(entry),
                Err(message) => self.report.problem(&place.key(name).itself(), message),
            }
        }
        if all.len() == mapping.len() { Read::Is(all) } else { Read::Wrong }
    }

    /// Reports a problem with the value of `key`.
    pub(super) fn problem(&mut self, key: &str, message: impl Into<String>) {
        self.report.problem(&self.place.key(key), message);
    }

    /// Warns of the value of `key`.
    pub(super) fn warn(&mut self, key: &str, message: impl Into<String>) {
        self.report.warn(&self.place.key(key), message);
    }

    /// Refuses `keys` in this mapping, for the reason that `message` gives.
    pub(super) fn refuse(&mut self, keys: &[&'static str], message: &'static str) {
        self.refused.extend(keys.iter().map(|key| (*key, message)));
    }

    /// Leaves keys alone that begin with `prefix`.
    pub(super) fn leave(&mut self, prefix: &'static str) {
        self.free_prefix = Some(prefix);
    }

    fn finish(self) {
        for key in self.mapping.keys() {
            let Some(key) = key.as_str() else {
                self.report.problem(&self.place, values::unlike(key, "a text as the key"));
                continue;
            };
            let free = self.free_prefix.is_some_and(|prefix| key.starts_with(prefix));
            if free || self.asked.contains(&key) {
                continue;
            }
            let message = match self.refused.iter().find(|(refused, _)| *refused == key) {
                Some((_, message)) => (*message).to_owned(),
                None => self.unknown(key),
            };
            self.report.problem(&self.place.key(key).itself(), message);
        }
    }

    fn unknown(&self, key: &str) -> String {
        let refused = self.refused.iter().map(|(key, _)| *key);
        let Some(meant) = nearest(key, self.asked.iter().copied().chain(refused)) else {
            let mut known = self.asked.clone();
            known.sort_unstable();
            return format!("unknown key, want one of {}", known.join(", "));
        };
        match self.refused.iter().find(|(refused, _)| *refused == meant) {
            Some((_, message)) => {
                format!("unknown key, did you mean {}? {message}", quoted(meant))
            }
            None => format!("unknown key, did you mean {}?", quoted(meant)),
        }
    }
}
