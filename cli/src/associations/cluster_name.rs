//! Names of EKS clusters.

use std::{fmt, str::FromStr};

/// The name of an EKS cluster. It is part of URLs and of commands, and needs no quotes there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClusterName(String);

/// A text is not the name of an EKS cluster.
#[derive(Debug, thiserror::Error)]
#[error("a cluster's name is 1 to 100 of A-Z a-z 0-9 - _, and begins with a letter or digit")]
pub(super) struct ClusterNameError;

impl FromStr for ClusterName {
    type Err = ClusterNameError;

    fn from_str(text: &str) -> Result<Self, ClusterNameError> {
        let is_legal = |c: u8| c.is_ascii_alphanumeric() || b"-_".contains(&c);
        let legal = text.len() <= 100
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(is_legal);
        legal.then(|| Self(text.to_owned())).ok_or(ClusterNameError)
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
