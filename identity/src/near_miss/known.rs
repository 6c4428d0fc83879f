//! The annotations that podrole reads, and where; and those of the tools that it replaces.

use super::place::Place;
use crate::{
    AnnotationPrefix, CREDENTIALS_ANNOTATION, DISABLE_IMDS_ANNOTATION, ENDPOINT_URL_ANNOTATION,
    INCLUDE_CONTAINERS_ANNOTATION, NOT_BEFORE_ANNOTATION, PERMITTED_ROLES_ANNOTATION,
    PERMITTED_SECRETS_ANNOTATION, REGION_ANNOTATION, SESSION_DURATION_ANNOTATION,
    SESSION_NAME_ANNOTATION, expiration::TOKEN_EXPIRATION, misspelled::is_near,
};

/// kiam's and kube2iam's annotations, each with ours that does the same. One without `/` has EKS's
/// prefix.
pub(super) const OTHER_TOOLS: [(&str, &str); 5] = [
    ("iam.amazonaws.com/role", "role-arn"),
    ("iam.amazonaws.com/permitted", PERMITTED_ROLES_ANNOTATION),
    ("iam.amazonaws.com/allowed-roles", PERMITTED_ROLES_ANNOTATION),
    ("iam.amazonaws.com/default-role", "role-arn"),
    ("iam.amazonaws.com/session-name", SESSION_NAME_ANNOTATION),
];

/// `secret.podrole.io/<name>`.
pub(super) const SECRET: KnownKey =
    KnownKey { name: String::new(), namespace: false, service_account: true, pod: true };

/// An annotation that podrole reads.
pub(super) struct KnownKey {
    pub(super) name: String,
    pub(super) namespace: bool,
    pub(super) service_account: bool,
    pub(super) pod: bool,
}

/// All annotations that podrole reads.
pub(super) struct Known<'a> {
    prefix: &'a AnnotationPrefix,
    keys: Vec<KnownKey>,
}

impl KnownKey {
    /// Whether it has an effect there.
    pub(super) fn on(&self, place: Place<'_>) -> bool {
        match place {
            Place::Namespace => self.namespace,
            Place::ServiceAccount => self.service_account,
            Place::Pod(_) => self.pod,
            Place::Workload(_) => false,
        }
    }
}

impl<'a> Known<'a> {
    pub(super) fn new(prefix: &'a AnnotationPrefix) -> Self {
        let of_namespace =
            [PERMITTED_ROLES_ANNOTATION, PERMITTED_SECRETS_ANNOTATION, NOT_BEFORE_ANNOTATION];
        let of_service_account = ["role-arn", "audience", "sts-regional-endpoints"];
        let of_service_account = of_service_account.map(|name| prefix.key(name)).into_iter();
        let of_service_account = of_service_account
            .chain([CREDENTIALS_ANNOTATION, SESSION_DURATION_ANNOTATION].map(str::to_owned));
        let of_both = [TOKEN_EXPIRATION, "skip-containers"].map(|name| prefix.key(name));
        let of_both = of_both.into_iter().chain(
            [
                INCLUDE_CONTAINERS_ANNOTATION,
                REGION_ANNOTATION,
                SESSION_NAME_ANNOTATION,
                DISABLE_IMDS_ANNOTATION,
                ENDPOINT_URL_ANNOTATION,
            ]
            .map(str::to_owned),
        );
        let key = |namespace, service_account, pod| {
            move |name: String| KnownKey { name, namespace, service_account, pod }
        };
        let keys = of_service_account.map(key(false, true, false));
        let keys = keys.chain(of_both.map(key(false, true, true)));
        let keys = keys.chain(of_namespace.map(str::to_owned).map(key(true, false, false)));
        Self { prefix, keys: keys.collect() }
    }

    /// The annotation of exactly this key.
    pub(super) fn annotation(&self, key: &str) -> Option<&KnownKey> {
        self.keys.iter().find(|known| known.name == key)
    }

    /// The annotation that a key was probably meant to be.
    pub(super) fn near(&self, key: &str) -> Option<&KnownKey> {
        self.keys.iter().find(|known| is_near(key, &known.name))
    }

    /// The whole key of a name that has EKS's prefix.
    pub(super) fn prefixed(&self, name: &str) -> String {
        self.prefix.key(name)
    }
}
