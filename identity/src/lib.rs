//! What podrole's webhook and agent must agree on.
//!
//! The webhook writes into a pod what the agent later serves. Both use this crate's names,
//! annotations, paths, variables and formats, and its decision which role a ServiceAccount gets. The
//! crate is pure: no clock, no I/O, no Kubernetes client, no AWS client. Each type can hold valid
//! values only.
//!
//! ```text
//!   ServiceAccount annotations ─┐                       ┌─► variables, volume, mount (webhook)
//!                               ├─► role, provider   ──►┤
//!   association ────────────────┘                       └─► session, audience, answer (agent)
//! ```
//!
//! Names and defaults are those of EKS, so that workloads run unchanged.
#![forbid(unsafe_code)]

mod agentless;
mod annotation;
mod arn;
mod association;
mod assumed_role_arn;
mod audience;
mod blank;
mod cluster_id;
mod compose;
mod container_list;
mod endpoint_url;
mod expiration;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod glob;
mod grant;
mod injection;
mod kinds;
mod missed;
mod misspelled;
mod namespace_facts;
mod near_miss;
mod opt_in;
mod partition;
mod patterns;
mod permitted_roles;
mod permitted_secrets;
mod provider;
mod required_trust;
mod role_map;
mod sandbox_account;
mod sandbox_reason;
mod secret;
mod service_account;
mod session_duration;
mod session_name;
pub mod variable;

pub use agentless::agentless;
pub use annotation::{
    AnnotationPrefix, AnnotationPrefixError, Annotations, CREDENTIALS_ANNOTATION,
    EKS_POD_IDENTITY_LABEL, ENFORCE_MOUNTABLE_SECRETS_ANNOTATION, INCLUDE_CONTAINERS_ANNOTATION,
    Labels, PodAnnotations, Problem, SESSION_DURATION_ANNOTATION, SKIP_CONTAINERS,
    ServiceAccountAnnotations, TRUE_VALUES,
};
pub use arn::{AccountId, ArnError, RoleArn};
pub use association::{Association, AssociationError, AssociationList, AssociationListError};
pub use assumed_role_arn::AssumedRoleArn;
pub use audience::{
    AGENT_AUDIENCE, Audience, AudienceError, Exchange, POD_IDENTITY_AUDIENCE, STS_AUDIENCE,
    UnknownExchange,
};
pub use blank::Blank;
pub use cluster_id::{ClusterId, ClusterIdError};
pub use compose::{AnnotationRules, RoleComposer};
pub use container_list::ContainerList;
pub use endpoint_url::{
    DEFAULT_CLUSTER_DOMAIN, EndpointPattern, EndpointPatternError, EndpointUrl, EndpointUrlError,
    PermittedEndpoints,
};
pub use expiration::{
    DEFAULT_TOKEN_EXPIRATION_SECONDS, MAX_TOKEN_EXPIRATION_SECONDS, MIN_TOKEN_EXPIRATION_SECONDS,
    TOKEN_EXPIRATION, TokenExpiration, TokenExpirationError,
};
pub use grant::{
    Considered, Denial, DenialReason, Explanation, Facts, Grant, GrantRules, NotPermittedBy,
    RoleStep, SessionTags, Source, SourceOutcome, Sources, denial_of_pattern, explain, grant,
    injected_provider,
};
pub use injection::{
    EKS_SKIP_LABEL, INJECTION_ENABLED, INJECTION_LABEL, Injection, InjectionDefault,
    UnknownInjectionDefault, pod_opts_out,
};
pub use kinds::{
    API_GROUP, API_VERSION, EKS_ASSOCIATION_ANNOTATIONS, Guardrail, Guardrails, Kind,
    MAX_SELECTING_OBJECTS, Pattern, PatternMatch, Patterns, RawObject, SchemaError, Unreadable,
};
pub use missed::{
    InTheWay, Lack, MissedReason, MissedTimes, PodShape, PodShapeReader, is_mirror, is_missed,
    is_old_enough, lacked_provider,
};
pub use namespace_facts::{CREDENTIALS_LABEL, LabelTimes, NOT_BEFORE_ANNOTATION, NamespaceFacts};
pub use near_miss::{NearMiss, Place, near_misses};
pub use opt_in::{
    DISABLE_IMDS_ANNOTATION, ENDPOINT_URL_ANNOTATION, OptInAnnotations, REGION_ANNOTATION,
    SESSION_NAME_ANNOTATION,
};
pub use partition::Partition;
pub use permitted_roles::{
    PERMITTED_ROLES_ANNOTATION, PermittedRoles, PermittedRolesError, RolePattern,
};
pub use permitted_secrets::{
    PERMITTED_SECRETS_ANNOTATION, PermittedSecrets, PermittedSecretsError, SecretPattern,
};
pub use provider::{
    AGENT_ADDRESSES, CREDENTIALS_PATH, CredentialProvider, DEFAULT_FULL_URI, TokenVolume,
    UnknownCredentialProvider, path_components,
};
pub use required_trust::{
    RequiredTrust, TrustCondition, TrustOperator, TrustedPrincipal, issuer_name, provider_arn,
};
pub use role_map::{
    ROLE_MAP_KEY, ROLE_MAP_NAME, RoleEntry, RoleEntryError, RoleMap, RoleMapProblem,
};
pub use sandbox_account::NO_SANDBOX_ACCOUNT;
pub use sandbox_reason::SANDBOX_REASON_HEADER;
pub use secret::{
    DesiredSecret, SECRET_ANNOTATION_PREFIX, SECRET_VOLUME_PREFIX, SecretDenial, SecretItem,
    SecretOwner, Secrets,
};
pub use service_account::{ServiceAccountError, ServiceAccountRef};
pub use session_duration::{
    MAX_CHAINED_SESSION_SECONDS, MAX_SESSION_SECONDS, MIN_SESSION_SECONDS, SessionDuration,
    SessionDurationError,
};
pub use session_name::{
    SessionName, SessionNameError, SessionNameTemplate, SessionNameTemplateError,
};
