//! `ekk local`: the embedded local AWS in the foreground, and the one in the background.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;

use super::up::interrupt;
use super::{mention, print, tell};
use crate::cli::{Local, LocalCommand, Talk};
use crate::error::{Error, Exit, Result};
use crate::local::{self, Configured};

/// Runs `ekk local`.
pub(super) async fn run(args: Local, talk: Talk) -> Result<Exit> {
    match args.command {
        None => foreground(args.port, talk).await,
        Some(LocalCommand::Status) => status().await,
        Some(LocalCommand::Stop) => stop(talk).await,
        Some(LocalCommand::Env { all }) => env(all).await,
        Some(LocalCommand::Run { command }) => run_command(&command).await,
        Some(LocalCommand::Serve { state, port }) => {
            local::serve(&state, port, |_| {}, interrupt()).await?;
            Ok(Exit::Done)
        }
    }
}

async fn foreground(port: Option<u16>, talk: Talk) -> Result<Exit> {
    let folder = local::folder()?;
    let told = |address: &str| mention(talk, &format!("The local AWS listens at {address}; Ctrl-C ends it.\n"));
    local::serve(&folder, port, told, interrupt()).await?;
    Ok(Exit::Done)
}

async fn status() -> Result<Exit> {
    match local::find().await? {
        Some(running) => {
            print(&format!(
                "The local AWS of {} runs at {} (process {}, ekk {}).\n",
                local::folder()?.display(),
                running.address,
                running.pid,
                running.version
            ))?;
            Ok(Exit::Done)
        }
        None => {
            print("No local AWS runs for this folder.\n")?;
            Ok(Exit::Failed)
        }
    }
}

async fn stop(talk: Talk) -> Result<Exit> {
    let text = match local::stop().await? {
        Some(running) => {
            format!(
                "Stopped the local AWS at {}; its state stays in {}.\n",
                running.address,
                local::folder()?.display()
            )
        }
        None => "No local AWS runs for this folder.\n".to_owned(),
    };
    mention(talk, &text);
    Ok(Exit::Done)
}

async fn env(all: bool) -> Result<Exit> {
    let running = local::ensure().await?;
    let configured = configured();
    let variables = if all {
        local::variables_of_all(&running.address, configured)
    } else {
        local::variables_to_ship(&running.address, configured)
    };
    let lines: String = variables.iter().map(|(name, value)| format!("export {name}={value}\n")).collect();
    print(&lines)?;
    Ok(Exit::Done)
}

async fn run_command(command: &[std::ffi::OsString]) -> Result<Exit> {
    let [program, arguments @ ..] = command else { return Err(Error::usage("no command to run")) };
    let running = local::ensure().await?;
    let status = std::process::Command::new(program)
        .args(arguments)
        .envs(local::variables_to_ship(&running.address, configured()))
        .status()
        .map_err(|error| Error::usage(format!("{}: {error}", program.to_string_lossy())))?;
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(Exit::Done),
        (Some(code), _) => std::process::exit(code),
        (None, signal) => {
            tell(&format!("{} was ended by signal {}\n", program.to_string_lossy(), signal.unwrap_or_default()));
            std::process::exit(128 + signal.unwrap_or_default())
        }
    }
}

/// Looks at what the SDKs would find first, without asking anybody: variables, then the shared files.
fn configured() -> Configured {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let file = |variable: &str, name: &str| {
        let path = std::env::var_os(variable).map_or_else(|| home.join(".aws").join(name), PathBuf::from);
        std::fs::read_to_string(path).unwrap_or_default()
    };
    let config = file("AWS_CONFIG_FILE", "config");
    let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
    let says = |text: &str, key: &str| text.lines().any(|line| line.trim_start().starts_with(key));
    Configured {
        region: set("AWS_REGION") || set("AWS_DEFAULT_REGION") || says(&config, "region"),
        credentials: set("AWS_ACCESS_KEY_ID")
            || set("AWS_PROFILE")
            || set("AWS_WEB_IDENTITY_TOKEN_FILE")
            || set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
            || set("AWS_CONTAINER_CREDENTIALS_FULL_URI")
            || says(&credentials, "aws_access_key_id")
            || ["sso_", "role_arn", "credential_process", "aws_access_key_id"].iter().any(|key| says(&config, key)),
    }
}
