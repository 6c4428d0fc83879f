//! Clusters, and the associations that EKS Auth looks up in them.

use podrole_identity::{RoleArn, ServiceAccountRef};

use super::Provider;
use crate::{policy::IdentityPolicy, random};

/// A cluster of EKS Auth.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its ARN; name, region and account are in it.
    pub arn: ClusterArn,
    /// Whose tokens its pods have, and the keys of those.
    pub issuer: Provider,
    /// Which ServiceAccount becomes which role.
    pub associations: Vec<PodAssociation>,
}

/// `arn:<partition>:eks:<region>:<account>:cluster/<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterArn(String);

/// A pod identity association, as EKS's API has it.
#[derive(Clone, Debug)]
pub struct PodAssociation {
    /// Whose pods it is for.
    pub service_account: ServiceAccountRef,
    /// The role, of the cluster's own account.
    pub role: RoleArn,
    /// The role to go on to from there, of whatever account.
    pub target_role: Option<RoleArn>,
    /// What the target role's trust policy may ask for; without it one that names the
    /// ServiceAccount.
    pub external_id: Option<String>,
    /// Leaves the six session tags out.
    pub disable_session_tags: bool,
    /// What a session may do at most, of the last role.
    pub policy: Option<IdentityPolicy>,
}

impl ClusterArn {
    /// Reads a cluster's ARN; nothing when it is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, "eks", region, account, resource] = parts[..] else {
            return None;
        };
        // The rest of the form is a role's, which one place knows.
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

    /// `aws`, `aws-cn`, ...
    #[must_use]
    pub fn partition(&self) -> &str {
        self.part(1)
    }

    /// `eu-west-1`, ...
    #[must_use]
    pub fn region(&self) -> &str {
        self.part(3)
    }

    /// The twelve digits of its account.
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
    /// The association of a ServiceAccount; the first, where there are two.
    #[must_use]
    pub fn association(&self, account: &ServiceAccountRef) -> Option<&PodAssociation> {
        self.associations.iter().find(|one| one.service_account == *account)
    }

    /// An association's id, `a-…`, always the same for the same ServiceAccount and role.
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

    /// What is sent on the way to a target role.
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
    fn a_clusters_arn_is_taken_apart() {
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
