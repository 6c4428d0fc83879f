//! What a role's trust policy must contain, so that an exchange gets a session of the role.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{POD_IDENTITY_AUDIENCE, RoleArn, ServiceAccountRef};

/// A statement that a role's trust policy must contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredTrust {
    /// The caller.
    pub principal: TrustedPrincipal,
    /// The actions, for example `sts:AssumeRole`.
    pub actions: Vec<&'static str>,
    /// The conditions, all of which must hold.
    pub conditions: Vec<TrustCondition>,
}

/// Who assumes the role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrustedPrincipal {
    /// An OIDC provider, by its ARN.
    Federated(String),
    /// A role or user, by its ARN.
    Aws(String),
    /// The agent's own AWS identity, whose ARN is not known here.
    Agent,
    /// An AWS service, by its domain name.
    Service(&'static str),
}

/// A key that must have one of the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustCondition {
    /// How IAM compares the key with the values.
    pub operator: TrustOperator,
    /// The key, for example `sts:ExternalId`.
    pub key: String,
    /// The values, sorted.
    pub values: Vec<String>,
}

/// An operator of IAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrustOperator {
    /// Compares literally.
    StringEquals,
    /// `*` and `?` are wildcards.
    StringLike,
}

impl RequiredTrust {
    /// For the exchange `web-identity`: the OIDC provider of the issuer in the role's own AWS account,
    /// for tokens of these ServiceAccounts.
    #[must_use]
    pub fn web_identity<'a>(
        issuer: &str,
        role: &RoleArn,
        service_accounts: impl IntoIterator<Item = &'a ServiceAccountRef>,
        audiences: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let (partition, account) = (role.partition(), role.account());
        let subjects = service_accounts.into_iter().map(ServiceAccountRef::subject);
        let name = issuer_name(issuer);
        Self {
            principal: TrustedPrincipal::Federated(provider_arn(partition, account, issuer)),
            actions: vec!["sts:AssumeRoleWithWebIdentity"],
            conditions: vec![
                TrustCondition::equals(&format!("{name}:sub"), subjects),
                TrustCondition::equals(
                    &format!("{name}:aud"),
                    audiences.into_iter().map(str::to_owned),
                ),
            ],
        }
    }

    /// For the exchange `assume-role`: the agent's own AWS identity, with the session tags that the
    /// policy can compare. Tags about a pod differ from pod to pod, so they are left out.
    #[must_use]
    pub fn assume_role<'a>(
        principal: Option<&str>,
        tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let principal = principal.map(|arn| TrustedPrincipal::Aws(arn.to_owned()));
        Self::tagged(principal.unwrap_or(TrustedPrincipal::Agent), tags)
    }

    /// For the exchange `eks-auth`: EKS's service, which always sends its session tags unless the
    /// association disables them.
    #[must_use]
    pub fn eks_auth<'a>(tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let trust = Self::tagged(TrustedPrincipal::Service(POD_IDENTITY_AUDIENCE), tags);
        Self { actions: vec!["sts:AssumeRole", "sts:TagSession"], ..trust }
    }

    /// For a role that is assumed from another one.
    #[must_use]
    pub fn target(before: &RoleArn, external_id: Option<&str>, has_tags: bool) -> Self {
        let id = external_id.map(|id| TrustCondition::equals("sts:ExternalId", [id.to_owned()]));
        Self {
            principal: TrustedPrincipal::Aws(before.as_str().to_owned()),
            actions: actions(has_tags),
            conditions: id.into_iter().collect(),
        }
    }

    fn tagged<'a>(
        principal: TrustedPrincipal,
        tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut values = BTreeMap::<String, BTreeSet<String>>::new();
        let (mut keys, mut has_tags) = (Vec::new(), false);
        for (key, value) in tags {
            has_tags = true;
            if key.starts_with("kubernetes-pod") {
                continue;
            }
            let key = format!("aws:RequestTag/{key}");
            if !keys.contains(&key) {
                keys.push(key.clone());
            }
            values.entry(key).or_default().insert(value.to_owned());
        }
        let conditions = keys.into_iter().map(|key| {
            let values = values.remove(&key).unwrap_or_default();
            TrustCondition::equals(&key, values)
        });
        Self { principal, conditions: conditions.collect(), actions: actions(has_tags) }
    }

    /// The actions in a sentence.
    #[must_use]
    pub fn actions_text(&self) -> String {
        self.actions.join(" and ")
    }

    /// The conditions in a sentence: ` where A is B`, or nothing without conditions.
    #[must_use]
    pub fn conditions_text(&self, separator: &str) -> String {
        if self.conditions.is_empty() {
            return String::new();
        }
        let all = self.conditions.iter().map(ToString::to_string).collect::<Vec<_>>();
        format!(" where {}", all.join(separator))
    }
}

impl TrustCondition {
    fn equals(key: &str, values: impl IntoIterator<Item = String>) -> Self {
        let values = values.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        Self { operator: TrustOperator::StringEquals, key: key.to_owned(), values }
    }
}

impl TrustOperator {
    /// Its name in policies.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StringEquals => "StringEquals",
            Self::StringLike => "StringLike",
        }
    }
}

impl fmt::Display for TrustCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}", self.key, self.values.join(" or "))
    }
}

impl fmt::Display for TrustedPrincipal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Federated(arn) => write!(f, "the federated principal {arn}"),
            Self::Aws(arn) => f.write_str(arn),
            Self::Agent => f.write_str("the principal of this cluster's agent"),
            Self::Service(domain) => write!(f, "the service {domain}"),
        }
    }
}

/// The ARN of the OIDC provider of an issuer in an AWS account.
#[must_use]
pub fn provider_arn(partition: &str, aws_account: &str, issuer: &str) -> String {
    format!("arn:{partition}:iam::{aws_account}:oidc-provider/{}", issuer_name(issuer))
}

/// An issuer without its scheme, as condition keys and ARNs have it.
#[must_use]
pub fn issuer_name(issuer: &str) -> &str {
    issuer.split_once("://").map_or(issuer, |(_, rest)| rest)
}

fn actions(has_tags: bool) -> Vec<&'static str> {
    let mut actions = vec!["sts:AssumeRole"];
    if has_tags {
        actions.push("sts:TagSession");
    }
    actions
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws-cn:iam::111122223333:role/app";

    #[test]
    fn a_token_is_trusted_by_its_issuer_subject_and_audience() {
        let accounts: Vec<ServiceAccountRef> =
            ["shop/web", "shop/app", "shop/web"].map(|it| it.parse().unwrap()).into();
        let role = ROLE.parse().unwrap();
        let trust = RequiredTrust::web_identity("https://a.example/id", &role, &accounts, ["x"]);
        assert_eq!(
            trust.principal.to_string(),
            "the federated principal arn:aws-cn:iam::111122223333:oidc-provider/a.example/id"
        );
        assert_eq!(trust.actions_text(), "sts:AssumeRoleWithWebIdentity");
        assert_eq!(
            trust.conditions_text(" and "),
            " where a.example/id:sub is system:serviceaccount:shop:app or \
             system:serviceaccount:shop:web and a.example/id:aud is x"
        );
    }

    #[test]
    fn tags_need_an_action_of_their_own_and_those_of_pods_are_not_compared() {
        let tags = [("kubernetes-namespace", "shop"), ("kubernetes-pod-name", "app-1")];
        let trust = RequiredTrust::assume_role(None, tags);
        assert_eq!(trust.actions, ["sts:AssumeRole", "sts:TagSession"]);
        assert_eq!(
            trust.conditions_text(", "),
            " where aws:RequestTag/kubernetes-namespace is shop"
        );
        let bare = RequiredTrust::assume_role(Some("arn:a"), []);
        assert_eq!((bare.actions.len(), bare.conditions_text(", ")), (1, String::new()));
        assert_eq!(bare.principal, TrustedPrincipal::Aws("arn:a".to_owned()));
        let eks = RequiredTrust::eks_auth([]);
        assert_eq!(eks.principal.to_string(), "the service pods.eks.amazonaws.com");
        assert_eq!(eks.actions_text(), "sts:AssumeRole and sts:TagSession");
    }

    #[test]
    fn a_target_role_trusts_the_role_before_it() {
        let before = ROLE.parse().unwrap();
        let trust = RequiredTrust::target(&before, Some("id"), true);
        assert_eq!(trust.conditions_text(" and "), " where sts:ExternalId is id");
        assert_eq!(trust.actions.len(), 2);
        let bare = RequiredTrust::target(&before, None, false);
        assert_eq!((bare.conditions.len(), bare.principal.to_string()), (0, ROLE.to_owned()));
    }
}
