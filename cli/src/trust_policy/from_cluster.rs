//! What flags do not say, from the cluster: the issuer of its tokens, and the roles of ServiceAccounts.

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::{
    Api,
    api::{DynamicObject, ListParams},
};
use podrole_identity::{
    AnnotationPrefix, Annotations, Association, Exchange, Facts, Grant, GrantRules, Guardrails,
    InjectionDefault, Kind, NamespaceFacts, Patterns, RoleArn, ServiceAccountAnnotations,
    ServiceAccountRef, Sources, Unreadable, grant,
};
use podrole_runtime::objects;
use serde::Deserialize;

use super::{args::TrustPolicyArgs, error::TrustPolicyError, question::TrustQuestion};
use crate::{
    cluster::{Reader, Target, Unread},
    oidc::DISCOVERY,
    report::{Finding, State},
};

#[derive(Deserialize)]
struct DiscoveryDocument {
    issuer: String,
}

impl From<Unread> for TrustPolicyError {
    fn from(unread: Unread) -> Self {
        Self::Found(vec![Finding::unknown(unread.to_string())])
    }
}

/// The question for each ServiceAccount. The cluster is asked only for what flags do not say.
pub(super) async fn questions(
    args: &TrustPolicyArgs,
) -> Result<Vec<TrustQuestion>, TrustPolicyError> {
    let role = args.known_role()?;
    let needs_issuer = args.exchange == Exchange::WebIdentity && args.issuer.is_none();
    let needs_role = role.is_none();
    let reader =
        if needs_issuer || needs_role { Some(args.cluster.reader().await?.0) } else { None };
    let issuer = match (&args.issuer, &reader) {
        (Some(issuer), _) => issuer.clone(),
        (None, Some(reader)) if needs_issuer => issuer_of(reader).await?,
        (None, _) => String::new(),
    };
    let mut questions = Vec::new();
    for service_account in &args.service_accounts {
        questions.push(match (&role, &reader) {
            (Some(role), _) => args.question(service_account, role.clone(), &issuer)?,
            (None, Some(reader)) => {
                let grant = granted(reader, service_account, args.exchange).await?;
                of_grant(args, service_account, &grant, &issuer)?
            }
            (None, None) => return Err(anyhow::anyhow!("give --role").into()),
        });
    }
    one_role(&questions)?;
    Ok(questions)
}

/// One policy belongs to one role.
fn one_role(questions: &[TrustQuestion]) -> anyhow::Result<()> {
    for pair in questions.windows(2) {
        let [one, other] = pair else { continue };
        anyhow::ensure!(
            one.role == other.role,
            "{} has the role {} and {} has {}; give them in two commands",
            one.service_account,
            one.role,
            other.service_account,
            other.role
        );
    }
    Ok(())
}

/// The issuer of the cluster's tokens.
///
/// # Errors
/// If the API server does not say it.
pub(crate) async fn issuer_of(reader: &Reader) -> Result<String, Unread> {
    let text = reader.text(DISCOVERY).await?;
    let document: DiscoveryDocument = serde_json::from_str(&text)
        .map_err(|error| Unread::Failed(Target::of_path(DISCOVERY), error.to_string()))?;
    Ok(document.issuer)
}

/// The first role that the cluster gives the ServiceAccount, and those behind it.
async fn granted(
    reader: &Reader,
    service_account: &ServiceAccountRef,
    exchange: Exchange,
) -> Result<Grant, TrustPolicyError> {
    let (namespace, name) = (service_account.namespace(), service_account.name());
    let client = reader.client();
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), namespace);
    let account = reader.get(&accounts, name).await?.ok_or_else(|| {
        found(format!("there is no ServiceAccount {service_account}; give --role"))
    })?;
    let of_namespace = reader.get(&Api::<Namespace>::all(client.clone()), namespace).await?;
    let of_namespace = of_namespace.unwrap_or_default().metadata;
    let association = association(reader, service_account).await?;
    let patterns = listed(reader, Kind::Pattern).await?;
    let guardrails = listed(reader, Kind::Guardrail).await?;
    let annotations = |metadata: &Option<Annotations>| metadata.clone().unwrap_or_default();
    let own = ServiceAccountAnnotations::read(
        &annotations(&account.metadata.annotations),
        &AnnotationPrefix::default(),
    );
    let facts = Facts {
        service_account,
        labels: &account.metadata.labels.unwrap_or_default(),
        sources: Sources {
            association: association.as_ref().map(Result::as_ref),
            listed: None,
            annotations: &own,
            role_map: None,
        },
        patterns: &Patterns::read(objects::raw(&patterns)),
        guardrails: &Guardrails::read(objects::raw(&guardrails)),
        namespace: &NamespaceFacts::read(
            of_namespace.labels.unwrap_or_default(),
            &annotations(&of_namespace.annotations),
            InjectionDefault::default(),
        ),
        provider: None,
    };
    let rules = GrantRules { exchange, annotation_roles: true, ..GrantRules::default() };
    match grant(&facts, &rules) {
        Ok(Some(grant)) => Ok(grant),
        Ok(None) => Err(found(format!(
            "no association, pattern or annotation names a role for {service_account}; give --role"
        ))),
        Err(denial) => Err(found(denial.to_string())),
    }
}

fn found(message: String) -> TrustPolicyError {
    TrustPolicyError::Found(vec![Finding::new(State::Error, message)])
}

async fn association(
    reader: &Reader,
    service_account: &ServiceAccountRef,
) -> Result<Option<Result<Association, Unreadable>>, TrustPolicyError> {
    let name = Association::object_name(service_account);
    let api = objects::api(reader.client(), Kind::Association);
    let object = reader.get(&api, &name).await?;
    Ok(object.map(|mut object| Association::read_object(&name, &objects::take_spec(&mut object))))
}

async fn listed(reader: &Reader, kind: Kind) -> Result<Vec<DynamicObject>, TrustPolicyError> {
    let api = objects::api(reader.client(), kind);
    match reader.all(&api, ListParams::default()).await {
        // Without the CRD there are none.
        Err(Unread::NotFound(..)) => Ok(Vec::new()),
        all => Ok(all?),
    }
}

/// The question about the first role: others trust the one before them, not the exchange.
fn of_grant(
    args: &TrustPolicyArgs,
    service_account: &ServiceAccountRef,
    grant: &Grant,
    issuer: &str,
) -> Result<TrustQuestion, TrustPolicyError> {
    let role: RoleArn = match grant.steps.first() {
        Some(step) => step.role.clone(),
        None => {
            return Err(found(format!("EKS chooses the role of {service_account}; give --role")));
        }
    };
    Ok(args.question(service_account, role, issuer)?)
}
