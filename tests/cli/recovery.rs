//! An emulated account with one stack, its records, its documents and its bucket.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_firehose::types::Record;
use ekk::aws::{Aws, Connection, Session};
use ekk::opensearch::{DataPlane, Reach};
use ekk::resolve;
use ekk::spec::{Source, Spec};
use ekk::wait::{Deadline, Pace, Progress, Waiting};
use ekk_emulator::Timing;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::account::{Account, REGION};

/// One stack that is up.
pub(crate) struct Stack {
    pub(crate) account: Account,
    runtime: Runtime,
    session: Session,
    names: ekk::stack::Names,
}

/// A document as a search finds it: id, version by its sequence number, source.
pub(crate) type Documents = BTreeMap<String, (String, Value)>;

impl Stack {
    /// Brings a stack up in an account that takes no time.
    pub(crate) fn instant(spec: &str) -> Self {
        Self::up(spec, Timing::instant())
    }

    /// Brings a stack up in an account in which Firehose takes its time, and nothing else does.
    pub(crate) fn buffering(spec: &str) -> Self {
        Self::up(spec, Timing { buffer_scale: 1.0, ..Timing::instant() })
    }

    fn up(spec: &str, timing: Timing) -> Self {
        let account = Account::start(timing);
        account.bring_up(spec);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let connection = Connection {
            region: Some(REGION.to_owned()),
            local: Some(account.address.clone()),
            ..Connection::default()
        };
        let aws = runtime.block_on(Aws::connect(&connection)).expect("clients");
        let waiting = Waiting { pace: Pace::LOCAL, deadline: Deadline::Never, progress: Progress::silent() };
        let session = Session::new(aws, waiting);
        let loaded = Spec::load(&Source::text("ekk.yaml", spec)).expect("a spec");
        let names = resolve::names(&loaded.spec, REGION);
        let names = runtime.block_on(session.names(&names)).expect("names");
        Self { account, runtime, session, names }
    }

    pub(crate) fn ekk(&self, words: &[&str]) -> crate::place::Ended {
        self.account.place.ekk(words)
    }

    /// Sends records through the stream.
    pub(crate) fn put(&self, records: &[String]) {
        for some in records.chunks(500) {
            let records = some
                .iter()
                .map(|record| Record::builder().data(record.clone().into_bytes().into()).build().expect("data"))
                .collect();
            let put = self.session.aws.firehose.put_record_batch().delivery_stream_name(&self.names.stream);
            let answer = self.runtime.block_on(put.set_records(Some(records)).send()).expect("they are taken");
            assert_eq!(answer.failed_put_count, 0);
        }
    }

    /// Writes an object into the bucket.
    pub(crate) fn put_object(&self, key: &str, body: impl Into<Vec<u8>>) {
        let put = self.session.aws.s3.put_object().bucket(&self.names.bucket).key(key);
        self.runtime.block_on(put.body(body.into().into()).send()).expect("it is written");
    }

    /// The keys of the bucket.
    pub(crate) fn keys(&self) -> Vec<String> {
        let list = self.session.aws.s3.list_objects_v2().bucket(&self.names.bucket).send();
        let answer = self.runtime.block_on(list).expect("a list");
        answer.contents().iter().filter_map(|object| object.key().map(ToOwned::to_owned)).collect()
    }

    /// What the objects below a prefix hold.
    pub(crate) fn text_below(&self, prefix: &str) -> String {
        let read = |key: &String| {
            let get = self.session.aws.s3.get_object().bucket(&self.names.bucket).key(key);
            let bytes = self.runtime.block_on(async { get.send().await.expect("an object").body.collect().await });
            String::from_utf8(bytes.expect("its body").to_vec()).expect("UTF-8")
        };
        self.keys().iter().filter(|key| key.starts_with(prefix)).map(read).collect()
    }

    /// Asks the domain something.
    pub(crate) fn inside<T>(&self, ask: impl AsyncFnOnce(&DataPlane<'_>) -> T) -> T {
        self.runtime.block_on(async {
            match DataPlane::reach(&self.session, &self.names).await.expect("a domain") {
                Reach::Ready(plane) => ask(&plane).await,
                Reach::Absent => panic!("there is no domain"),
                Reach::Unknown(why) => panic!("{why}"),
            }
        })
    }

    /// All documents of the indexes, by index and id.
    pub(crate) fn documents(&self) -> Documents {
        let query = json!({"size": 10_000, "query": {"match_all": {}}});
        self.inside(async |plane| {
            plane.refresh("*").await.expect("a refresh");
            let found = plane.search("*", &query).await.expect("an answer").expect("indexes");
            found.hits.into_iter().map(|hit| (hit.id, (hit.index, hit.source))).collect()
        })
    }

    /// How often each document was written: more than once where its version is above 1.
    pub(crate) fn most_versions(&self) -> u64 {
        let ids: Vec<(String, String)> = self.documents().into_iter().map(|(id, (index, _))| (index, id)).collect();
        self.inside(async |plane| {
            let mut most = 0;
            for (index, id) in &ids {
                match plane.document(index, id).await.expect("an answer") {
                    ekk::opensearch::Found::Present(document) => {
                        most = most.max(document["_version"].as_u64().expect("a version"));
                    }
                    other => panic!("{other:?}"),
                }
            }
            most
        })
    }

    /// Lets the domain answer every request with a status, or heals it.
    pub(crate) fn make_domain_answer(&self, status: Option<u16>) {
        let key = format!("{REGION}/{}", self.names.domain);
        self.account.control.world(|world| match status {
            Some(status) => {
                world.opensearch.unavailable.insert(key, status);
            }
            None => {
                world.opensearch.unavailable.remove(&key);
            }
        });
    }

    /// Lets Firehose's time pass.
    pub(crate) fn pass(&self, seconds: u64) {
        self.account.control.advance(Duration::from_secs(seconds));
    }
}

/// Waits for something that happens in another process.
#[track_caller]
pub(crate) fn until(mut happens: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !happens() {
        assert!(Instant::now() < end, "it did not happen within a minute");
        std::thread::yield_now();
    }
}

/// Takes out what differs from run to run: keys' times and names, times, markers.
pub(crate) fn steady(ended: &crate::place::Ended) -> String {
    let mut text = String::new();
    for line in ended.to_string().lines() {
        let words: Vec<String> = line.split(' ').map(steady_word).collect();
        let line = words.join(" ");
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        text.push_str(&line);
        text.push('\n');
    }
    // Seconds stand before their unit.
    let words: Vec<&str> = text.split_inclusive([' ', '\n']).collect();
    let mut out = String::new();
    for (at, word) in words.iter().enumerate() {
        let is_time = word.trim().parse::<f64>().is_ok_and(|_| word.contains('.'))
            && words.get(at + 1).is_some_and(|next| next.trim_end().trim_end_matches([':', '.', ';']) == "s");
        out.push_str(if is_time { "[time] " } else { word });
    }
    out
}

fn steady_word(word: &str) -> String {
    let is_marker = |part: &str| part.len() == 32 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_marker(word.trim_end_matches(['.', ';', ')', ':'])) {
        return word.replace(&word[..32], "[marker]");
    }
    // A key of the emulator's own ends with a UUID.
    if word.contains("/20") && word.matches('-').count() >= 10 {
        let folder = word.find("/20").unwrap_or_default();
        return format!("{}/[key]", &word[..folder]);
    }
    match word.find("-20").filter(|_| word.contains("-w")) {
        Some(at) => format!("{}-[week]{}", &word[..at], &word[at + 9..]),
        None => word.to_owned(),
    }
}
