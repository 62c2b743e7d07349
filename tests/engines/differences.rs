//! The same calls to the emulated engine and to the real one of the same version: what differs is mended, or stands in a
//! list with its reason.

use serde_json::{Map, Value, json};

use crate::calls::calls;
use crate::engine::{Engine, real};
use crate::template::write_template;

/// A difference that stays.
struct Known {
    /// Names of calls; a `*` at the end stands for anything.
    calls: &'static [&'static str],
    /// Where in the answer; a `*` stands for one part of the path, one at the end for all the rest.
    at: &'static str,
    /// Empty for all engines.
    engines: &'static [&'static str],
    #[expect(dead_code, reason = "read by people")]
    why: &'static str,
}

const KNOWN: [Known; 22] = [
    Known {
        calls: &[
            "template in half a JSON",
            "index in half a JSON",
            "search in half a JSON",
            "query_string without a query",
            "a query that is a text",
            "an empty query",
            "a size in words",
        ],
        at: "/body/error/*",
        engines: &[],
        why: "the words of Java's parsers; the status is the same",
    },
    Known {
        calls: &["unknown route"],
        at: "/body/error/*",
        engines: &[],
        why: "the emulator says that it does not support the call, where an engine takes it for an index's name",
    },
    Known {
        calls: &["unknown route below an index"],
        at: "/*",
        engines: &[],
        why: "older engines take it for a type; all refuse it",
    },
    Known {
        calls: &["fields of an index that is missing", "fields", "one field"],
        at: "/*",
        engines: &[],
        why: "_field_caps is not supported, and refused",
    },
    Known {
        calls: &["cat of some columns"],
        at: "/*",
        engines: &[],
        why: "the parameter s of _cat is not supported, and refused",
    },
    Known {
        calls: &["next two by search_after", "search_after *"],
        at: "/*",
        engines: &[],
        why: "search_after is not supported, and refused",
    },
    Known {
        calls: &["settings of the service"],
        at: "/body/five/settings/index/number_of_shards",
        engines: &[],
        why: "the service's own default is five primaries, not the engine's one",
    },
    Known {
        calls: &["document deleted again"],
        at: "/body/_version",
        engines: &[],
        why: "an engine remembers a deleted document's version for a minute; nobody reads it",
    },
    Known {
        calls: &["bulk into a wrong name"],
        at: "/body/items/0/index/_id",
        engines: &[],
        why: "an engine makes an id only once it has the index; nobody reads it",
    },
    Known {
        calls: &["bulk of an unknown action"],
        at: "/body/error/*",
        engines: &["Elasticsearch_7.10", "OpenSearch_1.3"],
        why: "older engines word it differently; the status is the same",
    },
    Known {
        calls: &["dates"],
        at: "/body/items/*",
        engines: &["Elasticsearch_7.10"],
        why: "there epoch_millis knows no time before 1970, which no log has",
    },
    Known {
        calls: &["dates by milliseconds", "dates by default"],
        at: "/body/hits/*",
        engines: &["Elasticsearch_7.10"],
        why: "as above",
    },
    Known {
        calls: &["values of every type"],
        at: "/body/items/*/index/error/reason",
        engines: &[],
        why: "a term that is too long is told with its field, a binary that is an object without; type and status are the same",
    },
    Known {
        calls: &[
            "query_string with a fuzzy word",
            "query_string with a boost",
            "query_string with a regular expression",
            "query_string with a loose phrase",
        ],
        at: "/*",
        engines: &[],
        why: "they are not supported, and refused as such",
    },
    Known { calls: &["sorted by _doc"], at: "/body/hits/hits/*/sort/0", engines: &[], why: "Lucene's own numbers" },
    Known {
        calls: &["a negative size"],
        at: "/*",
        engines: &["Elasticsearch_7.10", "OpenSearch_1.3"],
        why: "older engines ignore it, the emulator refuses it",
    },
    Known {
        calls: &["bool with an unknown key"],
        at: "/body/error/type",
        engines: &[],
        why: "a parser of its own; the status is the same",
    },
    Known {
        calls: &["template with a time without unit"],
        at: "/body/error/*",
        engines: &["OpenSearch_2.19", "OpenSearch_3.5"],
        why: "newer engines say it without naming the template; the status is the same",
    },
    Known {
        calls: &["template with an unknown setting"],
        at: "/body/error/*",
        engines: &["OpenSearch_3.5"],
        why: "a type of its own there, settings_exception; the status is the same",
    },
    Known {
        calls: &["index with an unknown setting"],
        at: "/body/error/type",
        engines: &["OpenSearch_3.5"],
        why: "as above",
    },
    Known {
        calls: &["settings that are unknown"],
        at: "/body/error/type",
        engines: &["OpenSearch_3.5"],
        why: "as above",
    },
    Known {
        calls: &["health with a copy too many"],
        at: "/body/active_shards_percent_as_number",
        engines: &[],
        why: "an engine gives the whole cluster's per cent for a single index, too; nobody reads it",
    },
];

#[tokio::test]
#[ignore = "needs real engines, named in EKK_REAL_ENGINES"]
async fn the_emulator_answers_as_the_real_engines_do() {
    let mut unexpected = Vec::new();
    let mut compared = 0;
    for engine in real() {
        let _alone = engine.alone().await;
        let emulated = Engine::emulated(&engine.version);
        let template = write_template(&Engine::emulated(&engine.version)).await;
        let mut used = [false; KNOWN.len()];
        for (name, call) in calls(&template) {
            let (status, body) = engine.send(&call);
            let (emulated_status, emulated_body) = emulated.send(&call);
            compared += 1;
            let mut differences = Vec::new();
            let real = json!({"status": status, "body": read(&body)});
            let ours = json!({"status": emulated_status, "body": read(&emulated_body)});
            compare("", &ours, &real, &mut differences);
            for (at, ours, real) in differences {
                let known = KNOWN.iter().position(|known| known.is(name, &at, &engine.version));
                match known {
                    Some(known) => used[known] = true,
                    None => unexpected.push(format!(
                        "{} | {name} | {at}\n    emulated {}\n    real     {}",
                        engine.version,
                        short(&ours),
                        short(&real)
                    )),
                }
            }
        }
        for (known, used) in KNOWN.iter().zip(used) {
            if !used && (known.engines.is_empty() || known.engines.contains(&engine.version.as_str())) {
                unexpected.push(format!("{} | {:?} | {} no longer differs", engine.version, known.calls, known.at));
            }
        }
    }
    println!("{compared} answers compared, {} differences", unexpected.len());
    assert!(unexpected.is_empty(), "{} differences:\n{}", unexpected.len(), unexpected.join("\n"));
}

impl Known {
    fn is(&self, call: &str, at: &str, engine: &str) -> bool {
        let fits = |pattern: &str, text: &str| match pattern.strip_suffix('*') {
            Some(start) => text.starts_with(start),
            None => text == pattern,
        };
        let parts = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
        let (pattern, path) = (parts(self.at), parts(at));
        let rest = pattern.last().is_some_and(|last| last == "*");
        let at_fits = pattern.len() == path.len() || (rest && path.len() > pattern.len());
        self.calls.iter().any(|pattern| fits(pattern, call))
            && at_fits
            && pattern.iter().zip(&path).all(|(pattern, part)| pattern == "*" || pattern == part)
            && (self.engines.is_empty() || self.engines.contains(&engine))
    }
}

/// An answer without what no two answers have in common, nobody reads, or only a service sets.
fn read(body: &Value) -> Value {
    const UNREAD: [&str; 36] = [
        "_primary_term",
        "_score",
        "_seq_no",
        "_shards",
        "batches",
        "build_date",
        "build_flavor",
        "build_hash",
        "build_type",
        // Java's parsers and Rust's word it differently; the type and the reason above it are compared.
        "caused_by",
        "cluster_name",
        "cluster_uuid",
        "col",
        "creation_date",
        "discovered_cluster_manager",
        "discovered_master",
        "docs.deleted",
        "failed_shards",
        "forced_refresh",
        "grouped",
        "index_uuid",
        "line",
        "lucene_version",
        "max_score",
        "minimum_index_compatibility_version",
        "minimum_wire_compatibility_version",
        "number_of_pending_tasks",
        "phase",
        // How a date that dynamic mapping found is printed in aggregations.
        "print_format",
        "replication",
        "resource.type",
        "root_cause",
        "shard",
        "store.size",
        "took",
        "uuid",
    ];
    match body {
        Value::Object(object) => {
            let mut kept = Map::new();
            for (key, value) in object {
                if UNREAD.contains(&key.as_str()) {
                    continue;
                }
                // An id that nobody chose.
                let value = match (key.as_str(), value) {
                    // Of an index: made with which build of the engine.
                    ("version", Value::Object(version)) if version.contains_key("created") => continue,
                    // `GET /`: the build, which AWS chooses.
                    ("name" | "number", Value::String(_))
                        if object.contains_key("tagline") || object.contains_key("build_hash") =>
                    {
                        continue;
                    }
                    ("error", Value::String(error)) => json!(beginning(error)),
                    ("_id", Value::String(id)) if id.len() == 20 => json!("(made)"),
                    ("reason", Value::String(reason)) => json!(beginning(reason)),
                    (_, value) => read(value),
                };
                kept.insert(key.clone(), value);
            }
            Value::Object(kept)
        }
        // The rows of _cat come in no order.
        Value::Array(elements) if elements.iter().all(|row| row.get("health").is_some()) => {
            let mut rows: Vec<Value> = elements.iter().map(read).collect();
            rows.sort_by_key(|row| row["index"].to_string());
            Value::Array(rows)
        }
        Value::Array(elements) => elements.iter().map(read).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => body.clone(),
    }
}

/// The words of a reason before its first variable part.
fn beginning(reason: &str) -> &str {
    reason.split(['[', '(', ':', '"', '\'', '\n']).next().unwrap_or_default().trim()
}

fn compare(at: &str, ours: &Value, real: &Value, differences: &mut Vec<(String, Value, Value)>) {
    match (ours, real) {
        (Value::Object(one), Value::Object(other)) => {
            let mut keys: Vec<&String> = one.keys().chain(other.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let missing = Value::String("(missing)".to_owned());
                let (one, other) = (one.get(key).unwrap_or(&missing), other.get(key).unwrap_or(&missing));
                compare(&format!("{at}/{key}"), one, other, differences);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (place, (one, other)) in one.iter().zip(other).enumerate() {
                compare(&format!("{at}/{place}"), one, other, differences);
            }
        }
        (Value::Number(one), Value::Number(other)) if (as_double(one) - as_double(other)).abs() < 1e-9 => {}
        (one, other) if one == other => {}
        (one, other) => differences.push((at.to_owned(), one.clone(), other.clone())),
    }
}

fn as_double(number: &serde_json::Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN)
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(300).collect()
}
