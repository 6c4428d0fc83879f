//! The manifests of the stores, and of what asks them.

use serde_json::{Value, json};

use super::stores::{Asks, Auth, KEY, NAMESPACE, PUSHED, ROWS, Row, Service};

const GENERATORS: &str = "generators.external-secrets.io/v1alpha1";

/// All of them in one list, with the Secrets that they need.
pub(super) fn all() -> String {
    let mut items = vec![
        secret("operator", &json!({"id": "AKIAOPERATOROPERATOR", "secret": "a-public-secret"})),
        secret("origin", &json!({"password": PUSHED})),
    ];
    items.extend(ROWS.iter().map(Row::source));
    items.extend(ROWS.iter().filter_map(Row::push));
    items.extend(ROWS.iter().map(Row::external_secret));
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

fn secret(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE}, "stringData": data})
}

impl Row {
    /// The store or the generator.
    fn source(&self) -> Value {
        let (version, kind) = self.kind();
        let spec = match self.asks {
            Asks::Store(service) | Asks::Push(service) => {
                json!({"provider": self.provider(service)})
            }
            Asks::ClusterStore(service) => json!({
                "conditions": [{"namespaces": [NAMESPACE]}],
                "provider": self.provider(service),
            }),
            Asks::RegistryToken | Asks::SessionToken => self.asking(json!({})),
        };
        self.object(version, kind, &spec)
    }

    /// Adds the region and, unless the operator asks as its own pod, as whom.
    fn asking(&self, mut spec: Value) -> Value {
        spec["region"] = "us-east-1".into();
        if let Some(auth) = self.auth.rendered() {
            spec["auth"] = auth;
        }
        spec
    }

    fn kind(&self) -> (&'static str, &'static str) {
        match self.asks {
            Asks::Store(_) | Asks::Push(_) => ("external-secrets.io/v1", "SecretStore"),
            Asks::ClusterStore(_) => ("external-secrets.io/v1", "ClusterSecretStore"),
            Asks::RegistryToken => (GENERATORS, "ECRAuthorizationToken"),
            Asks::SessionToken => (GENERATORS, "STSSessionToken"),
        }
    }

    fn provider(&self, service: Service) -> Value {
        let mut aws = self.asking(json!({"service": service.name}));
        if let Some(steps) = self.steps {
            aws["additionalRoles"] = steps.first.iter().map(|name| role(name)).collect();
            aws["role"] = role(steps.last).into();
            aws["externalID"] = steps.external_id.into();
            if steps.tagged {
                aws["sessionTags"] = json!([{"key": "team", "value": "payments"}]);
                aws["transitiveTagKeys"] = json!(["team"]);
            }
        }
        json!({"aws": aws})
    }

    /// What pushes a Secret to the store.
    fn push(&self) -> Option<Value> {
        let Asks::Push(_) = self.asks else { return None };
        let spec = json!({
            "secretStoreRefs": [{"kind": "SecretStore", "name": self.name}],
            "selector": {"secret": {"name": "origin"}},
            "data": [{"match": {"secretKey": "password", "remoteRef": {"remoteKey": self.key()}}}],
        });
        Some(self.object("external-secrets.io/v1alpha1", "PushSecret", &spec))
    }

    fn external_secret(&self) -> Value {
        let (version, kind) = self.kind();
        let spec = match self.asks {
            Asks::RegistryToken | Asks::SessionToken => json!({
                "refreshInterval": "1h",
                "dataFrom": [{"sourceRef": {"generatorRef": {"apiVersion": version, "kind": kind, "name": self.name}}}],
            }),
            _ => json!({
                "refreshInterval": "1h",
                "secretStoreRef": {"kind": kind, "name": self.name},
                "data": [{"secretKey": "password", "remoteRef": {"key": self.key()}}],
            }),
        };
        self.object("external-secrets.io/v1", "ExternalSecret", &spec)
    }

    /// The name of the secret at AWS.
    fn key(&self) -> String {
        if let Asks::Push(_) = self.asks { format!("/shop/{}", self.name) } else { KEY.to_owned() }
    }

    fn object(&self, version: &str, kind: &str, spec: &Value) -> Value {
        let mut metadata = json!({"name": self.name});
        if kind != "ClusterSecretStore" {
            metadata["namespace"] = NAMESPACE.into();
        }
        json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})
    }
}

impl Auth {
    fn rendered(self) -> Option<Value> {
        let key = |key| json!({"name": "operator", "key": key});
        match self {
            Self::Pod => None,
            Self::Jwt(name, None) => Some(json!({"jwt": {"serviceAccountRef": {"name": name}}})),
            Self::Jwt(name, Some(namespace)) => {
                Some(json!({"jwt": {"serviceAccountRef": {"name": name, "namespace": namespace}}}))
            }
            Self::Keys => Some(json!({"secretRef": {
                "accessKeyIDSecretRef": key("id"),
                "secretAccessKeySecretRef": key("secret"),
            }})),
        }
    }
}

/// The ARN of a role.
pub(super) fn role(name: &str) -> String {
    format!("arn:aws:iam::111122223333:role/{name}")
}
