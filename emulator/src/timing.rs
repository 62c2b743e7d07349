//! How long things take in the emulated AWS.

use std::time::Duration;

/// The waits of the emulated AWS. A state that a client could see is passed through even where its wait is zero: it is
/// then shown to exactly one read.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// From a change of a role or its policy until other services act on it.
    pub role_propagation: Duration,
    /// Each stage of the creation or change of a domain.
    pub domain_stage: Duration,
    /// From DeleteDomain until the domain is gone.
    pub domain_delete: Duration,
    /// From the end of a domain's creation until its endpoint appears.
    pub endpoint_delay: Duration,
    /// From the endpoint until Dashboards stop answering 503.
    pub dashboards_delay: Duration,
    /// A delivery stream in CREATING.
    pub stream_create: Duration,
    /// A delivery stream in DELETING.
    pub stream_delete: Duration,
    /// A delivery stream's encryption in ENABLING or DISABLING.
    pub stream_encryption: Duration,
    /// From DeleteBucket until its name can be taken again (OperationAborted until then).
    pub bucket_settle: Duration,
    /// How many seconds one second of Firehose's buffering and retrying takes.
    pub buffer_scale: f64,
}

impl Timing {
    /// No waits at all.
    #[must_use]
    pub fn instant() -> Self {
        Self {
            role_propagation: Duration::ZERO,
            domain_stage: Duration::ZERO,
            domain_delete: Duration::ZERO,
            endpoint_delay: Duration::ZERO,
            dashboards_delay: Duration::ZERO,
            stream_create: Duration::ZERO,
            stream_delete: Duration::ZERO,
            stream_encryption: Duration::ZERO,
            bucket_settle: Duration::ZERO,
            buffer_scale: 0.0,
        }
    }

    /// A stack in about five seconds, with every stage long enough to be seen.
    #[must_use]
    pub fn newcomer() -> Self {
        Self {
            role_propagation: Duration::from_millis(1500),
            domain_stage: Duration::from_millis(600),
            domain_delete: Duration::from_millis(1500),
            endpoint_delay: Duration::from_millis(300),
            dashboards_delay: Duration::from_millis(300),
            stream_create: Duration::from_millis(800),
            stream_delete: Duration::from_millis(800),
            stream_encryption: Duration::from_millis(500),
            bucket_settle: Duration::ZERO,
            buffer_scale: 0.05,
        }
    }

    /// The waits that AWS's guides speak of.
    #[must_use]
    pub fn aws_like() -> Self {
        Self {
            role_propagation: Duration::from_secs(12),
            domain_stage: Duration::from_secs(200),
            domain_delete: Duration::from_secs(600),
            endpoint_delay: Duration::from_secs(60),
            dashboards_delay: Duration::from_secs(60),
            stream_create: Duration::from_secs(60),
            stream_delete: Duration::from_secs(120),
            stream_encryption: Duration::from_secs(20),
            bucket_settle: Duration::from_secs(30),
            buffer_scale: 1.0,
        }
    }

    /// A time of Firehose's buffering or retrying, in real seconds.
    #[must_use]
    pub fn buffering(&self, seconds: u64) -> Duration {
        Duration::from_secs(seconds).mul_f64(self.buffer_scale.max(0.0))
    }
}
