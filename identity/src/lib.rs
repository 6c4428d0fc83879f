//! The vocabulary that podrole's two halves share.
//!
//! The webhook writes into a pod what the agent later serves, and this crate is that promise:
//! the names, annotations, paths, variables and formats that both must spell alike. It is pure:
//! no clock, no I/O, no Kubernetes client, no AWS client. Each type refuses what it cannot be.
//!
//! ```text
//!   ServiceAccount annotations ─┐                       ┌─► variables, volume, mount (webhook)
//!                               ├─► role, path, life ──►┤
//!   association ────────────────┘                       └─► session, audience, answer (agent)
//! ```
//!
//! Names and defaults are those of EKS, so that workloads do not notice the difference.
#![forbid(unsafe_code)]

mod annotation;
mod arn;
mod association;
mod audience;
mod compose;
mod container_list;
mod expiration;
mod opt_in;
mod permitted_roles;
mod provider;
mod secret;
mod service_account;
mod session_name;
pub mod variable;

pub use annotation::{
    AnnotationPrefix, Annotations, CREDENTIALS_ANNOTATION, EKS_POD_IDENTITY_LABEL,
    ENFORCE_MOUNTABLE_SECRETS_ANNOTATION, INCLUDE_CONTAINERS_ANNOTATION, PodAnnotations, Problem,
    ServiceAccountAnnotations,
};
pub use arn::{AccountId, ArnError, RoleArn};
pub use association::{Association, AssociationList, AssociationListError};
pub use audience::{Audience, AudienceError, Exchange, POD_IDENTITY_AUDIENCE, STS_AUDIENCE};
pub use compose::RoleComposer;
pub use container_list::ContainerList;
pub use expiration::{
    DEFAULT_TOKEN_EXPIRATION_SECONDS, MAX_TOKEN_EXPIRATION_SECONDS, MIN_TOKEN_EXPIRATION_SECONDS,
    TokenExpiration,
};
pub use opt_in::{
    DISABLE_IMDS_ANNOTATION, ENDPOINT_URL_ANNOTATION, OptInAnnotations, REGION_ANNOTATION,
    SESSION_NAME_ANNOTATION,
};
pub use permitted_roles::{
    PERMITTED_ROLES_ANNOTATION, PermittedRoles, PermittedRolesError, RolePattern,
};
pub use provider::{CREDENTIALS_PATH, CredentialProvider, DEFAULT_FULL_URI, TokenVolume};
pub use secret::{DesiredSecret, SECRET_ANNOTATION_PREFIX, SecretItem, Secrets};
pub use service_account::{ServiceAccountError, ServiceAccountRef};
pub use session_name::{SessionName, SessionNameError, SessionNameTemplate};
