//! The log of Firehose's own errors.

use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use jiff::Timestamp;
use serde_json::Value;

use crate::aws::{Session, failure};
use crate::error::Result;
use crate::opensearch::told_in;

/// One error that Firehose has logged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogError {
    /// AWS's code of it, as `OS.ConnectionTimeout`; what the event holds may be no error as AWS writes it.
    pub code: Option<String>,
    /// In words, without the JSON that an engine's answer stands in.
    pub text: String,
    /// When it was logged.
    pub at: Option<Timestamp>,
}

/// What is read of the log.
#[derive(Clone, Copy, Debug)]
pub struct Within {
    /// From then on, itself included.
    pub since: Timestamp,
    /// Until then, itself included; without it until now.
    pub until: Option<Timestamp>,
    /// How many events are read at most.
    pub most: usize,
}

impl Within {
    /// Reads the events of these log streams, oldest first.
    ///
    /// # Errors
    /// Fails where the log may not be read, and where the group or one of the streams is missing.
    pub async fn read(self, session: &Session, group: &str, streams: &[String]) -> Result<Vec<LogError>> {
        let events = session.aws.logs.filter_log_events().log_group_name(group);
        let events = events.set_log_stream_names(Some(streams.to_vec())).start_time(self.since.as_millisecond());
        let events = events.set_end_time(self.until.map(Timestamp::as_millisecond));
        let mut pages = events.into_paginator().send();
        let mut read = Vec::new();
        // A page may be empty, and others follow it.
        while read.len() < self.most
            && let Some(page) = pages.next().await
        {
            let page = page.map_err(|error| failure(&format!("log group {group}"), "logs:FilterLogEvents", error))?;
            read.extend(page.events().iter().take(self.most - read.len()).map(LogError::of));
        }
        Ok(read)
    }
}

impl LogError {
    fn of(event: &FilteredLogEvent) -> Self {
        let message = event.message().unwrap_or_default();
        let event_as_json: Value = serde_json::from_str(message).unwrap_or_default();
        let text = |key: &str| event_as_json[key].as_str().filter(|text| !text.is_empty());
        Self {
            code: text("errorCode").map(ToOwned::to_owned),
            text: told_in(text("message").or_else(|| text("errorMessage")).unwrap_or(message)),
            at: event.timestamp().and_then(|at| Timestamp::from_millisecond(at).ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(message: &str) -> LogError {
        LogError::of(&FilteredLogEvent::builder().message(message).timestamp(1_795_435_200_500).build())
    }

    #[test]
    fn an_event_as_aws_writes_it_has_a_code_and_words() {
        let event = json!({"errorCode": "OS.ServiceException", "message": r#"{"type":"x_exception","reason":"why"}"#});
        let error = read(&event.to_string());
        assert_eq!(error.code.as_deref(), Some("OS.ServiceException"));
        assert!(error.text.contains("why") && !error.text.contains('{'), "{}", error.text);
        assert_eq!(error.at, Timestamp::from_millisecond(1_795_435_200_500).ok());
    }

    #[test]
    fn what_is_written_otherwise_is_told_as_it_is() {
        let other = json!({"errorCode": "400", "errorMessage": "refused"}).to_string();
        assert_eq!((read(&other).code.as_deref(), read(&other).text.as_str()), (Some("400"), "refused"));
        let plain = read("no JSON at all");
        assert_eq!((plain.code, plain.text.as_str()), (None, "no JSON at all"));
        let bare = read(r#"{"errorCode": "", "message": ""}"#);
        assert_eq!((bare.code, bare.text.as_str()), (None, r#"{"errorCode": "", "message": ""}"#));
    }
}
