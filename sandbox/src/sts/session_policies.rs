//! Session policies, and the packed size of policies and session tags.

use super::{error::StsError, session_tags::SessionTags};
use crate::policy::IdentityPolicy;

/// Maximum characters of session policies: the inline text and the ARNs.
const MAX_POLICIES: usize = 2048;
/// Characters of session tags that fill the packed form. Measured: EKS's six tags, with names of common
/// length, have about 280 characters and take 74 %.
const MAX_TAGS: usize = 380;

/// The session policies of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionPolicies {
    pub(crate) inline: Option<IdentityPolicy>,
    /// Characters of the inline policy and the ARNs of managed ones.
    characters: usize,
}

impl SessionPolicies {
    /// An inline policy and the ARNs of managed ones, which are only counted: the sandbox does not know their
    /// documents.
    pub(crate) fn new(inline: Option<IdentityPolicy>, arns: &[&str]) -> Result<Self, StsError> {
        let text = inline.as_ref().map_or(0, |policy| policy.text().chars().count());
        let characters = text + arns.iter().map(|arn| arn.chars().count()).sum::<usize>();
        let policies = Self { inline, characters };
        if characters > MAX_POLICIES {
            Err(StsError::Packed(policies.percent(0)))
        } else {
            Ok(policies)
        }
    }

    /// `PackedPolicySize` in percent. `None` if there is nothing to pack. This is an approximation by the number
    /// of characters, because AWS does not document its packing.
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
        (self.characters * 100).div_ceil(MAX_POLICIES) + (tags * 100).div_ceil(MAX_TAGS)
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
    fn ekss_six_tags_take_about_three_quarters() {
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
    fn more_than_100_percent_is_an_error() {
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
