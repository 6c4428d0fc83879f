//! An association that the API server accepts and every agent reads.

use std::collections::BTreeMap;

use podrole_identity::{Association, EKS_ASSOCIATION_ANNOTATIONS, MAX_CHAINED_SESSION_SECONDS};
use serde_json::Value;

use super::{
    entry::Entry,
    place::{InputError, Place},
};

/// An association that may be printed and applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    pub(super) place: Place,
    pub(super) association: Association,
    pub(super) annotations: BTreeMap<&'static str, String>,
    /// What the object does not express, one line each.
    pub(super) comments: Vec<String>,
}

impl Checked {
    /// Checks an entry by the code that reads the object in production, and by the schema's rules.
    ///
    /// # Errors
    /// All rules that it breaks.
    pub(super) fn of(mut entry: Entry) -> Result<Self, Vec<InputError>> {
        let spec = entry.spec.as_object_mut();
        let mut comments = std::mem::take(&mut entry.comments);
        if let Some(spec) = spec {
            spec.retain(|_, value| !value.is_null());
            spec.insert("namespace".into(), entry.service_account.namespace().into());
            spec.insert("serviceAccount".into(), entry.service_account.name().into());
            let has_target = spec.contains_key("targetRoleARN");
            let seconds = spec.get("durationSeconds").and_then(Value::as_u64);
            let longest = MAX_CHAINED_SESSION_SECONDS;
            if let Some(seconds) = seconds.filter(|it| has_target && *it > u64::from(longest)) {
                spec.insert("durationSeconds".into(), longest.into());
                let why = "AWS limits role chaining to one hour";
                comments.push(format!("durationSeconds was {seconds}, and is {longest}: {why}"));
            }
            if let Some(id) = spec.get("externalID").filter(|_| !has_target) {
                comments.push(format!("not imported: external ID {id}: there is no target role"));
                spec.remove("externalID");
            }
        }
        let name = Association::object_name(&entry.service_account);
        let of = &entry.service_account;
        let association = Association::read_object(&name, &entry.spec).map_err(|error| {
            vec![InputError::new(&entry.place, format!("{of}: {}", error.error))]
        })?;
        let annotations = EKS_ASSOCIATION_ANNOTATIONS.into_iter().zip(entry.eks_names);
        let annotations = annotations.filter_map(|(key, value)| Some((key, value?))).collect();
        Self { place: entry.place, association, annotations, comments }.valid()
    }

    /// The same, if the schema accepts it.
    ///
    /// # Errors
    /// All rules of the schema that it breaks.
    pub(super) fn valid(self) -> Result<Self, Vec<InputError>> {
        let of = &self.association.service_account;
        let errors = self.association.schema_errors().into_iter();
        let errors: Vec<_> =
            errors.map(|error| InputError::new(&self.place, format!("{of}: {error}"))).collect();
        if errors.is_empty() { Ok(self) } else { Err(errors) }
    }
}
