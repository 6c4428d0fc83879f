//! The calls of IAM's API that are needed. This is the one file that names IAM's API.

mod answers;
#[cfg(test)]
pub(crate) mod testing;

use std::fmt::Write as _;

use anyhow::Context as _;
use aws_sdk_sts::error::ProvideErrorMetadata as _;
use aws_types::SdkConfig;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use podrole_identity::{Partition, RoleArn};

pub(crate) use answers::{IamOidcProvider, IamRole};

use crate::aws_api::{AwsApi, AwsCall, AwsCallError, AwsEnvironment, AwsService, set_endpoint};

/// The version of the API.
const VERSION: &str = "2010-05-08";
/// IAM's code for what does not exist.
const NO_SUCH_ENTITY: &str = "NoSuchEntity";

/// IAM.
pub(crate) const IAM: AwsService =
    AwsService { title: "IAM", signing_name: "iam", read_error: answers::error };

/// A client of IAM, and the AWS account that it asks.
pub(crate) struct Iam {
    api: AwsApi,
    /// The AWS account of the credentials.
    account: String,
}

impl Iam {
    /// The client that the environment and the files of the AWS CLI describe. Asks STS whose
    /// credentials these are.
    ///
    /// # Errors
    /// If no region or credentials are configured, or STS refuses them.
    pub(crate) async fn from_environment() -> anyhow::Result<Self> {
        let aws = AwsEnvironment::load().await?;
        let identity = aws_sdk_sts::Client::new(&aws.config).get_caller_identity().send().await;
        let identity = identity.map_err(|error| match (error.code(), error.message()) {
            (Some(code), Some(message)) => {
                anyhow::anyhow!("STS refuses the call: {code}: {message}")
            }
            _ => error.into(),
        });
        let identity = identity.context("could not ask AWS whose credentials these are")?;
        let account = identity.account().context("STS names no AWS account")?;
        let (url, region) = endpoint(&aws.config, &aws.region);
        Ok(Self::at(aws.api(IAM, &url, &region), account))
    }

    /// A client by this way of calling IAM.
    pub(crate) fn at(api: AwsApi, account: &str) -> Self {
        Self { api, account: account.to_owned() }
    }

    /// The AWS account of the credentials.
    pub(crate) fn account(&self) -> &str {
        &self.account
    }

    /// The role of this name, or `None` if there is none.
    pub(crate) async fn role(&self, role: &RoleArn) -> anyhow::Result<Option<IamRole>> {
        let answer = self.get("GetRole", &[("RoleName", role.name())]).await?;
        answer.map(|body| answers::role(&body)).transpose()
    }

    /// The ARNs of all OIDC providers.
    pub(crate) async fn oidc_providers(&self) -> anyhow::Result<Vec<String>> {
        let body = self.call("ListOpenIDConnectProviders", &[]).await?;
        answers::providers(&body)
    }

    /// The OIDC provider of this ARN, or `None` if there is none.
    pub(crate) async fn oidc_provider(&self, arn: &str) -> anyhow::Result<Option<IamOidcProvider>> {
        let parameters = [("OpenIDConnectProviderArn", arn)];
        let answer = self.get("GetOpenIDConnectProvider", &parameters).await?;
        answer.map(|body| answers::provider(&body)).transpose()
    }

    /// Adds an inline policy to a role, or replaces the one of this name.
    pub(crate) async fn put_role_policy(
        &self,
        role: &RoleArn,
        name: &str,
        document: &str,
    ) -> anyhow::Result<()> {
        let parameters =
            [("RoleName", role.name()), ("PolicyName", name), ("PolicyDocument", document)];
        self.call("PutRolePolicy", &parameters).await?;
        Ok(())
    }

    async fn get(
        &self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Option<Vec<u8>>, AwsCallError> {
        match self.call(action, parameters).await {
            Ok(body) => Ok(Some(body)),
            Err(error) if error.code() == Some(NO_SUCH_ENTITY) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn call(
        &self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<u8>, AwsCallError> {
        let mut form = format!("Action={action}&Version={VERSION}");
        for (name, value) in parameters {
            let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
            let _ = write!(form, "&{name}={value}");
        }
        self.api.call(AwsCall::Form(&form)).await
    }
}

/// The endpoint that the user sets, or AWS's own, and the region of signatures. IAM has one endpoint
/// in a partition.
fn endpoint(config: &SdkConfig, region: &str) -> (String, String) {
    let (url, global) = standard(region);
    (set_endpoint(config, "IAM").unwrap_or(url), global.to_owned())
}

/// AWS's own endpoint. Source: the rules that AWS publishes with its SDKs.
fn standard(region: &str) -> (String, &'static str) {
    let partition = Partition::of_region(region);
    let global = match partition.as_str() {
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        "aws-eusc" => "eusc-de-east-1",
        "aws-iso" => "us-iso-east-1",
        "aws-iso-b" => "us-isob-east-1",
        "aws-iso-e" => "eu-isoe-west-1",
        "aws-iso-f" => "us-isof-south-1",
        _ => "us-east-1",
    };
    let domain = partition.domain();
    let host = match partition.as_str() {
        "aws" => format!("iam.{domain}"),
        "aws-us-gov" => format!("iam.us-gov.{domain}"),
        _ => format!("iam.{global}.{domain}"),
    };
    (format!("https://{host}"), global)
}

#[cfg(test)]
mod tests;
