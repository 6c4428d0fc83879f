//! The flags, and what they mean together.

mod check;
mod print;

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use clap::{Parser, Subcommand, ValueEnum, builder::BoolishValueParser};
use podrole_identity::{Audience, ServiceAccountRef, SessionNameTemplate};
use podrole_runtime::{grant_args::GrantArgs, logging::LogArgs};

pub use check::ArgsError;
pub use print::configuration;

use crate::peer::VerifyPeer;

/// What libraries may log, whatever `--log` says: below this they print what they send and get.
pub(crate) const QUIET: &str = "aws_smithy_runtime=info,aws_smithy_runtime_api=info,\
     aws_sdk_sts=info,aws_runtime=info,aws_sigv4=info,h2=info,hyper=info,hyper_util=info,tower=info";

/// The node agent: trades pods' tokens for AWS credentials and serves them to SDKs.
///
/// Flags that EKS's Pod Identity Agent has too keep its names and meanings.
#[derive(Parser, Clone, Debug)]
#[command(name = "podrole-agent", version, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// Something else than serving
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Print the configuration in force as YAML, with where each value comes from, and exit
    #[arg(long)]
    pub print_config: bool,

    /// Which role a ServiceAccount gets
    #[command(flatten)]
    pub grant: GrantArgs,

    /// The agent's own credentials may come from a web identity
    #[arg(long)]
    pub agent_web_identity: bool,

    /// The port that SDKs ask
    #[arg(short, long, default_value_t = 80)]
    pub port: u16,

    /// The addresses that SDKs ask; an IPv6 one that the node does not have is left out
    #[arg(
        short,
        long,
        value_delimiter = ',',
        value_parser = read_host,
        default_values = ["169.254.170.23", "[fd00:ec2::23]"],
        value_name = "ADDRESS"
    )]
    pub bind_hosts: Vec<IpAddr>,

    /// The address of /metrics, /healthz and /readyz
    #[arg(long, value_parser = read_host, default_value = "0.0.0.0", value_name = "ADDRESS")]
    pub metrics_address: IpAddr,

    /// The port of /metrics, /healthz and /readyz
    #[arg(long, default_value_t = 2705)]
    pub metrics_port: u16,

    /// How many sessions are kept; the least recently used goes first
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_cache_size: u64,

    /// What the sessions that are kept may weigh, in bytes
    #[arg(long, default_value_t = crate::config::MAX_BYTES, value_name = "BYTES")]
    pub max_cache_bytes: usize,

    /// An audience that tokens may have; repeatable with web-identity [default: the exchange's own]
    #[arg(long)]
    pub audience: Vec<Audience>,

    /// An issuer that is believed; repeatable, for migrations [default: the one that the API server names, and for a day those that it named before]
    #[arg(long, value_name = "URL")]
    pub issuer: Vec<String>,

    /// Where the keys that sign tokens are read
    #[arg(long, default_value = "api-server", value_name = "SOURCE")]
    pub keys_from: KeysFrom,

    /// Another STS than the region's
    #[arg(long, value_name = "URL")]
    pub sts_endpoint_url: Option<String>,

    /// Another EKS Auth than the region's
    #[arg(long, value_name = "URL", visible_alias = "endpoint")]
    pub eks_auth_endpoint_url: Option<String>,

    /// Endpoints with FIPS 140 cryptography
    #[arg(long, env = "AWS_USE_FIPS_ENDPOINT", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = BoolishValueParser::new(), value_name = "true|false")]
    pub use_fips: bool,

    /// Endpoints that have IPv6 too
    #[arg(long, env = "AWS_USE_DUALSTACK_ENDPOINT", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = BoolishValueParser::new(), value_name = "true|false")]
    pub use_dual_stack: bool,

    /// Certificates to believe beside the system's, as PEM
    #[arg(long, env = "AWS_CA_BUNDLE", value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,

    /// Requests a second for each pod; 0 sets no limit
    #[arg(long, default_value_t = 50, value_name = "NUMBER")]
    pub pod_requests_per_second: u32,

    /// Connections at once from one address; 0 sets no limit
    #[arg(long, default_value_t = 128, value_name = "NUMBER")]
    pub connections_per_peer: usize,

    /// Whether a request must come from its token's pod
    #[arg(long, default_value = "warn", value_name = "off|warn|enforce")]
    pub verify_peer: VerifyPeer,

    /// ServiceAccounts (namespace/name) whose pods may ask through others; repeatable
    #[arg(long, value_name = "ACCOUNT")]
    pub verify_peer_exempt: Vec<ServiceAccountRef>,

    /// Where the keys that sign tokens are kept, for a start without the API server
    #[arg(long, value_name = "FILE")]
    pub keys_cache: Option<PathBuf>,

    /// A Unix socket, on the node, over which a successor gets our listening sockets
    #[arg(long, value_name = "FILE")]
    pub handover: Option<PathBuf>,

    /// A Unix socket in the pod's own folder that `podrole-agent health` asks
    #[arg(long, value_name = "FILE")]
    pub health_socket: Option<PathBuf>,

    /// The node that the agent serves
    #[arg(long, env = "NODE_NAME")]
    pub node_name: Option<String>,

    /// Whether a token's pod must be alive and on this node; `off` is for loopback only
    #[arg(long, default_value = "on", value_name = "on|off")]
    pub pod_liveness: PodLiveness,

    /// The cluster's kubeconfig [default: in-cluster, then KUBECONFIG]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// What sessions are called; places: {pod.namespace}, {serviceaccount.name}, {pod.name}
    #[arg(long, default_value = "{pod.namespace}.{serviceaccount.name}", value_name = "TEMPLATE")]
    pub session_name: SessionNameTemplate,

    /// Logs
    #[command(flatten)]
    pub logs: LogArgs,
}

/// What else the program does.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Asks the agent of this pod whether it is ready
    Health {
        /// The agent's --health-socket
        #[arg(long, value_name = "FILE")]
        socket: PathBuf,
    },
    /// Puts the addresses that SDKs ask on the node, and puts them back when they vanish
    Setup {
        /// The addresses
        #[arg(
            short,
            long,
            value_delimiter = ',',
            value_parser = read_host,
            default_values = ["169.254.170.23", "[fd00:ec2::23]"],
            value_name = "ADDRESS"
        )]
        bind_hosts: Vec<IpAddr>,
        /// Does it once and ends
        #[arg(long)]
        once: bool,
        /// Makes this folder on the node, for --handover and --keys-cache, the --owner's alone
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
        /// The user that the agent runs as
        #[arg(long, default_value_t = 65_532, value_name = "UID")]
        owner: u32,
    },
}

/// Where the keys that sign tokens are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeysFrom {
    /// The API server's /openid/v1/jwks
    ApiServer,
    /// OIDC discovery at each --issuer
    Issuer,
}

/// Whether a token's pod must be alive and here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PodLiveness {
    /// The pod is looked up
    On,
    /// The token alone is believed
    Off,
}

fn read_host(text: &str) -> Result<IpAddr, String> {
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let parsed = bare.unwrap_or(text).parse();
    parsed.map_err(|_| "it is no IP address (169.254.170.23, [fd00:ec2::23], 127.0.0.1)".to_owned())
}

#[cfg(test)]
mod tests;
