//! `ekk logs`: the newest records of a stack, and with `-f` those that come in.

use std::io::{self, Write as _};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::json;

use super::{mention, prepare};
use crate::cli::{Format, Logs, Talk};
use crate::error::{Error, Exit, Result};
use crate::located::Depth;
use crate::newest::{self, Followed, Found, MOST_HITS, Newest, Wanted};
use crate::render::{self, BOLD, CHANGED};
use crate::wait;

/// Records that are shown where neither a number nor a time is asked for.
const SHOWN: usize = 20;

/// Which pause of the pace stands between two looks: a little under two seconds on AWS.
const LOOKS_AGAIN: u32 = 3;

/// Runs `ekk logs`.
pub(super) async fn run(args: Logs, talk: Talk) -> Result<Exit> {
    let zone = TimeZone::system();
    let now = Timestamp::now().to_zoned(zone.clone());
    let since = args.since.as_deref().map(|text| moment("--since", text, &now)).transpose().map_err(Error::usage)?;
    let most = args.number.unwrap_or(if since.is_some() { MOST_HITS } else { SHOWN });
    if most > MOST_HITS {
        return Err(Error::usage(format!("-n {most}: a search finds {MOST_HITS} records at most"))
            .hint("narrow it with --since, --level or --query"));
    }
    let wanted = Wanted { since, level: args.level, query: args.query.clone() };
    let opened = prepare::open(args.stack.as_deref(), &args.place, talk, Depth::IndexPattern).await?;
    let stack = &opened.stack;
    let plane = stack.data_plane(&opened.session).await?;
    let expression = stack.index_expression(&plane).await?;
    let time_field = stack.time_field().to_owned();
    let buffer = &stack.stream()?.settings.buffer;
    mention(
        talk,
        &format!(
            "{} · stack {BOLD}{}{BOLD:#} · {expression}, up to {} s or {} MiB behind, as the stream buffers\n",
            opened.header, stack.names.stack, buffer.seconds, buffer.mib
        ),
    );
    let show = Show { zone, time_field: time_field.clone(), format: args.output.format };
    // First what is old, then the newest: what comes in between is shown once, by either.
    let mut followed = None;
    if args.follow {
        followed = Some(Followed::from_now_on(&plane, &expression).await?);
    }
    let Newest { found, but } = match most {
        0 => Newest::default(),
        most => newest::newest(&plane, &expression, &time_field, &wanted, most).await?,
    };
    for why in but {
        mention(talk, &format!("{CHANGED}!{CHANGED:#} {why}\n"));
    }
    if let Some(followed) = &mut followed {
        for found in &found {
            followed.shown(found);
        }
    }
    if found.is_empty() && most > 0 {
        let there = plane.indices(&expression).await?;
        mention(talk, &nothing(&expression, there.iter().map(|index| index.documents).sum(), there.is_empty(), buffer));
    }
    if since.is_some() && found.len() == MOST_HITS && args.number.is_none() {
        mention(talk, &format!("These are the newest {MOST_HITS}; there may be more since then.\n"));
    }
    if let Some(end) = write(&show, &found)? {
        return Ok(end);
    }
    let Some(mut followed) = followed else { return Ok(Exit::Done) };
    let mut trouble: Option<String> = None;
    loop {
        wait::pause(&opened.session.waiting, LOOKS_AGAIN).await;
        match followed.look(&plane, &expression, &time_field, &wanted).await {
            Ok(new) => {
                if trouble.take().is_some() {
                    mention(talk, "It answers again; nothing was missed.\n");
                }
                if let Some(end) = write(&show, &new)? {
                    return Ok(end);
                }
            }
            // A domain that does not answer for a while is waited for; whoever may not ask, or asks wrongly, is told.
            Err(error) if error.kind == crate::error::ErrorKind::Failed && !is_wrong_question(&error) => {
                if trouble.as_ref() != Some(&error.message) {
                    mention(talk, &format!("waiting: {}\n", error.message));
                    trouble = Some(error.message);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

fn is_wrong_question(error: &Error) -> bool {
    error.message.contains(": 400 ")
}

/// How records are written.
struct Show {
    zone: TimeZone,
    time_field: String,
    format: Format,
}

/// Writes records; a reader that has gone (`| head`) ends it without a word.
fn write(show: &Show, found: &[Found]) -> Result<Option<Exit>> {
    let mut out = anstream::stdout();
    let mut written = Ok(());
    for found in found {
        let text = match show.format {
            Format::Text | Format::Markdown => render::record(&found.record, found.time, &show.time_field, &show.zone),
            Format::Json => {
                let Found { index, id, time, record } = found;
                let time = time.map(|time| time.to_string());
                format!("{}\n", json!({"index": index, "id": id, "time": time, "record": record}))
            }
        };
        written = out.write_all(text.as_bytes());
        if written.is_err() {
            break;
        }
    }
    match written.and_then(|()| out.flush()) {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Some(Exit::Done)),
        Err(error) => Err(Error::failed(format!("standard output: {error}"))),
    }
}

fn nothing(expression: &str, documents: u64, is_no_index: bool, buffer: &crate::resource::stream::Buffer) -> String {
    if is_no_index {
        return format!(
            "There is no index {expression} yet: nothing was delivered. The stream delivers after {} s or {} MiB.\n",
            buffer.seconds, buffer.mib
        );
    }
    match documents {
        0 => format!("{expression} holds no record.\n"),
        _ => format!(
            "None of the {} in {expression} is what was asked for.\n",
            render::counted(usize::try_from(documents).unwrap_or(usize::MAX), "record", "records")
        ),
    }
}

/// Reads a moment: how long ago (`90s`, `10m`, `2h`, `7d`), or a time with or without its zone; without one it is local.
pub(super) fn moment(flag: &str, text: &str, now: &Zoned) -> std::result::Result<Timestamp, String> {
    let text = text.trim();
    let wrong =
        || format!("{flag} {text}: write 10m, 2h, 7d, 2026-11-24, \"2026-11-24 10:30\" or 2026-11-24T10:30:00Z");
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let each: Option<i64> = match &text[digits..] {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        "d" => Some(86_400),
        "w" => Some(7 * 86_400),
        _ => None,
    };
    if let Some(each) = each {
        let seconds = text[..digits].parse::<i64>().ok().and_then(|count| count.checked_mul(each)).ok_or_else(wrong)?;
        let ago = jiff::SignedDuration::from_secs(seconds);
        return now.timestamp().checked_sub(ago).map_err(|_| wrong());
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let local = text.parse::<jiff::civil::DateTime>().map_err(|_| wrong())?;
    local.to_zoned(now.time_zone().clone()).map(|zoned| zoned.timestamp()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_by_how_long_ago_or_by_its_time() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let now = "2026-11-24T10:00:00Z".parse::<Timestamp>().expect("a time").to_zoned(zone);
        let read = |text: &str| moment("--since", text, &now).map(|moment| moment.to_string());
        for (text, expected) in [
            ("90s", "2026-11-24T09:58:30Z"),
            ("10m", "2026-11-24T09:50:00Z"),
            ("2h", "2026-11-24T08:00:00Z"),
            ("1d", "2026-11-23T10:00:00Z"),
            ("1w", "2026-11-17T10:00:00Z"),
            ("2026-11-24", "2026-11-23T23:00:00Z"),
            ("2026-11-24 10:30", "2026-11-24T09:30:00Z"),
            ("2026-11-24T10:30:00Z", "2026-11-24T10:30:00Z"),
            ("2026-11-24T10:30:00+02:00", "2026-11-24T08:30:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
        for wrong in ["", "m", "10", "10x", "soon", "99999999999999999999h", "9999999999999d"] {
            assert!(read(wrong).expect_err(wrong).contains("write 10m"), "{wrong}");
        }
    }
}
