//! What becomes of a pod, and why.

use json_patch::PatchOperation;

/// What becomes of a pod. Every outcome has a reason, which the log, the metric and the audit
/// annotation share.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is admitted with additions.
    Patch {
        /// RFC 6902 operations; never empty.
        operations: Vec<PatchOperation>,
        /// What the pod's author should know.
        warnings: Vec<String>,
    },
    /// It is admitted as it is.
    Skip {
        /// Why.
        reason: Reason,
        /// What the pod's author should know.
        warnings: Vec<String>,
    },
    /// It is not admitted.
    Refuse {
        /// Why.
        reason: Reason,
        /// The same for the pod's author, with the mend.
        message: String,
    },
}

/// Why a pod got what it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It was given its identity.
    Injected,
    /// Its ServiceAccount names no role, or there is no such ServiceAccount.
    NoRole,
    /// It has all that it should have, or its annotations keep every container out.
    NothingToAdd,
    /// Its containers have credentials of their own.
    LeftAlone,
    /// A volume of the token's name is something else.
    VolumeTaken,
    /// Its label opts out.
    OptedOut,
    /// The review is not about the creation of a pod.
    NotApplicable,
    /// A source names a role that cannot be used; the label says why, as in the resolver.
    Denied(&'static str),
    /// Its author was told what to know of it, if anything.
    Checked,
    /// The review or the pod in it is not what it should be.
    Unreadable,
    /// The pod that is given ephemeral containers is not what it should be.
    DebugUnreadable,
    /// What says who pods are has not all been read yet.
    Unsynced,
    /// Its ServiceAccount could not be looked up.
    LookupFailed,
}

impl Reason {
    /// The word that log, metric and audit annotation use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Injected => "injected",
            Self::NoRole => "no_role",
            Self::NothingToAdd => "nothing_to_add",
            Self::LeftAlone => "left_alone",
            Self::VolumeTaken => "volume_taken",
            Self::OptedOut => "opted_out",
            Self::NotApplicable => "not_applicable",
            Self::Denied(label) => label,
            Self::Checked => "checked",
            Self::Unreadable => "unreadable",
            Self::DebugUnreadable => "debug_unreadable",
            Self::Unsynced => "unsynced",
            Self::LookupFailed => "lookup_failed",
        }
    }

    /// Whether a pod that must have its identity is refused for this.
    fn refuses(self) -> bool {
        match self {
            Self::Denied(_) | Self::Unreadable | Self::Unsynced | Self::LookupFailed => true,
            Self::Injected
            | Self::NoRole
            | Self::NothingToAdd
            | Self::LeftAlone
            | Self::VolumeTaken
            | Self::DebugUnreadable
            | Self::Checked
            | Self::OptedOut
            | Self::NotApplicable => false,
        }
    }
}

impl Outcome {
    /// The pod stays as it is, and there is nothing to say.
    #[must_use]
    pub fn skip(reason: Reason) -> Self {
        Self::Skip { reason, warnings: Vec::new() }
    }

    /// What the author should know.
    #[must_use]
    pub fn warnings(self) -> Vec<String> {
        match self {
            Self::Patch { warnings, .. } | Self::Skip { warnings, .. } => warnings,
            Self::Refuse { message, .. } => vec![message],
        }
    }

    /// The pod stays as it is, with one warning.
    #[must_use]
    pub fn skip_with(reason: Reason, warning: impl Into<String>) -> Self {
        Self::Skip { reason, warnings: vec![warning.into()] }
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Patch { .. } => Reason::Injected,
            Self::Skip { reason, .. } | Self::Refuse { reason, .. } => *reason,
        }
    }

    /// The word that the log and the metric use.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Patch { .. } => "patched",
            Self::Skip { .. } => "skipped",
            Self::Refuse { .. } => "refused",
        }
    }

    /// The outcome where identity is required: what could not be decided is refused.
    #[must_use]
    pub fn required(self) -> Self {
        match self {
            Self::Skip { reason, warnings } if reason.refuses() => {
                let message = warnings.into_iter().next();
                Self::Refuse {
                    reason,
                    message: message.unwrap_or_else(|| reason.as_str().to_owned()),
                }
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_identity_is_required_only_the_undecided_is_refused() {
        for reason in
            [Reason::Denied("bad_role"), Reason::Unreadable, Reason::Unsynced, Reason::LookupFailed]
        {
            let expected = Outcome::Refuse { reason, message: "why".to_owned() };
            assert_eq!(Outcome::skip_with(reason, "why").required(), expected);
        }
        for reason in [Reason::NoRole, Reason::LeftAlone, Reason::NotApplicable] {
            let outcome = Outcome::skip_with(reason, "why");
            assert_eq!(outcome.clone().required(), outcome);
        }
    }
}
