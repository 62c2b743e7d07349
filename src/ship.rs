//! Ships records to a delivery stream: in batches, in their order, with only the failed ones of a batch sent again.
//! What was given up is told with where it came from, so that nothing is lost without a word.

use std::time::Duration;

use aws_sdk_firehose::error::SdkError;
use aws_sdk_firehose::operation::put_record_batch::{PutRecordBatchError, PutRecordBatchOutput};
use aws_sdk_firehose::types::Record;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::Blob;

use crate::aws::{Session, code, failure};
use crate::error::{Error, Result};
use crate::wait::pause;

/// The most records of one PutRecordBatch (Firehose API reference).
pub const MOST_RECORDS: usize = 500;
/// The most bytes of one PutRecordBatch. The quota is 4 MiB, and whether base64 counts is not documented, so less is sent.
pub const MOST_BYTES: usize = 4_000_000;
/// How often in a row nothing of a batch may be taken before it is given up; about 90 s on AWS, beyond the SDK's retries.
const ATTEMPTS: u32 = 12;

const PUT: &str = "firehose:PutRecordBatch";

/// A record and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shipment {
    /// The number of its source, as the caller counts them.
    pub source: usize,
    /// The record, with a newline at its end.
    pub bytes: Vec<u8>,
    /// The line in its source, counted from 1.
    pub line: u64,
}

/// Records that go together.
#[derive(Debug, Default)]
pub struct Batch {
    records: Vec<Shipment>,
    bytes: usize,
}

impl Batch {
    /// Tells whether one more record of this size fits.
    #[must_use]
    pub fn has_room(&self, bytes: usize) -> bool {
        self.records.len() < MOST_RECORDS && (self.records.is_empty() || self.bytes + bytes <= MOST_BYTES)
    }

    /// Adds a record.
    pub fn add(&mut self, shipment: Shipment) {
        self.bytes += shipment.bytes.len();
        self.records.push(shipment);
    }

    /// Tells whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns how many records are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns the last record.
    #[must_use]
    pub fn last(&self) -> Option<&Shipment> {
        self.records.last()
    }

    /// Returns the first record.
    #[must_use]
    pub fn first(&self) -> Option<&Shipment> {
        self.records.first()
    }
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Shipped {
    /// Records that Firehose took.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records that were sent more than once, since Firehose did not take them at first.
    pub again: u64,
    /// Records that Firehose will never take, and why.
    pub refused: Vec<(Shipment, String)>,
    /// Records that were given up after many attempts, in order, and why.
    pub given_up: Option<(Vec<Shipment>, Error)>,
}

/// Sends a batch until all of it was taken or refused. What is left where nothing is taken for a while, or where trying
/// again cannot help (the stream is gone, or the caller may not put to it), stands in [`Shipped::given_up`]. A lost answer
/// is sent again, so that a record may come twice, as with every producer of Firehose.
pub async fn batch(session: &Session, stream: &str, batch: Batch) -> Shipped {
    let mut shipped = Shipped::default();
    let mut left = batch.records;
    let mut most = left.len();
    let mut attempt = 0;
    while !left.is_empty() {
        let now = most.min(left.len());
        let answer = put(session, stream, &left[..now]).await;
        let error = match answer {
            Ok(answer) => {
                let outcomes = answer.request_responses();
                if outcomes.len() != now {
                    let told = format!("stream {stream}: {PUT}: {now} records, {} answers", outcomes.len());
                    shipped.given_up = Some((left, Error::failed(told)));
                    return shipped;
                }
                let mut failed = Vec::new();
                let mut why = String::new();
                for (shipment, outcome) in left.drain(..now).zip(outcomes) {
                    match outcome.error_code() {
                        None => {
                            shipped.records += 1;
                            shipped.bytes += shipment.bytes.len() as u64;
                        }
                        Some(code) => {
                            why = format!("{code}: {}", outcome.error_message().unwrap_or("no message"));
                            failed.push(shipment);
                        }
                    }
                }
                if failed.len() < now {
                    attempt = 0;
                }
                if failed.is_empty() {
                    continue;
                }
                shipped.again += failed.len() as u64;
                // Before everything else, so that the order stays.
                failed.append(&mut left);
                left = failed;
                Error::failed(format!("stream {stream}: {PUT}: {why}"))
            }
            // A request that is too large as a whole may go in halves; a single record is refused for good.
            Err(error) if code(&error) == Some("InvalidArgumentException") => {
                if now > 1 {
                    most = now / 2;
                } else {
                    let why = crate::aws::text(&error).unwrap_or("InvalidArgumentException").to_owned();
                    shipped.refused.push((left.remove(0), why));
                }
                continue;
            }
            Err(error) if may_heal(&error) => told(stream, error),
            Err(error) => {
                shipped.given_up = Some((left, told(stream, error)));
                return shipped;
            }
        };
        attempt += 1;
        if attempt >= ATTEMPTS {
            shipped.given_up = Some((left, error));
            return shipped;
        }
        pause(&session.waiting, attempt - 1).await;
        // Several who were throttled together must not come back together.
        tokio::time::sleep(jitter(session.pace().pause(attempt - 1))).await;
    }
    shipped
}

async fn put(
    session: &Session,
    stream: &str,
    records: &[Shipment],
) -> Result<PutRecordBatchOutput, SdkError<PutRecordBatchError, HttpResponse>> {
    let mut request = session.aws.firehose.put_record_batch().delivery_stream_name(stream);
    for shipment in records {
        let record = Record::builder().data(Blob::new(shipment.bytes.as_slice())).build();
        request = request.records(record.map_err(SdkError::construction_failure)?);
    }
    request.send().await
}

fn may_heal(error: &SdkError<PutRecordBatchError, HttpResponse>) -> bool {
    match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(service) => {
            service.raw().status().as_u16() >= 500
                || matches!(
                    code(error),
                    Some("ServiceUnavailableException" | "ThrottlingException" | "LimitExceededException")
                )
        }
        _ => false,
    }
}

fn told(stream: &str, error: SdkError<PutRecordBatchError, HttpResponse>) -> Error {
    failure(&format!("stream {stream}"), PUT, error)
}

/// Up to half of a pause, by the clock's finest digits: good enough to spread who waits.
fn jitter(pause: Duration) -> Duration {
    let fine = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    pause.mul_f64(f64::from(fine % 1000) / 2000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipment(bytes: usize) -> Shipment {
        Shipment { source: 0, bytes: vec![b'x'; bytes], line: 0 }
    }

    #[test]
    fn a_batch_holds_500_records_or_4_000_000_bytes() {
        let mut batch = Batch::default();
        assert!(batch.has_room(usize::MAX), "one record always goes");
        for _ in 0..MOST_RECORDS {
            assert!(batch.has_room(10));
            batch.add(shipment(10));
        }
        assert!(!batch.has_room(0));
        let mut batch = Batch::default();
        for _ in 0..3 {
            batch.add(shipment(1_000_000));
        }
        assert!(batch.has_room(1_000_000));
        assert!(!batch.has_room(1_000_001));
    }
}
