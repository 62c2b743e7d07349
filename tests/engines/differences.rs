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

const KNOWN: [Known; 0] = [];

#[tokio::test]
#[ignore = "needs real engines, named in EKK_REAL_ENGINES"]
async fn the_emulator_answers_as_the_real_engines_do() {
    let mut unexpected = Vec::new();
    let mut used = [false; KNOWN.len()];
    let mut compared = 0;
    for engine in real() {
        let _alone = engine.alone().await;
        let emulated = Engine::emulated(&engine.version);
        let template = write_template(&Engine::emulated(&engine.version)).await;
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
    }
    println!("{compared} answers compared, {} differences", unexpected.len());
    assert!(unexpected.is_empty(), "{} differences:\n{}", unexpected.len(), unexpected.join("\n"));
    for (known, used) in KNOWN.iter().zip(used) {
        assert!(used, "{:?} {} no longer differs", known.calls, known.at);
    }
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
    const UNREAD: [&str; 33] = [
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
        "index_uuid",
        "line",
        "lucene_version",
        "max_score",
        "minimum_index_compatibility_version",
        "minimum_wire_compatibility_version",
        "phase",
        "replication_type",
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
