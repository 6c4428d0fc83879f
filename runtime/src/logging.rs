//! Logs: to standard error, as text for people or JSON for collectors.

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// The flags for logs.
#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// How much to log: error, warn, info, debug or trace; or per module, as in `info,kube=debug`
    #[arg(long, env = "PODROLE_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,

    /// How a log line looks
    #[arg(long, env = "PODROLE_LOG_FORMAT", default_value = "json", value_name = "FORMAT")]
    pub log_format: LogFormat,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line, for collectors
    Json,
    /// For people
    Text,
}

/// Starts the logs of this process.
///
/// # Errors
/// When the filter cannot be read, or logs were started before; the text names the mend.
pub fn init(args: &LogArgs) -> Result<(), String> {
    let filter = EnvFilter::try_new(&args.log)
        .map_err(|error| format!("--log {}: {error}; try `info` or `debug`", args.log))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match args.log_format {
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
        LogFormat::Text => logs.with_target(false).try_init(),
    };
    started.map_err(|error| format!("logs: {error}"))
}
