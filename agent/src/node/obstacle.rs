//! What of a pod's own keeps the webhook from injecting it, however often the pod is created. Pure.

use std::fmt;

use podrole_identity::CredentialProvider;

/// Something of the pod's that is in the way of a credential provider's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The provider.
    pub provider: CredentialProvider,
    /// What is in the way.
    pub what: InTheWay,
}

/// What is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InTheWay {
    /// A volume with the name of the token's.
    Volume,
    /// In each container, a mount at the token's path.
    Mount,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let volume = self.provider.token_volume();
        match self.what {
            InTheWay::Volume => {
                write!(f, "the pod has another volume with the name {}; rename it", volume.name)
            }
            InTheWay::Mount => write!(
                f,
                "its containers mount something else at {}, where the token belongs; mount it elsewhere",
                volume.mount_path
            ),
        }
    }
}
