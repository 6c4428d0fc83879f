//! The links, in their order.

/// A link between a pod and AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Link {
    Pod,
    Namespace,
    Webhook,
    Expected,
    Injected,
    Role,
    Other,
    Token,
    Issuer,
    Agent,
    Aws,
    Network,
}

impl Link {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::Namespace => "namespace",
            Self::Webhook => "webhook",
            Self::Expected => "expected",
            Self::Injected => "injected",
            Self::Role => "role",
            Self::Other => "other",
            Self::Token => "token",
            Self::Issuer => "issuer",
            Self::Agent => "agent",
            Self::Aws => "AWS",
            Self::Network => "network",
        }
    }

    /// Its number, from 1.
    pub(crate) fn number(self) -> usize {
        self as usize + 1
    }
}
