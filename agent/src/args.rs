//! The flags, and what they mean together.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use clap::{Parser, ValueEnum};
use podrole_identity::{AnnotationPrefix, Audience, Exchange as Kind, SessionNameTemplate};
use podrole_runtime::logging::LogArgs;

/// What libraries may log, whatever `--log` says: below this they print what they send and get.
pub(crate) const QUIET: &str = "aws_smithy_runtime=info,aws_smithy_runtime_api=info,\
     aws_sdk_sts=info,aws_runtime=info,h2=info,hyper=info,hyper_util=info,tower=info";

/// The node agent: trades pods' tokens for AWS credentials and serves them to SDKs.
///
/// Flags that EKS's Pod Identity Agent has too keep its names and meanings.
#[derive(Parser, Clone, Debug)]
#[command(name = "podrole-agent", version)]
pub struct Args {
    /// The cluster's name, for logs
    #[arg(short, long, default_value = "")]
    pub cluster_name: String,

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

    /// How a token becomes credentials; web-identity is the one there is
    #[arg(long, default_value = "web-identity")]
    pub exchange: Kind,

    /// An audience that tokens may have; repeatable with web-identity [default: the exchange's own]
    #[arg(long)]
    pub audience: Vec<Audience>,

    /// An issuer that is believed; repeatable, for migrations [default: the API server's]
    #[arg(long, value_name = "URL")]
    pub issuer: Vec<String>,

    /// Where the keys that sign tokens are read
    #[arg(long, default_value = "api-server", value_name = "SOURCE")]
    pub keys_from: KeysFrom,

    /// The AWS region
    #[arg(long, env = "AWS_REGION")]
    pub region: Option<String>,

    /// Another STS than the region's
    #[arg(long, value_name = "URL")]
    pub sts_endpoint_url: Option<String>,

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

    /// What stands before the slash of EKS's annotations
    #[arg(long, default_value = "eks.amazonaws.com", value_name = "PREFIX")]
    pub annotation_prefix: AnnotationPrefix,

    /// Logs
    #[command(flatten)]
    pub logs: LogArgs,
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

/// Flags that do not go together; each message names the mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgsError {
    /// No region.
    #[error("no AWS region: give --region, or set AWS_REGION")]
    NoRegion,
    /// No node's name.
    #[error(
        "no node name: give --node-name, or set NODE_NAME from the downward API (spec.nodeName)"
    )]
    NoNodeName,
    /// Liveness off where others than this machine can ask.
    #[error(
        "--pod-liveness off is for loopback only: bind 127.0.0.1 with --bind-hosts, or leave it on"
    )]
    LivenessOff,
    /// An exchange that is not there.
    #[error("--exchange {0} is not there yet: use web-identity")]
    Exchange(Kind),
    /// Discovery without an issuer to ask.
    #[error("--keys-from issuer needs at least one --issuer")]
    NoIssuer,
}

impl Args {
    /// Holds the flags against each other.
    ///
    /// # Errors
    /// The first that cannot be.
    pub fn check(&self) -> Result<(), ArgsError> {
        self.region()?;
        if self.exchange != Kind::WebIdentity {
            return Err(ArgsError::Exchange(self.exchange));
        }
        let all_loopback = self.bind_hosts.iter().all(IpAddr::is_loopback);
        match self.pod_liveness {
            PodLiveness::Off if !all_loopback => return Err(ArgsError::LivenessOff),
            PodLiveness::On if self.node_name.as_deref().unwrap_or_default().is_empty() => {
                return Err(ArgsError::NoNodeName);
            }
            _ => {}
        }
        if self.keys_from == KeysFrom::Issuer && self.issuer.is_empty() {
            return Err(ArgsError::NoIssuer);
        }
        Ok(())
    }

    /// The flags for logs, with the libraries that handle secrets kept quiet.
    #[must_use]
    pub fn log_args(&self) -> LogArgs {
        let log = format!("{},{QUIET}", self.logs.log);
        LogArgs { log, ..self.logs.clone() }
    }

    /// The region.
    ///
    /// # Errors
    /// When there is none.
    pub fn region(&self) -> Result<&str, ArgsError> {
        let region = self.region.as_deref().filter(|region| !region.is_empty());
        region.ok_or(ArgsError::NoRegion)
    }

    /// The audiences that tokens may have.
    #[must_use]
    pub fn audiences(&self) -> Vec<Audience> {
        if self.audience.is_empty() {
            return vec![self.exchange.audience()];
        }
        self.audience.clone()
    }
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
mod tests {
    use super::*;

    fn check(flags: &[&str]) -> Result<(), ArgsError> {
        let all = ["podrole-agent", "--region", "eu-central-1"].iter().chain(flags);
        Args::try_parse_from(all).unwrap().check()
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        let node = ["--node-name", "n1"];
        assert_eq!(check(&node), Ok(()));
        assert_eq!(check(&["--node-name", ""]), Err(ArgsError::NoNodeName));
        let off = ["--pod-liveness", "off"];
        assert_eq!(check(&off), Err(ArgsError::LivenessOff));
        for (hosts, fault) in [
            ("127.0.0.1", None),
            ("localhost,[::1]", None),
            ("127.0.0.1,0.0.0.0", Some(ArgsError::LivenessOff)),
            ("10.0.0.1", Some(ArgsError::LivenessOff)),
        ] {
            let flags = [&off[..], &["-b", hosts]].concat();
            assert_eq!(check(&flags).err(), fault, "{hosts}");
        }
        let eks = [&node[..], &["--exchange", "eks-auth"]].concat();
        assert_eq!(check(&eks), Err(ArgsError::Exchange(Kind::EksAuth)));
        let issuer = [&node[..], &["--keys-from", "issuer"]].concat();
        assert_eq!(check(&issuer), Err(ArgsError::NoIssuer));
        let region = [&node[..], &["--region", ""]].concat();
        let all = ["podrole-agent"].iter().chain(&region);
        assert_eq!(Args::try_parse_from(all).unwrap().check(), Err(ArgsError::NoRegion));
    }

    #[test]
    fn the_audience_follows_the_exchange_unless_it_is_given() {
        let args = Args::try_parse_from(["podrole-agent"]).unwrap();
        assert_eq!(args.audiences(), [Audience::sts()]);
        let args = Args::try_parse_from(["podrole-agent", "--audience", "a", "--audience", "b"]);
        let args = args.unwrap().audiences();
        assert_eq!(args.iter().map(Audience::as_str).collect::<Vec<_>>(), ["a", "b"]);
        let eks: IpAddr = "fd00:ec2::23".parse().unwrap();
        let args = Args::try_parse_from(["podrole-agent"]).unwrap();
        assert_eq!(args.bind_hosts[1], eks);
    }
}
