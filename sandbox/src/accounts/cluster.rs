//! EKS clusters and their pod identity associations.

use podrole_identity::{RoleArn, ServiceAccountRef};

use super::Provider;
use crate::{policy::IdentityPolicy, random};

/// An EKS cluster, as EKS Auth uses it.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Contains the name, the region and the account.
    pub arn: ClusterArn,
    /// The issuer of its pods' tokens, with its keys.
    pub issuer: Provider,
    /// Which ServiceAccount gets which role.
    pub associations: Vec<PodAssociation>,
}

/// `arn:<partition>:eks:<region>:<account>:cluster/<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterArn(String);

/// A pod identity association, as EKS's API has it.
#[derive(Clone, Debug)]
pub struct PodAssociation {
    /// The ServiceAccount whose pods get the role.
    pub service_account: ServiceAccountRef,
    /// A role in the cluster's own account.
    pub role: RoleArn,
    /// The role to assume from `role`, in any account.
    pub target_role: Option<RoleArn>,
    /// Sent when the target role is assumed. Default: an id made of region, account, cluster,
    /// namespace and ServiceAccount.
    pub external_id: Option<String>,
    /// Leaves out EKS's six session tags.
    pub disable_session_tags: bool,
    /// The session policy of the last role.
    pub policy: Option<IdentityPolicy>,
}

impl ClusterArn {
    /// Parses a cluster's ARN. Returns `None` for anything else.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, "eks", region, account, resource] = parts[..] else {
            return None;
        };
        // Partition and account have the same form as in a role's ARN: its parser checks them.
        format!("arn:{partition}:iam::{account}:role/x").parse::<RoleArn>().ok()?;
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let name = resource.strip_prefix("cluster/")?;
        let fits = (1..=100).contains(&name.len())
            && name.chars().all(legal)
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && !region.is_empty()
            && region.chars().all(legal);
        fits.then(|| Self(text.to_owned()))
    }

    fn part(&self, place: usize) -> &str {
        self.0.split(':').nth(place).unwrap_or_default()
    }

    /// The whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `aws`, `aws-cn` and so on.
    #[must_use]
    pub fn partition(&self) -> &str {
        self.part(1)
    }

    /// For example `eu-west-1`.
    #[must_use]
    pub fn region(&self) -> &str {
        self.part(3)
    }

    /// The 12-digit account id.
    #[must_use]
    pub fn account(&self) -> &str {
        self.part(4)
    }

    /// The cluster's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.part(5).strip_prefix("cluster/").unwrap_or_default()
    }
}

impl Cluster {
    /// The first association of a ServiceAccount.
    #[must_use]
    pub fn association(&self, account: &ServiceAccountRef) -> Option<&PodAssociation> {
        self.associations.iter().find(|one| one.service_account == *account)
    }

    /// An association's id, `a-…`. It depends on cluster, ServiceAccount and role only.
    pub(crate) fn association_id(&self, association: &PodAssociation) -> String {
        let account = &association.service_account;
        let what = format!("{} {account} {}", self.arn.as_str(), association.role);
        format!("a-{}", &random::sha256_hex(what.as_bytes())[..17])
    }

    /// An association's ARN.
    pub(crate) fn association_arn(&self, association: &PodAssociation) -> String {
        let (arn, id) = (&self.arn, self.association_id(association));
        let (partition, region, account) = (arn.partition(), arn.region(), arn.account());
        let name = arn.name();
        format!("arn:{partition}:eks:{region}:{account}:podidentityassociation/{name}/{id}")
    }

    /// The external id that is sent when the target role is assumed.
    pub(crate) fn external_id(&self, association: &PodAssociation) -> String {
        let arn = &self.arn;
        let account = &association.service_account;
        let default = || {
            let (region, owner, name) = (arn.region(), arn.account(), arn.name());
            format!("{region}/{owner}/{name}/{}/{}", account.namespace(), account.name())
        };
        association.external_id.clone().unwrap_or_else(default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clusters_arn_is_parsed() {
        let arn = ClusterArn::read("arn:aws-cn:eks:cn-north-1:111122223333:cluster/shop").unwrap();
        assert_eq!((arn.partition(), arn.region()), ("aws-cn", "cn-north-1"));
        assert_eq!((arn.account(), arn.name()), ("111122223333", "shop"));
        for text in [
            "",
            "arn:aws:eks:eu-west-1:111122223333:cluster/",
            "arn:aws:eks:eu-west-1:111122223333:cluster/-a",
            "arn:aws:eks:eu-west-1:111122223333:cluster/a/b",
            "arn:aws:eks:eu-west-1:111122223333:nodegroup/a",
            "arn:aws:eks::111122223333:cluster/a",
            "arn:aws:eks:eu-west-1:1111:cluster/a",
            "arn:aws:iam::111122223333:role/a",
        ] {
            assert_eq!(ClusterArn::read(text), None, "{text}");
        }
    }
}
