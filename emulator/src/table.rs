//! An ordered map of one kind of thing that remembers which entries changed, so that only those are written to disk.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map},
    ops::{Bound, RangeBounds},
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// A map by name whose changes reach the journal. A key of several parts is joined with `/`, the region first.
#[derive(Clone, Debug)]
pub struct Table<V> {
    entries: BTreeMap<String, V>,
    changed: BTreeSet<String>,
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), changed: BTreeSet::new() }
    }
}

impl<V> Table<V> {
    /// The entry of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&V> {
        self.entries.get(key)
    }

    /// The entry of a key, to change it; it counts as changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        let entry = self.entries.get_mut(key)?;
        if !self.changed.contains(key) {
            self.changed.insert(key.to_owned());
        }
        Some(entry)
    }

    /// Whether a key has an entry.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Sets an entry and returns what it replaced.
    pub fn insert(&mut self, key: impl Into<String>, value: V) -> Option<V> {
        let key = key.into();
        self.changed.insert(key.clone());
        self.entries.insert(key, value)
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &str) -> Option<V> {
        let value = self.entries.remove(key)?;
        self.changed.insert(key.to_owned());
        Some(value)
    }

    /// All entries in the order of their keys.
    pub fn iter(&self) -> btree_map::Iter<'_, String, V> {
        self.entries.iter()
    }

    /// The entries of a range of keys.
    pub fn range<R: RangeBounds<String>>(&self, range: R) -> btree_map::Range<'_, String, V> {
        self.entries.range(range)
    }

    /// The entries whose keys begin so.
    pub fn with_prefix<'a>(
        &'a self,
        prefix: &str,
    ) -> impl DoubleEndedIterator<Item = (&'a String, &'a V)> + use<'a, V> {
        let end = after_prefix(prefix);
        let bounds = (Bound::Included(prefix.to_owned()), end.map_or(Bound::Unbounded, Bound::Excluded));
        self.entries.range(bounds)
    }

    /// All keys in order.
    pub fn keys(&self) -> btree_map::Keys<'_, String, V> {
        self.entries.keys()
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<'a, V> IntoIterator for &'a Table<V> {
    type Item = (&'a String, &'a V);
    type IntoIter = btree_map::Iter<'a, String, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What the journal asks of a table.
pub trait Stored {
    /// Takes the entries that changed since the last call; an entry that is gone is null.
    fn take_changes(&mut self) -> serde_json::Map<String, Value>;
    /// Every entry.
    fn everything(&self) -> serde_json::Map<String, Value>;
    /// Sets or, with null, removes an entry without marking it as changed.
    ///
    /// # Errors
    ///
    /// The value is not of this table's kind.
    fn restore(&mut self, key: String, value: Value) -> serde_json::Result<()>;
}

impl<V: Serialize + DeserializeOwned> Stored for Table<V> {
    fn take_changes(&mut self) -> serde_json::Map<String, Value> {
        std::mem::take(&mut self.changed)
            .into_iter()
            .map(|key| {
                let value = self.entries.get(&key).map_or(Value::Null, as_json);
                (key, value)
            })
            .collect()
    }

    fn everything(&self) -> serde_json::Map<String, Value> {
        self.entries.iter().map(|(key, value)| (key.clone(), as_json(value))).collect()
    }

    fn restore(&mut self, key: String, value: Value) -> serde_json::Result<()> {
        if value.is_null() {
            self.entries.remove(&key);
        } else {
            self.entries.insert(key, serde_json::from_value(value)?);
        }
        Ok(())
    }
}

/// The first text behind all those that begin with the prefix; none if there is no such text.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut end: Vec<char> = prefix.chars().collect();
    while let Some(last) = end.pop() {
        // The step over the surrogates, which are no characters.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            end.push(next);
            return Some(end.into_iter().collect());
        }
    }
    None
}

fn as_json<V: Serialize>(value: &V) -> Value {
    serde_json::to_value(value).expect("entries are plain data with string keys")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Stored as _, Table};

    #[test]
    fn a_prefix_finds_its_own_entries_only() {
        let mut table = Table::<u32>::default();
        for (number, key) in ["a", "a/", "a/b", "a/\u{d7ff}", "a/\u{10ffff}x", "a0", "b"].into_iter().enumerate() {
            table.insert(key, u32::try_from(number).unwrap());
        }
        let found = |prefix: &str| table.with_prefix(prefix).map(|(_, number)| *number).collect::<Vec<_>>();
        assert_eq!(found("a/"), [1, 2, 3, 4]);
        assert_eq!(found("a/\u{d7ff}"), [3]);
        assert_eq!(found("a/\u{10ffff}"), [4]);
        assert_eq!(found(""), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn only_what_changed_is_taken_and_only_once() {
        let mut table = Table::<u32>::default();
        table.insert("a", 1);
        table.insert("b", 2);
        table.take_changes();
        *table.get_mut("b").unwrap() = 3;
        table.remove("a");
        assert_eq!(json!(table.take_changes()), json!({"a": null, "b": 3}));
        assert!(table.take_changes().is_empty());
    }
}
