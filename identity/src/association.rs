//! Associations between ServiceAccounts and roles.

use std::collections::{HashMap, hash_map::Entry};

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    ArnError, MAX_SESSION_SECONDS, MIN_SESSION_SECONDS, RoleArn, ServiceAccountError,
    ServiceAccountRef, SessionNameTemplate, SessionNameTemplateError,
};

/// The role of one ServiceAccount, with the fields of EKS's API.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Association {
    /// The ServiceAccount.
    pub service_account: ServiceAccountRef,
    /// The role. Without one, the entry only selects the provider `container`.
    pub role: Option<RoleArn>,
    /// The role to assume with the first one's credentials, often in another AWS account.
    pub target_role: Option<RoleArn>,
    /// The external ID to assume the target role with.
    pub external_id: Option<String>,
    /// Whether the session has no tags.
    pub disable_session_tags: bool,
    /// A session policy for the last role.
    pub policy: Option<String>,
    /// The session's duration in seconds, 900 to 43200.
    pub duration_seconds: Option<u32>,
    /// The session name, if the association sets one. What it expands to is cut to 64 characters.
    pub session_name: Option<SessionNameTemplate>,
    /// Whether session tags name the pod; `None` leaves it to the exchange. Without them, pods of a
    /// ServiceAccount share a session on each node.
    pub pod_tags: Option<bool>,
    /// Sessions that were obtained before this time are not served.
    pub not_before: Option<Timestamp>,
}

impl Association {
    /// The role that pods get: the last one of the chain.
    #[must_use]
    pub fn last_role(&self) -> Option<&RoleArn> {
        self.target_role.as_ref().or(self.role.as_ref())
    }
}

/// A file in EKS's format: `{"identities":[{"namespace","serviceAccount", ...}]}`.
///
/// Unknown fields are ignored, as in EKS's webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssociationList {
    associations: HashMap<ServiceAccountRef, Association>,
    /// ServiceAccounts with another entry, which is ignored.
    duplicates: Vec<ServiceAccountRef>,
}

/// Why a list cannot be used. One bad entry makes the whole list unusable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssociationListError {
    /// It is not JSON of the right form.
    #[error(
        "the association list is not JSON of the form {{\"identities\":[{{\"namespace\":...,\
         \"serviceAccount\":...}}]}} (line {line}, column {column})"
    )]
    Form {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// An entry is not valid.
    #[error("identity {index} of the association list: {error}")]
    Entry {
        /// The entry's index in the list, from 0.
        index: usize,
        /// What is wrong with it.
        error: AssociationError,
    },
}

/// Why an entry of a list is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssociationError {
    /// Namespace or name is not valid.
    #[error(transparent)]
    ServiceAccount(#[from] ServiceAccountError),
    /// A role is not the ARN of one.
    #[error("{field}: {error}")]
    Role {
        /// The field: `roleArn` or `targetRoleArn`.
        field: &'static str,
        /// What is wrong with the ARN.
        error: ArnError,
    },
    /// The duration is out of bounds.
    #[error("durationSeconds: set a number from 900 to 43200")]
    Duration,
    /// A field for the role, and no role.
    #[error("{0}: set roleArn too; without it an entry only selects the provider")]
    NoRole(&'static str),
    /// The external ID is not one that STS accepts.
    #[error("{0}: it has 2 to 1224 characters of A-Z a-z 0-9 _ + = , . @ : / -")]
    ExternalId(
        /// The field: `externalId` of a list, `externalID` of an object.
        &'static str,
    ),
    /// The session name is not valid.
    #[error("sessionName: {0}")]
    SessionName(#[from] SessionNameTemplateError),
}

#[derive(Deserialize)]
struct RawList {
    identities: Vec<RawAssociation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAssociation {
    namespace: String,
    service_account: String,
    role_arn: Option<String>,
    target_role_arn: Option<String>,
    external_id: Option<String>,
    disable_session_tags: Option<bool>,
    policy: Option<String>,
    duration_seconds: Option<u32>,
    session_name: Option<String>,
}

impl RawAssociation {
    /// Go and templates write an unset text as an empty one. A policy is the exception: an empty
    /// one is not "no policy", which would widen the session.
    fn without_empty_texts(self) -> Self {
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        Self {
            role_arn: text(self.role_arn),
            target_role_arn: text(self.target_role_arn),
            external_id: text(self.external_id),
            session_name: text(self.session_name),
            ..self
        }
    }

    /// The first field that says something about a role.
    fn role_field(&self) -> Option<&'static str> {
        [
            ("targetRoleArn", self.target_role_arn.is_some()),
            ("externalId", self.external_id.is_some()),
            ("disableSessionTags", self.disable_session_tags == Some(true)),
            ("policy", self.policy.is_some()),
            ("durationSeconds", self.duration_seconds.is_some()),
            ("sessionName", self.session_name.is_some()),
        ]
        .into_iter()
        .find_map(|(field, is_set)| is_set.then_some(field))
    }

    fn check(self) -> Result<Association, AssociationError> {
        let role = |arn: Option<String>, field| {
            let checked = arn.map(|arn| arn.parse::<RoleArn>()).transpose();
            checked.map_err(|error| AssociationError::Role { field, error })
        };
        let allowed = MIN_SESSION_SECONDS..=MAX_SESSION_SECONDS;
        if self.duration_seconds.is_some_and(|seconds| !allowed.contains(&seconds)) {
            return Err(AssociationError::Duration);
        }
        if let Some(field) = self.role_field().filter(|_| self.role_arn.is_none()) {
            return Err(AssociationError::NoRole(field));
        }
        if !self.external_id.as_deref().is_none_or(is_external_id) {
            return Err(AssociationError::ExternalId("externalId"));
        }
        let session_name = self.session_name.as_deref();
        let session_name = session_name.map(SessionNameTemplate::read_legal).transpose();
        Ok(Association {
            service_account: ServiceAccountRef::new(&self.namespace, &self.service_account)?,
            role: role(self.role_arn, "roleArn")?,
            target_role: role(self.target_role_arn, "targetRoleArn")?,
            external_id: self.external_id,
            disable_session_tags: self.disable_session_tags.unwrap_or_default(),
            policy: self.policy,
            duration_seconds: self.duration_seconds,
            session_name: session_name?,
            pod_tags: None,
            not_before: None,
        })
    }
}

/// Source: the pattern and the bounds of STS's ExternalId.
pub(crate) fn is_external_id(text: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte);
    (2..=1224).contains(&text.len()) && text.bytes().all(is_legal)
}

impl AssociationList {
    /// Parses a list. An empty text is an empty list, as in EKS's webhook.
    ///
    /// # Errors
    /// If it is not JSON of this form, or an entry is not valid.
    pub fn read(text: &str) -> Result<Self, AssociationListError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        // The parser's own text quotes values, and the file may be another one, with secrets.
        let raw: RawList = serde_json::from_str(text).map_err(|error| {
            AssociationListError::Form { line: error.line(), column: error.column() }
        })?;
        let mut list = Self::default();
        for (index, entry) in raw.identities.into_iter().enumerate() {
            let checked = entry.without_empty_texts().check();
            let checked = checked.map_err(|error| AssociationListError::Entry { index, error })?;
            match list.associations.entry(checked.service_account.clone()) {
                Entry::Vacant(vacant) => {
                    vacant.insert(checked);
                }
                Entry::Occupied(_) => list.duplicates.push(checked.service_account),
            }
        }
        Ok(list)
    }

    /// The entry of a ServiceAccount; the first one if there are several.
    #[must_use]
    pub fn find(&self, service_account: &ServiceAccountRef) -> Option<&Association> {
        self.associations.get(service_account)
    }

    /// ServiceAccounts with more than one entry, of which the first is used.
    #[must_use]
    pub fn duplicates(&self) -> &[ServiceAccountRef] {
        &self.duplicates
    }

    /// The number of ServiceAccounts in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.associations.len()
    }

    /// Whether it has no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.associations.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(text: &str) -> ServiceAccountRef {
        text.parse().unwrap()
    }

    #[test]
    fn ekss_own_list_is_read() {
        let list = AssociationList::read(
            r#"{"identities":[{"namespace":"shop","serviceAccount":"app","new":1}],"more":2}"#,
        )
        .unwrap();
        let found = list.find(&account("shop/app")).unwrap();
        assert_eq!(found.role, None);
        assert!(list.find(&account("shop/other")).is_none());
        assert_eq!(list.len(), 1);
    }

    #[test]
    fn pods_get_the_last_role_of_a_chain() {
        let role = |name: &str| format!("arn:aws:iam::111122223333:role/{name}");
        let entry = |name: &str, roles: &str| {
            format!(r#"{{"namespace":"shop","serviceAccount":"{name}"{roles}}}"#)
        };
        let one = entry("one", &format!(r#","roleArn":"{}""#, role("a")));
        let two = format!(r#","roleArn":"{}","targetRoleArn":"{}""#, role("a"), role("b"));
        let entries = [one, entry("two", &two), entry("none", "")].join(",");
        let list = AssociationList::read(&format!(r#"{{"identities":[{entries}]}}"#)).unwrap();
        let last = |name: &str| list.find(&account(name)).unwrap().last_role().map(RoleArn::as_str);
        assert_eq!(last("shop/one"), Some(role("a").as_str()));
        assert_eq!(last("shop/two"), Some(role("b").as_str()));
        assert_eq!(last("shop/none"), None);
    }

    #[test]
    fn an_empty_text_is_an_absent_one() {
        let text = r#"{"identities":[{"namespace":"shop","serviceAccount":"app","roleArn":"",
            "targetRoleArn":"","externalId":"","sessionName":"","disableSessionTags":null}]}"#;
        let list = AssociationList::read(text).unwrap();
        let entry = list.find(&account("shop/app")).unwrap();
        assert_eq!((&entry.role, &entry.target_role, &entry.external_id), (&None, &None, &None));
    }

    #[test]
    fn the_first_of_two_entries_is_used() {
        let entry = |role: &str| {
            format!(
                r#"{{"namespace":"shop","serviceAccount":"app","roleArn":"arn:aws:iam::111122223333:role/{role}"}}"#
            )
        };
        let text = format!(r#"{{"identities":[{},{}]}}"#, entry("one"), entry("two"));
        let list = AssociationList::read(&text).unwrap();
        let role =
            list.find(&account("shop/app")).unwrap().role.as_ref().unwrap().name().to_owned();
        assert_eq!(role, "one");
        assert_eq!(list.duplicates(), [account("shop/app")]);
    }

    #[test]
    fn an_error_names_the_entry_and_the_field() {
        for (fields, word) in [
            (r#""roleArn":"app""#, "roleArn"),
            (r#""targetRoleArn":"arn:aws:iam::111122223333:role/t""#, "targetRoleArn"),
            (r#""durationSeconds":60"#, "durationSeconds"),
            (r#""durationSeconds":900"#, "durationSeconds: set roleArn"),
            (r#""policy":"{}""#, "policy: set roleArn"),
            (r#""disableSessionTags":true"#, "disableSessionTags: set roleArn"),
            (r#""roleArn":"arn:aws:iam::111122223333:role/t","externalId":"a b""#, "externalId"),
            (r#""sessionName":"a b""#, "sessionName"),
        ] {
            let text =
                format!(r#"{{"identities":[{{"namespace":"s","serviceAccount":"a",{fields}}}]}}"#);
            let error = AssociationList::read(&text).unwrap_err().to_string();
            assert!(error.contains("identity 0") && error.contains(word), "{error}");
        }
        assert!(AssociationList::read("[]").is_err());
        let secret = AssociationList::read(r#""hunter2""#).unwrap_err().to_string();
        assert!(!secret.contains("hunter2") && secret.contains("line 1"), "{secret}");
        assert!(AssociationList::read("").unwrap().is_empty());
    }
}
