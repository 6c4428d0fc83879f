//! Flags held against each other: each error names its mend.

use std::net::IpAddr;

use podrole_identity::{Audience, ClusterIdError, Exchange, GrantRules};
use podrole_runtime::logging::LogArgs;

use super::{Args, KeysFrom, PodLiveness, QUIET};

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
    /// Session tags without a cluster to name, or EKS Auth without one to ask for.
    #[error("--exchange {0} needs --cluster-name{more}", more = if *.0 == Exchange::AssumeRole { " and --cluster-arn (or --disable-session-tags)" } else { "" })]
    NoCluster(Exchange),
    /// A cluster's name or ARN that is none.
    #[error("--cluster-name and --cluster-arn: {0}")]
    Cluster(#[from] ClusterIdError),
    /// Roles from nowhere.
    #[error("--exchange assume-role needs --associations FILE, or --allow-annotation-roles")]
    NoRoles,
    /// More audiences than the exchange's.
    #[error("--audience is for web-identity: {0} takes tokens for {1} alone")]
    Audience(Exchange, Audience),
    /// Bare role names of no account.
    #[error("--compose-role-arn needs --aws-account-id: the account of bare role names")]
    NoAwsAccount,
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
        if self.keys_from == KeysFrom::Issuer && self.issuer.is_empty() {
            return Err(ArgsError::NoIssuer);
        }
        Ok(())
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
        let roles = self.grant.associations.is_some() || self.grant.allow_annotation_roles;
        if kind == Exchange::AssumeRole && !roles {
            return Err(ArgsError::NoRoles);
        }
        let own = kind.audience();
        if kind != Exchange::WebIdentity && self.audience.iter().any(|other| *other != own) {
            return Err(ArgsError::Audience(kind, own));
        }
        Ok(())
    }

    /// The exchange in force.
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
        self.grant.region().ok_or(ArgsError::NoRegion)
    }

    /// The audiences that tokens may have.
    #[must_use]
    pub fn audiences(&self) -> Vec<Audience> {
        if self.audience.is_empty() {
            return vec![self.exchange().audience()];
        }
        self.audience.clone()
    }
}
