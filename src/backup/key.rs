//! Keys of objects, as Firehose makes them: `<prefix>[<folder>/]YYYY/MM/dd/HH/<stream>-<version>-<time>-<uuid>[.gz]`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The folder of what a Lambda transformation could not process. Nothing in it was ever meant for the domain as it is.
pub const PROCESSING_FAILED: &str = "processing-failed";

/// Names of the folder of failed documents, in lower case and with hyphens. AWS's own pages write the first with a hyphen
/// (API reference, list of error output types) and with an underscore (page on delivery failures); the second is that of
/// the Elasticsearch destination.
const FAILED: [&str; 2] = ["amazonopensearchservice-failed", "elasticsearch-failed"];

/// How a stream lays out its bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The delivery stream.
    pub stream: String,
    /// `Prefix` of its S3 configuration.
    pub prefix: String,
    /// `ErrorOutputPrefix` of its S3 configuration; where it is empty, failed documents go below `prefix`.
    pub error_prefix: String,
}

/// What a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// Records as they were sent.
    Records(Name),
    /// Documents that the domain did not take.
    FailedDocuments(Name),
    /// What a Lambda transformation could not process.
    ProcessingFailed,
    /// An object of another delivery stream.
    OtherStream(String),
    /// Something else, in the folder of failed documents.
    ForeignInFailedFolder,
    /// Something else.
    Foreign,
}

/// The last part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The stream's version.
    pub version: u64,
    /// When, by Firehose, to the second.
    pub time: Timestamp,
    /// By the extension.
    pub compression: Compression,
}

/// How an object is compressed, by the extension of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// No extension.
    None,
    /// `.gz`
    Gzip,
    /// `.zip`
    Zip,
    /// `.snappy`
    Snappy,
    /// `.hsnappy`
    HadoopSnappy,
}

impl Compression {
    /// Returns the name of one that ekk does not read.
    #[must_use]
    pub fn unreadable(self) -> Option<&'static str> {
        match self {
            Self::None | Self::Gzip => None,
            Self::Zip => Some("ZIP"),
            Self::Snappy => Some("Snappy"),
            Self::HadoopSnappy => Some("HADOOP_SNAPPY"),
        }
    }
}

impl Layout {
    /// Returns the prefix below which failed documents lie.
    #[must_use]
    pub fn effective_error_prefix(&self) -> &str {
        if self.error_prefix.is_empty() { &self.prefix } else { &self.error_prefix }
    }

    /// Returns the part of the keys of all records that is the same in all of them.
    #[must_use]
    pub fn records_below(&self) -> &str {
        literal(&self.prefix)
    }

    /// Returns the part of the keys of failed documents that is the same in all of them.
    #[must_use]
    pub fn failed_below(&self) -> &str {
        literal(self.effective_error_prefix())
    }

    /// Tells whether the folder of failed documents follows [`Layout::failed_below`] at once, so that it can be found
    /// without listing what lies beside it. An expression before it makes that impossible.
    #[must_use]
    pub fn failed_folder_comes_first(&self) -> bool {
        let prefix = self.effective_error_prefix();
        prefix.len() == literal(prefix).len()
    }

    /// Tells whether the date follows [`Layout::records_below`] at once, so that a listing can begin at an hour.
    #[must_use]
    pub fn date_comes_first(&self) -> bool {
        self.prefix.len() == literal(&self.prefix).len()
    }

    /// Tells whether a folder (such as one that a listing with a delimiter gave) is one of failed documents, in any
    /// spelling.
    #[must_use]
    pub fn is_failed_folder(&self, folder: &str) -> bool {
        let rest = folder.strip_prefix(self.failed_below()).map(spelled_alike);
        rest.is_some_and(|rest| FAILED.iter().any(|known| rest.trim_end_matches('/') == *known))
    }

    /// Tells what a key is.
    #[must_use]
    pub fn classify(&self, key: &str) -> Key {
        let (folder, name) = key.rsplit_once('/').map_or(("", key), |(folder, _)| key.split_at(folder.len() + 1));
        // Where a prefix runs into the name, the folder's name may stand in it, too.
        let dirs = if runs_into_name(self.effective_error_prefix()) { key } else { folder };
        if let Some(below) = dirs.strip_prefix(self.failed_below()) {
            let below = spelled_alike(below);
            let is_below = |known: &str| {
                if self.failed_folder_comes_first() {
                    below.strip_prefix(known).is_some_and(|rest| rest.starts_with('/'))
                } else {
                    below.contains(known)
                }
            };
            if is_below(PROCESSING_FAILED) {
                return Key::ProcessingFailed;
            }
            if FAILED.into_iter().any(is_below) {
                return match self.named(name, self.effective_error_prefix()) {
                    Named::Ours(name) => Key::FailedDocuments(name),
                    Named::OtherStream(stream) => Key::OtherStream(stream),
                    Named::Foreign => Key::ForeignInFailedFolder,
                };
            }
        }
        let Some(below) = key.strip_prefix(self.records_below()) else { return Key::Foreign };
        // What a stream with another prefix wrote, or what failed on its way to somewhere else, is no record of this one.
        let is_of_failures = |folder: &str| spelled_alike(folder).ends_with("-failed");
        let is_record =
            if self.date_comes_first() { is_dated(below) } else { !below.split('/').rev().skip(1).any(is_of_failures) };
        if !is_record {
            return Key::Foreign;
        }
        match self.named(name, &self.prefix) {
            Named::Ours(name) => Key::Records(name),
            Named::OtherStream(stream) => Key::OtherStream(stream),
            Named::Foreign => Key::Foreign,
        }
    }

    fn named(&self, name: &str, prefix: &str) -> Named {
        let Some((stream, name)) = split_name(name, &self.stream) else { return Named::Foreign };
        if stream == self.stream || (runs_into_name(prefix) && stream.ends_with(&self.stream)) {
            Named::Ours(name)
        } else {
            Named::OtherStream(stream.to_owned())
        }
    }
}

enum Named {
    Ours(Name),
    OtherStream(String),
    Foreign,
}

/// Returns what stands before the first expression.
fn literal(prefix: &str) -> &str {
    prefix.find("!{").map_or(prefix, |end| &prefix[..end])
}

/// Tells whether nothing stands between a prefix and the name: no date follows one with an expression, and no slash is added.
fn runs_into_name(prefix: &str) -> bool {
    prefix.contains("!{") && !prefix.ends_with('/')
}

/// Tells whether a key goes on with `YYYY/MM/dd/HH/` and a name. LocalStack puts a slash between a prefix and the date.
fn is_dated(below: &str) -> bool {
    let folders: Vec<&str> = below.strip_prefix('/').unwrap_or(below).split('/').collect();
    let [date @ .., _] = folders.as_slice() else { return false };
    date.len() == 4
        && date
            .iter()
            .zip([4, 2, 2, 2])
            .all(|(part, digits)| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn spelled_alike(text: &str) -> String {
    text.to_ascii_lowercase().replace('_', "-")
}

/// Splits `<stream>-<version>-YYYY-MM-dd-HH-mm-ss-<uuid>[.ext]`. A stream's name may hold hyphens and dots itself, so it
/// is read from the end. LocalStack leaves the version out, which is taken for 1 where the name is that of our stream.
fn split_name<'n>(name: &'n str, ours: &str) -> Option<(&'n str, Name)> {
    const UUID: usize = 36;
    const TIME: usize = 19;
    let (bare, compression) = match name.rsplit_once('.') {
        Some((bare, "gz")) => (bare, Compression::Gzip),
        Some((bare, "zip")) => (bare, Compression::Zip),
        Some((bare, "snappy")) => (bare, Compression::Snappy),
        Some((bare, "hsnappy")) => (bare, Compression::HadoopSnappy),
        Some(_) | None => (name, Compression::None),
    };
    if !bare.is_ascii() {
        return None;
    }
    let (rest, uuid) = bare.split_at_checked(bare.len().checked_sub(UUID)?)?;
    let is_uuid = uuid.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    let rest = rest.strip_suffix('-').filter(|_| is_uuid)?;
    let (rest, time) = rest.split_at_checked(rest.len().checked_sub(TIME)?)?;
    let rest = rest.strip_suffix('-')?;
    let time = DateTime::strptime("%Y-%m-%d-%H-%M-%S", time).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let ends_with_a_number = |text: &str| {
        text.rsplit_once('-').is_some_and(|(_, end)| !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if rest == ours && !ends_with_a_number(rest) {
        return Some((rest, Name { version: 1, time, compression }));
    }
    let (stream, version) = rest.rsplit_once('-')?;
    let is_number = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    let version = version.parse().ok().filter(|_| is_number && !stream.is_empty())?;
    Some((stream, Name { version, time, compression }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "logs-2-2026-11-23-12-34-56-0f8fad5b-d9cb-469f-a165-70867728950e";

    fn layout(prefix: &str, error_prefix: &str) -> Layout {
        Layout { stream: "logs".to_owned(), prefix: prefix.to_owned(), error_prefix: error_prefix.to_owned() }
    }

    fn name(compression: Compression) -> Name {
        Name { version: 2, time: "2026-11-23T12:34:56Z".parse().expect("a time"), compression }
    }

    #[test]
    fn the_folder_of_failed_documents_is_known_in_every_spelling() {
        for folder in [
            "AmazonOpenSearchService-failed",
            "AmazonOpenSearchService_failed",
            "elasticsearch-failed",
            "Elasticsearch_failed",
        ] {
            for (prefix, error_prefix, before) in
                [("", "", ""), ("logs/", "", "logs/"), ("logs/", "bad/", "bad/"), ("a", "", "a"), ("", "x-", "x-")]
            {
                let layout = layout(prefix, error_prefix);
                let key = format!("{before}{folder}/2026/11/23/12/{NAME}");
                assert_eq!(layout.classify(&key), Key::FailedDocuments(name(Compression::None)), "{key}");
                assert!(layout.is_failed_folder(&format!("{before}{folder}/")), "{before}{folder}");
            }
        }
    }

    #[test]
    fn a_name_without_a_version_is_ours_where_the_stream_is() {
        let bare = NAME.replacen("logs-2-", "logs-", 1);
        let ours = Name { version: 1, ..name(Compression::None) };
        assert_eq!(layout("", "").classify(&format!("2026/11/23/12/{bare}")), Key::Records(ours));
        // A stream whose own name ends with a number is told from the second version of another.
        let numbered = Layout { stream: "logs-2".to_owned(), prefix: String::new(), error_prefix: String::new() };
        let key = format!("2026/11/23/12/{NAME}");
        assert_eq!(numbered.classify(&key), Key::OtherStream("logs".to_owned()));
    }

    #[test]
    fn records_lie_beside_the_folders() {
        let layout = layout("logs/", "");
        assert_eq!(layout.classify(&format!("logs/2026/11/23/12/{NAME}.gz")), Key::Records(name(Compression::Gzip)));
        assert_eq!(layout.classify(&format!("logs/processing-failed/2026/11/23/12/{NAME}.gz")), Key::ProcessingFailed);
        assert_eq!(layout.classify(&format!("other/2026/11/23/12/{NAME}.gz")), Key::Foreign);
        assert!(!layout.is_failed_folder("logs/2026/"));
        assert!(!layout.is_failed_folder("logs/processing-failed/"));
        assert!(!layout.is_failed_folder("AmazonOpenSearchService-failed/"));
    }

    #[test]
    fn an_expression_puts_the_folder_anywhere() {
        let layout = layout("!{timestamp:yyyy}/", "e/!{timestamp:yyyy}/!{firehose:error-output-type}-x/");
        let key = format!("e/2026/AmazonOpenSearchService_failed-x/{NAME}");
        assert_eq!(layout.classify(&key), Key::FailedDocuments(name(Compression::None)));
        assert_eq!(layout.classify(&format!("e/2026/processing-failed-x/{NAME}")), Key::ProcessingFailed);
        assert_eq!(layout.classify(&format!("2026/{NAME}")), Key::Records(name(Compression::None)));
        assert_eq!(layout.failed_below(), "e/");
        assert!(!layout.failed_folder_comes_first());
        assert!(!layout.date_comes_first());
    }

    #[test]
    fn a_prefix_that_ends_with_an_expression_runs_into_the_name() {
        let layout = layout("logs/!{timestamp:yyyy-MM-dd}-", "!{firehose:error-output-type}-");
        assert_eq!(layout.classify(&format!("logs/2026-11-23-{NAME}")), Key::Records(name(Compression::None)));
        let key = format!("AmazonOpenSearchService-failed-{NAME}");
        assert_eq!(layout.classify(&key), Key::FailedDocuments(name(Compression::None)));
    }

    #[test]
    fn what_is_not_ours_is_told_apart() {
        let layout = layout("", "");
        let folder = "AmazonOpenSearchService-failed/2026/11/23/12";
        assert_eq!(layout.classify(&format!("{folder}/readme.txt")), Key::ForeignInFailedFolder);
        assert_eq!(layout.classify("AmazonOpenSearchService-failed/"), Key::ForeignInFailedFolder);
        assert_eq!(layout.classify(&format!("{folder}/my-{NAME}")), Key::OtherStream("my-logs".to_owned()));
        let name_of_ours = NAME;
        for folder in
            ["old/2026/11/23/12", "old/AmazonOpenSearchService_failed/2026/11/23/12", "http-endpoint-failed/2026"]
        {
            assert_eq!(layout.classify(&format!("{folder}/{name_of_ours}")), Key::Foreign, "{folder}");
        }
        for foreign in [
            "readme.txt",
            "",
            "2026/11/23/12/logs-x-2026-11-23-12-34-56-0f8fad5b-d9cb-469f-a165-70867728950e",
            "2026/11/23/12/logs-1-2026-11-31-12-34-56-0f8fad5b-d9cb-469f-a165-70867728950e",
            "2026/11/23/12/logs-1-2026-11-23-12-34-56-0f8fad5b-d9cb-469f-a165-7086772895",
            "2026/11/23/12/-1-2026-11-23-12-34-56-0f8fad5b-d9cb-469f-a165-70867728950e",
        ] {
            assert_eq!(layout.classify(foreign), Key::Foreign, "{foreign}");
        }
    }

    #[test]
    fn the_extension_tells_the_compression() {
        let of = |extension: &str| split_name(&format!("{NAME}{extension}"), "logs").map(|(_, name)| name.compression);
        assert_eq!(of(""), Some(Compression::None));
        assert_eq!(of(".gz"), Some(Compression::Gzip));
        assert_eq!(of(".zip"), Some(Compression::Zip));
        assert_eq!(of(".snappy"), Some(Compression::Snappy));
        assert_eq!(of(".hsnappy"), Some(Compression::HadoopSnappy));
        assert_eq!(of(".txt"), None);
    }

    proptest! {
        #[test]
        fn a_stream_of_any_name_is_found_in_its_keys(
            stream in "[a-zA-Z0-9_.-]{1,64}",
            version in 1..u64::MAX,
            seconds in 1_500_000_000_i64..2_000_000_000,
            extension in prop::sample::select(vec!["", ".gz"]),
        ) {
            let time = Timestamp::from_second(seconds).expect("a time");
            let layout = Layout { stream: stream.clone(), ..layout("p/", "") };
            let key = format!(
                "p/{}{stream}-{version}-{}-0f8fad5b-d9cb-469f-a165-70867728950e{extension}",
                time.strftime("%Y/%m/%d/%H/"),
                time.strftime("%Y-%m-%d-%H-%M-%S"),
            );
            let compression = if extension.is_empty() { Compression::None } else { Compression::Gzip };
            prop_assert_eq!(layout.classify(&key), Key::Records(Name { version, time, compression }));
        }

        #[test]
        fn no_key_is_too_strange(key in ".{0,120}") {
            let _ = layout("logs/", "bad/!{firehose:error-output-type}/").classify(&key);
        }
    }
}
