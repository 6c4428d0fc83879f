//! The result of a review, with its reason.

use json_patch::PatchOperation;

/// The result of a review. Each has a reason, which is the same in the log, the metric and the audit
/// annotation.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The pod is admitted with a patch.
    Patch {
        /// RFC 6902 operations; never empty.
        operations: Vec<PatchOperation>,
        /// Warnings for the pod's author.
        warnings: Vec<String>,
    },
    /// The pod is admitted unchanged.
    Skip {
        /// Why.
        reason: Reason,
        /// Warnings for the pod's author.
        warnings: Vec<String>,
    },
    /// The pod is rejected.
    Refuse {
        /// Why.
        reason: Reason,
        /// The reason for the pod's author, with how to fix it.
        message: String,
    },
}

/// Why a pod was patched, skipped or rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Its credential provider was injected.
    Injected,
    /// Its ServiceAccount has no role or does not exist.
    NoRole,
    /// It has everything already, or its annotations exclude every container.
    NothingToAdd,
    /// Its containers have credentials of their own.
    LeftAlone,
    /// It has another volume with the name of the token's.
    VolumeTaken,
    /// Its label opts out.
    OptedOut,
    /// The review is not about the creation of a pod.
    NotApplicable,
    /// A source names a role that cannot be used; the value is the denial's label.
    Denied(&'static str),
    /// Not a pod: its author got the warnings, if any.
    Checked,
    /// The review or its pod cannot be parsed.
    Unreadable,
    /// The pod of a review of ephemeral containers cannot be parsed.
    DebugUnreadable,
    /// ServiceAccounts or associations are not loaded yet.
    Unsynced,
    /// Its ServiceAccount could not be looked up.
    LookupFailed,
}

impl Reason {
    /// The name in the log, the metric and the audit annotation.
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

    /// Whether a pod is rejected for this in a namespace that requires injection.
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
    /// Admits the pod unchanged, without a warning.
    #[must_use]
    pub fn skip(reason: Reason) -> Self {
        Self::Skip { reason, warnings: Vec::new() }
    }

    /// The warnings for the author.
    #[must_use]
    pub fn warnings(self) -> Vec<String> {
        match self {
            Self::Patch { warnings, .. } | Self::Skip { warnings, .. } => warnings,
            Self::Refuse { message, .. } => vec![message],
        }
    }

    /// Admits the pod unchanged, with one warning.
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

    /// The name in the log and the metric.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Patch { .. } => "patched",
            Self::Skip { .. } => "skipped",
            Self::Refuse { .. } => "refused",
        }
    }

    /// The same with one more warning, in front of the others.
    #[must_use]
    pub(crate) fn warn_first(mut self, warning: String) -> Self {
        if let Some(warnings) = self.extensible_warnings() {
            warnings.insert(0, warning);
        }
        self
    }

    /// The same with more warnings, behind the others.
    #[must_use]
    pub(crate) fn warn_last(mut self, more: Vec<String>) -> Self {
        if let Some(warnings) = self.extensible_warnings() {
            warnings.extend(more);
        }
        self
    }

    /// The warnings, if more can be added. A pod that has everything already had them on its first
    /// pass; a rejected one has only its message.
    fn extensible_warnings(&mut self) -> Option<&mut Vec<String>> {
        match self {
            Self::Skip { reason: Reason::NothingToAdd, .. } | Self::Refuse { .. } => None,
            Self::Patch { warnings, .. } | Self::Skip { warnings, .. } => Some(warnings),
        }
    }

    /// The outcome in a namespace that requires injection: a pod that could not be decided is rejected.
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
    fn only_undecided_pods_are_rejected_where_injection_is_required() {
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
