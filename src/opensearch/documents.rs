//! The documents of a domain: searched, counted, created by their id, read and deleted. Typed, and with no query
//! parameter on a POST, since a domain ignores them there.

use http::Method;
use serde_json::{Value, json};

use super::{Cause, DataPlane, Found, Path, Patience, Refusal, Request, told};
use crate::error::{Error, Result};

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Searched {
    /// The hits of this page.
    pub hits: Vec<Hit>,
    /// How many documents were found in all, as far as the request asked for it (`track_total_hits`).
    pub total: u64,
    /// What single shards could not answer, in the engine's words; not empty means that hits may be missing.
    pub failed_shards: Vec<String>,
}

/// One document that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The index that holds it, with its rotation suffix.
    pub index: String,
    /// Its id.
    pub id: String,
    /// What was sent.
    pub source: Value,
    /// The values that it was sorted by.
    pub sort: Vec<Value>,
}

/// A document that is to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDocument {
    /// The index.
    pub index: String,
    /// The id. One that is there already is left as it is.
    pub id: String,
    /// JSON, with no line break outside a string's escapes.
    pub source: String,
}

/// What became of one document of a bulk request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It was created.
    Done,
    /// A document of this id was there already, and stays as it is.
    WasThere,
    /// It was refused: status, and the engine's code and text. 429 and 5xx may heal by waiting.
    Refused {
        /// The status, as in HTTP.
        status: u16,
        /// Code and text.
        why: String,
    },
}

/// One index, as `_cat/indices` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexState {
    /// Its name.
    pub name: String,
    /// `green`, `yellow` or `red`.
    pub health: String,
    /// Whether it can be searched: a closed one cannot.
    pub is_open: bool,
    /// Documents; 0 for a closed index, which does not tell.
    pub documents: u64,
    /// Documents that were deleted or replaced and are not merged away yet.
    pub deleted: u64,
    /// Bytes, with replicas; 0 for a closed index.
    pub bytes: u64,
    /// Primary shards.
    pub shards: u32,
}

impl DataPlane<'_> {
    /// Searches. `indices` is a name or a pattern; `None` means that a name without a pattern is no index (yet).
    ///
    /// # Errors
    /// Fails on every other status but 2xx; 429, 502, 503, 504 and a lost connection are retried first.
    pub async fn search(&self, indices: &str, body: &Value) -> Result<Option<Searched>, Refusal> {
        let request = Request::with_body(Method::POST, Path::of(&[indices, "_search"]), body);
        Ok(or_absent(self.exchange(&request, Patience::Reading).await)?.map(|answer| searched(&answer)))
    }

    /// Searches one shard of one index, so that sequence numbers, which count within a shard, can be gone by. `None` means
    /// that the index is gone.
    ///
    /// It is a GET with its body among the query parameters, since `preference` is one, and a domain ignores them on a
    /// signed POST. An engine takes 4 KiB of address (http.max_initial_line_length), so the body must be short.
    ///
    /// # Errors
    /// Fails when the domain does not answer, or refuses the query.
    pub async fn search_shard(&self, index: &str, shard: u32, body: &Value) -> Result<Option<Searched>> {
        let (shard, body) = (format!("_shards:{shard}"), body.to_string());
        let query = [("preference", &*shard), ("source", &*body), ("source_content_type", "application/json")];
        match self.get(Path::of(&[index, "_search"]), &query).await? {
            Found::Present(answer) => Ok(Some(searched(&answer))),
            Found::Absent => Ok(None),
            Found::Unknown(why) => Err(Error::failed(why)),
        }
    }

    /// Asks for the health of the cluster once: `green`, `yellow` or `red`.
    ///
    /// # Errors
    /// Fails when the domain does not answer at the first try.
    pub async fn health(&self) -> Result<String, Refusal> {
        let answer = self.exchange(&Request::get(Path::of(&["_cluster", "health"]), &[]), Patience::Once).await?;
        Ok(answer["status"].as_str().unwrap_or("unknown").to_owned())
    }

    /// Counts the documents that a query finds; `None` as for [`DataPlane::search`].
    ///
    /// # Errors
    /// As [`DataPlane::search`].
    pub async fn count(&self, indices: &str, query: &Value) -> Result<Option<u64>, Refusal> {
        let body = json!({"query": query});
        let request = Request::with_body(Method::POST, Path::of(&[indices, "_count"]), &body);
        let answer = or_absent(self.exchange(&request, Patience::Reading).await)?;
        Ok(answer.map(|answer| answer["count"].as_u64().unwrap_or_default()))
    }

    /// Creates documents; the outcomes stand in the order of the documents. To repeat it is harmless: what is there
    /// already is left. A domain takes 10 MiB a request at least, so that is the caller's limit.
    ///
    /// # Errors
    /// As [`DataPlane::put`], and where the answer has not one outcome for each document.
    pub async fn create_documents(&self, documents: &[NewDocument]) -> Result<Vec<Created>, Refusal> {
        let mut body = Vec::new();
        for NewDocument { index, id, source } in documents {
            body.extend(json!({"create": {"_index": index, "_id": id}}).to_string().into_bytes());
            body.push(b'\n');
            body.extend(source.trim().replace(['\n', '\r'], " ").into_bytes());
            body.push(b'\n');
        }
        let request = Request::of_lines(Path::of(&["_bulk"]), body);
        let answer = self.exchange(&request, Patience::Writing).await?;
        let outcomes: Vec<Created> = answer["items"].as_array().into_iter().flatten().map(created).collect();
        if outcomes.len() == documents.len() {
            Ok(outcomes)
        } else {
            let (sent, told) = (documents.len(), outcomes.len());
            let error = Error::failed(format!("{request}: {sent} documents were sent, and {told} were answered for"));
            Err(Refusal { cause: Cause::Other, error })
        }
    }

    /// Reads one document by its id, whether a refresh has made it searchable or not.
    ///
    /// # Errors
    /// As [`DataPlane::get`].
    pub async fn document(&self, index: &str, id: &str) -> Result<Found> {
        self.get(Path::of(&[index, "_doc", id]), &[]).await
    }

    /// Deletes one document by its id; finding it gone is success.
    ///
    /// # Errors
    /// As [`DataPlane::put`].
    pub async fn delete_document(&self, index: &str, id: &str) -> Result<(), Refusal> {
        self.delete(Path::of(&[index, "_doc", id])).await
    }

    /// Makes what was written to an index searchable at once.
    ///
    /// # Errors
    /// As [`DataPlane::put`].
    pub async fn refresh(&self, indices: &str) -> Result<(), Refusal> {
        let request = Request { method: Method::POST, ..Request::get(Path::of(&[indices, "_refresh"]), &[]) };
        self.exchange(&request, Patience::Writing).await.map(|_| ())
    }

    /// Lists the indices of a name or a pattern, sorted by name.
    ///
    /// # Errors
    /// Fails when the domain does not answer.
    pub async fn indices(&self, expression: &str) -> Result<Vec<IndexState>> {
        let query =
            [("format", "json"), ("bytes", "b"), ("h", "index,health,status,pri,docs.count,docs.deleted,store.size")];
        let answer = match self.get(Path::of(&["_cat", "indices", expression]), &query).await? {
            Found::Present(answer) => answer,
            Found::Absent => return Ok(Vec::new()),
            Found::Unknown(why) => return Err(Error::failed(why)),
        };
        let mut indices: Vec<IndexState> = answer.as_array().into_iter().flatten().map(index_state).collect();
        indices.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(indices)
    }
}

fn or_absent(answer: Result<Value, Refusal>) -> Result<Option<Value>, Refusal> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(refusal) if refusal.cause == Cause::NotFound => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

fn searched(answer: &Value) -> Searched {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let hits = answer["hits"]["hits"].as_array().into_iter().flatten();
    let hits = hits
        .map(|hit| Hit {
            index: text(&hit["_index"]),
            id: text(&hit["_id"]),
            source: hit["_source"].clone(),
            sort: hit["sort"].as_array().cloned().unwrap_or_default(),
        })
        .collect();
    // Elasticsearch before 7.0 answers a bare number.
    let total = &answer["hits"]["total"];
    let mut failed_shards: Vec<String> = Vec::new();
    for failure in answer["_shards"]["failures"].as_array().into_iter().flatten() {
        let why = format!("{}: {}", text(&failure["index"]), told(&json!({"error": failure["reason"]})));
        if !failed_shards.contains(&why) {
            failed_shards.push(why);
        }
    }
    if answer["timed_out"] == true {
        failed_shards.push("the search ran out of time".to_owned());
    }
    if failed_shards.is_empty() && answer["_shards"]["failed"].as_u64().unwrap_or_default() > 0 {
        failed_shards.push(format!("{} shards did not answer", answer["_shards"]["failed"]));
    }
    Searched { hits, total: total.as_u64().or_else(|| total["value"].as_u64()).unwrap_or_default(), failed_shards }
}

fn created(item: &Value) -> Created {
    let outcome = &item["create"];
    let status = outcome["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or_default();
    match status {
        200..=299 => Created::Done,
        // The only conflict that a create has.
        409 => Created::WasThere,
        status => Created::Refused { status, why: told(&json!({"error": outcome["error"]})) },
    }
}

fn index_state(line: &Value) -> IndexState {
    let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
    // The numbers come as strings, and as null for a closed index.
    let number = |key: &str| line[key].as_str().and_then(|digits| digits.parse::<u64>().ok()).unwrap_or_default();
    IndexState {
        name: text("index"),
        health: text("health"),
        is_open: text("status") != "close",
        documents: number("docs.count"),
        deleted: number("docs.deleted"),
        bytes: number("store.size"),
        shards: number("pri").try_into().unwrap_or(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_hits_is_read_with_what_it_was_sorted_by() {
        let answer = json!({
            "_shards": {"total": 1, "successful": 1, "failed": 0},
            "timed_out": false,
            "hits": {"total": {"value": 7, "relation": "eq"}, "hits": [
                {"_index": "logs-2026-w48", "_id": "a", "_source": {"message": "x"}, "sort": [5, "a"]},
            ]},
        });
        let hit = Hit {
            index: "logs-2026-w48".into(),
            id: "a".into(),
            source: json!({"message": "x"}),
            sort: vec![json!(5), json!("a")],
        };
        assert_eq!(searched(&answer), Searched { hits: vec![hit], total: 7, failed_shards: Vec::new() });
    }

    #[test]
    fn a_shard_that_did_not_answer_is_told() {
        let reason = json!({"type": "query_shard_exception", "reason": "No mapping found for [asctime]"});
        let failures = json!([{"index": "logs", "reason": reason}, {"index": "logs", "reason": reason}]);
        let told =
            |shards: Value| searched(&json!({"_shards": shards, "hits": {"total": 0, "hits": []}})).failed_shards;
        assert_eq!(
            told(json!({"failed": 2, "failures": failures})),
            ["logs: query_shard_exception: No mapping found for [asctime]"]
        );
        assert_eq!(told(json!({"failed": 2})), ["2 shards did not answer"]);
        assert_eq!(told(json!({"failed": 0})), Vec::<String>::new());
    }

    #[test]
    fn each_document_of_a_bulk_has_its_own_outcome() {
        assert_eq!(created(&json!({"create": {"status": 201}})), Created::Done);
        assert_eq!(
            created(&json!({"create": {"status": 409, "error": {"type": "version_conflict_engine_exception"}}})),
            Created::WasThere
        );
        let error = json!({
            "type": "mapper_parsing_exception",
            "reason": "failed to parse field [asctime]",
            "caused_by": {"type": "illegal_argument_exception", "reason": "no date"},
        });
        let why = "mapper_parsing_exception: failed to parse field [asctime]: no date".to_owned();
        assert_eq!(created(&json!({"create": {"status": 400, "error": error}})), Created::Refused { status: 400, why });
    }
}
