//! The two calls of EKS's API that are needed. This is the one file that names EKS's API.

use anyhow::Context as _;
use aws_types::SdkConfig;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use podrole_agent::http_client::RawResponse;
use podrole_identity::Partition;
use serde::Deserialize;

use super::super::cluster_name::ClusterName;
use crate::aws_api::{AwsApi, AwsCall, AwsEnvironment, AwsService, set_endpoint};

/// The most that EKS lists at once.
const PAGE: &str = "100";

/// EKS.
pub(super) const EKS: AwsService =
    AwsService { title: "EKS", signing_name: "eks", read_error: error };

/// A client of EKS in one region.
pub(super) struct Eks(AwsApi);

/// A page of the list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    pub(super) associations: Vec<Summary>,
    pub(super) next_token: Option<String>,
}

/// An association in a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    pub(super) association_id: String,
}

impl Eks {
    /// The client that the environment and the files of the AWS CLI describe.
    pub(super) async fn from_environment() -> anyhow::Result<Self> {
        let aws = AwsEnvironment::load().await?;
        let url = endpoint(&aws.config, &aws.region);
        Ok(Self(aws.api(EKS, &url, &aws.region)))
    }

    /// A client of EKS by this way of calling it.
    #[cfg(test)]
    pub(super) fn by(api: AwsApi) -> Self {
        Self(api)
    }

    /// A page of the cluster's associations.
    pub(super) async fn list(
        &self,
        cluster: &ClusterName,
        token: Option<&str>,
    ) -> anyhow::Result<Page> {
        let mut path = format!("/clusters/{cluster}/pod-identity-associations?maxResults={PAGE}");
        if let Some(token) = token {
            path.push_str("&nextToken=");
            path.extend(utf8_percent_encode(token, NON_ALPHANUMERIC));
        }
        let body = self.0.call(AwsCall::Get(&path)).await.map_err(anyhow::Error::from)?;
        serde_json::from_slice(&body).context("EKS's list of associations has another form")
    }

    /// The answer for one association; `None` if there is none of this id.
    pub(super) async fn describe(
        &self,
        cluster: &ClusterName,
        id: &str,
    ) -> anyhow::Result<Option<String>> {
        let is_legal = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        anyhow::ensure!(!id.is_empty() && id.bytes().all(is_legal), "EKS lists the id {id:?}");
        let path = format!("/clusters/{cluster}/pod-identity-associations/{id}");
        match self.0.call(AwsCall::Get(&path)).await {
            Ok(body) => Ok(Some(String::from_utf8(body).context("EKS's answer is not UTF-8")?)),
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The code and the message of an error.
fn error(answer: &RawResponse) -> (Option<String>, Option<String>) {
    #[derive(Default, Deserialize)]
    struct Body {
        #[serde(alias = "Message")]
        message: Option<String>,
    }
    let body: Body = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.error_code(), body.message)
}

/// The endpoint that the user sets, or AWS's own.
fn endpoint(config: &SdkConfig, region: &str) -> String {
    let (fips, dual) = (config.use_fips(), config.use_dual_stack());
    let standard = || standard(region, fips == Some(true), dual == Some(true));
    set_endpoint(config, "EKS").unwrap_or_else(standard)
}

/// AWS's own endpoint. Source: the rules that AWS publishes with its SDKs.
fn standard(region: &str, fips: bool, dual_stack: bool) -> String {
    let partition = Partition::of_region(region);
    match (fips, dual_stack) {
        (true, true) => format!("https://eks-fips.{region}.{}", partition.dual_stack_domain()),
        (false, true) => format!("https://eks.{region}.{}", partition.dual_stack_domain()),
        (true, false) if partition.as_str() == "aws" => {
            format!("https://fips.eks.{region}.{}", partition.domain())
        }
        // GovCloud's only endpoint is one of FIPS 140.
        (true, false) if partition.as_str() != "aws-us-gov" => {
            format!("https://eks-fips.{region}.{}", partition.domain())
        }
        (_, false) => format!("https://eks.{region}.{}", partition.domain()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_has_awss_endpoint() {
        for (region, fips, dual_stack, url) in [
            ("eu-west-1", false, false, "https://eks.eu-west-1.amazonaws.com"),
            ("eu-west-1", false, true, "https://eks.eu-west-1.api.aws"),
            ("us-east-1", true, false, "https://fips.eks.us-east-1.amazonaws.com"),
            ("us-gov-west-1", true, false, "https://eks.us-gov-west-1.amazonaws.com"),
            ("cn-north-1", false, false, "https://eks.cn-north-1.amazonaws.com.cn"),
            ("eusc-de-east-1", false, false, "https://eks.eusc-de-east-1.amazonaws.eu"),
        ] {
            assert_eq!(standard(region, fips, dual_stack), url);
        }
    }
}
