//! What every verb begins with: load all files before anything is sent, connect, and find out where and as whom.

use std::ffi::OsStr;
use std::io::IsTerminal as _;

use crate::aws::{Aws, Connection, NO_CREDENTIALS_HINT, Session};
use crate::cli::{Place, Talk};
use crate::error::{Error, ErrorKind, Result};
use crate::local;
use crate::located::{self, Depth, Located};
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

/// Returns a word as a shell takes it for one: what is printed as a command can be run as it stands.
pub(super) fn quoted(word: &str) -> String {
    // What begins with a hyphen would be a flag; `-` alone is standard input.
    let word = if word.starts_with('-') && word.len() > 1 { format!("./{word}") } else { word.to_owned() };
    let is_plain = |letter: char| letter.is_alphanumeric() || "_./:@%+=,-".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word;
    }
    format!("'{}'", word.replace('\'', "'\\''"))
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
            flags.push_str(&format!(" --{flag} {}", quoted(value)));
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
    let session = session(region, place, local, deadline, progress).await?;
    let names = resolve::names(spec, &session.aws.region);
    Ok(Prepared { file, session, names, profile: place.profile.clone() })
}

/// Makes the clients. Sends nothing.
async fn session(
    region: Option<String>,
    place: &Place,
    local: Option<&str>,
    deadline: Deadline,
    progress: Progress,
) -> Result<Session> {
    let connection = Connection {
        region,
        profile: place.profile.clone(),
        local: local.map(ToOwned::to_owned),
        quick_retries: false,
    };
    let aws = Aws::connect(&connection).await?;
    let pace = if local.is_some() { Pace::LOCAL } else { Pace::AWS };
    Ok(Session::new(aws, Waiting { pace, deadline, progress }))
}

/// A stack that was named by its file or by its name alone, found and described.
#[derive(Debug)]
pub(super) struct Opened {
    /// What a user types to name it again.
    pub(super) word: String,
    /// The session.
    pub(super) session: Session,
    /// The first line of the output.
    pub(super) header: Header,
    /// The stack as it lives.
    pub(super) stack: Located,
    /// Its file, where it was named by that.
    pub(super) file: Option<File>,
}

/// Connects to an account and region where no stack is named.
///
/// # Errors
/// Fails where no region is configured, and as sts:GetCallerIdentity does.
pub(super) async fn place(place: &Place, talk: Talk) -> Result<(Session, Header)> {
    let local = place_of(place, talk).await?;
    let session = session(place.region.clone(), place, local.as_deref(), Deadline::Never, Progress::silent()).await?;
    let header = header(&session, place.profile.as_deref(), local.as_deref()).await?;
    Ok((session, header))
}

/// What the argument STACK names.
#[derive(Debug)]
enum Named {
    /// A file.
    File(Box<File>),
    /// A stack that lives, by its name.
    Stack(String),
}

/// Finds the one stack that the argument STACK names: a file, a folder of one, `-`, and without an argument `ekk.yaml`
/// here; else, where no file is called so and it has the form of a stack's name, the stack of that name that lives in
/// this account and region.
///
/// # Errors
/// Fails on a faulty file before anything is sent, where there is no such stack, and as [`located::by_names`] and
/// [`located::by_tag`] do. That a resource is missing is told by [`Located`] to the one who needs it.
pub(super) async fn open(stack: Option<&OsStr>, place: &Place, talk: Talk, depth: Depth) -> Result<Opened> {
    let named = named(stack)?;
    let local = place_of(place, talk).await?;
    let (word, prepared, by_name) = match named {
        Named::File(file) => {
            let prepared = connect(*file, place, local.as_deref(), Deadline::Never, Progress::silent()).await?;
            (quoted(&prepared.file.source), prepared, None)
        }
        Named::Stack(stack) => {
            let spec = Spec { stack: stack.clone(), ..Spec::default() };
            let loaded = Loaded { spec, places: spec::Places::default(), warnings: Vec::new() };
            let file = File { source: stack.clone(), loaded };
            let prepared = connect(file, place, local.as_deref(), Deadline::Never, Progress::silent()).await?;
            (stack.clone(), prepared, Some(stack))
        }
    };
    let described = async {
        match &by_name {
            None => located::by_names(&prepared.session, &prepared.names, depth).await,
            Some(stack) => located::by_tag(&prepared.session, stack, depth).await,
        }
    };
    let (header, stack) = futures_util::join!(prepared.header(local.as_deref()), Box::pin(described));
    let header = header?;
    // A name says nothing of a place, so that only a file can be refused here.
    resolve::check_place(&prepared.file.loaded.spec, &header.target)?;
    let file = by_name.is_none().then_some(prepared.file);
    Ok(Opened { word, session: prepared.session, header, stack: stack?, file })
}

/// Returns the argument as the name of a stack, where it has that form and is no file.
pub(super) fn name_of(argument: &OsStr) -> Option<&str> {
    let name = argument.to_str().filter(|word| spec::is_stack_name(word))?;
    // Not there, or a folder without a spec: `logs` is a common name of both.
    spec::find(&[argument]).is_err().then_some(name)
}

fn named(stack: Option<&OsStr>) -> Result<Named> {
    if let Some(name) = stack.and_then(name_of) {
        return Ok(Named::Stack(name.to_owned()));
    }
    let arguments: Vec<&OsStr> = stack.into_iter().collect();
    let sources = spec::find(&arguments).map_err(invalid)?;
    match sources.as_slice() {
        [_] => {}
        several => {
            let names: Vec<String> = several.iter().map(Source::name).collect();
            return Err(Error::usage(format!("one stack is needed, and here are {}", several.len()))
                .hint(format!("name one of {}", names.join(", "))));
        }
    }
    match load(&arguments)?.pop() {
        Some(file) => Ok(Named::File(Box::new(file))),
        None => Err(Error::usage("no stack is named")),
    }
}

impl Prepared {
    /// Returns the first line of the output.
    pub(super) async fn header(&self, local: Option<&str>) -> Result<Header> {
        header(&self.session, self.profile.as_deref(), local).await
    }
}

async fn header(session: &Session, profile: Option<&str>, local: Option<&str>) -> Result<Header> {
    let caller = session.caller().await.map_err(|error| name_profile(error, profile))?;
    Ok(Header {
        target: caller.target.clone(),
        alias: alias(session, local).await,
        caller: caller.arn.clone(),
        local: local.map(ToOwned::to_owned),
    })
}

/// Says which profile was meant where there are no credentials: a name that no file holds is the commonest reason.
fn name_profile(error: Error, profile: Option<&str>) -> Error {
    let named = profile.map(ToOwned::to_owned).or_else(|| std::env::var("AWS_PROFILE").ok());
    match named {
        Some(profile) if error.hints.iter().any(|hint| hint.starts_with(NO_CREDENTIALS_HINT)) => {
            error.hint(format!("is there a profile `{profile}` in ~/.aws/config or ~/.aws/credentials?"))
        }
        Some(_) | None => error,
    }
}

/// A person who looks is told the account's alias, where it may be read; a program does without the call.
async fn alias(session: &Session, local: Option<&str>) -> Option<String> {
    if local.is_some() || !std::io::stderr().is_terminal() {
        return None;
    }
    let answer = session.aws.iam.list_account_aliases().send().await.ok()?;
    answer.account_aliases().first().cloned()
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn what_is_printed_as_a_command_can_be_run() {
        for (word, wanted) in [
            ("stacks/logging-test.yaml", "stacks/logging-test.yaml"),
            ("-", "-"),
            ("-x.yaml", "./-x.yaml"),
            ("my stack.yaml", "'my stack.yaml'"),
            ("anna's.yaml", "'anna'\\''s.yaml'"),
            ("$HOME.yaml", "'$HOME.yaml'"),
            ("größe.yaml", "größe.yaml"),
        ] {
            assert_eq!(quoted(word), wanted);
        }
    }
}
