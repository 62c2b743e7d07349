//! The command line, as clap types only.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::guard::Allowance;
use crate::newest::Level;
use crate::plan::Adopt;
use crate::resource::Kind;

/// One YAML file to a working EKK logging stack on AWS, and back
#[derive(Debug, Parser)]
#[command(name = "ekk", version, max_term_width = 80, arg_required_else_help = true, after_help = ABOUT)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// What to say, and how.
    #[command(flatten)]
    pub talk: Talk,
}

const ABOUT: &str = "\
EKK is OpenSearch (once Elasticsearch), Firehose and Kibana. STACK is a YAML file, a directory of them, or `-` for \
standard input; without one it is `ekk.yaml` here.

Exit codes: 0 done, 1 failed, 2 usage or invalid spec, 3 changes pending (`plan --exit-code`), 4 refused, 5 still \
under way (--no-wait, --timeout), 130 interrupted.";

impl Cli {
    /// Tells whether this is the process that serves the local AWS in the background.
    #[must_use]
    pub fn is_server(&self) -> bool {
        matches!(&self.command, Command::Local(Local { command: Some(LocalCommand::Serve { .. }), .. }))
    }
}

/// Flags that every command takes. They stand last in every help, whatever its own flags are.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Output")]
pub struct Talk {
    /// Say only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose", display_order = 100)]
    pub quiet: bool,

    /// Say more: every setting, defaults included
    #[arg(short, long, global = true, display_order = 101)]
    pub verbose: bool,

    /// When to use colour: auto, always or never; NO_COLOR is honoured
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        display_order = 102
    )]
    pub color: Color,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create or change what the file says: shows the plan, then does it
    #[command(after_help = ABOUT_UP)]
    Up(Up),

    /// Show what `up` would do, and do nothing
    Plan(PlanArgs),

    /// Delete what this stack owns, in the safe order; keeps the backup bucket
    #[command(after_help = ABOUT_DOWN)]
    Down(Down),

    /// Show each resource as it is live, and which settings differ from the file
    Status(Status),

    /// Show all stacks of this account and region: state, health, where
    List(List),

    /// Ship lines or JSON from files or standard input through the stream
    #[command(after_help = ABOUT_PUT)]
    Put(Put),

    /// Show the newest records, and follow those that come in
    #[command(visible_alias = "tail", after_help = ABOUT_LOGS)]
    Logs(Logs),

    /// Send a marked record through the whole path, and time each hop
    #[command(after_help = ABOUT_VERIFY)]
    Verify(Verify),

    /// Bring failed documents from the backup bucket back into their index
    #[command(after_help = ABOUT_REPLAY)]
    Replay(Replay),

    /// Say in plain words why no logs arrive, and what mends it; changes nothing
    #[command(after_help = ABOUT_DOCTOR)]
    Doctor(Doctor),

    /// Print the IAM permissions of who ships to a stack, looks at it, or looks after it
    Policy(Policy),

    /// Open the stack's Dashboards in a browser, signed with your credentials
    #[command(after_help = ABOUT_DASHBOARDS)]
    Dashboards(Dashboards),

    /// Check the file alone, offline
    Validate(Validate),

    /// Print the spec's JSON Schema
    Schema,

    /// Run the embedded local AWS in the foreground, or look after the one in the background
    Local(Local),

    /// What other tools call `up`
    #[command(hide = true, alias = "deploy", alias = "create", disable_help_flag = true)]
    Apply(Elsewhere),

    /// What other tools call `down`
    #[command(hide = true, alias = "delete", alias = "rm", disable_help_flag = true)]
    Destroy(Elsewhere),

    /// What other tools call `plan`
    #[command(hide = true, alias = "preview", disable_help_flag = true)]
    Diff(Elsewhere),
}

const ABOUT_UP: &str = "\
With nothing to do it says so and writes nothing. On a terminal it asks once before it changes anything on AWS; \
without one, --yes or --expect is required. Ctrl-C is safe: AWS goes on, and the same command takes up from there.

HAZARD:   delete-data, blue-green, interrupt-delivery, widen-access, replace
RESOURCE: role, bucket, log-group, domain, index-template, stream, index-pattern";

const ABOUT_DOWN: &str = "\
Deleting a domain is the hazard `delete-data`: on a terminal the stack's name is typed, elsewhere --yes --allow \
delete-data is required, on the local AWS too.";

const ABOUT_PUT: &str = "\
A JSON object goes as it is, on one line; it may stand over several lines, or beside others. Any other line becomes \
{\"asctime\": NOW, \"message\": LINE}. gzip is unpacked. What cannot be sent (binary files, invalid UTF-8, records over \
1,000 KiB) is told with its line, the rest goes on, and the exit code is 1.";

const ABOUT_LOGS: &str = "\
TIME is how long ago (90s, 10m, 2h, 7d) or a time (2026-11-24, \"2026-11-24 10:30\", 2026-11-24T10:30:00Z; local where \
it names no zone). QUERY is that of Discover's search bar in Lucene syntax: levelname:ERROR AND message:timeout.";

const ABOUT_VERIFY: &str = "\
The record is an ordinary line of a log with the field `ekk_verify`. Its document is removed from the index again; its \
line stays in the backup. The backup has a buffer of its own, so that it takes longer.

Exit codes: 0 found everywhere, 1 lost, or a place cannot be looked at, 5 not there within the time.";

const ABOUT_REPLAY: &str = "\
Each document keeps the id that Firehose meant it to have, else gets one from its object's key and its place in it. \
What is there already is left, so that running it again is safe. The bucket is not changed.

TIME is how long ago (90s, 10m, 2h, 7d) or a time (2026-11-24, \"2026-11-24 10:30\", 2026-11-24T10:30:00Z; local where \
it names no zone). It is when Firehose got the record; with --all, the time of the whole object.

Exit codes: 0 everything is in the domain, 1 something is not.";

const ABOUT_DASHBOARDS: &str = "\
It listens on 127.0.0.1 until Ctrl-C and prints the address, whose token lets a browser in. Nothing of the domain is \
opened to anybody else.";

/// Anything that follows a word of another tool.
#[derive(Args, Debug)]
pub struct Elsewhere {
    /// Ignored.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub rest: Vec<String>,
}

/// Where the stacks live.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Where")]
pub struct Place {
    /// Use the embedded local AWS instead of AWS
    #[arg(long)]
    pub local: bool,

    /// The region, where the file names none
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,

    /// The profile of the AWS configuration
    #[arg(long, value_name = "NAME", conflicts_with = "local")]
    pub profile: Option<String>,
}

/// The form of the result on standard output.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// The form of the result: text, json (its shape is in docs/cli.md) or markdown
    #[arg(short = 'o', long = "format", value_name = "FORM", default_value = "text", hide_possible_values = true)]
    pub format: Format,
}

/// A form of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person.
    Text,
    /// For a program; the shape is versioned and documented in docs/cli.md.
    Json,
    /// For a pull request's comment.
    Markdown,
}

/// What is allowed to a plan.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "What is allowed")]
pub struct Allow {
    /// Allow a hazard, for all resources or for one; may be repeated
    #[arg(long = "allow", value_name = "HAZARD[:RESOURCE]")]
    pub allowed: Vec<Allowance>,

    /// Take over resources that carry no tag `ekk:stack`; `ekk down` will delete them from then on
    #[arg(long, value_name = "RESOURCE", num_args = 0..=1, require_equals = true)]
    pub adopt: Option<Vec<Kind>>,

    /// Do not ask AWS for a dry run of a domain change; use the table of known costs alone
    #[arg(long)]
    pub no_dry_run: bool,
}

impl Allow {
    /// Returns what may be taken over.
    #[must_use]
    pub fn adopt(&self) -> Adopt {
        match &self.adopt {
            None => Adopt::Nothing,
            Some(kinds) if kinds.is_empty() => Adopt::All,
            Some(kinds) => Adopt::Only(kinds.clone()),
        }
    }
}

/// How a plan is applied.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "How it is done")]
pub struct Apply {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,

    /// Do exactly the plan that was looked at, or refuse; grants no hazard
    #[arg(long, value_name = "FINGERPRINT|PLAN.json")]
    pub expect: Option<String>,

    /// Give up waiting after this time (90s, 20m, 2h); AWS goes on
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,

    /// Start what takes long and leave; the same command later takes up from there
    #[arg(long, conflicts_with = "timeout")]
    pub no_wait: bool,
}

/// `ekk up`.
#[derive(Args, Debug)]
pub struct Up {
    /// YAML files, directories of them, or `-`; without one `ekk.yaml` here
    #[arg(value_name = "STACK")]
    pub stacks: Vec<PathBuf>,

    /// Show the plan and do nothing, as `ekk plan`
    #[arg(long)]
    pub dry_run: bool,

    /// Where the stacks live.
    #[command(flatten)]
    pub place: Place,
    /// How the plan is applied.
    #[command(flatten)]
    pub apply: Apply,
    /// What is allowed to it.
    #[command(flatten)]
    pub allow: Allow,
    /// The form of the result.
    #[command(flatten)]
    pub output: Output,
}

/// `ekk plan`.
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// YAML files, directories of them, or `-`; without one `ekk.yaml` here
    #[arg(value_name = "STACK")]
    pub stacks: Vec<PathBuf>,

    /// Show what `down` would do
    #[arg(long)]
    pub destroy: bool,

    /// With --destroy: delete the backup bucket and every record in it, too
    #[arg(long, requires = "destroy")]
    pub delete_backup: bool,

    /// Exit with 3 when there is something to do, and with 4 when `up` would be refused
    #[arg(long)]
    pub exit_code: bool,

    /// Keep the plan as JSON, for `up --expect FILE`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// Where the stacks live.
    #[command(flatten)]
    pub place: Place,
    /// What is allowed to it.
    #[command(flatten)]
    pub allow: Allow,
    /// The form of the result.
    #[command(flatten)]
    pub output: Output,
}

/// `ekk down`.
#[derive(Args, Debug)]
pub struct Down {
    /// A YAML file or `-`; without one `ekk.yaml` here
    #[arg(value_name = "STACK")]
    pub stack: Option<PathBuf>,

    /// Delete the backup bucket and every record in it, too
    #[arg(long)]
    pub delete_backup: bool,

    /// Where the stacks live.
    #[command(flatten)]
    pub place: Place,
    /// How the plan is applied.
    #[command(flatten)]
    pub apply: Apply,

    /// Allow a hazard, for all resources or for one; may be repeated
    #[arg(long = "allow", value_name = "HAZARD[:RESOURCE]", help_heading = "What is allowed")]
    pub allowed: Vec<Allowance>,

    /// The form of the result.
    #[command(flatten)]
    pub output: Output,
}

/// `ekk status`.
#[derive(Args, Debug)]
pub struct Status {
    /// YAML files, directories of them, `-`, or names of stacks; without one `ekk.yaml` here
    #[arg(value_name = "STACK")]
    pub stacks: Vec<PathBuf>,

    /// Where the stacks live.
    #[command(flatten)]
    pub place: Place,
    /// The form of the result.
    #[command(flatten)]
    pub output: Output,
}

/// `ekk list`.
#[derive(Args, Debug)]
pub struct List {
    /// Where the stacks live.
    #[command(flatten)]
    pub place: Place,
    /// The form of the result.
    #[command(flatten)]
    pub output: Output,
}

/// `ekk put`.
#[derive(Args, Debug)]
pub struct Put {
    /// A YAML file, or the name of a stack that lives
    #[arg(value_name = "STACK")]
    pub stack: PathBuf,

    /// Files with logs, or `-`; without one standard input
    #[arg(value_name = "LOGFILE")]
    pub files: Vec<PathBuf>,

    /// Where the stack lives.
    #[command(flatten)]
    pub place: Place,
    /// The form of the result.
    #[command(flatten)]
    pub output: Output,
}

/// `ekk logs`.
#[derive(Args, Debug)]
pub struct Logs {
    /// A YAML file, or the name of a stack that lives; without one `ekk.yaml` here
    #[arg(value_name = "STACK")]
    pub stack: Option<std::ffi::OsString>,

    /// Go on with the records that come in
    #[arg(short, long)]
    pub follow: bool,

    /// So many of the newest records; 20, and with --since all
    #[arg(short, long, value_name = "COUNT")]
    pub number: Option<usize>,

    /// Records from this time on
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,

    /// Records of this level and above: debug, info, warning, error, critical
    #[arg(long, value_name = "LEVEL")]
    pub level: Option<Level>,

    /// Records that a query finds
    #[arg(long, value_name = "QUERY")]
    pub query: Option<String>,

    /// Where the stack lives.
    #[command(flatten)]
    pub place: Place,
    /// The form of the result.
    #[command(flatten)]
    pub output: Output,
}

/// `ekk verify`.
#[derive(Args, Debug)]
pub struct Verify {
    /// A YAML file, or the name of a stack that lives; without one `ekk.yaml` here
    #[arg(value_name = "STACK")]
    pub stack: Option<std::ffi::OsString>,

    /// Do not look into the backup
    #[arg(long)]
    pub no_backup: bool,

    /// Give up after this time (90s, 20m); without it, after what the stream's buffers and its retry time allow
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,

    /// Where the stack lives.
    #[command(flatten)]
    pub place: Place,
    /// The form of the result.
    #[command(flatten)]
    pub output: Output,
}

/// `ekk replay`.
#[derive(Args, Debug)]
pub struct Replay {
    /// A YAML file, or the name of a stack that lives; without one `ekk.yaml` here
    #[arg(value_name = "STACK")]
    pub stack: Option<std::ffi::OsString>,

    /// Restore all records of the backup, not only those that failed
    #[arg(long, requires = "into")]
    pub all: bool,

    /// With --all: the index to restore into, such as logging-test-restored
    #[arg(long, value_name = "INDEX", requires = "all")]
    pub into: Option<String>,

    /// Only what came at this time or later
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,

    /// Only what came before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,

    /// Read everything, say what would be done, and write nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Where the stack lives.
    #[command(flatten)]
    pub place: Place,
    /// The form of the result.
    #[command(flatten)]
    pub output: Output,
}

/// `ekk policy`.
#[derive(Args, Debug)]
pub struct Policy {
    /// Whose permissions: producer (ships logs), reader (looks at them) or operator (verify and replay, too)
    #[arg(value_name = "WHO", hide_possible_values = true)]
    pub who: Who,

    /// A YAML file, or the name of a stack that lives; without one `ekk.yaml` here
    #[arg(value_name = "STACK")]
    pub stack: Option<std::ffi::OsString>,

    /// Where the stacks live.
    #[command(flatten)]
    pub place: Place,
}

/// `ekk dashboards`.
#[derive(Args, Debug)]
pub struct Dashboards {
    /// A YAML file, `-`, or the name of a stack that lives in this account and region; without one `ekk.yaml` here
    #[arg(value_name = "STACK")]
    pub stack: Option<PathBuf>,

    /// The port on loopback; without it the stack's own, which is always the same, else a free one
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,

    /// Hand on only what is known to read; saving, importing and deleting are refused
    #[arg(long)]
    pub read_only: bool,

    /// Print the address and open no browser
    #[arg(long)]
    pub no_open: bool,

    /// Where the stack lives.
    #[command(flatten)]
    pub place: Place,
}

/// Whose permissions are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Who {
    /// An application that ships logs.
    Producer,
    /// A person who looks at them.
    Reader,
    /// Who looks after the stack.
    Operator,
}

const ABOUT_DOCTOR: &str = "\
Reads the stream and its error log, the role, the bucket and its failed documents, the domain and what is inside it, and \
the clocks. Exits with 1 when something keeps records from arriving or from being seen, with 0 when there are warnings \
at most. docs/troubleshooting.md explains every finding by its name.";

/// `ekk doctor`.
#[derive(Args, Debug)]
pub struct Doctor {
    /// A YAML file, or the name of a stack that lives; without one `ekk.yaml` here
    #[arg(value_name = "STACK")]
    pub stack: Option<std::ffi::OsString>,

    /// Where the stack lives.
    #[command(flatten)]
    pub place: Place,
    /// The form of the result.
    #[command(flatten)]
    pub output: Output,
}

/// `ekk validate`.
#[derive(Args, Debug)]
pub struct Validate {
    /// YAML files, directories of them, or `-`; without one `ekk.yaml` here
    #[arg(value_name = "STACK")]
    pub stacks: Vec<PathBuf>,
}

/// `ekk local`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Local {
    /// What to do with it; without a word it runs in the foreground
    #[command(subcommand)]
    pub command: Option<LocalCommand>,

    /// The port on loopback; without it the one used last here, else a free one
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
}

/// `ekk local …`.
#[derive(Debug, Subcommand)]
pub enum LocalCommand {
    /// Tell whether it runs for this folder, and where
    Status,
    /// Stop the one that runs in the background; its state stays in .ekk/local
    Stop,
    /// Print the variables that let a program ship its logs to it
    Env {
        /// Print the variables that point every AWS service at it
        #[arg(long)]
        all: bool,
    },
    /// Run a command with those variables set; starts it when it does not run
    Run {
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD")]
        command: Vec<std::ffi::OsString>,
    },
    /// The server itself, as the background process runs it
    #[command(hide = true)]
    Serve {
        /// The folder of its files.
        #[arg(long)]
        state: PathBuf,
        /// The port.
        #[arg(long)]
        port: Option<u16>,
    },
}

/// Reads `90s`, `20m`, `2h` or `1h30m`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time: write 90s, 20m or 2h");
    let mut total = Duration::ZERO;
    let mut digits = String::new();
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let seconds_each = match letter {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return Err(wrong()),
        };
        let count: u64 = digits.parse().map_err(|_| wrong())?;
        let seconds = count.checked_mul(seconds_each).filter(|seconds| *seconds <= 7 * 86_400).ok_or_else(wrong)?;
        total += Duration::from_secs(seconds);
        digits.clear();
    }
    if digits.is_empty() && total > Duration::ZERO { Ok(total) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_time_is_read_with_its_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        for wrong in ["", "90", "m", "0s", "-1s", "1d", "99999999999999999999s", "9999999h"] {
            duration(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn adopting_takes_all_or_what_is_named() {
        let adopt = |words: &[&str]| match Cli::try_parse_from(words).expect("a command").command {
            Command::Up(up) => up.allow.adopt(),
            other => panic!("not up: {other:?}"),
        };
        assert_eq!(adopt(&["ekk", "up"]), Adopt::Nothing);
        assert_eq!(adopt(&["ekk", "up", "--adopt", "x.yaml"]), Adopt::All);
        assert_eq!(
            adopt(&["ekk", "up", "--adopt=bucket", "--adopt=role"]),
            Adopt::Only(vec![Kind::Bucket, Kind::Role])
        );
    }
}
