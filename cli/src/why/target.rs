//! What to examine, as on kubectl's command line.

use std::{fmt, str::FromStr};

use super::resource::Resource;

/// A pod, a workload or a ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Pod(String),
    Workload(Resource, String),
    ServiceAccount(String),
}

/// A text names nothing that has pods.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write POD, KIND/NAME (deployment, statefulset, daemonset, replicaset, job, cronjob) or sa/NAME"
)]
pub(crate) struct UnknownTarget(());

impl FromStr for Target {
    type Err = UnknownTarget;

    fn from_str(text: &str) -> Result<Self, UnknownTarget> {
        let (kind, name) = text.split_once('/').unwrap_or(("pod", text));
        let name = name.to_owned();
        if name.is_empty() || name.contains('/') {
            return Err(UnknownTarget(()));
        }
        match kind.to_ascii_lowercase().as_str() {
            "pod" | "pods" | "po" => Ok(Self::Pod(name)),
            "sa" | "serviceaccount" | "serviceaccounts" => Ok(Self::ServiceAccount(name)),
            kind => Resource::workload(kind)
                .map(|resource| Self::Workload(resource, name))
                .ok_or(UnknownTarget(())),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod(name) => f.write_str(name),
            Self::Workload(kind, name) => {
                write!(f, "{}/{name}", kind.kind().to_ascii_lowercase())
            }
            Self::ServiceAccount(name) => write!(f, "sa/{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_named_as_for_kubectl() {
        for (text, shown) in [
            ("web-1", "web-1"),
            ("pod/web-1", "web-1"),
            ("deploy/web", "deployment/web"),
            ("Deployment.apps/web", "deployment/web"),
            ("sts/db", "statefulset/db"),
            ("cj/nightly", "cronjob/nightly"),
            ("serviceaccount/app", "sa/app"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), shown, "{text}");
        }
        for text in ["", "service/web", "deploy/", "a/b/c", "/x"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
