//! The objects that make API servers call the webhook: read from the ConfigMap that the chart renders,
//! completed, and compared with what the API server has. Pure.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use k8s_openapi::ByteString;
use serde_json::{Map, Value, json};

/// Kinds that the ConfigMap may hold, with their apiVersions. The first is the one that matters: it
/// is written first.
const KINDS: [(Kind, &str, &str); 4] = [
    (Kind::Mutating, "MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1"),
    (Kind::Validating, "ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1"),
    (Kind::Service, "Service", "v1"),
    (Kind::DisruptionBudget, "PodDisruptionBudget", "policy/v1"),
];

/// The annotation with the hash of what the controller applied.
const HASH: &str = "podrole.io/applied";

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Mutating,
    Validating,
    Service,
    DisruptionBudget,
}

/// An object as it must be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Manifest {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) value: Value,
}

/// Why the ConfigMap cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistrationError {
    #[error("{key}: {error}")]
    Yaml { key: String, error: String },
    #[error(
        "{key}: {kind:?} of {version:?} is not expected here; it may be a MutatingWebhookConfiguration, a ValidatingWebhookConfiguration, a Service or a PodDisruptionBudget"
    )]
    Kind { key: String, kind: String, version: String },
    #[error("{0}: the object has no name")]
    Name(String),
    #[error("it has no MutatingWebhookConfiguration whose webhooks have an address")]
    Incomplete,
}

/// The owner of an object: with it, the object is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) api_version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) uid: String,
}

impl Kind {
    /// Whether it makes API servers call the webhook.
    pub(crate) fn is_configuration(self) -> bool {
        matches!(self, Self::Mutating | Self::Validating)
    }

    pub(crate) fn as_str(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, name, _)| name)
    }
}

/// Reads the ConfigMap: each of its keys is one object, as YAML.
///
/// # Errors
/// If a text is not such an object, or if the configuration for pods is missing.
pub(crate) fn read<'a>(
    data: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> Result<Vec<Manifest>, RegistrationError> {
    let mut manifests =
        data.into_iter().map(|(key, text)| manifest(key, text)).collect::<Result<Vec<_>, _>>()?;
    manifests.sort_by_key(|manifest| manifest.kind);
    let complete = manifests.first().is_some_and(|first| first.kind == Kind::Mutating)
        // Without a name no certificate could be issued.
        && !hosts(&manifests).is_empty();
    complete.then_some(manifests).ok_or(RegistrationError::Incomplete)
}

fn manifest(key: &str, text: &str) -> Result<Manifest, RegistrationError> {
    let value: Value = serde_saphyr::from_str(text).map_err(|error| RegistrationError::Yaml {
        key: key.to_owned(),
        error: error.to_string(),
    })?;
    let text = |pointer| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (kind, version) = (text("/kind"), text("/apiVersion"));
    let known = KINDS.iter().find(|known| (known.1, known.2) == (kind, version));
    let Some((kind, ..)) = known else {
        let (kind, version) = (kind.to_owned(), version.to_owned());
        return Err(RegistrationError::Kind { key: key.to_owned(), kind, version });
    };
    let name = text("/metadata/name").to_owned();
    if name.is_empty() {
        return Err(RegistrationError::Name(key.to_owned()));
    }
    Ok(Manifest { kind: *kind, name, value })
}

impl Manifest {
    /// The objects of a webhook, by their names alone, in the order in which they are deleted: the
    /// configurations before the Service that they name.
    pub(crate) fn of_webhook(configurations: &str, webhook: &str) -> [Self; 4] {
        KINDS.map(|(kind, ..)| {
            let name = if kind.is_configuration() { configurations } else { webhook };
            Self { kind, name: name.to_owned(), value: Value::Null }
        })
    }

    /// The webhooks that API servers call.
    fn webhooks(&self) -> impl Iterator<Item = &Value> {
        self.value.get("webhooks").and_then(Value::as_array).into_iter().flatten()
    }

    /// Adds what only the controller knows: whom API servers must trust, and the secret part of each
    /// path.
    pub(crate) fn completed(mut self, bundle_pem: &str, segment: &str) -> Self {
        let bundle = json!(ByteString(bundle_pem.as_bytes().to_vec()));
        let webhooks = self.value.get_mut("webhooks").and_then(Value::as_array_mut);
        for webhook in webhooks.into_iter().flatten() {
            let Some(client) = webhook.get_mut("clientConfig") else { continue };
            client["caBundle"] = bundle.clone();
            if let Some(url) = client.get("url").and_then(Value::as_str) {
                let (host, path) = split(url);
                client["url"] = format!("{host}/{segment}{path}").into();
            } else if let Some(service) = client.get_mut("service") {
                let path = service.get("path").and_then(Value::as_str).unwrap_or_default();
                service["path"] = format!("/{segment}{path}").into();
            }
        }
        self
    }

    /// Adds the owner.
    pub(crate) fn owned_by(mut self, owner: &Owner) -> Self {
        self.value["metadata"]["ownerReferences"] = json!([owner.reference()]);
        self
    }

    /// Adds a hash of the whole. A field that this object no longer has would otherwise not be noticed
    /// in the one of the API server, which may have more, and would stay.
    pub(crate) fn sealed(mut self) -> Self {
        let hash = digest(&SHA256, self.value.to_string().as_bytes());
        let hex = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}"));
        self.value["metadata"]["annotations"][HASH] = hex.collect::<String>().into();
        self
    }

    /// The object to send, in place of the version that was read.
    pub(crate) fn replacing(&self, found: Option<&Value>) -> Value {
        let mut value = self.value.clone();
        if let Some(version) = found.and_then(|found| found.pointer("/metadata/resourceVersion")) {
            value["metadata"]["resourceVersion"] = version.clone();
        }
        value
    }

    /// Whether an object of the API server has all that this one says. It may have more: defaults, and
    /// fields of others.
    pub(crate) fn is_met_by(&self, found: &Value) -> bool {
        covers(found, &self.value)
    }
}

impl Owner {
    /// An entry of `metadata.ownerReferences`.
    pub(crate) fn reference(&self) -> Value {
        let Self { api_version, kind, name, uid } = self;
        json!({"apiVersion": api_version, "kind": kind, "name": name, "uid": uid})
    }
}

/// The hosts that API servers call: the names of the serving certificate.
pub(crate) fn hosts(manifests: &[Manifest]) -> Vec<String> {
    let webhooks = manifests.iter().flat_map(Manifest::webhooks);
    let hosts = webhooks.filter_map(|webhook| host(webhook.get("clientConfig")?));
    hosts.collect::<BTreeSet<_>>().into_iter().collect()
}

fn host(client: &Value) -> Option<String> {
    if let Some(url) = client.get("url").and_then(Value::as_str) {
        let (_, authority) = split(url).0.split_once("://")?;
        return Some(podrole_runtime::host_name::without_port(authority).to_owned());
    }
    let of_service = |field| client.pointer(field).and_then(Value::as_str);
    let (name, namespace) = (of_service("/service/name")?, of_service("/service/namespace")?);
    Some(format!("{name}.{namespace}.svc"))
}

/// A URL's part before its path, and its path.
fn split(url: &str) -> (&str, &str) {
    let host = url.find("://").map_or(0, |at| at + "://".len());
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    url.split_at(end)
}

fn covers(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, wanted)| found.get(key).map_or(is_empty(wanted), |it| covers(it, wanted))),
        (Value::Array(found), Value::Array(wanted)) => match names(wanted) {
            // A list of named entries, which the API server merges by name.
            Some(wanted) if !wanted.is_empty() => names(found).is_some_and(|found| {
                let met = |(name, wanted)| found.get(name).is_some_and(|it| covers(it, wanted));
                wanted.iter().all(met)
            }),
            _ => {
                found.len() == wanted.len()
                    && found.iter().zip(wanted).all(|(found, wanted)| covers(found, wanted))
            }
        },
        _ => found == wanted,
    }
}

/// The API server leaves empty lists and objects out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// The entries by their names, if each has one.
fn names(list: &[Value]) -> Option<Map<String, Value>> {
    let entry = |it: &Value| Some((it.get("name")?.as_str()?.to_owned(), it.clone()));
    list.iter().map(entry).collect()
}

#[cfg(test)]
mod tests;
