//! Logs on standard error, as JSON for collectors or as text for people.

use clap::{Args, ValueEnum};
use tracing_subscriber::{EnvFilter, util::SubscriberInitExt as _};

#[derive(Args, Clone, Debug)]
#[allow(missing_docs)] // clap's help is the documentation of the fields
pub struct LogArgs {
    /// Log level: error, warn, info, debug or trace; or a level for each module, as in
    /// `info,kube=debug`
    #[arg(long, env = "PODROLE_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,

    /// Format of log lines
    #[arg(long, env = "PODROLE_LOG_FORMAT", default_value = "json", value_name = "FORMAT")]
    pub log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)] // clap's help is the documentation of the variants
pub enum LogFormat {
    /// One JSON object per line, for collectors
    Json,
    /// Text for people
    Text,
}

/// Why logging could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The filter is invalid.
    #[error("could not parse --log {filter}: {error}; use a level such as `info` or `debug`")]
    Filter {
        /// The value of `--log`.
        filter: String,
        /// What is wrong with it.
        error: tracing_subscriber::filter::ParseError,
    },
    /// Another logger is already installed in this process.
    #[error("could not start logging: {0}")]
    Init(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts the logs of this process. All daemons log by this function, so that their lines have the
/// same form: in JSON `timestamp`, `level`, `target`, `message` and the event's own fields, side by
/// side.
///
/// # Errors
/// If the filter is invalid, or a logger is already installed.
pub fn init(args: &LogArgs) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&args.log)
        .map_err(|error| LogError::Filter { filter: args.log.clone(), error })?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // `SubscriberInitExt` and not the builder's own method: its error has a type.
    match args.log_format {
        LogFormat::Json => logs.json().flatten_event(true).finish().try_init()?,
        LogFormat::Text => logs.with_target(false).finish().try_init()?,
    }
    Ok(())
}
