//! What a deletion loses, in documents and bytes. Best effort: what cannot be counted is said to be unknown.

use crate::aws::Session;
use crate::opensearch::{DataPlane, Reach};
use crate::plan::{Action, Plan};
use crate::resource::{Kind, bucket};

/// Returns one line for each resource whose data would be gone.
pub async fn of(session: &Session, plan: &Plan) -> Vec<String> {
    let mut losses = Vec::new();
    for change in plan.changes.iter().filter(|change| change.action == Action::Delete && !change.hazards.is_empty()) {
        match change.kind {
            Kind::Domain => losses.push(format!("domain {}: {}", change.name, documents(session, plan).await)),
            Kind::Bucket => losses.push(format!("bucket {}: {}", change.name, objects(session, &change.name).await)),
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
            format!("{documents} documents, {}, and its automated snapshots", readable_bytes(bytes))
        }
        Err(error) => unknown(error.message),
    }
}

async fn objects(session: &Session, name: &str) -> String {
    match bucket::contents(session, name).await {
        Ok(contents) => format!("{}{} objects, {}", if contents.is_all { "" } else { "more than " }, contents.objects, readable_bytes(contents.bytes)),
        Err(error) => format!("all its objects, which cannot be counted now ({})", error.message),
    }
}

/// Writes bytes as a person says them.
fn readable_bytes(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let exponent = (bytes.ilog2() / 10).min(5);
    let whole = bytes >> (10 * exponent);
    let tenths = ((bytes >> (10 * (exponent - 1))) & 1023) * 10 / 1024;
    format!("{whole}.{tenths} {}", units[exponent as usize - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_readable() {
        assert_eq!(readable_bytes(0), "0 bytes");
        assert_eq!(readable_bytes(1023), "1023 bytes");
        assert_eq!(readable_bytes(1536), "1.5 KiB");
        assert_eq!(readable_bytes(4_402_341_478), "4.1 GiB");
    }
}
