//! From a pod to its role, and on to the target role.

use jiff::Timestamp;
use podrole_identity::{POD_IDENTITY_AUDIENCE, RoleArn, SessionName};

use super::{fault::EksFault, pod::Pod};
use crate::{
    accounts::{Cluster, PodAssociation},
    policy::{Context, IdentityPolicy},
    sts::{
        caller::{Caller, Outsider},
        fault::Fault,
        hop::{self, Asked, Granted, Life},
        known::Known,
        session_policies::SessionPolicies,
        session_tags::SessionTags,
    },
};

/// Six hours.
const LIFE: u32 = 21_600;
/// 59 minutes: a chain gives an hour at most.
const LIFE_OF_A_CHAIN: u32 = 3540;
/// Characters of a session name that come before the UUID.
const NAME_LENGTH: usize = 64 - 37;

/// What a role is asked for with.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) known: Known<'a>,
    pub(super) cluster: &'a Cluster,
    pub(super) association: &'a PodAssociation,
    pub(super) pod: &'a Pod,
    pub(super) uuid: &'a str,
}

impl Step<'_> {
    /// The association's role; or its target role, by way of the role.
    pub(super) fn decide(&self, now: Timestamp) -> Result<Granted, EksFault> {
        let service = Caller::outsider(Outsider::Service(POD_IDENTITY_AUDIENCE), self.source());
        let Some(target) = &self.association.target_role else {
            let policy = self.association.policy.clone();
            let asked = self.asked(&self.association.role, LIFE, policy, self.tags()?)?;
            return self.hop(&service, asked, now);
        };
        let asked = self.asked(&self.association.role, LIFE_OF_A_CHAIN, None, self.tags()?)?;
        let base = self.hop(&service, asked, now)?;
        // Never kept: nobody but us holds these credentials.
        let base = hop::issue(&base, now)?;
        let mut caller = Caller::session(self.known.accounts, &base).ok_or(EksFault::NoCluster)?;
        self.cluster.arn.region().clone_into(&mut caller.region);
        let policy = self.association.policy.clone();
        let mut asked = self.asked(target, LIFE_OF_A_CHAIN, policy, SessionTags::default())?;
        asked.external_id = Some(self.cluster.external_id(self.association));
        self.hop(&caller, asked, now)
    }

    fn hop(&self, caller: &Caller, asked: Asked, now: Timestamp) -> Result<Granted, EksFault> {
        let role = asked.role.clone();
        let life = self.known.credential_life;
        let granted = hop::decide(self.known.accounts, life, caller, asked, now);
        granted.map_err(|fault| match fault {
            Fault::AccessDenied { reason, .. } => EksFault::Unwilling { role, reason },
            fault => EksFault::Step(Box::new(fault)),
        })
    }

    fn asked(
        &self,
        role: &RoleArn,
        life: u32,
        policy: Option<IdentityPolicy>,
        tags: SessionTags,
    ) -> Result<Asked, EksFault> {
        let policies = SessionPolicies::new(policy, &[]);
        Ok(Asked {
            action: "sts:AssumeRole",
            role: role.clone(),
            session_name: self.session_name()?,
            life: Life::Given(life),
            policies: policies.map_err(|fault| EksFault::Step(Box::new(fault)))?,
            tags,
            external_id: None,
            source_identity: None,
        })
    }

    /// `eks-<cluster>-<pod>-<uuid>`, cut where STS takes no more.
    fn session_name(&self) -> Result<SessionName, EksFault> {
        let head = format!("eks-{}-{}", self.cluster.arn.name(), self.pod.name);
        let head: String = head.chars().take(NAME_LENGTH).collect();
        let name = format!("{head}-{}", self.uuid).parse();
        name.map_err(|_| EksFault::NotAPod("its pod has a name that no pod can have"))
    }

    /// The six tags, all of them transitive.
    fn tags(&self) -> Result<SessionTags, EksFault> {
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
        read.map_err(|_| EksFault::NotAPod("its pod has a name that no pod can have"))
    }

    /// What the service says of the cluster that it acts for.
    fn source(&self) -> Context {
        let arn = &self.cluster.arn;
        let organization = self.known.accounts.organization(arn.account());
        Context::default()
            .with("aws:SourceArn", [arn.as_str()])
            .with("aws:SourceAccount", [arn.account()])
            .with("aws:SourceOrgID", organization)
    }
}
