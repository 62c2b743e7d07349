//! A folder of its own for one test, and the binary run in it with nothing of the surrounding environment.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// A folder to work in, beside an empty home.
pub(crate) struct Place {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        for name in ["home", "work"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let mut place = Self { folder, variables: Vec::new() };
        // Nobody answers there, and asking costs seconds.
        place.set("AWS_EC2_METADATA_DISABLED", "true");
        place
    }

    /// Sets a variable for everything that is run from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Takes a variable away.
    pub(crate) fn unset(&mut self, name: &str) {
        self.variables.retain(|(known, _)| known != name);
    }

    /// Returns a path in the working folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    /// Writes a file into the working folder.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("the temporary folder is writable");
    }

    /// Returns a program that is about to run in the working folder.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path().join("home"))
            // Where exchanges are recorded, those of a server in the background are, too.
            .envs(std::env::var_os("EKK_RECORD").map(|folder| ("EKK_RECORD", folder)))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Returns the binary that is about to run with these words.
    pub(crate) fn binary(&self, words: &[&str]) -> Command {
        let mut command = self.command(EKK);
        command.args(words);
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn ekk(&self, words: &[&str]) -> Ended {
        self.ended(self.binary(words).output().expect("the binary runs"))
    }

    /// Runs the binary with this text on its standard input.
    pub(crate) fn ekk_reading(&self, words: &[&str], text: &str) -> Ended {
        let mut child = self.start(self.binary(words).stdin(Stdio::piped()));
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(text.as_bytes()).expect("the binary reads its standard input");
        drop(input);
        self.end(child)
    }

    pub(crate) fn start(&self, command: &mut Command) -> Child {
        command.spawn().expect("the binary runs")
    }

    pub(crate) fn end(&self, child: Child) -> Ended {
        self.ended(child.wait_with_output().expect("the binary ends"))
    }

    fn ended(&self, output: Output) -> Ended {
        let Output { status, stdout, stderr } = output;
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let hide = self.path("").display().to_string();
        let hide = hide.trim_end_matches('/');
        Ended {
            code: status.code().unwrap_or_else(|| 1000 + status.signal().unwrap_or_default()),
            out: text(stdout).replace(hide, "[folder]"),
            err: text(stderr).replace(hide, "[folder]"),
        }
    }
}

/// The binary that is tested.
pub(crate) const EKK: &str = env!("CARGO_BIN_EXE_ekk");

/// The root of the project.
pub(crate) fn project(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// What a run of the binary left.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// The exit code; 1000 and the signal where one ended it.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl Ended {
    /// Fails the test with everything that was said, unless it ended so.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// Fails the test with everything that was said, unless standard error says this.
    #[track_caller]
    pub(crate) fn complains(self, part: &str) -> Self {
        assert!(self.err.contains(part), "standard error does not say {part:?}:\n{self}");
        self
    }

    /// Fails the test with everything that was said, unless standard output says this.
    #[track_caller]
    pub(crate) fn says(self, part: &str) -> Self {
        assert!(self.out.contains(part), "standard output does not say {part:?}:\n{self}");
        self
    }
}

impl std::fmt::Display for Ended {
    /// Everything that a user sees, with what differs from run to run taken out. Lines of progress are sorted, since
    /// resources are made at the same time.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "exit {}", self.code)?;
        let mut progress: Vec<String> = Vec::new();
        let mut rest = String::new();
        for line in self.err.lines() {
            if is_progress(line) {
                progress.push(steady(line));
            } else {
                let _ = writeln!(rest, "{}", steady(line));
            }
        }
        progress.sort();
        for (name, text) in [("stdout", steady(&self.out)), ("stderr", rest), ("progress", progress.join("\n"))] {
            if !text.is_empty() {
                writeln!(f, "--- {name} ---")?;
                writeln!(f, "{}", text.trim_end())?;
            }
        }
        Ok(())
    }
}

/// Lines of progress: `  stream: creating`.
fn is_progress(line: &str) -> bool {
    let kinds = ["role", "bucket", "log group", "domain", "index template", "stream", "index pattern"];
    // Where several stacks run at once, the stack stands before its kind.
    line.starts_with("  ") && line.splitn(3, ": ").any(|part| kinds.contains(&part.trim_start()))
}

/// Replaces durations (`in 1.4 s`), ports of loopback and process ids.
fn steady(text: &str) -> String {
    let mut text = text.to_owned();
    for (before, after, with) in
        [(" in ", " s", "[time]"), ("127.0.0.1:", "", "[port]"), ("(process ", ",", "[pid]"), ("| ", " s |", "[time]")]
    {
        let mut from = 0;
        while let Some(found) = text[from..].find(before) {
            let start = from + found + before.len();
            let length = text[start..].bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
            // A full stop at the end of a sentence is no part of a port.
            let length = text[start..start + length].trim_end_matches('.').len();
            if length > 0 && text[start + length..].starts_with(after) {
                text.replace_range(start..start + length, with);
            }
            from = start;
        }
    }
    text
}
