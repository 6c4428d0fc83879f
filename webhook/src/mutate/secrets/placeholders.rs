//! `{pod.name}`, `{pod.namespace}` and `{serviceaccount.name}` in a Secret's keys and paths.

use podrole_identity::ServiceAccountRef;

use super::error::SecretError;
use crate::mutate::expression::Expression;

const POD_NAME_PLACEHOLDER: &str = "{pod.name}";

/// The values of the placeholders.
pub(super) struct Placeholders<'a> {
    /// The pod's name, if it is known already.
    pod: Option<&'a str>,
    service_account: &'a ServiceAccountRef,
}

/// A path within a volume.
pub(super) enum SubPath {
    /// For `subPath`.
    Plain(String),
    /// For `subPathExpr`, in which the kubelet fills in the pod's name.
    NamesPod(Expression),
}

impl<'a> Placeholders<'a> {
    pub(super) fn new(pod: Option<&'a str>, service_account: &'a ServiceAccountRef) -> Self {
        Self { pod, service_account }
    }

    /// Fills in every placeholder.
    ///
    /// # Errors
    /// If `text` has the pod's name, which Kubernetes has not generated yet.
    pub(super) fn fill(&self, text: &str) -> Result<String, SecretError> {
        let text = self.fill_fixed(text);
        match self.pod {
            Some(pod) => Ok(text.replace(POD_NAME_PLACEHOLDER, pod)),
            None if text.contains(POD_NAME_PLACEHOLDER) => Err(SecretError::PodNameUnknown),
            None => Ok(text),
        }
    }

    /// Fills in every placeholder of a subPath, or leaves the pod's name to the kubelet.
    pub(super) fn sub_path(&self, text: &str) -> SubPath {
        if let Ok(path) = self.fill(text) {
            return SubPath::Plain(path);
        }
        let fixed = self.fill_fixed(text);
        SubPath::NamesPod(Expression::around_pod_name(fixed.split(POD_NAME_PLACEHOLDER)))
    }

    /// Fills in every placeholder but the pod's name.
    pub(super) fn fill_fixed(&self, text: &str) -> String {
        let text = text.replace("{pod.namespace}", self.service_account.namespace());
        text.replace("{serviceaccount.name}", self.service_account.name())
    }
}
