//! The `ekk` command: from the arguments to an exit code.

use std::process::ExitCode;

use clap::Parser as _;
use ekk::cli::Cli;
use ekk::command;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.is_server() {
        ekk::local::detach();
    }
    // One thread is enough for a few dozen calls, and starts faster than many.
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let exit = runtime.block_on(command::run(cli));
            // What still runs in the background (a connection that is being closed) holds nobody up.
            runtime.shutdown_background();
            exit.into()
        }
        Err(error) => {
            eprintln!("error (exit 1): no asynchronous runtime: {error}");
            ExitCode::FAILURE
        }
    }
}
