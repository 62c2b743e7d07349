//! A stack that lives, as commands need it that ship, read or look after its logs: found by its file's names or by its
//! tags alone, and described. The delivery stream is its heart: what it says of index, domain, bucket and role counts,
//! since that is the way that records go. Reads only; judges nothing but whether what a command needs is there.

use std::collections::BTreeMap;

use crate::aws::Session;
use crate::error::{Error, Result};
use crate::opensearch::{DataPlane, Reach};
use crate::resolve;
use crate::resource::domain::DomainSettings;
use crate::resource::index_pattern::IndexPatternSettings;
use crate::resource::stream::{OPENSEARCH_SERVICE, StreamSettings};
use crate::resource::{Condition, Kind, Manage, Observed, Owner, Read};
use crate::spec::{self, Spec};
use crate::stack::Names;
use crate::tagged::{self, Tagged, Which};

/// How much of a stack is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// The delivery stream alone: what a program that ships may see.
    Stream,
    /// And the domain, by the control plane.
    Domain,
    /// And the index pattern, inside the domain.
    IndexPattern,
}

/// A stack as it lives. What could not be read stands as its error, so that who does not need it does not fail; what was
/// not asked for ([`Depth`]) stands as [`Read::Unknown`].
#[derive(Clone, Debug)]
pub struct Located {
    /// All names, with the account filled in. Where the stream is there, `index`, `domain`, `bucket` and `role` are those
    /// that it delivers to and with.
    pub names: Names,
    /// The delivery stream: index, rotation, buffers, retry time, backup, error log and document ids are its settings.
    pub stream: Result<Read<StreamSettings>>,
    /// The domain: its endpoint and engine are its facts, its state is its condition.
    pub domain: Result<Read<DomainSettings>>,
    /// The index pattern: title and time field.
    pub index_pattern: Result<Read<IndexPatternSettings>>,
}

/// Describes the stack of these names, as a file gives them.
///
/// # Errors
/// Fails as sts:GetCallerIdentity does. What a single read fails with stands in the result.
pub async fn by_names(session: &Session, names: &Names, depth: Depth) -> Result<Located> {
    let names = session.names(names).await?;
    // Boxed, since the SDK's futures are large.
    let (stream, domain) = match depth {
        Depth::Stream => (Box::pin(StreamSettings::read(session, &names)).await, Ok(not_asked())),
        Depth::Domain | Depth::IndexPattern => futures_util::join!(
            Box::pin(StreamSettings::read(session, &names)),
            Box::pin(DomainSettings::read(session, &names))
        ),
    };
    let assumed = names.domain.clone();
    let names = as_delivered(&names, &stream);
    let domain = match depth {
        Depth::Stream => domain,
        Depth::Domain | Depth::IndexPattern if names.domain == assumed => domain,
        Depth::Domain | Depth::IndexPattern => read_domain(session, &names).await,
    };
    Ok(inside(session, names, stream, domain, depth).await)
}

/// Finds the stack of this name in the session's account and region by its tags, and describes it.
///
/// # Errors
/// Fails where there is no such stack (the error names those that there are), where several streams, or without a stream
/// several domains, carry its tags, and as tag:GetResources and sts:GetCallerIdentity do.
pub async fn by_tag(session: &Session, stack: &str, depth: Depth) -> Result<Located> {
    let default = default_names(stack, &session.aws.region);
    let (default, carriers) =
        futures_util::join!(session.names(&default), Box::pin(tagged::stacks(session, Which::Stack(stack))));
    let default = default?;
    let carriers = carriers
        .map_err(|error| error.hint("without it a stack is found by its file: name the file instead"))?
        .remove(stack)
        .unwrap_or_default();
    let names = names_of(&default, &carriers)?;
    let stream = Box::pin(StreamSettings::read(session, &names)).await;
    let is_seen = match &stream {
        Ok(Read::Present(stream)) => stream.owner == Owner::Ours,
        // It cannot be looked at, which is said where it is needed.
        Ok(Read::Unknown(_)) | Err(_) => !carriers.is_empty(),
        Ok(Read::Absent) => false,
    };
    if carriers.is_empty() && !is_seen {
        return Err(no_such_stack(session, stack).await);
    }
    let names = as_delivered(&names, &stream);
    let domain = match depth {
        Depth::Stream => Ok(not_asked()),
        Depth::Domain | Depth::IndexPattern => read_domain(session, &names).await,
    };
    Ok(inside(session, names, stream, domain, depth).await)
}

impl Located {
    /// Returns the delivery stream, where it is there and this stack's to use.
    ///
    /// # Errors
    /// Fails where it cannot be read, is not there, is another stack's, or delivers to something else than a domain.
    pub fn stream(&self) -> Result<&Observed<StreamSettings>> {
        let stream = self.needed(&self.stream, Kind::Stream)?;
        match stream.settings.destination.as_str() {
            OPENSEARCH_SERVICE => Ok(stream),
            elsewhere => Err(Error::failed(format!(
                "stream {}: delivers to {elsewhere}, not to a domain by its public endpoint",
                self.names.stream
            ))),
        }
    }

    /// Returns the delivery stream, where it takes records now.
    ///
    /// # Errors
    /// As [`Located::stream`], and where it is still being made, is being deleted or has failed.
    pub fn active_stream(&self) -> Result<&Observed<StreamSettings>> {
        let stream = self.stream()?;
        let name = &self.names.stream;
        match &stream.condition {
            Condition::Settled => Ok(stream),
            // While its encryption is switched, a stream is active all the same.
            Condition::Changing(_) if stream.facts.status == "ACTIVE" => Ok(stream),
            Condition::Changing(why) => Err(Error::failed(format!("stream {name}: takes no records yet: {why}"))
                .hint("wait until it is active: `ekk up` waits for it")),
            Condition::Deleting => Err(Error::failed(format!("stream {name}: is being deleted"))),
            Condition::Broken(why) => Err(Error::failed(format!("stream {name}: takes no records: {why}"))
                .hint("`ekk up` of the stack's file deletes it and makes it anew")),
        }
    }

    /// Returns the domain, where it is there and this stack's to use.
    ///
    /// # Errors
    /// Fails where it cannot be read, is not there, or is another stack's.
    pub fn domain(&self) -> Result<&Observed<DomainSettings>> {
        self.needed(&self.domain, Kind::Domain)
    }

    /// Returns the way to what is inside the domain.
    ///
    /// # Errors
    /// As [`Located::domain`], and where the domain has no endpoint yet or is being deleted.
    pub async fn data_plane<'s>(&self, session: &'s Session) -> Result<Box<DataPlane<'s>>> {
        self.domain()?;
        match DataPlane::reach(session, &self.names).await? {
            Reach::Ready(plane) => Ok(plane),
            Reach::Absent => Err(self.missing(Kind::Domain)),
            Reach::Unknown(why) => Err(Error::failed(why)),
        }
    }

    /// Returns the indices that the stream writes to, as a search takes them ([`expression`]).
    ///
    /// # Errors
    /// As [`Located::stream`] and [`expression`].
    pub async fn index_expression(&self, plane: &DataPlane<'_>) -> Result<String> {
        let StreamSettings { index, rotation, .. } = &self.stream()?.settings;
        expression(plane, index, rotation).await
    }

    /// Returns the field that holds a record's time: the index pattern's, else the default.
    #[must_use]
    pub fn time_field(&self) -> &str {
        let pattern = self.index_pattern.as_ref().ok().and_then(Read::present);
        match pattern.map(|pattern| pattern.settings.time_field.as_str()) {
            Some(field) if !field.is_empty() => field,
            Some(_) | None => spec::Edition::ONE.time_field,
        }
    }

    /// Returns the backup bucket's name: the stream's, else the one that the names say.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.names.bucket
    }

    fn needed<'a, T: Manage>(&self, read: &'a Result<Read<T>>, kind: Kind) -> Result<&'a Observed<T>> {
        let name = self.names.of(kind);
        match read {
            Err(error) => Err(error.clone()),
            Ok(Read::Unknown(why)) => Err(Error::failed(format!("{kind} {name}: {why}"))),
            Ok(Read::Absent) => Err(self.missing(kind)),
            Ok(Read::Present(observed)) => match &observed.owner {
                Owner::Ours | Owner::Nobody => Ok(observed),
                Owner::Other { stack, region } => {
                    Err(Error::refused(format!("{kind} {name}: belongs to stack {stack} in {region}"))
                        .hint(format!("name that stack instead, or give the {kind} another name in the file")))
                }
            },
        }
    }

    fn missing(&self, kind: Kind) -> Error {
        let Names { stack, region, .. } = &self.names;
        Error::failed(format!("stack {stack} in {region} has no {kind}: {} is not there", self.names.of(kind)))
            .hint("it is not up yet, or half-made: `ekk up` of its file makes what is missing")
    }
}

/// Returns what covers the indices of a stream: `logs-*` where it rotates, `logs` where it does not, and both where `logs` is
/// there: the rotation was changed, or the server knows none. A missing index that is named without a pattern would fail a
/// search, and a signed POST takes no `ignore_unavailable`.
///
/// # Errors
/// As [`DataPlane::indices`].
pub async fn expression(plane: &DataPlane<'_>, index: &str, rotation: &str) -> Result<String> {
    let is_there = !plane.indices(index).await?.is_empty();
    Ok(match (is_there, rotation) {
        (true, _) => format!("{index},{index}-*"),
        (false, "NoRotation") => index.to_owned(),
        (false, _) => format!("{index}-*"),
    })
}

fn not_asked<T: Manage>() -> Read<T> {
    Read::Unknown("was not asked for".to_owned())
}

/// The names of a file that says nothing but the stack.
fn default_names(stack: &str, region: &str) -> Names {
    resolve::names(&Spec { stack: stack.to_owned(), ..Spec::default() }, region)
}

/// Puts the names of what carries the stack's tags in the place of the default ones.
fn names_of(default: &Names, carriers: &[Tagged]) -> Result<Names> {
    let of = |kind: Kind| -> Vec<&str> {
        carriers.iter().filter(|carrier| carrier.kind == kind).map(|carrier| carrier.name.as_str()).collect()
    };
    let mut names = default.clone();
    match of(Kind::Stream).as_slice() {
        [] => {}
        [one] => names.stream = (*one).to_owned(),
        several => return Err(ambiguous(&names.stack, Kind::Stream, several)),
    }
    match of(Kind::Domain).as_slice() {
        [] => {}
        [one] => names.domain = (*one).to_owned(),
        // The stream says which one counts.
        _ if !of(Kind::Stream).is_empty() => {}
        several => return Err(ambiguous(&names.stack, Kind::Domain, several)),
    }
    // Of several the stream says which one counts; without a stream nothing is written there.
    if let [one, ..] = of(Kind::Bucket).as_slice() {
        names.bucket = (*one).to_owned();
    }
    if let [one, ..] = of(Kind::LogGroup).as_slice() {
        names.log_group = (*one).to_owned();
    }
    Ok(names)
}

fn ambiguous(stack: &str, kind: Kind, names: &[&str]) -> Error {
    Error::failed(format!("stack {stack} has {} {kind}s that carry its tags: {}", names.len(), names.join(", ")))
        .hint("name the stack's file instead: it says which one counts")
}

/// Takes over the names of what the live stream delivers to and with.
fn as_delivered(names: &Names, stream: &Result<Read<StreamSettings>>) -> Names {
    let Ok(Read::Present(stream)) = stream else { return names.clone() };
    let mut names = names.clone();
    let settings = &stream.settings;
    let last = |arn: &str, before: &str| arn.split_once(before).map(|(_, name)| name.to_owned());
    if let Some(domain) = last(&settings.domain_arn, ":domain/") {
        names.domain = domain;
    }
    if let Some(bucket) = last(&settings.backup.bucket_arn, ":::") {
        names.bucket = bucket;
    }
    // `arn:aws:iam::123456789012:role/ekk/logs-firehose`; two roles are written as a sentence.
    if let Some(role) = last(&settings.role_arn, ":role/").filter(|role| !role.contains(',')) {
        let (path, name) = role.rsplit_once('/').unwrap_or(("", &role));
        names.role_path = if path.is_empty() { "/".to_owned() } else { format!("/{path}/") };
        names.role = name.to_owned();
    }
    if let Some(group) = &settings.logging.log_group {
        names.log_group = group.clone();
    }
    if !settings.index.is_empty() && settings.index != names.index {
        if names.index_template == names.index {
            names.index_template = settings.index.clone();
        }
        names.index = settings.index.clone();
    }
    names
}

/// Describes a domain that another one may have been described before.
async fn read_domain(session: &Session, names: &Names) -> Result<Read<DomainSettings>> {
    session.ask_domain(&names.domain).await?;
    Box::pin(DomainSettings::read(session, names)).await
}

async fn inside(
    session: &Session,
    mut names: Names,
    stream: Result<Read<StreamSettings>>,
    domain: Result<Read<DomainSettings>>,
    depth: Depth,
) -> Located {
    let index_pattern = match (depth, &domain) {
        (Depth::Stream | Depth::Domain, _) | (Depth::IndexPattern, Err(_)) => Ok(not_asked()),
        (Depth::IndexPattern, Ok(_)) => Box::pin(IndexPatternSettings::read(session, &names)).await,
    };
    if let Ok(Read::Present(pattern)) = &index_pattern {
        names.index_pattern.clone_from(&pattern.facts.id);
        names.index_pattern_title.clone_from(&pattern.settings.title);
    }
    Located { names, stream, domain, index_pattern }
}

async fn no_such_stack(session: &Session, stack: &str) -> Error {
    let region = &session.aws.region;
    let account = session.target().await.map(|target| format!(" of account {}", target.account)).unwrap_or_default();
    let error = Error::failed(format!("no stack {stack} in {region}{account}, and no file of that name"));
    match Box::pin(tagged::stacks(session, Which::All)).await {
        Ok(stacks) => told_which_exist(error, stack, &stacks),
        Err(_) => error,
    }
}

fn told_which_exist(error: Error, stack: &str, stacks: &BTreeMap<String, Vec<Tagged>>) -> Error {
    const SHOWN: usize = 10;
    let meant = spec::closest(stack, stacks.keys().map(String::as_str));
    let error = match meant {
        Some(meant) => error.hint(format!("did you mean {meant}?")),
        None => error,
    };
    let names: Vec<&str> = stacks.keys().take(SHOWN).map(String::as_str).collect();
    let more = if stacks.len() > SHOWN { ", and more: `ekk list` shows them" } else { "" };
    match names.as_slice() {
        [] => error.hint("there is none at all; is this the right account and region? `ekk up FILE` makes one"),
        names => error.hint(format!("there are: {}{more}", names.join(", "))),
    }
    .hint("the tags of a stack that was just made take a while to be found: name its file meanwhile")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(kind: Kind, name: &str) -> Tagged {
        Tagged { kind, name: name.to_owned() }
    }

    #[test]
    fn what_carries_the_tags_takes_the_place_of_the_default_names() {
        let default = default_names("logs", "eu-west-1");
        let carriers = [
            tagged(Kind::Bucket, "kept"),
            tagged(Kind::LogGroup, "/errors"),
            tagged(Kind::Domain, "search"),
            tagged(Kind::Stream, "app"),
        ];
        let names = names_of(&default, &carriers).expect("names");
        let expected = Names {
            bucket: "kept".to_owned(),
            log_group: "/errors".to_owned(),
            domain: "search".to_owned(),
            stream: "app".to_owned(),
            ..default
        };
        assert_eq!(names, expected);
    }

    #[test]
    fn two_streams_of_one_stack_are_ambiguous_and_so_are_two_domains_without_a_stream() {
        let default = default_names("logs", "eu-west-1");
        let two = |kind| [tagged(kind, "a"), tagged(kind, "b")];
        let error = names_of(&default, &two(Kind::Stream)).expect_err("two streams");
        assert_eq!(error.message, "stack logs has 2 streams that carry its tags: a, b");
        let error = names_of(&default, &two(Kind::Domain)).expect_err("two domains");
        assert_eq!(error.message, "stack logs has 2 domains that carry its tags: a, b");
        let with_stream = [two(Kind::Domain).to_vec(), vec![tagged(Kind::Stream, "s")]].concat();
        assert_eq!(names_of(&default, &with_stream).expect("names").stream, "s");
    }

    #[test]
    fn who_mistypes_a_name_is_told_which_stacks_there_are() {
        let stacks = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), Vec::new())).collect();
        let error = told_which_exist(Error::failed("no stack"), "loging", &stacks(&["logging", "other"]));
        assert_eq!(error.hints[..2], ["did you mean logging?", "there are: logging, other"]);
        let error = told_which_exist(Error::failed("no stack"), "logs", &stacks(&[]));
        assert!(error.hints[0].starts_with("there is none at all"), "{:?}", error.hints);
    }
}
