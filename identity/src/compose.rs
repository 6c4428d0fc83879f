//! Role ARNs from bare role names, for clusters whose ServiceAccounts have only those.

use crate::{
    AccountId, AnnotationPrefix, Annotations, Partition, ServiceAccountAnnotations, blank,
};

/// How a cluster's ServiceAccount annotations are read. Both daemons use it, so that a bare role
/// name is the same role for both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnnotationRules {
    /// The prefix of EKS's annotations.
    pub prefix: AnnotationPrefix,
    /// Composes ARNs from bare role names, if the cluster allows them.
    pub composer: Option<RoleComposer>,
}

impl AnnotationRules {
    /// Reads a ServiceAccount's annotations.
    #[must_use]
    pub fn read(&self, mut annotations: Annotations) -> ServiceAccountAnnotations {
        if let Some(composer) = &self.composer {
            composer.compose_annotation(&mut annotations, &self.prefix);
        }
        ServiceAccountAnnotations::read(&annotations, &self.prefix)
    }
}

/// Turns bare role names into ARNs of one AWS account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleComposer {
    aws_account: AccountId,
    partition: String,
}

impl RoleComposer {
    /// A composer for an AWS account. The default of the partition is the region's, or `aws` without
    /// a region.
    #[must_use]
    pub fn new(aws_account: AccountId, partition: Option<&str>, region: Option<&str>) -> Self {
        let partition =
            partition.unwrap_or_else(|| Partition::of_region(region.unwrap_or_default()).as_str());
        Self { aws_account, partition: partition.to_owned() }
    }

    /// Returns `text` if it is an ARN, and otherwise the ARN of the role of that name. The name may
    /// have a path.
    #[must_use]
    pub fn compose(&self, text: &str) -> String {
        // The blanks around it stay, so that the reader of the ARN can warn of them.
        let name = blank::trim(text);
        let Some((before, after)) = text.split_once(name).filter(|_| !name.is_empty()) else {
            return text.to_owned();
        };
        if name.contains("arn:") {
            return text.to_owned();
        }
        let Self { aws_account, partition } = self;
        let name = name.trim_start_matches('/');
        format!("{before}arn:{partition}:iam::{aws_account}:role/{name}{after}")
    }

    /// Replaces a bare name in a ServiceAccount's annotation `role-arn`.
    pub fn compose_annotation(&self, annotations: &mut Annotations, prefix: &AnnotationPrefix) {
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
            ("app\n", "arn:aws:iam::111122223333:role/app\n"),
            (" ", " "),
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
    fn only_the_role_annotation_is_composed() {
        let prefix: AnnotationPrefix = "example.org".parse().unwrap();
        let pairs = [("example.org/role-arn", "app"), ("eks.amazonaws.com/role-arn", "other")];
        let mut annotations: Annotations =
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        composer(None, None).compose_annotation(&mut annotations, &prefix);
        assert_eq!(annotations["example.org/role-arn"], "arn:aws:iam::111122223333:role/app");
        assert_eq!(annotations["eks.amazonaws.com/role-arn"], "other");
    }
}
