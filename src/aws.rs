//! The clients, how they retry and through which proxy they go, and the one adapter that turns an SDK error into ours.

mod server_clock;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::ProvideRegion as _;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sdk_opensearch::types::DomainStatus;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::app_name::AppName;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use tokio::sync::{Mutex, OnceCell};

use crate::error::{Error, ErrorKind, Result};
use crate::stack::Names;
use crate::target::Target;
use crate::wait::{Pace, Waiting};

pub use server_clock::ServerClock;

/// One client for each service, and what is needed to sign requests to a domain.
#[derive(Clone, Debug)]
pub struct Aws {
    /// CloudWatch Logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// Firehose.
    pub firehose: aws_sdk_firehose::Client,
    /// IAM.
    pub iam: aws_sdk_iam::Client,
    /// OpenSearch Service's control plane.
    pub opensearch: aws_sdk_opensearch::Client,
    /// The Resource Groups Tagging API.
    pub tagging: aws_sdk_resourcegroupstagging::Client,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// STS.
    pub sts: aws_sdk_sts::Client,
    /// The HTTP client that all of them share; requests to a domain go through it too.
    pub http: SharedHttpClient,
    /// Who signs.
    pub credentials: SharedCredentialsProvider,
    /// The region.
    pub region: String,
    /// How a domain's endpoint, which comes without a scheme, is spoken to.
    pub domain_scheme: DomainScheme,
}

/// The scheme of a domain's endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainScheme {
    /// As on AWS.
    Https,
    /// Where an endpoint override with plain http is in force for OpenSearch Service.
    Http,
}

/// How to connect.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// `--region`, else the spec's `region`; else the AWS configuration chain decides.
    pub region: Option<String>,
    /// `--profile`.
    pub profile: Option<String>,
    /// The embedded local AWS: its address, with credentials that only it knows. Nothing of the environment counts then.
    pub local: Option<String>,
    /// Shorter pauses between the SDK's own retries, for the local AWS and tests.
    pub quick_retries: bool,
}

/// The region of the embedded local AWS where neither the file nor the configuration names one.
pub const LOCAL_REGION: &str = "us-east-1";

/// What to do where no credentials are found.
pub const NO_CREDENTIALS_HINT: &str =
    "configure credentials (`aws configure sso`, AWS_PROFILE, or a role in CI), or use --local";

impl Aws {
    /// Loads the AWS configuration chain and makes the clients. Sends nothing.
    ///
    /// # Errors
    /// Fails when no region is configured.
    pub async fn connect(connection: &Connection) -> Result<Self> {
        let Connection { region, profile, local, quick_retries } = connection;
        let http = http_client();
        let retries = RetryConfig::standard().with_max_attempts(5);
        let retries = if *quick_retries || local.is_some() {
            retries.with_initial_backoff(Duration::from_millis(5)).with_max_backoff(Duration::from_millis(50))
        } else {
            retries
        };
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(Duration::from_secs(30))
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http.clone())
            .retry_config(retries.clone())
            .timeout_config(timeouts);
        if let Some(region) = region {
            loader = loader.region(Region::new(region.clone()));
        } else if local.is_some() {
            // The default chain would ask the instance metadata service, which is silent for seconds where there is none.
            loader = loader.region(
                RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                    .or_else(ProfileFileRegionProvider::new())
                    .or_else(Region::from_static(LOCAL_REGION)),
            );
        }
        if let Some(profile) = profile {
            // By itself a profile's name would be looked at behind the keys in the environment: who names one means it.
            let of_profile = ProfileFileRegionProvider::builder().profile_name(profile).build().region().await;
            let provider = ProviderConfig::default()
                .with_http_client(http.clone())
                .with_region(region.clone().map(Region::new).or(of_profile));
            let credentials = ProfileFileCredentialsProvider::builder().profile_name(profile).configure(&provider);
            loader = loader.profile_name(profile).credentials_provider(credentials.build());
        }
        if let Some(endpoint) = local {
            loader = loader.endpoint_url(endpoint).credentials_provider(local_credentials());
        }
        let config = loader.load().await;
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(Error::usage("no region: neither the spec nor the AWS configuration names one")
                .hint("write `region: eu-west-1` into the spec, pass --region, or set AWS_REGION"));
        };
        // Who reads CloudTrail sees what made a call, unless the configuration names something of its own (sdk_ua_app_id).
        let config = match (config.app_name(), AppName::new("ekk")) {
            (None, Ok(name)) => config.into_builder().app_name(name).build(),
            (Some(_), _) | (None, Err(_)) => config,
        };
        let config = match local {
            // A variable such as AWS_ENDPOINT_URL_S3 would win over the endpoint that is set here.
            Some(_) => config.into_builder().service_config(NoServiceConfig).build(),
            None => config,
        };
        let credentials = config.credentials_provider().ok_or_else(|| Error::failed("no AWS credentials"))?;
        let opensearch_endpoint = local.clone().or_else(|| endpoint_override(&config, "OpenSearch"));
        let domain_scheme = match opensearch_endpoint {
            Some(url) if url.starts_with("http://") => DomainScheme::Http,
            Some(_) | None => DomainScheme::Https,
        };
        // A bucket's name cannot be put in front of an overridden endpoint's host.
        let path_style = local.is_some() || endpoint_override(&config, "S3").is_some();
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(path_style).build();
        // The first call of all: whoever has no network is told within seconds.
        let sts = aws_sdk_sts::config::Builder::from(&config).retry_config(retries.with_max_attempts(3)).build();
        Ok(Self {
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
            firehose: aws_sdk_firehose::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            opensearch: aws_sdk_opensearch::Client::new(&config),
            tagging: aws_sdk_resourcegroupstagging::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            sts: aws_sdk_sts::Client::from_conf(sts),
            http,
            credentials,
            region,
            domain_scheme,
        })
    }
}

/// Returns the credentials that only the embedded local AWS takes.
#[must_use]
pub fn local_credentials() -> Credentials {
    Credentials::new("ekklocal", "ekklocal", None, None, "ekk local")
}

/// The settings for single services that the local AWS knows: none.
#[derive(Debug)]
struct NoServiceConfig;

impl LoadServiceConfig for NoServiceConfig {
    fn load_config(&self, _key: ServiceConfigKey<'_>) -> Option<String> {
        None
    }
}

/// Returns the endpoint override for one service, in the order of the SDK: its own variable or profile setting, then
/// the common one.
fn endpoint_override(config: &SdkConfig, service: &str) -> Option<String> {
    let key =
        ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url").build().ok();
    key.and_then(|key| config.service_config()?.load_config(key))
        .or_else(|| config.endpoint_url().map(ToOwned::to_owned))
}

/// Sends loopback requests directly and everything else through HTTPS_PROXY, where one is set.
#[derive(Debug)]
struct LoopbackAware {
    direct: SharedHttpConnector,
    proxied: SharedHttpConnector,
}

impl HttpConnector for LoopbackAware {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if is_loopback(request.uri()) { self.direct.call(request) } else { self.proxied.call(request) }
    }
}

fn is_loopback(uri: &str) -> bool {
    let Ok(uri) = uri.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Makes [`LoopbackAware`] connectors; each of the two clients keeps its own connections.
#[derive(Debug)]
struct LoopbackAwareClient {
    direct: SharedHttpClient,
    proxied: SharedHttpClient,
}

impl HttpClient for LoopbackAwareClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(LoopbackAware {
            direct: self.direct.http_connector(settings, components),
            proxied: self.proxied.http_connector(settings, components),
        })
    }
}

fn http_client() -> SharedHttpClient {
    let client = |proxy: ProxyConfig| {
        Builder::new().build_with_connector_fn(move |settings, components| {
            let mut builder =
                Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).proxy_config(proxy.clone());
            builder.set_connector_settings(settings.cloned());
            builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            builder.build()
        })
    };
    SharedHttpClient::new(LoopbackAwareClient {
        direct: client(ProxyConfig::disabled()),
        proxied: client(ProxyConfig::from_env()),
    })
}

/// One run against one account and region: the clients, who is asking, and how to wait.
#[derive(Debug)]
pub struct Session {
    /// The clients.
    pub aws: Aws,
    /// How to wait, and whom to tell.
    pub waiting: Waiting,
    caller: OnceCell<Result<Caller>>,
    domain: Mutex<Option<Described>>,
    credentials: Mutex<Option<Credentials>>,
    role_was_written: AtomicBool,
}

/// What DescribeDomain answered; `None` when there is no such domain.
pub type Described = Option<Arc<DomainStatus>>;

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The caller's ARN.
    pub arn: String,
    /// Partition, region and account.
    pub target: Target,
}

impl Session {
    /// Makes a session. Sends nothing.
    #[must_use]
    pub fn new(aws: Aws, waiting: Waiting) -> Self {
        Self {
            aws,
            waiting,
            caller: OnceCell::new(),
            domain: Mutex::new(None),
            credentials: Mutex::new(None),
            role_was_written: AtomicBool::new(false),
        }
    }

    /// Returns who is asking; sts:GetCallerIdentity is called once, however many ask at the same time.
    ///
    /// # Errors
    /// Fails when there are no credentials, or they are expired or wrong.
    pub async fn caller(&self) -> Result<&Caller> {
        // A failure is remembered as well: a dozen reads ask, and each new try would cost all its retries again.
        self.caller.get_or_init(|| self.ask_caller()).await.as_ref().map_err(Clone::clone)
    }

    async fn ask_caller(&self) -> Result<Caller> {
        let identity = self
            .aws
            .sts
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| failure("caller", "sts:GetCallerIdentity", error))?;
        let arn = identity.arn().unwrap_or_default().to_owned();
        let target = Target::from_caller_arn(&arn, &self.aws.region)?;
        Ok(Caller { arn, target })
    }

    /// Returns where this session's stacks live.
    ///
    /// # Errors
    /// As [`Session::caller`].
    pub async fn target(&self) -> Result<&Target> {
        Ok(&self.caller().await?.target)
    }

    /// Fills `{account}` in a name; a name without it costs no call.
    ///
    /// # Errors
    /// As [`Session::caller`].
    pub async fn name(&self, name: &str) -> Result<String> {
        if name.contains("{account}") { Ok(self.target().await?.fill(name)) } else { Ok(name.to_owned()) }
    }

    /// Fills `{account}` in all names.
    ///
    /// # Errors
    /// As [`Session::caller`].
    pub async fn names(&self, names: &Names) -> Result<Names> {
        Ok(names.filled(self.target().await?))
    }

    /// Returns the credentials to sign a request to a domain with. They are kept until they expire, as the SDK's clients
    /// keep theirs: a provider such as SSO or a process is not asked for each request.
    ///
    /// # Errors
    /// Fails when there are none.
    pub async fn credentials(&self) -> Result<Credentials> {
        let mut known = self.credentials.lock().await;
        let soon = SystemTime::now() + Duration::from_secs(60);
        if let Some(credentials) = &*known
            && credentials.expiry().is_none_or(|expiry| expiry > soon)
        {
            return Ok(credentials.clone());
        }
        let credentials = self.aws.credentials.provide_credentials().await.map_err(|error| {
            Error::failed(format!("no AWS credentials: {}", causes(&error).join(": "))).hint(NO_CREDENTIALS_HINT)
        })?;
        *known = Some(credentials.clone());
        Ok(credentials)
    }

    /// Returns the domain as it was last described; asks when nobody has. Many may ask at the same time at the cost of
    /// one call.
    ///
    /// # Errors
    /// Fails as es:DescribeDomain does.
    pub async fn domain(&self, name: &str) -> Result<Described> {
        let mut known = self.domain.lock().await;
        if let Some(described) = &*known {
            return Ok(described.clone());
        }
        let described = self.describe_domain(name).await?;
        *known = Some(described.clone());
        Ok(described)
    }

    /// Describes the domain anew, and remembers the answer for [`Session::domain`].
    ///
    /// # Errors
    /// Fails as es:DescribeDomain does.
    pub async fn ask_domain(&self, name: &str) -> Result<Described> {
        let described = self.describe_domain(name).await?;
        *self.domain.lock().await = Some(described.clone());
        Ok(described)
    }

    async fn describe_domain(&self, name: &str) -> Result<Described> {
        match self.aws.opensearch.describe_domain().domain_name(name).send().await {
            Ok(answer) => Ok(answer.domain_status.map(Arc::new)),
            // OpenSearch Service answers 409 for what is missing, so the code counts and not the status.
            Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(failure(&format!("domain {name}"), "es:DescribeDomain", error)),
        }
    }

    /// Notes that this run wrote the role or its policy, so that what uses it gives it time to spread.
    pub fn note_role_written(&self) {
        self.role_was_written.store(true, Ordering::Relaxed);
    }

    /// Tells whether this run wrote the role or its policy.
    #[must_use]
    pub fn role_was_written(&self) -> bool {
        self.role_was_written.load(Ordering::Relaxed)
    }

    /// Returns the pace of polling.
    #[must_use]
    pub fn pace(&self) -> Pace {
        self.waiting.pace
    }
}

/// Turns an SDK error into ours. `resource` says what was worked on (`role logs-firehose`), `action` which call it was,
/// in IAM's form (`iam:CreateRole`), which is also the permission that a refusal names.
///
/// The SDK's own `Display` says only "service error", so code and message are taken from the metadata.
pub fn failure<E>(resource: &str, action: &str, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match &error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("unknown error");
            let text = service.err().message().unwrap_or("no message");
            service_failure(resource, action, code, text)
        }
        SdkError::ConstructionFailure(_)
        | SdkError::TimeoutError(_)
        | SdkError::DispatchFailure(_)
        | SdkError::ResponseError(_)
        | _ => {
            let causes = causes(&error);
            let message = format!("{resource}: {action}: {}", causes.join(": "));
            let told = causes.join(" ").to_lowercase();
            if told.contains("credential") {
                // The outer causes only say that something failed.
                let deepest = causes.last().map(String::as_str).unwrap_or_default();
                Error::failed(format!("{resource}: {action}: {deepest}")).hint(NO_CREDENTIALS_HINT)
            } else {
                Error::failed(message)
                    .hint("check the network, HTTPS_PROXY and the endpoint settings, then run the same command again")
            }
        }
    }
}

/// Words an error that AWS answered with a code, for calls that do not go through an SDK client too.
#[must_use]
pub fn service_failure(resource: &str, action: &str, code: &str, text: &str) -> Error {
    let message = format!("{resource}: {action}: {code}: {text}");
    if is_denied(code) {
        let missing = action_in(text).unwrap_or(action);
        return Error::new(ErrorKind::Denied, message).hint(format!("allow {missing} to the caller"));
    }
    match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "TokenRefreshRequired" => {
            Error::failed(message).hint("the credentials have expired: log in again (`aws sso login`)")
        }
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => {
            Error::failed(message).hint("AWS does not know these credentials: check AWS_PROFILE and the keys")
        }
        "RequestTimeTooSkewed" => Error::failed(message).hint("this machine's clock is wrong: set it by NTP"),
        _ => Error::failed(message),
    }
}

/// Returns the action that AWS's text says is not allowed. It may be another one than the call: a create that carries
/// tags also needs the permission to tag.
fn action_in(text: &str) -> Option<&str> {
    let action = text.split_once("not authorized to perform: ")?.1.split([' ', ',']).next()?.trim_end_matches('.');
    let (service, operation) = action.split_once(':')?;
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_word(service) && is_word(operation)).then_some(action)
}

/// Tells whether AWS's error code means a missing permission.
#[must_use]
pub fn is_denied(code: &str) -> bool {
    matches!(
        code,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "NotAuthorized" | "AuthorizationError"
    )
}

/// Returns the code of an error that the service itself answered.
pub fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// Returns the text of an error that the service itself answered.
pub fn text<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::message)
}

/// Returns the texts of an error and of what caused it, each once.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if !causes.iter().any(|known| known.contains(&text)) {
            causes.push(text);
        }
        next = cause.source();
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_goes_past_the_proxy() {
        assert!(is_loopback("http://127.0.0.1:4566/x"));
        assert!(is_loopback("http://[::1]:4566/x"));
        assert!(is_loopback("http://localhost/"));
        assert!(!is_loopback("https://iam.amazonaws.com/"));
        assert!(!is_loopback("https://127.0.0.1.example.com/"));
    }

    #[test]
    fn a_refusal_names_the_permission() {
        let error = service_failure("role logs", "iam:CreateRole", "AccessDenied", "User x is not authorized");
        assert_eq!(error.kind, ErrorKind::Denied);
        assert_eq!(error.hints, vec!["allow iam:CreateRole to the caller".to_owned()]);
    }

    #[test]
    fn a_create_that_may_not_tag_names_the_permission_to_tag() {
        let text =
            "User: arn:aws:iam::1:user/a is not authorized to perform: firehose:TagDeliveryStream on resource: x";
        let error = service_failure("stream logs", "firehose:CreateDeliveryStream", "AccessDeniedException", text);
        assert_eq!(error.hints, vec!["allow firehose:TagDeliveryStream to the caller".to_owned()]);
    }
}
