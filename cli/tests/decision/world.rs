//! One ServiceAccount in one cluster, and what both halves say about it.

use std::{collections::BTreeMap, sync::LazyLock};

use jiff::Timestamp;
use podrole_agent::{
    resolve::{RequestFacts, ResolveError, ServiceAccountFacts, Sessions, decide},
    token::Caller,
};
use podrole_identity::{
    AnnotationPrefix, AnnotationRules, Annotations, AssociationList, CredentialProvider, Denial,
    Exchange, Facts, GrantRules, Guardrails, Injection, Labels, NamespaceFacts, Partition,
    Patterns, PermittedRoles, RoleStep, ServiceAccountRef, Sources, grant,
};
use podrole_runtime::latest::Latest;
use podrole_webhook::{
    DEFAULT_PATIENCE, InMemory, Metrics, Settings, Webhook, review_bytes,
    sources::ConfiguredSources,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().unwrap());

/// One ServiceAccount, `shop/app`, in one cluster.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) annotations: Annotations,
    /// The entry's fields beside namespace and name; `None` without an entry.
    pub(crate) entry: Option<Value>,
    pub(crate) permitted: Option<String>,
    pub(crate) rules: GrantRules,
    pub(crate) annotation_rules: AnnotationRules,
}

/// What the webhook answers.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) allowed: bool,
    /// The provider that the containers got.
    pub(crate) injected: Option<CredentialProvider>,
    pub(crate) warnings: Vec<String>,
    pub(crate) message: String,
    pub(crate) audit: BTreeMap<String, String>,
}

impl World {
    fn service_account() -> ServiceAccountRef {
        "shop/app".parse().unwrap()
    }

    fn list(&self) -> AssociationList {
        let entries = self.entry.iter().map(|fields| {
            let mut entry = json!({"namespace": "shop", "serviceAccount": "app"});
            entry.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            entry
        });
        let list = json!({"identities": entries.collect::<Vec<_>>()});
        AssociationList::read(&list.to_string()).unwrap()
    }

    pub(crate) fn webhook(&self, injection: Injection) -> Admission {
        let annotations = self.annotation_rules.read(self.annotations.clone());
        let accounts: InMemory = [(Self::service_account(), annotations)].into_iter().collect();
        let roles = PermittedRoles::read(self.permitted.as_deref());
        let accounts = accounts.with_namespace(
            "shop",
            NamespaceFacts { permitted: roles, ..NamespaceFacts::default() },
        );
        let settings = Settings {
            annotations: self.annotation_rules.clone(),
            rules: self.rules.clone(),
            ..Settings::default()
        };
        let sources = ConfiguredSources {
            associations: Some(Latest::from(self.list())),
            ..ConfiguredSources::default()
        };
        let webhook = Webhook::new(accounts, settings, Metrics::default()).with_sources(sources);
        let pod = json!({"metadata": {"name": "app-1"}, "spec": {
            "serviceAccountName": "app", "containers": [{"name": "web"}]}});
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {"uid": "u-1", "operation": "CREATE", "namespace": "shop", "object": pod,
                "kind": {"group": "", "version": "v1", "kind": "Pod"}}});
        let body = review.to_string();
        let answer = review_bytes(&webhook, injection, DEFAULT_PATIENCE, body.as_bytes());
        let response = RUNTIME.block_on(answer).unwrap().response;
        let mut patched = pod;
        json_patch::patch(&mut patched, &response.operations().unwrap()).unwrap();
        let sets = |name: &str| {
            let env = patched["spec"]["containers"][0]["env"].as_array();
            env.is_some_and(|env| env.iter().any(|variable| variable["name"] == name))
        };
        let web = sets("AWS_ROLE_ARN").then_some(CredentialProvider::WebIdentity);
        let container = sets("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        Admission {
            allowed: response.allowed,
            injected: web.or(container.then_some(CredentialProvider::Container)),
            warnings: response.warnings,
            message: response.status.map(|status| status.message).unwrap_or_default(),
            audit: response.audit_annotations,
        }
    }

    /// What the decision itself says, without a provider that is settled.
    pub(crate) fn denial(&self) -> Option<Denial> {
        let (annotations, list) =
            (self.annotation_rules.read(self.annotations.clone()), self.list());
        let service_account = Self::service_account();
        let namespace = NamespaceFacts {
            permitted: PermittedRoles::read(self.permitted.as_deref()),
            ..NamespaceFacts::default()
        };
        let sources = Sources {
            association: None,
            listed: list.find(&service_account),
            annotations: &annotations,
            role_map: None,
        };
        let facts = Facts {
            service_account: &service_account,
            labels: &Labels::new(),
            sources,
            patterns: Patterns::none(),
            guardrails: Guardrails::none(),
            namespace: &namespace,
            provider: None,
        };
        grant(&facts, &self.rules).err()
    }

    /// What holds whatever `grant` says: written without it, so that a mistake in it is seen.
    pub(crate) fn invariants(
        &self,
        steps: &[RoleStep],
        provider: CredentialProvider,
    ) -> Result<(), TestCaseError> {
        // With eks-auth EKS chooses the role and its session.
        if steps.is_empty() {
            return Ok(());
        }
        let permitted = PermittedRoles::read(self.permitted.as_deref());
        for step in steps {
            prop_assert!(permitted.permits(&step.role), "{} is not permitted", step.role);
        }
        let by_list = self.entry.as_ref().is_some_and(|entry| entry.get("roleArn").is_some());
        let is_ours = self.rules.exchange == Exchange::AssumeRole
            && provider == CredentialProvider::Container;
        if is_ours && !by_list {
            prop_assert!(self.rules.annotation_roles && permitted != PermittedRoles::Any);
        }
        let policy = self.entry.as_ref().filter(|_| by_list).and_then(|entry| entry.get("policy"));
        let sent = steps.last().and_then(|step| step.policy.as_deref());
        prop_assert_eq!(sent, policy.and_then(Value::as_str), "the session policy");
        if let Some(policy) = sent {
            let is_object = policy.starts_with('{');
            prop_assert!(is_object && self.rules.exchange == Exchange::AssumeRole);
        }
        if provider == CredentialProvider::Container {
            let partition = self.rules.partition.map(Partition::as_str);
            let other = steps.iter().find(|step| Some(step.role.partition()) != partition);
            prop_assert!(other.is_none(), "{other:?}");
        }
        Ok(())
    }

    /// The roles that the agent would request, or its refusal.
    pub(crate) fn agent(&self) -> Result<Vec<RoleStep>, ResolveError> {
        let caller = Caller {
            service_account: Self::service_account(),
            service_account_uid: "uid".to_owned(),
            pod_name: "app-1".to_owned(),
            pod_uid: "pod-uid".to_owned(),
            node: None,
            issuer: "https://issuer.example".to_owned(),
            key_id: None,
            audiences: vec![self.rules.exchange.audience().to_string()],
            listed_audience: true,
            expires: Timestamp::MAX,
        };
        let service_account = ServiceAccountFacts {
            uid: "uid".to_owned(),
            annotations: self.annotation_rules.read(self.annotations.clone()),
            ..ServiceAccountFacts::default()
        };
        let list = self.list();
        let namespace = NamespaceFacts {
            permitted: PermittedRoles::read(self.permitted.as_deref()),
            injection: Some(Injection::Enabled),
            ..NamespaceFacts::default()
        };
        let request = RequestFacts {
            caller: &caller,
            service_account: Some(&service_account),
            association: None,
            listed: list.find(&caller.service_account),
            patterns: Patterns::none(),
            guardrails: Guardrails::none(),
            namespace: &namespace,
        };
        let sessions = Sessions {
            rules: self.rules.clone(),
            session_name: "{pod.namespace}.{serviceaccount.name}".parse().unwrap(),
            annotation_prefix: AnnotationPrefix::default(),
            association_objects: false,
            audience: self.rules.exchange.audience(),
        };
        let decision = decide(&request, &sessions)?;
        Ok(decision.session.steps)
    }
}
