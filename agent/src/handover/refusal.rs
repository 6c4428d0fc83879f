//! Why a process does not get the sockets, with how to fix it.

use podrole_identity::ServiceAccountRef;

use crate::{keys::VerifyError, node::NodeError};

/// Why a process does not get the agent's sockets. The process that asked logs it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandoverRefusal {
    /// It runs as another user.
    #[error(
        "the agent that serves this node runs as user {ours}, and this one as user {theirs}; run both as user {ours}"
    )]
    User {
        /// The agent's user.
        ours: u32,
        /// The process's user.
        theirs: u32,
    },
    /// It said nothing within the time limit, or something else.
    #[error(
        "the process did not show who it is within 2 s; start it as podrole-agent with --handover and --handover-token, of a release that can replace the running one"
    )]
    NoIntroduction,
    /// Its token is not valid.
    #[error("the token of --handover-token is not accepted: {0}")]
    Token(#[from] VerifyError),
    /// The predecessor's own token is not valid, so it cannot compare.
    #[error("the agent that serves this node cannot use its own --handover-token: {0}")]
    OwnToken(String),
    /// It is another podrole's.
    #[error(
        "podrole already serves this node with an agent of the ServiceAccount {ours}, and this one is of {theirs}; uninstall one of the two, or upgrade instead (helm list -A)"
    )]
    OtherServiceAccount {
        /// The agent's ServiceAccount.
        ours: ServiceAccountRef,
        /// The process's ServiceAccount.
        theirs: ServiceAccountRef,
    },
    /// The ServiceAccount was deleted and created again.
    #[error(
        "the agent that serves this node is of an earlier ServiceAccount {0}; this one takes over when that one's pod has ended"
    )]
    EarlierServiceAccount(ServiceAccountRef),
    /// The token is of the predecessor's own pod.
    #[error(
        "the token of --handover-token is of the pod of the agent that serves this node; mount this pod's own"
    )]
    SamePod,
    /// Its pod is not alive, or not on this node.
    #[error("the pod of --handover-token is not accepted: {0}")]
    Pod(#[from] NodeError),
    /// Its pod cannot be looked up.
    #[error(
        "the agent that serves this node does not know the pod of --handover-token yet; retry in a few seconds"
    )]
    UnknownPod,
    /// It is not of the predecessor's DaemonSet, and would serve other credentials.
    #[error(
        "another agent serves this node, which differs from this one ({0}) and is not of the same DaemonSet; remove one of the two"
    )]
    Different(String),
    /// The check took too long.
    #[error(
        "the agent that serves this node could not check this one within 5 s; retry in a few seconds"
    )]
    Timeout,
}
