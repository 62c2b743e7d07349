//! What a cluster tells of itself: its settings, and how full its disks are.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::failure::Failure;
use super::{Answer, Ask, Engine, Refused};

/// How many shards a node takes (OpenSearch reference, cluster settings; `cluster.max_shards_per_node`).
const SHARDS_PER_NODE: u64 = 1000;

impl Engine<'_> {
    /// `GET _cluster/settings`: nothing is set, and of the defaults only what somebody asks for here.
    pub(super) fn cluster_settings(&self, ask: Ask<'_>) -> Result<Value, Failure> {
        ask.allow(&["include_defaults"])?;
        let mut answer = json!({"persistent": {}, "transient": {}});
        if ask.flag("include_defaults")? == Some(true) {
            let limit = SHARDS_PER_NODE.to_string();
            answer["defaults"] = if ask.flag("flat_settings")? == Some(true) {
                json!({"cluster.max_shards_per_node": limit})
            } else {
                json!({"cluster": {"max_shards_per_node": limit}})
            };
        }
        Ok(answer)
    }

    /// `GET _cat/allocation`, in JSON and in bytes: the documents, spread evenly over the nodes.
    pub(super) fn cat_allocation(&self, ask: Ask<'_>, now: Timestamp) -> Result<Answer, Refused> {
        ask.allow(&["bytes"])?;
        if ask.parameter("format") != Some("json") || ask.parameter("bytes") != Some("b") {
            return Err(Failure::illegal_argument(
                "the local AWS knows [_cat/allocation] with [format=json] and [bytes=b] only".to_owned(),
            )
            .into());
        }
        let stored: u64 = self.resolve(ask, "*")?.iter().map(|name| self.stored_bytes(name, now)).sum();
        let nodes = u64::try_from(self.data_nodes).unwrap_or(1).max(1);
        let total = self.disk_bytes;
        let used = (stored / nodes).min(total);
        let rows: Vec<Value> = (0..nodes)
            .map(|node| {
                json!({
                    "shards": "0",
                    "disk.indices": used.to_string(),
                    "disk.used": used.to_string(),
                    "disk.avail": (total - used).to_string(),
                    "disk.total": total.to_string(),
                    "disk.percent": (used * 100).checked_div(total).unwrap_or_default().to_string(),
                    "host": "127.0.0.1",
                    "ip": "127.0.0.1",
                    "node": format!("node-{node}"),
                })
            })
            .collect();
        Ok(Answer::Json(200, Value::Array(rows)))
    }
}
