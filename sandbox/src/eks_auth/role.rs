//! The role steps from EKS Auth to an association's role, and from there to its target role.

use jiff::Timestamp;
use podrole_identity::{POD_IDENTITY_AUDIENCE, RoleArn, SessionName};

use super::{
    error::EksAuthError,
    pod::{Pod, PodClaimError},
};
use crate::{
    accounts::{Cluster, ClusterArn, PodAssociation},
    policy::{Context, IdentityPolicy},
    sts::{
        caller::{Caller, ExternalPrincipal},
        error::StsError,
        inputs::DecisionInputs,
        role_step::{self, GrantedSession, RoleStep, SessionLength},
        session_policies::SessionPolicies,
        session_tags::SessionTags,
    },
};

/// Seconds: six hours.
const LIFE: u32 = 21_600;
/// Seconds: 59 minutes, because role chaining allows one hour.
const CHAINED_LIFE: u32 = 3540;
/// Characters of a session name before the hyphen and the UUID.
const NAME_LENGTH: usize = 64 - 37;

/// What the steps are made from.
#[derive(Clone, Copy)]
pub(super) struct PodRole<'a> {
    pub(super) inputs: DecisionInputs<'a>,
    pub(super) cluster: &'a Cluster,
    pub(super) association: &'a PodAssociation,
    pub(super) pod: &'a Pod,
    pub(super) uuid: &'a str,
}

impl PodRole<'_> {
    /// The session of the association's role, or of its target role if it has one.
    pub(super) fn decide(&self, now: Timestamp) -> Result<GrantedSession, EksAuthError> {
        let service =
            Caller::external(ExternalPrincipal::Service(POD_IDENTITY_AUDIENCE), self.source());
        let Some(target) = &self.association.target_role else {
            let policy = self.association.policy.clone();
            let step = self.step(&self.association.role, LIFE, policy, self.tags()?)?;
            return self.role_step(&service, step, now);
        };
        let step = self.step(&self.association.role, CHAINED_LIFE, None, self.tags()?)?;
        let base = self.role_step(&service, step, now)?;
        // No caller gets credentials of this session.
        let mut caller = Caller::session(self.inputs.accounts, &base.grant(now))
            .ok_or(EksAuthError::NoCluster)?;
        self.cluster.arn.region().clone_into(&mut caller.region);
        let policy = self.association.policy.clone();
        let mut step = self.step(target, CHAINED_LIFE, policy, SessionTags::default())?;
        step.external_id = Some(self.cluster.external_id(self.association));
        self.role_step(&caller, step, now)
    }

    fn role_step(
        &self,
        caller: &Caller,
        step: RoleStep,
        now: Timestamp,
    ) -> Result<GrantedSession, EksAuthError> {
        let role = step.role.clone();
        let life = self.inputs.credential_life;
        let granted = role_step::decide(self.inputs.accounts, life, caller, step, now);
        granted.map_err(|error| match error {
            StsError::AccessDenied { reason, .. } => EksAuthError::Unwilling { role, reason },
            error => EksAuthError::Step(Box::new(error)),
        })
    }

    fn step(
        &self,
        role: &RoleArn,
        life: u32,
        policy: Option<IdentityPolicy>,
        tags: SessionTags,
    ) -> Result<RoleStep, EksAuthError> {
        let policies = SessionPolicies::new(policy, &[]);
        Ok(RoleStep {
            action: "sts:AssumeRole",
            role: role.clone(),
            session_name: self.session_name()?,
            length: SessionLength::Fixed(life),
            policies: policies.map_err(|error| EksAuthError::Step(Box::new(error)))?,
            tags,
            external_id: None,
            source_identity: None,
        })
    }

    /// `eks-<cluster>-<pod>-<uuid>`, shortened to the 64 characters that STS allows.
    fn session_name(&self) -> Result<SessionName, EksAuthError> {
        let head = format!("eks-{}-{}", self.cluster.arn.name(), self.pod.name);
        let head: String = head.chars().take(NAME_LENGTH).collect();
        let name = format!("{head}-{}", self.uuid).parse();
        name.map_err(|_| EksAuthError::NotAPod(PodClaimError::PodName))
    }

    /// EKS's six session tags, all of them transitive.
    fn tags(&self) -> Result<SessionTags, EksAuthError> {
        if self.association.disable_session_tags {
            return Ok(SessionTags::default());
        }
        let (arn, account) = (&self.cluster.arn, &self.pod.account);
        let tags = [
            ("eks-cluster-arn", arn.as_str()),
            ("eks-cluster-name", arn.name()),
            ("kubernetes-namespace", account.namespace()),
            ("kubernetes-service-account", account.name()),
            ("kubernetes-pod-name", &self.pod.name),
            ("kubernetes-pod-uid", &self.pod.uid),
        ];
        let read = SessionTags::read(tags, tags.map(|(key, _)| key));
        read.map_err(|_| EksAuthError::NotAPod(PodClaimError::PodName))
    }

    /// The condition keys about the cluster that the service acts for.
    fn source(&self) -> Context {
        let arn = &self.cluster.arn;
        let organization = self.inputs.accounts.organization(arn.account());
        cluster_keys(arn).with("aws:SourceOrgID", organization)
    }
}

/// The condition keys about the cluster that the service acts for, without its organization.
pub(crate) fn cluster_keys(cluster: &ClusterArn) -> Context {
    Context::default()
        .with("aws:SourceArn", [cluster.as_str()])
        .with("aws:SourceAccount", [cluster.account()])
}
