//! Why a pod was missed, as far as times show it. Pure.

use jiff::Timestamp;

/// Why a pod lacks its credential provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MissedReason {
    /// What names its role is newer than the pod.
    IdentityCameLater,
    /// Its namespace asked for injection after the pod was created.
    OlderThanLabel,
    /// Everything was there before the pod, so the webhook was not called.
    WebhookWasAway,
}

/// The times that show the reason. `None` is a time that is not known.
///
/// Kubernetes dates the last change that a writer made to its fields of an object, not the change of one field. So what
/// is older than the pod was there before it, but what is newer may have been there too, and was changed later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MissedTimes {
    /// When the pod was created.
    pub pod: Option<Timestamp>,
    /// When what names the role was last changed.
    pub identity: Option<Timestamp>,
    /// When the label by which the namespace asks for the provider was last changed.
    pub label: Option<Timestamp>,
}

impl MissedReason {
    /// All reasons.
    pub const ALL: [Self; 3] =
        [Self::IdentityCameLater, Self::OlderThanLabel, Self::WebhookWasAway];

    /// The reason that these times show; `None` if one is not known that could show another. It is a hint, because the
    /// times are upper bounds.
    #[must_use]
    pub fn of(times: MissedTimes) -> Option<Self> {
        let MissedTimes { pod, identity, label } = times;
        let pod = pod?;
        // Times have whole seconds: what is as old as the pod counts as older.
        let is_newer = |time: Option<Timestamp>| time.map(|time| time > pod);
        match (is_newer(identity), is_newer(label)) {
            (Some(true), _) => Some(Self::IdentityCameLater),
            (_, Some(true)) => Some(Self::OlderThanLabel),
            (Some(false), Some(false)) => Some(Self::WebhookWasAway),
            _ => None,
        }
    }

    /// The value in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IdentityCameLater => "identity_came_later",
            Self::OlderThanLabel => "older_than_label",
            Self::WebhookWasAway => "webhook_was_away",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_that_is_newer_than_the_pod_is_the_reason() {
        use MissedReason::{IdentityCameLater, OlderThanLabel, WebhookWasAway};
        let (before, after) = (Some(-1), Some(1));
        for (identity, label, reason) in [
            (before, before, Some(WebhookWasAway)),
            (Some(0), Some(0), Some(WebhookWasAway)),
            (after, before, Some(IdentityCameLater)),
            (after, after, Some(IdentityCameLater)),
            (after, None, Some(IdentityCameLater)),
            (before, after, Some(OlderThanLabel)),
            (None, after, Some(OlderThanLabel)),
            (None, before, None),
            (before, None, None),
            (None, None, None),
        ] {
            let at = |second: Option<i64>| second.and_then(|it| Timestamp::from_second(it).ok());
            let times = MissedTimes { pod: at(Some(0)), identity: at(identity), label: at(label) };
            assert_eq!(MissedReason::of(times), reason, "{identity:?} {label:?}");
            let times = MissedTimes { pod: None, ..times };
            assert_eq!(MissedReason::of(times), None, "the pod's age is not known");
        }
    }

    #[test]
    fn each_reason_has_a_name_of_its_own() {
        let names = MissedReason::ALL.map(MissedReason::as_str);
        assert_eq!(names, ["identity_came_later", "older_than_label", "webhook_was_away"]);
    }
}
