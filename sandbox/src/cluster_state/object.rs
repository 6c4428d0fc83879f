//! The JSON of the Secret and the ConfigMap.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use podrole_identity::ServiceAccountRef;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::token::Token;

/// Which of the two objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Secret,
    ConfigMap,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        }
    }

    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::ConfigMap => "configmaps",
        }
    }

    /// The key of the one entry that the sandbox has in it.
    fn key(self) -> &'static str {
        match self {
            Self::Secret => "session-key",
            Self::ConfigMap => "roles.json",
        }
    }
}

/// The ServiceAccount that the sandbox runs as.
#[derive(Debug)]
pub(super) struct Owner {
    service_account: ServiceAccountRef,
    uid: Option<String>,
}

impl Owner {
    /// Reads it from the sandbox's own token. The signature does not matter: the kubelet put the token there.
    pub(super) fn of(token: &str) -> Option<Self> {
        let claims = Token::parse(token).ok()?.claims;
        let uid =
            claims.kubernetes.as_ref().and_then(|own| own.pointer("/serviceaccount/uid")?.as_str());
        let service_account = ServiceAccountRef::from_subject(&claims.sub).ok()?;
        Some(Self { service_account, uid: uid.map(str::to_owned) })
    }

    pub(super) fn namespace(&self) -> &str {
        self.service_account.namespace()
    }
}

/// An object that was read.
#[derive(Debug)]
pub(super) struct Object {
    version: String,
    content: Option<String>,
}

#[derive(Deserialize)]
struct ObjectFile {
    metadata: Metadata,
    #[serde(default)]
    data: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    resource_version: String,
}

impl Object {
    pub(super) fn read(kind: Kind, json: &[u8]) -> Option<Self> {
        let file: ObjectFile = serde_json::from_slice(json).ok()?;
        let content = file.data.unwrap_or_default().remove(kind.key());
        let content = match kind {
            Kind::ConfigMap => content,
            // What is not text is not a key either: an empty one is rejected.
            Kind::Secret => content.map(|text| {
                let bytes = STANDARD.decode(text).unwrap_or_default();
                String::from_utf8(bytes).unwrap_or_default()
            }),
        };
        Some(Self { version: file.metadata.resource_version, content })
    }

    pub(super) fn content(&self) -> Option<String> {
        self.content.clone()
    }
}

/// A server-side apply that creates the object.
pub(super) fn applied(kind: Kind, name: &str, owner: &Owner, content: &str) -> Value {
    let content = match kind {
        Kind::Secret => STANDARD.encode(content),
        Kind::ConfigMap => content.to_owned(),
    };
    let mut metadata = json!({
        "name": name,
        "namespace": owner.namespace(),
        "labels": {"app.kubernetes.io/name": "podrole", "app.kubernetes.io/component": "sandbox"},
    });
    if let Some(uid) = &owner.uid {
        let (version, kind) = ("v1", "ServiceAccount");
        let name = owner.service_account.name();
        metadata["ownerReferences"] =
            json!([{"apiVersion": version, "kind": kind, "name": name, "uid": uid}]);
    }
    json!({
        "apiVersion": "v1",
        "kind": kind.name(),
        "metadata": metadata,
        "data": {kind.key(): content},
    })
}

/// A merge patch that fails if the object was changed since it was read.
pub(super) fn replaced(object: &Object, content: &str) -> Value {
    json!({
        "metadata": {"resourceVersion": object.version},
        "data": {Kind::ConfigMap.key(): content},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Issuer;

    fn owner() -> Owner {
        let issuer = Issuer::generate("https://oidc.example").unwrap();
        let claims = json!({"iss": "https://oidc.example", "sub": "system:serviceaccount:podrole:sandbox",
            "aud": ["https://oidc.example"], "iat": 1, "exp": 2,
            "kubernetes.io": {"namespace": "podrole", "serviceaccount": {"name": "sandbox", "uid": "u1"}}});
        let token = issuer.sign(&json!({"alg": "RS256", "kid": issuer.kid()}), &claims).unwrap();
        Owner::of(&token).unwrap()
    }

    #[test]
    fn what_is_applied_is_read_again_and_owned_by_the_sandbox() {
        for (kind, content) in [(Kind::Secret, "c2VjcmV0"), (Kind::ConfigMap, "[]")] {
            let mut object = applied(kind, "state", &owner(), content);
            let wanted = json!([{"apiVersion": "v1", "kind": "ServiceAccount", "name": "sandbox", "uid": "u1"}]);
            assert_eq!(object["metadata"]["ownerReferences"], wanted);
            assert_eq!(object["metadata"]["namespace"], "podrole");
            object["metadata"]["resourceVersion"] = json!("7");
            let read = Object::read(kind, object.to_string().as_bytes()).unwrap();
            assert_eq!(read.content().as_deref(), Some(content));
            assert_eq!(replaced(&read, "x")["metadata"]["resourceVersion"], "7");
        }
        assert!(Owner::of("no token").is_none());
    }

    #[test]
    fn an_object_without_its_entry_has_no_content() {
        let bare = json!({"metadata": {"resourceVersion": "1"}}).to_string();
        assert_eq!(Object::read(Kind::Secret, bare.as_bytes()).unwrap().content(), None);
        let other = json!({"metadata": {"resourceVersion": "1"}, "data": {"session-key": "%"}});
        let other = Object::read(Kind::Secret, other.to_string().as_bytes()).unwrap();
        assert_eq!(other.content().as_deref(), Some(""));
        assert!(Object::read(Kind::ConfigMap, b"[]").is_none());
    }
}
