//! The configuration file's format. Unknown fields are rejected with their name and line.

use std::{collections::BTreeMap, time::Duration};

use podrole_identity::{AccountId, Audience, Exchange, RoleArn, ServiceAccountRef};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{error::ClusterError, life::read_life};
use crate::{
    accounts::{
        AccessKey, Cluster, ClusterArn, PodAssociation, Policies, Provider, Role, Tags, User,
        UserArn,
    },
    jwk::JwkSet,
    policy::{IdentityPolicy, Policy},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) accounts: BTreeMap<AccountKey, AccountFile>,
    #[serde(default)]
    pub(super) clusters: Vec<ClusterFile>,
    #[serde(default, deserialize_with = "life")]
    pub(super) credential_life: Option<Duration>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AccountKey(pub(super) AccountId);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AccountFile {
    pub(super) organization_id: Option<String>,
    #[serde(default)]
    pub(super) oidc_providers: Vec<ProviderFile>,
    #[serde(default)]
    pub(super) users: BTreeMap<String, UserFile>,
    #[serde(default)]
    pub(super) roles: BTreeMap<String, RoleFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ProviderFile {
    url: IssuerUrl,
    client_ids: Vec<Audience>,
    jwks: Option<JwkSet>,
    #[serde(default)]
    tags: Tags,
}

/// An issuer's URL. Unlike IAM, the sandbox accepts `http://` and ports, for issuers on a laptop.
struct IssuerUrl(String);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct UserFile {
    pub(super) arn: UserArn,
    #[serde(default)]
    keys: Vec<KeyFile>,
    #[serde(default)]
    policies: Policies,
    #[serde(default)]
    tags: Tags,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyFile {
    id: KeyId,
    secret: String,
}

struct KeyId(String);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RoleFile {
    pub(super) arn: RoleArn,
    trust_policy: Policy,
    #[serde(default)]
    policies: Policies,
    max_session_duration: Option<u32>,
    #[serde(default)]
    tags: Tags,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ClusterFile {
    pub(super) name: String,
    pub(super) arn: ClusterArn,
    issuer: IssuerUrl,
    jwks: Option<JwkSet>,
    #[serde(default)]
    associations: Vec<AssociationFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AssociationFile {
    namespace: String,
    service_account: String,
    role_arn: RoleArn,
    target_role_arn: Option<RoleArn>,
    external_id: Option<String>,
    #[serde(default)]
    disable_session_tags: bool,
    policy: Option<IdentityPolicy>,
}

impl From<ProviderFile> for Provider {
    fn from(file: ProviderFile) -> Self {
        let provider = Self::new(&file.url.0, file.client_ids);
        Self { keys: file.jwks, tags: file.tags, ..provider }
    }
}

impl From<UserFile> for User {
    fn from(file: UserFile) -> Self {
        let keys = file.keys.into_iter().map(|key| AccessKey { id: key.id.0, secret: key.secret });
        Self { arn: file.arn, keys: keys.collect(), policies: file.policies, tags: file.tags }
    }
}

impl From<RoleFile> for Role {
    fn from(file: RoleFile) -> Self {
        let role = Self::new(file.arn, file.trust_policy);
        Self {
            policies: file.policies,
            max_session_duration: file.max_session_duration.unwrap_or(role.max_session_duration),
            tags: file.tags,
            ..role
        }
    }
}

impl ClusterFile {
    pub(super) fn check(self) -> Result<Cluster, ClusterError> {
        if self.name != self.arn.name() {
            return Err(ClusterError::Name(self.arn.name().to_owned()));
        }
        let associations = self.associations.into_iter();
        let associations =
            associations.map(|one| one.check(&self.arn)).collect::<Result<_, _>>()?;
        let issuer = Provider::new(&self.issuer.0, vec![Exchange::EksAuth.audience()]);
        let issuer = Provider { keys: self.jwks, ..issuer };
        Ok(Cluster { arn: self.arn, issuer, associations })
    }
}

impl AssociationFile {
    /// Rejects what EKS's API does not create.
    fn check(self, cluster: &ClusterArn) -> Result<PodAssociation, ClusterError> {
        let (namespace, name) = (self.namespace, self.service_account);
        let of = format!("{namespace}/{name}");
        let service_account = ServiceAccountRef::new(&namespace, &name);
        if self.role_arn.account() != cluster.account() {
            return Err(ClusterError::RoleAccount(of));
        }
        if self.policy.is_some() && !self.disable_session_tags {
            return Err(ClusterError::PolicyWithTags(of));
        }
        Ok(PodAssociation {
            service_account: service_account
                .map_err(|error| ClusterError::ServiceAccount { name: of, error })?,
            role: self.role_arn,
            target_role: self.target_role_arn,
            external_id: self.external_id,
            disable_session_tags: self.disable_session_tags,
            policy: self.policy,
        })
    }
}

fn life<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    read_life(&text).map(Some).map_err(D::Error::custom)
}

/// Parses a text with a fixed format. The error contains the text.
fn formed<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    read: impl Fn(&str) -> Option<T>,
    form: &str,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    read(&text).ok_or_else(|| D::Error::custom(format!("{text:?} {form}")))
}

impl<'de> Deserialize<'de> for AccountKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = |text: &str| text.parse().ok().map(Self);
        formed(deserializer, read, "is not an AWS account id: use 12 digits")
    }
}

impl<'de> Deserialize<'de> for IssuerUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = |url: &str| {
            let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
            (!rest.is_empty()).then(|| Self(url.to_owned()))
        };
        formed(deserializer, read, "is not an issuer URL: it must begin with https:// (or http://)")
    }
}

impl<'de> Deserialize<'de> for UserArn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        formed(
            deserializer,
            Self::read,
            "is not the ARN of a user (arn:aws:iam::<account>:user/<name>)",
        )
    }
}

impl<'de> Deserialize<'de> for ClusterArn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = "is not the ARN of a cluster (arn:aws:eks:<region>:<account>:cluster/<name>)";
        formed(deserializer, Self::read, form)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = |id: &str| {
            let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
            ((16..=128).contains(&id.len()) && id.chars().all(legal)).then(|| Self(id.to_owned()))
        };
        formed(deserializer, read, "is not an access key id: use 16 to 128 letters and digits")
    }
}
