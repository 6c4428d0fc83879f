//! The flags.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use clap::{Args as ClapArgs, Parser, Subcommand};
use podrole_runtime::logging::LogArgs;

use crate::host_dir::USER;

/// Does for the agent what needs rights on the node.
#[derive(Parser, Clone, Debug)]
#[command(name = "podrole-node", version)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub command: Command,

    /// The logs
    #[command(flatten)]
    pub logs: LogArgs,
}

/// What the program does.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Run the agent, bind its addresses, and start it again at once if it dies or hangs
    Run(RunArgs),
    /// Check whether the agent in this pod is ready
    Health {
        /// The agent's --health-socket
        #[arg(long, value_name = "FILE")]
        socket: PathBuf,
        /// Check only that the agent answers
        #[arg(long)]
        live: bool,
    },
    /// Add the addresses that serve credentials to the node, and add them again if they disappear
    Setup {
        /// The addresses
        #[arg(
            short,
            long,
            value_delimiter = ',',
            value_parser = read_host,
            default_values = HOSTS,
            value_name = "ADDRESS"
        )]
        bind_hosts: Vec<IpAddr>,
        /// Add them once and exit
        #[arg(long)]
        once: bool,
        /// Create this directory on the node for --handover and --keys-cache, accessible to --owner only
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
        /// The user that the agent runs as
        #[arg(long, default_value_t = USER, value_name = "UID")]
        owner: u32,
    },
}

/// What to run.
#[derive(ClapArgs, Clone, Debug)]
pub struct RunArgs {
    /// The port that the agent may bind
    #[arg(short, long, default_value_t = PORT)]
    pub port: u16,

    /// The addresses that the agent may bind
    #[arg(
        short,
        long,
        value_delimiter = ',',
        value_parser = read_host,
        default_values = HOSTS,
        value_name = "ADDRESS"
    )]
    pub bind_hosts: Vec<IpAddr>,

    /// The agent's --health-socket; an agent that does not answer there for 10 s is killed and started again
    #[arg(long, value_name = "FILE")]
    pub health_socket: Option<PathBuf>,

    /// The agent's program and its flags, after --; the flag --supervised is added
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

impl RunArgs {
    /// What the agent may listen on.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.bind_hosts.iter().map(|host| SocketAddr::new(*host, self.port)).collect()
    }
}

/// The addresses that SDKs use, and their port.
pub const HOSTS: [&str; 2] = ["169.254.170.23", "[fd00:ec2::23]"];
/// See [`HOSTS`].
pub const PORT: u16 = 80;

/// Reads an address, with or without brackets, or `localhost`.
///
/// # Errors
/// If it is none; the text says how one is written.
pub fn read_host(text: &str) -> Result<IpAddr, &'static str> {
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let parsed = bare.unwrap_or(text).parse();
    parsed.map_err(|_| "it is not an IP address, like 169.254.170.23 or [fd00:ec2::23]")
}
