//! The embedded local AWS of a folder: finds the one that runs, starts it in the background, stops it.
//!
//! Everything about it lies in `.ekk/local/`: `lock` is held by the server as long as it lives, `server.json` says
//! where it listens, `log` is what it wrote, `state/` is its AWS.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ekk_emulator::{Emulator, Options, Recording, Timing};
use serde::{Deserialize, Serialize};

use crate::aws::LOCAL_REGION;
use crate::error::{Error, Result};
use crate::wait::Pace;

/// The account of the local AWS.
pub const ACCOUNT: &str = "000000000000";

/// How long the server may take to start or to stop. It takes well under a second; a loaded CI machine takes more.
const PATIENCE: Duration = Duration::from_secs(20);
/// For how long a lock that is held may be that of somebody who only looks.
const PROBED: Duration = Duration::from_millis(300);
/// Pause between two looks at its files.
const PAUSE: Duration = Duration::from_millis(10);

/// Returns how long one second of Firehose's buffering takes there.
#[must_use]
pub fn buffered_second() -> Duration {
    Pace::LOCAL.buffered_second
}

/// A local AWS that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its address, such as `http://127.0.0.1:41234`.
    pub address: String,
    /// Its process.
    pub pid: u32,
    /// The version of ekk that it is.
    pub version: String,
    /// Whether this call started it.
    pub was_started: bool,
}

/// What the server writes about itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Card {
    version: String,
    pid: u32,
    port: u16,
}

/// Returns the local AWS of this folder, and starts it in the background when none runs. One of another version is
/// stopped and started anew on the same state.
///
/// # Errors
/// Fails when its files cannot be written, or the server does not start; its log is named then.
pub async fn ensure() -> Result<Running> {
    let home = Home::find()?;
    home.make()?;
    // Two commands at once start one server: the second waits here and finds it.
    let starting = home.open("starting")?;
    home.take_turns(&starting).await?;
    if let Some(running) = home.running().await? {
        if running.version == env!("CARGO_PKG_VERSION") {
            return Ok(running);
        }
        home.stop(&running).await?;
    }
    home.start().await
}

/// Returns the local AWS of this folder, if it runs.
///
/// # Errors
/// Fails when its files cannot be read.
pub async fn find() -> Result<Option<Running>> {
    let home = Home::find()?;
    if home.folder.is_dir() { home.running().await } else { Ok(None) }
}

/// Stops the local AWS of this folder; its state stays. Returns the one that was stopped.
///
/// # Errors
/// Fails when it does not end.
pub async fn stop() -> Result<Option<Running>> {
    let home = Home::find()?;
    let Some(running) = find().await? else { return Ok(None) };
    home.stop(&running).await?;
    Ok(Some(running))
}

/// Returns where the files of this folder's local AWS lie.
///
/// # Errors
/// Fails when the current folder cannot be read.
pub fn folder() -> Result<PathBuf> {
    Ok(Home::find()?.folder)
}

/// Serves until `ended` resolves. `tell` is called once with the address.
///
/// # Errors
/// Fails when one runs for this folder already, or the port is taken.
pub async fn serve(
    folder: &Path,
    port: Option<u16>,
    tell: impl FnOnce(&str),
    ended: impl Future<Output = ()>,
) -> Result<()> {
    let home = Home { folder: folder.to_owned() };
    home.make()?;
    let lock = home.open("lock")?;
    let until = Instant::now() + PROBED;
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            // Who looks whether a server lives holds the lock for a moment, too.
            Err(TryLockError::WouldBlock) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
            Err(TryLockError::WouldBlock) => {
                return Err(Error::failed("the local AWS of this folder runs already").hint("`ekk local stop` ends it"));
            }
            Err(TryLockError::Error(error)) => return Err(home.error("lock", &error)),
        }
    }
    let last = home.card().map(|card| card.port);
    let emulator = home.emulator(port, last).await?;
    let address = emulator.address();
    let card = Card { version: env!("CARGO_PKG_VERSION").to_owned(), pid: std::process::id(), port: address.port() };
    home.write_card(&card)?;
    tell(&format!("http://{address}"));
    ended.await;
    emulator.stop().await;
    Ok(())
}

/// Returns the variables that let a program ship its logs: Firehose's endpoint, and a region and credentials only
/// where none are configured, so that its other calls to AWS go where they went.
#[must_use]
pub fn variables_to_ship(address: &str, configured: Configured) -> BTreeMap<&'static str, String> {
    let mut variables = BTreeMap::from([("AWS_ENDPOINT_URL_FIREHOSE", address.to_owned())]);
    add_region(&mut variables, configured);
    if !configured.credentials {
        add_credentials(&mut variables);
    }
    variables
}

/// Returns the variables that point every AWS service at the local AWS.
#[must_use]
pub fn variables_of_all(address: &str, configured: Configured) -> BTreeMap<&'static str, String> {
    let mut variables = BTreeMap::from([("AWS_ENDPOINT_URL", address.to_owned())]);
    add_region(&mut variables, configured);
    add_credentials(&mut variables);
    variables
}

/// Python's SDK reads only the second of the two.
fn add_region(variables: &mut BTreeMap<&'static str, String>, configured: Configured) {
    if !configured.region {
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            variables.insert(name, LOCAL_REGION.to_owned());
        }
    }
}

fn add_credentials(variables: &mut BTreeMap<&'static str, String>) {
    let credentials = crate::aws::local_credentials();
    variables.insert("AWS_ACCESS_KEY_ID", credentials.access_key_id().to_owned());
    variables.insert("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key().to_owned());
}

/// What the AWS configuration of this user holds already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Configured {
    /// A region.
    pub region: bool,
    /// Credentials, or a way to get them.
    pub credentials: bool,
}

struct Home {
    folder: PathBuf,
}

impl Home {
    /// The nearest folder above with `.ekk`, else this one.
    fn find() -> Result<Self> {
        let here = std::env::current_dir().map_err(|error| Error::failed(format!("this folder: {error}")))?;
        let root = here.ancestors().find(|folder| folder.join(".ekk").is_dir()).unwrap_or(&here);
        Ok(Self { folder: root.join(".ekk").join("local") })
    }

    fn make(&self) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(|error| self.error("", &error))?;
        let ignore = self.folder.join(".gitignore");
        if !ignore.exists() {
            fs::write(&ignore, "*\n").map_err(|error| self.error(".gitignore", &error))?;
        }
        Ok(())
    }

    fn open(&self, name: &str) -> Result<File> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join(name))
            .map_err(|error| self.error(name, &error))
    }

    fn error(&self, name: &str, error: &std::io::Error) -> Error {
        Error::failed(format!("{}: {error}", self.folder.join(name).display()))
    }

    fn card(&self) -> Option<Card> {
        serde_json::from_str(&fs::read_to_string(self.folder.join("server.json")).ok()?).ok()
    }

    fn write_card(&self, card: &Card) -> Result<()> {
        let text = serde_json::to_string(card).map_err(|error| Error::failed(error.to_string()))?;
        let new = self.folder.join("server.json.new");
        let mut file = File::create(&new).map_err(|error| self.error("server.json.new", &error))?;
        file.write_all(text.as_bytes()).map_err(|error| self.error("server.json.new", &error))?;
        fs::rename(&new, self.folder.join("server.json")).map_err(|error| self.error("server.json", &error))
    }

    /// Waits for the lock of those who start a server; it is let go when the file is closed.
    async fn take_turns(&self, starting: &File) -> Result<()> {
        let until = Instant::now() + PATIENCE * 2;
        loop {
            match starting.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::failed(format!(
                        "{}: another command starts a server and does not end",
                        self.folder.display()
                    )));
                }
                Err(TryLockError::Error(error)) => return Err(self.error("starting", &error)),
            }
        }
    }

    /// The lock tells whether it lives: a card may be of one that was killed.
    fn is_locked(&self) -> Result<bool> {
        match self.open("lock")?.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(self.error("lock", &error)),
        }
    }

    async fn running(&self) -> Result<Option<Running>> {
        let until = Instant::now() + PATIENCE;
        while self.is_locked()? {
            if let Some(card) = self.card().filter(|card| process_lives(card.pid)) {
                let Card { version, pid, port } = card;
                let address = format!("http://{}", SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
                return Ok(Some(Running { address, pid, version, was_started: false }));
            }
            // It holds the lock and has not written its card yet.
            if Instant::now() >= until {
                return Err(Error::failed(format!(
                    "{}: a server holds the lock and says nothing",
                    self.folder.display()
                )));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(None)
    }

    async fn start(&self) -> Result<Running> {
        let program = std::env::current_exe().map_err(|error| Error::failed(format!("this program: {error}")))?;
        let log = self.open("log")?;
        let errors = log.try_clone().map_err(|error| self.error("log", &error))?;
        let mut child = Command::new(program)
            .args(["local", "serve", "--state"])
            .arg(&self.folder)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(|error| Error::failed(format!("the local AWS could not be started: {error}")))?;
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(card) = self.card().filter(|card| card.pid == child.id()) {
                let address = format!("http://{}", SocketAddr::from((Ipv4Addr::LOCALHOST, card.port)));
                return Ok(Running { address, pid: card.pid, version: card.version, was_started: true });
            }
            let ended = child.try_wait().map_err(|error| self.error("", &error))?;
            if ended.is_some() || Instant::now() >= until {
                let log = self.folder.join("log");
                let last = fs::read_to_string(&log).unwrap_or_default();
                let last = last.lines().last().unwrap_or("it wrote nothing");
                return Err(Error::failed(format!("the local AWS did not start: {last}"))
                    .hint(format!("its log is {}", log.display())));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn stop(&self, running: &Running) -> Result<()> {
        terminate(running.pid);
        let until = Instant::now() + PATIENCE;
        while self.is_locked()? {
            if Instant::now() >= until {
                return Err(Error::failed(format!("the local AWS (process {}) does not end", running.pid)));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Listens on the port that was asked for, else on the one used last, so that programs find it again; where that
    /// one is taken meanwhile, on a free one.
    async fn emulator(&self, port: Option<u16>, last: Option<u16>) -> Result<Emulator> {
        let options = |port: u16| Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            state: Some(self.folder.join("state")),
            account: ACCOUNT.to_owned(),
            timing: Timing::newcomer(),
            recording: Recording::Nothing,
            exchanges: ekk_emulator::recorder::folder(),
        };
        let failed = |error: std::io::Error| Error::failed(format!("the local AWS could not start: {error}"));
        match (port, last) {
            (Some(port), _) => Emulator::start(options(port)).await.map_err(|error| {
                failed(error).context(format!("port {port}")).hint("without --port it takes a free one")
            }),
            (None, Some(last)) => match Emulator::start(options(last)).await {
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                    Emulator::start(options(0)).await.map_err(failed)
                }
                started => started.map_err(failed),
            },
            (None, None) => Emulator::start(options(0)).await.map_err(failed),
        }
    }
}

/// Makes this process one of its own session that holds none of its caller's descriptors: a pipe that a server keeps
/// open makes every CI step hang that waits for its end.
pub fn detach() {
    // Not being able to (it leads a group already) leaves a server that ends with its terminal, which is no harm.
    let _ = nix::unistd::setsid();
    let Ok(descriptors) = fs::read_dir("/dev/fd") else { return };
    let inherited: Vec<i32> = descriptors
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor > 2)
        .collect();
    for descriptor in inherited {
        // The descriptor that listed the folder is closed already.
        let _ = nix::unistd::close(descriptor);
    }
}

fn process_lives(pid: u32) -> bool {
    i32::try_from(pid).is_ok_and(|pid| nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok())
}

fn terminate(pid: u32) {
    if let Ok(pid) = i32::try_from(pid) {
        // One that is gone already is what is wanted.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_waits_for_as_long_as_the_local_firehose_buffers() {
        assert_eq!(Pace::LOCAL.buffered_second, Timing::newcomer().buffering(1));
    }

    #[test]
    fn a_program_that_has_credentials_keeps_them() {
        let configured = Configured { region: true, credentials: true };
        let variables = variables_to_ship("http://127.0.0.1:1", configured);
        assert_eq!(variables.keys().copied().collect::<Vec<_>>(), ["AWS_ENDPOINT_URL_FIREHOSE"]);
    }

    #[test]
    fn a_program_without_credentials_gets_some() {
        let configured = Configured { region: false, credentials: false };
        let variables = variables_to_ship("http://127.0.0.1:1", configured);
        assert_eq!(
            variables.keys().copied().collect::<Vec<_>>(),
            [
                "AWS_ACCESS_KEY_ID",
                "AWS_DEFAULT_REGION",
                "AWS_ENDPOINT_URL_FIREHOSE",
                "AWS_REGION",
                "AWS_SECRET_ACCESS_KEY"
            ]
        );
    }
}
