//! Which namespaces and ServiceAccounts an object selects, by globs and label selectors.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::{Labels, glob};

/// Names in which `*` is any run of characters; there is no other sign.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Globs(Vec<String>);

impl Globs {
    /// Whether one of them matches the whole name. Names have no `:` and globs no `?`, which are the
    /// only other signs of ARN patterns.
    pub(super) fn match_name(&self, name: &str) -> bool {
        self.0.iter().any(|glob| glob::matches(glob.as_bytes(), name.as_bytes()))
    }
}

/// Kubernetes' LabelSelector. An empty one matches every object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct LabelSelector {
    match_labels: BTreeMap<String, String>,
    match_expressions: Vec<Expression>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expression {
    key: String,
    operator: Operator,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl LabelSelector {
    /// Whether an object with these labels meets every requirement.
    pub(super) fn matches(&self, labels: &Labels) -> bool {
        let equal = self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value));
        equal && self.match_expressions.iter().all(|expression| expression.is_met(labels))
    }

    /// The keys of the labels that decide.
    pub(super) fn keys(&self) -> BTreeSet<String> {
        let expressions = self.match_expressions.iter().map(|expression| &expression.key);
        self.match_labels.keys().chain(expressions).cloned().collect()
    }
}

impl Expression {
    /// As in Kubernetes, `NotIn` is also met without the label.
    fn is_met(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        match self.operator {
            Operator::In => value.is_some_and(|value| self.values.contains(value)),
            Operator::NotIn => value.is_none_or(|value| !self.values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

/// The namespaces of a pattern or guard-rail: both parts must match, as far as they are set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamespaceSelection {
    pub(super) globs: Option<Globs>,
    pub(super) selector: Option<LabelSelector>,
}

impl NamespaceSelection {
    pub(super) fn matches(&self, name: &str, labels: &Labels) -> bool {
        let named = self.globs.as_ref().is_none_or(|globs| globs.match_name(name));
        named && self.selector.as_ref().is_none_or(|selector| selector.matches(labels))
    }

    /// An object without either selects nothing, which the schema refuses.
    pub(super) fn is_empty(&self) -> bool {
        self.globs.is_none() && self.selector.is_none()
    }
}
