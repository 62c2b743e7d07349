//! Single documents: written, read and deleted by id.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::failure::Failure;
use super::settings::{self, Settings};
use super::{Answer, Ask, Engine};

/// A document of an index.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Document {
    pub(crate) source: Value,
    pub(crate) version: u64,
    pub(crate) sequence_number: u64,
    /// From then on searches find it; an index refreshes once a second.
    pub(crate) searchable_at_milliseconds: i64,
}

/// Whether a write may replace what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Index,
    Create,
}

/// When searches see a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refresh {
    AtOnce,
    ByInterval,
}

/// A write that took effect.
pub(crate) struct Written {
    pub(crate) id: String,
    pub(crate) version: u64,
    pub(crate) sequence_number: u64,
    pub(crate) result: &'static str,
    pub(crate) status: u16,
}

impl Engine<'_> {
    /// Writes a document, making the index where there is none yet.
    pub(crate) fn write(
        &mut self,
        operation: Operation,
        index: &str,
        id: Option<&str>,
        source: &Value,
        refresh: Refresh,
        now: Timestamp,
    ) -> Result<Written, Failure> {
        let id = id.map_or_else(generated_id, str::to_owned);
        if id.is_empty() {
            return Err(Failure::illegal_argument("if _id is specified it must not be empty"));
        }
        if id.len() > 512 {
            return Err(Failure::illegal_argument(format!(
                "id [{id}] is too long, must be no longer than 512 bytes but was: {}",
                id.len()
            )));
        }
        let made = self.index(index).is_none();
        if made {
            self.create_index(index, Settings::new(), None, now)?;
        }
        let index_key = self.index_key(index);
        let key = format!("{index_key}/{id}");
        let Some(object) = source.as_object() else {
            return Err(Failure::mapper_parsing("failed to parse").caused_by(Failure::new(
                400,
                "not_x_content_exception",
                "Compressor detection can only be called on some xcontent bytes or compressed xcontent bytes",
            )));
        };
        let Some(found) = self.data.indexes.get(&index_key) else {
            return Err(Failure::index_not_found(index));
        };
        if let Some((status, why)) = found.write_block() {
            let reason = format!("index [{index}] blocked by: [{why}];");
            return Err(Failure::new(status, "cluster_block_exception", reason));
        }
        let existing = self.data.documents.get(&key);
        if let (Operation::Create, Some(existing)) = (operation, existing) {
            return Err(Failure::new(
                409,
                "version_conflict_engine_exception",
                format!("[{id}]: version conflict, document already exists (current version [{}])", existing.version),
            )
            .on_index(index));
        }
        let version = existing.map_or(1, |existing| existing.version + 1);
        let was_searchable =
            existing.is_some_and(|existing| existing.searchable_at_milliseconds <= now.as_millisecond());
        let limits = self.limits(&found.settings);
        let interval = settings::refresh_interval(&found.settings);
        let searchable_at_milliseconds = match (refresh, was_searchable, interval) {
            (Refresh::AtOnce, _, _) | (Refresh::ByInterval, true, _) => now.as_millisecond(),
            (Refresh::ByInterval, false, Some(interval)) => {
                now.as_millisecond() + milliseconds(interval.mul_f64(self.refresh_scale.clamp(0.0, 1.0)))
            }
            (Refresh::ByInterval, false, None) => i64::MAX,
        };
        let Some(found) = self.data.indexes.get_mut(&index_key) else {
            return Err(Failure::index_not_found(index));
        };
        found.mapping.accept(&id, object, limits)?;
        let sequence_number = found.next_sequence_number;
        found.next_sequence_number += 1;
        let document = Document { source: source.clone(), version, sequence_number, searchable_at_milliseconds };
        self.data.documents.insert(key, document);
        let (result, status) = if version == 1 { ("created", 201) } else { ("updated", 200) };
        Ok(Written { id, version, sequence_number, result, status })
    }

    /// Deletes a document; one that is not there is a 404 without an error.
    pub(crate) fn delete(&mut self, index: &str, id: &str) -> Result<Written, Failure> {
        let key = self.index_key(index);
        let Some(found) = self.data.indexes.get_mut(&key) else {
            return Err(Failure::index_not_found(index));
        };
        let sequence_number = found.next_sequence_number;
        found.next_sequence_number += 1;
        match self.data.documents.remove(&format!("{key}/{id}")) {
            Some(document) => {
                found.deleted_documents += 1;
                let version = document.version + 1;
                Ok(Written { id: id.to_owned(), version, sequence_number, result: "deleted", status: 200 })
            }
            None => Ok(Written { id: id.to_owned(), version: 1, sequence_number, result: "not_found", status: 404 }),
        }
    }

    /// A write as an answer describes it.
    pub(crate) fn written(&self, index: &str, written: &Written) -> Value {
        let Written { id, version, sequence_number, result, status: _ } = written;
        let mut answer = json!({
            "_index": index,
            "_id": id,
            "_version": version,
            "result": result,
            "_shards": self.written_shards(index),
            "_seq_no": sequence_number,
            "_primary_term": 1,
        });
        if self.version.names_types() {
            answer["_type"] = json!("_doc");
        }
        answer
    }

    pub(super) fn write_document(
        &mut self,
        ask: Ask<'_>,
        index: &str,
        id: Option<&str>,
        now: Timestamp,
    ) -> Result<Answer, Failure> {
        ask.allow(&["op_type", "refresh"])?;
        let operation = match ask.parameter("op_type") {
            Some("create") => Operation::Create,
            Some("index") | None => Operation::Index,
            Some(other) => {
                return Err(Failure::illegal_argument(format!("opType must be 'create' or 'index', found: [{other}]")));
            }
        };
        self.write_as(operation, ask, index, id, now)
    }

    pub(super) fn create_document(
        &mut self,
        ask: Ask<'_>,
        index: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<Answer, Failure> {
        ask.allow(&["refresh"])?;
        self.write_as(Operation::Create, ask, index, Some(id), now)
    }

    fn write_as(
        &mut self,
        operation: Operation,
        ask: Ask<'_>,
        index: &str,
        id: Option<&str>,
        now: Timestamp,
    ) -> Result<Answer, Failure> {
        let refresh = read_refresh(ask)?;
        let source = match ask.json() {
            Ok(Some(source)) => source,
            Ok(None) => return Err(Failure::new(400, "parse_exception", "request body is required")),
            Err(unreadable) => return Err(Failure::mapper_parsing("failed to parse").caused_by(unreadable)),
        };
        let written = self.write(operation, index, id, &source, refresh, now)?;
        if refresh == Refresh::AtOnce {
            self.refresh_index(index, now);
        }
        Ok(Answer::Json(written.status, self.written(index, &written)))
    }

    pub(super) fn delete_document(
        &mut self,
        ask: Ask<'_>,
        index: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<Answer, Failure> {
        ask.allow(&["refresh"])?;
        let refresh = read_refresh(ask)?;
        let written = self.delete(index, id)?;
        if refresh == Refresh::AtOnce {
            self.refresh_index(index, now);
        }
        Ok(Answer::Json(written.status, self.written(index, &written)))
    }

    pub(super) fn get_document(&self, ask: Ask<'_>, index: &str, id: &str) -> Result<Answer, Failure> {
        ask.allow(&["realtime"])?;
        if self.index(index).is_none() {
            return Err(Failure::index_not_found(index));
        }
        let mut answer = json!({"_index": index, "_id": id, "found": false});
        if self.version.names_types() {
            answer["_type"] = json!("_doc");
        }
        let Some(document) = self.data.documents.get(&format!("{}/{id}", self.index_key(index))) else {
            return Ok(Answer::Json(404, answer));
        };
        answer["found"] = json!(true);
        answer["_version"] = json!(document.version);
        answer["_seq_no"] = json!(document.sequence_number);
        answer["_primary_term"] = json!(1);
        answer["_source"] = document.source.clone();
        Ok(answer.into())
    }

    pub(super) fn get_source(&self, ask: Ask<'_>, index: &str, id: &str) -> Result<Answer, Failure> {
        ask.allow(&["realtime"])?;
        if self.index(index).is_none() {
            return Err(Failure::index_not_found(index));
        }
        match self.data.documents.get(&format!("{}/{id}", self.index_key(index))) {
            Some(document) => Ok(document.source.clone().into()),
            None => {
                Err(Failure::new(404, "resource_not_found_exception", format!("Document not found [{index}]/[{id}]")))
            }
        }
    }
}

/// The `refresh` parameter; `wait_for` is answered as if the wait were over.
pub(super) fn read_refresh(ask: Ask<'_>) -> Result<Refresh, Failure> {
    match ask.parameter("refresh") {
        None | Some("false") => Ok(Refresh::ByInterval),
        Some("" | "true" | "wait_for") => Ok(Refresh::AtOnce),
        Some(other) => Err(Failure::illegal_argument(format!("Unknown value for refresh: [{other}]."))),
    }
}

pub(super) fn generated_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()[..20].to_owned()
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
