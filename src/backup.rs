//! What lies in a backup bucket: keys, objects, records and failed documents. Pure: bytes in, records out; nothing that
//! cannot be read is passed over in silence.

mod document;
mod key;
mod object;
mod values;

pub use self::document::{FailedDocument, derived_id, record_line};
pub use self::key::{Compression, Key, Layout, Name, PROCESSING_FAILED};
pub use self::object::{ObjectReader, Piece};
