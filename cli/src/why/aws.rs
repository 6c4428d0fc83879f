//! Link 11, where what AWS says enters the report: findings about the role's trust policy and the OIDC provider.

use crate::report::{Finding, State};

/// What is known of AWS's side.
#[derive(Clone, Debug, Default)]
pub(crate) struct AwsFindings {
    /// What was found; `None` if AWS was not asked and no trust policy was given.
    pub(crate) trust: Option<Vec<Finding>>,
    /// What the OIDC issuer publishes, if it was asked.
    pub(crate) issuer: Option<Vec<Finding>>,
}

/// What no policy of a role shows.
const NOT_EVALUATED: &str = "permissions boundaries and service control policies are not evaluated";
/// Why AWS's links are skipped.
pub(crate) const ADD_AWS: &str = "add --aws";

impl AwsFindings {
    pub(crate) fn trust(&self) -> Vec<Finding> {
        self.trust.clone().unwrap_or_else(|| vec![Finding::skipped(ADD_AWS)])
    }

    pub(crate) fn issuer(&self) -> Vec<Finding> {
        self.issuer.clone().unwrap_or_else(|| vec![Finding::skipped(ADD_AWS)])
    }

    /// The notes that belong to no link.
    pub(crate) fn notes(&self) -> Vec<Finding> {
        let asked = self.trust.is_some();
        asked.then(|| Finding::new(State::Note, NOT_EVALUATED)).into_iter().collect()
    }
}
