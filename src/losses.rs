//! What a deletion loses, in documents and bytes. Best effort: what cannot be counted is said to be unknown.

use crate::aws::Session;
use crate::bytes::Bytes;
use crate::opensearch::{DataPlane, Reach};
use crate::plan::{Action, Plan};
use crate::resource::{Kind, bucket};

/// Returns one line for each resource whose data would be gone.
pub async fn of(session: &Session, plan: &Plan) -> Vec<String> {
    let mut losses = Vec::new();
    for change in plan.changes.iter().filter(|change| change.action == Action::Delete && !change.hazards.is_empty()) {
        match change.kind {
            Kind::Domain => losses.push(format!("domain {}: {}", change.name, documents(session, plan).await)),
            Kind::Bucket => losses.push(format!("bucket {}: {}", change.name, objects(session, plan).await)),
            Kind::Role | Kind::LogGroup | Kind::IndexTemplate | Kind::Stream | Kind::IndexPattern => {}
        }
    }
    losses
}

async fn documents(session: &Session, plan: &Plan) -> String {
    let unknown = |why: String| format!("all its documents, which cannot be counted now ({why})");
    let data_plane = match DataPlane::reach(session, &plan.names).await {
        Ok(Reach::Ready(data_plane)) => data_plane,
        Ok(Reach::Absent) => return "nothing, it is not there".to_owned(),
        Ok(Reach::Unknown(why)) => return unknown(why),
        Err(error) => return unknown(error.message),
    };
    match data_plane.size_of_all_indices().await {
        Ok((documents, bytes)) => {
            let noun = if documents == 1 { "document" } else { "documents" };
            format!("{documents} {noun}, {}, and its automated snapshots", Bytes(bytes))
        }
        Err(error) => unknown(error.message),
    }
}

async fn objects(session: &Session, plan: &Plan) -> String {
    match bucket::contents(session, &plan.names).await {
        Ok(contents) => contents.to_string(),
        Err(error) => format!("all its objects, which cannot be counted now ({})", error.message),
    }
}
