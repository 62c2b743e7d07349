//! What time it is on AWS, by the Date header of an answer: this machine's clock may be wrong.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;

/// Keeps the Date header of an answer, of a refusal too.
#[derive(Clone, Debug, Default)]
pub struct ServerClock(Arc<Mutex<Option<SystemTime>>>);

impl ServerClock {
    /// Returns what the answer said; `None` where there was none, or it did not say.
    #[must_use]
    pub fn read(&self) -> Option<SystemTime> {
        *self.0.lock().ok()?
    }
}

#[dyn_dispatch_hint]
impl Intercept for ServerClock {
    fn name(&self) -> &'static str {
        "ServerClock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").and_then(parsed);
        if let Ok(mut known) = self.0.lock() {
            *known = date;
        }
        Ok(())
    }
}

fn parsed(date: &str) -> Option<SystemTime> {
    SystemTime::try_from(DateTime::from_str(date, Format::HttpDate).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_date_header_is_read_as_a_time() {
        assert_eq!(parsed("Thu, 01 Jan 1970 00:01:00 GMT"), Some(UNIX_EPOCH + Duration::from_secs(60)));
        assert_eq!(parsed("yesterday"), None);
    }
}
