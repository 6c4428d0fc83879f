//! The fields of a session, which associations and patterns share.

use jiff::Timestamp;
use serde::Deserialize;

use super::template::{expand, solve};
use crate::{
    Association, AssociationError, MAX_SESSION_SECONDS, MIN_SESSION_SECONDS, RoleArn,
    ServiceAccountRef, SessionNameTemplate, association::is_external_id,
};

/// The fields as the API server stores them. In a pattern the first three are templates.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RoleFields {
    #[serde(rename = "roleARN")]
    role_arn: String,
    #[serde(rename = "targetRoleARN")]
    target_role_arn: Option<String>,
    #[serde(rename = "externalID")]
    external_id: Option<String>,
    #[serde(default)]
    disable_session_tags: bool,
    pod_tags: Option<bool>,
    policy: Option<String>,
    duration_seconds: Option<u32>,
    session_name: Option<String>,
    not_before: Option<Timestamp>,
}

impl RoleFields {
    /// The texts that may have placeholders in a pattern.
    pub(super) fn templates(&self) -> impl Iterator<Item = &str> {
        let optional = [&self.target_role_arn, &self.external_id].into_iter().flatten();
        std::iter::once(&self.role_arn).chain(optional).map(String::as_str)
    }

    /// Namespace and name of the ServiceAccounts for which a role of the chain is this one.
    pub(super) fn giving<'a>(&self, role: &'a str) -> Option<(Option<&'a str>, Option<&'a str>)> {
        let mut templates = std::iter::once(&self.role_arn).chain(&self.target_role_arn);
        templates.find_map(|template| solve(template, role))
    }

    /// The fields of a pattern for one ServiceAccount.
    pub(super) fn expanded(&self, service_account: &ServiceAccountRef) -> Self {
        let expanded = |text: &String| expand(text, service_account);
        Self {
            role_arn: expanded(&self.role_arn),
            target_role_arn: self.target_role_arn.as_ref().map(expanded),
            external_id: self.external_id.as_ref().map(expanded),
            ..self.clone()
        }
    }

    /// The association of a ServiceAccount with these fields. The schema has checked them, but
    /// perhaps another version of it.
    ///
    /// # Errors
    /// Names the field that cannot be used.
    pub(super) fn check(
        &self,
        service_account: &ServiceAccountRef,
    ) -> Result<Association, AssociationError> {
        let role = |arn: &str, field| {
            arn.parse::<RoleArn>().map_err(|error| AssociationError::Role { field, error })
        };
        let allowed = MIN_SESSION_SECONDS..=MAX_SESSION_SECONDS;
        if self.duration_seconds.is_some_and(|seconds| !allowed.contains(&seconds)) {
            return Err(AssociationError::Duration);
        }
        if !self.external_id.as_deref().is_none_or(is_external_id) {
            return Err(AssociationError::ExternalId("externalID"));
        }
        let target = self.target_role_arn.as_deref();
        let session_name = self.session_name.as_deref();
        let session_name = session_name.map(SessionNameTemplate::read_legal).transpose();
        Ok(Association {
            service_account: service_account.clone(),
            role: Some(role(&self.role_arn, "roleARN")?),
            target_role: target.map(|arn| role(arn, "targetRoleARN")).transpose()?,
            external_id: self.external_id.clone(),
            disable_session_tags: self.disable_session_tags,
            pod_tags: self.pod_tags,
            policy: self.policy.clone(),
            duration_seconds: self.duration_seconds,
            session_name: session_name?,
            not_before: self.not_before,
        })
    }
}
