//! `ekk verify`: sends a marked record through the whole path and says how long each hop took, or which one lost it.

use jiff::Timestamp;

use super::prepare::{self, Opened, flags};
use super::progress::progress;
use super::single::{fail, layout};
use super::up::interrupt;
use super::{print, print_json, tell};
use crate::cli::{self, Format, Talk};
use crate::error::{Exit, Result};
use crate::local;
use crate::located::Depth;
use crate::objects::Bucket;
use crate::render::{self, LineInBackup};
use crate::resource::Read;
use crate::resource::stream::{Backup as BackupSettings, Logging};
use crate::verify::{self, Backup, Delivery, ErrorLog, MARKER_FIELD, Patience, Report, Task};
use crate::wait::{Deadline, Pace, Waiting};

/// While a record is waited for, nobody wants to learn of it much later than it came.
const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_secs(5);

/// Runs `ekk verify`.
pub(super) async fn run(args: cli::Verify, talk: Talk) -> Result<Exit> {
    let opened = prepare::open(args.stack.as_deref(), &args.place, talk, Depth::IndexPattern).await?;
    let stack = opened.stack.names.stack.clone();
    match verify_opened(&args, talk, opened).await {
        Ok(exit) => Ok(exit),
        Err(error) => fail(&error, args.output.format, &stack),
    }
}

async fn verify_opened(args: &cli::Verify, talk: Talk, opened: Opened) -> Result<Exit> {
    let Opened { word, session, header, stack: located, file: _ } = opened;
    let settings = &located.active_stream()?.settings;
    let domain = located.data_plane(&session).await?;
    let BackupSettings { documents, bucket_arn: _, buffer, .. } = &settings.backup;
    let line = if documents == "AllDocuments" { LineInBackup::Stays } else { LineInBackup::Never };
    let backup = match (line, args.no_backup) {
        (LineInBackup::Never, _) => Backup::FailedOnly,
        (LineInBackup::Stays, true) => Backup::NotAsked,
        (LineInBackup::Stays, false) => Backup::All { seconds: buffer.seconds, mib: buffer.mib },
    };
    let delivery =
        Delivery { seconds: settings.buffer.seconds, mib: settings.buffer.mib, retry_seconds: settings.retry_seconds };
    let second = if header.local.is_some() { local::buffered_second() } else { std::time::Duration::from_secs(1) };
    let patience = match args.timeout {
        Some(timeout) => Patience { domain: timeout, backup: timeout },
        None => Patience::derived(delivery, backup, second),
    };
    let pattern = located.index_pattern.as_ref().ok().and_then(Read::present).map(|one| one.settings.title.clone());
    let task = Task {
        session: &session,
        stream: located.names.stream.clone(),
        index: settings.index.clone(),
        pattern,
        time_field: Some(located.time_field().to_owned()),
        domain: &domain,
        delivery,
        bucket: Bucket::of(&session, located.bucket()).await?,
        layout: layout(&located)?,
        backup,
        error_log: error_log(&settings.logging),
        patience,
    };
    let mut report = Report::new(verify::new_marker(), Timestamp::now(), backup);
    let pace = session.pace();
    let pace = Pace { longest: pace.longest.min(LONGEST_PAUSE), ..pace };
    let waiting = Waiting { pace, deadline: Deadline::Never, progress: progress(talk, None) };
    let interruption = tokio::select! {
        done = verify::run(&task, &mut report, &waiting) => {
            done?;
            None
        }
        () = interrupt() => Some(Exit::Interrupted),
    };
    let exit = interruption.unwrap_or_else(|| report.exit());
    let stack = &located.names.stack;
    let doctor = format!("`ekk doctor{} {word}`", flags(&args.place));
    match args.output.format {
        Format::Text => {
            print(&render::verify(&report, line, &header, stack, &doctor))?;
        }
        Format::Markdown => {
            let text = render::verify(&report, line, &header, stack, &doctor);
            print(&format!("```text\n{}```\n", render::plain(&text)))?;
        }
        Format::Json => print_json(&render::verify_json(&report, &header, stack, exit))?,
    }
    if exit == Exit::Interrupted {
        let marker = &report.marker;
        tell(&format!("interrupted (exit 130): what is on its way stays, marked {MARKER_FIELD}: {marker}\n"));
    }
    Ok(exit)
}

fn error_log(logging: &Logging) -> Option<ErrorLog> {
    let Logging { enabled, log_group, destination_stream, backup_stream } = logging;
    let streams: Vec<String> = destination_stream.iter().chain(backup_stream).cloned().collect();
    match (enabled, log_group, streams.is_empty()) {
        (true, Some(group), false) => Some(ErrorLog { group: group.clone(), streams }),
        _ => None,
    }
}
