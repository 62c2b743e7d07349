//! An ordered map of one kind of thing that remembers which entries changed, so that only those are written to disk.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map},
    ops::RangeBounds,
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
        Self {
            entries: BTreeMap::new(),
            changed: BTreeSet::new(),
        }
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
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a String, &'a V)> {
        self.entries
            .range(prefix.to_owned()..)
            .take_while(move |(key, _)| key.starts_with(prefix))
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
        self.entries
            .iter()
            .map(|(key, value)| (key.clone(), as_json(value)))
            .collect()
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

fn as_json<V: Serialize>(value: &V) -> Value {
    serde_json::to_value(value).expect("entries are plain data with string keys")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Stored as _, Table};

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
