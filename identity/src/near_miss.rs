//! Annotations and labels that look as if podrole read them, and that it does not read there: one
//! that is misspelled, on the wrong object, or of a tool that podrole replaces.
//!
//! A pod with such a key starts without a role, or with another one, and without a message.

mod known;
mod place;

use std::{collections::BTreeSet, fmt};

use crate::misspelled::{MOST_KEYS, is_near, is_suspect};
use crate::{
    AnnotationPrefix, CREDENTIALS_LABEL, EKS_SKIP_LABEL, INJECTION_LABEL, SECRET_ANNOTATION_PREFIX,
};
use known::{Known, KnownKey, OTHER_TOOLS};
pub use place::Place;

/// The prefix of podrole's own annotations and labels.
const OURS: &str = "podrole.io/";
/// The value of [`CREDENTIALS_LABEL`] that has an effect.
const CONTAINER: &str = "container";
/// The longest key that is shown whole. A warning has 120 characters.
const LONGEST_KEY: usize = 60;

/// A key that has no effect where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// The key as it is written.
    pub key: String,
    /// Why it has no effect and what to write instead.
    pub advice: String,
}

impl fmt::Display for NearMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.key.chars().take(LONGEST_KEY).collect();
        let dots = if shown.len() < self.key.len() { ".." } else { "" };
        write!(f, "{shown}{dots} {}", self.advice)
    }
}

/// The near misses among an object's annotations and labels. `annotations` are keys; `labels` are keys
/// and values.
pub fn near_misses<'a>(
    place: Place<'_>,
    annotations: impl Iterator<Item = &'a str>,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
    prefix: &AnnotationPrefix,
) -> Vec<NearMiss> {
    let suspect = |key: &&str| is_suspect(key, prefix.as_str());
    let annotations: Vec<&str> = annotations.filter(suspect).take(MOST_KEYS).collect();
    let labels: Vec<_> = labels.filter(|(key, _)| suspect(key)).take(MOST_KEYS).collect();
    // Most pods have no such key, and each pod is looked at.
    if annotations.is_empty() && labels.is_empty() {
        return Vec::new();
    }
    let known = Known::new(prefix);
    let miss = |key: &str, advice: String| NearMiss { key: key.to_owned(), advice };
    let of_annotations =
        annotations.into_iter().filter_map(|key| Some(miss(key, annotation(place, key, &known)?)));
    let of_labels = labels
        .into_iter()
        .filter_map(|(key, value)| Some(miss(key, label(place, key, value, &known)?)));
    let mut seen = BTreeSet::new();
    let all: Vec<_> = of_annotations.chain(of_labels).collect();
    all.into_iter().filter(|miss| seen.insert(miss.to_string())).collect()
}

/// What is wrong with an annotation; `None` if it has an effect or is none of ours.
fn annotation(place: Place<'_>, key: &str, known: &Known<'_>) -> Option<String> {
    if key.starts_with(SECRET_ANNOTATION_PREFIX) {
        let here = known::SECRET.on(place);
        return if here { None } else { misplaced(place, &known::SECRET) };
    }
    if let Some(exact) = known.annotation(key) {
        return if exact.on(place) { None } else { misplaced(place, exact) };
    }
    if key == INJECTION_LABEL || key == EKS_SKIP_LABEL {
        return Some("is a label, not an annotation".to_owned());
    }
    if let Some((_, instead)) = OTHER_TOOLS.iter().find(|(theirs, _)| *theirs == key) {
        let instead = known.annotation(&known.prefixed(instead)).or(known.annotation(instead))?;
        return Some(format!("is not read; use {}", at_home(place, instead)));
    }
    if let Some(near) = known.near(key) {
        return Some(format!("has no effect; use {}", at_home(place, near)));
    }
    let ours = key.starts_with(OURS);
    ours.then(|| "is not a known annotation and has no effect; check its spelling".to_owned())
}

/// Advice for a key that podrole reads elsewhere.
fn misplaced(place: Place<'_>, key: &KnownKey) -> Option<String> {
    Some(match place {
        Place::Pod(service_account) if key.service_account => {
            format!("belongs on ServiceAccount {service_account}; it has no effect here")
        }
        Place::Workload(service_account) if key.pod => {
            format!("belongs in the pod template or on ServiceAccount {service_account}")
        }
        Place::Workload(service_account) if key.service_account => {
            format!("belongs on ServiceAccount {service_account}; it has no effect here")
        }
        Place::Namespace => {
            "belongs on a ServiceAccount; it has no effect on a Namespace".to_owned()
        }
        _ => "belongs on the Namespace; it has no effect here".to_owned(),
    })
}

/// A key, and where to write it if not in the same place.
fn at_home(place: Place<'_>, key: &KnownKey) -> String {
    let name = &key.name;
    match place {
        _ if key.on(place) => name.clone(),
        Place::Pod(service_account) | Place::Workload(service_account) if key.service_account => {
            format!("{name} on ServiceAccount {service_account}")
        }
        _ if key.service_account => format!("{name} on a ServiceAccount"),
        _ => format!("{name} on the Namespace"),
    }
}

/// What is wrong with a label; `None` if it has an effect or is none of ours.
fn label(place: Place<'_>, key: &str, value: &str, known: &Known<'_>) -> Option<String> {
    if key == INJECTION_LABEL {
        return injection(place, value);
    }
    if key == EKS_SKIP_LABEL {
        let of_pods = matches!(place, Place::Pod(_));
        return (!of_pods).then(|| "has no effect here; write it on pods".to_owned());
    }
    if key == CREDENTIALS_LABEL && place == Place::Namespace {
        return (value != CONTAINER).then(|| {
            format!(
                "is \"{}\" and has no effect; only {CONTAINER} has one on a Namespace",
                shown(value)
            )
        });
    }
    if known.annotation(key).is_some() {
        return Some("is an annotation, not a label".to_owned());
    }
    if is_near(key, EKS_SKIP_LABEL) {
        return Some(format!("has no effect; use {EKS_SKIP_LABEL}"));
    }
    let ours = key.starts_with(OURS) || is_near(key, INJECTION_LABEL);
    ours.then(|| format!("is not a known label and has no effect; use {INJECTION_LABEL}"))
}

/// A label's value in a warning.
fn shown(value: &str) -> String {
    value.chars().take(20).collect()
}

/// What is wrong with the value of the label `podrole.io/injection`.
fn injection(place: Place<'_>, value: &str) -> Option<String> {
    let shown = shown(value);
    let known = ["enabled", "required", "disabled"].contains(&value);
    match place {
        Place::Namespace if known => None,
        Place::Namespace => {
            Some(format!("is \"{shown}\" and has no effect; write enabled, required or disabled"))
        }
        Place::Pod(_) if value == "disabled" => None,
        Place::Pod(_) if known => {
            Some(format!("is \"{shown}\" and has no effect on a pod; label its Namespace"))
        }
        Place::Pod(_) => Some(format!("is \"{shown}\" and has no effect; disabled opts a pod out")),
        Place::Workload(_) => Some("has no effect here; write it in the pod template".to_owned()),
        Place::ServiceAccount => {
            Some("has no effect on a ServiceAccount; label its Namespace".to_owned())
        }
    }
}

#[cfg(test)]
mod tests;
