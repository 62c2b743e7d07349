//! `ekk doctor`: says why no logs arrive, and what mends it.

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::prepare::{self, Opened};
use super::{print, print_json};
use crate::cli::{self, Format, Talk};
use crate::doctor::look::{self, Subject};
use crate::doctor::{self, Commands, NamedBy, Seen, Severity};
use crate::error::{Exit, Result};
use crate::located::Depth;
use crate::plan::{self, Adopt, Verb};
use crate::render::{self, Examined};
use crate::resolve;
use crate::resource::{Read, Settings};
use crate::spec;
use crate::stack::{Live, Strays};

/// Runs `ekk doctor`.
pub(super) async fn run(args: cli::Doctor, talk: Talk) -> Result<Exit> {
    let Opened { word, session, header, stack, file } =
        prepare::open(args.stack.as_deref(), &args.place, talk, Depth::Stream).await?;
    let offset = TimeZone::system().to_offset(jiff::Timestamp::now());
    let name = stack.names.stack.clone();
    let subject = Subject {
        names: stack.names,
        stream: stack.stream,
        time_field: file.as_ref().and_then(|file| file.loaded.spec.index.time_field.clone()),
        default_time_field: spec::Edition::ONE.time_field,
        offset: SignedDuration::from_secs(i64::from(offset.seconds())),
    };
    let mut seen = look::look(&session, subject).await;
    if let Some(file) = &file {
        let (names, desired) = resolve::resolve(&file.loaded.spec, &header.target);
        seen.changes = live(&seen).map(|live| {
            let plan = plan::plan(Verb::Up, &header.target, &names, &desired, &live, &Adopt::Nothing);
            Ok(render::differing(&plan))
        });
    }
    let commands = Commands {
        stack: format!("{} {word}", prepare::flags(&args.place)),
        named_by: if file.is_some() { NamedBy::File } else { NamedBy::Name },
    };
    let findings = doctor::findings(&seen, &commands);
    let exit = match findings.iter().any(|finding| finding.severity == Severity::Error) {
        true => Exit::Failed,
        false => Exit::Done,
    };
    let examined = Examined {
        findings: &findings,
        stack: &name,
        header: &header,
        file: file.as_ref().map(|file| (file.source.as_str(), &file.loaded.places)),
        verify: format!("ekk verify{}", commands.stack),
    };
    match args.output.format {
        Format::Text => print(&render::doctor(&examined))?,
        Format::Markdown => print(&render::doctor_markdown(&examined))?,
        Format::Json => print_json(&render::doctor_json(&examined, exit))?,
    }
    Ok(exit)
}

/// Puts what was seen together as a plan takes it, where all of it could be read.
fn live(seen: &Seen) -> Option<Live> {
    fn read<T: Settings>(read: &Result<Read<T>>) -> Option<Read<T>> {
        read.as_ref().ok().cloned()
    }
    Some(Live {
        role: read(&seen.role)?,
        bucket: read(&seen.bucket)?,
        log_group: read(&seen.log_group)?,
        domain: read(&seen.domain)?,
        index_template: read(&seen.template)?,
        stream: read(&seen.stream)?,
        index_pattern: read(&seen.pattern)?,
        strays: Strays::Known(Vec::new()),
    })
}
