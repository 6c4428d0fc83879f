//! Session policies, and how much room they and the session tags take.

use super::{error::StsError, session_tags::SessionTags};
use crate::policy::IdentityPolicy;

/// Characters of session policies, inline text and ARNs together.
const MOST: usize = 2048;
/// Characters of session tags that fill the packed form alone. EKS's six, with names of common
/// length, have about 280, and were seen to take 74 %.
const TAGS_MOST: usize = 380;

/// What a session may do at most.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionPolicies {
    pub(crate) inline: Option<IdentityPolicy>,
    /// Characters of the inline policy and of the ARNs of managed ones.
    characters: usize,
}

impl SessionPolicies {
    /// A policy and the ARNs of managed ones. Those are counted, and not judged: the sandbox does
    /// not know what stands in them.
    pub(crate) fn new(inline: Option<IdentityPolicy>, arns: &[&str]) -> Result<Self, StsError> {
        let text = inline.as_ref().map_or(0, |policy| policy.text().chars().count());
        let characters = text + arns.iter().map(|arn| arn.chars().count()).sum::<usize>();
        let policies = Self { inline, characters };
        if characters > MOST { Err(StsError::Packed(policies.percent(0))) } else { Ok(policies) }
    }

    /// `PackedPolicySize`: nothing where there is nothing to pack. An approximation, by the number
    /// of characters: AWS packs in a way of its own.
    pub(crate) fn packed_with(&self, tags: &SessionTags) -> Result<Option<usize>, StsError> {
        let characters = tags.characters();
        let percent = self.percent(characters);
        match percent {
            0 => Ok(None),
            1..=100 => Ok(Some(percent)),
            _ => Err(StsError::Packed(percent)),
        }
    }

    fn percent(&self, tags: usize) -> usize {
        (self.characters * 100).div_ceil(MOST) + (tags * 100).div_ceil(TAGS_MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(lengths: &[usize]) -> SessionTags {
        let tags: Vec<(String, String)> = lengths
            .iter()
            .enumerate()
            .map(|(number, length)| (format!("{number:02}"), "x".repeat(length - 2)))
            .collect();
        let tags = tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        SessionTags::read(tags, []).unwrap()
    }

    fn statement(characters: usize) -> IdentityPolicy {
        let text = r#"{"Statement": []}"#;
        IdentityPolicy::read(&format!("{text}{}", " ".repeat(characters - text.len()))).unwrap()
    }

    #[test]
    fn ekss_six_tags_take_three_quarters() {
        let tags = SessionTags::read(
            [
                ("eks-cluster-arn", "arn:aws:eks:eu-west-1:111122223333:cluster/production"),
                ("eks-cluster-name", "production"),
                ("kubernetes-namespace", "payments"),
                ("kubernetes-service-account", "payments-api"),
                ("kubernetes-pod-name", "payments-api-7d9c8b6f5d-x2x7q"),
                ("kubernetes-pod-uid", "6f1c2f0e-7f5f-4b8e-9d55-0a7d1b1c9a51"),
            ],
            [],
        );
        let packed = SessionPolicies::default().packed_with(&tags.unwrap()).unwrap().unwrap();
        assert!((66..=76).contains(&packed), "{packed}");
    }

    #[test]
    fn what_is_over_a_hundred_is_refused() {
        let none = SessionPolicies::default();
        assert_eq!(none.packed_with(&SessionTags::default()).unwrap(), None);
        assert_eq!(none.packed_with(&tags(&[190, 190])).unwrap(), Some(100));
        let error = none.packed_with(&tags(&[190, 191])).unwrap_err();
        assert!(matches!(error, StsError::Packed(101)), "{error}");
        let half = SessionPolicies::new(Some(statement(1024)), &[]).unwrap();
        assert_eq!(half.packed_with(&SessionTags::default()).unwrap(), Some(50));
        assert_eq!(half.packed_with(&tags(&[190])).unwrap(), Some(100));
        let error = half.packed_with(&tags(&[191])).unwrap_err();
        assert!(matches!(error, StsError::Packed(101)), "{error}");
    }

    #[test]
    fn policies_and_arns_have_2048_characters_together() {
        let arn = "a".repeat(48);
        assert!(SessionPolicies::new(Some(statement(2000)), &[&arn]).is_ok());
        let error = SessionPolicies::new(Some(statement(2001)), &[&arn]).unwrap_err();
        assert!(matches!(error, StsError::Packed(101)), "{error}");
    }
}
