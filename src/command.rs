//! One file a verb, each a pipeline that can be read from top to bottom.

mod confirm;
mod dashboards;
mod doctor;
mod down;
mod list;
mod local;
mod logs;
mod plan;
mod policy;
mod prepare;
mod progress;
mod put;
mod replay;
mod schema;
mod single;
mod status;
mod tally;
mod up;
mod validate;
mod verify;

use std::io::Write as _;

use crate::cli::{Cli, Color, Command, Talk};
use crate::error::{Error, ErrorKind, Exit};
use crate::render;

/// Runs a command line and returns how it ended. Results go to standard output, everything else to standard error.
pub async fn run(cli: Cli) -> Exit {
    let Cli { command, talk } = cli;
    match talk.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let result = match command {
        Command::Up(args) if args.dry_run => plan::run(plan::dry_run(args), talk).await,
        Command::Up(args) => up::run(args, talk).await,
        Command::Plan(args) => plan::run(args, talk).await,
        Command::Down(args) => down::run(args, talk).await,
        Command::Status(args) => status::run(args, talk).await,
        Command::List(args) => list::run(args, talk).await,
        Command::Put(args) => put::run(args, talk).await,
        Command::Logs(args) => logs::run(args, talk).await,
        Command::Policy(args) => policy::run(args, talk).await,
        Command::Verify(args) => verify::run(args, talk).await,
        Command::Replay(args) => replay::run(args, talk).await,
        Command::Doctor(args) => doctor::run(args, talk).await,
        Command::Dashboards(args) => dashboards::run(args, talk).await,
        Command::Validate(args) => validate::run(&args, talk),
        Command::Schema => schema::run(),
        Command::Local(args) => local::run(args, talk).await,
        Command::Apply(_) => Err(our_word("`apply`, `deploy` or `create`", "up")),
        Command::Destroy(_) => Err(our_word("`destroy`, `delete` or `rm`", "down")),
        Command::Diff(_) => Err(our_word("`diff` or `preview`", "plan")),
    };
    result.unwrap_or_else(|error| {
        tell_error(&error);
        error.exit()
    })
}

fn our_word(theirs: &str, ours: &str) -> Error {
    Error::usage(format!("what other tools call {theirs} has another name here")).hint(format!("type `ekk {ours}`"))
}

/// Writes an error with its exit code and the ways out to standard error.
fn tell_error(error: &Error) {
    let style = render::BAD;
    let code = error.exit().code();
    let word = match error.kind {
        ErrorKind::Refused => "refused",
        ErrorKind::StillUnderWay => "still under way",
        ErrorKind::Interrupted => "interrupted",
        ErrorKind::Failed | ErrorKind::Denied | ErrorKind::Usage | ErrorKind::InvalidSpec => "error",
    };
    let reassurance = match error.kind {
        ErrorKind::Usage | ErrorKind::InvalidSpec => ", nothing was sent to AWS",
        ErrorKind::Refused => ", nothing was changed",
        ErrorKind::Failed | ErrorKind::Denied | ErrorKind::StillUnderWay | ErrorKind::Interrupted => "",
    };
    let mut text = format!("{style}{word}{style:#} (exit {code}){reassurance}: {}\n", error.message);
    for hint in &error.hints {
        text.push_str("  ");
        text.push_str(hint);
        text.push('\n');
    }
    tell(&text);
}

/// Writes to standard error. A closed standard error is nobody's loss.
fn tell(text: &str) {
    let _ = anstream::stderr().write_all(text.as_bytes());
}

/// Writes a result to standard output.
///
/// # Errors
/// Fails when standard output is closed or full: a result that nobody got is a failure.
fn print(text: &str) -> Result<(), Error> {
    let mut out = anstream::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Error::failed(format!("standard output: {error}")))
}

/// Writes JSON to standard output.
///
/// # Errors
/// As [`print`].
fn print_json(value: &serde_json::Value) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::failed(error.to_string()))?;
    print(&(text + "\n"))
}

/// Tells what is said only when it is not quiet.
fn mention(talk: Talk, text: &str) {
    if !talk.quiet {
        tell(text);
    }
}
