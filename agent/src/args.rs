//! The flags, their checks and what follows from them.

mod check;
mod print;

use std::{net::IpAddr, path::PathBuf};

use clap::{Parser, ValueEnum, builder::BoolishValueParser};
use podrole_identity::{Audience, InjectionDefault, ServiceAccountRef, SessionNameTemplate};
use podrole_node::args::{HOSTS, PORT, read_host};
use podrole_runtime::{config::PrintConfigArgs, grant_args::GrantArgs, logging::LogArgs};

pub use check::ArgsError;
pub use print::configuration;

use crate::{hold::HOLD_MILLIS, peer::VerifyPeer, refusal_limit::REJECTED_TOKENS};

/// Limits what libraries log, whatever `--log` says: at lower levels they print requests and answers,
/// with tokens and keys.
pub(crate) const QUIET: &str = "aws_smithy_runtime=info,aws_smithy_runtime_api=info,\
     aws_sdk_sts=info,aws_runtime=info,aws_sigv4=info,h2=info,hyper=info,hyper_util=info,tower=info";

/// Exchanges pods' tokens for AWS credentials and serves them to SDKs.
///
/// Flags that EKS's Pod Identity Agent has too keep their names and meanings.
#[derive(Parser, Clone, Debug)]
#[command(name = "podrole-agent", version)]
pub struct Args {
    #[allow(missing_docs, reason = "its own field has the help text")]
    #[command(flatten)]
    pub print: PrintConfigArgs,

    /// Which role a ServiceAccount gets
    #[command(flatten)]
    pub grant: GrantArgs,

    /// Allow the agent's source credentials to come from a web identity
    #[arg(long)]
    pub agent_web_identity: bool,

    /// The port that serves credentials
    #[arg(short, long, default_value_t = PORT)]
    pub port: u16,

    /// The addresses that serve credentials; an IPv6 address that the node does not have is skipped
    #[arg(
        short,
        long,
        value_delimiter = ',',
        value_parser = read_host,
        default_values = HOSTS,
        value_name = "ADDRESS"
    )]
    pub bind_hosts: Vec<IpAddr>,

    /// The address of /metrics, /healthz and /readyz
    #[arg(long, value_parser = read_host, default_value = "0.0.0.0", value_name = "ADDRESS")]
    pub metrics_address: IpAddr,

    /// The port of /metrics, /healthz and /readyz
    #[arg(long, default_value_t = 2705)]
    pub metrics_port: u16,

    /// Names ServiceAccounts in the metrics, which every pod that reaches their port can read
    #[arg(long)]
    pub metrics_identities: bool,

    /// How many sessions to cache; the least recently used one is evicted
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_cache_size: u64,

    /// How much memory cached sessions may use, in bytes
    #[arg(long, default_value_t = crate::config::MAX_BYTES, value_name = "BYTES")]
    pub max_cache_bytes: usize,

    /// An audience to accept; repeatable with web-identity [default: the exchange's own]
    #[arg(long)]
    pub audience: Vec<Audience>,

    /// An issuer to accept; repeatable, for migrations [default: the one that the API server names, and for a day those that it named before]
    #[arg(long, value_name = "URL")]
    pub issuer: Vec<String>,

    /// Where to read the keys that tokens are signed with
    #[arg(long, default_value = "api-server", value_name = "SOURCE")]
    pub keys_from: KeysFrom,

    /// The URL of STS, in place of the region's
    #[arg(long, value_name = "URL")]
    pub sts_endpoint_url: Option<String>,

    /// The URL of EKS Auth, in place of the region's
    #[arg(long, value_name = "URL", visible_alias = "endpoint")]
    pub eks_auth_endpoint_url: Option<String>,

    /// Use AWS endpoints with FIPS 140 cryptography
    #[arg(long, env = "AWS_USE_FIPS_ENDPOINT", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = BoolishValueParser::new(), value_name = "true|false")]
    pub use_fips: bool,

    /// Use AWS endpoints with both IPv4 and IPv6
    #[arg(long, env = "AWS_USE_DUALSTACK_ENDPOINT", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = BoolishValueParser::new(), value_name = "true|false")]
    pub use_dual_stack: bool,

    /// CA certificates to trust besides the system's, as PEM
    #[arg(long, env = "AWS_CA_BUNDLE", value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,

    /// How many invalid tokens per second an address may send before its requests are refused; 0 sets no limit
    #[arg(long, default_value_t = REJECTED_TOKENS, value_name = "NUMBER")]
    pub rejected_tokens_per_second: u32,

    /// How long to hold back a 503 while the agent goes on trying; 0 sends it at once
    #[arg(long, default_value_t = HOLD_MILLIS, value_parser = clap::value_parser!(u64).range(..=850), value_name = "MILLISECONDS")]
    pub hold: u64,

    /// How many connections one address may have open; 0 sets no limit
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    pub connections_per_peer: usize,

    /// Whether a request must come from the address of its token's pod; auto rejects other pods and unknown addresses,
    /// and logs the node's own
    #[arg(long, default_value = "auto", value_name = "off|warn|auto|enforce")]
    pub verify_peer: VerifyPeer,

    /// Where the node's cgroups (v2) are mounted, by which pods on the host's network are distinguished
    #[arg(long, value_name = "FOLDER")]
    pub cgroups: Option<PathBuf>,

    /// A ServiceAccount whose pods may send requests through other pods; repeatable
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub verify_peer_exempt: Vec<ServiceAccountRef>,

    /// Where to store the keys that tokens are signed with, for a start without the API server
    #[arg(long, value_name = "FILE")]
    pub keys_cache: Option<PathBuf>,

    /// A Unix socket on the node, over which the next agent takes over the listening sockets
    #[arg(long, value_name = "FILE")]
    pub handover: Option<PathBuf>,

    /// A projected token of the agent's ServiceAccount for the audience podrole.io/agent, by which agents know each other
    #[arg(long, value_name = "FILE")]
    pub handover_token: Option<PathBuf>,

    /// A Unix socket in the agent's pod, which `podrole-node health` calls
    #[arg(long, value_name = "FILE")]
    pub health_socket: Option<PathBuf>,

    /// Get the listening sockets from the parent process over standard input; `podrole-node run` sets this
    #[arg(long)]
    pub supervised: bool,

    /// The name of the agent's node
    #[arg(long, env = "NODE_NAME")]
    pub node_name: Option<String>,

    /// Whether a token's pod must run on this node; `off` is allowed on loopback only
    #[arg(long, default_value = "on", value_name = "on|off")]
    pub pod_liveness: PodLiveness,

    /// The cluster's kubeconfig [default: in-cluster, then KUBECONFIG]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// The name of sessions; placeholders: {pod.namespace}, {serviceaccount.name}, {pod.name}
    #[arg(long, default_value = "{pod.namespace}.{serviceaccount.name}", value_name = "TEMPLATE")]
    pub session_name: SessionNameTemplate,

    /// Which namespaces the cluster injects, as the chart's injection.default; by it an Event says why a pod was not
    #[arg(long, default_value_t, value_name = "labelled|all")]
    pub injection_default: InjectionDefault,

    /// The logs
    #[command(flatten)]
    pub logs: LogArgs,
}

/// Where to read the keys that tokens are signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeysFrom {
    /// The API server's /openid/v1/jwks
    ApiServer,
    /// OIDC discovery at each --issuer
    Issuer,
}

/// Whether a token's pod must run on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PodLiveness {
    /// Look up the pod
    On,
    /// Trust the token alone
    Off,
}

#[cfg(test)]
mod tests;
