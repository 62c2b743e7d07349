//! What every verb begins with: load all files before anything is sent, connect, and find out where and as whom.

use std::ffi::OsStr;
use std::io::IsTerminal as _;

use crate::aws::{Aws, Connection, Session};
use crate::cli::{Place, Talk};
use crate::error::{Error, ErrorKind, Result};
use crate::local;
use crate::render::Header;
use crate::resolve;
use crate::spec::{self, Faults, Loaded, Source, Spec};
use crate::stack::Names;
use crate::wait::{Deadline, Pace, Progress, Waiting};

/// A file that was found without fault.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// What the user called it.
    pub(super) source: String,
    /// What it says.
    pub(super) loaded: Loaded,
}

/// Loads all files; one fault in any of them and nothing is sent to AWS.
pub(super) fn load<T: AsRef<OsStr>>(arguments: &[T]) -> Result<Vec<File>> {
    let sources = spec::find(arguments).map_err(invalid)?;
    let mut files = Vec::new();
    let mut faults: Vec<Faults> = Vec::new();
    for source in sources {
        match Spec::load(&source) {
            Ok(loaded) => files.push((source, loaded)),
            Err(found) => faults.push(found),
        }
    }
    if faults.is_empty()
        && let Err(found) = spec::distinct(&files)
    {
        faults.push(found);
    }
    if !faults.is_empty() {
        let messages: Vec<String> = faults.iter().map(ToString::to_string).collect();
        return Err(Error::new(ErrorKind::InvalidSpec, messages.join("\n")));
    }
    Ok(files.into_iter().map(|(source, loaded)| File { source: command_word(&source), loaded }).collect())
}

/// Turns faults of a file into an error.
pub(super) fn invalid(faults: Faults) -> Error {
    Error::new(ErrorKind::InvalidSpec, faults.to_string())
}

/// Returns what a user types to name this source again.
fn command_word(source: &Source) -> String {
    match source {
        Source::Stdin => "-".to_owned(),
        Source::File(_) | Source::Text { .. } => source.name(),
    }
}

/// Returns the flags that lead to the same place again, each with a space before it.
pub(super) fn flags(place: &Place) -> String {
    let Place { local, region, profile } = place;
    let mut flags = String::new();
    if *local {
        flags.push_str(" --local");
    }
    for (flag, value) in [("region", region), ("profile", profile)] {
        if let Some(value) = value {
            flags.push_str(&format!(" --{flag} {value}"));
        }
    }
    flags
}

/// The embedded local AWS where `--local` asks for it, started when it does not run.
pub(super) async fn place_of(place: &Place, talk: Talk) -> Result<Option<String>> {
    if !place.local {
        return Ok(None);
    }
    let running = local::ensure().await?;
    if running.was_started && !talk.quiet {
        super::tell(&format!("Started the local AWS at {}; `ekk local stop` ends it.\n", running.address));
    }
    Ok(Some(running.address))
}

/// Returns what leads a person to the stack's Dashboards: on the local AWS the address of its page, on AWS the command, since
/// the domain's own address answers a browser 403.
pub(super) fn way_to_dashboards(local: Option<&str>, region: &str, domain: &str, flags: &str, source: &str) -> String {
    match local {
        Some(address) => format!("{address}/_dashboards/{region}/{domain}/"),
        None => format!("ekk dashboards{flags} {source}"),
    }
}

/// One stack, connected and named.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The file.
    pub(super) file: File,
    /// The session.
    pub(super) session: Session,
    /// Its names; `{account}` may still stand in them.
    pub(super) names: Names,
    /// `--profile`.
    profile: Option<String>,
}

/// Connects to where one stack lives. Sends nothing.
pub(super) async fn connect(
    file: File,
    place: &Place,
    local: Option<&str>,
    deadline: Deadline,
    progress: Progress,
) -> Result<Prepared> {
    let spec = &file.loaded.spec;
    let region = match (&spec.region, &place.region) {
        (Some(named), Some(flag)) if named != flag => {
            return Err(Error::refused(format!(
                "{}: the file names region {named}, --region says {flag}",
                file.source
            ))
            .hint("drop --region, or change `region` in the file"));
        }
        (Some(named), _) => Some(named.clone()),
        (None, flag) => flag.clone(),
    };
    let connection = Connection {
        region,
        profile: place.profile.clone(),
        local: local.map(ToOwned::to_owned),
        quick_retries: false,
    };
    let aws = Aws::connect(&connection).await?;
    let pace = if local.is_some() { Pace::LOCAL } else { Pace::AWS };
    let names = resolve::names(spec, &aws.region);
    let session = Session::new(aws, Waiting { pace, deadline, progress });
    Ok(Prepared { file, session, names, profile: place.profile.clone() })
}

impl Prepared {
    /// Returns the first line of the output.
    pub(super) async fn header(&self, local: Option<&str>) -> Result<Header> {
        let caller = self.session.caller().await.map_err(|error| self.name_profile(error))?;
        Ok(Header {
            target: caller.target.clone(),
            alias: self.alias(local).await,
            caller: caller.arn.clone(),
            local: local.map(ToOwned::to_owned),
        })
    }

    /// Says which profile was meant where there are no credentials: a name that no file holds is the commonest reason.
    fn name_profile(&self, error: Error) -> Error {
        let named = self.profile.clone().or_else(|| std::env::var("AWS_PROFILE").ok());
        match named {
            Some(profile) if error.message.contains("no credentials found") => {
                error.hint(format!("is there a profile `{profile}` in ~/.aws/config or ~/.aws/credentials?"))
            }
            Some(_) | None => error,
        }
    }

    /// A person who looks is told the account's alias, where it may be read; a program does without the call.
    async fn alias(&self, local: Option<&str>) -> Option<String> {
        if local.is_some() || !std::io::stderr().is_terminal() {
            return None;
        }
        let answer = self.session.aws.iam.list_account_aliases().send().await.ok()?;
        answer.account_aliases().first().cloned()
    }
}
