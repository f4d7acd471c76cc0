//! `ballast`: run a local exchange, trade on it, liquidate, govern, and prove its books.
//!
//! Exit codes: 0 done, 1 refused or failed (the last line says what to do), 2 the arguments make no sense,
//! 3 the books do not add up or the demonstration saw something that it did not expect.

mod amount;
mod args;
mod chain;
mod commands;
mod config;
mod demo;
mod desk;
mod funding;
mod keys;
mod migrate;
mod oracle;
mod output;
mod prepared;
mod prices;
mod programs;
mod refusal;
mod tokens;
mod venue;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use args::Cli;
use output::Unsound;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no threads to run on: {error}; see the system's thread limit (ulimit -u)");
            return ExitCode::FAILURE;
        }
    };
    let json = cli.global.json;
    match runtime.block_on(commands::run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error, json);
            ExitCode::from(if error.is::<Unsound>() { 3 } else { 1 })
        }
    }
}
