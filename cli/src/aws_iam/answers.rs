//! IAM's answers in XML.

use anyhow::Context as _;
use percent_encoding::percent_decode_str;
use podrole_agent::http_client::RawResponse;
use serde::{Deserialize, de::DeserializeOwned};

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IamRole {
    pub(crate) arn: String,
    /// The trust policy as IAM stores it.
    pub(crate) trust_policy: String,
    /// Seconds.
    pub(crate) max_session_duration: u32,
}

/// An OIDC provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IamOidcProvider {
    /// The issuer without its scheme.
    pub(crate) url: String,
    pub(crate) client_ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetRole {
    get_role_result: RoleResult,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RoleResult {
    role: RoleXml,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RoleXml {
    arn: String,
    assume_role_policy_document: String,
    #[serde(default = "default_duration")]
    max_session_duration: u32,
}

fn default_duration() -> u32 {
    3600
}

#[derive(Deserialize)]
struct ListProviders {
    #[serde(rename = "ListOpenIDConnectProvidersResult")]
    result: ProvidersResult,
}

#[derive(Deserialize)]
struct ProvidersResult {
    #[serde(default, rename = "OpenIDConnectProviderList")]
    list: MembersXml<ProviderEntry>,
}

#[derive(Deserialize)]
struct MembersXml<T> {
    #[serde(default = "Vec::new")]
    member: Vec<T>,
}

impl<T> Default for MembersXml<T> {
    fn default() -> Self {
        Self { member: Vec::new() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProviderEntry {
    arn: String,
}

#[derive(Deserialize)]
struct GetProvider {
    #[serde(rename = "GetOpenIDConnectProviderResult")]
    result: ProviderXml,
}

#[derive(Deserialize)]
struct ProviderXml {
    #[serde(rename = "Url")]
    url: String,
    #[serde(default, rename = "ClientIDList")]
    client_ids: MembersXml<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorXml {
    error: ErrorBody,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorBody {
    code: Option<String>,
    message: Option<String>,
}

fn read<T: DeserializeOwned>(body: &[u8]) -> anyhow::Result<T> {
    let text = std::str::from_utf8(body).context("IAM's answer is not UTF-8")?;
    quick_xml::de::from_str(text).context("IAM's answer has another form")
}

pub(super) fn role(body: &[u8]) -> anyhow::Result<IamRole> {
    let role = read::<GetRole>(body)?.get_role_result.role;
    // IAM percent-encodes policies.
    let trust_policy = percent_decode_str(&role.assume_role_policy_document);
    let trust_policy =
        trust_policy.decode_utf8().context("IAM's policy is not UTF-8")?.into_owned();
    Ok(IamRole { arn: role.arn, trust_policy, max_session_duration: role.max_session_duration })
}

pub(super) fn providers(body: &[u8]) -> anyhow::Result<Vec<String>> {
    let list = read::<ListProviders>(body)?.result.list.member;
    Ok(list.into_iter().map(|it| it.arn).collect())
}

pub(super) fn provider(body: &[u8]) -> anyhow::Result<IamOidcProvider> {
    let ProviderXml { url, client_ids } = read::<GetProvider>(body)?.result;
    Ok(IamOidcProvider { url, client_ids: client_ids.member })
}

/// The code and the message of an error.
pub(super) fn error(answer: &RawResponse) -> (Option<String>, Option<String>) {
    let Ok(ErrorXml { error }) = read(&answer.body) else { return (None, None) };
    (error.code, error.message)
}
