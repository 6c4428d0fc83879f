//! `{pod.name}`, `{pod.namespace}` and `{serviceaccount.name}` in a Secret's keys and paths.

use podrole_identity::ServiceAccountRef;

use crate::mutate::operations::POD_NAME;

const OF_POD: &str = "{pod.name}";

/// What the places stand for.
pub(super) struct Places<'a> {
    pod: Option<&'a str>,
    account: &'a ServiceAccountRef,
}

/// A part of a volume.
pub(super) enum SubPath {
    /// As it stands.
    Plain(String),
    /// An expression that the kubelet fills with the pod's name.
    NamesPod(String),
}

impl<'a> Places<'a> {
    pub(super) fn new(pod: Option<&'a str>, account: &'a ServiceAccountRef) -> Self {
        Self { pod, account }
    }

    /// `text` with all places filled. A name that Kubernetes makes up is not known yet.
    pub(super) fn fill(&self, text: &str) -> Result<String, String> {
        let text = self.fill_fixed(text);
        match self.pod {
            Some(pod) => Ok(text.replace(OF_POD, pod)),
            None if text.contains(OF_POD) => {
                Err(format!("{OF_POD} is not known before the pod is made; use it in subPath"))
            }
            None => Ok(text),
        }
    }

    /// A part of a volume with all places filled, now or by the kubelet.
    pub(super) fn sub_path(&self, text: &str) -> SubPath {
        if let Ok(path) = self.fill(text) {
            return SubPath::Plain(path);
        }
        let literal = self.fill_fixed(text).replace('$', "$$");
        SubPath::NamesPod(literal.replace(OF_POD, &format!("$({POD_NAME})")))
    }

    fn fill_fixed(&self, text: &str) -> String {
        let text = text.replace("{pod.namespace}", self.account.namespace());
        text.replace("{serviceaccount.name}", self.account.name())
    }
}
