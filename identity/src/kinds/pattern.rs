//! `PodIdentityPattern`: one role, or one template of roles, for many ServiceAccounts.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    fields::RoleFields,
    object::{Kind, RawObject, by_age},
    selector::{Globs, LabelSelector, NamespaceSelection},
    template::is_ambiguous,
    unreadable::Unreadable,
};
use crate::{Association, AssociationError, Labels, ServiceAccountRef};

/// All patterns, in the order in which they are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns {
    patterns: Vec<Pattern>,
    over_limit: Vec<String>,
}

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    name: String,
    /// The highest is asked first.
    priority: i32,
    created: Option<Timestamp>,
    selection: Selection,
    fields: Result<RoleFields, Unreadable>,
}

/// A pattern that gives a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternMatch {
    /// The pattern's name.
    pub pattern: String,
    /// The only namespace for which it does; `None` for each that it selects.
    pub namespace: Option<String>,
    /// The only name for which it does; `None` for each that it selects.
    pub service_account: Option<String>,
}

/// Which ServiceAccounts it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Selection {
    Of {
        namespaces: NamespaceSelection,
        names: Option<Globs>,
        labels: Option<LabelSelector>,
    },
    /// It cannot be read, so it may be for any.
    Unreadable,
}

/// What says for which ServiceAccounts a pattern is, and when it is asked.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawSelection {
    namespaces: Option<Globs>,
    namespace_selector: Option<LabelSelector>,
    service_accounts: Option<Globs>,
    service_account_selector: Option<LabelSelector>,
    priority: Option<i32>,
}

/// The names of the fields of [`RawSelection`]; the others are those of the role.
const SELECTION: [&str; 5] =
    ["namespaces", "namespaceSelector", "serviceAccounts", "serviceAccountSelector", "priority"];
/// The schema's default.
const DEFAULT_PRIORITY: i32 = 100;

/// The spec of a pattern as if it selected every ServiceAccount.
pub(crate) fn selecting_all(spec: &Value) -> Value {
    let mut spec: Map<String, Value> = spec.as_object().cloned().unwrap_or_default();
    SELECTION.iter().for_each(|field| drop(spec.remove(*field)));
    spec.insert("namespaces".to_owned(), vec!["*"].into());
    Value::Object(spec)
}

static NONE: Patterns = Patterns { patterns: Vec::new(), over_limit: Vec::new() };

impl Patterns {
    /// No pattern.
    #[must_use]
    pub fn none() -> &'static Self {
        &NONE
    }

    /// Reads all patterns of the cluster. Of more than [`super::object::MAX_SELECTING_OBJECTS`] the newest do
    /// not count.
    #[must_use]
    pub fn read<'a>(objects: impl IntoIterator<Item = RawObject<'a>>) -> Self {
        let (mut patterns, mut over_limit) = (Vec::new(), Vec::new());
        for (object, counts) in by_age(objects) {
            if counts {
                patterns.push(Pattern::read(&object));
            } else {
                over_limit.push(object.name.to_owned());
            }
        }
        // The sort is stable: patterns of one priority stay in the order of their age and name.
        patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.priority));
        Self { patterns, over_limit }
    }

    /// The first pattern for a ServiceAccount.
    pub(crate) fn find(
        &self,
        service_account: &ServiceAccountRef,
        labels: &Labels,
        namespace_labels: &Labels,
    ) -> Option<&Pattern> {
        let is_for = |it: &&Pattern| it.is_for(service_account, labels, namespace_labels);
        self.patterns.iter().find(is_for)
    }

    /// The name of the pattern that decides about a ServiceAccount, if one is for it.
    #[must_use]
    pub fn deciding(
        &self,
        service_account: &ServiceAccountRef,
        labels: &Labels,
        namespace_labels: &Labels,
    ) -> Option<&str> {
        self.find(service_account, labels, namespace_labels).map(Pattern::name)
    }

    /// The patterns that give this role, or pass through it, with the ServiceAccounts for which they do. Whether another
    /// source decides about one of them is another question.
    #[must_use]
    pub fn giving(&self, role: &str) -> Vec<PatternMatch> {
        let matches = self.patterns.iter().filter_map(|pattern| {
            let (namespace, service_account) = pattern.fields.as_ref().ok()?.giving(role)?;
            Some(PatternMatch {
                pattern: pattern.name.clone(),
                namespace: namespace.map(str::to_owned),
                service_account: service_account.map(str::to_owned),
            })
        });
        matches.collect()
    }

    /// When the pattern of this name was created. It may have been changed since.
    #[must_use]
    pub fn created(&self, name: &str) -> Option<Timestamp> {
        self.patterns.iter().find(|pattern| pattern.name == name)?.created
    }

    /// Whether one of them is for the ServiceAccount.
    #[must_use]
    pub fn select(
        &self,
        service_account: &ServiceAccountRef,
        labels: &Labels,
        namespace_labels: &Labels,
    ) -> bool {
        self.find(service_account, labels, namespace_labels).is_some()
    }

    /// The labels of ServiceAccounts that decide.
    #[must_use]
    pub fn label_keys(&self) -> BTreeSet<String> {
        let selectors = self.patterns.iter().filter_map(|pattern| match &pattern.selection {
            Selection::Of { labels, .. } => labels.as_ref(),
            Selection::Unreadable => None,
        });
        selectors.flat_map(LabelSelector::keys).collect()
    }

    /// The names of the patterns that do not count because there are too many.
    #[must_use]
    pub fn over_limit(&self) -> &[String] {
        &self.over_limit
    }

    /// The patterns that cannot be read.
    pub fn unreadable(&self) -> impl Iterator<Item = &Unreadable> {
        self.patterns.iter().filter_map(|pattern| pattern.fields.as_ref().err())
    }

    /// How many count.
    #[must_use]
    pub fn len(&self) -> usize {
        self.patterns.len()
    }

    /// Whether none counts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }
}

impl Pattern {
    fn read(object: &RawObject<'_>) -> Self {
        let unreadable =
            |error: &dyn std::fmt::Display| Unreadable::new(Kind::Pattern, object.name, error);
        let spec: Map<String, Value> = object.spec.as_object().cloned().unwrap_or_default();
        let (of_selection, of_role): (Map<_, _>, Map<_, _>) =
            spec.into_iter().partition(|(key, _)| SELECTION.contains(&key.as_str()));
        let raw: Result<RawSelection, _> = serde_json::from_value(Value::Object(of_selection));
        let mut fields: Result<RoleFields, Unreadable> =
            serde_json::from_value(Value::Object(of_role)).map_err(|error| unreadable(&error));
        if let Ok(known) = &fields
            && known.templates().any(is_ambiguous)
        {
            fields =
                Err(unreadable(&"two ServiceAccounts could get one text from its placeholders"));
        }
        let raw = match raw {
            Ok(raw) => raw,
            Err(error) => {
                fields = Err(unreadable(&error));
                RawSelection::default()
            }
        };
        let globs = raw.namespaces;
        let namespaces = NamespaceSelection { globs, selector: raw.namespace_selector };
        let selection = if namespaces.is_empty() {
            fields = fields.and_then(|_| Err(unreadable(&"it selects no namespaces")));
            Selection::Unreadable
        } else {
            let (names, labels) = (raw.service_accounts, raw.service_account_selector);
            Selection::Of { namespaces, names, labels }
        };
        Self {
            name: object.name.to_owned(),
            priority: raw.priority.unwrap_or(DEFAULT_PRIORITY),
            created: object.created,
            selection,
            fields,
        }
    }

    /// The pattern's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn is_for(
        &self,
        service_account: &ServiceAccountRef,
        own: &Labels,
        namespace_labels: &Labels,
    ) -> bool {
        let Selection::Of { namespaces, names, labels } = &self.selection else {
            return true;
        };
        namespaces.matches(service_account.namespace(), namespace_labels)
            && names.as_ref().is_none_or(|names| names.match_name(service_account.name()))
            && labels.as_ref().is_none_or(|labels| labels.matches(own))
    }

    /// The association that it is for a ServiceAccount.
    ///
    /// # Errors
    /// The first if the pattern cannot be read, the second if what its placeholders expand to cannot
    /// be used.
    pub(crate) fn association(
        &self,
        service_account: &ServiceAccountRef,
    ) -> Result<Result<Association, AssociationError>, &Unreadable> {
        let fields = self.fields.as_ref()?;
        Ok(fields.expanded(service_account).check(service_account))
    }
}
