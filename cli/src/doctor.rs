//! `podrole doctor`: what is wrong with podrole in a cluster, one line for each check.
//!
//! ```text
//!   Seen (all that was read) ─► checks (pure, one for each code) ─► Finding ─► a line, or JSON
//! ```

mod checks;
mod read;
mod report;
mod seen;
#[cfg(test)]
mod tests;

use std::{process::ExitCode, time::Duration};

use clap::Args;
use podrole_runtime::clock;
use tokio::time::{Instant, sleep};

use crate::{
    cluster::ClusterArgs,
    output,
    progress::Progress,
    report::{Code, OutputArgs},
    settings::SettingsArgs,
};
use report::DoctorReport;
use seen::Seen;

/// Between two examinations with `--wait`.
const PAUSE: Duration = Duration::from_secs(2);

/// Examine podrole in the cluster
///
/// One line for each check: its state, its code, what was found, and the fix. Only reads. `podrole explain CODE` says more
/// about a code.
///
/// The exit code is 1 if a check found an error, 2 if the cluster cannot be used, and 3 if something could not be read.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// A code that is not examined, such as PR107; repeatable
    #[arg(long, value_name = "CODE")]
    ignore: Vec<Code>,

    /// Examine again until there is no error, for at most --timeout
    #[arg(long)]
    wait: bool,

    #[command(flatten)]
    cluster: ClusterArgs,

    #[command(flatten)]
    settings: SettingsArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command.
pub(crate) async fn run(args: DoctorArgs) -> ExitCode {
    args.output.choose_color();
    match doctor(&args).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => output::usage_error(&error),
    }
}

async fn doctor(args: &DoctorArgs) -> anyhow::Result<u8> {
    let end = Instant::now() + args.cluster.timeout();
    let progress = Progress::new(args.output.quiet);
    let report = loop {
        let report = examine(args, &progress).await?;
        if !args.wait || !report.has_error() || Instant::now() + PAUSE >= end {
            break report;
        }
        progress.show(|| format!("waiting until there is no error: {}", report.errors()));
        sleep(PAUSE).await;
    };
    progress.done();
    args.output.output.print(&report.for_scripts(), || report.text())?;
    Ok(report.exit_code())
}

async fn examine(args: &DoctorArgs, progress: &Progress) -> anyhow::Result<DoctorReport> {
    let (reader, _) = args.cluster.reader().await?;
    let now = clock::now();
    let seen = Seen::read(&reader, &args.settings, progress, now).await?;
    let findings = checks::all(&seen, now);
    Ok(DoctorReport::of(findings, &args.ignore, args.output.strict))
}
