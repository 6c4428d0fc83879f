//! Associations: a ServiceAccount and the role that its pods may become.

use std::collections::{HashMap, hash_map::Entry};

use serde::Deserialize;

use crate::{RoleArn, ServiceAccountRef, SessionName};

/// What stands for one ServiceAccount, with the fields of EKS's own API.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Association {
    /// Whose pods it is for.
    pub service_account: ServiceAccountRef,
    /// The role; without one the entry only chooses the container path.
    pub role: Option<RoleArn>,
    /// The role to go on to from there, often in another account.
    pub target_role: Option<RoleArn>,
    /// Sent on the way to the target role.
    pub external_id: Option<String>,
    /// Leaves the session tags out.
    pub disable_session_tags: bool,
    /// A session policy for the last role.
    pub policy: Option<String>,
    /// The session's life in seconds, 900 to 43200.
    pub duration_seconds: Option<u32>,
    /// A session name of its own.
    pub session_name: Option<SessionName>,
}

/// A file in EKS's format: `{"identities":[{"namespace","serviceAccount", ...}]}`.
///
/// Fields that nobody here knows are let be, as EKS's webhook does, so one file serves both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssociationList {
    associations: HashMap<ServiceAccountRef, Association>,
    /// ServiceAccounts with a second entry, which does not count.
    duplicates: Vec<ServiceAccountRef>,
}

/// Why a list cannot be used. Nothing of a bad list is taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssociationListError {
    /// It is not JSON of the right form.
    #[error("the association list is not what it should be: {0}")]
    Form(#[from] serde_json::Error),
    /// An entry is wrong in itself.
    #[error("identity {index} of the association list: {error}")]
    Entry {
        /// The place in the list, from 0.
        index: usize,
        /// What is wrong there.
        error: String,
    },
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
    #[serde(default)]
    disable_session_tags: bool,
    policy: Option<String>,
    duration_seconds: Option<u32>,
    session_name: Option<String>,
}

impl RawAssociation {
    fn check(self) -> Result<Association, String> {
        let role = |arn: Option<String>, field: &str| {
            let checked = arn.map(|arn| arn.parse::<RoleArn>()).transpose();
            checked.map_err(|error| format!("{field}: {error}"))
        };
        if self.duration_seconds.is_some_and(|seconds| !(900..=43_200).contains(&seconds)) {
            return Err("durationSeconds: 900 to 43200 are allowed".to_owned());
        }
        if self.target_role_arn.is_some() && self.role_arn.is_none() {
            return Err("targetRoleArn: it needs a roleArn to start from".to_owned());
        }
        let session_name = self.session_name.map(|name| name.parse()).transpose();
        Ok(Association {
            service_account: ServiceAccountRef::new(&self.namespace, &self.service_account)
                .map_err(|error| error.to_string())?,
            role: role(self.role_arn, "roleArn")?,
            target_role: role(self.target_role_arn, "targetRoleArn")?,
            external_id: self.external_id,
            disable_session_tags: self.disable_session_tags,
            policy: self.policy,
            duration_seconds: self.duration_seconds,
            session_name: session_name.map_err(|error| format!("sessionName: {error}"))?,
        })
    }
}

impl AssociationList {
    /// Reads a list file's text. An empty file is an empty list, as with EKS's webhook.
    ///
    /// # Errors
    /// When it is not JSON of the right form or an entry is wrong; the error says which.
    pub fn read(text: &str) -> Result<Self, AssociationListError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let raw: RawList = serde_json::from_str(text)?;
        let mut list = Self::default();
        for (index, entry) in raw.identities.into_iter().enumerate() {
            let checked = entry.check();
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

    /// What stands for a ServiceAccount. Of two entries for one, the first counts.
    #[must_use]
    pub fn find(&self, account: &ServiceAccountRef) -> Option<&Association> {
        self.associations.get(account)
    }

    /// ServiceAccounts that have more than one entry: the first counts.
    #[must_use]
    pub fn duplicates(&self) -> &[ServiceAccountRef] {
        &self.duplicates
    }

    /// How many ServiceAccounts it names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.associations.len()
    }

    /// Whether it names none.
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
    fn the_first_of_two_counts() {
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
    fn a_bad_entry_is_named() {
        for (fields, word) in [
            (r#""roleArn":"app""#, "roleArn"),
            (r#""targetRoleArn":"arn:aws:iam::111122223333:role/t""#, "targetRoleArn"),
            (r#""durationSeconds":60"#, "durationSeconds"),
            (r#""sessionName":"a b""#, "sessionName"),
        ] {
            let text =
                format!(r#"{{"identities":[{{"namespace":"s","serviceAccount":"a",{fields}}}]}}"#);
            let told = AssociationList::read(&text).unwrap_err().to_string();
            assert!(told.contains("identity 0") && told.contains(word), "{told}");
        }
        assert!(AssociationList::read("[]").is_err());
        assert!(AssociationList::read("").unwrap().is_empty());
    }
}
