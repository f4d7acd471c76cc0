//! `ballast-keeper`.
//!
//! Exit codes: 0 done, 1 refused or failed (the last line says what to do), 2 the arguments make no sense, 3 `--once` ended
//! with accounts below maintenance.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use ballast_keeper::args::{Cli, Command, ReportArgs, Run, TableArgs};
use ballast_keeper::config::Config;
use ballast_keeper::keeper::Keeper;
use ballast_keeper::{ledger, serve, table};
use clap::Parser;
use solana_keypair::{Keypair, read_keypair_file};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no threads to run on: {error}; see the system's thread limit (ulimit -u)");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli.command)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Run(options) => keep(&options).await,
        Command::Report(options) => report(&options),
        Command::Table(options) => make_table(&options).await,
        Command::Check(common) => {
            let config = common.load()?;
            // The key is a path here: nothing secret is shown.
            println!("{config:#?}");
            config.check()?;
            // How many there are only the chain knows; `run` says at its start where these are fewer.
            let covered = (0..=ballast_engine::constants::MAX_MARKETS)
                .take_while(|markets| config.fees.prices_cost(*markets, &config.timing) <= config.fees.for_prices())
                .last();
            println!("fees.unpaid_hourly keeps the prices of {} markets", covered.unwrap_or(0));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn logging(config: &Config) {
    let filter = EnvFilter::try_from_default_env()
        .or_else(|_| EnvFilter::try_new(&config.log.filter))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    if config.log.json {
        log.json().init();
    } else {
        log.init();
    }
}

fn keypair(config: &Config) -> Result<Keypair> {
    let path = &config.chain.keypair;
    // What the reader says of a malformed file could quote it.
    read_keypair_file(path).ok().with_context(|| {
        format!("no key in {}; give one with --keypair or chain.keypair, as solana-keygen writes it", path.display())
    })
}

async fn keep(options: &Run) -> Result<ExitCode> {
    let config = options.load()?;
    logging(&config);
    let payer = keypair(&config)?;
    let listen = config.serve.listen;
    let keeper = Keeper::start(config, payer, options.dry_run).await?;
    if options.once {
        let summary = keeper.once(Duration::from_secs(options.patience)).await?;
        println!(
            "{} done, {} by others or too late, {} refused, {} not landed, {} not worth their fee; {} accounts below maintenance",
            summary.done, summary.raced, summary.refused, summary.lost, summary.unprofitable, summary.unhealthy
        );
        return Ok(ExitCode::from(if summary.unhealthy > 0 { 3 } else { 0 }));
    }
    let address = serve::serve(listen, keeper.metrics(), keeper.pulse()).await?;
    tracing::info!(%address, "metrics and health");
    let summary = keeper.run(stopped()).await?;
    tracing::info!(?summary, "stopped");
    Ok(ExitCode::SUCCESS)
}

/// Returns when the process is asked to end.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupted = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminated) => tokio::select! {
            _ = interrupted => {}
            _ = terminated.recv() => {}
        },
        Err(_) => {
            let _ = interrupted.await;
        }
    }
}

fn report(options: &ReportArgs) -> Result<ExitCode> {
    let config = options.common.load()?;
    let since = options.hours.map_or(0, |hours| serve::present().saturating_sub(hours.saturating_mul(3_600)));
    let report = ledger::report(&config.ledger.path, since, config.fees.sol_price, options.decimals)?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(ExitCode::SUCCESS);
    }
    let decimals = usize::try_from(options.decimals).unwrap_or(6);
    let amount = |value: i128| {
        let digits = format!("{:0width$}", value.unsigned_abs(), width = decimals + 1);
        let (whole, part) = digits.split_at(digits.len() - decimals);
        format!("{}{whole}.{part}", if value < 0 { "-" } else { "" })
    };
    println!(
        "{:<12} {:>7} {:>7} {:>8} {:>6} {:>12} {:>14} {:>16} {:>9} {:>9}",
        "job", "done", "raced", "refused", "lost", "unprofitable", "fees lamports", "rewards", "p50 ms", "p99 ms"
    );
    for line in &report.jobs {
        println!(
            "{:<12} {:>7} {:>7} {:>8} {:>6} {:>12} {:>14} {:>16} {:>9} {:>9}",
            line.job,
            line.done,
            line.raced,
            line.refused,
            line.lost,
            line.unprofitable,
            line.fees,
            amount(line.rewards.into()),
            line.median_millis,
            line.p99_millis
        );
    }
    println!(
        "earned {}, spent {} (at {} a SOL): {}",
        amount(report.rewards.into()),
        amount(report.cost.into()),
        config.fees.sol_price,
        amount(report.profit.into())
    );
    Ok(ExitCode::SUCCESS)
}

async fn make_table(options: &TableArgs) -> Result<ExitCode> {
    let config = options.common.load()?;
    logging(&config);
    let payer = keypair(&config)?;
    let rpc = ballast_client::Rpc::new(config.chain.rpc[0].as_str());
    let parse = |text: &String| text.parse().ok().with_context(|| format!("{text:?} is no address"));
    let mint = config.chain.collateral.as_ref().map(parse).transpose()?;
    let exchange = rpc.exchange(mint).await?;
    let known = options.table.as_ref().or(config.chain.lookup_table.as_ref());
    let table = table::make(&rpc, &exchange, &payer, known.map(parse).transpose()?).await?;
    println!("{table}\nput it into the configuration: chain.lookup_table = \"{table}\"");
    Ok(ExitCode::SUCCESS)
}
