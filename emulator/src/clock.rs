//! The one clock of an emulator: the system's, moved by what tests added to it.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

/// Tells the time; tests move it forward instead of sleeping.
#[derive(Debug, Default)]
pub struct Clock {
    ahead_nanoseconds: AtomicI64,
}

impl Clock {
    /// The emulated time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_nanos(self.ahead_nanoseconds.load(Ordering::SeqCst))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let nanoseconds = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX / 4);
        self.ahead_nanoseconds.fetch_add(nanoseconds, Ordering::SeqCst);
    }

    /// Sets the clock to a moment, from which it runs on.
    pub fn set(&self, to: Timestamp) {
        let nanoseconds = to.duration_since(Timestamp::now()).as_nanos();
        self.ahead_nanoseconds.store(i64::try_from(nanoseconds).unwrap_or(i64::MAX / 4), Ordering::SeqCst);
    }
}

/// A moment plus a wait, never past the end of time.
#[must_use]
pub fn after(moment: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait).ok().and_then(|wait| moment.checked_add(wait).ok()).unwrap_or(Timestamp::MAX)
}
