//! What the operator is asked for: 21 stores and generators, as whom each asks AWS, and what must come of it.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;

/// Where the stores are, and the Secrets that come of them.
pub(super) const NAMESPACE: &str = "engine";
/// The name of the secret and of the parameter that lie in moto.
pub(super) const KEY: &str = "/shop/password";
/// What is pushed to AWS, and read back.
pub(super) const PUSHED: &str = "pushed";

/// A store or a generator; an ExternalSecret and the Secret that comes of it have the same name.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) asks: Asks,
    pub(super) auth: Auth,
    pub(super) steps: Option<Steps>,
    must: Must,
}

#[derive(Clone, Copy)]
pub(super) enum Asks {
    /// A store, of Secrets Manager or Parameter Store.
    Store(Service),
    /// One for the whole cluster, which other namespaces than ours may not use.
    ClusterStore(Service),
    /// A store that a Secret is pushed to, and read back from.
    Push(Service),
    RegistryToken,
    SessionToken,
}

/// The service's name in a store, and the operations that the sandbox sees for a read and a push.
#[derive(Clone, Copy)]
pub(super) struct Service {
    pub(super) name: &'static str,
    reads: &'static str,
    pushes: &'static str,
}

const SM: Service = Service {
    name: "SecretsManager",
    reads: "secretsmanager.GetSecretValue",
    pushes: "secretsmanager.CreateSecret",
};
const PS: Service =
    Service { name: "ParameterStore", reads: "ssm.GetParameter", pushes: "ssm.PutParameter" };

/// As whom.
#[derive(Clone, Copy)]
pub(super) enum Auth {
    /// Without `auth`: as the operator's own pod, which podrole gave container credentials.
    Pod,
    /// As a ServiceAccount, by web identity. The namespace only if the store names it.
    Jwt(&'static str, Option<&'static str>),
    /// By an access key of the user `operator`.
    Keys,
}

/// The role steps after that: `additionalRoles`, `role`, `externalID` and whether tags go with the last.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    pub(super) first: &'static [&'static str],
    pub(super) last: &'static str,
    pub(super) external_id: &'static str,
    pub(super) tagged: bool,
}

#[derive(Clone, Copy)]
enum Must {
    /// It syncs, and what the sandbox saw was signed by this role or user.
    Sync(&'static str),
    /// It does not, and a person reads these words of AWS in an Event on the store or the ExternalSecret.
    Refuse(&'static str),
}

const EXTERNAL: Steps =
    Steps { first: &[], last: "engine-external", external_id: "shop/1", tagged: false };
const TAGGED: Steps = Steps { last: "engine-tagged", tagged: true, ..EXTERNAL };
const CHAIN: Steps = Steps { first: &["engine-hub"], ..TAGGED };

use Asks::{ClusterStore, Push, RegistryToken, SessionToken, Store};
use Auth::{Jwt, Keys, Pod};
use Must::{Refuse, Sync};

const READER: Auth = Jwt("reader", None);
const TENANT: Auth = Jwt("tenant", None);
const PLATFORM: Auth = Jwt("platform", Some("external-secrets"));

const fn row(name: &'static str, asks: Asks, auth: Auth, must: Must) -> Row {
    Row { name, asks, auth, steps: None, must }
}

const fn steps(steps: Steps, row: Row) -> Row {
    Row { steps: Some(steps), ..row }
}

pub(super) const ROWS: [Row; 21] = [
    row("sm-pod", Store(SM), Pod, Sync("role/engine")),
    row("ps-pod", Store(PS), Pod, Sync("role/engine")),
    row("sm-jwt", Store(SM), READER, Sync("role/engine-reader")),
    row("ps-jwt", Store(PS), READER, Sync("role/engine-reader")),
    row("cluster-sm-pod", ClusterStore(SM), Pod, Sync("role/engine")),
    row("cluster-ps-pod", ClusterStore(PS), Pod, Sync("role/engine")),
    row("cluster-sm-jwt", ClusterStore(SM), PLATFORM, Sync("role/engine-platform")),
    row("cluster-ps-jwt", ClusterStore(PS), PLATFORM, Sync("role/engine-platform")),
    row("cluster-sm-referent", ClusterStore(SM), TENANT, Sync("role/engine-tenant")),
    row("cluster-ps-referent", ClusterStore(PS), TENANT, Sync("role/engine-tenant")),
    steps(EXTERNAL, row("sm-external-id", Store(SM), Pod, Sync("role/engine-external"))),
    steps(TAGGED, row("ps-tags", Store(PS), READER, Sync("role/engine-tagged"))),
    steps(CHAIN, row("sm-chain", Store(SM), Pod, Sync("role/engine-tagged"))),
    row("sm-push", Push(SM), Pod, Sync("role/engine")),
    row("ps-push", Push(PS), READER, Sync("role/engine-reader")),
    row("ecr-pod", RegistryToken, Pod, Sync("role/engine")),
    row("ecr-jwt", RegistryToken, READER, Sync("role/engine-reader")),
    row("sts-keys", SessionToken, Keys, Sync("user/operator")),
    row(
        "stranger",
        Store(SM),
        Jwt("stranger", None),
        Refuse("Not authorized to perform sts:AssumeRoleWithWebIdentity"),
    ),
    steps(
        Steps { external_id: "shop/2", ..EXTERNAL },
        row(
            "wrong-external-id",
            Store(PS),
            Pod,
            Refuse(
                "is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/engine-external",
            ),
        ),
    ),
    row(
        "sts-pod",
        SessionToken,
        Pod,
        Refuse("Cannot call GetSessionToken with session credentials"),
    ),
];

impl Row {
    /// The words of AWS that must reach a person, if AWS has to refuse it.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        match self.must {
            Must::Refuse(words) => Some(words),
            Must::Sync(_) => None,
        }
    }

    /// Whether a Secret is what must come of it, with `value` in moto.
    pub(super) fn is_synced(&self, secret: &BTreeMap<String, ByteString>, value: &str) -> bool {
        let is =
            |key, value: &str| secret.get(key).is_some_and(|bytes| bytes.0 == value.as_bytes());
        match self.asks {
            Asks::Store(_) | Asks::ClusterStore(_) => is("password", value),
            Asks::Push(_) => is("password", PUSHED),
            Asks::RegistryToken => is("username", "AWS"),
            Asks::SessionToken => {
                secret.get("access_key_id").is_some_and(|bytes| bytes.0.starts_with(b"ASIA"))
            }
        }
    }

    /// The operation that the sandbox must have seen, and the beginning of its reason, which says by whom.
    pub(super) fn call(&self) -> Option<(&'static str, String)> {
        let Must::Sync(by) = self.must else { return None };
        let operation = match self.asks {
            Asks::Store(service) | Asks::ClusterStore(service) => service.reads,
            Asks::Push(service) => service.pushes,
            Asks::RegistryToken => "ecr.GetAuthorizationToken",
            Asks::SessionToken => "GetSessionToken",
        };
        let reason = match by.strip_prefix("role/") {
            Some(role) => {
                format!("passed on, signed by arn:aws:sts::111122223333:assumed-role/{role}/")
            }
            None => format!("arn:aws:iam::111122223333:{by} signed with its own key"),
        };
        Some((operation, reason))
    }
}
