//! Why a Secret is not added.

use podrole_identity::SecretDenial;

/// A Secret that cannot be added as its annotation asks. The texts follow the annotation's name in
/// a warning, so they are short.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SecretError {
    /// Only the kubelet can fill in a generated name, and it does so only in a subPath.
    #[error("{{pod.name}} is not known before the pod is created; use it in subPath")]
    PodNameUnknown,
    #[error("an item's key is over {0} characters; shorten it")]
    KeyTooLong(usize),
    /// Its author may not ask for it.
    #[error(transparent)]
    Denied(#[from] SecretDenial),
    #[error("volume {0} has another source; rename it")]
    VolumeTaken(String),
    #[error("{0} would cover another mount; choose another path")]
    CoversMount(String),
    #[error("{0} is within another Secret's mount; choose another path")]
    WithinSecret(String),
}
