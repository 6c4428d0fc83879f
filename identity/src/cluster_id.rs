//! The cluster's name and ARN, as session tags and external IDs carry them.

/// A cluster's name and ARN, both checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterId {
    name: String,
    arn: String,
}

/// Why a text is not a cluster's name or ARN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterIdError {
    /// The name.
    #[error(
        "a cluster name has 1 to 100 characters of A-Z a-z 0-9 - _ . and starts with a letter or digit"
    )]
    Name,
    /// The ARN.
    #[error("a cluster ARN has the form arn:aws:eks:<region>:<account>:cluster/<name>")]
    Arn,
}

impl ClusterId {
    /// A cluster by name and ARN.
    ///
    /// # Errors
    /// If one of them does not have its form.
    pub fn new(name: &str, arn: &str) -> Result<Self, ClusterIdError> {
        Self::check_name(name)?;
        let parts: Vec<&str> = arn.split(':').collect();
        let is_valid = matches!(parts[..], ["arn", partition, "eks", region, aws_account, resource]
            if !partition.is_empty() && !region.is_empty()
                && aws_account.len() == 12 && aws_account.bytes().all(|byte| byte.is_ascii_digit())
                && resource.strip_prefix("cluster/").is_some_and(|name| !name.is_empty()));
        if !is_valid || arn.len() > 256 {
            return Err(ClusterIdError::Arn);
        }
        Ok(Self { name: name.to_owned(), arn: arn.to_owned() })
    }

    /// Checks a name: it becomes part of URL paths and session tags.
    ///
    /// # Errors
    /// If the name does not have its form.
    pub fn check_name(name: &str) -> Result<(), ClusterIdError> {
        let is_legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        let is_valid = starts_well && name.len() <= 100 && name.chars().all(is_legal);
        is_valid.then_some(()).ok_or(ClusterIdError::Name)
    }

    /// The cluster's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cluster's ARN.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The external ID that EKS sends for a ServiceAccount of this cluster:
    /// `<region>/<account>/<cluster>/<namespace>/<service account>`.
    #[must_use]
    pub fn external_id(&self, service_account: &crate::ServiceAccountRef) -> String {
        let mut parts = self.arn.split(':').skip(3);
        let (region, aws_account) = (parts.next(), parts.next());
        // `new` has checked that both are there.
        let (region, aws_account) = (region.unwrap_or_default(), aws_account.unwrap_or_default());
        let (namespace, name) = (service_account.namespace(), service_account.name());
        format!("{region}/{aws_account}/{}/{namespace}/{name}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:eks:eu-west-1:111122223333:cluster/shop-1";

    #[test]
    fn a_name_or_arn_of_another_form_is_an_error() {
        assert!(ClusterId::new("shop-1", ARN).is_ok());
        for name in ["", "-shop", "a/b", "a b", &"a".repeat(101)] {
            assert_eq!(ClusterId::new(name, ARN), Err(ClusterIdError::Name), "{name}");
        }
        for arn in [
            "",
            "shop",
            "arn:aws:iam::111122223333:role/app",
            "arn:aws:eks::111122223333:cluster/shop",
            "arn:aws:eks:eu-west-1:1111:cluster/shop",
            "arn:aws:eks:eu-west-1:111122223333:cluster/",
        ] {
            assert_eq!(ClusterId::new("shop", arn), Err(ClusterIdError::Arn), "{arn}");
        }
    }

    #[test]
    fn the_external_id_has_the_form_of_eks() {
        let cluster = ClusterId::new("shop-1", ARN).unwrap();
        let external_id = cluster.external_id(&"shop/app".parse().unwrap());
        assert_eq!(external_id, "eu-west-1/111122223333/shop-1/shop/app");
    }
}
