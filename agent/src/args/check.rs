//! Checks that flags fit together.

use std::net::IpAddr;

use podrole_identity::{Audience, ClusterIdError, Exchange, GrantRules};
use podrole_node::sockets::MAX_SOCKETS;
use podrole_runtime::logging::LogArgs;

use super::{Args, KeysFrom, PodLiveness, QUIET};

/// Flags that do not fit together. Each message says how to fix it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgsError {
    /// No region.
    #[error("no AWS region; set --region or AWS_REGION")]
    NoRegion,
    /// No node's name.
    #[error("no node name; set --node-name, or NODE_NAME from the downward API (spec.nodeName)")]
    NoNodeName,
    /// Pods are not checked although other machines can send requests.
    #[error(
        "--pod-liveness off is allowed on loopback only; set --bind-hosts 127.0.0.1, or remove the flag"
    )]
    LivenessOff,
    /// Session tags or EKS Auth need the cluster's name.
    #[error("--exchange {0} needs --cluster-name{more}", more = if *.0 == Exchange::AssumeRole { " and --cluster-arn (or --disable-session-tags)" } else { "" })]
    NoCluster(Exchange),
    /// The cluster's name or ARN is not valid.
    #[error("--cluster-name and --cluster-arn: {0}")]
    Cluster(#[from] ClusterIdError),
    /// No source of roles is allowed.
    #[error(
        "--exchange assume-role needs --association-objects, --associations FILE or --allow-annotation-roles"
    )]
    NoRoles,
    /// The exchange accepts one audience only.
    #[error("--audience is for web-identity; {0} accepts tokens for {1} only, so remove the flag")]
    Audience(Exchange, Audience),
    /// Bare role names have no AWS account.
    #[error("--compose-role-arn needs --aws-account-id, the AWS account of bare role names")]
    NoAwsAccount,
    /// There is no issuer to read keys from.
    #[error("--keys-from issuer needs at least one --issuer")]
    NoIssuer,
    /// A parent process or a successor would not get all of them.
    #[error("--bind-hosts has more than {MAX_SOCKETS} addresses; give fewer")]
    TooManyHosts,
    /// A successor cannot be checked.
    #[error(
        "--handover needs --handover-token FILE, a projected token of the agent's ServiceAccount for the audience podrole.io/agent"
    )]
    NoHandoverToken,
    /// A successor's pod cannot be checked.
    #[error("--handover needs --pod-liveness on; remove one of the flags")]
    HandoverLiveness,
}

impl Args {
    /// Checks that the flags fit together.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), ArgsError> {
        self.region()?;
        self.check_exchange()?;
        if self.grant.compose_role_arn && self.grant.aws_account_id.is_none() {
            return Err(ArgsError::NoAwsAccount);
        }
        let all_loopback = self.bind_hosts.iter().all(IpAddr::is_loopback);
        match self.pod_liveness {
            PodLiveness::Off if !all_loopback => return Err(ArgsError::LivenessOff),
            PodLiveness::On if self.node_name.as_deref().unwrap_or_default().is_empty() => {
                return Err(ArgsError::NoNodeName);
            }
            _ => {}
        }
        if self.bind_hosts.len() > MAX_SOCKETS {
            return Err(ArgsError::TooManyHosts);
        }
        if self.keys_from == KeysFrom::Issuer && self.issuer.is_empty() {
            return Err(ArgsError::NoIssuer);
        }
        self.check_handover()
    }

    fn check_handover(&self) -> Result<(), ArgsError> {
        match self.handover {
            Some(_) if self.handover_token.is_none() => Err(ArgsError::NoHandoverToken),
            Some(_) if self.pod_liveness == PodLiveness::Off => Err(ArgsError::HandoverLiveness),
            _ => Ok(()),
        }
    }

    fn check_exchange(&self) -> Result<(), ArgsError> {
        let cluster = self.grant.cluster()?;
        let kind = self.exchange();
        let named = match kind {
            Exchange::WebIdentity => true,
            Exchange::AssumeRole => cluster.is_some() || self.grant.disable_session_tags,
            Exchange::EksAuth => !self.grant.cluster_name.is_empty(),
        };
        if !named {
            return Err(ArgsError::NoCluster(kind));
        }
        let grant = &self.grant;
        let roles = grant.association_objects
            || grant.associations.is_some()
            || grant.allow_annotation_roles;
        if kind == Exchange::AssumeRole && !roles {
            return Err(ArgsError::NoRoles);
        }
        let own = kind.audience();
        if kind != Exchange::WebIdentity && self.audience.iter().any(|other| *other != own) {
            return Err(ArgsError::Audience(kind, own));
        }
        Ok(())
    }

    /// The exchange in effect.
    #[must_use]
    pub fn exchange(&self) -> Exchange {
        self.grant.exchange.unwrap_or_default()
    }

    /// Which role a ServiceAccount gets.
    ///
    /// # Errors
    /// If the region is missing, or the cluster's name or ARN does not have its form.
    pub fn rules(&self) -> Result<GrantRules, ArgsError> {
        Ok(self.grant.rules(self.exchange(), Some(self.region()?))?)
    }

    /// The flags for logs, with limits for libraries that handle secrets.
    #[must_use]
    pub fn log_args(&self) -> LogArgs {
        let log = format!("{},{QUIET}", self.logs.log);
        LogArgs { log, ..self.logs.clone() }
    }

    /// The region.
    ///
    /// # Errors
    /// If none is set.
    pub fn region(&self) -> Result<&str, ArgsError> {
        self.grant.region().ok_or(ArgsError::NoRegion)
    }

    /// The accepted audiences.
    #[must_use]
    pub fn audiences(&self) -> Vec<Audience> {
        if self.audience.is_empty() {
            return vec![self.exchange().audience()];
        }
        self.audience.clone()
    }
}
