//! Finds a stack's records inside its domain: the newest ones by their time, and those that come in, by their sequence
//! number in each shard. A record's own time says nothing about when it can be found (the stream buffers, retries take
//! up to two hours, and a time without its zone is hours off), so what comes in is never looked for by time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::opensearch::{Cause, DataPlane, Hit, IndexState, Searched};

/// The most hits of one search (index.max_result_window).
pub const MOST_HITS: usize = 10_000;
/// Hits of one page of what comes in.
const PAGE: usize = 1_000;
/// Operations of a shard that are looked at again each time: several writes are under way at once, so that a record may
/// become visible after one with a higher number, and a replica may be behind by what one bulk request holds.
const LOOKED_AT_AGAIN: i64 = 2_000;
/// Ids that are remembered, so that no record is shown twice: one whose answer Firehose lost is indexed again under its
/// id, with a new number.
const REMEMBERED: usize = 100_000;

/// Which records are wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// From this moment on, by their own time.
    pub since: Option<Timestamp>,
    /// At this level at least.
    pub level: Option<Level>,
    /// In the syntax of query_string.
    pub query: Option<String>,
}

/// A level of Python's logging; those of others are read as the nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Details.
    Debug,
    /// What goes well.
    Info,
    /// What is odd.
    Warning,
    /// What failed.
    Error,
    /// What ends the program.
    Critical,
}

/// All words for levels, those of other libraries too.
const LEVELS: [(&str, Level); 17] = [
    ("TRACE", Level::Debug),
    ("DEBUG", Level::Debug),
    ("INFO", Level::Info),
    ("NOTICE", Level::Info),
    ("WARNING", Level::Warning),
    ("WARN", Level::Warning),
    ("ERROR", Level::Error),
    ("ERR", Level::Error),
    ("SEVERE", Level::Error),
    ("CRITICAL", Level::Critical),
    ("CRIT", Level::Critical),
    ("FATAL", Level::Critical),
    ("ALERT", Level::Critical),
    ("PANIC", Level::Critical),
    ("DPANIC", Level::Critical),
    ("EMERG", Level::Critical),
    ("EMERGENCY", Level::Critical),
];

/// Levels as numbers, as bunyan and pino write them.
const NUMBERS: [(&str, Level); 5] =
    [("20", Level::Debug), ("30", Level::Info), ("40", Level::Warning), ("50", Level::Error), ("60", Level::Critical)];

/// What a query may be made of.
const QUERY_SYNTAX: &str =
    "such as `timeout`, `\"connection refused\"`, `logger:shop AND NOT item:17`, `status:>=500`, `_exists_:exc_info`";

/// Fields that hold a level: Python's, structlog's, and what others write.
pub const LEVEL_FIELDS: [&str; 4] = ["levelname", "level", "severity", "log.level"];

impl Level {
    /// Reads a level in any case.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        let word = word.trim();
        LEVELS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, level)| *level)
    }
}

impl std::str::FromStr for Level {
    type Err = String;

    fn from_str(word: &str) -> std::result::Result<Self, String> {
        Self::read(word).ok_or_else(|| format!("`{word}` is not a level (debug, info, warning, error, critical)"))
    }
}

/// One record that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its index.
    pub index: String,
    /// Its id.
    pub id: String,
    /// Its time as the engine read it; `None` where it has none.
    pub time: Option<Timestamp>,
    /// What was sent.
    pub record: Value,
}

impl Wanted {
    fn filters(&self, time_field: &str) -> Vec<Value> {
        let Self { since, level, query } = self;
        let mut filters = Vec::new();
        if let Some(since) = since {
            let range = json!({"gte": since.as_millisecond(), "format": "epoch_millis"});
            filters.push(json!({"range": {time_field: range}}));
        }
        if let Some(least) = level {
            // A text field finds a word in any case, a keyword in its own, and a number (some libraries write one) would
            // fail the query where it is not lenient.
            let words = LEVELS.iter().filter(|(_, level)| level >= least).map(|(word, _)| *word);
            let numbers = NUMBERS.iter().filter(|(_, level)| level >= least).map(|(number, _)| (*number).to_owned());
            let capitalized = |word: &str| format!("{}{}", &word[..1], word[1..].to_lowercase());
            let words = words.flat_map(|word| [word.to_owned(), word.to_lowercase(), capitalized(word)]);
            let words: Vec<String> = words.chain(numbers).collect();
            let query = words.join(" OR ");
            filters.push(json!({"query_string": {"query": query, "fields": LEVEL_FIELDS, "lenient": true}}));
        }
        if let Some(query) = query {
            filters.push(json!({"query_string": {"query": query, "lenient": true}}));
        }
        filters
    }
}

fn body(filters: Vec<Value>, sort: Value, size: usize) -> Value {
    json!({"size": size, "query": {"bool": {"filter": filters}}, "sort": sort, "track_total_hits": false})
}

fn by_time(time_field: &str, order: &str) -> Value {
    json!({time_field: {"order": order, "unmapped_type": "date", "missing": "_last"}})
}

/// What a look at the newest records gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Newest {
    /// The records, oldest first.
    pub found: Vec<Found>,
    /// Why some may be missing, or stand in another order than that of their time.
    pub but: Vec<String>,
}

/// Returns the newest records; none where there is no index yet. Where the time field is no date in an index, its records
/// are missing, and where that is so in all of them, arrival is gone by; either is said.
///
/// # Errors
/// Fails where the domain does not answer, or refuses the query.
pub async fn newest(
    plane: &DataPlane<'_>,
    indices: &str,
    time_field: &str,
    wanted: &Wanted,
    most: usize,
) -> Result<Newest> {
    let by_arrival = json!({"_seq_no": {"order": "desc"}});
    let filters = wanted.filters(time_field);
    let size = most.min(MOST_HITS);
    let sorted = body(filters.clone(), json!([by_time(time_field, "desc"), by_arrival]), size);
    let (searched, mut but) = match plane.search(indices, &sorted).await {
        Ok(searched) => (searched, Vec::new()),
        Err(refusal) if refusal.cause == Cause::Other => {
            let searched = plane.search(indices, &body(filters, json!([by_arrival]), size)).await;
            // Where that fails as well, the sort was not the reason.
            let Ok(searched) = searched else {
                let error = Error::from(refusal);
                return Err(match &wanted.query {
                    Some(query) => error.hint(format!("is the --query right? it was: {query}")).hint(QUERY_SYNTAX),
                    None => error,
                });
            };
            (searched, vec![format!("sorted by arrival, not by {time_field}: {}", refusal.error.message)])
        }
        Err(refusal) => return Err(refusal.into()),
    };
    let Some(Searched { hits, total: _, failed_shards }) = searched else { return Ok(Newest::default()) };
    but.extend(failed_shards);
    // Of two values the first is the time; one alone is a sequence number.
    let mut found: Vec<Found> = hits
        .into_iter()
        .map(|hit| {
            let time_at = if hit.sort.len() == 2 { 0 } else { 1 };
            found(hit, time_at)
        })
        .collect();
    found.reverse();
    Ok(Newest { found, but })
}

/// What has come in so far, so that the next look finds what is new.
#[derive(Debug, Default)]
pub struct Followed {
    highest: BTreeMap<(String, u32), i64>,
    counts: BTreeMap<String, (u64, u64)>,
    remembered: BTreeSet<(String, String)>,
    in_order: VecDeque<(String, String)>,
}

impl Followed {
    /// Begins now: everything that can be found at this moment is old.
    ///
    /// # Errors
    /// Fails where the domain does not answer.
    pub async fn from_now_on(plane: &DataPlane<'_>, indices: &str) -> Result<Self> {
        let mut followed = Self::default();
        for index in plane.indices(indices).await?.into_iter().filter(|index| index.is_open) {
            for shard in 0..index.shards {
                let again = usize::try_from(LOOKED_AT_AGAIN).unwrap_or(MOST_HITS);
                let mut body = body(Vec::new(), json!([{"_seq_no": {"order": "desc"}}]), again);
                body["_source"] = json!(false);
                let searched = plane.search_shard(&index.name, shard, &body).await?;
                for hit in searched.map(whole).transpose()?.unwrap_or_default() {
                    followed.reach(&index.name, shard, sequence_number(&hit));
                    followed.remember(hit.index, hit.id);
                }
            }
            followed.counts.insert(index.name.clone(), counts(&index));
        }
        Ok(followed)
    }

    /// Tells that a record was shown, so that it is not shown again.
    pub fn shown(&mut self, found: &Found) {
        self.remember(found.index.clone(), found.id.clone());
    }

    /// Returns what has become visible since the last look, by its time.
    ///
    /// # Errors
    /// Fails where the domain does not answer, or refuses the query. The next look finds everything that this one would
    /// have found.
    pub async fn look(
        &mut self,
        plane: &DataPlane<'_>,
        indices: &str,
        time_field: &str,
        wanted: &Wanted,
    ) -> Result<Vec<Found>> {
        let mut new = Vec::new();
        let mut reached = Vec::new();
        let mut seen = Vec::new();
        for index in plane.indices(indices).await?.into_iter().filter(|index| index.is_open) {
            if self.counts.get(&index.name) == Some(&counts(&index)) {
                continue;
            }
            for shard in 0..index.shards {
                let highest = self.highest.get(&(index.name.clone(), shard)).copied().unwrap_or(-1);
                let mut after = highest.saturating_sub(LOOKED_AT_AGAIN);
                loop {
                    let mut filters = wanted.filters(time_field);
                    filters.push(json!({"range": {"_seq_no": {"gt": after}}}));
                    let by_arrival = json!({"_seq_no": {"order": "asc"}});
                    let sorted = body(filters.clone(), json!([by_arrival, by_time(time_field, "asc")]), PAGE);
                    let searched = match plane.search_shard(&index.name, shard, &sorted).await {
                        Ok(searched) => searched,
                        // Where the time field is no date it cannot be sorted by; its records are shown without.
                        Err(error) => {
                            let by_arrival = body(filters, json!([by_arrival]), PAGE);
                            let searched = plane.search_shard(&index.name, shard, &by_arrival).await;
                            searched.map_err(|_| error)?
                        }
                    };
                    let hits = searched.map(whole).transpose()?.unwrap_or_default();
                    let is_last = hits.len() < PAGE;
                    for hit in hits {
                        after = after.max(sequence_number(&hit));
                        if !self.remembered.contains(&(hit.index.clone(), hit.id.clone())) {
                            new.push(found(hit, 1));
                        }
                    }
                    if is_last {
                        break;
                    }
                }
                reached.push((index.name.clone(), shard, after));
            }
            seen.push((index.name.clone(), counts(&index)));
        }
        // Only now, when every search was answered, so that a failure half-way loses nothing.
        for (index, shard, after) in reached {
            self.reach(&index, shard, after);
        }
        self.counts.extend(seen);
        let mut told = BTreeSet::new();
        new.retain(|found| told.insert((found.index.clone(), found.id.clone())));
        for found in &new {
            self.shown(found);
        }
        new.sort_by_key(|found| found.time);
        Ok(new)
    }

    fn reach(&mut self, index: &str, shard: u32, number: i64) {
        let highest = self.highest.entry((index.to_owned(), shard)).or_insert(-1);
        *highest = (*highest).max(number);
    }

    fn remember(&mut self, index: String, id: String) {
        let key = (index, id);
        if self.remembered.insert(key.clone()) {
            self.in_order.push_back(key);
        }
        while self.in_order.len() > REMEMBERED {
            if let Some(oldest) = self.in_order.pop_front() {
                self.remembered.remove(&oldest);
            }
        }
    }
}

fn counts(index: &IndexState) -> (u64, u64) {
    (index.documents, index.deleted)
}

/// Takes a page only where every shard answered: a hit that is missing would be missing for ever.
fn whole(searched: Searched) -> Result<Vec<Hit>> {
    match searched.failed_shards.as_slice() {
        [] => Ok(searched.hits),
        failed => Err(Error::failed(format!("the search found only a part: {}", failed.join("; ")))),
    }
}

fn sequence_number(hit: &Hit) -> i64 {
    hit.sort.first().and_then(Value::as_i64).unwrap_or(-1)
}

fn found(hit: Hit, time_at: usize) -> Found {
    let Hit { index, id, source, sort } = hit;
    // What has no time is sorted by the largest or the smallest number that there is.
    let time = sort.get(time_at).and_then(Value::as_i64).and_then(|time| Timestamp::from_millisecond(time).ok());
    Found { index, id, time, record: source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_read_in_any_case_and_orders() {
        assert_eq!("Warn".parse(), Ok(Level::Warning));
        assert_eq!(Level::read("FATAL"), Some(Level::Critical));
        assert!(Level::Error > Level::Warning);
        "loud".parse::<Level>().expect_err("no level");
    }

    #[test]
    fn each_wish_is_a_filter_of_its_own() {
        let wanted = Wanted {
            since: Some(Timestamp::from_millisecond(1000).expect("a time")),
            level: Some(Level::Critical),
            query: Some("a b".to_owned()),
        };
        let filters = wanted.filters("at");
        assert_eq!(filters[0], json!({"range": {"at": {"gte": 1000, "format": "epoch_millis"}}}));
        let query = "CRITICAL OR critical OR Critical OR CRIT OR crit OR Crit OR FATAL OR fatal OR Fatal OR ALERT OR alert OR Alert \
             OR PANIC OR panic OR Panic OR DPANIC OR dpanic OR Dpanic OR EMERG OR emerg OR Emerg OR EMERGENCY OR emergency OR \
             Emergency OR 60";
        let levels = json!({"query_string": {"query": query, "fields": LEVEL_FIELDS, "lenient": true}});
        assert_eq!(filters[1], levels);
        assert_eq!(filters[2], json!({"query_string": {"query": "a b", "lenient": true}}));
        assert_eq!(Wanted::default().filters("at"), Vec::<Value>::new());
    }

    #[test]
    fn only_so_many_ids_are_remembered() {
        let mut followed = Followed::default();
        for number in 0..REMEMBERED + 5 {
            followed.remember("logs".to_owned(), number.to_string());
        }
        assert_eq!(followed.remembered.len(), REMEMBERED);
        assert!(!followed.remembered.contains(&("logs".to_owned(), "4".to_owned())));
        assert!(followed.remembered.contains(&("logs".to_owned(), "5".to_owned())));
    }

    #[test]
    fn a_document_without_its_time_is_found_without_one() {
        let hit =
            |time: Value| Hit { index: "i".into(), id: "d".into(), source: json!({}), sort: vec![json!(7), time] };
        assert_eq!(found(hit(json!(i64::MAX)), 1).time, None);
        assert_eq!(found(hit(Value::Null), 1).time, None);
        assert_eq!(found(hit(json!(5)), 1).time, Timestamp::from_millisecond(5).ok());
    }
}
