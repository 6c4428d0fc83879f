//! Role ARNs out of bare role names, for clusters whose ServiceAccounts name only those.

use crate::{AccountId, AnnotationPrefix, Annotations, Partition, ServiceAccountAnnotations};

/// How a cluster's ServiceAccount annotations are read. Both daemons use it, so that a bare role
/// name is the same role for both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnnotationRules {
    /// The prefix of EKS's annotations.
    pub prefix: AnnotationPrefix,
    /// Completes bare role names to ARNs, if the cluster allows them.
    pub composer: Option<RoleComposer>,
}

impl AnnotationRules {
    /// Reads a ServiceAccount's annotations.
    #[must_use]
    pub fn read(&self, mut annotations: Annotations) -> ServiceAccountAnnotations {
        if let Some(composer) = &self.composer {
            composer.complete(&mut annotations, &self.prefix);
        }
        ServiceAccountAnnotations::read(&annotations, &self.prefix)
    }
}

/// Writes a bare role name as an ARN of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleComposer {
    account: AccountId,
    partition: String,
}

impl RoleComposer {
    /// A composer for an account. Without a partition it is the region's, and without both `aws`.
    #[must_use]
    pub fn new(account: AccountId, partition: Option<&str>, region: Option<&str>) -> Self {
        let partition =
            partition.unwrap_or_else(|| Partition::of_region(region.unwrap_or_default()).as_str());
        Self { account, partition: partition.to_owned() }
    }

    /// The ARN that `text` names: itself where it is one, else that of the role `text`, which may
    /// have a path before its name.
    #[must_use]
    pub fn compose(&self, text: &str) -> String {
        if text.is_empty() || text.contains("arn:") {
            return text.to_owned();
        }
        let Self { account, partition } = self;
        format!("arn:{partition}:iam::{account}:role/{}", text.trim_start_matches('/'))
    }

    /// Composes the `role-arn` among a ServiceAccount's annotations, before they are read.
    pub fn complete(&self, annotations: &mut Annotations, prefix: &AnnotationPrefix) {
        if let Some(role) = annotations.get_mut(&prefix.key("role-arn")) {
            *role = self.compose(role);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composer(partition: Option<&str>, region: Option<&str>) -> RoleComposer {
        RoleComposer::new("111122223333".parse().unwrap(), partition, region)
    }

    #[test]
    fn a_bare_name_becomes_an_arn_and_an_arn_stays() {
        let composer = composer(None, None);
        for (text, arn) in [
            ("app", "arn:aws:iam::111122223333:role/app"),
            ("team/app", "arn:aws:iam::111122223333:role/team/app"),
            ("/team/app", "arn:aws:iam::111122223333:role/team/app"),
            ("arn:aws:iam::444455556666:role/app", "arn:aws:iam::444455556666:role/app"),
            ("", ""),
        ] {
            assert_eq!(composer.compose(text), arn, "{text}");
        }
    }

    #[test]
    fn the_partition_is_the_given_one_or_the_regions() {
        for (partition, region, arn) in [
            (None, None, "arn:aws:"),
            (None, Some("eu-west-1"), "arn:aws:"),
            (None, Some("cn-north-1"), "arn:aws-cn:"),
            (None, Some("us-gov-west-1"), "arn:aws-us-gov:"),
            (None, Some("us-iso-east-1"), "arn:aws-iso:"),
            (None, Some("us-isob-east-1"), "arn:aws-iso-b:"),
            (None, Some("us-isof-south-1"), "arn:aws-iso-f:"),
            (None, Some("eu-isoe-west-1"), "arn:aws-iso-e:"),
            (None, Some("eusc-de-east-1"), "arn:aws-eusc:"),
            (Some("aws"), Some("cn-north-1"), "arn:aws:"),
        ] {
            let composed = composer(partition, region).compose("app");
            assert!(composed.starts_with(arn), "{composed} for {region:?}");
        }
    }

    #[test]
    fn only_the_roles_annotation_is_completed() {
        let prefix: AnnotationPrefix = "example.org".parse().unwrap();
        let pairs = [("example.org/role-arn", "app"), ("eks.amazonaws.com/role-arn", "other")];
        let mut annotations: Annotations =
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        composer(None, None).complete(&mut annotations, &prefix);
        assert_eq!(annotations["example.org/role-arn"], "arn:aws:iam::111122223333:role/app");
        assert_eq!(annotations["eks.amazonaws.com/role-arn"], "other");
    }
}
