//! The emulator as AWS's own SDK sees it, over real HTTP.

mod firehose;
mod iam;
mod logs;
mod opensearch;
mod s3;
mod server;
mod tagging;

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use ekk_emulator::{Emulator, Options, Timing};

/// An emulator in memory without waits.
async fn emulator() -> Emulator {
    Emulator::start(Options::in_memory(Timing::instant())).await.expect("a free port on loopback")
}

/// An SDK that talks to it, without retries.
fn sdk(emulator: &Emulator, region: &'static str) -> SdkConfig {
    sdk_with_key(emulator, region, "AKIAIOSFODNN7EXAMPLE")
}

fn sdk_with_key(emulator: &Emulator, region: &'static str, access_key: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .endpoint_url(format!("http://{}", emulator.address()))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            access_key, "secret", None, None, "test",
        )))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .build()
}

/// The code of the error that a call must have ended with.
fn code<T: std::fmt::Debug, E: ProvideErrorMetadata>(result: Result<T, E>) -> String {
    result.expect_err("this must be refused").code().unwrap_or("no code").to_owned()
}
