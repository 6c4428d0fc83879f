//! The flags of `podrole trust-policy`, and what they ask.

use anyhow::Context as _;
use clap::Args;
use podrole_identity::{AccountId, Audience, Exchange, Partition, RoleArn, ServiceAccountRef};

use super::{
    forms::PolicyForm,
    question::{AskingCaller, SourcePrincipal, TrustQuestion},
};
use crate::{cluster::ClusterArgs, report::OutputArgs};

/// Print the trust policy that a role needs for ServiceAccounts, or check one
///
/// Prints the least that works. With --into it adds that to an existing policy and keeps all other
/// statements; with --check it says what is wrong with one. Nothing is changed in AWS. Without a
/// cluster, give --role, and --issuer for the exchange web-identity.
#[derive(Args, Debug)]
pub(crate) struct TrustPolicyArgs {
    /// The ServiceAccounts
    #[arg(value_name = "NAMESPACE/SERVICEACCOUNT", required = true)]
    pub(super) service_accounts: Vec<ServiceAccountRef>,

    /// The role; without it, the one that the cluster gives the ServiceAccount
    #[arg(long, value_name = "ARN")]
    pub(super) role: Option<RoleArn>,

    /// The AWS account of the role, if its name does not matter
    #[arg(long, value_name = "ID", value_parser = parse::<AccountId>, conflicts_with_all = ["role", "check"])]
    account: Option<AccountId>,

    /// How the agent gets sessions: web-identity, assume-role or eks-auth
    #[arg(long, value_name = "EXCHANGE", default_value_t, value_parser = parse::<Exchange>)]
    pub(super) exchange: Exchange,

    /// The issuer of the cluster's tokens; without it, the API server's
    #[arg(long, value_name = "URL", value_parser = issuer)]
    pub(super) issuer: Option<String>,

    /// The audience of the tokens, in place of the exchange's; may be given several times
    #[arg(long = "audience", value_name = "AUDIENCE")]
    audiences: Vec<Audience>,

    /// The role or user of the agent's own AWS credentials, for the exchange assume-role
    #[arg(long, value_name = "ARN")]
    principal: Option<SourcePrincipal>,

    /// The external ID, if the role is the target role of an association; --principal is then the
    /// association's first role
    #[arg(long, value_name = "ID", requires = "principal")]
    external_id: Option<String>,

    /// The sessions carry no session tags
    #[arg(long)]
    no_session_tags: bool,

    /// Trust all ServiceAccounts of the namespaces
    #[arg(long, conflicts_with = "check")]
    pub(super) wildcard: bool,

    /// Add the statement to this policy and print the result: a file, - for standard input, or with
    /// --aws the ARN of a role
    #[arg(long, value_name = "FILE|ARN", conflicts_with = "check")]
    pub(super) into: Option<String>,

    /// Check this policy and print what is wrong: a file, - for standard input, or with --aws the ARN of
    /// a role, whose OIDC provider is then checked too
    #[arg(long, value_name = "FILE|ARN")]
    pub(super) check: Option<String>,

    /// Read the role from AWS, with the credentials of the AWS CLI: needs sts:GetCallerIdentity,
    /// iam:GetRole, iam:ListOpenIDConnectProviders and iam:GetOpenIDConnectProvider
    #[arg(long)]
    pub(super) aws: bool,

    /// The form of the printed policy
    #[arg(long, value_enum, default_value_t, value_name = "FORM", conflicts_with = "check")]
    pub(super) format: PolicyForm,

    #[command(flatten)]
    pub(super) cluster: ClusterArgs,

    #[command(flatten)]
    pub(super) output: OutputArgs,
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// An issuer as tokens have it. IAM compares it as text, so nothing is added or removed.
fn issuer(text: &str) -> Result<String, String> {
    let name = podrole_identity::issuer_name(text);
    let is_url = ["https://", "http://"].iter().any(|scheme| text.starts_with(scheme));
    let is_legal =
        !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control());
    if is_url && is_legal {
        Ok(text.to_owned())
    } else {
        Err("write it as https://HOST/PATH".to_owned())
    }
}

impl TrustPolicyArgs {
    /// The role for which questions are asked, if no cluster is needed for it.
    pub(super) fn known_role(&self) -> anyhow::Result<Option<RoleArn>> {
        let of_aws = self.role_of_aws()?;
        if let Some(role) = self.role.clone().or(of_aws) {
            return Ok(Some(role));
        }
        // The provider's ARN needs the AWS account only, and the name does not appear.
        let account = self.account.as_ref().map(AccountId::as_str);
        let is_free = self.check.is_none() && self.exchange != Exchange::WebIdentity;
        let Some(account) = account.or(is_free.then_some("000000000000")) else { return Ok(None) };
        let arn = format!("arn:aws:iam::{account}:role/any");
        Ok(Some(arn.parse().context("--account")?))
    }

    /// The role whose trust policy is read from AWS.
    ///
    /// # Errors
    /// If `--aws` is missing, or given without a role.
    pub(super) fn role_of_aws(&self) -> anyhow::Result<Option<RoleArn>> {
        let named = self.check.as_ref().or(self.into.as_ref());
        match named.and_then(|it| it.parse::<RoleArn>().ok()) {
            Some(role) => {
                anyhow::ensure!(self.aws, "add --aws to read the trust policy of {role}");
                Ok(Some(role))
            }
            None => {
                anyhow::ensure!(
                    !self.aws,
                    "--aws needs --check ARN or --into ARN, with the ARN of a role"
                );
                Ok(None)
            }
        }
    }

    /// The question for one ServiceAccount.
    ///
    /// # Errors
    /// If the exchange needs a flag that is not given.
    pub(super) fn question(
        &self,
        service_account: &ServiceAccountRef,
        role: RoleArn,
        issuer: &str,
    ) -> anyhow::Result<TrustQuestion> {
        let caller = match (self.exchange, &self.external_id, &self.principal) {
            (_, Some(id), Some(SourcePrincipal::Role(before))) => {
                AskingCaller::RoleBefore { role: before.clone(), external_id: Some(id.clone()) }
            }
            (_, Some(_), _) => {
                anyhow::bail!("with --external-id, --principal is the ARN of a role")
            }
            (Exchange::WebIdentity, ..) => {
                AskingCaller::WebIdentity { issuer: issuer.to_owned(), audiences: self.audiences() }
            }
            (Exchange::AssumeRole, _, principal) => {
                anyhow::ensure!(
                    principal.is_some() || self.check.is_some(),
                    "the exchange assume-role needs --principal ARN, because the cluster does not show the agent's \
                     source credentials"
                );
                AskingCaller::Agent(principal.clone())
            }
            (Exchange::EksAuth, ..) => AskingCaller::EksAuth(None),
        };
        Ok(TrustQuestion {
            service_account: service_account.clone(),
            role,
            has_tags: !self.no_session_tags && self.exchange != Exchange::WebIdentity,
            partition: self.partition(),
            duration_seconds: None,
            caller,
        })
    }

    fn audiences(&self) -> Vec<String> {
        let given = self.audiences.iter().map(Audience::to_string).collect::<Vec<_>>();
        if given.is_empty() { vec![self.exchange.audience().to_string()] } else { given }
    }

    /// The agent asks the AWS of its own credentials.
    fn partition(&self) -> Option<Partition> {
        let SourcePrincipal::Role(role) = self.principal.as_ref()? else { return None };
        Partition::of_name(role.partition())
    }
}
